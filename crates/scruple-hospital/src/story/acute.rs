//! Emergencies and stays in hospital, and a death.

use crate::analytes::{BLOOD, BLOOD_COUNT, LACTATE, LEUKOCYTES, METABOLIC, SERUM, TROPONIN};
use crate::chart::{
    ADMISSION_NOTE, Acuity, CRITICAL_CARE, Chart, ConsentKind, DISCHARGE_SUMMARY, EMERGENCY_NOTE, FALL_RISK, FULL_CODE,
    ISOLATION, NO_RESUSCITATION, NURSE_NOTE, OBSERVATION_CARE, PROCEDURE_NOTE, Visit, VisitPlan,
};
use crate::codes::{Code, Drug, EMERGENCY, Problem, dx, loinc, rxn, sct};
use crate::places::{ED, ICU, WARD};
use crate::staff::{by_id, on_duty};
use crate::story::ordinary::answer;
use crate::time::{DAY, HOUR, MINUTE, Moment};

const CHEST_FILM: Code = loinc("36643-5", "XR Chest 2 Views");
const MORSE: Code = loinc("59460-6", "Fall risk total [Morse Fall Scale]");
const BRADEN: Code = loinc("38227-5", "Braden scale total score");

/// Why somebody is admitted to the ward.
struct Admission {
    problem: Problem,
    from: i64,
    drugs: &'static [Drug],
    film: Option<&'static str>,
    operation: Option<Code>,
    story: &'static str,
    days: i64,
}

const ADMISSIONS: &[Admission] = &[
    Admission {
        problem: dx::PNEUMONIA,
        from: 30,
        drugs: &[rxn::CEFTRIAXONE, rxn::ENOXAPARIN, rxn::ACETAMINOPHEN],
        film: Some("Right lower lobe consolidation. No effusion."),
        operation: None,
        story: "Four days of cough, fever and pain on breathing in. Needed two liters of oxygen in the emergency department.",
        days: 3,
    },
    Admission {
        problem: dx::COPD_FLARE,
        from: 50,
        drugs: &[rxn::PREDNISONE, rxn::ALBUTEROL, rxn::ENOXAPARIN],
        film: Some("Hyperinflated lungs, no consolidation."),
        operation: None,
        story: "Short of breath for three days, sputum now yellow. Could not finish a sentence on arrival.",
        days: 4,
    },
    Admission {
        problem: dx::APPENDICITIS,
        from: 18,
        drugs: &[rxn::PIPERACILLIN, rxn::ONDANSETRON, rxn::OXYCODONE],
        film: None,
        operation: Some(sct("80146002", "Excision of appendix")),
        story: "Pain moved from the navel to the right lower belly overnight. Guarding, white cells up.",
        days: 2,
    },
    Admission {
        problem: dx::HIP_FRACTURE,
        from: 65,
        drugs: &[rxn::ENOXAPARIN, rxn::OXYCODONE, rxn::ACETAMINOPHEN],
        film: None,
        operation: Some(sct("52734007", "Total replacement of hip")),
        story: "Slipped in the bathroom at night. Right leg short and turned out.",
        days: 6,
    },
    Admission {
        problem: dx::NSTEMI,
        from: 45,
        drugs: &[rxn::ASPIRIN, rxn::CLOPIDOGREL, rxn::METOPROLOL, rxn::ENOXAPARIN],
        film: Some("Heart size normal. Lungs clear."),
        operation: None,
        story: "Pressure in the chest for an hour while carrying groceries, with sweating. Troponin rising.",
        days: 4,
    },
    Admission {
        problem: dx::STROKE,
        from: 50,
        drugs: &[rxn::ASPIRIN, rxn::ATORVASTATIN, rxn::ENOXAPARIN],
        film: None,
        operation: None,
        story: "Woke with a weak left arm and slurred speech; last seen well at ten in the evening.",
        days: 5,
    },
    Admission {
        problem: dx::URINARY_INFECTION,
        from: 65,
        drugs: &[rxn::CEFTRIAXONE, rxn::ENOXAPARIN],
        film: None,
        operation: None,
        story: "Confused since yesterday, febrile, urine cloudy. Clearer after fluids.",
        days: 3,
    },
];

/// What an ordinary patient may also have: an emergency visit, a past stay, or a bed on the ward now.
pub(super) fn perhaps(chart: &mut Chart<'_>) {
    if chart.who.age < 1 {
        return;
    }
    match chart.draw.range(0, 199) {
        0..=23 => past_emergency(chart),
        24..=35 if chart.who.age >= 18 => {
            let days = chart.draw.range(20, 500);
            let start = chart.days_ago(days);
            ward_stay(chart, start, true);
        }
        36..=38 if chart.who.age >= 18 => {
            let hours = chart.draw.range(6, 70);
            ward_stay(chart, chart.now.plus(-hours * HOUR), false);
        }
        39..=40 => emergency_now(chart),
        _ => {}
    }
}

fn emergency(chart: &mut Chart<'_>, start: Moment, end: Option<Moment>, problem: Problem, story: &str) -> Visit {
    let doctor = by_id(if chart.draw.percent(50) { "prac-ed-clinician-1" } else { "prac-ed-clinician-2" });
    let visit = chart.visit(VisitPlan { place: ED, class: EMERGENCY, start, end, doctor, problem });
    chart.vitals(&visit, start.plus(8 * MINUTE), Acuity::Ill);
    let text = format!(
        "Triage level 3. {}: {}.\n\n{story}\n\nDIAGNOSIS: {} ({}).",
        chart.who.described(start),
        problem.says,
        problem.says,
        problem.icd.code
    );
    chart.note(&visit, EMERGENCY_NOTE, start.plus(90 * MINUTE), doctor, &text);
    visit
}

fn past_emergency(chart: &mut Chart<'_>) {
    let days = chart.draw.range(15, 600);
    let start = chart.days_ago(days).plus(6 * HOUR);
    let (problem, drug, story) = chart.draw.pick(&[
        (dx::SPRAIN, rxn::ACETAMINOPHEN, "Fell from a step. No fracture on the film. Splint and crutches."),
        (
            dx::CONCUSSION,
            rxn::ACETAMINOPHEN,
            "Hit the head at football, dazed for a minute, no vomiting. Normal neurological examination.",
        ),
        (dx::CHEST_PAIN, rxn::ASPIRIN, "Stabbing pain on the left for two days. ECG normal, troponin twice negative."),
        (dx::URINARY_INFECTION, rxn::DOXYCYCLINE, "Burning, lower belly pain, afebrile."),
    ]);
    let visit = emergency(
        chart,
        start.min(chart.now.plus(-4 * HOUR)),
        Some(start.plus(3 * HOUR).min(chart.now)),
        problem,
        story,
    );
    if problem.icd.code == "R07.9" {
        chart.single(
            &visit,
            visit.start.plus(50 * MINUTE),
            &TROPONIN,
            4,
            SERUM,
            Some("No evidence of myocardial injury."),
        );
    }
    chart.prescribe(&visit, &drug, "completed", Some(&visit.condition));
    let answer = answer(chart, &visit);
    chart.bill(&visit, &[OBSERVATION_CARE], answer);
}

fn emergency_now(chart: &mut Chart<'_>) {
    let minutes = chart.draw.range(20, 200);
    let (problem, story) = chart.draw.pick(&[
        (dx::CHEST_PAIN, "Pressure behind the breastbone since this morning. ECG without change so far."),
        (dx::BACK_PAIN, "Cannot stand up straight since lifting. No loss of feeling."),
        (dx::PNEUMONIA, "Cough and fever for three days, short of breath."),
    ]);
    let visit = emergency(chart, chart.now.plus(-minutes * MINUTE), None, problem, story);
    chart.panel(&visit, visit.start.plus(15 * MINUTE), &BLOOD_COUNT, &[]);
}

/// A stay on 4 West for an illness of the age.
fn ward_stay(chart: &mut Chart<'_>, start: Moment, over: bool) {
    let age = chart.who.age;
    let fitting: Vec<&Admission> = ADMISSIONS.iter().filter(|admission| age >= admission.from).collect();
    if !fitting.is_empty() {
        let admission = chart.draw.pick(&fitting);
        admit(chart, admission, start, over);
    }
}

fn admit(chart: &mut Chart<'_>, admission: &Admission, start: Moment, over: bool) -> Visit {
    let doctor = on_duty("physician", WARD.id);
    let nurse = on_duty("nurse", WARD.id);
    let hours = admission.days * 24;
    let visit = chart.stay(WARD, start, over.then_some(hours), doctor, admission.problem);
    let long = (visit.end.0 - visit.start.0) / HOUR;
    chart.team(
        "4 West team",
        &[doctor, nurse, on_duty("clinical_support", WARD.id), on_duty("pharmacist", "")],
        start,
        over.then_some(visit.end),
        Some(&visit),
    );
    for shift in 0..(long / 8).clamp(1, 5) {
        chart.vitals(
            &visit,
            start.plus(shift * 8 * HOUR + 20 * MINUTE),
            if shift == 0 { Acuity::Ill } else { Acuity::Well },
        );
    }
    chart.panel(&visit, start.plus(HOUR), &METABOLIC, &[]);
    chart.panel(&visit, start.plus(HOUR), &BLOOD_COUNT, &[(LEUKOCYTES.code, 148)]);
    if admission.problem.icd.code == "I21.4" {
        chart.single(
            &visit,
            start.plus(2 * HOUR),
            &TROPONIN,
            412,
            SERUM,
            Some("Rising troponin consistent with acute myocardial injury."),
        );
    }
    if let Some(reading) = admission.film {
        chart.imaging(&visit, start.plus(90 * MINUTE), CHEST_FILM, ("DX", "Digital Radiography"), reading);
    }
    for drug in admission.drugs {
        chart.course(&visit, drug, long);
    }
    if let Some(operation) = admission.operation {
        let cut = start.plus(9 * HOUR);
        if cut < chart.now {
            chart.procedure(&visit, operation, cut, 75, Some("No complications. Sponge count correct."));
            chart.note(
                &visit,
                PROCEDURE_NOTE,
                cut.plus(2 * HOUR),
                by_id("prac-physician-9"),
                "Operation under general anesthesia without complication. Estimated blood loss 50 mL.",
            );
        }
    }
    chart.score(&visit, start.plus(HOUR), MORSE, if chart.who.age > 70 { 60 } else { 25 });
    chart.score(&visit, start.plus(HOUR), BRADEN, 18);
    if chart.who.age > 70 {
        chart.flag(&FALL_RISK, Some(&visit), start.plus(HOUR));
    }
    chart.flag(&FULL_CODE, Some(&visit), start.plus(HOUR));
    if chart.draw.percent(8) {
        chart.diagnose(&dx::MRSA_CARRIER, start, doctor, None);
        chart.flag(&ISOLATION, Some(&visit), start.plus(6 * HOUR));
    }
    let story = format!("{} admitted: {}.\n\n{}", chart.who.described(start), admission.problem.says, admission.story);
    chart.note(&visit, ADMISSION_NOTE, start.plus(3 * HOUR), doctor, &story);
    chart.note(
        &visit,
        NURSE_NOTE,
        start.plus(8 * HOUR),
        nurse,
        "Slept in short stretches. Pain 3 of 10 after the tablet. Ate half of breakfast. Family called.",
    );
    chart.order(
        &visit,
        start.plus(4 * HOUR),
        sct("91251008", "Physical therapy procedure"),
        ("386053000", "Evaluation procedure"),
        on_duty("allied_health", ""),
        Some("Mobilize with a walker."),
    );
    if over {
        let summary = format!(
            "{}. {} Discharged home in good condition; see your doctor within a week.",
            admission.problem.says, admission.story
        );
        chart.composition(
            &visit,
            DISCHARGE_SUMMARY,
            visit.end,
            &[
                (loinc("11450-4", "Problem list"), admission.problem.says),
                (loinc("8648-8", "Hospital course Narrative"), &summary),
            ],
        );
        chart.queue("prac-coder-1", "fulfill", "Code the stay", visit.reference(), visit.end.plus(HOUR));
        let answer = answer(chart, &visit);
        chart.bill(&visit, &[OBSERVATION_CARE], answer);
    } else {
        chart.queue(
            "prac-care-manager-1",
            "fulfill",
            "Utilization review for this episode",
            visit.reference(),
            start.plus(12 * HOUR),
        );
    }
    visit
}

/// Septic shock in intensive care, still there.
pub(super) fn intensive_care(chart: &mut Chart<'_>) {
    let doctor = on_duty("physician", ICU.id);
    let nurse = on_duty("nurse", ICU.id);
    let hours = chart.draw.range(30, 90);
    let start = chart.now.plus(-hours * HOUR);
    let visit = chart.stay(ICU, start, None, doctor, dx::SEPSIS);
    chart.diagnose(&dx::RESPIRATORY_FAILURE, start, doctor, None);
    chart.team(
        "ICU team",
        &[doctor, nurse, on_duty("pharmacist", ""), by_id("prac-allied-health-2")],
        start,
        None,
        Some(&visit),
    );
    for round in 0..6 {
        chart.vitals(&visit, start.plus(round * 4 * HOUR + 10 * MINUTE), Acuity::Critical);
    }
    chart.single(
        &visit,
        start.plus(30 * MINUTE),
        &LACTATE,
        46,
        BLOOD,
        Some("Critical value called to the unit at once."),
    );
    chart.panel(&visit, start.plus(30 * MINUTE), &METABOLIC, &[]);
    chart.panel(&visit, start.plus(30 * MINUTE), &BLOOD_COUNT, &[(LEUKOCYTES.code, 214)]);
    chart.imaging(
        &visit,
        start.plus(HOUR),
        loinc("30746-2", "Portable XR Chest Views"),
        ("DX", "Digital Radiography"),
        "Bilateral opacities. Endotracheal tube in good position.",
    );
    chart.course(&visit, &rxn::PIPERACILLIN, hours);
    chart.course(&visit, &rxn::INSULIN, hours);
    chart.procedure(&visit, sct("112798008", "Insertion of endotracheal tube"), start.plus(20 * MINUTE), 10, None);
    chart.score(&visit, start.plus(HOUR), loinc("9269-2", "Glasgow coma score total"), 10);
    chart.flag(&ISOLATION, Some(&visit), start);
    chart.note(
        &visit, ADMISSION_NOTE, start.plus(2 * HOUR), doctor,
        "Septic shock of a urinary source with acute hypoxic respiratory failure. Intubated, vasopressors, broad antibiotics within the hour. Family at the bedside, code status discussed.",
    );
    chart.note(
        &visit,
        NURSE_NOTE,
        start.plus(10 * HOUR),
        nurse,
        "Sedated, turns every two hours, skin intact. Urine 40 mL an hour. Spouse has the unit's number.",
    );
}

/// A stay that ended in death; nothing follows it.
pub(super) fn death(chart: &mut Chart<'_>) {
    let doctor = on_duty("physician", ICU.id);
    let nurse = on_duty("nurse", ICU.id);
    let days = chart.draw.range(2, 7);
    let start = chart.now.plus(-days * DAY);
    let visit = chart.stay(ICU, start, Some(days * 24), doctor, dx::STROKE);
    chart.diagnose(&dx::DO_NOT_RESUSCITATE, start.plus(20 * HOUR), doctor, None);
    chart.team("ICU team", &[doctor, nurse, on_duty("social_worker", "")], start, Some(visit.end), Some(&visit));
    chart.consent(ConsentKind::Directive, start.plus(18 * HOUR));
    chart.flag(&NO_RESUSCITATION, Some(&visit), start.plus(20 * HOUR));
    for round in 0..3 {
        chart.vitals(&visit, start.plus(round * 8 * HOUR + 10 * MINUTE), Acuity::Critical);
    }
    chart.imaging(
        &visit,
        start.plus(40 * MINUTE),
        loinc("24725-4", "CT Head"),
        ("CT", "Computed Tomography"),
        "Large infarction of the right middle cerebral artery with swelling.",
    );
    chart.course(&visit, &rxn::ASPIRIN, 24);
    chart.note(
        &visit,
        ADMISSION_NOTE,
        start.plus(2 * HOUR),
        doctor,
        "Found unresponsive at home. Large stroke, outside the window for treatment. Family asks for comfort.",
    );
    chart.note(
        &visit,
        NURSE_NOTE,
        visit.end,
        nurse,
        "Died peacefully with family present. Chaplain called. Belongings given to the next of kin.",
    );
    chart.composition(&visit, DISCHARGE_SUMMARY, visit.end, &[
        (loinc("11450-4", "Problem list"), "Ischemic stroke; comfort measures"),
        (loinc("8648-8", "Hospital course Narrative"), "Admitted with a large stroke. After a family meeting care was directed at comfort. Pronounced dead on the unit."),
    ]);
    chart.bill(&visit, &[CRITICAL_CARE], crate::chart::Answer::Pending);
}
