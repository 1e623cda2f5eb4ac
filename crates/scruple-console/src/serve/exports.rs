//! What leaves the console as a file: what is the least is read first, and that somebody took it is recorded before he gets it.

use super::requests::reading_of_export;
use super::{Form, Signed, Site, message, page, words};
use crate::pages::exceptions::export::Export;
use crate::words::Area;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use scruple_app::DeskError;
use scruple_flow::RequestError;
use scruple_policy::{Reminder, ReminderOf};

/// What somebody would take along.
pub(super) struct Asked {
    pub(super) action: String,
    pub(super) question: String,
    pub(super) holds: Vec<String>,
    pub(super) hidden: Vec<(String, String)>,
    pub(super) formats: &'static [(&'static str, &'static str)],
    pub(super) back: String,
}

fn text(site: &Site) -> Option<Reminder> {
    site.pack().reminder(ReminderOf::Export, "")
}

/// Whether the text was read, where the policy has one.
pub(super) fn is_read(site: &Site, form: &Form) -> bool {
    text(site).is_none_or(|text| text.id == form.text("acknowledged"))
}

/// The page before it.
pub(super) fn ask(site: &Site, signed: &Signed, asked: Asked, status: StatusCode) -> Response {
    let failed = (status != StatusCode::OK).then(|| words::sentence(&DeskError::Request(RequestError::NotRead)));
    let view = Export {
        frame: signed.frame(site, Some(Area::Requests)),
        csrf: signed.csrf.clone(),
        action: asked.action,
        failed: failed.clone(),
        question: asked.question,
        holds: asked.holds,
        hidden: asked.hidden,
        format: words::pick(asked.formats, "csv"),
        reading: text(site).map(|text| reading_of_export(text, failed)),
        back: asked.back,
    };
    page(status, &view)
}

/// Gives a file, once the ledger has who took what.
pub(super) async fn give(
    site: &Site,
    signed: &Signed,
    form: &Form,
    (what, rows, of): (&'static str, usize, &str),
    (kind, name, text): (&'static str, &'static str, String),
) -> Response {
    let facts = [
        ("what", what.to_owned()),
        ("of", of.to_owned()),
        ("rows", rows.to_string()),
        ("acknowledged", form.text("acknowledged").to_owned()),
        ("person", signed.person().to_string()),
    ];
    if site.parts.pipeline.note(site.now(), "console_exported", &facts).await.is_err() {
        return message(
            StatusCode::SERVICE_UNAVAILABLE,
            signed.frame(site, None),
            "Nothing is given now",
            &["The ledger does not record, and what is not recorded does not leave. Try again in a moment."],
            &[("/", "Today")],
        );
    }
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    let mut response = ([(header::CONTENT_TYPE, kind)], text).into_response();
    if let Ok(disposition) = disposition {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}
