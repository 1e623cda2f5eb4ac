//! Limits with names and units. Each has a test that exceeds it.

/// Bytes of a login.
pub const LOGIN_BYTES_MAX: usize = 320;
/// Bytes of a role's code.
pub const ROLE_BYTES_MAX: usize = 64;
/// Bytes of the code of a kind of information.
pub const KIND_BYTES_MAX: usize = 64;
/// Kinds of information that a request or an elevation names.
pub const KINDS_MAX: usize = 64;
/// Bytes of a patient's id (FHIR R4, `id`).
pub const PATIENT_ID_BYTES_MAX: usize = 64;
/// Bytes of a reason.
pub const REASON_BYTES_MAX: usize = 2_000;
/// Letters and digits of a reason, at least.
pub const REASON_LETTERS_MIN: usize = 12;
/// Different words of a reason, at least.
pub const REASON_WORDS_MIN: usize = 3;
/// Patients that one request names.
pub const REQUEST_PATIENTS_MAX: usize = 25;
/// Approvals that one request can need.
pub const APPROVALS_MAX: usize = 4;
/// Hours that a declared relationship lasts: a long shift.
pub const DECLARED_HOURS_MAX: i64 = 13;
/// Hours of a shift, before the end of which an emergency has its sentence.
pub const SHIFT_HOURS: i64 = 12;
/// Hours that emergency access to one patient lasts.
pub const EMERGENCY_HOURS_MAX: i64 = 4;
/// Bytes of one text that the directory tells of a person: a title, a department, a number.
pub const DIRECTORY_VALUE_BYTES_MAX: usize = 1_024;
/// How many managers are looked at upwards for one who is here.
pub const MANAGERS_UP_MAX: usize = 8;
/// Days that a deputy stands in for somebody. A house rule.
pub const DEPUTY_DAYS_MAX: i64 = 30;
/// Bytes of the number of a ticket.
pub const TICKET_BYTES_MAX: usize = 200;
/// Bytes of the place of a recording.
pub const RECORDING_BYTES_MAX: usize = 1_024;
