//! What somebody may read of access tasks: his own, those that he decides or has decided, those on a system that he owns, or all.

use super::{Page, Viewer, Whose};
use crate::desk::Rules;
use scruple_core::{Id, Timestamp};
use scruple_flow::{AccessTask, TaskState};
use scruple_policy::{Act, ActScope};
use scruple_store::{Store, StoreError, find_task, list_open_tasks, list_tasks, list_tasks_of};

impl Viewer {
    /// Whether he may decide a task now.
    #[must_use]
    pub fn may_decide_task(&self, rules: &dyn Rules, task: &AccessTask, now: Timestamp) -> bool {
        task.order.person != self.person
            && task.state_at(now) == TaskState::Pending
            && !self.roles.is_disjoint(&task.rule.approvers)
            && rules.scope(Act::Decide, &self.roles).is_some()
    }

    /// Whether he may end somebody else's task now: he approved it, owns its system, or oversees access.
    #[must_use]
    pub fn may_end_task(&self, rules: &dyn Rules, task: &AccessTask, now: Timestamp) -> bool {
        let is_open = matches!(task.state_at(now), TaskState::Approved(_) | TaskState::Active { .. });
        task.order.person != self.person
            && is_open
            && (self.has_decided(task)
                || self.owns_system(rules, task)
                || self.reaches(rules, Act::EndAccess, task.order.person))
    }

    fn has_decided(&self, task: &AccessTask) -> bool {
        match &task.state {
            TaskState::Approved(approval) | TaskState::Active { approval, .. } | TaskState::Ended { approval, .. } => {
                approval.by == self.person
            }
            TaskState::Denied { by, .. } => *by == self.person,
            _ => false,
        }
    }

    fn owns_system(&self, rules: &dyn Rules, task: &AccessTask) -> bool {
        let system = task.order.ticket.as_ref().map(|ticket| ticket.system.as_str());
        system.and_then(|system| rules.system_owner(system)).is_some_and(|owner| self.roles.contains(&owner))
    }

    fn sees_task(&self, rules: &dyn Rules, task: &AccessTask) -> bool {
        let is_named = !self.roles.is_disjoint(&task.rule.approvers);
        task.order.person == self.person
            || self.has_decided(task)
            || self.owns_system(rules, task)
            || is_named && rules.scope(Act::Decide, &self.roles).is_some()
            || rules.scope(Act::Requests, &self.roles) == Some(ActScope::All)
    }

    /// A task.
    ///
    /// # Errors
    /// The database failed.
    pub async fn task(
        &self,
        store: &Store,
        rules: &dyn Rules,
        id: Id<AccessTask>,
    ) -> Result<Option<AccessTask>, StoreError> {
        let found = find_task(&mut store.begin_read().await?, id).await?;
        Ok(found.filter(|task| self.sees_task(rules, task)))
    }

    /// Tasks: his own or all that he may see, the newest first; or those that he decides, the oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn tasks(
        &self,
        store: &Store,
        rules: &dyn Rules,
        (whose, now): (Whose, Timestamp),
        (after, limit): (Option<Id<AccessTask>>, usize),
    ) -> Result<Page<AccessTask, Id<AccessTask>>, StoreError> {
        let mut tx = store.begin_read().await?;
        let (mut rows, mut next, mut looked): (Vec<AccessTask>, _, usize) = (Vec::new(), after, 0);
        loop {
            let page = match whose {
                Whose::Mine => list_tasks_of(&mut tx, self.person, next).await?,
                Whose::Decide => list_open_tasks(&mut tx, next).await?,
                Whose::All => list_tasks(&mut tx, next).await?,
            };
            if page.is_empty() {
                return Ok(Page { rows, next: None });
            }
            for task in page {
                if rows.len() >= limit || looked >= super::SCANNED_MAX {
                    return Ok(Page { rows, next });
                }
                (next, looked) = (Some(task.order.id), looked + 1);
                let is_wanted = match whose {
                    Whose::Mine => true,
                    Whose::Decide => self.may_decide_task(rules, &task, now),
                    Whose::All => self.sees_task(rules, &task),
                };
                if is_wanted {
                    rows.push(task);
                }
            }
        }
    }
}
