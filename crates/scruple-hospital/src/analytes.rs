//! What is measured: vital signs and laboratory analytes with units, reference ranges and usual values.

use crate::codes::{Code, loinc};

/// A quantity with its reference range. Numbers are mantissas of `scale` decimal places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Analyte {
    pub code: Code,
    pub unit: &'static str,
    pub scale: u8,
    pub low: i64,
    pub high: i64,
}

const fn analyte(code: Code, unit: &'static str, scale: u8, low: i64, high: i64) -> Analyte {
    Analyte { code, unit, scale, low, high }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel {
    pub code: Code,
    pub analytes: &'static [Analyte],
    pub specimen: Code,
}

pub(crate) const BLOOD: Code = crate::codes::sct("119297000", "Blood specimen");
pub(crate) const SERUM: Code = crate::codes::sct("119364003", "Serum specimen");
pub(crate) const URINE: Code = crate::codes::sct("122575003", "Urine specimen");

pub(crate) const GLUCOSE: Analyte =
    analyte(loinc("2345-7", "Glucose [Mass/volume] in Serum or Plasma"), "mg/dL", 0, 70, 99);
pub(crate) const CREATININE: Analyte =
    analyte(loinc("2160-0", "Creatinine [Mass/volume] in Serum or Plasma"), "mg/dL", 2, 60, 120);
pub(crate) const HEMOGLOBIN: Analyte =
    analyte(loinc("718-7", "Hemoglobin [Mass/volume] in Blood"), "g/dL", 1, 120, 170);
pub(crate) const LEUKOCYTES: Analyte =
    analyte(loinc("6690-2", "Leukocytes [#/volume] in Blood by Automated count"), "10*3/uL", 1, 40, 110);
pub(crate) const HBA1C: Analyte = analyte(loinc("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"), "%", 1, 40, 56);
pub(crate) const TSH: Analyte =
    analyte(loinc("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma"), "m[IU]/L", 2, 40, 400);
pub(crate) const NT_PRO_BNP: Analyte = analyte(
    loinc("33762-6", "Natriuretic peptide.B prohormone N-Terminal [Mass/volume] in Serum or Plasma"),
    "pg/mL",
    0,
    5,
    125,
);
pub(crate) const TROPONIN: Analyte = analyte(
    loinc("89579-7", "Troponin I.cardiac [Mass/volume] in Serum or Plasma by High sensitivity method"),
    "ng/L",
    0,
    0,
    20,
);
pub(crate) const LACTATE: Analyte =
    analyte(loinc("2524-7", "Lactate [Moles/volume] in Serum or Plasma"), "mmol/L", 1, 5, 20);
pub(crate) const INR: Analyte =
    analyte(loinc("6301-6", "INR in Platelet poor plasma by Coagulation assay"), "{INR}", 1, 8, 12);
pub(crate) const FERRITIN: Analyte =
    analyte(loinc("2276-4", "Ferritin [Mass/volume] in Serum or Plasma"), "ng/mL", 0, 15, 200);
pub(crate) const CD4: Analyte =
    analyte(loinc("24467-3", "CD3+CD4+ (T4 helper) cells [#/volume] in Blood"), "/uL", 0, 500, 1400);
pub(crate) const HIV_LOAD: Analyte = analyte(
    loinc("20447-9", "HIV 1 RNA [#/volume] (viral load) in Serum or Plasma by NAA with probe detection"),
    "{copies}/mL",
    0,
    0,
    20,
);
pub(crate) const ESTRADIOL_LEVEL: Analyte =
    analyte(loinc("2243-4", "Estradiol (E2) [Mass/volume] in Serum or Plasma"), "pg/mL", 0, 100, 200);
pub(crate) const TESTOSTERONE_LEVEL: Analyte =
    analyte(loinc("2986-8", "Testosterone [Mass/volume] in Serum or Plasma"), "ng/dL", 0, 300, 1000);

pub(crate) const METABOLIC: Panel = Panel {
    code: loinc("24323-8", "Comprehensive metabolic 2000 panel - Serum or Plasma"),
    analytes: &[
        GLUCOSE,
        analyte(loinc("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma"), "mg/dL", 0, 7, 20),
        CREATININE,
        analyte(loinc("2951-2", "Sodium [Moles/volume] in Serum or Plasma"), "mmol/L", 0, 135, 145),
        analyte(loinc("2823-3", "Potassium [Moles/volume] in Serum or Plasma"), "mmol/L", 1, 35, 51),
        analyte(loinc("2075-0", "Chloride [Moles/volume] in Serum or Plasma"), "mmol/L", 0, 98, 107),
        analyte(
            loinc("1742-6", "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma"),
            "U/L",
            0,
            7,
            45,
        ),
    ],
    specimen: SERUM,
};
pub(crate) const BLOOD_COUNT: Panel = Panel {
    code: loinc("58410-2", "CBC panel - Blood by Automated count"),
    analytes: &[
        LEUKOCYTES,
        HEMOGLOBIN,
        analyte(loinc("4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count"), "%", 1, 360, 500),
        analyte(loinc("777-3", "Platelets [#/volume] in Blood by Automated count"), "10*3/uL", 0, 150, 400),
    ],
    specimen: BLOOD,
};
pub(crate) const LIPIDS: Panel = Panel {
    code: loinc("57698-3", "Lipid panel with direct LDL - Serum or Plasma"),
    analytes: &[
        analyte(loinc("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma"), "mg/dL", 0, 125, 200),
        analyte(loinc("2571-8", "Triglyceride [Mass/volume] in Serum or Plasma"), "mg/dL", 0, 50, 150),
        analyte(loinc("2085-9", "Cholesterol in HDL [Mass/volume] in Serum or Plasma"), "mg/dL", 0, 40, 80),
    ],
    specimen: SERUM,
};

pub(crate) const HEART_RATE: Analyte = analyte(loinc("8867-4", "Heart rate"), "/min", 0, 60, 100);
pub(crate) const RESPIRATION: Analyte = analyte(loinc("9279-1", "Respiratory rate"), "/min", 0, 12, 20);
pub(crate) const TEMPERATURE: Analyte = analyte(loinc("8310-5", "Body temperature"), "Cel", 1, 361, 375);
pub(crate) const SATURATION: Analyte =
    analyte(loinc("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"), "%", 0, 94, 100);
pub(crate) const WEIGHT: Analyte = analyte(loinc("29463-7", "Body weight"), "kg", 1, 0, 0);
pub(crate) const HEIGHT: Analyte = analyte(loinc("8302-2", "Body height"), "cm", 1, 0, 0);
pub(crate) const BMI: Analyte = analyte(loinc("39156-5", "Body mass index (BMI) [Ratio]"), "kg/m2", 1, 185, 249);
pub(crate) const BLOOD_PRESSURE: Code = loinc("85354-9", "Blood pressure panel with all children optional");
pub(crate) const SYSTOLIC: Code = loinc("8480-6", "Systolic blood pressure");
pub(crate) const DIASTOLIC: Code = loinc("8462-4", "Diastolic blood pressure");
