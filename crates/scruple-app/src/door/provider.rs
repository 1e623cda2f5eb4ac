//! Signing in, and confirming, at the organisation's identity provider. The provider says who it is; whether he is known here, has
//! not left, and is the one who came under that name before, is judged here.

use super::{CEREMONY_MICROS, Door, DoorError, Entered, SignedIn, here, new_id};
use crate::access::device_id;
use crate::ports::ProviderError;
use crate::record::Record;
use scruple_core::{Id, Phi};
use scruple_flow::DevicePosture;
use scruple_identity::oidc;
use scruple_identity::session::DeviceClass;
use scruple_store::{
    Ceremony, Credential, CredentialKind, Login, NewCredential, Position, Session, clear_sign_in_failures,
    find_person_by_login, insert_credential, list_credentials,
};

/// What somebody has gone to the provider for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Errand {
    /// To sign in on a device.
    SignIn(DeviceClass),
    /// To confirm, in a session, that it is still he.
    Confirm(Id<Session>),
}

impl Errand {
    fn text(self) -> String {
        match self {
            Self::SignIn(device) => format!("sign_in {}", device.code()),
            Self::Confirm(session) => format!("confirm {session}"),
        }
    }

    fn of(text: &str) -> Option<Self> {
        match text.split_once(' ')? {
            ("sign_in", device) => DeviceClass::from_code(device).map(Self::SignIn),
            ("confirm", session) => session.parse().ok().map(Self::Confirm),
            _ => None,
        }
    }
}

/// Somebody who has come back from the provider. He is taken once.
pub struct Returned {
    /// What he went for.
    pub errand: Errand,
    /// The path that he goes on to.
    pub back: String,
    /// The provider's side of it.
    pub flow: Phi<Vec<u8>>,
}

/// Whom the provider names.
pub struct Named {
    login: Login,
    /// Issuer and subject: the provider gives them to nobody else.
    subject: Phi<Vec<u8>>,
    /// The device that he has signed in on, where the provider names it.
    device: Option<Id<DevicePosture>>,
}

impl Named {
    /// The person who signs in under `login` at the provider.
    ///
    /// # Errors
    /// [`ProviderError::NoLogin`]: no login here can be that.
    pub fn new(verified: &oidc::Login, login: Option<&str>) -> Result<Self, ProviderError> {
        let login = login.and_then(|login| login.parse().ok()).ok_or(ProviderError::NoLogin)?;
        let subject = format!("{}\n{}", verified.issuer(), verified.subject());
        let device = verified.device().map(device_id);
        Ok(Self { login, subject: Phi::new(subject.into_bytes()), device })
    }

    fn is_among(&self, credentials: &[Credential]) -> bool {
        let is_it = |one: &Credential| one.kind == CredentialKind::Oidc && one.secret == self.subject;
        credentials.iter().any(is_it)
    }
}

impl Door<'_> {
    /// Remembers that somebody goes to the provider.
    ///
    /// # Errors
    /// See [`DoorError`].
    pub async fn send_out(&mut self, errand: Errand, back: &str, flow: &[u8]) -> Result<Id<Ceremony>, DoorError> {
        let now = self.clock.now();
        let id = new_id(now, self.rng);
        let state = [errand.text().as_bytes(), b"\n", back.as_bytes(), b"\n", flow].concat();
        self.store.begin_ceremony(id, "oidc", None, &state, (now, now.plus_micros(CEREMONY_MICROS))).await?;
        Ok(id)
    }

    /// Takes back who went to the provider, once.
    ///
    /// # Errors
    /// [`DoorError::Refused`]: nobody did, or too long ago.
    pub async fn take_back(&mut self, ceremony: Id<Ceremony>) -> Result<Returned, DoorError> {
        let waiting = self.store.take_ceremony(ceremony, "oidc", self.clock.now()).await?;
        let state = waiting.ok_or(DoorError::Refused)?.state.into_inner();
        let mut parts = state.splitn(3, |byte| *byte == b'\n');
        let (Some(errand), Some(back), Some(flow)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(DoorError::Damaged);
        };
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        let errand = text(errand).as_deref().and_then(Errand::of).ok_or(DoorError::Damaged)?;
        Ok(Returned { errand, back: text(back).ok_or(DoorError::Damaged)?, flow: Phi::new(flow.to_vec()) })
    }

    /// Lets in whom the provider names. The first who comes under a login binds it to his id at the provider; another id under the
    /// same login is another person, and is refused until the first is enrolled anew.
    ///
    /// # Errors
    /// See [`DoorError`].
    pub async fn sign_in_by_provider(&mut self, named: &Named, device: DeviceClass) -> Result<Entered, DoorError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        let person = find_person_by_login(&mut tx, &named.login).await?.ok_or(DoorError::Refused)?.id;
        here(&mut tx, person, at).await?;
        // A device that fails keeps nobody out of the console: an emergency begins here, and what shows is judged where records are.
        let mut subjects = list_credentials(&mut tx, person).await?;
        subjects.retain(|one| one.kind == CredentialKind::Oidc);
        let mut records = Vec::new();
        if subjects.is_empty() {
            let (id, subject) = (new_id(at, self.rng), named.subject.expose());
            let kind = CredentialKind::Oidc;
            let new = NewCredential { id, person, kind, lookup: subject, secret: subject, at };
            insert_credential(&mut tx, &new).await?;
            records.push(Record::credential_added(id, person, kind, at));
        } else if !named.is_among(&subjects) {
            return self.failed(tx, person, DoorError::Refused, at).await;
        }
        clear_sign_in_failures(&mut tx, person).await?;
        let (session, token) = self.open(&mut tx, person, (device, named.device), "oidc", at).await?;
        records.push(Record::signed_in(session, person, "oidc", device.code(), at));
        let position = self.commit(tx, &records).await?;
        Ok(Entered { person, session, token, recovery: Vec::new(), position })
    }

    /// Confirms by the provider that it is still he; it was asked for a new proof.
    ///
    /// # Errors
    /// See [`DoorError`].
    pub async fn step_up_by_provider(&mut self, who: &SignedIn, named: &Named) -> Result<Position, DoorError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        let known = list_credentials(&mut tx, who.person).await?;
        if !named.is_among(&known) {
            return self.failed(tx, who.person, DoorError::Refused, at).await;
        }
        self.confirmed(tx, who, "oidc", at).await
    }
}
