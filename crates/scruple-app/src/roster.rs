//! [`Roster`]: names and logins of everybody, opened once and kept in memory. A search over sealed columns would open each of them, each
//! time.

use scruple_core::{Id, Phi};
use scruple_store::{Person, Store, StoreError, Tx, find_person, list_persons, person_versions, persons_mark};
use std::collections::BTreeMap;
use std::ops::Bound;
use tokio::sync::Mutex;

/// So many who have changed are looked up one by one; of more, everybody is read anew.
const CHANGED_MAX: usize = 500;

/// Names and logins, as the database had them when somebody last looked for one.
#[derive(Default)]
pub struct Roster(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// See [`persons_mark`].
    mark: (i64, i64),
    known: BTreeMap<Id<Person>, Known>,
}

struct Known {
    version: i64,
    /// Name in small letters, and login, a line each.
    words: Phi<String>,
}

impl Known {
    fn of(person: &Person) -> Self {
        let words = format!("{}\n{}", person.name.expose().to_lowercase(), person.login.expose());
        Self { version: person.version, words: Phi::new(words) }
    }
}

impl Roster {
    /// The login of each of these people.
    ///
    /// # Errors
    /// The database failed, or a column does not open.
    pub async fn logins(
        &self,
        store: &Store,
        people: impl IntoIterator<Item = Id<Person>>,
    ) -> Result<BTreeMap<Id<Person>, Phi<String>>, StoreError> {
        let mut kept = self.0.lock().await;
        kept.refresh(&mut store.begin_read().await?).await?;
        let login = |id: Id<Person>| {
            let login = kept.known.get(&id)?.words.expose().lines().last()?;
            Some((id, Phi::new(login.to_owned())))
        };
        Ok(people.into_iter().filter_map(login).collect())
    }

    /// Those whose name or login contains `wanted`, in small letters; in the order of their ids, at most `limit` after one.
    ///
    /// # Errors
    /// The database failed, or a column does not open.
    pub async fn find(
        &self,
        store: &Store,
        wanted: &str,
        (after, limit): (Option<Id<Person>>, usize),
    ) -> Result<Vec<Id<Person>>, StoreError> {
        let mut kept = self.0.lock().await;
        kept.refresh(&mut store.begin_read().await?).await?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let found = kept.known.range((from, Bound::Unbounded));
        let found = found.filter(|(_, known)| known.words.expose().lines().any(|line| line.contains(wanted)));
        Ok(found.map(|(id, _)| *id).take(limit).collect())
    }
}

impl Kept {
    async fn refresh(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        let mark = persons_mark(tx).await?;
        if mark == self.mark {
            return Ok(());
        }
        let versions = person_versions(tx).await?;
        let is_new =
            |(id, version): &&(Id<Person>, i64)| self.known.get(id).is_none_or(|known| known.version != *version);
        let changed: Vec<Id<Person>> = versions.iter().filter(is_new).map(|(id, _)| *id).collect();
        if changed.len() > CHANGED_MAX {
            let mut after = None;
            loop {
                let people = list_persons(tx, after).await?;
                let Some(last) = people.last() else { break };
                after = Some(last.id);
                self.known.extend(people.iter().map(|person| (person.id, Known::of(person))));
            }
        } else {
            for id in changed {
                if let Some(person) = find_person(tx, id).await? {
                    self.known.insert(id, Known::of(&person));
                }
            }
        }
        // Last: what broke off is looked up again.
        self.mark = mark;
        Ok(())
    }
}
