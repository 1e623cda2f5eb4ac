//! Substance use: in the emergency department, which is not 42 CFR Part 2, and in the programme, which is.

use crate::analytes::URINE;
use crate::chart::{
    Acuity, CONSULT_NOTE, Chart, ConsentKind, DRUG_COUNSELING, DRUG_TEST, EMERGENCY_NOTE, OBSERVATION_CARE,
    PROGRESS_NOTE, TREATMENT_PROGRAMME, Visit, VisitPlan,
};
use crate::codes::{Code, EMERGENCY, Problem, dx, label, rxn, sct};
use crate::persona::Persona;
use crate::places::{ED, RECOVERY};
use crate::staff::{StaffMember, by_id, on_duty};
use crate::story::ordinary::answer;
use crate::story::protected::{DETECTED, NOT_DETECTED, OPIATE_SCREEN};
use crate::time::{HOUR, MINUTE, Moment};

/// An overdose in the emergency department: substance use, but not by a Part 2 programme.
pub(crate) fn substance_use_in_the_ed(chart: &mut Chart<'_>, days: i64) {
    let start = chart.days_ago(days).plus(9 * HOUR).min(chart.now.plus(-8 * HOUR));
    let doctor = by_id("prac-ed-clinician-1");
    let (problem, story) = if chart.draw.percent(60) {
        (
            dx::OVERDOSE,
            "Found by a friend, blue lips, slow breathing. Naloxone twice by the crew, awake on arrival. Reports daily fentanyl use and wants help.",
        )
    } else {
        (
            dx::OPIOID_WITHDRAWAL,
            "Last used two days ago. Sweats, cramps, gooseflesh, COWS score 14. First buprenorphine given here.",
        )
    };
    let visit =
        chart.visit(VisitPlan { place: ED, class: EMERGENCY, start, end: Some(start.plus(6 * HOUR)), doctor, problem });
    chart.problem(&dx::OPIOID, start, doctor, None);
    chart.vitals(&visit, start.plus(5 * MINUTE), Acuity::Ill);
    chart.finding(
        &visit,
        start.plus(30 * MINUTE),
        OPIATE_SCREEN,
        DETECTED,
        URINE,
        Some("Screening result, not confirmed."),
    );
    let drug = if problem.icd.code == "T40.411A" { rxn::NALOXONE } else { rxn::BUPRENORPHINE };
    let order = chart.prescribe(&visit, &drug, "completed", Some(&visit.condition));
    chart.administer(&visit, &order, &drug, start.plus(20 * MINUTE));
    let text = format!(
        "{}\n\nDIAGNOSIS: {} ({}), opioid use disorder (F11.20).\nPLAN: naloxone kit, warm handoff to the recovery clinic offered.",
        story, problem.says, problem.icd.code
    );
    chart.note(&visit, EMERGENCY_NOTE, start.plus(2 * HOUR), doctor, &text);
    chart.note(
        &visit,
        CONSULT_NOTE,
        start.plus(4 * HOUR),
        by_id("prac-social-worker-2"),
        "Sleeps at a friend's. Lost work in spring. Ready to start treatment; has no car.",
    );
    let outcome = answer(chart, &visit);
    chart.bill(&visit, &[OBSERVATION_CARE, DRUG_TEST], outcome);
}

/// Treatment at the programme. With `labelled` the resources say so; else only their organisation does.
pub(crate) fn part2_programme(chart: &mut Chart<'_>, labelled: bool, enrolled_days: i64) {
    let labels: &[Code] = if labelled { &[label::PART2] } else { &[] };
    let counselor = by_id("prac-sud-clinician-2");
    let kept_apart = chart.labelled(labels, |chart| {
        let doctor = by_id("prac-sud-clinician-1");
        // The showcase is in treatment for opioids; elsewhere three of ten are for alcohol.
        let alcohol = chart.who.persona != Persona::Showcase && chart.draw.percent(30);
        let problem = if alcohol { dx::ALCOHOL } else { dx::OPIOID };
        let drug = match () {
            () if alcohol => rxn::NALTREXONE,
            () if chart.who.persona != Persona::Showcase && chart.draw.percent(50) => rxn::METHADONE,
            () => rxn::BUPRENORPHINE,
        };
        let enrolled = chart.days_ago(enrolled_days);
        let condition = chart.problem(&problem, enrolled, doctor, None);
        chart.episode(&RECOVERY, sct("20078004", "Substance abuse treatment center"), counselor, enrolled, &condition);
        chart.team("Recovery team", &[doctor, counselor, on_duty("nurse", RECOVERY.id)], enrolled, None, None);
        chart.consent(ConsentKind::Part2, enrolled);
        for (visit_days, who) in [(enrolled_days.min(118), doctor), (45, counselor), (9, counselor)] {
            let start = chart.days_ago(visit_days);
            let visit = programme_visit(chart, start, who, problem);
            if visit_days != 9 {
                let order = chart.prescribe(&visit, &drug, "active", Some(&condition));
                chart.administer(&visit, &order, &drug, start.plus(10 * MINUTE));
                chart.finding(&visit, start.plus(15 * MINUTE), OPIATE_SCREEN, NOT_DETECTED, URINE, None);
            }
        }
        let hour = chart.draw.range(9, 11);
        let today = chart.today().at(hour, 0);
        chart.appointment(RECOVERY, today, counselor, &problem, Some("Group at the back entrance."));
        let ahead = chart.today().plus_days(7).weekday_on().at(9, 30);
        chart.appointment(RECOVERY, ahead, doctor, &problem, None);
        let start = chart.days_ago(16);
        programme_visit(chart, start, counselor, problem)
    });
    // What the counselor keeps apart is declared so always: 42 CFR 2.31(b).
    chart.labelled(&[label::COUNSELING], |chart| {
        let text = "COUNSELING NOTE, KEPT APART. Spoke of the father's drinking and of shame. Dream of using, did not. Homework: letter to self.";
        chart.note(&kept_apart, PROGRESS_NOTE, kept_apart.start.plus(HOUR), counselor, text);
    });
}

fn programme_visit(chart: &mut Chart<'_>, start: Moment, who: &'static StaffMember, problem: Problem) -> Visit {
    let visit = chart.visit(VisitPlan::clinic(RECOVERY, start, who, problem));
    chart.clinic_note(
        &visit,
        "Came on time. No use since the last visit, slept better. Urine test as agreed. Works three days a week.",
    );
    let outcome = answer(chart, &visit);
    chart.bill(&visit, &[TREATMENT_PROGRAMME, DRUG_COUNSELING], outcome);
    visit
}

pub(crate) fn confidential_research(chart: &mut Chart<'_>) {
    let at = chart.days_ago(150);
    let consent = chart.consent(ConsentKind::Research, at);
    chart.study(&consent, at, ("study-opioid-1", "Retention in treatment of opioid use disorder"));
    part2_programme(chart, false, 150);
}
