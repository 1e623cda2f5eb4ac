//! Units and clinics. The substance use programme (42 CFR Part 2) is an organisation of its own in the same house.

/// The id of the hospital's Organization.
pub const HOSPITAL_ID: &str = "org-hospital";
/// The id of the Organization that is a programme in the sense of 42 CFR 2.11.
pub const PART2_PROGRAMME_ID: &str = "org-recovery-programme";
/// The id of the programme's Location.
pub const PART2_LOCATION_ID: &str = "loc-recovery-clinic";

pub(crate) const HOSPITAL: &str = "Saguaro Valley Medical Center";
pub(crate) const PROGRAMME: &str = "Ocotillo Recovery Programme";

#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub id: &'static str,
    pub name: &'static str,
    pub organization: &'static str,
    /// v3 ServiceDeliveryLocationRoleType.
    pub kind: &'static str,
    /// Name of the service offered there; empty where patients are not seen.
    pub service: &'static str,
    pub floor: i64,
}

impl Place {
    pub(crate) fn service_id(&self) -> String {
        self.id.replacen("loc-", "svc-", 1)
    }

    pub(crate) fn organization_name(&self) -> &'static str {
        if self.organization == PART2_PROGRAMME_ID { PROGRAMME } else { HOSPITAL }
    }
}

const fn place(id: &'static str, name: &'static str, kind: &'static str, service: &'static str, floor: i64) -> Place {
    Place { id, name, organization: HOSPITAL_ID, kind, service, floor }
}

pub(crate) const WARD: Place = place("loc-4west", "4 West Medical-Surgical", "HU", "Inpatient medicine", 4);
pub(crate) const ICU: Place = place("loc-icu", "Intensive Care Unit", "ICU", "Critical care", 3);
pub(crate) const ED: Place = place("loc-ed", "Emergency Department", "ER", "Emergency medicine", 1);
pub(crate) const LABOR: Place = place("loc-labor-delivery", "Labor and Delivery", "HU", "Obstetrics", 2);
pub(crate) const BEHAVIORAL: Place =
    place("loc-behavioral-health", "5 East Behavioral Health", "PHU", "Inpatient psychiatry", 5);
pub(crate) const RECOVERY: Place = Place {
    id: PART2_LOCATION_ID,
    name: "Recovery Clinic",
    organization: PART2_PROGRAMME_ID,
    kind: "SURF",
    service: "Opioid treatment programme",
    floor: 1,
};
pub(crate) const PRIMARY: Place = place("loc-primary-care", "Primary Care Clinic", "PC", "Primary care", 1);
pub(crate) const BH_CLINIC: Place =
    place("loc-bh-clinic", "Behavioral Health Clinic", "PSYCHF", "Outpatient mental health", 2);
pub(crate) const WOMENS: Place =
    place("loc-womens-health", "Women's Health Clinic", "GYN", "Gynecology and obstetrics", 2);
pub(crate) const INFECTIOUS: Place =
    place("loc-infectious-disease", "Infectious Disease Clinic", "OF", "HIV and infectious disease", 2);
pub(crate) const GENDER: Place = place("loc-gender-health", "Gender Health Clinic", "ENDO", "Gender-affirming care", 2);
pub(crate) const GENETICS: Place = place("loc-genetics", "Cancer Genetics Clinic", "OF", "Genetic counseling", 2);
pub(crate) const PEDIATRICS: Place =
    place("loc-pediatrics", "Pediatrics and Adolescent Clinic", "PEDC", "Pediatrics", 1);
pub(crate) const CARDIOLOGY: Place = place("loc-cardiology", "Cardiology Clinic", "OF", "Cardiology", 2);
pub(crate) const SURGERY: Place = place("loc-surgery", "Operating Rooms", "SU", "Surgery", 3);
pub(crate) const IMAGING: Place = place("loc-imaging", "Imaging", "RADDX", "Diagnostic imaging", 1);
pub(crate) const LABORATORY: Place = place("loc-laboratory", "Clinical Laboratory", "HLAB", "Laboratory", 0);
pub(crate) const PHARMACY: Place = place("loc-pharmacy", "Pharmacy", "PHARM", "Pharmacy", 1);
pub(crate) const REHABILITATION: Place = place("loc-rehabilitation", "Rehabilitation", "OF", "Physical therapy", 1);
pub(crate) const CARE_MANAGEMENT: Place = place("loc-care-management", "Care Management", "OF", "", 1);

pub(crate) const PLACES: &[Place] = &[
    WARD,
    ICU,
    ED,
    LABOR,
    BEHAVIORAL,
    RECOVERY,
    PRIMARY,
    BH_CLINIC,
    WOMENS,
    INFECTIOUS,
    GENDER,
    GENETICS,
    PEDIATRICS,
    CARDIOLOGY,
    SURGERY,
    IMAGING,
    LABORATORY,
    PHARMACY,
    REHABILITATION,
    CARE_MANAGEMENT,
    place("loc-admitting", "Admitting", "OF", "", 1),
    place("loc-business-office", "Patient Financial Services", "OF", "", 6),
    place("loc-him", "Health Information Management", "OF", "", 0),
    place("loc-quality", "Quality and Infection Prevention", "OF", "", 6),
    place("loc-research", "Clinical Research Office", "OF", "", 6),
    place("loc-information-systems", "Information Systems", "OF", "", 0),
    place("loc-administration", "Administration", "OF", "", 6),
];
