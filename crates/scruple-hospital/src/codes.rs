//! Coded concepts and the systems they come from. Constants only: which of them a patient gets is decided elsewhere.
//!
//! Displays follow the publishers' names, shortened where those are unwieldy. CPT and CDT are not free and not used.

use crate::json::{Json, arr, obj};

pub(crate) const LOINC: &str = "http://loinc.org";
pub(crate) const SNOMED: &str = "http://snomed.info/sct";
pub(crate) const ICD10CM: &str = "http://hl7.org/fhir/sid/icd-10-cm";
pub(crate) const RXNORM: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";
pub(crate) const CVX: &str = "http://hl7.org/fhir/sid/cvx";
pub(crate) const HCPCS: &str = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets";
pub(crate) const NUCC: &str = "http://nucc.org/provider-taxonomy";
pub(crate) const UCUM: &str = "http://unitsofmeasure.org";
pub(crate) const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
pub(crate) const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
pub(crate) const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
pub(crate) const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    pub system: &'static str,
    pub code: &'static str,
    pub display: &'static str,
}

pub(crate) const fn code(system: &'static str, code: &'static str, display: &'static str) -> Code {
    Code { system, code, display }
}
pub(crate) const fn loinc(code: &'static str, display: &'static str) -> Code {
    Code { system: LOINC, code, display }
}
pub(crate) const fn sct(code: &'static str, display: &'static str) -> Code {
    Code { system: SNOMED, code, display }
}
pub(crate) const fn icd(code: &'static str, display: &'static str) -> Code {
    Code { system: ICD10CM, code, display }
}
pub(crate) const fn rx(code: &'static str, display: &'static str) -> Code {
    Code { system: RXNORM, code, display }
}
pub(crate) const fn act(code: &'static str, display: &'static str) -> Code {
    Code { system: ACT_CODE, code, display }
}
/// A code of a system of terminology.hl7.org: `hl7("claim-type", "professional", "Professional")`.
pub(crate) fn hl7(system: &str, code: &'static str, display: &'static str) -> Json {
    obj! { "coding": arr![obj! {
        "system": format!("http://terminology.hl7.org/CodeSystem/{system}"), "code": code, "display": display,
    }] }
}

impl Code {
    pub(crate) fn coding(self) -> Json {
        obj! { "system": self.system, "code": self.code, "display": self.display }
    }

    pub(crate) fn concept(self) -> Json {
        obj! { "coding": arr![self.coding()] }
    }

    /// A concept with a text of its own, as clinicians write it.
    pub(crate) fn concept_as(self, text: impl Into<Json>) -> Json {
        obj! { "coding": arr![self.coding()], "text": text.into() }
    }
}

/// Security labels (HL7 v3 ActCode) that source systems put on resources.
pub(crate) mod label {
    use super::{Code, act};

    pub(crate) const PART2: Code = act("42CFRPart2", "42 CFR Part2");
    pub(crate) const VIP: Code = act("CEL", "celebrity information sensitivity");
    pub(crate) const EMPLOYEE: Code = act("EMP", "employee information sensitivity");
    pub(crate) const PSYCHOTHERAPY: Code = act("HIPAAPsyNotes", "HIPAA psychotherapy notes");
    pub(crate) const COUNSELING: Code = act("SUD", "substance use disorder information sensitivity");
    pub(crate) const HIV: Code = act("HIV", "HIV/AIDS information sensitivity");
    pub(crate) const SEXUAL: Code = act("SEX", "sexuality and reproductive health information sensitivity");
    pub(crate) const GENETIC: Code = act("GDIS", "genetic disease information sensitivity");
    pub(crate) const VIOLENCE: Code = act("SDV", "sexual assault, abuse, or domestic violence information sensitivity");
    pub(crate) const ADOLESCENT: Code = act("ADOL", "adolescent information sensitivity");
    pub(crate) const RESTRICTED: Code = act("PRS", "patient requested information sensitivity");
    pub(crate) const SELF_PAY: Code = act("HIPAASelfPay", "HIPAA self-pay");
    pub(crate) const LOCATION: Code = act("LOCIS", "location information sensitivity");
}

pub(crate) const AMBULATORY: Code = act("AMB", "ambulatory");
pub(crate) const EMERGENCY: Code = act("EMER", "emergency");
pub(crate) const INPATIENT: Code = act("IMP", "inpatient encounter");
pub(crate) const VIRTUAL: Code = act("VR", "virtual");

/// A diagnosis as problem lists and claims name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Problem {
    pub icd: Code,
    pub sct: Option<Code>,
    /// The words of the clinician.
    pub says: &'static str,
}

const fn problem(icd: Code, sct: Code, says: &'static str) -> Problem {
    Problem { icd, sct: Some(sct), says }
}
const fn icd_only(icd: Code, says: &'static str) -> Problem {
    Problem { icd, sct: None, says }
}

/// Diagnoses of ordinary and of specially protected kinds.
pub(crate) mod dx {
    use super::{Problem, icd, icd_only, problem, sct};

    pub(crate) const HYPERTENSION: Problem = problem(
        icd("I10", "Essential (primary) hypertension"),
        sct("59621000", "Essential hypertension"),
        "High blood pressure",
    );
    pub(crate) const DIABETES: Problem = problem(
        icd("E11.9", "Type 2 diabetes mellitus without complications"),
        sct("44054006", "Diabetes mellitus type 2"),
        "Type 2 diabetes",
    );
    pub(crate) const HYPERLIPIDEMIA: Problem =
        problem(icd("E78.5", "Hyperlipidemia, unspecified"), sct("55822004", "Hyperlipidemia"), "High cholesterol");
    pub(crate) const ASTHMA: Problem =
        problem(icd("J45.909", "Unspecified asthma, uncomplicated"), sct("195967001", "Asthma"), "Asthma");
    pub(crate) const CHILD_ASTHMA: Problem = problem(
        icd("J45.909", "Unspecified asthma, uncomplicated"),
        sct("233678006", "Childhood asthma"),
        "Childhood asthma",
    );
    pub(crate) const EMPHYSEMA: Problem = problem(
        icd("J44.9", "Chronic obstructive pulmonary disease, unspecified"),
        sct("87433001", "Pulmonary emphysema"),
        "COPD with emphysema",
    );
    pub(crate) const HEART_FAILURE: Problem = problem(
        icd("I50.22", "Chronic systolic (congestive) heart failure"),
        sct("88805009", "Chronic congestive heart failure"),
        "Heart failure with reduced ejection fraction",
    );
    pub(crate) const ATRIAL_FIBRILLATION: Problem = problem(
        icd("I48.91", "Unspecified atrial fibrillation"),
        sct("49436004", "Atrial fibrillation"),
        "Atrial fibrillation",
    );
    pub(crate) const KIDNEY_DISEASE: Problem = problem(
        icd("N18.30", "Chronic kidney disease, stage 3 unspecified"),
        sct("433144002", "Chronic kidney disease stage 3"),
        "CKD stage 3",
    );
    pub(crate) const HYPOTHYROIDISM: Problem = problem(
        icd("E03.9", "Hypothyroidism, unspecified"),
        sct("83664006", "Idiopathic atrophic hypothyroidism"),
        "Hypothyroidism",
    );
    pub(crate) const REFLUX: Problem = problem(
        icd("K21.9", "Gastro-esophageal reflux disease without esophagitis"),
        sct("235595009", "Gastroesophageal reflux disease"),
        "Acid reflux",
    );
    pub(crate) const KNEE_ARTHRITIS: Problem = problem(
        icd("M17.11", "Unilateral primary osteoarthritis, right knee"),
        sct("239873007", "Osteoarthritis of knee"),
        "Right knee osteoarthritis",
    );
    pub(crate) const MIGRAINE: Problem = problem(
        icd("G43.909", "Migraine, unspecified, not intractable, without status migrainosus"),
        sct("37796009", "Migraine"),
        "Migraine",
    );
    pub(crate) const OSTEOPOROSIS: Problem = problem(
        icd("M81.0", "Age-related osteoporosis without current pathological fracture"),
        sct("64859006", "Osteoporosis"),
        "Osteoporosis",
    );
    pub(crate) const OBESITY: Problem =
        problem(icd("E66.9", "Obesity, unspecified"), sct("162864005", "Body mass index 30+ - obesity"), "Obesity");
    pub(crate) const ANEMIA: Problem =
        problem(icd("D64.9", "Anemia, unspecified"), sct("271737000", "Anemia"), "Anemia");
    pub(crate) const ALZHEIMER: Problem = problem(
        icd("G30.9", "Alzheimer's disease, unspecified"),
        sct("26929004", "Alzheimer's disease"),
        "Alzheimer's disease",
    );
    pub(crate) const SLEEP_APNEA: Problem = problem(
        icd("G47.33", "Obstructive sleep apnea (adult) (pediatric)"),
        sct("78275009", "Obstructive sleep apnea syndrome"),
        "Sleep apnea",
    );
    pub(crate) const RHINITIS: Problem = problem(
        icd("J30.9", "Allergic rhinitis, unspecified"),
        sct("446096008", "Perennial allergic rhinitis"),
        "Hay fever",
    );
    pub(crate) const NICOTINE: Problem =
        icd_only(icd("F17.210", "Nicotine dependence, cigarettes, uncomplicated"), "Smokes cigarettes");

    pub(crate) const PNEUMONIA: Problem = problem(
        icd("J18.9", "Pneumonia, unspecified organism"),
        sct("233604007", "Pneumonia"),
        "Community-acquired pneumonia",
    );
    pub(crate) const COPD_FLARE: Problem = problem(
        icd("J44.1", "Chronic obstructive pulmonary disease with (acute) exacerbation"),
        sct("87433001", "Pulmonary emphysema"),
        "COPD exacerbation",
    );
    pub(crate) const SEPSIS: Problem =
        problem(icd("A41.9", "Sepsis, unspecified organism"), sct("91302008", "Sepsis"), "Sepsis");
    pub(crate) const RESPIRATORY_FAILURE: Problem = problem(
        icd("J96.01", "Acute respiratory failure with hypoxia"),
        sct("65710008", "Acute respiratory failure"),
        "Acute hypoxic respiratory failure",
    );
    pub(crate) const URINARY_INFECTION: Problem = problem(
        icd("N39.0", "Urinary tract infection, site not specified"),
        sct("68566005", "Urinary tract infectious disease"),
        "Urinary tract infection",
    );
    pub(crate) const APPENDICITIS: Problem =
        problem(icd("K35.80", "Unspecified acute appendicitis"), sct("74400008", "Appendicitis"), "Acute appendicitis");
    pub(crate) const HIP_FRACTURE: Problem = problem(
        icd("S72.001A", "Fracture of unspecified part of neck of right femur, initial encounter for closed fracture"),
        sct("359817006", "Closed fracture of hip"),
        "Right hip fracture after a fall",
    );
    pub(crate) const NSTEMI: Problem = problem(
        icd("I21.4", "Non-ST elevation (NSTEMI) myocardial infarction"),
        sct("401314000", "Acute non-ST segment elevation myocardial infarction"),
        "NSTEMI",
    );
    pub(crate) const STROKE: Problem = problem(
        icd("I63.9", "Cerebral infarction, unspecified"),
        sct("230690007", "Cerebrovascular accident"),
        "Ischemic stroke",
    );
    pub(crate) const SPRAIN: Problem = problem(
        icd("S93.401A", "Sprain of unspecified ligament of right ankle, initial encounter"),
        sct("44465007", "Sprain of ankle"),
        "Sprained right ankle",
    );
    pub(crate) const CONCUSSION: Problem = problem(
        icd("S06.0X0A", "Concussion without loss of consciousness, initial encounter"),
        sct("62106007", "Concussion with no loss of consciousness"),
        "Concussion",
    );
    pub(crate) const STREP_THROAT: Problem = problem(
        icd("J02.0", "Streptococcal pharyngitis"),
        sct("43878008", "Streptococcal sore throat"),
        "Strep throat",
    );
    pub(crate) const BRONCHITIS: Problem =
        problem(icd("J20.9", "Acute bronchitis, unspecified"), sct("10509002", "Acute bronchitis"), "Acute bronchitis");
    pub(crate) const OTITIS: Problem = problem(
        icd("H66.90", "Otitis media, unspecified, unspecified ear"),
        sct("65363002", "Otitis media"),
        "Ear infection",
    );
    pub(crate) const COLD: Problem = problem(
        icd("J06.9", "Acute upper respiratory infection, unspecified"),
        sct("195662009", "Acute viral pharyngitis"),
        "Cold with sore throat",
    );
    pub(crate) const BACK_PAIN: Problem =
        problem(icd("M54.50", "Low back pain, unspecified"), sct("279039007", "Low back pain"), "Low back pain");
    pub(crate) const CHEST_PAIN: Problem =
        problem(icd("R07.9", "Chest pain, unspecified"), sct("29857009", "Chest pain"), "Chest pain");
    pub(crate) const CHECKUP: Problem = icd_only(
        icd("Z00.00", "Encounter for general adult medical examination without abnormal findings"),
        "Annual physical",
    );
    pub(crate) const CHILD_CHECKUP: Problem = icd_only(
        icd("Z00.129", "Encounter for routine child health examination without abnormal findings"),
        "Well-child visit",
    );
    pub(crate) const MRSA_CARRIER: Problem = icd_only(
        icd("Z22.322", "Carrier or suspected carrier of Methicillin resistant Staphylococcus aureus"),
        "MRSA carrier",
    );

    pub(crate) const HIV: Problem = problem(
        icd("B20", "Human immunodeficiency virus [HIV] disease"),
        sct("86406008", "Human immunodeficiency virus infection"),
        "HIV, on treatment",
    );
    pub(crate) const OPIOID: Problem = problem(
        icd("F11.20", "Opioid dependence, uncomplicated"),
        sct("75544000", "Opioid dependence"),
        "Opioid use disorder",
    );
    pub(crate) const OPIOID_WITHDRAWAL: Problem = problem(
        icd("F11.23", "Opioid dependence with withdrawal"),
        sct("75544000", "Opioid dependence"),
        "Opioid withdrawal",
    );
    pub(crate) const ALCOHOL: Problem = problem(
        icd("F10.20", "Alcohol dependence, uncomplicated"),
        sct("7200002", "Alcoholism"),
        "Alcohol use disorder",
    );
    pub(crate) const OVERDOSE: Problem = problem(
        icd("T40.411A", "Poisoning by fentanyl or fentanyl analogs, accidental (unintentional), initial encounter"),
        sct("1149222004", "Overdose"),
        "Accidental fentanyl overdose",
    );
    pub(crate) const DEPRESSION: Problem = problem(
        icd("F32.1", "Major depressive disorder, single episode, moderate"),
        sct("370143000", "Major depressive disorder"),
        "Moderate depression",
    );
    pub(crate) const ANXIETY: Problem = problem(
        icd("F41.1", "Generalized anxiety disorder"),
        sct("21897009", "Generalized anxiety disorder"),
        "Anxiety",
    );
    pub(crate) const PTSD: Problem = problem(
        icd("F43.10", "Post-traumatic stress disorder, unspecified"),
        sct("47505003", "Posttraumatic stress disorder"),
        "PTSD",
    );
    pub(crate) const BIPOLAR: Problem =
        problem(icd("F31.9", "Bipolar disorder, unspecified"), sct("13746004", "Bipolar disorder"), "Bipolar disorder");
    pub(crate) const SUICIDAL: Problem = problem(
        icd("R45.851", "Suicidal ideations"),
        sct("225444004", "At increased risk for suicide"),
        "Suicidal thoughts, no plan",
    );
    pub(crate) const CHLAMYDIA: Problem = problem(
        icd("A56.09", "Other chlamydial infection of lower genitourinary tract"),
        sct("105629000", "Chlamydial infection"),
        "Genital chlamydia",
    );
    pub(crate) const PREGNANCY_CARE: Problem = problem(
        icd("Z34.90", "Encounter for supervision of normal pregnancy, unspecified, unspecified trimester"),
        sct("72892002", "Normal pregnancy"),
        "Normal pregnancy",
    );
    pub(crate) const DELIVERY: Problem =
        icd_only(icd("O80", "Encounter for full-term uncomplicated delivery"), "Term labor");
    pub(crate) const TERMINATION: Problem =
        icd_only(icd("Z33.2", "Encounter for elective termination of pregnancy"), "Elective termination of pregnancy");
    pub(crate) const TERMINATION_INFECTION: Problem = icd_only(
        icd("O04.5", "Genital tract and pelvic infection following (induced) termination of pregnancy"),
        "Pelvic infection after termination of pregnancy",
    );
    pub(crate) const TRANSGENDER: Problem = problem(
        icd("F64.0", "Transsexualism"),
        sct("93461009", "Gender dysphoria"),
        "Gender dysphoria, on hormone therapy",
    );
    pub(crate) const PARTNER_ABUSE: Problem = problem(
        icd("T74.11XA", "Adult physical abuse, confirmed, initial encounter"),
        sct("706893006", "Victim of intimate partner abuse"),
        "Physical abuse by partner",
    );
    pub(crate) const BRCA: Problem = problem(
        icd("Z15.01", "Genetic susceptibility to malignant neoplasm of breast"),
        sct("412734009", "BRCA1 gene mutation positive"),
        "BRCA1 mutation carrier",
    );
    pub(crate) const BREAST_CANCER: Problem = problem(
        icd("C50.911", "Malignant neoplasm of unspecified site of right female breast"),
        sct("254837009", "Malignant neoplasm of breast"),
        "Right breast cancer",
    );
    pub(crate) const CONTRACEPTION: Problem = icd_only(
        icd("Z30.017", "Encounter for initial prescription of implantable subdermal contraceptive"),
        "Contraceptive implant",
    );
    pub(crate) const NEWBORN_TWIN: Problem =
        icd_only(icd("Z38.30", "Twin liveborn infant, delivered vaginally"), "Twin, born in hospital");
    pub(crate) const DO_NOT_RESUSCITATE: Problem = icd_only(icd("Z66", "Do not resuscitate"), "Do not resuscitate");
}

/// A drug with its usual dose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drug {
    pub code: Code,
    /// The directions on the label.
    pub sig: &'static str,
    pub dose: i64,
    pub unit: &'static str,
    pub route: Code,
    /// Times in `days` days.
    pub times: i64,
    pub days: i64,
}

pub(crate) const ORAL: Code = sct("26643006", "Oral route");
pub(crate) const INTRAVENOUS: Code = sct("47625008", "Intravenous route");
pub(crate) const INTRAMUSCULAR: Code = sct("78421000", "Intramuscular route");
pub(crate) const SUBCUTANEOUS: Code = sct("34206005", "Subcutaneous route");
pub(crate) const SUBLINGUAL: Code = sct("37839007", "Sublingual route");
pub(crate) const INHALED: Code = sct("447694001", "Respiratory tract route");

const fn tablet(code: Code, sig: &'static str, times: i64) -> Drug {
    Drug { code, sig, dose: 1, unit: "{tbl}", route: ORAL, times, days: 1 }
}
const fn drug(code: Code, sig: &'static str, dose: i64, unit: &'static str, route: Code, times: i64) -> Drug {
    Drug { code, sig, dose, unit, route, times, days: 1 }
}

/// Drugs, by RxNorm.
pub(crate) mod rxn {
    use super::{Drug, INHALED, INTRAMUSCULAR, INTRAVENOUS, SUBCUTANEOUS, SUBLINGUAL, drug, rx, tablet};

    pub(crate) const LISINOPRIL: Drug =
        tablet(rx("314076", "lisinopril 10 MG Oral Tablet"), "Take 1 tablet by mouth once daily", 1);
    pub(crate) const AMLODIPINE: Drug =
        tablet(rx("197361", "amlodipine 5 MG Oral Tablet"), "Take 1 tablet by mouth once daily", 1);
    pub(crate) const METFORMIN: Drug = tablet(
        rx("861007", "metformin hydrochloride 500 MG Oral Tablet"),
        "Take 1 tablet by mouth twice daily with meals",
        2,
    );
    pub(crate) const ATORVASTATIN: Drug =
        tablet(rx("617310", "atorvastatin 20 MG Oral Tablet"), "Take 1 tablet by mouth at bedtime", 1);
    pub(crate) const ALBUTEROL: Drug = drug(
        rx("2123111", "200 ACTUAT albuterol 0.09 MG/ACTUAT Metered Dose Inhaler"),
        "Inhale 2 puffs every 4 hours as needed for wheezing",
        2,
        "{puff}",
        INHALED,
        4,
    );
    pub(crate) const FUROSEMIDE: Drug =
        tablet(rx("313988", "furosemide 40 MG Oral Tablet"), "Take 1 tablet by mouth every morning", 1);
    pub(crate) const METOPROLOL: Drug = tablet(
        rx("866427", "24 HR metoprolol succinate 25 MG Extended Release Oral Tablet"),
        "Take 1 tablet by mouth once daily",
        1,
    );
    pub(crate) const APIXABAN: Drug =
        tablet(rx("1364445", "apixaban 5 MG Oral Tablet"), "Take 1 tablet by mouth twice daily", 2);
    pub(crate) const LEVOTHYROXINE: Drug = tablet(
        rx("966222", "levothyroxine sodium 0.075 MG Oral Tablet"),
        "Take 1 tablet by mouth every morning on an empty stomach",
        1,
    );
    pub(crate) const OMEPRAZOLE: Drug = tablet(
        rx("198051", "omeprazole 20 MG Delayed Release Oral Capsule"),
        "Take 1 capsule by mouth before breakfast",
        1,
    );
    pub(crate) const ACETAMINOPHEN: Drug = tablet(
        rx("313782", "acetaminophen 325 MG Oral Tablet"),
        "Take 2 tablets by mouth every 6 hours as needed for pain",
        4,
    );
    pub(crate) const IBUPROFEN: Drug = tablet(
        rx("310965", "ibuprofen 200 MG Oral Tablet"),
        "Take 2 tablets by mouth every 6 hours as needed with food",
        4,
    );
    pub(crate) const ASPIRIN: Drug =
        tablet(rx("243670", "aspirin 81 MG Oral Tablet"), "Take 1 tablet by mouth once daily", 1);
    pub(crate) const CLOPIDOGREL: Drug =
        tablet(rx("309362", "clopidogrel 75 MG Oral Tablet"), "Take 1 tablet by mouth once daily", 1);
    pub(crate) const SUMATRIPTAN: Drug =
        tablet(rx("313161", "sumatriptan 50 MG Oral Tablet"), "Take 1 tablet by mouth at the onset of migraine", 1);
    pub(crate) const ALENDRONATE: Drug = tablet(
        rx("904419", "alendronic acid 10 MG Oral Tablet"),
        "Take 1 tablet by mouth every morning, stay upright",
        1,
    );
    pub(crate) const AMOXICILLIN: Drug =
        tablet(rx("308192", "amoxicillin 500 MG Oral Tablet"), "Take 1 tablet by mouth twice daily for 10 days", 2);
    pub(crate) const DOXYCYCLINE: Drug = tablet(
        rx("1650142", "doxycycline monohydrate 100 MG Oral Tablet"),
        "Take 1 tablet by mouth twice daily for 7 days",
        2,
    );
    pub(crate) const PREDNISONE: Drug =
        tablet(rx("312615", "prednisone 20 MG Oral Tablet"), "Take 2 tablets by mouth daily for 5 days", 1);
    pub(crate) const CEFTRIAXONE: Drug = drug(
        rx("1665021", "ceftriaxone 1000 MG Injection"),
        "1 g intravenously every 24 hours",
        1,
        "g",
        INTRAVENOUS,
        1,
    );
    pub(crate) const CEFTRIAXONE_IM: Drug = drug(
        rx("1665021", "ceftriaxone 1000 MG Injection"),
        "500 mg intramuscularly once",
        500,
        "mg",
        INTRAMUSCULAR,
        1,
    );
    pub(crate) const PIPERACILLIN: Drug = drug(
        rx("1659149", "piperacillin 4000 MG / tazobactam 500 MG Injection"),
        "4.5 g intravenously every 8 hours",
        4500,
        "mg",
        INTRAVENOUS,
        3,
    );
    pub(crate) const ENOXAPARIN: Drug = drug(
        rx("854235", "0.4 ML enoxaparin sodium 100 MG/ML Prefilled Syringe"),
        "40 mg subcutaneously once daily",
        40,
        "mg",
        SUBCUTANEOUS,
        1,
    );
    pub(crate) const ONDANSETRON: Drug = drug(
        rx("1740467", "2 ML ondansetron 2 MG/ML Injection"),
        "4 mg intravenously every 6 hours as needed for nausea",
        4,
        "mg",
        INTRAVENOUS,
        4,
    );
    pub(crate) const OXYCODONE: Drug = tablet(
        rx("1049683", "oxycodone hydrochloride 10 MG Oral Tablet"),
        "Take 1 tablet by mouth every 6 hours as needed for severe pain",
        4,
    );
    pub(crate) const INSULIN: Drug = drug(
        rx("311034", "insulin, regular, human 100 UNT/ML Injectable Solution"),
        "By sliding scale before meals",
        4,
        "[iU]",
        SUBCUTANEOUS,
        3,
    );
    pub(crate) const BICTEGRAVIR: Drug = tablet(
        rx("1999667", "bictegravir 50 MG / emtricitabine 200 MG / tenofovir alafenamide 25 MG Oral Tablet"),
        "Take 1 tablet by mouth once daily",
        1,
    );
    pub(crate) const DOLUTEGRAVIR: Drug = tablet(
        rx("2122519", "dolutegravir 50 MG / lamivudine 300 MG Oral Tablet"),
        "Take 1 tablet by mouth once daily",
        1,
    );
    pub(crate) const BUPRENORPHINE: Drug = drug(
        rx("351266", "buprenorphine 2 MG / naloxone 0.5 MG Sublingual Tablet"),
        "Dissolve 2 tablets under the tongue once daily",
        2,
        "{tbl}",
        SUBLINGUAL,
        1,
    );
    pub(crate) const METHADONE: Drug = drug(
        rx("864706", "methadone hydrochloride 10 MG Oral Tablet"),
        "6 tablets (60 mg) by mouth once daily, observed",
        6,
        "{tbl}",
        super::ORAL,
        1,
    );
    pub(crate) const NALOXONE: Drug = drug(
        rx("1191222", "naloxone hydrochloride 0.4 MG/ML Injectable Solution"),
        "0.4 mg intramuscularly for suspected overdose, may repeat",
        1,
        "mL",
        INTRAMUSCULAR,
        1,
    );
    pub(crate) const NALTREXONE: Drug =
        tablet(rx("1483744", "naltrexone hydrochloride 50 MG Oral Tablet"), "Take 1 tablet by mouth once daily", 1);
    pub(crate) const SERTRALINE: Drug =
        tablet(rx("312941", "sertraline 50 MG Oral Tablet"), "Take 1 tablet by mouth every morning", 1);
    pub(crate) const ESCITALOPRAM: Drug =
        tablet(rx("349332", "escitalopram 10 MG Oral Tablet"), "Take 1 tablet by mouth once daily", 1);
    pub(crate) const LITHIUM: Drug =
        tablet(rx("197890", "lithium carbonate 300 MG Oral Tablet"), "Take 1 tablet by mouth three times daily", 3);
    pub(crate) const QUETIAPINE: Drug =
        tablet(rx("312743", "quetiapine 100 MG Oral Tablet"), "Take 1 tablet by mouth at bedtime", 1);
    pub(crate) const MISOPROSTOL: Drug = drug(
        rx("317128", "misoprostol 0.2 MG Oral Tablet"),
        "800 mcg buccally 24 to 48 hours after mifepristone",
        4,
        "{tbl}",
        super::ORAL,
        1,
    );
    pub(crate) const MIFEPRISTONE: Drug =
        drug(rx("6916", "mifepristone"), "200 mg by mouth once", 200, "mg", super::ORAL, 1);
    pub(crate) const ESTRADIOL: Drug =
        drug(rx("4083", "estradiol"), "2 mg by mouth twice daily", 2, "mg", super::ORAL, 2);
    pub(crate) const TESTOSTERONE: Drug = Drug {
        code: rx("10379", "testosterone"),
        sig: "50 mg subcutaneously once a week",
        dose: 50,
        unit: "mg",
        route: SUBCUTANEOUS,
        times: 1,
        days: 7,
    };
    pub(crate) const SPIRONOLACTONE: Drug =
        tablet(rx("313096", "spironolactone 25 MG Oral Tablet"), "Take 2 tablets by mouth twice daily", 2);
}
