//! Access that is asked for again before it ends, and the text that is read before anything is asked for.

use super::{Again, Area, Form, HOUR, Signed, Site, broken, done, find, not_done, show, unknown, words};
use crate::pages::parts::Reading;
use crate::pages::requests::one::Extend;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::{DeskError, Longer, Rules, extension_rule};
use scruple_core::Phi;
use scruple_flow::{AccessRequest, RequestError, RequestState, RoleCode};
use scruple_policy::{Pack, Reminder};
use std::sync::Arc;

const PRESETS: [(&str, &str, i64); 4] = [
    ("shift", "12 hours more", 12),
    ("day", "24 hours more", 24),
    ("week", "7 days more", 7 * 24),
    ("month", "30 days more", 30 * 24),
];

/// The text of what would be asked for, if the policy has one.
pub(super) fn reading(
    pack: &Pack,
    role: &str,
    is_of_patients: bool,
    acknowledged: &str,
    was_sent: bool,
) -> Option<Reading> {
    let role: RoleCode = role.parse().ok()?;
    let text = Rules::reminder(pack, &role, is_of_patients)?;
    let chosen = text.id == acknowledged;
    let error = (was_sent && !chosen).then(|| words::sentence(&DeskError::Request(RequestError::NotRead)));
    Some(Reading { chosen, error, id: text.id, sentences: text.sentences })
}

/// The text that is read before a file is taken along.
pub(in crate::serve) fn reading_of_export(text: Reminder, error: Option<String>) -> Reading {
    Reading { chosen: false, error, id: text.id, sentences: text.sentences }
}

/// The form for more time, in the last part of what stands.
pub(super) fn form(site: &Site, request: &AccessRequest, failed: Option<&DeskError>) -> Option<Extend> {
    let (now, pack) = (site.now(), site.pack());
    let rule = extension_rule(pack.desk);
    let stands = matches!(request.state, RequestState::Approved { .. }) && request.wanted.window.contains(now);
    if !stands || now < request.extended_from(rule) {
        return None;
    }
    let presets: Vec<(&str, &str)> = PRESETS.iter().map(|(code, label, _)| (*code, *label)).collect();
    let mut until = words::pick(&presets, "shift");
    if let Some(error @ DeskError::Request(RequestError::TooLong { .. } | RequestError::Cap { .. })) = failed {
        until.error = Some(words::sentence(error));
    }
    let reason = match failed {
        Some(error @ DeskError::Request(RequestError::Reason(_))) => words::wrong("", &words::sentence(error)),
        _ => words::field(""),
    };
    let text = reading(&pack, request.wanted.role.as_str(), !request.wanted.patients.is_empty(), "", true);
    Some(Extend {
        action: format!("/requests/{}/extend", request.id),
        until,
        reason,
        used: format!("{} of {} extensions used", request.extends.map_or(0, |one| one.number), rule.count_max),
        reading: text.map(|text| Reading { error: text.error.filter(|_| failed.is_some()), ..text }),
    })
}

/// `POST /requests/{id}/extend`
pub(in crate::serve) async fn extend(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(request): Path<String>,
    form: Form,
) -> Response {
    let request = match find(&site, &signed, &request).await {
        Ok(Some(request)) => request,
        Ok(None) => return unknown(signed.frame(&site, Some(Area::Requests))),
        Err(_) => return broken(signed.frame(&site, Some(Area::Requests))),
    };
    let hours = PRESETS.iter().find(|(code, ..)| *code == form.text("until")).map_or(0, |(.., hours)| *hours);
    let longer = Longer {
        ends_at: request.wanted.window.ends_at().plus_micros(hours * HOUR),
        justification: Phi::new(form.text("reason").to_owned()),
        acknowledged: Some(form.text("acknowledged").to_owned()).filter(|text| !text.is_empty()),
    };
    let who = signed.who();
    let asked = site.desk(async |desk| desk.extend(who, request.id, longer).await).await;
    match asked {
        Ok(asked) => done(&format!("/requests/{}", asked.id), "asked"),
        Err(
            error @ DeskError::Request(
                RequestError::NotRead
                | RequestError::Reason(_)
                | RequestError::TooLong { .. }
                | RequestError::Cap { .. },
            ),
        ) => {
            site.refused("/requests/{id}/extend", error.code(), Some(signed.person())).await;
            let again = Again { failed: Some(&error), refusing: None };
            show(&site, &signed, &request, StatusCode::UNPROCESSABLE_ENTITY, "", again).await
        }
        Err(error) => not_done(&site, &signed, "/requests/{id}/extend", &error).await,
    }
}
