//! What belongs to no patient: organisations, places, services, staff, schedules, questionnaires, studies.

use crate::Resource;
use crate::codes::{Code, NUCC, code, hl7, loinc, sct};
use crate::json::{Json, arr, obj};
use crate::places::{HOSPITAL, HOSPITAL_ID, PART2_PROGRAMME_ID, PLACES, PROGRAMME};
use crate::staff::{StaffMember, staff};
use crate::time::{DAY, MINUTE, Moment};

/// The system of the roles of the policy pack.
const ROLE_SYSTEM: &str = "https://saguaro-valley.example/fhir/CodeSystem/role";

pub(crate) const PHQ9_TOTAL: Code =
    loinc("44261-6", "Patient Health Questionnaire 9 item (PHQ-9) total score [Reported]");
/// The nine questions of PHQ-9.
pub(crate) const PHQ9_ITEMS: [Code; 9] = [
    loinc("44250-9", "Little interest or pleasure in doing things"),
    loinc("44255-8", "Feeling down, depressed, or hopeless"),
    loinc("44259-0", "Trouble falling or staying asleep, or sleeping too much"),
    loinc("44254-1", "Feeling tired or having little energy"),
    loinc("44251-7", "Poor appetite or overeating"),
    loinc("44258-2", "Feeling bad about yourself - or that you are a failure or have let yourself or your family down"),
    loinc("44252-5", "Trouble concentrating on things, such as reading the newspaper or watching television"),
    loinc(
        "44253-3",
        "Moving or speaking so slowly that other people could have noticed. Or the opposite - being so fidgety or restless that you have been moving around a lot more than usual",
    ),
    loinc("44260-8", "Thoughts that you would be better off dead, or of hurting yourself in some way"),
];

fn resource(kind: &'static str, id: impl Into<String>, body: Json) -> Resource {
    let fields = match body {
        Json::Object(fields) => fields,
        _ => Vec::new(),
    };
    Resource::new(kind, id.into(), fields)
}

/// An NPI of the block that starts with 2, which is not issued, with its Luhn check digit.
fn npi(serial: i64) -> String {
    let digits = format!("80840{}", 200_000_000 + serial * 7_919);
    let sum: u32 = digits
        .bytes()
        .rev()
        .zip([2u32, 1].into_iter().cycle())
        .map(|(digit, weight)| {
            let product = u32::from(digit - b'0') * weight;
            product / 10 + product % 10
        })
        .sum();
    format!("{}{}", digits.trim_start_matches("80840"), (10 - sum % 10) % 10)
}

fn organization(
    id: &'static str,
    name: &'static str,
    kind: (&'static str, &'static str),
    parent: Option<&'static str>,
    serial: i64,
) -> Resource {
    resource(
        "Organization",
        id,
        obj! {
            "identifier": (kind.0 != "pay").then(
                || arr![obj! { "system": "http://hl7.org/fhir/sid/us-npi", "value": npi(serial) }],
            ),
            "active": true,
            "type": arr![hl7("organization-type", kind.0, kind.1)],
            "name": name,
            "telecom": arr![
                obj! { "system": "phone", "value": format!("602-555-01{:02}", serial % 100), "use": "work" },
            ],
            "address": arr![
                obj! {
                    "use": "work", "line": ["1400 E Saguaro Valley Pkwy"], "city": "Phoenix", "state": "AZ",
                    "postalCode": "85004", "country": "US",
                },
            ],
            "partOf": parent.map(|id| obj! { "reference": format!("Organization/{id}") }),
        },
    )
}

fn organizations() -> Vec<Resource> {
    const PROVIDER: (&str, &str) = ("prov", "Healthcare Provider");
    const PAYER: (&str, &str) = ("pay", "Payer");
    vec![
        organization(HOSPITAL_ID, HOSPITAL, PROVIDER, None, 1),
        organization(PART2_PROGRAMME_ID, PROGRAMME, PROVIDER, None, 2),
        organization(
            "org-laboratory",
            "Saguaro Valley Clinical Laboratory",
            ("dept", "Hospital Department"),
            Some(HOSPITAL_ID),
            3,
        ),
        organization("org-payer-commercial", "Copper State Health Plan", PAYER, None, 4),
        organization("org-payer-medicare", "Medicare Part B of the Synthetic Region", PAYER, None, 5),
        organization("org-payer-medicaid", "Desert Cares Medicaid", PAYER, None, 6),
        organization(
            "org-business-associate",
            "Ledgerline Record Systems (business associate)",
            ("bus", "Non-Healthcare Business or Corporation"),
            None,
            7,
        ),
    ]
}

fn places() -> Vec<Resource> {
    let mut all = Vec::new();
    for place in PLACES {
        all.push(resource("Location", place.id, obj! {
            "status": "active",
            "name": place.name,
            "alias": arr![format!("Floor {}", place.floor)],
            "mode": "instance",
            "type": arr![
                Code { system: "http://terminology.hl7.org/CodeSystem/v3-RoleCode", code: place.kind, display: kind_display(place.kind) }.concept(),
            ],
            "physicalType": hl7("location-physical-type", "wa", "Ward"),
            "telecom": arr![
                obj! { "system": "phone", "value": format!("602-555-01{:02}", 20 + place.floor), "use": "work" },
            ],
            "managingOrganization": obj! {
                "reference": format!("Organization/{}", place.organization), "display": place.organization_name(),
            },
        }));
        if !place.service.is_empty() {
            all.push(resource(
                "HealthcareService",
                place.service_id(),
                obj! {
                    "active": true,
                    "providedBy": obj! { "reference": format!("Organization/{}", place.organization) },
                    "name": place.service,
                    "location": arr![obj! { "reference": format!("Location/{}", place.id), "display": place.name }],
                    "appointmentRequired": place.id != "loc-ed",
                },
            ));
        }
    }
    all
}

fn kind_display(kind: &str) -> &'static str {
    match kind {
        "HU" => "Hospital unit",
        "ICU" => "Intensive care unit",
        "ER" => "Emergency room",
        "PHU" => "Psychiatric hospital unit",
        "SURF" => "Substance use rehabilitation facility",
        "SU" => "Surgery clinic",
        "PC" => "Primary care clinic",
        "PSYCHF" => "Psychatric Care Facility",
        "GYN" => "Gynecology clinic",
        "ENDO" => "Endocrinology clinic",
        "PEDC" => "Pediatrics clinic",
        "RADDX" => "Radiology diagnostics or therapeutics unit",
        "HLAB" => "hospital laboratory",
        "PHARM" => "Pharmacy",
        _ => "Outpatient facility",
    }
}

/// How the role is called on a badge.
fn label(role: &str) -> String {
    let words = role.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A role of the policy pack as a concept.
pub(crate) fn role_concept(role: &'static str) -> Json {
    obj! { "coding": arr![obj! { "system": ROLE_SYSTEM, "code": role, "display": label(role) }], "text": label(role) }
}

fn practitioner(member: &StaffMember, serial: i64, now: Moment) -> Vec<Resource> {
    let (given, family) = member.parts();
    let organization =
        PLACES.iter().find(|place| place.id == member.unit).map_or(HOSPITAL_ID, |place| place.organization);
    let clinical = member.specialty.is_some();
    let mut all = vec![
        resource(
            "Practitioner",
            member.id,
            obj! {
                "identifier": std::iter::once(
                    obj! {
                        "system": "https://saguaro-valley.example/employee",
                        "value": format!("E{:05}", 10_000 + serial),
                    },
                )
                    .chain(
                        clinical.then(
                            || obj! { "system": "http://hl7.org/fhir/sid/us-npi", "value": npi(100 + serial) },
                        ),
                    ).collect::<Vec<_>>(),
                "active": true,
                "name": arr![obj! { "use": "official", "text": member.name, "family": family, "given": arr![given] }],
                "telecom": arr![
                    obj! { "system": "phone", "value": format!("602-555-01{:02}", serial % 100), "use": "work" },
                    obj! {
                        "system": "email",
                        "value": format!("{}.{}@saguaro-valley.example", given.to_lowercase(), family.to_lowercase()),
                        "use": "work",
                    },
                ],
                "gender": if member.sex == 'f' { "female" } else { "male" },
                "qualification": member.specialty.map(|specialty| arr![obj! { "code": specialty.concept() }]),
            },
        ),
        resource(
            "PractitionerRole",
            member.role_id(),
            obj! {
                "active": true,
                "period": obj! { "start": now.date().plus_days(-400 - serial * 11) },
                "practitioner": obj! { "reference": member.reference(), "display": member.name },
                "organization": obj! {
                    "reference": format!(
                        "Organization/{}",
                        if member.role == "vendor_support" { "org-business-associate" } else { organization },
                    ),
                },
                "code": arr![role_concept(member.role)],
                "specialty": member.specialty.map(|specialty| arr![specialty.concept()]),
                "location": arr![obj! { "reference": format!("Location/{}", member.unit) }],
                "telecom": arr![
                    obj! { "system": "phone", "value": format!("602-555-01{:02}", serial % 100), "use": "work" },
                ],
            },
        ),
    ];
    if matches!(
        member.role,
        "physician" | "bh_clinician" | "sud_clinician" | "allied_health" | "ed_clinician" | "nurse"
    ) {
        let short = member.id.trim_start_matches("prac-");
        let day = now.date();
        all.push(resource(
            "Schedule",
            format!("sched-{short}"),
            obj! {
                "active": true,
                "actor": arr![
                    obj! { "reference": member.reference(), "display": member.name },
                    obj! { "reference": format!("Location/{}", member.unit) },
                ],
                "planningHorizon": obj! { "start": day.at(0, 0), "end": day.plus_days(60).at(0, 0) },
            },
        ));
        for slot in 0..4 {
            let start = day.plus_days(1).weekday_on().at(13, 0).plus(slot * 30 * MINUTE);
            all.push(resource(
                "Slot",
                format!("slot-{short}-{}", slot + 1),
                obj! {
                    "schedule": obj! { "reference": format!("Schedule/sched-{short}") },
                    "status": "free", "start": start, "end": start.plus(30 * MINUTE),
                },
            ));
        }
    }
    all
}

fn questionnaire() -> Resource {
    const OPTIONS: [(&str, &str); 4] = [
        ("LA6568-5", "Not at all"),
        ("LA6569-3", "Several days"),
        ("LA6570-1", "More than half the days"),
        ("LA6571-9", "Nearly every day"),
    ];
    let mut items: Vec<Json> = PHQ9_ITEMS
        .iter()
        .map(|item| obj! {
            "linkId": format!("/{}", item.code), "code": arr![item.coding()], "text": item.display, "type": "choice",
            "required": true,
            "answerOption": OPTIONS.iter().map(
                |(code, display)| obj! { "valueCoding": loinc(code, display).coding() },
            ).collect::<Vec<_>>(),
        })
        .collect();
    items.push(
        obj! { "linkId": "/44261-6", "code": arr![PHQ9_TOTAL.coding()], "text": PHQ9_TOTAL.display, "type": "decimal" },
    );
    resource(
        "Questionnaire",
        "questionnaire-phq-9",
        obj! {
            "url": "https://saguaro-valley.example/fhir/Questionnaire/questionnaire-phq-9",
            "name": "PHQ9", "title": "Patient Health Questionnaire (PHQ-9)", "status": "active",
            "subjectType": ["Patient"],
            "code": arr![loinc("44249-1", "PHQ-9 quick depression assessment panel [Reported.PHQ]").coding()],
            "item": items,
        },
    )
}

fn rest(now: Moment) -> Vec<Resource> {
    vec![
        resource(
            "ResearchStudy",
            "study-hypertension-1",
            obj! {
                "title": "Home monitoring of blood pressure", "status": "active",
                "period": obj! { "start": now.plus(-300 * DAY).date() },
                "sponsor": obj! { "reference": format!("Organization/{HOSPITAL_ID}"), "display": HOSPITAL },
                "principalInvestigator": obj! {
                    "reference": "Practitioner/prac-physician-8", "display": "Marcus Greene",
                },
                "arm": arr![obj! { "name": "Home monitoring" }, obj! { "name": "Usual care" }],
            },
        ),
        resource(
            "ResearchStudy",
            "study-opioid-1",
            obj! {
                "title": "Retention in treatment of opioid use disorder", "status": "active",
                "category": arr![obj! { "text": "Certificate of confidentiality, 42 USC 241(d)" }],
                "period": obj! { "start": now.plus(-200 * DAY).date() },
                "sponsor": obj! { "reference": format!("Organization/{HOSPITAL_ID}"), "display": HOSPITAL },
                "principalInvestigator": obj! {
                    "reference": "Practitioner/prac-researcher-1", "display": "Amara Nwosu",
                },
            },
        ),
        resource(
            "Endpoint",
            "endpoint-direct",
            obj! {
                "status": "active",
                "connectionType": obj! {
                    "system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type",
                    "code": "direct-project", "display": "Direct Project",
                },
                "managingOrganization": obj! { "reference": format!("Organization/{HOSPITAL_ID}") },
                "payloadType": arr![hl7("endpoint-payload-type", "any", "Any")],
                "address": "mailto:records@direct.saguaro-valley.example",
            },
        ),
        resource(
            "InsurancePlan",
            "plan-copper-state",
            obj! {
                "status": "active", "name": "Copper State PPO",
                "ownedBy": obj! { "reference": "Organization/org-payer-commercial" },
            },
        ),
        resource(
            "OrganizationAffiliation",
            "affiliation-recovery",
            obj! {
                "active": true,
                "organization": obj! { "reference": format!("Organization/{HOSPITAL_ID}") },
                "participatingOrganization": obj! { "reference": format!("Organization/{PART2_PROGRAMME_ID}") },
                "specialty": arr![code(NUCC, "261QM2800X", "Methadone Clinic").concept()],
            },
        ),
        resource(
            "Medication",
            "med-buprenorphine",
            obj! {
                "code": crate::codes::rxn::BUPRENORPHINE.code.concept(), "status": "active",
                "form": sct("385055001", "Tablet").concept(),
            },
        ),
    ]
}

/// Everything that belongs to no patient, in an order in which it can be loaded.
pub(crate) fn directory(now: Moment) -> Vec<Resource> {
    let people = staff().iter().zip(1..).flat_map(|(member, serial)| practitioner(member, serial, now));
    organizations().into_iter().chain(places()).chain(people).chain([questionnaire()]).chain(rest(now)).collect()
}

#[cfg(test)]
mod tests {
    /// The example of the NPI standard: 1234567893 is valid.
    #[test]
    fn npi_numbers_end_in_their_luhn_digit() {
        for serial in 0..200 {
            let digits = format!("80840{}", super::npi(serial));
            let sum: u32 = digits
                .bytes()
                .rev()
                .enumerate()
                .map(|(place, digit)| {
                    let value = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
                    value / 10 + value % 10
                })
                .sum();
            assert_eq!((digits.len(), sum % 10), (15, 0), "{digits}");
        }
    }
}
