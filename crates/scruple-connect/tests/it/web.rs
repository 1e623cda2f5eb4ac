//! Calls of servers that are no FHIR servers: whole answers or an error, no redirect, nothing of a secret in errors and logs.

use crate::support::{CANARY, within};
use scruple_connect::{Roots, Web};
use scruple_release::UpstreamError;
use scruple_testkit::log::Log;
use scruple_testkit::upstream_faults::{Answer, Fault, FaultServer};
use secrecy::SecretString;

const FORM: &str = "grant_type=authorization_code&code=Zq7CANARY";

fn provider() -> FaultServer {
    FaultServer::start(|seen| match (seen.method.as_str(), seen.target.as_str()) {
        ("GET", "/.well-known/openid-configuration") => Answer::json(r#"{"issuer":"x"}"#),
        ("POST", "/token?tenant=1") => Answer::json(r#"{"error":"invalid_grant"}"#).with_status(400),
        _ => Answer::json(r#"{"says":"Zq7CANARY"}"#).with_status(404),
    })
    .unwrap()
}

#[tokio::test]
async fn a_document_is_read_and_a_form_is_answered_with_why_it_is_refused_too() {
    let server = provider();
    let web = Web::new(Roots::Public);
    let document = within(web.get(&server.url("/.well-known/openid-configuration"))).await;
    assert_eq!(document.unwrap(), r#"{"issuer":"x"}"#);
    assert_eq!(within(web.get(&server.url("/jwks"))).await.unwrap_err(), UpstreamError::Status(404));
    let (form, secret) = (SecretString::from(FORM), SecretString::from("Basic Zq7CANARY"));
    let answer = within(web.post_form(&server.url("/token?tenant=1"), Some(&secret), &form)).await;
    assert_eq!(answer.unwrap(), r#"{"error":"invalid_grant"}"#);
}

/// A JSON object is an answer here, whatever is said to be its type.
fn whole(fault: Fault) -> bool {
    matches!(fault, Fault::WrongType | Fault::NoType | Fault::Charset | Fault::Status(401))
}

#[tokio::test]
async fn what_is_wrong_with_an_answer_is_an_error_that_says_nothing_of_it() {
    let log = Log::capture();
    let server = provider();
    let web = Web::new(Roots::Public);
    let (form, secret) = (SecretString::from(FORM), SecretString::from("Basic Zq7CANARY"));
    let at_once = |fault: &&Fault| !matches!(fault, Fault::SlowFirstByte | Fault::SlowTrickle | Fault::LengthTooLong);
    for fault in Fault::ALL.iter().filter(at_once) {
        server.always(Some(*fault));
        let errors = [
            within(web.get(&server.url("/.well-known/openid-configuration"))).await.map(drop),
            within(web.post_form(&server.url("/token?tenant=1"), Some(&secret), &form)).await.map(drop),
        ];
        server.always(None);
        for error in errors {
            match error {
                Ok(()) => assert!(whole(*fault), "{fault:?}"),
                Err(error) => assert!(!format!("{error} {error:?}").contains(CANARY), "{fault:?}: {error:?}"),
            }
        }
    }
    for address in ["", "localhost/x", "ftp://127.0.0.1/x", "http://127.0.0.1:1/x"] {
        assert!(within(web.get(address)).await.is_err(), "{address}");
    }
    assert!(!log.text().contains(CANARY));
}
