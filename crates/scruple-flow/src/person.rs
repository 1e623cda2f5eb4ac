//! Persons: people of the workforce, and systems, that may hold grants.

use crate::limits::LOGIN_BYTES_MAX;
use scruple_core::{Id, Phi, Timestamp};
use std::str::FromStr;

/// What a person signs in with, or the identifier that the identity provider knows him by, in one canonical case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login(Phi<String>);

/// A text that is no login. It does not repeat the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("login is empty, too long, or holds white space or control characters")]
pub struct InvalidLogin;

impl FromStr for Login {
    type Err = InvalidLogin;

    /// Folds the case here and not in the database, whose rules differ by engine and locale. Letter by letter, through
    /// upper case, so that `ß` meets `SS` and a final sigma meets a plain one.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty()
            || text.len() > LOGIN_BYTES_MAX
            || text.chars().any(|letter| letter.is_whitespace() || letter.is_control())
        {
            return Err(InvalidLogin);
        }
        let folded = text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
        Ok(Self(Phi::new(folded)))
    }
}

impl Login {
    /// In canonical case.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// A person to be stored.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// Its id.
    pub id: Id<Person>,
    /// What he signs in with.
    pub login: Login,
    /// His name.
    pub name: Phi<String>,
    /// How to reach him.
    pub contact: Option<Phi<String>>,
    /// When he was stored.
    pub created_at: Timestamp,
}

/// A person of the workforce, or a system, that may hold grants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// Its id.
    pub id: Id<Self>,
    /// What he signs in with, in canonical case.
    pub login: Phi<String>,
    /// His name.
    pub name: Phi<String>,
    /// How to reach him.
    pub contact: Option<Phi<String>>,
    /// When he was stored.
    pub created_at: Timestamp,
    /// When he left; from then on he holds nothing.
    pub left_at: Option<Timestamp>,
    /// Version of the row.
    pub version: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_meet_whatever_their_case() {
        let same = |left: &str, right: &str| assert_eq!(left.parse::<Login>(), right.parse::<Login>(), "{left}");
        same(" Ana.Sørensen@Clinic.Example ", "ANA.SØRENSEN@CLINIC.EXAMPLE");
        same("straße", "STRASSE");
        same("ΟΔΟΣ", "οδος");
        assert_ne!("ana".parse::<Login>(), "anna".parse::<Login>());
        for wrong in ["", "  ", "a b", "a\u{0}b", &"a".repeat(LOGIN_BYTES_MAX + 1)] {
            assert!(wrong.parse::<Login>().is_err());
        }
    }
}
