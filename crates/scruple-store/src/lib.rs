//! All SQL of Scruple: SQLite for one node, PostgreSQL for several, from one text.
//!
//! What is here: the tables, the functions that read and write them, and the protocol of the write transaction. A
//! [`Tx`] has one ending, [`Tx::commit`], which takes the events of the change with it: a change of state without its
//! event cannot be committed. The event table is outbox, time line, as-of history and change feed at once; its position
//! is gap-free and in the order of the commits.
//!
//! What is deliberately not here: transitions and who may make them (scruple-flow, scruple-app), the ledger's tiles and
//! checkpoints (scruple-ledger), and keys: columns are sealed by a [`Sealer`] that is passed in.
//!
//! Rules: one `const SQL` beside its function; an UPDATE repeats the state that it was decided on and counts its rows
//! ([`StoreError::RowsAffected`]); not found is `Ok(None)`; times are microseconds UTC. After an error a [`Tx`] is to be
//! dropped: PostgreSQL refuses to go on, SQLite would go on without the failed statement.

#[macro_use]
mod engine;

mod access;
mod commit;
mod connect;
mod credential;
mod data_key;
mod elevation;
mod error;
mod event;
mod feed;
mod grant;
mod job;
mod link;
mod migrate;
mod pack;
mod person;
mod request;
mod review;
mod seal;
mod session;
mod shard;
mod subject;

pub use access::{Access, load_access};
pub use commit::NewEvent;
pub use connect::{Durability, Options, Store};
pub use credential::{
    Credential, CredentialKind, Enrolment, NewCredential, find_enrolment, insert_credential, insert_enrolment,
    list_credentials, remove_credential, update_credential, use_enrolment,
};
pub use data_key::{DataKey, DataKeyState, NewDataKey, destroy_data_key};
pub use elevation::{
    end_elevation, find_elevation, insert_elevation, list_elevations, list_elevations_of_patient, open_elevations,
};
pub use engine::{Engine, Tx};
pub use error::StoreError;
pub use event::{Aggregate, Event, Position, history};
pub use feed::{Feed, ShardVector, shard_vector};
pub use grant::{find_grant, grants_as_of, holders, insert_grant, open_grants, revoke_grant};
pub use job::{Job, JobCounts, JobFailure, JobLease, LeasedJob, NewJob, Outcome, enqueue, finish_job};
pub use link::{
    InvalidPractitioner, LinkEnd, LinkError, LinkRequest, LinkState, NewLink, PractitionerLink, PractitionerRef,
    confirm_link, end_link, find_link, find_open_link, list_links,
};
pub use pack::{
    NewPack, Pack, PackApproval, PackState, activate_pack, active_pack_as_of, approve_pack, find_pack, list_packs,
    mark_pack_checked, propose_pack,
};
pub use person::{find_person, find_person_by_login, insert_person, list_persons, mark_person_left};
pub use request::{
    find_request, insert_request, list_overdue_requests, list_pending_requests, list_requests_of, update_request,
};
pub use review::{NewReview, find_review, insert_review, list_open_reviews, update_review};
pub use seal::{BLIND_COLUMNS, SEALED_COLUMNS, SealError, Sealer};
pub use session::{
    Ceremony, NewSession, Session, WaitingCeremony, clear_sign_in_failures, confirm_session, count_sign_in_failure,
    end_session, end_sessions_of, find_session, insert_session, open_sessions, sign_in_failures,
};
pub use shard::{ShardId, ShardLease};
pub use subject::{InvalidSubject, Subject, Subjects};

pub use scruple_flow::{
    Grant, GrantError, GrantRequest, HeldElevation, HeldGrant, InvalidLogin, InvalidRole, Login, NewGrant, NewPerson,
    Person, Revocation, RoleCode, Window,
};

pub mod limits;
