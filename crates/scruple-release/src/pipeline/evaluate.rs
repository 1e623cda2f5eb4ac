//! Decisions for other systems (AuthZEN): the same engine and the same record as for a release, and no record of a patient
//! leaves. What is told follows from policy; whether there is such a patient, or such a label, is not told by it.

use super::sight::Relations;
use super::{Pipeline, Stop, no_of, run_out, urgency_of};
use crate::decided::Decided;
use crate::outcome::No;
use crate::release::{Asked, actor};
use scruple_core::{
    CategoryId, ConditionMask, DecisionFacts, DecisionTable, EntryBody, Relationship, SegmentLimit, SegmentSet,
    Timestamp, View,
};
use scruple_fhir::{MaskFunction, TypeId, classes, describe, dictionary, under_labels};
use scruple_ledger::AppendError;
use scruple_policy::{Pack, Question};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What somebody would read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Thing {
    /// A kind of information.
    Category(CategoryId),
    /// Resources of a type.
    Type(TypeId),
    /// The record of a patient.
    Record,
}

/// A question of another system.
#[derive(Clone, Copy, Debug)]
pub struct Evaluation<'a> {
    /// Who would read, in which role, for which purpose.
    pub asked: &'a Asked,
    /// What.
    pub thing: Thing,
    /// Whose, by id.
    pub patient: Option<&'a str>,
    /// The labels that the other system's data carries, as it says.
    pub labels: SegmentSet,
    /// A part of it is not enough.
    pub whole: bool,
    /// When.
    pub now: Timestamp,
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ruling {
    /// Whether it may be read.
    pub permitted: bool,
    /// Stable code of the reason.
    pub code: &'static str,
    /// The reason, from policy.
    pub words: String,
    /// What shows, where it is permitted.
    pub shown: Option<Shown>,
    /// The tuple that every permit stores (AB-08).
    pub decision: Option<DecisionFacts>,
    /// What the relationship to the patient rests on, for the record.
    pub relations: Vec<String>,
}

/// What shows. Whatever is not named is withheld.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shown {
    /// Kinds of information: `full`, or `masked:` and the mask.
    pub categories: BTreeMap<String, String>,
    /// Elements, of a resource type: what each shows as, and what the mask does to it. A part of an element that is not
    /// named shows as the element does. Those of several classes show as in the narrowest.
    pub elements: Option<BTreeMap<String, ElementShown>>,
    /// Labels under which nothing shows.
    pub withheld_segments: Vec<String>,
    /// Labels under which codes alone show.
    pub coded_segments: Vec<String>,
    /// Nothing is taken away, whatever the label.
    pub is_whole: bool,
}

/// How an element shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ElementShown {
    /// `none`, `full`, or `masked:` and the mask.
    pub view: String,
    /// What the mask does to it.
    pub function: Option<&'static str>,
}

impl ElementShown {
    fn none() -> Self {
        Self { view: NONE.to_owned(), function: None }
    }
}

/// The names of the narrowest and the widest view.
const NONE: &str = "none";
const FULL: &str = "full";

/// Who asks, beside what is asked, for the record.
#[derive(Clone, Debug)]
pub struct Asking {
    /// Id of the evaluation.
    pub evaluation: String,
    /// The system that asks, by its login.
    pub caller: String,
    /// What was to be done.
    pub action: String,
    /// What it was to be done to.
    pub resource: Option<String>,
    /// The patient whom it concerned.
    pub patient: Option<String>,
    /// Conditions of sign-in, device and place that do not hold.
    pub lacking: Vec<String>,
    /// The id of the request.
    pub request_id: Option<String>,
}

impl Pipeline {
    /// Decides. What it answers holds for `evaluation.now` alone.
    ///
    /// # Errors
    /// The state of the system does not let it be decided: nothing is permitted then.
    pub async fn rule(&self, evaluation: &Evaluation<'_>) -> Result<Ruling, No> {
        let policy = self.policy();
        let (asked, now) = (evaluation.asked, evaluation.now);
        let pack = policy.pack();
        let is_resolved = asked.relationship == Relationship::Resolved;
        let decide = |related: bool| policy.decide(&asked.question, related);
        // What an emergency confirmed of this patient's record holds for his alone.
        let confirmed = evaluation.patient.filter(|_| is_resolved).and_then(|patient| asked.opened.get(patient));
        let near = match confirmed.map_or(ConditionMask::NONE, |opened| opened.protected) {
            ConditionMask::NONE => decide(is_resolved),
            protected => {
                let conditions = asked.question.conditions.union(protected);
                policy.decide(&Question { conditions, ..asked.question.clone() }, true)
            }
        };
        let near = match near {
            Ok(near) => near,
            Err(refusal) => {
                let no = no_of(&refusal);
                return Ok(denied(no.code, no.words));
            }
        };
        if near.valid_until(now) <= now {
            return Err(run_out());
        }
        let best = judged(pack, &near, evaluation);
        if !best.permitted || !is_resolved {
            return Ok(permit(best, &near, asked, (asked.relationship, now), Vec::new()));
        }
        let mut relations = Relations::new(asked, now, &policy);
        if let Some(patient) = evaluation.patient {
            // It is asked whether or not there is such a patient, and what is found is told to nobody.
            match relations.some(self, BTreeSet::from([patient.to_owned()])).await {
                Ok(()) => {}
                Err(Stop::No(no)) => return Err(no),
                Err(Stop::Unrecorded) => return Err(unrecorded()),
            }
            if relations.has(patient) {
                let on = relations.of(&[patient.to_owned()]);
                return Ok(permit(best, &near, asked, (Relationship::Resolved, now), on));
            }
            if let Some(kinds) = asked.limited.get(patient).map(|one| &one.kinds) {
                let limited = match policy.limited(&asked.question, kinds) {
                    Ok(limited) => limited,
                    Err(refusal) => {
                        let no = no_of(&refusal);
                        return Ok(denied(no.code, no.words));
                    }
                };
                if limited.valid_until(now) <= now {
                    return Err(run_out());
                }
                let ruling = judged(pack, &limited, evaluation);
                if ruling.permitted {
                    let on = relations.of(&[patient.to_owned()]);
                    return Ok(permit(ruling, &limited, asked, (Relationship::Resolved, now), on));
                }
            }
        }
        let far = match decide(false) {
            Ok(far) => far,
            Err(refusal) => {
                let no = no_of(&refusal);
                return Ok(denied(no.code, no.words));
            }
        };
        if far.valid_until(now) <= now {
            return Err(run_out());
        }
        let rest = judged(pack, &far, evaluation);
        if rest.permitted {
            return Ok(permit(rest, &far, asked, (Relationship::None, now), Vec::new()));
        }
        Ok(match evaluation.patient {
            // One no for whoever is nobody's patient and for whom there is not.
            Some(_) => denied("not_open", "No such patient is open to this person in this role."),
            None => denied(
                "patient_missing",
                "The role reads this of patients to whom it is related: name the patient in `resource.properties.patient`.",
            ),
        })
    }

    /// Records an answer; only then may it be told.
    ///
    /// # Errors
    /// It is not recorded, and must not be told.
    pub async fn ruled(
        &self,
        asking: Asking,
        asked: &Asked,
        ruling: &Ruling,
        found: Vec<String>,
        now: Timestamp,
    ) -> Result<(), No> {
        let purpose = &asked.question.purpose;
        let known = self.policy().pack().purposes.iter().any(|one| one.code == *purpose);
        let Asking { evaluation, caller, action, resource, patient, lacking, request_id } = asking;
        let body = EntryBody::Evaluation {
            evaluation,
            caller,
            actor: actor(asked),
            action,
            resource,
            patient,
            purpose: known.then(|| purpose.clone()),
            permitted: ruling.permitted,
            code: ruling.code.to_owned(),
            decision: ruling.decision.clone(),
            relations: ruling.relations.clone(),
            found,
            lacking,
            request_id,
        };
        let recorded: Result<_, AppendError> = self.record(now, body, urgency_of(purpose)).await;
        recorded.map(drop).map_err(|_| unrecorded())
    }
}

fn unrecorded() -> No {
    No::new(503, "not_recorded", "The decision cannot be recorded, so that none is told.")
}

fn denied(code: &'static str, words: impl Into<String>) -> Ruling {
    Ruling { permitted: false, code, words: words.into(), shown: None, decision: None, relations: Vec::new() }
}

fn permit(
    ruling: Ruling,
    decided: &Arc<Decided>,
    asked: &Asked,
    (relationship, now): (Relationship, Timestamp),
    relations: Vec<String>,
) -> Ruling {
    let facts = || decided.facts(&asked.question.purpose, relationship, asked.grant.clone(), now);
    let decision = ruling.permitted.then(facts);
    Ruling { decision, relations, ..ruling }
}

/// What one decision says of a question.
fn judged(pack: &Pack, decided: &Decided, evaluation: &Evaluation<'_>) -> Ruling {
    let role = pack.roles.get(&evaluation.asked.question.role).map_or("", |role| &role.label);
    let table = under_labels(&pack.annotation, &decided.table, evaluation.labels);
    let is_labelled = evaluation.labels != SegmentSet::EMPTY;
    let shown = shown(pack, &decided.table, &table, evaluation);
    let (shows, is_full) = match evaluation.thing {
        Thing::Category(category) => (table.view(category).shows(), table.view(category) == View::Full),
        Thing::Type(_) => {
            let elements = shown.elements.as_ref();
            let is_full = elements.is_some_and(|all| all.values().all(|one| one.view == FULL));
            (elements.is_some_and(|all| all.values().any(|one| one.view != NONE)), is_full)
        }
        Thing::Record => {
            let of_patients = || pack.categories.iter().zip(&table.views).filter(|(category, _)| category.phi);
            (of_patients().any(|(_, view)| view.shows()), of_patients().all(|(_, view)| *view == View::Full))
        }
    };
    if !shows && is_labelled {
        return denied("segment_withheld", format!("Role {role} has nothing that carries these labels."));
    }
    if !shows {
        return match evaluation.thing {
            Thing::Category(category) => denied(
                "category_withheld",
                format!("Role {role} has no {} for this purpose.", pack.category_name(category)),
            ),
            Thing::Type(id) => {
                denied("type_withheld", format!("Role {role} has no {} for this purpose.", dictionary().get(id).name))
            }
            Thing::Record => {
                denied("record_withheld", format!("Role {role} has nothing of patients for this purpose."))
            }
        };
    }
    if evaluation.whole && !is_full {
        return denied("part_only", format!("Role {role} has a part of it for this purpose, and not the whole."));
    }
    let words = format!("Role {role} has it for this purpose; what it does not have is named in the obligations.");
    Ruling { shown: Some(shown), code: "permitted", permitted: true, ..denied("", words) }
}

fn shown(pack: &Pack, plain: &DecisionTable, table: &DecisionTable, evaluation: &Evaluation<'_>) -> Shown {
    let named = |wanted: SegmentLimit| -> Vec<String> {
        let limits = pack.segments.iter().zip(&plain.limits).filter(|(_, limit)| **limit == wanted);
        limits.map(|(segment, _)| segment.name.clone()).collect()
    };
    let is_asked = |place: usize| match evaluation.thing {
        Thing::Category(category) => usize::from(category.0) == place,
        Thing::Type(_) | Thing::Record => true,
    };
    let categories = pack.categories.iter().zip(&table.views).enumerate();
    let categories: BTreeMap<String, String> = categories
        .filter(|(place, (_, view))| view.shows() && is_asked(*place))
        .map(|(_, (category, view))| (category.name.clone(), pack.view_name(*view)))
        .collect();
    let elements = match evaluation.thing {
        Thing::Type(id) => Some(elements(pack, table, id)),
        Thing::Category(_) | Thing::Record => None,
    };
    let (withheld_segments, coded_segments) = (named(SegmentLimit::None), named(SegmentLimit::Coded));
    let is_full = match (&elements, evaluation.thing) {
        // An element that does not show is in no list: only what passes as it is is whole.
        (Some(_), _) => table.passes_full_types && categories.len() == pack.categories.len(),
        (None, Thing::Category(_)) => true,
        (None, _) => categories.len() == pack.categories.len(),
    };
    let is_whole = is_full
        && categories.values().all(|view| view == FULL)
        && withheld_segments.is_empty()
        && coded_segments.is_empty();
    Shown { categories, elements, withheld_segments, coded_segments, is_whole }
}

/// The elements of a type that show, in every class of it.
fn elements(pack: &Pack, table: &DecisionTable, id: TypeId) -> BTreeMap<String, ElementShown> {
    let mut roots: Vec<Option<CategoryId>> = classes(&pack.annotation, id).into_iter().map(Some).collect();
    if roots.is_empty() {
        roots.push(None);
    }
    let mut all: Option<BTreeMap<String, ElementShown>> = None;
    for class in roots {
        let view = describe(&pack.annotation, table, id, class);
        if !view.shows {
            continue;
        }
        let here: BTreeMap<String, ElementShown> = view
            .rows
            .iter()
            .map(|row| match row.function {
                Some(MaskFunction::Withhold) => (row.path.clone(), ElementShown::none()),
                function => {
                    let function = function.map(function_name);
                    (row.path.clone(), ElementShown { view: pack.view_name(row.view), function })
                }
            })
            .collect();
        all = Some(match all {
            None => here,
            Some(before) => narrower(before, &here),
        });
    }
    all.unwrap_or_default()
}

/// What two classes of a type have in common: of an element that they show otherwise, what is not full.
fn narrower(
    before: BTreeMap<String, ElementShown>,
    here: &BTreeMap<String, ElementShown>,
) -> BTreeMap<String, ElementShown> {
    let mut both: BTreeMap<String, ElementShown> = BTreeMap::new();
    for (path, one) in before {
        let other = here.get(&path);
        let least = match other {
            Some(other) if one == *other || other.view == FULL => one,
            Some(other) if one.view == FULL => other.clone(),
            // Two masks have nothing in common that is sure.
            _ => ElementShown::none(),
        };
        both.insert(path, least);
    }
    for path in here.keys() {
        both.entry(path.clone()).or_insert_with(ElementShown::none);
    }
    both
}

const fn function_name(function: MaskFunction) -> &'static str {
    match function {
        MaskFunction::Keep => "keep",
        MaskFunction::Into => "into",
        MaskFunction::Withhold => "none",
        MaskFunction::Code => "code",
        MaskFunction::Coding => "coding",
        MaskFunction::Listed(_) => "listed",
        MaskFunction::Year => "year",
        MaskFunction::Age => "age",
        MaskFunction::Zip3 => "zip3",
        MaskFunction::Last4 => "last4",
        MaskFunction::Token => "token",
        MaskFunction::Shape => "shape",
    }
}
