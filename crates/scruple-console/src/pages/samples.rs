//! The page of samples: every component of the design system in its states. What a new page needs and does not find here
//! is added here first.

use super::{Frame, page};
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

/// A word that is longer than a line of a telephone.
const LONG: &str = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft";
/// A value as an attacker would like to see it on a page.
pub(super) const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'`&";

#[derive(Template)]
#[template(path = "samples.html")]
struct View {
    frame: Frame,
    long: &'static str,
    right_to_left: &'static str,
    hostile: &'static str,
}

/// `GET /samples`.
pub(super) async fn show() -> Response {
    page(StatusCode::OK, &view())
}

fn view() -> View {
    View {
        frame: Frame::new("Samples", "Samples"), long: LONG, right_to_left: "שלום, ד״ר רות לוי", hostile: HOSTILE
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<String> {
    vec![view().render().unwrap()]
}
