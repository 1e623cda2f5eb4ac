//! The shipped policy pack and what is asked of it.

use anyhow::{Context as _, Result, anyhow};
use scruple_core::{ConditionMask, Timestamp};
use scruple_policy::{Active, Decider, Pack, PackFiles, Question, activate, read};
use std::sync::Arc;

/// The shipped pack.
///
/// # Errors
/// It does not read.
pub fn pack() -> Result<Arc<Pack>> {
    let read = read(&PackFiles::embedded());
    read.map(Arc::new).map_err(|problems| anyhow!("the shipped pack has {} problems", problems.len()))
}

/// The files of the shipped pack, but relationships are looked up.
///
/// # Errors
/// It does not say how they are established.
pub fn resolved() -> Result<PackFiles> {
    let mut files = PackFiles::embedded();
    let pack = files.0.get_mut("pack.toml").context("the pack has no pack.toml")?;
    let line = pack.lines().find(|line| line.starts_with("relationships = "));
    let line = line.context("the pack does not say what relationships are")?.to_owned();
    *pack = pack.replace(&line, "relationships = \"resolved\"");
    Ok(files)
}

/// The shipped pack with its decider.
///
/// # Errors
/// It is not activated.
pub fn active() -> Result<Arc<Active>> {
    Ok(Arc::new(activate(&PackFiles::embedded(), Timestamp::from_micros(1_772_352_000_000_000))?))
}

/// A decider under the shipped pack, by the only way to one: read, checked, proved.
///
/// # Errors
/// It is not activated.
pub fn decider() -> Result<Decider> {
    let at = Timestamp::from_micros(1_772_352_000_000_000);
    Ok(activate(&PackFiles::embedded(), at)?.decider)
}

/// What a role asks while there is a relationship and no other condition holds.
///
/// # Errors
/// The pack has no such condition.
pub fn question(pack: &Pack, role: &str, purpose: &str) -> Result<Question> {
    let relationship = pack.condition("relationship").context("the pack has no condition `relationship`")?;
    let conditions = ConditionMask::NONE.with(relationship);
    Ok(Question { role: role.to_owned(), purpose: purpose.to_owned(), conditions })
}

/// Every role with each of its purposes: without conditions, with a relationship, and with every condition.
///
/// # Errors
/// The pack has no condition `relationship`.
pub fn questions(pack: &Pack) -> Result<Vec<Question>> {
    let every = (0..pack.conditions.len()).fold(0, |mask, bit| mask | 1 << bit);
    let mut questions = Vec::new();
    for role in pack.roles.values() {
        for purpose in role.purposes() {
            let asked = question(pack, &role.name, purpose)?;
            for conditions in [ConditionMask::NONE, asked.conditions, ConditionMask(every)] {
                questions.push(Question { conditions, ..asked.clone() });
            }
        }
    }
    Ok(questions)
}
