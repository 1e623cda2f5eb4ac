//! What is changed in a store, in the hope that a caller does not see it.

use super::leaf::{self, Step, alike, another, at, leaves};
use super::{Pair, Pairs, instant, made, revised};
use crate::interfere::store::{Edit, Mutation, Store, Stored, Version};
use crate::interfere::view::{Past, View};
use crate::tree::Numbers;
use serde_json::{Value, json};
use std::sync::Arc;

/// A change of the second store that may not show, if one could be thought up.
pub(super) fn propose(pair: &Pair, pairs: &Pairs, numbers: &mut Numbers) -> Option<Mutation> {
    let context = Context { store: &pair.b, view: &pair.view, past: pair.past.as_ref() };
    // The past of resources changes most where the caller may look for it.
    let kinds = match &pair.past {
        _ if !pairs.has_past => 24,
        None => 25,
        Some(_) => 36,
    };
    match numbers.below(kinds) {
        0 => context.meta(numbers),
        1 => context.narrative(numbers),
        2 => context.extension(numbers),
        3..=7 => context.leaf(true, numbers),
        8..=9 => context.leaf(false, numbers),
        10 => context.without_a_leaf(numbers),
        11 => context.take_away(numbers),
        12 | 13 => context.add_made(numbers),
        14 => context.copy(numbers),
        15 => context.rename(numbers),
        16 => context.reorder(numbers),
        17 => context.contained(numbers),
        18 => context.swap(numbers),
        19 => context.label(numbers),
        20 => context.retarget(numbers),
        21 => context.add_from_the_hospital(pairs, numbers),
        22 => context.add_an_element(numbers),
        23 => context.all_times(numbers),
        _ => context.past(numbers),
    }
}

struct Context<'a> {
    store: &'a Store,
    view: &'a View,
    past: Option<&'a Past>,
}

fn put(what: &'static str, value: Value) -> Option<Mutation> {
    Some(Mutation { what, edits: vec![Edit::Put(Arc::new(Stored::new(value)?))] })
}

fn of_past(what: &'static str, kind: &str, id: &str, past: Vec<Version>) -> Mutation {
    Mutation { what, edits: vec![Edit::Past(kind.to_owned(), id.to_owned(), past)] }
}

impl Context<'_> {
    fn any(&self, numbers: &mut Numbers) -> Option<&Stored> {
        self.store.at(numbers.below(self.store.len())).map(Arc::as_ref)
    }

    /// What shows of a resource, as text.
    fn shown(&self, stored: &Stored) -> Option<&[u8]> {
        let found = self.view.iter().find(|(kind, id, _)| stored.is(kind, id));
        found.map(|(_, _, bytes)| bytes.as_slice())
    }

    fn hidden(&self, numbers: &mut Numbers) -> Option<&Stored> {
        let hidden: Vec<&Stored> =
            self.store.iter().map(Arc::as_ref).filter(|stored| self.shown(stored).is_none()).collect();
        numbers.one_of(&hidden).copied()
    }

    fn visible(&self, numbers: &mut Numbers) -> Option<&Stored> {
        let visible: Vec<&Stored> =
            self.store.iter().map(Arc::as_ref).filter(|stored| self.shown(stored).is_some()).collect();
        numbers.one_of(&visible).copied()
    }

    fn meta(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let stored = self.any(numbers)?;
        let mut value = stored.value.clone();
        let meta = value.get_mut("meta")?.as_object_mut()?;
        match numbers.below(4) {
            0 => meta.insert("versionId".to_owned(), json!((5 + numbers.below(900)).to_string())),
            1 => meta.insert("lastUpdated".to_owned(), json!(instant(numbers))),
            2 => meta.insert("tag".to_owned(), json!([{ "system": "http://own.example/tag", "code": "batch" }])),
            _ => meta.insert("source".to_owned(), json!(format!("http://own.example/system/{}", numbers.below(9)))),
        };
        put("meta", value)
    }

    fn narrative(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let mut value = self.any(numbers)?.value.clone();
        let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">told {}</div>", numbers.below(1_000));
        value.as_object_mut()?.insert("text".to_owned(), json!({ "status": "generated", "div": div }));
        put("narrative", value)
    }

    fn extension(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let mut value = self.any(numbers)?.value.clone();
        let list = value.as_object_mut()?.entry("extension").or_insert_with(|| json!([]));
        list.as_array_mut()?
            .push(json!({ "url": "http://own.example/more", "valueString": format!("word {}", numbers.below(1_000)) }));
        put("extension", value)
    }

    /// Changes one value. Of a visible resource one that does not stand in what shows.
    fn leaf(&self, visible: bool, numbers: &mut Numbers) -> Option<Mutation> {
        let stored = if visible { self.visible(numbers) } else { self.hidden(numbers) }?;
        let (path, old) = self.unseen(stored, numbers)?;
        let new = if visible && numbers.chance(500) { alike(&old, numbers) } else { another(&old, numbers) };
        let mut value = stored.value.clone();
        *at(&mut value, &path)? = new;
        put(if visible { "value of a withheld or masked element" } else { "value in a hidden resource" }, value)
    }

    /// A leaf that does not stand in what shows, with its path; not the type, the id, or a reference.
    fn unseen(&self, stored: &Stored, numbers: &mut Numbers) -> Option<(Vec<Step>, Value)> {
        let shown = self.shown(stored).map(String::from_utf8_lossy).unwrap_or_default();
        let unseen: Vec<_> = leaves(&stored.value)
            .into_iter()
            .filter(|(path, value)| {
                let key = leaf::key(path);
                let stays = matches!(key, "resourceType" | "reference") || key == "id" && path.len() == 1;
                !stays && !shown.contains(value.to_string().as_str())
            })
            .collect();
        numbers.one_of(&unseen).map(|(path, value)| (path.clone(), (*value).clone()))
    }

    fn without_a_leaf(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let stored = self.any(numbers)?;
        let (path, _) = self.unseen(stored, numbers)?;
        let (Step::Key(key), before) = path.split_last()? else { return None };
        let mut value = stored.value.clone();
        let holder = at(&mut value, before)?.as_object_mut()?;
        holder.remove(key);
        // An object without a member is no FHIR.
        if holder.is_empty() { None } else { put("element taken away", value) }
    }

    fn add_an_element(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let stored = self.visible(numbers)?;
        let mut value = stored.value.clone();
        let object = value.as_object_mut()?;
        let (key, new) = match stored.resource_type.as_str() {
            "Patient" => match numbers.below(4) {
                0 => ("deceasedDateTime", json!("2024-05-06")),
                1 => ("maritalStatus", json!({ "text": "widowed" })),
                2 => ("birthDate", json!(format!("1961-0{}-11", 1 + numbers.below(9)))),
                _ => ("photo", json!([{ "contentType": "image/png", "data": "QUJD" }])),
            },
            "Observation" | "Condition" | "Procedure" | "Immunization" => {
                ("note", json!([{ "text": "said in passing" }]))
            }
            "Encounter" => ("reasonCode", json!([{ "text": "pain" }])),
            _ => ("language", json!("de")),
        };
        if object.contains_key(key) {
            return None;
        }
        object.insert(key.to_owned(), new);
        put("element added", value)
    }

    fn take_away(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let stored = self.hidden(numbers)?;
        let edits = vec![Edit::Remove(stored.resource_type.clone(), stored.id.clone())];
        Some(Mutation { what: "hidden resource taken away", edits })
    }

    fn add_made(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let patients: Vec<&str> = self
            .store
            .iter()
            .filter(|stored| stored.resource_type == "Patient")
            .map(|stored| stored.id.as_str())
            .collect();
        let patient = numbers.one_of(&patients).copied().unwrap_or("nobody");
        let number = numbers.next() % 100_000;
        let mut value = made::hidden(patient, number, numbers);
        let meta = value.as_object_mut()?.entry("meta").or_insert_with(|| json!({})).as_object_mut()?;
        meta.insert("lastUpdated".to_owned(), json!(instant(numbers)));
        put("hidden resource added", value)
    }

    fn add_from_the_hospital(&self, pairs: &Pairs, numbers: &mut Numbers) -> Option<Mutation> {
        let record = numbers.one_of(&pairs.records)?;
        let stored = numbers.one_of(record)?;
        if self.store.get(&stored.resource_type, &stored.id).is_some() {
            return None;
        }
        let mut value = stored.value.clone();
        let meta = value.as_object_mut()?.entry("meta").or_insert_with(|| json!({})).as_object_mut()?;
        meta.insert("lastUpdated".to_owned(), json!(instant(numbers)));
        put("resource of another record added", value)
    }

    fn copy(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let mut value = self.hidden(numbers)?.value.clone();
        *value.get_mut("id")? = json!(format!("copy-{}", numbers.below(100_000)));
        put("hidden resource once more", value)
    }

    fn rename(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let stored = self.hidden(numbers)?;
        let mut value = stored.value.clone();
        *value.get_mut("id")? = json!(format!("other-{}", numbers.below(100_000)));
        let edits = vec![
            Edit::Remove(stored.resource_type.clone(), stored.id.clone()),
            Edit::Put(Arc::new(Stored::new(value)?)),
        ];
        Some(Mutation { what: "id of a hidden resource", edits })
    }

    fn reorder(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let edits = (0..6)
            .filter_map(|_| {
                let stored = self.any(numbers)?;
                Some(Edit::Move(stored.resource_type.clone(), stored.id.clone(), numbers.below(self.store.len())))
            })
            .collect();
        Some(Mutation { what: "order", edits })
    }

    fn all_times(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let edits = (0..6)
            .filter_map(|_| {
                let mut value = self.any(numbers)?.value.clone();
                let meta = value.get_mut("meta")?.as_object_mut()?;
                meta.insert("lastUpdated".to_owned(), json!(instant(numbers)));
                Some(Edit::Put(Arc::new(Stored::new(value)?)))
            })
            .collect();
        Some(Mutation { what: "times of change", edits })
    }

    /// A contained resource that nothing refers to.
    fn contained(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let mut value = self.any(numbers)?.value.clone();
        let list = value.as_object_mut()?.entry("contained").or_insert_with(|| json!([]));
        list.as_array_mut()?.push(json!({
            "resourceType": "Organization", "id": format!("orphan-{}", numbers.below(1_000)), "name": format!("ward {}", numbers.below(99)),
        }));
        put("contained resource", value)
    }

    /// Two hidden values change places.
    fn swap(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let stored = self.any(numbers)?;
        let (first, left) = self.unseen(stored, numbers)?;
        let (second, right) = self.unseen(stored, numbers)?;
        let mut value = stored.value.clone();
        *at(&mut value, &first)? = right;
        *at(&mut value, &second)? = left;
        put("two values swapped", value)
    }

    fn label(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let mut value = self.hidden(numbers)?.value.clone();
        let meta = value.as_object_mut()?.entry("meta").or_insert_with(|| json!({})).as_object_mut()?;
        let code = numbers.one_of(&["HIV", "R", "V", "42CFRPart2", "PSY"]).copied().unwrap_or("R");
        let security = json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code }]);
        meta.insert("security".to_owned(), security);
        put("label of a hidden resource", value)
    }

    /// What came before a resource, or before its deletion, or its deletion itself.
    fn past(&self, numbers: &mut Numbers) -> Option<Mutation> {
        match numbers.below(10) {
            0 => self.delete(numbers),
            1 => self.of_a_deleted_one(numbers),
            2 => self.past_anew(numbers),
            3 | 4 => self.without_a_version(numbers),
            5 | 6 => self.version_more(numbers),
            _ => self.version_changed(numbers),
        }
    }

    /// Type and id of a resource with a past, and that.
    fn with_a_past(&self, numbers: &mut Numbers) -> Option<(&str, &str, Vec<Version>)> {
        let all: Vec<_> = self.store.past().collect();
        let (kind, id, past) = *numbers.one_of(&all)?;
        Some((kind, id, past.to_vec()))
    }

    /// What shows of a version.
    fn shown_of(&self, kind: &str, id: &str, version: &Version) -> Option<&[u8]> {
        let mut shown = self.past?.get(&(kind.to_owned(), id.to_owned())).into_iter().flatten();
        shown.find(|shown| shown.id.as_deref() == version.id()).map(|shown| shown.bytes.as_slice())
    }

    fn delete(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let stored = self.hidden(numbers)?;
        let (kind, id) = (&stored.resource_type, &stored.id);
        let past = revised::deleted(stored, self.store, numbers);
        let edits = vec![Edit::Remove(kind.clone(), id.clone()), Edit::Past(kind.clone(), id.clone(), past)];
        Some(Mutation { what: "hidden resource deleted", edits })
    }

    fn of_a_deleted_one(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let deleted: Vec<_> = self.store.deleted().collect();
        let (kind, id) = *numbers.one_of(&deleted)?;
        let past = if numbers.chance(500) {
            Vec::new()
        } else {
            let template = self.store.iter().find(|stored| stored.resource_type == kind)?;
            let mut value = template.value.clone();
            *value.get_mut("id")? = json!(id);
            revised::deleted(&Stored::new(value)?, self.store, numbers)
        };
        Some(of_past("what was deleted", kind, id, past))
    }

    fn past_anew(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let stored = if numbers.chance(500) { self.hidden(numbers) } else { self.any(numbers) }?;
        let past = revised::past(stored, self.store, numbers);
        Some(of_past("another past", &stored.resource_type, &stored.id, past))
    }

    fn without_a_version(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let (kind, id, mut past) = self.with_a_past(numbers)?;
        let is_unseen = |place: &usize| past.get(*place).is_some_and(|own| self.shown_of(kind, id, own).is_none());
        let unseen: Vec<usize> = (0..past.len()).filter(is_unseen).collect();
        past.remove(*numbers.one_of(&unseen)?);
        Some(of_past("a version less", kind, id, past))
    }

    fn version_more(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let stored = self.any(numbers)?;
        let (kind, id) = (stored.resource_type.as_str(), stored.id.as_str());
        let known = self.store.past().find(|(of, own, _)| (*of, *own) == (kind, id));
        let mut past = known.map(|(_, _, past)| past.to_vec()).unwrap_or_default();
        let version = if numbers.chance(150) {
            revised::deletion(1_000 + numbers.below(500))
        } else {
            revised::unseen(stored, self.store, numbers)?
        };
        past.insert(numbers.below(past.len() + 1), version);
        Some(of_past("a version more", kind, id, past))
    }

    fn version_changed(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let (kind, id, mut past) = self.with_a_past(numbers)?;
        let place = numbers.below(past.len());
        let version = past.get_mut(place)?;
        let shown = self.shown_of(kind, id, version).map(String::from_utf8_lossy).unwrap_or_default();
        *version = revised::changed(version, &shown, numbers)?;
        Some(of_past("value in a version", kind, id, past))
    }

    /// A reference to another resource of the same type.
    fn retarget(&self, numbers: &mut Numbers) -> Option<Mutation> {
        let stored = self.any(numbers)?;
        let shown = self.shown(stored).map(String::from_utf8_lossy).unwrap_or_default();
        let references: Vec<(Vec<Step>, String)> = leaves(&stored.value)
            .into_iter()
            .filter(|(path, value)| leaf::key(path) == "reference" && !shown.contains(value.to_string().as_str()))
            .filter_map(|(path, value)| Some((path, value.as_str()?.to_owned())))
            .collect();
        let (path, old) = numbers.one_of(&references)?;
        let kind = old.split('/').next()?;
        let others: Vec<&str> =
            self.store.iter().filter(|other| other.resource_type == kind).map(|other| other.id.as_str()).collect();
        let id = numbers.one_of(&others).copied().unwrap_or("gone");
        let mut value = stored.value.clone();
        *at(&mut value, path)? = json!(format!("{kind}/{id}"));
        put("target of a hidden reference", value)
    }
}
