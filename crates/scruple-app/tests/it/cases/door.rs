//! The door: enrolling, signing in with codes, sessions and their end. Passkeys are signed in with in the browser's tests.

use super::ENGINE;
use crate::support::{TestLog, World, with_world};
use aws_lc_rs::hmac;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::{Answer, Door, DoorError, DoorKeys, Entered};
use scruple_core::{Id, Timestamp};
use scruple_identity::passkey::{Passkeys, Site};
use scruple_identity::recovery::RecoveryKey;
use scruple_identity::session::{DeviceClass, SessionToken};
use scruple_seal::Secret;
use scruple_store::{Person, Subject, mark_person_left};

fn keys() -> DoorKeys {
    let site = Site {
        domain: "console.example".to_owned(),
        origins: vec!["https://console.example".to_owned()],
        name: "Scruple".to_owned(),
    };
    DoorKeys {
        passkeys: Passkeys::new(&site).unwrap(),
        recovery: RecoveryKey::new(&Secret::new([9; 32])),
        issuer: "Scruple".to_owned(),
    }
}

/// The code that an authenticator app shows (RFC 6238), from the secret as it was typed in.
fn shown(base32: &str, now: Timestamp) -> String {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String =
        base32.chars().filter_map(|letter| letters.find(letter)).map(|place| format!("{place:05b}")).collect();
    let secret: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let step = u64::try_from(now.micros() / 30_000_000).unwrap();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret), &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[19] & 15);
    let number = u32::from_be_bytes(tag[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

struct House<'a> {
    world: &'a World,
    keys: DoorKeys,
    rng: ChaCha20Rng,
    ana: Id<Person>,
}

impl<'a> House<'a> {
    async fn open(world: &'a World) -> Self {
        let ana = world.person("ana").await;
        Self { world, keys: keys(), rng: ChaCha20Rng::seed_from_u64(6), ana }
    }

    fn door(&mut self) -> Door<'_> {
        let World { store, lease, clock, .. } = self.world;
        Door { store, lease, clock: clock.as_ref(), rng: &mut self.rng, keys: &self.keys }
    }

    async fn link(&mut self) -> String {
        let (ana, by) = (self.ana, self.world.asker);
        let (link, _) = self.door().invite(ana, by).await.unwrap();
        link.expose().to_string()
    }

    /// Enrols an app; answers with its secret as text.
    async fn enrolled(&mut self) -> (Entered, String) {
        let link = self.link().await;
        let app = self.door().begin_enrolment(&link, None).await.unwrap();
        let code = shown(&app.text, self.world.now());
        let entered = self.door().enrol(&link, app.ceremony, Answer::Code(&code), DeviceClass::Personal).await.unwrap();
        (entered, app.text.to_string())
    }

    fn later(&self, seconds: i64) {
        self.world.clock.advance_micros(seconds * 1_000_000);
    }

    async fn sign_in(&mut self, code: &str) -> Result<Entered, &'static str> {
        self.door().sign_in("ANA", code, DeviceClass::Shared).await.map_err(|error| error.code())
    }

    async fn holds(&mut self, token: &SessionToken) -> bool {
        match self.door().session(token).await {
            Ok(_) => true,
            Err(DoorError::Over) => false,
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_link_enrols_once_and_gives_codes_for_when_the_app_is_lost() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let link = house.link().await;
        for wrong in ["", "a", &link.to_lowercase(), &"A".repeat(43)] {
            assert!(matches!(house.door().begin_enrolment(wrong, None).await, Err(DoorError::Link)), "{wrong}");
        }
        let first = house.door().begin_enrolment(&link, None).await.unwrap();
        assert_eq!(first.person.id, house.ana);
        let wrong = house.door().enrol(&link, first.ceremony, Answer::Code("000000"), DeviceClass::Personal).await;
        let Err(DoorError::Code { again }) = wrong else { panic!("a wrong code") };
        // What was answered once is over; the enrolment goes on with the secret that the app has.
        let code = shown(&first.text, world.now());
        let late = house.door().enrol(&link, first.ceremony, Answer::Code(&code), DeviceClass::Personal).await;
        assert_eq!(late.map(drop).unwrap_err().code(), "sign_in_refused");
        let app = house.door().begin_enrolment(&link, Some(again)).await.unwrap();
        assert_eq!(*app.text, *first.text);
        let entered =
            house.door().enrol(&link, app.ceremony, Answer::Code(&code), DeviceClass::Personal).await.unwrap();
        assert_eq!((entered.person, entered.recovery.len()), (house.ana, 10));
        assert!(house.holds(&entered.token).await);
        assert!(matches!(house.door().begin_enrolment(&link, None).await, Err(DoorError::Link)));

        let code = entered.recovery[3].to_string();
        assert!(house.sign_in(&code).await.is_ok());
        assert_eq!(house.sign_in(&code).await.map(drop), Err("sign_in_refused"));
        // A new enrolment makes the sheet of codes void.
        house.later(60);
        house.enrolled().await;
        assert_eq!(house.sign_in(&entered.recovery[4]).await.map(drop), Err("sign_in_refused"));
    })
    .await;
}

#[tokio::test]
async fn a_link_is_over_after_a_day_and_when_its_person_leaves() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (first, late) = (house.link().await, house.link().await);
        assert!(
            matches!(house.door().begin_enrolment(&first, None).await, Err(DoorError::Link)),
            "a newer one is there"
        );
        assert!(house.door().begin_enrolment(&late, None).await.is_ok());
        house.later(24 * 3_600);
        assert!(matches!(house.door().begin_enrolment(&late, None).await, Err(DoorError::Link)));
        let left = house.link().await;
        let mut tx = world.store.begin().await.unwrap();
        mark_person_left(&mut tx, house.ana, 1, world.now()).await.unwrap();
        world.commit(tx, Subject::Person(house.ana)).await;
        assert!(matches!(house.door().begin_enrolment(&left, None).await, Err(DoorError::Refused)));
    })
    .await;
}

#[tokio::test]
async fn nobody_makes_a_link_for_himself() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let ana = house.ana;
        assert!(matches!(house.door().invite(ana, ana).await, Err(DoorError::OwnLink)));
    })
    .await;
}

#[tokio::test]
async fn a_new_enrolment_ends_what_the_person_signed_in_with_before() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (lost, old_app) = house.enrolled().await;
        house.later(60);
        let (found, app) = house.enrolled().await;
        assert!(!house.holds(&lost.token).await, "whoever has the old device is out");
        assert!(house.holds(&found.token).await);
        house.later(60);
        assert_eq!(house.sign_in(&shown(&old_app, world.now())).await.map(drop), Err("sign_in_refused"));
        assert_eq!(house.sign_in(&lost.recovery[0]).await.map(drop), Err("sign_in_refused"));
        assert!(house.sign_in(&shown(&app, world.now())).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_code_opens_once_and_many_wrong_ones_close_for_a_while() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (enrolled, app) = house.enrolled().await;
        assert_eq!(house.sign_in(&shown(&app, world.now())).await.map(drop), Err("sign_in_refused"), "used to enrol");
        house.later(60);
        let code = shown(&app, world.now());
        assert!(house.sign_in(&code).await.is_ok());
        assert_eq!(house.sign_in(&code).await.map(drop), Err("sign_in_refused"));
        let unknown = house.door().sign_in("nobody", &code, DeviceClass::Shared).await;
        assert_eq!(unknown.map(drop).unwrap_err().code(), "sign_in_refused");
        house.later(60);
        for _ in 0..4 {
            assert_eq!(house.sign_in("000000").await.map(drop), Err("sign_in_refused"));
        }
        let right = shown(&app, world.now());
        assert_eq!(house.sign_in(&right).await.map(drop), Err("sign_in_locked"));
        // Whoever is shut out by the guesses of others has his recovery codes.
        assert!(house.sign_in(&enrolled.recovery[0]).await.is_ok());
        for _ in 0..5 {
            assert_eq!(house.sign_in("000000").await.map(drop), Err("sign_in_refused"));
        }
        assert_eq!(house.sign_in(&shown(&app, world.now())).await.map(drop), Err("sign_in_locked"));
        house.later(15 * 60);
        assert!(house.sign_in(&shown(&app, world.now())).await.is_ok());
        let log = TestLog::new();
        let (drainer, _) = world.drainer(&log);
        drainer.drain().await.unwrap();
        let kinds = log.kinds();
        assert_eq!((kinds["sign_in_failed"], kinds["signed_in"]), (13, 4), "{kinds:?}");
    })
    .await;
}

/// Guesses that wait out every quarter of an hour do not go on for ever.
#[tokio::test]
async fn fifty_wrong_codes_in_a_row_close_codes_until_the_person_came_in_by_another_way() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (enrolled, app) = house.enrolled().await;
        let guess = async |house: &mut House<'_>, times: usize| {
            for _ in 0..times {
                house.later(5 * 60);
                assert_eq!(house.sign_in("000000").await.map(drop), Err("sign_in_refused"));
            }
            house.later(3_600);
            house.sign_in(&shown(&app, world.now())).await.map(drop)
        };
        assert_eq!(guess(&mut house, 49).await, Ok(()), "it begins anew with who signs in");
        assert_eq!(guess(&mut house, 50).await, Err("sign_in_closed"));
        assert!(house.sign_in(&enrolled.recovery[0]).await.is_ok());
        house.later(60);
        assert!(house.sign_in(&shown(&app, world.now())).await.is_ok());
        assert_eq!(guess(&mut house, 50).await, Err("sign_in_closed"));
        // A new link is for a new app.
        let (_, newer) = house.enrolled().await;
        house.later(60);
        assert!(house.sign_in(&shown(&newer, world.now())).await.is_ok());
    })
    .await;
}

/// Who types what looks like recovery codes shuts nobody out.
#[tokio::test]
async fn wrong_recovery_codes_close_nobody_s_app() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (_, app) = house.enrolled().await;
        for _ in 0..60 {
            assert_eq!(house.sign_in("0000-0000-0000-0000").await.map(drop), Err("sign_in_refused"));
        }
        house.later(60);
        assert!(house.sign_in(&shown(&app, world.now())).await.is_ok());
    })
    .await;
}

/// Whoever confirms by another way has come in by another way.
#[tokio::test]
async fn who_confirms_with_a_recovery_code_can_use_the_app_again() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (enrolled, app) = house.enrolled().await;
        for _ in 0..50 {
            house.later(5 * 60);
            assert_eq!(house.sign_in("000000").await.map(drop), Err("sign_in_refused"));
            assert!(house.holds(&enrolled.token).await);
        }
        assert_eq!(house.sign_in(&shown(&app, world.now())).await.map(drop), Err("sign_in_closed"));
        let who = house.door().session(&enrolled.token).await.unwrap();
        house.door().step_up(&who, &enrolled.recovery[0]).await.unwrap();
        assert!(house.sign_in(&shown(&app, world.now())).await.is_ok());
    })
    .await;
}

/// Guesses at one time are judged one after the other: no more of them are looked at than of those that wait for each other.
#[tokio::test]
async fn guesses_at_one_time_are_counted_one_after_the_other() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        house.enrolled().await;
        house.later(60);
        let keys = keys();
        let guess = async |seed: u64| {
            let World { store, lease, clock, .. } = world;
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let mut door = Door { store, lease, clock: clock.as_ref(), rng: &mut rng, keys: &keys };
            door.sign_in("ANA", "000000", DeviceClass::Shared).await.map(drop).map_err(|error| error.code())
        };
        let answers = tokio::join!(guess(1), guess(2), guess(3), guess(4), guess(5), guess(6), guess(7), guess(8));
        let mut answers = <[_; 8]>::from(answers);
        answers.sort_unstable();
        assert_eq!(answers, [[Err("sign_in_locked"); 3].as_slice(), &[Err("sign_in_refused"); 5]].concat()[..]);
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_by_idleness_by_age_by_hand_and_with_its_person() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (_, app) = house.enrolled().await;
        let signed_in = async |house: &mut House<'_>| {
            house.later(60);
            house.sign_in(&shown(&app, world.now())).await.unwrap()
        };
        // Shared: five minutes without a request, four hours with them.
        let idle = signed_in(&mut house).await;
        house.later(299);
        assert!(house.holds(&idle.token).await);
        house.later(299);
        assert!(house.holds(&idle.token).await);
        house.later(300);
        assert!(!house.holds(&idle.token).await);
        let old = signed_in(&mut house).await;
        for _ in 0..(4 * 3_600 / 240) - 1 {
            house.later(240);
            assert!(house.holds(&old.token).await);
        }
        house.later(240);
        assert!(!house.holds(&old.token).await);

        let (first, second) = (signed_in(&mut house).await, signed_in(&mut house).await);
        let (ana, asker) = (house.ana, world.asker);
        assert_eq!(house.door().sessions(ana).await.unwrap().len(), 2);
        assert!(house.door().end_session(asker, first.session, asker).await.is_err(), "another's");
        house.door().end_session(ana, first.session, ana).await.unwrap();
        assert!(!house.holds(&first.token).await && house.holds(&second.token).await);
        let third = signed_in(&mut house).await;
        house.door().end_sessions(ana, Some(third.session), asker).await.unwrap();
        assert!(!house.holds(&second.token).await && house.holds(&third.token).await);
        let mut tx = world.store.begin().await.unwrap();
        mark_person_left(&mut tx, ana, 1, world.now()).await.unwrap();
        world.commit(tx, Subject::Person(ana)).await;
        assert!(!house.holds(&third.token).await);
        house.later(60);
        assert_eq!(house.sign_in(&shown(&app, world.now())).await.map(drop), Err("sign_in_refused"));
        let nobody = SessionToken::generate(&mut house.rng);
        assert!(!house.holds(&nobody).await);
    })
    .await;
}

#[tokio::test]
async fn a_sensitive_act_asks_again_after_a_while() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (entered, app) = house.enrolled().await;
        let now = house.door().session(&entered.token).await.unwrap();
        assert!(now.stepped_up);
        house.later(300);
        let now = house.door().session(&entered.token).await.unwrap();
        assert!(!now.stepped_up);
        assert!(matches!(house.door().step_up(&now, "000000").await, Err(DoorError::Guessed)));
        let code = shown(&app, world.now());
        house.door().step_up(&now, &code).await.unwrap();
        assert!(house.door().session(&entered.token).await.unwrap().stepped_up);
    })
    .await;
}
