//! The history in plain words, for the patient. What the privacy office looked up itself is in it. It tells apart whose record was
//! opened, who stood in a list, and what was asked for in vain; and of what was shown no more than is recorded.

use super::{Failed, broken, is_known, job, page, told, unknown, when, whose, words};
use crate::pages::charts::report::{ChartReport, Did, ReportRow};
use crate::serve::{Signed, Site};
use crate::words::Area;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::charts::{Opening, Sight};
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
            why: worst.map_or("Nothing was shown.", |opening| words::why_to_patient(&opening.why)).to_owned(),
            did: did(&reader.openings),
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
        since: words::late(&told.history, told.question.from)
            .into_iter()
            .map(|(at, source)| (when(at), source))
            .collect(),
        sources: sources.collect(),
        help: site.parts.help.clone(),
    }))
}

/// What somebody did: what he opened, in which lists the patient stood, what he asked for in vain.
fn did(openings: &[Opening]) -> Vec<Did> {
    let mut told = Vec::new();
    for sight in [Sight::Record, Sight::List, Sight::Nothing] {
        let of: Vec<&Opening> = openings.iter().filter(|opening| opening.sight() == sight).collect();
        let (Some(first), Some(last)) = (of.first(), of.last()) else { continue };
        told.push(Did {
            sentence: sentence(sight, &of),
            first: when(first.access.at),
            last: words::other(last.access.at, first.access.at),
        });
    }
    told
}

fn sentence(sight: Sight, of: &[&Opening]) -> String {
    let facts = || of.iter().map(|opening| &opening.facts);
    let times = if of.len() == 1 { "once".to_owned() } else { format!("{} times", of.len()) };
    let kinds: Vec<String> = words::seen(facts()).into_iter().map(|kind| kind.words).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(": {}", kinds.join(", ")) };
    let acts = words::did(facts()).join(", ");
    let acts = if acts.is_empty() { String::new() } else { format!(" The log calls it: {acts}.") };
    match sight {
        Sight::Record => format!("Opened your record {times}{kinds}.{acts}"),
        Sight::List => {
            let most = facts().map(|facts| facts.patients).max().unwrap_or(0);
            let list = if of.len() == 1 {
                format!("a list of {most} patients")
            } else {
                format!("lists of up to {most} patients")
            };
            format!("Had you {times} in {list}{kinds}.{acts}")
        }
        Sight::Nothing => format!("Asked for your record {times}, and was shown nothing.{acts}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scruple_app::charts::{AccessFacts, Why};
    use scruple_core::{Phi, Timestamp};
    use scruple_store::{AccessBasis, AccessOutcome, ChartAccess};

    const ID: &str = "0198c0de-0000-7000-8000-000000000001";

    fn opening(at: &str, outcome: AccessOutcome, facts: AccessFacts) -> Opening {
        let access = ChartAccess {
            id: ID.parse().unwrap(),
            source: ID.parse().unwrap(),
            at: Timestamp::parse(at).unwrap(),
            patient: Phi::new("Patient/p".to_owned()),
            person: None,
            actor: Phi::new("ana".to_owned()),
            role: None,
            purpose: None,
            outcome,
            basis: AccessBasis::Role,
            grant: None,
            elevation: None,
            entry: None,
            outside: false,
            facts: Phi::new(Vec::new()),
        };
        Opening { access, facts, why: Why::Role }
    }

    fn facts(types: &[&str], patients: u64, action: &str) -> AccessFacts {
        AccessFacts {
            types: types.iter().map(|name| ((*name).to_owned(), 1)).collect(),
            patients,
            action: action.to_owned(),
            ..AccessFacts::default()
        }
    }

    #[test]
    fn a_try_and_a_list_of_many_patients_are_not_told_as_an_opened_record() {
        let openings = [
            opening("2026-03-01T15:42:10Z", AccessOutcome::Opened, facts(&["Patient", "Condition"], 1, "")),
            opening("2026-03-01T15:42:50Z", AccessOutcome::Opened, facts(&["Patient"], 1, "")),
            opening("2026-03-01T15:43:00Z", AccessOutcome::Opened, facts(&["Observation"], 46, "")),
            opening("2026-03-01T15:44:00Z", AccessOutcome::Refused, facts(&[], 0, "")),
            opening("2026-03-02T15:44:00Z", AccessOutcome::Nothing, facts(&[], 0, "")),
        ];
        let told: Vec<String> = did(&openings)
            .into_iter()
            .map(|one| {
                let last = one.last.map_or_else(String::new, |last| format!(" to {}", last.words));
                format!("{} {}{last}", one.sentence, one.first.words)
            })
            .collect();
        assert_eq!(
            told,
            [
                "Opened your record 2 times: diagnoses, identity record. 1 March 2026, 15:42 UTC",
                "Had you once in a list of 46 patients: results and vital signs. 1 March 2026, 15:43 UTC",
                "Asked for your record 2 times, and was shown nothing. 1 March 2026, 15:44 UTC to 2 March 2026, 15:44 UTC",
            ]
        );
    }

    #[test]
    fn of_a_log_the_patient_is_told_what_it_calls_the_act() {
        let openings = [opening("2026-03-01T15:42:10Z", AccessOutcome::Opened, facts(&[], 1, "Print"))];
        assert_eq!(did(&openings)[0].sentence, "Opened your record once. The log calls it: Print.");
    }
}
