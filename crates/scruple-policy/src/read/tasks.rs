//! Access tasks (`tasks.csv`) and the systems that support is asked for (`systems.csv`). A pack without these files has none.

use super::{Reader, is_name};
use crate::model::{AccessTaskLine, OVERSIGHT_KINDS, Role, SUPPORT_KINDS, SYSTEM_OWNER, System};
use crate::source::{Row, Table};
use std::collections::BTreeMap;

/// Minutes that a line may name: a week.
const MINUTES_MAX: i64 = 7 * 24 * 60;

impl Reader<'_> {
    pub(super) fn systems(&mut self, roles: &BTreeMap<String, Role>) -> Vec<System> {
        if !self.files.0.contains_key("systems.csv") {
            return Vec::new();
        }
        let table = self.table("systems.csv", &["system", "label", "owner", "served", "note"]);
        let mut systems: Vec<System> = Vec::new();
        for row in &table.rows {
            let (name, owner) = (row.field(0), row.field(2));
            if !is_name(name, false) || systems.iter().any(|known| known.name == name) {
                self.at(&table, row, format!("`{name}` is no name of a system, or stands twice"), "name each once");
            }
            if !self.is_role(roles, owner) {
                self.at(&table, row, format!("`{owner}` is no role"), "write the role of whoever answers for it");
            }
            let served = row.field(3) == "yes";
            if !served && row.field(3) != "no" {
                self.at(&table, row, format!("`served` is `{}`", row.field(3)), "write yes or no");
            }
            if served && systems.iter().any(|known| known.served) {
                self.at(&table, row, "a second system is served".to_owned(), "one gateway serves one system");
            }
            systems.push(System {
                name: name.to_owned(),
                label: row.field(1).to_owned(),
                owner: owner.to_owned(),
                served,
            });
        }
        systems
    }

    pub(super) fn access_tasks(
        &mut self,
        roles: &BTreeMap<String, Role>,
    ) -> BTreeMap<(String, String), AccessTaskLine> {
        let mut tasks = BTreeMap::new();
        if !self.files.0.contains_key("tasks.csv") {
            return tasks;
        }
        let columns = ["role", "kinds", "approvers", "minutes", "idle_minutes", "decide_hours", "step_up", "note"];
        let table = self.table("tasks.csv", &columns);
        for row in &table.rows {
            let role = row.field(0);
            if roles.get(role).is_some_and(|role| role.is_profile) || !self.is_role(roles, role) {
                self.at(&table, row, format!("`{role}` is no role"), "write a role of roles/");
            }
            let kinds: Vec<&str> = row.field(1).split(';').map(str::trim).collect();
            let line = self.task_line(&table, row, roles, &kinds);
            for kind in kinds {
                if !OVERSIGHT_KINDS.contains(&kind) && !SUPPORT_KINDS.contains(&kind) {
                    let what = format!("`{kind}` is no kind of task");
                    self.at(&table, row, what, "docs/policy-pack.md lists the kinds");
                }
                if tasks.insert((role.to_owned(), kind.to_owned()), line.clone()).is_some() {
                    self.at(&table, row, format!("`{role}` and `{kind}` stand twice"), "keep one of the lines");
                }
            }
        }
        tasks
    }

    fn task_line(
        &mut self,
        table: &Table,
        row: &Row,
        roles: &BTreeMap<String, Role>,
        kinds: &[&str],
    ) -> AccessTaskLine {
        let named: Vec<&str> = row.field(2).split(';').map(str::trim).collect();
        let by_owner = named.contains(&SYSTEM_OWNER);
        if by_owner && kinds.iter().any(|kind| !SUPPORT_KINDS.contains(kind)) {
            let what = "`owner` approves what is on no system".to_owned();
            self.at(table, row, what, "oversight is approved by a role");
        }
        let approvers: Vec<&str> = named.into_iter().filter(|name| *name != SYSTEM_OWNER).collect();
        for approver in &approvers {
            if *approver == row.field(0) || !self.is_role(roles, approver) {
                let what = format!("`approvers` names `{approver}`");
                self.at(table, row, what, "write other roles or `owner`, `;` between them");
            }
        }
        let minutes = self.minutes(table, row, 3, "minutes");
        let idle_minutes = self.minutes(table, row, 4, "idle_minutes");
        let decide_hours = self.hours(table, row, 5, "decide_hours");
        if !matches!(row.field(6), "yes" | "no") {
            self.at(table, row, format!("`step_up` is `{}`", row.field(6)), "write yes or no");
        }
        AccessTaskLine {
            approvers: approvers.into_iter().map(str::to_owned).collect(),
            by_owner,
            minutes,
            idle_minutes,
            decide_hours,
            step_up: row.field(6) == "yes",
        }
    }

    fn minutes(&mut self, table: &Table, row: &Row, field: usize, name: &str) -> i64 {
        let minutes = row.field(field).parse().ok().filter(|minutes| (1..=MINUTES_MAX).contains(minutes));
        if minutes.is_none() {
            let what = format!("`{name}` is `{}`", row.field(field));
            self.at(table, row, what, "write minutes as a number, at most those of a week");
        }
        minutes.unwrap_or(1)
    }
}
