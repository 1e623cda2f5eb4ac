//! What people decide and do: who agrees to access beyond a role (`approvals.csv`), and what the console lets whom do
//! (`console.csv`).

use super::Reader;
use crate::model::{Act, ActScope, Approvals, BUILT_IN, Console, EVERYONE, LINE_MANAGER, Role, Rule, StepLine};
use crate::reminder::{DeskRules, ReminderOf, Reminders};
use crate::source::{Row, Table};
use std::collections::{BTreeMap, BTreeSet};

/// In `approvals.csv`: a line for a kind of information, whatever the role.
const ANY: &str = "any";
/// Hours that a line may name: a year.
const HOURS_MAX: i64 = 366 * 24;
/// The largest number of a house rule of the desk.
const DESK_MAX: i64 = 1_000;
/// People who must agree, at most.
const NEEDS_MAX: usize = 4;
/// The file of steps.
const STEPS: &str = "steps.csv";
const PROJECTS: &str = "projects.csv";
/// Days for which a step may hold.
const STEP_DAYS_MAX: u16 = 3_660;
/// Letters of a step's name.
const STEP_BYTES_MAX: usize = 64;

/// What to write where somebody is named who is no role.
const BUILT_IN_ADVICE: &str = "write a role of roles/, or one of those that have no file (docs/policy-pack.md)";
const EVERYONE_ADVICE: &str =
    "write a role of roles/, one of those that have no file (docs/policy-pack.md), or `everyone`";
const TIER_ADVICE: &str =
    "write a role of roles/, one of those that have no file (docs/policy-pack.md), or `tier:` and a risk tier";

/// What a line of `approvals.csv` is for.
enum What {
    /// A role, or records in it.
    Line(bool),
    /// A kind of information.
    Kind(String),
}

impl Reader<'_> {
    pub(super) fn approvals(&mut self, roles: &BTreeMap<String, Role>) -> Approvals {
        let columns = ["who", "what", "needs", "hours", "decide_hours", "step_up", "note"];
        let table = self.table("approvals.csv", &columns);
        let mut approvals = Approvals::default();
        for row in &table.rows {
            let who = row.field(0);
            let known = match who.strip_prefix("tier:") {
                Some(tier) => roles.values().any(|role| role.risk_tier == tier),
                None => who == ANY || self.is_role(roles, who),
            };
            if !known {
                let what = format!("`{who}` is no role and no tier");
                self.at(&table, row, what, TIER_ADVICE);
            }
            let needs = self.needs(&table, row, who, roles);
            let hours = self.hours(&table, row, 3, "hours");
            let decide_hours = self.hours(&table, row, 4, "decide_hours");
            let step_up = match row.field(5) {
                "yes" => Some(true),
                "no" => Some(false),
                _ => None,
            };
            let what = match (who, row.field(1)) {
                (ANY, kind) => self.kind(kind).map(What::Kind),
                (_, "role") => Some(What::Line(false)),
                (_, "patients") => Some(What::Line(true)),
                _ => None,
            };
            let (Some(what), Some(step_up)) = (what, step_up) else {
                let what = format!("`what` is `{}`, `step_up` is `{}`", row.field(1), row.field(5));
                let advice = "write role or patients; for `any` `segment:` or `category:` and its name; yes or no";
                self.at(&table, row, what, advice);
                continue;
            };
            let backup = self.backup(&table, row, roles, decide_hours);
            let rule = Rule { needs, hours, decide_hours, step_up, backup };
            let twice = match what {
                What::Line(of_patients) => approvals.lines.insert((who.to_owned(), of_patients), rule).map(|_| who),
                What::Kind(kind) => approvals.kinds.insert(kind, rule).map(|_| row.field(1)),
            };
            if let Some(name) = twice {
                self.at(&table, row, format!("`{name}` stands twice"), "keep one of the lines");
            }
        }
        self.agree_at_most(&table, &approvals);
        approvals
    }

    /// Whose agreement a line needs.
    fn needs(&mut self, table: &Table, row: &Row, who: &str, roles: &BTreeMap<String, Role>) -> Vec<String> {
        let needs: Vec<String> = row.field(2).split(';').map(|need| need.trim().to_owned()).collect();
        for need in &needs {
            let (named, apart) = need.split_once('+').unwrap_or((need, ""));
            let stands = apart.is_empty() && !need.contains('+')
                || apart.split('+').all(|word| matches!(word, "outside_line" | "other_unit"));
            let is_known = need == LINE_MANAGER || named.split('|').all(|role| self.is_role(roles, role)) && stands;
            if !is_known {
                let what = format!("`needs` names `{need}`");
                let advice = "write roles of roles/ or `line_manager`, `;` between them; `|` between roles of which one is enough, \
                              `+outside_line` or `+other_unit` behind who must stand apart";
                self.at(table, row, what, advice);
            }
            if named.split('|').any(|role| role == who) {
                let what = format!("`{who}` would be given by those who have it");
                self.at(table, row, what, "name another role: nobody appoints his own kind");
            }
        }
        if needs.len() > NEEDS_MAX {
            let what = format!("`needs` names {} people", needs.len());
            self.at(table, row, what, "at most four agree");
        }
        needs
    }

    /// The kind of information that a line for any role names.
    fn kind(&self, text: &str) -> Option<String> {
        let has = |file: &str, name: &str| {
            let lines = self.files.0.get(file).into_iter().flat_map(|text| text.lines());
            lines.filter_map(|line| line.split(',').next()).any(|first| first == name)
        };
        match text.split_once(':') {
            Some(("segment", name)) if has("segments.csv", name) => Some(text.to_owned()),
            Some(("category", name)) if has("categories.csv", name) => Some(name.to_owned()),
            _ => None,
        }
    }

    /// All kinds of information together need no more people than a request can have.
    fn agree_at_most(&mut self, table: &Table, approvals: &Approvals) {
        let of_patients = approvals.lines.iter().filter(|((_, of_patients), _)| *of_patients);
        for ((who, _), rule) in of_patients {
            let needs = approvals.kinds.values().fold(rule.clone(), Rule::with).needs;
            if needs.len() > NEEDS_MAX
                && let Some(row) = table.rows.iter().find(|row| row.field(0) == who && row.field(1) == "patients")
            {
                let what = format!("for all kinds of information {} people agree", needs.len());
                self.at(table, row, what, "at most four agree, those of the lines for `any` included");
            }
        }
    }

    /// Who joins those who do not answer: the columns `backup` and `escalate_hours`, which a table need not have.
    fn backup(
        &mut self,
        table: &Table,
        row: &Row,
        roles: &BTreeMap<String, Role>,
        decide_hours: i64,
    ) -> Option<(String, i64)> {
        let place = |name: &str| table.header.iter().position(|column| column == name);
        let [role, hours] =
            [place("backup"), place("escalate_hours")].map(|place| place.map_or("", |at| row.field(at)));
        if role.is_empty() && hours.is_empty() {
            return None;
        }
        if !self.is_role(roles, role) {
            self.at(table, row, format!("`backup` is `{role}`"), "write a role of roles/, or nothing");
        }
        if role == row.field(0) {
            let what = format!("`{role}` would be given by those who have it");
            self.at(table, row, what, "name another role: nobody appoints his own kind");
        }
        let hours: Option<i64> = hours.parse().ok().filter(|hours| (1..decide_hours).contains(hours));
        if hours.is_none() {
            let advice = "write hours as a number, fewer than `decide_hours`: after them it is a no";
            self.at(table, row, "`escalate_hours` is none".to_owned(), advice);
        }
        hours.map(|hours| (role.to_owned(), hours))
    }

    pub(super) fn desk(&mut self, desk: DeskRules) {
        for (name, value) in desk.named() {
            let least = i64::from(!matches!(name, "extensions_max" | "overdue_closes_after_days"));
            if !(least..=DESK_MAX).contains(&value) {
                let what = format!("`{name}` is {value}");
                self.problem("pack.toml", 0, what, "write a small number; docs/policy-pack.md tells what it means");
            }
        }
    }

    /// A pack need not say anything.
    pub(super) fn reminders(&mut self, roles: &BTreeMap<String, Role>) -> Reminders {
        let mut reminders = Reminders::default();
        if !self.files.0.contains_key("reminders.csv") {
            return reminders;
        }
        let table = self.table("reminders.csv", &["action", "who", "text", "note"]);
        for row in &table.rows {
            let (action, who, text) = (ReminderOf::of(row.field(0)), row.field(1), row.field(2));
            let is_known = match who.strip_prefix("tier:") {
                Some(tier) => roles.values().any(|role| role.risk_tier == tier),
                None => who == EVERYONE || self.is_role(roles, who),
            };
            if !is_known {
                let what = format!("`{who}` is no role and no tier");
                self.at(&table, row, what, "write a role of roles/, `tier:` and a risk tier, or `everyone`");
            }
            let Some(action) = action.filter(|_| !text.is_empty()) else {
                let what = format!("`action` is `{}`", row.field(0));
                self.at(&table, row, what, "write role, patients or export, and what is to be read");
                continue;
            };
            if reminders.0.insert((action, who.to_owned()), text.to_owned()).is_some() {
                self.at(&table, row, format!("`{who}` stands twice"), "keep one of the lines");
            }
        }
        reminders
    }

    pub(super) fn console(&mut self, roles: &BTreeMap<String, Role>) -> Console {
        let table = self.table("console.csv", &["act", "who", "scope", "note"]);
        let mut console = Console::default();
        for row in &table.rows {
            let (act, who) = (Act::of(row.field(0)), row.field(1));
            let scope = match row.field(2) {
                "own" => Some(ActScope::Own),
                "team" => Some(ActScope::Team),
                "all" => Some(ActScope::All),
                _ => None,
            };
            if who != EVERYONE && !self.is_role(roles, who) {
                let what = format!("`{who}` is no role");
                self.at(&table, row, what, EVERYONE_ADVICE);
            }
            let (Some(act), Some(scope)) = (act, scope) else {
                let what = format!("`act` is `{}`, `scope` is `{}`", row.field(0), row.field(2));
                self.at(&table, row, what, "docs/policy-pack.md lists the acts; own, team or all");
                continue;
            };
            if console.0.insert((act, who.to_owned()), scope).is_some() {
                self.at(&table, row, format!("`{who}` stands twice"), "keep one of the lines");
            }
        }
        console
    }

    /// A pack need not have steps: then no role waits for any.
    pub(super) fn steps(&mut self, roles: &BTreeMap<String, Role>) -> Vec<StepLine> {
        if !self.files.0.contains_key(STEPS) {
            return Vec::new();
        }
        let table = self.table(STEPS, &["step", "who", "kind", "days", "label"]);
        let mut steps: Vec<StepLine> = Vec::new();
        for row in &table.rows {
            let (name, who, kind) = (row.field(0), row.field(1), row.field(2));
            let is_name = !name.is_empty()
                && name.len() <= STEP_BYTES_MAX
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            if !is_name {
                self.at(
                    &table,
                    row,
                    format!("`{name}` is no name of a step"),
                    "lower case letters, digits, underscores",
                );
            }
            if who != EVERYONE && !self.is_role(roles, who) {
                self.at(&table, row, format!("`{who}` is no role"), "write a role of roles/ or `everyone`");
            }
            if !matches!(kind, "training" | "acknowledgement") {
                self.at(&table, row, format!("`kind` is `{kind}`"), "write training or acknowledgement");
            }
            let days = row.field(3).parse().ok().filter(|days| (1..=STEP_DAYS_MAX).contains(days));
            let Some(days) = days else {
                let what = format!("`days` is `{}`", row.field(3));
                self.at(&table, row, what, "write for how many days it holds, at most those of ten years");
                continue;
            };
            let (name, who, kind, label) = (name.to_owned(), who.to_owned(), kind.to_owned(), row.field(4).to_owned());
            let line = StepLine { name, who, kind, days, label };
            let same =
                |known: &StepLine| (&known.kind, known.days, &known.label) == (&line.kind, line.days, &line.label);
            if steps.iter().any(|known| known.name == line.name && (known.who == line.who || !same(known))) {
                self.at(&table, row, format!("`{}` stands twice", line.name), "say the same of a step for each role");
            }
            steps.push(line);
        }
        steps
    }

    /// A pack need not have projects: then no role waits for one.
    pub(super) fn projects(&mut self, roles: &BTreeMap<String, Role>) -> BTreeSet<String> {
        if !self.files.0.contains_key(PROJECTS) {
            return BTreeSet::new();
        }
        let table = self.table(PROJECTS, &["role", "note"]);
        let mut named = BTreeSet::new();
        for row in &table.rows {
            let role = row.field(0);
            if !self.is_role(roles, role) {
                self.at(&table, row, format!("`{role}` is no role"), BUILT_IN_ADVICE);
            }
            if !named.insert(role.to_owned()) {
                self.at(&table, row, format!("`{role}` stands twice"), "keep one of the lines");
            }
        }
        named
    }

    /// Whether a role has a file, whatever is wrong in it.
    pub(super) fn is_role(&self, roles: &BTreeMap<String, Role>, name: &str) -> bool {
        BUILT_IN.contains(&name)
            || roles.get(name).is_some_and(|role| !role.is_profile)
            || self.files.0.contains_key(&format!("roles/{name}.toml"))
    }

    pub(super) fn hours(&mut self, table: &Table, row: &Row, field: usize, name: &str) -> i64 {
        let hours = row.field(field).parse().ok().filter(|hours| (1..=HOURS_MAX).contains(hours));
        if hours.is_none() {
            let what = format!("`{name}` is `{}`", row.field(field));
            self.at(table, row, what, "write hours as a number, at most those of a year");
        }
        hours.unwrap_or(1)
    }

    pub(super) fn at(&mut self, table: &Table, row: &Row, what: String, advice: &str) {
        self.problems.push(table.problem(row.line, what, advice));
    }
}
