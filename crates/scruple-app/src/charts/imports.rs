//! [`LogReader`]: takes the access log of another system into the index: each access once however often it is read, each line that
//! cannot be read kept apart and named, in constant memory.

use super::AccessFacts;
use crate::limits::{IMPORT_BATCH_MAX, IMPORT_PATIENTS_MAX, IMPORT_REFUSED_MAX, INDEX_PEOPLE_MAX};
use crate::record::Record;
use rand_core::Rng;
use scruple_core::{Clock, Id, Phi, Timestamp, new_id};
use scruple_flow::{Login, Person};
use scruple_formats::{
    LogRecord, Mapping, Messages, PersonIs, Reading, Refused, Table, TableError, audit_event, audit_message,
};
use scruple_release::{ContainerError, Part, Splitter};
use scruple_store::{
    AccessBasis, AccessOutcome, AccessSource, ImportCounts, LogImport, NewChartAccess, RefusedLine, ShardLease,
    SourceKind, Store, StoreError, Tx, begin_import, end_import, find_directory_by_employee_number,
    find_person_by_login,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, BufRead};

/// How far a log's clock may be ahead of ours before its times are refused.
const AHEAD_MICROS_MAX: i64 = 5 * 60_000_000;
/// For how long the shard is held while a log is read, from batch to batch.
const LEASE_MICROS: i64 = 30_000_000;

/// Why a log is not read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The table has no head, or lacks a column.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The input failed.
    #[error("the log cannot be read")]
    Read(#[from] io::Error),
    /// The stream of resources failed.
    #[error("the log cannot be read")]
    Container(#[from] ContainerError),
    /// Another kind of log has the name of the mapping.
    #[error("another kind of log is called `{0}`")]
    Source(String),
    /// The database failed. What was stored before stays, and reading the log again adds the rest.
    #[error("accesses cannot be stored")]
    Store(#[from] StoreError),
}

/// What came of reading a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    /// The run.
    pub import: Id<LogImport>,
    /// What it found.
    pub counts: ImportCounts,
    /// Records that tell of no chart: sign-ins, starts.
    pub others: u64,
    /// The first and the last access that it tells of.
    pub between: Option<(Timestamp, Timestamp)>,
    /// The patients that it names, as far as they are remembered: at most [`IMPORT_PATIENTS_MAX`].
    pub patients: Phi<BTreeSet<String>>,
}

/// Hears how far it is, and of each line that is refused.
pub trait Watching {
    /// So much was found so far.
    fn goes_on(&mut self, counts: &ImportCounts);

    /// A line is refused.
    ///
    /// # Errors
    /// It cannot be told: then the log is not read on.
    fn refused(&mut self, line: &RefusedLine) -> io::Result<()>;
}

/// Reads one log.
pub struct LogReader<'a> {
    store: &'a Store,
    lease: &'a ShardLease,
    clock: &'a dyn Clock,
    rng: &'a mut (dyn Rng + Send),
    mapping: &'a Mapping,
    people: HashMap<String, Option<Id<Person>>>,
    counts: ImportCounts,
    others: u64,
    between: Option<(Timestamp, Timestamp)>,
    patients: BTreeSet<String>,
    waiting: Vec<NewChartAccess>,
    refused: Vec<RefusedLine>,
}

impl<'a> LogReader<'a> {
    /// A reader of a log by its mapping. `lease`: the shard that the beginning and the end of it are recorded on.
    #[must_use]
    pub fn new(
        (store, lease): (&'a Store, &'a ShardLease),
        clock: &'a dyn Clock,
        rng: &'a mut (dyn Rng + Send),
        mapping: &'a Mapping,
    ) -> Self {
        Self {
            store,
            lease,
            clock,
            rng,
            mapping,
            people: HashMap::new(),
            counts: ImportCounts::default(),
            others: 0,
            between: None,
            patients: BTreeSet::new(),
            waiting: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Reads all of it. `operator`: who runs it.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub async fn read(
        mut self,
        (kind, from): (SourceKind, impl BufRead),
        operator: &str,
        watching: &mut dyn Watching,
    ) -> Result<Imported, ImportError> {
        let mapping = self.mapping;
        let at = self.clock.now();
        let new = new_id(at, self.rng);
        let source = self.store.ensure_source(new, (kind, &mapping.source), at).await?;
        let source = source.ok_or_else(|| ImportError::Source(mapping.source.clone()))?;
        // The head of a table is read first: one that cannot be read at all is no run.
        let log = Log::of(kind, from, mapping)?;
        let id: Id<LogImport> = new_id(at, self.rng);
        let mut import = LogImport { id, source, started_at: at, ended_at: None, counts: self.counts };
        let mut tx = self.store.begin().await?;
        begin_import(&mut tx, id, source, at).await?;
        self.commit(tx, &Record::log_import(&import, &mapping.source, operator)).await?;
        self.records(log, (id, source), watching).await?;
        self.flush(id).await?;
        let ended_at = self.clock.now();
        import = LogImport { ended_at: Some(ended_at), counts: self.counts, ..import };
        let mut tx = self.store.begin().await?;
        end_import(&mut tx, id, &self.counts, ended_at).await?;
        self.commit(tx, &Record::log_import(&import, &mapping.source, operator)).await?;
        Ok(Imported {
            import: id,
            counts: self.counts,
            others: self.others,
            between: self.between,
            patients: Phi::new(self.patients),
        })
    }

    async fn commit(&mut self, tx: Tx, record: &Record) -> Result<(), StoreError> {
        let event = record.event(new_id(record.at(), self.rng));
        tx.commit(self.lease, &[event]).await.map(drop)
    }

    async fn records(
        &mut self,
        mut log: Log<'_, impl BufRead>,
        (import, source): (Id<LogImport>, Id<AccessSource>),
        watching: &mut dyn Watching,
    ) -> Result<(), ImportError> {
        while let Some((line, text, reading)) = log.next(self.mapping)? {
            match reading.and_then(|reading| self.in_time(reading)) {
                Ok(Reading::Access(record)) => self.access(source, *record).await?,
                Ok(Reading::Other) => self.others += 1,
                Err(Refused { field, reason }) => {
                    self.counts.lines += 1;
                    self.counts.refused += 1;
                    let id = new_id(self.clock.now(), self.rng);
                    let line = RefusedLine { id, line, field, reason: reason.to_owned(), text: Phi::new(text) };
                    watching.refused(&line)?;
                    if self.counts.refused <= IMPORT_REFUSED_MAX {
                        self.refused.push(line);
                    }
                }
            }
            if self.waiting.len() >= IMPORT_BATCH_MAX || self.refused.len() >= IMPORT_BATCH_MAX {
                self.flush(import).await?;
                watching.goes_on(&self.counts);
            }
        }
        Ok(())
    }

    /// What lies in the future was written by a clock that is wrong: it is kept apart until somebody says how wrong.
    fn in_time(&self, reading: Reading) -> Result<Reading, Refused> {
        match &reading {
            Reading::Access(record) if record.at.micros() > self.clock.now().micros() + AHEAD_MICROS_MAX => {
                Err(Refused { field: "when".to_owned(), reason: "time_in_future" })
            }
            _ => Ok(reading),
        }
    }

    async fn access(&mut self, source: Id<AccessSource>, record: LogRecord) -> Result<(), StoreError> {
        let person = self.person(record.person.expose()).await?;
        let patients = record.patients.expose();
        let facts = AccessFacts {
            types: record.types.iter().map(|name| (name.clone(), 1)).collect::<BTreeMap<_, _>>(),
            patients: patients.len() as u64,
            action: record.action,
            workstation: record.workstation,
            module: record.module,
            or_at: record.or_at,
            ..AccessFacts::default()
        };
        let (first, last) = self.between.unwrap_or((record.at, record.at));
        self.between = Some((first.min(record.at), last.max(record.at)));
        for patient in patients {
            self.counts.lines += 1;
            self.counts.unknown_people += u64::from(person.is_none());
            if self.patients.len() < IMPORT_PATIENTS_MAX {
                self.patients.insert(patient.clone());
            }
            self.waiting.push(NewChartAccess {
                id: new_id(record.at, self.rng),
                source,
                once: Phi::new(format!("log {} {patient}", record.once.expose())),
                at: record.at,
                patient: Phi::new(patient.clone()),
                person,
                actor: record.person.clone(),
                role: None,
                purpose: record.purpose.clone(),
                outcome: if record.has_failed { AccessOutcome::Nothing } else { AccessOutcome::Opened },
                basis: AccessBasis::Unknown,
                grant: None,
                elevation: None,
                entry: None,
                outside: false,
                place: record.place.clone().map(Phi::new),
                facts: Phi::new(facts.to_bytes()),
            });
        }
        Ok(())
    }

    async fn person(&mut self, name: &str) -> Result<Option<Id<Person>>, StoreError> {
        if let Some(known) = self.people.get(name) {
            return Ok(*known);
        }
        let mut tx = self.store.begin_read().await?;
        let found = match self.mapping.person_is {
            PersonIs::Login => match name.to_lowercase().parse::<Login>() {
                Ok(login) => find_person_by_login(&mut tx, &login).await?.map(|person| person.id),
                Err(_) => None,
            },
            PersonIs::EmployeeNumber => {
                let found = find_directory_by_employee_number(&mut tx, &Phi::new(name.to_owned())).await?;
                found.map(|record| record.person.id)
            }
        };
        if self.people.len() >= INDEX_PEOPLE_MAX {
            self.people.clear();
        }
        self.people.insert(name.to_owned(), found);
        Ok(found)
    }

    async fn flush(&mut self, import: Id<LogImport>) -> Result<(), StoreError> {
        let waiting = std::mem::take(&mut self.waiting);
        let added = self.store.append_log(&waiting).await?;
        self.counts.added += added;
        self.counts.known += (waiting.len() as u64).saturating_sub(added);
        let refused = std::mem::take(&mut self.refused);
        if !refused.is_empty() {
            self.store.keep_refused_lines(import, &refused).await?;
        }
        let until = self.clock.now().plus_micros(LEASE_MICROS);
        self.store.extend_shard(self.lease, until).await
    }
}

/// A log of any format.
enum Log<'a, R> {
    Table(Table<'a, R>),
    Resources(Splitter<R>),
    Messages(Messages<R>),
}

/// A record by its number, its text, and what it is.
type Found = (u64, String, Result<Reading, Refused>);

impl<'a, R: BufRead> Log<'a, R> {
    fn of(kind: SourceKind, from: R, mapping: &'a Mapping) -> Result<Self, ImportError> {
        Ok(match kind {
            SourceKind::Csv => Self::Table(Table::new(from, mapping)?),
            SourceKind::Fhir => Self::Resources(Splitter::new(from, 1, false)),
            SourceKind::Atna => Self::Messages(Messages::new(from)),
            SourceKind::Gateway => return Err(ImportError::Source(mapping.source.clone())),
        })
    }

    fn next(&mut self, mapping: &Mapping) -> Result<Option<Found>, ImportError> {
        match self {
            Self::Table(table) => Ok(table.next_record()?.map(|(line, reading)| (line.number, line.text, reading))),
            Self::Messages(messages) => Ok(messages.next_message()?.map(|(number, message)| {
                let reading = message.as_ref().map_err(Clone::clone).and_then(|bytes| audit_message(bytes, mapping));
                let text = String::from_utf8_lossy(message.as_deref().unwrap_or_default()).into_owned();
                (number, text, reading)
            })),
            Self::Resources(splitter) => loop {
                match splitter.next()? {
                    None => return Ok(None),
                    Some(Part::BundleBegins | Part::BundleEnds(_)) => {}
                    Some(Part::Item(item)) => {
                        let refused = || Refused { field: "resource".to_owned(), reason: "malformed" };
                        let reading = match &item.bytes {
                            Ok(bytes) => audit_event(bytes, mapping),
                            Err(_) => Err(refused()),
                        };
                        let text = item.bytes.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
                        return Ok(Some((item.item, text.unwrap_or_default(), reading)));
                    }
                }
            },
        }
    }
}
