//! `/people/findings`: what is wrong with the directory and its accounts now.

use super::{Signed, Site, broken, page, people, when, words};
use crate::pages::parts::Person as Shown;
use crate::pages::people::findings::{FindingGroup, FindingRow, Findings};
use crate::words::Area;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::directory::{DirectoryError, Finding, findings};
use scruple_policy::ActScope;
use scruple_store::find_group;
use std::sync::Arc;

/// Each kind of finding: its code, its heading, and what to do about it.
const KINDS: [(&str, &str, &str); 11] = [
    ("mover_kept_access", "Moved, with access from before", "End it on the person's page, or have it approved anew."),
    ("account_idle", "Idle", "It ends by itself. Who answers for the person brings it back."),
    (
        "account_used_at_two_places",
        "Used at two places at one time",
        "Ask whether more than one person signs in with it.",
    ),
    ("no_manager", "Without a manager who is here", "HR names one: requests and leavers go to him."),
    ("no_owner", "Systems that nobody answers for", "They obtain nothing until somebody who is here owns them."),
    (
        "account_not_registered",
        "Systems that are not registered",
        "Register purpose, scopes, rotation, review and end.",
    ),
    ("account_review_late", "Systems whose review is late", "Who answers for it looks at it."),
    (
        "account_rotation_late",
        "Systems with secrets that are too old",
        "Replace the secrets, and register the next date.",
    ),
    ("account_ended", "Systems that have ended and are still here", "Take them out of the directory."),
    (
        "emergency_account_without_controls",
        "Emergency accounts without a control",
        "Register an owner, a review and an end.",
    ),
    ("unmapped_group", "Groups that stand for no role", "Map the group to a role, or take its members out."),
];

/// `GET /people/findings`
pub(super) async fn show(State(site): State<Arc<Site>>, signed: Signed) -> Response {
    match build(&site, &signed).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "findings cannot be shown");
            broken(signed.frame(&site, Some(Area::People)))
        }
    }
}

async fn build(site: &Site, signed: &Signed) -> Result<Findings, DirectoryError> {
    let now = site.now();
    let mut found = findings(&site.parts.store, now).await?;
    if signed.scope != ActScope::All {
        found.retain(|finding| finding.person().is_some_and(|person| signed.reports.contains(&person)));
    }
    let mut tx = site.parts.store.begin_read().await?;
    let mut groups = Vec::new();
    for (code, heading, advice) in KINDS {
        let mut rows = Vec::new();
        for finding in found.iter().filter(|finding| finding.code() == code) {
            let person = match (finding, finding.person()) {
                (_, Some(person)) => Shown {
                    href: format!("/people/{person}"),
                    name: people::name(&mut tx, person).await?,
                    job: String::new(),
                },
                (Finding::UnmappedGroup(group), None) => {
                    let group = find_group(&mut tx, *group).await?;
                    let name = group.map(|group| group.display.into_inner()).unwrap_or_default();
                    Shown { href: String::new(), name, job: String::new() }
                }
                (_, None) => continue,
            };
            rows.push(FindingRow { person, about: about(site, finding) });
        }
        if !rows.is_empty() {
            groups.push(FindingGroup { heading, advice, rows });
        }
    }
    Ok(Findings { frame: signed.frame(site, Some(Area::People)), as_of: when(now), groups })
}

fn about(site: &Site, finding: &Finding) -> String {
    match finding {
        Finding::LeftOver { grants, .. } => {
            let roles = grants.iter().map(|(_, role)| words::role(&site.pack(), role));
            roles.collect::<Vec<_>>().join(", ")
        }
        Finding::Idle { used_at, disabled_at, .. } => {
            format!("last used {}, ends {}", when(*used_at).words, when(*disabled_at).words)
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::KINDS;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_its_own_words() {
        let codes: BTreeSet<&str> = KINDS.iter().map(|(code, ..)| *code).collect();
        let headings: BTreeSet<&str> = KINDS.iter().map(|(_, heading, _)| *heading).collect();
        assert_eq!((codes.len(), headings.len()), (KINDS.len(), KINDS.len()));
    }
}
