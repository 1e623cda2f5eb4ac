//! What the enlarged search page lets an outsider ask: modifiers, chains, `_has`, what stands beside, orders, cuts, and the
//! compartments of patients. All is drawn from both stores, as it stands there raw.

use super::{Asker, Step, asked};
use crate::interfere::oracle::{Link, Read, Scope, is_sortable, parameters, patient_parameter, points, read};
use crate::interfere::store::Stored;
use crate::interfere::text::{escaped, query};
use crate::interfere::wire::Request;
use crate::tree::Numbers;
use scruple_fhir::{SearchParameter, dictionary};
use serde_json::Value;
use std::sync::Arc;

/// Names and values of a query.
type Pairs = Vec<(String, String)>;

/// The parameters of a type that lead to other resources.
fn leading(kind: &str) -> Vec<&'static SearchParameter> {
    parameters(kind).into_iter().filter(|each| points(each).references).collect()
}

/// The references of a resource, each with its parameter: (parameter, type, id).
fn references(value: &Value, kind: &str) -> Vec<(&'static SearchParameter, String, String)> {
    let of = |parameter: &'static SearchParameter| {
        let found = read(value, kind, parameter).into_iter();
        found.filter_map(move |value| match value {
            Read::Reference(kind, id) => Some((parameter, kind, id)),
            _ => None,
        })
    };
    leading(kind).into_iter().flat_map(of).collect()
}

impl Asker<'_> {
    /// The resource of a type and id in either store.
    fn there(&self, kind: &str, id: &str, numbers: &mut Numbers) -> Option<&Arc<Stored>> {
        let (first, second) =
            if numbers.chance(500) { (&self.pair.a, &self.pair.b) } else { (&self.pair.b, &self.pair.a) };
        first.get(kind, id).or_else(|| second.get(kind, id))
    }

    /// A reference of a resource, mostly to one that is there.
    fn reference(&self, stored: &Stored, numbers: &mut Numbers) -> Option<(&'static SearchParameter, String, String)> {
        let known = references(&stored.value, &stored.resource_type);
        let is_there = |kind: &str, id: &str| self.pair.a.get(kind, id).or_else(|| self.pair.b.get(kind, id)).is_some();
        let there: Vec<_> = known.iter().filter(|(_, kind, id)| is_there(kind, id)).cloned().collect();
        let of = if there.is_empty() || numbers.chance(200) { &known } else { &there };
        numbers.one_of(of).cloned()
    }

    /// A resource of either store that refers to this one, and by which parameter.
    fn referring(&self, to: &Stored, numbers: &mut Numbers) -> Option<(&Stored, &'static SearchParameter)> {
        let store = self.either(numbers);
        let mut found = Vec::new();
        for other in store.iter() {
            let its = references(&other.value, &other.resource_type).into_iter();
            let to_it = its.filter(|(_, kind, id)| to.is(kind, id));
            found.extend(to_it.map(|(parameter, _, _)| (other.as_ref(), parameter)));
        }
        numbers.one_of(&found).copied()
    }

    /// A resource to ask about: of a type with many visible ones, mostly.
    pub(super) fn subject(&self, numbers: &mut Numbers) -> Option<&Stored> {
        let visible = self.pair.view.get(numbers.below(self.pair.view.len()));
        let visible = visible.and_then(|(kind, id, _)| self.pair.a.get(kind, id)).filter(|_| numbers.chance(500));
        visible.or_else(|| self.stored(numbers)).map(Arc::as_ref)
    }

    /// A parameter of what a resource holds with a value, and a modifier more often than not.
    fn own(&self, stored: &Stored, numbers: &mut Numbers) -> Option<(String, String)> {
        let kind = stored.resource_type.as_str();
        let known = parameters(kind);
        let telling: Vec<_> =
            known.iter().filter(|each| !read(&stored.value, kind, each).is_empty()).copied().collect();
        let strings: Vec<_> = telling.iter().filter(|each| each.kind == "string").copied().collect();
        let of = match numbers.below(20) {
            0..=4 if !strings.is_empty() => &strings,
            0..=16 => &telling,
            _ => &known,
        };
        let parameter = *numbers.one_of(of)?;
        if numbers.chance(350) {
            return Some((parameter.code.to_owned(), asked(&stored.value, kind, parameter, numbers)?));
        }
        if numbers.chance(250) {
            return Some(missing(parameter, numbers));
        }
        let values = read(&stored.value, kind, parameter);
        match (parameter.kind, numbers.one_of(&values)) {
            ("string", Some(Read::Text(text))) => Some(self.of_text(parameter, text, numbers)),
            ("token", Some(_)) => {
                Some((format!("{}:not", parameter.code), asked(&stored.value, kind, parameter, numbers)?))
            }
            ("reference", Some(Read::Reference(target, id))) if points(parameter).may_point_to(target) => {
                let value = if numbers.chance(500) { id.clone() } else { format!("{target}/{id}") };
                Some((format!("{}:{target}", parameter.code), value))
            }
            (_, Some(_)) => Some((parameter.code.to_owned(), asked(&stored.value, kind, parameter, numbers)?)),
            (_, None) => Some(missing(parameter, numbers)),
        }
    }

    /// The whole text, or a piece of it.
    fn of_text(&self, parameter: &SearchParameter, text: &str, numbers: &mut Numbers) -> (String, String) {
        let letters: Vec<char> = text.chars().take(60).collect();
        if numbers.chance(400) {
            return (format!("{}:exact", parameter.code), escaped(&letters.iter().collect::<String>()));
        }
        let from = numbers.below(letters.len());
        let piece: String = letters.iter().skip(from).take(1 + numbers.below(8)).collect();
        (format!("{}:contains", parameter.code), escaped(&piece))
    }

    /// A chain of at most so many links from a resource, and what the last one holds.
    fn chain(&self, stored: &Stored, links: usize, numbers: &mut Numbers) -> Option<(String, String)> {
        let Some(fewer) = links.checked_sub(1) else { return self.own(stored, numbers) };
        let (parameter, kind, id) = self.reference(stored, numbers)?;
        let (kind, id) = (kind.as_str(), id.as_str());
        let points = points(parameter);
        if !points.may_point_to(kind) {
            return None;
        }
        let name = if points.clear_type() == Some(kind) && numbers.chance(600) {
            parameter.code.to_owned()
        } else {
            format!("{}:{kind}", parameter.code)
        };
        let target = self.there(kind, id, numbers);
        let further = target.and_then(|target| self.chain(target, fewer, numbers));
        let further = further.or_else(|| self.onward(kind, fewer, numbers));
        let further = further.or_else(|| self.own(target?, numbers));
        let (rest, value) = further.unwrap_or_else(|| ("_id".to_owned(), id.to_owned()));
        Some((format!("{name}.{rest}"), value))
    }

    /// A chain of so many links from a type, wherever its parameters may lead, to what some resource holds.
    fn onward(&self, kind: &str, links: usize, numbers: &mut Numbers) -> Option<(String, String)> {
        let Some(fewer) = links.checked_sub(1) else {
            let all = self.pair.a.iter().chain(self.pair.b.iter());
            let of_kind: Vec<_> = all.filter(|stored| stored.resource_type == kind).collect();
            return self.own(numbers.one_of(&of_kind)?, numbers);
        };
        let parameter = *numbers.one_of(&leading(kind))?;
        let points = points(parameter);
        let target = points.clear_type().or_else(|| numbers.one_of(&points.types).copied())?;
        let (rest, value) = self.onward(target, fewer, numbers).unwrap_or_else(|| ("_id".to_owned(), "1".to_owned()));
        Some((format!("{}:{target}.{rest}", parameter.code), value))
    }

    /// `_has` of at most so many links, from the resource at its end, and the type that it is asked of.
    fn has(&self, from: &Stored, links: usize, numbers: &mut Numbers) -> Option<(String, (String, String))> {
        let chained = if links > 1 && numbers.chance(250) { self.chain(from, 1, numbers) } else { None };
        let mut left = if chained.is_some() { links - 1 } else { links };
        let (mut name, value) = chained.or_else(|| self.own(from, numbers))?;
        let mut here = from;
        loop {
            let (parameter, kind, id) = self.reference(here, numbers)?;
            name = format!("_has:{}:{}:{name}", here.resource_type, parameter.code);
            left = left.saturating_sub(1);
            match self.there(&kind, &id, numbers) {
                Some(next) if left > 0 && !references(&next.value, &kind).is_empty() => here = next,
                _ => return Some((kind, (name, value))),
            }
        }
    }

    /// One to three of `_include` and `_revinclude`, each from what the one before it finds, or from the match.
    fn includes(&self, stored: &Stored, numbers: &mut Numbers) -> Pairs {
        let mut pairs = Pairs::new();
        let mut from = stored;
        for number in 0..1 + numbers.below(3) {
            let iterate =
                if number > 0 && !std::ptr::eq(from, stored) || numbers.chance(150) { ":iterate" } else { "" };
            let (value, name, next) = if numbers.chance(400) {
                let Some((other, parameter)) = self.referring(from, numbers) else { break };
                let target = from.resource_type.as_str();
                (written(&other.resource_type, parameter.code, target, numbers), "_revinclude", Some(other))
            } else {
                let known = references(&from.value, &from.resource_type);
                let Some((parameter, kind, id)) = numbers.one_of(&known) else { break };
                let next = self.there(kind, id, numbers).map(Arc::as_ref);
                (written(&from.resource_type, parameter.code, kind, numbers), "_include", next)
            };
            pairs.push((format!("{name}{iterate}"), value));
            from = next.filter(|_| numbers.chance(600)).unwrap_or(stored);
        }
        pairs
    }

    /// An order by what a resource holds, raw.
    fn sort(&self, stored: &Stored, numbers: &mut Numbers) -> (String, String) {
        let kind = stored.resource_type.as_str();
        let known: Vec<_> = parameters(kind).into_iter().filter(|each| is_sortable(each)).collect();
        let telling: Vec<_> =
            known.iter().filter(|each| !read(&stored.value, kind, each).is_empty()).copied().collect();
        let count = numbers.one_of(&[1, 1, 1, 2, 2, 3]).copied().unwrap_or(1);
        let names = (0..count).map(|_| {
            let of = if numbers.chance(850) { &telling } else { &known };
            let name = numbers.one_of(of).map_or("_id", |parameter| parameter.code);
            format!("{}{name}", if numbers.chance(500) { "-" } else { "" })
        });
        ("_sort".to_owned(), names.collect::<Vec<_>>().join(","))
    }

    /// `_elements` or `_summary`.
    fn shape(&self, stored: &Stored, numbers: &mut Numbers) -> (String, String) {
        if numbers.chance(350) {
            let value = if numbers.chance(500) { "text" } else { "data" };
            return ("_summary".to_owned(), value.to_owned());
        }
        let object = dictionary().resource(&stored.resource_type).map(|id| dictionary().get(id));
        let names: Vec<&str> = object
            .into_iter()
            .flat_map(|object| object.elements.iter())
            .map(|element| element.name.trim_end_matches("[x]"))
            .filter(|name| stored.value.get(*name).is_some() || numbers.chance(200))
            .collect();
        let chosen = (0..1 + numbers.below(4)).filter_map(|_| numbers.one_of(&names).copied());
        let chosen: Vec<&str> = chosen.collect();
        ("_elements".to_owned(), if chosen.is_empty() { "id".to_owned() } else { chosen.join(",") })
    }

    /// A walk in small pages under an order: what a page's token holds of the order must not tell of hidden values.
    pub(super) fn sorted_walk(&self, numbers: &mut Numbers) -> Vec<Step> {
        let Some(stored) = self.subject(numbers) else { return Vec::new() };
        let mut pairs = vec![self.sort(stored, numbers)];
        if numbers.chance(250) {
            pairs.extend(self.own(stored, numbers));
        }
        if numbers.chance(150) {
            pairs.extend(self.includes(stored, numbers));
        }
        if numbers.chance(150) {
            pairs.push(self.shape(stored, numbers));
        }
        if numbers.chance(250) {
            pairs.push(("_total".to_owned(), "accurate".to_owned()));
        }
        pairs.push(("_count".to_owned(), (1 + numbers.below(3)).to_string()));
        let request = match patient_of(stored).filter(|_| numbers.chance(150)) {
            Some(patient) => self.in_compartment(&patient, &stored.resource_type, &pairs),
            None => self.sent(&stored.resource_type, &pairs, numbers),
        };
        self.walked(request, &stored.resource_type, 200, numbers)
    }

    /// A search with one or two criteria that have modifiers.
    pub(super) fn modified(&self, numbers: &mut Numbers) -> Option<Request> {
        let stored = self.subject(numbers)?;
        let mut pairs: Pairs = (0..1 + numbers.below(2)).filter_map(|_| self.own(stored, numbers)).collect();
        Some(self.completed(stored, &mut pairs, numbers))
    }

    /// A search with a chain.
    pub(super) fn chained(&self, numbers: &mut Numbers) -> Option<Request> {
        let stored = self.subject(numbers)?;
        let links = 1 + numbers.below(3);
        let mut pairs: Pairs = self.chain(stored, links, numbers).into_iter().collect();
        Some(self.completed(stored, &mut pairs, numbers))
    }

    /// A search with `_has`.
    pub(super) fn behind(&self, numbers: &mut Numbers) -> Option<Request> {
        let stored = self.subject(numbers)?;
        let links = 1 + numbers.below(3);
        let (kind, pair) = self.has(stored, links, numbers)?;
        let mut pairs = vec![pair];
        self.controls(&mut pairs, numbers);
        Some(self.sent(&kind, &pairs, numbers))
    }

    /// A search with what stands beside its matches.
    pub(super) fn with_includes(&self, numbers: &mut Numbers) -> Option<Request> {
        let stored = self.subject(numbers)?;
        let mut pairs = self.includes(stored, numbers);
        if numbers.chance(500) {
            pairs.push(("_id".to_owned(), stored.id.clone()));
        }
        if numbers.chance(150) {
            pairs.push(self.shape(stored, numbers));
        }
        Some(self.completed(stored, &mut pairs, numbers))
    }

    /// A search for parts of resources.
    pub(super) fn shaped(&self, numbers: &mut Numbers) -> Option<Request> {
        let stored = self.subject(numbers)?;
        let mut pairs = vec![self.shape(stored, numbers)];
        if numbers.chance(400) {
            pairs.extend(self.own(stored, numbers));
        }
        Some(self.completed(stored, &mut pairs, numbers))
    }

    /// A search in a patient's compartment.
    pub(super) fn compartment(&self, numbers: &mut Numbers) -> Option<Request> {
        let stored = self.subject(numbers)?;
        let patient = match numbers.below(8) {
            0 => self.patient(numbers),
            1 => "nobody".to_owned(),
            _ => patient_of(stored).unwrap_or_else(|| self.patient(numbers)),
        };
        let mut pairs = Pairs::new();
        if numbers.chance(400) {
            pairs.extend(self.own(stored, numbers));
        }
        self.controls(&mut pairs, numbers);
        Some(self.in_compartment(&patient, &stored.resource_type, &pairs))
    }

    /// `$everything` of a patient.
    pub(super) fn everything(&self, numbers: &mut Numbers) -> Request {
        let request = Request::get(format!("{}/Patient/{}/$everything", self.root, self.patient(numbers)));
        if numbers.chance(700) {
            return request;
        }
        let types: Vec<String> = (0..1 + numbers.below(3))
            .filter_map(|_| self.stored(numbers))
            .map(|stored| stored.resource_type.clone())
            .collect();
        if types.is_empty() { request } else { request.with_query(query(&[("_type".to_owned(), types.join(","))])) }
    }

    /// The id of a patient of either store.
    fn patient(&self, numbers: &mut Numbers) -> String {
        let all = self.pair.a.iter().chain(self.pair.b.iter());
        let patients: Vec<_> = all.filter(|stored| stored.resource_type == "Patient").collect();
        numbers.one_of(&patients).map_or_else(|| "nobody".to_owned(), |stored| stored.id.clone())
    }

    fn in_compartment(&self, patient: &str, kind: &str, pairs: &[(String, String)]) -> Request {
        let scope = Scope { patient: Some(patient.to_owned()), ..Scope::from(kind) };
        let request = Request::get(format!("{}/{}", self.root, scope.path()));
        if pairs.is_empty() { request } else { request.with_query(query(pairs)) }
    }

    /// With what else may stand in a search, sent one way or the other.
    fn completed(&self, stored: &Stored, pairs: &mut Pairs, numbers: &mut Numbers) -> Request {
        if numbers.chance(200) && !pairs.iter().any(|(name, _)| name == "_sort") {
            pairs.push(self.sort(stored, numbers));
        }
        self.controls(pairs, numbers);
        self.sent(&stored.resource_type, pairs, numbers)
    }
}

fn missing(parameter: &SearchParameter, numbers: &mut Numbers) -> (String, String) {
    (format!("{}:missing", parameter.code), numbers.chance(500).to_string())
}

/// The value of an include; a third of the time with the type of target.
fn written(kind: &str, name: &str, target: &str, numbers: &mut Numbers) -> String {
    if numbers.chance(330) { format!("{kind}:{name}:{target}") } else { format!("{kind}:{name}") }
}

/// The patient in whose compartment a resource is.
fn patient_of(stored: &Stored) -> Option<String> {
    let parameter = patient_parameter(&stored.resource_type)?;
    let by = Link::new(&stored.resource_type, parameter.code).ok()?;
    by.to("Patient").refers(&stored.value).into_iter().next().map(|(_, id)| id)
}
