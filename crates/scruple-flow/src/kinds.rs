//! What a request is for, and which kinds of information it opens: all that the role has, or those that are named.

use crate::limits::{KIND_BYTES_MAX, KINDS_MAX};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// What is written where a request opens all that its role has.
const WHOLE: &str = "*";

codes! {
    /// For what kind of task access is asked for.
    RequestTask {
        /// He stands in for somebody.
        Cover = "cover",
        /// He was asked for his opinion.
        Consult = "consult",
        /// He follows up what he did for the patient before.
        FollowUp = "follow_up",
        /// A bill, a claim, an appeal.
        Billing = "billing",
        /// Quality, safety, a registry.
        Quality = "quality",
        /// A record is corrected, joined or given out.
        Records = "records",
        /// A complaint, an audit, an investigation.
        Investigation = "investigation",
        /// A study that was approved.
        Research = "research",
        /// He learns a new duty, or takes one over.
        Duty = "duty",
        /// Something else, said in the reason.
        Other = "other",
    }
}

/// A kind of information as the pack writes it: the code of a category, or `segment:` and the code of what is specially protected.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KindCode(String);

/// A text that is no kind's code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this is no code of a kind of information")]
pub struct InvalidKind;

impl KindCode {
    /// What stands before the code of what is specially protected.
    pub const SEGMENT: &'static str = "segment:";

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KindCode {
    type Err = InvalidKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.strip_prefix(Self::SEGMENT).unwrap_or(text);
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if plain.is_empty() || text.len() > KIND_BYTES_MAX || !plain.bytes().all(allowed) {
            return Err(InvalidKind);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KindCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which kinds of information are opened.
// INVARIANT (kinds-named): what is named is at least one kind, and at most as many as there can be; `Kinds::named` alone makes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kinds {
    /// All that the role has.
    Whole,
    /// These alone.
    Named(NamedKinds),
}

/// Kinds that are named: one at least.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NamedKinds(BTreeSet<KindCode>);

impl NamedKinds {
    /// The kinds, in the order of their codes.
    pub fn iter(&self) -> impl Iterator<Item = &KindCode> {
        self.0.iter()
    }
}

impl Kinds {
    /// These kinds; none: there is nothing among them, or too much.
    #[must_use]
    pub fn named(codes: BTreeSet<KindCode>) -> Option<Self> {
        (!codes.is_empty() && codes.len() <= KINDS_MAX).then_some(Self::Named(NamedKinds(codes)))
    }

    /// The kinds that are named; none: all that the role has.
    #[must_use]
    pub const fn codes(&self) -> Option<&BTreeSet<KindCode>> {
        match self {
            Self::Whole => None,
            Self::Named(named) => Some(&named.0),
        }
    }

    /// Whether all of this is in `other` too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        match (self.codes(), other.codes()) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(others)) => own.is_subset(others),
        }
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Named(named) = self else { return f.write_str(WHOLE) };
        for (place, kind) in named.iter().enumerate() {
            let gap = if place == 0 { "" } else { " " };
            write!(f, "{gap}{kind}")?;
        }
        Ok(())
    }
}

impl FromStr for Kinds {
    type Err = InvalidKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == WHOLE {
            return Ok(Self::Whole);
        }
        let codes: Result<BTreeSet<KindCode>, InvalidKind> = text.split(' ').map(str::parse).collect();
        Self::named(codes?).ok_or(InvalidKind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Kinds {
        text.parse().unwrap()
    }

    #[test]
    fn kinds_are_all_or_at_least_one_that_is_named_and_never_too_many() {
        for right in ["*", "labs", "diagnoses labs segment:hiv"] {
            assert_eq!(kinds(right).to_string(), right);
        }
        for wrong in ["", " ", "labs ", "* labs", "Labs", "segment:", "a:b", "segment:segment:hiv", "labs\tnotes"] {
            assert!(wrong.parse::<Kinds>().is_err(), "{wrong}");
        }
        assert!("a".repeat(KIND_BYTES_MAX + 1).parse::<KindCode>().is_err());
        assert_eq!(Kinds::named(BTreeSet::new()), None);
        let many = |count: usize| (0..count).map(|number| format!("k{number}").parse().unwrap()).collect();
        assert!(Kinds::named(many(KINDS_MAX)).is_some());
        assert_eq!(Kinds::named(many(KINDS_MAX + 1)), None);
    }

    #[test]
    fn what_is_named_is_within_the_whole_and_never_the_other_way_round() {
        for (inner, outer, expected) in [
            ("*", "*", true),
            ("labs", "*", true),
            ("*", "labs", false),
            ("labs", "labs vitals", true),
            ("labs vitals", "labs", false),
            ("segment:hiv", "labs", false),
            ("labs", "segment:hiv", false),
        ] {
            assert_eq!(kinds(inner).is_within(&kinds(outer)), expected, "{inner} in {outer}");
        }
    }

    #[test]
    fn tasks_are_a_closed_list() {
        for one in RequestTask::ALL {
            assert_eq!(RequestTask::of(one.code()), Some(*one));
        }
        assert_eq!(RequestTask::of(""), None);
    }
}
