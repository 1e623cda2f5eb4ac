//! Formats of other systems, read. What is here now: access logs, as tables ([`Table`]), as FHIR AuditEvent ([`audit_event`]) and as
//! IHE ATNA audit messages ([`Messages`], [`audit_message`]), by a [`Mapping`] that says what is what.
//!
//! Each gives the same [`LogRecord`]s, so that logs of different systems make one time line. What cannot be read is [`Refused`] by its
//! field, never guessed. It deliberately opens no file, knows no person and no patient, and stores nothing.

mod atna;
mod audit_event;
mod csv;
mod mapping;
mod record;
mod table;

pub use atna::{MESSAGE_BYTES_MAX, Message, Messages, audit_message};
pub use audit_event::audit_event;
pub use csv::{LINE_BYTES_MAX, Line, Lines};
pub use mapping::{InvalidMapping, Mapping, PatientIs, PersonIs};
pub use record::{LogRecord, Reading, Refused};
pub use table::{Table, TableError};

#[cfg(test)]
mod tests;
