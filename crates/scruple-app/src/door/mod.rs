//! The door of the console: enrolling by a one-time link, signing in with a passkey, an authenticator app or a recovery code,
//! sessions and their end. There is no password.
//!
//! Whoever cannot be let in is told one thing, whatever it is that failed.

mod provider;

use crate::record::Record;
use rand_core::CryptoRng;
use scruple_core::{Clock, Id, Phi, Timestamp, new_id};
use scruple_flow::DevicePosture;
use scruple_flow::limits::LOGIN_BYTES_MAX;
use scruple_identity::passkey::{Account, Passkey, PasskeyError, Passkeys};
use scruple_identity::recovery::{self, Digest, RecoveryCode, RecoveryKey};
use scruple_identity::session::{
    DeviceClass, FRESH_SECONDS, Freshness, Limits, SessionTimes, SessionToken, State, freshness, state,
};
use scruple_identity::totp::{self, Label, Picture, Secret};
use scruple_store::{
    Ceremony, Credential, CredentialKind, Enrolment, Login, NewCredential, NewSession, Person, Position, Session,
    ShardLease, Store, StoreError, Tx, begin_use, clear_sign_in_failures, close_enrolments, confirm_session,
    count_sign_in_failure, end_session, end_sessions_of, find_dormancy, find_enrolment, find_person,
    find_person_by_login, find_session, insert_credential, insert_enrolment, insert_session, list_credentials,
    lock_person, open_sessions, remove_credential, sign_in_failures, update_credential, use_enrolment,
};
use std::fmt;
use zeroize::Zeroizing;

pub use provider::{Errand, Named, Returned};

/// Hours for which a one-time link can be used.
pub const ENROLMENT_HOURS: i64 = 24;
const HOUR_MICROS: i64 = 3_600_000_000;
/// Bytes of the secret of an authenticator app, before what a passkey has to remember.
const SECRET_BYTES: usize = 20;
/// How long a step of a sign-in waits for its answer.
const CEREMONY_MICROS: i64 = 300_000_000;
/// Failures of codes after which codes are not looked at for a while; passkeys are.
const FAILURES_MAX: i64 = 5;
/// How long that while is.
const FAILURES_MICROS: i64 = 15 * 60_000_000;
/// Failures in a row, however far apart, after which codes of an app open nothing until the person has come in by another way
/// (NIST SP 800-63B, 5.2.2: 100 at most).
const IN_A_ROW_MAX: i64 = 50;
/// How old what is written of a session's use may get.
const SEEN_MICROS: i64 = 15_000_000;

/// What the door needs of this installation.
pub struct DoorKeys {
    /// Ceremonies of passkeys for the console's address.
    pub passkeys: Passkeys,
    /// Digests of recovery codes.
    pub recovery: RecoveryKey,
    /// The name that authenticator apps show.
    pub issuer: String,
}

impl fmt::Debug for DoorKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DoorKeys(..)")
    }
}

/// Why nobody was let in, or nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// What was shown opens nothing: whatever of it is wrong.
    #[error("what was given does not open the door")]
    Refused,
    /// The code is none that the app shows now. Outside it is told as [`Self::Refused`] is; it is counted.
    #[error("what was given does not open the door")]
    Guessed,
    /// Too many codes were wrong; passkeys still open.
    #[error("too many codes were wrong; wait a quarter of an hour, or use a passkey")]
    Locked,
    /// So many codes were wrong in a row that none is looked at until the person has come in by another way.
    #[error("too many codes were wrong in a row; use a passkey or a recovery code, or ask for a new link")]
    Closed,
    /// The one-time link is unknown, used, or too old.
    #[error("the link is not valid, or was used")]
    Link,
    /// Nobody makes a link for himself: another vouches that it is he.
    #[error("a link for oneself is made by somebody else")]
    OwnLink,
    /// The session is over.
    #[error("the session is over")]
    Over,
    /// The browser's answer is none, or came too late.
    #[error("the browser's answer cannot be used")]
    Answer(#[source] PasskeyError),
    /// The code that should end an enrolment is wrong.
    #[error("the code is not the one that the app shows now")]
    Code {
        /// Where the enrolment goes on.
        again: Id<Ceremony>,
    },
    /// The database failed; nothing was changed, or it says what is not known.
    #[error("it cannot be stored")]
    Store(#[source] StoreError),
    /// A stored credential cannot be read.
    #[error("a stored credential cannot be read")]
    Damaged,
}

impl From<StoreError> for DoorError {
    fn from(error: StoreError) -> Self {
        match error {
            // Somebody else was first, or the person has left.
            StoreError::RowsAffected { .. } | StoreError::Conflict(_) => Self::Refused,
            error => Self::Store(error),
        }
    }
}

impl DoorError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused | Self::Guessed => "sign_in_refused",
            Self::Locked => "sign_in_locked",
            Self::Closed => "sign_in_closed",
            Self::Link => "link_invalid",
            Self::OwnLink => "link_own",
            Self::Over => "session_over",
            Self::Answer(_) => "answer_invalid",
            Self::Code { .. } => "code_wrong",
            Self::Store(_) => "store_failed",
            Self::Damaged => "credential_damaged",
        }
    }
}

/// Somebody who is in.
pub struct Entered {
    /// Who.
    pub person: Id<Person>,
    /// The session.
    pub session: Id<Session>,
    /// Its secret, for the browser's cookie.
    pub token: SessionToken,
    /// His recovery codes, to be shown once; empty where he has them.
    pub recovery: Vec<Zeroizing<String>>,
    /// The last event of it, to wait for.
    pub position: Position,
}

/// A session that holds now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedIn {
    /// Who.
    pub person: Id<Person>,
    /// The session.
    pub session: Id<Session>,
    /// He has confirmed just now that it is he.
    pub stepped_up: bool,
    /// Until when it holds if nothing more is done.
    pub until: Timestamp,
}

/// A sign-in that waits for the answer to its question.
pub struct Waiting {
    /// What the answer must name.
    pub ceremony: Id<Ceremony>,
    /// What the browser is asked (WebAuthn options as JSON).
    pub options: String,
}

/// A sign-in whose answer has come. It is taken once.
pub struct Attempt {
    /// The name that was typed.
    pub login: String,
    /// The device that was chosen.
    pub device: DeviceClass,
    passkey: Phi<Vec<u8>>,
}

/// An enrolment that waits for what its person chooses.
pub struct Enrolling {
    /// Whose it is.
    pub person: Person,
    /// Until when the link can be used.
    pub until: Timestamp,
    /// What the answer must name.
    pub ceremony: Id<Ceremony>,
    /// What the browser is asked (WebAuthn options as JSON).
    pub options: String,
    /// The secret of an authenticator app as text.
    pub text: Zeroizing<String>,
    /// The same as a picture for apps to read.
    pub picture: Picture,
}

/// What the use cases of one call need.
pub struct Door<'a> {
    /// The state.
    pub store: &'a Store,
    /// The shard that is written on.
    pub lease: &'a ShardLease,
    /// The present.
    pub clock: &'a dyn Clock,
    /// Ids and secrets are drawn from it.
    pub rng: &'a mut (dyn CryptoRng + Send),
    /// Of this installation.
    pub keys: &'a DoorKeys,
}

impl Door<'_> {
    async fn commit(&mut self, tx: Tx, records: &[Record]) -> Result<Position, DoorError> {
        let mut events = Vec::with_capacity(records.len());
        for record in records {
            events.push(record.event(new_id(record.at(), self.rng)));
        }
        let positions = tx.commit(self.lease, &events).await?;
        positions.last().copied().ok_or(DoorError::Store(StoreError::NoEvent))
    }

    /// Makes a one-time link for somebody else: its secret, of which the store has the hash alone. Links from before are taken back.
    ///
    /// # Errors
    /// See [`DoorError`].
    pub async fn invite(&mut self, person: Id<Person>, by: Id<Person>) -> Result<(SessionToken, Position), DoorError> {
        if person == by {
            return Err(DoorError::OwnLink);
        }
        self.link_for(person, by).await
    }

    /// Makes a one-time link for a person whom nobody here could vouch for: those of a demonstration.
    ///
    /// # Errors
    /// See [`DoorError`].
    pub async fn invite_first(&mut self, person: Id<Person>) -> Result<(SessionToken, Position), DoorError> {
        self.link_for(person, person).await
    }

    async fn link_for(&mut self, person: Id<Person>, by: Id<Person>) -> Result<(SessionToken, Position), DoorError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        here(&mut tx, person, at).await?;
        close_enrolments(&mut tx, person, at).await?;
        let secret = SessionToken::generate(self.rng);
        let ends_at = at.plus_micros(ENROLMENT_HOURS * HOUR_MICROS);
        let id: Id<Enrolment> = new_id(at, self.rng);
        insert_enrolment(&mut tx, id, (person, by), secret.hash(), (at, ends_at)).await?;
        let position = self.commit(tx, &[Record::invited(id, person, by, at, ends_at)]).await?;
        Ok((secret, position))
    }

    async fn link(&mut self, tx: &mut Tx, secret: &str) -> Result<(Id<Enrolment>, Id<Person>, Timestamp), DoorError> {
        let secret = SessionToken::parse(secret).ok_or(DoorError::Link)?;
        find_enrolment(tx, secret.hash(), self.clock.now()).await?.ok_or(DoorError::Link)
    }

    async fn invited(&mut self, secret: &str) -> Result<(Person, Timestamp), DoorError> {
        let mut tx = self.store.begin_read().await?;
        let (_, person, until) = self.link(&mut tx, secret).await?;
        Ok((here(&mut tx, person, self.clock.now()).await?, until))
    }

    /// Begins to enrol by a one-time link, or goes on after a wrong code: with the same secret of the app.
    ///
    /// # Errors
    /// See [`DoorError`].
    pub async fn begin_enrolment(&mut self, secret: &str, after: Option<Id<Ceremony>>) -> Result<Enrolling, DoorError> {
        let now = self.clock.now();
        let (person, until) = self.invited(secret).await?;
        let before = match after {
            Some(after) => self.store.take_ceremony(after, "register", now).await?,
            None => None,
        };
        let before = before.filter(|before| before.person == Some(person.id));
        let app = before.and_then(|before| Secret::from_slice(before.state.expose().get(..SECRET_BYTES)?));
        let app = app.unwrap_or_else(|| Secret::generate(self.rng));
        let known = self.passkeys_of(person.id).await?;
        let account = Account {
            person: person.id,
            name: person.login.expose().clone(),
            display_name: person.name.expose().clone(),
        };
        let started = self.keys.passkeys.start_registration(&account, &known, now).map_err(DoorError::Answer)?;
        let state = Zeroizing::new([app.expose().as_slice(), &started.state].concat());
        let ceremony = self.begin("register", Some(person.id), &state).await?;
        let label = Label { issuer: &self.keys.issuer, account: person.login.expose() };
        let picture = app.expose_qr(&label).map_err(|_| DoorError::Damaged)?;
        Ok(Enrolling { person, until, ceremony, options: started.options, text: app.expose_base32(), picture })
    }

    async fn passkeys_of(&mut self, person: Id<Person>) -> Result<Vec<Passkey>, DoorError> {
        let credentials = list_credentials(&mut self.store.begin_read().await?, person).await?;
        let passkeys = credentials.iter().filter(|one| one.kind == CredentialKind::Passkey);
        passkeys.map(|one| Passkey::from_bytes(one.secret.expose()).map_err(|_| DoorError::Damaged)).collect()
    }

    async fn begin(
        &mut self,
        kind: &'static str,
        person: Option<Id<Person>>,
        state: &[u8],
    ) -> Result<Id<Ceremony>, DoorError> {
        let now = self.clock.now();
        let id = new_id(now, self.rng);
        self.store.begin_ceremony(id, kind, person, state, (now, now.plus_micros(CEREMONY_MICROS))).await?;
        Ok(id)
    }

    /// Enrols what the link's person has answered with, uses the link up, gives him recovery codes and lets him in. What he signed in
    /// with before is lost or in other hands, else he would need no link: it opens nothing any more, and its sessions end.
    ///
    /// # Errors
    /// See [`DoorError`]. A wrong code of an app leaves the link as it was.
    pub async fn enrol(
        &mut self,
        secret: &str,
        ceremony: Id<Ceremony>,
        answer: Answer<'_>,
        device: DeviceClass,
    ) -> Result<Entered, DoorError> {
        let at = self.clock.now();
        let person = self.invited(secret).await?.0.id;
        let known = self.passkeys_of(person).await?;
        let waiting = self.store.take_ceremony(ceremony, "register", at).await?;
        let waiting = waiting.filter(|waiting| waiting.person == Some(person)).ok_or(DoorError::Refused)?;
        let (app, state) = waiting.state.expose().split_at_checked(SECRET_BYTES).ok_or(DoorError::Damaged)?;
        let (kind, lookup, bytes, step) = match answer {
            Answer::Code(code) => {
                let secret = Secret::from_slice(app).ok_or(DoorError::Damaged)?;
                let Ok(step) = totp::check(&secret, code, at, None) else {
                    let again = self.begin("register", Some(person), waiting.state.expose()).await?;
                    return Err(DoorError::Code { again });
                };
                (CredentialKind::Totp, app.to_vec(), app.to_vec(), i64::try_from(step).ok())
            }
            Answer::Passkey(answer) => {
                let finished = self.keys.passkeys.finish_registration(state, person, answer, &known, at);
                let passkey = finished.map_err(DoorError::Answer)?;
                let bytes = passkey.to_bytes().map_err(DoorError::Answer)?;
                (CredentialKind::Passkey, passkey.id().to_vec(), bytes, None)
            }
        };
        let mut tx = self.store.begin().await?;
        let (link, invited, _) = self.link(&mut tx, secret).await?;
        if invited != person {
            return Err(DoorError::Link);
        }
        use_enrolment(&mut tx, link, at).await?;
        close_enrolments(&mut tx, person, at).await?;
        for old in list_credentials(&mut tx, person).await? {
            remove_credential(&mut tx, old.id, old.version, at).await?;
        }
        // What others have guessed at was of the app that is gone.
        clear_sign_in_failures(&mut tx, person).await?;
        let ended = end_sessions_of(&mut tx, person, None, person, ("enrolled_again", at)).await?;
        let id: Id<Credential> = new_id(at, self.rng);
        insert_credential(&mut tx, &NewCredential { id, person, kind, lookup: &lookup, secret: &bytes, at }).await?;
        if let Some(step) = step {
            let new = list_credentials(&mut tx, person).await?.into_iter().find(|one| one.id == id);
            let new = new.ok_or(DoorError::Damaged)?;
            update_credential(&mut tx, &Credential { last_step: Some(step), ..new }).await?;
        }
        let mut records = vec![Record::credential_added(id, person, kind, at)];
        if ended > 0 {
            records.push(Record::sessions_ended(new_id(at, self.rng), person, person, ended, at));
        }
        let codes = recovery::generate(self.rng);
        let mut shown = Vec::with_capacity(codes.len());
        for code in codes {
            let digest = self.keys.recovery.digest(person, &code);
            let id: Id<Credential> = new_id(at, self.rng);
            let new = NewCredential {
                id,
                person,
                kind: CredentialKind::Recovery,
                lookup: digest.bytes(),
                secret: digest.bytes(),
                at,
            };
            insert_credential(&mut tx, &new).await?;
            shown.push(code.expose());
        }
        let (session, token) = self.open(&mut tx, person, (device, None), "enrolment", at).await?;
        records.push(Record::signed_in(session, person, "enrolment", device.code(), at));
        let position = self.commit(tx, &records).await?;
        Ok(Entered { person, session, token, recovery: shown, position })
    }

    async fn open(
        &mut self,
        tx: &mut Tx,
        person: Id<Person>,
        (device, device_id): (DeviceClass, Option<Id<DevicePosture>>),
        method: &'static str,
        at: Timestamp,
    ) -> Result<(Id<Session>, SessionToken), DoorError> {
        let token = SessionToken::generate(self.rng);
        let id = new_id(at, self.rng);
        let (token_hash, device) = (token.hash(), device.code());
        let new = NewSession { id, person, token_hash, device, method, device_id, at };
        insert_session(tx, &new).await?;
        begin_use(tx, person, at).await?;
        Ok((id, token))
    }

    /// Lets in who shows a code: of his authenticator app, or one of his recovery codes, which is then used up.
    ///
    /// # Errors
    /// See [`DoorError`]. A wrong code is counted and recorded.
    pub async fn sign_in(&mut self, login: &str, code: &str, device: DeviceClass) -> Result<Entered, DoorError> {
        let login: Login = login.parse().map_err(|_| DoorError::Refused)?;
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        let person = find_person_by_login(&mut tx, &login).await?.ok_or(DoorError::Refused)?.id;
        here(&mut tx, person, at).await?;
        let method = match self.code(&mut tx, person, code, at).await {
            Ok(method) => method,
            Err(error) => return self.failed(tx, person, error, at).await,
        };
        clear_sign_in_failures(&mut tx, person).await?;
        let (session, token) = self.open(&mut tx, person, (device, None), method, at).await?;
        let record = Record::signed_in(session, person, method, device.code(), at);
        let position = self.commit(tx, &[record]).await?;
        Ok(Entered { person, session, token, recovery: Vec::new(), position })
    }

    /// Checks a code and uses it up. Answers what it is of.
    async fn code(
        &mut self,
        tx: &mut Tx,
        person: Id<Person>,
        code: &str,
        at: Timestamp,
    ) -> Result<&'static str, DoorError> {
        // One guess after the other: each is judged by the count that the one before left.
        lock_person(tx, person).await?;
        let credentials = list_credentials(tx, person).await?;
        // A recovery code has too many forms to be guessed: who is locked out by another's guesses comes in by one, and who tries them
        // locks nobody out.
        let Some(typed) = RecoveryCode::parse(code) else {
            let failed = sign_in_failures(tx, person, at.plus_micros(-FAILURES_MICROS)).await?;
            if failed.in_a_row >= IN_A_ROW_MAX {
                return Err(DoorError::Closed);
            }
            if failed.lately >= FAILURES_MAX {
                return Err(DoorError::Locked);
            }
            return self.app_code(tx, &credentials, code, at).await;
        };
        let mut kept = Vec::new();
        for credential in credentials.iter().filter(|one| one.kind == CredentialKind::Recovery) {
            let digest = <[u8; 32]>::try_from(credential.secret.expose().as_slice());
            kept.push((credential, Digest::new(digest.map_err(|_| DoorError::Damaged)?)));
        }
        let digests: Vec<Digest> = kept.iter().map(|(_, digest)| *digest).collect();
        let place = self.keys.recovery.find(person, &typed, &digests).ok_or(DoorError::Refused)?;
        let (used, _) = kept.get(place).ok_or(DoorError::Refused)?;
        remove_credential(tx, used.id, used.version, at).await?;
        Ok("recovery")
    }

    /// Checks the code of an authenticator app; no step of it is good twice.
    async fn app_code(
        &mut self,
        tx: &mut Tx,
        credentials: &[Credential],
        code: &str,
        at: Timestamp,
    ) -> Result<&'static str, DoorError> {
        for credential in credentials.iter().filter(|one| one.kind == CredentialKind::Totp) {
            let app = Secret::from_slice(credential.secret.expose()).ok_or(DoorError::Damaged)?;
            let last = credential.last_step.and_then(|step| u64::try_from(step).ok());
            if let Ok(step) = totp::check(&app, code, at, last) {
                let used = Credential { last_step: i64::try_from(step).ok(), ..credential.clone() };
                update_credential(tx, &used).await?;
                return Ok("totp");
            }
        }
        Err(DoorError::Guessed)
    }

    /// Records that somebody was not let in, and counts it if he guessed.
    async fn failed<T>(
        &mut self,
        mut tx: Tx,
        person: Id<Person>,
        error: DoorError,
        at: Timestamp,
    ) -> Result<T, DoorError> {
        if matches!(error, DoorError::Guessed) {
            count_sign_in_failure(&mut tx, person, at.plus_micros(-FAILURES_MICROS), at).await?;
        }
        if matches!(error, DoorError::Refused | DoorError::Guessed | DoorError::Locked | DoorError::Closed) {
            let record = Record::sign_in_failed(new_id(at, self.rng), person, error.code(), at);
            self.commit(tx, &[record]).await?;
        }
        Err(error)
    }

    /// Begins to sign in, or to confirm: asks the browser for any passkey of this console, whoever has typed what.
    ///
    /// # Errors
    /// See [`DoorError`].
    pub async fn begin_sign_in(&mut self, login: &str, device: DeviceClass) -> Result<Waiting, DoorError> {
        let started = self.keys.passkeys.start_discovery(self.clock.now()).map_err(DoorError::Answer)?;
        // What is too long to be anybody's is nobody's, and not kept.
        let login = login.lines().next().filter(|login| login.len() <= LOGIN_BYTES_MAX).unwrap_or_default();
        let state = [device.code().as_bytes(), b"\n", login.as_bytes(), b"\n", &started.state].concat();
        let ceremony = self.begin("sign_in", None, &state).await?;
        Ok(Waiting { ceremony, options: started.options })
    }

    /// Takes what was begun, once.
    ///
    /// # Errors
    /// [`DoorError::Refused`]: it was taken, or is too old.
    pub async fn take_sign_in(&mut self, ceremony: Id<Ceremony>) -> Result<Attempt, DoorError> {
        let waiting = self.store.take_ceremony(ceremony, "sign_in", self.clock.now()).await?;
        let state = waiting.ok_or(DoorError::Refused)?.state.into_inner();
        let mut parts = state.splitn(3, |byte| *byte == b'\n');
        let (Some(device), Some(login), Some(passkey)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(DoorError::Damaged);
        };
        let device = std::str::from_utf8(device).ok().and_then(DeviceClass::from_code).ok_or(DoorError::Damaged)?;
        let login = String::from_utf8_lossy(login).into_owned();
        Ok(Attempt { login, device, passkey: Phi::new(passkey.to_vec()) })
    }

    /// Lets in who shows a passkey.
    ///
    /// # Errors
    /// See [`DoorError`].
    pub async fn sign_in_by_passkey(&mut self, attempt: &Attempt, answer: &str) -> Result<Entered, DoorError> {
        let at = self.clock.now();
        let mut tx = self.store.begin().await?;
        let person = self.passkey(&mut tx, &attempt.passkey, answer, at).await?;
        clear_sign_in_failures(&mut tx, person).await?;
        let (session, token) = self.open(&mut tx, person, (attempt.device, None), "passkey", at).await?;
        let record = Record::signed_in(session, person, "passkey", attempt.device.code(), at);
        let position = self.commit(tx, &[record]).await?;
        Ok(Entered { person, session, token, recovery: Vec::new(), position })
    }

    /// Whose passkey has given this answer.
    async fn passkey(
        &mut self,
        tx: &mut Tx,
        state: &Phi<Vec<u8>>,
        answer: &str,
        at: Timestamp,
    ) -> Result<Id<Person>, DoorError> {
        let claimed = self.keys.passkeys.identify::<Person>(answer).map_err(|_| DoorError::Refused)?;
        here(tx, claimed.person, at).await?;
        for credential in list_credentials(tx, claimed.person).await? {
            if credential.kind != CredentialKind::Passkey {
                continue;
            }
            let passkey = Passkey::from_bytes(credential.secret.expose()).map_err(|_| DoorError::Damaged)?;
            if passkey.id() != claimed.passkey {
                continue;
            }
            let finished = self.keys.passkeys.finish_discovery(state.expose(), answer, &passkey, at);
            let finished = finished.map_err(|_| DoorError::Refused)?;
            if finished.changed {
                let bytes = finished.passkey.to_bytes().map_err(|_| DoorError::Damaged)?;
                update_credential(tx, &Credential { secret: Phi::new(bytes), ..credential }).await?;
            }
            return Ok(claimed.person);
        }
        Err(DoorError::Refused)
    }

    /// Who a token lets in now, and writes down that it was used.
    ///
    /// # Errors
    /// [`DoorError::Over`]: nobody.
    pub async fn session(&mut self, token: &SessionToken) -> Result<SignedIn, DoorError> {
        let now = self.clock.now();
        let mut tx = self.store.begin_read().await?;
        let session = find_session(&mut tx, token.hash()).await?.ok_or(DoorError::Over)?;
        here(&mut tx, session.person, now).await.map_err(|error| match error {
            DoorError::Refused => DoorError::Over,
            error => error,
        })?;
        drop(tx);
        let times = times(&session);
        let device = DeviceClass::from_code(&session.device).unwrap_or(DeviceClass::Shared);
        let State::Live { until } = state(&times, Limits::of(device), now) else { return Err(DoorError::Over) };
        if now.micros().saturating_sub(session.seen_at.micros()) >= SEEN_MICROS {
            self.store.touch_session(session.id, now).await?;
        }
        // Whoever came by the provider may have shown himself there hours ago: he confirms first.
        let is_proved = session.method != "oidc" || session.authenticated_at > session.started_at;
        let stepped_up = is_proved && matches!(freshness(&times, FRESH_SECONDS, now), Freshness::Fresh { .. });
        Ok(SignedIn { person: session.person, session: session.id, stepped_up, until })
    }

    /// Confirms with a code that it is still he.
    ///
    /// # Errors
    /// See [`DoorError`].
    pub async fn step_up(&mut self, who: &SignedIn, code: &str) -> Result<Position, DoorError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        let method = match self.code(&mut tx, who.person, code, at).await {
            Ok(method) => method,
            Err(error) => return self.failed(tx, who.person, error, at).await,
        };
        self.confirmed(tx, who, method, at).await
    }

    /// It is he: what others guessed at no longer counts.
    async fn confirmed(
        &mut self,
        mut tx: Tx,
        who: &SignedIn,
        method: &'static str,
        at: Timestamp,
    ) -> Result<Position, DoorError> {
        clear_sign_in_failures(&mut tx, who.person).await?;
        confirm_session(&mut tx, who.session, at).await?;
        self.commit(tx, &[Record::confirmed(who.session, who.person, method, at)]).await
    }

    /// Confirms with a passkey that it is still he.
    ///
    /// # Errors
    /// See [`DoorError`].
    pub async fn step_up_by_passkey(
        &mut self,
        who: &SignedIn,
        attempt: &Attempt,
        answer: &str,
    ) -> Result<Position, DoorError> {
        let at = self.clock.now();
        let mut tx = self.store.begin().await?;
        if self.passkey(&mut tx, &attempt.passkey, answer, at).await? != who.person {
            return Err(DoorError::Refused);
        }
        self.confirmed(tx, who, "passkey", at).await
    }

    /// The sessions of a person that hold now.
    ///
    /// # Errors
    /// See [`DoorError`].
    pub async fn sessions(&mut self, person: Id<Person>) -> Result<Vec<Session>, DoorError> {
        let now = self.clock.now();
        let open = open_sessions(&mut self.store.begin_read().await?, person).await?;
        let holds = |session: &Session| {
            let device = DeviceClass::from_code(&session.device).unwrap_or(DeviceClass::Shared);
            matches!(state(&times(session), Limits::of(device), now), State::Live { .. })
        };
        Ok(open.into_iter().filter(holds).collect())
    }

    /// Ends one session of a person.
    ///
    /// # Errors
    /// See [`DoorError`].
    pub async fn end_session(
        &mut self,
        person: Id<Person>,
        session: Id<Session>,
        by: Id<Person>,
    ) -> Result<Position, DoorError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        let is_his = open_sessions(&mut tx, person).await?.iter().any(|open| open.id == session);
        if !is_his {
            return Err(DoorError::Over);
        }
        let reason = if by == person { "signed_out" } else { "ended_by_other" };
        end_session(&mut tx, session, by, reason, at).await?;
        self.commit(tx, &[Record::session_ended(session, person, by, reason, at)]).await
    }

    /// Ends all sessions of a person but one.
    ///
    /// # Errors
    /// See [`DoorError`].
    pub async fn end_sessions(
        &mut self,
        person: Id<Person>,
        but: Option<Id<Session>>,
        by: Id<Person>,
    ) -> Result<Position, DoorError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        let ended = end_sessions_of(&mut tx, person, but, by, ("ended_everywhere", at)).await?;
        let id = new_id(at, self.rng);
        self.commit(tx, &[Record::sessions_ended(id, person, by, ended, at)]).await
    }
}

/// What somebody answers to the question who he is.
#[derive(Clone, Copy)]
pub enum Answer<'a> {
    /// The code of an authenticator app.
    Code(&'a str),
    /// What the browser's authenticator says (WebAuthn, JSON).
    Passkey(&'a str),
}

const fn times(session: &Session) -> SessionTimes {
    SessionTimes {
        started_at: session.started_at,
        seen_at: session.seen_at,
        authenticated_at: session.authenticated_at,
        revoked_at: session.ended_at,
    }
}

/// A person who has not left, and whose account is not disabled.
async fn here(tx: &mut Tx, person: Id<Person>, at: Timestamp) -> Result<Person, DoorError> {
    let person = find_person(tx, person).await?.ok_or(DoorError::Refused)?;
    // relies on (idle-ends)
    let is_disabled = find_dormancy(tx, person.id).await?.is_some_and(|idle| idle.disabled_at <= at);
    if is_disabled || person.left_at.is_some_and(|left| left <= at) { Err(DoorError::Refused) } else { Ok(person) }
}
