//! Takes a whole reading over: in one transaction, with its event. A reading that is not whole, shows nobody, or stood before the last
//! one changes nothing of what is known.

use super::super::{Directory, DirectoryError};
use crate::limits::{SYSTEM_ACCOUNTS_MAX, SYSTEM_HOLDINGS_MAX, SYSTEM_NAME_BYTES_MAX, SYSTEM_RIGHTS_MAX};
use crate::ports::Shown;
use crate::record::Record;
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::Login;
use scruple_flow::connected::{ConnectedSystem, ReadFailure, RightMeaning, SystemRight, There};
use scruple_store::{
    Aggregate, Event, Person, Subjects, SystemHolding, Tx, delete_holding, find_person_by_login, insert_holding,
    insert_system_right, list_holdings, list_system_rights, note_reading, update_system_right,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// An account by its reference, and the right that it has; none: that it can be used.
type Key = (String, Option<Id<SystemRight>>);

/// What a reading should not be.
fn fault(shown: &Shown) -> Option<ReadFailure> {
    let accounts: BTreeSet<&str> = shown.accounts.iter().map(|one| one.there.expose().reference.as_str()).collect();
    let rights: BTreeSet<&str> = shown.rights.iter().map(|one| one.expose().reference.as_str()).collect();
    let holdings: usize = shown.accounts.iter().map(|one| one.rights.len().saturating_add(1)).sum();
    let plain = |there: &There| {
        let texts = [&there.reference, &there.name];
        !there.reference.is_empty()
            && texts.iter().all(|text| text.len() <= SYSTEM_NAME_BYTES_MAX && !text.contains(['\n', '\r']))
    };
    let all = shown.accounts.iter().map(|one| &one.there).chain(&shown.rights);
    let mut named = shown.accounts.iter().flat_map(|one| &one.rights);
    if accounts.len() > SYSTEM_ACCOUNTS_MAX || rights.len() > SYSTEM_RIGHTS_MAX || holdings > SYSTEM_HOLDINGS_MAX {
        return Some(ReadFailure::TooLarge);
    }
    // A system that shows nobody would have everything confirmed as removed.
    if !shown.accounts.iter().any(|one| one.is_active) {
        return Some(ReadFailure::Empty);
    }
    let is_whole = accounts.len() == shown.accounts.len()
        && rights.len() == shown.rights.len()
        && named.all(|reference| rights.contains(reference.as_str()))
        && all.map(Phi::expose).all(plain);
    if is_whole { None } else { Some(ReadFailure::Malformed) }
}

impl Directory<'_> {
    /// Notes what came of a reading that began at `began`; whether it is taken over.
    pub(super) async fn take_reading(
        &mut self,
        system: &ConnectedSystem,
        began: Timestamp,
        shown: Result<Shown, ReadFailure>,
    ) -> Result<bool, DirectoryError> {
        let shown = match shown.and_then(|shown| fault(&shown).map_or(Ok(shown), Err)) {
            Ok(shown) => shown,
            Err(failure) => return self.not_read(system, began, failure).await,
        };
        let stood = shown.as_of.map_or(began, |stood| stood.min(began));
        if system.read_at.is_some_and(|last| last > stood) {
            // What stood before the last reading is no news.
            return self.not_read(system, began, ReadFailure::Incomplete).await;
        }
        if shown.as_of.is_some() && system.read_at == Some(stood) {
            return self.same_again(system, began, stood).await;
        }
        let mut tx = self.store.begin().await?;
        note_reading(&mut tx, system.id, began, Ok(stood)).await?;
        let rights = self.take_rights(&mut tx, system, &shown).await?;
        let changed = self.take_holdings(&mut tx, system, (&shown, &rights), stood).await?;
        let body = json!({
            "system": system.id.to_string(),
            "read_at": stood.micros(),
            "accounts": shown.accounts.len(),
            "rights": shown.rights.len(),
            "holdings": shown.accounts.iter().map(|one| one.rights.len()).sum::<usize>(),
            "changed": changed,
        });
        let record = self.reading_record("system_read", began, &body);
        self.commit(tx, &[record]).await?;
        Ok(true)
    }

    /// The file is the one that was read before: it is looked at, and nothing else. That is no change of state, and no event.
    async fn same_again(
        &mut self,
        system: &ConnectedSystem,
        began: Timestamp,
        stood: Timestamp,
    ) -> Result<bool, DirectoryError> {
        self.store.note_look(system.id, began, stood).await?;
        Ok(true)
    }

    async fn not_read(
        &mut self,
        system: &ConnectedSystem,
        began: Timestamp,
        failure: ReadFailure,
    ) -> Result<bool, DirectoryError> {
        let mut tx = self.store.begin().await?;
        note_reading(&mut tx, system.id, began, Err(failure)).await?;
        let body = json!({ "system": system.id.to_string(), "failure": failure.code() });
        let record = self.reading_record("system_not_read", began, &body);
        self.commit(tx, &[record]).await?;
        tracing::warn!(system.code = system.code.as_str(), failure = failure.code(), "a connected system was not read");
        Ok(false)
    }

    fn reading_record(&mut self, kind: &'static str, at: Timestamp, body: &Value) -> Record {
        let reading: Id<Event> = self.new_id(at);
        Record::new((Aggregate::new("system_reading", reading), 1), kind, at, Subjects::none(), body)
    }

    /// The rights of the system by their references; new ones stand for nothing yet.
    async fn take_rights(
        &mut self,
        tx: &mut Tx,
        system: &ConnectedSystem,
        shown: &Shown,
    ) -> Result<BTreeMap<String, Id<SystemRight>>, DirectoryError> {
        let (mut known, mut after) = (BTreeMap::new(), None);
        loop {
            let page = list_system_rights(tx, system.id, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            known.extend(page.into_iter().map(|right| (right.there.expose().reference.clone(), right)));
        }
        let mut rights = BTreeMap::new();
        for there in &shown.rights {
            let reference = &there.expose().reference;
            let id = match known.get(reference) {
                Some(right) => {
                    if right.there != *there {
                        update_system_right(tx, &SystemRight { there: there.clone(), ..right.clone() }).await?;
                    }
                    right.id
                }
                None => {
                    let (id, meaning) = (self.new_id(self.clock.now()), RightMeaning::Undecided);
                    let right = SystemRight { id, system: system.id, there: there.clone(), meaning, version: 1 };
                    insert_system_right(tx, &right).await?;
                    id
                }
            };
            rights.insert(reference.clone(), id);
        }
        Ok(rights)
    }

    /// What was known and is not shown goes, what is shown and was not known comes; answers with how many.
    async fn take_holdings(
        &mut self,
        tx: &mut Tx,
        system: &ConnectedSystem,
        (shown, rights): (&Shown, &BTreeMap<String, Id<SystemRight>>),
        stood: Timestamp,
    ) -> Result<usize, DirectoryError> {
        let (mut known, mut after) = (BTreeMap::<Key, SystemHolding>::new(), None);
        loop {
            let page = list_holdings(tx, system.id, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            known.extend(page.into_iter().map(|one| ((one.account.expose().reference.clone(), one.right), one)));
        }
        let (mut changed, mut new) = (0, Vec::new());
        for account in &shown.accounts {
            let person = person_of(tx, account.there.expose()).await?;
            let held = account.rights.iter().filter_map(|reference| rights.get(reference)).copied().map(Some);
            for right in held.chain(account.is_active.then_some(None)) {
                let key = (account.there.expose().reference.clone(), right);
                match known.remove(&key) {
                    Some(same) if same.person == person && same.account == account.there => {}
                    was => {
                        if let Some(was) = was {
                            delete_holding(tx, was.id).await?;
                        }
                        new.push((account.there.clone(), person, right));
                    }
                }
            }
        }
        for gone in known.into_values() {
            delete_holding(tx, gone.id).await?;
            changed += 1;
        }
        for (account, person, right) in new {
            let (id, system) = (self.new_id(stood), system.id);
            insert_holding(tx, &SystemHolding { id, system, account, person, right, read_at: stood }).await?;
            changed += 1;
        }
        Ok(changed)
    }
}

/// Whose an account is: his whose login it has, here or gone.
async fn person_of(tx: &mut Tx, account: &There) -> Result<Option<Id<Person>>, DirectoryError> {
    let Ok(login) = account.name.parse::<Login>() else { return Ok(None) };
    Ok(find_person_by_login(tx, &login).await?.map(|person| person.id))
}
