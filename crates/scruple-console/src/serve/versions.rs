//! `/roles/versions`: versions of the policy, and what is done with them.

use super::auth::to_confirm;
use super::roles::{direction, term};
use super::{Form, Signed, Site, broken, done, id, message, not_done, page, people, unknown, when, with_done, words};
use crate::pages::parts::{Field, Happened, Person as Shown};
use crate::pages::roles::version::{Acts, Replayed, ReplayedRole, VersionPage};
use crate::pages::roles::versions::{VersionRow, Versions};
use crate::words::{Area, Mark};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::DeskError;
use scruple_app::policy::{
    ContentError, KnownPacks, ProvedPack, Replay, ReplayNumbers, Replayer, made_case, read_accesses, stored_pack,
};
use scruple_core::{Id, PackHash, Phi, Timestamp};
use scruple_flow::{PackCase, PackError, PackOrigin, PackState, PackVersion, Person};
use scruple_policy::{Act, compare};
use scruple_store::limits::PAGE_ROWS_MAX;
use scruple_store::{StoreError, active_pack_as_of, find_pack, list_packs};
use std::sync::Arc;

/// Packs that are kept proved.
const PROVED_MAX: usize = 8;
/// Days of recorded accesses that a proposal is replayed over.
const REPLAY_DAYS: i64 = 30;

const BY_FOLDER: &str =
    "This node decides by the folder of its configuration (policy.dir): the policy is changed there.";

/// Why a pack, or a replay of it, is not had.
#[derive(Debug, thiserror::Error)]
pub(super) enum PackTrouble {
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error("the recorded accesses cannot be read")]
    Ledger(#[from] scruple_app::policy::RecordingsError),
    #[error("the work on it has ended before its time")]
    Ended,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A stored pack, proved; the last few are kept.
pub(super) async fn proved(site: &Site, hash: PackHash) -> Result<Arc<ProvedPack>, PackTrouble> {
    let mut kept = site.packs.lock().await;
    if let Some(known) = kept.iter().find(|pack| pack.hash() == hash) {
        return Ok(Arc::clone(known));
    }
    let files = stored_pack(&site.parts.store, hash).await?;
    let now = site.now();
    let proving = tokio::task::spawn_blocking(move || ProvedPack::prove(files, now)).await;
    let pack = Arc::new(proving.map_err(|_| PackTrouble::Ended)?.map_err(ContentError::from)?);
    if kept.len() >= PROVED_MAX {
        kept.remove(0);
    }
    kept.push(Arc::clone(&pack));
    Ok(pack)
}

/// All versions, oldest first.
pub(super) async fn versions_of(site: &Site) -> Result<Vec<PackVersion>, StoreError> {
    let mut tx = site.parts.store.begin_read().await?;
    let mut all: Vec<PackVersion> = Vec::new();
    loop {
        let page = list_packs(&mut tx, all.last().map(|last| last.id), PAGE_ROWS_MAX).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// The packs by which was decided since an instant, as far as this release can prove them.
pub(super) async fn known(site: &Site, since: Timestamp) -> Result<KnownPacks, PackTrouble> {
    let mut known = KnownPacks::default();
    for version in versions_of(site).await? {
        let counts = match &version.state {
            PackState::Active(_) => true,
            PackState::Superseded { until, .. } => *until > since,
            _ => false,
        };
        if counts && let Ok(pack) = proved(site, version.hash).await {
            known = known.with(pack);
        }
    }
    Ok(known)
}

/// Replays a draft over the last days.
async fn replay(site: &Site, draft: &Arc<ProvedPack>) -> Result<Replay, PackTrouble> {
    let now = site.now();
    let period = (now.plus_micros(-REPLAY_DAYS * words::DAY), now.plus_micros(1));
    let known = known(site, period.0).await?;
    let (draft, dir) = (Arc::clone(draft), site.parts.ledger.clone());
    let replayed = tokio::task::spawn_blocking(move || {
        let mut replayer = Replayer::new(draft, known, period);
        let unread = read_accesses(&dir, period, &mut |access| replayer.take(access))?;
        Ok::<_, PackTrouble>(replayer.finish(unread))
    });
    replayed.await.map_err(|_| PackTrouble::Ended)?
}

/// The name of somebody; of nobody, the node's.
pub(super) async fn name(site: &Site, person: Option<Id<Person>>) -> Result<String, StoreError> {
    let Some(person) = person else { return Ok("This node".to_owned()) };
    people::name(&mut site.parts.store.begin_read().await?, person).await
}

const fn mark(state: &PackState) -> Mark {
    match state {
        PackState::Draft | PackState::Checked { .. } => Mark::wait("Draft"),
        PackState::Proposed(_) => Mark::wait("Waits for a second person"),
        PackState::Approved(..) => Mark::wait("Approved, not active"),
        PackState::Refused { .. } => Mark::bad("Refused"),
        PackState::Withdrawn { .. } => Mark::over("Withdrawn"),
        PackState::Active(_) => Mark::good("Active"),
        PackState::Superseded { .. } => Mark::over("Superseded"),
    }
}

fn short(hash: PackHash) -> String {
    hash.to_string().chars().take(12).collect()
}

pub(super) async fn list(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    match build_list(&site, &signed, &query.unwrap_or_default()).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "versions cannot be listed");
            broken(signed.frame(&site, Some(Area::Roles)))
        }
    }
}

async fn build_list(site: &Site, signed: &Signed, query: &str) -> Result<Versions, StoreError> {
    let mut rows = Vec::new();
    for version in versions_of(site).await?.iter().rev() {
        let (drafted, origin) = match version.origin {
            PackOrigin::Person(by) => {
                let name = name(site, Some(by)).await?;
                (Some(Shown { href: String::new(), name, job: String::new() }), "drafted")
            }
            PackOrigin::Shipped => (None, "shipped with Scruple"),
            PackOrigin::Folder => (None, "found in the folder of the configuration"),
        };
        let until = if let PackState::Superseded { until, .. } = &version.state { Some(when(*until)) } else { None };
        rows.push(VersionRow {
            href: format!("/roles/versions/{}", version.id),
            hash: short(version.hash),
            state: mark(&version.state),
            drafted,
            origin,
            at: when(version.drafted_at),
            from: term(version).map(|term| when(term.since)),
            until,
            rationale: version.rationale.expose().clone(),
        });
    }
    let frame = with_done(signed.frame(site, Some(Area::Roles)), query);
    Ok(Versions { frame, as_of: when(site.now()), rows })
}

async fn find(site: &Site, version: &str) -> Result<Option<PackVersion>, StoreError> {
    let Some(id) = id(version) else { return Ok(None) };
    find_pack(&mut site.parts.store.begin_read().await?, id).await
}

pub(super) async fn one(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(version): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    match find(&site, &version).await {
        Ok(Some(pack)) => show(&site, &signed, &pack, StatusCode::OK, &query.unwrap_or_default(), None).await,
        Ok(None) => unknown(signed.frame(&site, Some(Area::Roles))),
        Err(_) => broken(signed.frame(&site, Some(Area::Roles))),
    }
}

async fn show(
    site: &Site,
    signed: &Signed,
    pack: &PackVersion,
    status: StatusCode,
    query: &str,
    failed: Option<(&DeskError, &str)>,
) -> Response {
    match build(site, signed, pack, query, failed).await {
        Ok(view) => page(status, &view),
        Err(error) => {
            tracing::error!(error = %error, "a version of the policy cannot be shown");
            broken(signed.frame(site, Some(Area::Roles)))
        }
    }
}

const fn case_of(state: &PackState) -> Option<&PackCase> {
    match state {
        PackState::Proposed(case) | PackState::Approved(case, _) | PackState::Refused { case, .. } => Some(case),
        PackState::Active(term) | PackState::Superseded { term, .. } => match &term.decided {
            Some((case, _)) => Some(case),
            None => None,
        },
        PackState::Draft | PackState::Checked { .. } | PackState::Withdrawn { .. } => None,
    }
}

async fn build(
    site: &Site,
    signed: &Signed,
    pack: &PackVersion,
    query: &str,
    failed: Option<(&DeskError, &str)>,
) -> Result<VersionPage, PackTrouble> {
    let case = case_of(&pack.state);
    let is_over = matches!(pack.state, PackState::Active(_) | PackState::Superseded { .. });
    let base = match case {
        Some(case) => case.base,
        None if is_over => None,
        None => {
            active_pack_as_of(&mut site.parts.store.begin_read().await?, site.now()).await?.map(|active| active.hash)
        }
    };
    let (mut lines, mut tally) = (Vec::new(), "no difference".to_owned());
    if let Some(base) = base {
        let (old, new) = (proved(site, base).await?, proved(site, pack.hash).await?);
        let difference = compare(old.side(), new.side());
        tally = difference.tally();
        lines = difference.changes.into_iter().map(|change| (direction(change.direction), change.sentence)).collect();
    }
    Ok(VersionPage {
        frame: with_done(signed.frame(site, Some(Area::Roles)), query),
        csrf: signed.csrf.clone(),
        failed: failed.map(|(error, _)| words::sentence(error)),
        version: pack.version,
        hash: short(pack.hash),
        state: mark(&pack.state),
        rationale: pack.rationale.expose().clone(),
        against: base.map(short),
        tally,
        lines,
        replay: case.and_then(|case| ReplayNumbers::of(&case.replay)).map(replayed),
        history: history(site, pack).await?,
        href: format!("/roles/versions/{}", pack.id),
        acts: acts(site, signed, pack, failed),
    })
}

fn replayed(numbers: ReplayNumbers) -> Replayed {
    let rows = numbers.by_role.iter().map(|(role, one)| {
        let [accesses, refused, less, more] =
            [one.accesses, one.refused, one.less, one.more].map(|one| one.to_string());
        ReplayedRole { role: role.clone(), accesses, refused, less, more }
    });
    Replayed {
        sentence: numbers.sentence(),
        period: format!("{} to {}", when(numbers.from).words, when(numbers.until).words),
        rows: rows.collect(),
        notes: numbers.notes(),
        entries: numbers.entries.iter().map(u64::to_string).collect(),
    }
}

/// What whoever looks may do.
fn acts(site: &Site, signed: &Signed, pack: &PackVersion, failed: Option<(&DeskError, &str)>) -> Acts {
    let policy = site.pack();
    let (proposes, publishes) = (signed.may(&policy, Act::Propose), signed.may(&policy, Act::Publish));
    let is_mine = pack.origin == PackOrigin::Person(signed.person());
    let field = || match failed {
        Some((error @ DeskError::Pack(PackError::Reason(_)), typed)) => words::wrong(typed, &words::sentence(error)),
        Some((_, typed)) => words::field(typed),
        None => Field::default(),
    };
    let mut acts = Acts::default();
    if site.parts.policy_folder {
        acts.waits = Some(BY_FOLDER);
        return acts;
    }
    match &pack.state {
        PackState::Draft | PackState::Checked { .. } if is_mine && proposes => {
            (acts.propose, acts.withdraw) = (Some(field()), true);
        }
        PackState::Proposed(_) if is_mine => {
            (acts.withdraw, acts.waits) = (true, Some("Somebody else has to decide on it."));
        }
        PackState::Proposed(_) if publishes => (acts.approve, acts.refuse) = (true, Some(field())),
        PackState::Approved(..) => (acts.activate, acts.withdraw) = (publishes, is_mine),
        PackState::Superseded { .. } => acts.back = proposes,
        _ => {}
    }
    acts
}

async fn history(site: &Site, pack: &PackVersion) -> Result<Vec<Happened>, StoreError> {
    let happened = |at: Timestamp, mark: Mark, sentence: String, said: Option<String>| Happened {
        at: when(at),
        mark,
        sentence,
        said,
    };
    let drafted = match pack.origin {
        PackOrigin::Person(by) => {
            format!("{} drafted it; it was read, checked and proved.", name(site, Some(by)).await?)
        }
        PackOrigin::Shipped => "It shipped with Scruple.".to_owned(),
        PackOrigin::Folder => "It was found in the folder of the configuration.".to_owned(),
    };
    let mut all = vec![happened(pack.drafted_at, Mark::wait("Drafted"), drafted, None)];
    if let Some(case) = case_of(&pack.state) {
        let sentence = "It was proposed, with its difference and its replay.".to_owned();
        all.push(happened(case.at, Mark::wait("Proposed"), sentence, None));
    }
    let approval = match &pack.state {
        PackState::Approved(_, by) => Some(*by),
        _ => term(pack).and_then(|term| term.decided.as_ref().map(|(_, by)| *by)),
    };
    if let Some(by) = approval {
        let sentence = format!("{} approved it.", name(site, Some(by.by)).await?);
        all.push(happened(by.at, Mark::good("Approved"), sentence, None));
    }
    if let PackState::Refused { by, comment, .. } = &pack.state {
        let sentence = format!("{} refused it.", name(site, Some(by.by)).await?);
        all.push(happened(by.at, Mark::bad("Refused"), sentence, Some(comment.expose().clone())));
    }
    if let PackState::Withdrawn { at } = &pack.state {
        all.push(happened(*at, Mark::over("Withdrawn"), "Who drafted it took it back.".to_owned(), None));
    }
    if let Some(term) = term(pack) {
        let sentence = format!("{} activated it.", name(site, term.by).await?);
        all.push(happened(term.since, Mark::good("Active"), sentence, None));
    }
    if let PackState::Superseded { until, .. } = &pack.state {
        all.push(happened(*until, Mark::over("Superseded"), "Another version took its place.".to_owned(), None));
    }
    Ok(all)
}

/// What a form does with a version.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Do {
    Propose,
    Withdraw,
    Back,
    Approve,
    Refuse,
    Activate,
}

impl Do {
    const fn route(self) -> &'static str {
        match self {
            Self::Propose => "/roles/versions/{id}/propose",
            Self::Withdraw => "/roles/versions/{id}/withdraw",
            Self::Back => "/roles/versions/{id}/back",
            Self::Approve => "/roles/versions/{id}/approve",
            Self::Refuse => "/roles/versions/{id}/refuse",
            Self::Activate => "/roles/versions/{id}/activate",
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Self::Propose => "proposed",
            Self::Withdraw => "withdrawn",
            Self::Back => "drafted",
            Self::Approve => "agreed",
            Self::Refuse => "refused",
            Self::Activate => "activated",
        }
    }

    /// The field of what is said.
    const fn field(self) -> &'static str {
        match self {
            Self::Propose => "rationale",
            _ => "reason",
        }
    }
}

pub(super) async fn propose(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(version): Path<String>,
    form: Form,
) -> Response {
    act(&site, &signed, &version, &form, Do::Propose).await
}

pub(super) async fn withdraw(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(version): Path<String>,
    form: Form,
) -> Response {
    act(&site, &signed, &version, &form, Do::Withdraw).await
}

pub(super) async fn back(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(version): Path<String>,
    form: Form,
) -> Response {
    act(&site, &signed, &version, &form, Do::Back).await
}

pub(super) async fn approve(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(version): Path<String>,
    form: Form,
) -> Response {
    act(&site, &signed, &version, &form, Do::Approve).await
}

pub(super) async fn refuse(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(version): Path<String>,
    form: Form,
) -> Response {
    act(&site, &signed, &version, &form, Do::Refuse).await
}

pub(super) async fn activate(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(version): Path<String>,
    form: Form,
) -> Response {
    act(&site, &signed, &version, &form, Do::Activate).await
}

async fn act(site: &Site, signed: &Signed, version: &str, form: &Form, what: Do) -> Response {
    let pack = match find(site, version).await {
        Ok(Some(pack)) => pack,
        Ok(None) => return unknown(signed.frame(site, Some(Area::Roles))),
        Err(_) => return broken(signed.frame(site, Some(Area::Roles))),
    };
    if site.parts.policy_folder {
        site.refused(what.route(), "policy_by_folder", Some(signed.person())).await;
        let frame = signed.frame(site, Some(Area::Roles));
        let next = [("/roles/versions", "Versions")];
        return message(StatusCode::CONFLICT, frame, "Nothing was changed", &[BY_FOLDER], &next);
    }
    if matches!(what, Do::Approve | Do::Refuse) && !signed.session.stepped_up {
        return to_confirm(&format!("/roles/versions/{}", pack.id));
    }
    let said = form.text(what.field()).to_owned();
    match carry_out(site, signed, &pack, form.version(), &said, what).await {
        Ok(Ok(now)) => done(&format!("/roles/versions/{}", now.id), what.done()),
        Ok(Err(error @ DeskError::Pack(_))) => {
            site.refused(what.route(), error.code(), Some(signed.person())).await;
            show(site, signed, &pack, StatusCode::UNPROCESSABLE_ENTITY, "", Some((&error, &said))).await
        }
        Ok(Err(error)) => not_done(site, signed, what.route(), &error).await,
        Err(trouble) => {
            tracing::error!(error = %trouble, "a version of the policy does not go on");
            broken(signed.frame(site, Some(Area::Roles)))
        }
    }
}

async fn carry_out(
    site: &Site,
    signed: &Signed,
    pack: &PackVersion,
    version: i64,
    said: &str,
    what: Do,
) -> Result<Result<PackVersion, DeskError>, PackTrouble> {
    let (who, words) = (signed.who(), Phi::new(said.to_owned()));
    let draft = match what {
        Do::Propose | Do::Activate | Do::Back => Some(proved(site, pack.hash).await?),
        Do::Withdraw | Do::Approve | Do::Refuse => None,
    };
    let case = match (&draft, what) {
        (Some(draft), Do::Propose) => {
            let active = active_pack_as_of(&mut site.parts.store.begin_read().await?, site.now()).await?;
            let base = active.map_or(pack.hash, |active| active.hash);
            let active = proved(site, base).await?;
            Some(made_case(&active, draft, replay(site, draft).await?))
        }
        _ => None,
    };
    let done = site.desk(async |desk| match (what, &draft, &case) {
        (Do::Propose, _, Some(case)) => desk.propose_policy(who, (pack.id, version), words, case).await,
        (Do::Activate, Some(draft), _) => desk.activate_policy(who, (pack.id, version), draft).await,
        (Do::Back, Some(draft), _) => desk.draft_policy(who, draft, words).await,
        (Do::Approve, ..) => desk.approve_policy(who, pack.id, version).await,
        (Do::Refuse, ..) => desk.refuse_policy(who, pack.id, version, words).await,
        (Do::Withdraw, ..) => desk.withdraw_policy(who, pack.id, version).await,
        (Do::Propose | Do::Activate | Do::Back, ..) => Err(DeskError::Unknown),
    });
    Ok(done.await)
}
