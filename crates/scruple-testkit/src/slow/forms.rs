//! The forms of codes (`docs/projection.md`, section 2).

/// Whether the code has the form; an unknown form has no codes.
#[must_use]
pub fn fits(form: &str, code: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // As the codes are written: capitals.
    let letters_or_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    let unpadded = |text: &str| digits(text) && !text.starts_with('0');
    if !code.is_ascii() {
        return false;
    }
    let length = code.len();
    match form {
        "loinc" => match code.split_once('-') {
            Some((number, check)) => {
                // Parts, groups, answers and answer lists have a digit that is not checked.
                let prefixed = ["LP", "LG", "LA", "LL"].iter().find_map(|prefix| number.strip_prefix(prefix));
                let plain = prefixed.unwrap_or(number);
                let is_number = digits(plain)
                    && (prefixed.is_some() || unpadded(plain))
                    && plain.len() <= 7
                    && check.len() == 1
                    && digits(check);
                is_number && (prefixed.is_some() || check == mod_10(number))
            }
            None => false,
        },
        "snomed" => (6..=18).contains(&length) && digits(code) && !code.starts_with('0') && verhoeff(code),
        "icd10cm" => {
            let (category, rest) = match code.split_once('.') {
                Some((category, rest)) => (category, Some(rest)),
                None => (code, None),
            };
            let mut bytes = category.bytes();
            category.len() == 3
                && bytes.next().is_some_and(|byte| byte.is_ascii_uppercase())
                && bytes.next().is_some_and(|byte| byte.is_ascii_digit())
                && category.get(2..).is_some_and(letters_or_digits)
                && rest.is_none_or(|rest| (1..=4).contains(&rest.len()) && letters_or_digits(rest))
        }
        "icd10pcs" => length == 7 && letters_or_digits(code),
        "icd9cm" => {
            let (category, rest) = match code.split_once('.') {
                Some((category, rest)) => (category, Some(rest)),
                None => (code, None),
            };
            let number = category.strip_prefix(['E', 'V']).unwrap_or(category);
            (3..=5).contains(&category.len())
                && digits(number)
                && rest.is_none_or(|rest| (1..=2).contains(&rest.len()) && digits(rest))
        }
        "rxnorm" => length <= 8 && unpadded(code),
        "cpt" => length == 5 && code.get(..4).is_some_and(digits) && letters_or_digits(code),
        "hcpcs" => {
            length == 5
                && code.starts_with(|first: char| first.is_ascii_uppercase())
                && code.get(1..).is_some_and(digits)
        }
        "cvx" => length == 2 && digits(code) || length == 3 && unpadded(code),
        "ndc" => (10..=14).contains(&length) && code.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'),
        "nucc" => length == 10 && letters_or_digits(code) && code.ends_with('X'),
        "digits" => digits(code),
        "token" => {
            (1..=128).contains(&length)
                && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:/+".contains(&byte))
        }
        _ => false,
    }
}

/// LOINC's check digit: from the right, every second digit doubled, the digits of the products added.
fn mod_10(number: &str) -> String {
    let sum: u32 = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            let product = if place % 2 == 0 { digit * 2 } else { digit };
            product / 10 + product % 10
        })
        .sum();
    ((10 - sum % 10) % 10).to_string()
}

/// SNOMED CT's check: the Verhoeff sum over the whole number is 0.
fn verhoeff(number: &str) -> bool {
    let mut check = 0_usize;
    for (place, byte) in number.bytes().rev().enumerate() {
        let mut digit = usize::from(byte - b'0');
        for _ in 0..place % 8 {
            digit = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4].get(digit).copied().unwrap_or_default();
        }
        check = dihedral(check, digit);
    }
    check == 0
}

/// The product in the dihedral group of order 10: 0-4 are turns, 5-9 turns after a flip.
fn dihedral(one: usize, other: usize) -> usize {
    let (turn, flip) = (one % 5, one >= 5);
    let (turn_other, flip_other) = (other % 5, other >= 5);
    let turned = if flip { turn + 5 - turn_other } else { turn + turn_other } % 5;
    turned + if flip == flip_other { 0 } else { 5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_takes_its_codes_and_no_others() {
        for (form, good, bad) in [
            (
                "loinc",
                &["2160-0", "8480-6", "718-7", "4548-4", "LP29684-5", "LA6576-8"][..],
                &["2160-1", "21600", "12345678-1", "-1", "2160-00", "LX1-1", "LP-1", "LP1-x"][..],
            ),
            (
                "snomed",
                &["38341003", "73211009", "22298006", "900000000000207008"],
                &["38341004", "038341003", "12345", "86406A"],
            ),
            ("icd10cm", &["B20", "E11.9", "S72.001A", "C7A.1"], &["z21", "B2", "B20.", "B20.12345", "2B0", "B201"]),
            ("icd10pcs", &["0DTJ4ZZ"], &["0DTJ4Z", "0DTJ4ZZZ"]),
            ("icd9cm", &["250.00", "042", "V08", "E885.9"], &["25", "250.", "250.001", "X25"]),
            ("rxnorm", &["1", "12345678"], &["01", "", "123456789", "12a"]),
            ("cpt", &["99213", "0001U"], &["9921", "A9213", "992133"]),
            ("hcpcs", &["J1745"], &["g0001", "11745", "J174", "J174A"]),
            ("cvx", &["08", "208"], &["8", "008", "", "2080", "a"]),
            ("ndc", &["0002-1433-80", "0002143380"], &["000214338", "0002-1433-80-00x", "123456789012345"]),
            ("nucc", &["207R00000X"], &["207R00000Y", "207R0000X"]),
            ("digits", &["0"], &["", "1a"]),
            ("token", &["at0.1_a:b/c+d-E"], &["", "a b", "é", "a\\n"]),
            ("no such form", &[], &["a", ""]),
        ] {
            for code in good {
                assert!(fits(form, code), "{form} {code}");
            }
            for code in bad {
                assert!(!fits(form, code), "{form} {code}");
            }
        }
        assert!(fits("token", &"a".repeat(128)) && !fits("token", &"a".repeat(129)));
    }
}
