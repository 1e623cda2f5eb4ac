//! [`History`]: who opened a chart in a period, by person, each opening with why.
//!
//! Why comes from what was recorded with the access. Where the record says nothing, because the policy assumed a relationship or the
//! access stands in the log of another system, it is judged by what is known here: what was opened to the person by his word, a
//! request or an emergency, and what the record system relates him by. What nothing explains stands as unexplained.

use super::AccessFacts;
use crate::limits::{HISTORY_ACCESSES_MAX, HISTORY_JUDGED_MAX};
use scruple_core::{Id, Timestamp};
use scruple_flow::{AccessTask, ChartQuestion, Elevation, ElevationKind, HeldGrant, Login, PatientRef, Person};
use scruple_release::Pipeline;
use scruple_store::{
    AccessBasis, AccessOutcome, AccessSource, AfterAccess, ChartAccess, LinkState, Store, StoreError, Tx, find_person,
    find_person_by_login, limits::ACCESS_ROWS_MAX, list_chart_accesses, list_elevations_of_patient, list_grants_of,
    list_links, list_sources, list_tasks_of_patient,
};
use std::collections::{BTreeMap, BTreeSet};

/// Why a history cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// The database failed.
    #[error("accesses cannot be read")]
    Store(#[from] StoreError),
}

/// Why somebody opened a chart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Why {
    /// A relation of the record system: recorded with the access, or found there afterwards.
    Related {
        /// Its kind.
        kind: AccessBasis,
        /// What it rests on, as `Encounter/e1`.
        on: String,
        /// It was found afterwards.
        afterwards: bool,
    },
    /// The chart was opened to him beyond his role.
    Opened(Box<Elevation>),
    /// An access task that somebody else had approved named the patient.
    Tasked(Box<AccessTask>),
    /// The privacy office asked about the chart.
    Inquiry,
    /// The role alone: nothing ties him to this patient, and the policy asks for nothing.
    Role,
    /// Nothing explains it.
    Nothing,
    /// He had left by then.
    Left,
    /// He held no role here then.
    NoRole,
    /// Nobody here knows who it was.
    Stranger,
    /// The record system could not be asked.
    NotAsked,
    /// He saw nothing: there was nothing to explain.
    SawNothing,
}

/// How what somebody did stands, the worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// Something of it is explained by nothing.
    Unexplained,
    /// Something of it was in an emergency.
    Emergency,
    /// Something of it rests on the role alone.
    RoleAlone,
    /// He tried, and saw nothing.
    Tried,
    /// All of it is explained.
    Explained,
}

impl Standing {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unexplained => "unexplained",
            Self::Emergency => "emergency",
            Self::RoleAlone => "role",
            Self::Tried => "tried",
            Self::Explained => "explained",
        }
    }
}

impl Why {
    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match self {
            Self::Nothing | Self::Left | Self::NoRole | Self::Stranger | Self::NotAsked => Standing::Unexplained,
            Self::Opened(elevation) if matches!(elevation.held.kind, ElevationKind::Emergency { .. }) => {
                Standing::Emergency
            }
            Self::Role => Standing::RoleAlone,
            Self::SawNothing => Standing::Tried,
            Self::Related { .. } | Self::Opened(_) | Self::Tasked(_) | Self::Inquiry => Standing::Explained,
        }
    }
}

/// One opening.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// As it is known.
    pub access: ChartAccess,
    /// What was opened and how.
    pub facts: AccessFacts,
    /// Why.
    pub why: Why,
}

/// What came of an opening for the patient.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Sight {
    /// His record was shown, or some of it.
    Record,
    /// He stood in an answer about several patients.
    List,
    /// Nothing of him was shown: it was refused, or nothing was found.
    Nothing,
}

impl Opening {
    /// What came of it for the patient.
    #[must_use]
    pub const fn sight(&self) -> Sight {
        match self.access.outcome {
            AccessOutcome::Opened if self.facts.patients > 1 => Sight::List,
            AccessOutcome::Opened => Sight::Record,
            AccessOutcome::Nothing | AccessOutcome::Refused => Sight::Nothing,
        }
    }
}

/// Somebody who opened the chart, or tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reader {
    /// Who, if he is known here.
    pub person: Option<Person>,
    /// As the logs name him.
    pub actor: String,
    /// What he did, oldest first.
    pub openings: Vec<Opening>,
}

impl Reader {
    /// How it stands: the worst of what he saw. Who saw nothing each time has tried.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let seen = self.openings.iter().map(|opening| opening.why.standing());
        let seen = seen.filter(|standing| *standing != Standing::Tried).min();
        seen.unwrap_or(if self.openings.is_empty() { Standing::Explained } else { Standing::Tried })
    }

    /// When he did it first, and last.
    #[must_use]
    pub fn between(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.openings.first()?.access.at, self.openings.last()?.access.at))
    }
}

/// Who opened a chart in a period.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    /// The people, who stands worst first; of these who opened it last first.
    pub readers: Vec<Reader>,
    /// Accesses that it tells of.
    pub accesses: usize,
    /// There are more than it tells of.
    pub is_cut: bool,
    /// The logs that it was told from, by id.
    pub sources: BTreeMap<Id<AccessSource>, AccessSource>,
}

impl History {
    /// Tells who opened the chart of a question.
    ///
    /// # Errors
    /// The database failed. Where the record system fails, what it would explain stands as [`Why::NotAsked`].
    pub async fn of(store: &Store, pipeline: &Pipeline, question: &ChartQuestion) -> Result<Self, ChartError> {
        let mut tx = store.begin_read().await?;
        let sources = list_sources(&mut tx).await?.into_iter().map(|source| (source.id, source)).collect();
        let (accesses, is_cut) = accesses(&mut tx, question).await?;
        let patient = question.keys.expose().iter().find_map(|key| key.strip_prefix("Patient/"));
        let (elevations, tasks) = match patient.and_then(|id| id.parse::<PatientRef>().ok()) {
            Some(patient) => (elevations(&mut tx, &patient).await?, tasks(&mut tx, &patient).await?),
            None => (Vec::new(), Vec::new()),
        };
        let count = accesses.len();
        let mut by_who: BTreeMap<(Option<Id<Person>>, String), Vec<ChartAccess>> = BTreeMap::new();
        let mut by_login = BTreeMap::new();
        for mut access in accesses {
            if access.person.is_none() {
                access.person = since_known(&mut tx, access.actor.expose(), &mut by_login).await?;
            }
            let actor = access.person.map_or_else(|| access.actor.expose().clone(), |_| String::new());
            by_who.entry((access.person, actor)).or_default().push(access);
        }
        let mut readers = Vec::with_capacity(by_who.len());
        let mut judged = 0;
        for ((person, _), accesses) in by_who {
            let person = match person {
                Some(person) => find_person(&mut tx, person).await?,
                None => None,
            };
            let actor = accesses.first().map(|access| access.actor.expose().clone()).unwrap_or_default();
            let known = Known::of(&mut tx, person, (&elevations, &tasks)).await?;
            let openings = known.judge(pipeline, patient, accesses, &mut judged).await;
            readers.push(Reader { person: known.person, actor, openings });
        }
        readers.sort_by_key(|reader| {
            let last = reader.between().map_or(i64::MIN, |(_, last)| last.micros());
            (reader.standing(), std::cmp::Reverse(last))
        });
        Ok(Self { readers, accesses: count, is_cut, sources })
    }

    /// What a complaint about somebody is about: everything that he did here, from the first to the last. None: he did nothing.
    #[must_use]
    pub fn about(&self, reader: Id<Person>) -> Option<(Timestamp, Timestamp)> {
        let is_he = |one: &&Reader| one.person.as_ref().is_some_and(|person| person.id == reader);
        self.readers.iter().find(is_he).and_then(Reader::between)
    }
}

/// The accesses under all the names that logs have for the patient, oldest first.
async fn accesses(tx: &mut Tx, question: &ChartQuestion) -> Result<(Vec<ChartAccess>, bool), StoreError> {
    let mut all: BTreeMap<(Timestamp, Id<ChartAccess>), ChartAccess> = BTreeMap::new();
    let mut is_cut = false;
    for key in question.keys.expose() {
        let mut after: AfterAccess = None;
        let mut taken = 0;
        loop {
            let page = list_chart_accesses(tx, key, (question.from, question.until), after).await?;
            let is_last = i64::try_from(page.len()) != Ok(ACCESS_ROWS_MAX);
            after = page.last().map(|access| (access.at, access.id));
            taken += page.len();
            all.extend(page.into_iter().map(|access| ((access.at, access.id), access)));
            if is_last {
                break;
            }
            if taken >= HISTORY_ACCESSES_MAX {
                is_cut = true;
                break;
            }
        }
    }
    Ok((all.into_values().collect(), is_cut))
}

/// Who has the login of somebody whom nobody knew when his access was stored: he may have been added since.
async fn since_known(
    tx: &mut Tx,
    actor: &str,
    known: &mut BTreeMap<String, Option<Id<Person>>>,
) -> Result<Option<Id<Person>>, StoreError> {
    if let Some(found) = known.get(actor) {
        return Ok(*found);
    }
    let found = match actor.to_lowercase().parse::<Login>() {
        Ok(login) => find_person_by_login(tx, &login).await?.map(|person| person.id),
        Err(_) => None,
    };
    known.insert(actor.to_owned(), found);
    Ok(found)
}

/// Every opening of a patient's chart beyond a role.
async fn elevations(tx: &mut Tx, patient: &PatientRef) -> Result<Vec<Elevation>, StoreError> {
    let mut all: Vec<Elevation> = Vec::new();
    while all.len() < HISTORY_ACCESSES_MAX {
        let page = list_elevations_of_patient(tx, patient, all.last().map(|one| one.held.id)).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    Ok(all)
}

/// Every task that named the patient.
async fn tasks(tx: &mut Tx, patient: &PatientRef) -> Result<Vec<AccessTask>, StoreError> {
    let mut all: Vec<AccessTask> = Vec::new();
    while all.len() < HISTORY_ACCESSES_MAX {
        let page = list_tasks_of_patient(tx, patient, all.last().map(|one| one.order.id)).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    Ok(all)
}

/// What is known here of one person.
struct Known<'a> {
    person: Option<Person>,
    elevations: Vec<&'a Elevation>,
    tasks: Vec<&'a AccessTask>,
    grants: Vec<HeldGrant>,
    practitioners: Vec<String>,
}

impl<'a> Known<'a> {
    async fn of(
        tx: &mut Tx,
        person: Option<Person>,
        (all, tasks): (&'a [Elevation], &'a [AccessTask]),
    ) -> Result<Self, StoreError> {
        let Some(person) = person else {
            return Ok(Self {
                person: None,
                elevations: Vec::new(),
                tasks: Vec::new(),
                grants: Vec::new(),
                practitioners: Vec::new(),
            });
        };
        let tasks = tasks.iter().filter(|task| task.order.person == person.id).collect();
        let elevations = all.iter().filter(|one| one.held.person == person.id).collect();
        let grants = list_grants_of(tx, person.id).await?;
        let links = list_links(tx, person.id, None, scruple_store::limits::PAGE_ROWS_MAX).await?;
        // Whom two people share relates neither.
        let links = links.into_iter().filter(|link| link.state != LinkState::Ambiguous);
        let practitioners = links.map(|link| link.practitioner.to_string()).collect::<BTreeSet<_>>();
        let practitioners = practitioners.into_iter().collect();
        Ok(Self { person: Some(person), elevations, tasks, grants, practitioners })
    }

    /// What his own word, a request or an emergency opened to him at an instant.
    fn opened(&self, access: &ChartAccess) -> Option<&'a Elevation> {
        let covers = |one: &&&Elevation| {
            let until = one.ended.map_or(one.held.window.ends_at(), |end| end.at.min(one.held.window.ends_at()));
            access.elevation == Some(one.held.id)
                || access.elevation.is_none() && one.held.window.starts_at() <= access.at && access.at < until
        };
        self.elevations.iter().find(covers).copied()
    }

    /// The task under which it was.
    fn tasked(&self, access: &ChartAccess) -> Option<Why> {
        let under = access.elevation.map(Id::uuid);
        let task = self.tasks.iter().find(|task| under == Some(task.order.id.uuid()))?;
        Some(Why::Tasked(Box::new((*task).clone())))
    }

    fn roles(&self, access: &ChartAccess) -> BTreeSet<String> {
        match &access.role {
            Some(role) if self.grants.iter().any(|grant| grant.role.as_str() == role) => BTreeSet::from([role.clone()]),
            _ => {
                let held = self.grants.iter().filter(|grant| grant.window.contains(access.at));
                held.map(|grant| grant.role.to_string()).collect()
            }
        }
    }

    /// What the records alone say of an access; none: it has to be judged.
    fn recorded(&self, access: &ChartAccess, facts: &AccessFacts) -> Option<Why> {
        if access.outcome != AccessOutcome::Opened {
            return Some(Why::SawNothing);
        }
        let opened = || self.opened(access).map(|one| Why::Opened(Box::new(one.clone())));
        match access.basis {
            AccessBasis::Encounter | AccessBasis::Appointment | AccessBasis::CareTeam | AccessBasis::Panel => {
                let on = facts.relation.split_once(' ').map_or("", |(_, on)| on).to_owned();
                Some(Why::Related { kind: access.basis, on, afterwards: false })
            }
            AccessBasis::Asked | AccessBasis::Declared | AccessBasis::Emergency => {
                opened().or_else(|| self.tasked(access)).or(Some(Why::Nothing))
            }
            AccessBasis::Inquiry => Some(Why::Inquiry),
            AccessBasis::Role => Some(Why::Role),
            AccessBasis::Assumed | AccessBasis::Unknown => {
                let Some(person) = &self.person else { return Some(Why::Stranger) };
                if person.left_at.is_some_and(|left| left <= access.at) {
                    return Some(Why::Left);
                }
                opened().or_else(|| self.roles(access).is_empty().then_some(Why::NoRole))
            }
        }
    }

    /// Why each was opened. One question to the record system for each role, however many accesses.
    async fn judge(
        &self,
        pipeline: &Pipeline,
        patient: Option<&str>,
        accesses: Vec<ChartAccess>,
        judged: &mut usize,
    ) -> Vec<Opening> {
        let read = |access: &ChartAccess| AccessFacts::from_bytes(access.facts.expose());
        let mut whys: Vec<Option<Why>> = accesses.iter().map(|access| self.recorded(access, &read(access))).collect();
        let mut by_role: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, (why, access)) in whys.iter().zip(&accesses).enumerate() {
            if why.is_none() {
                self.roles(access).into_iter().for_each(|role| by_role.entry(role).or_default().push(place));
            }
        }
        if !by_role.is_empty() {
            *judged += 1;
        }
        for (role, places) in by_role {
            let at: Vec<Timestamp> = places.iter().filter_map(|place| accesses.get(*place)).map(|one| one.at).collect();
            let related = match patient {
                Some(patient) if *judged <= HISTORY_JUDGED_MAX => {
                    pipeline.related(&role, &self.practitioners, patient, &at).await
                }
                Some(_) => Ok(Vec::new()),
                // A patient whom the record system does not know: nothing there relates anybody to him.
                None => Ok(vec![None; at.len()]),
            };
            let asks_none = pipeline.policy().pack().roles.get(&role).is_some_and(|role| {
                let by = &role.related_by;
                by.encounter.is_none() && by.appointment.is_none() && by.care_team.is_none() && !by.panel
            });
            for (number, place) in places.into_iter().enumerate() {
                let Some(slot) = whys.get_mut(place) else { continue };
                let found = match related.as_ref().map(|found| found.get(number)) {
                    Ok(Some(Some(on))) => related_by(on),
                    Ok(Some(None)) if asks_none => Why::Role,
                    Ok(Some(None)) => Why::Nothing,
                    Ok(None) | Err(_) => Why::NotAsked,
                };
                // Of several roles the one that explains it best counts.
                if slot.as_ref().is_none_or(|known| known.standing() < found.standing()) {
                    *slot = Some(found);
                }
            }
        }
        let one = |(access, why): (ChartAccess, Option<Why>)| Opening {
            facts: read(&access),
            why: why.unwrap_or(Why::Nothing),
            access,
        };
        accesses.into_iter().zip(whys).map(one).collect()
    }
}

fn related_by(on: &str) -> Why {
    let (kind, on) = on.split_once(' ').unwrap_or((on, ""));
    match AccessBasis::of(kind) {
        Some(kind) => Why::Related { kind, on: on.to_owned(), afterwards: true },
        None => Why::Nothing,
    }
}
