//! Constraints of severity error that withholding could break, and which marker mends each: `dictionary/invariants.txt`.

use std::sync::LazyLock;

/// `object`: where one of `left` shows (or, if empty, anything) and none of `right`, the marker of the first of
/// `right` is written.
#[derive(Debug)]
pub(crate) struct Invariant {
    pub object: &'static str,
    pub left: Vec<&'static str>,
    pub right: Vec<&'static str>,
}

pub(crate) static INVARIANTS: LazyLock<Vec<Invariant>> = LazyLock::new(|| {
    include_str!("dictionary/invariants.txt")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .filter_map(|line| {
            let (head, rule) = line.split_once(" : ")?;
            let (left, right) = rule.split_once(" > ")?;
            Some(Invariant {
                object: head.split_whitespace().next()?,
                left: left.split_whitespace().filter(|name| *name != "*").collect(),
                right: right.split_whitespace().collect(),
            })
        })
        .collect()
});
