//! The Lens: a synthetic record, whole, beside what a role gets of it, and on each element the reason.
//!
//! The address names ordinals, roles and purposes, and nothing of a record: it is the link to share.

mod ask;
mod sections;
mod view;

use super::error::ErrorPage;
use crate::lens::{Lens, LensAsk};
use ask::{Ask, Asked, ViewAs};
use axum::extract::{Query, State, rejection::QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use scruple_fhir::tree::Tree;
use std::sync::Arc;
use view::{Reader, build};

#[cfg(test)]
pub(super) use view::samples;

/// `GET /` and `GET /lens`.
pub(super) async fn show(
    State(lens): State<Arc<dyn Lens>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Response {
    let catalogue = lens.catalogue();
    let asked = query.map_err(|_| ErrorPage::PARAMETER).and_then(|Query(pairs)| Asked::read(&pairs, &catalogue));
    match asked {
        Ok(Asked::Form(ask)) => Redirect::to(&ask.href()).into_response(),
        Ok(Asked::Link(ask)) => match see(lens.as_ref(), &ask).await {
            Ok(readers) => answer(lens.as_ref(), &ask, readers),
            Err(error) => error.into_response(),
        },
        Err(error) => error.into_response(),
    }
}

/// What each of the roles gets.
async fn see(lens: &dyn Lens, ask: &Ask) -> Result<Vec<Reader>, ErrorPage> {
    let mut readers = Vec::new();
    for ViewAs { role, purpose } in std::iter::once(&ask.view).chain(&ask.beside) {
        let one = LensAsk { patient: ask.record, item: ask.item, role: role.clone(), purpose: purpose.clone() };
        let seen = lens.seen(one).await?;
        readers.push(Reader { view: ViewAs { role: role.clone(), purpose: purpose.clone() }, seen });
    }
    Ok(readers)
}

fn answer(lens: &dyn Lens, ask: &Ask, readers: Vec<Reader>) -> Response {
    use crate::lens::LensError::{Failed, NoSuchRecord};
    let Some(items) = lens.record(ask.record) else { return ErrorPage::from(NoSuchRecord).into_response() };
    let Some(whole) = lens.whole(ask.record, ask.item) else { return ErrorPage::from(NoSuchRecord).into_response() };
    let Some(whole) = Tree::parse(&whole) else { return ErrorPage::from(Failed).into_response() };
    match build(&lens.catalogue(), ask, &items, &whole, &readers) {
        Some(view) => super::page(StatusCode::OK, &view),
        None => ErrorPage::from(Failed).into_response(),
    }
}
