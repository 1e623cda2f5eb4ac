//! Versions of the policy at the desk: two people, what was shown is what is activated, who is active when; and reviews of mappings.

use super::ENGINE;
use crate::replays::{SHIPPED, nothing, proved};
use crate::support::{TestLog, World, at, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::policy::{
    Found, MAPPING_DAYS, OrganisationChange, ProvedPack, alignment, install_pack, made_case, mapping_states,
    overdue_roles, pack_files, role_holdings, stored_pack,
};
use scruple_app::{Desk, DeskError, Who};
use scruple_core::{Id, PackHash, Phi};
use scruple_flow::{MappingCause, MappingDecision, MappingError, PackError, PackOrigin, PackState, PackVersion};
use scruple_policy::{Pack, PackFiles};
use scruple_store::{
    Person, Subject, active_pack_as_of, active_pack_hash, add_member, find_pack, find_pack_content, insert_enrolment,
    insert_group, list_open_mapping_reviews, map_group, use_enrolment,
};
use std::collections::{BTreeMap, BTreeSet};

const WORDS: &str = "The coder has not opened notes in 90 days";
const DAY: i64 = 24 * 3_600;

/// The shipped pack where the coder has no notes.
fn without_notes() -> PackFiles {
    changed("\"devices\", \"documents\", \"free_text\",", "\"devices\", \"free_text\",")
}

fn changed(from: &str, to: &str) -> PackFiles {
    let mut files = PackFiles::embedded();
    let text = files.0.get_mut("roles/coder.toml").unwrap();
    assert!(text.contains(from));
    *text = text.replace(from, to);
    files
}

/// Two of the privacy office, an administrator and a nurse; the shipped pack is active.
struct House<'a> {
    world: &'a World,
    rng: ChaCha20Rng,
    people: BTreeMap<&'static str, Id<Person>>,
}

impl<'a> House<'a> {
    async fn open(world: &'a World) -> Self {
        let mut people = BTreeMap::new();
        for (login, role) in
            [("pia", "privacy_officer"), ("paul", "privacy_officer"), ("ada", "administrator"), ("nora", "nurse")]
        {
            let person = world.person(login).await;
            world.grant(person, role, (0, 1_000 * DAY)).await;
            people.insert(login, person);
        }
        let mut house = Self { world, rng: ChaCha20Rng::seed_from_u64(5), people };
        assert_eq!(house.install(&SHIPPED, PackOrigin::Shipped).await, SHIPPED.hash());
        house
    }

    async fn install(&mut self, pack: &ProvedPack, origin: PackOrigin) -> PackHash {
        let World { store, lease, clock, .. } = self.world;
        let found = Found { pack: &pack.active.pack, files: &pack.files };
        install_pack((store, lease), clock.as_ref(), &mut self.rng, &found, origin).await.unwrap().0
    }

    fn who(&self, login: &str) -> Who {
        Who { person: self.people[login], stepped_up: true }
    }

    fn desk(&mut self) -> Desk<'_> {
        let World { store, lease, clock, .. } = self.world;
        let rules: &Pack = &SHIPPED.active.pack;
        Desk { store, lease, clock: clock.as_ref(), rng: &mut self.rng, rules }
    }

    async fn drafted(&mut self, pack: &ProvedPack) -> PackVersion {
        let pia = self.who("pia");
        self.desk().draft_policy(pia, pack, Phi::new(String::new())).await.unwrap().now
    }

    async fn proposed(&mut self, active: &ProvedPack, pack: &ProvedPack) -> PackVersion {
        let draft = self.drafted(pack).await;
        let (pia, case) = (self.who("pia"), made_case(active, pack, nothing(pack)));
        let words = Phi::new(WORDS.to_owned());
        self.desk().propose_policy(pia, (draft.id, draft.version), words, &case).await.unwrap().now
    }

    async fn approved(&mut self, active: &ProvedPack, pack: &ProvedPack) -> PackVersion {
        let proposed = self.proposed(active, pack).await;
        let paul = self.who("paul");
        self.desk().approve_policy(paul, proposed.id, proposed.version).await.unwrap().now
    }

    async fn active(&self) -> Option<PackHash> {
        active_pack_hash(&mut self.world.store.begin_read().await.unwrap()).await.unwrap()
    }

    async fn as_of(&self, seconds: i64) -> Option<PackHash> {
        let found = active_pack_as_of(&mut self.world.store.begin_read().await.unwrap(), at(seconds)).await.unwrap();
        found.map(|pack| pack.hash)
    }
}

#[tokio::test]
async fn a_version_is_drafted_proposed_decided_by_a_second_person_activated_and_rolled_back() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let draft = proved(&without_notes());
        world.clock.advance_micros(10_000_000);
        let proposed = house.proposed(&SHIPPED, &draft).await;
        let PackState::Proposed(case) = &proposed.state else { panic!("{proposed:?}") };
        assert_eq!(case.changed, BTreeSet::from(["coder".to_owned()]));
        assert!(case.replay.contains("\"accesses\":0"), "{}", case.replay);
        assert_eq!(house.active().await, Some(SHIPPED.hash()), "a proposal decides nothing");
        let paul = house.who("paul");
        let approved = house.desk().approve_policy(paul, proposed.id, proposed.version).await.unwrap().now;
        assert_eq!(house.active().await, Some(SHIPPED.hash()), "nor does an approval");
        world.clock.advance_micros(10_000_000);
        let ada = house.who("ada");
        let active = house.desk().activate_policy(ada, (approved.id, approved.version), &draft).await.unwrap();
        assert_eq!(house.active().await, Some(draft.hash()));
        let stored = stored_pack(&world.store, draft.hash()).await.unwrap();
        assert_eq!(stored, draft.files);
        // Back to the older one: its content, as a version of its own, by two people.
        world.clock.advance_micros(10_000_000);
        let old = stored_pack(&world.store, SHIPPED.hash()).await.unwrap();
        let old = proved(&old);
        let again = house.approved(&draft, &old).await;
        let pia = house.who("pia");
        house.desk().activate_policy(pia, (again.id, again.version), &old).await.unwrap();
        assert_eq!(house.active().await, Some(SHIPPED.hash()));
        let seen = [house.as_of(15).await, house.as_of(25).await, house.as_of(35).await];
        assert_eq!(seen, [Some(SHIPPED.hash()), Some(draft.hash()), Some(SHIPPED.hash())]);
        let first = find_pack(&mut world.store.begin_read().await.unwrap(), active.now.id).await.unwrap().unwrap();
        assert!(matches!(first.state, PackState::Superseded { .. }), "{first:?}");
        let log = TestLog::new();
        world.drainer(&log).0.drain().await.unwrap();
        let kinds = log.kinds();
        let of = |kind: &str| kinds.get(kind).copied().unwrap_or(0);
        assert_eq!(
            [of("policy_drafted"), of("policy_checked"), of("policy_proposed"), of("policy_approved")],
            [2, 2, 2, 2]
        );
        // The shipped one was enacted by the node; one event for each transition.
        assert_eq!([of("policy_enacted"), of("policy_superseded"), of("mapping_review_opened")], [3, 2, 1]);
    })
    .await;
}

#[tokio::test]
async fn who_drafted_it_his_puppet_the_unconfirmed_and_the_unentitled_do_not_decide() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let draft = proved(&without_notes());
        let proposed = house.proposed(&SHIPPED, &draft).await;
        let (id, version) = (proposed.id, proposed.version);
        let [pia, paul, nora] = ["pia", "paul", "nora"].map(|login| house.who(login));
        let own = house.desk().approve_policy(pia, id, version).await;
        assert!(matches!(own, Err(DeskError::Pack(PackError::OwnProposal))), "{own:?}");
        let unconfirmed = Who { stepped_up: false, ..paul };
        let found = house.desk().approve_policy(unconfirmed, id, version).await;
        assert!(matches!(found, Err(DeskError::Pack(PackError::StepUp))), "{found:?}");
        let found = house.desk().approve_policy(nora, id, version).await;
        assert!(matches!(found, Err(DeskError::Forbidden)), "{found:?}");
        let found = house.desk().draft_policy(nora, &draft, Phi::new(String::new())).await;
        assert!(matches!(found, Err(DeskError::Forbidden)), "{found:?}");
        // Pia has made Paul's way in: he could be her.
        let mut tx = world.store.begin().await.unwrap();
        let enrolment = world.id();
        insert_enrolment(&mut tx, enrolment, (paul.person, pia.person), [3; 32], (at(0), at(100))).await.unwrap();
        use_enrolment(&mut tx, enrolment, at(0)).await.unwrap();
        world.commit(tx, Subject::Person(paul.person)).await;
        let puppet = house.desk().approve_policy(paul, id, version).await;
        assert!(matches!(puppet, Err(DeskError::Pack(PackError::OwnProposal))), "{puppet:?}");
        let old = house.desk().activate_policy(pia, (id, version), &draft).await;
        assert!(matches!(old, Err(DeskError::Pack(PackError::Transition { from: "proposed", .. }))), "{old:?}");
        let ada = house.who("ada");
        let comment = Phi::new("Notes are read at the audit in June".to_owned());
        assert!(house.desk().refuse_policy(ada, id, version, comment).await.is_ok());
        assert_eq!(house.active().await, Some(SHIPPED.hash()));
    })
    .await;
}

#[tokio::test]
async fn what_was_approved_against_another_policy_is_not_activated() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (one, other) = (proved(&without_notes()), proved(&changed("prior encounters", "earlier encounters")));
        let first = house.approved(&SHIPPED, &one).await;
        let second = house.approved(&SHIPPED, &other).await;
        let third = house.drafted(&other).await;
        let ada = house.who("ada");
        house.desk().activate_policy(ada, (first.id, first.version), &one).await.unwrap();
        let late = house.desk().activate_policy(ada, (second.id, second.version), &other).await;
        assert!(matches!(late, Err(DeskError::Pack(PackError::BaseChanged))), "{late:?}");
        // Nor is it proposed with a difference to what is over.
        let (pia, case) = (house.who("pia"), made_case(&SHIPPED, &other, nothing(&other)));
        let words = Phi::new(WORDS.to_owned());
        let stale = house.desk().propose_policy(pia, (third.id, third.version), words, &case).await;
        assert!(matches!(stale, Err(DeskError::Pack(PackError::BaseChanged))), "{stale:?}");
        // Another pack than the approved one is not activated in its place.
        let swapped = house.desk().activate_policy(ada, (second.id, second.version), &one).await;
        assert!(matches!(swapped, Err(DeskError::Changed)), "{swapped:?}");
        assert_eq!(house.active().await, Some(one.hash()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_people_who_activate_two_approved_versions_at_once_one_wins() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (one, other) = (proved(&without_notes()), proved(&changed("prior encounters", "earlier encounters")));
        let first = house.approved(&SHIPPED, &one).await;
        let second = house.approved(&SHIPPED, &other).await;
        let [pia, ada] = ["pia", "ada"].map(|login| house.who(login));
        let World { store, lease, clock, .. } = world;
        let rules: &Pack = &SHIPPED.active.pack;
        let activate = async |who: Who, pack: &PackVersion, proved: &ProvedPack, seed: u64| {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let mut desk = Desk { store, lease, clock: clock.as_ref(), rng: &mut rng, rules };
            desk.activate_policy(who, (pack.id, pack.version), proved).await.map(drop)
        };
        let won = <[_; 2]>::from(tokio::join!(activate(pia, &first, &one, 11), activate(ada, &second, &other, 12)));
        assert_eq!(won.iter().filter(|result| result.is_ok()).count(), 1, "{won:?}");
        let active = house.active().await.unwrap();
        assert_eq!(won[0].is_ok(), active == one.hash());
    })
    .await;
}

#[tokio::test]
async fn what_ships_gives_way_to_what_people_decided_and_a_folder_rules_its_node() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let draft = proved(&without_notes());
        assert_eq!(house.install(&SHIPPED, PackOrigin::Shipped).await, SHIPPED.hash(), "once");
        let approved = house.approved(&SHIPPED, &draft).await;
        let ada = house.who("ada");
        house.desk().activate_policy(ada, (approved.id, approved.version), &draft).await.unwrap();
        assert_eq!(house.install(&SHIPPED, PackOrigin::Shipped).await, draft.hash(), "a new start, a new release");
        assert_eq!(house.install(&SHIPPED, PackOrigin::Folder).await, SHIPPED.hash());
        assert_eq!(house.active().await, Some(SHIPPED.hash()));
        let bytes =
            find_pack_content(&mut world.store.begin_read().await.unwrap(), draft.hash()).await.unwrap().unwrap();
        assert!(pack_files(&bytes, draft.hash()).is_ok());
        assert!(pack_files(&bytes, SHIPPED.hash()).is_err());
    })
    .await;
}

#[tokio::test]
async fn a_mapping_is_due_after_a_year_opened_once_and_its_due_date_moves_when_it_is_closed() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let pack = &SHIPPED.active.pack;
        let roles = pack.roles.values().filter(|role| !role.is_profile).count();
        assert_eq!(house.desk().open_due_mappings(pack).await.unwrap().0, 0);
        let late = async |house: &House<'_>| {
            let states = mapping_states(&house.world.store, pack, house.world.now()).await.unwrap();
            states.values().filter(|state| state.is_late).count()
        };
        assert_eq!(late(&house).await, 0);
        world.clock.advance_micros(MAPPING_DAYS * DAY * 1_000_000);
        assert_eq!(late(&house).await, roles);
        assert_eq!(house.desk().open_due_mappings(pack).await.unwrap().0, roles);
        assert_eq!(house.desk().open_due_mappings(pack).await.unwrap(), (0, None), "a second run opens nothing");
        let letters = super::messages::letters(world).await;
        assert_eq!(letters, vec![("mapping_due", None); roles], "a reminder for each");
        let open = list_open_mapping_reviews(&mut world.store.begin_read().await.unwrap()).await.unwrap();
        let coder = open.iter().find(|review| review.role.as_str() == "coder").unwrap();
        assert_eq!(coder.cause, MappingCause::Due);
        let kinds: BTreeSet<String> = pack.roles["coder"]
            .permits
            .iter()
            .flat_map(|permit| &permit.categories)
            .map(|category| pack.category_name(*category).to_owned())
            .collect();
        let all: BTreeMap<String, MappingDecision> =
            kinds.iter().map(|kind| (kind.clone(), MappingDecision::Keep)).collect();
        let mut less = all.clone();
        less.remove("labs");
        let (pia, seen) = (house.who("pia"), (coder.id, coder.version));
        let words = || Phi::new("Looked at with the coding lead, tasks are as they were".to_owned());
        let undecided = house.desk().close_mapping(pia, seen, pack, less, words()).await;
        assert!(
            matches!(&undecided, Err(DeskError::Mapping(MappingError::Undecided(kind))) if kind == "labs"),
            "{undecided:?}"
        );
        let nora = house.who("nora");
        let forbidden = house.desk().close_mapping(nora, seen, pack, all.clone(), words()).await;
        assert!(matches!(forbidden, Err(DeskError::Forbidden)), "{forbidden:?}");
        house.desk().close_mapping(pia, seen, pack, all, words()).await.unwrap();
        let states = mapping_states(&world.store, pack, world.now()).await.unwrap();
        let coder = &states["coder"];
        assert_eq!((coder.is_late, coder.open.is_none(), coder.touched_at), (false, true, Some(world.now())));
        assert_eq!(late(&house).await, roles - 1);
        world.clock.advance_micros(30 * DAY * 1_000_000);
        let letters = super::messages::letters(world).await;
        assert_eq!(letters, vec![("mapping_late", None); roles - 1], "but of the one that was looked at");
    })
    .await;
}

/// RB-05: where the policy says so, a role that nobody has looked at opens nothing, and no clinical one is among them.
#[tokio::test]
async fn a_role_that_nobody_looks_at_is_closed_where_the_policy_says_so_and_a_clinical_one_never() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let pack = &SHIPPED.active.pack;
        assert_eq!(pack.desk.overdue_closes_after_days, 0, "the shipped policy closes none");
        let strict = {
            let mut files = PackFiles::embedded();
            let text = files.0.get_mut("pack.toml").unwrap();
            *text = text.replace("overdue_closes_after_days = 0", "overdue_closes_after_days = 10");
            scruple_policy::read(&files).unwrap()
        };
        world.clock.advance_micros(MAPPING_DAYS * DAY * 1_000_000);
        house.desk().open_due_mappings(pack).await.unwrap();
        world.clock.advance_micros(40 * DAY * 1_000_000 - 1);
        assert_eq!(overdue_roles(&world.store, &strict, world.now()).await.unwrap(), BTreeSet::new());
        world.clock.advance_micros(1);
        assert_eq!(overdue_roles(&world.store, pack, world.now()).await.unwrap(), BTreeSet::new());
        let closed = overdue_roles(&world.store, &strict, world.now()).await.unwrap();
        assert!(closed.contains("biller") && closed.contains("coder"), "{closed:?}");
        for name in &closed {
            let role = &strict.roles[name];
            assert!(!role.passes && !role.emergency_access && !role.is_profile, "{name} treats patients");
        }
        let clinical = strict.roles.values().filter(|role| role.passes || role.emergency_access).count();
        assert!(clinical > 5, "there are some to be kept open");
    })
    .await;
}

#[tokio::test]
async fn a_change_of_the_organisation_opens_one_review_for_each_role_that_it_bears_on() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let pack = &SHIPPED.active.pack;
        let (pia, nora) = (house.who("pia"), house.who("nora"));
        let roles = ["coder", "biller"].map(|role| role.parse().unwrap());
        let change = OrganisationChange { roles: roles.into() };
        assert_eq!(house.desk().organisation_changed(pia, pack, &change).await.unwrap().0, 2);
        assert_eq!(house.desk().organisation_changed(pia, pack, &change).await.unwrap().0, 0);
        let found = house.desk().organisation_changed(nora, pack, &change).await;
        assert!(matches!(found, Err(DeskError::Forbidden)), "{found:?}");
        let open = list_open_mapping_reviews(&mut world.store.begin_read().await.unwrap()).await.unwrap();
        let told: Vec<_> = open.iter().map(|review| (review.role.as_str(), review.cause)).collect();
        let cause = MappingCause::OrganisationChanged;
        assert_eq!(BTreeSet::from_iter(told.iter().map(|(role, _)| *role)), ["biller", "coder"].into());
        assert!(told.iter().all(|(_, found)| *found == cause));
    })
    .await;
}

#[tokio::test]
async fn people_are_measured_by_what_their_groups_say_and_what_they_asked_for() {
    with_world(ENGINE, async |world| {
        let house = House::open(world).await;
        let idle = world.person("idle").await;
        let holdings = role_holdings(&world.store, world.now()).await.unwrap();
        let nora = &holdings[&house.people["nora"]];
        assert_eq!((nora.is_active, &nora.held), (true, &BTreeSet::from(["nurse".to_owned()])));
        assert!(nora.of_job.is_empty() && nora.excepted.is_empty());
        assert!(holdings[&idle].held.is_empty(), "who has no role is there, without one");
        let phi = BTreeSet::from(["nurse".to_owned()]);
        let measured = alignment(&holdings, &phi, world.now());
        assert_eq!((measured.aligned, measured.of), (0, 1), "no group says that she is a nurse");
        assert_eq!(measured.over.keys().collect::<Vec<_>>(), [&house.people["nora"].to_string()]);
        // In the group that stands for the role, she is aligned.
        let mut tx = world.store.begin().await.unwrap();
        let group = world.id();
        insert_group(&mut tx, group, &Phi::new("Nurses".to_owned()), None, at(0)).await.unwrap();
        let role = "nurse".parse().unwrap();
        map_group(&mut tx, (group, 1), Some(&role), house.people["pia"], at(0)).await.unwrap();
        add_member(&mut tx, group, house.people["nora"], at(0)).await.unwrap();
        world.commit(tx, Subject::Everyone).await;
        let holdings = role_holdings(&world.store, world.now()).await.unwrap();
        let measured = alignment(&holdings, &phi, world.now());
        assert_eq!((measured.aligned, measured.of), (1, 1));
    })
    .await;
}
