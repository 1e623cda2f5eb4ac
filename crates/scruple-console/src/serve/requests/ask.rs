//! The form for access, and what comes of it.

use super::gaps::{self, Gaps};
use super::{
    Area, Form, HOUR, PRESETS, Signed, Site, broken, done, door, id, kinds, longer, not_done, page, shown, unknown,
    words,
};
use crate::pages::parts::Pick;
use crate::pages::requests::ask::{Ask as AskPage, Form as AskForm, Rule, Subject};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::{Ask, DeskError, Rules, open_projects};
use scruple_core::{Id, Phi, new_id};
use scruple_flow::{KindCode, Kinds, Person, ProjectError, RequestError, RequestTask, RoleCode};
use scruple_policy::{Act, ActScope, Pack};
use scruple_store::StoreError;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Whether somebody may ask for another: whoever may read of him.
fn may_ask_for(pack: &Pack, signed: &Signed, person: Id<Person>) -> bool {
    match pack.scope(Act::People, &signed.roles) {
        Some(ActScope::All) => true,
        Some(ActScope::Team) => signed.reports.contains(&person),
        Some(ActScope::Own) | None => false,
    }
}

/// `GET /ask`, for oneself or, with `subject`, for somebody else.
pub(in crate::serve) async fn ask(
    State(site): State<Arc<Site>>,
    signed: Signed,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let subject = query.strip_prefix("subject=").and_then(id::<Person>);
    asking(&site, &signed, &Typed { subject, ..Typed::default() }, StatusCode::OK, None).await
}

/// The form for one chart whose number was typed before: it stands in no address.
pub(in crate::serve) async fn ask_about(site: &Site, signed: &Signed, number: &str) -> Response {
    let typed = Typed { patients: "numbers".to_owned(), numbers: number.to_owned(), ..Typed::default() };
    asking(site, signed, &typed, StatusCode::OK, None).await
}

/// What was typed.
#[derive(Default)]
pub(super) struct Typed {
    /// It was sent: what it lacks is said.
    pub(super) sent: bool,
    pub(super) subject: Option<Id<Person>>,
    pub(super) role: String,
    pub(super) purpose: String,
    pub(super) patients: String,
    pub(super) numbers: String,
    pub(super) until: String,
    pub(super) reason: String,
    pub(super) ticket: String,
    pub(super) task: String,
    pub(super) kinds: BTreeSet<String>,
    /// The project that it is for, by id; empty: none.
    pub(super) project: String,
    /// The text that was read, by id.
    pub(super) acknowledged: String,
}

async fn asking(
    site: &Site,
    signed: &Signed,
    typed: &Typed,
    status: StatusCode,
    failed: Option<&DeskError>,
) -> Response {
    match build_ask(site, signed, typed, failed).await {
        Ok(Some(view)) => page(status, &view),
        Ok(None) => unknown(signed.frame(site, Some(Area::Requests))),
        Err(error) => {
            tracing::error!(error = %error, "nobody can ask");
            broken(signed.frame(site, Some(Area::Requests)))
        }
    }
}

async fn build_ask(
    site: &Site,
    signed: &Signed,
    typed: &Typed,
    failed: Option<&DeskError>,
) -> Result<Option<AskPage>, StoreError> {
    let pack = site.pack();
    let subject = match typed.subject {
        // Whoever may read of people may ask for them.
        Some(person) if !may_ask_for(&pack, signed, person) => return Ok(None),
        Some(person) => Some(Subject { id: person.to_string(), person: shown(site, person).await? }),
        None => None,
    };
    let mut roles: Vec<(String, String)> = vec![(String::new(), "Choose one".to_owned())];
    let code = |name: &str| name.parse::<RoleCode>().ok();
    let askable = pack.roles.values().filter(|role| !role.is_profile).filter_map(|role| code(&role.name));
    let offices = [scruple_policy::ADMINISTRATOR, scruple_policy::COUNSEL, scruple_policy::HUMAN_RESOURCES];
    for role in askable.chain(offices.into_iter().filter_map(code)) {
        let held = if subject.is_none() && signed.roles.contains(&role) { " (yours)" } else { "" };
        roles.push((role.to_string(), format!("{}{held}", words::role(&pack, &role))));
    }
    let gaps = if typed.sent { Gaps::of(typed) } else { Gaps::default() };
    // Who has one role alone means that one.
    let only = signed.roles.first().filter(|_| !typed.sent && subject.is_none() && signed.roles.len() == 1);
    let only = only.filter(|role| Rules::approval(&*pack, role, Some(&Kinds::Whole)).is_some());
    let chosen_role = only.map_or_else(|| typed.role.clone(), ToString::to_string);
    let mut purposes = vec![(String::new(), "those of the role".to_owned())];
    purposes.extend(
        pack.purposes
            .iter()
            .filter(|one| one.code != "BTG")
            .map(|one| (one.code.clone(), scruple_policy::purpose_coded(&one.code))),
    );
    let reason = match failed {
        Some(DeskError::Request(RequestError::Reason(weak))) => words::wrong(&typed.reason, words::weak(*weak)),
        _ => gaps.reason.map_or_else(|| words::field(&typed.reason), |said| words::wrong(&typed.reason, said)),
    };
    let numbers = match failed {
        Some(DeskError::RoleNotHeld) => words::wrong(&typed.numbers, &words::sentence(&DeskError::RoleNotHeld)),
        _ => gaps.numbers.map_or_else(|| words::field(&typed.numbers), |said| words::wrong(&typed.numbers, said)),
    };
    // For somebody else it is not told here which roles he holds.
    let all = pack.roles.values().filter(|role| subject.is_some() && !role.is_profile);
    let opening: BTreeSet<RoleCode> = if subject.is_some() {
        all.filter_map(|role| code(&role.name)).collect()
    } else {
        signed.roles.iter().cloned().collect()
    };
    let longest = longest(&pack, &opening, &roles);
    let presets = longest.presets();
    let mut until = words::pick(&presets, if typed.until.is_empty() { "shift" } else { &typed.until });
    if let Some(error @ DeskError::Request(RequestError::TooLong { .. } | RequestError::Over)) = failed {
        until.error = Some(words::sentence(error));
    }
    until.error = until.error.or_else(|| gaps.until.map(str::to_owned));
    let patients = [
        ("numbers", "These patients, in a role that is mine"),
        ("related", "Everyone to whom the role relates me: the role itself"),
    ];
    let chosen = if typed.patients.is_empty() { "numbers" } else { &typed.patients };
    let mut role = words::pick(&roles, &chosen_role).required();
    role.error = gaps.role.map(str::to_owned);
    if let Some(error @ DeskError::NotAllowed) = failed {
        role.error = Some(words::sentence(error));
    }
    let kinds_error = match failed {
        Some(
            error @ DeskError::Request(
                RequestError::NoKinds | RequestError::KindsNotOfRole | RequestError::KindsOfNobody,
            ),
        ) => Some(words::sentence(error)),
        _ => gaps.kinds.map(str::to_owned),
    };
    let mut task = kinds::tasks(&typed.task).required();
    task.error = gaps.task.map(str::to_owned);
    if let Some(error @ DeskError::Request(RequestError::NoTask)) = failed {
        task.error = Some(words::sentence(error));
    }
    Ok(Some(AskPage {
        frame: signed.frame(site, Some(Area::Requests)),
        csrf: signed.csrf.clone(),
        action: "/ask".to_owned(),
        subject,
        rule: Rule {
            sentences: vec![
                "Ask for the patients, the kinds of information and the time that the task needs, and no more."
                    .to_owned(),
                "Somebody else decides, and may leave less. It ends by itself.".to_owned(),
                "What is opened under it is recorded with your reason.".to_owned(),
            ],
            source: "45 CFR 164.502(b), 164.514(d)".to_owned(),
        },
        form: AskForm {
            failed: failed.map(words::sentence).or_else(|| {
                (!gaps.is_empty()).then(|| "Nothing was sent. What is missing is named at its place.".to_owned())
            }),
            role,
            kinds: kinds::groups(&pack, opening.iter(), &typed.kinds),
            kinds_error,
            purpose: words::pick(&purposes, &typed.purpose),
            patients: Pick { error: gaps.patients.map(str::to_owned), ..words::pick(&patients, chosen) },
            numbers,
            numbers_max: scruple_flow::limits::REQUEST_PATIENTS_MAX,
            until,
            from_at: words::field(""),
            until_at: words::field(""),
            longest: "what the policy allows".to_owned(),
            until_hint: longest.hint(),
            task,
            reason: reason.required(),
            ticket: words::field(&typed.ticket),
            project: project(site, typed, failed).await?,
            reading: longer::reading(
                &pack,
                &chosen_role,
                chosen == "numbers",
                &typed.acknowledged,
                !typed.role.is_empty(),
            ),
        },
    }))
}

/// The longest that is given, in hours.
#[derive(Clone, Copy)]
struct Longest {
    /// For the charts of single patients.
    charts: i64,
    /// For a role itself.
    roles: i64,
}

/// What the policy gives at most of what could be asked for: charts in one of these roles, or one of those.
fn longest(pack: &Pack, opening: &BTreeSet<RoleCode>, askable: &[(String, String)]) -> Longest {
    let hours = |role: &RoleCode, kinds: Option<&Kinds>| Rules::approval(pack, role, kinds).map(|rule| rule.hours_max);
    let roles = askable.iter().filter_map(|(code, _)| code.parse::<RoleCode>().ok());
    Longest {
        charts: opening.iter().filter_map(|role| hours(role, Some(&Kinds::Whole))).max().unwrap_or(0),
        roles: roles.filter_map(|role| hours(&role, None)).max().unwrap_or(0),
    }
}

impl Longest {
    /// The options of a time, without those that nobody is given.
    fn presets(self) -> Vec<(&'static str, String)> {
        let all = PRESETS.into_iter().chain([("month", "30 days", 30 * 24)]);
        let given = all.filter(|(.., hours)| *hours <= self.charts.max(self.roles));
        given
            .map(|(code, label, hours)| {
                let is_of_role = self.charts > 0 && hours > self.charts;
                (code, if is_of_role { format!("{label}, for a role alone") } else { label.to_owned() })
            })
            .collect()
    }

    fn hint(self) -> String {
        match self.charts {
            0 => String::new(),
            hours => format!("The charts of single patients: {} at most.", words::length(hours.saturating_mul(HOUR))),
        }
    }
}

/// The projects that it can be for.
async fn project(site: &Site, typed: &Typed, failed: Option<&DeskError>) -> Result<Pick, StoreError> {
    let open = open_projects(&site.parts.store, site.now()).await?;
    let open = open.into_iter().map(|one| (one.id.to_string(), one.assessment.title.into_inner()));
    let choices: Vec<(String, String)> = std::iter::once((String::new(), "none".to_owned())).chain(open).collect();
    let mut pick = words::pick(&choices, &typed.project);
    if let Some(error @ DeskError::Project(_)) = failed {
        pick.error = Some(words::sentence(error));
    }
    Ok(pick)
}

pub(in crate::serve) async fn submit(State(site): State<Arc<Site>>, signed: Signed, form: Form) -> Response {
    let typed = Typed {
        sent: true,
        subject: id(form.text("subject")),
        role: form.text("role").to_owned(),
        purpose: form.text("purpose").to_owned(),
        patients: form.text("patients").to_owned(),
        numbers: form.text("numbers").to_owned(),
        until: form.text("until").to_owned(),
        reason: form.text("reason").to_owned(),
        ticket: form.text("ticket").to_owned(),
        task: form.text("task").to_owned(),
        kinds: form.all("kind").map(str::to_owned).collect(),
        project: form.text("project").to_owned(),
        acknowledged: form.text("acknowledged").to_owned(),
    };
    let again = async |error: DeskError| {
        site.refused("/ask", error.code(), Some(signed.person())).await;
        asking(&site, &signed, &typed, StatusCode::UNPROCESSABLE_ENTITY, Some(&error)).await
    };
    if !Gaps::of(&typed).is_empty() {
        site.refused("/ask", "form_incomplete", Some(signed.person())).await;
        return asking(&site, &signed, &typed, StatusCode::UNPROCESSABLE_ENTITY, None).await;
    }
    let Ok(role) = typed.role.parse::<RoleCode>() else { return again(DeskError::NotAllowed).await };
    let is_of_patients = typed.patients == "numbers";
    let patients = match gaps::numbers(&typed.numbers) {
        Ok(patients) if is_of_patients => patients,
        _ => BTreeSet::new(),
    };
    let kinds = if !is_of_patients {
        None
    } else if typed.kinds.contains(kinds::WHOLE) {
        Some(Kinds::Whole)
    } else {
        let codes: Result<BTreeSet<KindCode>, _> = typed.kinds.iter().map(|code| code.parse()).collect();
        codes.ok().and_then(Kinds::named)
    };
    let hours = gaps::hours(&typed.until).unwrap_or(0);
    let ask = Ask {
        person: typed.subject,
        role,
        purpose: Some(typed.purpose.clone()).filter(|purpose| !purpose.is_empty()),
        patients: door::all_known(&site, patients).await,
        task: RequestTask::of(&typed.task),
        kinds,
        starts_at: None,
        ends_at: site.now().plus_micros(hours * HOUR),
        justification: Phi::new(typed.reason.clone()),
        ticket: Some(typed.ticket.clone()).filter(|ticket| !ticket.is_empty()),
        acknowledged: Some(typed.acknowledged.clone()).filter(|text| !text.is_empty()),
    };
    if typed.subject.is_some_and(|person| !may_ask_for(&site.pack(), &signed, person)) {
        return unknown(signed.frame(&site, Some(Area::Requests)));
    }
    let project = match typed.project.as_str() {
        "" => None,
        project => match id(project) {
            Some(project) => Some(project),
            None => return again(DeskError::Project(ProjectError::NotApproved)).await,
        },
    };
    let who = signed.who();
    let submitted = site
        .desk(async |desk| {
            let id = new_id(desk.clock.now(), desk.rng);
            desk.submit_for(who, id, ask, project).await
        })
        .await;
    match submitted {
        Ok(request) => done(&format!("/requests/{}", request.id), "asked"),
        Err(error @ DeskError::Store(_)) => not_done(&site, &signed, "/ask", &error).await,
        Err(error) => again(error).await,
    }
}
