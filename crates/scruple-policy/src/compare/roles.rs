//! Roles: which there are, what each sees, is left of segments, and what it is.

use super::cells::{Way, direction, view_covers, ways, words};
use super::{About, Change, Direction, Side, the, the_upper};
use crate::model::{Pack, Reach, Role, SegmentWord};
use crate::spoken::{condition_labels, limit_words, lower_first};
use scruple_core::{ConditionMask, SegmentLimit};
use std::collections::{BTreeMap, BTreeSet};

/// A role in both packs.
struct Both<'a> {
    packs: [&'a Pack; 2],
    roles: [&'a Role; 2],
    changes: &'a mut Vec<Change>,
}

pub(super) fn compare(before: Side<'_>, after: Side<'_>, changes: &mut Vec<Change>) {
    let names: BTreeSet<&String> = before.pack.roles.keys().chain(after.pack.roles.keys()).collect();
    for name in names {
        match (before.pack.roles.get(name), after.pack.roles.get(name)) {
            (Some(old), Some(new)) => {
                let mut found = Vec::new();
                Both { packs: [before.pack, after.pack], roles: [old, new], changes: &mut found }.compare();
                if found.is_empty() && !old.is_profile && reads_otherwise(before, after, &new.file) {
                    found.push(Change {
                        role: Some(name.clone()),
                        about: About::Facts,
                        what: new.file.clone(),
                        direction: Direction::Otherwise,
                        before: None,
                        after: None,
                        sentence: format!("{} decides as before; its file reads otherwise.", the_upper(name)),
                    });
                }
                changes.append(&mut found);
            }
            (None, Some(new)) => changes.push(whole(after.pack, new, Direction::Wider)),
            (Some(old), None) => changes.push(whole(before.pack, old, Direction::Narrower)),
            (None, None) => {}
        }
    }
}

/// Whether the lines of a file that are no comments differ.
fn reads_otherwise(before: Side<'_>, after: Side<'_>, file: &str) -> bool {
    let lines = |side: Side<'_>| -> Vec<String> {
        let text = side.files.0.get(file).map_or("", String::as_str);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    lines(before) != lines(after)
}

/// A role that is new, or gone.
fn whole(pack: &Pack, role: &Role, direction: Direction) -> Change {
    let kinds: BTreeSet<_> = role.permits.iter().flat_map(|permit| &permit.categories).collect();
    let told = format!("{} kinds of information for {}", kinds.len(), role.purposes().join(", "));
    let is_new = direction == Direction::Wider;
    let sentence = if is_new {
        format!("There is a new role, {} ({}), with {told}.", the(&role.name), role.label)
    } else {
        format!("There is no role {} ({}) any more; it had {told}.", role.name.replace('_', " "), role.label)
    };
    let segments = pack.segments.len();
    let told = format!("{told}; {segments} segments judged");
    Change {
        role: Some(role.name.clone()),
        about: About::Role,
        what: role.name.clone(),
        direction,
        before: (!is_new).then(|| told.clone()),
        after: is_new.then_some(told),
        sentence,
    }
}

impl Both<'_> {
    fn compare(&mut self) {
        self.purposes();
        self.views();
        self.segments();
        self.facts();
        self.tasks();
        self.relations();
    }

    fn name(&self) -> String {
        self.roles[0].name.clone()
    }

    fn add(&mut self, about: About, what: &str, direction: Direction, told: [Option<String>; 2], sentence: String) {
        let [before, after] = told;
        let role = Some(self.name());
        self.changes.push(Change { role, about, what: what.to_owned(), direction, before, after, sentence });
    }

    /// The purposes that both have.
    fn shared_purposes(&self) -> Vec<String> {
        let [old, new] = self.roles.map(listed);
        old.intersection(&new).map(|purpose| (*purpose).to_owned()).collect()
    }

    fn purposes(&mut self) {
        let [old, new] = self.roles.map(listed);
        let the = the_upper(&self.name());
        for purpose in new.difference(&old) {
            let sentence = format!("{the} may act for {purpose} too, and sees for it what its permits open.");
            self.add(About::Facts, purpose, Direction::Wider, [None, Some((*purpose).to_owned())], sentence);
        }
        for purpose in old.difference(&new) {
            let sentence = format!("{the} no longer acts for {purpose}.");
            self.add(About::Facts, purpose, Direction::Narrower, [Some((*purpose).to_owned()), None], sentence);
        }
    }

    fn views(&mut self) {
        let [old, new] = self.packs;
        let mut categories: Vec<(&str, &str)> = Vec::new();
        for category in new.categories.iter().chain(&old.categories) {
            if !categories.iter().any(|(name, _)| *name == category.name) {
                categories.push((&category.name, &category.label));
            }
        }
        let shared = self.shared_purposes();
        let covers = view_covers(self.packs);
        let the = the_upper(&self.name());
        for (category, label) in categories {
            let label = lower_first(label);
            // Purposes for which it changes in the same way are told together.
            let mut groups: BTreeMap<(BTreeSet<Way>, BTreeSet<Way>), Vec<String>> = BTreeMap::new();
            for purpose in &shared {
                let sets = [0, 1].map(|side| side_of(self, side, category, purpose));
                let [before, after] = sets;
                groups.entry((before, after)).or_default().push(purpose.clone());
            }
            let mut changed = false;
            for ((before, after), purposes) in groups {
                let Some(direction) = direction(&before, &after, &covers) else { continue };
                changed = true;
                let for_what = if purposes.len() == shared.len() {
                    String::new()
                } else {
                    format!(" for {}", purposes.join(", "))
                };
                let [was, is] = [words(&before), words(&after)];
                let sentence = match (&was, &is) {
                    (None, Some(is)) => format!("{the} now sees {label}{for_what} {is}; before, not at all."),
                    (Some(_), None) => format!("{the} no longer sees {label}{for_what}."),
                    (was, is) => {
                        let [was, is] = [was, is].map(|text| text.clone().unwrap_or_default());
                        format!("{the} sees {label}{for_what} {is} instead of {was}.")
                    }
                };
                let told = [was, is].map(|text| text.map(|text| format!("{text}{for_what}")));
                self.add(About::View, category, direction, told, sentence);
            }
            if !changed {
                self.cited(category, &label, &the);
            }
        }
    }

    /// The tasks that a category is for.
    fn cited(&mut self, category: &str, label: &str, the: &str) {
        let tasks = [0, 1].map(|side| {
            let (pack, role) = (self.at(side).0, self.at(side).1);
            let Some(id) = pack.category(category) else { return BTreeSet::new() };
            let permits = role.permits.iter().filter(|permit| permit.categories.contains(&id));
            permits.flat_map(|permit| permit.tasks.clone()).collect::<BTreeSet<String>>()
        });
        let [was, is] = &tasks;
        if was != is {
            let told = tasks.clone().map(|tasks| Some(tasks.into_iter().collect::<Vec<_>>().join(", ")));
            let [was, is] = told.clone().map(Option::unwrap_or_default);
            let sentence = format!("{the} sees {label} for the tasks {is}; before, for {was}.");
            self.add(About::Facts, category, Direction::Otherwise, told, sentence);
        }
    }

    fn at(&self, side: usize) -> (&Pack, &Role) {
        if side == 0 { (self.packs[0], self.roles[0]) } else { (self.packs[1], self.roles[1]) }
    }

    fn segments(&mut self) {
        let [old, new] = self.packs;
        let mut names: Vec<(&str, &str)> = Vec::new();
        for segment in new.segments.iter().chain(&old.segments) {
            if !names.iter().any(|(name, _)| *name == segment.name) {
                names.push((&segment.name, &segment.label));
            }
        }
        let the = the_upper(&self.name());
        for (name, label) in names {
            let [was, is] = [0, 1].map(|side| {
                let (pack, role) = self.at(side);
                let word = pack.segment(name).and_then(|id| role.segments.get(usize::from(id.0)));
                word.map(|word| (held(pack, word), left(pack, role, word)))
            });
            if was.as_ref().map(|(held, _)| held) == is.as_ref().map(|(held, _)| held) {
                continue;
            }
            let direction = match (&was, &is) {
                (None, Some(_)) => Direction::Narrower,
                (Some(_), None) => Direction::Otherwise,
                (Some((was, _)), Some((is, _))) => match (was.within(is), is.within(was)) {
                    (true, false) => Direction::Wider,
                    (false, true) => Direction::Narrower,
                    _ => Direction::Otherwise,
                },
                (None, None) => Direction::Otherwise,
            };
            let told = [was, is].map(|side| side.map(|(_, words)| words));
            let [was, is] = told.clone().map(|words| words.unwrap_or_else(|| "not judged".to_owned()));
            let sentence = format!("{the}: what is labelled {} is {is}; before, {was}.", lower_first(label));
            self.add(About::Segment, name, direction, told, sentence);
        }
    }

    fn facts(&mut self) {
        let [old, new] = self.roles;
        let the = the_upper(&self.name());
        let yes = |yes: bool| Some(if yes { "yes" } else { "no" }.to_owned());
        let flags = [
            (
                old.emergency_access,
                new.emergency_access,
                "emergency_access",
                true,
                ["may open a record in an emergency", "can no longer open a record in an emergency"],
            ),
            (
                old.passes,
                new.passes,
                "treating",
                true,
                [
                    "sees types that are full as they are, with narrative and unknown extensions",
                    "no longer sees types that are full as they are",
                ],
            ),
            (
                old.administrative,
                new.administrative,
                "administrative",
                false,
                [
                    "is an administrative role: it sees no PHI in full as a standing right",
                    "is no administrative role any more",
                ],
            ),
        ];
        for (was, is, what, widens, [on, off]) in flags {
            if was != is {
                let direction = if is == widens { Direction::Wider } else { Direction::Narrower };
                let sentence = format!("{the} {}.", if is { on } else { off });
                self.add(About::Facts, what, direction, [yes(was), yes(is)], sentence);
            }
        }
        let texts = [
            ("relationship", &old.relationship, &new.relationship, "Its relationship to a patient is"),
            ("label", &old.label, &new.label, "It is for"),
            ("risk_tier", &old.risk_tier, &new.risk_tier, "Its risk tier is"),
            ("defence", &old.defence, &new.defence, "Why it is the minimum:"),
            ("trap", &old.trap, &new.trap, "What a designer gets wrong:"),
        ];
        for (what, was, is, before) in texts {
            if was != is {
                let sentence = format!("{the}. {before} {is}; before: {was}.");
                self.add(About::Facts, what, Direction::Otherwise, [Some(was.clone()), Some(is.clone())], sentence);
            }
        }
        if old.purpose != new.purpose && listed(old) == listed(new) {
            let sentence = format!("{the} has the main purpose {} instead of {}.", new.purpose, old.purpose);
            let told = [Some(old.purpose.clone()), Some(new.purpose.clone())];
            self.add(About::Facts, "purpose", Direction::Otherwise, told, sentence);
        }
        if old.timing != new.timing {
            let sentence = format!("{the}: answers leave {} instead of {}.", new.timing.word(), old.timing.word());
            let told = [Some(old.timing.word().to_owned()), Some(new.timing.word().to_owned())];
            self.add(About::Facts, "timing", Direction::Otherwise, told, sentence);
        }
        let [was, is] = [0, 1].map(|side| {
            let (pack, role) = self.at(side);
            pack.segment_names(role.never_pass).into_iter().map(str::to_owned).collect::<BTreeSet<String>>()
        });
        if was != is {
            let direction = if was.is_subset(&is) { Direction::Narrower } else { Direction::Otherwise };
            let [was, is] = [was, is].map(|names| names.into_iter().collect::<Vec<_>>().join(", "));
            let sentence = format!("{the}: what is labelled {is} never passes as it is; before, {was}.");
            self.add(About::Facts, "never_pass", direction, [Some(was), Some(is)], sentence);
        }
    }

    fn tasks(&mut self) {
        let [old, new] = self.roles.map(|role| {
            let tasks = role.tasks.iter().map(|task| (task.name.clone(), task.label.clone()));
            tasks.collect::<BTreeMap<String, String>>()
        });
        let the = the_upper(&self.name());
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let told = [old.get(name).cloned(), new.get(name).cloned()];
            let sentence = match &told {
                [was, is] if was == is => continue,
                [None, Some(is)] => format!("{the} has the task {name}: {is}."),
                [Some(was), None] => format!("{the} has no longer the task {name}: {was}."),
                [was, is] => format!(
                    "{the} has the task {name}: {}; before: {}.",
                    is.as_deref().unwrap_or_default(),
                    was.as_deref().unwrap_or_default()
                ),
            };
            self.add(About::Facts, &format!("task {name}"), Direction::Otherwise, told, sentence);
        }
    }

    fn relations(&mut self) {
        let [old, new] = self.roles.map(|role| &role.related_by);
        let pairs = [
            ("encounter", "a visit", old.encounter, new.encounter),
            ("appointment", "an appointment", old.appointment, new.appointment),
            ("care_team", "the care team", old.care_team, new.care_team),
            ("panel", "being the general practitioner", reach(old.panel), reach(new.panel)),
        ];
        let the = the_upper(&self.name());
        for (what, words, was, is) in pairs {
            if was == is {
                continue;
            }
            let within = |a: Option<Reach>, b: Option<Reach>| match (a, b) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(a), Some(b)) => a.before <= b.before && a.after <= b.after,
            };
            let direction = match (within(was, is), within(is, was)) {
                (true, false) => Direction::Wider,
                (false, true) => Direction::Narrower,
                _ => Direction::Otherwise,
            };
            let told = [was, is].map(|reach| reach.map(reach_words));
            let [was, is] = told.clone().map(|text| text.unwrap_or_else(|| "no relationship".to_owned()));
            let sentence = format!("{the}: {words} makes a relationship {is}; before, {was}.");
            self.add(About::Facts, what, direction, told, sentence);
        }
    }
}

fn side_of(both: &Both<'_>, side: usize, category: &str, purpose: &str) -> BTreeSet<Way> {
    let (pack, role) = both.at(side);
    ways(pack, role, category, purpose)
}

fn listed(role: &Role) -> BTreeSet<&str> {
    std::iter::once(&role.purpose).chain(&role.also).map(String::as_str).collect()
}

const fn reach(has: bool) -> Option<Reach> {
    if has { Some(Reach { before: 0, after: 0 }) } else { None }
}

fn reach_words(reach: Reach) -> String {
    let hours = |micros: i64| micros / 3_600_000_000;
    format!("from {} h before to {} h after", hours(reach.before), hours(reach.after))
}

/// What a role holds of a segment, to compare.
#[derive(PartialEq, Eq)]
struct Held {
    depth: u8,
    condition: Option<String>,
    obligation: String,
}

impl Held {
    /// Whether all that this leaves is left by another too.
    fn within(&self, other: &Self) -> bool {
        let easier = other.condition.is_none() || other.condition == self.condition;
        self.depth == 0 || self.depth <= other.depth && easier && self.obligation == other.obligation
    }
}

fn held(pack: &Pack, word: &SegmentWord) -> Held {
    let depth = match word.limit {
        SegmentLimit::None => 0,
        SegmentLimit::Coded => 1,
        SegmentLimit::Follow => 2,
    };
    if depth == 0 {
        return Held { depth, condition: None, obligation: String::new() };
    }
    let condition = word.condition.map(|id| pack.condition_names(ConditionMask::NONE.with(id)).concat());
    Held { depth, condition, obligation: word.obligation.clone() }
}

fn left(pack: &Pack, role: &Role, word: &SegmentWord) -> String {
    let mut words = limit_words(word.limit).to_owned();
    if let (Some(condition), true) = (word.condition, word.limit != SegmentLimit::None) {
        words.push_str(&format!(
            ", while {}",
            condition_labels(pack, role, ConditionMask::NONE.with(condition)).join(" and ")
        ));
    }
    words
}
