//! Signing in, and confirming, at the organisation's identity provider: the browser goes there and comes back.

use super::{COOKIE, Frame, Signed, Site, auth, broken, cookie, done, id, kept, message, signed, unknown};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use scruple_app::ports::{IdentityProvider, ProviderError};
use scruple_app::{DoorError, Errand, Named, Returned};
use scruple_policy::Act;
use scruple_store::Ceremony;
use std::sync::Arc;

/// The cookie that binds who comes back to who went.
const COOKIE_OUT: &str = "__Host-scruple-out";
const BACK: &str = "/sign-in/back";

/// `GET /sign-in/with/{device}`: to the provider.
pub(super) async fn sign_in(State(site): State<Arc<Site>>, Path(device): Path<String>) -> Response {
    match auth::device(&device) {
        Some(device) => send_out(&site, Errand::SignIn(device), "/", Frame::outside()).await,
        None => unknown(Frame::outside()),
    }
}

/// `GET /confirm/with?back=...`: to the provider, who asks anew.
pub(super) async fn confirm(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let back = query.strip_prefix("back=").map(auth::path_only).unwrap_or_default();
    send_out(&site, Errand::Confirm(signed.session.session), &back, signed.frame(&site, None)).await
}

async fn send_out(site: &Site, errand: Errand, back: &str, frame: Frame) -> Response {
    let Some(provider) = &site.parts.provider else { return unknown(frame) };
    let started = match provider.start(matches!(errand, Errand::Confirm(_))).await {
        Ok(started) => started,
        Err(error) => {
            tracing::error!(error = %error, "nobody can sign in at the identity provider");
            return silent(provider.as_ref(), frame);
        }
    };
    let ceremony = match site.door(async |door| door.send_out(errand, back, &started.flow).await).await {
        Ok(ceremony) => ceremony,
        Err(error) => {
            tracing::error!(error = %error, "a sign-in cannot be begun");
            return broken(frame);
        }
    };
    auth::with_cookie(Redirect::to(&started.address).into_response(), Some(kept(COOKIE_OUT, &ceremony.to_string())))
}

fn silent(provider: &dyn IdentityProvider, frame: Frame) -> Response {
    let sentence =
        format!("{} does not answer. A passkey, a code or a recovery code of this system works.", provider.label());
    message(
        StatusCode::BAD_GATEWAY,
        frame,
        "That way is closed now",
        &[&sentence],
        &[("/sign-in", "Sign in another way")],
    )
}

/// `GET /sign-in/back?...`: from the provider.
pub(super) async fn back(State(site): State<Arc<Site>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let mut answer = came_back(&site, &headers, &query).await;
    let over = format!("{COOKIE_OUT}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    if let Ok(over) = HeaderValue::try_from(over) {
        answer.headers_mut().append(header::SET_COOKIE, over);
    }
    answer
}

async fn came_back(site: &Site, headers: &HeaderMap, query: &str) -> Response {
    let Some(provider) = &site.parts.provider else { return unknown(Frame::outside()) };
    let ceremony = cookie(headers, COOKIE_OUT).and_then(|text| id::<Ceremony>(&text));
    let returned = match ceremony {
        Some(ceremony) => site.door(async |door| door.take_back(ceremony).await).await,
        None => Err(DoorError::Refused),
    };
    let returned = match returned {
        Ok(returned) => returned,
        Err(DoorError::Refused) => return refused(site, "oidc_flow").await,
        Err(error) => {
            tracing::error!(error = %error, "a sign-in cannot be read");
            return broken(Frame::outside());
        }
    };
    let named = match provider.finish(returned.flow.expose(), query).await {
        Ok(named) => named,
        Err(ProviderError::Silent) => {
            tracing::error!("the identity provider does not answer");
            return silent(provider.as_ref(), Frame::outside());
        }
        Err(error) => return refused(site, error.code()).await,
    };
    finish(site, headers, &returned, &named).await
}

async fn finish(site: &Site, headers: &HeaderMap, returned: &Returned, named: &Named) -> Response {
    match returned.errand {
        Errand::SignIn(device) => match site.door(async |door| door.sign_in_by_provider(named, device).await).await {
            Ok(entered) => {
                site.recorded(Some(entered.position)).await;
                auth::arrived(headers, &entered)
            }
            Err(error) => not_in(site, &error).await,
        },
        Errand::Confirm(session) => {
            let token = cookie(headers, COOKIE).unwrap_or_default();
            let signed = signed(site, &token, Act::Access).await.ok().filter(|one| one.session.session == session);
            let Some(signed) = signed else { return refused(site, "oidc_flow").await };
            match site.door(async |door| door.step_up_by_provider(&signed.session, named).await).await {
                Ok(position) => {
                    site.recorded(Some(position)).await;
                    done(&auth::path_only(&returned.back), "confirmed")
                }
                Err(error) => not_in(site, &error).await,
            }
        }
    }
}

async fn not_in(site: &Site, error: &DoorError) -> Response {
    if matches!(error, DoorError::Store(_) | DoorError::Damaged) {
        tracing::error!(error = %error, "nobody can sign in");
        return broken(Frame::outside());
    }
    refused(site, error.code()).await
}

/// One page, whatever it is that failed; the record tells what it was.
async fn refused(site: &Site, code: &'static str) -> Response {
    site.refused(BACK, code, None).await;
    message(
        StatusCode::UNAUTHORIZED,
        Frame::outside(),
        "You are not signed in",
        &[
            "It took too long, you are not known here, or no second factor was shown.",
            &format!("Try once more. If that does not help, call {}.", site.parts.help),
        ],
        &[("/sign-in", "Sign in")],
    )
}
