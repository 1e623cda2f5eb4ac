//! Passkeys against an authenticator in software.

use crate::authenticator::Authenticator;
use crate::{CANARY, NOW, base64url};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use scruple_core::{Id, Timestamp};
use scruple_identity::passkey::{
    ANSWER_BYTES_MAX, Account, CEREMONY_SECONDS_MAX, PASSKEYS_MAX, Passkey, PasskeyError, Passkeys, Site,
};
use serde_json::{Value, json};

struct Person;

fn site() -> Site {
    Site {
        domain: "console.example".to_owned(),
        origins: vec!["https://console.example".to_owned(), "https://b.console.example:8443".to_owned()],
        name: "Scruple".to_owned(),
    }
}

fn passkeys() -> Passkeys {
    Passkeys::new(&site()).unwrap()
}

fn person(number: u128) -> Id<Person> {
    format!("{number:032x}").parse().unwrap()
}

fn account(number: u128) -> Account<Person> {
    Account { person: person(number), name: format!("{CANARY}-nurse"), display_name: "A Nurse".to_owned() }
}

fn later(seconds: u32) -> Timestamp {
    NOW.plus_micros(i64::from(seconds) * 1_000_000)
}

/// A new authenticator that person 1 has registered.
fn registered() -> (Authenticator, Passkey) {
    let (passkeys, mut device) = (passkeys(), Authenticator::new("one"));
    let started = passkeys.start_registration(&account(1), &[], NOW).unwrap();
    let answer = device.create(&started.options).to_string();
    let passkey = passkeys.finish_registration(&started.state, person(1), &answer, &[], NOW).unwrap();
    (device, passkey)
}

/// Registers with a device that was changed, and the answer after it.
fn register(change: impl Fn(&mut Authenticator), edit: impl Fn(&mut Value)) -> Result<Passkey, PasskeyError> {
    let (passkeys, mut device) = (passkeys(), Authenticator::new("one"));
    change(&mut device);
    let started = passkeys.start_registration(&account(1), &[], NOW).unwrap();
    let mut answer = device.create(&started.options);
    edit(&mut answer);
    passkeys.finish_registration(&started.state, person(1), &answer.to_string(), &[], later(60))
}

/// Signs in with a registered device that was changed, and the answer after it; by name and by discovery, which must agree.
fn sign_in(change: impl Fn(&mut Authenticator), edit: impl Fn(&mut Value)) -> Result<u32, PasskeyError> {
    let (mut device, passkey) = registered();
    change(&mut device);
    let passkeys = passkeys();
    let known = std::slice::from_ref(&passkey);
    let started = passkeys.start_authentication(person(1), known, NOW).unwrap();
    let mut answer = device.get(&started.options);
    edit(&mut answer);
    let by_name = passkeys
        .finish_authentication(&started.state, person(1), &answer.to_string(), known, later(60))
        .map(|done| done.passkey.counter());
    device.counter = device.counter.wrapping_sub(1);
    let started = passkeys.start_discovery(NOW).unwrap();
    let mut answer = device.get(&started.options);
    edit(&mut answer);
    let by_discovery = passkeys
        .finish_discovery(&started.state, &answer.to_string(), &passkey, later(60))
        .map(|done| done.passkey.counter());
    assert_eq!(by_name, by_discovery);
    by_name
}

fn nothing<T>(_: &mut T) {}

#[test]
fn a_person_registers_and_signs_in() {
    let (mut device, passkey) = registered();
    assert_eq!(passkey.person::<Person>(), person(1));
    assert_eq!(passkey.id(), device.id);
    assert_eq!(passkey.counter(), 1);
    assert!(!passkey.is_synced());
    let stored = passkey.to_bytes().unwrap();
    let passkey = Passkey::from_bytes(&stored).unwrap();
    let passkeys = passkeys();
    let known = [passkey];
    let started = passkeys.start_authentication(person(1), &known, NOW).unwrap();
    let answer = device.get(&started.options).to_string();
    let done = passkeys.finish_authentication(&started.state, person(1), &answer, &known, NOW).unwrap();
    assert!(done.changed);
    assert_eq!(done.passkey.counter(), 2);
    assert_ne!(done.passkey.to_bytes().unwrap(), stored);
}

#[test]
fn whoever_holds_a_passkey_signs_in_without_a_name() {
    let (mut device, passkey) = registered();
    let passkeys = passkeys();
    let started = passkeys.start_discovery(NOW).unwrap();
    let answer = device.get(&started.options).to_string();
    let claimed = passkeys.identify::<Person>(&answer).unwrap();
    assert_eq!((claimed.person, claimed.passkey.as_slice()), (person(1), passkey.id()));
    let done = passkeys.finish_discovery(&started.state, &answer, &passkey, NOW).unwrap();
    assert_eq!((done.changed, done.passkey.counter()), (true, 2));
}

#[test]
fn the_browser_is_told_what_is_asked_and_nothing_of_the_state() {
    let (_, passkey) = registered();
    let passkeys = passkeys();
    let started = passkeys.start_registration(&account(1), std::slice::from_ref(&passkey), NOW).unwrap();
    let options: Value = serde_json::from_str(&started.options).unwrap();
    let asked = &options["publicKey"];
    assert_eq!(asked["rp"], json!({"id": "console.example", "name": "Scruple"}));
    assert_eq!(asked["user"]["id"], base64url(person(1).uuid()));
    assert_eq!(asked["user"]["name"], format!("{CANARY}-nurse"));
    assert_eq!(asked["attestation"], "none");
    assert_eq!(asked["timeout"], CEREMONY_SECONDS_MAX * 1_000);
    assert_eq!(asked["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(asked["authenticatorSelection"]["residentKey"], "preferred");
    assert_eq!(asked["excludeCredentials"], json!([{"type": "public-key", "id": base64url(passkey.id())}]));
    assert!(URL_SAFE_NO_PAD.decode(asked["challenge"].as_str().unwrap()).unwrap().len() >= 32);
    let algorithms: Vec<_> = asked["pubKeyCredParams"].as_array().unwrap().iter().map(|one| &one["alg"]).collect();
    assert_eq!(algorithms, [-7, -35, -257]);

    let started = passkeys.start_authentication(person(1), std::slice::from_ref(&passkey), NOW).unwrap();
    let options: Value = serde_json::from_str(&started.options).unwrap();
    assert_eq!(options["publicKey"]["rpId"], "console.example");
    assert_eq!(options["publicKey"]["userVerification"], "required");
    assert_eq!(options["publicKey"]["allowCredentials"][0]["id"], base64url(passkey.id()));

    let started = passkeys.start_discovery(NOW).unwrap();
    let options: Value = serde_json::from_str(&started.options).unwrap();
    assert_eq!(options["publicKey"]["userVerification"], "required");
    assert_eq!(options["publicKey"]["allowCredentials"], json!([]));
    assert_eq!(options.as_object().unwrap().keys().collect::<Vec<_>>(), ["publicKey"]);
    let other = passkeys.start_discovery(NOW).unwrap();
    assert_ne!(started.options, other.options);
}

#[test]
fn a_registration_is_refused_for_what_it_says() {
    type Change = fn(&mut Authenticator);
    let cases: [(&str, Change, Result<(), PasskeyError>); 13] = [
        ("as it is", nothing, Ok(())),
        ("the other origin", |device| device.says.origin = "https://b.console.example:8443".to_owned(), Ok(())),
        ("another site", |device| device.says.origin = "https://evil.example".to_owned(), Err(PasskeyError::Origin)),
        (
            "a longer name",
            |device| device.says.origin = "https://console.example.evil.example".to_owned(),
            Err(PasskeyError::Origin),
        ),
        (
            "a subdomain",
            |device| device.says.origin = "https://a.console.example".to_owned(),
            Err(PasskeyError::Origin),
        ),
        ("not encrypted", |device| device.says.origin = "http://console.example".to_owned(), Err(PasskeyError::Origin)),
        (
            "another port",
            |device| device.says.origin = "https://console.example:444".to_owned(),
            Err(PasskeyError::Origin),
        ),
        ("in a frame", |device| device.says.client_data = r#","crossOrigin":true"#, Err(PasskeyError::Origin)),
        (
            "in a frame of",
            |device| device.says.client_data = r#","topOrigin":"https://evil.example""#,
            Err(PasskeyError::Origin),
        ),
        ("another domain", |device| device.says.domain = "evil.example".to_owned(), Err(PasskeyError::RelyingParty)),
        ("a touch alone", |device| device.says.verified = false, Err(PasskeyError::NotVerified)),
        ("nobody there", |device| device.says.present = false, Err(PasskeyError::NotVerified)),
        ("an algorithm of another key", |device| device.says.algorithm = -8, Err(PasskeyError::Malformed)),
    ];
    for (name, change, expected) in cases {
        assert_eq!(register(change, nothing).map(|_| ()), expected, "{name}");
    }
}

#[test]
fn a_sign_in_is_refused_for_what_it_says() {
    type Change = fn(&mut Authenticator);
    let cases: [(&str, Change, Result<u32, PasskeyError>); 11] = [
        ("as it is", nothing, Ok(2)),
        ("the other origin", |device| device.says.origin = "https://b.console.example:8443".to_owned(), Ok(2)),
        ("another site", |device| device.says.origin = "https://evil.example".to_owned(), Err(PasskeyError::Origin)),
        (
            "a subdomain",
            |device| device.says.origin = "https://a.console.example".to_owned(),
            Err(PasskeyError::Origin),
        ),
        ("in a frame", |device| device.says.client_data = r#","crossOrigin":true"#, Err(PasskeyError::Origin)),
        ("not in a frame", |device| device.says.client_data = r#","crossOrigin":false"#, Ok(2)),
        ("another domain", |device| device.says.domain = "evil.example".to_owned(), Err(PasskeyError::RelyingParty)),
        ("a touch alone", |device| device.says.verified = false, Err(PasskeyError::NotVerified)),
        ("nobody there", |device| device.says.present = false, Err(PasskeyError::NotVerified)),
        (
            "another key",
            |device| {
                let (id, user) = (device.id.clone(), device.user.clone());
                *device = Authenticator::new("one");
                (device.id, device.user) = (id, user);
            },
            Err(PasskeyError::Signature),
        ),
        ("another's handle", |device| device.user = person(2).uuid().as_bytes().to_vec(), Err(PasskeyError::Unknown)),
    ];
    for (name, change, expected) in cases {
        assert_eq!(sign_in(change, nothing), expected, "{name}");
    }
}

#[test]
fn a_counter_that_does_not_go_up_is_refused() {
    for (next, expected) in [
        (0, Err(PasskeyError::Cloned)),
        (1, Err(PasskeyError::Cloned)),
        (2, Ok(2)),
        (9, Ok(9)),
        (u32::MAX, Ok(u32::MAX)),
    ] {
        assert_eq!(sign_in(|device| device.counter = u32::wrapping_sub(next, 1), nothing), expected, "{next}");
    }
}

#[test]
fn a_passkey_that_does_not_count_may_go_on_not_counting() {
    let (passkeys, mut device) = (passkeys(), Authenticator::new("one"));
    device.counter = 0;
    let started = passkeys.start_registration(&account(1), &[], NOW).unwrap();
    let answer = device.create(&started.options).to_string();
    let passkey = passkeys.finish_registration(&started.state, person(1), &answer, &[], NOW).unwrap();
    let known = [passkey];
    for _ in 0..2 {
        // The next is 0 again.
        device.counter = u32::MAX;
        let started = passkeys.start_authentication(person(1), &known, NOW).unwrap();
        let answer = device.get(&started.options).to_string();
        let done = passkeys.finish_authentication(&started.state, person(1), &answer, &known, NOW).unwrap();
        assert_eq!((done.changed, done.passkey.counter()), (false, 0));
    }
}

#[test]
fn of_two_sign_ins_under_way_the_one_with_the_older_counter_is_refused() {
    let (mut device, passkey) = registered();
    let passkeys = passkeys();
    let known = [passkey];
    let first = passkeys.start_authentication(person(1), &known, NOW).unwrap();
    let second = passkeys.start_authentication(person(1), &known, NOW).unwrap();
    let first_answer = device.get(&first.options).to_string();
    device.counter -= 1;
    let second_answer = device.get(&second.options).to_string();
    let done = passkeys.finish_authentication(&first.state, person(1), &first_answer, &known, NOW).unwrap();
    let refused =
        passkeys.finish_authentication(&second.state, person(1), &second_answer, &[done.passkey], NOW).map(|_| ());
    assert_eq!(refused, Err(PasskeyError::Cloned));
}

#[test]
fn an_answer_is_good_for_its_own_challenge_alone() {
    let (mut device, passkey) = registered();
    let passkeys = passkeys();
    let known = [passkey];
    let first = passkeys.start_authentication(person(1), &known, NOW).unwrap();
    let second = passkeys.start_authentication(person(1), &known, NOW).unwrap();
    let answer = device.get(&first.options).to_string();
    let finish = |state: &[u8]| passkeys.finish_authentication(state, person(1), &answer, &known, NOW).map(|_| ());
    assert_eq!(finish(&second.state), Err(PasskeyError::Challenge));
    assert_eq!(finish(&first.state), Ok(()));

    let mut device = Authenticator::new("two");
    let first = passkeys.start_registration(&account(1), &known, NOW).unwrap();
    let second = passkeys.start_registration(&account(1), &known, NOW).unwrap();
    let answer = device.create(&first.options).to_string();
    let finish = |state: &[u8]| passkeys.finish_registration(state, person(1), &answer, &[], NOW).map(|_| ());
    assert_eq!(finish(&second.state), Err(PasskeyError::Challenge));
    assert_eq!(finish(&first.state), Ok(()));
}

#[test]
fn anothers_passkey_opens_nothing() {
    let (_, passkey) = registered();
    let passkeys = passkeys();
    let mut other = Authenticator::new("other");
    let started = passkeys.start_registration(&account(2), &[], NOW).unwrap();
    let answer = other.create(&started.options).to_string();
    assert_eq!(
        passkeys.finish_registration(&started.state, person(1), &answer, &[], NOW).map(|_| ()),
        Err(PasskeyError::State),
        "a registration that another started"
    );
    let others = passkeys.finish_registration(&started.state, person(2), &answer, &[], NOW).unwrap();
    let known = [passkey.clone()];

    let started = passkeys.start_authentication(person(1), &known, NOW).unwrap();
    let answer = other.get(&started.options).to_string();
    let finish =
        |who, known: &[Passkey]| passkeys.finish_authentication(&started.state, who, &answer, known, NOW).map(|_| ());
    assert_eq!(finish(person(1), &known), Err(PasskeyError::Unknown));
    assert_eq!(finish(person(2), std::slice::from_ref(&others)), Err(PasskeyError::State));
    assert_eq!(
        finish(person(1), std::slice::from_ref(&others)),
        Err(PasskeyError::Unknown),
        "listed under the wrong person"
    );
    assert_eq!(passkeys.start_authentication(person(1), &[others], NOW).map(|_| ()), Err(PasskeyError::Unknown));

    let started = passkeys.start_discovery(NOW).unwrap();
    let answer = other.get(&started.options).to_string();
    assert_eq!(passkeys.identify::<Person>(&answer).unwrap().person, person(2));
    let finish = |answer: &str| passkeys.finish_discovery(&started.state, answer, &passkey, NOW).map(|_| ());
    assert_eq!(finish(&answer), Err(PasskeyError::Unknown));
    other.user = person(1).uuid().as_bytes().to_vec();
    assert_eq!(finish(&other.get(&started.options).to_string()), Err(PasskeyError::Unknown), "the handle is forged");
}

#[test]
fn a_passkey_that_was_removed_meanwhile_opens_nothing() {
    let (mut device, passkey) = registered();
    let passkeys = passkeys();
    let started = passkeys.start_authentication(person(1), &[passkey], NOW).unwrap();
    let answer = device.get(&started.options).to_string();
    let finished = passkeys.finish_authentication(&started.state, person(1), &answer, &[], NOW).map(|_| ());
    assert_eq!(finished, Err(PasskeyError::Unknown));
}

#[test]
fn a_known_passkey_is_not_registered_again() {
    let (mut device, passkey) = registered();
    let passkeys = passkeys();
    let known = [passkey];
    // Known at the start, and registered in between.
    for at_start in [&known[..], &[]] {
        let started = passkeys.start_registration(&account(1), at_start, NOW).unwrap();
        let answer = device.create(&started.options).to_string();
        let finished = passkeys.finish_registration(&started.state, person(1), &answer, &known, NOW).map(|_| ());
        assert_eq!(finished, Err(PasskeyError::Registered));
    }
}

#[test]
fn a_ceremony_ends_and_is_not_another() {
    let (mut device, passkey) = registered();
    let passkeys = passkeys();
    let known = [passkey.clone()];
    let started = passkeys.start_authentication(person(1), &known, NOW).unwrap();
    let answer = device.get(&started.options).to_string();
    let finish = |state: &[u8], now| passkeys.finish_authentication(state, person(1), &answer, &known, now).map(|_| ());
    let end = later(CEREMONY_SECONDS_MAX);
    assert_eq!(finish(&started.state, end.plus_micros(-1)), Ok(()));
    assert_eq!(finish(&started.state, end), Err(PasskeyError::Expired));
    assert_eq!(finish(&started.state, NOW.plus_micros(-60_000_000)), Ok(()));
    assert_eq!(finish(&started.state, NOW.plus_micros(-60_000_001)), Err(PasskeyError::Expired));
    let discovery = passkeys.start_discovery(NOW).unwrap();
    let registration = passkeys.start_registration(&account(1), &known, NOW).unwrap();
    for state in [&discovery.state, &registration.state] {
        assert_eq!(finish(state, NOW), Err(PasskeyError::State));
    }
    assert_eq!(passkeys.finish_discovery(&started.state, &answer, &passkey, NOW).map(|_| ()), Err(PasskeyError::State));
    assert_eq!(
        passkeys.finish_registration(&started.state, person(1), &answer, &[], NOW).map(|_| ()),
        Err(PasskeyError::State)
    );
    let text = String::from_utf8(started.state.clone()).unwrap();
    for garbage in ["", "{}", "[]", "null", &text[1..], &text.replace("\"version\":1", "\"version\":2")] {
        assert_eq!(finish(garbage.as_bytes(), NOW), Err(PasskeyError::State), "{garbage}");
    }
}

#[test]
fn garbage_is_malformed_and_never_more() {
    let set = |answer: &mut Value, member: &str, value: Value| answer["response"][member] = value;
    for member in ["clientDataJSON", "attestationObject"] {
        for value in [
            json!(null),
            json!(7),
            json!(""),
            json!("!"),
            json!("AAAA"),
            json!(base64url("{}")),
            json!(base64url("[]")),
        ] {
            let refused = register(nothing, |answer| set(answer, member, value.clone())).map(|_| ());
            assert_eq!(refused, Err(PasskeyError::Malformed), "{member} {value}");
        }
    }
    for member in ["clientDataJSON", "authenticatorData"] {
        for value in [json!(null), json!(7), json!(""), json!("!"), json!("AAAA"), json!(base64url("[]"))] {
            let refused = sign_in(nothing, |answer| set(answer, member, value.clone()));
            assert_eq!(refused, Err(PasskeyError::Malformed), "{member} {value}");
        }
    }
    for value in ["", "AAAA", "MAYCAQECAQE"] {
        let refused = sign_in(nothing, |answer| set(answer, "signature", json!(value)));
        assert!(matches!(refused, Err(PasskeyError::Malformed | PasskeyError::Signature)), "{value} {refused:?}");
    }
    let passkeys = passkeys();
    let started = passkeys.start_registration(&account(1), &[], NOW).unwrap();
    let finish = |answer: &str| passkeys.finish_registration(&started.state, person(1), answer, &[], NOW).map(|_| ());
    for garbage in ["", "null", "[]", "{}", "{\"id\":1}", "\0", "ä"] {
        assert_eq!(finish(garbage), Err(PasskeyError::Malformed), "{garbage:?}");
        assert_eq!(passkeys.identify::<Person>(garbage).map(|_| ()), Err(PasskeyError::Malformed), "{garbage:?}");
    }
    assert_eq!(finish(&" ".repeat(ANSWER_BYTES_MAX)), Err(PasskeyError::Malformed));
    assert_eq!(finish(&" ".repeat(ANSWER_BYTES_MAX + 1)), Err(PasskeyError::TooLong));
}

/// Every byte of what the authenticator signs or attests, changed.
#[test]
fn a_changed_byte_is_refused() {
    let flip = |answer: &mut Value, member: &str, place: usize| {
        let text = answer["response"][member].as_str().unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
        let place = place % bytes.len();
        bytes[place] ^= 1;
        answer["response"][member] = json!(base64url(bytes));
    };
    let (mut device, passkey) = registered();
    let passkeys = passkeys();
    let known = [passkey];
    let started = passkeys.start_authentication(person(1), &known, NOW).unwrap();
    let answer = device.get(&started.options);
    for member in ["clientDataJSON", "authenticatorData", "signature"] {
        let bytes = URL_SAFE_NO_PAD.decode(answer["response"][member].as_str().unwrap()).unwrap().len();
        for place in 0..bytes {
            let mut changed = answer.clone();
            flip(&mut changed, member, place);
            let finished = passkeys.finish_authentication(&started.state, person(1), &changed.to_string(), &known, NOW);
            assert!(finished.is_err(), "{member} {place}");
        }
    }
}

#[test]
fn a_person_has_from_one_to_a_bound_of_passkeys() {
    let (_, passkey) = registered();
    let passkeys = passkeys();
    assert_eq!(passkeys.start_authentication(person(1), &[], NOW).map(|_| ()), Err(PasskeyError::None));
    let start = |count: usize| passkeys.start_registration(&account(1), &vec![passkey.clone(); count], NOW).map(|_| ());
    assert_eq!(start(PASSKEYS_MAX - 1), Ok(()));
    assert_eq!(start(PASSKEYS_MAX), Err(PasskeyError::TooMany));
}

#[test]
fn a_site_has_encrypted_origins_under_its_domain() {
    let check = |domain: &str, origins: &[&str]| {
        let origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        Passkeys::new(&Site { domain: domain.to_owned(), origins, name: "Scruple".to_owned() }).map(|_| ())
    };
    assert_eq!(check("example", &["https://console.example"]), Ok(()));
    assert_eq!(check("console.example", &["https://console.example/", "https://a.console.example:8443"]), Ok(()));
    assert_eq!(check("localhost", &["http://localhost:8080"]), Ok(()));
    for (domain, origins) in [
        ("console.example", &[][..]),
        ("console.example", &["https://evil.example"]),
        ("console.example", &["https://console.example", "https://evil.example"]),
        ("sole.example", &["https://console.example"]),
        ("console.example", &["http://console.example"]),
        ("console.example", &["https://console.example/login"]),
        ("console.example", &["https://u:p@console.example"]),
        ("console.example", &["https://console.example?a"]),
        ("console.example", &["console.example"]),
        ("127.0.0.1", &["https://127.0.0.1"]),
        ("", &["https://console.example"]),
    ] {
        assert!(matches!(check(domain, origins), Err(PasskeyError::Site { .. })), "{domain} {origins:?}");
    }
    for name in ["", " ", "a\nb", &"x".repeat(65)] {
        let unfit = Passkeys::new(&Site { name: name.to_owned(), ..site() }).map(|_| ());
        assert_eq!(unfit, Err(PasskeyError::Name), "{name:?}");
        let account = Account { display_name: name.to_owned(), ..account(1) };
        assert_eq!(passkeys().start_registration(&account, &[], NOW).map(|_| ()), Err(PasskeyError::Name));
    }
}

#[test]
fn stored_bytes_that_are_no_passkey_are_refused_and_nothing_is_printed() {
    let (_, passkey) = registered();
    let text = String::from_utf8(passkey.to_bytes().unwrap()).unwrap();
    for garbage in ["", "{}", "[]", &text[1..], &text.replace("\"version\":1", "\"version\":2")] {
        assert_eq!(Passkey::from_bytes(garbage.as_bytes()).map(|_| ()), Err(PasskeyError::Stored));
    }
    let started = passkeys().start_registration(&account(1), &[], NOW).unwrap();
    let printed = format!("{:?} {passkey:?} {started:?}", account(1));
    assert!(!printed.contains(CANARY) && !printed.contains("challenge"), "{printed}");
}
