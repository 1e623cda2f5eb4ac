//! `/charts/{id}/report`: the history in plain words, to be printed for the patient.

use crate::pages::Frame;
use crate::pages::parts::When;
use crate::pages::samples::{PLAIN, Sample, VOICES, Voice, officer, sample, when};
use crate::words::Area;
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "charts/report.html")]
pub(crate) struct ChartReport {
    pub(crate) frame: Frame,
    pub(crate) back: String,
    pub(crate) made: When,
    pub(crate) patient: String,
    pub(crate) number: String,
    pub(crate) from: When,
    pub(crate) until: When,
    /// Nobody opened the record itself.
    pub(crate) is_unopened: bool,
    pub(crate) rows: Vec<ReportRow>,
    /// Sources that begin later than what is asked about: since when, and which.
    pub(crate) since: Vec<(When, String)>,
    /// Systems whose logs it was told from.
    pub(crate) sources: Vec<String>,
    /// Whom to ask.
    pub(crate) help: String,
}

#[derive(Clone)]
pub(crate) struct ReportRow {
    pub(crate) name: String,
    pub(crate) job: String,
    pub(crate) why: String,
    /// What was opened, a list, a try: each apart.
    pub(crate) did: Vec<Did>,
}

#[derive(Clone)]
pub(crate) struct Did {
    /// `Opened your record 3 times: medications.`
    pub(crate) sentence: String,
    pub(crate) first: When,
    /// None: it was in the same minute.
    pub(crate) last: Option<When>,
}

fn view(voice: &Voice) -> ChartReport {
    let row = ReportRow {
        name: voice.one.to_owned(),
        job: voice.job.to_owned(),
        why: "Takes part in a visit of yours.".to_owned(),
        did: vec![
            Did {
                sentence: format!("Opened your record 12 times: medications. The log calls it: {}.", voice.label),
                first: when("2026-03-03T07:10:00Z", "3 March, 07:10"),
                last: Some(when("2026-03-09T18:40:00Z", "9 March, 18:40")),
            },
            Did {
                sentence: "Had you once in a list of 46 patients.".to_owned(),
                first: when("2026-03-03T07:10:00Z", "3 March, 07:10"),
                last: None,
            },
        ],
    };
    ChartReport {
        frame: officer(voice, Some(Area::Charts)),
        back: "/charts/0198c0de".to_owned(),
        made: when("2026-04-01T08:00:00Z", "1 April 2026, 08:00 UTC"),
        patient: voice.other.to_owned(),
        number: "MR 4471".to_owned(),
        from: when("2026-03-01T00:00:00Z", "1 March"),
        until: when("2026-04-01T00:00:00Z", "1 April"),
        is_unopened: false,
        rows: vec![row.clone(), ReportRow { did: Vec::new(), ..row }],
        since: vec![(when("2026-03-02T00:00:00Z", "2 March"), "gateway".to_owned())],
        sources: vec!["the gateway".to_owned(), format!("the log of {}", voice.unit)],
        help: voice.said.to_owned(),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    samples.push(sample("nobody", &ChartReport { is_unopened: true, rows: Vec::new(), ..view(&PLAIN) }));
    samples
}
