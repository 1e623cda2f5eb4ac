//! The people who work here: at least two for each of the 30 roles of the policy pack, with their unit.
//!
//! The list is fixed, so that examples, tests and the demo can name a person. It does not depend on the seed.

use crate::codes::{Code, NUCC, code};

/// Somebody who works in the hospital.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaffMember {
    /// The id of the Practitioner; the PractitionerRole has the same with `role-` for `prac-`.
    pub id: &'static str,
    /// Given and family name.
    pub name: &'static str,
    /// A role of the policy pack.
    pub role: &'static str,
    /// The id of the Location they work at.
    pub unit: &'static str,
    pub(crate) sex: char,
    pub(crate) specialty: Option<Code>,
}

impl StaffMember {
    /// The reference of the Practitioner.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("Practitioner/{}", self.id)
    }

    pub(crate) fn parts(&self) -> (&'static str, &'static str) {
        self.name.split_once(' ').unwrap_or(("", self.name))
    }

    pub(crate) fn role_id(&self) -> String {
        format!("role-{}", self.id.trim_start_matches("prac-"))
    }
}

/// Everybody who works in the hospital, by role.
#[must_use]
pub const fn staff() -> &'static [StaffMember] {
    STAFF
}

const INTERNIST: Code = code(NUCC, "207R00000X", "Internal Medicine Physician");
const FAMILY: Code = code(NUCC, "207Q00000X", "Family Medicine Physician");
const HOSPITALIST: Code = code(NUCC, "208M00000X", "Hospitalist Physician");
const EMERGENCY: Code = code(NUCC, "207P00000X", "Emergency Medicine Physician");
const CRITICAL_CARE: Code = code(NUCC, "207RC0200X", "Critical Care Medicine (Internal Medicine) Physician");
const OBSTETRICS: Code = code(NUCC, "207V00000X", "Obstetrics & Gynecology Physician");
const PEDIATRICS: Code = code(NUCC, "208000000X", "Pediatrics Physician");
const INFECTIOUS: Code = code(NUCC, "207RI0200X", "Infectious Disease Physician");
const CARDIOLOGY: Code = code(NUCC, "207RC0000X", "Cardiovascular Disease Physician");
const SURGERY: Code = code(NUCC, "208600000X", "Surgery Physician");
const GENETICS: Code = code(NUCC, "207SG0201X", "Clinical Genetics (M.D.) Physician");
const PSYCHIATRY: Code = code(NUCC, "2084P0800X", "Psychiatry Physician");
const PSYCHOLOGY: Code = code(NUCC, "103TC0700X", "Clinical Psychologist");
const ADDICTION: Code = code(NUCC, "207RA0401X", "Addiction Medicine (Internal Medicine) Physician");
const COUNSELOR: Code = code(NUCC, "101YA0400X", "Addiction (Substance Use Disorder) Counselor");
const REGISTERED_NURSE: Code = code(NUCC, "163W00000X", "Registered Nurse");
const NURSE_PRACTITIONER: Code = code(NUCC, "363LF0000X", "Family Nurse Practitioner");
const PHARMACIST: Code = code(NUCC, "183500000X", "Pharmacist");
const THERAPIST: Code = code(NUCC, "225100000X", "Physical Therapist");
const DIETITIAN: Code = code(NUCC, "133V00000X", "Registered Dietitian");
const SOCIAL_WORKER: Code = code(NUCC, "1041C0700X", "Clinical Social Worker");
const TECHNOLOGIST: Code = code(NUCC, "247100000X", "Radiologic Technologist");

const fn member(
    id: &'static str,
    name: &'static str,
    sex: char,
    role: &'static str,
    unit: &'static str,
    specialty: Option<Code>,
) -> StaffMember {
    StaffMember { id, name, role, unit, sex, specialty }
}

#[rustfmt::skip]
const STAFF: &[StaffMember] = &[
    member("prac-front-desk-1", "Tanya Ellison", 'f', "front_desk", "loc-primary-care", None),
    member("prac-front-desk-2", "Jorge Medina", 'm', "front_desk", "loc-bh-clinic", None),
    member("prac-front-desk-3", "Alma Quintero", 'f', "front_desk", "loc-recovery-clinic", None),
    member("prac-registrar-1", "Denise Holloway", 'f', "registrar", "loc-ed", None),
    member("prac-registrar-2", "Curtis Bell", 'm', "registrar", "loc-admitting", None),
    member("prac-scheduler-1", "Marisol Duarte", 'f', "scheduler", "loc-primary-care", None),
    member("prac-scheduler-2", "Paul Hendricks", 'm', "scheduler", "loc-womens-health", None),
    member("prac-auth-specialist-1", "Renee Castellanos", 'f', "auth_specialist", "loc-business-office", None),
    member("prac-auth-specialist-2", "Derek Vaughn", 'm', "auth_specialist", "loc-business-office", None),
    member("prac-biller-1", "Sheila Norwood", 'f', "biller", "loc-business-office", None),
    member("prac-biller-2", "Ramon Escalante", 'm', "biller", "loc-business-office", None),
    member("prac-denials-specialist-1", "Joyce Albright", 'f', "denials_specialist", "loc-business-office", None),
    member("prac-denials-specialist-2", "Nathan Cruz", 'm', "denials_specialist", "loc-business-office", None),
    member("prac-coder-1", "Beverly Stanton", 'f', "coder", "loc-him", None),
    member("prac-coder-2", "Anil Mehta", 'm', "coder", "loc-him", None),
    member("prac-clinical-support-1", "Brianna Wolfe", 'f', "clinical_support", "loc-4west", None),
    member("prac-clinical-support-2", "Dustin Yazzie", 'm', "clinical_support", "loc-primary-care", None),
    member("prac-clinical-support-3", "Carla Jimenez", 'f', "clinical_support", "loc-ed", None),
    member("prac-nurse-1", "Megan Doyle", 'f', "nurse", "loc-4west", Some(REGISTERED_NURSE)),
    member("prac-nurse-2", "Samuel Begay", 'm', "nurse", "loc-4west", Some(REGISTERED_NURSE)),
    member("prac-nurse-3", "Ngozi Adeyemi", 'f', "nurse", "loc-icu", Some(REGISTERED_NURSE)),
    member("prac-nurse-4", "Laura Petrakis", 'f', "nurse", "loc-labor-delivery", Some(REGISTERED_NURSE)),
    member("prac-nurse-5", "Kyle Sandoval", 'm', "nurse", "loc-behavioral-health", Some(REGISTERED_NURSE)),
    member("prac-nurse-6", "Angela Fierro", 'f', "nurse", "loc-primary-care", Some(REGISTERED_NURSE)),
    member("prac-nurse-7", "Trish Kaplan", 'f', "nurse", "loc-womens-health", Some(REGISTERED_NURSE)),
    member("prac-nurse-8", "Tyrell Banks", 'm', "nurse", "loc-ed", Some(REGISTERED_NURSE)),
    member("prac-nurse-9", "Joanna Meeks", 'f', "nurse", "loc-pediatrics", Some(REGISTERED_NURSE)),
    member("prac-nurse-10", "Celia Moran", 'f', "nurse", "loc-recovery-clinic", Some(REGISTERED_NURSE)),
    member("prac-physician-1", "Helen Marchetti", 'f', "physician", "loc-primary-care", Some(INTERNIST)),
    member("prac-physician-2", "David Okonkwo", 'm', "physician", "loc-primary-care", Some(FAMILY)),
    member("prac-physician-3", "Rachel Stein", 'f', "physician", "loc-4west", Some(HOSPITALIST)),
    member("prac-physician-4", "Vikram Rao", 'm', "physician", "loc-icu", Some(CRITICAL_CARE)),
    member("prac-physician-5", "Catherine Lim", 'f', "physician", "loc-labor-delivery", Some(OBSTETRICS)),
    member("prac-physician-6", "Owen Gallagher", 'm', "physician", "loc-pediatrics", Some(PEDIATRICS)),
    member("prac-physician-7", "Teresa Avila", 'f', "physician", "loc-infectious-disease", Some(INFECTIOUS)),
    member("prac-physician-8", "Marcus Greene", 'm', "physician", "loc-cardiology", Some(CARDIOLOGY)),
    member("prac-physician-9", "Irene Kowalczyk", 'f', "physician", "loc-surgery", Some(SURGERY)),
    member("prac-physician-10", "Farah Siddiqui", 'f', "physician", "loc-genetics", Some(GENETICS)),
    member("prac-physician-11", "Joan Whitehorse", 'f', "physician", "loc-primary-care", Some(NURSE_PRACTITIONER)),
    member("prac-physician-12", "Paula Reyes", 'f', "physician", "loc-womens-health", Some(OBSTETRICS)),
    member("prac-ed-clinician-1", "Thomas Brandt", 'm', "ed_clinician", "loc-ed", Some(EMERGENCY)),
    member("prac-ed-clinician-2", "Sarah Whitcomb", 'f', "ed_clinician", "loc-ed", Some(EMERGENCY)),
    member("prac-ed-clinician-3", "Luis Ferreira", 'm', "ed_clinician", "loc-ed", Some(REGISTERED_NURSE)),
    member("prac-bh-clinician-1", "Miriam Adler", 'f', "bh_clinician", "loc-bh-clinic", Some(PSYCHOLOGY)),
    member("prac-bh-clinician-2", "George Tran", 'm', "bh_clinician", "loc-behavioral-health", Some(PSYCHIATRY)),
    member("prac-sud-clinician-1", "Andre Baptiste", 'm', "sud_clinician", "loc-recovery-clinic", Some(ADDICTION)),
    member("prac-sud-clinician-2", "Colleen Murphy", 'f', "sud_clinician", "loc-recovery-clinic", Some(COUNSELOR)),
    member("prac-pharmacist-1", "Wendy Zhao", 'f', "pharmacist", "loc-pharmacy", Some(PHARMACIST)),
    member("prac-pharmacist-2", "Peter Lindqvist", 'm', "pharmacist", "loc-pharmacy", Some(PHARMACIST)),
    member("prac-lab-tech-1", "Dolores Ibarra", 'f', "lab_tech", "loc-laboratory", None),
    member("prac-lab-tech-2", "Evan Schultz", 'm', "lab_tech", "loc-laboratory", None),
    member("prac-imaging-tech-1", "Monica Salas", 'f', "imaging_tech", "loc-imaging", Some(TECHNOLOGIST)),
    member("prac-imaging-tech-2", "Roy Fletcher", 'm', "imaging_tech", "loc-imaging", Some(TECHNOLOGIST)),
    member("prac-allied-health-1", "Kristen Boyd", 'f', "allied_health", "loc-rehabilitation", Some(THERAPIST)),
    member("prac-allied-health-2", "Hiro Tanaka", 'm', "allied_health", "loc-4west", Some(DIETITIAN)),
    member("prac-care-manager-1", "Bonnie Prescott", 'f', "care_manager", "loc-care-management", Some(REGISTERED_NURSE)),
    member("prac-care-manager-2", "Edgar Solis", 'm', "care_manager", "loc-care-management", Some(REGISTERED_NURSE)),
    member("prac-social-worker-1", "Vanessa Grant", 'f', "social_worker", "loc-4west", Some(SOCIAL_WORKER)),
    member("prac-social-worker-2", "Ben Archuleta", 'm', "social_worker", "loc-ed", Some(SOCIAL_WORKER)),
    member("prac-infection-prevention-1", "Ruth Lindgren", 'f', "infection_prevention", "loc-quality", Some(REGISTERED_NURSE)),
    member("prac-infection-prevention-2", "Mateo Figueroa", 'm', "infection_prevention", "loc-quality", None),
    member("prac-quality-analyst-1", "Priscilla Hwang", 'f', "quality_analyst", "loc-quality", None),
    member("prac-quality-analyst-2", "Gordon Pike", 'm', "quality_analyst", "loc-quality", None),
    member("prac-researcher-1", "Amara Nwosu", 'f', "researcher", "loc-research", None),
    member("prac-researcher-2", "Stefan Vogel", 'm', "researcher", "loc-research", None),
    member("prac-research-coordinator-1", "Leah Rosenthal", 'f', "research_coordinator", "loc-research", Some(REGISTERED_NURSE)),
    member("prac-research-coordinator-2", "Isaac Montoya", 'm', "research_coordinator", "loc-research", None),
    member("prac-roi-clerk-1", "Charlene Dixon", 'f', "roi_clerk", "loc-him", None),
    member("prac-roi-clerk-2", "Victor Salazar", 'm', "roi_clerk", "loc-him", None),
    member("prac-him-integrity-1", "Gail Hutchins", 'f', "him_integrity", "loc-him", None),
    member("prac-him-integrity-2", "Wade Kirkland", 'm', "him_integrity", "loc-him", None),
    member("prac-manager-1", "Lorraine Pruitt", 'f', "manager", "loc-4west", Some(REGISTERED_NURSE)),
    member("prac-manager-2", "Dennis Aguilar", 'm', "manager", "loc-business-office", None),
    member("prac-it-support-1", "Kavya Nair", 'f', "it_support", "loc-information-systems", None),
    member("prac-it-support-2", "Scott Brewer", 'm', "it_support", "loc-information-systems", None),
    member("prac-vendor-support-1", "Allison Crane", 'f', "vendor_support", "loc-information-systems", None),
    member("prac-vendor-support-2", "Rajesh Iyer", 'm', "vendor_support", "loc-information-systems", None),
    member("prac-privacy-officer-1", "Margaret Oyelaran", 'f', "privacy_officer", "loc-administration", None),
    member("prac-privacy-officer-2", "Howard Epstein", 'm', "privacy_officer", "loc-administration", None),
    member("prac-auditor-1", "Constance Blake", 'f', "auditor", "loc-administration", None),
    member("prac-auditor-2", "Neil Hargrove", 'm', "auditor", "loc-administration", None),
];

/// The first person of a role at a unit, else in primary care, else the first of the role.
pub(crate) fn on_duty(role: &str, unit: &str) -> &'static StaffMember {
    let of_role = || STAFF.iter().filter(|member| member.role == role);
    of_role()
        .find(|member| member.unit == unit)
        .or_else(|| of_role().find(|member| member.unit == "loc-primary-care"))
        .or_else(|| of_role().next())
        .unwrap_or(&FALLBACK)
}

pub(crate) fn by_id(id: &str) -> &'static StaffMember {
    STAFF.iter().find(|member| member.id == id).unwrap_or(&FALLBACK)
}

/// Never reached while the table has every role; the tests hold that it has.
static FALLBACK: StaffMember =
    member("prac-physician-1", "Helen Marchetti", 'f', "physician", "loc-primary-care", Some(INTERNIST));

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The roles of the policy pack, as its reference page lists them.
    const ROLES: &str = "front_desk registrar scheduler auth_specialist biller denials_specialist coder clinical_support \
        nurse physician ed_clinician bh_clinician sud_clinician pharmacist lab_tech imaging_tech allied_health \
        care_manager social_worker infection_prevention quality_analyst researcher research_coordinator roi_clerk \
        him_integrity manager it_support vendor_support privacy_officer auditor";

    #[test]
    fn every_role_of_the_pack_has_two_people_and_nobody_is_twice() {
        let roles: BTreeSet<&str> = ROLES.split_whitespace().collect();
        assert_eq!(roles.len(), 30);
        assert_eq!(STAFF.iter().map(|member| member.role).collect::<BTreeSet<_>>(), roles);
        for role in roles {
            assert!(STAFF.iter().filter(|member| member.role == role).count() >= 2, "{role}");
        }
        let unique = |of: fn(&StaffMember) -> &str| STAFF.iter().map(of).collect::<BTreeSet<_>>().len() == STAFF.len();
        assert!(unique(|member| member.id) && unique(|member| member.name));
    }

    #[test]
    fn units_are_places_of_the_hospital() {
        for member in STAFF {
            assert!(crate::places::PLACES.iter().any(|place| place.id == member.unit), "{}", member.unit);
        }
    }
}
