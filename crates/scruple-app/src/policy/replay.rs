//! The replay: recorded accesses decided anew under a draft. Which would have been refused, which would have shown less, by role;
//! and that each decision comes out again as it was recorded.
//!
//! It judges by types of resources and classes, as a gateway that has read nothing could: whether a label stood on a record is
//! not in the ledger, so that a change of a segment is told apart, as what may have shown less.

use super::accesses::Recorded;
use super::content::{KnownPacks, ProvedPack};
use scruple_core::{CategoryId, ConditionMask, DecisionTable, SegmentId, SegmentLimit, Timestamp};
use scruple_fhir::{Place, TypeId, TypeView, categories, classes, describe, dictionary};
use scruple_policy::{Active, Pack, Question, view_covers};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

/// Entries that a replay names, of those that it would have refused or shown less.
pub const REPLAY_EXAMPLES_MAX: usize = 200;

/// What a draft would have done to an access.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The same.
    Same,
    /// It would have shown more, and nothing less.
    More,
    /// It would have shown less.
    Less,
    /// It would have refused it.
    Refused,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::More => "more",
            Self::Less => "less",
            Self::Refused => "refused",
        }
    }
}

/// What is known of all accesses that are alike.
#[derive(Debug)]
pub(super) struct Judgement {
    pub outcome: Outcome,
    /// Kinds of information of which less shows, or the code of the refusal.
    pub because: BTreeSet<String>,
    /// A label could have made it show less.
    pub by_label: bool,
    /// The decision comes out as it was recorded; none: its policy is not known here.
    pub is_replayed: Option<bool>,
    /// Kinds of information that showed.
    pub used: BTreeSet<String>,
}

/// An access that is named.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Example {
    /// The entry of the ledger.
    pub entry: u64,
    /// When.
    pub at: Timestamp,
    /// In which role.
    pub role: String,
    /// For what.
    pub purpose: String,
    /// What it would have done.
    pub outcome: Outcome,
    /// Kinds of information of which less shows, or the code of the refusal.
    pub because: BTreeSet<String>,
}

/// What a draft would have done to the accesses of one role.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RoleReplay {
    /// All of them.
    pub accesses: u64,
    /// Those that it would have refused.
    pub refused: u64,
    /// Those of which it would have shown less.
    pub less: u64,
    /// Those of which it would have shown more.
    pub more: u64,
}

/// What a draft would have done to the accesses of a period.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Replay {
    /// The policy that was replayed.
    pub pack: String,
    /// The period.
    pub from: Timestamp,
    /// To before this.
    pub until: Timestamp,
    /// All of them.
    #[serde(flatten)]
    pub all: RoleReplay,
    /// Those that a label could have made show less, beside those that do.
    pub by_label: u64,
    /// Those whose decision did not come out as it was recorded: each is a finding.
    pub not_replayed: u64,
    /// Those whose policy is not known here; they are judged by what was recorded to have shown.
    pub of_unknown_policy: u64,
    /// Entries that could not be read.
    pub unread: u64,
    /// By role.
    pub by_role: BTreeMap<String, RoleReplay>,
    /// How often each kind of information shows less, or each refusal comes.
    pub because: BTreeMap<String, u64>,
    /// Some of them, refused before shown less, in the order of the ledger.
    pub examples: Vec<Example>,
}

impl Replay {
    /// What stands in the record of a proposal: numbers and entries, nobody's name.
    #[must_use]
    pub fn summary(&self) -> Value {
        let entries: Vec<u64> = self.examples.iter().map(|example| example.entry).collect();
        json!({
            "from": self.from.micros(),
            "until": self.until.micros(),
            "accesses": self.all.accesses,
            "refused": self.all.refused,
            "less": self.all.less,
            "more": self.all.more,
            "by_label": self.by_label,
            "not_replayed": self.not_replayed,
            "of_unknown_policy": self.of_unknown_policy,
            "unread": self.unread,
            "by_role": self.by_role.iter().filter(|(_, one)| one.refused + one.less + one.more > 0).collect::<BTreeMap<_, _>>(),
            "entries": entries,
        })
    }

    /// `would have refused 12 of 48,210, and shown less in 310`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let RoleReplay { accesses, refused, less, more } = self.all;
        let mut text = format!("would have refused {} of {}", grouped(refused), grouped(accesses));
        let _ = write!(text, ", and shown less in {}", grouped(less));
        if more > 0 {
            let _ = write!(text, " and more in {}", grouped(more));
        }
        text
    }

    /// As text for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("From {} to {}, this policy {}.\n", self.from, self.until, self.sentence());
        for (number, words) in [
            (self.by_label, "more may have shown less, where a protected label stood on the record"),
            (self.of_unknown_policy, "were decided by a policy that is not known here, and are judged by what they showed"),
            (self.not_replayed, "did not come out as they were recorded: look at each"),
            (self.unread, "entries could not be read"),
        ] {
            if number > 0 {
                let _ = writeln!(out, "{} {words}.", grouped(number));
            }
        }
        let touched: Vec<_> =
            self.by_role.iter().filter(|(_, one)| one.refused + one.less + one.more > 0).collect();
        if !touched.is_empty() {
            let _ = writeln!(out, "\n{:<24} {:>10} {:>10} {:>10} {:>10}", "role", "accesses", "refused", "less", "more");
            for (role, one) in touched {
                let numbers = [one.accesses, one.refused, one.less, one.more].map(grouped);
                let [all, refused, less, more] = numbers;
                let _ = writeln!(out, "{role:<24} {all:>10} {refused:>10} {less:>10} {more:>10}");
            }
        }
        if !self.because.is_empty() {
            out.push_str("\nwhat it would have taken away\n");
            for (kind, number) in &self.because {
                let _ = writeln!(out, "  {kind:<38} {:>10}", grouped(*number));
            }
        }
        if !self.examples.is_empty() {
            out.push_str("\nentries (`scruple ledger show --from N --count 1`)\n");
            for one in &self.examples {
                let because: Vec<&str> = one.because.iter().map(String::as_str).collect();
                let outcome = one.outcome.word();
                let _ = writeln!(
                    out,
                    "  {:>10}  {}  {} for {}: {outcome}, {}",
                    one.entry,
                    one.at,
                    one.role,
                    one.purpose,
                    because.join(", ")
                );
            }
        }
        out
    }
}

/// `48,210`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Decides recorded accesses anew.
pub struct Replayer {
    draft: Arc<ProvedPack>,
    known: KnownPacks,
    memo: HashMap<String, Arc<Judgement>>,
    key: String,
    report: Replay,
    less: Vec<Example>,
}

impl Replayer {
    /// Under a draft. `known`: the policies by which the accesses were decided.
    #[must_use]
    pub fn new(draft: Arc<ProvedPack>, known: KnownPacks, (from, until): (Timestamp, Timestamp)) -> Self {
        let report = Replay {
            pack: draft.hash().to_string(),
            from,
            until,
            all: RoleReplay::default(),
            by_label: 0,
            not_replayed: 0,
            of_unknown_policy: 0,
            unread: 0,
            by_role: BTreeMap::new(),
            because: BTreeMap::new(),
            examples: Vec::new(),
        };
        Self { draft, known, memo: HashMap::new(), key: String::new(), report, less: Vec::new() }
    }

    /// Takes one access. The kinds of information that showed.
    pub(super) fn judge(&mut self, access: &Recorded<'_>) -> Arc<Judgement> {
        self.key.clear();
        for part in [access.pack, access.role, access.purpose, access.conditions] {
            self.key.push_str(part);
            self.key.push('\n');
        }
        for id in access.types {
            self.key.push_str(dictionary().get(*id).name);
            self.key.push('\n');
        }
        match self.memo.get(&self.key) {
            Some(known) => Arc::clone(known),
            None => {
                let judged = Arc::new(judge(access, &self.draft, self.known.get(access.pack)));
                self.memo.insert(self.key.clone(), Arc::clone(&judged));
                judged
            }
        }
    }

    /// Takes one access.
    pub fn take(&mut self, access: &Recorded<'_>) {
        let judged = self.judge(access);
        let one = match self.report.by_role.get_mut(access.role) {
            Some(one) => one,
            None => self.report.by_role.entry(access.role.to_owned()).or_default(),
        };
        for count in [one, &mut self.report.all] {
            count.accesses += 1;
            match judged.outcome {
                Outcome::Same => {}
                Outcome::More => count.more += 1,
                Outcome::Less => count.less += 1,
                Outcome::Refused => count.refused += 1,
            }
        }
        self.report.by_label += u64::from(judged.by_label && judged.outcome <= Outcome::More);
        match judged.is_replayed {
            None => self.report.of_unknown_policy += 1,
            Some(false) => self.report.not_replayed += 1,
            Some(true) => {}
        }
        if judged.outcome < Outcome::Less {
            return;
        }
        for because in &judged.because {
            *self.report.because.entry(because.clone()).or_default() += 1;
        }
        let examples = if judged.outcome == Outcome::Refused { &mut self.report.examples } else { &mut self.less };
        if examples.len() < REPLAY_EXAMPLES_MAX {
            examples.push(Example {
                entry: access.index,
                at: access.at,
                role: access.role.to_owned(),
                purpose: access.purpose.to_owned(),
                outcome: judged.outcome,
                because: judged.because.clone(),
            });
        }
    }

    /// The report. `unread`: entries that could not be read.
    #[must_use]
    pub fn finish(mut self, unread: u64) -> Replay {
        let room = REPLAY_EXAMPLES_MAX.saturating_sub(self.report.examples.len());
        self.report.examples.extend(self.less.into_iter().take(room));
        self.report.unread = unread;
        self.report
    }
}

fn question(pack: &Pack, access: &Recorded<'_>) -> Question {
    let held = access.conditions.split(',').filter_map(|name| pack.condition(name));
    let conditions = held.fold(ConditionMask::NONE, ConditionMask::with);
    Question { role: access.role.to_owned(), purpose: access.purpose.to_owned(), conditions }
}

/// The categories that a table shows, by name, with their views.
fn shown(pack: &Pack, table: &DecisionTable) -> BTreeMap<String, String> {
    let views = pack.categories.iter().zip(&table.views).filter(|(_, view)| view.shows());
    views.map(|(category, view)| (category.name.clone(), pack.view_name(*view))).collect()
}

/// A type under a table: a view of it for each class.
struct Sight {
    classes: Vec<(Option<String>, TypeView)>,
}

impl Sight {
    fn of(pack: &Pack, table: &DecisionTable, id: TypeId) -> Self {
        let mut roots: Vec<Option<CategoryId>> = classes(&pack.annotation, id).into_iter().map(Some).collect();
        if roots.is_empty() {
            roots.push(None);
        }
        let named = roots.into_iter().map(|class| {
            let name = class.map(|class| pack.category_name(class).to_owned());
            (name, describe(&pack.annotation, table, id, class))
        });
        Self { classes: named.collect() }
    }

    fn shows(&self) -> bool {
        self.classes.iter().any(|(_, view)| view.shows)
    }

    /// The kinds of information of which something shows.
    fn kinds(&self, pack: &Pack, kinds: &mut BTreeSet<String>) {
        for (_, view) in self.classes.iter().filter(|(_, view)| view.shows) {
            let home = std::iter::once(&view.home).filter_map(kind_of);
            let own = view.rows.iter().filter(|row| row.view.shows()).filter_map(|row| kind_of(&row.place).or(row.also));
            let all = home.chain(own).map(|kind| pack.category_name(kind).to_owned());
            kinds.extend(all);
        }
    }
}

const fn kind_of(place: &Place) -> Option<CategoryId> {
    match place {
        Place::Category(category) => Some(*category),
        Place::Class | Place::Structure | Place::Withheld => None,
    }
}

fn judge(access: &Recorded<'_>, draft: &ProvedPack, old: Option<&Arc<ProvedPack>>) -> Judgement {
    let after = &draft.active;
    let refusal = |code: &str, used, is_replayed| Judgement {
        outcome: Outcome::Refused,
        because: BTreeSet::from([code.to_owned()]),
        by_label: false,
        is_replayed,
        used,
    };
    let Some(before) = old.map(|old| &old.active) else { return by_views(access, after) };
    let Ok(was) = before.decider.decide(&question(&before.pack, access)) else {
        // It was permitted, and is not by the policy that it names.
        let mut judged = by_views(access, after);
        judged.is_replayed = Some(false);
        return judged;
    };
    let recorded: BTreeMap<String, String> = serde_json::from_str(access.views).unwrap_or_default();
    let is_replayed = Some(recorded == shown(&before.pack, &was));
    let sights: Vec<(TypeId, Sight)> =
        access.types.iter().map(|id| (*id, Sight::of(&before.pack, &was, *id))).collect();
    let mut used = BTreeSet::new();
    for (_, sight) in &sights {
        sight.kinds(&before.pack, &mut used);
    }
    let is = match after.decider.decide(&question(&after.pack, access)) {
        Ok(is) => is,
        Err(refused) => return refusal(refused.code(), used, is_replayed),
    };
    let seen: Vec<&(TypeId, Sight)> = sights.iter().filter(|(_, sight)| sight.shows()).collect();
    let mut because = BTreeSet::new();
    let (mut gone, mut more) = (0, false);
    for (id, sight) in &seen {
        let now = Sight::of(&after.pack, &is, *id);
        gone += usize::from(!now.shows());
        more |= compared([&before.pack, &after.pack], sight, &now, &mut because);
    }
    let outcome = match (seen.is_empty(), gone == seen.len(), because.is_empty(), more) {
        (false, true, ..) => Outcome::Refused,
        (_, _, false, _) => Outcome::Less,
        (_, _, true, true) => Outcome::More,
        _ => Outcome::Same,
    };
    let by_label = narrower_labels([before, after], [&was, &is]);
    Judgement { outcome, because, by_label, is_replayed, used }
}

/// Adds the kinds of information of which less shows; whether something shows more.
fn compared(packs: [&Pack; 2], was: &Sight, is: &Sight, less: &mut BTreeSet<String>) -> bool {
    let [before, after] = packs;
    let covers = view_covers(packs);
    let mut more = false;
    for (class, old) in was.classes.iter().filter(|(_, view)| view.shows) {
        let name = |row: &scruple_fhir::ElementView| {
            let kind = kind_of(&row.place).or(row.also).or_else(|| kind_of(&old.home));
            kind.map_or_else(|| "structure".to_owned(), |kind| before.category_name(kind).to_owned())
        };
        let new = is.classes.iter().find(|(name, _)| name == class).map(|(_, view)| view).filter(|view| view.shows);
        let Some(new) = new else {
            less.insert(kind_of(&old.home).map_or_else(
                || "structure".to_owned(),
                |kind| before.category_name(kind).to_owned(),
            ));
            continue;
        };
        if old.passes && !new.passes {
            less.insert("narrative and unknown extensions".to_owned());
        }
        more |= new.passes && !old.passes;
        let rows: HashMap<&str, &scruple_fhir::ElementView> =
            new.rows.iter().map(|row| (row.path.as_str(), row)).collect();
        for row in &old.rows {
            let [was, is] = [before.view_name(row.view), rows.get(row.path.as_str()).map_or_else(
                || "none".to_owned(),
                |row| after.view_name(row.view),
            )];
            let same_function = rows.get(row.path.as_str()).is_none_or(|other| other.function == row.function);
            if was == is && same_function || was == "none" && is == "none" {
                continue;
            }
            if was != "none" && (is == "none" || !covers(&is, &was) || was == is) {
                less.insert(name(row));
            } else {
                more = true;
            }
        }
    }
    more
}

/// Whether a segment leaves less than it did.
fn narrower_labels([before, after]: [&Active; 2], [was, is]: [&DecisionTable; 2]) -> bool {
    let depth = |limit: SegmentLimit| match limit {
        SegmentLimit::None => 0,
        SegmentLimit::Coded => 1,
        SegmentLimit::Follow => 2,
    };
    let of = |table: &DecisionTable, id: SegmentId| {
        table.limits.get(usize::from(id.0)).map_or(0, |limit| depth(*limit))
    };
    before.pack.segments.iter().any(|segment| {
        let old = before.pack.segment(&segment.name).map_or(0, |id| of(was, id));
        let new = after.pack.segment(&segment.name).map_or(old, |id| of(is, id));
        new < old
    }) || after.pack.segments.iter().any(|segment| {
        // A segment that was not judged before hides where it is not held.
        before.pack.segment(&segment.name).is_none() && after.pack.segment(&segment.name).is_some_and(|id| of(is, id) < 2)
    })
}

/// By what was recorded to have shown, where the policy is not known here.
fn by_views(access: &Recorded<'_>, after: &Active) -> Judgement {
    let recorded: BTreeMap<String, String> = serde_json::from_str(access.views).unwrap_or_default();
    let touched: BTreeSet<String> = access
        .types
        .iter()
        .flat_map(|id| categories(&after.pack.annotation, *id))
        .map(|category| after.pack.category_name(category).to_owned())
        .filter(|kind| recorded.contains_key(kind))
        .collect();
    let mut judged = Judgement {
        outcome: Outcome::Same,
        because: BTreeSet::new(),
        by_label: false,
        is_replayed: None,
        used: touched.clone(),
    };
    let is = match after.decider.decide(&question(&after.pack, access)) {
        Ok(is) => is,
        Err(refused) => {
            judged.outcome = Outcome::Refused;
            judged.because = BTreeSet::from([refused.code().to_owned()]);
            return judged;
        }
    };
    let now = shown(&after.pack, &is);
    let covers = view_covers([&after.pack, &after.pack]);
    let covered = |kind: &String| match (recorded.get(kind), now.get(kind)) {
        (Some(was), Some(is)) => covers(is, was),
        _ => false,
    };
    judged.because = touched.iter().filter(|kind| !covered(kind)).cloned().collect();
    let shows = |id: &TypeId| Sight::of(&after.pack, &is, *id).shows();
    judged.outcome = match (access.types.is_empty(), access.types.iter().any(shows), judged.because.is_empty()) {
        (false, false, _) => Outcome::Refused,
        (_, _, false) => Outcome::Less,
        _ => Outcome::Same,
    };
    judged
}
