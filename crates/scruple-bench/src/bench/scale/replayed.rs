//! The replay of a draft over a month that a ledger holds, beside bare Cedar deciding the same accesses.

use super::Size;
use crate::bench::cedar::BareCedar;
use crate::bench::measure::{per, ratio, short, table, time};
use crate::bench::progress;
use crate::node::SystemClock;
use anyhow::{Context as _, Result, anyhow, ensure};
use scruple_app::policy::{KnownPacks, ProvedPack, Replayer, read_accesses};
use scruple_core::{
    Actor, ConditionMask, Counts, DecisionFacts, Entry, EntryBody, Relationship, RequestFacts, Timestamp,
};
use scruple_ledger::{Ledger, OpenOptions};
use scruple_policy::{PackFiles, Question};
use std::collections::VecDeque;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

/// When the month begins.
const BEGIN: Timestamp = Timestamp::from_micros(1_772_352_000_000_000);
const MONTH_MICROS: i64 = 31 * 24 * 3_600 * 1_000_000;
/// Entries that are not durable yet, at most.
const PENDING_MAX: usize = 400;
/// Accesses that Cedar decides.
const CEDAR_MAX: usize = 2_000;
/// What the draft takes away: documents from coders.
const TAKEN: (&str, &str, &str) =
    ("roles/coder.toml", "\"devices\", \"documents\", \"free_text\",", "\"devices\", \"free_text\",");

/// The table.
pub fn measure(dir: &Path, size: Size) -> Result<String> {
    let proved = |files| ProvedPack::prove(files, BEGIN).map(Arc::new).map_err(|error| anyhow!("{error}"));
    let now = proved(PackFiles::embedded())?;
    let asked = questions(&now)?;
    write(dir, &now, &asked, size.replayed)?;

    let mut files = PackFiles::embedded();
    let (file, before, after) = TAKEN;
    let text = files.0.get_mut(file).context("the pack has no coder")?;
    let without = text.replace(before, after);
    ensure!(without != *text, "the coder's line reads otherwise");
    *text = without;
    let draft = proved(files)?;
    progress("replay");
    let period = (BEGIN, BEGIN.plus_micros(MONTH_MICROS));
    let (took, report) = time(|| {
        let mut replayer = Replayer::new(Arc::clone(&draft), KnownPacks::default().with(Arc::clone(&now)), period);
        let unread = read_accesses(dir, period, &mut |access| replayer.take(access))?;
        anyhow::Ok(replayer.finish(unread))
    });
    let sentence = report?.sentence();

    progress("cedar");
    let pack = &draft.active.pack;
    let cedar = BareCedar::compile(pack)?;
    let some = size.replayed.min(CEDAR_MAX);
    let (cedars, decided) = time(|| {
        (0..some).try_for_each(|number| {
            let question = asked.get(number % asked.len().max(1)).context("nothing is asked")?;
            black_box(cedar.views(pack, question, true)?);
            anyhow::Ok(())
        })
    });
    decided?;
    let (ours, theirs) = (took.as_secs_f64() / size.replayed as f64, cedars.as_secs_f64() / some as f64);
    let rows = [
        vec![
            format!("replay of {} accesses of a month, read from the ledger, verified and judged", size.replayed),
            short(took),
            per(took, size.replayed),
            String::new(),
        ],
        vec![
            format!("bare Cedar, the role's policies, {some} of these decided and nothing read"),
            short(cedars),
            per(cedars, some),
            ratio(theirs, ours),
        ],
    ];
    Ok(format!("{}\n\nWhat it says: {sentence}", table(&["", "time", "an access", "÷ replay"], &rows)))
}

/// What each role asks for its own purpose.
fn questions(pack: &ProvedPack) -> Result<Vec<Question>> {
    let known = &pack.active.pack;
    let relationship = known.condition("relationship").context("the pack has no condition `relationship`")?;
    let question = |role: &scruple_policy::Role| Question {
        role: role.name.clone(),
        purpose: role.purpose.clone(),
        conditions: ConditionMask::NONE.with(relationship),
    };
    Ok(known.roles.values().filter(|role| !role.is_profile).map(question).collect())
}

fn write(dir: &Path, pack: &ProvedPack, asked: &[Question], count: usize) -> Result<()> {
    let bodies: Vec<EntryBody> =
        asked.iter().enumerate().map(|(at, asked)| body(pack, at, asked)).collect::<Result<_>>()?;
    let ledger = Ledger::create_or_open(dir, OpenOptions::new("scruple/bench", Arc::new(SystemClock)))?;
    let step = MONTH_MICROS / i64::try_from(count.max(1))?;
    let mut pending = VecDeque::new();
    for number in 0..count {
        let body = bodies.get(number % bodies.len().max(1)).context("nothing is asked")?;
        let at = BEGIN.plus_micros(step * i64::try_from(number)?);
        let bytes = Entry::new(at, body.clone()).to_bytes()?;
        if pending.len() >= PENDING_MAX {
            let first: Option<scruple_ledger::Pending> = pending.pop_front();
            first.map(scruple_ledger::Pending::wait).transpose()?;
        }
        pending.push_back(ledger.submit(bytes, None)?);
        if number % 100_000 == 0 {
            progress(&format!("recorded: {number} of {count}"));
        }
    }
    pending.into_iter().try_for_each(|one| one.wait().map(|_| ()))?;
    Ok(ledger.close()?)
}

/// What the gateway records of a search of this role, as large as it is there.
fn body(pack: &ProvedPack, at: usize, asked: &Question) -> Result<EntryBody> {
    let known = &pack.active.pack;
    let role = known.roles.get(&asked.role).context("the role is gone")?;
    let table = pack.active.decider.decide(asked).map_err(|error| anyhow!("{error}"))?;
    let views = known.categories.iter().zip(&table.views).filter(|(_, view)| view.shows());
    let tasks: Vec<&str> = role.tasks.iter().map(|task| task.label.as_str()).collect();
    let types = ["Patient", "Observation", "Encounter", "Condition", "MedicationRequest", "DocumentReference", "Claim"];
    let patient = "Patient/0198c0de-0000-7000-8000-000000000009";
    Ok(EntryBody::Release {
        release: "0198c0de-0000-7000-8000-000000000001".to_owned(),
        actor: Actor { subject: format!("person.{at}"), role: asked.role.clone() },
        decision: DecisionFacts {
            purpose: asked.purpose.clone(),
            pack: known.hash.to_string(),
            table: "a".repeat(64),
            views: views.map(|(category, view)| (category.name.clone(), known.view_name(*view))).collect(),
            conditions: vec!["relationship".to_owned()],
            relationship: Relationship::Resolved,
            valid_until: BEGIN.plus_micros(2 * MONTH_MICROS),
            justification: format!("tasks of {}: {}", role.label, tasks.join("; ")),
            grant: Some("0198c0de-0000-7000-8000-000000000002".to_owned()),
        },
        request: Some(RequestFacts {
            interaction: "search".to_owned(),
            resource_type: Some("Observation".to_owned()),
            id: None,
            parameters: vec!["patient".to_owned()],
            request_id: Some("0198c0de-0000-7000-8000-000000000003".to_owned()),
            source: Some("10.0.0.1".to_owned()),
            lacking: Vec::new(),
        }),
        references: types
            .iter()
            .enumerate()
            .map(|(one, kind)| format!("{kind}/0198c0de-0000-7000-8000-00000000{one:04}"))
            .collect(),
        patients: vec![patient.to_owned()],
        relations: vec![format!("{patient} encounter Encounter/0198c0de-0000-7000-8000-000000000008")],
        kinds: Vec::new(),
        sha256: "b".repeat(64),
        bytes: 4_000,
        counts: Counts::default(),
    })
}
