//! Birth: a woman in labour, and twins.

use crate::analytes::BLOOD_COUNT;
use crate::chart::{ADMISSION_NOTE, Acuity, Chart, NURSE_NOTE};
use crate::codes::{dx, loinc, sct};
use crate::places::{LABOR, PEDIATRICS, WOMENS};
use crate::staff::{by_id, on_duty};
use crate::story::ordinary::clinic;
use crate::time::{DAY, HOUR, MINUTE};

/// In labour now, after a normal pregnancy.
pub(super) fn labor(chart: &mut Chart<'_>) {
    let midwife = by_id("prac-physician-12");
    chart.problem(&dx::PREGNANCY_CARE, chart.now.plus(-230 * DAY), midwife, Some("Dated by ultrasound."));
    for days in [150, 60, 12] {
        let start = chart.days_ago(days);
        let visit = clinic(
            chart,
            WOMENS,
            start,
            midwife,
            dx::PREGNANCY_CARE,
            "Baby moves. No bleeding, no headache. Fundal height as expected.",
        );
        chart.stated(
            &visit,
            ("social-history", "Social History"),
            loinc("82810-3", "Pregnancy status"),
            sct("77386006", "Pregnant"),
        );
    }
    let doctor = on_duty("physician", LABOR.id);
    let nurse = on_duty("nurse", LABOR.id);
    let start = chart.now.plus(-5 * HOUR);
    let visit = chart.stay(LABOR, start, None, doctor, dx::DELIVERY);
    chart.team("Labor and delivery team", &[doctor, nurse], start, None, Some(&visit));
    chart.vitals(&visit, start.plus(15 * MINUTE), Acuity::Well);
    chart.panel(&visit, start.plus(30 * MINUTE), &BLOOD_COUNT, &[]);
    chart.score(
        &visit,
        start.plus(HOUR),
        loinc("72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported"),
        7,
    );
    chart.note(
        &visit, ADMISSION_NOTE, start.plus(HOUR), doctor,
        "Contractions every four minutes since midnight, waters intact, 5 cm. Heart rate of the baby reassuring. Wants an epidural.",
    );
    chart.note(
        &visit,
        NURSE_NOTE,
        start.plus(3 * HOUR),
        nurse,
        "Epidural in place, comfortable. Partner with her. 7 cm.",
    );
}

/// One of twins: newborn in the fixed pair, a child later on. Both have the same mother and address.
pub(super) fn twin(chart: &mut Chart<'_>) {
    let pediatrician = by_id("prac-physician-6");
    if chart.who.age >= 1 {
        let start = chart.days_ago(70);
        clinic(
            chart,
            PEDIATRICS,
            start,
            pediatrician,
            dx::CHILD_CHECKUP,
            "Twin. Speaks in sentences, runs, plays with the other twin. Mother has no worries.",
        );
        return;
    }
    let birth = chart.who.birth;
    let start = birth.at(3, if chart.who.id.ends_with('7') { 10 } else { 22 }).min(chart.now.plus(-2 * HOUR));
    let visit = chart.stay(LABOR, start, None, on_duty("physician", LABOR.id), dx::NEWBORN_TWIN);
    chart.problem(&dx::NEWBORN_TWIN, start, pediatrician, Some("Monochorionic diamniotic twins of one mother."));
    chart.vitals(&visit, start.plus(20 * MINUTE), Acuity::Well);
    chart.score(&visit, start.plus(5 * MINUTE), loinc("9274-2", "5 minute Apgar Score"), 9);
    chart.immunize(Some(&visit), ("08", "Hep B, adolescent or pediatric"), start.plus(90 * MINUTE));
    chart.note(
        &visit,
        NURSE_NOTE,
        start.plus(2 * HOUR),
        on_duty("nurse", LABOR.id),
        "Pink, active, nursing well. Band numbers of both twins checked with the mother.",
    );
}
