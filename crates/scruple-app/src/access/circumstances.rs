//! How somebody has signed in, from which device and from where, judged by the pack's `[sign_in]`: the conditions that hold, those
//! that do not, and whether a record may show at all. The gateway and those who ask for decisions come through here.
//!
//! Systems are no people: of an account that is registered as one, with its owner, neither factors nor a device is asked, whatever
//! its token says. From outside, what is specially protected stays closed to them, for they cannot confirm.

use super::{AccessCache, AccessError, Held};
use scruple_core::{ConditionMask, Id, SegmentLimit, Timestamp};
use scruple_flow::{DevicePosture, DeviceStanding};
use scruple_identity::Token;
use scruple_identity::signal::device_key;
use scruple_policy::{
    CONFIRMED_LATELY, DEVICE_IN_ORDER, DeviceRule, INSIDE, Pack, Role, SEVERAL_FACTORS, UNCONFIRMED_OUTSIDE,
    WORKING_HOURS,
};
use scruple_store::RoleCode;
use uuid::Uuid;

const MINUTE_MICROS: i64 = 60_000_000;

/// How somebody has signed in, as far as it is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SignIn {
    /// Several factors were shown (`amr` has `mfa`).
    pub several_factors: bool,
    /// The authentication class that was met (`acr`).
    pub acr: Option<String>,
    /// When (`auth_time`).
    pub at: Option<Timestamp>,
    /// The name of the device.
    pub device: Option<String>,
    /// He asks from within the networks of the organisation.
    pub inside: bool,
}

impl SignIn {
    /// As an access token says it.
    #[must_use]
    pub fn of_token(token: &Token, inside: bool) -> Self {
        Self {
            several_factors: token.has_several_factors(),
            acr: token.acr().map(str::to_owned),
            at: token.authenticated_at(),
            device: token.device().map(str::to_owned),
            inside,
        }
    }
}

/// Why no record shows, whatever is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignInRefused {
    /// Several factors must be shown first (RFC 9470).
    Factors,
    /// The device is not in order.
    Device,
}

impl SignInRefused {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Factors => "insufficient_user_authentication",
            Self::Device => "device_not_in_order",
        }
    }

    /// The sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Factors => {
                "Records open to who has shown several factors. Sign in again with a second one; in an emergency ask for purpose ETREAT or BTG."
            }
            Self::Device => {
                "This device is not in order, so that records do not open on it. Take another one and call the service desk; in an emergency ask for purpose ETREAT or BTG."
            }
        }
    }
}

/// What was judged.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Circumstances {
    /// The conditions that hold, of those that change what the role sees.
    pub conditions: ConditionMask,
    /// The names of those that do not hold, for the record.
    pub lacking: Vec<String>,
    /// No record shows.
    pub refused: Option<SignInRefused>,
    /// Something more would show to who has just confirmed that it is he.
    pub may_confirm: bool,
    /// Until when this can be relied on without asking again; of a system as long as what it holds.
    pub until: Option<Timestamp>,
}

/// The id under which a device is kept.
#[must_use]
pub fn device_id(name: &str) -> Id<DevicePosture> {
    Id::from_uuid(Uuid::from_bytes(device_key(name)))
}

impl AccessCache {
    /// Judges how somebody has signed in, in a role and for a purpose.
    ///
    /// # Errors
    /// What is known of his device cannot be told right now.
    pub async fn circumstances(
        &self,
        (held, role, purpose): (&Held, &RoleCode, &str),
        sign_in: &SignIn,
        pack: &Pack,
        now: Timestamp,
    ) -> Result<Circumstances, AccessError> {
        let posture = match sign_in.device.as_deref() {
            Some(name) if pack.sign_in.device != DeviceRule::Any || asks_for_device(pack) => {
                let known = self.device(device_id(name), now).await;
                // An emergency waits for no look-up: what is not known gives nothing.
                if pack.sign_in.excuses(purpose) { known.unwrap_or(None) } else { known? }
            }
            _ => None,
        };
        Ok(judge((held.is_system(), role, purpose), sign_in, posture.as_ref(), pack, now))
    }
}

/// Whether a permit can ask for it.
fn asks_for_device(pack: &Pack) -> bool {
    pack.condition(DEVICE_IN_ORDER).is_some()
}

fn judge(
    (is_system, role, purpose): (bool, &RoleCode, &str),
    sign_in: &SignIn,
    posture: Option<&DevicePosture>,
    pack: &Pack,
    now: Timestamp,
) -> Circumstances {
    let rules = &pack.sign_in;
    let known = pack.roles.get(role.as_str());
    let several = if rules.acr_values.is_empty() {
        sign_in.several_factors
    } else {
        sign_in.acr.as_ref().is_some_and(|acr| rules.acr_values.contains(acr))
    };
    let since = now.plus_micros(-i64::from(rules.confirmed_minutes) * MINUTE_MICROS);
    let confirmed = several && sign_in.at.is_some_and(|at| since <= at && at <= now);
    let standing = posture.map_or(DeviceStanding::Unknown, |one| one.standing(|fact| rules.device_must.contains(fact)));
    let inside = sign_in.inside;
    let facts = [
        (SEVERAL_FACTORS, several),
        (CONFIRMED_LATELY, confirmed),
        (DEVICE_IN_ORDER, standing == DeviceStanding::InOrder),
        (INSIDE, inside),
        (WORKING_HOURS, rules.working_hours.as_ref().is_some_and(|hours| hours.contains(now))),
    ];
    let is_profile = known.is_some_and(|role| role.is_profile);
    let device_holds = is_system
        || is_profile
        || match rules.device {
            DeviceRule::Any => true,
            DeviceRule::NotFailing => standing != DeviceStanding::Failing,
            DeviceRule::InOrder => standing == DeviceStanding::InOrder,
        };
    let factors_hold = several || is_system || !rules.several_factors || rules.one_factor_roles.contains(role.as_str());
    let refused = match (factors_hold, device_holds) {
        _ if rules.excuses(purpose) => None,
        (false, _) => Some(SignInRefused::Factors),
        (_, false) => Some(SignInRefused::Device),
        _ => None,
    };
    let unconfirmed = !inside && !confirmed;
    let used = known.map_or(ConditionMask::NONE, |role| used_by(pack, role));
    let bit = |name: &str| pack.condition(name).map(|id| ConditionMask::NONE.with(id));
    // How he signed in, where he is and on what changes: an answer that others keep is good for as long as a confirmation is.
    let lasts = i64::from(rules.confirmed_minutes) * MINUTE_MICROS;
    let since = if confirmed { sign_in.at.unwrap_or(now) } else { now };
    let until = (!is_system).then(|| since.plus_micros(lasts).max(now));
    let mut found = Circumstances { refused, until, ..Circumstances::default() };
    for (name, holds) in facts {
        let is_used = bit(name).is_some_and(|one| used.covers(one));
        let counts = match name {
            SEVERAL_FACTORS => !factors_hold,
            DEVICE_IN_ORDER => !device_holds,
            INSIDE => true,
            _ => false,
        };
        match (holds, bit(name)) {
            (true, Some(one)) if is_used => found.conditions = found.conditions.union(one),
            (false, _) if is_used || counts => found.lacking.push(name.to_owned()),
            _ => {}
        }
    }
    if let (true, Some(one)) = (unconfirmed, bit(UNCONFIRMED_OUTSIDE)) {
        found.conditions = found.conditions.union(one);
        let closed = known.is_some_and(|role| {
            pack.closed_outside(role, purpose, one)
                .segments()
                .any(|segment| role.limit(segment, one) != SegmentLimit::None)
        });
        if closed {
            found.lacking.push(CONFIRMED_LATELY.to_owned());
            found.may_confirm = !is_system;
        }
    }
    found.lacking.sort_unstable();
    found.lacking.dedup();
    found
}

/// The conditions that change what a role sees. A guardrail may name any.
fn used_by(pack: &Pack, role: &Role) -> ConditionMask {
    if !pack.guardrails.texts().is_empty() {
        return ConditionMask(u64::MAX);
    }
    let words = role.segments.iter().filter_map(|word| word.condition);
    words.fold(role.conditions(), ConditionMask::with)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scruple_flow::{DeviceFacts, DeviceStatus, DeviceTold};
    use scruple_policy::{PackFiles, read};

    fn now() -> Timestamp {
        Timestamp::parse("2026-03-02T12:00:00Z").unwrap()
    }

    fn pack(change: impl Fn(&str) -> String) -> Pack {
        let mut files = PackFiles::embedded();
        let text = files.0.get_mut("pack.toml").unwrap();
        *text = change(text);
        read(&files).unwrap()
    }

    /// Somebody within the house who has just shown several factors.
    fn good() -> SignIn {
        SignIn { several_factors: true, acr: None, at: Some(now()), device: None, inside: true }
    }

    fn device(status: DeviceStatus) -> DevicePosture {
        let told = DeviceTold { status, facts: DeviceFacts::default(), at: now() };
        DevicePosture::first(device_id("laptop-7"), told)
    }

    fn judged(pack: &Pack, (role, purpose): (&str, &str), sign_in: &SignIn, posture: Option<DeviceStatus>) -> String {
        let role = role.parse().unwrap();
        let found = judge((false, &role, purpose), sign_in, posture.map(device).as_ref(), pack, now());
        let refused = found.refused.map_or("opens", SignInRefused::code);
        let mut words = format!("{refused}: {}", found.lacking.join(" "));
        let closes =
            pack.condition(UNCONFIRMED_OUTSIDE).is_some_and(|id| found.conditions.covers(ConditionMask::NONE.with(id)));
        if closes {
            words += " closed";
        }
        if found.may_confirm {
            words += " may confirm";
        }
        words
    }

    #[test]
    fn what_a_sign_in_lacks_is_named_and_an_emergency_opens_without() {
        let pack = pack(str::to_owned);
        let nurse = ("nurse", "TREAT");
        let weak = SignIn { several_factors: false, ..good() };
        let outside = SignIn { inside: false, ..good() };
        let long_ago = SignIn { at: Some(now().plus_micros(-15 * MINUTE_MICROS - 1)), ..outside.clone() };
        let just = SignIn { at: Some(now().plus_micros(-15 * MINUTE_MICROS)), ..outside.clone() };
        let ahead = SignIn { at: Some(now().plus_micros(1)), ..outside.clone() };
        let silent = SignIn { at: None, ..outside.clone() };
        for (sign_in, expected) in [
            (&good(), "opens: "),
            (&weak, "insufficient_user_authentication: several_factors"),
            (&outside, "opens: inside"),
            (&just, "opens: inside"),
            (&long_ago, "opens: confirmed_lately inside closed may confirm"),
            (&ahead, "opens: confirmed_lately inside closed may confirm"),
            (&silent, "opens: confirmed_lately inside closed may confirm"),
            (
                &SignIn::default(),
                "insufficient_user_authentication: confirmed_lately inside several_factors closed may confirm",
            ),
        ] {
            assert_eq!(judged(&pack, nurse, sign_in, None), expected, "{sign_in:?}");
        }
        for purpose in ["ETREAT", "BTG"] {
            assert_eq!(judged(&pack, ("nurse", purpose), &weak, None), "opens: several_factors");
            // The condition stands, and takes nothing away from an emergency.
            assert_eq!(judged(&pack, ("nurse", purpose), &long_ago, None), "opens: inside closed");
        }
        assert_eq!(judged(&pack, ("individual", "PATRQT"), &SignIn::default(), None), "opens: inside closed");
    }

    #[test]
    fn an_emergency_waits_too_where_the_policy_says_so() {
        let strict = pack(|text| text.replace("emergency = \"open\"", "emergency = \"closed\""));
        let weak = SignIn { several_factors: false, ..good() };
        assert!(judged(&strict, ("nurse", "ETREAT"), &weak, None).starts_with("insufficient_user_authentication"));
    }

    #[test]
    fn a_class_that_is_asked_for_takes_the_place_of_mfa() {
        let classes = pack(|text| text.replace("acr_values = []", "acr_values = [\"aal2\", \"aal3\"]"));
        let nurse = ("nurse", "TREAT");
        assert!(judged(&classes, nurse, &good(), None).starts_with("insufficient_user_authentication"));
        for (acr, opens) in [("aal3", true), ("aal1", false), ("", false)] {
            let sign_in = SignIn { several_factors: false, acr: Some(acr.to_owned()), ..good() };
            assert_eq!(judged(&classes, nurse, &sign_in, None) == "opens: ", opens, "{acr}");
        }
    }

    #[test]
    fn a_device_counts_as_the_policy_asks() {
        let with = |word: &str| {
            let line = format!("device = \"{word}\"");
            pack(|text| text.replace("device = \"not_failing\"", &line))
        };
        let nurse = ("nurse", "TREAT");
        let bad = "device_not_in_order: device_in_order";
        for (rule, unknown, failing, compliant) in [
            ("any", "opens: ", "opens: ", "opens: "),
            ("not_failing", "opens: ", bad, "opens: "),
            ("in_order", bad, bad, "opens: "),
        ] {
            let pack = with(rule);
            assert_eq!(judged(&pack, nurse, &good(), None), unknown, "{rule}");
            assert_eq!(judged(&pack, nurse, &good(), Some(DeviceStatus::NotCompliant)), failing, "{rule}");
            assert_eq!(judged(&pack, nurse, &good(), Some(DeviceStatus::Compliant)), compliant, "{rule}");
        }
        let pack = with("in_order");
        assert_eq!(judged(&pack, ("nurse", "ETREAT"), &good(), None), "opens: device_in_order");
        assert_eq!(judged(&pack, ("individual", "PATRQT"), &good(), None), "opens: ");
    }

    #[test]
    fn a_system_is_asked_for_no_factor_and_no_device_and_sees_nothing_protected_from_outside() {
        let pack = pack(|text| text.replace("device = \"not_failing\"", "device = \"in_order\""));
        let role = "nurse".parse().unwrap();
        let of = |sign_in: &SignIn| judge((true, &role, "TREAT"), sign_in, None, &pack, now());
        let inside = of(&SignIn { inside: true, ..SignIn::default() });
        assert_eq!((inside.refused, inside.lacking), (None, Vec::new()));
        let outside = of(&SignIn::default());
        assert_eq!((outside.refused, outside.may_confirm), (None, false));
        assert_eq!(outside.lacking, ["confirmed_lately", "inside"]);
    }
}
