//! Every page, rendered from its samples.

use super::*;
use crate::pages::samples::HOSTILE;
use scraper::{Html as Parsed, Selector};
use std::collections::BTreeSet;

fn samples() -> Vec<String> {
    let samples = lens::samples().into_iter().chain(error::samples()).chain(samples::samples());
    samples.collect()
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
            assert!(!matches!(name, "script" | "style" | "img" | "iframe" | "object" | "base"), "<{name}>");
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
        assert!(all(&page, "form[method=post]").is_empty(), "a form that changes something needs its token");
    }
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
