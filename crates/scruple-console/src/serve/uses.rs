//! Where what was used is not what was asked for: looked at and closed by who reviews, or by who agreed to it.

use super::{Form, Signed, Site, broken, done, id, kinds, not_done, page, requests, unknown, when, with_done, words};
use crate::pages::exceptions::uses::{Close, UseRow, Uses};
use crate::words::Area;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::{DeskError, Rules as _, approved_by};
use scruple_core::{Id, Phi};
use scruple_flow::{AccessRequest, ElevationKind, Kinds, UseError, UseFinding, UseReview};
use scruple_policy::{Act, ActScope};
use scruple_store::{StoreError, find_elevation, find_request, list_open_use_reviews};
use std::sync::Arc;

/// Rows of a page.
const ROWS_MAX: usize = 25;
const FINDINGS: [(&str, &str); 2] =
    [("explained", "There was a reason for it"), ("not_explained", "There was no reason for it")];

/// What was typed, and why it was not taken.
struct Typed<'a> {
    review: Id<UseReview>,
    finding: &'a str,
    comment: &'a str,
    error: &'a DeskError,
}

/// `GET /uses`
pub(super) async fn list(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    show(&site, &signed, StatusCode::OK, &query.unwrap_or_default(), None).await
}

async fn show(site: &Site, signed: &Signed, status: StatusCode, query: &str, typed: Option<Typed<'_>>) -> Response {
    match build(site, signed, query, typed).await {
        Ok(view) => page(status, &view),
        Err(error) => {
            tracing::error!(error = %error, "differences cannot be listed");
            broken(signed.frame(site, Some(Area::Requests)))
        }
    }
}

async fn build(site: &Site, signed: &Signed, query: &str, typed: Option<Typed<'_>>) -> Result<Uses, StoreError> {
    let after = query.split('&').find_map(|pair| pair.strip_prefix("after=")).and_then(id::<UseReview>);
    let (mut rows, mut last, mut next) = (Vec::new(), after, None);
    loop {
        let found = list_open_use_reviews(&mut site.parts.store.begin_read().await?, last).await?;
        if found.is_empty() {
            break;
        }
        for review in &found {
            if rows.len() >= ROWS_MAX {
                next = last.map(|last| format!("/uses?after={last}"));
                break;
            }
            last = Some(review.id);
            if let Some(row) = row(site, signed, review, typed.as_ref()).await? {
                rows.push(row);
            }
        }
        if next.is_some() {
            break;
        }
    }
    Ok(Uses {
        frame: with_done(signed.frame(site, Some(Area::Requests)), query),
        csrf: signed.csrf.clone(),
        as_of: when(site.now()),
        failed: typed.map(|typed| words::sentence(typed.error)),
        rows,
        next,
    })
}

/// One difference, if whoever looks may know of it: who reviews, and who agreed to the access.
async fn row(
    site: &Site,
    signed: &Signed,
    review: &UseReview,
    typed: Option<&Typed<'_>>,
) -> Result<Option<UseRow>, StoreError> {
    let pack = site.pack();
    let mut tx = site.parts.store.begin_read().await?;
    let Some(elevation) = find_elevation(&mut tx, review.elevation).await? else { return Ok(None) };
    let request: Option<AccessRequest> = match elevation.held.kind {
        ElevationKind::Asked { request } => find_request(&mut tx, request).await?,
        ElevationKind::Declared(_) | ElevationKind::Emergency { .. } => None,
    };
    drop(tx);
    let oversees = pack.scope(Act::Reviews, &signed.roles) == Some(ActScope::All);
    let agreed = request.as_ref().is_some_and(|request| approved_by(request, signed.person()));
    if !oversees && !agreed {
        return Ok(None);
    }
    let typed = typed.filter(|typed| typed.review == review.id);
    let comment = match typed {
        Some(Typed { comment, error: error @ DeskError::Use(UseError::Reason(_)), .. }) => {
            words::wrong(comment, &words::sentence(error))
        }
        Some(typed) => words::field(typed.comment),
        None => words::field(""),
    };
    let beside = Kinds::named(review.beside.clone()).map(|beside| kinds::named(&pack, &beside));
    Ok(Some(UseRow {
        person: requests::shown(site, review.reader).await?,
        asked: kinds::named(&pack, &elevation.held.kinds),
        beside: beside.unwrap_or_default(),
        unused: review.unused,
        compared: when(review.compared_at),
        reads: format!("/reads/chart/{}", review.elevation),
        request: request.map(|request| format!("/requests/{}", request.id)),
        close: (review.reader != signed.person()).then(|| Close {
            action: format!("/uses/{}", review.id),
            version: review.version,
            finding: words::pick(&FINDINGS, typed.map_or("explained", |typed| typed.finding)),
            comment,
        }),
    }))
}

/// `POST /uses/{id}`
pub(super) async fn close(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(review): Path<String>,
    form: Form,
) -> Response {
    let Some(review) = id::<UseReview>(&review) else {
        return unknown(signed.frame(&site, Some(Area::Requests)));
    };
    let (who, version) = (signed.who(), form.version());
    let (finding, comment) = (form.text("finding").to_owned(), form.text("comment").to_owned());
    let Some(found) = UseFinding::of(&finding) else {
        return not_done(&site, &signed, "/uses/{id}", &DeskError::Unknown).await;
    };
    let said = (found, Phi::new(comment.clone()));
    let closed = site.desk(async |desk| desk.close_use(who, review, version, said).await).await;
    match closed {
        Ok(_) => done("/uses", "use_closed"),
        Err(error @ DeskError::Use(UseError::Reason(_))) => {
            site.refused("/uses/{id}", error.code(), Some(signed.person())).await;
            let typed = Typed { review, finding: &finding, comment: &comment, error: &error };
            show(&site, &signed, StatusCode::UNPROCESSABLE_ENTITY, "", Some(typed)).await
        }
        Err(error) => not_done(&site, &signed, "/uses/{id}", &error).await,
    }
}
