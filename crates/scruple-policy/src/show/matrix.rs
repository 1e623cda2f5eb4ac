//! Roles by categories in one table.

use super::plain::{Column, table};
use crate::decide::{Question, native};
use crate::model::{Pack, Role};
use scruple_core::{CategoryId, ConditionMask, View};
use serde::Serialize;
use std::fmt::Write as _;

/// Roles by categories: each role for its main purpose, while every condition that is enforced or asserted holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Matrix {
    /// The roles, and the purpose of each.
    pub roles: Vec<(String, String)>,
    /// A row for each category.
    pub rows: Vec<MatrixRow>,
}

/// A category.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MatrixRow {
    /// Its name.
    pub category: String,
    /// A cell for each role.
    pub cells: Vec<Cell>,
}

/// What a role sees of a category.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Cell {
    /// The view.
    pub view: String,
    /// Wider views under conditions that are not enforced yet.
    pub wider: Vec<Wider>,
}

/// A wider view, and what it needs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Wider {
    /// The view.
    pub view: String,
    /// Conditions beyond those that hold.
    pub conditions: Vec<String>,
}

impl Cell {
    fn short(&self) -> String {
        let view = match self.view.as_str() {
            "none" => "-",
            view => view.strip_prefix("masked:").unwrap_or(view),
        };
        if self.wider.is_empty() { view.to_owned() } else { format!("{view}*") }
    }
}

impl Matrix {
    pub(super) fn of(pack: &Pack, roles: &[&Role]) -> Self {
        let held = pack.conditions.iter().enumerate().filter(|(_, condition)| condition.enforced != "not yet");
        let held = ConditionMask(held.fold(0, |bits, (index, _)| bits | 1 << (index & 63)));
        let tables: Vec<_> = roles
            .iter()
            .map(|role| {
                let question = Question { role: role.name.clone(), purpose: role.purpose.clone(), conditions: held };
                native(pack, &question, pack.guardrails.asked(&question).as_ref())
            })
            .collect();
        let ids = (0..pack.categories.len()).filter_map(|index| u8::try_from(index).ok()).map(CategoryId);
        let rows = ids.map(|category| {
            let cells = roles.iter().zip(&tables).map(|(role, table)| {
                let view = table.as_ref().map_or(View::None, |table| table.view(category));
                Cell { view: pack.view_name(view), wider: wider(pack, role, category, view, held) }
            });
            MatrixRow { category: pack.category_name(category).to_owned(), cells: cells.collect() }
        });
        Self {
            roles: roles.iter().map(|role| (role.name.clone(), role.purpose.clone())).collect(),
            rows: rows.collect(),
        }
    }

    /// As plain columns; roles that do not fit the width follow in blocks of their own.
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let first = self.rows.iter().map(|row| row.category.len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.roles.len()).map(|index| self.width(index)).collect();
        let mut out = String::new();
        let mut from = 0;
        while from < self.roles.len() {
            let mut used = first;
            let fits = widths.iter().skip(from).take_while(|column| {
                used += **column + 2;
                used <= width
            });
            let to = (from + fits.count().max(1)).min(self.roles.len());
            let columns = std::iter::once(Column::fixed("category"))
                .chain(self.roles.iter().take(to).skip(from).map(|(role, _)| Column::fixed(role)));
            let rows = self.rows.iter().map(|row| {
                let cells = row.cells.iter().take(to).skip(from).map(Cell::short);
                std::iter::once(row.category.clone()).chain(cells).collect()
            });
            let block = table(&columns.collect::<Vec<_>>(), &rows.collect::<Vec<_>>(), usize::MAX);
            out.push_str(&block.unwrap_or_default());
            out.push('\n');
            from = to;
        }
        if self.rows.iter().any(|row| row.cells.iter().any(|cell| !cell.wider.is_empty())) {
            out.push_str("* wider under a condition that is not enforced yet\n");
        }
        out
    }

    fn width(&self, index: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.cells.get(index)).map(|cell| cell.short().len());
        cells.chain(self.roles.get(index).map(|(role, _)| role.len())).max().unwrap_or(0)
    }

    /// As Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let roles: Vec<&str> = self.roles.iter().map(|(role, _)| role.as_str()).collect();
        let mut out = format!("| category | {} |\n|---|{}\n", roles.join(" | "), "---|".repeat(roles.len()));
        for row in &self.rows {
            let cells: Vec<String> = row.cells.iter().map(|cell| cell.short().replace('*', "\\*")).collect();
            let _ = writeln!(out, "| {} | {} |", row.category, cells.join(" | "));
        }
        out
    }
}

fn wider(pack: &Pack, role: &Role, category: CategoryId, view: View, held: ConditionMask) -> Vec<Wider> {
    let permits = role.permits.iter().filter(|permit| {
        permit.categories.contains(&category)
            && permit.purposes.contains(&role.purpose)
            && !held.covers(permit.when)
            && !pack.covers(view, permit.view)
    });
    permits
        .map(|permit| Wider {
            view: pack.view_name(permit.view),
            conditions: pack
                .condition_names(ConditionMask(permit.when.0 & !held.0))
                .into_iter()
                .map(str::to_owned)
                .collect(),
        })
        .collect()
}
