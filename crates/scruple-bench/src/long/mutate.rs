//! Mutations of bytes and of text by lines. What they make is bounded.

use crate::long::Draw;

/// Bytes that a mutated case has at most.
pub const CASE_BYTES_MAX: usize = 256 << 10;

/// Pieces that parsers trip over.
const TOKENS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\ud83d\\ude00",
    b"\\u002e",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[[[[[[[",
    b"{\"a\":",
    b":",
    b",",
    b"null",
    b"true",
    b"1e999",
    b"-0",
    b"00",
    b"1.50",
    b".5",
    b"-",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\x00",
    b"\n",
    b"\r\n",
    b"\t",
    b" ",
    b"\x1f",
    b"\x7f",
    b"\xe2\x80\xa8",
];

/// Changes bytes in one to four places; `other` is a case to take pieces of.
pub fn bytes(draw: &mut Draw<'_>, case: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..=draw.below(4) {
        byte_step(draw, case, other);
    }
    case.truncate(CASE_BYTES_MAX);
}

fn byte_step(draw: &mut Draw<'_>, case: &mut Vec<u8>, other: &[u8]) {
    let at = draw.below(case.len() + 1);
    let range = draw.range(case.len());
    match draw.below(9) {
        0 => {
            let bit = 1 << draw.below(8);
            if let Some(byte) = case.get_mut(at) {
                *byte ^= bit;
            }
        }
        1 => {
            let new = *draw.pick(&[0, 1, 0x1f, b' ', b'"', b'0', b'9', 0x7f, 0x80, 0xff]);
            if let Some(byte) = case.get_mut(at) {
                *byte = new;
            }
        }
        2 | 3 => drop(case.splice(at..at, draw.pick(TOKENS).iter().copied())),
        4 => drop(case.drain(range)),
        5 => case.truncate(at),
        6 => {
            let piece = case.get(range).unwrap_or_default().to_vec();
            let times = if draw.once_in(8) { 200 } else { 1 };
            for _ in 0..times {
                case.splice(at..at, piece.iter().copied());
            }
        }
        7 => {
            let from = draw.range(other.len());
            let piece = other.get(from).unwrap_or_default();
            case.splice(range, piece.iter().copied());
        }
        _ => {
            let piece = case.drain(range).collect::<Vec<_>>();
            let to = draw.below(case.len() + 1);
            case.splice(to..to, piece);
        }
    }
}

/// Changes a text line by line, field by field: what a person who edits a pack gets wrong, and worse.
pub fn text(draw: &mut Draw<'_>, text: &str, other: &str) -> String {
    const WORDS: &[&str] = &[
        "",
        "*",
        "\"",
        "\"\"",
        ",",
        "#",
        "=",
        "[",
        "]",
        "[[permit]]",
        "'''",
        "\"\"\"",
        "none",
        "full",
        "masked:coded",
        "masked:nothing",
        "withheld",
        "class",
        "structure",
        "relationship",
        "Patient",
        "Patient.*",
        "Patient.name",
        "Observation.value[x]",
        "Nothing.at.all",
        "yes",
        "no",
        "-1",
        "0",
        "1",
        "99999999999999999999",
        "1979-05-27",
        "inf",
        "true",
        "\u{feff}",
        "\u{202e}",
        "\u{0}",
        "é",
        "biller",
        "TREAT",
        "system/*",
        "http://loinc.org",
        "prefix",
    ];
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=draw.below(4) {
        let at = draw.below(lines.len() + 1);
        match draw.below(9) {
            0 => drop(lines.drain(draw.range(lines.len()))),
            1 => {
                if let Some(line) = lines.get(at).cloned() {
                    let to = draw.below(lines.len() + 1);
                    lines.insert(to, line);
                }
            }
            2 => {
                let all: Vec<&str> = other.lines().collect();
                if !all.is_empty() {
                    lines.insert(at, (*draw.pick(&all)).to_owned());
                }
            }
            3 => lines.truncate(at),
            4 => lines.insert(at, (*draw.pick(WORDS)).to_owned()),
            5..=7 => {
                if let Some(line) = lines.get_mut(at) {
                    *line = field(draw, line, WORDS);
                }
            }
            _ => {
                if let Some(line) = lines.get_mut(at) {
                    let mut raw = std::mem::take(line).into_bytes();
                    bytes(draw, &mut raw, other.as_bytes());
                    *line = String::from_utf8_lossy(&raw).into_owned();
                }
            }
        }
    }
    let mut text = lines.join(if draw.once_in(40) { "\r\n" } else { "\n" });
    if !draw.once_in(20) {
        text.push('\n');
    }
    text
}

/// Puts a word in the place of a field, takes a field out, or adds one.
fn field(draw: &mut Draw<'_>, line: &str, words: &[&str]) -> String {
    let separator = if line.contains(',') { ',' } else { ' ' };
    let mut fields: Vec<&str> = line.split(separator).collect();
    let at = draw.below(fields.len());
    match draw.below(5) {
        0 => drop(fields.remove(at)),
        1 => fields.insert(at, *draw.pick(words)),
        2 => {
            let from = draw.below(fields.len());
            fields.swap(at, from);
        }
        _ => {
            if let Some(field) = fields.get_mut(at) {
                *field = *draw.pick(words);
            }
        }
    }
    fields.join(&separator.to_string())
}
