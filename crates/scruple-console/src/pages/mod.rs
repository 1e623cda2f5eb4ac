//! Pages: one file each, with its view, its handler, its samples and its tests. Here what they share: the router, the
//! frame around each page, and the headers.

pub(crate) mod access;
pub(crate) mod auth;
pub(crate) mod charts;
pub(crate) mod deputies;
pub(crate) mod door;
pub(crate) mod emergency;
mod error;
pub(crate) mod exceptions;
pub(crate) mod figures;
pub(crate) mod guide;
mod lens;
pub(crate) mod papers;
pub(crate) mod parts;
pub(crate) mod people;
pub(crate) mod plain;
pub(crate) mod projects;
pub(crate) mod requests;
pub(crate) mod roles;
mod samples;
pub(crate) mod search;
pub(crate) mod systems;
pub(crate) mod tasks;
pub(crate) mod today;

use crate::assets::{CSS, CSS_PATH, JS, JS_PATH};
use crate::lens::Lens;
use crate::words::Area;
use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Response};
use axum::{Router, routing::get};
use error::ErrorPage;
use parts::When;
use std::sync::Arc;

/// Letters of the policy's hash that a page shows.
const POLICY_CHARS: usize = 12;

const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The Lens alone, at `/` and `/lens`.
pub fn router(lens: Arc<dyn Lens>) -> Router {
    let home = Router::new().route("/", get(lens::show)).with_state(Arc::clone(&lens));
    shared(home.merge(lens_routes(lens)), None)
}

/// The Lens at `/lens`, and the page of samples.
pub(crate) fn lens_routes(lens: Arc<dyn Lens>) -> Router {
    Router::new().route("/lens", get(lens::show)).route("/samples", get(samples::show)).with_state(lens)
}

/// Routes with what all of them share: assets, pages for what goes wrong, headers. `host`: a name that the console answers to
/// beside those of this machine.
pub(crate) fn shared(routes: Router, host: Option<String>) -> Router {
    let host = host.map(Arc::<str>::from);
    routes
        .route(&CSS_PATH, get(css))
        .route(&JS_PATH, get(js))
        .fallback(|| async { ErrorPage::NOT_FOUND.into_response() })
        .method_not_allowed_fallback(|| async { ErrorPage::METHOD.into_response() })
        .layer(from_fn(move |request, next| headers(host.clone(), request, next)))
}

/// Every page with made-up values, at `/samples/{page}/{n}`, and a list of them at `/samples/pages`: for those who look at
/// pages, and for the browser tests. The node does not serve it.
#[doc(hidden)]
pub fn sample_router() -> Router {
    Router::new()
        .route("/samples/pages", get(samples::list))
        .route("/samples/{page}/{number}", get(samples::one))
        .layer(from_fn(|request, next| headers(None, request, next)))
}

async fn css() -> Response {
    asset("text/css; charset=utf-8", CSS)
}

async fn js() -> Response {
    asset("text/javascript; charset=utf-8", JS)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let kept = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (kept, text).into_response()
}

/// Whether a `Host` is this machine, by whatever port.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost")
        || name == "[::1]"
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// What every answer carries. A page is kept nowhere: what it shows is recorded each time.
async fn headers(own: Option<Arc<str>>, request: Request, next: Next) -> Response {
    // A name of somebody else's that leads here (DNS rebinding) is not answered.
    let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    let mut response = if host.is_none_or(|host| is_local(host) || own.as_deref() == Some(host)) {
        next.run(request).await
    } else {
        ErrorPage::NOT_FOUND.into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// What stands around a page.
#[derive(Clone)]
pub(crate) struct Frame {
    /// Of the browser's window. It names no record.
    title: String,
    /// The page's name.
    page: &'static str,
    css: &'static str,
    /// What the skip link leads to.
    skip: &'static str,
    /// First letters of the policy's hash; empty where no policy is spoken of.
    policy: String,
    /// Releases that the page was made from.
    releases: Vec<String>,
    /// Who looks; nobody before sign-in.
    signed_in: Option<Who>,
    /// The areas that the person may open, in the order of the page.
    nav: Vec<NavItem>,
    /// What the act before this page did.
    flash: Option<Flash>,
    /// The script, on the few pages that speak with a passkey.
    script: Option<&'static str>,
}

/// Who is signed in.
#[derive(Clone)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) job: String,
    /// When the session ends without a further act.
    pub(crate) ends: When,
    /// Where sign-out is sent to, and its token.
    pub(crate) sign_out: String,
    pub(crate) csrf: String,
}

/// An area in the navigation.
#[derive(Clone)]
pub(crate) struct NavItem {
    pub(crate) area: Area,
    /// How much waits there for the person; zero shows no number.
    pub(crate) waiting: usize,
    pub(crate) current: bool,
}

/// How an act ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Warn,
    Bad,
}

impl Tone {
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Good => "●",
            Self::Warn => "◐",
            Self::Bad => "○",
        }
    }
}

/// One sentence about the act before this page, shown once.
#[derive(Clone)]
pub(crate) struct Flash {
    pub(crate) tone: Tone,
    pub(crate) sentence: String,
}

impl Frame {
    fn new(title: &str, page: &'static str) -> Self {
        Self {
            title: format!("{title} · Scruple"),
            page,
            css: &CSS_PATH,
            skip: "Skip to the content",
            policy: String::new(),
            releases: Vec::new(),
            signed_in: None,
            nav: Vec::new(),
            flash: None,
            script: None,
        }
    }

    /// Around a page before sign-in. The template names the page.
    pub(crate) fn outside() -> Self {
        Self::new("Scruple", "")
    }

    /// Around a page of a person who is signed in. `areas`: those that he may open, with what waits there.
    pub(crate) fn inside(who: Who, areas: &[(Area, usize)], current: Option<Area>) -> Self {
        let item = |(area, waiting): &(Area, usize)| NavItem {
            area: *area,
            waiting: *waiting,
            current: current == Some(*area),
        };
        Self { signed_in: Some(who), nav: areas.iter().map(item).collect(), ..Self::outside() }
    }

    /// With what the act before this page did.
    pub(crate) fn with_flash(mut self, tone: Tone, sentence: &str) -> Self {
        self.flash = Some(Flash { tone, sentence: sentence.to_owned() });
        self
    }

    /// With the script that speaks with passkeys.
    pub(crate) fn with_passkeys(mut self) -> Self {
        self.script = Some(&JS_PATH);
        self
    }
}

/// A page as an answer.
pub(crate) fn page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(error = %error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A text as a value in a query: everything but unreserved characters is escaped.
pub(crate) fn escaped(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let one = |byte: u8| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests;
