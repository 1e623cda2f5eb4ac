//! The view of the Lens: strings ready for the page.

use super::ask::{Ask, ViewAs};
use super::sections::{Column, Counts, Section, count, sections};
use crate::lens::{Catalogue, Outcome, Reason, RecordItem, RoleChoice, Seen};
use crate::pages::parts::Choice;
use crate::pages::{Frame, POLICY_CHARS};
use crate::words;
use askama::Template;
use scruple_fhir::align::align;
use scruple_fhir::tree::Tree;

/// Roles that are one click away, where the policy has them: from those who see little to those who see most.
const NEAR: &[&str] = &["front_desk", "scheduler", "biller", "coder", "quality_analyst", "nurse", "physician"];

/// What a role gets, as it was answered.
pub struct Reader {
    pub view: ViewAs,
    pub seen: Seen,
}

/// Options under a heading.
#[derive(Clone)]
pub struct Group {
    pub label: String,
    pub choices: Vec<Choice>,
}

/// A link.
#[derive(Clone)]
pub struct Link {
    pub href: String,
    pub label: String,
    pub count: usize,
    pub current: bool,
}

/// The head of a role's column.
#[derive(Clone)]
pub struct Head {
    pub label: String,
    pub purpose: String,
    /// The purpose's code.
    pub code: String,
    /// `Billing for payment sees 14 of 62 elements of this Patient.`
    pub sentence: String,
    pub counts: Counts,
    /// Why nothing of it shows.
    pub refused: Option<String>,
    pub passes: bool,
}

#[derive(Template, Clone)]
#[template(path = "lens.html")]
pub struct LensView {
    pub frame: Frame,
    pub kind: String,
    pub title: String,
    pub record: usize,
    pub place: usize,
    pub places: usize,
    pub records: Vec<Choice>,
    pub items: Vec<Group>,
    pub roles: Vec<Group>,
    pub beside: Vec<Group>,
    pub near: Vec<Link>,
    pub heads: Vec<Head>,
    pub sections: Vec<Section>,
    pub types: Vec<Link>,
    pub alike: Vec<Link>,
    pub before: Option<Link>,
    pub after: Option<Link>,
    pub link: String,
    /// Without the second role.
    pub alone: Option<String>,
}

/// Builds the page; `None` where an answer is no JSON.
pub fn build(
    catalogue: &Catalogue,
    ask: &Ask,
    items: &[RecordItem],
    whole: &Tree,
    readers: &[Reader],
) -> Option<LensView> {
    let item = items.get(ask.item)?;
    let mut trees = Vec::new();
    for reader in readers {
        trees.push(match &reader.seen.outcome {
            Outcome::Shown { bytes, passes } => (Some(Tree::parse(bytes)?), *passes),
            Outcome::Withheld { .. } => (None, false),
        });
    }
    let seen: Vec<Option<&Tree>> = trees.iter().map(|(tree, _)| tree.as_ref()).collect();
    let nodes = align(whole, &seen);
    let role_of = |view: &ViewAs| catalogue.roles.iter().find(|role| role.name == view.role);
    let heads: Vec<Head> = readers
        .iter()
        .enumerate()
        .map(|(reader, Reader { view, seen })| {
            let role = role_of(view).map_or_else(|| view.role.clone(), |role| role.label.clone());
            let purpose = words::purpose(&view.purpose).to_owned();
            let label = words::short(&role).to_owned();
            let counts = count(&nodes, reader);
            let (refused, passes) = match &seen.outcome {
                Outcome::Withheld { words, .. } => (Some(words.clone()), false),
                Outcome::Shown { passes, .. } => (None, *passes),
            };
            let sentence = counts.sentence(&label, &purpose, &item.kind);
            Head { label, purpose, code: view.purpose.clone(), sentence, counts, refused, passes }
        })
        .collect();
    let reasons_of = |seen: &'_ Seen| -> Vec<Reason> { seen.reasons.clone() };
    let reasons: Vec<Vec<Reason>> = readers.iter().map(|reader| reasons_of(&reader.seen)).collect();
    let columns: Vec<Column<'_>> = heads
        .iter()
        .zip(&reasons)
        .map(|(head, reasons)| Column {
            label: head.label.clone(),
            reasons,
            passes: head.passes,
            refused: head.refused.is_some(),
        })
        .collect();
    let sections = sections(&item.kind, &nodes, &columns);

    let names: Vec<&str> = heads.iter().map(|head| head.label.as_str()).collect();
    let mut frame = Frame::new(&format!("{} as {} sees it", item.kind, names.join(" and ")), "Lens");
    frame.skip = "Skip to the record";
    frame.policy = catalogue.policy.chars().take(POLICY_CHARS).collect();
    frame.releases = readers.iter().map(|reader| reader.seen.release.clone()).collect();

    Some(LensView {
        frame,
        kind: item.kind.clone(),
        title: item.title.clone(),
        record: ask.record,
        place: ask.item + 1,
        places: items.len(),
        records: records(catalogue, ask),
        items: parts(ask, items),
        roles: roles(&catalogue.roles, Some(&ask.view)),
        beside: roles(&catalogue.roles, ask.beside.as_ref()),
        near: near(&catalogue.roles, ask),
        heads,
        sections,
        types: types(ask, items),
        alike: alike(ask, items),
        before: ask.item.checked_sub(1).and_then(|place| step(ask, items, place)),
        after: step(ask, items, ask.item + 1),
        link: ask.href(),
        alone: ask.beside.is_some().then(|| Ask { beside: None, ..ask.clone() }.href()),
    })
}

fn records(catalogue: &Catalogue, ask: &Ask) -> Vec<Choice> {
    let one = |(place, words): (usize, &String)| Choice {
        value: place.to_string(),
        label: format!("{place}: {words}"),
        chosen: place == ask.record,
    };
    catalogue.patients.iter().enumerate().map(one).collect()
}

/// The parts of the record, by type in the order in which types first come.
fn parts(ask: &Ask, items: &[RecordItem]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let label = if item.title.is_empty() { item.kind.clone() } else { item.title.clone() };
        let choice = Choice { value: place.to_string(), label, chosen: place == ask.item };
        match groups.iter_mut().find(|group| group.label == item.kind) {
            Some(group) => group.choices.push(choice),
            None => groups.push(Group { label: item.kind.clone(), choices: vec![choice] }),
        }
    }
    for group in &mut groups {
        group.label = format!("{} ({})", group.label, group.choices.len());
    }
    groups
}

fn roles(roles: &[RoleChoice], chosen: Option<&ViewAs>) -> Vec<Group> {
    let one = |role: &RoleChoice| Group {
        label: role.label.clone(),
        choices: role
            .purposes
            .iter()
            .map(|purpose| Choice {
                value: format!("{}.{}", role.name, purpose.code),
                label: format!("{} for {}", words::short(&role.label), purpose.words),
                chosen: chosen.is_some_and(|view| view.role == role.name && view.purpose == purpose.code),
            })
            .collect(),
    };
    roles.iter().map(one).collect()
}

fn near(roles: &[RoleChoice], ask: &Ask) -> Vec<Link> {
    let known = NEAR.iter().filter_map(|name| roles.iter().find(|role| role.name == *name));
    let links = known.filter_map(|role| {
        let view = ViewAs { role: role.name.clone(), purpose: role.purposes.first()?.code.clone() };
        let current = view.role == ask.view.role;
        let href = Ask { view, ..ask.clone() }.href();
        Some(Link { href, label: words::short(&role.label).to_owned(), count: 0, current })
    });
    links.collect()
}

fn types(ask: &Ask, items: &[RecordItem]) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    let current = items.get(ask.item).map(|item| item.kind.as_str());
    for (place, item) in items.iter().enumerate() {
        match links.iter_mut().find(|link| link.label == item.kind) {
            Some(link) => link.count += 1,
            None => links.push(Link {
                href: Ask { item: place, ..ask.clone() }.href(),
                label: item.kind.clone(),
                count: 1,
                current: current == Some(item.kind.as_str()),
            }),
        }
    }
    links.sort_by(|one, other| one.label.cmp(&other.label));
    links
}

/// The parts of the same type.
fn alike(ask: &Ask, items: &[RecordItem]) -> Vec<Link> {
    let Some(kind) = items.get(ask.item).map(|item| &item.kind) else { return Vec::new() };
    let same = items.iter().enumerate().filter(|(_, item)| item.kind == *kind);
    let links: Vec<Link> = same
        .enumerate()
        .map(|(nth, (place, item))| Link {
            href: Ask { item: place, ..ask.clone() }.href(),
            label: if item.title.is_empty() { format!("{kind} {}", nth + 1) } else { item.title.clone() },
            count: nth + 1,
            current: place == ask.item,
        })
        .collect();
    if links.len() > 1 { links } else { Vec::new() }
}

fn step(ask: &Ask, items: &[RecordItem], place: usize) -> Option<Link> {
    let item = items.get(place)?;
    Some(Link { href: Ask { item: place, ..ask.clone() }.href(), label: item.kind.clone(), count: 0, current: false })
}

#[cfg(test)]
pub fn samples() -> Vec<String> {
    samples::all()
}

#[cfg(test)]
mod samples;
