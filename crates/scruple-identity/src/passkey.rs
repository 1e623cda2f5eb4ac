//! Passkeys (WebAuthn): registration, authentication of a known person, and of one whom the authenticator names.
//!
//! The options and the answers are the JSON of `PublicKeyCredential.parseCreationOptionsFromJSON` and `toJSON`. Between
//! start and finish the caller keeps [`Started::state`] in the session's row and takes it out of there before it calls
//! finish, whatever finish then says: a state that can be used twice is a challenge that can be answered twice.
//!
//! Challenges come from the generator of `webauthn-rs`, which takes none from outside. What this module deliberately
//! does not do: say who may register, ask for attestation (a passkey of any make is taken), or accept a passkey that did
//! not verify its user by biometrics or PIN.

use crate::json::object;
use scruple_core::{Id, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use url::Url;
use webauthn_rs::prelude::{
    Credential, DiscoverableAuthentication, DiscoverableKey, PasskeyAuthentication, PasskeyRegistration,
    PublicKeyCredential, RegisterPublicKeyCredential, Uuid, WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

/// Seconds from start to finish; also what the browser is told.
pub const CEREMONY_SECONDS_MAX: u32 = 300;
/// Passkeys of one person.
pub const PASSKEYS_MAX: usize = 32;
/// Bytes of a browser's answer.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a name that an authenticator shows.
pub const NAME_BYTES_MAX: usize = 64;

/// Seconds by which the clocks of two instances may differ.
const SKEW_SECONDS: u32 = 60;
const MICROS_PER_SECOND: i64 = 1_000_000;
const VERSION: u8 = 1;

/// Why a ceremony fails. No text holds a part of what the browser sent.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[non_exhaustive]
pub enum PasskeyError {
    /// The site cannot have passkeys as it is configured.
    #[error("site is unfit for passkeys: {what}")]
    Site {
        /// What is wrong.
        what: &'static str,
    },
    /// A name is empty, too long or has control characters.
    #[error("name for the authenticator is empty, longer than {} bytes, or has control characters", NAME_BYTES_MAX)]
    Name,
    /// Nothing to authenticate with.
    #[error("person has no passkey")]
    None,
    /// As many as a person may have.
    #[error("person has {} passkeys, the limit", PASSKEYS_MAX)]
    TooMany,
    /// Longer than any answer should be.
    #[error("answer is longer than {} bytes", ANSWER_BYTES_MAX)]
    TooLong,
    /// Not the form of an answer to this ceremony.
    #[error("answer is malformed")]
    Malformed,
    /// Not a state of this ceremony, or of another person.
    #[error("there is no such ceremony under way")]
    State,
    /// Finished too late.
    #[error("ceremony took longer than {} seconds", CEREMONY_SECONDS_MAX)]
    Expired,
    /// An answer to another challenge.
    #[error("answer is to another challenge")]
    Challenge,
    /// Made on another site, or in a frame of another site.
    #[error("answer was made on another origin")]
    Origin,
    /// Of a credential for another site.
    #[error("answer is for another relying party")]
    RelyingParty,
    /// The authenticator asked its user for nothing, or only for a touch.
    #[error("authenticator did not verify its user")]
    NotVerified,
    /// The person has this passkey already.
    #[error("passkey is registered already")]
    Registered,
    /// Of no passkey of this person.
    #[error("passkey is not registered for this person")]
    Unknown,
    /// A kind of key that was not offered.
    #[error("passkey has a key that was not asked for")]
    Algorithm,
    /// The signature does not fit.
    #[error("signature of the passkey does not fit")]
    Signature,
    /// The counter did not go up: there may be a copy of the authenticator.
    #[error("counter of the passkey went back, it may have been copied")]
    Cloned,
    /// A stored passkey cannot be read.
    #[error("stored passkey cannot be read")]
    Stored,
    /// The library failed on our side.
    #[error("the WebAuthn library failed to {0}")]
    Library(&'static str),
}

impl PasskeyError {
    /// The code that stands in answers and entries; it never changes.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Site { .. } => "passkey_site",
            Self::Name => "passkey_name",
            Self::None => "passkey_none",
            Self::TooMany => "passkey_too_many",
            Self::TooLong => "passkey_too_long",
            Self::Malformed => "passkey_malformed",
            Self::State => "passkey_state",
            Self::Expired => "passkey_expired",
            Self::Challenge => "passkey_challenge",
            Self::Origin => "passkey_origin",
            Self::RelyingParty => "passkey_relying_party",
            Self::NotVerified => "passkey_not_verified",
            Self::Registered => "passkey_registered",
            Self::Unknown => "passkey_unknown",
            Self::Algorithm => "passkey_algorithm",
            Self::Signature => "passkey_signature",
            Self::Cloned => "passkey_cloned",
            Self::Stored => "passkey_stored",
            Self::Library(_) => "passkey_library",
        }
    }

    /// Why the library refused an answer.
    const fn of_answer(error: &WebauthnError) -> Self {
        match error {
            WebauthnError::MismatchedChallenge => Self::Challenge,
            WebauthnError::InvalidRPOrigin | WebauthnError::CredentialCrossOrigin => Self::Origin,
            WebauthnError::InvalidRPIDHash => Self::RelyingParty,
            WebauthnError::UserNotPresent | WebauthnError::UserNotVerified => Self::NotVerified,
            WebauthnError::CredentialAlreadyExists | WebauthnError::CredentialExcludedFromRequest => Self::Registered,
            WebauthnError::CredentialNotFound => Self::Unknown,
            WebauthnError::CredentialPossibleCompromise => Self::Cloned,
            WebauthnError::CredentialAlteredAlgFromRequest
            | WebauthnError::CredentialInsecureCryptography
            | WebauthnError::COSEKeyInvalidAlgorithm
            | WebauthnError::COSEKeyEDUnsupported => Self::Algorithm,
            WebauthnError::AuthenticationFailure | WebauthnError::SignatureInvalid => Self::Signature,
            _ => Self::Malformed,
        }
    }
}

/// The site that passkeys are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The relying party id: the domain that every origin ends with. Passkeys are lost if it changes.
    pub domain: String,
    /// The origins of the pages, `https://console.example`; `http` only on localhost. At least one.
    pub origins: Vec<String>,
    /// What the browser shows.
    pub name: String,
}

/// The person whom a new passkey is for, as the authenticator keeps it.
pub struct Account<P> {
    /// Stands in the authenticator as the user handle.
    pub person: Id<P>,
    /// The login name.
    pub name: String,
    /// The name to show.
    pub display_name: String,
}

impl<P> fmt::Debug for Account<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("person", &self.person).finish_non_exhaustive()
    }
}

/// A registered passkey: whose it is, its public key and its counter.
#[derive(Clone)]
pub struct Passkey {
    person: Uuid,
    key: webauthn_rs::prelude::Passkey,
}

#[derive(Serialize, Deserialize)]
struct StoredPasskey {
    version: u8,
    person: Uuid,
    passkey: webauthn_rs::prelude::Passkey,
}

impl Passkey {
    /// Reads what [`Passkey::to_bytes`] wrote.
    ///
    /// # Errors
    /// The bytes are none of it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PasskeyError> {
        let stored: StoredPasskey = object(bytes).ok_or(PasskeyError::Stored)?;
        if stored.version != VERSION {
            return Err(PasskeyError::Stored);
        }
        Ok(Self { person: stored.person, key: stored.passkey })
    }

    /// The bytes to store.
    ///
    /// # Errors
    /// The library does not write it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PasskeyError> {
        let stored = StoredPasskey { version: VERSION, person: self.person, passkey: self.key.clone() };
        serde_json::to_vec(&stored).map_err(|_| PasskeyError::Library("write a passkey"))
    }

    /// The credential id, by which [`Passkeys::identify`] names it. It must be unique among all persons: the store refuses
    /// a second registration.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        self.key.cred_id()
    }

    /// Whose it is.
    #[must_use]
    pub const fn person<P>(&self) -> Id<P> {
        Id::from_uuid(self.person)
    }

    /// Whether it may live on several devices, as those that a phone's vendor keeps do.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        Credential::from(self.key.clone()).backup_eligible
    }

    /// How often it has signed, by its own count; 0 for those that do not count.
    #[must_use]
    pub fn counter(&self) -> u32 {
        Credential::from(self.key.clone()).counter
    }
}

impl fmt::Debug for Passkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passkey(..)")
    }
}

/// A ceremony under way.
#[derive(Clone)]
pub struct Started {
    /// For the browser: an object with `publicKey`. A page that offers passkeys in the autofill of a field adds
    /// `"mediation": "conditional"`.
    pub options: String,
    /// For the session's row, never for the browser.
    pub state: Vec<u8>,
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Started(..)")
    }
}

/// Whom an answer claims to be from. It is checked by [`Passkeys::finish_discovery`], not before.
pub struct Claimed<P> {
    /// The person whom the authenticator names.
    pub person: Id<P>,
    /// The credential id.
    pub passkey: Vec<u8>,
}

impl<P> fmt::Debug for Claimed<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claimed").field("person", &self.person).finish_non_exhaustive()
    }
}

/// A person who has proved to hold a passkey and to be its user.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// The passkey, with its new counter.
    pub passkey: Passkey,
    /// Whether it is to be stored again. The store replaces it only if it still has the bytes that were read: of two
    /// answers with one counter, one is refused.
    pub changed: bool,
}

#[derive(Serialize, Deserialize)]
struct State {
    version: u8,
    person: Option<Uuid>,
    started_at: i64,
    ceremony: Ceremony,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ceremony {
    Registration(PasskeyRegistration),
    Authentication(PasskeyAuthentication),
    Discovery(DiscoverableAuthentication),
}

impl State {
    fn started(
        ceremony: Ceremony,
        person: Option<Uuid>,
        now: Timestamp,
        options: &Value,
    ) -> Result<Started, PasskeyError> {
        let state = Self { version: VERSION, person, started_at: now.micros(), ceremony };
        let state = serde_json::to_vec(&state).map_err(|_| PasskeyError::Library("write the state"))?;
        Ok(Started { options: options.to_string(), state })
    }

    fn read(bytes: &[u8], person: Option<Uuid>, now: Timestamp) -> Result<Ceremony, PasskeyError> {
        let state: Self = object(bytes).ok_or(PasskeyError::State)?;
        if state.version != VERSION || state.person != person {
            return Err(PasskeyError::State);
        }
        let started_at = Timestamp::from_micros(state.started_at);
        let latest = started_at.plus_micros(i64::from(CEREMONY_SECONDS_MAX) * MICROS_PER_SECOND);
        let earliest = started_at.plus_micros(-i64::from(SKEW_SECONDS) * MICROS_PER_SECOND);
        if now < earliest || now >= latest { Err(PasskeyError::Expired) } else { Ok(state.ceremony) }
    }
}

/// The ceremonies of one site.
pub struct Passkeys {
    webauthn: Webauthn,
}

impl Passkeys {
    /// For a site.
    ///
    /// # Errors
    /// An origin is no origin, is not encrypted, or does not end with the domain; there is none; the name is unfit.
    pub fn new(site: &Site) -> Result<Self, PasskeyError> {
        check_name(&site.name)?;
        let origins = site.origins.iter().map(|origin| origin_of(origin)).collect::<Result<Vec<_>, _>>()?;
        let (first, others) = origins.split_first().ok_or(PasskeyError::Site { what: "it has no origin" })?;
        let foreign = |_| PasskeyError::Site { what: "an origin does not end with its domain" };
        for other in others {
            // The library checks the domain of the first alone.
            WebauthnBuilder::new(&site.domain, other).map_err(foreign)?;
        }
        let builder = WebauthnBuilder::new(&site.domain, first).map_err(foreign)?.rp_name(&site.name);
        let builder = others.iter().fold(builder, WebauthnBuilder::append_allowed_origin);
        let webauthn = builder.build().map_err(|_| PasskeyError::Library("take the site"))?;
        Ok(Self { webauthn })
    }

    /// Starts the registration of a further passkey; `known` are those that the person has.
    ///
    /// # Errors
    /// A name is unfit, or the person has as many as can be.
    pub fn start_registration<P>(
        &self,
        account: &Account<P>,
        known: &[Passkey],
        now: Timestamp,
    ) -> Result<Started, PasskeyError> {
        check_name(&account.name)?;
        check_name(&account.display_name)?;
        if known.len() >= PASSKEYS_MAX {
            return Err(PasskeyError::TooMany);
        }
        let person = account.person.uuid();
        let exclude = known.iter().map(|passkey| passkey.key.cred_id().clone()).collect();
        let (options, state) = self
            .webauthn
            .start_passkey_registration(person, &account.name, &account.display_name, Some(exclude))
            .map_err(|_| PasskeyError::Library("start a registration"))?;
        let mut options = serde_json::to_value(options).map_err(|_| PasskeyError::Library("write the options"))?;
        // The library discourages keys that name their user, and `start_discovery` needs them.
        if let Some(Value::Object(selection)) = options.pointer_mut("/publicKey/authenticatorSelection") {
            selection.insert("residentKey".to_owned(), Value::from("preferred"));
        }
        State::started(Ceremony::Registration(state), Some(person), now, &options)
    }

    /// Finishes the registration that `person` started; `known` are the passkeys that the person has now.
    ///
    /// # Errors
    /// Each reason to refuse is a variant.
    pub fn finish_registration<P>(
        &self,
        state: &[u8],
        person: Id<P>,
        answer: &str,
        known: &[Passkey],
        now: Timestamp,
    ) -> Result<Passkey, PasskeyError> {
        let person = person.uuid();
        let Ceremony::Registration(state) = State::read(state, Some(person), now)? else {
            return Err(PasskeyError::State);
        };
        let answer: RegisterPublicKeyCredential = read_answer(answer)?;
        check_frame(&answer.response.client_data_json)?;
        let is_known = |id: &[u8]| known.iter().any(|passkey| passkey.id() == id);
        let key = self.webauthn.finish_passkey_registration(&answer, &state).map_err(|error| match error {
            // What the library says of one that was excluded.
            WebauthnError::CredentialAlteredAlgFromRequest if is_known(&answer.raw_id) => PasskeyError::Registered,
            error => PasskeyError::of_answer(&error),
        })?;
        if is_known(key.cred_id()) { Err(PasskeyError::Registered) } else { Ok(Passkey { person, key }) }
    }

    /// Starts the authentication of a person by one of their passkeys.
    ///
    /// # Errors
    /// The person has none, or one of them is another's.
    pub fn start_authentication<P>(
        &self,
        person: Id<P>,
        known: &[Passkey],
        now: Timestamp,
    ) -> Result<Started, PasskeyError> {
        let person = person.uuid();
        // To the library, an empty list is an invitation to everybody.
        if known.is_empty() {
            return Err(PasskeyError::None);
        }
        if known.iter().any(|passkey| passkey.person != person) {
            return Err(PasskeyError::Unknown);
        }
        let keys: Vec<_> = known.iter().map(|passkey| passkey.key.clone()).collect();
        let (options, state) = self
            .webauthn
            .start_passkey_authentication(&keys)
            .map_err(|_| PasskeyError::Library("start an authentication"))?;
        let options = serde_json::to_value(options).map_err(|_| PasskeyError::Library("write the options"))?;
        State::started(Ceremony::Authentication(state), Some(person), now, &options)
    }

    /// Finishes the authentication of a person; `known` are the passkeys that the person has now.
    ///
    /// # Errors
    /// Each reason to refuse is a variant.
    pub fn finish_authentication<P>(
        &self,
        state: &[u8],
        person: Id<P>,
        answer: &str,
        known: &[Passkey],
        now: Timestamp,
    ) -> Result<Authenticated, PasskeyError> {
        let person = person.uuid();
        let Ceremony::Authentication(state) = State::read(state, Some(person), now)? else {
            return Err(PasskeyError::State);
        };
        let answer: PublicKeyCredential = read_answer(answer)?;
        check_frame(&answer.response.client_data_json)?;
        if answer.get_user_unique_id().is_some_and(|named| named != person.as_bytes()) {
            return Err(PasskeyError::Unknown);
        }
        let passkey = known
            .iter()
            .find(|passkey| passkey.person == person && passkey.id() == answer.get_credential_id())
            .ok_or(PasskeyError::Unknown)?;
        let result = self
            .webauthn
            .finish_passkey_authentication(&answer, &state)
            .map_err(|error| PasskeyError::of_answer(&error))?;
        updated(passkey, &result)
    }

    /// Starts the authentication of whoever holds a passkey that names its user.
    ///
    /// # Errors
    /// The library fails.
    pub fn start_discovery(&self, now: Timestamp) -> Result<Started, PasskeyError> {
        let (mut options, state) = self
            .webauthn
            .start_discoverable_authentication()
            .map_err(|_| PasskeyError::Library("start an authentication"))?;
        options.mediation = None;
        let options = serde_json::to_value(options).map_err(|_| PasskeyError::Library("write the options"))?;
        State::started(Ceremony::Discovery(state), None, now, &options)
    }

    /// Whose passkey to look up for [`Passkeys::finish_discovery`].
    ///
    /// # Errors
    /// The answer names nobody.
    pub fn identify<P>(&self, answer: &str) -> Result<Claimed<P>, PasskeyError> {
        let answer: PublicKeyCredential = read_answer(answer)?;
        let (person, id) =
            self.webauthn.identify_discoverable_authentication(&answer).map_err(|_| PasskeyError::Malformed)?;
        Ok(Claimed { person: Id::from_uuid(person), passkey: id.to_vec() })
    }

    /// Finishes an authentication with the passkey that the answer names, as it is stored.
    ///
    /// # Errors
    /// Each reason to refuse is a variant.
    pub fn finish_discovery(
        &self,
        state: &[u8],
        answer: &str,
        passkey: &Passkey,
        now: Timestamp,
    ) -> Result<Authenticated, PasskeyError> {
        let Ceremony::Discovery(state) = State::read(state, None, now)? else { return Err(PasskeyError::State) };
        let answer: PublicKeyCredential = read_answer(answer)?;
        check_frame(&answer.response.client_data_json)?;
        if answer.get_user_unique_id() != Some(passkey.person.as_bytes().as_slice()) {
            return Err(PasskeyError::Unknown);
        }
        let result = self
            .webauthn
            .finish_discoverable_authentication_v2(&answer, state, DiscoverableKey::from(&passkey.key))
            .map_err(|error| PasskeyError::of_answer(&error))?;
        updated(passkey, &result)
    }
}

impl fmt::Debug for Passkeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passkeys").field("origins", &self.webauthn.get_allowed_origins()).finish_non_exhaustive()
    }
}

/// The library compares with the counter that was stored at the start; another ceremony may have come in between.
fn updated(
    stored: &Passkey,
    result: &webauthn_rs::prelude::AuthenticationResult,
) -> Result<Authenticated, PasskeyError> {
    let counter = stored.counter();
    if (counter > 0 || result.counter() > 0) && result.counter() <= counter {
        return Err(PasskeyError::Cloned);
    }
    let mut passkey = stored.clone();
    let changed = passkey.key.update_credential(result).ok_or(PasskeyError::Unknown)?;
    Ok(Authenticated { passkey, changed })
}

fn read_answer<'a, T: Deserialize<'a>>(answer: &'a str) -> Result<T, PasskeyError> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(PasskeyError::TooLong);
    }
    object(answer.as_bytes()).ok_or(PasskeyError::Malformed)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame {
    #[serde(default)]
    cross_origin: bool,
    top_origin: Option<String>,
}

/// Refuses what was made in a frame within another site. The library looks at this in registrations alone.
fn check_frame(client_data: &[u8]) -> Result<(), PasskeyError> {
    let frame: Frame = object(client_data).ok_or(PasskeyError::Malformed)?;
    if frame.cross_origin || frame.top_origin.is_some() { Err(PasskeyError::Origin) } else { Ok(()) }
}

fn check_name(name: &str) -> Result<(), PasskeyError> {
    let fit = !name.trim().is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control);
    if fit { Ok(()) } else { Err(PasskeyError::Name) }
}

/// An origin in the one spelling that browsers send.
fn origin_of(text: &str) -> Result<Url, PasskeyError> {
    let site = |what| PasskeyError::Site { what };
    let url = Url::parse(text).map_err(|_| site("an origin is no URL"))?;
    let local = url.domain().is_some_and(|domain| domain == "localhost" || domain.ends_with(".localhost"));
    if url.scheme() != "https" && !(url.scheme() == "http" && local) {
        return Err(site("an origin is not https"));
    }
    if url.origin().ascii_serialization() != text.trim_end_matches('/') {
        return Err(site("an origin has more than scheme, host and port"));
    }
    Ok(url)
}
