//! What masks carry, over all of FHIR R4: for the pack's check.

use super::*;

/// Whether one mask shows all that another does, on every element of FHIR R4.
#[must_use]
pub fn mask_covers(annotation: &Annotation, wide: MaskId, narrow: MaskId) -> bool {
    let mask = |id: MaskId| annotation.masks.get(usize::from(id.0));
    let (Some(wide), Some(narrow)) = (mask(wide), mask(narrow)) else { return false };
    dictionary().types().iter().all(|object| {
        object.elements.iter().all(|element| {
            let path = format!("{}.{}", object.name, element.name);
            element.type_names.iter().all(|type_name| {
                let function = |mask: &crate::Mask| mask.function(&path, element.name, type_name);
                let (wide, narrow) = (function(wide), function(narrow));
                narrow == MaskFunction::Withhold || wide == MaskFunction::Keep || wide == narrow
            })
        })
    })
}

/// Whether a mask shows anything of a category, on any type, where all else shows.
#[must_use]
pub fn mask_carries(annotation: &Annotation, category: CategoryId, mask: MaskId) -> bool {
    let Some(mask) = annotation.masks.get(usize::from(mask.0)) else { return false };
    let carrier = Carrier { annotation, category, mask };
    let mut types = dictionary().resources().iter().filter(|id| categories(annotation, **id).contains(&category));
    types.any(|id| {
        let rest = annotation.rest.get(dictionary().get(*id).name).copied().unwrap_or(Place::Withheld);
        carrier.part(*id, dictionary().get(*id).name, carrier.is_in(rest, dictionary().get(*id).name), &mut Vec::new())
    })
}

/// Looks for an element of a category that a mask shows.
struct Carrier<'a> {
    annotation: &'a Annotation,
    category: CategoryId,
    mask: &'a crate::Mask,
}

impl Carrier<'_> {
    fn is_in(&self, place: Place, resource: &str) -> bool {
        match place {
            Place::Category(category) => category == self.category,
            Place::Class => self.annotation.class_lines(resource).any(|line| line.category == self.category),
            Place::Structure | Place::Withheld => false,
        }
    }

    /// A resource or a part of one. `inherited`: what has no line of its own is in the category.
    fn part(&self, id: TypeId, resource: &str, inherited: bool, stack: &mut Vec<TypeId>) -> bool {
        if stack.contains(&id) {
            return false;
        }
        stack.push(id);
        let object = dictionary().get(id);
        let shown = object.elements.iter().filter(|element| !is_general(element.name)).any(|element| {
            let own = format!("{}.{}", object.name, element.name);
            let by_item = self.annotation.item_lines(&own).any(|(_, line)| line.category == self.category);
            let line = self.annotation.places.get(&own);
            let inside = by_item || line.map_or(inherited, |place| self.is_in(*place, resource));
            element.targets.iter().zip(&element.type_names).any(|(target, type_name)| match target {
                Target::Object(part) if dictionary().get(*part).is_in_resource() => {
                    let function = self.mask.function(&own, element.name, type_name);
                    let below = match function {
                        MaskFunction::Keep if inside => return true,
                        MaskFunction::Into => inside,
                        _ => false,
                    };
                    self.part(*part, resource, below, stack)
                }
                target => inside && self.shows(&own, element.name, type_name, target, 0),
            })
        });
        stack.pop();
        shown
    }

    /// An element of a data type, or one that holds it.
    fn shows(&self, path: &str, name: &str, type_name: &str, target: &Target, depth: usize) -> bool {
        match (self.mask.function(path, name, type_name), target) {
            (MaskFunction::Withhold, _) => false,
            (MaskFunction::Into, Target::Primitive(_) | Target::Resource) => false,
            (MaskFunction::Into, Target::Object(id)) => self.any_shows(*id, depth),
            (MaskFunction::Into, Target::Reference(_)) => {
                dictionary().find("Reference").is_some_and(|id| self.any_shows(id, depth))
            }
            _ => true,
        }
    }

    fn any_shows(&self, id: TypeId, depth: usize) -> bool {
        let object = dictionary().get(id);
        depth < DEPTH_MAX
            && object.elements.iter().filter(|element| !is_general(element.name)).any(|element| {
                let path = format!("{}.{}", object.name, element.name);
                let types = element.targets.iter().zip(&element.type_names);
                types.into_iter().any(|(target, name)| self.shows(&path, element.name, name, target, depth + 1))
            })
    }
}
