//! Every page, rendered from its samples.

use super::*;
use crate::assets::JS_PATH;
use crate::pages::samples::HOSTILE;
use scraper::{Html as Parsed, Selector};
use std::collections::BTreeSet;

fn samples() -> Vec<String> {
    let pages = samples::pages().into_iter().flat_map(|(_, samples)| samples).map(|sample| sample.html);
    let samples = lens::samples().into_iter().chain(error::samples()).chain(samples::samples());
    samples.chain(pages).collect()
}

fn all<'a>(page: &'a Parsed, selector: &str) -> Vec<scraper::ElementRef<'a>> {
    page.select(&Selector::parse(selector).unwrap()).collect()
}

#[test]
fn hostile_text_is_text() {
    for html in samples() {
        assert!(!html.contains("<img"), "an element came out of a value");
        let page = Parsed::parse_document(&html);
        for element in page.tree.values().filter_map(|node| node.as_element()) {
            let name = element.name();
            if name == "script" {
                assert_eq!(element.attr("src"), Some(JS_PATH.as_str()), "a script of ours");
                continue;
            }
            assert!(!matches!(name, "style" | "img" | "iframe" | "object" | "base"), "<{name}>");
            for (attribute, _) in element.attrs() {
                assert!(attribute != "style" && !attribute.starts_with("on"), "{name} {attribute}");
            }
        }
    }
    let lens = lens::samples().join("");
    assert!(Parsed::parse_document(&lens).root_element().text().any(|text| text.contains(HOSTILE)), "it is shown");
}

#[test]
fn every_page_is_well_formed() {
    for html in samples() {
        let page = Parsed::parse_document(&html);
        assert_eq!(all(&page, "h1").len(), 1, "one h1");
        assert_eq!(all(&page, "main").len(), 1);
        assert!(all(&page, "html[lang]").len() == 1);
        let mut ids = BTreeSet::new();
        for element in all(&page, "[id]") {
            assert!(ids.insert(element.attr("id").unwrap()), "id twice: {:?}", element.attr("id"));
        }
        for element in all(&page, "input:not([type=hidden]), select, textarea") {
            let id = element.attr("id").expect("a control has an id");
            assert_eq!(all(&page, &format!("label[for='{id}']")).len(), 1, "a label for {id}");
        }
        for element in all(&page, "a[href^='#']") {
            assert!(ids.contains(&element.attr("href").unwrap()[1..]), "{:?}", element.attr("href"));
        }
        for element in all(&page, "td, tr, th") {
            assert!(!element.text().collect::<String>().contains("{{"));
        }
        for form in all(&page, "form[method=post]") {
            let token = Selector::parse("input[type=hidden][name=csrf]").unwrap();
            let tokens: Vec<_> = form.select(&token).collect();
            assert_eq!(tokens.len(), 1, "a form that changes something needs its token");
            assert!(tokens[0].attr("value").is_some_and(|value| !value.is_empty()));
            assert!(form.attr("action").is_some_and(|action| action.starts_with('/')), "it stays here");
        }
        for form in all(&page, "form:not([method=post])") {
            assert_eq!(form.attr("method"), Some("get"), "a form says how it is sent");
            assert!(form.select(&Selector::parse("[name=csrf]").unwrap()).next().is_none(), "no token in an address");
        }
        for element in all(&page, "[aria-describedby], [aria-labelledby]") {
            let named = element.attr("aria-describedby").or_else(|| element.attr("aria-labelledby")).unwrap();
            for id in named.split_whitespace() {
                assert!(ids.contains(id), "{id} describes, and is not there");
            }
        }
        for element in all(&page, "time") {
            let iso = element.attr("datetime").expect("a moment for machines");
            assert!(scruple_core::Timestamp::parse(iso).is_ok(), "{iso}");
        }
    }
}

#[test]
fn each_regulated_field_leads_to_its_rule_and_every_such_link_resolves() {
    let guide = samples::pages().into_iter().find(|(page, _)| *page == "guide").unwrap().1;
    let guide = Parsed::parse_document(&guide[0].html);
    let rules: BTreeSet<_> =
        all(&guide, "dl [id]").iter().filter_map(|rule| rule.attr("id")).map(str::to_owned).collect();
    let mut fields = 0;
    for html in samples() {
        let page = Parsed::parse_document(&html);
        for link in all(&page, "a[href^='/guide#']") {
            assert!(rules.contains(&link.attr("href").unwrap()["/guide#".len()..]), "{:?}", link.attr("href"));
        }
        // What somebody writes in his own words is asked because of a rule, in whichever form it stands.
        for row in all(&page, "form[method=post] .row") {
            let select = |selector: &str| row.select(&Selector::parse(selector).unwrap()).next().is_some();
            if select("textarea") {
                assert!(select("a[href^='/guide#']"), "{}", row.html());
                fields += 1;
            }
        }
    }
    assert!(fields > 40, "{fields}");
}

#[test]
fn every_page_has_samples_and_each_renders() {
    for (page, samples) in samples::pages() {
        assert!(samples.len() >= 4, "{page} has few samples");
        for sample in samples {
            assert!(sample.html.contains("</html>"), "{page}: {} does not render", sample.name);
            assert!(!sample.html.contains("Scruple · Scruple") && !sample.html.contains("<title></title>"), "{page}");
        }
    }
}

#[test]
fn a_typed_value_stays_beside_its_error() {
    let html = &samples::pages().into_iter().find(|(page, _)| *page == "ask").unwrap().1;
    let sample = html.iter().find(|sample| sample.name == "errors").unwrap();
    let page = Parsed::parse_document(&sample.html);
    let reason = all(&page, "#reason[aria-invalid=true]");
    assert_eq!(reason[0].text().collect::<String>(), "test");
    let error = all(&page, "#reason-error")[0].text().collect::<String>();
    assert!(error.contains("Say what you have to do"), "{error}");
    assert!(reason[0].attr("aria-describedby").unwrap().split(' ').any(|id| id == "reason-error"));
}

#[test]
fn what_is_decided_by_itself_says_why_and_has_no_button_for_many() {
    let lists = samples::pages().into_iter().find(|(page, _)| *page == "emergency").unwrap().1;
    let page = Parsed::parse_document(&lists[0].html);
    let groups = all(&page, "section.group");
    let text = |place: usize| groups[place].text().collect::<String>();
    assert!(text(0).contains("decided by itself") && text(0).contains("No answer came yet."), "{}", text(0));
    assert!(!text(0).contains("close all") && text(1).contains("close all 14"), "{}", text(1));
    assert!(text(1).contains("The other 13") && text(1).contains("chart ..4401"), "{}", text(1));
}

#[test]
fn the_door_is_the_same_for_what_does_not_exist() {
    let door = &samples::pages().into_iter().find(|(page, _)| *page == "door").unwrap().1[0];
    let page = Parsed::parse_document(&door.html);
    let headings: Vec<String> = all(&page, ".doors h2").iter().map(|heading| heading.text().collect()).collect();
    assert_eq!(headings, ["I am caring for this patient", "It is an emergency", "It is other work"], "in this order");
    assert!(all(&page, ".doors input[type=radio][checked]").is_empty(), "no reason is chosen beforehand");
}

#[test]
fn no_part_stands_over_nothing_and_a_team_of_nobody_is_said() {
    let of = |name: &str| samples::pages().into_iter().find(|(page, _)| *page == name).unwrap().1;
    let named = |page: &str, name: &str| of(page).into_iter().find(|sample| sample.name == name).unwrap().html;
    for sample in of("access") {
        let page = Parsed::parse_document(&sample.html);
        for part in all(&page, ".scope dd") {
            assert!(part.text().any(|text| !text.trim().is_empty()), "{}: {}", sample.name, part.html());
        }
    }
    let people = named("people", "no team");
    assert!(people.contains("You have no team here yet.") && !people.contains("Nobody found"), "{people}");
    assert!(!named("person", "left").contains("<h2>History</h2>"));
    assert!(named("request", "ended early").contains("ended early, on"));
}

#[test]
fn the_browser_asks_for_what_a_form_cannot_do_without() {
    let first = |name: &str| {
        let found = samples::pages().into_iter().find(|(page, _)| *page == name).unwrap();
        Parsed::parse_document(&found.1[0].html)
    };
    for (page, control) in [
        ("door", "input#reason-1"),
        ("door-find", "input#patient"),
        ("ask", "select#role"),
        ("ask", "textarea#reason"),
        ("request", "select#ground"),
    ] {
        assert_eq!(all(&first(page), &format!("{control}[required]")).len(), 1, "{control} of {page}");
    }
    let door = first("door");
    assert_eq!(all(&door, "form[action='/door/ask'] input[name=about]").len(), 1, "the number goes on in a form");
}

#[test]
fn the_navigation_has_what_the_person_may_open() {
    let today = samples::pages().into_iter().find(|(page, _)| *page == "today").unwrap().1;
    let areas = |name: &str| {
        let sample = today.iter().find(|sample| sample.name == name).unwrap();
        let page = Parsed::parse_document(&sample.html);
        let links = all(&page, "nav.areas a");
        links.iter().map(|link| link.attr("href").unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(areas("a nurse"), ["/", "/requests"]);
    assert_eq!(areas("an ordinary day").len(), 10);
}

#[test]
fn each_row_has_as_many_cells_as_the_table_has_columns() {
    for html in lens::samples() {
        let page = Parsed::parse_document(&html);
        let columns = all(&page, "table.record thead th").len();
        for section in all(&page, "table.record tbody") {
            let mut open = vec![0_usize; 0];
            for row in section.select(&Selector::parse("tr").unwrap()) {
                open.retain(|left| *left > 0);
                let cells = row.select(&Selector::parse("th, td").unwrap()).collect::<Vec<_>>();
                assert_eq!(cells.len() + open.len(), columns);
                open.iter_mut().for_each(|left| *left -= 1);
                open.extend(
                    cells.iter().filter_map(|cell| cell.attr("rowspan")?.parse::<usize>().ok()).map(|span| span - 1),
                );
            }
            assert!(open.iter().all(|left| *left == 0), "a cell reaches beyond its section");
        }
    }
}

#[test]
fn a_value_in_a_query_is_escaped() {
    assert_eq!(escaped("front_desk"), "front_desk");
    assert_eq!(escaped("a&b=\"é"), "a%26b%3D%22%C3%A9");
}
