//! A resource as a whole: home, contained resources, `meta`, and what a Bundle says of its entries.

use super::facts::{Facts, Labels};
use super::json::Value;
use super::model::{contained, each_object, resource_type};
use super::object::{Scope, Shown};
use super::place::{known, top};
use super::reference::{Contained, plain_literal};
use super::{Slow, View, Withheld};
use scruple_fhir::{ObjectType, dictionary};

use std::cell::Cell;

const OBSERVATION_VALUE: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

impl Slow<'_> {
    /// A resource that stands alone, in an entry or in a parameter.
    pub(super) fn resource(&self, value: &Value) -> Result<String, Withheld> {
        let object = resource_type(value).ok_or(Withheld::Malformed)?;
        let labels = self.labels(value);
        let facts = Facts { class: self.class(object, value), labels };
        self.has_home(object, &facts)?;
        if let Some(passed) = self.passed(object, value, &facts) {
            return Ok(passed);
        }
        self.may_show(object, value, &facts)?;
        let inner = contained(object, value);
        let ids: Vec<&str> =
            inner.iter().map(|inner| inner.get("id").and_then(Value::plain).unwrap_or_default()).collect();
        let mut shows: Vec<bool> = ids.iter().map(|id| !id.is_empty()).collect();
        loop {
            let contained = contained_of(inner, &shows);
            let texts: Vec<Option<String>> = inner
                .iter()
                .zip(&shows)
                .map(|(inner, shows)| if *shows { self.contained(inner, &facts.labels, &contained).ok() } else { None })
                .collect();
            let list: Vec<&str> = texts.iter().flatten().map(String::as_str).collect();
            let text = self.written(object, value, &facts, &contained, Some(&list))?;
            // Without the contained ones, to see what the container itself refers to.
            let alone = self.written(object, value, &facts, &contained, None)?;
            let mut reached: Vec<bool> = ids.iter().map(|id| refers_to(&alone, id)).collect();
            for _ in 0..ids.len() {
                reached = (0..ids.len())
                    .map(|place| {
                        reached[place]
                            || (0..ids.len()).any(|other| {
                                reached[other] && texts[other].as_ref().is_some_and(|text| refers_to(text, ids[place]))
                            })
                    })
                    .collect();
            }
            let next: Vec<bool> = (0..inner.len()).map(|place| texts[place].is_some() && reached[place]).collect();
            if next == shows {
                return Ok(text);
            }
            shows = next;
        }
    }

    /// A contained resource: as a resource of its own, with the container's labels, without `meta` and without
    /// contained resources. The container's labels are those of all that it contains.
    pub(super) fn contained(&self, value: &Value, labels: &Labels, contained: &Contained) -> Result<String, Withheld> {
        let object = resource_type(value).ok_or(Withheld::Malformed)?;
        let facts = Facts { class: self.class(object, value), labels: labels.clone() };
        self.has_home(object, &facts)?;
        self.may_show(object, value, &facts)?;
        let mut shown = self.written_members(object, value, &facts, contained)?;
        shown.members.retain(|(_, text)| !text.is_empty());
        Ok(shown.print())
    }

    /// Whether the home of the class is none without labels.
    fn has_home(&self, object: &'static ObjectType, facts: &Facts) -> Result<(), Withheld> {
        let facts = Facts { labels: Labels::default(), class: facts.class.clone() };
        if self.home(object, &facts) == View::None { Err(Withheld::Policy) } else { Ok(()) }
    }

    pub(super) fn home(&self, object: &ObjectType, facts: &Facts) -> View {
        self.pack.elements.get(object.name).map_or(View::None, |category| self.view(category, facts))
    }

    /// What withholds a resource that has a home before its elements are looked at.
    fn may_show(&self, object: &'static ObjectType, value: &Value, facts: &Facts) -> Result<(), Withheld> {
        if value.get("implicitRules").is_some() || value.get("_implicitRules").is_some() {
            return Err(Withheld::ImplicitRules);
        }
        if object.element("modifierExtension").is_some() && value.get("modifierExtension").is_some() {
            return Err(Withheld::ModifierExtension);
        }
        let under = |labels: Labels| Facts { labels, class: facts.class.clone() };
        let closed = |facts: &Facts| {
            let here = top(self, object, facts);
            self.is_closed_by_policy(&here, &self.none_by_policy(&here, facts), facts)
        };
        let shows = |facts: &Facts| self.home(object, facts) != View::None;
        if shows(facts) {
            return if closed(facts) { Err(Withheld::Required) } else { Ok(()) };
        }
        let classified = under(Labels { unclassified: false, unreadable: false, ..facts.labels.clone() });
        Err(match () {
            () if closed(&under(Labels::default())) => Withheld::Required,
            () if (facts.labels.unclassified || facts.labels.unreadable)
                && shows(&classified)
                && !closed(&classified) =>
            {
                Withheld::Unclassified
            }
            () => Withheld::Label,
        })
    }

    /// The members of a resource: `resourceType`, then the others as they stood.
    fn written_members(
        &self,
        object: &'static ObjectType,
        value: &Value,
        facts: &Facts,
        contained: &Contained,
    ) -> Result<Shown, Withheld> {
        let scope = Scope { facts, contained, hidden_by_target: Cell::new(false) };
        let here = top(self, object, facts);
        let none = self.none_by_policy(&here, facts);
        let mut shown = self.members(&scope, &here, &none, value);
        self.complete(&here, facts, value, &mut shown).map_err(|_| Withheld::Required)?;
        shown.members.insert(0, ("resourceType".to_owned(), format!("\"{}\"", object.name)));
        Ok(shown)
    }

    /// The text of a resource that is not contained, with the contained ones where they stood.
    fn written(
        &self,
        object: &'static ObjectType,
        value: &Value,
        facts: &Facts,
        contained: &Contained,
        list: Option<&[&str]>,
    ) -> Result<String, Withheld> {
        let mut shown = self.written_members(object, value, facts, contained)?;
        let place = shown.members.iter().position(|(key, _)| key == "contained");
        if let (Some(place), Some(list)) = (place, list.filter(|list| !list.is_empty())) {
            shown.members[place].1 = format!("[{}]", list.join(","));
        }
        shown.members.retain(|(_, text)| !text.is_empty());
        if object.name != "Bundle" {
            shown.members.insert(1, ("meta".to_owned(), self.meta(value, facts)));
        }
        Ok(shown.print())
    }

    /// Section 5.
    fn meta(&self, value: &Value, facts: &Facts) -> String {
        let meta = value.get("meta");
        let mut members = Vec::new();
        if self.view("change_metadata", facts) == View::Full {
            for key in ["versionId", "lastUpdated"] {
                members.extend(meta.and_then(|meta| meta.get(key)).map(|value| format!("\"{key}\":{}", value.print())));
            }
        }
        let profiles = meta.and_then(|meta| meta.get("profile")).map(Value::items).unwrap_or_default();
        let profiles: Vec<String> = profiles
            .iter()
            .filter(|profile| {
                let is_url = |raw: &str| raw.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
                profile.text().is_some_and(|raw| raw.starts_with("http://hl7.org/fhir/") && is_url(raw))
            })
            .map(Value::print)
            .collect();
        if !profiles.is_empty() {
            members.push(format!("\"profile\":[{}]", profiles.join(",")));
        }
        for (key, code) in [("security", "REDACTED"), ("tag", "SUBSETTED")] {
            members.push(format!("\"{key}\":[{{\"system\":\"{OBSERVATION_VALUE}\",\"code\":\"{code}\"}}]"));
        }
        format!("{{{}}}", members.join(","))
    }
}

/// Ids of the contained resources; of several with one id all must show.
fn contained_of(inner: &[Value], shows: &[bool]) -> Contained {
    let mut contained = Contained::new();
    for (inner, shows) in inner.iter().zip(shows) {
        if let (Some(id), Some(object)) = (inner.get("id").and_then(Value::plain), resource_type(inner)) {
            let entry = contained.entry(id.to_owned()).or_insert((object.name, true));
            entry.1 &= shows;
        }
    }
    contained
}

/// Whether a Reference in a projected resource (not in those that it contains) has the literal `#id`.
pub(super) fn refers_to(text: &str, id: &str) -> bool {
    let Ok(value) = super::json::parse(text.as_bytes()) else { return false };
    let wanted = format!("#{id}");
    let mut found = false;
    if let Some(object) = resource_type(&value) {
        each_object(object, &value, &mut |inner, value| {
            found |=
                inner.name == known("Reference").name && value.get("reference").and_then(Value::text) == Some(&wanted);
        });
    }
    found
}

/// What a Bundle shows instead of a primitive that shows; the outer `None`: as it is.
pub(super) fn bundle_value(object: &str, element: &str, value: &Value, holder: &Value) -> Option<Option<String>> {
    let raw = value.text()?;
    let judged =
        matches!((object, element), ("Bundle", "type") | ("Bundle.entry", "fullUrl") | ("Bundle.entry.request", "url"));
    if judged && raw.contains('\\') {
        return Some(None);
    }
    match (object, element) {
        ("Bundle", "type") if matches!(raw, "document" | "message") => Some(Some("\"collection\"".to_owned())),
        ("Bundle.entry", "fullUrl") => {
            let resource = holder.get("resource");
            let of = |key: &str| resource.and_then(|resource| resource.get(key)).and_then(Value::text);
            let end = of("resourceType").zip(of("id")).map(|(name, id)| format!("/{name}/{id}"));
            let urn = raw.starts_with("urn:uuid:") || raw.starts_with("urn:oid:");
            let shows = urn && raw.bytes().all(|byte| byte.is_ascii_graphic())
                || raw.starts_with("http") && !raw.contains('?') && end.is_some_and(|end| raw.ends_with(&end));
            Some(shows.then(|| value.print()))
        }
        // Reading: what is left of the url must be `Type` or `Type/id`, else it is withheld (and marked).
        ("Bundle.entry.request", "url") => {
            let cut = raw.split('?').next().unwrap_or_default();
            let shows = dictionary().resource(cut).is_some() || plain_literal(cut).is_some();
            Some(shows.then(|| format!("\"{cut}\"")))
        }
        _ => None,
    }
}
