//! The one role that a request acts in: a token selects among what is held and adds nothing (**never-wider**).

use super::Held;
use scruple_core::{Id, Timestamp};
use scruple_store::{Grant, Person, RoleCode};

/// The role that a request acts in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selected {
    /// Who acts.
    pub person: Id<Person>,
    /// In which role.
    pub role: RoleCode,
    /// By which grant.
    pub grant: Id<Grant>,
    /// Until when this selection may be used: something that the person holds begins or ends then.
    pub valid_until: Timestamp,
}

/// Why there is no role to act in. Outside both are told as [`RoleError::public_code`], so that a token cannot be used to
/// ask what its subject holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RoleError {
    /// The token names no role and several are held, or it names several.
    #[error("no single role is selected")]
    NotSelected,
    /// The role is not among those held now, or none is held.
    #[error("the role is not granted")]
    NotGranted,
}

impl RoleError {
    /// The stable code for the record.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotSelected => "role_not_selected",
            Self::NotGranted => "role_not_granted",
        }
    }

    /// The stable code for the answer.
    #[must_use]
    pub const fn public_code(self) -> &'static str {
        "role_not_selected"
    }
}

/// Selects the role: the one that the token names, if it is held at `now`; the only one held, if the token names none.
///
/// # Errors
/// See [`RoleError`].
pub fn select_role(held: &Held, roles_of_token: &[String], now: Timestamp) -> Result<Selected, RoleError> {
    let mut active = held.active(now);
    let chosen = match roles_of_token {
        [] => {
            let only = active.next().ok_or(RoleError::NotGranted)?;
            if active.next().is_some() {
                return Err(RoleError::NotSelected);
            }
            only
        }
        [named] => active.find(|active| active.role.as_str() == named).ok_or(RoleError::NotGranted)?,
        _ => return Err(RoleError::NotSelected),
    };
    // The grant of an active role ends after `now`, so that there always is a change to come.
    let valid_until = held.changes_after(now).unwrap_or(now);
    Ok(Selected { person: held.person(), role: chosen.role.clone(), grant: chosen.grant, valid_until })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::held::tests::{at, held, id};

    fn check(held: &Held, token: &[&str], second: i64) -> String {
        let token: Vec<_> = token.iter().map(|role| (*role).to_owned()).collect();
        match select_role(held, &token, at(second)) {
            Ok(selected) => {
                assert_eq!(selected.person, held.person());
                let number = selected.grant.uuid().as_u128();
                let left = (selected.valid_until.micros() - at(0).micros()) / 1_000_000;
                format!("{} by {number} until {left}", selected.role)
            }
            Err(error) => {
                assert_eq!(error.public_code(), "role_not_selected");
                error.code().to_owned()
            }
        }
    }

    #[test]
    fn a_token_selects_among_what_is_held_and_never_adds() {
        let none = held(None, &[]);
        let one = held(None, &[(1, "nurse", 0, 100)]);
        let two = held(None, &[(1, "nurse", 0, 100), (2, "biller", 50, 70)]);
        let gone = held(Some(10), &[(1, "nurse", 0, 100)]);
        let (missing, many) = ("role_not_granted", "role_not_selected");
        for (name, held, second, token, expected) in [
            ("none held", &none, 10, &[][..], missing),
            ("none held", &none, 10, &["nurse"], missing),
            ("none held", &none, 10, &["nurse", "biller"], many),
            ("one held", &one, 10, &[], "nurse by 1 until 100"),
            ("one held", &one, 10, &["nurse"], "nurse by 1 until 100"),
            ("one held", &one, 10, &["biller"], missing),
            ("one held", &one, 10, &["nurse", "nurse"], many),
            ("one held", &one, 10, &["Nurse"], missing),
            ("one held", &one, 10, &["nurse "], missing),
            ("one held", &one, 10, &[""], missing),
            ("one held", &one, 10, &["*"], missing),
            ("not yet", &one, -1, &["nurse"], missing),
            ("over", &one, 100, &[], missing),
            ("over", &one, 100, &["nurse"], missing),
            ("one of two", &two, 49, &[], "nurse by 1 until 50"),
            ("one of two", &two, 49, &["biller"], missing),
            ("two held", &two, 50, &[], many),
            ("two held", &two, 50, &["nurse"], "nurse by 1 until 70"),
            ("two held", &two, 50, &["biller"], "biller by 2 until 70"),
            ("two held", &two, 50, &["biller", "nurse"], many),
            ("two held", &two, 50, &["researcher"], missing),
            ("one again", &two, 70, &[], "nurse by 1 until 100"),
            ("will leave", &gone, 9, &["nurse"], "nurse by 1 until 10"),
            ("has left", &gone, 10, &["nurse"], missing),
            ("has left", &gone, 10, &[], missing),
        ] {
            assert_eq!(check(held, token, second), expected, "{name} at {second} with {token:?}");
        }
    }

    #[test]
    fn a_role_that_two_grants_give_is_one_role() {
        let twice = held(None, &[(1, "nurse", 0, 100), (2, "nurse", 0, 200)]);
        assert_eq!(check(&twice, &[], 10), "nurse by 2 until 100");
        assert_eq!(select_role(&twice, &[], at(150)).unwrap().grant, id(2));
    }
}
