//! What a parameter reads, compiled: for each path the JSON keys, step by step, and the FHIR types at its end.

use super::matches;
use crate::dictionary::{Element, ObjectType, SearchParameter, Target, TypeId, dictionary};

/// A parameter of a type, with what it reads.
#[derive(Clone, Debug)]
pub struct Reads {
    pub(super) parameter: &'static SearchParameter,
    pub(super) paths: Vec<Path>,
}

impl Reads {
    /// The parameter of that name of a type, `_id` and `_lastUpdated` too; none where it is not served.
    #[must_use]
    pub fn find(resource_type: TypeId, code: &str) -> Option<Self> {
        let parameter = parameter(resource_type, code)?;
        let paths = compile(resource_type, parameter);
        (!paths.is_empty()).then_some(Self { parameter, paths })
    }

    /// The same, of one that reads References.
    #[must_use]
    pub fn references(resource_type: TypeId, code: &str) -> Option<Self> {
        Self::find(resource_type, code).filter(Self::is_reference)
    }

    /// The parameter by which resources of a type are in a patient's compartment (docs/search.md, 6).
    #[must_use]
    pub fn compartment(resource_type: TypeId) -> Option<Self> {
        let patient = dictionary().resource("Patient")?;
        let names = ["patient", "subject", "beneficiary", "individual", "actor", "member"];
        names.iter().find_map(|name| Self::references(resource_type, name).filter(|reads| reads.may_point_to(patient)))
    }

    /// The parameter's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.parameter.code
    }

    /// The parameter's kind: `token`, `date` ...
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.parameter.kind
    }

    /// What it points to in a projection, as type and id, in order and each once.
    #[must_use]
    pub fn targets(&self, bytes: &[u8]) -> Vec<(String, String)> {
        matches::targets(self, bytes)
    }

    /// The types at the ends of its paths.
    pub(super) fn type_names(&self) -> impl Iterator<Item = &'static str> {
        self.paths.iter().flat_map(|path| path.steps.last()).flatten().map(|step| step.type_name)
    }

    fn is_reference(&self) -> bool {
        self.parameter.kind == "reference" && self.type_names().any(|name| name == "Reference")
    }

    /// Whether an element that it reads may point to resources of a type.
    #[must_use]
    pub fn may_point_to(&self, target: TypeId) -> bool {
        let name = dictionary().get(target).name;
        let fits = |path: &Path| path.target.is_none_or(|only| only == name);
        self.paths
            .iter()
            .any(|path| fits(path) && path.allowed.as_ref().is_some_and(|of| of.is_empty() || of.contains(&target)))
    }

    /// The one type to which it points, if it is clear.
    pub(super) fn only_target(&self) -> Option<TypeId> {
        let named = self.paths.iter().map(|path| path.target.and_then(|name| dictionary().resource(name)));
        let mut all: Vec<TypeId> = Vec::new();
        for (path, named) in self.paths.iter().zip(named) {
            match (named, &path.allowed) {
                (Some(named), _) => all.push(named),
                (None, Some(of)) if !of.is_empty() => all.extend(of),
                (None, Some(_)) => return None,
                (None, None) => {}
            }
        }
        all.sort_unstable();
        all.dedup();
        if let [only] = all.as_slice() { Some(*only) } else { None }
    }
}

/// The search parameter of a type, `_id` and `_lastUpdated` too.
pub(super) fn parameter(resource_type: TypeId, code: &str) -> Option<&'static SearchParameter> {
    let base = dictionary().get(resource_type).name;
    let of_all = matches!(code, "_id" | "_lastUpdated");
    let served = |parameter: &&SearchParameter| parameter.base == base || parameter.base == "Resource" && of_all;
    dictionary().search.iter().filter(served).find(|parameter| parameter.code == code)
}

/// One path, from the resource to the values.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// For each step the keys that it goes through.
    pub steps: Vec<Vec<Step>>,
    /// References of this type alone are read.
    pub target: Option<&'static str>,
    /// The types to which References at its end may point, all if there is none; `None` where there are no References.
    pub allowed: Option<Vec<TypeId>>,
    /// Contact points of this system alone are read.
    pub system: Option<&'static str>,
}

/// One key of a step.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The object type that holds it.
    pub object: TypeId,
    /// The JSON key.
    pub key: String,
    /// The FHIR type of its value.
    pub type_name: &'static str,
    /// The object type of its value, where it is one.
    pub value: Option<TypeId>,
}

/// The paths of a parameter; none where it is not served.
pub(super) fn compile(resource_type: TypeId, parameter: &SearchParameter) -> Vec<Path> {
    let served = matches!(parameter.kind, "token" | "string" | "date" | "reference" | "uri" | "number" | "quantity");
    if !served || matches!(parameter.code, "phonetic" | "near") {
        return Vec::new();
    }
    if parameter.code == "_id" {
        let step = Step { object: resource_type, key: "id".to_owned(), type_name: "id", value: None };
        return vec![Path { steps: vec![vec![step]], target: None, allowed: None, system: None }];
    }
    if parameter.code == "_lastUpdated" {
        let path = format!("{}.meta.lastUpdated", dictionary().get(resource_type).name);
        return compile_path(resource_type, parameter, &path, None).into_iter().collect();
    }
    let system = match parameter.code {
        "email" => Some("email"),
        "phone" => Some("phone"),
        _ => None,
    };
    let read = |path: &&&str| system.is_none() || !path.ends_with(".system");
    let paths: Option<Vec<Path>> =
        parameter.reads.iter().filter(read).map(|path| compile_path(resource_type, parameter, path, system)).collect();
    paths.unwrap_or_default()
}

fn compile_path(
    resource_type: TypeId,
    parameter: &SearchParameter,
    path: &str,
    system: Option<&'static str>,
) -> Option<Path> {
    let mut names = path.split('.');
    if names.next()? != dictionary().get(resource_type).name {
        return None;
    }
    let mut here = vec![resource_type];
    let mut steps = Vec::new();
    let (mut target, mut allowed) = (None, None);
    for name in names {
        let mut step = Vec::new();
        for object in &here {
            let object_type = dictionary().get(*object);
            let Some((index, element)) = element_of(object_type, name) else { continue };
            target = target_of(parameter, element);
            allowed = element.targets.iter().find_map(|target| match target {
                Target::Reference(types) => Some(types.clone()),
                _ => None,
            });
            let keys = object_type.keys.iter().filter(|key| usize::from(key.element) == index && !key.underscore);
            step.extend(keys.map(|key| Step {
                object: *object,
                key: key.name().to_owned(),
                type_name: key.type_name,
                value: match element.targets.get(usize::from(key.target)) {
                    Some(Target::Object(id)) => Some(*id),
                    Some(Target::Reference(_)) => dictionary().find("Reference"),
                    _ => None,
                },
            }));
        }
        if step.is_empty() {
            return None;
        }
        here = step.iter().filter_map(|step| step.value).collect();
        steps.push(step);
    }
    if let Some(last) = steps.last_mut() {
        let is_choice = last.len() > 1;
        last.retain(|step| is_read(parameter, step.type_name, is_choice));
    }
    steps.last().is_some_and(|last| !last.is_empty()).then_some(Path { steps, target, allowed, system })
}

fn element_of<'a>(object: &'a ObjectType, name: &str) -> Option<(usize, &'a Element)> {
    object.elements.iter().enumerate().find(|(_, element)| element.name == name)
}

/// A parameter that is called like a type to which the element may point reads references to that type alone.
fn target_of(parameter: &SearchParameter, element: &Element) -> Option<&'static str> {
    let mut types = element.targets.iter().filter_map(|target| match target {
        Target::Reference(types) => Some(types),
        _ => None,
    });
    let of = |id: &TypeId| dictionary().get(*id).name;
    let is = |name: &&str| name.eq_ignore_ascii_case(&parameter.code.replace('-', ""));
    let any = || dictionary().resources().iter().map(of).find(is);
    types.find_map(|types| if types.is_empty() { any() } else { types.iter().map(of).find(is) })
}

/// Whether values of a FHIR type are read by a parameter of this kind.
fn is_read(parameter: &SearchParameter, type_name: &str, is_choice: bool) -> bool {
    match parameter.kind {
        "token" => match type_name {
            "Coding" | "CodeableConcept" | "Identifier" | "ContactPoint" | "code" | "id" | "uri" => true,
            "string" => !is_choice,
            "boolean" => !is_choice || parameter.code == "deceased",
            "dateTime" => parameter.code == "deceased",
            _ => false,
        },
        "string" => matches!(type_name, "string" | "markdown" | "HumanName" | "Address"),
        "date" => matches!(type_name, "date" | "dateTime" | "instant" | "Period" | "Timing"),
        "reference" => matches!(type_name, "Reference" | "canonical" | "uri"),
        "uri" => matches!(type_name, "uri" | "url" | "canonical" | "oid" | "uuid"),
        "number" => matches!(type_name, "decimal" | "integer" | "positiveInt" | "unsignedInt"),
        "quantity" => {
            matches!(type_name, "Quantity" | "Age" | "Duration" | "Count" | "Distance" | "SimpleQuantity" | "Money")
        }
        _ => false,
    }
}
