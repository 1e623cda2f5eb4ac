//! Messages to people outside of the console: that an emergency waits to be reviewed, that a request waits to be decided. Each is
//! decided on in the transaction of what it tells, is sent again until it is taken, and says nothing of anybody: a kind, a time and
//! a link that asks for sign-in.

use crate::directory::{DirectoryError, line_above};
use crate::limits::{MESSAGE_ATTEMPTS_MAX, MESSAGE_LEASE_MICROS, MESSAGE_TIMEOUT};
use crate::record::Record;
use rand_core::Rng;
use scruple_core::{Clock, Id, Phi, Timestamp, new_id};
use scruple_flow::unused::{UnusedNotice, UnusedState};
use scruple_flow::{AccessRequest, Alert, EmergencyReview, MappingReview, RequestState, ReviewState};
use scruple_store::limits::JOBS_LEASED_MAX;
use scruple_store::{
    Aggregate, Event, Job, JobFailure, LeasedJob, NewJob, Outcome, Person, ShardLease, Store, StoreError, Tx, enqueue,
    find_elevation, find_mapping_review, find_person, find_request, find_review, find_unused, finish_job, history,
    persons_without_role,
};
use std::pin::Pin;
use std::sync::Arc;
use tokio::time::timeout;
use uuid::Uuid;

/// The job that asks who is to be told.
const TELL: &str = "message_tell";
/// The job that tells it through one channel.
const SEND: &str = "message_send";
const MINUTE_MICROS: i64 = 60_000_000;
/// The longest time between two attempts.
const RETRY_MICROS_MAX: i64 = 60 * MINUTE_MICROS;

/// Marks the id of what a message is about.
#[derive(Debug)]
pub enum About {}

/// What a message tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// Somebody has opened a record in an emergency.
    EmergencyOpened(Id<EmergencyReview>),
    /// Somebody practises an emergency.
    Drill(Id<EmergencyReview>),
    /// Nobody has closed the review of an emergency in time.
    ReviewLate(Id<EmergencyReview>),
    /// Somebody asks for access.
    RequestWaits(Id<AccessRequest>),
    /// Half of the time to decide on it is over.
    RequestStillWaits(Id<AccessRequest>),
    /// Nobody has answered it: its backup may now.
    RequestEscalated(Id<AccessRequest>),
    /// Access is asked for more often than the house expects.
    RequestsOften(Id<Alert>),
    /// Somebody opens charts in emergencies more often than the house expects.
    EmergenciesOften(Id<Alert>),
    /// What is specially protected was opened too, in an emergency.
    EmergencyProtected(Id<EmergencyReview>),
    /// The reader owes a sentence: to himself.
    SentenceOwed(Id<EmergencyReview>),
    /// His shift is over without one.
    SentenceNotGiven(Id<EmergencyReview>),
    /// Somebody holds a role that he does not use: to himself.
    RoleUnused(Id<UnusedNotice>),
    /// The same, to his manager.
    RoleUnusedInTeam(Id<UnusedNotice>),
    /// Its holder has said why he needs it: to his manager, who decides.
    RoleObjected(Id<UnusedNotice>),
    /// The mapping of a role is due to be looked at.
    MappingDue(Id<MappingReview>),
    /// Nobody has looked at it in time.
    MappingLate(Id<MappingReview>),
    /// There are people who hold no role.
    NoRole(Id<Week>),
}

/// Marks the number of a week, by which something is told once in it.
#[derive(Debug)]
pub enum Week {}

/// The id of the week of an instant.
#[must_use]
pub fn week(at: Timestamp) -> Id<Week> {
    let number = at.micros().div_euclid(7 * 24 * 60 * MINUTE_MICROS);
    Id::from_uuid(Uuid::from_u128(u128::from(number.unsigned_abs())))
}

impl Told {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::EmergencyOpened(_) => "emergency_opened",
            Self::Drill(_) => "emergency_drill",
            Self::ReviewLate(_) => "review_late",
            Self::RequestWaits(_) => "request_waits",
            Self::RequestStillWaits(_) => "request_still_waits",
            Self::RequestEscalated(_) => "request_escalated",
            Self::RequestsOften(_) => "requests_often",
            Self::EmergenciesOften(_) => "emergencies_often",
            Self::EmergencyProtected(_) => "emergency_protected",
            Self::SentenceOwed(_) => "sentence_owed",
            Self::SentenceNotGiven(_) => "sentence_not_given",
            Self::RoleUnused(_) => "role_unused",
            Self::RoleUnusedInTeam(_) => "role_unused_in_team",
            Self::RoleObjected(_) => "role_objected",
            Self::MappingDue(_) => "mapping_due",
            Self::MappingLate(_) => "mapping_late",
            Self::NoRole(_) => "people_without_role",
        }
    }

    /// It goes to one person alone, and by no way that others read.
    #[must_use]
    pub const fn is_personal(self) -> bool {
        matches!(self, Self::SentenceOwed(_) | Self::RoleUnused(_) | Self::RoleUnusedInTeam(_) | Self::RoleObjected(_))
    }

    /// To whom alone it goes at `now`; none: it is nobody's, or he is not here.
    async fn to(self, tx: &mut Tx, now: Timestamp) -> Result<Option<Person>, StoreError> {
        let person = match self {
            Self::SentenceOwed(id) => find_review(tx, id).await?.map(|review| review.reader),
            Self::RoleUnused(id) => find_unused(tx, id).await?.map(|notice| notice.person),
            Self::RoleUnusedInTeam(id) | Self::RoleObjected(id) => match find_unused(tx, id).await? {
                Some(notice) => {
                    let line = match line_above(tx, notice.person, now).await {
                        Ok(line) => line,
                        Err(DirectoryError::Store(error)) => return Err(error),
                        Err(_) => Vec::new(),
                    };
                    line.into_iter().find(|manager| manager.is_here).map(|manager| manager.person)
                }
                None => None,
            },
            _ => None,
        };
        let Some(person) = person else { return Ok(None) };
        Ok(find_person(tx, person).await?.filter(|person| person.left_at.is_none_or(|left| left > now)))
    }

    const fn about(self) -> Id<About> {
        Id::from_uuid(match self {
            Self::EmergencyOpened(id) | Self::Drill(id) | Self::ReviewLate(id) => id.uuid(),
            Self::RequestWaits(id) | Self::RequestStillWaits(id) | Self::RequestEscalated(id) => id.uuid(),
            Self::RequestsOften(id) | Self::EmergenciesOften(id) => id.uuid(),
            Self::EmergencyProtected(id) | Self::SentenceOwed(id) | Self::SentenceNotGiven(id) => id.uuid(),
            Self::RoleUnused(id) | Self::RoleUnusedInTeam(id) | Self::RoleObjected(id) => id.uuid(),
            Self::MappingDue(id) | Self::MappingLate(id) => id.uuid(),
            Self::NoRole(week) => week.uuid(),
        })
    }

    fn of(text: &str) -> Option<Self> {
        let (code, id) = text.split_once(' ')?;
        let id: Uuid = id.parse().ok()?;
        Some(match code {
            "emergency_opened" => Self::EmergencyOpened(Id::from_uuid(id)),
            "emergency_drill" => Self::Drill(Id::from_uuid(id)),
            "review_late" => Self::ReviewLate(Id::from_uuid(id)),
            "request_waits" => Self::RequestWaits(Id::from_uuid(id)),
            "request_still_waits" => Self::RequestStillWaits(Id::from_uuid(id)),
            "request_escalated" => Self::RequestEscalated(Id::from_uuid(id)),
            "requests_often" => Self::RequestsOften(Id::from_uuid(id)),
            "emergencies_often" => Self::EmergenciesOften(Id::from_uuid(id)),
            "emergency_protected" => Self::EmergencyProtected(Id::from_uuid(id)),
            "sentence_owed" => Self::SentenceOwed(Id::from_uuid(id)),
            "sentence_not_given" => Self::SentenceNotGiven(Id::from_uuid(id)),
            "role_unused" => Self::RoleUnused(Id::from_uuid(id)),
            "role_unused_in_team" => Self::RoleUnusedInTeam(Id::from_uuid(id)),
            "role_objected" => Self::RoleObjected(Id::from_uuid(id)),
            "mapping_due" => Self::MappingDue(Id::from_uuid(id)),
            "mapping_late" => Self::MappingLate(Id::from_uuid(id)),
            "people_without_role" => Self::NoRole(Id::from_uuid(id)),
            _ => return None,
        })
    }

    fn text(self) -> String {
        format!("{} {}", self.code(), self.about())
    }

    /// The path of the console that it leads to.
    fn path(self) -> String {
        match self {
            Self::EmergencyOpened(id) | Self::Drill(id) | Self::ReviewLate(id) => format!("/emergency/{id}"),
            Self::EmergencyProtected(id) | Self::SentenceNotGiven(id) => format!("/emergency/{id}"),
            Self::SentenceOwed(id) => format!("/emergency/{id}/tell"),
            Self::RoleUnused(id) | Self::RoleUnusedInTeam(id) | Self::RoleObjected(id) => {
                format!("/access/unused/{id}")
            }
            Self::MappingDue(id) | Self::MappingLate(id) => format!("/roles/mappings/{id}"),
            Self::NoRole(_) => "/roles/fit".to_owned(),
            Self::RequestWaits(id) | Self::RequestStillWaits(id) | Self::RequestEscalated(id) => {
                format!("/requests/{id}")
            }
            // The figures of the days that were counted, which name who and how often.
            Self::RequestsOften(_) => "/requests/figures?days=30".to_owned(),
            Self::EmergenciesOften(_) => "/emergency/figures?days=30".to_owned(),
        }
    }

    /// A title without anybody in it.
    const fn title(self) -> &'static str {
        match self {
            Self::EmergencyOpened(_) => "A chart was opened in an emergency",
            Self::Drill(_) => "A drill: an emergency was practised",
            Self::ReviewLate(_) => "The review of an emergency is late",
            Self::RequestWaits(_) => "A request for access waits for a decision",
            Self::RequestStillWaits(_) => "A request for access still waits for a decision",
            Self::RequestEscalated(_) => "Nobody has answered a request for access: you may decide it now",
            Self::RequestsOften(_) => {
                "Access is asked for more often than expected: look whether a role has to be redesigned"
            }
            Self::EmergenciesOften(_) => "Emergency access is used more often than expected: look at it together",
            Self::EmergencyProtected(_) => "In an emergency, specially protected information was asked for too",
            Self::SentenceOwed(_) => "You opened a chart in an emergency: one sentence why, before your shift ends",
            Self::SentenceNotGiven(_) => "No sentence was given for an emergency access: ask the reader",
            Self::RoleUnused(_) => {
                "You have a role that you do not use: it ends in 14 days unless you say why you need it"
            }
            Self::RoleUnusedInTeam(_) => "A role in your team is not used: it ends in 14 days",
            Self::RoleObjected(_) => "Somebody in your team still needs a role that is not used: decide",
            Self::MappingDue(_) => "What a role opens is due to be looked at again",
            Self::MappingLate(_) => "Nobody has looked in time at what a role opens",
            Self::NoRole(_) => "There are people who hold no role: nothing is shown to them",
        }
    }

    /// Whether it is still worth telling.
    async fn still_holds(self, tx: &mut Tx, now: Timestamp) -> Result<bool, StoreError> {
        Ok(match self {
            Self::EmergencyOpened(_) | Self::Drill(_) | Self::RequestsOften(_) | Self::EmergenciesOften(_) => true,
            Self::EmergencyProtected(_) => true,
            Self::SentenceOwed(id) | Self::SentenceNotGiven(id) => match find_review(tx, id).await? {
                Some(review) if review.account.is_none() && !matches!(review.state, ReviewState::Closed(_)) => {
                    let elevation = find_elevation(tx, review.elevation).await?;
                    elevation.is_some_and(|elevation| elevation.justification.expose().is_empty())
                }
                _ => false,
            },
            Self::RoleUnused(id) | Self::RoleUnusedInTeam(id) => {
                find_unused(tx, id).await?.is_some_and(|notice| notice.state == UnusedState::Noticed)
            }
            Self::RoleObjected(id) => {
                find_unused(tx, id).await?.is_some_and(|notice| notice.state == UnusedState::Objected)
            }
            Self::MappingDue(id) => find_mapping_review(tx, id).await?.is_some_and(|review| review.verdict.is_none()),
            Self::MappingLate(id) => find_mapping_review(tx, id)
                .await?
                .is_some_and(|review| review.verdict.is_none() && review.due_at <= now),
            Self::NoRole(_) => !persons_without_role(tx, now, None).await?.is_empty(),
            Self::ReviewLate(id) => find_review(tx, id)
                .await?
                .is_some_and(|review| !matches!(review.state, ReviewState::Closed(_)) && review.due_at <= now),
            Self::RequestWaits(id) | Self::RequestStillWaits(id) | Self::RequestEscalated(id) => find_request(tx, id)
                .await?
                .is_some_and(|request| matches!(request.state_at(now), RequestState::Pending { .. })),
        })
    }
}

/// Decides, in a transaction, that something is told at `due`. It is told once, however often this is decided; false: it was before.
///
/// # Errors
/// The database failed.
pub(crate) async fn tell(
    tx: &mut Tx,
    rng: &mut (dyn Rng + Send),
    told: Told,
    at: Timestamp,
    due: Timestamp,
) -> Result<bool, StoreError> {
    put(tx, rng, (TELL, told, None), at, due).await
}

async fn put(
    tx: &mut Tx,
    rng: &mut (dyn Rng + Send),
    (name, told, channel): (&'static str, Told, Option<&str>),
    at: Timestamp,
    due: Timestamp,
) -> Result<bool, StoreError> {
    let payload = match channel {
        Some(channel) => format!("{} {channel}", told.text()),
        None => told.text(),
    };
    let key = format!("{name} {payload}");
    let job = NewJob {
        id: new_id::<Job>(at, rng),
        name,
        dedup_key: Some(&key),
        payload: payload.as_bytes(),
        at,
        run_at: due,
        attempts_max: MESSAGE_ATTEMPTS_MAX,
    };
    enqueue(tx, &job).await
}

/// A message, ready to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The same for each attempt, so that who receives it twice can tell.
    pub id: Id<Job>,
    /// What it tells.
    pub told: Told,
    /// A title.
    pub title: &'static str,
    /// The page that it leads to.
    pub link: String,
    /// Since when it is so.
    pub at: Timestamp,
    /// The mail address of the one person to whom it goes, or his login where the directory tells of none; none: to those whom the
    /// channel names.
    pub to: Option<Phi<String>>,
}

/// Who has taken a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// To how many addresses it went.
    pub recipients: usize,
    /// What the other side answered: a status, without words of it.
    pub status: u16,
}

/// Why a message was not taken: a stable code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the message was not taken: {0}")]
pub struct NotTaken(pub &'static str);

/// The delivery of a message.
pub type Delivering<'a> = Pin<Box<dyn Future<Output = Result<Receipt, NotTaken>> + Send + 'a>>;

/// A way to people: mail, a webhook.
pub trait Channel: Send + Sync {
    /// Its name in the record: lower case.
    fn name(&self) -> &'static str;

    /// Whether such a message goes this way.
    fn takes(&self, told: Told) -> bool;

    /// Delivers one.
    fn deliver<'a>(&'a self, message: &'a Message) -> Delivering<'a>;
}

/// Sends what is due.
pub struct Messenger {
    /// The state.
    pub store: Store,
    /// The shard that is written on.
    pub lease: ShardLease,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Ids are drawn from it.
    pub rng: Box<dyn Rng + Send + Sync>,
    /// The ways to people.
    pub channels: Vec<Arc<dyn Channel>>,
    /// The origin of the console.
    pub console: String,
}

impl Messenger {
    /// Sends what is due now; answers how many jobs there were.
    ///
    /// # Errors
    /// The database failed; what was not finished is done again.
    pub async fn run_once(&mut self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let until = now.plus_micros(MESSAGE_LEASE_MICROS);
        let jobs = self.store.lease_jobs(new_id(now, &mut *self.rng), now, until, JOBS_LEASED_MAX).await?;
        for job in &jobs {
            match self.run(job).await {
                // Somebody else has the job meanwhile.
                Err(StoreError::RowsAffected { table: "job", .. }) => {}
                other => other?,
            }
        }
        Ok(jobs.len())
    }

    async fn run(&mut self, job: &LeasedJob) -> Result<(), StoreError> {
        let payload = job.payload.expose();
        let text = std::str::from_utf8(payload).unwrap_or_default();
        match job.name.as_str() {
            TELL => match Told::of(text) {
                Some(told) => self.spread(job, told).await,
                None => self.give_up(job, "payload_unreadable").await,
            },
            SEND => {
                let parsed = text.rsplit_once(' ').and_then(|(told, channel)| Some((Told::of(told)?, channel)));
                match parsed {
                    Some((told, channel)) => self.send(job, told, channel).await,
                    None => self.give_up(job, "payload_unreadable").await,
                }
            }
            _ => self.give_up(job, "job_unknown").await,
        }
    }

    async fn give_up(&self, job: &LeasedJob, code: &'static str) -> Result<(), StoreError> {
        let at = self.clock.now();
        let retry_at = at.plus_micros(RETRY_MICROS_MAX);
        tracing::error!(job.name = job.name, code, "a job cannot be done");
        self.store.fail_job(job, JobFailure { code, at, retry_at }).await.map(drop)
    }

    /// One job for each channel, in the transaction that finishes this one.
    async fn spread(&mut self, job: &LeasedJob, told: Told) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        finish_job(&mut tx, job, at).await?;
        let somebody = !told.is_personal() || told.to(&mut tx, at).await?.is_some();
        let names: Vec<&'static str> = if somebody && told.still_holds(&mut tx, at).await? {
            self.channels.iter().filter(|channel| channel.takes(told)).map(|channel| channel.name()).collect()
        } else {
            Vec::new()
        };
        for name in &names {
            put(&mut tx, &mut *self.rng, (SEND, told, Some(name)), at, at).await?;
        }
        let version = next(&mut tx, told).await?;
        self.commit(tx, &Record::message_due((told.code(), told.about()), version, &names, at)).await
    }

    async fn send(&mut self, job: &LeasedJob, told: Told, channel: &str) -> Result<(), StoreError> {
        let Some(channel) = self.channels.iter().find(|known| known.name() == channel).map(Arc::clone) else {
            return self.give_up(job, "channel_gone").await;
        };
        let link = format!("{}{}", self.console, told.path());
        let to = if told.is_personal() {
            let now = self.clock.now();
            match told.to(&mut self.store.begin_read().await?, now).await? {
                Some(person) => {
                    let told = person.contact.filter(|contact| contact.expose().contains('@'));
                    Some(told.unwrap_or_else(|| Phi::new(person.login.into_inner())))
                }
                // He has left meanwhile: it is nobody's.
                None => return self.give_up(job, "nobody_to_tell").await,
            }
        } else {
            None
        };
        let message = Message { id: job.id, told, title: told.title(), link, at: self.clock.now(), to };
        let about = (told.code(), told.about());
        let delivered = timeout(MESSAGE_TIMEOUT, channel.deliver(&message)).await;
        match delivered.unwrap_or(Err(NotTaken("timeout"))) {
            Ok(receipt) => {
                let mut tx = self.store.begin().await?;
                let at = self.clock.now();
                finish_job(&mut tx, job, at).await?;
                let version = next(&mut tx, told).await?;
                self.commit(tx, &Record::message_delivered(about, version, channel.name(), &receipt, at)).await
            }
            Err(NotTaken(code)) => {
                let at = self.clock.now();
                let retry_at = at.plus_micros(after(job.attempt));
                tracing::warn!(channel = channel.name(), code, job.attempt, "a message was not taken");
                if self.store.fail_job(job, JobFailure { code, at, retry_at }).await? == Outcome::Failed {
                    let mut tx = self.store.begin().await?;
                    let version = next(&mut tx, told).await?;
                    self.commit(tx, &Record::message_failed(about, version, channel.name(), code, at)).await?;
                }
                Ok(())
            }
        }
    }

    async fn commit(&mut self, tx: Tx, record: &Record) -> Result<(), StoreError> {
        let id: Id<Event> = new_id(record.at(), &mut *self.rng);
        tx.commit(&self.lease, &[record.event(id)]).await.map(drop)
    }
}

/// The events that tell to whom something was told, and what came of it; the first one first.
///
/// # Errors
/// The database failed, or an event does not open.
pub async fn told_of<T>(tx: &mut Tx, about: Id<T>) -> Result<Vec<Event>, StoreError> {
    history(tx, &Aggregate::new("message", about), 0).await
}

/// The version of the next event about something. Two that are told at once meet in a conflict, and one is done again.
async fn next(tx: &mut Tx, told: Told) -> Result<i64, StoreError> {
    let last = told_of(tx, told.about()).await?.last().map_or(0, |event| event.version);
    Ok(last.saturating_add(1))
}

/// Microseconds until the next attempt: a minute, two, four, up to an hour.
fn after(attempt: i64) -> i64 {
    let doublings = u32::try_from(attempt.saturating_sub(1).clamp(0, 6)).unwrap_or(6);
    (MINUTE_MICROS << doublings).min(RETRY_MICROS_MAX)
}
