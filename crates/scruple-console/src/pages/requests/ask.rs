//! `/ask`: a request for access beyond the role. What is asked for becomes the scope of the grant.

use crate::pages::Frame;
use crate::pages::parts::{Field, Person, Pick, Reading};
use crate::pages::samples::{CSRF, Sample, VOICES, Voice, pick, sample, typed, worker, wrong};
use crate::words::Area;
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "requests/ask.html")]
pub(crate) struct Ask {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) action: String,
    /// For somebody else, who then needs a second person to approve; the field `subject`.
    pub(crate) subject: Option<Subject>,
    pub(crate) rule: Rule,
    pub(crate) form: Form,
}

/// The person for whom it is asked.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) id: String,
    pub(crate) person: Person,
}

/// What minimum necessary means for this act.
#[derive(Clone)]
pub(crate) struct Rule {
    /// Short sentences.
    pub(crate) sentences: Vec<String>,
    /// The citation: `45 CFR 164.514(d)(5)`.
    pub(crate) source: String,
}

/// Values as typed, and errors.
#[derive(Clone)]
pub(crate) struct Form {
    /// Says at the top that something needs another look.
    pub(crate) failed: Option<String>,
    /// The field `role`; the first option is none, with an empty value.
    pub(crate) role: Pick,
    /// The fields `kind`, one for each that is chosen.
    pub(crate) kinds: Vec<KindGroup>,
    pub(crate) kinds_error: Option<String>,
    pub(crate) purpose: Pick,
    /// `patients`: `numbers` or `related`.
    pub(crate) patients: Pick,
    /// Record numbers, one a line.
    pub(crate) numbers: Field,
    pub(crate) numbers_max: usize,
    /// `until`: presets of the policy (`shift`, `day`, `week`), and `own`.
    pub(crate) until: Pick,
    /// For `own`, as `datetime-local`.
    pub(crate) from_at: Field,
    pub(crate) until_at: Field,
    /// `14 days`.
    pub(crate) longest: String,
    /// What is given for less than the longest of the options; empty: nothing is.
    pub(crate) until_hint: String,
    pub(crate) task: Pick,
    pub(crate) reason: Field,
    pub(crate) ticket: Field,
    /// The project that it is for; the first option is none.
    pub(crate) project: Pick,
    /// What is read before it is asked for, once it is known what that is.
    pub(crate) reading: Option<Reading>,
}

/// Kinds of information under a heading.
#[derive(Clone)]
pub(crate) struct KindGroup {
    pub(crate) label: String,
    pub(crate) kinds: Vec<Kind>,
}

#[derive(Clone)]
pub(crate) struct Kind {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) chosen: bool,
    /// The person's role has it already.
    pub(crate) held: bool,
    /// Needs more than one to approve.
    pub(crate) protected: bool,
}

impl KindGroup {
    pub(crate) fn chosen(&self) -> usize {
        self.kinds.iter().filter(|kind| kind.chosen).count()
    }
}

fn view(voice: &Voice) -> Ask {
    let kind = |value: &str, label: &str, chosen: bool, held: bool, protected: bool| Kind {
        value: value.to_owned(),
        label: label.to_owned(),
        chosen,
        held,
        protected,
    };
    Ask {
        frame: worker(voice, Some(Area::Requests)),
        csrf: CSRF.to_owned(),
        action: "/ask".to_owned(),
        subject: None,
        rule: Rule {
            sentences: vec![
                "Ask for what this one task needs, not for what may be handy.".to_owned(),
                "Fewer kinds, fewer patients, a sooner end: each of them is approved faster.".to_owned(),
                "If the task is care of a patient, you need no request: open the chart and say that you care for the patient.".to_owned(),
            ],
            source: "45 CFR 164.502(b), 164.514(d)".to_owned(),
        },
        form: Form {
            failed: None,
            role: pick(&[("", "no whole role, single kinds of information"), ("coder", "Medical coder, CDI"), ("quality_analyst", "Quality and safety analyst"), ("x", voice.label)], "").required(),
            kinds: vec![
                KindGroup { label: "Who the patient is".to_owned(), kinds: vec![kind("id_name", "Patient name", false, true, false), kind("id_birth_sex", "Birth date, administrative sex, deceased", false, true, false), kind("id_mrn", "Record, visit and account numbers", false, true, false), kind("contact_telecom", "Telephone, fax, e-mail", false, false, false)] },
                KindGroup { label: "Care".to_owned(), kinds: vec![kind("diagnoses", "Problems, diagnoses, stages", true, false, false), kind("procedures", "Procedures and operations", true, false, false), kind("labs", "Laboratory results and specimens", false, false, false), kind("documents", "Notes, letters, reports, scans, all attachments", false, false, false), kind("x", voice.label, false, false, false)] },
                KindGroup { label: "Protected information".to_owned(), kinds: vec![kind("mental_health", "Mental health", false, false, true), kind("hiv", "HIV", false, false, true)] },
            ],
            kinds_error: None,
            purpose: pick(&[("", "choose"), ("HPAYMT", "payment"), ("HQUALIMP", "quality improvement"), ("PATSFTY", "patient safety")], "HPAYMT"),
            patients: pick(&[("numbers", "These patients, by record number"), ("related", "Everyone in my own queue or list")], "numbers"),
            numbers: typed("MR 0044-4471\nMR 0044-5120"),
            numbers_max: 20,
            until: pick(&[("shift", "Until the end of this shift, 19:00"), ("day", "One day, until tomorrow 09:00"), ("week", "One week, until 8 March 09:00"), ("own", "Other times")], "day"),
            from_at: typed(""),
            until_at: typed(""),
            longest: "14 days".to_owned(),
            until_hint: "The charts of single patients: 3 days at most.".to_owned(),
            task: pick(&[("", "choose"), ("audit", "An audit of codes"), ("denial", "A denied claim"), ("event", "A safety event")], "denial"),
            reason: typed(voice.work).required(),
            ticket: typed("CLM-2026-0311"),
            project: pick(&[("", "none"), ("0198c0de", voice.label)], ""),
            reading: None,
        },
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let mut page = view(&VOICES[0]);
    let form = &mut page.form;
    form.failed = Some("Nothing was sent: four answers need another look.".to_owned());
    for kind in form.kinds.iter_mut().flat_map(|group| &mut group.kinds) {
        kind.chosen = false;
    }
    form.kinds_error = Some("Choose a role, or at least one kind of information.".to_owned());
    form.purpose = pick(&[("", "choose"), ("HPAYMT", "payment")], "");
    form.purpose.error = Some("Choose what it is for.".to_owned());
    form.until = pick(
        &[
            ("shift", "Until the end of this shift, 19:00"),
            ("day", "One day, until tomorrow 09:00"),
            ("own", "Other times"),
        ],
        "own",
    );
    form.from_at = typed("2026-03-01T09:00");
    form.until_at = wrong("2026-06-01T09:00", "The longest is 14 days: choose an end before 15 March, 09:00.");
    form.reason = wrong(
        "test",
        "Say what you have to do and for what: \u{201c}Claim 0311 was denied for a missing diagnosis; the appeal is due Friday.\u{201d}",
    );
    form.reading = Some(Reading {
        id: "patients-0198c0de0198c0de".to_owned(),
        sentences: vec!["Name the patients whom the task is about, and no others.".to_owned()],
        chosen: false,
        error: Some("Read this, and say so.".to_owned()),
    });
    samples.push(sample("errors", &page));
    let mut page = view(&VOICES[0]);
    page.subject = Some(Subject { id: "0198c0de".to_owned(), person: VOICES[0].first() });
    samples.push(sample("for somebody else", &page));
    samples
}
