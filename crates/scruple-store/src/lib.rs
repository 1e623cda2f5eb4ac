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
mod access_log;
mod access_sample;
mod account;
mod alert;
mod approver;
mod case_paper;
mod chart_access;
mod chart_case;
mod commit;
mod connect;
mod connected;
mod credential;
mod data_key;
mod deputy;
mod device;
mod directory;
mod drift;
mod elevation;
mod error;
mod event;
mod feed;
mod finding;
mod grant;
mod group;
mod holding;
mod idempotency;
mod job;
mod leave;
mod link;
mod mapping;
mod measure;
mod migrate;
mod moved;
mod pack;
mod person;
mod project;
mod request;
mod review;
mod seal;
mod session;
mod shard;
mod step;
mod subject;
mod task;
mod task_unmask;
mod unused;
mod use_review;

pub use access::{Access, load_access};
pub use access_log::{
    ImportCounts, LogImport, RefusedLine, begin_import, end_import, list_imports, list_refused_lines,
};
pub use access_sample::{AccessWeighed, find_access, list_accesses_between};
pub use account::{
    AccountUse, SystemAccount, account_suspensions, begin_use, close_dormancy, find_account, find_dormancy,
    find_system, insert_account, insert_dormancy, last_used, list_accounts_owned, list_dormancies, list_systems,
    unused_since, update_account, used_dormancies,
};
pub use alert::{count_for_alert, insert_alert, last_alert, list_alerts};
pub use approver::{UnreviewedGrant, decisions_between, unreviewed_grants};
pub use case_paper::{find_paper, insert_paper, list_papers, update_paper};
pub use chart_access::{
    AccessBasis, AccessOutcome, AccessSource, AfterAccess, ChartAccess, LedgerPart, NewChartAccess, SourceKind,
    access_cursor, count_accesses, count_accesses_under, find_release, insert_chart_access, last_use,
    list_accesses_by_grant, list_accesses_of_person, list_accesses_under, list_chart_accesses, list_sources,
};
pub use chart_case::{
    find_case, find_question, insert_case, insert_question, list_cases, list_cases_asked_of, list_cases_of_question,
    list_open_cases, list_questions, update_case,
};
pub use commit::NewEvent;
pub use connect::{Durability, Options, Store};
pub use connected::{
    Holding, SystemHolding, Unbacked, delete_holding, find_connected_system, find_holding, find_system_right,
    insert_connected_system, insert_holding, insert_system_right, list_connected_systems, list_holdings,
    list_holdings_of, list_system_rights, missing_holdings, note_reading, unbacked_holdings, undecided_rights,
    update_connected_system, update_system_right,
};
pub use credential::{
    Credential, CredentialKind, Enrolment, NewCredential, close_enrolments, find_enrolment, insert_credential,
    insert_enrolment, inviters, list_credentials, remove_credential, update_credential, use_enrolment,
};
pub use data_key::{DataKey, DataKeyState, NewDataKey, destroy_data_key};
pub use deputy::{deputies_in_force, end_deputies_of, find_deputy, insert_deputy, list_deputies_of, update_deputy};
pub use device::{KnownDevice, end_sessions_on, find_device, insert_device, load_device, take_signal, update_device};
pub use directory::{
    DirectoryRecord, NewDirectoryRecord, count_directory, directory_place, find_directory,
    find_directory_by_employee_number, find_directory_by_external_id, insert_directory, list_directory, list_reports,
    mark_directory_deleted, pass_reports_on, update_directory,
};
pub use drift::{DriftFilter, due_removals, find_drift, find_open_drift, insert_drift, list_drift, update_drift};
pub use elevation::{
    ElevationFilter, confirm_protected, count_elevations, end_elevation, end_elevations_of, find_elevation,
    insert_elevation, list_elevations, list_elevations_by_end, list_elevations_by_start, list_elevations_of_patient,
    list_elevations_of_request, open_elevations,
};
pub use engine::{Engine, Tx};
pub use error::StoreError;
pub use event::{Aggregate, Event, Position, history};
pub use feed::{Feed, ShardVector, shard_vector};
pub use finding::{
    LeftOver, Unmanaged, left_over_grants, persons_at_two_places, persons_reading_in_turns, persons_without_role,
    unmanaged_persons, unmapped_groups,
};
pub use grant::{
    count_members, find_grant, grants_as_of, holders, insert_grant, list_grants_of, open_grants, revoke_grant,
    revoke_grants,
};
pub use group::{
    Group, GroupMapping, GroupOf, add_member, count_groups, find_group, find_groups_by_display,
    find_groups_by_external_id, group_place, groups_of, insert_group, list_groups, list_members, map_group,
    mark_group_deleted, remove_member, update_group,
};
pub use holding::{asked_grants, job_roles, people_here};
pub use idempotency::{Claimed, IdempotencyKey, NewClaim};
pub use job::{Job, JobCounts, JobFailure, JobLease, LeasedJob, NewJob, Outcome, enqueue, finish_job};
pub use leave::{find_open_leave, insert_leave, suspensions, update_leave};
pub use link::{
    InvalidPractitioner, LinkEnd, LinkError, LinkRequest, LinkState, NewLink, PractitionerLink, PractitionerRef,
    confirm_link, end_link, end_links, find_link, find_open_link, list_links,
};
pub use mapping::{
    NewMappingReview, close_mapping_review, find_mapping_review, insert_mapping_review, last_mapping_reviews,
    list_open_mapping_reviews,
};
pub use measure::{EmergencyRow, RequestRow, emergencies_between, requests_between, revocations_between};
pub use moved::{Move, NewMove, due_moves, insert_move, settle_move};
pub use pack::{
    NewPackVersion, PackContent, active_pack_as_of, active_pack_hash, find_pack, find_pack_content, has_pack_content,
    insert_pack, keep_pack_content, list_packs, update_pack,
};
pub use person::{
    find_person, find_person_by_login, insert_person, list_persons, lock_person, mark_person_left, person_versions,
    persons_mark, revive_person, update_person,
};
pub use project::{
    find_project, find_project_of_request, insert_project, insert_project_request, list_project_requests,
    list_projects, lock_project, update_project,
};
pub use request::{
    find_request, insert_request, list_overdue_requests, list_pending_requests, list_pending_requests_after,
    list_requests, list_requests_decided_by, list_requests_of, update_request,
};
pub use review::{
    NewReview, find_review, insert_review, list_closed_reviews, list_open_reviews, list_open_reviews_after,
    list_open_reviews_of, update_review,
};
pub use seal::{BLIND_COLUMNS, SEALED_COLUMNS, SealError, Sealer};
pub use session::{
    Ceremony, NewSession, Session, SignInFailures, WaitingCeremony, clear_sign_in_failures, confirm_session,
    count_sign_in_failure, end_session, end_sessions_of, find_session, insert_session, open_sessions, sign_in_failures,
};
pub use shard::{ShardId, ShardLease, list_shards};
pub use step::{insert_step, steps_of};
pub use subject::{InvalidSubject, Subject, Subjects};
pub use use_review::{
    close_use_review, find_use_review, find_use_review_of, insert_use_review, list_open_use_reviews, list_uncompared,
};

pub use task::{
    find_task, insert_task, list_open_tasks, list_tasks, list_tasks_of, list_tasks_of_patient, list_tasks_of_ticket,
    open_tasks, open_tasks_of, update_task,
};
pub use task_unmask::{Unmask, insert_unmask, list_unmasks};
pub use unused::{UnusedGrant, find_unused, insert_unused, list_unused, unused_grants, update_unused};

pub use scruple_flow::{
    Account, AccountKind, Dormancy, Grant, GrantError, GrantRequest, HeldElevation, HeldGrant, InvalidLogin,
    InvalidRole, Login, NewGrant, NewPerson, Person, Revocation, RoleCode, Window,
};

pub mod limits;
