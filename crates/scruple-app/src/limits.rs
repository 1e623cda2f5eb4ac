//! Limits with names and units. Each that refuses or gives up has a test that exceeds it.

use std::time::Duration;

/// Persons whose access is kept in memory; one more displaces those who did not come lately.
pub const ACCESS_ENTRIES_MAX: usize = 16_384;
/// Loads of access that run at once: fewer than the store has connections, so that the feed always gets one.
pub const ACCESS_LOADS_MAX: usize = 4;
/// How often one load is tried again because the feed overtook it.
pub const ACCESS_LOAD_ATTEMPTS_MAX: u32 = 4;
/// How long a load may take, its tries and its waiting for a turn together.
pub const ACCESS_LOAD_TIMEOUT: Duration = Duration::from_millis(3_000);
/// Looks at the feed that are remembered, to compare loads with that began before them.
pub const FEED_LOOKS_MAX: usize = 64;
/// How often the feed is looked at.
pub const FEED_POLL: Duration = Duration::from_millis(250);
/// How long one look at the feed may take; a longer one would be stale when it came.
pub const FEED_POLL_TIMEOUT: Duration = Duration::from_millis(1_000);
/// How long after the start of the last good look at the feed access may be decided, in microseconds.
pub const FEED_FRESH_MICROS: i64 = 1_000_000;
/// How often the drainer looks for events that nobody woke it for.
pub const DRAIN_POLL: Duration = Duration::from_millis(250);
/// How long the drainer waits for one page of events.
pub const DRAIN_READ_TIMEOUT: Duration = Duration::from_millis(3_000);
/// How long a use case waits for its event to be in the ledger before it answers that it is not there yet.
pub const RECORDED_WAIT_MAX: Duration = Duration::from_millis(2_000);
/// How long a use of an account is not written down again, in microseconds.
pub const USE_NOTED_MICROS: i64 = 3_600_000_000;
/// Lines of a workforce that is seeded in one call.
pub const SEED_PEOPLE_MAX: usize = 1_000;
/// How often a message is tried: with the times between, for some three days.
pub const MESSAGE_ATTEMPTS_MAX: u32 = 80;
/// How long a worker has for the messages that it took, in microseconds.
pub const MESSAGE_LEASE_MICROS: i64 = 600_000_000;
/// How long one delivery may take.
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(15);
/// How often the index of accesses looks whether the ledger has more.
pub const INDEX_POLL: Duration = Duration::from_millis(1_000);
/// Entries of the ledger that one transaction takes into the index.
pub const INDEX_ENTRIES_MAX: usize = 256;
/// People whom the index remembers, so that it need not look each up again.
pub const INDEX_PEOPLE_MAX: usize = 4_096;
/// How long a page waits until the index has what the ledger has.
pub const INDEX_WAIT_MAX: Duration = Duration::from_millis(3_000);
/// Accesses that one history tells of; of more, the oldest are told and the rest is named.
pub const HISTORY_ACCESSES_MAX: usize = 20_000;
/// People whose accesses one history looks up in the record system.
pub const HISTORY_JUDGED_MAX: usize = 200;
/// Accesses of a log that one transaction stores.
pub const IMPORT_BATCH_MAX: usize = 500;
/// Lines of one import that are kept because they were refused; further ones are counted.
pub const IMPORT_REFUSED_MAX: u64 = 10_000;
/// Patients of a log that are remembered, to ask the record system for them.
pub const IMPORT_PATIENTS_MAX: usize = 100_000;
/// Tasks of one person that are active at a time.
pub const TASKS_ACTIVE_MAX: u64 = 8;
/// Tasks that a node remembers as read under, until that is written down.
pub const TASKS_SEEN_MAX: usize = 1_000;
/// Accounts of one connected system that a reading takes.
pub const SYSTEM_ACCOUNTS_MAX: usize = 100_000;
/// Rights of one connected system that a reading takes.
pub const SYSTEM_RIGHTS_MAX: usize = 10_000;
/// Rights of all accounts of one connected system together that a reading takes.
pub const SYSTEM_HOLDINGS_MAX: usize = 500_000;
/// Bytes of what a connected system calls something.
pub const SYSTEM_NAME_BYTES_MAX: usize = 512;
/// Removals in one connected system that are tried between two readings of it.
pub const SYSTEM_REMOVALS_MAX: usize = 25;
/// How long one removal may take.
pub const SYSTEM_REMOVE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long one reading may take.
pub const SYSTEM_READ_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a worker has for a connected system, in microseconds: longer than its removals and a reading take together.
pub const SYSTEM_CLAIM_MICROS: i64 = 900_000_000;
/// Removals in connected systems that the transaction of a termination asks for; of more, the rule asks for the others next.
pub const SYSTEM_LEAVES_MAX: usize = 32;
