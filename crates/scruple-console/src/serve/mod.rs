//! The pages of people who are signed in: who asks, what he may do here, forms, and the routes. What is decided and changed is
//! scruple-app's; here a request becomes a use case and its answer a page.

mod access;
mod auth;
mod charts;
mod deputies;
mod door;
mod emergency;
mod exceptions;
mod exports;
mod figures;
mod findings;
mod fit;
mod guide;
mod kinds;
mod papers;
mod people;
mod projects;
mod provider;
mod reads;
mod requests;
mod roles;
mod search;
mod systems;
mod task_ask;
mod tasks;
mod today;
mod unused;
mod uses;
mod versions;
mod words;

use crate::lens::Lens;
use crate::pages::parts::{Link, When};
use crate::pages::plain::message::Message;
use crate::pages::{self, Frame, Tone};
use crate::words::Area;
use askama::Template;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, response::Redirect};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_core::CryptoRng;
use scruple_app::charts::{IndexHandle, SampleRates};
use scruple_app::directory::{Directory, DirectoryError};
use scruple_app::limits::RECORDED_WAIT_MAX;
use scruple_app::policy::{ProvedPack, Unused};
use scruple_app::ports::IdentityProvider;
use scruple_app::{
    Desk, DeskError, Done, Door, DoorError, DoorKeys, DrainHandle, Roster, Rules as _, SignedIn, Viewer, Who,
    deputy_scope,
};
use scruple_core::{Clock, Id, Timestamp};
use scruple_flow::{Person, RoleCode};
use scruple_identity::session::SessionToken;
use scruple_policy::{Act, ActScope, Pack};
use scruple_release::Pipeline;
use scruple_store::{Position, ShardLease, Store, StoreError, find_person, open_grants, suspensions};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// The cookie of a session. The prefix binds it to this host, to TLS (or this machine) and to the whole site.
const COOKIE: &str = "__Host-scruple";
/// The cookie that binds forms before sign-in.
const FORM_COOKIE: &str = "__Host-scruple-form";
/// The cookie that keeps where somebody wanted to go before he signed in.
const TO_COOKIE: &str = "__Host-scruple-to";
/// How long that is kept.
const TO_SECONDS: u32 = 600;
/// Bytes of a form.
const FORM_BYTES_MAX: usize = 128 * 1024;

/// What the console is made of, beside the Lens.
pub struct SiteParts {
    /// The state.
    pub store: Store,
    /// The shard that the console writes on.
    pub lease: ShardLease,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from: a generator for each request.
    pub rng: fn() -> Box<dyn CryptoRng + Send>,
    /// The active policy, and the record of what is refused.
    pub pipeline: Arc<Pipeline>,
    /// Tells when events are in the ledger.
    pub drain: DrainHandle,
    /// Tells how far the index of accesses is.
    pub index: IndexHandle,
    /// Of signing in.
    pub keys: DoorKeys,
    /// The organisation's identity provider, if people sign in there.
    pub provider: Option<Arc<dyn IdentityProvider>>,
    /// The host by which people know the console, beside this machine's own names.
    pub host: String,
    /// Whom to call, as people say it.
    pub help: String,
    /// The folder of the ledger, over which drafts of the policy are replayed.
    pub ledger: PathBuf,
    /// How many accesses of a hundred are drawn to be looked at.
    pub sample: SampleRates,
    /// The policy is that of a folder of the configuration: no version of the database takes its place.
    pub policy_folder: bool,
}

/// The console.
pub(crate) struct Site {
    parts: SiteParts,
    /// Packs that pages compare, proved.
    packs: tokio::sync::Mutex<Vec<Arc<ProvedPack>>>,
    /// People by name.
    roster: Roster,
    /// What is measured of everybody, as it was last.
    measured: tokio::sync::Mutex<Option<Arc<fit::Measured>>>,
    /// What nobody used, as it was last looked up: that reads months of the ledger.
    unused: tokio::sync::Mutex<Option<(Timestamp, Arc<Unused>)>>,
}

impl Site {
    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    fn pack(&self) -> Arc<Pack> {
        Arc::clone(self.parts.pipeline.policy().pack())
    }

    /// Runs a use case of the desk, and waits until it is in the ledger.
    async fn desk<T>(
        &self,
        run: impl AsyncFnOnce(&mut Desk<'_>) -> Result<Done<T>, DeskError>,
    ) -> Result<T, DeskError> {
        let done = self.read(run).await?;
        self.recorded(Some(done.position)).await;
        Ok(done.now)
    }

    /// Runs several of them, of which the last event is told if there is one.
    async fn acts<T>(
        &self,
        run: impl AsyncFnOnce(&mut Desk<'_>) -> Result<(T, Option<Position>), DeskError>,
    ) -> Result<T, DeskError> {
        let (done, position) = self.read(run).await?;
        self.recorded(position).await;
        Ok(done)
    }

    /// Asks the desk for what somebody sees.
    async fn read<T>(&self, run: impl AsyncFnOnce(&mut Desk<'_>) -> Result<T, DeskError>) -> Result<T, DeskError> {
        let (pack, mut rng) = (self.pack(), (self.parts.rng)());
        let SiteParts { store, lease, clock, .. } = &self.parts;
        let mut desk = Desk { store, lease, clock: clock.as_ref(), rng: &mut *rng, rules: pack.as_ref() };
        run(&mut desk).await
    }

    /// Runs a use case of the directory, and waits until it is in the ledger.
    async fn directory(
        &self,
        by: Id<Person>,
        run: impl AsyncFnOnce(&mut Directory<'_>) -> Result<Option<Position>, DirectoryError>,
    ) -> Result<(), DirectoryError> {
        let mut rng = (self.parts.rng)();
        let SiteParts { store, lease, clock, .. } = &self.parts;
        let mut directory = Directory { store, lease, clock: clock.as_ref(), rng: &mut *rng, by };
        let position = run(&mut directory).await?;
        self.recorded(position).await;
        Ok(())
    }

    /// Runs a use case of the door.
    async fn door<T>(&self, run: impl AsyncFnOnce(&mut Door<'_>) -> Result<T, DoorError>) -> Result<T, DoorError> {
        let mut rng = (self.parts.rng)();
        let SiteParts { store, lease, clock, keys, .. } = &self.parts;
        let mut door = Door { store, lease, clock: clock.as_ref(), rng: &mut *rng, keys };
        run(&mut door).await
    }

    /// Waits a while until an event is in the ledger; it is committed in any case.
    async fn recorded(&self, position: Option<Position>) {
        if let Some(position) = position
            && self.parts.drain.wait_for(position, RECORDED_WAIT_MAX).await.is_err()
        {
            tracing::warn!("an event is committed and not yet in the ledger");
        }
    }

    /// Records that somebody looked. What tells of others is not shown where that cannot be recorded; a person's own pages and the
    /// doors to a chart are (care-continues).
    async fn viewed(&self, (route, path): (&str, &str), act: Act, person: Id<Person>) -> bool {
        // Ids alone: whatever else somebody has typed into an address is not kept.
        let shown: Vec<&str> = path.split('/').filter(|part| id::<Person>(part).is_some()).collect();
        let facts = [("route", route.to_owned()), ("shown", shown.join(" ")), ("person", person.to_string())];
        let is_own =
            matches!(act, Act::Access | Act::Ask | Act::Declare | Act::Emergency) && !TELLS_OF_OTHERS.contains(&route);
        self.parts.pipeline.note(self.now(), "console_viewed", &facts).await.is_ok() || is_own
    }

    /// Records that somebody was refused here. What cannot be recorded is logged.
    async fn refused(&self, route: &str, code: &'static str, person: Option<Id<Person>>) {
        let person = person.map_or_else(|| "nobody".to_owned(), |person| person.to_string());
        let facts = [("route", route.to_owned()), ("code", code.to_owned()), ("person", person)];
        if self.parts.pipeline.note(self.now(), "console_refused", &facts).await.is_err() {
            tracing::warn!(code, "a refusal is not recorded");
        }
    }
}

/// Pages that everybody may ask for, and that tell of others as far as one may know.
const TELLS_OF_OTHERS: [&str; 4] = ["/systems", "/search", "/projects", "/projects/{id}"];
/// Forms whose answer shows what a page shows: it is recorded that somebody looked, as of the page.
const LOOKS_BY_POST: [&str; 4] = ["/search", "/cases/{id}/papers", "/papers/{id}/release", "/cases/{id}/pack"];

/// What a route asks of whoever comes: nothing, a sign-in, or that the console lets him do something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asks {
    /// Anybody may come.
    Nothing,
    /// Whoever is signed in and may do this.
    Act(Act),
}

/// The routes: path, methods, what they ask. The router is made of nothing else, and the tests walk it.
pub(crate) const ROUTES: &[(&str, &str, Asks)] = &[
    ("GET", "/sign-in", Asks::Nothing),
    ("POST", "/sign-in", Asks::Nothing),
    ("POST", "/sign-in/code", Asks::Nothing),
    ("POST", "/sign-in/recovery", Asks::Nothing),
    ("POST", "/sign-in/passkey", Asks::Nothing),
    ("GET", "/sign-in/with/{device}", Asks::Nothing),
    ("GET", "/sign-in/back", Asks::Nothing),
    ("GET", "/enrol", Asks::Nothing),
    ("POST", "/enrol/code", Asks::Nothing),
    ("POST", "/enrol/passkey", Asks::Nothing),
    ("POST", "/enrol/done", Asks::Act(Act::Access)),
    ("GET", "/confirm", Asks::Act(Act::Access)),
    ("GET", "/confirm/with", Asks::Act(Act::Access)),
    ("POST", "/confirm/code", Asks::Act(Act::Access)),
    ("POST", "/confirm/passkey", Asks::Act(Act::Access)),
    ("POST", "/sign-out", Asks::Act(Act::Access)),
    ("GET", "/", Asks::Act(Act::Access)),
    ("GET", "/access", Asks::Act(Act::Access)),
    ("POST", "/access/session/{id}", Asks::Act(Act::Access)),
    ("POST", "/access/steps/{id}", Asks::Act(Act::Access)),
    ("POST", "/access/charts/{id}/protected", Asks::Act(Act::Emergency)),
    ("GET", "/access/unused/{id}", Asks::Act(Act::Access)),
    ("POST", "/access/unused/{id}", Asks::Act(Act::Access)),
    ("GET", "/access/end/{kind}/{id}", Asks::Act(Act::Access)),
    ("POST", "/access/end/{kind}/{id}", Asks::Act(Act::Access)),
    ("GET", "/guide", Asks::Act(Act::Access)),
    ("GET", "/deputies", Asks::Act(Act::Access)),
    ("POST", "/deputies", Asks::Act(Act::Access)),
    ("POST", "/deputies/{id}/accept", Asks::Act(Act::Access)),
    ("POST", "/deputies/{id}/end", Asks::Act(Act::Access)),
    ("GET", "/systems", Asks::Act(Act::Access)),
    ("POST", "/systems/{id}/read", Asks::Act(Act::Access)),
    ("POST", "/systems/drift/{id}/remove", Asks::Act(Act::Access)),
    ("POST", "/systems/drift/{id}/except", Asks::Act(Act::Access)),
    ("GET", "/ask", Asks::Act(Act::Ask)),
    ("POST", "/ask", Asks::Act(Act::Ask)),
    ("GET", "/requests", Asks::Act(Act::Ask)),
    ("GET", "/requests/figures", Asks::Act(Act::Requests)),
    ("GET", "/exceptions", Asks::Act(Act::Exceptions)),
    ("GET", "/reads/{kind}/{id}", Asks::Act(Act::Access)),
    ("GET", "/uses", Asks::Act(Act::Decide)),
    ("POST", "/uses/{id}", Asks::Act(Act::Decide)),
    ("GET", "/exceptions/export", Asks::Act(Act::Exceptions)),
    ("POST", "/exceptions/export", Asks::Act(Act::Exceptions)),
    ("GET", "/requests/{id}/export", Asks::Act(Act::Requests)),
    ("POST", "/requests/{id}/export", Asks::Act(Act::Requests)),
    ("GET", "/requests/{id}", Asks::Act(Act::Ask)),
    ("POST", "/requests/{id}/approve", Asks::Act(Act::Decide)),
    ("POST", "/requests/{id}/refuse", Asks::Act(Act::Decide)),
    ("GET", "/requests/{id}/withdraw", Asks::Act(Act::Ask)),
    ("POST", "/requests/{id}/withdraw", Asks::Act(Act::Ask)),
    ("GET", "/requests/{id}/end", Asks::Act(Act::Ask)),
    ("POST", "/requests/{id}/end", Asks::Act(Act::Ask)),
    ("GET", "/tasks", Asks::Act(Act::Ask)),
    ("GET", "/tasks/ask", Asks::Act(Act::Ask)),
    ("POST", "/tasks/ask", Asks::Act(Act::Ask)),
    ("GET", "/tasks/reads", Asks::Act(Act::Charts)),
    ("GET", "/tasks/{id}", Asks::Act(Act::Ask)),
    ("POST", "/tasks/{id}/approve", Asks::Act(Act::Decide)),
    ("POST", "/tasks/{id}/refuse", Asks::Act(Act::Decide)),
    ("POST", "/tasks/{id}/begin", Asks::Act(Act::Ask)),
    ("POST", "/tasks/{id}/close", Asks::Act(Act::Ask)),
    ("POST", "/tasks/{id}/recording", Asks::Act(Act::Ask)),
    ("POST", "/tasks/{id}/unmask", Asks::Act(Act::Ask)),
    ("POST", "/tasks/{id}/end", Asks::Act(Act::Ask)),
    ("POST", "/requests/{id}/extend", Asks::Act(Act::Ask)),
    ("GET", "/door", Asks::Act(Act::Ask)),
    ("POST", "/door", Asks::Act(Act::Ask)),
    ("POST", "/door/ask", Asks::Act(Act::Ask)),
    ("POST", "/door/care", Asks::Act(Act::Declare)),
    ("POST", "/door/emergency", Asks::Act(Act::Emergency)),
    ("GET", "/emergency", Asks::Act(Act::Reviews)),
    ("GET", "/emergency/figures", Asks::Act(Act::Reviews)),
    ("POST", "/emergency/alike", Asks::Act(Act::Reviews)),
    ("GET", "/emergency/{id}", Asks::Act(Act::Reviews)),
    ("POST", "/emergency/{id}/decide", Asks::Act(Act::Reviews)),
    ("GET", "/emergency/{id}/tell", Asks::Act(Act::Emergency)),
    ("POST", "/emergency/{id}/tell", Asks::Act(Act::Emergency)),
    ("GET", "/charts", Asks::Act(Act::Charts)),
    ("POST", "/charts", Asks::Act(Act::Charts)),
    ("GET", "/charts/{id}", Asks::Act(Act::Charts)),
    ("GET", "/charts/{id}/export", Asks::Act(Act::Charts)),
    ("GET", "/charts/{id}/report", Asks::Act(Act::Charts)),
    ("POST", "/charts/{id}/case", Asks::Act(Act::Charts)),
    ("GET", "/cases/{id}", Asks::Act(Act::Charts)),
    ("POST", "/cases/{id}/ask", Asks::Act(Act::Charts)),
    ("POST", "/cases/{id}/decide", Asks::Act(Act::Charts)),
    ("GET", "/cases/{id}/letter", Asks::Act(Act::Charts)),
    ("GET", "/cases/{id}/letter.txt", Asks::Act(Act::Charts)),
    ("POST", "/cases/{id}/letter", Asks::Act(Act::Charts)),
    ("GET", "/cases/{id}/answer", Asks::Act(Act::Access)),
    ("POST", "/cases/{id}/answer", Asks::Act(Act::Access)),
    ("GET", "/papers", Asks::Act(Act::Papers)),
    ("POST", "/papers/{id}/wall", Asks::Act(Act::Papers)),
    ("POST", "/papers/{id}/release", Asks::Act(Act::Papers)),
    ("GET", "/cases/{id}/papers", Asks::Act(Act::Papers)),
    ("POST", "/cases/{id}/papers", Asks::Act(Act::Papers)),
    ("POST", "/cases/{id}/pack", Asks::Act(Act::Charts)),
    ("GET", "/projects", Asks::Act(Act::Ask)),
    ("GET", "/projects/new", Asks::Act(Act::Ask)),
    ("POST", "/projects/new", Asks::Act(Act::Ask)),
    ("GET", "/projects/{id}", Asks::Act(Act::Ask)),
    ("POST", "/projects/{id}/decide", Asks::Act(Act::Assess)),
    ("POST", "/projects/{id}/withdraw", Asks::Act(Act::Ask)),
    ("POST", "/projects/{id}/end", Asks::Act(Act::Ask)),
    ("GET", "/search", Asks::Act(Act::Access)),
    ("POST", "/search", Asks::Act(Act::Access)),
    ("GET", "/people", Asks::Act(Act::People)),
    ("GET", "/people/findings", Asks::Act(Act::People)),
    ("GET", "/people/{id}/leave", Asks::Act(Act::EndAccess)),
    ("POST", "/people/{id}/leave", Asks::Act(Act::EndAccess)),
    ("GET", "/people/{id}", Asks::Act(Act::People)),
    ("POST", "/people/{id}/enrol", Asks::Act(Act::Admit)),
    ("POST", "/people/{id}/sessions", Asks::Act(Act::EndAccess)),
    ("GET", "/people/{id}/end/{kind}/{right}", Asks::Act(Act::EndAccess)),
    ("POST", "/people/{id}/end/{kind}/{right}", Asks::Act(Act::EndAccess)),
    ("GET", "/roles", Asks::Act(Act::Roles)),
    ("GET", "/roles/{role}", Asks::Act(Act::Roles)),
    ("GET", "/roles/fit", Asks::Act(Act::Roles)),
    ("POST", "/roles/fit/draft", Asks::Act(Act::Propose)),
    ("POST", "/roles/organisation", Asks::Act(Act::Propose)),
    ("GET", "/roles/mappings/{id}", Asks::Act(Act::Roles)),
    ("POST", "/roles/mappings/{id}", Asks::Act(Act::Propose)),
    ("GET", "/roles/versions", Asks::Act(Act::Roles)),
    ("GET", "/roles/versions/{id}", Asks::Act(Act::Roles)),
    ("POST", "/roles/versions/{id}/propose", Asks::Act(Act::Propose)),
    ("POST", "/roles/versions/{id}/withdraw", Asks::Act(Act::Propose)),
    ("POST", "/roles/versions/{id}/back", Asks::Act(Act::Propose)),
    ("POST", "/roles/versions/{id}/approve", Asks::Act(Act::Publish)),
    ("POST", "/roles/versions/{id}/refuse", Asks::Act(Act::Publish)),
    ("POST", "/roles/versions/{id}/activate", Asks::Act(Act::Publish)),
];

/// Every route of the pages of people: method, path, and what somebody must be allowed to do for it; none: anybody may come. For
/// tests, which walk all of them.
#[doc(hidden)]
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str, Option<Act>)> {
    ROUTES.iter().map(|(method, path, asks)| match asks {
        Asks::Nothing => (*method, *path, None),
        Asks::Act(act) => (*method, *path, Some(*act)),
    })
}

/// The console: the pages of people, and the Lens at `/lens`. `beside`: what else is served at its address, such as SCIM.
pub fn console(parts: SiteParts, lens: Arc<dyn Lens>, beside: Option<Router>) -> Router {
    let host = parts.host.clone();
    let (packs, measured, unused) =
        (tokio::sync::Mutex::default(), tokio::sync::Mutex::default(), tokio::sync::Mutex::default());
    let site = Arc::new(Site { parts, packs, roster: Roster::default(), measured, unused });
    let routes = Router::new()
        .route("/sign-in", get(auth::sign_in).post(auth::begin))
        .route("/sign-in/code", post(auth::code))
        .route("/sign-in/recovery", post(auth::recovery))
        .route("/sign-in/passkey", post(auth::passkey))
        .route("/sign-in/with/{device}", get(provider::sign_in))
        .route("/sign-in/back", get(provider::back))
        .route("/enrol", get(auth::enrol))
        .route("/enrol/code", post(auth::enrol_code))
        .route("/enrol/passkey", post(auth::enrol_passkey))
        .route("/enrol/done", post(auth::enrol_done))
        .route("/confirm", get(auth::confirm))
        .route("/confirm/with", get(provider::confirm))
        .route("/confirm/code", post(auth::confirm_code))
        .route("/confirm/passkey", post(auth::confirm_passkey))
        .route("/sign-out", post(auth::sign_out))
        .route("/", get(today::show))
        .route("/access", get(access::show))
        .route("/access/session/{id}", post(access::end_session))
        .route("/access/steps/{id}", post(access::acknowledge))
        .route("/access/unused/{id}", get(unused::show).post(unused::say))
        .route("/access/charts/{id}/protected", post(access::confirm_protected))
        .route("/access/end/{kind}/{id}", get(access::confirm_end).post(access::end))
        .route("/papers", get(papers::list))
        .route("/papers/{id}/wall", post(papers::wall))
        .route("/papers/{id}/release", post(papers::release))
        .route("/cases/{id}/papers", get(papers::one).post(papers::write))
        .route("/cases/{id}/pack", post(papers::pack))
        .route("/projects", get(projects::list))
        .route("/projects/new", get(projects::ask).post(projects::submit))
        .route("/projects/{id}", get(projects::one))
        .route("/projects/{id}/decide", post(projects::decide))
        .route("/projects/{id}/withdraw", post(projects::withdraw))
        .route("/projects/{id}/end", post(projects::end))
        .route("/search", get(search::ask).post(search::find))
        .route("/people/findings", get(findings::show))
        .route("/people/{id}/leave", get(people::confirm_leave).post(people::leave))
        .route("/guide", get(guide::show))
        .route("/ask", get(requests::ask).post(requests::submit))
        .route("/requests", get(requests::list))
        .route("/requests/figures", get(figures::of_requests))
        .route("/exceptions", get(exceptions::list))
        .route("/reads/{kind}/{id}", get(charts::reads))
        .route("/uses", get(uses::list))
        .route("/uses/{id}", post(uses::close))
        .route("/requests/{id}", get(requests::one))
        .route("/requests/{id}/approve", post(requests::approve))
        .route("/requests/{id}/refuse", post(requests::refuse))
        .route("/requests/{id}/extend", post(requests::extend))
        .route("/requests/{id}/export", get(requests::confirm_export).post(requests::export))
        .route("/exceptions/export", get(exceptions::confirm_export).post(exceptions::export))
        .route("/deputies", get(deputies::show).post(deputies::name))
        .route("/deputies/{id}/accept", post(deputies::accept))
        .route("/deputies/{id}/end", post(deputies::end))
        .route("/requests/{id}/withdraw", get(requests::confirm_withdraw).post(requests::withdraw))
        .route("/requests/{id}/end", get(requests::confirm_end).post(requests::end))
        .route("/tasks", get(tasks::list))
        .route("/tasks/ask", get(task_ask::ask).post(task_ask::submit))
        .route("/tasks/reads", get(reads::list))
        .route("/tasks/{id}", get(tasks::one))
        .route("/tasks/{id}/approve", post(tasks::approve))
        .route("/tasks/{id}/refuse", post(tasks::refuse))
        .route("/tasks/{id}/begin", post(tasks::begin))
        .route("/tasks/{id}/close", post(tasks::close))
        .route("/tasks/{id}/recording", post(tasks::record))
        .route("/tasks/{id}/unmask", post(tasks::unmask))
        .route("/tasks/{id}/end", post(tasks::end))
        .route("/door", get(door::find).post(door::show))
        .route("/door/ask", post(door::ask))
        .route("/door/care", post(door::care))
        .route("/door/emergency", post(door::emergency))
        .route("/emergency", get(emergency::list))
        .route("/emergency/figures", get(figures::of_emergencies))
        .route("/emergency/alike", post(emergency::alike))
        .route("/emergency/{id}", get(emergency::one))
        .route("/emergency/{id}/decide", post(emergency::decide))
        .route("/emergency/{id}/tell", get(emergency::telling).post(emergency::tell))
        .route("/charts", get(charts::ask).post(charts::submit))
        .route("/charts/{id}", get(charts::history))
        .route("/charts/{id}/export", get(charts::export))
        .route("/charts/{id}/report", get(charts::report))
        .route("/charts/{id}/case", post(charts::open))
        .route("/cases/{id}", get(charts::case))
        .route("/cases/{id}/ask", post(charts::ask_reader))
        .route("/cases/{id}/decide", post(charts::decide))
        .route("/cases/{id}/letter", get(charts::letter_page).post(charts::letter))
        .route("/cases/{id}/letter.txt", get(charts::letter_text))
        .route("/cases/{id}/answer", get(charts::answering).post(charts::answer))
        .route("/people", get(people::list))
        .route("/people/{id}", get(people::one))
        .route("/people/{id}/enrol", post(people::enrol))
        .route("/people/{id}/sessions", post(people::end_sessions))
        .route("/people/{id}/end/{kind}/{right}", get(people::confirm_end).post(people::end))
        .route("/roles", get(roles::list))
        .route("/roles/{role}", get(roles::one))
        .route("/roles/fit", get(fit::show))
        .route("/roles/fit/draft", post(fit::draft))
        .route("/systems", get(systems::list))
        .route("/systems/{id}/read", post(systems::read))
        .route("/systems/drift/{id}/remove", post(systems::remove))
        .route("/systems/drift/{id}/except", post(systems::except))
        .route("/roles/organisation", post(fit::organisation))
        .route("/roles/mappings/{id}", get(fit::mapping).post(fit::close))
        .route("/roles/versions", get(versions::list))
        .route("/roles/versions/{id}", get(versions::one))
        .route("/roles/versions/{id}/propose", post(versions::propose))
        .route("/roles/versions/{id}/withdraw", post(versions::withdraw))
        .route("/roles/versions/{id}/back", post(versions::back))
        .route("/roles/versions/{id}/approve", post(versions::approve))
        .route("/roles/versions/{id}/refuse", post(versions::refuse))
        .route("/roles/versions/{id}/activate", post(versions::activate))
        .layer(from_fn_with_state(Arc::clone(&site), gate))
        .with_state(site);
    let routes = routes.merge(pages::lens_routes(lens));
    pages::shared(routes.merge(beside.unwrap_or_default()), Some(host))
}

/// Somebody who is signed in, and may do what the route asks.
#[derive(Clone)]
pub(crate) struct Signed {
    pub(crate) session: SignedIn,
    pub(crate) name: String,
    pub(crate) roles: BTreeSet<RoleCode>,
    pub(crate) csrf: String,
    /// How far he may go with the act of the route.
    pub(crate) scope: ActScope,
    /// Those whose line manager he is.
    pub(crate) reports: BTreeSet<Id<Person>>,
    /// What he may read and decide of requests.
    pub(crate) viewer: Viewer,
}

impl Signed {
    pub(crate) const fn person(&self) -> Id<Person> {
        self.session.person
    }

    pub(crate) const fn who(&self) -> Who {
        Who { person: self.session.person, stepped_up: self.session.stepped_up }
    }

    /// Whether the console lets him do something.
    pub(crate) fn may(&self, pack: &Pack, act: Act) -> bool {
        pack.scope(act, &self.roles).is_some()
    }

    /// The same, in his own place or in that of somebody for whom he stands in.
    pub(crate) fn may_or_stands_in(&self, pack: &Pack, act: Act) -> bool {
        self.may(pack, act) || self.viewer.stands_in(pack, act)
    }

    /// The frame of a page of his.
    fn frame(&self, site: &Site, current: Option<Area>) -> Frame {
        let pack = site.pack();
        let areas = [
            (Area::Today, Act::Access),
            (Area::Charts, Act::Charts),
            (Area::People, Act::People),
            (Area::Requests, Act::Ask),
            (Area::Emergency, Act::Reviews),
            (Area::Roles, Act::Roles),
            (Area::Papers, Act::Papers),
        ];
        let open = areas.into_iter().filter(|(_, act)| self.may_or_stands_in(&pack, *act)).map(|(area, _)| (area, 0));
        let labels = self.roles.iter().map(|role| words::role(&pack, role));
        let who = pages::Who {
            name: self.name.clone(),
            job: labels.collect::<Vec<_>>().join(", "),
            ends: words::when(self.session.until),
            sign_out: "/sign-out".to_owned(),
            csrf: self.csrf.clone(),
        };
        Frame::inside(who, &open.collect::<Vec<_>>(), current)
    }
}

impl FromRequestParts<Arc<Site>> for Signed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Site>) -> Result<Self, Response> {
        // The gate has put it there, or has answered itself.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }
}

/// Lets through who may come: by the table of routes. What is in no row is not there.
async fn gate(State(site): State<Arc<Site>>, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<axum::extract::MatchedPath>().map(|path| path.as_str().to_owned());
    let method = if request.method() == Method::HEAD { "GET" } else { request.method().as_str() };
    let asks = ROUTES.iter().find(|(known, path, _)| *known == method && route.as_deref() == Some(*path));
    let Some((_, path, asks)) = asks else { return next.run(request).await };
    let Asks::Act(act) = asks else { return next.run(request).await };
    let token = cookie(request.headers(), COOKIE);
    let signed = match &token {
        Some(token) => signed(&site, token, *act).await,
        None => Err(Refusal::NotSignedIn),
    };
    match signed {
        Ok(signed) => {
            let is_look = method == "GET" || LOOKS_BY_POST.contains(path);
            if is_look && !site.viewed((path, request.uri().path()), *act, signed.person()).await {
                return message(
                    StatusCode::SERVICE_UNAVAILABLE,
                    signed.frame(&site, None),
                    "Nothing is shown now",
                    &["The ledger does not record, and what is not recorded is not shown. Try again in a moment."],
                    &[("/", "Today")],
                );
            }
            request.extensions_mut().insert(signed);
            next.run(request).await
        }
        Err(refusal) => {
            let wanted = (request.method() == Method::GET).then(|| request.uri().path());
            refusal.answer(&site, path, wanted).await
        }
    }
}

/// Why somebody does not get to a page.
enum Refusal {
    NotSignedIn,
    Forbidden(Box<Signed>),
    Failed,
}

impl Refusal {
    /// `wanted`: the page that was asked for; none: something was sent.
    async fn answer(self, site: &Site, route: &str, wanted: Option<&str>) -> Response {
        match self {
            Self::NotSignedIn => {
                site.refused(route, "not_signed_in", None).await;
                let mut answer = if let Some(wanted) = wanted {
                    auth::with_cookie(Redirect::to("/sign-in").into_response(), auth::to(wanted))
                } else {
                    message(
                        StatusCode::UNAUTHORIZED,
                        Frame::outside(),
                        "You are signed out",
                        &["Nothing was changed. Sign in again, and do it once more."],
                        &[("/sign-in", "Sign in")],
                    )
                };
                answer.headers_mut().append(header::SET_COOKIE, forgotten());
                answer
            }
            Self::Forbidden(signed) => {
                site.refused(route, "act_not_permitted", Some(signed.person())).await;
                message(
                    StatusCode::FORBIDDEN,
                    signed.frame(site, None),
                    "This page is not for your work",
                    &[
                        "What each role may do here stands in the policy. Nothing was changed.",
                        "If your work needs it, ask for the role.",
                    ],
                    &[("/", "Today"), ("/ask", "Ask for access")],
                )
            }
            Self::Failed => broken(Frame::outside()),
        }
    }
}

async fn signed(site: &Site, token: &str, act: Act) -> Result<Signed, Refusal> {
    let csrf = csrf_of(token);
    let token = SessionToken::parse(token).ok_or(Refusal::NotSignedIn)?;
    let session = site.door(async |door| door.session(&token).await).await.map_err(|error| match error {
        DoorError::Over => Refusal::NotSignedIn,
        error => {
            tracing::error!(error = %error, "a session cannot be read");
            Refusal::Failed
        }
    })?;
    let failed = |error: &dyn std::error::Error| {
        tracing::error!(error = %error, "a person cannot be read");
        Refusal::Failed
    };
    let (person, now, pack) = (session.person, site.now(), site.pack());
    let loaded = load(site, person).await.map_err(|error| failed(&error))?;
    let (name, roles) = loaded.ok_or(Refusal::NotSignedIn)?;
    let viewer = Viewer::load(&site.parts.store, (person, roles.clone()), now).await.map_err(|error| failed(&error))?;
    let scope = match pack.scope(act, &roles) {
        // A deputy comes in the place of another: what he may do there the desk judges at the decision.
        None => {
            let other = deputy_scope(&site.parts.store, &*pack, (person, act), now).await;
            other.map_err(|error| failed(&error))?
        }
        scope => scope,
    };
    let (scope_or_own, reports) = (scope.unwrap_or(ActScope::Own), viewer.reports().clone());
    let signed = Signed { session, name, roles, csrf, scope: scope_or_own, reports, viewer };
    if scope.is_some() { Ok(signed) } else { Err(Refusal::Forbidden(Box::new(signed))) }
}

/// Name, and roles that are held now.
type Loaded = (String, BTreeSet<RoleCode>);

async fn load(site: &Site, person: Id<Person>) -> Result<Option<Loaded>, StoreError> {
    let now = site.now();
    let mut tx = site.parts.store.begin_read().await?;
    let Some(found) = find_person(&mut tx, person).await? else { return Ok(None) };
    // relies on (leave-suspends), (idle-ends), (system-owned)
    let is_away = suspensions(&mut tx, person, now).await?.iter().any(|one| one.contains(now));
    let held = open_grants(&mut tx, person, now).await?.into_iter().filter(|_| !is_away);
    let roles = held.filter(|grant| grant.window.contains(now)).map(|grant| grant.role).collect();
    Ok(Some((found.name.into_inner(), roles)))
}

/// A form that has the token of its page: nobody else's page can send one.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// The first value of a field, without the space around it.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }

    /// The version of what its page showed; one that nothing has where it says none.
    pub(crate) fn version(&self) -> i64 {
        self.text("version").parse().unwrap_or(0)
    }

    /// All values of a field.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl FromRequest<Arc<Site>> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Response> {
        let headers = request.headers().clone();
        let person = request.extensions().get::<Signed>().map(Signed::person);
        let route = request.extensions().get::<axum::extract::MatchedPath>().map(|path| path.as_str().to_owned());
        let bytes = Bytes::from_request(request, site).await.unwrap_or_default();
        let pairs = std::str::from_utf8(&bytes).ok().filter(|text| text.len() <= FORM_BYTES_MAX);
        let form = Self(pairs.and_then(scruple_fhir::search::decode_pairs).unwrap_or_default());
        let expected = cookie(&headers, COOKIE).or_else(|| cookie(&headers, FORM_COOKIE)).map(|token| csrf_of(&token));
        let given = form.text("csrf");
        let is_same =
            expected.is_some_and(|expected| verify_slices_are_equal(expected.as_bytes(), given.as_bytes()).is_ok());
        if is_same {
            return Ok(form);
        }
        site.refused(&route.unwrap_or_default(), "form_not_of_this_site", person).await;
        Err(message(
            StatusCode::FORBIDDEN,
            Frame::outside(),
            "This form is too old",
            &["Nothing was changed. Go back, load the page anew, and send it again."],
            &[("/", "Today")],
        ))
    }
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = all.flat_map(|value| value.split(';')).filter_map(|one| one.trim().split_once('='));
    found.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

fn csrf_of(token: &str) -> String {
    let text = format!("scruple form {token}");
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

fn kept(name: &str, value: &str) -> HeaderValue {
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn forgotten() -> HeaderValue {
    HeaderValue::from_static("__Host-scruple=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

/// The token of forms before sign-in, and the cookie that it comes of, if the browser has none yet.
fn form_token(site: &Site, headers: &HeaderMap) -> (String, Option<HeaderValue>) {
    if let Some(known) = cookie(headers, FORM_COOKIE) {
        return (csrf_of(&known), None);
    }
    let token = SessionToken::generate(&mut *(site.parts.rng)());
    let text = token.expose();
    (csrf_of(&text), Some(kept(FORM_COOKIE, &text)))
}

fn page(status: StatusCode, view: &impl Template) -> Response {
    pages::page(status, view)
}

fn message(status: StatusCode, frame: Frame, heading: &str, sentences: &[&str], next: &[(&str, &str)]) -> Response {
    let view = Message {
        frame,
        heading: heading.to_owned(),
        sentences: sentences.iter().map(|sentence| (*sentence).to_owned()).collect(),
        next: next.iter().map(|(href, label)| Link { href: (*href).to_owned(), label: (*label).to_owned() }).collect(),
    };
    page(status, &view)
}

fn broken(frame: Frame) -> Response {
    message(
        StatusCode::INTERNAL_SERVER_ERROR,
        frame,
        "This does not work now",
        &["Something broke, and nothing was changed. Try again; if it lasts, call whoever runs Scruple."],
        &[("/", "Today")],
    )
}

fn unknown(frame: Frame) -> Response {
    message(
        StatusCode::NOT_FOUND,
        frame,
        "There is no such thing here",
        &["It is not there, or it is not yours to see."],
        &[("/", "Today")],
    )
}

/// An id in an address; what is none is answered like one that is not there.
fn id<T>(text: &str) -> Option<Id<T>> {
    Id::from_str(text).ok()
}

/// What a use case of the desk refuses, as a page.
async fn not_done(site: &Site, signed: &Signed, route: &str, error: &DeskError) -> Response {
    if let DeskError::Store(source) = error {
        tracing::error!(error = %source, "a use case failed");
        return broken(signed.frame(site, None));
    }
    site.refused(route, error.code(), Some(signed.person())).await;
    if matches!(error, DeskError::Unknown) {
        return unknown(signed.frame(site, None));
    }
    let status = match error {
        DeskError::Changed => StatusCode::CONFLICT,
        DeskError::Gone => StatusCode::UNAUTHORIZED,
        DeskError::Forbidden | DeskError::NotAllowed | DeskError::RoleNotHeld => StatusCode::FORBIDDEN,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    message(status, signed.frame(site, None), "Nothing was changed", &[&words::sentence(error)], &[("/", "Today")])
}

/// Back to a page, with what was done.
fn done(path: &str, sentence: &'static str) -> Response {
    let at = if path.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{path}{at}done={sentence}")).into_response()
}

/// The sentence of an act that has just been done, by the code in the address.
fn with_done(frame: Frame, query: &str) -> Frame {
    let code = query.split('&').find_map(|pair| pair.strip_prefix("done="));
    match code.and_then(words::done) {
        Some(sentence) => frame.with_flash(Tone::Good, sentence),
        None => frame,
    }
}

fn when(at: Timestamp) -> When {
    words::when(at)
}
