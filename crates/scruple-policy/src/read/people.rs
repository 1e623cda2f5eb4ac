//! What people decide and do: who agrees to access beyond a role (`approvals.csv`), and what the console lets whom do
//! (`console.csv`).

use super::Reader;
use crate::model::{Act, ActScope, Approvals, BUILT_IN, Console, EVERYONE, LINE_MANAGER, Role, Rule};
use crate::reminder::{DeskRules, ReminderOf, Reminders};
use crate::source::{Row, Table};
use std::collections::BTreeMap;

/// Hours that a line may name: a year.
const HOURS_MAX: i64 = 366 * 24;
/// The largest number of a house rule of the desk.
const DESK_MAX: i64 = 1_000;
/// People who must agree, at most.
const NEEDS_MAX: usize = 4;

impl Reader<'_> {
    pub(super) fn approvals(&mut self, roles: &BTreeMap<String, Role>) -> Approvals {
        let columns = ["who", "what", "needs", "hours", "decide_hours", "step_up", "note"];
        let table = self.table("approvals.csv", &columns);
        let mut approvals = Approvals::default();
        for row in &table.rows {
            let who = row.field(0);
            let known = match who.strip_prefix("tier:") {
                Some(tier) => roles.values().any(|role| role.risk_tier == tier),
                None => self.is_role(roles, who),
            };
            if !known {
                let what = format!("`{who}` is no role and no tier");
                self.at(
                    &table,
                    row,
                    what,
                    "write a role of roles/, `administrator`, `service_account`, or `tier:` and a risk tier",
                );
            }
            let of_patients = match row.field(1) {
                "role" => Some(false),
                "patients" => Some(true),
                _ => None,
            };
            let needs: Vec<String> = row.field(2).split(';').map(|need| need.trim().to_owned()).collect();
            for need in &needs {
                if need == LINE_MANAGER || self.is_role(roles, need) {
                    continue;
                }
                let what = format!("`needs` names `{need}`");
                self.at(&table, row, what, "write roles of roles/ or `line_manager`, `;` between them");
            }
            if needs.len() > NEEDS_MAX {
                let what = format!("`needs` names {} people", needs.len());
                self.at(&table, row, what, "at most four agree");
            }
            if needs.iter().any(|need| need == who) {
                let what = format!("`{who}` would be given by those who have it");
                self.at(&table, row, what, "name another role: nobody appoints his own kind");
            }
            let hours = self.hours(&table, row, 3, "hours");
            let decide_hours = self.hours(&table, row, 4, "decide_hours");
            let step_up = match row.field(5) {
                "yes" => Some(true),
                "no" => Some(false),
                _ => None,
            };
            let (Some(of_patients), Some(step_up)) = (of_patients, step_up) else {
                let what = format!("`what` is `{}`, `step_up` is `{}`", row.field(1), row.field(5));
                self.at(&table, row, what, "write role or patients; yes or no");
                continue;
            };
            let backup = self.backup(&table, row, roles, decide_hours);
            let rule = Rule { needs, hours, decide_hours, step_up, backup };
            if approvals.0.insert((who.to_owned(), of_patients), rule).is_some() {
                self.at(&table, row, format!("`{who}` stands twice"), "keep one of the lines");
            }
        }
        approvals
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
            let least = i64::from(name != "extensions_max");
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
                self.at(&table, row, what, "write a role of roles/, `administrator`, `service_account` or `everyone`");
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

    /// Whether a role has a file, whatever is wrong in it.
    fn is_role(&self, roles: &BTreeMap<String, Role>, name: &str) -> bool {
        BUILT_IN.contains(&name)
            || roles.get(name).is_some_and(|role| !role.is_profile)
            || self.files.0.contains_key(&format!("roles/{name}.toml"))
    }

    fn hours(&mut self, table: &Table, row: &Row, field: usize, name: &str) -> i64 {
        let hours = row.field(field).parse().ok().filter(|hours| (1..=HOURS_MAX).contains(hours));
        if hours.is_none() {
            let what = format!("`{name}` is `{}`", row.field(field));
            self.at(table, row, what, "write hours as a number, at most those of a year");
        }
        hours.unwrap_or(1)
    }

    fn at(&mut self, table: &Table, row: &Row, what: String, advice: &str) {
        self.problems.push(table.problem(row.line, what, advice));
    }
}
