//! Steps before the first record.

use crate::support::{World, code, login, noon};
use crate::two::{patient, store};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::{Desk, Trained, Who};
use scruple_flow::Login;
use scruple_pairs::Behind;
use scruple_policy::{PackFiles, activate};
use scruple_store::find_person_by_login;
use std::sync::Arc;

const STEPS: &str = "step,who,kind,days,label
basics,everyone,training,365,HIPAA basics
rules,nurse,acknowledgement,30,the house rules
";
const DAY: i64 = 24 * 3_600_000_000;

#[test]
fn a_role_opens_no_record_before_its_training_is_complete_and_an_emergency_does_not_wait_for_it() {
    let mut files = PackFiles::embedded().assuming_relationships();
    files.0.insert("steps.csv".to_owned(), STEPS.to_owned());
    let active = Arc::new(activate(&files, noon()).unwrap());
    let upstream = Behind::Raw.upstream(&store(&[patient("p1", "1980-05-17")]), noon()).unwrap();
    let world = World::under(Arc::clone(&active), upstream);
    let (state, lease) = &world.state;
    let who = |role: &str| {
        let login: Login = login(role).parse().unwrap();
        let found = async { find_person_by_login(&mut state.begin_read().await.unwrap(), &login).await };
        Who { person: world.runtime.block_on(found).unwrap().unwrap().id, stepped_up: true }
    };
    let (nurse, office) = (who("nurse"), who("privacy_officer"));
    let read = |role: &str, purpose: &str| {
        world.runtime.block_on(world.follower.as_ref().unwrap().poll()).unwrap();
        let answer = world.get(role, purpose, "/fhir/Patient/p1");
        if answer.status == 200 { "read".to_owned() } else { code(&answer) }
    };
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let pack = active.pack.as_ref();
    let mut desk = Desk { store: state, lease, clock: world.clock.as_ref(), rng: &mut rng, rules: pack };
    assert_eq!([read("nurse", "TREAT"), read("biller", "HPAYMT")], ["training_incomplete"; 2]);
    assert_eq!(read("nurse", "BTG"), "elevation_missing", "an emergency is refused for what it lacks alone");
    let trained =
        |role: &str| Trained { login: login(role).parse().unwrap(), step: "basics".to_owned(), done_at: noon() };
    let both = [trained("nurse"), trained("biller")];
    let added = world.runtime.block_on(desk.record_training(office, &both)).unwrap().0;
    assert_eq!((added, read("biller", "HPAYMT")), (2, "read".to_owned()));
    assert_eq!(read("nurse", "TREAT"), "training_incomplete", "the rules are not read");
    world.runtime.block_on(desk.acknowledge(nurse, "rules")).unwrap();
    assert_eq!(read("nurse", "TREAT"), "read");
    world.clock.advance_micros(30 * DAY - 1);
    assert_eq!(read("nurse", "TREAT"), "read");
    world.clock.advance_micros(1);
    assert_eq!(read("nurse", "TREAT"), "training_incomplete", "it holds for its days");
}
