//! `[sign_in]` of `pack.toml`: how people must have signed in.

use super::{Names, Reader};
use crate::model::{BUILT_IN, Role};
use crate::sign_in::{DEVICE_FACTS, DeviceRule, SignInRules, UNCONFIRMED_OUTSIDE, WorkingHours};
use scruple_core::{SegmentSet, Zone};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Minutes for which somebody may count as confirmed: a shift.
const CONFIRMED_MINUTES_MAX: u32 = 12 * 60;
/// Authentication classes that may be listed.
const ACR_MAX: usize = 8;
const MINUTES_OF_DAY: u16 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// As it is written.
#[derive(Deserialize, Clone)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SignInToml {
    several_factors: bool,
    acr_values: BTreeSet<String>,
    one_factor_roles: BTreeSet<String>,
    emergency: String,
    device: String,
    device_must: BTreeSet<String>,
    confirmed_minutes: u32,
    confirmed_outside: Vec<String>,
    working_hours: Option<HoursToml>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct HoursToml {
    zone: String,
    days: Vec<String>,
    from: String,
    until: String,
}

impl Default for SignInToml {
    fn default() -> Self {
        let rules = SignInRules::default();
        Self {
            several_factors: rules.several_factors,
            acr_values: BTreeSet::new(),
            one_factor_roles: BTreeSet::new(),
            emergency: "open".to_owned(),
            device: rules.device.word().to_owned(),
            device_must: BTreeSet::new(),
            confirmed_minutes: rules.confirmed_minutes,
            confirmed_outside: Vec::new(),
            working_hours: None,
        }
    }
}

impl Reader<'_> {
    pub(super) fn sign_in(
        &mut self,
        said: Option<&SignInToml>,
        names: &Names<'_>,
        roles: &BTreeMap<String, Role>,
    ) -> SignInRules {
        let said = said.cloned().unwrap_or_default();
        let mut wrong = |what: String, advice: &str| self.problem("pack.toml", 0, what, advice);
        let emergency_opens = match said.emergency.as_str() {
            "open" => true,
            "closed" => false,
            other => {
                wrong(format!("`emergency` of [sign_in] is `{other}`"), "write open or closed");
                false
            }
        };
        let device = DeviceRule::of(&said.device).unwrap_or_else(|| {
            wrong(format!("`device` of [sign_in] is `{}`", said.device), "write any, not_failing or in_order");
            DeviceRule::InOrder
        });
        for role in &said.one_factor_roles {
            if !roles.contains_key(role) && !BUILT_IN.contains(&role.as_str()) {
                wrong(format!("`one_factor_roles` names `{role}`"), "write roles of roles/ or profiles");
            }
        }
        for fact in said.device_must.iter().filter(|fact| !DEVICE_FACTS.contains(&fact.as_str())) {
            wrong(format!("`device_must` has `{fact}`"), "write managed, disk_encrypted, os_patched, screen_lock");
        }
        let is_acr = |acr: &String| {
            let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
            !acr.is_empty() && acr.len() <= 255 && acr.bytes().all(plain)
        };
        if said.acr_values.len() > ACR_MAX || !said.acr_values.iter().all(is_acr) {
            let advice = "write at most eight names, without blanks and quotation marks";
            wrong("`acr_values` of [sign_in] has what is no name of a class".to_owned(), advice);
        }
        if !(1..=CONFIRMED_MINUTES_MAX).contains(&said.confirmed_minutes) {
            wrong(format!("`confirmed_minutes` is {}", said.confirmed_minutes), "write minutes, at most 720");
        }
        let mut confirmed_outside = SegmentSet::EMPTY;
        for name in &said.confirmed_outside {
            match names.segment(name) {
                Some(segment) => confirmed_outside = confirmed_outside.with(segment),
                None => wrong(format!("unknown segment `{name}`"), "segments.csv has the names"),
            }
        }
        if confirmed_outside != SegmentSet::EMPTY && names.condition(UNCONFIRMED_OUTSIDE).is_none() {
            let what = format!("`confirmed_outside` without the condition `{UNCONFIRMED_OUTSIDE}`");
            wrong(what, "add it to conditions.csv");
        }
        let working_hours = said.working_hours.as_ref().map(hours);
        if let Some(None) = working_hours {
            let advice =
                "write a zone such as America/New_York, days such as mon, and times such as 07:00, from before until";
            wrong("`working_hours` of [sign_in] cannot be read".to_owned(), advice);
        }
        SignInRules {
            several_factors: said.several_factors,
            acr_values: said.acr_values,
            one_factor_roles: said.one_factor_roles,
            emergency_opens,
            device,
            device_must: said.device_must,
            confirmed_minutes: said.confirmed_minutes,
            confirmed_outside,
            working_hours: working_hours.flatten(),
        }
    }
}

fn hours(said: &HoursToml) -> Option<WorkingHours> {
    let minute = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let number = |text: &str| if text.len() == 2 { text.parse::<u16>().ok() } else { None };
        let at = number(hour)?.checked_mul(60)?.checked_add(number(minute).filter(|minute| *minute < 60)?)?;
        (at <= MINUTES_OF_DAY).then_some(at)
    };
    let day = |day: &String| DAYS.iter().position(|known| known == day).and_then(|place| u8::try_from(place + 1).ok());
    let days = said.days.iter().map(day).collect::<Option<BTreeSet<u8>>>()?;
    let (from, until) = (minute(&said.from)?, minute(&said.until)?);
    let zone = Zone::named(&said.zone)?;
    (from < until && !days.is_empty()).then(|| WorkingHours { zone, zone_name: said.zone.clone(), days, from, until })
}
