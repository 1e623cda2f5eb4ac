//! The page for what goes wrong: a plain sentence and a way out. It repeats nothing of what was asked.

use super::{Frame, page};
use crate::lens::LensError;
use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// What went wrong.
#[derive(Clone, Copy)]
pub(super) struct ErrorPage {
    pub(super) status: StatusCode,
    code: &'static str,
    heading: &'static str,
    sentence: &'static str,
}

impl ErrorPage {
    pub(super) const NOT_FOUND: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "page_unknown",
        heading: "There is no such page",
        sentence: "The address leads nowhere here. Perhaps a letter of it was lost on the way.",
    };
    pub(super) const METHOD: Self = Self {
        status: StatusCode::METHOD_NOT_ALLOWED,
        code: "method_not_allowed",
        heading: "This page is not opened that way",
        sentence: "Nothing was changed. It is either read alone, or comes of a form that is sent: go back to the page with the form.",
    };
    pub(super) const PARAMETER: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "parameter_unknown",
        heading: "The link cannot be read",
        sentence: "A link to the Lens names a record, a part of it, a role and a purpose, each once, and nothing else.",
    };

    #[cfg(test)]
    pub(super) const ALL: [Self; 3] = [Self::NOT_FOUND, Self::METHOD, Self::PARAMETER];
}

impl From<LensError> for ErrorPage {
    fn from(error: LensError) -> Self {
        let bad = StatusCode::BAD_REQUEST;
        let (status, heading, sentence) = match error {
            LensError::UnknownRole => (
                bad,
                "There is no such role",
                "The active policy has no role of that name. The Lens lists those that it has.",
            ),
            LensError::PurposeNotAllowed => (
                bad,
                "The role does not act for this purpose",
                "Each role acts for a few purposes. The Lens offers a role only with those.",
            ),
            LensError::NoElevation => (
                bad,
                "Emergency access is not given here",
                "Break-glass opens a chart for one person, one patient and a short time. The Lens shows roles as they are without it.",
            ),
            LensError::NoSuchRecord => (
                bad,
                "There is no such record",
                "The synthetic hospital has no record, or no part of one, of that number.",
            ),
            LensError::NotRecorded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Nothing is shown now",
                "The ledger does not record, and what is not recorded is not shown. Try again in a moment; if it lasts, call whoever runs Scruple.",
            ),
            LensError::Failed => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "The Lens does not work now",
                "Something broke, and nothing was shown. Try again; if it lasts, call whoever runs Scruple.",
            ),
        };
        Self { status, code: error.code(), heading, sentence }
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct View {
    frame: Frame,
    status: u16,
    page: ErrorPage,
}

impl IntoResponse for ErrorPage {
    fn into_response(self) -> Response {
        let view = View { frame: Frame::new(self.heading, "Lens"), status: self.status.as_u16(), page: self };
        page(self.status, &view)
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<String> {
    use crate::lens::LensError::{Failed, NoElevation, NoSuchRecord, NotRecorded, PurposeNotAllowed, UnknownRole};
    let errors = [UnknownRole, PurposeNotAllowed, NoElevation, NoSuchRecord, NotRecorded, Failed].map(ErrorPage::from);
    let pages = ErrorPage::ALL.into_iter().chain(errors);
    pages
        .map(|page| {
            let frame = Frame::new(page.heading, "Lens");
            View { frame, status: page.status.as_u16(), page }.render().unwrap()
        })
        .collect()
}
