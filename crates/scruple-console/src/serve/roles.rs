//! `/roles`: every role of the active policy, and each as the table of 164.514(d)(2).

use super::versions::{name, proved, versions_of};
use super::{Signed, Site, broken, page, unknown, when, with_done, words};
use crate::pages::escaped;
use crate::pages::parts::{Coded, Order, Person as Shown, Sort, When};
use crate::pages::roles::list::{RoleRow, Roles};
use crate::pages::roles::role::{Change, KindRow, Replay, RolePage};
use crate::words::{Area, Depth, Mark};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::policy::{MappingState, ReplayNumbers, mapping_states};
use scruple_core::Timestamp;
use scruple_flow::{PackOrigin, PackState, PackVersion, RoleCode};
use scruple_policy::{Act, Determination, Direction, Pack, Role, Standing, compare};
use scruple_store::{StoreError, count_members, holders};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Members that stand on the page of a role.
const MEMBERS_MAX: usize = 20;

pub(super) async fn list(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    match build_list(&site, &signed, &query.unwrap_or_default()).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "roles cannot be listed");
            broken(signed.frame(&site, Some(Area::Roles)))
        }
    }
}

/// What a list of roles is sorted by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Role,
    Members,
    Tasks,
    Risk,
    Review,
}

impl By {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Role, "role"),
        (Self::Members, "members"),
        (Self::Tasks, "tasks"),
        (Self::Risk, "risk"),
        (Self::Review, "review"),
    ];

    fn of(query: &str) -> Self {
        let word = query.split('&').find_map(|pair| pair.strip_prefix("sort=")).unwrap_or("role");
        Self::ALL.into_iter().find(|(_, known)| *known == word).map_or(Self::Role, |(by, _)| by)
    }

    fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(by, _)| *by == self).map_or("role", |(_, word)| word)
    }

    /// The head of a column: it sorts what the search leaves.
    fn head(self, chosen: Self, search: &str) -> Sort {
        let word = self.word();
        let order = match (self == chosen, self) {
            (false, _) => Order::Unsorted,
            (true, Self::Members | Self::Tasks | Self::Risk) => Order::Down,
            (true, _) => Order::Up,
        };
        let search = if search.is_empty() { String::new() } else { format!("&q={}", escaped(search)) };
        Sort { href: format!("/roles?sort={word}{search}"), order }
    }
}

/// Whether a role is meant by what was typed: a part of its title or of its code.
fn is_meant(role: &Role, search: &str) -> bool {
    let search = search.to_lowercase();
    role.label.to_lowercase().contains(&search) || role.name.contains(&search)
}

fn risk(tier: &str) -> Mark {
    match tier {
        "low" => Mark::good("Low"),
        "medium" => Mark::wait("Medium"),
        _ => Mark::bad("High"),
    }
}

fn risk_rank(tier: &str) -> u8 {
    match tier {
        "low" => 0,
        "medium" => 1,
        _ => 2,
    }
}

async fn build_list(site: &Site, signed: &Signed, query: &str) -> Result<Roles, StoreError> {
    let (now, pack, by) = (site.now(), site.pack(), By::of(query));
    let pairs = scruple_fhir::search::decode_pairs(query).unwrap_or_default();
    let search = pairs.iter().find(|(name, _)| name == "q").map_or("", |(_, value)| value.trim());
    let states = mapping_states(&site.parts.store, &pack, now).await?;
    let members = count_members(&mut site.parts.store.begin_read().await?, now).await?;
    let members: BTreeMap<String, u64> = members.into_iter().map(|(role, count)| (role.to_string(), count)).collect();
    let count = |role: &Role| members.get(&role.name).map_or(0, |count| usize::try_from(*count).unwrap_or(usize::MAX));
    let due = |role: &Role| states.get(&role.name).and_then(|state| state.due_at);
    let mut roles: Vec<&Role> = pack.roles.values().filter(|role| !role.is_profile && is_meant(role, search)).collect();
    roles.sort_by_key(|role| role.label.to_lowercase());
    match by {
        By::Role => {}
        By::Members => roles.sort_by_key(|role| std::cmp::Reverse(count(role))),
        By::Tasks => roles.sort_by_key(|role| std::cmp::Reverse(role.tasks.len())),
        By::Risk => roles.sort_by_key(|role| std::cmp::Reverse(risk_rank(&role.risk_tier))),
        By::Review => roles.sort_by_key(|role| due(role)),
    }
    let rows = roles.into_iter().map(|role| RoleRow {
        href: format!("/roles/{}", role.name),
        role: Coded { words: role.label.clone(), code: role.name.clone() },
        purpose: words::purpose(Some(&role.purpose)),
        members: count(role),
        tasks: role.tasks.len(),
        risk: risk(&role.risk_tier),
        review: review(states.get(&role.name), now),
        late: states.get(&role.name).is_none_or(|state| state.is_late),
    });
    Ok(Roles {
        frame: with_done(signed.frame(site, Some(Area::Roles)), query),
        as_of: when(now),
        search: search.to_owned(),
        sort: by.word(),
        by_role: By::Role.head(by, search),
        by_members: By::Members.head(by, search),
        by_tasks: By::Tasks.head(by, search),
        by_risk: By::Risk.head(by, search),
        by_review: By::Review.head(by, search),
        rows: rows.collect(),
        export: String::new(),
    })
}

/// When a mapping is due; one without a history is due now.
fn review(state: Option<&MappingState>, now: Timestamp) -> When {
    let due = when(state.and_then(|state| state.due_at).unwrap_or(now));
    let day = due.words.split(',').next().unwrap_or_default().to_owned();
    When { words: day, ..due }
}

pub(super) async fn one(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(role): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    match build_one(&site, &signed, &role, &query.unwrap_or_default()).await {
        Ok(Some(view)) => page(StatusCode::OK, &view),
        Ok(None) => unknown(signed.frame(&site, Some(Area::Roles))),
        Err(error) => {
            tracing::error!(error = %error, "a role cannot be shown");
            broken(signed.frame(&site, Some(Area::Roles)))
        }
    }
}

async fn build_one(site: &Site, signed: &Signed, role: &str, query: &str) -> Result<Option<RolePage>, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let Some(found) = pack.roles.get(role) else { return Ok(None) };
    let states = mapping_states(&site.parts.store, &pack, now).await?;
    let mut tx = site.parts.store.begin_read().await?;
    let code: Vec<RoleCode> = role.parse().into_iter().collect();
    let held = holders(&mut tx, &code, now, None).await?;
    let all = count_members(&mut tx, now).await?;
    let all =
        code.first().and_then(|code| all.get(code)).map_or(0, |count| usize::try_from(*count).unwrap_or(usize::MAX));
    drop(tx);
    let Ok(table) = Determination::of(&pack, role, &Standing::default()) else { return Ok(None) };
    let may_see_people = signed.may(&pack, Act::People);
    let mut members = Vec::new();
    for grant in held.iter().take(MEMBERS_MAX).filter(|_| may_see_people) {
        members.push(Shown {
            href: format!("/people/{}", grant.person),
            name: name(site, Some(grant.person)).await?,
            job: found.label.clone(),
        });
    }
    let versions = versions_of(site).await?;
    let active = versions.iter().rev().find(|version| version.hash == pack.hash && term(version).is_some());
    let [proposed, activated, since] = signatures(site, active).await?;
    let kinds = table.needs.iter().map(|need| KindRow {
        kind: Coded { words: need.label.clone(), code: need.category.clone() },
        depth: if need.depth == "full" { Depth::Full } else { Depth::Masked }.mark(),
        mask: need.leaves.clone(),
        tasks: need.tasks.clone(),
        conditions: need.conditions.clone(),
        rule: need.rule.clone(),
    });
    let hash = pack.hash.to_string();
    let state = states.get(role);
    Ok(Some(RolePage {
        frame: with_done(signed.frame(site, Some(Area::Roles)), query),
        as_of: when(now),
        role: Coded { words: found.label.clone(), code: found.name.clone() },
        version: format!("{} ({})", pack.version, hash.get(..12).unwrap_or(&hash)),
        active_since: since.1,
        proposed: proposed.0,
        activated: activated.0,
        owner: Shown { href: String::new(), name: table.owner.clone(), job: String::new() },
        risk: risk(&found.risk_tier),
        review: review(state, now),
        late: !found.is_profile && state.is_none_or(|state| state.is_late),
        rationale: table.rationale.clone(),
        purposes: found.purposes().into_iter().map(|code| words::purpose(Some(code))).collect(),
        tasks: found.tasks.iter().map(|task| task.label.clone()).collect(),
        kinds: kinds.collect(),
        none: none(&pack, &table),
        conditions: table.conditions.clone(),
        members_all: all,
        members_href: if may_see_people { "/people".to_owned() } else { String::new() },
        members,
        change: change(site, &versions, active, role).await,
        lens: format!("/lens?role={role}"),
    }))
}

fn none(pack: &Pack, table: &Determination) -> Vec<Coded> {
    let seen = |name: &str| table.needs.iter().any(|need| need.category == name);
    let left = pack.categories.iter().filter(|category| !seen(&category.name));
    left.map(|category| Coded { words: category.label.to_lowercase(), code: category.name.clone() }).collect()
}

pub(super) const fn term(version: &PackVersion) -> Option<&scruple_flow::PackTerm> {
    match &version.state {
        PackState::Active(term) | PackState::Superseded { term, .. } => Some(term),
        _ => None,
    }
}

/// Who proposed the active version, who activated it, and since when it is.
async fn signatures(site: &Site, active: Option<&PackVersion>) -> Result<[(Shown, When); 3], StoreError> {
    let shown = |name: String| Shown { href: String::new(), name, job: String::new() };
    let since = active.and_then(term).map_or_else(|| when(site.now()), |term| when(term.since));
    let drafted = match active.map(|active| active.origin) {
        Some(PackOrigin::Person(by)) => name(site, Some(by)).await?,
        Some(PackOrigin::Folder) => "the folder of the configuration".to_owned(),
        Some(PackOrigin::Shipped) | None => "Scruple, as shipped".to_owned(),
    };
    let by = match active.and_then(term).and_then(|term| term.by) {
        Some(by) => name(site, Some(by)).await?,
        None => "this node".to_owned(),
    };
    Ok([(shown(drafted), since.clone()), (shown(by), since.clone()), (shown(String::new()), since)])
}

/// What the active version changed of a role.
async fn change(site: &Site, versions: &[PackVersion], active: Option<&PackVersion>, role: &str) -> Option<Change> {
    let active = active?;
    let since = term(active)?.since;
    let before = versions.iter().rev().find(|version| {
        matches!(&version.state, PackState::Superseded { until, .. } if *until == since && version.id != active.id)
    })?;
    let (old, new) = (proved(site, before.hash).await.ok()?, proved(site, active.hash).await.ok()?);
    let difference = compare(old.side(), new.side());
    let own = difference.changes.iter().filter(|change| change.role.as_deref() == Some(role));
    let lines: Vec<(Mark, String)> = own.map(|change| (direction(change.direction), change.sentence.clone())).collect();
    let hash = before.hash.to_string();
    let numbers = term(active)?.decided.as_ref().and_then(|(case, _)| ReplayNumbers::of(&case.replay));
    let replay = numbers.map(|numbers| {
        let own = numbers.by_role.get(role).copied().unwrap_or_default();
        Replay {
            refused: own.refused.to_string(),
            all: numbers.all.accesses.to_string(),
            period: format!("{} to {}", when(numbers.from).words, when(numbers.until).words),
            href: format!("/roles/versions/{}", active.id),
        }
    });
    Some(Change { from: hash.get(..12).unwrap_or(&hash).to_owned(), lines, replay })
}

pub(super) const fn direction(direction: Direction) -> Mark {
    match direction {
        Direction::Wider => Mark::WIDER,
        Direction::Narrower => Mark::NARROWER,
        Direction::Otherwise => Mark::OTHERWISE,
    }
}

/// A role by its code, in words.
pub(super) fn coded(pack: &Pack, role: &str) -> Coded {
    match role.parse::<RoleCode>() {
        Ok(code) => words::role_coded(pack, &code),
        Err(_) => Coded { words: role.to_owned(), code: role.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_sorted_by_name_unless_somebody_chooses_a_column() {
        assert!(By::of("") == By::Role && By::of("sort=nothing") == By::Role && By::of("q=x&sort=risk") == By::Risk);
        let head = By::Role.head(By::of(""), "");
        assert_eq!((head.href.as_str(), head.aria()), ("/roles?sort=role", "ascending"));
        let head = By::Members.head(By::Role, "front desk");
        assert_eq!((head.href.as_str(), head.aria()), ("/roles?sort=members&q=front%20desk", "none"));
    }
}
