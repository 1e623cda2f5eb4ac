//! Searches bytes for canaries: raw, behind JSON escapes, in base64 at every alignment and of both alphabets, and in
//! gzip members, one in another.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use flate2::read::GzDecoder;
use memchr::memmem;
use std::io::Read as _;
use std::path::Path;

/// Bytes that one gzip member may unpack to.
const MEMBER_BYTES_MAX: u64 = 256 << 20;
/// Members in members that are looked into.
const DEPTH_MAX: usize = 3;

/// A canary that came out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Which.
    pub canary: String,
    /// How it is written.
    pub form: &'static str,
    /// The words around it, or the file.
    pub at: String,
}

/// Every canary in every form.
pub fn find(bytes: &[u8], canaries: &[&str]) -> Vec<Found> {
    let mut found = Vec::new();
    look(bytes, canaries, 0, &mut found);
    found
}

/// The same of every file below a folder, and of the names.
pub fn find_in_folder(folder: &Path, canaries: &[&str]) -> Vec<Found> {
    let mut all = Vec::new();
    for path in crate::support::files(folder) {
        let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
        let mut found = find(name.as_bytes(), canaries);
        found.extend(find(&std::fs::read(&path).unwrap(), canaries));
        all.extend(found.into_iter().map(|found| Found { at: format!("{name}: {}", found.at), ..found }));
    }
    all
}

fn look(bytes: &[u8], canaries: &[&str], depth: usize, found: &mut Vec<Found>) {
    let plain = unescaped(bytes);
    for canary in canaries {
        let mut tell = |form, text: &[u8], at: Option<usize>| {
            if let Some(at) = at {
                let around = &text[at.saturating_sub(40)..(at + 80).min(text.len())];
                let at = String::from_utf8_lossy(around).into_owned();
                found.push(Found { canary: (*canary).to_owned(), form, at });
            }
        };
        let raw = memmem::find(bytes, canary.as_bytes());
        tell("raw", bytes, raw);
        if let (None, Some(plain)) = (raw, &plain) {
            tell("escaped", plain, memmem::find(plain, canary.as_bytes()));
        }
        for core in base64_cores(canary.as_bytes()) {
            tell("base64", bytes, memmem::find(bytes, core.as_bytes()));
        }
    }
    if depth < DEPTH_MAX {
        for at in memmem::find_iter(bytes, b"\x1f\x8b\x08") {
            let mut inside = Vec::new();
            // A member that is cut off or damaged still gives what stands before.
            let _ = GzDecoder::new(&bytes[at..]).take(MEMBER_BYTES_MAX).read_to_end(&mut inside);
            let known = found.len();
            look(&inside, canaries, depth + 1, found);
            found[known..].iter_mut().for_each(|found| found.form = "gzip");
        }
    }
}

/// The letters of base64 that depend on the canary alone, wherever it stands in the text that was encoded.
fn base64_cores(canary: &[u8]) -> Vec<String> {
    let mut cores = Vec::new();
    for before in 0..3 {
        let text = [&[0; 3][..before], canary].concat();
        // Letters that also hold bits of what stands before or behind are left out.
        let (from, to) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
        for engine in [&STANDARD, &URL_SAFE] {
            let core = engine.encode(&text)[from..to].to_owned();
            if !cores.contains(&core) {
                cores.push(core);
            }
        }
    }
    cores
}

/// The text with its JSON escapes resolved. Nothing if there are none.
fn unescaped(bytes: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'\\', bytes)?;
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        plain.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let code = rest.get(2..6).filter(|_| rest.starts_with(b"\\u"));
        let letter = code.and_then(|code| u32::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match (letter, rest.get(1)) {
            (Some(letter), _) => {
                plain.extend(char::from_u32(letter).unwrap_or('?').to_string().bytes());
                rest = &rest[6..];
            }
            (None, Some(b'\\' | b'/' | b'"')) => {
                plain.push(rest[1]);
                rest = &rest[2..];
            }
            _ => {
                plain.push(b'\\');
                rest = &rest[1..];
            }
        }
    }
    plain.extend_from_slice(rest);
    Some(plain)
}

mod tests {
    use super::*;
    use crate::support::gzip;

    const CANARY: &str = "CANARY-o?~\u{fb}-7f3a";

    fn forms(bytes: &[u8]) -> Vec<&'static str> {
        find(bytes, &[CANARY]).into_iter().map(|found| found.form).collect()
    }

    #[test]
    fn a_planted_canary_is_found_raw_and_escaped() {
        assert_eq!(forms(b"CANARY-o?~-7f3a and CANARY"), [""; 0]);
        assert_eq!(forms(format!("..{CANARY}..").as_bytes()), ["raw"]);
        let every = CANARY.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
        assert_eq!(forms(every.as_bytes()), ["escaped"]);
        assert_eq!(forms(every.to_uppercase().replace("\\U", "\\u").as_bytes()), ["escaped"]);
        let some = CANARY.replace('C', "\\u0043").replace('\u{fb}', "\\u00fb");
        assert_eq!(forms(some.as_bytes()), ["escaped"]);
        assert_eq!(find(b"a\\/b", &["a/b"]).len(), 1);
    }

    #[test]
    fn a_planted_canary_is_found_in_base64_at_every_alignment_in_both_alphabets() {
        assert_eq!(base64_cores(CANARY.as_bytes()).len(), 5, "one of three alignments has no letter that differs");
        for before in 0..7 {
            for behind in 0..4 {
                let text = ["x".repeat(before), CANARY.to_owned(), "y".repeat(behind)].concat();
                for engine in [&STANDARD, &URL_SAFE] {
                    let encoded = format!(r#"{{"data":"{}"}}"#, engine.encode(&text));
                    assert_eq!(forms(encoded.as_bytes()), ["base64"], "{before} {behind}");
                }
            }
        }
    }

    #[test]
    fn a_planted_canary_is_found_in_gzip_in_every_other_form_and_in_a_folder() {
        let member = gzip(CANARY.as_bytes());
        let behind = [b"noise\x1f\x8b\x08".as_slice(), &gzip(b"nothing"), &member, b"noise"].concat();
        assert_eq!(forms(&behind), ["gzip"]);
        assert_eq!(forms(&gzip(&member)), ["gzip"]);
        assert_eq!(forms(&gzip(STANDARD.encode(CANARY).as_bytes())), ["gzip"]);
        let long = gzip([CANARY.as_bytes(), &b"0123456789abcdef".repeat(1 << 16)].concat().as_slice());
        assert_eq!(forms(&long[..long.len() - 9]), ["gzip"], "cut off");
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("below")).unwrap();
        std::fs::write(folder.path().join("below/a"), &member).unwrap();
        std::fs::write(folder.path().join(format!("below/b{}", "CANARY-x")), "").unwrap();
        let found = find_in_folder(folder.path(), &[CANARY, "CANARY-x"]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].at.starts_with("below/a: "), "{found:?}");
    }
}
