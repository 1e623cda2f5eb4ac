//! Limits with names and units. Each has a test that exceeds it.

/// Rows that one read of the outbox returns.
pub const EVENTS_READ_MAX: i64 = 500;
/// Events that one transaction may record.
pub const EVENTS_PER_COMMIT_MAX: usize = 64;
/// Subjects that one event names; who affects more names everyone.
pub const SUBJECTS_PER_EVENT_MAX: usize = 64;
/// Events of one shard that one poll of the feed looks at; who is further behind evicts everyone.
pub const FEED_EVENTS_MAX: i64 = 1_000;
/// Shards of one installation.
pub const SHARDS_MAX: i64 = 64;
/// Grants of one person that have not ended. One more is an error, not a shorter list.
pub const OPEN_GRANTS_MAX: i64 = 256;
/// Credentials of one person that can be used, recovery codes included. One more is an error, not a shorter list.
pub const CREDENTIALS_MAX: i64 = 64;
/// Elevations of one person that have not ended. One more is an error, not a shorter list.
pub const OPEN_ELEVATIONS_MAX: i64 = 1_000;
/// Links of one person to practitioners that have not ended. One more is refused.
pub const OPEN_LINKS_MAX: i64 = 32;
/// Bytes of a practitioner's id (FHIR R4, `id`).
pub const PRACTITIONER_ID_BYTES_MAX: usize = 64;
/// Groups that one person is a member of.
pub const GROUPS_PER_PERSON_MAX: i64 = 256;
/// Members of one group.
pub const GROUP_MEMBERS_MAX: i64 = 20_000;
/// Rows of any other list; longer ones are read page by page.
pub const PAGE_ROWS_MAX: i64 = 200;
/// Rows of a page that is read to count or measure the whole.
pub const BULK_ROWS_MAX: i64 = 10_000;
/// Accesses to charts that one read returns.
pub const ACCESS_ROWS_MAX: i64 = 1_000;
/// Jobs that one worker leases at once.
pub const JOBS_LEASED_MAX: i64 = 32;
/// Attempts that a job may ask for.
pub const JOB_ATTEMPTS_MAX: u32 = 100;
/// Connections that read, besides the one writer of SQLite; all connections on PostgreSQL.
pub const CONNECTIONS_MAX: u32 = 8;
/// Milliseconds that a statement waits for a lock, and a caller for a connection.
pub const LOCK_TIMEOUT_MS: u64 = 5_000;
/// Milliseconds that a statement runs on PostgreSQL.
pub const STATEMENT_TIMEOUT_MS: u64 = 30_000;
/// Facts of a period that measures are made of.
pub const FACTS_MAX: i64 = 100_000;
/// Tasks of one person that are active. One more is an error, not a shorter list.
pub const OPEN_TASKS_MAX: i64 = 64;
