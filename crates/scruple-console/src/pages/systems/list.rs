//! `/systems`: the connected systems, what of each is not what is held here, and what somebody decides on it.

use crate::pages::Frame;
use crate::pages::parts::{Field, Person, Pick, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, officer, pick, sample, typed, when, worker, wrong};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "systems/list.html")]
pub(crate) struct Systems {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) as_of: When,
    /// Why nothing was changed.
    pub(crate) failed: Option<String>,
    pub(crate) systems: Vec<SystemRow>,
    pub(crate) rows: Vec<DriftRow>,
    /// The page after this one.
    pub(crate) next: Option<String>,
}

#[derive(Clone)]
pub(crate) struct SystemRow {
    pub(crate) code: String,
    /// `by SCIM`, `by a file`.
    pub(crate) way: &'static str,
    pub(crate) owner: Person,
    pub(crate) state: Mark,
    /// When what is known of it stood.
    pub(crate) read: Option<When>,
    /// Why the last reading failed.
    pub(crate) failure: Option<&'static str>,
    pub(crate) removes_drift: bool,
    /// Has it read now; POST.
    pub(crate) read_now: Option<String>,
}

/// One difference, as a sentence with its parts.
#[derive(Clone)]
pub(crate) struct DriftRow {
    pub(crate) system: String,
    pub(crate) what: What,
    /// Whose account it is, where that is known.
    pub(crate) person: Option<Person>,
    /// The account there.
    pub(crate) account: String,
    /// What the system calls the right.
    pub(crate) right: String,
    /// The ground for it has ended here.
    pub(crate) has_ended: bool,
    pub(crate) since: When,
    pub(crate) state: Mark,
    /// How far its removal is, or why it is let be.
    pub(crate) note: Option<String>,
    /// What somebody wrote.
    pub(crate) said: Option<String>,
    /// Until when it is let be.
    pub(crate) until: Option<When>,
    pub(crate) version: i64,
    /// Asks for it to be removed there; POST.
    pub(crate) remove: Option<String>,
    pub(crate) except: Option<ExceptForm>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Extra,
    Orphan,
    Missing,
    Undecided,
    Stale,
}

/// Lets it be: the fields `why` and `days`; POST.
#[derive(Clone)]
pub(crate) struct ExceptForm {
    pub(crate) action: String,
    pub(crate) why: Field,
    pub(crate) days: Pick,
}

fn view(voice: &Voice) -> Systems {
    let system = |state: Mark, read: bool, failure: Option<&'static str>| SystemRow {
        code: "warehouse".to_owned(),
        way: "by SCIM",
        owner: voice.second(),
        state,
        read: read.then(|| when("2026-03-01T07:45:00Z", "1 March, 07:45")),
        failure,
        removes_drift: failure.is_none(),
        read_now: Some("/systems/0198c0de/read".to_owned()),
    };
    let row = |what: What, state: Mark| DriftRow {
        system: "warehouse".to_owned(),
        what,
        person: None,
        account: voice.unit.to_owned(),
        right: voice.label.to_owned(),
        has_ended: false,
        since: when("2026-03-01T07:45:00Z", "1 March, 07:45"),
        state,
        note: None,
        said: None,
        until: None,
        version: 1,
        remove: None,
        except: None,
    };
    let except = |why: Field| {
        Some(ExceptForm {
            action: "/systems/drift/0198c0de/except".to_owned(),
            why,
            days: pick(&[("7", "7 days"), ("30", "30 days"), ("90", "90 days")], "30"),
        })
    };
    let open = DriftRow {
        person: Some(voice.first()),
        remove: Some("/systems/drift/0198c0de/remove".to_owned()),
        except: except(typed("")),
        ..row(What::Extra, Mark::wait("To be decided"))
    };
    Systems {
        frame: officer(voice, Some(Area::Requests)),
        csrf: CSRF.to_owned(),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        failed: None,
        systems: vec![
            system(Mark::good("Read"), true, None),
            system(Mark::bad("Not read"), false, Some("it cannot be reached")),
        ],
        rows: vec![
            open,
            DriftRow {
                has_ended: true,
                person: Some(voice.first()),
                note: Some("Tried 2 times; the system refuses.".to_owned()),
                ..row(What::Extra, Mark::wait("Being removed"))
            },
            DriftRow { except: except(typed("")), ..row(What::Orphan, Mark::wait("To be decided")) },
            DriftRow {
                said: Some(voice.said.to_owned()),
                until: Some(when("2026-04-01T08:00:00Z", "1 April, 08:00")),
                ..row(What::Missing, Mark::over("Let be"))
            },
            row(What::Undecided, Mark::wait("To be decided")),
            row(What::Stale, Mark::bad("To be decided")),
        ],
        next: Some("/systems?after=0198c0de".to_owned()),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let nothing = Systems { systems: Vec::new(), rows: Vec::new(), next: None, ..view(&PLAIN) };
    samples.push(sample("no system", &nothing));
    samples.push(sample("nothing differs", &Systems { rows: Vec::new(), next: None, ..view(&PLAIN) }));
    samples.push(sample("a manager", &Systems { frame: worker(&PLAIN, None), systems: Vec::new(), ..view(&PLAIN) }));
    let mut page = view(&PLAIN);
    page.failed = Some("Nothing was changed.".to_owned());
    if let Some(form) = page.rows.first_mut().and_then(|row| row.except.as_mut()) {
        form.why = wrong("ok", "Say in a sentence what has to be done and why: three words are too few.");
    }
    samples.push(sample("errors", &page));
    samples
}
