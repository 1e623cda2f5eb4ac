//! A connected system that has no API, and writes a file: a table (RFC 4180) with a row for each right of an account. Columns are found
//! by their headers, as those of access logs are. A row without a right says that there is the account.
//!
//! A file that is being written, is cut off or holds a row that cannot be read is no reading. It stands as of when it was last written,
//! so that a file from before a removal was asked for confirms nothing.

use scruple_app::limits::{SYSTEM_ACCOUNTS_MAX, SYSTEM_HOLDINGS_MAX};
use scruple_app::ports::{
    AccountShown, NotRemoved, ReadingSystem, RemovalOrder, RemovingThere, Shown, SystemConnector,
};
use scruple_core::{Phi, Timestamp};
use scruple_flow::connected::{ConnectorKind, ReadFailure, RemovalFailure, There};
use scruple_formats::Lines;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Bytes of a file.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The headers of the columns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableColumns {
    /// The account: the login by which the person is known here.
    pub account: String,
    /// The right.
    pub right: String,
    /// Whether the account can be used: not, where it says `false`, `no`, `0`, `disabled` or `inactive`. None: all can.
    pub active: Option<String>,
}

/// A system that writes a file.
pub struct TableSystem {
    path: PathBuf,
    delimiter: u8,
    columns: TableColumns,
}

impl TableSystem {
    /// The file, what is between its cells, and its columns.
    #[must_use]
    pub const fn new(path: PathBuf, delimiter: u8, columns: TableColumns) -> Self {
        Self { path, delimiter, columns }
    }

    async fn whole(&self) -> Result<Shown, ReadFailure> {
        let (path, delimiter, columns) = (self.path.clone(), self.delimiter, self.columns.clone());
        let read = tokio::task::spawn_blocking(move || read(&path, delimiter, &columns));
        read.await.unwrap_or(Err(ReadFailure::Unreachable))
    }
}

impl SystemConnector for TableSystem {
    fn kind(&self) -> ConnectorKind {
        ConnectorKind::File
    }

    fn read(&self) -> ReadingSystem<'_> {
        Box::pin(self.whole())
    }

    fn remove<'a>(&'a self, _: &'a RemovalOrder) -> RemovingThere<'a> {
        Box::pin(std::future::ready(Err(NotRemoved { failure: RemovalFailure::Refused, wait_s: None })))
    }
}

/// When it was written, in microseconds.
fn written(metadata: &Metadata) -> Option<Timestamp> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok().map(Timestamp::from_micros)
}

fn read(path: &Path, delimiter: u8, columns: &TableColumns) -> Result<Shown, ReadFailure> {
    let mut file = File::open(path).map_err(|_| ReadFailure::Unreachable)?;
    let before = file.metadata().map_err(|_| ReadFailure::Unreachable)?;
    if before.len() > FILE_BYTES_MAX {
        return Err(ReadFailure::TooLarge);
    }
    let mut bytes = Vec::new();
    let taken = file.by_ref().take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(|_| ReadFailure::Unreachable)?;
    let after = file.metadata().map_err(|_| ReadFailure::Unreachable)?;
    let as_of = written(&before).ok_or(ReadFailure::Unreachable)?;
    let is_still = written(&after) == Some(as_of) && taken as u64 == before.len() && after.len() == before.len();
    // Somebody writes it, or its end is missing.
    if !is_still || bytes.last().is_some_and(|last| *last != b'\n') {
        return Err(ReadFailure::Incomplete);
    }
    let (accounts, rights) = rows(&bytes, delimiter, columns)?;
    let name = |text: String| Phi::new(There { reference: text.clone(), name: text });
    let rights = rights.into_iter().map(name).collect();
    let account = |(text, (is_active, rights)): (String, Row)| AccountShown { there: name(text), is_active, rights };
    Ok(Shown { as_of: Some(as_of), rights, accounts: accounts.into_iter().map(account).collect() })
}

/// Whether an account can be used, and what it has.
type Row = (bool, BTreeSet<String>);

fn rows(
    bytes: &[u8],
    delimiter: u8,
    columns: &TableColumns,
) -> Result<(BTreeMap<String, Row>, BTreeSet<String>), ReadFailure> {
    let mut lines = Lines::new(bytes, delimiter);
    let mut next = || -> Result<Option<Vec<String>>, ReadFailure> {
        let line = lines.next_line().map_err(|_| ReadFailure::Malformed)?;
        line.map(|line| line.cells.map_err(|_| ReadFailure::Malformed)).transpose()
    };
    let Some(header) = next()? else { return Err(ReadFailure::Empty) };
    let place = |name: &str| {
        let mut found = header.iter().enumerate().filter(|(_, cell)| cell.trim() == name).map(|(place, _)| place);
        // A column that is there twice is none.
        found.next().filter(|_| found.next().is_none()).ok_or(ReadFailure::Malformed)
    };
    let (account, right) = (place(&columns.account)?, place(&columns.right)?);
    let active = columns.active.as_deref().map(place).transpose()?;
    let (mut accounts, mut rights, mut held) = (BTreeMap::<String, Row>::new(), BTreeSet::new(), 0_usize);
    while let Some(cells) = next()? {
        if cells.len() != header.len() {
            return Err(ReadFailure::Malformed);
        }
        let cell = |place: usize| cells.get(place).map(|cell| cell.trim()).ok_or(ReadFailure::Malformed);
        let (account, right) = (cell(account)?, cell(right)?);
        if account.is_empty() {
            return Err(ReadFailure::Malformed);
        }
        let is_off =
            |text: &str| ["false", "no", "0", "disabled", "inactive"].iter().any(|off| text.eq_ignore_ascii_case(off));
        let is_active = !active.map(cell).transpose()?.is_some_and(is_off);
        // Lower case, as logins are: the same account in two rows is one.
        let row = accounts.entry(account.to_lowercase()).or_default();
        // A row that lets it be used is enough.
        row.0 |= is_active;
        if !right.is_empty() {
            row.1.insert(right.to_owned());
            rights.insert(right.to_owned());
        }
        held = held.saturating_add(1);
        if accounts.len() > SYSTEM_ACCOUNTS_MAX || held > SYSTEM_HOLDINGS_MAX {
            return Err(ReadFailure::TooLarge);
        }
    }
    Ok((accounts, rights))
}
