//! Every state of a paper with every event, and who may make them.

use super::*;
use uuid::Uuid;

const WHY: &str = "The regulator has asked for our assessment of this access";

fn person(number: u128) -> Id<Person> {
    Id::from_uuid(Uuid::from_u128(number))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn hand(is_office: bool, walls: &[Wall]) -> PaperHand<'_> {
    PaperHand { person: person(20), is_reader: false, is_office, walls, stepped_up: true }
}

fn new(wall: Option<Wall>) -> NewPaper {
    let (id, case) = (Id::from_uuid(Uuid::from_u128(1)), Id::from_uuid(Uuid::from_u128(2)));
    NewPaper { id, case, text: Phi::new("What we think of it".to_owned()), wall }
}

fn why() -> Phi<String> {
    Phi::new(WHY.to_owned())
}

fn paper(state: PaperState) -> CasePaper {
    CasePaper { state, ..CasePaper::write(new(None), hand(true, &[]), at(5)).unwrap() }
}

fn states() -> Vec<PaperState> {
    let act = || PaperAct { by: person(20), at: at(6), reason: why() };
    let mut states = vec![PaperState::InFile];
    states.extend(Wall::ALL.iter().copied().map(PaperState::Walled));
    states.extend(Wall::ALL.iter().map(|wall| PaperState::Released(*wall, act())));
    states
}

#[test]
fn every_state_with_every_event() {
    let ends = |found: Result<CasePaper, PaperError>| match found {
        Ok(paper) => {
            paper.state.wall().map_or("in_file".to_owned(), |wall| format!("{} {}", paper.state.code(), wall.code()))
        }
        Err(error) => error.code().to_owned(),
    };
    let mut table = String::new();
    for state in states() {
        let all = hand(false, Wall::ALL);
        table.push_str(&format!(
            "{}: counsel {}, staff {}, release {}\n",
            ends(Ok(paper(state.clone()))),
            ends(paper(state.clone()).wall(all, Wall::Counsel)),
            ends(paper(state.clone()).wall(all, Wall::Staff)),
            ends(paper(state.clone()).release(all, why(), at(9))),
        ));
    }
    let no = "invalid_paper_state";
    let expected = format!(
        "in_file: counsel walled counsel, staff walled staff, release {no}\n\
         walled counsel: counsel {no}, staff {no}, release released counsel\n\
         walled staff: counsel {no}, staff {no}, release released staff\n\
         released counsel: counsel walled counsel, staff {no}, release {no}\n\
         released staff: counsel {no}, staff walled staff, release {no}\n"
    );
    assert_eq!(table, expected);
}

#[test]
fn only_who_is_behind_a_wall_acts_there_after_confirming_himself_and_saying_why() {
    let behind = || paper(PaperState::Walled(Wall::Counsel));
    for by in [hand(true, &[]), hand(true, &[Wall::Staff]), PaperHand { is_reader: true, ..hand(true, Wall::ALL) }] {
        assert_eq!(behind().release(by, why(), at(9)), Err(PaperError::NotBehind));
        assert_eq!(paper(PaperState::InFile).wall(by, Wall::Counsel), Err(PaperError::NotBehind));
    }
    let counsel = hand(false, &[Wall::Counsel]);
    let unconfirmed = PaperHand { stepped_up: false, ..counsel };
    assert_eq!(behind().release(unconfirmed, why(), at(9)), Err(PaperError::StepUp));
    assert_eq!(behind().release(counsel, Phi::new("ok".to_owned()), at(9)), Err(PaperError::Reason(WeakReason::Short)));
    let released = behind().release(counsel, why(), at(9)).unwrap();
    assert!(
        matches!(&released.state, PaperState::Released(Wall::Counsel, act) if act.by == counsel.person && act.at == at(9))
    );
}

#[test]
fn who_reads_what_and_what_goes_into_a_pack() {
    let hands = [
        ("office", hand(true, &[])),
        ("counsel", hand(false, &[Wall::Counsel])),
        ("staff", hand(false, &[Wall::Staff])),
        ("nobody", hand(false, &[])),
        ("reader", PaperHand { is_reader: true, ..hand(true, Wall::ALL) }),
    ];
    let table: Vec<String> = states()
        .into_iter()
        .map(|state| {
            let paper = paper(state);
            let readers = hands.iter().filter(|(_, hand)| paper.is_read_by(*hand)).map(|(name, _)| *name);
            format!("{}: {}", readers.collect::<Vec<_>>().join(" "), paper.goes_into_pack())
        })
        .collect();
    assert_eq!(
        table,
        ["office counsel: true", "counsel: false", "staff: false", "office counsel: true", "office staff: true"]
    );
}

#[test]
fn the_office_writes_to_counsel_and_cannot_read_it_and_nobody_else_writes() {
    let written = CasePaper::write(new(Some(Wall::Counsel)), hand(true, &[]), at(5)).unwrap();
    assert_eq!(written.state, PaperState::Walled(Wall::Counsel));
    assert!(!written.is_read_by(hand(true, &[])));
    assert!(CasePaper::write(new(Some(Wall::Staff)), hand(false, &[Wall::Staff]), at(5)).is_ok());
    for (wall, by) in [
        (None, hand(false, &[Wall::Counsel])),
        (Some(Wall::Counsel), hand(false, &[Wall::Staff])),
        (Some(Wall::Counsel), PaperHand { is_reader: true, ..hand(true, Wall::ALL) }),
    ] {
        assert_eq!(CasePaper::write(new(wall), by, at(5)), Err(PaperError::NotBehind));
    }
    for text in ["", "  \n", &"a".repeat(PAPER_BYTES_MAX + 1)] {
        let new = NewPaper { text: Phi::new(text.to_owned()), ..new(None) };
        assert_eq!(CasePaper::write(new, hand(true, &[]), at(5)), Err(PaperError::Length));
    }
}
