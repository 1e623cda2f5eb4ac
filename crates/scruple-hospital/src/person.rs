//! Who a patient is: demographics, drawn from (seed, index), and the Patient resource.

use crate::codes::{CONFIDENTIALITY, Code, code, label};
use crate::draw::{Draw, Stream};
use crate::json::{Json, arr, base64, obj};
use crate::people::{FAMILY, FAR_TOWNS, FEMALE_GIVEN, MALE_GIVEN, STREETS, TOWNS, Town};
use crate::persona::Persona;
use crate::places::{HOSPITAL, HOSPITAL_ID};
use crate::staff::{StaffMember, by_id, staff};
use crate::time::{Date, HOUR, Moment};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sex {
    Female,
    Male,
}

/// Who pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payer {
    Commercial,
    Medicare,
    Medicaid,
    Uninsured,
}

impl Payer {
    pub(crate) const fn organization(self) -> (&'static str, &'static str) {
        match self {
            Self::Commercial => ("org-payer-commercial", "Copper State Health Plan"),
            Self::Medicare => ("org-payer-medicare", "Medicare Part B of the Synthetic Region"),
            Self::Medicaid | Self::Uninsured => ("org-payer-medicaid", "Desert Cares Medicaid"),
        }
    }
}

pub(crate) struct Person {
    pub id: String,
    pub persona: Persona,
    pub number: i64,
    pub given: &'static str,
    pub middle: &'static str,
    pub family: &'static str,
    pub sex: Sex,
    pub birth: Date,
    pub died: Option<Moment>,
    /// Age at the end of the record.
    pub age: i64,
    pub street: String,
    pub town: Town,
    pub phone: String,
    pub payer: Payer,
    pub pcp: &'static StaffMember,
    /// First and last name of the next of kin, and what they are.
    pub kin: (&'static str, &'static str, Kin),
    pub married: bool,
    pub race: (&'static str, &'static str),
    pub hispanic: bool,
    pub language: (&'static str, &'static str),
    pub ssn: String,
    /// 1 or 2 of twins.
    pub birth_order: Option<i64>,
    pub has_photo: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kin {
    Mother,
    Spouse,
    Child,
    Sibling,
}

impl Kin {
    /// v3 RoleCode, its display, and the contact relationship of HL7 v2.
    pub(crate) const fn code(self) -> (&'static str, &'static str) {
        match self {
            Self::Mother => ("MTH", "mother"),
            Self::Spouse => ("SPS", "spouse"),
            Self::Child => ("CHILD", "child"),
            Self::Sibling => ("SIB", "sibling"),
        }
    }
}

const RACES: &[(&str, &str)] = &[
    ("2106-3", "White"),
    ("2106-3", "White"),
    ("2106-3", "White"),
    ("2106-3", "White"),
    ("2054-5", "Black or African American"),
    ("1002-5", "American Indian or Alaska Native"),
    ("2028-9", "Asian"),
    ("2131-1", "Other Race"),
];
const RACE_SYSTEM: &str = "urn:oid:2.16.840.1.113883.6.238";
/// Internists and family doctors with a panel.
const PANEL_DOCTORS: &[&str] = &["prac-physician-1", "prac-physician-2", "prac-physician-11"];

/// The id of the patient with this index.
pub(crate) fn patient_id(index: usize) -> String {
    format!("pat-{:04}", index.saturating_add(1))
}

impl Person {
    pub(crate) fn draw(seed: u64, index: usize, persona: Persona, now: Moment) -> Self {
        let stream = index as u64;
        let mut own = Draw::new(seed, Stream::Person, stream);
        // Twins share what siblings share: these draws come from the pair.
        let mut home = if persona == Persona::Twin {
            let mut pair = Draw::new(seed, Stream::Pair, stream / 2);
            let _ = pair.range(0, 1);
            pair
        } else {
            Draw::new(seed, Stream::Person, stream ^ (1 << 63))
        };

        let (youngest, oldest) = persona.ages();
        let newborn = persona == Persona::Twin && index < Persona::fixed().len();
        let age_days = if newborn {
            home.range(1, 2)
        } else {
            let spread = oldest - youngest;
            // Ages pile up in the middle and thin out at the top.
            let years = if persona == Persona::Ordinary {
                home.around(youngest + spread / 2, spread / 2)
            } else {
                home.range(youngest, oldest)
            };
            years * 365 + years / 4 + home.range(1, 360)
        };
        let died = (persona == Persona::Deceased).then(|| now.plus(-own.range(3, 60) * 24 * HOUR));
        let end = died.unwrap_or(now);
        let birth = end.date().plus_days(-age_days.max(0));
        let age = end.date().years_since(birth);

        let colleague = (persona == Persona::Employee).then(|| own.pick(staff()));
        let sex = match (colleague, persona.sex()) {
            (Some(member), _) => {
                if member.sex == 'f' {
                    Sex::Female
                } else {
                    Sex::Male
                }
            }
            (None, Some(sex)) => sex,
            (None, None) => {
                if own.percent(52) {
                    Sex::Female
                } else {
                    Sex::Male
                }
            }
        };
        let names = |sex| if sex == Sex::Female { FEMALE_GIVEN } else { MALE_GIVEN };
        let family = home.pick(FAMILY);
        let (given, family) = match colleague {
            Some(member) => member.parts(),
            // Two twins never share a given name: they pick from the two halves of the list.
            None if persona == Persona::Twin => {
                let half = names(sex).len() / 2;
                let (first, second) = names(sex).split_at(half);
                (own.pick(if index.is_multiple_of(2) { first } else { second }), family)
            }
            None => (own.pick(names(sex)), family),
        };
        let hispanic = home.percent(31);
        let town = if home.percent(7) { home.pick(FAR_TOWNS) } else { home.pick(TOWNS) };
        let married = age >= 24 && own.percent(48);
        let kin = if age < 18 {
            Kin::Mother
        } else if married {
            Kin::Spouse
        } else if age > 55 {
            Kin::Child
        } else {
            Kin::Sibling
        };
        let kin_name = if kin == Kin::Mother {
            home.pick(FEMALE_GIVEN)
        } else {
            own.pick(names(if sex == Sex::Female { Sex::Male } else { Sex::Female }))
        };
        let payer = match age {
            65.. => Payer::Medicare,
            _ if home.percent(22) => Payer::Medicaid,
            _ if home.percent(8) => Payer::Uninsured,
            _ => Payer::Commercial,
        };
        let payer = if matches!(persona, Persona::SelfPay | Persona::Vip | Persona::Employee) && age < 65 {
            Payer::Commercial
        } else {
            payer
        };

        Self {
            id: patient_id(index),
            persona,
            number: 20_000_000 + i64::try_from(index).unwrap_or(0),
            given,
            middle: own.pick(names(sex)),
            family,
            sex,
            birth,
            died,
            age,
            street: format!("{} {}", home.range(100, 9_899), home.pick(STREETS)),
            phone: format!("{}-555-01{:02}", town.area, home.range(0, 99)),
            town,
            payer,
            pcp: if age < 18 { by_id("prac-physician-6") } else { by_id(own.pick(PANEL_DOCTORS)) },
            kin: (kin_name, family, kin),
            married,
            race: home.pick(RACES),
            hispanic,
            language: if hispanic && home.percent(35) {
                ("es", "Spanish")
            } else if home.percent(2) {
                ("vi", "Vietnamese")
            } else {
                ("en", "English")
            },
            // 9xx is never issued; a group below 50 is no taxpayer number either.
            ssn: format!("9{:02}-{:02}-{:04}", own.range(0, 99), own.range(10, 49), own.range(1, 9_999)),
            birth_order: (persona == Persona::Twin).then(|| if index.is_multiple_of(2) { 1 } else { 2 }),
            has_photo: own.percent(4) || matches!(persona, Persona::Showcase | Persona::Canary | Persona::Vip),
        }
    }

    pub(crate) fn full_name(&self) -> String {
        format!("{} {}", self.given, self.family)
    }

    /// An adult's body mass index in tenths: 19.5 to 38.9, the same for life.
    pub(crate) const fn bmi(&self) -> i64 {
        195 + self.number * 7_919 % 195
    }

    pub(crate) fn is_female(&self) -> bool {
        self.sex == Sex::Female
    }

    /// "52-year-old woman", as notes of that day begin.
    pub(crate) fn described(&self, at: Moment) -> String {
        let age = at.date().years_since(self.birth);
        match (age, self.sex) {
            (0, _) => "newborn".to_owned(),
            (1..=17, Sex::Female) => format!("{age}-year-old girl"),
            (1..=17, Sex::Male) => format!("{age}-year-old boy"),
            (_, Sex::Female) => format!("{age}-year-old woman"),
            (_, Sex::Male) => format!("{age}-year-old man"),
        }
    }

    /// The labels that the privacy office puts on the person.
    fn labels(&self) -> Vec<Code> {
        match self.persona {
            Persona::Vip => vec![label::VIP],
            Persona::Employee => vec![label::EMPLOYEE],
            Persona::Restricted => vec![label::RESTRICTED],
            Persona::ConfidentialAddress | Persona::Abuse | Persona::Showcase | Persona::Canary => {
                vec![code(CONFIDENTIALITY, "R", "restricted"), PROCESS_INLINE]
            }
            _ => Vec::new(),
        }
    }

    fn has_confidential_contact(&self) -> bool {
        matches!(self.persona, Persona::ConfidentialAddress | Persona::Abuse | Persona::Showcase | Persona::Canary)
    }

    fn address(&self) -> Json {
        let home = obj! {
            "extension": self.has_confidential_contact().then(geolocation).into_iter().collect::<Vec<_>>(),
            "use": "home", "type": "physical",
            "text": format!("{}, {}, {} {}", self.street, self.town.city, self.town.state, self.town.zip),
            "line": arr![self.street.clone()], "city": self.town.city, "district": self.town.county,
            "state": self.town.state, "postalCode": self.town.zip, "country": "US",
        };
        let substitute = self.has_confidential_contact().then(|| obj! {
            "extension": arr![inline_label(label::LOCATION)],
            "use": "temp", "type": "postal", "text": "Address Confidentiality Program, PO Box 4021, Phoenix, AZ 85001",
            "line": ["PO Box 4021"], "city": "Phoenix", "state": "AZ", "postalCode": "85001", "country": "US",
        });
        Json::List(std::iter::once(home).chain(substitute).collect())
    }

    fn telecom(&self) -> Json {
        let mail = format!(
            "{}.{}{}@example.net",
            self.given.to_lowercase(),
            self.family.to_lowercase().replace('\'', ""),
            self.number % 1_000
        );
        let mut points = vec![obj! {
            "system": "phone", "value": &self.phone, "use": if self.age < 18 { "home" } else { "mobile" },
            "rank": 1,
        }];
        if (13..85).contains(&self.age) {
            points.push(obj! { "system": "email", "value": mail, "use": "home" });
        }
        if self.has_confidential_contact() {
            points.push(obj! {
                "extension": arr![inline_label(label::LOCATION)],
                "system": "phone", "value": "602-555-0148", "use": "temp",
            });
        }
        Json::List(points)
    }

    fn extensions(&self) -> Json {
        let (race_code, race) = self.race;
        let (ethnicity_code, ethnicity) =
            if self.hispanic { ("2135-2", "Hispanic or Latino") } else { ("2186-5", "Not Hispanic or Latino") };
        let omb = |url: &str, code: &'static str, display: &'static str| {
            obj! { "url": format!("http://hl7.org/fhir/us/core/StructureDefinition/{url}"), "extension": arr![
                obj! {
                    "url": "ombCategory",
                    "valueCoding": obj! { "system": RACE_SYSTEM, "code": code, "display": display },
                },
                obj! { "url": "text", "valueString": display },
            ] }
        };
        let mut all = vec![
            omb("us-core-race", race_code, race),
            omb("us-core-ethnicity", ethnicity_code, ethnicity),
            obj! {
                "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex",
                "valueCode": match (self.persona, self.sex) {
                    // The record shows the gender lived; sex at birth is the other one.
                    (Persona::GenderAffirming, Sex::Female) => "M",
                    (Persona::GenderAffirming, Sex::Male) => "F",
                    (_, Sex::Female) => "F",
                    (_, Sex::Male) => "M",
                },
            },
        ];
        if self.persona == Persona::GenderAffirming {
            let (code, display) = if self.is_female() {
                ("446141000124107", "Identifies as female gender")
            } else {
                ("446151000124109", "Identifies as male gender")
            };
            all.push(obj! {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-genderIdentity",
                "valueCodeableConcept": crate::codes::sct(code, display).concept(),
            });
        }
        if matches!(self.persona, Persona::Showcase | Persona::Canary) {
            all.push(obj! {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-religion",
                "valueCodeableConcept": crate::codes::hl7("v3-ReligiousAffiliation", "1041", "Roman Catholic Church"),
            });
            all.push(obj! {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "Ibarra",
            });
        }
        Json::List(all)
    }

    fn identifiers(&self) -> Json {
        let typed = |kind: &'static str,
                     display: &'static str,
                     usage: &'static str,
                     system: &'static str,
                     value: String| {
            obj! { "use": usage, "type": crate::codes::hl7("v2-0203", kind, display), "system": system, "value": value }
        };
        let mut all = vec![
            typed(
                "MR",
                "Medical record number",
                "usual",
                "https://saguaro-valley.example/mrn",
                self.number.to_string(),
            ),
            typed("SS", "Social Security number", "official", "http://hl7.org/fhir/sid/us-ssn", self.ssn.clone()),
        ];
        if self.age >= 18 && self.number % 3 == 0 || matches!(self.persona, Persona::Showcase | Persona::Canary) {
            all.push(typed(
                "DL",
                "Driver's license number",
                "official",
                "urn:oid:2.16.840.1.113883.4.3.4",
                format!("D{:08}", self.number * 7 % 100_000_000),
            ));
        }
        Json::List(all)
    }

    /// The Patient resource.
    pub(crate) fn resource(&self, seen: Moment) -> Vec<(&'static str, Json)> {
        let name = self.full_name();
        let (marital, marital_display) = if self.married { ("M", "Married") } else { ("S", "Never Married") };
        let (kin_given, kin_family, kin) = self.kin;
        let (language, language_display) = self.language;
        let body = obj! {
            "meta": obj! {
                "lastUpdated": seen, "security": self.labels().into_iter().map(Code::coding).collect::<Vec<_>>(),
            },
            "text": obj! {
                "status": "generated",
                "div": format!(
                    "<div xmlns=\"http://www.w3.org/1999/xhtml\">{}, born {}, record {}</div>", name, self.birth,
                    self.number,
                ),
            },
            "extension": self.extensions(),
            "identifier": self.identifiers(),
            "active": true,
            "name": arr![obj! {
                "use": "official", "text": format!("{} {} {}", self.given, self.middle, self.family),
                "family": self.family, "given": arr![self.given, self.middle],
            }],
            "telecom": self.telecom(),
            "gender": if self.is_female() { "female" } else { "male" },
            "birthDate": self.birth,
            "deceasedDateTime": self.died,
            "address": self.address(),
            "maritalStatus": (self.age >= 18).then(|| crate::codes::hl7("v3-MaritalStatus", marital, marital_display)),
            "multipleBirthInteger": self.birth_order,
            "photo": if self.has_photo { vec![
                obj! { "contentType": "image/png", "data": base64(PORTRAIT), "title": "Registration photo" },
            ] } else { Vec::new() },
            "contact": arr![obj! {
                "relationship": arr![crate::codes::hl7("v2-0131", "N", "Next-of-Kin")],
                "name": obj! {
                    "text": format!("{kin_given} {kin_family}"), "family": kin_family, "given": arr![kin_given],
                },
                "telecom": arr![obj! { "system": "phone", "value": self.kin_phone(), "use": "mobile" }],
                "gender": match kin { Kin::Mother => Some("female"), _ => None },
            }],
            "communication": arr![obj! {
                "language": obj! {
                    "coding": arr![obj! { "system": "urn:ietf:bcp:47", "code": language, "display": language_display }],
                },
                "preferred": true,
            }],
            "generalPractitioner": arr![obj! { "reference": self.pcp.reference(), "display": self.pcp.name }],
            "managingOrganization": obj! { "reference": format!("Organization/{HOSPITAL_ID}"), "display": HOSPITAL },
        };
        match body {
            Json::Object(fields) => fields,
            _ => Vec::new(),
        }
    }

    pub(crate) fn kin_phone(&self) -> String {
        format!("{}-555-01{:02}", self.town.area, (self.number + 37) % 100)
    }
}

const PROCESS_INLINE: Code = label_code("PROCESSINLINELABEL", "process inline security label");
const fn label_code(code: &'static str, display: &'static str) -> Code {
    crate::codes::act(code, display)
}

fn inline_label(label: Code) -> Json {
    obj! {
        "url": "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label",
        "valueCoding": label.coding(),
    }
}

/// The centre of the town, to four decimal places.
fn geolocation() -> Json {
    obj! { "url": "http://hl7.org/fhir/StructureDefinition/geolocation", "extension": arr![
        obj! { "url": "latitude", "valueDecimal": crate::json::dec(334_484, 4) },
        obj! { "url": "longitude", "valueDecimal": crate::json::dec(-1_120_740, 4) },
    ] }
}

/// A portrait of one grey pixel, as PNG.
pub(crate) const PORTRAIT: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00, 0x00, 0x3a, 0x7e, 0x9b, 0x55, 0x00, 0x00, 0x00, 0x0a, 0x49,
    0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x68, 0x00, 0x00, 0x00, 0x82, 0x00, 0x81, 0x77, 0xcd, 0x72, 0xb6, 0x00, 0x00,
    0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];
