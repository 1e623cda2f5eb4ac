//! Guardrails: an organisation's own `forbid` rules in Cedar (`guardrails/*.cedar`), on top of what the roles permit.
//!
//! They only take away. A `permit` among them is refused, and so is a rule that Cedar's validator does not take: one
//! that errs when it is evaluated would be skipped. Evaluated once for each decision table.

use crate::decide::Question;
use crate::model::Pack;
use crate::source::{PackFiles, Problem};
use crate::words::{Action, Asker, Words};
use cedar_policy::{Effect, Policy, PolicyId, PolicySet, ValidationMode, Validator};
use scruple_core::{CategoryId, SegmentId};

/// Guardrails of one pack.
pub const GUARDRAILS_MAX: usize = 256;

/// The guardrails of a pack.
#[derive(Debug, Default)]
pub struct Guardrails {
    rules: Option<Rules>,
}

#[derive(Debug)]
struct Rules {
    words: Words,
    /// The guardrails, and one permit of everything: what is denied, a guardrail denies.
    set: PolicySet,
    /// Place and text of each.
    texts: Vec<(String, String)>,
}

/// A question that is put to the guardrails.
pub(crate) struct Asked<'a> {
    rules: &'a Rules,
    asker: Option<Asker>,
}

impl Guardrails {
    /// Reads the guardrails of a pack that is right in all else.
    pub(crate) fn read(files: &PackFiles, pack: &Pack) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut texts: Vec<(String, String)> = Vec::new();
        let mut policies = Vec::new();
        for (file, text) in files.in_folder("guardrails") {
            for (line, statement) in statements(text) {
                let place = format!("{file}:{line}");
                match Policy::parse(Some(PolicyId::new(&place)), statement) {
                    Ok(policy) if policy.effect() == Effect::Forbid => policies.push((file, line, policy)),
                    Ok(_) => problems.push(Problem::error(
                        file,
                        line,
                        "a permit among the guardrails",
                        "guardrails only forbid; what a role may see stands in roles/",
                    )),
                    Err(error) => problems.push(Problem::error(
                        file,
                        line,
                        format!("no Cedar policy: {error}"),
                        "write forbid (principal, action, resource) when { ... };",
                    )),
                }
                texts.push((place, statement.to_owned()));
            }
        }
        if policies.len() > GUARDRAILS_MAX {
            let what = format!("{} rules, at most {GUARDRAILS_MAX} fit", policies.len());
            problems.push(Problem::error("guardrails", 0, what, "join rules that forbid alike"));
        }
        if policies.is_empty() || !problems.is_empty() {
            return if problems.is_empty() { Ok(Self::default()) } else { Err(problems) };
        }
        let broken =
            |error: String| vec![Problem::error("guardrails", 0, error, "report this: the schema is the engine's")];
        let words = Words::of(pack).map_err(|error| broken(error.to_string()))?;
        let mut set = PolicySet::from_policies(policies.iter().map(|(_, _, policy)| policy.clone()))
            .map_err(|error| broken(error.to_string()))?;
        let validation = Validator::new(words.schema.clone()).validate(&set, ValidationMode::Strict);
        for (file, line, policy) in &policies {
            let errors = validation.validation_errors().filter(|error| error.policy_id() == policy.id());
            let found = errors.map(ToString::to_string);
            let warnings = validation.validation_warnings().filter(|warning| warning.policy_id() == policy.id());
            for text in found.chain(warnings.map(ToString::to_string)) {
                let advice = "`scruple policy cedar` prints the schema with every name";
                problems.push(Problem::error(file, *line, text, advice));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let everything = Policy::parse(Some(PolicyId::new("everything")), "permit (principal, action, resource);");
        let added = everything
            .map_err(|error| error.to_string())
            .and_then(|everything| set.add(everything).map_err(|error| error.to_string()));
        added.map_err(broken)?;
        Ok(Self { rules: Some(Rules { words, set, texts }) })
    }

    /// Place (`guardrails/house.cedar:3`) and text of each rule.
    #[must_use]
    pub fn texts(&self) -> &[(String, String)] {
        self.rules.as_ref().map_or(&[], |rules| &rules.texts)
    }

    /// The rules, asked for one question; `None` where there is no rule.
    pub(crate) fn asked(&self, question: &Question) -> Option<Asked<'_>> {
        self.rules.as_ref().map(|rules| Asked { rules, asker: rules.words.asker(question) })
    }
}

impl Asked<'_> {
    /// The rule that forbids to see a category in this way.
    pub fn forbidding(&self, action: Action, category: CategoryId) -> Option<String> {
        let words = &self.rules.words;
        self.ask(action, words.category(category))
    }

    /// Whether a rule forbids what a segment would leave.
    pub fn forbids_segment(&self, action: Action, segment: SegmentId) -> bool {
        let words = &self.rules.words;
        self.ask(action, words.segment(segment)).is_some()
    }

    fn ask(&self, action: Action, resource: Option<&cedar_policy::EntityUid>) -> Option<String> {
        let unknown = || "guardrails".to_owned();
        let Some(asker) = &self.asker else { return Some(unknown()) };
        let answer = self.rules.words.ask(asker, action, resource, &self.rules.set);
        (!answer.allowed).then(|| answer.reason.unwrap_or_else(unknown))
    }
}

/// The statements of a Cedar text, each with the line on which it begins: up to a `;` outside strings and comments.
fn statements(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start: Option<usize> = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        match char {
            '/' if chars.peek().is_some_and(|(_, next)| *next == '/') => {
                while chars.next_if(|(_, char)| *char != '\n').is_some() {}
            }
            '"' => {
                start.get_or_insert(at);
                while let Some((_, char)) = chars.next() {
                    match char {
                        '\\' => drop(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            ';' => {
                let from = start.take().unwrap_or(at);
                found.push((from, text.get(from..=at).unwrap_or_default()));
            }
            char if char.is_whitespace() => {}
            _ => drop(start.get_or_insert(at)),
        }
    }
    found.extend(start.map(|from| (from, text.get(from..).unwrap_or_default())));
    found.into_iter().map(|(from, statement)| (crate::source::line_of(text, from), statement)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_a_semicolon_outside_strings_and_comments() {
        let text =
            "// one; two\n@id(\"a;b\\\"\")\nforbid (principal, // all;\n action, resource);\n\n  forbid x;\nrest";
        let found: Vec<(usize, &str)> = statements(text);
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 6, 7]);
        assert!(found[0].1.starts_with("@id") && found[0].1.ends_with("resource);"));
        assert_eq!((found[1].1, found[2].1), ("forbid x;", "rest"));
    }
}
