//! `/roles/fit`: whether the roles fit; and reviews of mappings.

use super::roles::coded;
use super::versions::{PackTrouble, known, name, proved};
use super::{Form, Signed, Site, broken, done, id, not_done, page, unknown, when, with_done, words};
use crate::pages::parts::{Coded, Field, Person as Shown};
use crate::pages::roles::fit::{CheckRow, Fit, MappingRow, UnusedRow};
use crate::pages::roles::mapping::{MappedKind, MappingPage};
use crate::words::{Area, Depth, Mark};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::DeskError;
use scruple_app::policy::{
    OrganisationChange, PersonRoles, ProvedPack, SelfCheck, Unused, Used, alignment, mapping_states, read_accesses,
    role_holdings,
};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{MappingCause, MappingDecision, MappingError, MappingReview, Person};
use scruple_policy::{Act, Determination, Held, Pack, Sprawl, Standing, sprawl, trim};
use scruple_store::{StoreError, find_mapping_review};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Days that are looked at for what nobody used.
const UNUSED_DAYS: i64 = 90;
/// How long it counts as known.
const UNUSED_KEPT_MICROS: u64 = 600_000_000;
/// How long what is measured of everybody counts as known.
const MEASURED_KEPT_MICROS: u64 = 60_000_000;
/// People without a role that stand on the page.
const PEOPLE_MAX: usize = 50;
/// Sentences of what is alike.
const ALIKE_MAX: usize = 40;

/// What is measured of everybody, kept for a while: it takes a second where tens of thousands work.
pub(crate) struct Measured {
    at: Timestamp,
    pack: String,
    /// Everybody who is here, by login, with the roles that he holds.
    held: BTreeMap<String, BTreeSet<String>>,
    holdings: BTreeMap<Id<Person>, PersonRoles>,
    sprawl: Sprawl,
}

async fn measured(site: &Site, active: &Arc<ProvedPack>) -> Result<Arc<Measured>, PackTrouble> {
    let (now, pack) = (site.now(), active.hash().to_string());
    let mut kept = site.measured.lock().await;
    if let Some(known) = kept.as_ref()
        && now.micros().abs_diff(known.at.micros()) < MEASURED_KEPT_MICROS
        && known.pack == pack
    {
        return Ok(Arc::clone(known));
    }
    let holdings = role_holdings(&site.parts.store, now).await?;
    let logins = site.roster.logins(&site.parts.store, holdings.keys().copied()).await?;
    let login =
        |(person, roles): (&Id<Person>, &PersonRoles)| Some((logins.get(person)?.expose().clone(), roles.held.clone()));
    let held: BTreeMap<String, BTreeSet<String>> = holdings.iter().filter_map(login).collect();
    let states = mapping_states(&site.parts.store, &active.active.pack, now).await?;
    let touched = states.iter().filter_map(|(role, state)| Some((role.clone(), state.touched_at?))).collect();
    let (by, of) = (Arc::clone(active), Held { people: held.clone(), touched });
    let found = tokio::task::spawn_blocking(move || sprawl(&by.active.pack, &of, now)).await;
    let found = found.map_err(|_| PackTrouble::Ended)?;
    let measured = Arc::new(Measured { at: now, pack, held, holdings, sprawl: found });
    *kept = Some(Arc::clone(&measured));
    Ok(measured)
}

/// What nobody used of late, under the active policy; looked up anew after a while, and after a change of the policy.
async fn unused(site: &Site) -> Result<(Arc<ProvedPack>, Arc<Measured>, Arc<Unused>), PackTrouble> {
    let now = site.now();
    let active = proved(site, site.pack().hash).await?;
    let measured = measured(site, &active).await?;
    let mut kept = site.unused.lock().await;
    if let Some((at, unused)) = kept.as_ref()
        && now.micros().abs_diff(at.micros()) < UNUSED_KEPT_MICROS
        && unused.pack == active.hash().to_string()
    {
        return Ok((active, measured, Arc::clone(unused)));
    }
    let period = (now.plus_micros(-UNUSED_DAYS * words::DAY), now.plus_micros(1));
    let known = known(site, period.0).await?;
    let (pack, of, dir) = (Arc::clone(&active), Arc::clone(&measured), site.parts.ledger.clone());
    let looked = tokio::task::spawn_blocking(move || {
        let mut used = Used::new(known);
        read_accesses(&dir, period, &mut |access| used.take(access))?;
        Ok::<_, PackTrouble>(used.finish(&pack.active.pack, &of.held, period))
    });
    let unused = Arc::new(looked.await.map_err(|_| PackTrouble::Ended)??);
    *kept = Some((now, Arc::clone(&unused)));
    Ok((active, measured, unused))
}

pub(super) async fn show(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    match build(&site, &signed, &query.unwrap_or_default()).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "it cannot be shown whether the roles fit");
            broken(signed.frame(&site, Some(Area::Roles)))
        }
    }
}

async fn build(site: &Site, signed: &Signed, query: &str) -> Result<Fit, PackTrouble> {
    let now = site.now();
    let (active, kept, unused) = unused(site).await?;
    let pack = &active.active.pack;
    let states = mapping_states(&site.parts.store, pack, now).await?;
    let found = &kept.sprawl;
    let late = states.values().filter(|state| state.is_late).count();
    let holdings = &kept.holdings;
    let roles = pack.roles.values().filter(|role| !role.is_profile && !role.permits.is_empty());
    let measured = alignment(holdings, &roles.map(|role| role.name.clone()).collect(), now);
    let may_see_people = signed.may(&site.pack(), Act::People);
    let mut without = Vec::new();
    let bare = holdings.iter().filter(|(_, one)| one.is_active && one.held.is_empty() && may_see_people);
    for (person, _) in bare.take(PEOPLE_MAX) {
        let name = name(site, Some(*person)).await?;
        without.push(Shown { href: format!("/people/{person}"), name, job: String::new() });
    }
    let rows = unused.roles.iter().filter(|role| role.accesses > 0 && !role.unused.is_empty());
    let rows = rows.map(|role| UnusedRow {
        href: format!("/roles/{}", role.role),
        role: coded(pack, &role.role),
        accesses: counted(role.accesses, "access", "accesses"),
        granted: role.granted,
        kinds: role
            .unused
            .iter()
            .map(|kind| Coded { words: kind.label.to_lowercase(), code: kind.category.clone() })
            .collect(),
    });
    let mappings = states.values().filter_map(|state| state.open.as_ref()).map(|review| MappingRow {
        href: format!("/roles/mappings/{}", review.id),
        role: coded(pack, review.role.as_str()),
        cause: cause(review.cause),
        due: when(review.due_at),
        late: review.due_at <= now,
    });
    Ok(Fit {
        frame: with_done(signed.frame(site, Some(Area::Roles)), query),
        csrf: signed.csrf.clone(),
        as_of: when(kept.at),
        period: format!("the last {UNUSED_DAYS} days"),
        unused: rows.collect(),
        may_draft: signed.may(&site.pack(), Act::Propose),
        sprawl: tally(found),
        alike: alike(found, |role| coded(pack, role).words),
        checks: checks(&active, holdings, late, now),
        aligned: format!("{} of {}", measured.aligned, measured.of),
        formula: measured.formula,
        without,
        mappings: mappings.collect(),
    })
}

fn tally(found: &Sprawl) -> String {
    let mut text = format!("{} roles, {} people who hold one", found.roles, found.people);
    if let Some(number) = found.roles_per_hundred {
        text.push_str(&format!(", {number} roles for each hundred people"));
    }
    text.push_str(&format!("; the most that one person holds: {}", found.roles_of_one_person_max));
    text
}

/// `1 access`, `7 accesses`.
fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// What is alike, in sentences. `title`: of a role by its name.
fn alike(found: &Sprawl, title: impl Fn(&str) -> String) -> Vec<(Mark, String)> {
    let title = |role: &str| format!("“{}”", title(role));
    let mut lines = Vec::new();
    if found.is_finding {
        lines.push((
            Mark::bad("Finding"),
            "There are too many roles that are alike, or too many for the people here.".to_owned(),
        ));
    }
    for one in &found.overlaps {
        let [a, b] = &one.roles;
        let words = if one.same { "decide alike".to_owned() } else { format!("overlap by {} %", one.percent) };
        lines.push((Mark::wait("Alike"), format!("{} and {} {words}.", title(a), title(b))));
    }
    for one in &found.merges {
        let people = counted(one.people as u64, "person", "people");
        let (from, into) = (title(&one.from), title(&one.into));
        let sentence = format!("{from} could give way to {into}: nobody would see more, {people}.");
        lines.push((Mark::good("Merge"), sentence));
    }
    for (names, mark, words) in [
        (&found.single_member, Mark::wait("One person"), "is held by one person"),
        (&found.nobody, Mark::over("Nobody"), "is held by nobody"),
        (&found.untouched, Mark::wait("Untouched"), "was neither changed nor looked at for a year"),
    ] {
        lines.extend(names.iter().map(|role| (mark, format!("{} {words}.", title(role)))));
    }
    lines.truncate(ALIKE_MAX);
    lines
}

fn checks(
    active: &ProvedPack,
    holdings: &BTreeMap<Id<Person>, PersonRoles>,
    late_mappings: usize,
    now: Timestamp,
) -> Vec<CheckRow> {
    let pack = &active.active.pack;
    let roles: Vec<_> = pack.roles.values().filter(|role| !role.is_profile).collect();
    let bare = roles.iter().filter(|role| role.tasks.is_empty() || role.defence.trim().is_empty()).count();
    let check = SelfCheck {
        people: (holdings.len(), holdings.values().filter(|one| one.is_active && one.held.is_empty()).count()),
        roles: (roles.len(), bare),
        proved_cells: Some(active.active.proof.cells),
        late_mappings,
        exceptions: (pack.broad.len(), pack.broad.iter().filter(|broad| broad.until <= now).count()),
    };
    let row = |check: scruple_app::policy::Check| CheckRow {
        mark: if check.is_good { Mark::good("There") } else { Mark::bad("Missing") },
        part: check.part,
        evidence: check.evidence,
        href: check.href,
    };
    check.checks().into_iter().map(row).collect()
}

/// Drafts a policy without what nobody used.
pub(super) async fn draft(State(site): State<Arc<Site>>, signed: Signed, _: Form) -> Response {
    match drafted(&site, &signed).await {
        Ok(Ok(Some(version))) => done(&format!("/roles/versions/{version}"), "drafted"),
        Ok(Ok(None)) => done("/roles/fit", "nothing"),
        Ok(Err(error)) => not_done(&site, &signed, "/roles/fit/draft", &error).await,
        Err(trouble) => {
            tracing::error!(error = %trouble, "a policy without what nobody uses cannot be drafted");
            broken(signed.frame(&site, Some(Area::Roles)))
        }
    }
}

async fn drafted(site: &Site, signed: &Signed) -> Result<Result<Option<String>, DeskError>, PackTrouble> {
    let (active, _, unused) = unused(site).await?;
    let (now, take) = (site.now(), unused.proposal());
    let proving = tokio::task::spawn_blocking(move || {
        let draft = trim(&active.files, &active.active.pack, &take);
        (!draft.taken.is_empty()).then(|| ProvedPack::prove(draft.files, now))
    });
    let draft = match proving.await.map_err(|_| PackTrouble::Ended)? {
        None => return Ok(Ok(None)),
        Some(proved) => proved.map_err(scruple_app::policy::ContentError::from)?,
    };
    let who = signed.who();
    let words =
        Phi::new(format!("Without what nobody used from {} to {}.", when(unused.from).words, when(unused.until).words));
    let drafted = site.desk(async |desk| desk.draft_policy(who, &draft, words).await).await;
    Ok(drafted.map(|version| Some(version.id.to_string())))
}

/// The organisation has changed: every mapping is looked at.
pub(super) async fn organisation(State(site): State<Arc<Site>>, signed: Signed, _: Form) -> Response {
    let (who, pack) = (signed.who(), site.pack());
    let change = OrganisationChange { roles: BTreeSet::new() };
    let opened = site.acts(async |desk| desk.organisation_changed(who, &pack, &change).await).await;
    match opened {
        Ok(_) => done("/roles/fit", "asked"),
        Err(error) => not_done(&site, &signed, "/roles/organisation", &error).await,
    }
}

const fn cause(cause: MappingCause) -> &'static str {
    match cause {
        MappingCause::Due => "A year has passed since it was last looked at",
        MappingCause::RoleChanged => "A version of the policy has changed the role",
        MappingCause::OrganisationChanged => "The organisation has changed",
    }
}

async fn find(site: &Site, review: &str) -> Result<Option<MappingReview>, StoreError> {
    let Some(id) = id(review) else { return Ok(None) };
    find_mapping_review(&mut site.parts.store.begin_read().await?, id).await
}

pub(super) async fn mapping(State(site): State<Arc<Site>>, signed: Signed, Path(review): Path<String>) -> Response {
    match find(&site, &review).await {
        Ok(Some(review)) => mapping_page(&site, &signed, &review, StatusCode::OK, None).await,
        Ok(None) => unknown(signed.frame(&site, Some(Area::Roles))),
        Err(_) => broken(signed.frame(&site, Some(Area::Roles))),
    }
}

/// What was typed, and why it was not taken.
struct Typed<'a> {
    error: &'a DeskError,
    decisions: &'a BTreeMap<String, MappingDecision>,
    comment: &'a str,
}

async fn mapping_page(
    site: &Site,
    signed: &Signed,
    review: &MappingReview,
    status: StatusCode,
    typed: Option<Typed<'_>>,
) -> Response {
    let pack = site.pack();
    let closed = match &review.verdict {
        Some(verdict) => match name(site, Some(verdict.by)).await {
            Ok(name) => Some((name, when(verdict.at), verdict.comment.expose().clone())),
            Err(_) => return broken(signed.frame(site, Some(Area::Roles))),
        },
        None => None,
    };
    let decided = review.verdict.as_ref().map(|verdict| &verdict.decisions);
    let decided = decided.or(typed.as_ref().map(|typed| typed.decisions));
    let comment = match &typed {
        Some(Typed { error: error @ DeskError::Mapping(MappingError::Reason(_)), comment, .. }) => {
            words::wrong(comment, &words::sentence(error))
        }
        Some(typed) => words::field(typed.comment),
        None => Field::default(),
    };
    let view = MappingPage {
        frame: signed.frame(site, Some(Area::Roles)),
        csrf: signed.csrf.clone(),
        failed: typed.as_ref().map(|typed| words::sentence(typed.error)),
        version: review.version,
        action: format!("/roles/mappings/{}", review.id),
        role: coded(&pack, review.role.as_str()),
        href: format!("/roles/{}", review.role),
        cause: cause(review.cause),
        due: when(review.due_at),
        late: review.verdict.is_none() && review.due_at <= site.now(),
        kinds: kinds(&pack, review.role.as_str(), decided),
        may_close: closed.is_none() && signed.may(&pack, Act::Propose),
        closed,
        comment,
    };
    page(status, &view)
}

/// The kinds of information of a role, each once, with the widest view.
fn kinds(pack: &Pack, role: &str, decided: Option<&BTreeMap<String, MappingDecision>>) -> Vec<MappedKind> {
    let Ok(table) = Determination::of(pack, role, &Standing::default()) else { return Vec::new() };
    let mut kinds: Vec<MappedKind> = Vec::new();
    for need in table.needs {
        if kinds.iter().any(|known| known.kind.code == need.category) {
            continue;
        }
        let chosen = decided.and_then(|decided| decided.get(&need.category));
        kinds.push(MappedKind {
            depth: if need.depth == "full" { Depth::Full } else { Depth::Masked }.mark(),
            tasks: need.tasks,
            chosen: chosen.map_or_else(String::new, |decision| decision.code().to_owned()),
            kind: Coded { words: need.label, code: need.category },
        });
    }
    kinds
}

pub(super) async fn close(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(review): Path<String>,
    form: Form,
) -> Response {
    let review = match find(&site, &review).await {
        Ok(Some(review)) => review,
        Ok(None) => return unknown(signed.frame(&site, Some(Area::Roles))),
        Err(_) => return broken(signed.frame(&site, Some(Area::Roles))),
    };
    let (who, pack, version) = (signed.who(), site.pack(), form.version());
    let kinds = kinds(&pack, review.role.as_str(), None);
    let decisions: BTreeMap<String, MappingDecision> = kinds
        .iter()
        .filter_map(|kind| {
            let decision = MappingDecision::of(form.text(&format!("kind-{}", kind.kind.code)))?;
            Some((kind.kind.code.clone(), decision))
        })
        .collect();
    let comment = form.text("comment").to_owned();
    let (typed, said) = (decisions.clone(), Phi::new(comment.clone()));
    let closed = site.desk(async |desk| desk.close_mapping(who, (review.id, version), &pack, decisions, said).await);
    match closed.await {
        Ok(_) => done("/roles/fit", "mapped"),
        Err(error @ DeskError::Mapping(_)) => {
            site.refused("/roles/mappings/{id}", error.code(), Some(signed.person())).await;
            let typed = Typed { error: &error, decisions: &typed, comment: &comment };
            mapping_page(&site, &signed, &review, StatusCode::UNPROCESSABLE_ENTITY, Some(typed)).await
        }
        Err(error) => not_done(&site, &signed, "/roles/mappings/{id}", &error).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scruple_policy::{Merge, Overlap};

    #[test]
    fn roles_that_are_alike_are_called_by_their_titles_and_one_is_one() {
        let name = |text: &str| text.to_owned();
        let found = Sprawl {
            roles: 2,
            people: 1,
            roles_per_hundred: None,
            roles_of_one_person_max: 1,
            people_by_roles: BTreeMap::new(),
            overlaps: vec![Overlap { roles: [name("bh_clinician"), name("nurse")], percent: 84, same: false }],
            single_member: vec![name("nurse")],
            nobody: Vec::new(),
            untouched: Vec::new(),
            merges: vec![Merge { from: name("bh_clinician"), into: name("nurse"), people: 1, same: false }],
            is_finding: false,
        };
        let title = |role: &str| if role == "nurse" { name("Registered nurse") } else { name("Clinician, mind") };
        let said: Vec<String> = alike(&found, title).into_iter().map(|(_, line)| line).collect();
        assert_eq!(
            said,
            [
                "“Clinician, mind” and “Registered nurse” overlap by 84 %.",
                "“Clinician, mind” could give way to “Registered nurse”: nobody would see more, 1 person.",
                "“Registered nurse” is held by one person.",
            ]
        );
        assert_eq!(counted(1, "access", "accesses"), "1 access");
        assert_eq!(counted(0, "access", "accesses"), "0 accesses");
    }
}
