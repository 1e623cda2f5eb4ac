//! Section 4: resources that pass as they are.

use super::facts::Facts;
use super::json::Value;
use super::model::{contained, resource_type};
use super::{Slow, View};
use scruple_fhir::ObjectType;

impl Slow<'_> {
    /// The resource with its white space removed, if it passes.
    pub(super) fn passed(&self, object: &'static ObjectType, value: &Value, facts: &Facts) -> Option<String> {
        let inner = contained(object, value);
        let inner_passes = |inner: &Value| {
            resource_type(inner).is_some_and(|inner_type| {
                let facts = Facts { class: self.class(inner_type, inner), labels: facts.labels.clone() };
                contained(inner_type, inner).is_empty() && self.may_pass(inner_type, &facts)
            })
        };
        (self.may_pass(object, facts) && inner.iter().all(inner_passes)).then(|| value.print())
    }

    /// The decision says so, and every category of the type is full.
    fn may_pass(&self, object: &ObjectType, facts: &Facts) -> bool {
        let home = self.pack.elements.get(object.name);
        let is_phi = home.is_some_and(|category| !self.pack.not_phi.contains(category));
        let has_home = is_phi && self.home(object, facts) != View::None && !facts.labels.unreadable;
        if !self.decision.passes || !has_home || matches!(object.name, "Bundle" | "Parameters") {
            return false;
        }
        let of_type = |path: &str| {
            path == object.name || path.strip_prefix(object.name).is_some_and(|rest| rest.starts_with('.'))
        };
        let lines = self.pack.elements.iter().filter(|(path, _)| of_type(path) && !self.is_discriminated(path));
        // Those of items; those of the type are what `class` is.
        let chosen = self
            .pack
            .discriminators
            .iter()
            .filter(|line| of_type(&line.element) && super::facts::holder(&line.element) != object.name);
        let mut categories: Vec<&str> =
            lines.map(|(_, category)| category).chain(chosen.map(|line| &line.category)).map(String::as_str).collect();
        categories.retain(|category| !matches!(*category, "structure" | "withheld" | "change_metadata"));
        categories.push("free_text");
        categories.iter().all(|category| self.view(category, facts) == View::Full)
    }
}
