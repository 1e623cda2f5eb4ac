//! A few words for a resource, from its codes and dates: what a list of a record names it by. Never an id.

use scruple_fhir::tree::Tree;

/// Letters of a title.
const TITLE_CHARS_MAX: usize = 72;

/// Where words stand, best first.
const WORDS: &[&str] = &[
    "code",
    "medicationCodeableConcept",
    "vaccineCode",
    "type",
    "serviceType",
    "reasonCode",
    "scope",
    "category",
    "class",
    "relationship",
    "title",
    "description",
    "deviceName",
    "use",
    "intent",
    "status",
];
/// Where dates stand, best first.
const DATES: &[&str] = &[
    "effectiveDateTime",
    "effectivePeriod",
    "performedDateTime",
    "performedPeriod",
    "occurrenceDateTime",
    "onsetDateTime",
    "authoredOn",
    "whenHandedOver",
    "start",
    "period",
    "billablePeriod",
    "created",
    "sent",
    "date",
    "recordedDate",
    "recorded",
    "issued",
    "dateTime",
];

/// The title of a resource.
pub fn title(resource: &Tree) -> String {
    let words = WORDS.iter().find_map(|key| words(resource.get(key)?)).unwrap_or_default();
    let date = DATES.iter().find_map(|key| date(resource.get(key)?));
    let words: String = words.chars().take(TITLE_CHARS_MAX).collect();
    match (words.is_empty(), date) {
        (false, Some(date)) => format!("{words}, {date}"),
        (false, None) => words,
        (true, Some(date)) => date,
        (true, None) => String::new(),
    }
}

fn words(value: &Tree) -> Option<String> {
    let first = value.items().first()?;
    let text = |key: &str| first.get(key).and_then(Tree::text);
    let coding = || first.get("coding").map(Tree::items).unwrap_or_default().first()?.get("display")?.text();
    let found = first.text().or_else(|| text("text")).or_else(coding).or_else(|| text("display"));
    found.or_else(|| text("name")).map(str::to_owned).filter(|words| !words.is_empty())
}

fn date(value: &Tree) -> Option<String> {
    let text = value.text().or_else(|| value.get("start").and_then(Tree::text))?;
    text.get(..10).or_else(|| text.get(..4)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_has_words_and_a_day() {
        let check = |json: &str, expected: &str| assert_eq!(title(&Tree::parse(json.as_bytes()).unwrap()), expected);
        check(
            r#"{"code":{"coding":[{"code":"1","display":"Creatinine"}]},"effectiveDateTime":"2026-02-01T08:00:00Z"}"#,
            "Creatinine, 2026-02-01",
        );
        check(r#"{"type":[{"text":"Visit"}],"period":{"start":"2026-02"}}"#, "Visit, 2026");
        check(r#"{"status":"booked"}"#, "booked");
        check(r#"{"id":"pat-0001"}"#, "");
    }
}
