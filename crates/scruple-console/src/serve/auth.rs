//! Signing in and out, enrolling by a one-time link, confirming that it is still the same person.

use super::{
    COOKIE, Form, Frame, Signed, Site, TO_COOKIE, TO_SECONDS, broken, cookie, done, form_token, id, kept, message,
    page, when, words,
};
use crate::pages::auth::Passkey;
use crate::pages::auth::enrol::{App, Enrol};
use crate::pages::auth::recovery_codes::RecoveryCodes;
use crate::pages::auth::sign_in::{First, Second, SignIn, Step};
use crate::pages::auth::step_up::StepUp;
use crate::pages::parts::Link;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use scruple_app::{Answer, Attempt, DoorError, Entered};
use scruple_core::Id;
use scruple_identity::session::DeviceClass;
use scruple_store::Ceremony;
use std::sync::Arc;

const DEVICES: [(&str, &str); 2] = [("own", "My own device"), ("shared", "A shared workstation")];
const NO_MATCH: &str = "That did not match. Look at the time on your telephone, and type the code that shows now. \
                        After five wrong codes none is looked at for a quarter of an hour, and after fifty in a row none at all; \
                        a passkey and a recovery code are.";

/// `GET /sign-in`.
pub(super) async fn sign_in(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    first(&site, &headers, StatusCode::OK, words::field(""), words::pick(&DEVICES, "shared"))
}

fn first(
    site: &Site,
    headers: &HeaderMap,
    status: StatusCode,
    login: crate::pages::parts::Field,
    device: crate::pages::parts::Pick,
) -> Response {
    let (csrf, cookie) = form_token(site, headers);
    let step = Step::First(First { action: "/sign-in".to_owned(), login, device });
    let view = SignIn {
        frame: Frame::outside(),
        csrf,
        failed: None,
        step,
        providers: providers(site),
        help: site.parts.help.clone(),
    };
    with_cookie(page(status, &view), cookie)
}

pub(super) fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

pub(super) fn device(text: &str) -> Option<DeviceClass> {
    match text {
        "own" => Some(DeviceClass::Personal),
        "shared" => Some(DeviceClass::Shared),
        _ => None,
    }
}

/// The ways to the organisation's provider, by the device that is in front.
fn providers(site: &Site) -> Vec<Link> {
    let Some(provider) = &site.parts.provider else { return Vec::new() };
    let at = [("shared", "at a shared workstation"), ("own", "at my own device")];
    let link = |(code, words): (&str, &str)| Link {
        href: format!("/sign-in/with/{code}"),
        label: format!("{}, {words}", provider.label()),
    };
    at.map(link).to_vec()
}

/// `POST /sign-in`: the name, and where the person sits.
pub(super) async fn begin(State(site): State<Arc<Site>>, headers: HeaderMap, form: Form) -> Response {
    let (login, chosen) = (form.text("login"), form.text("device"));
    let Some(device) = device(chosen).filter(|_| !login.is_empty()) else {
        let login = if login.is_empty() {
            words::wrong("", "Type the name that you sign in with.")
        } else {
            words::field(login)
        };
        let mut devices = words::pick(&DEVICES, chosen);
        if device(chosen).is_none() {
            devices.error = Some("Say which it is: on a shared one you are signed out sooner.".to_owned());
        }
        return first(&site, &headers, StatusCode::UNPROCESSABLE_ENTITY, login, devices);
    };
    second(&site, &headers, StatusCode::OK, login, device, None).await
}

async fn second(
    site: &Site,
    headers: &HeaderMap,
    status: StatusCode,
    login: &str,
    device: DeviceClass,
    failed: Option<String>,
) -> Response {
    let waiting = match site.door(async |door| door.begin_sign_in(login, device).await).await {
        Ok(waiting) => waiting,
        Err(error) => {
            tracing::error!(error = %error, "a sign-in cannot be begun");
            return broken(Frame::outside());
        }
    };
    let (csrf, cookie) = form_token(site, headers);
    let step = Step::Second(Second {
        login: login.to_owned(),
        attempt: waiting.ceremony.to_string(),
        passkey: Some(Passkey { action: "/sign-in/passkey".to_owned(), options: inner(&waiting.options) }),
        code_action: "/sign-in/code".to_owned(),
        code: words::field(""),
        recovery_action: "/sign-in/recovery".to_owned(),
        recovery: words::field(""),
        recovery_open: false,
        back: "/sign-in".to_owned(),
    });
    let frame = Frame::outside().with_passkeys();
    let view = SignIn { frame, csrf, failed, step, providers: Vec::new(), help: site.parts.help.clone() };
    with_cookie(page(status, &view), cookie)
}

/// The options inside `publicKey`.
fn inner(options: &str) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_str(options).ok();
    parsed.and_then(|value| Some(value.get("publicKey")?.to_string())).unwrap_or_default()
}

/// `POST /sign-in/code`.
pub(super) async fn code(State(site): State<Arc<Site>>, headers: HeaderMap, form: Form) -> Response {
    by_code(&site, &headers, &form, "code").await
}

/// `POST /sign-in/recovery`.
pub(super) async fn recovery(State(site): State<Arc<Site>>, headers: HeaderMap, form: Form) -> Response {
    by_code(&site, &headers, &form, "recovery").await
}

async fn by_code(site: &Site, headers: &HeaderMap, form: &Form, field: &str) -> Response {
    let attempt = match attempt(site, form).await {
        Ok(attempt) => attempt,
        Err(answer) => return answer,
    };
    let code = form.text(field).to_owned();
    let entered = site.door(async |door| door.sign_in(&attempt.login, &code, attempt.device).await).await;
    let Attempt { login, device, .. } = &attempt;
    entered_or_again(site, headers, entered, login, *device).await
}

/// `POST /sign-in/passkey`.
pub(super) async fn passkey(State(site): State<Arc<Site>>, headers: HeaderMap, form: Form) -> Response {
    let attempt = match attempt(&site, &form).await {
        Ok(attempt) => attempt,
        Err(answer) => return answer,
    };
    let given = form.text("passkey").to_owned();
    let entered = site.door(async |door| door.sign_in_by_passkey(&attempt, &given).await).await;
    entered_or_again(&site, &headers, entered, &attempt.login, attempt.device).await
}

async fn attempt(site: &Site, form: &Form) -> Result<Attempt, Response> {
    let ceremony: Option<Id<Ceremony>> = id(form.text("attempt"));
    let found = match ceremony {
        Some(ceremony) => site.door(async |door| door.take_sign_in(ceremony).await).await,
        None => Err(DoorError::Refused),
    };
    found.map_err(|error| match error {
        DoorError::Store(source) => {
            tracing::error!(error = %source, "a sign-in cannot be read");
            broken(Frame::outside())
        }
        // It took too long, or was sent twice.
        _ => Redirect::to("/sign-in").into_response(),
    })
}

async fn entered_or_again(
    site: &Site,
    headers: &HeaderMap,
    entered: Result<Entered, DoorError>,
    login: &str,
    device: DeviceClass,
) -> Response {
    match entered {
        Ok(entered) => {
            site.recorded(Some(entered.position)).await;
            arrived(headers, &entered)
        }
        Err(error) => {
            if matches!(error, DoorError::Store(_) | DoorError::Damaged) {
                tracing::error!(error = %error, "nobody can sign in");
                return broken(Frame::outside());
            }
            // One sentence for all: another one for who is locked would tell that he is known here.
            let failed = NO_MATCH.to_owned();
            site.refused("/sign-in", error.code(), None).await;
            second(site, headers, StatusCode::UNAUTHORIZED, login, device, Some(failed)).await
        }
    }
}

/// Keeps a page until whoever wants it has signed in.
pub(super) fn to(wanted: &str) -> Option<HeaderValue> {
    let path = path_only(wanted);
    let text = format!("{TO_COOKIE}={path}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={TO_SECONDS}");
    HeaderValue::try_from(text).ok().filter(|_| path != "/")
}

/// Signed in: on to the page that was wanted, or to today.
pub(super) fn arrived(headers: &HeaderMap, entered: &Entered) -> Response {
    let wanted = cookie(headers, TO_COOKIE);
    let path = wanted.as_deref().map_or_else(|| "/".to_owned(), path_only);
    let over = wanted.and_then(|_| {
        HeaderValue::try_from(format!("{TO_COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")).ok()
    });
    let answer = with_cookie(Redirect::to(&path).into_response(), Some(kept(COOKIE, &entered.token.expose())));
    with_cookie(answer, over)
}

/// `GET /enrol?link=...`.
pub(super) async fn enrol(State(site): State<Arc<Site>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let link = query.strip_prefix("link=").unwrap_or_default();
    enrolling(&site, &headers, link, None, None).await
}

async fn enrolling(
    site: &Site,
    headers: &HeaderMap,
    link: &str,
    after: Option<Id<Ceremony>>,
    failed: Option<&str>,
) -> Response {
    let begun = match site.door(async |door| door.begin_enrolment(link, after).await).await {
        Ok(begun) => begun,
        Err(error) => return no_link(site, &error).await,
    };
    let (csrf, cookie) = form_token(site, headers);
    let secret: Vec<String> =
        begun.text.as_bytes().chunks(4).map(|letters| String::from_utf8_lossy(letters).into_owned()).collect();
    let code = failed.map_or_else(|| words::field(""), |failed| words::wrong("", failed));
    let view = Enrol {
        frame: Frame::outside().with_passkeys(),
        csrf,
        failed: None,
        name: begun.person.name.into_inner(),
        login: begun.person.login.into_inner(),
        token: format!("{link}~{}", begun.ceremony),
        until: when(begun.until),
        passkey: Passkey { action: "/enrol/passkey".to_owned(), options: inner(&begun.options) },
        app: App {
            action: "/enrol/code".to_owned(),
            qr_side: begun.picture.side,
            qr_path: begun.picture.path.to_string(),
            secret: secret.join(" "),
            code,
        },
        help: site.parts.help.clone(),
    };
    let status = if failed.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    with_cookie(page(status, &view), cookie)
}

async fn no_link(site: &Site, error: &DoorError) -> Response {
    if matches!(error, DoorError::Store(_) | DoorError::Damaged) {
        tracing::error!(error = %error, "nobody can enrol");
        return broken(Frame::outside());
    }
    site.refused("/enrol", error.code(), None).await;
    message(
        StatusCode::NOT_FOUND,
        Frame::outside(),
        "This link does not work any more",
        &["It works once, for a day. Ask whoever sent it for a new one."],
        &[("/sign-in", "Sign in")],
    )
}

/// `POST /enrol/code`.
pub(super) async fn enrol_code(State(site): State<Arc<Site>>, headers: HeaderMap, form: Form) -> Response {
    let code = form.text("code").to_owned();
    enrol_by(&site, &headers, &form, Answer::Code(&code)).await
}

/// `POST /enrol/passkey`.
pub(super) async fn enrol_passkey(State(site): State<Arc<Site>>, headers: HeaderMap, form: Form) -> Response {
    let given = form.text("passkey").to_owned();
    enrol_by(&site, &headers, &form, Answer::Passkey(&given)).await
}

async fn enrol_by(site: &Site, headers: &HeaderMap, form: &Form, answer: Answer<'_>) -> Response {
    let (link, ceremony) = form.text("token").split_once('~').unwrap_or_default();
    let Some(ceremony) = id::<Ceremony>(ceremony) else { return no_link(site, &DoorError::Link).await };
    let entered = site.door(async |door| door.enrol(link, ceremony, answer, DeviceClass::Personal).await).await;
    match entered {
        Ok(entered) => codes(site, &entered).await,
        Err(DoorError::Code { again }) => {
            let failed = "That is not the code that the app shows now. Look again, and type it.";
            enrolling(site, headers, link, Some(again), Some(failed)).await
        }
        // The browser's answer, or a page that was sent twice: the same link, from the beginning.
        Err(DoorError::Answer(_) | DoorError::Refused) => enrolling(site, headers, link, None, None).await,
        Err(error) => no_link(site, &error).await,
    }
}

async fn codes(site: &Site, entered: &Entered) -> Response {
    site.recorded(Some(entered.position)).await;
    let token = entered.token.expose();
    let login = scruple_store::find_person(
        &mut match site.parts.store.begin_read().await {
            Ok(tx) => tx,
            Err(_) => return broken(Frame::outside()),
        },
        entered.person,
    )
    .await;
    let login = login.ok().flatten().map(|person| person.login.into_inner()).unwrap_or_default();
    let view = RecoveryCodes {
        frame: Frame::outside(),
        csrf: super::csrf_of(&token),
        action: "/enrol/done".to_owned(),
        login,
        made: when(site.now()),
        codes: entered.recovery.iter().map(|code| code.to_string()).collect(),
    };
    with_cookie(page(StatusCode::OK, &view), Some(kept(COOKIE, &token)))
}

/// `POST /enrol/done`: the person has his codes.
pub(super) async fn enrol_done(_: Signed, _: Form) -> Response {
    Redirect::to("/").into_response()
}

/// `POST /sign-out`.
pub(super) async fn sign_out(State(site): State<Arc<Site>>, signed: Signed, _: Form) -> Response {
    let person = signed.person();
    let ended = site.door(async |door| door.end_session(person, signed.session.session, person).await).await;
    site.recorded(ended.ok()).await;
    with_cookie(Redirect::to("/sign-in").into_response(), Some(super::forgotten()))
}

/// `GET /confirm?back=...`.
pub(super) async fn confirm(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let back = query.strip_prefix("back=").map(path_only).unwrap_or_default();
    confirming(&site, &signed, &back, StatusCode::OK, None).await
}

/// A path of this site; anything else leads home.
pub(super) fn path_only(text: &str) -> String {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_');
    if text.starts_with('/') && !text.starts_with("//") && text.bytes().all(allowed) {
        text.to_owned()
    } else {
        "/".to_owned()
    }
}

async fn confirming(site: &Site, signed: &Signed, back: &str, status: StatusCode, failed: Option<String>) -> Response {
    let begun = site.door(async |door| door.begin_sign_in(back, DeviceClass::Personal).await).await;
    let waiting = match begun {
        Ok(waiting) => waiting,
        Err(error) => {
            tracing::error!(error = %error, "nobody can confirm who he is");
            return broken(signed.frame(site, None));
        }
    };
    let view = StepUp {
        frame: signed.frame(site, None).with_passkeys(),
        csrf: signed.csrf.clone(),
        failed,
        act: "go on".to_owned(),
        attempt: waiting.ceremony.to_string(),
        passkey: Some(Passkey { action: "/confirm/passkey".to_owned(), options: inner(&waiting.options) }),
        code_action: "/confirm/code".to_owned(),
        code: words::field(""),
        provider: site
            .parts
            .provider
            .as_ref()
            .map(|provider| Link { href: format!("/confirm/with?back={back}"), label: provider.label().to_owned() }),
        back: back.to_owned(),
    };
    page(status, &view)
}

/// `POST /confirm/code`.
pub(super) async fn confirm_code(State(site): State<Arc<Site>>, signed: Signed, form: Form) -> Response {
    let attempt = match attempt(&site, &form).await {
        Ok(attempt) => attempt,
        Err(answer) => return answer,
    };
    let code = form.text("code").to_owned();
    let confirmed = site.door(async |door| door.step_up(&signed.session, &code).await).await;
    confirmed_or_again(&site, &signed, &attempt.login, confirmed).await
}

/// `POST /confirm/passkey`.
pub(super) async fn confirm_passkey(State(site): State<Arc<Site>>, signed: Signed, form: Form) -> Response {
    let attempt = match attempt(&site, &form).await {
        Ok(attempt) => attempt,
        Err(answer) => return answer,
    };
    let given = form.text("passkey").to_owned();
    let confirmed = site.door(async |door| door.step_up_by_passkey(&signed.session, &attempt, &given).await).await;
    confirmed_or_again(&site, &signed, &attempt.login, confirmed).await
}

async fn confirmed_or_again(
    site: &Site,
    signed: &Signed,
    back: &str,
    confirmed: Result<scruple_store::Position, DoorError>,
) -> Response {
    match confirmed {
        Ok(position) => {
            site.recorded(Some(position)).await;
            done(&path_only(back), "confirmed")
        }
        Err(error) => {
            site.refused("/confirm", error.code(), Some(signed.person())).await;
            confirming(site, signed, back, StatusCode::UNAUTHORIZED, Some(NO_MATCH.to_owned())).await
        }
    }
}

/// The page on which who must confirm is sent on to.
pub(super) fn to_confirm(back: &str) -> Response {
    Redirect::to(&format!("/confirm?back={back}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_this_console_is_kept_and_nothing_else() {
        let kept = |wanted: &str| to(wanted).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(
            kept("/requests/01a224e5").unwrap(),
            "__Host-scruple-to=/requests/01a224e5; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"
        );
        for wanted in ["/", "", "//elsewhere.example", "https://elsewhere.example", "/a;b", "/a\r\nb", "/\\elsewhere"] {
            assert_eq!(kept(wanted), None, "{wanted:?}");
        }
    }
}
