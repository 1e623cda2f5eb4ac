//! The page of samples: every component of the design system in its states. What a new page needs and does not find here
//! is added here first.

use super::error::ErrorPage;
use super::parts::{Choice, Coded, Field, Person, Pick, When};
use super::{Frame, Who, page};
use crate::words::Area;
use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

/// A word that is longer than a line of a telephone.
const LONG: &str = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft";
/// A value as an attacker would like to see it on a page.
pub(super) const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'`&";

#[derive(Template)]
#[template(path = "samples.html")]
struct View {
    frame: Frame,
    long: &'static str,
    right_to_left: &'static str,
    hostile: &'static str,
}

/// `GET /samples`.
pub(super) async fn show() -> Response {
    page(StatusCode::OK, &view())
}

fn view() -> View {
    View {
        frame: Frame::new("Samples", "Samples"), long: LONG, right_to_left: "שלום, ד״ר רות לוי", hostile: HOSTILE
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<String> {
    vec![view().render().unwrap(), index().render().unwrap()]
}

/// One page with made-up values.
pub(crate) struct Sample {
    /// What it is a sample of.
    pub(crate) name: &'static str,
    pub(crate) html: String,
}

/// A page as a sample; empty if it cannot be rendered, which the tests refuse.
pub(crate) fn sample(name: &'static str, page: &impl Template) -> Sample {
    Sample { name, html: page.render().unwrap_or_default() }
}

/// Texts as people and machines bring them.
#[derive(Clone, Copy)]
pub(crate) struct Voice {
    pub(crate) name: &'static str,
    /// A person's name, and another's.
    pub(crate) one: &'static str,
    pub(crate) other: &'static str,
    pub(crate) job: &'static str,
    pub(crate) unit: &'static str,
    /// A kind of information, or a choice of a list.
    pub(crate) label: &'static str,
    /// A sentence in a person's own words.
    pub(crate) said: &'static str,
    /// Another one, of work that is not care.
    pub(crate) work: &'static str,
}

/// As on most days.
pub(crate) const PLAIN: Voice = Voice {
    name: "an ordinary day",
    one: "Ana Ruiz",
    other: "Tomas Brandt",
    job: "RN, 4 West",
    unit: "4 West",
    label: "Vaccinations",
    said: "The patient was moved to my unit at 07:10 and the transfer is not yet in the system.",
    work: "Claim 0311 was denied for a missing diagnosis; the appeal is due on Friday.",
};

/// Other voices: what breaks a page if anything does.
pub(crate) const VOICES: [Voice; 4] = [
    PLAIN,
    Voice {
        name: "very long names",
        one: "Maria-Magdalena Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh Nakamura da Silva e Albuquerque",
        other: LONG,
        job: "Advanced practice registered nurse, cardiothoracic and vascular surgery step-down unit, night float pool",
        unit: LONG,
        label: LONG,
        said: "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft asked for it, and then asked again, and so that nothing is forgotten this sentence goes on for a while, as sentences do that are written at the end of a night shift.",
        work: LONG,
    },
    Voice {
        name: "right-to-left text",
        one: "ד״ר רות לוי",
        other: "مريم الخطيب",
        job: "רופאה, מחלקה 4",
        unit: "מחלקה 4 מערב",
        label: "חיסונים",
        said: "המטופלת הועברה אליי בשעה 07:10 והרישום עוד לא עודכן.",
        work: "התביעה נדחתה בגלל אבחנה חסרה.",
    },
    Voice {
        name: "hostile text",
        one: HOSTILE,
        other: HOSTILE,
        job: HOSTILE,
        unit: HOSTILE,
        label: HOSTILE,
        said: HOSTILE,
        work: HOSTILE,
    },
];

impl Voice {
    pub(crate) fn first(&self) -> Person {
        Person { href: "/people/0198c0de".to_owned(), name: self.one.to_owned(), job: self.job.to_owned() }
    }

    pub(crate) fn second(&self) -> Person {
        Person { href: "/people/0198c0df".to_owned(), name: self.other.to_owned(), job: self.job.to_owned() }
    }
}

/// The frame around a sample: a privacy officer, who may open everything.
pub(crate) fn officer(voice: &Voice, current: Option<Area>) -> Frame {
    use Area::{Charts, Disclosures, Emergency, Incidents, People, Proof, Requests, Reviews, Roles, Today};
    let areas = [
        (Today, 0),
        (Charts, 0),
        (People, 0),
        (Requests, 3),
        (Emergency, 17),
        (Reviews, 0),
        (Roles, 0),
        (Disclosures, 2),
        (Incidents, 0),
        (Proof, 0),
    ];
    Frame::inside(who(voice), &areas, current)
}

/// The frame around a sample: somebody of the workforce, who may open little.
pub(crate) fn worker(voice: &Voice, current: Option<Area>) -> Frame {
    Frame::inside(who(voice), &[(Area::Today, 0), (Area::Requests, 1)], current)
}

fn who(voice: &Voice) -> Who {
    Who {
        name: voice.other.to_owned(),
        job: voice.job.to_owned(),
        ends: when("2026-03-01T19:00:00Z", "19:00"),
        sign_out: "/sign-out".to_owned(),
        csrf: CSRF.to_owned(),
    }
}

/// A token, as the forms of the samples carry it.
pub(crate) const CSRF: &str = "c2FtcGxl";

pub(crate) fn when(iso: &str, words: &str) -> When {
    When { iso: iso.to_owned(), words: words.to_owned() }
}

pub(crate) fn coded(words: &str, code: &str) -> Coded {
    Coded { words: words.to_owned(), code: code.to_owned() }
}

/// Options of which the first one is chosen, or none.
pub(crate) fn pick(options: &[(&str, &str)], chosen: &str) -> Pick {
    let choice = |(value, label): &(&str, &str)| Choice {
        value: (*value).to_owned(),
        label: (*label).to_owned(),
        chosen: *value == chosen,
    };
    Pick { choices: options.iter().map(choice).collect(), ..Pick::default() }
}

pub(crate) fn typed(value: &str) -> Field {
    Field { value: value.to_owned(), ..Field::default() }
}

pub(crate) fn wrong(value: &str, error: &str) -> Field {
    Field { value: value.to_owned(), error: Some(error.to_owned()), ..Field::default() }
}

/// Every page and its samples.
pub(crate) fn pages() -> Vec<(&'static str, Vec<Sample>)> {
    use super::{
        access, auth, charts, deputies, door, emergency, exceptions, figures, guide, papers, people, plain, projects,
        requests, roles, search, systems, tasks, today,
    };
    vec![
        ("sign-in", auth::sign_in::samples()),
        ("enrol", auth::enrol::samples()),
        ("recovery-codes", auth::recovery_codes::samples()),
        ("step-up", auth::step_up::samples()),
        ("today", today::home::samples()),
        ("access", access::mine::samples()),
        ("access-unused", access::unused::samples()),
        ("deputies", deputies::mine::samples()),
        ("ask", requests::ask::samples()),
        ("requests", requests::list::samples()),
        ("request", requests::one::samples()),
        ("tasks", tasks::list::samples()),
        ("task", tasks::one::samples()),
        ("task-ask", tasks::ask::samples()),
        ("task-reads", tasks::reads::samples()),
        ("door", door::refused::samples()),
        ("door-find", door::find::samples()),
        ("emergency", emergency::list::samples()),
        ("emergency-case", emergency::one::samples()),
        ("figures", figures::samples()),
        ("guide", guide::samples()),
        ("emergency-tell", emergency::tell::samples()),
        ("charts", charts::ask::samples()),
        ("chart-history", charts::history::samples()),
        ("chart-report", charts::report::samples()),
        ("chart-reads", charts::reads::samples()),
        ("case", charts::case::samples()),
        ("case-letter", charts::letter::samples()),
        ("case-answer", charts::answer::samples()),
        ("papers", papers::list::samples()),
        ("case-papers", papers::one::samples()),
        ("projects", projects::list::samples()),
        ("project-ask", projects::ask::samples()),
        ("project", projects::one::samples()),
        ("search", search::samples()),
        ("people", people::list::samples()),
        ("findings", people::findings::samples()),
        ("person", people::person::samples()),
        ("roles", roles::list::samples()),
        ("role", roles::role::samples()),
        ("role-versions", roles::versions::samples()),
        ("role-version", roles::version::samples()),
        ("roles-fit", roles::fit::samples()),
        ("role-mapping", roles::mapping::samples()),
        ("exceptions", exceptions::list::samples()),
        ("uses", exceptions::uses::samples()),
        ("systems", systems::list::samples()),
        ("export", exceptions::export::samples()),
        ("confirm", plain::confirm::samples()),
        ("message", plain::message::samples()),
    ]
}

#[derive(Template)]
#[template(path = "sample-pages.html")]
struct Index {
    frame: Frame,
    pages: Vec<(&'static str, Vec<Sample>)>,
}

fn index() -> Index {
    Index { frame: Frame::new("Pages as samples", "Samples"), pages: pages() }
}

/// `GET /samples/pages`.
pub(super) async fn list() -> Response {
    page(StatusCode::OK, &index())
}

/// `GET /samples/{page}/{number}`, from 1.
pub(super) async fn one(Path((name, number)): Path<(String, usize)>) -> Response {
    let found = pages().into_iter().find(|(page, _)| *page == name);
    let sample = found.and_then(|(_, samples)| samples.into_iter().nth(number.checked_sub(1)?));
    match sample {
        Some(sample) => Html(sample.html).into_response(),
        None => ErrorPage::NOT_FOUND.into_response(),
    }
}
