//! What a request changes (IL-10): what somebody sees of his patients before it and with it, shown to whoever decides. An approval that
//! names what was shown is held against what would change now: where somebody's access or the policy has moved meanwhile, nothing is
//! applied.

use super::{DeskError, Rules, roles_of};
use scruple_core::Timestamp;
use scruple_flow::AccessRequest;
use scruple_release::sha256;
use scruple_store::{Tx, open_elevations};
use std::collections::{BTreeMap, BTreeSet};

/// How nothing of a kind of information is written.
pub const NOT_SHOWN: &str = "none";

/// One kind of information that a request changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// Its code: of a category, or `segment:` and that of a segment.
    pub kind: String,
    /// What is seen of it without the request: `none`, `full`, `masked:` and the mask.
    pub before: String,
    /// What is seen of it with the request.
    pub after: String,
}

/// What a request changes, as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Kinds of information that are seen otherwise, in the order of their codes; all others stay.
    pub changed: Vec<Changed>,
    /// What it was worked out from, as a digest: an approval names what it was given on.
    pub basis: String,
}

/// What a request changes at `at`.
///
/// # Errors
/// The database failed, or the person is not here.
pub async fn change_of(
    tx: &mut Tx,
    rules: &dyn Rules,
    request: &AccessRequest,
    at: Timestamp,
) -> Result<Change, DeskError> {
    let held = roles_of(tx, request.person, at).await?;
    let wanted = &request.wanted;
    let (before, after) = if wanted.patients.is_empty() {
        let with: BTreeSet<_> = held.iter().cloned().chain([wanted.role.clone()]).collect();
        (rules.effective(&held), rules.effective(&with))
    } else {
        of_patients(tx, rules, request, at).await?
    };
    let none = NOT_SHOWN.to_owned();
    let kinds: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed: Vec<Changed> = kinds
        .into_iter()
        .map(|kind| Changed {
            kind: kind.clone(),
            before: before.get(kind).unwrap_or(&none).clone(),
            after: after.get(kind).unwrap_or(&none).clone(),
        })
        .filter(|one| one.before != one.after)
        .collect();
    let basis = basis(&before, &after);
    Ok(Change { changed, basis })
}

type Seen = BTreeMap<String, String>;

/// What is open of each of the named patients beyond a relationship, before and with the request: the kinds that are named, as the
/// role sees them of its own patients.
async fn of_patients(
    tx: &mut Tx,
    rules: &dyn Rules,
    request: &AccessRequest,
    at: Timestamp,
) -> Result<(Seen, Seen), DeskError> {
    let wanted = &request.wanted;
    let own = rules.kinds(&wanted.role, wanted.purpose.as_deref());
    let seen = rules.effective(&[wanted.role.clone()].into());
    let open = open_elevations(tx, request.person, at).await?;
    let is_open = |kind: &scruple_flow::KindCode| {
        wanted.patients.iter().all(|patient| {
            open.iter().any(|one| {
                one.role == wanted.role
                    && one.patient == *patient
                    && one.window.contains(at)
                    && one.kinds.codes().is_none_or(|codes| codes.contains(kind))
            })
        })
    };
    let view = |kind: &scruple_flow::KindCode| {
        let code = kind.to_string();
        let view = seen.get(&code).cloned().unwrap_or_else(|| "full".to_owned());
        (code, view)
    };
    let before: Seen = own.iter().filter(|kind| is_open(kind)).map(view).collect();
    let asked = own.iter().filter(|kind| wanted.kinds.codes().is_none_or(|codes| codes.contains(kind)));
    let mut after: Seen = asked.map(view).collect();
    after.extend(before.clone());
    Ok((before, after))
}

fn basis(before: &Seen, after: &Seen) -> String {
    let mut text = String::new();
    for (name, seen) in [("before", before), ("after", after)] {
        text.push_str(&format!("{name}\n"));
        for (kind, view) in seen {
            text.push_str(&format!("{kind} {view}\n"));
        }
    }
    sha256(text.as_bytes())
}
