//! People at the start of a node: links for those who have not set up sign-in, and SCIM for whoever tells who is here.

use crate::config::ScimConfig;
use anyhow::{Context as _, Result, bail};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use scruple_api::{Caller, Parts, TokenVerifier, Verifying, scim_limits};
use scruple_app::directory::SCIM_LOGIN;
use scruple_app::{Door, DoorKeys, DrainHandle, program_person};
use scruple_core::{Clock, Id, Timestamp};
use scruple_seal::SystemRng;
use scruple_store::{Login, Person, ShardLease, Store, find_person_by_login, list_credentials};
use std::sync::Arc;

const HOUR_MICROS: i64 = 3_600_000_000;
/// Bytes of a bearer token, at least: what is shorter can be guessed.
const TOKEN_BYTES_MIN: usize = 32;

/// A link for each of these people who has nothing to sign in with.
pub async fn invite(
    store: &Store,
    lease: &ShardLease,
    clock: &Arc<dyn Clock>,
    keys: &DoorKeys,
    logins: &[String],
    console_url: &str,
) -> Result<Vec<(String, String)>> {
    let mut links = Vec::new();
    for login in logins {
        let known: Login = login.parse().with_context(|| format!("`{login}`"))?;
        let mut tx = store.begin_read().await?;
        let Some(person) = find_person_by_login(&mut tx, &known).await? else { continue };
        if !list_credentials(&mut tx, person.id).await?.is_empty() {
            continue;
        }
        drop(tx);
        let mut rng = SystemRng;
        let mut door = Door { store, lease, clock: clock.as_ref(), rng: &mut rng, keys };
        let (secret, _) = door.invite_first(person.id).await?;
        links.push((login.clone(), format!("{console_url}/enrol?link={}", secret.expose().as_str())));
    }
    Ok(links)
}

/// What SCIM needs.
pub struct Scim<'a> {
    pub config: &'a ScimConfig,
    pub token: Option<&'a str>,
    pub store: &'a Store,
    pub lease: &'a ShardLease,
    pub clock: &'a Arc<dyn Clock>,
    pub drain: &'a DrainHandle,
    pub base: &'a str,
}

/// SCIM, if there is a token for it.
pub async fn scim(parts: Scim<'_>) -> Result<Option<axum::Router>> {
    let token = match (&parts.token, &parts.config.token_file) {
        (Some(token), _) => (*token).to_owned(),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            text.trim().to_owned()
        }
        (None, None) => return Ok(None),
    };
    if token.len() < TOKEN_BYTES_MIN {
        bail!("the token of `scim.token_file` has fewer than {TOKEN_BYTES_MIN} characters");
    }
    let Scim { store, lease, clock, .. } = parts;
    let person = program_person(store, lease, clock.as_ref(), &mut SystemRng, SCIM_LOGIN, "SCIM").await?;
    Ok(Some(scruple_api::scim_router(Parts {
        store: store.clone(),
        lease: lease.clone(),
        clock: Arc::clone(clock),
        rng: Box::new(SystemRng),
        verifier: Arc::new(Bearer { hash: hash(&token), person }),
        base: format!("{}/scim/v2", parts.base),
        recorded: Some(parts.drain.clone()),
        scanned_max: scim_limits::SCANNED_MAX,
        move_notice_micros: i64::from(parts.config.move_notice_hours) * HOUR_MICROS,
    })))
}

fn hash(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

/// One token, kept as its hash.
struct Bearer {
    hash: Vec<u8>,
    person: Id<Person>,
}

impl TokenVerifier for Bearer {
    fn verify<'a>(&'a self, token: &'a str, _: Timestamp) -> Verifying<'a> {
        let is_it = verify_slices_are_equal(&hash(token), &self.hash).is_ok();
        Box::pin(async move { is_it.then_some(Caller { person: self.person }) })
    }
}
