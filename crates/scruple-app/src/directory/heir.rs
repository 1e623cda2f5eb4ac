//! What somebody answered for goes to others in the commit in which he leaves: systems' accounts and people who report to him, and
//! with those the requests that their line manager decides. To his manager, or the nearest above who is here; where there is none, the
//! privacy office has it, and it is a finding until somebody is named.

use super::leave::line_above;
use super::{Directory, DirectoryError};
use scruple_core::{Id, Timestamp};
use scruple_flow::connected::ConnectedSystem;
use scruple_flow::{Account, ApproverKind};
use scruple_store::limits::PAGE_ROWS_MAX;
use scruple_store::{
    Person, Subject, Subjects, Tx, list_accounts_owned, list_connected_systems, list_pending_requests, list_reports,
    pass_reports_on, update_account, update_connected_system,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What was passed on, and to whom.
pub(super) struct PassedOn {
    /// Who has it now; none: the privacy office.
    pub(super) heir: Option<Id<Person>>,
    /// Those who reported to him.
    pub(super) reports: Vec<Id<Person>>,
    accounts: Vec<Id<Person>>,
    requests: Vec<String>,
}

impl PassedOn {
    /// Each thing, for the record.
    pub(super) fn told(&self) -> Value {
        let ids = |ids: &[Id<Person>]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        json!({
            "to": self.heir.map(|heir| heir.to_string()),
            "office": self.heir.is_none().then_some("privacy_officer"),
            "accounts": ids(&self.accounts),
            "reports": ids(&self.reports),
            "requests": self.requests,
        })
    }

    /// Whose access it may alter: a system obtains nothing while nobody answers for it.
    pub(super) fn subjects(&self) -> Subjects {
        let all = self.accounts.iter().map(|person| Subject::Person(*person));
        Subjects::new(all).unwrap_or_else(|_| Subject::Everyone.into())
    }
}

impl Directory<'_> {
    pub(super) async fn pass_on(
        &mut self,
        tx: &mut Tx,
        person: Id<Person>,
        at: Timestamp,
    ) -> Result<PassedOn, DirectoryError> {
        let line = line_above(tx, person, at).await?;
        let heir = line.iter().find(|manager| manager.is_here && manager.person != person).map(|one| one.person);
        let mut accounts = Vec::new();
        loop {
            let owned = list_accounts_owned(tx, person).await?;
            let is_last = owned.len() < usize::try_from(PAGE_ROWS_MAX).unwrap_or(usize::MAX);
            for account in owned {
                // No account answers for itself.
                let owner = heir.filter(|heir| *heir != account.person);
                accounts.push(account.person);
                update_account(tx, &Account { owner, ..account }).await?;
            }
            if is_last {
                break;
            }
        }
        if let Some(heir) = heir {
            self.pass_systems_on(tx, (person, heir), at).await?;
        }
        let reports = list_reports(tx, person, None).await?;
        let requests = self.waits_for(tx, &reports, at).await?;
        if let Some(heir) = heir {
            pass_reports_on(tx, person, heir, at).await?;
        }
        Ok(PassedOn { heir, reports, accounts, requests })
    }

    /// Connected systems for which somebody answered.
    async fn pass_systems_on(
        &mut self,
        tx: &mut Tx,
        (from, to): (Id<Person>, Id<Person>),
        at: Timestamp,
    ) -> Result<(), DirectoryError> {
        let mut after = None;
        loop {
            let page = list_connected_systems(tx, after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for system in page.into_iter().filter(|system| system.owner == from) {
                let passed = ConnectedSystem { owner: to, set_by: self.by, set_at: at, ..system };
                update_connected_system(tx, &passed).await?;
            }
        }
    }

    /// The requests that a line manager of these people has to decide.
    async fn waits_for(
        &mut self,
        tx: &mut Tx,
        reports: &[Id<Person>],
        at: Timestamp,
    ) -> Result<Vec<String>, DirectoryError> {
        let reports: BTreeSet<&Id<Person>> = reports.iter().collect();
        if reports.is_empty() {
            return Ok(Vec::new());
        }
        let pending = list_pending_requests(tx, at).await?;
        let waits = pending.iter().filter(|request| {
            reports.contains(&request.person) && request.rule.needs.contains(&ApproverKind::LineManager)
        });
        Ok(waits.map(|request| request.id.to_string()).collect())
    }
}
