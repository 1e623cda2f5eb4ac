//! The record that everybody has: coverage, vaccines, allergies, chronic illness, visits, appointments, messages.

use crate::analytes::{
    Analyte, BLOOD_COUNT, CREATININE, GLUCOSE, HBA1C, INR, LIPIDS, METABOLIC, NT_PRO_BNP, Panel, SERUM, TSH,
};
use crate::chart::{Acuity, Answer, CLINIC_VISIT, Chart, ConsentKind, Visit, VisitPlan};
use crate::codes::{Code, Drug, Problem, VIRTUAL, dx, loinc, rxn, sct};
use crate::persona::Persona;
use crate::places::{PEDIATRICS, PRIMARY, Place};
use crate::staff::{StaffMember, on_duty};
use crate::time::{DAY, HOUR, MINUTE, Moment};

/// A chronic illness: from which age, how many of a hundred at 50 years, what it is treated and followed with.
struct Chronic {
    problem: Problem,
    from: i64,
    percent: i64,
    /// Percentage points more for each ten years above 50, fewer below.
    per_decade: i64,
    drug: Option<Drug>,
    follow: Follow,
    story: &'static str,
}

#[derive(Clone, Copy)]
enum Follow {
    Panel(&'static Panel),
    Value(&'static Analyte, i64, i64),
    Nothing,
}

const CHRONIC: &[Chronic] = &[
    Chronic {
        problem: dx::HYPERTENSION,
        from: 28,
        percent: 34,
        per_decade: 11,
        drug: Some(rxn::LISINOPRIL),
        follow: Follow::Panel(&METABOLIC),
        story: "Home readings mostly below 135/85. No dizziness, no cough from the tablet.",
    },
    Chronic {
        problem: dx::HYPERLIPIDEMIA,
        from: 30,
        percent: 30,
        per_decade: 9,
        drug: Some(rxn::ATORVASTATIN),
        follow: Follow::Panel(&LIPIDS),
        story: "Takes the statin most evenings. No muscle pain. Diet better since spring.",
    },
    Chronic {
        problem: dx::DIABETES,
        from: 30,
        percent: 13,
        per_decade: 5,
        drug: Some(rxn::METFORMIN),
        follow: Follow::Value(&HBA1C, 58, 92),
        story: "Morning sugars between 110 and 160. Feet without wounds. Eye examination due.",
    },
    Chronic {
        problem: dx::OBESITY,
        from: 18,
        percent: 22,
        per_decade: 2,
        drug: None,
        follow: Follow::Nothing,
        story: "Walks three times a week; weight unchanged since the last visit.",
    },
    Chronic {
        problem: dx::ASTHMA,
        from: 18,
        percent: 8,
        per_decade: 0,
        drug: Some(rxn::ALBUTEROL),
        follow: Follow::Nothing,
        story: "Uses the inhaler twice a month, more in dust storms. Sleeps through.",
    },
    Chronic {
        problem: dx::HYPOTHYROIDISM,
        from: 25,
        percent: 6,
        per_decade: 3,
        drug: Some(rxn::LEVOTHYROXINE),
        follow: Follow::Value(&TSH, 60, 520),
        story: "Less tired since the dose went up. No palpitations.",
    },
    Chronic {
        problem: dx::REFLUX,
        from: 20,
        percent: 14,
        per_decade: 3,
        drug: Some(rxn::OMEPRAZOLE),
        follow: Follow::Nothing,
        story: "Heartburn gone on the capsule, back when it is left out.",
    },
    Chronic {
        problem: dx::KNEE_ARTHRITIS,
        from: 45,
        percent: 10,
        per_decade: 8,
        drug: Some(rxn::IBUPROFEN),
        follow: Follow::Nothing,
        story: "Right knee stiff for twenty minutes in the morning, stairs hurt.",
    },
    Chronic {
        problem: dx::MIGRAINE,
        from: 15,
        percent: 9,
        per_decade: -2,
        drug: Some(rxn::SUMATRIPTAN),
        follow: Follow::Nothing,
        story: "Two attacks a month with light sensitivity; the tablet works within the hour.",
    },
    Chronic {
        problem: dx::ATRIAL_FIBRILLATION,
        from: 55,
        percent: 2,
        per_decade: 5,
        drug: Some(rxn::APIXABAN),
        follow: Follow::Value(&INR, 10, 13),
        story: "No bleeding. Pulse irregular, rate controlled.",
    },
    Chronic {
        problem: dx::KIDNEY_DISEASE,
        from: 50,
        percent: 4,
        per_decade: 5,
        drug: None,
        follow: Follow::Panel(&METABOLIC),
        story: "Creatinine stable over a year. Avoids ibuprofen.",
    },
    Chronic {
        problem: dx::HEART_FAILURE,
        from: 55,
        percent: 2,
        per_decade: 4,
        drug: Some(rxn::FUROSEMIDE),
        follow: Follow::Value(&NT_PRO_BNP, 320, 2_400),
        story: "Sleeps on two pillows, ankles slightly swollen in the evening. Weighs daily.",
    },
    Chronic {
        problem: dx::EMPHYSEMA,
        from: 50,
        percent: 5,
        per_decade: 3,
        drug: Some(rxn::ALBUTEROL),
        follow: Follow::Nothing,
        story: "One flight of stairs before stopping. No fever.",
    },
    Chronic {
        problem: dx::OSTEOPOROSIS,
        from: 60,
        percent: 3,
        per_decade: 6,
        drug: Some(rxn::ALENDRONATE),
        follow: Follow::Nothing,
        story: "No fall this year. Takes calcium.",
    },
    Chronic {
        problem: dx::SLEEP_APNEA,
        from: 35,
        percent: 8,
        per_decade: 1,
        drug: None,
        follow: Follow::Nothing,
        story: "Uses the mask five nights a week, wakes rested.",
    },
    Chronic {
        problem: dx::RHINITIS,
        from: 6,
        percent: 10,
        per_decade: -1,
        drug: None,
        follow: Follow::Nothing,
        story: "Runny nose in April and October.",
    },
    Chronic {
        problem: dx::ALZHEIMER,
        from: 70,
        percent: 0,
        per_decade: 4,
        drug: None,
        follow: Follow::Nothing,
        story: "Daughter manages pills and money. Lost the way home once.",
    },
];

const ACUTE: &[(Problem, Option<Drug>, &str, i64)] = &[
    (dx::COLD, None, "Three days of sore throat and cough, no fever, lungs clear.", 0),
    (dx::STREP_THROAT, Some(rxn::AMOXICILLIN), "Fever and swallowing hurts; rapid strep test positive.", 4),
    (dx::OTITIS, Some(rxn::AMOXICILLIN), "Pulled at the ear all night; drum red and bulging.", 1),
    (dx::BRONCHITIS, None, "Cough for ten days with clear sputum, no crackles.", 12),
    (dx::URINARY_INFECTION, Some(rxn::DOXYCYCLINE), "Burning and urgency for two days, no flank pain.", 18),
    (dx::BACK_PAIN, Some(rxn::IBUPROFEN), "Lifted a box on Sunday; no numbness, reflexes equal.", 18),
    (dx::SPRAIN, Some(rxn::ACETAMINOPHEN), "Turned the ankle on a curb; can bear weight, no bony tenderness.", 10),
];

pub(crate) const SMOKING: Code = loinc("72166-2", "Tobacco smoking status");
pub(crate) const SOCIAL: (&str, &str) = ("social-history", "Social History");

/// The place and doctor of routine care.
pub(super) fn home(chart: &Chart<'_>) -> (Place, &'static StaffMember) {
    (if chart.who.age < 18 { PEDIATRICS } else { PRIMARY }, chart.who.pcp)
}

/// A clinic visit with vital signs, note and bill.
pub(super) fn clinic(
    chart: &mut Chart<'_>,
    place: Place,
    start: Moment,
    doctor: &'static StaffMember,
    problem: Problem,
    story: &str,
) -> Visit {
    let visit = chart.visit(VisitPlan::clinic(place, start, doctor, problem));
    chart.vitals(&visit, start.plus(5 * MINUTE), Acuity::Well);
    chart.clinic_note(&visit, story);
    let answer = answer(chart, &visit);
    chart.bill(&visit, &[CLINIC_VISIT], answer);
    visit
}

pub(super) fn answer(chart: &mut Chart<'_>, visit: &Visit) -> Answer {
    if visit.end.plus(12 * DAY) > chart.now {
        Answer::Pending
    } else if chart.draw.percent(7) {
        Answer::Denied
    } else {
        Answer::Paid
    }
}

/// Everything that an ordinary patient's record has.
pub(super) fn background(chart: &mut Chart<'_>) {
    chart.cover();
    if chart.who.age < 18 || chart.draw.percent(40) {
        chart.related();
    }
    if chart.who.age < 1 {
        return;
    }
    let registered = chart.days_ago(720);
    if chart.who.age >= 18 {
        chart.consent(ConsentKind::Notice, registered);
    }
    allergies(chart, registered);
    vaccines(chart);
    let problems = chronic(chart, registered);
    first_visit(chart, &problems);
    follow_ups(chart, &problems);
    if chart.who.died.is_none() {
        appointments(chart, &problems);
    }
}

fn allergies(chart: &mut Chart<'_>, at: Moment) {
    const HIVES: Code = sct("247472004", "Wheal");
    const RASH: Code = sct("271807003", "Eruption of skin");
    const ANAPHYLAXIS: Code = sct("39579001", "Anaphylaxis");
    const KNOWN: &[(Code, &str, Code)] = &[
        (sct("91936005", "Allergy to penicillin"), "medication", HIVES),
        (sct("91936005", "Allergy to penicillin"), "medication", RASH),
        (sct("1003755004", "Allergy to Hevea brasiliensis latex protein"), "environment", RASH),
        (sct("91935009", "Allergy to peanut"), "food", ANAPHYLAXIS),
        (sct("300913006", "Allergy to shellfish"), "food", HIVES),
        (sct("419474003", "Allergy to mold"), "environment", HIVES),
    ];
    let known = chart.draw.percent(28).then(|| chart.draw.pick(KNOWN));
    chart.allergy(known, at);
}

fn vaccines(chart: &mut Chart<'_>) {
    let years = chart.who.age;
    let mut due: Vec<((&str, &str), i64)> = Vec::new();
    if years < 19 {
        for (month, vaccine) in [
            (2, ("20", "DTaP")),
            (2, ("10", "IPV")),
            (12, ("03", "MMR")),
            (12, ("21", "varicella")),
            (132, ("62", "HPV, quadrivalent")),
        ] {
            if years * 12 > month {
                due.push((vaccine, chart.today().0 - chart.who.birth.0 - month * 30));
            }
        }
    }
    if chart.draw.percent(55) {
        due.push((("140", "Influenza, seasonal, injectable, preservative free"), chart.draw.range(30, 330)));
    }
    if years >= 18 && chart.draw.percent(60) {
        due.push((
            ("208", "SARS-COV-2 (COVID-19) vaccine, mRNA, spike protein, LNP, preservative free, 30 mcg/0.3mL dose"),
            chart.draw.range(200, 900),
        ));
        due.push((("115", "Tdap"), chart.draw.range(300, 2_400)));
    }
    if years >= 65 && chart.draw.percent(60) {
        due.push((("33", "pneumococcal polysaccharide vaccine, 23 valent"), chart.draw.range(100, 300)));
    }
    for (vaccine, days) in due {
        let at = chart.days_ago(days);
        chart.immunize(None, vaccine, at);
    }
}

/// Puts chronic illness on the problem list.
fn chronic(chart: &mut Chart<'_>, registered: Moment) -> Vec<&'static Chronic> {
    let age = chart.who.age;
    let mut found = Vec::new();
    if age < 18 {
        if age >= 4 && chart.draw.percent(9) {
            chart.problem(&dx::CHILD_ASTHMA, registered, chart.who.pcp, Some("Worse with colds; inhaler at school."));
        }
        return found;
    }
    let doctor = chart.who.pcp;
    for illness in CHRONIC.iter().filter(|illness| age >= illness.from) {
        let chance = (illness.percent + illness.per_decade * (age - 50) / 10).clamp(0, 70);
        let has = match illness.problem.icd.code {
            "E66.9" => chart.who.bmi() >= 300,
            _ => chart.draw.percent(chance),
        };
        if has && found.len() < 5 {
            let years = chart.draw.range(1, (age - illness.from + 1).clamp(1, 12));
            let onset = registered.plus(-years * 365 * DAY + chart.draw.range(0, 300) * DAY);
            chart.problem(&illness.problem, onset.min(registered), doctor, None);
            chart.hypertensive |= illness.problem.icd.code == "I10";
            found.push(illness);
        }
    }
    found
}

fn social(chart: &mut Chart<'_>, visit: &Visit) {
    if chart.who.age < 13 {
        return;
    }
    let smoker = match chart.draw.range(0, 9) {
        0 if chart.who.age >= 18 => sct("449868002", "Smokes tobacco daily"),
        1 | 2 if chart.who.age >= 25 => sct("8517006", "Ex-smoker"),
        _ => sct("266919005", "Never smoked tobacco"),
    };
    chart.stated(visit, SOCIAL, SMOKING, smoker);
    if smoker.code == "449868002" {
        chart.problem(&dx::NICOTINE, visit.start, visit.doctor, None);
    }
    if chart.who.age >= 18 && chart.draw.percent(35) {
        let work = match chart.who.age {
            67.. => sct("105493001", "Retired"),
            _ => chart.draw.pick(&[
                sct("160903007", "Full-time employment"),
                sct("160903007", "Full-time employment"),
                sct("160904001", "Part-time employment"),
                sct("73438004", "Unemployed"),
            ]),
        };
        chart.stated(visit, SOCIAL, loinc("67875-5", "Employment status - current"), work);
    }
    if chart.draw.percent(3) {
        chart.stated(visit, SOCIAL, loinc("71802-3", "Housing status"), sct("32911000", "Homeless"));
    }
}

/// The last yearly examination.
fn first_visit(chart: &mut Chart<'_>, problems: &[&'static Chronic]) {
    let (place, doctor) = home(chart);
    let days = chart.draw.range(180, 420);
    let start = chart.days_ago(days);
    let child = chart.who.age < 18;
    let (problem, story) = if child {
        (dx::CHILD_CHECKUP, "Growing along the curve. Eats and sleeps well. Vaccines reviewed with the parent.")
    } else {
        (dx::CHECKUP, "Feels well. Screening reviewed. Advice on diet, movement, seat belts and sun.")
    };
    let visit = clinic(chart, place, start, doctor, problem, story);
    social(chart, &visit);
    if child {
        return;
    }
    chart.panel(&visit, start.plus(40 * MINUTE), &BLOOD_COUNT, &[]);
    for illness in problems {
        if let Some(drug) = &illness.drug {
            let order = chart.prescribe(&visit, drug, "active", None);
            if chart.draw.percent(30) {
                chart.dispense(&order, drug, start.plus(DAY));
            }
        }
    }
    if chart.who.age >= 45 && chart.draw.percent(20) {
        chart.procedure(
            &visit,
            sct("73761001", "Colonoscopy"),
            start.plus(40 * DAY).min(chart.now.plus(-DAY)),
            35,
            Some("No polyps. Next in ten years."),
        );
    }
    if chart.who.age >= 18 && chart.draw.percent(12) {
        chart.family_history(("MTH", "mother"), &dx::DIABETES, 58, false);
    }
}

/// Visits since then: for a chronic illness where there is one, or for something that passes.
fn follow_ups(chart: &mut Chart<'_>, problems: &[&'static Chronic]) {
    let (place, doctor) = home(chart);
    let days = chart.draw.range(35, 150);
    if let Some(illness) = problems.first() {
        let start = chart.days_ago(days);
        let video = chart.draw.percent(15);
        let visit = if video {
            let plan = VisitPlan { class: VIRTUAL, ..VisitPlan::clinic(place, start, doctor, illness.problem) };
            let visit = chart.visit(plan);
            chart.clinic_note(&visit, illness.story);
            let answer = answer(chart, &visit);
            chart.bill(&visit, &[CLINIC_VISIT], answer);
            visit
        } else {
            clinic(chart, place, start, doctor, illness.problem, illness.story)
        };
        match illness.follow {
            Follow::Panel(panel) => {
                let known = known_values(chart, problems);
                chart.panel(&visit, start.plus(HOUR), panel, &known);
            }
            Follow::Value(analyte, low, high) => {
                let value = chart.draw.range(low, high);
                chart.single(&visit, start.plus(HOUR), analyte, value, SERUM, None);
            }
            Follow::Nothing => {}
        }
        if problems.len() > 3 {
            let manager = on_duty("care_manager", "");
            chart.plan(
                &visit,
                "Chronic care plan",
                "Monthly call by the care manager, medicines reviewed, home readings",
                "Stay out of hospital for a year",
            );
            chart.team("Chronic care team", &[doctor, manager, on_duty("pharmacist", "")], visit.start, None, None);
        }
        if chart.draw.percent(18) {
            let sent = start.plus(3 * DAY).min(chart.now.plus(-HOUR));
            chart.message(
                None,
                doctor,
                sent,
                illness.problem.says,
                "I feel better with the new dose. Do I still need the blood test next month?",
            );
            chart.message(
                Some(doctor),
                doctor,
                sent.plus(5 * HOUR),
                illness.problem.says,
                "Good to hear. Yes, please come for the blood test; no need to fast.",
            );
        }
    } else if chart.draw.percent(55) {
        let age = chart.who.age;
        let choices: Vec<_> = ACUTE.iter().filter(|(.., from)| age >= *from).copied().collect();
        let (problem, drug, story, _) = chart.draw.pick(&choices);
        let start = chart.days_ago(days);
        let visit = clinic(chart, place, start, doctor, problem, story);
        if let Some(drug) = drug {
            chart.prescribe(&visit, &drug, "completed", Some(&visit.condition));
        }
    }
}

/// Values that an illness on the problem list moves.
fn known_values(chart: &mut Chart<'_>, problems: &[&'static Chronic]) -> Vec<(Code, i64)> {
    let mut known = Vec::new();
    for illness in problems {
        match illness.problem.icd.code {
            "E11.9" => known.push((GLUCOSE.code, chart.draw.range(112, 190))),
            "N18.30" => known.push((CREATININE.code, chart.draw.range(138, 195))),
            _ => {}
        }
    }
    known
}

fn appointments(chart: &mut Chart<'_>, problems: &[&'static Chronic]) {
    let (place, doctor) = home(chart);
    let problem = problems
        .first()
        .map_or(if chart.who.age < 18 { dx::CHILD_CHECKUP } else { dx::CHECKUP }, |illness| illness.problem);
    let busy = chart.who.persona != Persona::Ordinary;
    if !busy && chart.draw.percent(4) {
        let (hour, minute) = (chart.draw.range(8, 16), chart.draw.range(0, 1) * 30);
        let today = chart.today().at(hour, minute);
        chart.appointment(place, today, doctor, &problem, Some("Please arrive 15 minutes early."));
    } else if chart.draw.percent(35) {
        let days = chart.draw.range(2, 80);
        let hour = chart.draw.range(8, 15);
        let start = chart.today().plus_days(days).weekday_on().at(hour, 30);
        chart.appointment(place, start, doctor, &problem, None);
    }
}
