//! Section 4: resources that pass as they are.

use super::facts::Facts;
use super::json::Value;
use super::model::{each_object, resource_type};
use super::reference::Contained;
use super::resource::refers_to;
use super::{Slow, View};
use scruple_fhir::ObjectType;

impl Slow<'_> {
    /// The resource with its white space removed, if it passes.
    ///
    /// Reading: Bundles and Parameters do not pass, their resources do; a resource with a modifier extension in a part
    /// does not pass; nor does one with a contained resource that neither passes nor shows.
    pub(super) fn passed(&self, object: &'static ObjectType, value: &Value, facts: &Facts) -> Option<String> {
        if !self.may_pass(object, facts) || has_modifier_extension(object, value) {
            return None;
        }
        let inner = value.get("contained").map(Value::items).unwrap_or_default();
        let types = inner
            .iter()
            .filter_map(|inner| Some((inner.get("id")?.text()?.to_owned(), (resource_type(inner)?.name, true))));
        let contained: Contained = types.collect();
        // Each with whether it passes.
        let mut texts: Vec<Option<(String, bool)>> = Vec::new();
        for inner in inner {
            let inner_type = resource_type(inner)?;
            let inner_facts = Facts { class: self.class(inner_type, inner), labels: facts.labels.clone() };
            let implicit = inner.get("implicitRules").is_some() || inner.get("_implicitRules").is_some();
            texts.push(Some(if self.may_pass(inner_type, &inner_facts) && !implicit {
                (inner.print(), true)
            } else {
                (self.contained(inner, &facts.labels, &contained).ok()?, false)
            }));
        }
        let written = |list: &[&str]| {
            let members = value.members().iter().filter_map(|member| match member.key.as_str() {
                "contained" if list.is_empty() => None,
                "contained" => Some(format!("\"contained\":[{}]", list.join(","))),
                key => Some(format!("\"{key}\":{}", member.value.print())),
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        };
        let alone = written(&[]);
        // What is projected stays if something still refers to it; what passes stays.
        loop {
            let orphan = (0..texts.len()).find(|place| {
                let id = inner[*place].get("id").and_then(Value::text).unwrap_or_default();
                let others =
                    texts.iter().enumerate().filter(|(other, _)| other != place).filter_map(|(_, text)| text.as_ref());
                let referred =
                    std::iter::once(&alone).chain(others.map(|(text, _)| text)).any(|text| refers_to(text, id));
                matches!(texts[*place], Some((_, false))) && !referred
            });
            match orphan {
                Some(place) => texts[place] = None,
                None => break,
            }
        }
        let list: Vec<&str> = texts.iter().flatten().map(|(text, _)| text.as_str()).collect();
        Some(written(&list))
    }

    /// The decision says so, and every category of the type is full.
    fn may_pass(&self, object: &ObjectType, facts: &Facts) -> bool {
        if !self.decision.passes || matches!(object.name, "Bundle" | "Parameters") {
            return false;
        }
        let of_type = |path: &str| {
            path == object.name || path.strip_prefix(object.name).is_some_and(|rest| rest.starts_with('.'))
        };
        let lines = self.pack.elements.iter().filter(|(path, _)| of_type(path)).map(|(_, category)| category);
        let chosen = self.pack.discriminators.iter().filter(|line| of_type(&line.element)).map(|line| &line.category);
        let mut categories: Vec<&str> = lines.chain(chosen).map(String::as_str).collect();
        categories.retain(|category| !matches!(*category, "structure" | "withheld" | "change_metadata" | "class"));
        categories.push("free_text");
        categories.iter().all(|category| self.view(category, facts) == View::Full)
    }
}

fn has_modifier_extension(object: &'static ObjectType, value: &Value) -> bool {
    let mut found = false;
    each_object(object, value, &mut |inner, value| {
        found |= inner.element("modifierExtension").is_some() && value.get("modifierExtension").is_some();
    });
    found
}
