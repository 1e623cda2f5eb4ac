//! Section 3: what shows of an object: each element by its view, then what must stand and does not.

use super::facts::{Facts, holders};
use super::json::Value;
use super::markers::marker;
use super::mask::Function;
use super::model::{Key, json_name, key, object_of};
use super::place::{Here, known};
use super::reference::Contained;
use super::{Slow, View};
use scruple_fhir::{Element, ObjectType, Target};
use std::cell::Cell;
use std::collections::BTreeSet;

/// What holds for a whole resource while it is projected.
pub(super) struct Scope<'a> {
    pub facts: &'a Facts,
    pub contained: &'a Contained,
    /// The Reference just met is hidden by what it points to, and would have shown else.
    pub hidden_by_target: Cell<bool>,
}

/// What shows of an object: keys with their text, and which elements these are.
#[derive(Default)]
pub(super) struct Shown {
    pub members: Vec<(String, String)>,
    pub elements: BTreeSet<usize>,
    /// A required Reference is hidden by what it points to.
    pub closed: bool,
}

impl Shown {
    fn add(&mut self, element: usize, key: String, text: String) {
        self.elements.insert(element);
        self.members.push((key, text));
    }

    pub fn print(&self) -> String {
        let written: Vec<String> = self.members.iter().map(|(key, text)| format!("\"{key}\":{text}")).collect();
        format!("{{{}}}", written.join(","))
    }
}

/// The object cannot show: a required element can be neither shown nor marked.
pub(super) struct Closed;

impl Slow<'_> {
    /// An object that is no resource.
    fn object(&self, scope: &Scope<'_>, mut here: Here, value: &Value) -> Option<String> {
        // Reading: a modifier extension closes the object that holds it, a Dosage as well as a part.
        if here.object.element("modifierExtension").is_some() && value.get("modifierExtension").is_some() {
            return None;
        }
        if here.object.name == "Reference" {
            here.points_to = self.target_type(&here, value, scope.contained);
            let text = self.object_text(scope, &here, value);
            let hidden = self.is_reference_hidden(here.points_to, value, scope.contained);
            scope.hidden_by_target.set(hidden && text.is_some());
            return text.filter(|_| !hidden);
        }
        // Reading: an entry without a resource is removed (reason `reference`), and a parameter whose resource does
        // not show is removed whole, as an entry is.
        let inner = value.get("resource");
        match here.object.name {
            "Bundle.entry" if inner.is_none() => return None,
            "Bundle.entry" | "Parameters.parameter" if inner.is_some_and(|inner| self.resource(inner).is_err()) => {
                return None;
            }
            _ => {}
        }
        self.object_text(scope, &here, value)
    }

    fn object_text(&self, scope: &Scope<'_>, here: &Here, value: &Value) -> Option<String> {
        let none = self.none_by_policy(here, scope.facts);
        if self.is_closed_by_policy(here, &none, scope.facts) {
            return None;
        }
        let mut shown = self.members(scope, here, &none, value);
        if shown.members.is_empty() || shown.closed {
            return None;
        }
        self.complete(here, scope.facts, value, &mut shown).ok()?;
        Some(shown.print())
    }

    /// The elements that are none by policy, each alone or with a group that it belongs to.
    pub(super) fn none_by_policy(&self, here: &Here, facts: &Facts) -> BTreeSet<&'static str> {
        let elements = here.object.elements.iter();
        let mut none: BTreeSet<&'static str> = elements
            .filter(|element| self.is_none_by_policy(here, element, facts))
            .map(|element| element.name)
            .collect();
        loop {
            let before = none.len();
            for (_, members) in self.pack.groups.iter().filter(|(on, _)| on == here.object.name) {
                if members.iter().any(|member| none.contains(member.as_str())) {
                    none.extend(
                        here.object
                            .elements
                            .iter()
                            .map(|element| element.name)
                            .filter(|name| members.iter().any(|member| member == name)),
                    );
                }
            }
            if none.len() == before {
                return none;
            }
        }
    }

    /// The members of groups that are closed: these do not show even by lines below.
    fn is_closed_by_group(&self, here: &Here, none: &BTreeSet<&'static str>, element: &Element) -> bool {
        let mut groups = self.pack.groups.iter().filter(|(on, _)| on == here.object.name);
        groups.any(|(_, members)| {
            members.iter().any(|member| member == element.name)
                && members.iter().any(|member| none.contains(member.as_str()))
        })
    }

    /// A modifier element, or a required one that cannot be marked, is none by policy, and any other element is not.
    pub(super) fn is_closed_by_policy(&self, here: &Here, none: &BTreeSet<&'static str>, facts: &Facts) -> bool {
        let ordinary = |element: &&Element| !is_own_rule(here.object, element.name);
        let unmarkable = |element: &Element| {
            let masked = matches!(self.seen(here, element, 0, None, facts).view, View::Mask(_));
            element.required && (marker(element).is_none() || element.type_names == ["instant"] && masked)
        };
        let hidden = |element: &Element| {
            none.contains(element.name)
                && (!self.has_line_below(here, element, facts) || self.is_closed_by_group(here, none, element))
        };
        let closes = here
            .object
            .elements
            .iter()
            .filter(ordinary)
            .any(|element| hidden(element) && (element.modifier || unmarkable(element)));
        let any_shows = here.object.elements.iter().filter(ordinary).any(|element| {
            !none.contains(element.name)
                || self.has_line_below(here, element, facts) && !self.is_closed_by_group(here, none, element)
        });
        closes && any_shows
    }

    /// What shows of the object's own members, in the order in which they stand.
    pub(super) fn members(
        &self,
        scope: &Scope<'_>,
        here: &Here,
        none: &BTreeSet<&'static str>,
        value: &Value,
    ) -> Shown {
        let mut shown = Shown::default();
        for member in value.members() {
            let Some(key) = key(here.object, &member.key) else { continue };
            let element = &here.object.elements[key.element];
            if here.object.is_resource && element.name == "contained" {
                // Its place; the resource puts the text there, or takes it away.
                shown.members.push((member.key.clone(), String::new()));
                continue;
            }
            if is_own_rule(here.object, element.name) {
                if let Some(text) = self.own_rule(scope, here, element, key, &member.value) {
                    shown.add(key.element, member.key.clone(), text);
                }
                continue;
            }
            if is_hidden_in_bundle(here.object.name, element.name) || self.is_closed_by_group(here, none, element) {
                continue;
            }
            match &element.targets[key.target] {
                Target::Primitive(primitive) => {
                    let name = json_name(element, key.target);
                    let (text, below) = self.primitive(scope, here, key, primitive, value);
                    let made = below.made;
                    if !key.underscore {
                        if let Some(text) = text {
                            shown.add(key.element, name.clone(), text);
                        }
                        if let (Some(below), true) = (&below.text, made) {
                            shown.add(key.element, format!("_{name}"), below.clone());
                        }
                    } else if let (Some(below), false) = (below.text, made) {
                        shown.add(key.element, format!("_{name}"), below);
                    }
                }
                _ => {
                    let texts: Vec<String> =
                        member.value.items().iter().filter_map(|item| self.item(scope, here, key, item)).collect();
                    let is_reference = matches!(element.targets[key.target], Target::Reference(_));
                    // Else a marker would tell that there is a target, and what stands beside it something of it.
                    shown.closed |= texts.is_empty()
                        && element.required
                        && is_reference
                        && scope.hidden_by_target.get()
                        && goes_with_target(here.object);
                    if !texts.is_empty() {
                        let text = texts.join(",");
                        shown.add(
                            key.element,
                            member.key.clone(),
                            if element.many { format!("[{text}]") } else { text },
                        );
                    }
                }
            }
        }
        shown
    }

    /// `id`, `extension` and what else has a rule of its own. `meta` and `contained` are written by the resource.
    fn own_rule(&self, scope: &Scope<'_>, here: &Here, element: &Element, key: Key, value: &Value) -> Option<String> {
        match element.name {
            "id" | "language" if here.object.is_resource && key.underscore => None,
            "id" | "language" if here.object.is_resource => {
                let form = if element.name == "id" { "id" } else { "code" };
                has_form(here.object.name, element.name, form, value).then(|| value.print())
            }
            "extension" => {
                let holder = if here.object.is_resource { View::Full } else { here.base.clone() };
                self.extensions(scope, &holders(here), value, &holder)
            }
            _ => None,
        }
    }

    /// One value of an object type.
    fn item(&self, scope: &Scope<'_>, here: &Here, key: Key, item: &Value) -> Option<String> {
        let element = &here.object.elements[key.element];
        let target = &element.targets[key.target];
        let seen = self.seen(here, element, key.target, Some(item), scope.facts);
        let function = match &seen.view {
            View::Mask(mask) => self.function(mask, here.object, element, key.target),
            View::Full => Function::Keep,
            View::None => Function::None,
        };
        if *target == Target::Resource {
            return if function == Function::Keep { self.resource(item).ok() } else { None };
        }
        let base = match (&function, &seen.view) {
            (Function::Keep, _) => View::Full,
            (Function::Into, view) => view.clone(),
            (Function::Coding | Function::Listed(_), _) if object_of(target)?.name == "Coding" => {
                let coding = here.below(element, target, &seen, View::Full)?;
                return self.mask_coding(&function, &coding, item, scope.facts);
            }
            (Function::Token, _) if matches!(target, Target::Reference(_)) => {
                let reference = here.below(element, target, &seen, View::Full)?;
                let points_to = self.target_type(&reference, item, scope.contained);
                let hidden = self.is_reference_hidden(points_to, item, scope.contained);
                let literal = item.get("reference").and_then(Value::text).and_then(|raw| self.token_literal(raw));
                scope.hidden_by_target.set(hidden && literal.is_some());
                return literal.filter(|_| !hidden).map(|literal| format!("{{\"reference\":\"{literal}\"}}"));
            }
            _ => View::None,
        };
        self.object(scope, here.below(element, target, &seen, base)?, item)
    }

    /// `x` and `_x` of a primitive together, as they stand in the object.
    fn primitive(
        &self,
        scope: &Scope<'_>,
        here: &Here,
        key: Key,
        primitive: &str,
        holder: &Value,
    ) -> (Option<String>, Below) {
        let element = &here.object.elements[key.element];
        let name = json_name(element, key.target);
        let (value, below) = (holder.get(&name), holder.get(&format!("_{name}")));
        let length = |value: Option<&Value>| value.map_or(0, |value| value.items().len());
        let mut made = false;
        let mut left = Vec::new();
        for place in 0..length(value).max(length(below)) {
            let at = |list: Option<&'_ Value>| {
                list.and_then(|list| list.items().get(place)).filter(|item| **item != Value::Null).cloned()
            };
            let (value, below) = (at(value), at(below));
            let view = self.seen(here, element, key.target, value.as_ref(), scope.facts);
            let function = match &view.view {
                View::None => Function::None,
                View::Full => Function::Keep,
                View::Mask(mask) => self.function(mask, here.object, element, key.target),
            };
            left.push(match function {
                Function::None => (None, None),
                Function::Keep => {
                    let below = below
                        .and_then(|below| self.below_primitive(scope, here, element, key.target, &below, &View::Full));
                    (
                        value.and_then(|value| self.kept_primitive(scope, here, element, primitive, &value, holder)),
                        below,
                    )
                }
                masking => match value {
                    Some(value) => {
                        let (text, own) = self.mask_primitive(&masking, here, element, primitive, &value, holder);
                        made |= own.is_some();
                        (text, own)
                    }
                    None => (None, None),
                },
            });
        }
        left.retain(|(value, below)| value.is_some() || below.is_some());
        let (values, belows): (Vec<_>, Vec<_>) = left.into_iter().unzip();
        (written(values, element.many), Below { text: written(belows, element.many), made })
    }

    /// A primitive that shows as it is written, but for what Bundles and References say.
    fn kept_primitive(
        &self,
        scope: &Scope<'_>,
        here: &Here,
        element: &Element,
        primitive: &str,
        value: &Value,
        holder: &Value,
    ) -> Option<String> {
        if here.object.name == "Reference" && element.name == "reference" {
            let raw = value.text()?;
            if !self.may_literal_show(here, raw, &here.base, scope.facts) {
                return None;
            }
        }
        if !has_form(here.object.name, element.name, primitive, value) {
            return None;
        }
        super::resource::bundle_value(here.object.name, element.name, value, holder)
            .unwrap_or_else(|| Some(value.print()))
    }

    /// The `_x` of a primitive that shows: its extensions.
    fn below_primitive(
        &self,
        scope: &Scope<'_>,
        here: &Here,
        element: &Element,
        target: usize,
        below: &Value,
        holder: &View,
    ) -> Option<String> {
        let on = super::facts::primitive_holders(here, element, target);
        let text = self.extensions(scope, &on, below.get("extension")?, holder)?;
        Some(format!("{{\"extension\":{text}}}"))
    }

    /// The extensions of an array that show whole.
    fn extensions(&self, scope: &Scope<'_>, on: &[String], list: &Value, holder: &View) -> Option<String> {
        let texts: Vec<String> = list
            .items()
            .iter()
            .filter(|extension| {
                let lines = self.extension_lines(on, extension);
                // Reading: of several lines that fit, the narrowest.
                let views = lines.iter().map(|category| self.view(category, scope.facts));
                views.reduce(View::meet).unwrap_or(View::None).meet(holder.clone()) == View::Full
            })
            .filter_map(|extension| self.whole(scope, known("Extension"), &[], extension).ok().flatten())
            .collect();
        if texts.is_empty() { None } else { Some(format!("[{}]", texts.join(","))) }
    }

    /// An object inside a known extension. Reading: whole means every known key, no narrowing, every nested extension;
    /// a Reference that must not show takes the extension with it, so that it shows whole or not at all.
    fn whole(
        &self,
        scope: &Scope<'_>,
        object: &'static ObjectType,
        allowed: &[&'static str],
        value: &Value,
    ) -> Result<Option<String>, Closed> {
        let mut here = super::place::top(self, object, scope.facts);
        here.base = View::Full;
        if object.name == "Reference" {
            here.allowed = allowed.to_vec();
            here.points_to = self.target_type(&here, value, scope.contained);
            let raw = value.get("reference").and_then(Value::text);
            let may_show = raw.is_none_or(|raw| self.may_literal_show(&here, raw, &View::Full, scope.facts));
            if self.is_reference_hidden(here.points_to, value, scope.contained) || !may_show {
                return Err(Closed);
            }
        }
        if object.element("modifierExtension").is_some() && value.get("modifierExtension").is_some() {
            return Err(Closed);
        }
        let mut shown = Shown::default();
        for member in value.members() {
            let Some(key) = key(object, &member.key) else { continue };
            let element = &object.elements[key.element];
            if element.name == "id" {
                continue;
            }
            let target = &element.targets[key.target];
            if let Target::Primitive(primitive) = target {
                let name = json_name(element, key.target);
                let form = |value: &Value| has_form(object.name, element.name, primitive, value);
                let (values, belows) =
                    self.whole_primitive(scope, value.get(&name), value.get(&format!("_{name}")), &form)?;
                if let Some(text) = written(if key.underscore { belows } else { values }, element.many) {
                    shown.add(key.element, member.key.clone(), text);
                }
                continue;
            }
            let Some(inner) = object_of(target) else { return Err(Closed) };
            let allowed: Vec<&'static str> = match target {
                Target::Reference(types) => types.iter().map(|id| scruple_fhir::dictionary().get(*id).name).collect(),
                _ => Vec::new(),
            };
            let mut texts = Vec::new();
            for item in member.value.items() {
                texts.extend(self.whole(scope, inner, &allowed, item)?);
            }
            if !texts.is_empty() {
                let text = texts.join(",");
                shown.add(key.element, member.key.clone(), if element.many { format!("[{text}]") } else { text });
            }
        }
        // Reading: an extension of which neither a value nor an extension shows says nothing (ext-1).
        let holds = |name: &str| object.elements.iter().position(|element| element.name == name);
        let is_held = |name: &str| holds(name).is_some_and(|place| shown.elements.contains(&place));
        let says_nothing = object.name == "Extension" && !is_held("value[x]") && !is_held("extension");
        if shown.members.is_empty() || says_nothing {
            return Ok(None);
        }
        Ok(Some(shown.print()))
    }

    fn whole_below(&self, scope: &Scope<'_>, below: &Value) -> Result<Option<String>, Closed> {
        let mut texts = Vec::new();
        for extension in below.get("extension").map(Value::items).unwrap_or_default() {
            texts.extend(self.whole(scope, known("Extension"), &[], extension)?);
        }
        Ok(if texts.is_empty() { None } else { Some(format!("{{\"extension\":[{}]}}", texts.join(","))) })
    }

    fn whole_primitive(
        &self,
        scope: &Scope<'_>,
        value: Option<&Value>,
        below: Option<&Value>,
        form: &dyn Fn(&Value) -> bool,
    ) -> Result<Pairs, Closed> {
        let items = |value: Option<&Value>| value.map(|value| value.items().to_vec()).unwrap_or_default();
        let (values, belows) = (items(value), items(below));
        let mut left = Vec::new();
        for place in 0..values.len().max(belows.len()) {
            let text = values.get(place).filter(|value| **value != Value::Null && form(value)).map(Value::print);
            let below = match belows.get(place) {
                Some(below @ Value::Object(_)) => self.whole_below(scope, below)?,
                _ => None,
            };
            if text.is_some() || below.is_some() {
                left.push((text, below));
            }
        }
        Ok(left.into_iter().unzip())
    }
}

/// Values of a primitive and what stands below each.
type Pairs = (Vec<Option<String>>, Vec<Option<String>>);

/// What stands below a primitive.
struct Below {
    text: Option<String>,
    /// A mask made it; the record's own never shows then.
    made: bool,
}

/// Values of an array with nulls where there is none, or the one value; `None` where there is nothing.
fn written(values: Vec<Option<String>>, many: bool) -> Option<String> {
    if values.iter().all(Option::is_none) {
        return None;
    }
    let texts: Vec<String> = values.into_iter().map(|value| value.unwrap_or_else(|| "null".to_owned())).collect();
    Some(if many { format!("[{}]", texts.join(",")) } else { texts.join(",") })
}

/// A part that goes where a Reference that it requires is hidden by what it points to.
fn goes_with_target(object: &ObjectType) -> bool {
    let part = object.name.rsplit_once('.').and_then(|(parent, name)| {
        let parent = super::model::object_type(parent)?;
        parent.elements.iter().find(|element| element.name == name)
    });
    !object.is_resource && part.is_none_or(|element| !element.modifier)
}

/// Elements that have a rule of their own, whatever `elements.csv` says.
pub(super) fn is_own_rule(object: &ObjectType, name: &str) -> bool {
    matches!(name, "id" | "extension" | "modifierExtension")
        || object.is_resource && matches!(name, "meta" | "implicitRules" | "language" | "text" | "contained")
}

/// What a Bundle never shows.
fn is_hidden_in_bundle(object: &str, element: &str) -> bool {
    match object {
        "Bundle" => matches!(element, "total" | "link" | "identifier" | "timestamp" | "signature"),
        "Bundle.entry" => element == "link",
        "Bundle.entry.search" => element == "score",
        "Bundle.entry.request" => !matches!(element, "method" | "url"),
        "Bundle.entry.response" => element != "status",
        _ => false,
    }
}

/// Whether a scalar has the form of its type, where that says something.
pub(super) fn has_form(object: &str, element: &str, type_name: &str, value: &Value) -> bool {
    let Some(raw) = value.text() else { return true };
    let only = |fits: &dyn Fn(u8) -> bool, most: usize, least: usize| {
        (least..=most).contains(&raw.len()) && raw.bytes().all(fits)
    };
    match type_name {
        _ if object == "Reference" && element == "type" => scruple_fhir::dictionary().resource(raw).is_some(),
        "code" => {
            let bare = raw.replace("; ", ";");
            (1..=128).contains(&raw.len()) && bare.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        }
        "id" => only(&|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte), 64, 1),
        "date" | "dateTime" | "instant" | "time" => {
            only(&|byte| byte.is_ascii_digit() || b"-:.TZ+".contains(&byte), 35, 2)
        }
        _ => true,
    }
}
