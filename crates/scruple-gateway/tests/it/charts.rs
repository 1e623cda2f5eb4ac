//! The history of a chart over a real pipeline.

use crate::support::{World, login, noon, resolved};
use crate::two::{patient, store};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::charts::{History, Why};
use scruple_core::{Phi, new_id};
use scruple_flow::{ChartQuestion, QuestionCause};
use scruple_pairs::Behind;
use scruple_store::{AccessBasis, AccessOutcome, NewChartAccess, SourceKind};

/// A log was read before somebody in it was known here: once he is, what stands under his login is his.
#[test]
fn who_gets_the_login_of_a_stranger_of_a_log_has_what_the_stranger_opened() {
    let values = [patient("p1", "1980-05-17")];
    let world = World::under(resolved(), Behind::Raw.upstream(&store(&values), noon()).unwrap());
    let mut rng = ChaCha20Rng::seed_from_u64(1 << 33);
    let state = &world.state.0;
    let history = world.runtime.block_on(async {
        let new = new_id(noon(), &mut rng);
        let source = state.ensure_source(new, (SourceKind::Csv, "epic"), noon()).await.unwrap().unwrap();
        for actor in [login("nurse"), "former.husband"] {
            let access = NewChartAccess {
                id: new_id(noon(), &mut rng),
                source,
                once: Phi::new(format!("log {actor}")),
                at: noon(),
                patient: Phi::new("Patient/p1".to_owned()),
                person: None,
                actor: Phi::new(actor.to_uppercase()),
                role: None,
                purpose: None,
                outcome: AccessOutcome::Opened,
                basis: AccessBasis::Unknown,
                grant: None,
                elevation: None,
                entry: None,
                outside: false,
                place: None,
                facts: Phi::new(b"{}".to_vec()),
            };
            assert_eq!(state.append_log(&[access]).await.unwrap(), 1);
        }
        let question = ChartQuestion {
            id: new_id(noon(), &mut rng),
            patient: Phi::new("Patient/p1".to_owned()),
            keys: Phi::new(vec!["Patient/p1".to_owned()]),
            from: noon(),
            until: noon().plus_micros(1),
            cause: QuestionCause::Routine,
            asked_by: new_id(noon(), &mut rng),
            asked_at: noon(),
        };
        History::of(state, &world.pipeline, &question).await.unwrap()
    });
    let mut told: Vec<(Option<&str>, bool)> = history
        .readers
        .iter()
        .map(|reader| {
            let login = reader.person.as_ref().map(|person| person.login.expose().as_str());
            (login, reader.openings[0].why == Why::Stranger)
        })
        .collect();
    told.sort_unstable();
    assert_eq!(told, [(None, true), (Some(login("nurse")), false)]);
}
