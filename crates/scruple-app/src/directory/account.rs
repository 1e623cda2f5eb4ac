//! Accounts of systems: who answers for each, what it is for and may be used for, until when; and that it is looked at.

use super::{Directory, DirectoryError, Done};
use crate::record::Record;
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{Account, AccountKind, reason};
use scruple_store::{Aggregate, Person, Subject, Tx, find_account, find_person, insert_account, update_account};
use serde_json::json;

/// What is to be registered of an account.
#[derive(Clone, Debug)]
pub struct AccountOrder {
    /// Its kind.
    pub kind: AccountKind,
    /// Who answers for it.
    pub owner: Id<Person>,
    /// What it is for, in a sentence.
    pub purpose: Phi<String>,
    /// What its tokens may be used for.
    pub scopes: Vec<String>,
    /// When its secrets are to be other ones.
    pub rotate_by: Timestamp,
    /// Days after which it is looked at again.
    pub review_days: u16,
    /// When it ends.
    pub ends_at: Timestamp,
}

impl Directory<'_> {
    /// Registers an account, or registers it otherwise, as it was at `version`; without one it is a new registration.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn register_account(
        &mut self,
        person: Id<Person>,
        version: Option<i64>,
        order: &AccountOrder,
    ) -> Result<Done<Account>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        if person == self.by {
            return Err(DirectoryError::Own);
        }
        is_here(&mut tx, person, at).await?.then_some(()).ok_or(DirectoryError::NoPerson)?;
        let known = find_account(&mut tx, person).await?;
        if known.as_ref().map(|known| known.version) != version {
            return Err(DirectoryError::Changed);
        }
        reason(order.purpose.expose(), None).map_err(|_| DirectoryError::Purpose)?;
        let account = Account {
            person,
            kind: order.kind,
            owner: Some(order.owner),
            purpose: order.purpose.clone(),
            scopes: order.scopes.clone(),
            rotate_by: order.rotate_by,
            review_days: order.review_days,
            reviewed_at: at,
            ends_at: order.ends_at,
            version: version.unwrap_or(1),
        };
        let account = account.checked(is_here(&mut tx, order.owner, at).await?, at)?;
        let kind = if version.is_some() { "account_changed" } else { "account_registered" };
        match version {
            Some(_) => update_account(&mut tx, &account).await?,
            None => insert_account(&mut tx, &account).await?,
        }
        let version = version.map_or(1, |version| version.saturating_add(1));
        self.finish_account(tx, Account { version, ..account }, kind, at).await
    }

    /// Who answers for an account has looked at it: it is needed as it is.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn review_account(&mut self, person: Id<Person>, version: i64) -> Result<Done<Account>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let known = find_account(&mut tx, person).await?.ok_or(DirectoryError::NoPerson)?;
        if known.version != version {
            return Err(DirectoryError::Changed);
        }
        if known.owner != Some(self.by) {
            return Err(DirectoryError::NotTheOwner);
        }
        let account = Account { reviewed_at: at.max(known.reviewed_at), ..known };
        update_account(&mut tx, &account).await?;
        let version = version.saturating_add(1);
        self.finish_account(tx, Account { version, ..account }, "account_reviewed", at).await
    }

    async fn finish_account(
        &mut self,
        tx: Tx,
        account: Account,
        kind: &'static str,
        at: Timestamp,
    ) -> Result<Done<Account>, DirectoryError> {
        let record = account_record(&account, kind, self.by, at);
        let position = self.commit(tx, &[record]).await?;
        Ok(Done { value: account, changes: Vec::new(), position })
    }
}

async fn is_here(tx: &mut Tx, person: Id<Person>, at: Timestamp) -> Result<bool, DirectoryError> {
    let found = find_person(tx, person).await?;
    Ok(found.is_some_and(|person| person.left_at.is_none_or(|left| left > at)))
}

pub(super) fn account_record(account: &Account, kind: &'static str, by: Id<Person>, at: Timestamp) -> Record {
    let body = json!({
        "person": account.person.to_string(),
        "kind": account.kind.as_str(),
        "owner": account.owner.map(|owner| owner.to_string()),
        "scopes": account.scopes,
        "rotate_by": account.rotate_by.micros(),
        "review_days": account.review_days,
        "ends_at": account.ends_at.micros(),
        "by": by.to_string(),
    });
    let aggregate = (Aggregate::new("account", account.person), account.version);
    Record::new(aggregate, kind, at, Subject::Person(account.person), &body)
}
