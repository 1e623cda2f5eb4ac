//! `exceptions.toml`: the signed and expiring exceptions to the ban on `*` (RB-13).

use super::Reader;
use crate::model::Broad;
use crate::source::line_of;
use scruple_core::Timestamp;
use serde::Deserialize;

const FILE: &str = "exceptions.toml";
const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExceptionsToml {
    #[serde(default)]
    broad: Vec<BroadToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BroadToml {
    role: toml::Spanned<String>,
    category: String,
    reason: String,
    approved_by: String,
    expires: String,
}

impl Reader<'_> {
    /// The exceptions, each with who approved it and its end. The date is judged by the check, which knows the day.
    pub(super) fn broad(&mut self) -> Vec<Broad> {
        if !self.files.0.contains_key(FILE) {
            return Vec::new();
        }
        let Some(read) = self.toml::<ExceptionsToml>(FILE) else { return Vec::new() };
        let text = self.files.0.get(FILE).cloned().unwrap_or_default();
        let mut broad = Vec::new();
        for exception in read.broad {
            let line = line_of(&text, exception.role.span().start);
            if exception.category != "*" {
                let what = format!("`category` is `{}`", exception.category);
                self.problem(FILE, line, what, "an exception is for \"*\"; a category by name needs none");
            }
            for (key, value) in [("reason", &exception.reason), ("approved_by", &exception.approved_by)] {
                if value.trim().is_empty() {
                    self.problem(
                        FILE,
                        line,
                        format!("no `{key}`"),
                        "an exception says why, and who approved it (RB-13)",
                    );
                }
            }
            let Ok(day) = Timestamp::parse(&format!("{}T00:00:00Z", exception.expires)) else {
                let what = format!("`expires` is `{}`", exception.expires);
                self.problem(FILE, line, what, "write the last day as \"2026-12-31\"");
                continue;
            };
            broad.push(Broad {
                role: exception.role.into_inner(),
                reason: exception.reason,
                approved_by: exception.approved_by,
                expires: exception.expires,
                until: day.plus_micros(DAY_MICROS),
                line,
                used: false,
            });
        }
        broad
    }
}
