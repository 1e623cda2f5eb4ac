//! What happens to a patient: the ordinary record, and on top of it what the persona is there for.

mod acute;
mod ordinary;
mod perinatal;
pub(crate) mod protected;
pub(crate) mod substance;

use crate::chart::Chart;
use crate::person::{Person, patient_id};
use crate::persona::Persona;
use crate::time::Moment;
use crate::{Record, showcase};

/// The record of the patient with this index.
pub(crate) fn record(seed: u64, index: usize, now: Moment) -> Record {
    let persona = Persona::of(seed, index);
    let (seed, person) = if persona == Persona::Showcase {
        (showcase::SEED, showcase::person(now))
    } else {
        (seed, Person::draw(seed, index, persona, now))
    };
    let mut chart = Chart::new(seed, index, &person, now);
    tell(&mut chart, persona);
    Record { patient_id: patient_id(index), persona, resources: chart.finish() }
}

pub(crate) fn tell(chart: &mut Chart<'_>, persona: Persona) {
    if matches!(persona, Persona::Showcase | Persona::Canary) {
        return showcase::tell(chart);
    }
    ordinary::background(chart);
    match persona {
        Persona::Hiv => protected::hiv(chart),
        Persona::EdSubstanceUse => {
            let days = chart.draw.range(3, 200);
            substance::substance_use_in_the_ed(chart, days);
        }
        Persona::Part2Labelled | Persona::Part2BySource => {
            let days = chart.draw.range(120, 700);
            substance::part2_programme(chart, persona == Persona::Part2Labelled, days);
        }
        Persona::Depression => protected::depression(chart),
        Persona::BehavioralInpatient => protected::behavioral_stay(chart),
        Persona::Psychotherapy => protected::psychotherapy(chart),
        Persona::Sti => {
            let days = chart.draw.range(10, 90);
            protected::sti(chart, days);
        }
        Persona::Reproductive => {
            let days = chart.draw.range(30, 160);
            protected::termination(chart, days);
        }
        Persona::GenderAffirming => protected::gender_affirming(chart),
        Persona::Abuse => {
            let days = chart.draw.range(6, 60);
            protected::abuse(chart, days);
        }
        Persona::Genetic => {
            let days = chart.draw.range(60, 250);
            protected::genetic(chart, days);
        }
        Persona::MinorConfidential => protected::minor(chart),
        Persona::ConfidentialAddress => protected::confidential_address(chart),
        Persona::SelfPay => protected::self_pay(chart),
        Persona::Restricted => protected::restricted(chart),
        Persona::ResearchConfidential => substance::confidential_research(chart),
        Persona::Vip => protected::vip(chart),
        Persona::Employee => protected::employee(chart),
        Persona::Deceased => acute::death(chart),
        Persona::IntensiveCare => acute::intensive_care(chart),
        Persona::Delivery => perinatal::labor(chart),
        Persona::Twin => perinatal::twin(chart),
        Persona::Ordinary | Persona::Showcase | Persona::Canary => acute::perhaps(chart),
    }
}
