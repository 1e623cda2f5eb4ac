//! Which segments a code belongs to, and whether it is a code of a known system at all.

use scruple_core::SegmentSet;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The form that a code of a system must have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// LOINC: digits, hyphen, mod-10 check digit.
    Loinc,
    /// SNOMED CT: 6 to 18 digits with a Verhoeff check digit.
    Snomed,
    /// ICD-10-CM.
    Icd10Cm,
    /// ICD-10-PCS.
    Icd10Pcs,
    /// ICD-9-CM.
    Icd9Cm,
    /// RxNorm concept id.
    RxNorm,
    /// CPT.
    Cpt,
    /// HCPCS level II.
    Hcpcs,
    /// CVX.
    Cvx,
    /// NDC.
    Ndc,
    /// NUCC provider taxonomy.
    Nucc,
    /// Digits alone.
    Digits,
    /// A FHIR `code` of up to 128 plain characters.
    Token,
    /// None: another address of a system whose codes are listed under its own.
    Never,
}

impl Form {
    /// The form of that name in `code-systems.csv`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "loinc" => Self::Loinc,
            "snomed" => Self::Snomed,
            "icd10cm" => Self::Icd10Cm,
            "icd10pcs" => Self::Icd10Pcs,
            "icd9cm" => Self::Icd9Cm,
            "rxnorm" => Self::RxNorm,
            "cpt" => Self::Cpt,
            "hcpcs" => Self::Hcpcs,
            "cvx" => Self::Cvx,
            "ndc" => Self::Ndc,
            "nucc" => Self::Nucc,
            "digits" => Self::Digits,
            "token" => Self::Token,
            "never" => Self::Never,
            _ => return None,
        })
    }

    /// Whether `code` has this form.
    #[must_use]
    pub fn fits(self, code: &[u8]) -> bool {
        match self {
            Self::Loinc => is_loinc(code),
            Self::Snomed => is_snomed(code),
            Self::Icd10Cm => is_icd10cm(code),
            Self::Icd10Pcs => code.len() == 7 && code.iter().all(is_capital_or_digit),
            Self::Icd9Cm => is_icd9cm(code),
            Self::RxNorm => number(code, 8),
            Self::Cpt => {
                code.len() == 5
                    && code.split_last().is_some_and(|(last, first)| digits(first, 4, 4) && is_capital_or_digit(last))
            }
            Self::Hcpcs => {
                code.len() == 5
                    && code.split_first().is_some_and(|(first, rest)| first.is_ascii_uppercase() && digits(rest, 4, 4))
            }
            Self::Cvx => digits(code, 2, 2) || code.len() == 3 && number(code, 3),
            Self::Ndc => {
                (10..=14).contains(&code.len()) && code.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-')
            }
            Self::Nucc => code.len() == 10 && code.ends_with(b"X") && code.iter().all(is_capital_or_digit),
            Self::Digits => digits(code, 1, 64),
            Self::Token => is_token(code),
            Self::Never => false,
        }
    }
}

/// Bytes of a token, and of a `code` that shows. Some systems (Blue Button) use whole URLs as codes.
pub(crate) const TOKEN_BYTES_MAX: usize = 128;

/// The last part of an address: no version, no further path.
fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

/// A FHIR `code` without white space, of plain characters.
pub(crate) fn is_token(code: &[u8]) -> bool {
    (1..=TOKEN_BYTES_MAX).contains(&code.len())
        && code
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'/' | b'+'))
}

fn digits(code: &[u8], least: usize, most: usize) -> bool {
    (least..=most).contains(&code.len()) && code.iter().all(u8::is_ascii_digit)
}

/// A whole number as it is written once: no leading zero.
fn number(code: &[u8], most: usize) -> bool {
    digits(code, 1, most) && code.first() != Some(&b'0')
}

/// Codes are looked up as they are written, so that another spelling of one is no code.
const fn is_capital_or_digit(byte: &u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn is_icd10cm(code: &[u8]) -> bool {
    let (head, tail) = match code.iter().position(|byte| *byte == b'.') {
        Some(dot) => (code.get(..dot).unwrap_or_default(), code.get(dot + 1..)),
        None => (code, None),
    };
    let head_fits = matches!(head, [a, b, c] if a.is_ascii_uppercase() && b.is_ascii_digit() && is_capital_or_digit(c));
    head_fits && tail.is_none_or(|tail| (1..=4).contains(&tail.len()) && tail.iter().all(is_capital_or_digit))
}

fn is_icd9cm(code: &[u8]) -> bool {
    let (head, tail) = match code.iter().position(|byte| *byte == b'.') {
        Some(dot) => (code.get(..dot).unwrap_or_default(), code.get(dot + 1..)),
        None => (code, None),
    };
    let number = match head.split_first() {
        Some((b'E' | b'V', rest)) => rest,
        _ => head,
    };
    (3..=5).contains(&head.len()) && digits(number, 1, 5) && tail.is_none_or(|tail| digits(tail, 1, 2))
}

fn is_loinc(code: &[u8]) -> bool {
    // Parts, groups, answers and answer lists have numbers of their own: no mod-10 digit of the number alone.
    if let Some(rest) = [b"LP".as_slice(), b"LG", b"LA", b"LL"].iter().find_map(|prefix| code.strip_prefix(*prefix)) {
        return matches!(rest.len().checked_sub(2).and_then(|at| rest.split_at_checked(at)), Some((number, [b'-', check])) if digits(number, 1, 7) && check.is_ascii_digit());
    }
    let Some((number, [b'-', check])) = code.len().checked_sub(2).and_then(|at| code.split_at_checked(at)) else {
        return false;
    };
    if !self::number(number, 7) {
        return false;
    }
    let sum: u32 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    u32::from(*check) == u32::from(b'0') + (10 - sum % 10) % 10
}

fn is_snomed(code: &[u8]) -> bool {
    // Verhoeff: the dihedral group D5 and its permutation, ISO 7064's predecessor; SNOMED CT TIG, "Check-digit".
    const D: [[u8; 10]; 10] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    const P: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    if !digits(code, 6, 18) || code.first() == Some(&b'0') {
        return false;
    }
    let check = code.iter().rev().enumerate().try_fold(0_u8, |state, (place, digit)| {
        let permuted = P.get(place % 8)?.get(usize::from(digit - b'0'))?;
        D.get(usize::from(state))?.get(usize::from(*permuted)).copied()
    });
    check == Some(0)
}

/// A quick hash of short byte strings. The tables are filled from the pack alone, so that no outsider chooses what
/// is in them.
#[derive(Default)]
pub(crate) struct QuickHasher(u64);

impl Hasher for QuickHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
        let tail = chunks.remainder().iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        self.write_u64(tail ^ (bytes.len() as u64) << 56);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }
}

pub(crate) type QuickMap<V> = HashMap<Box<[u8]>, V, BuildHasherDefault<QuickHasher>>;

#[derive(Debug)]
struct System {
    form: Form,
    exact: QuickMap<SegmentSet>,
    prefixes: QuickMap<SegmentSet>,
    prefix_lengths: Vec<usize>,
}

/// The known code systems, and the codes that put a segment on their resource.
#[derive(Debug, Default)]
pub struct CodeIndex {
    systems: QuickMap<System>,
    families: Vec<(Box<[u8]>, Form)>,
    /// What a security label means, by system and code.
    security: QuickMap<QuickMap<SegmentSet>>,
}

impl CodeIndex {
    /// Lists a system. A name that ends with `/*` lists every system below it.
    pub fn add_system(&mut self, system: &str, form: Form) {
        if let Some(family) = system.strip_suffix('*') {
            self.families.push((family.as_bytes().into(), form));
        } else {
            self.system(system, form);
        }
    }

    fn system(&mut self, system: &str, form: Form) -> &mut System {
        self.systems.entry(system.as_bytes().into()).or_insert_with(|| System {
            form,
            exact: QuickMap::default(),
            prefixes: QuickMap::default(),
            prefix_lengths: Vec::new(),
        })
    }

    /// Adds a code of a listed system to segments. False if the system is not listed.
    pub fn add_code(&mut self, system: &str, code: &str, is_prefix: bool, segments: SegmentSet) -> bool {
        let Some(form) = self.form(system.as_bytes()) else { return false };
        let entry = self.system(system, form);
        let table = if is_prefix { &mut entry.prefixes } else { &mut entry.exact };
        let known = table.entry(code.as_bytes().into()).or_default();
        *known = known.union(segments);
        if is_prefix && !entry.prefix_lengths.contains(&code.len()) {
            entry.prefix_lengths.push(code.len());
            entry.prefix_lengths.sort_unstable();
        }
        true
    }

    /// Says what a code means as a security label; it means the same elsewhere.
    pub fn add_security_label(&mut self, system: &str, code: &str, segments: SegmentSet) {
        let codes = self.security.entry(system.as_bytes().into()).or_default();
        let known = codes.entry(code.as_bytes().into()).or_default();
        *known = known.union(segments);
        if self.form(system.as_bytes()).is_none() {
            self.add_system(system, Form::Token);
        }
        self.add_code(system, code, false, segments);
    }

    /// The form of a listed system.
    #[must_use]
    pub fn form(&self, system: &[u8]) -> Option<Form> {
        self.systems.get(system).map(|known| known.form).or_else(|| self.family(system))
    }

    fn family(&self, system: &[u8]) -> Option<Form> {
        self.families
            .iter()
            .find(|(family, _)| system.strip_prefix(&**family).is_some_and(is_name))
            .map(|(_, form)| *form)
    }

    /// Whether the system is listed and the code has its form.
    #[must_use]
    pub fn knows(&self, system: &[u8], code: &[u8]) -> bool {
        self.form(system).is_some_and(|form| form.fits(code))
    }

    /// The segments of a code; `UNCLASSIFIED` if it is no code of a listed system.
    #[must_use]
    pub fn classify(&self, system: &[u8], code: &[u8]) -> SegmentSet {
        let Some(known) = self.systems.get(system) else {
            let fits = self.family(system).is_some_and(|form| form.fits(code));
            return if fits { SegmentSet::EMPTY } else { SegmentSet::UNCLASSIFIED };
        };
        let mut segments = known.exact.get(code).copied().unwrap_or_default();
        for length in &known.prefix_lengths {
            let Some(prefix) = code.get(..*length) else { break };
            segments = segments.union(known.prefixes.get(prefix).copied().unwrap_or_default());
        }
        if known.form.fits(code) { segments } else { segments.union(SegmentSet::UNCLASSIFIED) }
    }

    /// What a security label means; one that is not listed is `UNREADABLE`.
    #[must_use]
    pub fn security(&self, system: &[u8], code: &[u8]) -> SegmentSet {
        let codes = self.security.get(system);
        codes.and_then(|codes| codes.get(code)).copied().unwrap_or(SegmentSet::UNREADABLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scruple_core::SegmentId;

    #[test]
    fn forms_check_their_digits() {
        let check = |form: Form, good: &[&str], bad: &[&str]| {
            for code in good {
                assert!(form.fits(code.as_bytes()), "{form:?} {code}");
            }
            for code in bad {
                assert!(!form.fits(code.as_bytes()), "{form:?} {code}");
            }
        };
        check(
            Form::Loinc,
            &["20447-9", "8480-6", "718-7", "85354-9", "LP29684-5", "LA6576-8"],
            &["20447-8", "20447", "-9", "LX29684-5", "2044 7-9"],
        );
        check(Form::Snomed, &["86406008", "73211009", "22298006"], &["86406009", "856AAAA", "12345", "086406008"]);
        check(Form::Icd10Cm, &["B20", "F11.20", "C7A.00", "S72.001A"], &["B2", "F11.", "11.20", "F11.20345", "HIV"]);
        check(Form::Icd9Cm, &["042", "V08", "E950.1", "295.30"], &["42", "V08.", "295.301"]);
        check(Form::Cpt, &["99213", "0001F"], &["9921", "A9213"]);
        check(Form::Hcpcs, &["G0432"], &["99213"]);
        check(Form::Token, &["active", "v2-0203"], &["", "two words", "é"]);
    }

    #[test]
    fn codes_are_classified() {
        let hiv = SegmentSet::EMPTY.with(SegmentId(5));
        let mut index = CodeIndex::default();
        index.add_system("http://hl7.org/fhir/sid/icd-10-cm", Form::Icd10Cm);
        index.add_system("http://terminology.hl7.org/CodeSystem/*", Form::Token);
        assert!(index.add_code("http://hl7.org/fhir/sid/icd-10-cm", "B20", true, hiv));
        assert!(!index.add_code("http://local", "x", true, hiv));
        index.add_security_label("http://terminology.hl7.org/CodeSystem/v3-ActCode", "HIV", hiv);
        let check = |system: &str, code: &str, expected: SegmentSet| {
            assert_eq!(index.classify(system.as_bytes(), code.as_bytes()), expected, "{system} {code}");
        };
        check("http://hl7.org/fhir/sid/icd-10-cm", "B20", hiv);
        check("http://hl7.org/fhir/sid/icd-10-cm", "E11.9", SegmentSet::EMPTY);
        check("http://hl7.org/fhir/sid/icd-10-cm", "B20 or so", hiv.union(SegmentSet::UNCLASSIFIED));
        check("http://terminology.hl7.org/CodeSystem/v3-ActCode", "AMB", SegmentSet::EMPTY);
        check("http://terminology.hl7.org/CodeSystem/v3-ActCode", "HIV", hiv);
        check("http://terminology.hl7.org/CodeSystem/", "x", SegmentSet::UNCLASSIFIED);
        check("http://local", "x", SegmentSet::UNCLASSIFIED);
        assert_eq!(index.security(b"http://local", b"x"), SegmentSet::UNREADABLE);
    }
}
