//! Ways to people, before a mail server and a web server: what they get, and what is made of their refusals.

use crate::support::within;
use aws_lc_rs::hmac;
use scruple_app::message::{Channel as _, Message, NotTaken, Told};
use scruple_connect::{MailChannel, MailOptions, Roots, Web, WebhookChannel};
use scruple_core::{Id, Phi, Timestamp};
use scruple_testkit::upstream_faults::{Answer, FaultServer};
use secrecy::SecretString;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

fn message(told: Told) -> Message {
    Message {
        id: Id::from_uuid("0198c0de-0000-7000-8000-000000000001".parse().unwrap()),
        told,
        title: "A chart was opened in an emergency",
        link: "https://scruple.example/emergency/0198c0de".to_owned(),
        at: Timestamp::parse("2026-03-01T08:00:00Z").unwrap(),
        to: None,
    }
}

fn emergency() -> Message {
    message(Told::EmergencyOpened(Id::from_uuid("0198c0de-0000-7000-8000-000000000002".parse().unwrap())))
}

/// A mail server that says `answer` to each recipient; what it was told, line by line.
async fn mail_server(answer: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("smtp://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let told = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&told);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (read, mut write) = stream.into_split();
            let mut read = BufReader::new(read).lines();
            write.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
            let mut in_text = false;
            while let Ok(Some(line)) = read.next_line().await {
                let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
                let reply = match verb.as_str() {
                    _ if in_text && line == "." => "250 taken",
                    _ if in_text => "",
                    "EHLO" => "250 mail.example",
                    "RCPT" => answer,
                    "DATA" => "354 go on",
                    "QUIT" => "221 bye",
                    _ => "250 ok",
                };
                in_text = (in_text || verb == "DATA") && line != ".";
                lines.lock().unwrap().push(line);
                if !reply.is_empty() {
                    write.write_all(format!("{reply}\r\n").as_bytes()).await.unwrap();
                }
            }
        }
    });
    (address, told)
}

fn options(server: &str) -> MailOptions {
    MailOptions {
        server: server.to_owned(),
        login: None,
        roots: Roots::Public,
        from: "Scruple <scruple@hospital.example>".to_owned(),
        privacy: vec!["privacy@hospital.example".to_owned(), "night@hospital.example".to_owned()],
        requests: Vec::new(),
        people: None,
    }
}

#[tokio::test]
async fn what_is_one_person_s_goes_to_his_own_address_and_to_nobody_else() {
    let own = Told::SentenceOwed(Id::from_uuid("0198c0de-0000-7000-8000-000000000004".parse().unwrap()));
    let (server, told) = mail_server("250 ok").await;
    let channel = MailChannel::new(&options(&server)).unwrap();
    let told_of_none = Message { to: Some(Phi::new("nora.huber".to_owned())), ..message(own) };
    assert_eq!(channel.deliver(&told_of_none).await.unwrap_err(), NotTaken("address_unfit"), "no domain is known");
    let channel =
        MailChannel::new(&MailOptions { people: Some("people.example".to_owned()), ..options(&server) }).unwrap();
    assert!(channel.takes(own));
    for (login, address) in
        [("nora.huber", "<nora.huber@people.example>"), ("nora@else.example", "<nora@else.example>")]
    {
        let mail = Message { to: Some(Phi::new(login.to_owned())), ..message(own) };
        assert_eq!(channel.deliver(&mail).await.unwrap().recipients, 1);
        let lines = std::mem::take(&mut *told.lock().unwrap());
        let to: Vec<&String> = lines.iter().filter(|line| line.starts_with("RCPT TO:")).collect();
        assert_eq!(to.len(), 1, "{lines:?}");
        assert!(to[0].contains(address), "{to:?}");
    }
    let unfit = Message { to: Some(Phi::new("no address".to_owned())), ..message(own) };
    assert_eq!(channel.deliver(&unfit).await.unwrap_err(), NotTaken("address_unfit"));
    assert_eq!(channel.deliver(&message(own)).await.unwrap_err(), NotTaken("address_unfit"));
    let web = WebhookChannel::new(
        Web::new(Roots::Public),
        "https://x.example".to_owned(),
        &SecretString::from("s".repeat(32)),
    );
    assert!(!web.takes(own) && web.takes(emergency().told));
}

#[tokio::test]
async fn a_mail_goes_to_those_whom_it_concerns_and_names_nobody() {
    let (server, told) = mail_server("250 ok").await;
    let channel = MailChannel::new(&options(&server)).unwrap();
    let request = Told::RequestWaits(Id::from_uuid("0198c0de-0000-7000-8000-000000000003".parse().unwrap()));
    assert!(!channel.takes(request), "nobody is named for requests");
    let message = emergency();
    assert!(channel.takes(message.told));
    let receipt = within(channel.deliver(&message)).await.unwrap();
    assert_eq!((receipt.recipients, receipt.status), (2, 250));
    let lines = told.lock().unwrap().join("\n");
    for part in [
        "RCPT TO:<privacy@hospital.example>",
        "RCPT TO:<night@hospital.example>",
        "Subject: A chart was opened in an emergency",
        "Message-ID: <0198c0de-0000-7000-8000-000000000001@hospital.example>",
        "https://scruple.example/emergency/0198c0de",
    ] {
        assert!(lines.contains(part), "{part}:\n{lines}");
    }
}

#[tokio::test]
async fn a_mail_that_is_refused_deferred_or_lost_says_which() {
    for (answer, code) in [("550 nobody here", "mail_refused"), ("451 later", "mail_deferred")] {
        let (server, _) = mail_server(answer).await;
        let channel = MailChannel::new(&options(&server)).unwrap();
        assert_eq!(within(channel.deliver(&emergency())).await, Err(NotTaken(code)), "{answer}");
    }
    let channel = MailChannel::new(&options("smtp://127.0.0.1:1")).unwrap();
    assert_eq!(within(channel.deliver(&emergency())).await, Err(NotTaken("mail_unreachable")));
    // In clear to this machine alone.
    let (server, told) = mail_server("250 ok").await;
    let elsewhere = server.replace("127.0.0.1", "127.0.0.2");
    let channel = MailChannel::new(&options(&elsewhere)).unwrap();
    assert!(within(channel.deliver(&emergency())).await.is_err());
    assert!(!told.lock().unwrap().iter().any(|line| line.starts_with("RCPT")));
    for server in ["", "mail.example", "http://mail.example", "smtp://", "smtp://a b", "smtp://mail.example:x"] {
        assert!(MailChannel::new(&options(server)).is_err(), "{server}");
    }
    assert!(MailChannel::new(&MailOptions { from: "nobody".to_owned(), ..options("smtp://localhost") }).is_err());
}

#[tokio::test]
async fn a_webhook_is_signed_and_what_it_answers_counts() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let server = FaultServer::start(move |request| {
        kept.lock().unwrap().push(request.clone());
        Answer::json("{}").with_status(if request.target == "/down" { 503 } else { 202 })
    })
    .unwrap();
    let secret = SecretString::from("a-secret-that-both-sides-know");
    let hook = |path: &str| WebhookChannel::new(Web::new(Roots::Public), server.url(path), &secret);
    let receipt = within(hook("/hook").deliver(&emergency())).await.unwrap();
    assert_eq!((receipt.recipients, receipt.status), (1, 202));
    let request = seen.lock().unwrap().remove(0);
    let body = String::from_utf8(request.body.clone()).unwrap();
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(told["kind"], "emergency_opened");
    assert_eq!(told["link"], "https://scruple.example/emergency/0198c0de");
    let signature = request.header("scruple-signature").unwrap().to_owned();
    let (seconds, tag) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"a-secret-that-both-sides-know");
    let expected = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let hex: String = expected.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(tag, hex);
    assert_eq!(within(hook("/down").deliver(&emergency())).await, Err(NotTaken("webhook_refused")));
    let nowhere =
        WebhookChannel::new(Web::new(Roots::Public), "http://127.0.0.1:1/hook".to_owned(), &SecretString::from("s"));
    assert_eq!(within(nowhere.deliver(&emergency())).await, Err(NotTaken("webhook_unreachable")));
}
