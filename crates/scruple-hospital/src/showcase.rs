//! The patient of the demo: one readable life that touches every category and most kinds of protected information.
//!
//! The same woman in every hospital whatever the seed; only the dates move with the present.

mod rare;

use crate::analytes::{BLOOD, BLOOD_COUNT, CD4, HIV_LOAD, LEUKOCYTES, METABOLIC, URINE};
use crate::chart::{
    ADMISSION_NOTE, Acuity, Answer, CLINIC_VISIT, CONSULT_NOTE, Chart, ConsentKind, DISCHARGE_SUMMARY, DO_NOT_DISCLOSE,
    FALL_RISK, FULL_CODE, ISOLATION, NURSE_NOTE, OBSERVATION_CARE, PSYCHIATRY_NOTE, Visit, VisitPlan, to,
};
use crate::codes::{Code, dx, label, loinc, rxn, sct};
use crate::people::TOWNS;
use crate::person::{Kin, Payer, Person};
use crate::persona::Persona;
use crate::places::{BH_CLINIC, CARDIOLOGY, PRIMARY, WARD, WOMENS};
use crate::staff::{by_id, on_duty};
use crate::story::{protected, substance};
use crate::time::{DAY, Date, HOUR, MINUTE, Moment};

/// Draws of the showcase come from this seed in every hospital.
pub(crate) const SEED: u64 = 1;

/// Elena Vargas, born 1983, married, Phoenix.
pub(crate) fn person(now: Moment) -> Person {
    let birth = Date::civil(1983, 7, 14);
    let town = TOWNS.first().copied();
    let drawn = Person::draw(SEED, 0, Persona::Showcase, now);
    Person {
        given: "Elena",
        middle: "Marisol",
        family: "Vargas",
        birth,
        age: now.date().years_since(birth),
        street: "2217 W Saguaro Dr".to_owned(),
        town: town.unwrap_or(drawn.town),
        phone: "602-555-0117".to_owned(),
        payer: Payer::Commercial,
        pcp: by_id("prac-physician-1"),
        kin: ("Luis", "Vargas", Kin::Sibling),
        married: true,
        race: ("2106-3", "White"),
        hispanic: true,
        language: ("es", "Spanish"),
        ..drawn
    }
}

pub(crate) fn tell(chart: &mut Chart<'_>) {
    chart.cover();
    chart.related();
    let registered = chart.days_ago(1_100);
    chart.consent(ConsentKind::Notice, registered);
    chart.consent(ConsentKind::Contact, registered.plus(30 * DAY));
    chart
        .allergy(Some((sct("91936005", "Allergy to penicillin"), "medication", sct("247472004", "Wheal"))), registered);
    chart.allergy(
        Some((
            sct("1003755004", "Allergy to Hevea brasiliensis latex protein"),
            "environment",
            sct("271807003", "Eruption of skin"),
        )),
        registered,
    );
    for (vaccine, days) in [
        (("140", "Influenza, seasonal, injectable, preservative free"), 45),
        (("115", "Tdap"), 800),
        (("43", "Hep B, adult"), 900),
    ] {
        let at = chart.days_ago(days);
        chart.immunize(None, vaccine, at);
    }

    let checkup = primary_care(chart);
    implant(chart);
    protected::hiv(chart);
    substance::substance_use_in_the_ed(chart, 940);
    substance::part2_programme(chart, true, 920);
    protected::sti(chart, 610);
    protected::termination(chart, 1_350);
    protected::abuse(chart, 400);
    protected::genetic(chart, 520);
    mind(chart);
    protected::self_pay(chart);
    study(chart);
    let stay = ward(chart);
    calendar(chart);
    office(chart, &checkup);
    rare::all(chart, &checkup, &stay);
}

fn primary_care(chart: &mut Chart<'_>) -> Visit {
    let doctor = chart.who.pcp;
    let onset = chart.days_ago(1_500);
    let hypertension = chart.problem(&dx::HYPERTENSION, onset, doctor, Some("Father and brother too."));
    let asthma = chart.problem(&dx::ASTHMA, onset.plus(-2_000 * DAY), doctor, None);
    let start = chart.days_ago(95);
    let visit = chart.visit(VisitPlan::clinic(PRIMARY, start, doctor, dx::HYPERTENSION));
    chart.vitals(&visit, start.plus(5 * MINUTE), Acuity::Well);
    let report = chart.panel(&visit, start.plus(40 * MINUTE), &METABOLIC, &[]);
    let orders: Vec<String> = [rxn::AMLODIPINE, rxn::ALBUTEROL]
        .iter()
        .map(|drug| chart.prescribe(&visit, drug, "active", Some(&hypertension)))
        .collect();
    if let Some(order) = orders.first() {
        chart.dispense(order, &rxn::AMLODIPINE, start.plus(DAY));
    }
    chart.takes(&visit, &rxn::IBUPROFEN, Some("Bought without prescription, for knee pain."));
    let social = ("social-history", "Social History");
    chart.stated(&visit, social, loinc("72166-2", "Tobacco smoking status"), sct("8517006", "Ex-smoker"));
    chart.stated(
        &visit,
        social,
        loinc("67875-5", "Employment status - current"),
        sct("160903007", "Full-time employment"),
    );
    chart.stated(&visit, social, loinc("71802-3", "Housing status"), sct("105531004", "Housing unsatisfactory"));
    chart.stated(&visit, social, loinc("76690-7", "Sexual orientation"), sct("20430005", "Heterosexual"));
    chart.stated(
        &visit,
        ("exam", "Exam"),
        loinc("11332-4", "History of Cognitive function Narrative"),
        sct("17621005", "Normal"),
    );
    let note = chart.clinic_note(
        &visit,
        "Home readings 128 to 138 over 80. No headaches. Uses the inhaler twice a month. Works at a bakery from four in the morning.",
    );
    chart.plan(
        &visit,
        "Blood pressure plan",
        "Home monitoring, monthly call, low-salt diet",
        "Home average below 130/80 in three months",
    );
    chart.team(
        "Primary care team",
        &[doctor, on_duty("nurse", PRIMARY.id), on_duty("care_manager", "")],
        registered_since(chart),
        None,
        None,
    );
    chart.list(loinc("11450-4", "Problem list"), "Condition", &[hypertension, asthma], start);
    chart.list(loinc("10160-0", "History of medication use"), "MedicationRequest", &orders, start);
    chart.provenance("DocumentReference", &note, start.plus(HOUR), doctor);
    chart.provenance("DiagnosticReport", &report, start.plus(3 * HOUR), on_duty("lab_tech", ""));
    chart.family_history(("FTH", "father"), &dx::HYPERTENSION, 52, false);
    chart.bill(&visit, &[CLINIC_VISIT], Answer::Denied);
    chart.basic(&visit, "Row 41 of the old diet card: no pork, little salt");
    visit
}

fn registered_since(chart: &Chart<'_>) -> Moment {
    chart.now.plus(-1_000 * DAY)
}

fn implant(chart: &mut Chart<'_>) {
    let doctor = by_id("prac-physician-8");
    let at = chart.days_ago(1_400);
    let device = chart.implant(sct("706004007", "Implantable cardiac pacemaker"), "Dual-chamber pacemaker", at);
    let start = chart.days_ago(140);
    let visit = chart.visit(VisitPlan::clinic(CARDIOLOGY, start, doctor, dx::ATRIAL_FIBRILLATION));
    chart.note(
        &visit, CONSULT_NOTE, start.plus(HOUR), doctor,
        "Pacemaker check: battery six years, thresholds stable, two short runs of atrial fibrillation. MRI conditional.",
    );
    chart.procedure(
        &visit,
        sct("433236007", "Transthoracic echocardiography"),
        start.plus(20 * MINUTE),
        30,
        Some("Ejection fraction 60 %, no thrombus."),
    );
    chart.order(
        &visit,
        start.plus(40 * MINUTE),
        sct("40701008", "Echocardiography"),
        ("386053000", "Evaluation procedure"),
        doctor,
        Some("Again in a year."),
    );
    chart.provenance("Device", &device, at, doctor);
}

fn mind(chart: &mut Chart<'_>) {
    let therapist = by_id("prac-bh-clinician-1");
    let start = chart.days_ago(31);
    let visit = chart.visit(VisitPlan::clinic(BH_CLINIC, start, therapist, dx::DEPRESSION));
    chart.phq9(&visit, [2, 2, 3, 2, 1, 2, 1, 0, 1]);
    chart.prescribe(&visit, &rxn::SERTRALINE, "active", Some(&visit.condition));
    chart.note(
        &visit,
        PSYCHIATRY_NOTE,
        start.plus(HOUR),
        therapist,
        "Mood 4 of 10 since the move. Sleeps five hours. Safety plan written together. Next session in two weeks.",
    );
    chart.labelled(&[label::PSYCHOTHERAPY], |chart| {
        chart.note(
            &visit, PSYCHIATRY_NOTE, start.plus(80 * MINUTE), therapist,
            "PSYCHOTHERAPY NOTE, KEPT APART. Told of the first marriage and of the brother's threats. My impression: grief more than fear.",
        );
    });
    chart.bill(&visit, &[CLINIC_VISIT], Answer::Paid);
}

fn study(chart: &mut Chart<'_>) {
    let at = chart.days_ago(210);
    let consent = chart.consent(ConsentKind::Research, at);
    chart.study(&consent, at, ("study-hypertension-1", "Home monitoring of blood pressure"));
    chart.queue(
        "prac-research-coordinator-1",
        "fulfill",
        "Visit 3 of the protocol",
        to("Consent", &consent),
        at.plus(200 * DAY),
    );
}

/// On 4 West since the day before yesterday, with pneumonia.
fn ward(chart: &mut Chart<'_>) -> Visit {
    let doctor = on_duty("physician", WARD.id);
    let nurse = on_duty("nurse", WARD.id);
    let start = chart.now.plus(-41 * HOUR);
    let visit = chart.stay(WARD, start, None, doctor, dx::PNEUMONIA);
    chart.team(
        "4 West team",
        &[
            doctor,
            nurse,
            on_duty("clinical_support", WARD.id),
            on_duty("pharmacist", ""),
            on_duty("social_worker", WARD.id),
        ],
        start,
        None,
        Some(&visit),
    );
    for shift in 0..4 {
        chart.vitals(
            &visit,
            start.plus(shift * 10 * HOUR + 20 * MINUTE),
            if shift == 0 { Acuity::Ill } else { Acuity::Well },
        );
    }
    chart.panel(&visit, start.plus(HOUR), &BLOOD_COUNT, &[(LEUKOCYTES.code, 151)]);
    chart.single(&visit, start.plus(3 * HOUR), &HIV_LOAD, 19, BLOOD, Some("Virus suppressed."));
    chart.single(&visit, start.plus(3 * HOUR), &CD4, 588, BLOOD, None);
    chart.finding(
        &visit,
        start.plus(2 * HOUR),
        loinc("630-4", "Bacteria identified in Urine by Culture"),
        protected::NOT_DETECTED,
        URINE,
        None,
    );
    chart.imaging(
        &visit,
        start.plus(90 * MINUTE),
        loinc("36643-5", "XR Chest 2 Views"),
        ("DX", "Digital Radiography"),
        "Right lower lobe consolidation. Pacemaker leads in place. No effusion.",
    );
    for drug in [rxn::CEFTRIAXONE, rxn::ENOXAPARIN, rxn::BICTEGRAVIR, rxn::ACETAMINOPHEN] {
        chart.course(&visit, &drug, 41);
    }
    chart.score(&visit, start.plus(HOUR), loinc("59460-6", "Fall risk total [Morse Fall Scale]"), 35);
    for flag in [&ISOLATION, &FALL_RISK, &FULL_CODE, &DO_NOT_DISCLOSE] {
        chart.flag(flag, Some(&visit), start.plus(HOUR));
    }
    chart.diagnose(&dx::MRSA_CARRIER, start, doctor, None);
    chart.consent(ConsentKind::Directive, start.plus(5 * HOUR));
    chart.note(
        &visit, ADMISSION_NOTE, start.plus(3 * HOUR), doctor,
        "Three days of fever and cough with rusty sputum. HIV, well controlled, CD4 588. In recovery, takes buprenorphine. Pacemaker. Oxygen 2 L, ceftriaxone, droplet precautions until the swab is back.",
    );
    chart.note(
        &visit,
        NURSE_NOTE,
        start.plus(12 * HOUR),
        nurse,
        "Afebrile since the evening. Walked to the door. Asks that her brother not be told she is here.",
    );
    chart.media(&visit, start.plus(6 * HOUR), "Skin photograph, left forearm", false);
    chart.media(&visit, start.plus(20 * MINUTE), "Wristband photograph, face", true);
    chart.order(
        &visit,
        start.plus(6 * HOUR),
        sct("91251008", "Physical therapy procedure"),
        ("386053000", "Evaluation procedure"),
        on_duty("allied_health", ""),
        None,
    );
    chart.order(
        &visit,
        start.plus(6 * HOUR),
        sct("306206005", "Referral to service"),
        ("409063005", "Counselling"),
        on_duty("social_worker", WARD.id),
        Some("Discharge to a safe address."),
    );
    let course =
        "Admitted with pneumonia of the right lower lobe. Ceftriaxone, oxygen for a day. Draft for discharge tomorrow.";
    chart.composition(
        &visit,
        DISCHARGE_SUMMARY,
        chart.now.plus(-HOUR),
        &[
            (loinc("11450-4", "Problem list"), "Pneumonia; HIV; hypertension; asthma"),
            (loinc("8648-8", "Hospital course Narrative"), course),
        ],
    );
    visit
}

fn calendar(chart: &mut Chart<'_>) {
    let today = chart.today();
    chart.appointment(PRIMARY, today.at(15, 30), chart.who.pcp, &dx::HYPERTENSION, Some("Bring the home readings."));
    let soon = today.plus_days(14).weekday_on();
    chart.appointment(WOMENS, soon.at(9, 0), by_id("prac-physician-12"), &dx::CONTRACEPTION, None);
    chart.appointment(BH_CLINIC, soon.at(14, 0), by_id("prac-bh-clinician-1"), &dx::DEPRESSION, None);
    let sent = chart.now.plus(-6 * DAY);
    chart.message(
        None,
        chart.who.pcp,
        sent,
        "Cough",
        "I cough since Friday and the inhaler does not help. My HIV doctor says the numbers are good. Should I come?",
    );
    chart.message(
        Some(chart.who.pcp),
        chart.who.pcp,
        sent.plus(3 * HOUR),
        "Cough",
        "Please come to the emergency department today if you have fever or are short of breath.",
    );
}

/// The work queues of those who never treat.
fn office(chart: &mut Chart<'_>, checkup: &Visit) {
    let release = chart.consent(ConsentKind::Release, chart.now.plus(-9 * DAY));
    let at = chart.now.plus(-2 * DAY);
    let visit = checkup.reference();
    chart.queue(
        "prac-roi-clerk-1",
        "fulfill",
        "Release to the attorney named in the authorization",
        to("Consent", &release),
        at,
    );
    chart.queue(
        "prac-him-integrity-1",
        "fulfill",
        "Possible duplicate: check the record of Elena M. Vargas-Ruiz",
        chart.patient(),
        at,
    );
    chart.queue("prac-coder-1", "fulfill", "Code the visit", visit.clone(), checkup.end.plus(HOUR));
    chart.queue("prac-auth-specialist-1", "approve", "Authorization for the echocardiogram", visit.clone(), at);
    chart.queue("prac-scheduler-2", "fulfill", "Book the contraceptive follow-up", visit.clone(), at);
    chart.queue("prac-registrar-1", "fulfill", "Confirm address and plan at arrival", chart.patient(), at);
    chart.queue(
        "prac-privacy-officer-1",
        "fulfill",
        "Complaint: did my brother's wife look at my chart?",
        chart.patient(),
        at,
    );
    chart.queue("prac-quality-analyst-1", "fulfill", "Sample for the readmission measure", visit, at);
    let stay = chart.visit(VisitPlan::clinic(PRIMARY, chart.now.plus(-400 * DAY), chart.who.pcp, dx::CHECKUP));
    chart.bill(&stay, &[CLINIC_VISIT, OBSERVATION_CARE], Answer::Paid);
}

/// Where a concept is only named in words.
pub(crate) fn words(text: &'static str) -> crate::json::Json {
    crate::json::obj! { "text": text }
}

/// LOINC codes and the like that only the showcase uses.
pub(crate) const PAIN: Code = loinc("72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported");
