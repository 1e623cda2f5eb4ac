//! Emergencies as the nurse and the privacy office meet them: what stands alone, what was asked and answered, and one name for one chart.

use crate::history::{demo, number, page};
use crate::node::Node;
use crate::routes::{between, enrolled, goes_to, send};
use crate::support::World;
use scruple_hospital::Hospital;

const SAID: &str = "&words=Nobody+could+say+what+the+patient+takes";

/// Opens the chart of each of these in an emergency.
fn opened(node: &Node, cookie: &str, numbers: std::ops::RangeInclusive<usize>, more: &str) {
    for number in numbers {
        let about = format!("about={}&reason=unresponsive{more}", Hospital::patient_id(number));
        goes_to(&send(node, "/door/emergency", cookie, &about));
    }
}

/// The sections of the page of reviews, the first one first.
fn sections(text: &str) -> Vec<&str> {
    text.split("<section class=\"group\"").skip(1).collect()
}

#[test]
fn a_second_confirmation_stands_alone_and_a_reader_who_is_asked_reads_the_words_and_answers() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let megan = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let ines = enrolled(&node, &line, "ines.vogt", "privacy_officer").cookie;
    opened(&node, &megan, 1..=4, SAID);
    let access = page(&node, "/access", &megan).is(200).text();
    let elevation = between(&access, "action=\"/access/charts/", "/protected\"").to_owned();
    goes_to(&send(&node, &format!("/access/charts/{elevation}/protected"), &megan, "version=1"));

    // It stands first and by itself; the others stand together, each with its chart and its sentence.
    let list = page(&node, "/emergency", &ines).is(200).text();
    let groups = sections(&list);
    assert_eq!(groups.len(), 2, "{list}");
    assert!(groups[0].contains("Protected information was asked for too, so that it is decided by itself."), "{list}");
    assert!(!groups[0].contains("close all"), "{list}");
    assert!(groups[1].contains("close all 3") && groups[1].contains("The other 2"), "{list}");
    assert_eq!(groups[1].matches("Nobody could say what the patient takes").count(), 3, "{list}");
    assert_eq!(groups[1].matches("<bdi>chart ..000").count(), 3, "{list}");

    // The reader is asked about one of them.
    let id = between(groups[1], "Drawn by chance: <a href=\"/emergency/", "\"").to_owned();
    let (decide, tell) = (format!("/emergency/{id}/decide"), format!("/emergency/{id}/tell"));
    goes_to(&send(&node, &decide, &ines, "version=1&decision=ask&note=Why+was+the+whole+chart+opened"));
    let today = page(&node, "/", &megan).is(200).text();
    assert!(today.contains("Why was the whole chart opened") && today.contains(&tell), "{today}");
    assert!(page(&node, &tell, &megan).is(200).text().contains("Why was the whole chart opened"));
    assert!(page(&node, "/access", &megan).is(200).text().contains(&tell));
    let list = page(&node, "/emergency", &ines).is(200).text();
    let groups = sections(&list);
    assert!(groups[0].contains("Protected information was asked for too"), "{list}");
    for words in
        ["Why was the whole chart opened", "No answer came yet.", "The reader was asked and has not answered yet"]
    {
        assert!(groups[1].contains(words), "{words}: {list}");
    }
    assert!(groups[2].contains("close all 2"), "{list}");
    // Nor is it closed with others by whoever sends the form of a group himself.
    let note = "note=The+log+of+the+switchboard+has+the+call+of+that+night";
    let there = goes_to(&send(&node, "/emergency/alike", &ines, &format!("case={id}:2&{note}")));
    assert!(there.contains("closed_some"), "{there}");
    assert!(page(&node, &format!("/emergency/{id}"), &ines).is(200).text().contains("Reader asked"));

    let answer = "version=2&account=Two+of+the+medicines+of+the+night+were+unknown";
    goes_to(&send(&node, &tell, &megan, answer));
    let today = page(&node, "/", &megan).is(200).text();
    assert!(!today.contains("Why was the whole chart opened"), "{today}");
    let one = page(&node, &format!("/emergency/{id}"), &ines).is(200).text();
    for words in
        ["Why was the whole chart opened", "The reader answered", "Two of the medicines of the night were unknown"]
    {
        assert!(one.contains(words), "{words}: {one}");
    }
    assert!(!one.contains("No answer came yet."), "{one}");
    node.stops();
}

#[test]
fn a_record_number_at_the_door_is_the_chart_that_every_page_names_alike() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let patient = Hospital::patient_id(1);
    let number = number(&node, &line, &patient);
    let (chart, wrong) = (&patient[patient.len() - 4..], &number[number.len() - 4..]);
    assert_ne!(chart, wrong, "the two have other ends");
    let megan = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let ines = enrolled(&node, &line, "ines.vogt", "privacy_officer").cookie;
    goes_to(&send(&node, "/door/emergency", &megan, &format!("about={number}&reason=unresponsive")));
    let access = page(&node, "/access", &megan).is(200).text();
    assert!(access.contains(&format!("in an emergency (..{chart})")) && !access.contains(&format!("..{wrong}")));
    let list = page(&node, "/emergency", &ines).is(200).text();
    // Who else opened it is asked by the review, whose page does not hold the number.
    let review = between(&list, "name=\"review\" value=\"", "\"").to_owned();
    let asked = format!("review={review}&period=days&cause=incident");
    let there = goes_to(&send(&node, "/charts", &ines, &asked));
    let history = page(&node, &there, &ines).is(200).text();
    assert!(history.contains(&format!("MR {number}, chart ..{chart}")), "{history}");
    let today = page(&node, "/", &ines).is(200).text();
    for text in [&list, &today, &page(&node, "/charts", &ines).is(200).text()] {
        assert!(text.contains(&format!("chart ..{chart}")) && !text.contains(&format!("..{wrong}")), "{text}");
    }
    // The role stands where the sentence has a place for it.
    assert!(!today.contains("<bdi></bdi>") && !list.contains("<bdi></bdi>"), "{today}");
    // Nobody's review opens nobody's chart.
    let nobody = "review=0198c0de-0000-7000-8000-000000000000&period=days&cause=incident";
    assert_eq!(send(&node, "/charts", &ines, nobody).status, 404);
    node.stops();
}

#[test]
fn emergencies_of_a_night_are_told_apart_and_none_is_cut_in_silence() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let megan = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    opened(&node, &megan, 1..=12, "");
    let today = page(&node, "/", &megan).is(200).text();
    let owed = today.split("You opened <bdi>chart ..").skip(1).map(|rest| &rest[..4]);
    let owed: std::collections::BTreeSet<&str> = owed.collect();
    assert_eq!(owed.len(), 10, "{today}");
    assert!(today.contains("And 2 more: they stand here when these are written."), "{today}");
    assert!(today.contains("<a class=\"target\" href=\"/access\">And 2 more</a>"), "{today}");
    assert!(today.contains("in an emergency (..000"), "{today}");
    let tell = format!("/emergency/{}/tell", between(&today, "href=\"/emergency/", "/tell\""));
    let asked = page(&node, &tell, &megan).is(200).text();
    assert!(asked.contains("You opened <bdi>chart ..") && asked.contains("The patient cannot answer"), "{asked}");
    let access = page(&node, "/access?done=emergency", &megan).is(200).text();
    assert_eq!(access.matches("Write why, in one sentence</a>").count(), 12, "{access}");
    node.stops();
}
