//! Adapters to what is outside: a FHIR server over HTTP, or the embedded one in its place ([`EmbeddedUpstream`]), and other web
//! servers, such as an identity provider ([`Web`]); ways to people: mail ([`MailChannel`]), a webhook ([`WebhookChannel`]); connected systems, whose
//! rights are read and removed: by SCIM ([`ScimSystem`]), or as a file ([`TableSystem`]).
//!
//! [`HttpUpstream`] is [`scruple_release::Upstream`] over HTTP/1.1, plain or TLS. It has its own credential and takes no
//! other: there is no way to hand it a caller's token. It follows no redirect, takes no encoding, bounds every answer in
//! time and bytes, and says nothing of an answer's body in errors and logs.

mod answer;
mod base;
mod check;
mod counts;
mod embedded;
mod mail;
mod options;
mod pool;
mod probe;
mod room;
mod scim;
mod table;
mod upstream;
mod web;
mod webhook;

pub use base::{Base, InvalidBase};
pub use check::{Check, Verdict};
pub use counts::{CallKind, Calls, OUTCOMES, UpstreamCounts};
pub use embedded::{EMBEDDED_BASE, EmbeddedUpstream};
pub use mail::{InvalidMail, MailChannel, MailOptions};
pub use options::{
    ANSWER_BYTES_MAX, ANSWER_HEAD_BYTES_MAX, CALL_MS, CALLS_MAX, CONNECT_MS, Credential, HELD_BYTES_MAX,
    InvalidOptions, Options, POOL_IDLE_MAX, POOL_IDLE_MS, READ_BYTES_MAX, Roots, SearchBy, WAIT_MS,
};
pub use probe::{PostSearch, Probe, ProbeError};
pub use scim::ScimSystem;
pub use table::{TableColumns, TableSystem};
pub use upstream::HttpUpstream;
pub use web::{WEB_BYTES_MAX, WEB_MS, Web};
pub use webhook::WebhookChannel;
