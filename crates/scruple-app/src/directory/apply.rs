//! Carries out what a change means, in the transaction that records it.

use super::idle::dormancy_record;
use super::{Directory, DirectoryError};
use crate::desk::{stopped, task_record};
use crate::record::Record;
use scruple_core::{Id, Timestamp};
use scruple_flow::directory::{Change, Leave, LeaveState, Lost};
use scruple_flow::{AccessTask, Deputy, TaskEnd};
use scruple_store::{
    Aggregate, HeldGrant, LinkEnd, NewMove, Person, Revocation, RoleCode, Subject, Subjects, Tx, begin_use,
    close_dormancy, end_deputies_of, end_elevations_of, end_links, end_sessions_of, find_dormancy, find_open_leave,
    insert_leave, insert_move, lock_person, mark_person_left, open_elevations, open_grants, open_sessions,
    open_tasks_of, revive_person, revoke_grants, settle_move, update_leave, update_task,
};
use serde_json::{Value, json};

/// After every grant that there is.
const EVERY_GRANT: Timestamp = Timestamp::from_micros(i64::MAX);

/// Opened records that one record of a termination names; their number is told of all.
const CHARTS_TOLD_MAX: usize = 400;

/// Of whom and when.
#[derive(Clone, Copy)]
pub(super) struct About {
    pub(super) person: Id<Person>,
    /// Version of the person's row, as it is now in the transaction.
    pub(super) version: i64,
    pub(super) left_at: Option<Timestamp>,
    pub(super) at: Timestamp,
    /// From when on a move counts.
    pub(super) effective_at: Timestamp,
}

impl Directory<'_> {
    /// Carries the changes out; answers with their records, in order.
    pub(super) async fn apply(
        &mut self,
        tx: &mut Tx,
        mut about: About,
        changes: &[Change],
    ) -> Result<Vec<Record>, DirectoryError> {
        let mut records = Vec::new();
        for change in changes {
            match change {
                // He holds nothing; his record is the directory's own.
                Change::Joiner => {}
                Change::Leaver => {
                    let tasks = self.end_tasks(tx, about).await?;
                    records.extend(self.leaves(tx, about, &tasks).await?);
                    records.extend(tasks.into_iter().map(|(_, record)| record));
                    records.extend(self.idle_leaves(tx, about).await?);
                    records.extend(self.leaves_systems(tx, about.person, about.at).await?);
                    about.version = about.version.saturating_add(1);
                }
                Change::Rehired => {
                    records.extend(self.rehired(tx, about).await?);
                    about.version = about.version.saturating_add(1);
                }
                Change::Mover(lost) => {
                    let moves = self.moves(tx, about, lost).await?;
                    records.extend(moved(about, self.by, lost, &moves));
                }
                Change::LeaveStarts => records.push(self.leave_starts(tx, about, about.at).await?),
                Change::LeaveEnds => records.push(self.leave_ends(tx, about).await?),
            }
        }
        Ok(records)
    }

    /// Out at once: links ended, grants revoked, leave closed, all with the commit.
    async fn leaves(
        &mut self,
        tx: &mut Tx,
        about: About,
        tasks: &[(Id<AccessTask>, Record)],
    ) -> Result<Vec<Record>, DirectoryError> {
        let About { person, version, at, .. } = about;
        if person == self.by {
            return Err(DirectoryError::Own);
        }
        let end = LinkEnd { by: self.by, at };
        // Before the row of the person, as whoever confirms a link does; and once more for what came meanwhile.
        let (mut links, mut subjects) = end_links(tx, person, end).await?;
        mark_person_left(tx, person, version, at).await?;
        let (late, more) = end_links(tx, person, end).await?;
        links.extend(late);
        subjects = union(&subjects, &more);
        // After the row of the person, which whoever names a deputy holds.
        let deputies = end_deputies_of(tx, person, at).await?;
        let revocation = Revocation { by: self.by, at };
        let revoked = revoke_grants(tx, person, None, EVERY_GRANT, revocation).await?;
        let opened = open_elevations(tx, person, at).await?;
        let charts = end_elevations_of(tx, person, revocation).await?;
        let sessions = end_sessions_of(tx, person, None, self.by, ("left", at)).await?;
        let leave = find_open_leave(tx, person).await?;
        if let Some(leave) = leave.clone() {
            update_leave(tx, &leave.closed_by_leaving(self.by, at)).await?;
        }
        let passed_on = self.pass_on(tx, person, at).await?;
        subjects = union(&subjects, &passed_on.subjects());
        let failed = self.still_open(tx, person, at).await?;
        let links: Vec<_> = links.iter().map(ToString::to_string).collect();
        let reports: Vec<_> = passed_on.reports.iter().map(ToString::to_string).collect();
        let body = json!({
            "person": person.to_string(),
            "requested_by": self.by.to_string(),
            "left_at": at.micros(),
            // The clock is read once more: so long it took.
            "completed_at": self.clock.now().max(at).micros(),
            "grants": grants(&revoked),
            "elevations": charts,
            "charts": opened.iter().take(CHARTS_TOLD_MAX).map(|one| one.id.to_string()).collect::<Vec<_>>(),
            "tasks": tasks.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(),
            "deputies": ids(&deputies),
            "sessions": sessions,
            "links": links,
            "leave": leave.map(|leave| leave.id.to_string()),
            "reports": reports,
            "passed_on": passed_on.told(),
            "failed": failed,
        });
        let aggregate = (Aggregate::new("person", person), version.saturating_add(1));
        let mut records = vec![Record::new(aggregate, "person_left", at, subjects, &body)];
        records.extend(deputies.iter().map(|one| Record::deputy(one, one.version, at, self.by)));
        Ok(records)
    }

    /// Ends the access tasks of a leaver: what is active ends, what has not begun is taken back, what the clock has ended is written down.
    async fn end_tasks(&mut self, tx: &mut Tx, about: About) -> Result<Vec<(Id<AccessTask>, Record)>, DirectoryError> {
        let About { person, at, .. } = about;
        if person == self.by {
            return Err(DirectoryError::Own);
        }
        let mut ended = Vec::new();
        for task in open_tasks_of(tx, person).await? {
            let (id, version) = (task.order.id, task.version);
            let is_over = task.state_at(at) != task.state;
            let (over, by) = if is_over {
                (task.settle(at), None)
            } else {
                (stopped(task, self.by, TaskEnd::Killed, at), Some(self.by))
            };
            // An open task is stopped, or the clock has ended it: there is no third.
            let Ok(over) = over else { continue };
            update_task(tx, &over, version).await?;
            ended.push((id, task_record(&over, version.saturating_add(1), at, by)));
        }
        Ok(ended)
    }

    /// What is still open of somebody for whom all was ended, read again: none of it, or the record tells of it.
    async fn still_open(&mut self, tx: &mut Tx, person: Id<Person>, at: Timestamp) -> Result<Value, DirectoryError> {
        let grants = open_grants(tx, person, at).await?;
        let charts = open_elevations(tx, person, at).await?;
        let sessions = open_sessions(tx, person).await?;
        let tasks = open_tasks_of(tx, person).await?;
        let one = |kind: &str, id: String| json!({ "kind": kind, "id": id });
        let open = grants.iter().map(|grant| one("role", grant.id.to_string()));
        let open = open.chain(tasks.iter().map(|task| one("task", task.order.id.to_string())));
        let open = open.chain(charts.iter().map(|chart| one("chart", chart.id.to_string())));
        Ok(open.chain(sessions.iter().map(|session| one("session", session.id.to_string()))).collect())
    }

    /// Where his account lies idle, the notice is over: there is nothing left to end.
    async fn idle_leaves(&mut self, tx: &mut Tx, about: About) -> Result<Option<Record>, DirectoryError> {
        let Some(idle) = find_dormancy(tx, about.person).await? else { return Ok(None) };
        let left = idle.closed_by_leaving(self.by, about.at);
        close_dormancy(tx, &left).await?;
        Ok(Some(dormancy_record(&left, left.version.saturating_add(1), "account_left", about.at)))
    }

    /// Here again, with nothing: what was left open when he went ended then.
    async fn rehired(&mut self, tx: &mut Tx, about: About) -> Result<Vec<Record>, DirectoryError> {
        let About { person, version, at, .. } = about;
        if person == self.by {
            return Err(DirectoryError::Own);
        }
        let left_at = about.left_at.unwrap_or(at);
        let (links, subjects) = end_links(tx, person, LinkEnd { by: self.by, at: left_at }).await?;
        lock_person(tx, person).await?;
        let revoked = revoke_grants(tx, person, None, EVERY_GRANT, Revocation { by: self.by, at: left_at }).await?;
        let deputies = end_deputies_of(tx, person, at).await?;
        revive_person(tx, person, version).await?;
        begin_use(tx, person, at).await?;
        let links: Vec<_> = links.iter().map(ToString::to_string).collect();
        let body = json!({
            "person": person.to_string(),
            "by": self.by.to_string(),
            "had_left_at": left_at.micros(),
            "grants": grants(&revoked),
            "links": links,
            "deputies": ids(&deputies),
        });
        let aggregate = (Aggregate::new("person", person), version.saturating_add(1));
        let mut records = vec![Record::new(aggregate, "person_rehired", at, subjects, &body)];
        records.extend(deputies.iter().map(|one| Record::deputy(one, one.version, at, self.by)));
        Ok(records)
    }

    /// Notes what is lost, from when on, and takes it where that is now.
    pub(super) async fn moves(
        &mut self,
        tx: &mut Tx,
        about: About,
        lost: &Lost,
    ) -> Result<Vec<(NewMove, Vec<HeldGrant>)>, DirectoryError> {
        let roles: Vec<Option<&RoleCode>> = match lost {
            Lost::All => vec![None],
            Lost::Roles(roles) => roles.iter().map(Some).collect(),
        };
        if !roles.is_empty() {
            lock_person(tx, about.person).await?;
        }
        let mut done = Vec::new();
        for role in roles {
            let new = NewMove {
                id: self.new_id(about.at),
                person: about.person,
                role: role.cloned(),
                noted_by: self.by,
                noted_at: about.at,
                effective_at: about.effective_at.max(about.at),
            };
            let stored = insert_move(tx, &new).await?;
            let mut revoked = Vec::new();
            if stored.effective_at <= about.at {
                let revocation = Revocation { by: self.by, at: stored.effective_at };
                revoked = revoke_grants(tx, about.person, role, stored.covers_until, revocation).await?;
                settle_move(tx, stored.id, stored.version, about.at).await?;
            }
            done.push((new, revoked));
        }
        Ok(done)
    }

    pub(super) async fn leave_starts(
        &mut self,
        tx: &mut Tx,
        about: About,
        starts_at: Timestamp,
    ) -> Result<Record, DirectoryError> {
        let leave = if let Some(open) = find_open_leave(tx, about.person).await? {
            let leave = open.starts(starts_at)?;
            update_leave(tx, &leave).await?;
            Leave { version: leave.version.saturating_add(1), ..leave }
        } else {
            let id = self.new_id(about.at);
            let state = LeaveState::Open;
            let leave = Leave { id, person: about.person, starts_at, noted_by: self.by, state, version: 1 };
            insert_leave(tx, &leave, about.at).await?;
            leave
        };
        Ok(leave_record(&leave, "leave_started", self.by, about.at))
    }

    pub(super) async fn leave_ends(&mut self, tx: &mut Tx, about: About) -> Result<Record, DirectoryError> {
        let open = find_open_leave(tx, about.person).await?.ok_or(DirectoryError::NoLeave)?;
        let leave = open.ends(about.at)?;
        update_leave(tx, &leave).await?;
        let leave = Leave { version: leave.version.saturating_add(1), ..leave };
        Ok(leave_record(&leave, "leave_ended", self.by, about.at))
    }
}

fn ids(deputies: &[Deputy]) -> Vec<String> {
    deputies.iter().map(|one| one.id.to_string()).collect()
}

pub(super) fn leave_record(leave: &Leave, kind: &'static str, by: Id<Person>, at: Timestamp) -> Record {
    let body = json!({
        "leave": leave.id.to_string(),
        "person": leave.person.to_string(),
        "starts_at": leave.starts_at.micros(),
        "by": by.to_string(),
    });
    let aggregate = (Aggregate::new("leave", leave.id), leave.version);
    Record::new(aggregate, kind, at, Subject::Person(leave.person), &body)
}

/// The record of a move; none where nothing is lost.
fn moved(about: About, by: Id<Person>, lost: &Lost, moves: &[(NewMove, Vec<HeldGrant>)]) -> Option<Record> {
    let (first, _) = moves.first()?;
    let revoked: Vec<HeldGrant> = moves.iter().flat_map(|(_, revoked)| revoked.iter().cloned()).collect();
    let roles = match lost {
        Lost::All => Value::Null,
        Lost::Roles(roles) => roles.iter().map(RoleCode::as_str).collect(),
    };
    let body = json!({
        "person": about.person.to_string(),
        "moves": moves.iter().map(|(new, _)| new.id.to_string()).collect::<Vec<_>>(),
        "roles": roles,
        "effective_at": first.effective_at.micros(),
        "grants": grants(&revoked),
        "by": by.to_string(),
    });
    let aggregate = (Aggregate::new("move", first.id), 1);
    Some(Record::new(aggregate, "person_moved", about.at, Subject::Person(about.person), &body))
}

pub(super) fn grants(grants: &[HeldGrant]) -> Value {
    grants.iter().map(|grant| json!({ "grant": grant.id.to_string(), "role": grant.role.as_str() })).collect()
}

pub(super) fn union(left: &Subjects, right: &Subjects) -> Subjects {
    Subjects::new(left.iter().chain(right.iter()).cloned()).unwrap_or_else(|_| Subject::Everyone.into())
}
