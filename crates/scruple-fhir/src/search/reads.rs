//! What a parameter reads, compiled: for each path the JSON keys, step by step, and the FHIR types at its end.

use crate::dictionary::{Element, ObjectType, SearchParameter, Target, TypeId, dictionary};

/// One path, from the resource to the values.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// For each step the keys that it goes through.
    pub steps: Vec<Vec<Step>>,
    /// References of this type alone are read.
    pub target: Option<&'static str>,
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
    let served = matches!(parameter.kind, "token" | "string" | "date" | "reference" | "uri");
    if !served || matches!(parameter.code, "phonetic" | "near") {
        return Vec::new();
    }
    if parameter.code == "_id" {
        let step = Step { object: resource_type, key: "id".to_owned(), type_name: "id", value: None };
        return vec![Path { steps: vec![vec![step]], target: None, system: None }];
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
    let mut target = None;
    for name in names {
        let mut step = Vec::new();
        for object in &here {
            let object_type = dictionary().get(*object);
            let Some((index, element)) = element_of(object_type, name) else { continue };
            target = target_of(parameter, element);
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
    steps.last().is_some_and(|last| !last.is_empty()).then_some(Path { steps, target, system })
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
        _ => false,
    }
}
