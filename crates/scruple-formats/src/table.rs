//! [`Table`]: an access log as a table with a head, read by its mapping.

use crate::mapping::Columns;
use crate::record::{beside, name, placed};
use crate::{Line, Lines, LogRecord, Mapping, Reading, Refused};
use scruple_core::Phi;
use std::collections::BTreeMap;
use std::io::{self, BufRead};

/// Why a table cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The input failed.
    #[error("input cannot be read")]
    Read(#[from] io::Error),
    /// The mapping has no columns.
    #[error("the mapping has no `[columns]`")]
    NoColumns,
    /// The table has no head.
    #[error("the table has no first line with the names of its columns")]
    NoHead,
    /// A column of the mapping is not in the table.
    #[error("the table has no column `{0}`")]
    NoColumn(String),
}

/// An access log as a table.
pub struct Table<'a, R> {
    lines: Lines<R>,
    mapping: &'a Mapping,
    columns: &'a Columns,
    places: BTreeMap<String, usize>,
    width: usize,
}

impl<'a, R: BufRead> Table<'a, R> {
    /// Reads the head of a table.
    ///
    /// # Errors
    /// See [`TableError`].
    pub fn new(from: R, mapping: &'a Mapping) -> Result<Self, TableError> {
        let columns = mapping.columns.as_ref().ok_or(TableError::NoColumns)?;
        let mut lines = Lines::new(from, mapping.delimiter);
        let head = lines.next_line()?.and_then(|line| line.cells.ok()).ok_or(TableError::NoHead)?;
        let width = head.len();
        let places: BTreeMap<String, usize> =
            head.into_iter().enumerate().map(|(place, name)| (name.trim().to_owned(), place)).collect();
        let optional = [&columns.action, &columns.workstation, &columns.module, &columns.purpose, &columns.id];
        let needed = [&columns.when, &columns.person, &columns.patient].into_iter();
        for column in needed.chain(optional.into_iter().flatten()) {
            if !places.contains_key(column) {
                return Err(TableError::NoColumn(column.clone()));
            }
        }
        Ok(Self { lines, mapping, columns, places, width })
    }

    /// The next row and what it is, or `None` at the end.
    ///
    /// # Errors
    /// The input failed.
    pub fn next_record(&mut self) -> io::Result<Option<(Line, Result<Reading, Refused>)>> {
        let Some(line) = self.lines.next_line()? else { return Ok(None) };
        let reading = match &line.cells {
            Ok(cells) => self.reading(cells),
            Err(refused) => Err(refused.clone()),
        };
        Ok(Some((line, reading)))
    }

    fn reading(&self, cells: &[String]) -> Result<Reading, Refused> {
        if cells.len() != self.width {
            return Err(Refused::new("line", "columns_missing"));
        }
        let cell = |column: &str| {
            let place = self.places.get(column).copied();
            place.and_then(|place| cells.get(place)).map_or("", String::as_str)
        };
        let optional = |column: &Option<String>| column.as_deref().map_or_else(String::new, |name| beside(cell(name)));
        let action = optional(&self.columns.action);
        if self.mapping.other_actions.contains(&action) {
            return Ok(Reading::Other);
        }
        let columns = self.columns;
        let (at, or_at) = placed(&columns.when, cell(&columns.when), self.mapping)?;
        let person = name(&columns.person, cell(&columns.person))?;
        let patient = name(&columns.patient, cell(&columns.patient))?;
        let once = match &columns.id {
            Some(id) => format!("{} id {}", self.mapping.source, name(id, cell(id))?),
            // Two rows that say the same in every cell are one access.
            None => format!("{} row {}", self.mapping.source, cells.join("\u{1f}")),
        };
        let purpose = Some(optional(&columns.purpose)).filter(|purpose| !purpose.is_empty());
        let workstation = optional(&columns.workstation);
        Ok(Reading::Access(Box::new(LogRecord {
            at,
            or_at,
            person: Phi::new(person),
            patients: Phi::new(vec![self.mapping.patient_key(&patient)]),
            action,
            place: Some(workstation.clone()).filter(|place| !place.is_empty()),
            workstation,
            module: optional(&columns.module),
            purpose,
            types: Vec::new(),
            has_failed: false,
            once: Phi::new(once),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPPING: &str = r#"
        source = "epic"
        time_zone = "America/New_York"
        when = "%m/%d/%Y %H:%M:%S"
        clock_ahead_seconds = 60
        other_actions = ["LOGIN"]
        [columns]
        when = "ACCESS_TIME"
        person = "USER_ID"
        patient = "PAT_MRN"
        action = "METRIC"
        workstation = "WORKSTATION_ID"
    "#;

    fn check(rows: &str, expected: &[&str]) {
        let mapping = Mapping::parse(MAPPING).unwrap();
        let text = format!("ACCESS_TIME,USER_ID,PAT_MRN,METRIC,WORKSTATION_ID\n{rows}");
        let mut table = Table::new(text.as_bytes(), &mapping).unwrap();
        let mut found = Vec::new();
        while let Some((line, reading)) = table.next_record().unwrap() {
            found.push(match reading {
                Ok(Reading::Access(record)) => format!(
                    "{}: {} {} {} {} {}{}",
                    line.number,
                    record.at,
                    record.person.expose(),
                    record.patients.expose().join(","),
                    record.action,
                    record.workstation,
                    record.or_at.map(|at| format!(" or {at}")).unwrap_or_default()
                ),
                Ok(Reading::Other) => format!("{}: other", line.number),
                Err(refused) => format!("{}: {refused}", line.number),
            });
        }
        assert_eq!(found, expected, "{rows}");
    }

    #[test]
    fn a_row_is_read_by_its_mapping_and_a_wrong_clock_is_put_right() {
        check(
            "03/03/2026 07:11:00,ana.ruiz, 4471 ,Chart Review,4W-12",
            &["2: 2026-03-03T12:10:00.000000Z ana.ruiz number:4471 Chart Review 4W-12"],
        );
        check("03/03/2026 07:10:00,ana.ruiz,,LOGIN,4W-12", &["2: other"]);
    }

    #[test]
    fn each_wrong_field_is_named_and_the_hour_that_comes_twice_is_said() {
        check(
            "yesterday,ana,1,x,\n,ana,1,x,\n03/08/2026 02:30:00,ana,1,x,\n03/03/2026 07:10:00,,1,x,\n03/03/2026 07:10:00,ana, ,x,\nshort,row\n11/01/2026 01:31:00,ana,1,x,",
            &[
                "2: ACCESS_TIME: time_malformed",
                "3: ACCESS_TIME: missing",
                "4: ACCESS_TIME: time_never_was",
                "5: USER_ID: missing",
                "6: PAT_MRN: missing",
                "7: line: columns_missing",
                "8: 2026-11-01T05:30:00.000000Z ana number:1 x  or 2026-11-01T06:30:00.000000Z",
            ],
        );
    }

    #[test]
    fn a_table_without_a_column_of_the_mapping_is_refused_whole() {
        let mapping = Mapping::parse(MAPPING).unwrap();
        let refused = |text: &str| Table::new(text.as_bytes(), &mapping).err().unwrap().to_string();
        assert_eq!(refused("ACCESS_TIME,USER_ID\n"), "the table has no column `PAT_MRN`");
        assert_eq!(refused(""), "the table has no first line with the names of its columns");
    }
}
