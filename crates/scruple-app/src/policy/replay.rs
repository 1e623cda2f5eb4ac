//! The replay: recorded accesses decided anew under a draft. Which would have been refused, which would have shown less, by role;
//! and that each decision comes out again as it was recorded.
//!
//! It judges by types of resources and classes, as a gateway that has read nothing could: whether a label stood on a record is
//! not in the ledger, so that a change of a segment is told apart, as what may have shown less.

use super::accesses::Recorded;
use super::content::{KnownPacks, ProvedPack};
use scruple_core::Timestamp;
use scruple_policy::{Impact, Outcome, impact};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

/// Entries that a replay names, of those that it would have refused or shown less.
pub const REPLAY_EXAMPLES_MAX: usize = 200;

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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
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
        sentence(self.all)
    }

    /// As text for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("From {} to {}, this policy {}.\n", self.from, self.until, self.sentence());
        for note in notes([self.by_label, self.of_unknown_policy, self.not_replayed, self.unread]) {
            let _ = writeln!(out, "{note}");
        }
        let touched: Vec<_> = self.by_role.iter().filter(|(_, one)| one.refused + one.less + one.more > 0).collect();
        if !touched.is_empty() {
            let _ =
                writeln!(out, "\n{:<24} {:>10} {:>10} {:>10} {:>10}", "role", "accesses", "refused", "less", "more");
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

/// What stands in the record of a proposal of its replay, read back.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct ReplayNumbers {
    /// The period.
    pub from: Timestamp,
    /// To before this.
    pub until: Timestamp,
    /// All of them.
    #[serde(flatten)]
    pub all: RoleReplay,
    /// Those that a label could have made show less.
    pub by_label: u64,
    /// Those whose decision did not come out as it was recorded.
    pub not_replayed: u64,
    /// Those whose policy was not known.
    pub of_unknown_policy: u64,
    /// Entries that could not be read.
    pub unread: u64,
    /// Roles of which something is refused, less or more.
    pub by_role: BTreeMap<String, RoleReplay>,
    /// Some of the entries.
    pub entries: Vec<u64>,
}

impl ReplayNumbers {
    /// Of the text that a proposal keeps; none: it is another's.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// `would have refused 12 of 48,210, and shown less in 310`.
    #[must_use]
    pub fn sentence(&self) -> String {
        sentence(self.all)
    }

    /// What else there is to say.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        notes([self.by_label, self.of_unknown_policy, self.not_replayed, self.unread])
    }
}

fn sentence(RoleReplay { accesses, refused, less, more }: RoleReplay) -> String {
    let mut text = format!("would have refused {} of {}", grouped(refused), grouped(accesses));
    let _ = write!(text, ", and shown less in {}", grouped(less));
    if more > 0 {
        let _ = write!(text, " and more in {}", grouped(more));
    }
    text
}

fn notes(numbers: [u64; 4]) -> Vec<String> {
    const WORDS: [&str; 4] = [
        "more may have shown less, where a protected label stood on the record",
        "were decided by a policy that is not known here, and are judged by what they showed",
        "did not come out as they were recorded: look at each",
        "entries could not be read",
    ];
    let told = numbers.into_iter().zip(WORDS).filter(|(number, _)| *number > 0);
    told.map(|(number, words)| format!("{} {words}.", grouped(number))).collect()
}

/// `48,210`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
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
    memo: HashMap<String, Arc<Impact>>,
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

    fn judge(&mut self, access: &Recorded<'_>) -> Arc<Impact> {
        access.write_key(&mut self.key);
        match self.memo.get(&self.key) {
            Some(known) => Arc::clone(known),
            None => {
                let judged = Arc::new(self.weigh(access));
                self.memo.insert(self.key.clone(), Arc::clone(&judged));
                judged
            }
        }
    }

    fn weigh(&self, access: &Recorded<'_>) -> Impact {
        let views = serde_json::from_str(access.views).unwrap_or_default();
        let past = access.past(&views);
        impact(self.known.get(access.pack).map(|known| &known.active), &self.draft.active, &past)
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
