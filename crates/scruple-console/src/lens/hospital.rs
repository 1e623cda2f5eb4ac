//! The Lens over the synthetic hospital: each view is a release of `scruple-release`, recorded before it is shown.
//!
//! It reads nothing but the synthetic hospital, whatever upstream the gateway has.

use super::explain::{Explained, explain, refused};
use super::title::title;
use super::{Catalogue, Lens, LensAsk, LensError, Outcome, PurposeChoice, RecordItem, RoleChoice, Seen, SeenFuture};
use crate::words;
use rand_core::Rng;
use scruple_core::{Clock, ConditionMask, Relationship};
use scruple_fhir::tree::Tree;
use scruple_hospital::{Hospital, Persona};
use scruple_ledger::Ledger;
use scruple_policy::{Active, Question};
use scruple_release::{Asked, LookOptions, ReleaseError, look, withheld_because};
use scruple_seal::TokenKey;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Who looks, in the ledger. Until people sign in it is the page.
const SUBJECT: &str = "console:lens";
/// Records that are kept made.
const RECORDS_KEPT_MAX: usize = 16;

/// What the Lens is made of.
pub struct HospitalLensOptions {
    /// The synthetic hospital.
    pub hospital: Hospital,
    /// The policy that is active now.
    pub active: Box<dyn Fn() -> Arc<Active> + Send + Sync>,
    /// The ledger that takes entries now, if one does.
    pub ledger: Box<dyn Fn() -> Option<Arc<Ledger>> + Send + Sync>,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// For pseudonyms.
    pub token: TokenKey,
    /// For ids of releases.
    pub rng: Box<dyn Rng + Send>,
}

/// The Lens over the synthetic hospital.
pub struct HospitalLens {
    inner: Arc<Inner>,
}

struct Inner {
    hospital: Hospital,
    active: Box<dyn Fn() -> Arc<Active> + Send + Sync>,
    ledger: Box<dyn Fn() -> Option<Arc<Ledger>> + Send + Sync>,
    clock: Arc<dyn Clock>,
    token: TokenKey,
    rng: Mutex<Box<dyn Rng + Send>>,
    /// The words for records, and the choices under the policy for which they were made.
    patients: Vec<String>,
    first: usize,
    kept: Mutex<VecDeque<(usize, Arc<Made>)>>,
}

/// A record that was made.
struct Made {
    items: Vec<RecordItem>,
    bytes: Vec<Vec<u8>>,
    /// `Type/id` of each.
    names: Vec<String>,
}

impl HospitalLens {
    /// A Lens.
    #[must_use]
    pub fn new(options: HospitalLensOptions) -> Self {
        let HospitalLensOptions { hospital, active, ledger, clock, token, rng } = options;
        let (patients, first) = (patients(&hospital), first(&hospital));
        let (rng, kept) = (Mutex::new(rng), Mutex::default());
        Self { inner: Arc::new(Inner { hospital, active, ledger, clock, token, rng, patients, first, kept }) }
    }
}

impl Lens for HospitalLens {
    fn catalogue(&self) -> Catalogue {
        catalogue(self.inner.patients.clone(), self.inner.first, &(self.inner.active)())
    }

    fn record(&self, patient: usize) -> Option<Vec<RecordItem>> {
        self.inner.made(patient).map(|made| made.items.clone())
    }

    fn whole(&self, patient: usize, item: usize) -> Option<Vec<u8>> {
        self.inner.made(patient)?.bytes.get(item).cloned()
    }

    fn seen(&self, ask: LensAsk) -> SeenFuture<'_> {
        let inner = Arc::clone(&self.inner);
        // The record of a view is synced to disk: not on a thread that serves others.
        let work = tokio::task::spawn_blocking(move || inner.see(&ask));
        Box::pin(async move { work.await.unwrap_or(Err(LensError::Failed)) })
    }
}

impl Inner {
    fn made(&self, patient: usize) -> Option<Arc<Made>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, made)) = kept.iter().find(|(index, _)| *index == patient) {
            return Some(Arc::clone(made));
        }
        let patients = self.hospital.options().patients;
        let record = if patient < patients {
            self.hospital.record(patient)
        } else if patient == patients && self.hospital.options().canary {
            self.hospital.records().nth(patients)?
        } else {
            return None;
        };
        let bytes: Vec<Vec<u8>> = record.resources.iter().map(scruple_hospital::Resource::to_json).collect();
        let title_of = |bytes: &Vec<u8>| Tree::parse(bytes).as_ref().map_or_else(String::new, title);
        let items = record.resources.iter().zip(&bytes);
        let items =
            items.map(|(resource, bytes)| RecordItem { kind: resource.kind().to_owned(), title: title_of(bytes) });
        let name_of = |resource: &scruple_hospital::Resource| format!("{}/{}", resource.kind(), resource.id());
        let names = record.resources.iter().map(name_of).collect();
        let made = Arc::new(Made { items: items.collect(), bytes, names });
        kept.truncate(RECORDS_KEPT_MAX - 1);
        kept.push_front((patient, Arc::clone(&made)));
        Some(made)
    }

    fn see(&self, ask: &LensAsk) -> Result<Seen, LensError> {
        let made = self.made(ask.patient).ok_or(LensError::NoSuchRecord)?;
        let resource = made.bytes.get(ask.item).ok_or(LensError::NoSuchRecord)?;
        let whole = Tree::parse(resource).ok_or(LensError::Failed)?;
        let active = (self.active)();
        let ledger = (self.ledger)().ok_or(LensError::NotRecorded)?;
        let pack = &active.pack;
        let conditions = pack.condition("relationship").map_or(ConditionMask::NONE, |id| ConditionMask::NONE.with(id));
        let question = Question { role: ask.role.clone(), purpose: ask.purpose.clone(), conditions };
        let asked = Asked {
            subject: SUBJECT.to_owned(),
            question: question.clone(),
            relationship: Relationship::Assumed,
            grant: None,
            practitioners: Vec::new(),
            opened: std::collections::BTreeMap::new(),
            limited: std::collections::BTreeMap::new(),
        };
        let options =
            LookOptions { decider: &active.decider, ledger: &ledger, clock: self.clock.as_ref(), token: &self.token };
        // Of the rest of the record only what this resource refers to is asked for.
        let text = std::str::from_utf8(resource).map_err(|_| LensError::Failed)?;
        let named = made.names.iter().zip(&made.bytes).filter(|(name, _)| text.contains(name.as_str()));
        let record: Vec<&[u8]> = named.map(|(_, bytes)| bytes.as_slice()).collect();
        let looked = {
            let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
            look(&options, rng.as_mut(), &asked, &record, resource).map_err(|error| failed(&error))?
        };
        let Explained { reasons, home } = explain(pack, &question, &whole)?;
        let label = pack.roles.get(&ask.role).map_or(ask.role.as_str(), |role| &role.label);
        let outcome = match looked.outcome {
            Ok(released) => Outcome::Shown { bytes: released.bytes().to_vec(), passes: looked.passes },
            Err(code) => {
                let words = withheld_because(&code, words::short(label), &words::lower_first(&home));
                Outcome::Withheld { words, code }
            }
        };
        Ok(Seen { outcome, reasons, release: looked.release })
    }
}

fn failed(error: &ReleaseError) -> LensError {
    match error {
        ReleaseError::Refused(refusal) => refused(refusal),
        ReleaseError::NotRecorded(_) => LensError::NotRecorded,
        _ => LensError::Failed,
    }
}

fn catalogue(patients: Vec<String>, first: usize, active: &Active) -> Catalogue {
    let pack = &active.pack;
    let purposes = |role: &scruple_policy::Role| {
        // Break-glass needs an elevation, and the Lens gives none.
        let open = role.purposes().into_iter().filter(|code| *code != "BTG");
        open.map(|code| PurposeChoice { code: code.to_owned(), words: words::purpose(code).to_owned() }).collect()
    };
    let mut roles: Vec<RoleChoice> = pack
        .roles
        .iter()
        .map(|(name, role)| RoleChoice { name: name.clone(), label: role.label.clone(), purposes: purposes(role) })
        .filter(|role| !role.purposes.is_empty())
        .collect();
    roles.sort_by(|one, other| one.label.cmp(&other.label));
    Catalogue { roles, patients, first, policy: pack.hash.to_string() }
}

/// Each record in a few words that name nobody.
fn patients(hospital: &Hospital) -> Vec<String> {
    let options = hospital.options();
    let mut patients: Vec<String> =
        (0..options.patients).map(|index| words::persona(Persona::of(options.seed, index)).to_owned()).collect();
    if options.canary {
        patients.push(words::persona(Persona::Canary).to_owned());
    }
    patients
}

/// The record that is shown first. What is labelled whole is withheld from most roles: a page that shows nothing is a poor
/// beginning.
fn first(hospital: &Hospital) -> usize {
    let options = hospital.options();
    let ordinary = (0..options.patients).find(|index| Persona::of(options.seed, *index) == Persona::Ordinary);
    ordinary.or_else(|| (0..options.patients).find(|index| !is_labelled(hospital, *index))).unwrap_or(0)
}

/// Whether the Patient of a record carries a security label.
fn is_labelled(hospital: &Hospital, index: usize) -> bool {
    let record = hospital.record(index);
    let patient = record.resources.first().and_then(|resource| Tree::parse(&resource.to_json()));
    patient.as_ref().and_then(|patient| patient.get("meta")?.get("security")).is_some()
}
