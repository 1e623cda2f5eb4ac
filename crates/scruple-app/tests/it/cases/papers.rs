//! Walls: what counsel and HR write about a complaint is read by them alone, and goes into no pack but by their act (CN-02).

use super::ENGINE;
use crate::support::{World, at, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::{CaseAsk, ChartAsk, Desk, PaperAsk, Who};
use scruple_core::{Id, Phi};
use scruple_flow::{CasePaper, ChartCase, Person, QuestionCause, Wall};
use scruple_policy::{Pack, PackFiles, read};
use scruple_store::list_shards;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static PACK: LazyLock<Pack> = LazyLock::new(|| read(&PackFiles::embedded()).unwrap());

const WORDS: &str = "She fears that her former husband looked";
const WHY: &str = "The regulator has asked for our assessment of this access";

/// What papers say, in the order of their letters: they are of one instant.
fn sorted(papers: &[CasePaper]) -> String {
    let mut texts: Vec<&str> = papers.iter().map(|paper| paper.text.expose().as_str()).collect();
    texts.sort_unstable();
    texts.join(" ")
}

/// The privacy office, counsel, HR, a nurse about whom somebody complains, a nurse, an administrator.
struct House<'a> {
    world: &'a World,
    rng: ChaCha20Rng,
    people: BTreeMap<&'static str, Id<Person>>,
}

impl<'a> House<'a> {
    async fn open(world: &'a World) -> (Self, ChartCase) {
        let mut people = BTreeMap::new();
        for (login, role) in [
            ("pia", "privacy_officer"),
            ("carl", "counsel"),
            ("hana", "human_resources"),
            ("nora", "nurse"),
            ("nils", "nurse"),
            ("ola", "administrator"),
        ] {
            let person = world.person(login).await;
            world.grant(person, role, (0, 1_000_000)).await;
            people.insert(login, person);
        }
        let mut house = Self { world, rng: ChaCha20Rng::seed_from_u64(5), people };
        let (pia, nora) = (house.who("pia"), house.people["nora"]);
        let ask = ChartAsk {
            patient: Phi::new("Patient/p".to_owned()),
            keys: Phi::new(vec!["Patient/p".to_owned()]),
            period: (at(0), at(100)),
            cause: QuestionCause::Complaint,
        };
        let question = house.desk().ask_about_chart(pia, ask).await.unwrap().now.id;
        let ask = CaseAsk { question, reader: nora, about: (at(10), at(20)), complaint: Phi::new(WORDS.to_owned()) };
        let case = house.desk().open_case(pia, ask).await.unwrap().now;
        (house, case)
    }

    fn who(&self, login: &str) -> Who {
        Who { person: self.people[login], stepped_up: true }
    }

    fn desk(&mut self) -> Desk<'_> {
        let World { store, lease, clock, .. } = self.world;
        Desk { store, lease, clock: clock.as_ref(), rng: &mut self.rng, rules: &*PACK }
    }

    async fn written(
        &mut self,
        login: &str,
        case: &ChartCase,
        text: &str,
        wall: Option<Wall>,
    ) -> Result<CasePaper, &'static str> {
        let (who, text) = (self.who(login), Phi::new(text.to_owned()));
        let done = self.desk().write_paper(who, PaperAsk { case: case.id, text, wall }).await;
        done.map(|done| done.now).map_err(|error| error.code())
    }

    /// What somebody reads.
    async fn read_by(&mut self, login: &str, case: &ChartCase) -> String {
        let who = self.who(login);
        match self.desk().papers(who, case.id).await {
            Ok(papers) => sorted(&papers.papers),
            Err(error) => error.code().to_owned(),
        }
    }

    async fn packed(&mut self, login: &str, case: &ChartCase) -> String {
        let who = self.who(login);
        match self.desk().make_pack(who, case.id).await {
            Ok(done) => sorted(&done.now.papers),
            Err(error) => error.code().to_owned(),
        }
    }
}

#[tokio::test]
async fn a_privileged_paper_is_never_in_a_pack_without_counsel_s_act() {
    with_world(ENGINE, async |world| {
        let (mut house, case) = House::open(world).await;
        house.written("pia", &case, "notes", None).await.unwrap();
        let memo = house.written("carl", &case, "CanaryMemo", Some(Wall::Counsel)).await.unwrap();
        house.written("hana", &case, "CanarySanction", Some(Wall::Staff)).await.unwrap();
        // The office writes to counsel, and does not read it.
        house.written("pia", &case, "question", Some(Wall::Counsel)).await.unwrap();
        for (login, expected) in [
            ("pia", "notes"),
            ("carl", "CanaryMemo notes question"),
            ("hana", "CanarySanction"),
            ("nora", "unknown"),
            ("nils", "unknown"),
            ("ola", "unknown"),
        ] {
            assert_eq!(house.read_by(login, &case).await, expected, "{login}");
        }
        for (login, expected) in
            [("pia", "notes"), ("carl", "act_not_permitted"), ("hana", "act_not_permitted"), ("nora", "unknown")]
        {
            assert_eq!(house.packed(login, &case).await, expected, "{login}");
        }
        // Nobody but counsel lets it out, and counsel after confirming who it is and why.
        let why = || Phi::new(WHY.to_owned());
        for login in ["pia", "hana", "nora", "ola"] {
            let who = house.who(login);
            let refused = house.desk().release_paper(who, memo.id, 1, why()).await;
            assert_eq!(refused.unwrap_err().code(), "unknown", "{login}");
        }
        let carl = house.who("carl");
        let tired = Who { stepped_up: false, ..carl };
        assert_eq!(house.desk().release_paper(tired, memo.id, 1, why()).await.unwrap_err().code(), "step_up_required");
        let weak = house.desk().release_paper(carl, memo.id, 1, Phi::new("ok".to_owned())).await;
        assert_eq!(weak.unwrap_err().code(), "reason_short");
        assert_eq!(house.packed("pia", &case).await, "notes");
        house.desk().release_paper(carl, memo.id, 1, why()).await.unwrap();
        assert_eq!(house.desk().release_paper(carl, memo.id, 1, why()).await.unwrap_err().code(), "changed");
        assert_eq!(house.packed("pia", &case).await, "CanaryMemo notes");
        assert_eq!(house.read_by("pia", &case).await, "CanaryMemo notes");
        // Taken back, it is in no later pack.
        house.desk().wall_paper(carl, memo.id, 2, Wall::Counsel).await.unwrap();
        assert_eq!(house.packed("pia", &case).await, "notes");
        assert_eq!(house.read_by("hana", &case).await, "CanarySanction");
    })
    .await;
}

#[tokio::test]
async fn the_events_of_papers_tell_ids_and_none_of_what_was_written() {
    with_world(ENGINE, async |world| {
        let (mut house, case) = House::open(world).await;
        let paper = house.written("carl", &case, "CanaryMemo", Some(Wall::Counsel)).await.unwrap();
        let carl = house.who("carl");
        house.desk().release_paper(carl, paper.id, 1, Phi::new(format!("CanaryWhy {WHY}"))).await.unwrap();
        assert_eq!(house.packed("pia", &case).await, "CanaryMemo");
        let shards = list_shards(&mut world.store.begin_read().await.unwrap()).await.unwrap();
        let mut kinds = Vec::new();
        for shard in shards {
            let mut after = 0;
            loop {
                let page = world.store.events_after(shard, after, 100).await.unwrap();
                let Some(last) = page.last() else { break };
                after = last.position.seq;
                for event in page {
                    let body = String::from_utf8(event.body.expose().clone()).unwrap();
                    assert!(!body.contains("Canary"), "{}", event.kind);
                    kinds.push(event.kind);
                }
            }
        }
        for kind in ["paper_written", "paper_released", "case_pack_made"] {
            assert!(kinds.iter().any(|known| known == kind), "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn counsel_about_whom_somebody_complains_or_of_the_team_of_the_reader_reads_nothing() {
    with_world(ENGINE, async |world| {
        let (mut house, case) = House::open(world).await;
        let paper = house.written("carl", &case, "memo", Some(Wall::Counsel)).await.unwrap();
        world.grant(house.people["nora"], "counsel", (0, 1_000_000)).await;
        assert_eq!(house.read_by("nora", &case).await, "unknown");
        let nora = house.who("nora");
        let refused = house.desk().release_paper(nora, paper.id, 1, Phi::new(WHY.to_owned())).await;
        assert_eq!(refused.unwrap_err().code(), "unknown");
        assert_eq!(house.written("nora", &case, "mine", Some(Wall::Counsel)).await, Err("unknown"));
    })
    .await;
}
