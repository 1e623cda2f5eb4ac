//! Masks: the function of the strongest selector, and what each function leaves of a primitive or a Coding.

use super::facts::{Facts, system_and_code};
use super::forms::fits;
use super::json::Value;
use super::model::key;
use super::place::{Here, known};
use super::{Date, MARKER, Slow, View};
use scruple_fhir::{Element, ObjectType, Target};

/// What a mask does to an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Function {
    None,
    Keep,
    Into,
    Code,
    Coding,
    Listed(String),
    Year,
    Age,
    Zip3,
    Last4,
    Token,
    Shape,
}

impl Function {
    fn named(name: &str) -> Self {
        match name {
            "keep" => Self::Keep,
            "into" => Self::Into,
            "code" => Self::Code,
            "coding" => Self::Coding,
            "year" => Self::Year,
            "age" => Self::Age,
            "zip3" => Self::Zip3,
            "last4" => Self::Last4,
            "token" => Self::Token,
            "shape" => Self::Shape,
            other => match other.strip_prefix("listed:") {
                Some(list) => Self::Listed(list.to_owned()),
                None => Self::None,
            },
        }
    }

    /// Whether it can leave anything of that type.
    pub fn applies_to(&self, target: &Target) -> bool {
        let primitive = match target {
            Target::Primitive(name) => Some(*name),
            _ => None,
        };
        let string = primitive
            .is_some_and(|name| !matches!(name, "boolean" | "integer" | "positiveInt" | "unsignedInt" | "decimal"));
        match self {
            Self::None => false,
            Self::Keep => true,
            Self::Into => primitive.is_none() && *target != Target::Resource,
            Self::Coding | Self::Listed(_) => {
                super::model::object_of(target).is_some_and(|object| object.name == "Coding")
            }
            Self::Year | Self::Age => matches!(primitive, Some("date" | "dateTime")),
            Self::Code | Self::Zip3 | Self::Last4 => string,
            Self::Token => matches!(primitive, Some("string" | "id")) || matches!(target, Target::Reference(_)),
            Self::Shape => primitive.is_some(),
        }
    }
}

/// What a mask leaves of a primitive: the value, and a `_x` of its own.
pub(super) type Left = (Option<String>, Option<String>);

impl Slow<'_> {
    /// The function for one type of an element: `Type.element`, else `*.element`, else the FHIR type, else none.
    pub(super) fn function(&self, mask: &str, object: &ObjectType, element: &Element, target: usize) -> Function {
        let type_name = element.type_names.get(target).copied().unwrap_or_default();
        let selectors =
            [format!("{}.{}", object.name, element.name), format!("*.{}", element.name), type_name.to_owned()];
        let found = selectors.into_iter().find_map(|selector| self.pack.masks.get(&(mask.to_owned(), selector)));
        found.map_or(Function::None, |name| Function::named(name))
    }

    /// A primitive under a function that is neither keep nor none. `holder`: the object that it stands in.
    pub(super) fn mask_primitive(
        &self,
        function: &Function,
        here: &Here,
        element: &Element,
        primitive: &str,
        value: &Value,
        holder: &Value,
    ) -> Left {
        let plain = value.plain();
        let quoted = |text: String| (Some(format!("\"{text}\"")), None);
        let nothing = (None, None);
        match function {
            Function::Code => plain.filter(|code| fits("token", code)).map_or(nothing, |code| quoted(code.to_owned())),
            Function::Year if matches!(primitive, "date" | "dateTime") => {
                let year = value
                    .text()
                    .and_then(|raw| raw.get(..4))
                    .filter(|year| year.bytes().all(|byte| byte.is_ascii_digit()));
                year.map_or(nothing, |year| quoted(year.to_owned()))
            }
            Function::Age if matches!(primitive, "date" | "dateTime") => (None, Some(self.age(element, value))),
            Function::Zip3 => match plain {
                Some(code) if is_zip(code) && is_us(holder) => {
                    quoted(format!("{}00", code.get(..3).unwrap_or_default()))
                }
                _ => nothing,
            },
            Function::Last4 => {
                let letters: Vec<char> = plain.unwrap_or_default().chars().collect();
                if letters.len() < 8 { nothing } else { quoted(letters[letters.len() - 4..].iter().collect()) }
            }
            Function::Token if here.object.name == "Reference" && element.name == "reference" => {
                match value.text().and_then(|literal| self.token_literal(literal)) {
                    Some(literal) => quoted(literal),
                    None => nothing,
                }
            }
            Function::Token if matches!(primitive, "string" | "id") => {
                value.plain().map_or(nothing, |raw| quoted((self.token)(primitive, raw)))
            }
            Function::Shape => (shape(primitive, value), None),
            _ => nothing,
        }
    }

    /// `Type/id` with a pseudonym for the id.
    pub(super) fn token_literal(&self, literal: &str) -> Option<String> {
        let (name, id) = super::reference::plain_literal(super::reference::without_version(literal))?;
        Some(format!("{name}/{}", (self.token)(name, id)))
    }

    /// A Coding under `coding` or `listed`: system and code, if the system is listed and the code well formed.
    pub(super) fn mask_coding(&self, function: &Function, here: &Here, value: &Value, facts: &Facts) -> Option<String> {
        let (system, code) = system_and_code(value)?;
        if !self.is_well_formed(system, code) {
            return None;
        }
        if let Function::Listed(list) = function {
            self.pack.lists.get(list)?.get(&(system.to_owned(), code.to_owned()))?;
        }
        let coding = known("Coding");
        let mut kept = Vec::new();
        for member in value.members().iter().filter(|member| matches!(member.key.as_str(), "system" | "code")) {
            let key = key(coding, &member.key)?;
            // Reading: what narrows a Coding's own elements holds here too.
            let seen = self.seen(here, &coding.elements[key.element], key.target, None, facts);
            if seen.view == View::Full {
                kept.push(format!("\"{}\":{}", member.key, member.value.print()));
            }
        }
        if kept.is_empty() { None } else { Some(format!("{{{}}}", kept.join(","))) }
    }

    /// `_x` for a withheld date: masked, and the age where it is a birth date.
    fn age(&self, element: &Element, value: &Value) -> String {
        let years = if element.name == "birthDate" { value.text().and_then(|raw| age(raw, self.as_of)) } else { None };
        let Some(years) = years else { return MARKER.to_owned() };
        let number =
            if years >= 90 { "\"value\":90,\"comparator\":\">=\"".to_owned() } else { format!("\"value\":{years}") };
        let extension = format!(
            concat!(
                r#"{{"url":"https://scruple.example/fhir/StructureDefinition/age","valueAge":{{{},"#,
                r#""unit":"years","system":"http://unitsofmeasure.org","code":"a"}}}}"#
            ),
            number
        );
        MARKER.replace("}]}", &format!("}},{extension}]}}"))
    }
}

/// Whole years from a full date to the day; `None` where it is no full date, or later than the day.
fn age(raw: &str, as_of: Date) -> Option<u16> {
    let bytes = raw.get(..10)?.as_bytes();
    let digits =
        |from: usize, to: usize| raw.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    if bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let born = Date {
        year: digits(0, 4)?.parse().ok()?,
        month: digits(5, 7)?.parse().ok()?,
        day: digits(8, 10)?.parse().ok()?,
    };
    let leap = born.year.is_multiple_of(4) && (!born.year.is_multiple_of(100) || born.year.is_multiple_of(400));
    let days = match born.month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    // Reading: a day that the calendar does not have is no full date.
    if born.day == 0 || born.day > days || born > as_of {
        return None;
    }
    let had_birthday = (as_of.month, as_of.day) >= (born.month, born.day);
    Some(as_of.year - born.year - u16::from(!had_birthday))
}

fn is_zip(code: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match code.split_once('-') {
        None => code.len() == 5 && digits(code),
        Some((five, four)) => five.len() == 5 && digits(five) && four.len() == 4 && digits(four),
    }
}

fn is_us(address: &Value) -> bool {
    address.get("country").is_none_or(|country| matches!(country.text(), Some("US" | "USA")))
}

/// A dummy of the same shape.
fn shape(primitive: &str, value: &Value) -> Option<String> {
    let raw = match value {
        Value::Bool(_) => return Some("false".to_owned()),
        Value::Number(_) => return Some("9".to_owned()),
        Value::Text(raw) => raw,
        _ => return None,
    };
    let dummy = match primitive {
        "instant" => "2000-01-01T00:00:00Z".to_owned(),
        "time" => "00:00:00".to_owned(),
        // Reading: a date that is shorter than ten characters and neither a year nor a month has no precision.
        "date" | "dateTime" => match raw.len() {
            4 => "2000".to_owned(),
            7 => "2000-01".to_owned(),
            10 => "2000-01-01".to_owned(),
            length if length > 10 => "2000-01-01T00:00:00Z".to_owned(),
            _ => return None,
        },
        _ => shape_text(raw),
    };
    Some(format!("\"{dummy}\""))
}

fn shape_text(raw: &str) -> String {
    let mut dummy = String::new();
    let mut letters = raw.chars();
    while let Some(letter) = letters.next() {
        dummy.push(match letter {
            '\\' => {
                if letters.next() == Some('u') {
                    letters.by_ref().take(4).for_each(drop);
                }
                'x'
            }
            'a'..='z' => 'x',
            'A'..='Z' => 'X',
            '0'..='9' => '9',
            other if other.is_ascii() => other,
            _ => 'x',
        });
    }
    dummy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_whole_years_on_the_day() {
        let as_of = Date { year: 2026, month: 3, day: 1 };
        for (born, years) in [
            ("1980-03-01", Some(46)),
            ("1980-03-02", Some(45)),
            ("2024-02-29", Some(2)),
            ("2026-03-01", Some(0)),
            ("2026-03-02", None),
            ("1980-03", None),
            ("1980-13-01", None),
            ("1981-02-29", None),
            ("1980-03-01T10:00:00Z", Some(46)),
            ("1980/03/01", None),
            ("198é-3-01", None),
        ] {
            assert_eq!(age(born, as_of), years, "{born}");
        }
    }

    #[test]
    fn shapes_keep_the_shape() {
        for (raw, dummy) in [("Ab-9 é", "Xx-9 x"), (r"\u00e9\n\\a", "xxxx"), (r"\ud83d\ude00", "xx"), ("", "")] {
            assert_eq!(shape_text(raw), dummy);
        }
    }
}
