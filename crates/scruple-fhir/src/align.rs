//! The whole record beside what each reader gets of it, element by element.
//!
//! Pure: trees in, aligned nodes out. What a projection drops leaves no trace in its output, so that items of an array are
//! matched by what they have in common, in order; where two could be meant, the match says that it is unsure. It decides
//! nothing and knows no policy.

use crate::tree::Tree;

/// Most pairs of items that are compared in one array; longer ones are matched by their place.
const PAIRS_MAX: usize = 40_000;

/// An element of the whole record, with what each reader gets of it.
#[derive(Debug)]
pub struct Node<'a> {
    /// Its name, as in FHIR.
    pub key: &'a str,
    /// Place and number, where it is one of several items; from 1.
    pub nth: Option<(usize, usize)>,
    /// What the record holds; nothing for what a projection adds.
    pub whole: Option<&'a Tree>,
    /// What each reader gets.
    pub seen: Vec<Sight<'a>>,
    /// Parts; none for a value.
    pub parts: Vec<Node<'a>>,
}

/// What one reader gets of a node.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sight<'a> {
    /// The value, if there is one.
    pub value: Option<&'a Tree>,
    /// What stands beside a primitive (`_birthDate`) in place of its value.
    pub beside: Option<&'a Tree>,
    /// Another item of the array fits as well.
    pub unsure: bool,
}

/// What became of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// As it is.
    Shown,
    /// Another value in its place.
    Masked,
    /// Nothing, or a marker that says so.
    Withheld,
    /// Not in the record: the projection wrote it.
    Added,
}

impl Node<'_> {
    /// What became of this value for the reader with this index. Only for nodes without parts.
    #[must_use]
    pub fn state(&self, reader: usize) -> State {
        let sight = self.seen.get(reader).copied().unwrap_or_default();
        match (self.whole, sight.value, sight.beside) {
            (None, ..) => State::Added,
            (Some(whole), Some(seen), _) if whole == seen => State::Shown,
            (Some(_), Some(seen), _) if is_marker(seen) => State::Withheld,
            (Some(_), Some(_), _) => State::Masked,
            (Some(_), None, Some(beside)) if age(beside).is_some() => State::Masked,
            (Some(_), None, _) => State::Withheld,
        }
    }

    /// The value that the reader gets, as people read it.
    #[must_use]
    pub fn reading(&self, reader: usize) -> Option<String> {
        let sight = self.seen.get(reader)?;
        match (sight.value, sight.beside) {
            (Some(value), _) => Some(line(value)),
            (None, Some(beside)) => age(beside),
            (None, None) => None,
        }
    }

    /// The values below it, itself if it is one.
    #[must_use]
    pub fn values(&self) -> Vec<&Self> {
        if self.parts.is_empty() { vec![self] } else { self.parts.iter().flat_map(Self::values).collect() }
    }
}

/// A value on one line: items of a list one after the other.
#[must_use]
pub fn line(tree: &Tree) -> String {
    match tree {
        Tree::List(items) => items.iter().map(line).collect::<Vec<_>>().join(", "),
        Tree::Object(members) => members.iter().map(|(_, value)| line(value)).collect::<Vec<_>>().join(", "),
        Tree::Plain(text) | Tree::Text(text) => text.clone(),
    }
}

/// Whether it says that a value is masked and nothing else (FHIR's data-absent-reason).
fn is_marker(tree: &Tree) -> bool {
    match tree {
        Tree::List(items) => !items.is_empty() && items.iter().all(is_marker),
        Tree::Object(members) => {
            let says_so = |(key, value): &(String, Tree)| match key.as_str() {
                "extension" => value.items().iter().all(is_absence),
                _ => is_marker(value),
            };
            is_absence(tree) || (!members.is_empty() && members.iter().all(says_so))
        }
        Tree::Plain(_) | Tree::Text(_) => false,
    }
}

fn is_absence(extension: &Tree) -> bool {
    extension.get("url").and_then(Tree::text).is_some_and(|url| url.ends_with("/data-absent-reason"))
}

/// The age that stands beside a birth date which is withheld.
fn age(beside: &Tree) -> Option<String> {
    let extensions = beside.get("extension")?.items();
    let quantity = extensions.iter().find_map(|extension| extension.get("valueAge"))?;
    let part = |name: &str| quantity.get(name).and_then(Tree::shown).unwrap_or_default();
    let comparator = if part("comparator") == ">=" { "at least " } else { "" };
    Some(format!("age {comparator}{} {}", part("value"), part("unit")).trim().to_owned())
}

/// Aligns a record with what readers get of it: `None` where one gets nothing.
#[must_use]
pub fn align<'a>(whole: &'a Tree, seen: &[Option<&'a Tree>]) -> Vec<Node<'a>> {
    let sights: Vec<Sight<'a>> = seen.iter().map(|value| Sight { value: *value, ..Sight::default() }).collect();
    members(Some(whole), &sights)
}

fn members<'a>(whole: Option<&'a Tree>, seen: &[Sight<'a>]) -> Vec<Node<'a>> {
    let own = whole.map_or(&[][..], Tree::members);
    let mut nodes: Vec<Node<'a>> = Vec::new();
    for (key, value) in own {
        let sights: Vec<Sight<'a>> = seen.iter().map(|sight| member(sight, key)).collect();
        nodes.extend(element(key, Some(value), &sights));
    }
    // What stands in a projection alone: its marks.
    let mut added: Vec<&'a str> = Vec::new();
    for (key, _) in seen.iter().filter_map(|sight| sight.value).flat_map(Tree::members) {
        let plain = key.trim_start_matches('_');
        let is_beside = key.starts_with('_') && own.iter().any(|(name, _)| name == plain);
        if !is_beside && !own.iter().any(|(name, _)| name == key) && !added.contains(&key.as_str()) {
            added.push(key);
        }
    }
    for key in added {
        let sights: Vec<Sight<'a>> = seen.iter().map(|sight| member(sight, key)).collect();
        nodes.extend(element(key, None, &sights));
    }
    // A marker where the record has nothing is no element of it.
    nodes.retain(|node| {
        node.whole.is_some() || node.seen.iter().filter_map(|sight| sight.value).any(|value| !is_marker(value))
    });
    nodes
}

fn member<'a>(sight: &Sight<'a>, key: &str) -> Sight<'a> {
    // The age and the marker beside a value stand for it, and for nothing that stood beside it before.
    let stands_for = |value: &&Tree| key.starts_with('_') && (is_marker(value) || age(value).is_some());
    let value = sight.value.and_then(|value| value.get(key)).filter(|value| !stands_for(value));
    let beside = sight.value.and_then(|value| value.get(&format!("_{key}")));
    Sight { value, beside, unsure: sight.unsure }
}

fn element<'a>(key: &'a str, whole: Option<&'a Tree>, seen: &[Sight<'a>]) -> Vec<Node<'a>> {
    let any = whole.or_else(|| seen.iter().find_map(|sight| sight.value));
    let Some(Tree::List(_)) = any else { return vec![node(key, None, whole, seen)] };
    let items = whole.map_or(&[][..], Tree::items);
    let same = |sight: &Sight<'_>| sight.value.is_none() || sight.value == whole;
    if !items.is_empty() && items.iter().all(Tree::is_scalar) && seen.iter().all(same) {
        // A list of plain values is one line.
        return vec![Node { key, nth: None, whole, seen: seen.to_vec(), parts: Vec::new() }];
    }
    let matches: Vec<Matched<'a>> = seen.iter().map(|sight| matched(items, sight)).collect();
    let extra = matches.iter().map(|matched| matched.added.len()).max().unwrap_or_default();
    let count = items.len() + extra;
    let nth = |place: usize| (count > 1).then_some((place + 1, count));
    let own = items.iter().enumerate().map(|(place, item)| {
        let sights: Vec<Sight<'a>> =
            matches.iter().map(|matched| matched.items.get(place).copied().unwrap_or_default()).collect();
        node(key, nth(place), Some(item), &sights)
    });
    let added = (0..extra).map(|place| {
        let sights: Vec<Sight<'a>> = matches
            .iter()
            .map(|matched| Sight { value: matched.added.get(place).copied(), ..Sight::default() })
            .collect();
        node(key, nth(items.len() + place), None, &sights)
    });
    own.chain(added).collect()
}

fn node<'a>(key: &'a str, nth: Option<(usize, usize)>, whole: Option<&'a Tree>, seen: &[Sight<'a>]) -> Node<'a> {
    let has_parts = |tree: &Tree| matches!(tree, Tree::Object(members) if !members.is_empty());
    let any = whole.or_else(|| seen.iter().find_map(|sight| sight.value));
    let parts = match any {
        Some(tree) if has_parts(tree) => members(whole, seen),
        // A list in a list is no FHIR; it stands on one line.
        _ => Vec::new(),
    };
    Node { key, nth, whole, seen: seen.to_vec(), parts }
}

struct Matched<'a> {
    /// For each item of the whole what the reader gets of it.
    items: Vec<Sight<'a>>,
    /// Items that are none of the whole's.
    added: Vec<&'a Tree>,
}

/// Matches the items that a reader gets with the items of the whole: in order, with the most in common.
fn matched<'a>(whole: &[Tree], sight: &Sight<'a>) -> Matched<'a> {
    let seen = sight.value.map_or(&[][..], Tree::items);
    let mut items = vec![Sight { unsure: sight.unsure, ..Sight::default() }; whole.len()];
    let mut added = Vec::new();
    if whole.len().saturating_mul(seen.len()) > PAIRS_MAX || whole.is_empty() {
        for (place, value) in seen.iter().enumerate() {
            match items.get_mut(place) {
                Some(item) => *item = Sight { value: Some(value), beside: None, unsure: true },
                None => added.push(value),
            }
        }
        return Matched { items, added };
    }
    let overlaps: Vec<Vec<u32>> =
        seen.iter().map(|seen| whole.iter().map(|whole| overlap(whole, seen)).collect()).collect();
    let overlap_of =
        |seen: usize, whole: usize| overlaps.get(seen).and_then(|row| row.get(whole)).copied().unwrap_or(0);
    let places = in_order(whole.len(), seen.len(), &overlap_of);
    for (index, value) in seen.iter().enumerate() {
        let Some(place) = places.get(index).copied().flatten() else {
            added.push(value);
            continue;
        };
        // Another one that nobody took, unlike the chosen one, fits as well.
        let unsure = whole.iter().enumerate().any(|(other, item)| {
            other != place
                && !places.contains(&Some(other))
                && overlap_of(index, other) >= overlap_of(index, place)
                && whole.get(place) != Some(item)
        });
        if let Some(item) = items.get_mut(place) {
            *item = Sight { value: Some(value), beside: None, unsure: unsure || sight.unsure };
        }
    }
    Matched { items, added }
}

/// For each seen item its place among the whole's, so that the order is kept and the sum of overlaps is the greatest.
fn in_order(whole: usize, seen: usize, overlap: &dyn Fn(usize, usize) -> u32) -> Vec<Option<usize>> {
    let width = whole + 1;
    // best[s][w]: of the seen from s on and the whole from w on.
    let mut best = vec![0_u32; (seen + 1) * width];
    let at = |s: usize, w: usize| s * width + w;
    let get = |best: &[u32], s: usize, w: usize| best.get(at(s, w)).copied().unwrap_or_default();
    for s in (0..seen).rev() {
        for w in (0..whole).rev() {
            let pair = overlap(s, w);
            let with = if pair > 0 { pair + get(&best, s + 1, w + 1) } else { 0 };
            let value = with.max(get(&best, s + 1, w)).max(get(&best, s, w + 1));
            if let Some(cell) = best.get_mut(at(s, w)) {
                *cell = value;
            }
        }
    }
    let mut places = vec![None; seen];
    let (mut s, mut w) = (0, 0);
    while s < seen && w < whole {
        let pair = overlap(s, w);
        if pair > 0 && get(&best, s, w) == pair + get(&best, s + 1, w + 1) {
            if let Some(place) = places.get_mut(s) {
                *place = Some(w);
            }
            s += 1;
            w += 1;
        } else if get(&best, s, w) == get(&best, s, w + 1) {
            w += 1;
        } else {
            s += 1;
        }
    }
    places
}

/// How much two values have in common: equal scalars count most, another scalar under the same name a little.
fn overlap(whole: &Tree, seen: &Tree) -> u32 {
    match (whole, seen) {
        (Tree::Object(_), Tree::Object(members)) => {
            let common = members.iter().filter_map(|(key, value)| Some(overlap(whole.get(key)?, value)));
            common.sum::<u32>() + u32::from(is_marker(seen))
        }
        (Tree::List(_), Tree::List(seen)) => {
            let best = |item: &Tree| whole.items().iter().map(|whole| overlap(whole, item)).max().unwrap_or_default();
            seen.iter().map(best).sum()
        }
        (Tree::Plain(_) | Tree::Text(_), Tree::Plain(_) | Tree::Text(_)) => {
            if whole == seen {
                16
            } else {
                1
            }
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
