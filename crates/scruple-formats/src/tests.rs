//! The examples of the documentation are read as it says.

use super::*;

macro_rules! example {
    ($name:literal) => {
        include_str!(concat!("../../../docs/examples/", $name))
    };
}

fn told(reading: &Result<Reading, Refused>) -> String {
    match reading {
        Ok(Reading::Access(record)) => {
            format!("{} {} {}", record.at, record.person.expose(), record.patients.expose().join(","))
        }
        Ok(Reading::Other) => "other".to_owned(),
        Err(refused) => refused.to_string(),
    }
}

#[test]
fn the_examples_of_the_documentation_are_read() {
    let mapping = Mapping::parse(example!("epic.toml")).unwrap();
    let mut table = Table::new(example!("epic.csv").as_bytes(), &mapping).unwrap();
    let mut rows = Vec::new();
    while let Some((_, reading)) = table.next_record().unwrap() {
        rows.push(told(&reading));
    }
    let opened =
        ["2026-03-03T14:10:00.000000Z ana.ruiz number:4471", "2026-03-03T14:11:30.000000Z ana.ruiz number:4471"];
    assert_eq!(rows, [opened[0], opened[1], "other"]);

    let mapping = Mapping::parse(example!("hapi.toml")).unwrap();
    let event = audit_event(example!("hapi.ndjson").trim().as_bytes(), &mapping);
    assert_eq!(told(&event), "2026-03-03T14:10:00.000000Z ana.ruiz Patient/pat-0001");

    let mapping = Mapping::parse(example!("pacs.toml")).unwrap();
    let (_, message) = Messages::new(example!("pacs.xml").as_bytes()).next_message().unwrap().unwrap();
    assert_eq!(told(&audit_message(&message.unwrap(), &mapping)), "2026-03-03T14:10:00.000000Z ana.ruiz number:4471");
}
