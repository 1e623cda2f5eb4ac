//! The replay and what nobody uses, over recorded accesses that are known one by one.

use crate::support::at;
use scruple_app::policy::{
    KnownPacks, Outcome, ProvedPack, Recorded, Recordings, Replay, Replayer, Unused, Used, first_at_or_after,
    read_accesses,
};
use scruple_core::{
    Actor, ConditionMask, Counts, DecisionFacts, Entry, EntryBody, FixedClock, Relationship, RequestFacts, Timestamp,
};
use scruple_ledger::{Ledger, OpenOptions};
use scruple_policy::{Direction, PackFiles, Question, Side, compare, trim};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

/// The shipped pack, proved.
pub static SHIPPED: LazyLock<Arc<ProvedPack>> = LazyLock::new(|| Arc::new(proved(&PackFiles::embedded())));

pub fn proved(files: &PackFiles) -> ProvedPack {
    ProvedPack::prove(files.clone(), at(0)).unwrap_or_else(|error| panic!("{error}"))
}

/// A replay over nothing.
pub fn nothing(pack: &ProvedPack) -> Replay {
    let pack = Arc::new(proved(&pack.files));
    Replayer::new(pack, KnownPacks::default(), (at(0), at(1))).finish(0)
}

fn changed(role: &str, from: &str, to: &str) -> PackFiles {
    let mut files = PackFiles::embedded();
    let text = files.0.get_mut(&format!("roles/{role}.toml")).unwrap();
    assert!(text.contains(from), "{from}");
    *text = text.replace(from, to);
    files
}

/// The facts of a decision as the gateway records it.
fn decision(pack: &ProvedPack, role: &str, purpose: &str, until: Timestamp) -> DecisionFacts {
    let known = &pack.active.pack;
    let conditions = ConditionMask::NONE.with(known.condition("relationship").unwrap());
    let question = Question { role: role.to_owned(), purpose: purpose.to_owned(), conditions };
    let table = pack.active.decider.decide(&question).unwrap();
    let views = known.categories.iter().zip(&table.views).filter(|(_, view)| view.shows());
    DecisionFacts {
        purpose: purpose.to_owned(),
        pack: known.hash.to_string(),
        table: "t".to_owned(),
        views: views.map(|(category, view)| (category.name.clone(), known.view_name(*view))).collect(),
        conditions: vec!["relationship".to_owned()],
        relationship: Relationship::Resolved,
        valid_until: until,
        justification: "tasks".to_owned(),
        grant: None,
    }
}

/// An access by somebody in a role to one resource of each type, so many seconds after the start.
#[derive(Clone)]
struct Access<'a> {
    subject: &'a str,
    role: &'a str,
    purpose: &'a str,
    types: &'a [&'a str],
    seconds: i64,
}

fn entry(pack: &ProvedPack, access: &Access<'_>) -> Entry {
    let now = at(access.seconds);
    let body = EntryBody::Release {
        release: "r".to_owned(),
        actor: Actor { subject: access.subject.to_owned(), role: access.role.to_owned() },
        decision: decision(pack, access.role, access.purpose, now.plus_micros(1)),
        request: None,
        references: access.types.iter().map(|name| format!("{name}/1")).collect(),
        patients: vec!["Patient/p".to_owned()],
        relations: Vec::new(),
        kinds: Vec::new(),
        sha256: "s".to_owned(),
        bytes: 10,
        counts: Counts::default(),
    };
    Entry::new(now, body)
}

fn bytes(pack: &ProvedPack, access: &Access<'_>) -> Vec<u8> {
    entry(pack, access).to_bytes().unwrap()
}

const PERIOD: (i64, i64) = (0, 1_000_000);

fn period() -> (Timestamp, Timestamp) {
    (at(PERIOD.0), at(PERIOD.1))
}

/// Replays entries under a draft; the shipped pack is known.
fn replayed(draft: &PackFiles, payloads: impl IntoIterator<Item = Vec<u8>>) -> Replay {
    let known = KnownPacks::default().with(Arc::clone(&SHIPPED));
    replayed_knowing(draft, known, payloads)
}

fn replayed_knowing(draft: &PackFiles, known: KnownPacks, payloads: impl IntoIterator<Item = Vec<u8>>) -> Replay {
    let mut replayer = Replayer::new(Arc::new(proved(draft)), known, period());
    let mut recordings = Recordings::new(at(PERIOD.0), at(PERIOD.1));
    let mut sink = |access: &Recorded<'_>| replayer.take(access);
    for (index, payload) in payloads.into_iter().enumerate() {
        recordings.take(index as u64, &payload, &mut sink);
    }
    let unread = recordings.finish(&mut sink);
    replayer.finish(unread)
}

const NURSE: Access<'_> =
    Access { subject: "nora", role: "nurse", purpose: "TREAT", types: &["Observation", "Patient"], seconds: 5 };
const CODER: Access<'_> =
    Access { subject: "carl", role: "coder", purpose: "HPAYMT", types: &["DocumentReference"], seconds: 5 };

#[test]
fn twelve_of_48_210_would_have_been_refused_and_310_shown_less() {
    let draft = {
        let mut files = changed("coder", "\"devices\", \"documents\", \"free_text\",", "\"devices\", \"free_text\",");
        let text = files.0.get_mut("roles/nurse.toml").unwrap();
        *text = text.replace("\"contact_telecom\", ", "");
        files
    };
    let (nurse, coder) = (bytes(&SHIPPED, &NURSE), bytes(&SHIPPED, &CODER));
    let plain = bytes(&SHIPPED, &Access { types: &["Observation"], ..NURSE });
    let mut payloads = Vec::new();
    for number in 0..48_210 {
        payloads.push(match number {
            number if number % 4_000 == 7 && number < 48_000 => coder.clone(),
            number if number % 155 == 3 && number < 48_050 => nurse.clone(),
            _ => plain.clone(),
        });
    }
    let replay = replayed(&draft, payloads.clone());
    assert_eq!((replay.all.accesses, replay.all.refused, replay.all.less, replay.all.more), (48_210, 12, 310, 0));
    assert_eq!(replay.sentence(), "would have refused 12 of 48,210, and shown less in 310");
    assert_eq!((replay.not_replayed, replay.of_unknown_policy, replay.unread), (0, 0, 0));
    assert_eq!(replay.by_role["coder"].refused, 12);
    assert_eq!(replay.because["documents"], 12);
    // Each of the twelve is named by its entry.
    let named: Vec<u64> =
        replay.examples.iter().filter(|one| one.outcome == Outcome::Refused).map(|one| one.entry).collect();
    let expected: Vec<u64> = (0..48_000).filter(|number| number % 4_000 == 7).collect();
    assert_eq!(named, expected);
    let summary = replay.summary().to_string();
    assert!(!summary.contains("nora") && !summary.contains("carl") && !summary.contains("Patient"), "{summary}");
    assert_eq!(replayed(&draft, payloads), replay, "the same again");
}

#[test]
fn the_same_policy_replays_to_the_same_and_a_recorded_view_that_it_does_not_give_is_told() {
    let all: Vec<Vec<u8>> = SHIPPED
        .active
        .pack
        .roles
        .values()
        .filter(|role| !role.is_profile)
        .map(|role| {
            let types = &["Patient", "Observation", "Encounter", "Claim", "DocumentReference", "MedicationRequest"];
            bytes(&SHIPPED, &Access { subject: "x", role: &role.name, purpose: &role.purpose, types, seconds: 1 })
        })
        .collect();
    let replay = replayed(&PackFiles::embedded(), all.clone());
    let same = [replay.all.refused, replay.all.less, replay.all.more, replay.by_label, replay.not_replayed];
    assert_eq!((replay.all.accesses, same), (all.len() as u64, [0; 5]));
    let mut told = entry(&SHIPPED, &NURSE);
    if let EntryBody::Release { decision, .. } = &mut told.body {
        decision.views.insert("balance".to_owned(), "full".to_owned());
    }
    assert_eq!(replayed(&PackFiles::embedded(), [told.to_bytes().unwrap()]).not_replayed, 1);
}

#[test]
fn a_purpose_or_role_that_is_gone_refuses_and_a_wider_view_shows_more() {
    let payload = || [bytes(&SHIPPED, &Access { purpose: "COC", ..NURSE })];
    let replay = replayed(&changed("nurse", "also = [\"COC\"]", "also = []"), payload());
    assert_eq!((replay.all.refused, replay.because.keys().next().unwrap().as_str()), (1, "purpose_not_allowed"));
    let mut gone = PackFiles::embedded();
    gone.0.remove("roles/scheduler.toml");
    for table in ["segment-by-role.csv", "relationships.csv", "approvals.csv", "console.csv"] {
        let text = gone.0.get_mut(table).unwrap();
        *text = text.lines().filter(|line| !line.contains("scheduler")).map(|line| format!("{line}\n")).collect();
    }
    let purpose = &SHIPPED.active.pack.roles["scheduler"].purpose;
    let access = Access { subject: "s", role: "scheduler", purpose, types: &["Appointment"], seconds: 1 };
    let replay = replayed(&gone, [bytes(&SHIPPED, &access)]);
    assert_eq!((replay.all.refused, replay.because.keys().next().unwrap().as_str()), (1, "role_unknown"));
    let wider = changed("nurse", "view = \"masked:zip5\"", "view = \"full\"");
    let replay = replayed(&wider, [bytes(&SHIPPED, &Access { types: &["Patient"], ..NURSE })]);
    assert_eq!((replay.all.more, replay.all.less, replay.all.refused), (1, 0, 0));
}

#[test]
fn a_segment_that_leaves_less_is_told_apart() {
    let mut files = PackFiles::embedded();
    let text = files.0.get_mut("segment-by-role.csv").unwrap();
    *text = text.replace("coder,none,none,consent,follow,follow,", "coder,none,none,consent,none,follow,");
    let replay = replayed(&files, [bytes(&SHIPPED, &CODER), bytes(&SHIPPED, &NURSE)]);
    assert_eq!((replay.by_label, replay.all.refused, replay.all.less), (1, 0, 0));
}

#[test]
fn a_release_in_chunks_is_one_access_also_where_its_end_never_came() {
    let chain = |release: &str, is_closed: bool| -> Vec<Vec<u8>> {
        let mut open = entry(&SHIPPED, &CODER);
        let EntryBody::Release { actor, decision, .. } = open.body.clone() else { panic!() };
        open.body = EntryBody::ReleaseOpen { release: release.to_owned(), actor, decision, request: None };
        let chunk = EntryBody::ReleaseChunk {
            release: release.to_owned(),
            chunk: 0,
            references: vec!["DocumentReference/1".to_owned(), "DocumentReference/2".to_owned()],
            patients: Vec::new(),
            relations: Vec::new(),
            kinds: Vec::new(),
            sha256: "s".to_owned(),
            bytes: 1,
        };
        let close = EntryBody::ReleaseClose {
            release: release.to_owned(),
            chunks: 1,
            counts: Counts::default(),
            outcome: "complete".to_owned(),
        };
        let mut all = vec![open, Entry::new(at(6), chunk)];
        if is_closed {
            all.push(Entry::new(at(7), close));
        }
        all.iter().map(|entry| entry.to_bytes().unwrap()).collect()
    };
    let draft = changed("coder", "\"devices\", \"documents\", \"free_text\",", "\"devices\", \"free_text\",");
    let replay = replayed(&draft, chain("a", true).into_iter().chain(chain("b", false)));
    assert_eq!((replay.all.accesses, replay.all.refused), (2, 2));
}

#[test]
fn a_search_that_found_nothing_counts_by_what_was_asked_for() {
    let mut found = entry(&SHIPPED, &Access { types: &[], ..CODER });
    if let EntryBody::Release { request, .. } = &mut found.body {
        *request = Some(RequestFacts {
            interaction: "search".to_owned(),
            resource_type: Some("DocumentReference".to_owned()),
            id: None,
            parameters: Vec::new(),
            request_id: None,
            source: None,
            lacking: Vec::new(),
        });
    }
    let draft = changed("coder", "\"devices\", \"documents\", \"free_text\",", "\"devices\", \"free_text\",");
    let replay = replayed(&draft, [found.to_bytes().unwrap()]);
    assert_eq!((replay.all.accesses, replay.all.refused), (1, 1));
}

#[test]
fn accesses_of_a_policy_that_is_not_known_are_judged_by_what_they_showed_and_said_to_be() {
    let draft = changed("coder", "\"devices\", \"documents\", \"free_text\",", "\"devices\", \"free_text\",");
    let payloads = [bytes(&SHIPPED, &CODER), bytes(&SHIPPED, &NURSE), b"not an entry".to_vec()];
    let replay = replayed_knowing(&draft, KnownPacks::default(), payloads);
    assert_eq!((replay.of_unknown_policy, replay.all.refused, replay.all.less, replay.unread), (2, 1, 0, 1));
}

#[test]
fn what_is_outside_the_period_does_not_count() {
    let payloads = [-1, 0, 5, 999_999, 1_000_000].map(|seconds| bytes(&SHIPPED, &Access { seconds, ..NURSE }));
    assert_eq!(replayed(&PackFiles::embedded(), payloads).all.accesses, 3);
}

fn used(accesses: &[Access<'_>], held: &[(&str, &[&str])]) -> Unused {
    let known = KnownPacks::default().with(Arc::clone(&SHIPPED));
    let mut used = Used::new(known);
    let mut recordings = Recordings::new(at(PERIOD.0), at(PERIOD.1));
    let mut sink = |access: &Recorded<'_>| used.take(access);
    for (index, access) in accesses.iter().enumerate() {
        recordings.take(index as u64, &bytes(&SHIPPED, access), &mut sink);
    }
    recordings.finish(&mut sink);
    let held = held.iter().map(|(subject, roles)| {
        ((*subject).to_owned(), roles.iter().map(|role| (*role).to_owned()).collect::<BTreeSet<String>>())
    });
    used.finish(&SHIPPED.active.pack, &held.collect::<BTreeMap<_, _>>(), period())
}

#[test]
fn what_a_role_and_a_person_have_and_never_used_is_listed_exactly() {
    let accesses = [
        Access { types: &["Claim"], ..CODER },
        Access { types: &["AllergyIntolerance"], seconds: 9, ..CODER },
        Access { subject: "cleo", types: &["Condition"], ..CODER },
    ];
    let report = used(&accesses, &[("carl", &["coder"]), ("cleo", &["coder"]), ("zoe", &["coder", "nurse"])]);
    let coder = report.roles.iter().find(|role| role.role == "coder").unwrap();
    assert_eq!((coder.accesses, coder.granted), (3, 25));
    assert_eq!(coder.used.len() + coder.unused.len(), coder.granted);
    // A claim carries attachments, prose and numbers of the patient.
    let used: Vec<&str> = coder.used.keys().map(String::as_str).collect();
    assert_eq!(used, ["allergies", "claims", "diagnoses", "documents", "free_text", "id_mrn"]);
    assert_eq!(coder.used["allergies"], at(9));
    let unused: Vec<&str> = coder.unused.iter().map(|granted| granted.category.as_str()).collect();
    let expected = [
        "assessments",
        "care_team",
        "coverage",
        "devices",
        "directory",
        "encounter_admin",
        "family_genetic",
        "id_birth_sex",
        "id_name",
        "imaging",
        "immunizations",
        "labs",
        "medications",
        "orders",
        "procedures",
        "safety_alerts",
        "social_history",
        "visit_reason",
        "vitals",
    ];
    assert_eq!(unused, expected);
    let of = |subject: &str| report.people.iter().find(|one| one.subject == subject && one.role == "coder").unwrap();
    assert!(of("carl").unused.contains(&"diagnoses".to_owned()) && !of("carl").unused.contains(&"claims".to_owned()));
    assert!(of("cleo").unused.contains(&"claims".to_owned()) && !of("cleo").unused.contains(&"diagnoses".to_owned()));
    assert_eq!((of("zoe").accesses, of("zoe").unused.len()), (0, 25));
    assert_eq!(report.people.iter().filter(|one| one.subject == "zoe").count(), 2);
}

#[test]
fn a_proposal_of_what_nobody_used_takes_nothing_from_what_was_read() {
    let types = ["Patient", "Encounter", "Condition", "Claim", "Procedure", "Observation", "MedicationRequest"];
    let accesses: Vec<Access<'_>> = types
        .iter()
        .flat_map(|name| {
            [
                Access { types: std::slice::from_ref(name), ..CODER },
                Access { types: std::slice::from_ref(name), ..NURSE },
            ]
        })
        .collect();
    let report = used(&accesses, &[]);
    let take = report.proposal();
    assert_eq!(take.keys().collect::<Vec<_>>(), ["coder", "nurse"], "a role in which nobody did anything stays");
    let draft = trim(&SHIPPED.files, &SHIPPED.active.pack, &take);
    assert!(draft.left.is_empty(), "{:?}", draft.left);
    assert_eq!(draft.taken, take);
    let narrowed = proved(&draft.files);
    let side = |pack: &'static ProvedPack| Side { files: &pack.files, pack: &pack.active.pack };
    let difference = compare(side(&SHIPPED), Side { files: &narrowed.files, pack: &narrowed.active.pack });
    assert_eq!(difference.changes.len(), difference.count(Direction::Narrower));
    assert_eq!(difference.changes.len(), take.values().map(BTreeSet::len).sum::<usize>());
    // The month anew: nothing that was read is refused, and nothing shows less.
    let replay = replayed(&draft.files, accesses.iter().map(|access| bytes(&SHIPPED, access)));
    assert_eq!((replay.all.accesses, replay.all.refused), (14, 0));
    assert_eq!(replay.all.less, 0, "{:?}", replay.because);
}

#[test]
fn a_ledger_on_disk_is_read_from_the_first_entry_of_the_period() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("ledger");
    let clock = Arc::new(FixedClock::new(at(0)));
    let ledger = Ledger::create_or_open(&dir, OpenOptions::new("scruple/test", clock)).unwrap();
    let pending: Vec<_> = (0..3_000)
        .map(|number| {
            let access = Access { seconds: number * 10, ..if number % 2 == 0 { NURSE } else { CODER } };
            ledger.submit(bytes(&SHIPPED, &access), None).unwrap()
        })
        .collect();
    for pending in pending {
        pending.wait().unwrap();
    }
    for (seconds, expected) in [(-5, 0), (0, 0), (1, 1), (10, 1), (15_000, 1_500), (29_990, 2_999), (99_999, 3_000)] {
        assert_eq!(first_at_or_after(&dir, at(seconds)).unwrap(), expected, "{seconds}");
    }
    let (mut seen, mut first) = (0, None);
    let unread = read_accesses(&dir, (at(10_000), at(20_000)), &mut |access| {
        seen += 1;
        first.get_or_insert((access.index, access.role.to_owned()));
    });
    assert_eq!((unread.unwrap(), seen, first), (0, 1_000, Some((1_000, "nurse".to_owned()))));
    // In use or closed, it reads the same.
    ledger.close().unwrap();
    let mut again = 0;
    read_accesses(&dir, (at(10_000), at(20_000)), &mut |_| again += 1).unwrap();
    assert_eq!(again, 1_000);
}
