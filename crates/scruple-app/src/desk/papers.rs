//! Papers in the files of complaints. What stands behind a wall is for those behind it, and goes into no pack but by their act: neither
//! its text nor who wrote what about whom stands in an event.

use super::{Desk, DeskError, Done, Who, is_told_of, roles_of, same_line};
use crate::record::Record;
use scruple_core::{Id, Phi, Timestamp, new_id};
use scruple_flow::{CasePaper, ChartCase, NewPaper, PaperHand, Person, Wall};
use scruple_policy::Act;
use scruple_store::{Aggregate, Subjects, Tx, find_case, find_paper, insert_paper, list_papers, update_paper};
use serde_json::json;

/// The act of who stands behind each wall.
const WALLS: [(Wall, Act); 2] = [(Wall::Counsel, Act::Privileged), (Wall::Staff, Act::StaffMatters)];

/// What somebody sees of the papers of a complaint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Papers {
    /// The complaint.
    pub case: ChartCase,
    /// Those that he reads, oldest first.
    pub papers: Vec<CasePaper>,
    /// He handles complaints.
    pub is_office: bool,
    /// The walls that he is behind.
    pub walls: Vec<Wall>,
}

/// A paper that is to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PaperAsk {
    /// The complaint.
    pub case: Id<ChartCase>,
    /// What it says.
    pub text: Phi<String>,
    /// Behind which wall; none: with the file.
    pub wall: Option<Wall>,
}

/// The file of a complaint, to take along.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CasePack {
    /// The complaint.
    pub case: ChartCase,
    /// The papers that go with it.
    pub papers: Vec<CasePaper>,
    /// When it was made.
    pub made_at: Timestamp,
}

/// Somebody at a file.
struct Hand {
    person: Id<Person>,
    is_reader: bool,
    is_office: bool,
    walls: Vec<Wall>,
    stepped_up: bool,
}

impl Hand {
    fn flow(&self) -> PaperHand<'_> {
        PaperHand {
            person: self.person,
            is_reader: self.is_reader,
            is_office: self.is_office,
            walls: &self.walls,
            stepped_up: self.stepped_up,
        }
    }
}

impl Desk<'_> {
    /// The papers of a complaint that somebody reads.
    ///
    /// # Errors
    /// See [`DeskError`]. Whom it is about, and who is of his team, is told nothing.
    pub async fn papers(&mut self, who: Who, case: Id<ChartCase>) -> Result<Papers, DeskError> {
        let mut tx = self.store.begin_read().await?;
        let at = self.clock.now();
        let (case, hand) = self.at_file(&mut tx, who, case, at).await?;
        let mut papers = all_papers(&mut tx, case.id).await?;
        papers.retain(|paper| paper.is_read_by(hand.flow()));
        Ok(Papers { case, papers, is_office: hand.is_office, walls: hand.walls })
    }

    /// Of these complaints those of which somebody is told: not of one about him, nor about somebody of his line.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn told_of(&mut self, who: Who, cases: Vec<ChartCase>) -> Result<Vec<ChartCase>, DeskError> {
        let mut tx = self.store.begin_read().await?;
        let mut told = Vec::with_capacity(cases.len());
        for case in cases {
            if is_told_of(&mut tx, who.person, &case).await? {
                told.push(case);
            }
        }
        Ok(told)
    }

    /// Writes a paper into the file of a complaint.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn write_paper(&mut self, who: Who, ask: PaperAsk) -> Result<Done<CasePaper>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let (case, hand) = self.at_file(&mut tx, who, ask.case, at).await?;
        let new = NewPaper { id: new_id(at, self.rng), case: case.id, text: ask.text, wall: ask.wall };
        let paper = CasePaper::write(new, hand.flow(), at)?;
        insert_paper(&mut tx, &paper).await?;
        let record = record((&paper, 1), "paper_written", at, who.person);
        self.commit(tx, &[record], paper).await
    }

    /// Puts a paper behind a wall.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn wall_paper(
        &mut self,
        who: Who,
        id: Id<CasePaper>,
        version: i64,
        wall: Wall,
    ) -> Result<Done<CasePaper>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let (paper, hand) = self.paper(&mut tx, who, (id, version), at).await?;
        let walled = paper.wall(hand.flow(), wall)?;
        self.put_paper(tx, walled, "paper_walled", (who, at)).await
    }

    /// Lets a paper out of its wall, to go into packs.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn release_paper(
        &mut self,
        who: Who,
        id: Id<CasePaper>,
        version: i64,
        reason: Phi<String>,
    ) -> Result<Done<CasePaper>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let (paper, hand) = self.paper(&mut tx, who, (id, version), at).await?;
        let released = paper.release(hand.flow(), reason, at)?;
        self.put_paper(tx, released, "paper_released", (who, at)).await
    }

    /// Makes the file of a complaint to take along: what stands behind a wall is no part of it, whoever makes it. Which papers went is
    /// recorded.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn make_pack(&mut self, who: Who, case: Id<ChartCase>) -> Result<Done<CasePack>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let (case, hand) = self.at_file(&mut tx, who, case, at).await?;
        if !hand.is_office {
            return Err(DeskError::Forbidden);
        }
        let mut papers = all_papers(&mut tx, case.id).await?;
        papers.retain(CasePaper::goes_into_pack);
        let body = json!({
            "case": case.id.to_string(),
            "papers": papers.iter().map(|paper| paper.id.to_string()).collect::<Vec<_>>(),
            "by": who.person.to_string(),
        });
        // Each pack is its own: how often one was made has no bearing on the case.
        let aggregate = Aggregate::new("case_pack", new_id::<CasePack>(at, self.rng));
        let record = Record::new((aggregate, 1), "case_pack_made", at, Subjects::none(), &body);
        self.commit(tx, &[record], CasePack { case, papers, made_at: at }).await
    }

    /// Who is at the file of a complaint; to whom it is closed, there is none.
    async fn at_file(
        &mut self,
        tx: &mut Tx,
        who: Who,
        case: Id<ChartCase>,
        at: Timestamp,
    ) -> Result<(ChartCase, Hand), DeskError> {
        let roles = roles_of(tx, who.person, at).await?;
        let case = find_case(tx, case).await?.ok_or(DeskError::Unknown)?;
        let is_reader = case.reader == who.person;
        let is_apart = !is_reader && !same_line(tx, who.person, case.reader).await?;
        let may = |act: Act| is_apart && self.rules.scope(act, &roles).is_some();
        let hand = Hand {
            person: who.person,
            is_reader,
            is_office: may(Act::Charts),
            walls: WALLS.into_iter().filter(|(_, act)| may(*act)).map(|(wall, _)| wall).collect(),
            stepped_up: who.stepped_up,
        };
        if hand.is_office || !hand.walls.is_empty() { Ok((case, hand)) } else { Err(DeskError::Unknown) }
    }

    /// A paper as it was seen, and who is at its file. What he does not read is not there.
    async fn paper(
        &mut self,
        tx: &mut Tx,
        who: Who,
        (id, version): (Id<CasePaper>, i64),
        at: Timestamp,
    ) -> Result<(CasePaper, Hand), DeskError> {
        let paper = find_paper(tx, id).await?.ok_or(DeskError::Unknown)?;
        let (_, hand) = self.at_file(tx, who, paper.case, at).await?;
        if !paper.is_read_by(hand.flow()) {
            return Err(DeskError::Unknown);
        }
        if paper.version == version { Ok((paper, hand)) } else { Err(DeskError::Changed) }
    }

    async fn put_paper(
        &mut self,
        mut tx: Tx,
        paper: CasePaper,
        kind: &'static str,
        (who, at): (Who, Timestamp),
    ) -> Result<Done<CasePaper>, DeskError> {
        let version = paper.version + 1;
        update_paper(&mut tx, &paper, paper.version).await?;
        let record = record((&paper, version), kind, at, who.person);
        self.commit(tx, &[record], CasePaper { version, ..paper }).await
    }
}

async fn all_papers(tx: &mut Tx, case: Id<ChartCase>) -> Result<Vec<CasePaper>, DeskError> {
    let mut all: Vec<CasePaper> = Vec::new();
    loop {
        let page = list_papers(tx, case, all.last().map(|last| last.id)).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

fn record((paper, version): (&CasePaper, i64), kind: &'static str, at: Timestamp, by: Id<Person>) -> Record {
    let body = json!({
        "paper": paper.id.to_string(),
        "case": paper.case.to_string(),
        "wall": paper.state.wall().map(Wall::code),
        "state": paper.state.code(),
        "by": by.to_string(),
    });
    Record::new((Aggregate::new("case_paper", paper.id), version), kind, at, Subjects::none(), &body)
}
