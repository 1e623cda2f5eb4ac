//! Codes of roles.

use crate::limits::ROLE_BYTES_MAX;
use std::fmt;
use std::str::FromStr;

/// A role's code as the pack writes it: lower-case letters, digits, `_` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RoleCode(String);

/// A text that is no role's code.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no role's code")]
pub struct InvalidRole(String);

impl RoleCode {
    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoleCode {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
        if text.is_empty() || text.len() > ROLE_BYTES_MAX || !text.bytes().all(allowed) {
            return Err(InvalidRole(text.chars().take(ROLE_BYTES_MAX).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RoleCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_short_and_plain() {
        for right in ["nurse", "front_desk", "ed-2", &"a".repeat(ROLE_BYTES_MAX)] {
            assert_eq!(right.parse::<RoleCode>().unwrap().as_str(), right);
        }
        for wrong in ["", "Nurse", "a b", "*", "é", &"a".repeat(ROLE_BYTES_MAX + 1)] {
            assert!(wrong.parse::<RoleCode>().is_err(), "{wrong}");
        }
    }
}
