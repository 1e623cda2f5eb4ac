//! Section 3: the category of an element at its place, and the view of a category.

use super::facts::Facts;
use super::json::Value;
use super::model::{object_of, object_type};
use super::{Limit, Slow, View, is_data_type};
use scruple_fhir::{Element, ObjectType, Target};
use std::collections::BTreeSet;

/// An object on the way down, and what holds for its elements.
#[derive(Clone, Debug)]
pub(super) struct Here {
    /// Its type.
    pub object: &'static ObjectType,
    /// The path from the resource by the dictionary's names: a part with another's content has that part's path.
    pub path: String,
    /// Paths from each data type on the way (`Reference.identifier`, `Identifier`); empty in resources and parts.
    pub data: Vec<String>,
    /// What holds for elements without a line of their own.
    pub base: View,
    /// Only `Type.*` covers it.
    pub star: bool,
    /// The resource type that a Reference points to.
    pub points_to: Option<&'static str>,
    /// Types that a Reference may point to; empty: any.
    pub allowed: Vec<&'static str>,
}

/// A view, and whether a line of the element's own says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub view: View,
    pub own: bool,
}

impl Here {
    /// The paths of an element of this object: its own, and that of the part whose content it has.
    pub fn paths(&self, element: &Element, target: &Target) -> Vec<String> {
        let mut paths = vec![format!("{}.{}", self.path, element.name)];
        if let Target::Object(_) = target
            && let Some(inner) = object_of(target)
            && inner.is_in_resource()
            && inner.name != paths[0]
        {
            paths.push(inner.name.to_owned());
        }
        paths
    }

    /// The object that an element of this one holds.
    pub fn below(&self, element: &Element, target: &Target, seen: &Seen, base: View) -> Option<Self> {
        let object = object_of(target)?;
        let data = if is_data_type(object.name) {
            let mut data = vec![object.name.to_owned()];
            if !seen.own || self.data.is_empty() {
                data.extend(self.data.iter().map(|path| format!("{path}.{}", element.name)));
            }
            data
        } else {
            Vec::new()
        };
        let path = if data.is_empty() { object.name.to_owned() } else { format!("{}.{}", self.path, element.name) };
        let allowed = match target {
            Target::Reference(types) => types.iter().map(|id| scruple_fhir::dictionary().get(*id).name).collect(),
            _ => Vec::new(),
        };
        Some(Self { object, path, data, base, star: self.star && !seen.own, points_to: None, allowed })
    }
}

impl Slow<'_> {
    /// The view of a category for a resource with these labels.
    pub(super) fn view(&self, category: &str, facts: &Facts) -> View {
        match category {
            "structure" => return View::Full,
            "withheld" => return View::None,
            "class" => return self.narrowest(&facts.class, facts),
            _ => {}
        }
        let mut view = self.decision.views.get(category).cloned().unwrap_or(View::None);
        for segment in &facts.labels.segments {
            view = match self.limit(segment) {
                Limit::None => View::None,
                Limit::Coded if self.pack.coded_categories.contains(category) => {
                    view.meet(View::Mask("coded".to_owned()))
                }
                Limit::Coded => View::None,
                Limit::Follow => view,
            };
        }
        if facts.labels.unclassified
            && self.pack.segment_codes.keys().any(|segment| self.limit(segment) != Limit::Follow)
        {
            view = View::None;
        }
        if facts.labels.unreadable && self.pack.all_segments().any(|segment| self.limit(segment) != Limit::Follow) {
            view = View::None;
        }
        view
    }

    pub(super) fn limit(&self, segment: &str) -> Limit {
        self.decision.limits.get(segment).copied().unwrap_or(Limit::None)
    }

    /// The meet of the views of categories; of no category, none.
    pub(super) fn narrowest(&self, categories: &BTreeSet<String>, facts: &Facts) -> View {
        categories.iter().map(|category| self.view(category, facts)).reduce(View::meet).unwrap_or(View::None)
    }

    /// The longest line of `elements.csv` that is the path or a prefix of it, else `Type.*`. With its path.
    pub(super) fn place_line(&self, path: &str) -> Option<(&str, &str)> {
        let mut prefix = path;
        while prefix.contains('.') {
            if let Some((line, category)) = self.pack.elements.get_key_value(prefix) {
                return Some((line, category));
            }
            prefix = prefix.rsplit_once('.').map(|(shorter, _)| shorter).unwrap_or_default();
        }
        self.pack
            .elements
            .get_key_value(&format!("{prefix}.*"))
            .map(|(line, category)| (line.as_str(), category.as_str()))
    }

    /// The view of the line that a path has of its own: its discriminator by the item's codes, or `elements.csv`.
    fn own_line(&self, path: &str, item: Option<&Value>, object: Option<&ObjectType>, facts: &Facts) -> Option<View> {
        if self.is_discriminated(path) {
            let categories = match item {
                Some(item) => self.item_class(path, item, object),
                None => self.discriminator_categories(path),
            };
            return Some(self.narrowest(&categories, facts));
        }
        self.pack.elements.get(path).map(|category| self.view(category, facts))
    }

    /// The view of an element of `here`, or of one of its items.
    pub(super) fn seen(
        &self,
        here: &Here,
        element: &Element,
        target: usize,
        item: Option<&Value>,
        facts: &Facts,
    ) -> Seen {
        let target_type = &element.targets[target];
        let mut own = false;
        let mut view = View::Full;
        for path in here.paths(element, target_type) {
            view = view.meet(match self.own_line(&path, item, object_of(target_type), facts) {
                Some(line) => {
                    own = true;
                    line
                }
                None => here.base.clone(),
            });
        }
        let in_data = !here.data.is_empty();
        let prose = matches!(target_type, Target::Primitive("string" | "markdown"));
        // Reading: free text by `Type.*` is for elements of resources and parts, not for those of data types.
        if !own && here.star && !in_data && prose {
            view = view.meet(self.view("free_text", facts));
        }
        if in_data && !own {
            view = view.meet(self.narrowing(here, element, facts));
        }
        Seen { view, own }
    }

    /// What the lines of data types say.
    fn narrowing(&self, here: &Here, element: &Element, facts: &Facts) -> View {
        // `type` goes with the element.
        if here.object.name == "Reference" && element.name == "type" {
            return View::Full;
        }
        let mut view = View::Full;
        for path in &here.data {
            if path == "Reference" {
                view = view.meet(self.reference_view(here.points_to, &here.allowed, element.name, facts));
            } else if let Some(category) = self.pack.elements.get(&format!("{path}.{}", element.name)) {
                view = view.meet(self.view(category, facts));
            }
        }
        view
    }

    /// The view of `Reference.display` or `.identifier` for a target type; for an unknown one what all that may be allow.
    pub(super) fn reference_view(
        &self,
        points_to: Option<&str>,
        allowed: &[&'static str],
        element: &str,
        facts: &Facts,
    ) -> View {
        let of = |name: Option<&str>| match self.reference_line(name, element) {
            Some(category) => self.view(category, facts),
            None => View::Full,
        };
        match points_to {
            None => scruple_fhir::dictionary()
                .resources()
                .iter()
                .map(|id| scruple_fhir::dictionary().get(*id).name)
                .filter(|name| allowed.is_empty() || allowed.contains(name))
                .map(|name| of(Some(name)))
                .fold(View::Full, View::meet),
            name => of(name),
        }
    }

    /// The category of `Reference(Type).display` where there is such a line, else of `Reference.display`.
    pub(super) fn reference_line(&self, points_to: Option<&str>, element: &str) -> Option<&str> {
        points_to
            .and_then(|name| self.pack.elements.get(&format!("Reference({name}).{element}")))
            .or_else(|| self.pack.elements.get(&format!("Reference.{element}")))
            .map(String::as_str)
    }

    /// No type of the element shows, whatever stands in the record: its views are none, or masked with no function.
    pub(super) fn is_none_by_policy(&self, here: &Here, element: &Element, facts: &Facts) -> bool {
        (0..element.targets.len()).all(|target| {
            let mut views = vec![self.seen(here, element, target, None, facts).view];
            for path in here.paths(element, &element.targets[target]) {
                if self.is_discriminated(&path) {
                    views = self
                        .discriminator_categories(&path)
                        .iter()
                        .map(|category| self.view(category, facts))
                        .collect();
                }
            }
            views.into_iter().all(|view| match view {
                View::None => true,
                View::Full => false,
                View::Mask(mask) => {
                    !self.function(&mask, here.object, element, target).applies_to(&element.targets[target])
                }
            })
        })
    }

    /// Whether a line below the element's place can show something of it.
    pub(super) fn has_line_below(&self, here: &Here, element: &Element, facts: &Facts) -> bool {
        let paths = element.targets.iter().flat_map(|target| here.paths(element, target));
        let below: Vec<String> = paths.map(|path| format!("{path}.")).collect();
        self.pack.elements.iter().any(|(line, category)| {
            below.iter().any(|path| line.starts_with(path.as_str())) && self.view(category, facts) != View::None
        })
    }
}

/// The top of a resource.
pub(super) fn top(slow: &Slow<'_>, object: &'static ObjectType, facts: &Facts) -> Here {
    let base = match slow.pack.elements.get(&format!("{}.*", object.name)) {
        Some(category) => slow.view(category, facts),
        None => View::None,
    };
    Here {
        object,
        path: object.name.to_owned(),
        data: Vec::new(),
        base,
        star: true,
        points_to: None,
        allowed: Vec::new(),
    }
}

/// A type that the dictionary surely has.
#[expect(clippy::expect_used, reason = "called with names of FHIR's own types")]
pub(super) fn known(name: &str) -> &'static ObjectType {
    object_type(name).expect("a type of the dictionary")
}
