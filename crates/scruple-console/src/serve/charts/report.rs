//! The history in plain words, for the patient. What the privacy office looked up itself is in it. It tells apart whose record was
//! opened, who stood in a list, and what was asked for in vain; and of what was shown no more than is recorded.

use super::{Failed, broken, job, page, told, unknown, when, whose, words};
use crate::pages::charts::report::{ChartReport, Did, ReportRow};
use crate::serve::{Signed, Site};
use crate::words::Area;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::charts::{Deed, Sight, deeds, is_known, why_to_patient};
use scruple_store::SourceKind;
use std::sync::Arc;

/// `GET /charts/{id}/report`
pub(in crate::serve) async fn report(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(question): Path<String>,
) -> Response {
    match build(&site, &signed, &question).await {
        Ok(Some(view)) => page(StatusCode::OK, &view),
        Ok(None) => unknown(signed.frame(&site, Some(Area::Charts))),
        Err(_) => broken(signed.frame(&site, Some(Area::Charts))),
    }
}

async fn build(site: &Site, signed: &Signed, question: &str) -> Result<Option<ChartReport>, Failed> {
    let Some(told) = told(site, signed, question).await? else { return Ok(None) };
    // To a patient whom nobody knows there is no letter.
    if !is_known(&told.question) {
        return Ok(None);
    }
    let patient = whose(site, signed, &told.question).await;
    let pack = site.pack();
    let mut tx = site.parts.store.begin_read().await?;
    let mut rows = Vec::new();
    for reader in &told.history.readers {
        let (name, job) = match &reader.person {
            Some(person) => (person.name.expose().clone(), job(&mut tx, &pack, person).await?),
            None => ("Somebody whom we do not know yet".to_owned(), String::new()),
        };
        let saw = reader.openings.iter().filter(|opening| opening.sight() != Sight::Nothing);
        let worst = saw.min_by_key(|opening| opening.why.standing());
        rows.push(ReportRow {
            name,
            job,
            why: worst.map_or("Nothing was shown.", |opening| why_to_patient(&opening.why)).to_owned(),
            did: deeds(&reader.openings).into_iter().map(did).collect(),
        });
    }
    drop(tx);
    let mut openings = told.history.readers.iter().flat_map(|reader| &reader.openings);
    let sources = told.history.sources.values().map(|source| match source.kind {
        SourceKind::Gateway => "the gateway of the record system".to_owned(),
        _ => format!("the access log of {}", source.code),
    });
    Ok(Some(ChartReport {
        frame: signed.frame(site, Some(Area::Charts)),
        back: format!("/charts/{}", told.question.id),
        made: when(site.now()),
        patient: patient.name,
        number: patient.number,
        from: when(told.question.from),
        until: when(told.question.until.min(site.now())),
        is_unopened: !openings.any(|opening| opening.sight() == Sight::Record),
        rows,
        since: words::late(&told.history, told.question.from),
        sources: sources.collect(),
        help: site.parts.help.clone(),
    }))
}

fn did(deed: Deed) -> Did {
    Did { sentence: deed.sentence, first: when(deed.first), last: words::other(deed.last, deed.first) }
}
