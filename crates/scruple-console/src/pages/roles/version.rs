//! `/roles/versions/{id}`: one version: its difference in plain words, what it would have done to recorded accesses, and what is
//! to be decided: proposed, approved by a second person, activated, brought back.

use crate::pages::Frame;
use crate::pages::parts::{Field, Happened};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, officer, sample, typed, when, wrong};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "roles/version.html")]
pub(crate) struct VersionPage {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) failed: Option<String>,
    /// Version of the row that is shown.
    pub(crate) version: i64,
    /// First letters of the hash.
    pub(crate) hash: String,
    pub(crate) state: Mark,
    pub(crate) rationale: String,
    /// What it is compared with: first letters of its hash; none: nothing was before it.
    pub(crate) against: Option<String>,
    pub(crate) tally: String,
    /// What it does to access, and the sentence.
    pub(crate) lines: Vec<(Mark, String)>,
    pub(crate) replay: Option<Replayed>,
    pub(crate) history: Vec<Happened>,
    /// `/roles/versions/0198c0de`.
    pub(crate) href: String,
    pub(crate) acts: Acts,
}

/// What whoever looks may do with it now.
#[derive(Clone, Default)]
pub(crate) struct Acts {
    pub(crate) propose: Option<Field>,
    pub(crate) withdraw: bool,
    pub(crate) approve: bool,
    pub(crate) refuse: Option<Field>,
    pub(crate) activate: bool,
    pub(crate) back: bool,
    /// Why there is nothing to do for him.
    pub(crate) waits: Option<&'static str>,
}

/// What it would have done.
#[derive(Clone)]
pub(crate) struct Replayed {
    /// `would have refused 12 of 48,210, and shown less in 310`.
    pub(crate) sentence: String,
    /// `1 February 2026, 08:00 UTC to 1 March 2026, 08:00 UTC`.
    pub(crate) period: String,
    pub(crate) rows: Vec<ReplayedRole>,
    /// What else there is to say.
    pub(crate) notes: Vec<String>,
    /// Numbers of entries in the ledger.
    pub(crate) entries: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct ReplayedRole {
    pub(crate) role: String,
    pub(crate) accesses: String,
    pub(crate) refused: String,
    pub(crate) less: String,
    pub(crate) more: String,
}

fn view(voice: &Voice) -> VersionPage {
    let row = |role: &str, numbers: [&str; 4]| {
        let [accesses, refused, less, more] = numbers.map(str::to_owned);
        ReplayedRole { role: role.to_owned(), accesses, refused, less, more }
    };
    VersionPage {
        frame: officer(voice, Some(Area::Roles)),
        csrf: CSRF.to_owned(),
        failed: None,
        version: 3,
        hash: "0a1b2c3d4e5f".to_owned(),
        state: Mark::wait("Waits for a second person"),
        rationale: if voice.name == PLAIN.name {
            "The coder has not opened notes in 90 days.".to_owned()
        } else {
            voice.said.to_owned()
        },
        against: Some("9c1b2c3d4e5f".to_owned()),
        tally: "1 wider, 1 narrower, 1 otherwise".to_owned(),
        lines: vec![
            (Mark::NARROWER, "The coder no longer sees notes, letters, reports, scans, all attachments.".to_owned()),
            (Mark::WIDER, format!("The nurse now sees {} in full; before, not at all.", voice.label)),
            (Mark::OTHERWISE, "The coder has the task query: ask the author; before: query the author.".to_owned()),
        ],
        replay: Some(Replayed {
            sentence: "would have refused 12 of 48,210, and shown less in 310".to_owned(),
            period: "30 January 2026, 08:00 UTC to 1 March 2026, 08:00 UTC".to_owned(),
            rows: vec![row("coder", ["1,204", "12", "0", "0"]), row("nurse", ["40,010", "0", "310", "5"])],
            notes: vec!["7 more may have shown less, where a protected label stood on the record.".to_owned()],
            entries: ["4007", "8007", "12007"].map(str::to_owned).to_vec(),
        }),
        history: vec![Happened {
            at: when("2026-02-12T09:00:00Z", "12 February 2026, 09:00"),
            mark: Mark::wait("Drafted"),
            sentence: format!("{} drafted it.", voice.one),
            said: Some(voice.said.to_owned()),
        }],
        href: "/roles/versions/0198c0de".to_owned(),
        acts: Acts { approve: true, refuse: Some(typed("")), ..Acts::default() },
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let with = |acts: Acts| VersionPage { acts, ..view(&PLAIN) };
    let mine = Acts { propose: Some(typed("")), withdraw: true, ..Acts::default() };
    samples.push(sample("a draft of one's own", &VersionPage { replay: None, ..with(mine) }));
    samples.push(sample("approved", &with(Acts { activate: true, withdraw: true, ..Acts::default() })));
    let page = VersionPage {
        lines: Vec::new(),
        against: None,
        replay: None,
        tally: "no difference".to_owned(),
        ..with(Acts { back: true, ..Acts::default() })
    };
    samples.push(sample("an older one", &page));
    samples
        .push(sample("nothing to do", &with(Acts { waits: Some("Somebody else has to decide."), ..Acts::default() })));
    let refuse = Some(wrong("no", "Say in a sentence what has to be done and why: three words are too few."));
    let page = VersionPage {
        failed: Some("Nothing was changed.".to_owned()),
        ..with(Acts { approve: true, refuse, ..Acts::default() })
    };
    samples.push(sample("errors", &page));
    samples
}
