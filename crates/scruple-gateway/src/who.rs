//! Who asks: the token, the role that it selects among those that the store grants, the purpose, and how he has signed in. No header
//! but `Authorization` has a say; where he asks from is the listener's to know.

use scruple_app::{AccessCache, AccessError, RoleError, Rules, SignIn, SignInRefused, acting, select_role};
use scruple_core::{ConditionMask, Relationship, Timestamp};
use scruple_identity::{Token, TokenCache, Verifier, bearer};
use scruple_policy::{Pack, Question};
use scruple_release::{Asked, No};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who is not known yet, or not at all.
pub(crate) const NOBODY: &str = "unauthenticated";

/// What the account of a system must be registered for to come here.
const FHIR: &str = "fhir";

/// A caller that may not go on, with what is known of him.
pub(crate) struct Unknown {
    pub asked: Asked,
    pub no: No,
    /// Conditions of sign-in, device and place that do not hold.
    pub lacking: Vec<String>,
}

/// A caller with what a decision takes of him.
pub(crate) struct Known {
    pub asked: Asked,
    /// Conditions of sign-in, device and place that do not hold.
    pub lacking: Vec<String>,
    /// More would show to him if he confirmed that it is he.
    pub may_confirm: bool,
}

pub(crate) fn nobody() -> Asked {
    Asked {
        subject: NOBODY.to_owned(),
        question: Question { role: String::new(), purpose: String::new(), conditions: ConditionMask::NONE },
        relationship: Relationship::None,
        grant: None,
        practitioners: Vec::new(),
        opened: BTreeMap::new(),
        limited: BTreeMap::new(),
    }
}

/// Verifies the token in a request's `Authorization`.
pub(crate) fn token(
    verifier: &Verifier,
    cache: &TokenCache,
    authorization: Option<&str>,
    now: Timestamp,
) -> Result<Arc<Token>, Box<Unknown>> {
    let refused =
        |code, words: &str| Box::new(Unknown { asked: nobody(), no: No::new(401, code, words), lacking: Vec::new() });
    let Some(header) = authorization else {
        return Err(refused("token_missing", "An access token is needed: Authorization: Bearer."));
    };
    let Some(text) = bearer(header) else {
        return Err(refused("token_malformed", "Authorization holds no bearer token."));
    };
    cache
        .verify_cached(verifier, text, now)
        .map_err(|error| refused(error.code(), "The access token is not accepted. Get a new one."))
}

/// The caller of a verified token: with the role that it selects, for the purpose that it names.
pub(crate) async fn caller(
    access: &AccessCache,
    pack: &Pack,
    token: &Token,
    inside: bool,
    now: Timestamp,
) -> Result<Known, Box<Unknown>> {
    let known = || Asked { subject: token.subject().to_owned(), ..nobody() };
    let refused = |asked: Asked, status, code, words: &str| {
        Box::new(Unknown { asked, no: No::new(status, code, words), lacking: Vec::new() })
    };
    let failed = |error: &AccessError| match error {
        AccessError::Stale => {
            refused(known(), 503, "access_feed_stale", "Who may see what cannot be told right now. Try again.")
        }
        _ => refused(known(), 503, "access_unavailable", "Who may see what cannot be told right now. Try again."),
    };
    let held = match access.try_held(token.subject(), now) {
        Some(held) => Some(held),
        None => access.held(token.subject(), now).await.map_err(|error| failed(&error))?,
    };
    let Some(held) = held else {
        return Err(refused(known(), 403, "role_not_selected", "No role is granted to you. Ask your manager."));
    };
    if !held.may_use(FHIR) {
        return Err(refused(
            known(),
            403,
            "role_not_selected",
            "What is registered of this account does not let it read records.",
        ));
    }
    let selected = select_role(&held, token.roles(), now).map_err(|error| {
        let words = match error {
            RoleError::NotSelected => "The token must name one role, because you hold several, or none.",
            RoleError::NotGranted => "The role that the token names is not granted to you.",
        };
        refused(known(), 403, "role_not_selected", words)
    })?;
    // An emergency is never in the way of a course.
    let is_urgent = matches!(token.purpose(), Some("BTG" | "ETREAT"));
    if !is_urgent && !held.missing(&Rules::steps(pack, &selected.role), now).is_empty() {
        let words = "Training incomplete: your role waits for a step that you have not taken. My access names it.";
        return Err(refused(known(), 403, "training_incomplete", words));
    }
    let purpose = token.purpose().unwrap_or_default();
    let judged = access
        .circumstances((&held, &selected.role, purpose), &SignIn::of_token(token, inside), pack, now)
        .await
        .map_err(|error| failed(&error))?;
    let asked = acting(&held, &selected, (token.subject(), purpose.to_owned()), judged.conditions, pack, now);
    let lacking = judged.lacking;
    if let Some(why) = judged.refused {
        let status = if why == SignInRefused::Factors { 401 } else { 403 };
        return Err(Box::new(Unknown { asked, no: No::new(status, why.code(), why.words()), lacking }));
    }
    access.note_use(selected.person, now);
    access.sees(&held, &selected.role, now);
    match token.purpose() {
        Some(_) => Ok(Known { asked, lacking, may_confirm: judged.may_confirm }),
        None => {
            let words =
                "The token must name one purpose of use (HL7 v3 ActReason) in extensions.ihe_iua.purpose_of_use.";
            Err(Box::new(Unknown { asked, no: No::new(403, "purpose_missing", words), lacking }))
        }
    }
}
