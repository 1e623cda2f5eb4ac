//! One story for each kind of specially protected information.
//!
//! Most resources carry no security label, as in life: a labelling service must find them by code, place and author.

use crate::analytes::{BLOOD, CD4, ESTRADIOL_LEVEL, FERRITIN, HIV_LOAD, SERUM, TESTOSTERONE_LEVEL, URINE};
use crate::chart::{
    ADMISSION_NOTE, Acuity, Answer, CEFTRIAXONE_CHARGE, CLINIC_VISIT, CONSULT_NOTE, Chart, ConsentKind,
    DEPRESSION_SCREEN, DO_NOT_DISCLOSE, EMERGENCY_NOTE, MIFEPRISTONE_CHARGE, OBSERVATION_CARE, PSYCHIATRY_NOTE,
    REFERRAL_NOTE, SUICIDE_PRECAUTIONS, VisitPlan,
};
use crate::codes::{Code, EMERGENCY, dx, label, loinc, rxn, sct};
use crate::places::{BEHAVIORAL, BH_CLINIC, CARDIOLOGY, ED, GENDER, GENETICS, INFECTIOUS, PEDIATRICS, PRIMARY, WOMENS};
use crate::staff::{by_id, on_duty};
use crate::story::ordinary::{SOCIAL, clinic};
use crate::time::{DAY, HOUR, MINUTE};

pub(crate) const DETECTED: Code = sct("260373001", "Detected");
pub(crate) const NOT_DETECTED: Code = sct("260415000", "Not detected");
pub(crate) const CHLAMYDIA_TEST: Code =
    loinc("21613-5", "Chlamydia trachomatis DNA [Presence] in Specimen by NAA with probe detection");
pub(crate) const HIV_SCREEN: Code =
    loinc("56888-1", "HIV 1+2 Ab+HIV1 p24 Ag [Presence] in Serum or Plasma by Immunoassay");
pub(crate) const OPIATE_SCREEN: Code = loinc("19295-5", "Opiates [Presence] in Urine by Screen method");
const PREGNANCY_TEST: Code = loinc("2106-3", "Choriogonadotropin (pregnancy test) [Presence] in Urine");

pub(crate) fn hiv(chart: &mut Chart<'_>) {
    let doctor = by_id("prac-physician-7");
    let since = chart.draw.range(2, 12);
    let onset = chart.days_ago(since * 365);
    let condition = chart.problem(&dx::HIV, onset, doctor, Some("Partner knows. Family does not."));
    for (days, load, cells) in [(330, chart.draw.range(20, 900), 410), (150, 20, 520), (25, 19, 610)] {
        let start = chart.days_ago(days);
        let visit = clinic(
            chart,
            INFECTIOUS,
            start,
            doctor,
            dx::HIV,
            "Takes the tablet every evening, missed one dose this month. No night sweats, weight stable.",
        );
        chart.single(
            &visit,
            start.plus(HOUR),
            &HIV_LOAD,
            load,
            BLOOD,
            Some(if load < 50 { "Virus suppressed." } else { "Low-level viremia; repeat in three months." }),
        );
        let cells = chart.draw.around(cells, 40);
        chart.single(&visit, start.plus(HOUR), &CD4, cells, BLOOD, None);
        if days == 330 {
            let drug = if since > 6 { rxn::DOLUTEGRAVIR } else { rxn::BICTEGRAVIR };
            let order = chart.prescribe(&visit, &drug, "active", Some(&condition));
            chart.dispense(&order, &drug, start.plus(DAY));
        }
    }
    chart.labelled(&[label::HIV], |chart| {
        chart.message(
            Some(doctor),
            doctor,
            onset.plus(20 * DAY),
            "Results",
            "Your viral load is below detection. Keep going.",
        )
    });
    chart.team("HIV care team", &[doctor, on_duty("care_manager", ""), on_duty("pharmacist", "")], onset, None, None);
    let ahead = chart.today().plus_days(60).weekday_on().at(10, 0);
    chart.appointment(INFECTIOUS, ahead, doctor, &dx::HIV, Some("Leave no message at work."));
    chart.queue(
        "prac-infection-prevention-1",
        "fulfill",
        "Report to the state registry",
        crate::chart::to("Condition", &condition),
        onset.plus(2 * DAY),
    );
}

pub(crate) fn depression(chart: &mut Chart<'_>) {
    let doctor = chart.who.pcp;
    let therapist = by_id("prac-bh-clinician-1");
    let days = chart.draw.range(120, 300);
    let start = chart.days_ago(days);
    let visit = clinic(
        chart,
        PRIMARY,
        start,
        doctor,
        dx::DEPRESSION,
        "Low mood for two months since the separation, wakes at four, little joy. No thoughts of death.",
    );
    let mut item = |high| chart.draw.range(0, high);
    let scores = [2, 2, 2, 2, item(2), item(3), 1, item(1), 0];
    chart.phq9(&visit, scores);
    let drug = if chart.draw.percent(60) { rxn::SERTRALINE } else { rxn::ESCITALOPRAM };
    chart.prescribe(&visit, &drug, "active", Some(&visit.condition));
    chart.bill(&visit, &[DEPRESSION_SCREEN], Answer::Paid);
    chart.order(
        &visit,
        start.plus(20 * MINUTE),
        sct("394913002", "Psychotherapy"),
        ("409063005", "Counselling"),
        therapist,
        Some("Cognitive therapy, prefers evenings."),
    );
    let later = chart.days_ago(40);
    let problem = if chart.draw.percent(40) { dx::ANXIETY } else { dx::DEPRESSION };
    let session = clinic(
        chart,
        BH_CLINIC,
        later,
        therapist,
        problem,
        "Sixth session. Goes out with friends again. Sleeps six hours.",
    );
    chart.phq9(&session, [1, 1, 1, 1, 0, 1, 0, 0, 0]);
    chart.note(
        &session,
        PSYCHIATRY_NOTE,
        later.plus(HOUR),
        therapist,
        "Mood 6 of 10. Continues homework. No risk today.",
    );
    let ahead = chart.today().plus_days(12).weekday_on().at(16, 0);
    chart.appointment(BH_CLINIC, ahead, therapist, &dx::DEPRESSION, None);
}

pub(crate) fn behavioral_stay(chart: &mut Chart<'_>) {
    let doctor = by_id("prac-bh-clinician-2");
    let hours = chart.draw.range(20, 120);
    let start = chart.now.plus(-hours * HOUR);
    let problem = if chart.draw.percent(50) { dx::BIPOLAR } else { dx::DEPRESSION };
    let visit = chart.stay(BEHAVIORAL, start, None, doctor, problem);
    chart.diagnose(&dx::SUICIDAL, start, doctor, None);
    chart.team(
        "5 East team",
        &[doctor, on_duty("nurse", BEHAVIORAL.id), on_duty("social_worker", "")],
        start,
        None,
        Some(&visit),
    );
    chart.flag(&SUICIDE_PRECAUTIONS, Some(&visit), start);
    chart.vitals(&visit, start.plus(20 * MINUTE), Acuity::Well);
    chart.phq9(&visit, [3, 3, 3, 2, 2, 3, 2, 1, 2]);
    chart.course(&visit, if problem.icd.code == "F31.9" { &rxn::LITHIUM } else { &rxn::SERTRALINE }, hours);
    chart.course(&visit, &rxn::QUETIAPINE, hours);
    chart.note(
        &visit, ADMISSION_NOTE, start.plus(2 * HOUR), doctor,
        "Brought by the sister after a note was found. Admits thoughts of not waking up, no plan. Agrees to stay. Voluntary.",
    );
    chart.note(
        &visit,
        PSYCHIATRY_NOTE,
        start.plus(14 * HOUR),
        doctor,
        "Slept. Eats. Speaks of the job. Thoughts weaker. One-to-one continues.",
    );
}

/// Psychotherapy notes are what the therapist declares and keeps apart (164.501), never a type of note.
pub(crate) fn psychotherapy(chart: &mut Chart<'_>) {
    let therapist = by_id("prac-bh-clinician-1");
    let start = chart.days_ago(21);
    let visit = clinic(
        chart,
        BH_CLINIC,
        start,
        therapist,
        dx::PTSD,
        "Session 50 minutes, individual. Diagnosis, start and stop time, modality and progress are in this note.",
    );
    chart.note(
        &visit,
        PSYCHIATRY_NOTE,
        start.plus(HOUR),
        therapist,
        "Progress: nightmares twice a week, was five. Plan: exposure steps 3 and 4.",
    );
    chart.labelled(&[label::PSYCHOTHERAPY], |chart| {
        chart.note(
            &visit, PSYCHIATRY_NOTE, start.plus(90 * MINUTE), therapist,
            "PSYCHOTHERAPY NOTE, KEPT APART. The night of the accident told for the first time: the sound, the smell, the brother's voice. My own impression: guilt more than fear.",
        );
    });
}

pub(crate) fn sti(chart: &mut Chart<'_>, days: i64) {
    let doctor = if chart.who.is_female() { by_id("prac-physician-12") } else { chart.who.pcp };
    let place = if chart.who.is_female() { WOMENS } else { PRIMARY };
    let start = chart.days_ago(days);
    let visit = clinic(
        chart,
        place,
        start,
        doctor,
        dx::CHLAMYDIA,
        if chart.who.is_female() {
            "Discharge for a week, new partner since summer. Wants the partner told without a name."
        } else {
            "Burning for a week, new partner since summer. Wants the partner told without a name."
        },
    );
    chart.finding(&visit, start.plus(30 * MINUTE), CHLAMYDIA_TEST, DETECTED, URINE, Some("Reportable."));
    chart.finding(&visit, start.plus(30 * MINUTE), HIV_SCREEN, NOT_DETECTED, SERUM, None);
    chart.prescribe(&visit, &rxn::DOXYCYCLINE, "completed", Some(&visit.condition));
    let order = chart.prescribe(&visit, &rxn::CEFTRIAXONE_IM, "completed", Some(&visit.condition));
    chart.administer(&visit, &order, &rxn::CEFTRIAXONE_IM, start.plus(25 * MINUTE));
    chart.bill(&visit, &[CEFTRIAXONE_CHARGE], Answer::Pending);
    chart.queue(
        "prac-infection-prevention-2",
        "fulfill",
        "Report to the county",
        visit.reference(),
        start.plus(3 * DAY),
    );
}

pub(crate) fn termination(chart: &mut Chart<'_>, days: i64) {
    let doctor = by_id("prac-physician-12");
    let start = chart.days_ago(days);
    let visit = clinic(
        chart,
        WOMENS,
        start,
        doctor,
        dx::TERMINATION,
        "Seven weeks by ultrasound. Has decided, counseled alone. Medication explained; number for the night given.",
    );
    chart.finding(&visit, start.plus(10 * MINUTE), PREGNANCY_TEST, DETECTED, URINE, None);
    let order = chart.prescribe(&visit, &rxn::MIFEPRISTONE, "completed", Some(&visit.condition));
    chart.administer(&visit, &order, &rxn::MIFEPRISTONE, start.plus(20 * MINUTE));
    chart.prescribe(&visit, &rxn::MISOPROSTOL, "completed", Some(&visit.condition));
    chart.procedure(&visit, sct("714812005", "Induced termination of pregnancy"), start.plus(20 * MINUTE), 20, None);
    chart.bill(&visit, &[MIFEPRISTONE_CHARGE], Answer::Pending);
    let fever = start.plus(9 * DAY);
    let emergency = chart.visit(VisitPlan {
        place: ED,
        class: EMERGENCY,
        start: fever,
        end: Some(fever.plus(5 * HOUR)),
        doctor: by_id("prac-ed-clinician-2"),
        problem: dx::TERMINATION_INFECTION,
    });
    chart.vitals(&emergency, fever.plus(5 * MINUTE), Acuity::Ill);
    chart.course(&emergency, &rxn::CEFTRIAXONE, 2);
    chart.note(
        &emergency, EMERGENCY_NOTE, fever.plus(2 * HOUR), by_id("prac-ed-clinician-2"),
        "Fever and cramps nine days after medication abortion. Uterus tender, no mass. Antibiotics, follow-up with gynecology. Asks that nothing goes home by mail.",
    );
    chart.labelled(&[label::SEXUAL], |chart| {
        let later = fever.plus(14 * DAY).min(chart.now.plus(-HOUR));
        let follow = chart.visit(VisitPlan::clinic(WOMENS, later, doctor, dx::CONTRACEPTION));
        chart.procedure(
            &follow,
            sct("169553002", "Insertion of subcutaneous contraceptive"),
            later.plus(5 * MINUTE),
            10,
            None,
        );
        chart.clinic_note(&follow, "No fever since. Wants an implant; inserted in the left arm.");
    });
}

pub(crate) fn gender_affirming(chart: &mut Chart<'_>) {
    let doctor = by_id("prac-physician-11");
    let female = chart.who.is_female();
    let onset = chart.days_ago(800);
    let condition = chart.problem(
        &dx::TRANSGENDER,
        onset,
        doctor,
        Some("Pronouns and name in the header. Legal name change done."),
    );
    for days in [190, 30] {
        let start = chart.days_ago(days);
        let visit = clinic(
            chart,
            GENDER,
            start,
            doctor,
            dx::TRANSGENDER,
            "Hormones for two years, content with the changes. No clots, blood pressure fine. Letter for surgery asked for.",
        );
        if female {
            let level = chart.draw.range(110, 190);
            chart.single(&visit, start.plus(HOUR), &ESTRADIOL_LEVEL, level, SERUM, None);
        } else {
            let level = chart.draw.range(380, 720);
            chart.single(&visit, start.plus(HOUR), &TESTOSTERONE_LEVEL, level, SERUM, None);
        }
        if days == 190 {
            chart.prescribe(
                &visit,
                if female { &rxn::ESTRADIOL } else { &rxn::TESTOSTERONE },
                "active",
                Some(&condition),
            );
            if female {
                chart.prescribe(&visit, &rxn::SPIRONOLACTONE, "active", Some(&condition));
            }
        } else {
            chart.note(
                &visit,
                REFERRAL_NOTE,
                start.plus(2 * HOUR),
                doctor,
                "To whom it may concern: I have followed this patient for two years. Criteria for surgery are met.",
            );
        }
    }
}

pub(crate) fn abuse(chart: &mut Chart<'_>, days: i64) {
    let start = chart.days_ago(days).plus(7 * HOUR).min(chart.now.plus(-6 * HOUR));
    let doctor = by_id("prac-ed-clinician-2");
    let worker = by_id("prac-social-worker-2");
    let visit = chart.visit(VisitPlan {
        place: ED,
        class: EMERGENCY,
        start,
        end: Some(start.plus(5 * HOUR)),
        doctor,
        problem: dx::PARTNER_ABUSE,
    });
    chart.vitals(&visit, start.plus(5 * MINUTE), Acuity::Ill);
    chart.stated(
        &visit,
        SOCIAL,
        loinc("76499-3", "Humiliation, Afraid, Rape, and Kick questionnaire [HARK]"),
        sct("706893006", "Victim of intimate partner abuse"),
    );
    chart.note(
        &visit, EMERGENCY_NOTE, start.plus(90 * MINUTE), doctor,
        "Bruises of different age on the upper arms and neck. Says the partner held the throat. No fracture. Photographs with consent.",
    );
    chart.media(&visit, start.plus(100 * MINUTE), "Injury photograph, neck", false);
    chart.labelled(&[label::VIOLENCE], |chart| {
        chart.note(
            &visit, CONSULT_NOTE, start.plus(3 * HOUR), worker,
            "Danger assessment high. Safe place found for tonight, address not to be written down. Partner works in the building next door: no information to callers.",
        );
        chart.flag(&DO_NOT_DISCLOSE, Some(&visit), start.plus(2 * HOUR));
    });
    chart.consent(ConsentKind::Contact, start.plus(3 * HOUR));
    chart.order(
        &visit,
        start.plus(2 * HOUR),
        sct("306206005", "Referral to service"),
        ("409063005", "Counselling"),
        worker,
        None,
    );
    chart.bill(&visit, &[OBSERVATION_CARE], Answer::Pending);
}

pub(crate) fn genetic(chart: &mut Chart<'_>, days: i64) {
    let doctor = by_id("prac-physician-10");
    chart.family_history(("MTH", "mother"), &dx::BREAST_CANCER, 44, true);
    chart.family_history(("SIS", "sister"), &dx::BREAST_CANCER, 39, false);
    chart.labelled(&[label::GENETIC], |chart| chart.family_history(("AUNT", "aunt"), &dx::BRCA, 47, false));
    let start = chart.days_ago(days);
    let visit = clinic(
        chart,
        GENETICS,
        start,
        doctor,
        dx::BRCA,
        "Mother died of breast cancer at 46, sister treated at 39. Wants to know for her daughters. Pre-test counseling done.",
    );
    chart.genetic_report(
        &visit,
        start.plus(HOUR),
        "NM_007294.4(BRCA1):c.68_69del (p.Glu23fs), heterozygous",
        "Pathogenic BRCA1 variant. Relatives at 50 % risk; offer testing.",
    );
    chart.problem(&dx::BRCA, start, doctor, None);
    chart.imaging(
        &visit,
        start.plus(20 * DAY).min(chart.now.plus(-5 * HOUR)),
        loinc("24606-6", "MG Breast Screening"),
        ("MG", "Mammography"),
        "No suspicious finding. BI-RADS 2. MRI once a year advised.",
    );
}

pub(crate) fn minor(chart: &mut Chart<'_>) {
    let doctor = by_id("prac-physician-6");
    let days = chart.draw.range(8, 60);
    let start = chart.days_ago(days);
    let problem = if chart.draw.percent(50) { dx::CHLAMYDIA } else { dx::CONTRACEPTION };
    chart.labelled(&[label::ADOLESCENT], |chart| {
        chart.consent(ConsentKind::Minor, start);
        let visit = chart.visit(VisitPlan::clinic(PEDIATRICS, start, doctor, problem));
        chart.vitals(&visit, start.plus(5 * MINUTE), Acuity::Well);
        chart.clinic_note(
            &visit,
            "Came alone after school and asked that the parents not be told. Understands the choices. Call only on the own number after four.",
        );
        chart.finding(
            &visit, start.plus(20 * MINUTE), CHLAMYDIA_TEST,
            if problem.icd.code == "A56.09" { DETECTED } else { NOT_DETECTED }, URINE, None,
        );
        if problem.icd.code == "A56.09" {
            chart.prescribe(&visit, &rxn::DOXYCYCLINE, "completed", Some(&visit.condition));
        }
        chart.bill(&visit, &[CLINIC_VISIT], Answer::SelfPay);
    });
    // The parent may see this one.
    let cold = chart.days_ago(100);
    clinic(
        chart,
        PEDIATRICS,
        cold,
        doctor,
        dx::COLD,
        "Sore throat for three days, came with the mother. Strep test negative.",
    );
}

pub(crate) fn confidential_address(chart: &mut Chart<'_>) {
    let at = chart.days_ago(200);
    chart.consent(ConsentKind::Contact, at);
    chart.flag(&DO_NOT_DISCLOSE, None, at);
    let start = chart.days_ago(33);
    clinic(
        chart,
        PRIMARY,
        start,
        chart.who.pcp,
        dx::HYPERTENSION,
        "Feels safe at the new place. Letters only to the post office box.",
    );
}

pub(crate) fn self_pay(chart: &mut Chart<'_>) {
    let start = chart.days_ago(35);
    chart.consent(ConsentKind::SelfPay, start);
    chart.labelled(&[label::SELF_PAY], |chart| {
        let visit = chart.visit(VisitPlan::clinic(PRIMARY, start, chart.who.pcp, dx::ANXIETY));
        chart.clinic_note(
            &visit,
            "Panic in meetings. Does not want the employer's plan to know and pays for the visit.",
        );
        chart.prescribe(&visit, &rxn::ESCITALOPRAM, "active", Some(&visit.condition));
        chart.bill(&visit, &[CLINIC_VISIT], Answer::SelfPay);
    });
}

pub(crate) fn restricted(chart: &mut Chart<'_>) {
    let at = chart.days_ago(120);
    chart.labelled(&[label::RESTRICTED], |chart| {
        chart.consent(ConsentKind::Restriction, at);
        let visit = chart.visit(VisitPlan::clinic(PRIMARY, at, chart.who.pcp, dx::ANEMIA));
        chart.clinic_note(
            &visit,
            "Tired. Sister works at the practice across the street and is not to hear of it; agreed in writing.",
        );
        chart.single(&visit, at.plus(HOUR), &FERRITIN, 6, SERUM, Some("Iron deficiency."));
    });
}

pub(crate) fn vip(chart: &mut Chart<'_>) {
    let doctor = by_id("prac-physician-8");
    let start = chart.days_ago(20);
    chart.labelled(&[label::VIP], |chart| {
        let visit = clinic(
            chart,
            CARDIOLOGY,
            start,
            doctor,
            dx::CHEST_PAIN,
            "Known from television. Palpitations before the broadcast. Stress test normal. Entered by the side door.",
        );
        chart.procedure(
            &visit,
            sct("40701008", "Echocardiography"),
            start.plus(40 * MINUTE),
            30,
            Some("Ejection fraction 60 %."),
        );
    });
}

pub(crate) fn employee(chart: &mut Chart<'_>) {
    let start = chart.days_ago(26);
    chart.labelled(&[label::EMPLOYEE], |chart| {
        let problem = if chart.draw.percent(50) { dx::MIGRAINE } else { dx::BACK_PAIN };
        clinic(
            chart,
            PRIMARY,
            start,
            chart.who.pcp,
            problem,
            "Works in this hospital. Asks that colleagues do not open the chart.",
        );
    });
}
