//! One-time passwords by time (RFC 6238) as every phone's app makes them: SHA-1, 6 digits, 30 seconds.
//!
//! HMAC is the crypto library's. What it deliberately does not do: count failures. A code has a million values and three
//! are good at a time, so the caller bounds the attempts of a person.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use qrcode::{Color, EcLevel, QrCode};
use rand_core::CryptoRng;
use scruple_core::Timestamp;
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a secret: as long as the hash, RFC 4226, 4.
pub const SECRET_BYTES: usize = 20;
/// Seconds of a time step.
pub const STEP_SECONDS: u32 = 30;
/// Bytes of issuer and of account in an address.
pub const LABEL_BYTES_MAX: usize = 64;

const DIGITS: usize = 6;
/// Steps before and after the current one whose codes are taken too.
const WINDOW: i64 = 1;
/// Letters of a code with the blanks that a person may put in.
const CODE_BYTES_MAX: usize = 16;
const STEP_MICROS: i64 = STEP_SECONDS as i64 * 1_000_000;
/// Light squares around a QR code (ISO/IEC 18004).
const QUIET_MODULES: usize = 4;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// RFC 3986, 2.3: unreserved.
const LABEL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a code is refused, or an address cannot be made. No variant holds a code or a secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[non_exhaustive]
pub enum TotpError {
    /// Not six digits.
    #[error("one-time password is not of {DIGITS} digits")]
    Malformed,
    /// Not the code of this time.
    #[error("one-time password is wrong")]
    Wrong,
    /// The code of a step that was used, or of one before it.
    #[error("one-time password was used already")]
    Used,
    /// Issuer or account is unfit for an address.
    #[error("issuer or account is empty, longer than {} bytes, or has a colon or control character", LABEL_BYTES_MAX)]
    Label,
    /// The QR code cannot be drawn.
    #[error("the address does not fit a QR code")]
    Qr,
}

impl TotpError {
    /// The code that stands in answers and entries; it never changes.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "totp_malformed",
            Self::Wrong => "totp_wrong",
            Self::Used => "totp_used",
            Self::Label => "totp_label",
            Self::Qr => "totp_qr",
        }
    }
}

/// What a person's app and this server share. It is wiped when dropped and never printed.
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; SECRET_BYTES]>);

impl Secret {
    /// New random bytes.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        rng.fill_bytes(bytes.as_mut_slice());
        Self(bytes)
    }

    /// Copies a slice, if it is as long as a secret is.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// The bytes, to be sealed and stored.
    #[must_use]
    pub fn expose(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    /// Base32 without padding, for a person who types it into the app: 32 letters.
    #[must_use]
    pub fn expose_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(base32(self.0.as_slice()))
    }

    /// The `otpauth://` address that apps read.
    ///
    /// # Errors
    /// Issuer or account is unfit.
    pub fn expose_address(&self, label: &Label<'_>) -> Result<Zeroizing<String>, TotpError> {
        if ![label.issuer, label.account].into_iter().all(is_label) {
            return Err(TotpError::Label);
        }
        let [issuer, account] = [label.issuer, label.account].map(|text| utf8_percent_encode(text, LABEL));
        let secret = self.expose_base32();
        Ok(Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}",
            secret.as_str()
        )))
    }

    /// The address as a QR code.
    ///
    /// # Errors
    /// Issuer or account is unfit.
    pub fn expose_qr(&self, label: &Label<'_>) -> Result<Picture, TotpError> {
        let address = self.expose_address(label)?;
        let code = QrCode::with_error_correction_level(address.as_bytes(), EcLevel::M).map_err(|_| TotpError::Qr)?;
        let width = code.width();
        let mut path = Zeroizing::new(String::new());
        for (place, color) in code.to_colors().into_iter().enumerate() {
            if color == Color::Dark {
                let (x, y) = (place % width + QUIET_MODULES, place / width + QUIET_MODULES);
                path.push_str(&format!("M{x} {y}h1v1h-1z"));
            }
        }
        Ok(Picture { side: width + 2 * QUIET_MODULES, path })
    }
}

/// A picture of black squares.
pub struct Picture {
    /// Squares on a side, the quiet zone with them.
    pub side: usize,
    /// The dark ones, as the `d` of an SVG path.
    pub path: Zeroizing<String>,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picture").field("side", &self.side).finish_non_exhaustive()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What an app shows beside the code.
#[derive(Clone, Copy)]
pub struct Label<'a> {
    /// Whose server it is for.
    pub issuer: &'a str,
    /// Whose account.
    pub account: &'a str,
}

impl fmt::Debug for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Label").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Checks a code, blanks aside, and gives back the time step that it is of. The caller stores the step before anything is
/// opened and passes it as `last_step` from then on: a code that was seen on its way is then worth nothing.
///
/// # Errors
/// It is malformed, wrong, or not newer than `last_step`.
pub fn check(secret: &Secret, code: &str, now: Timestamp, last_step: Option<u64>) -> Result<u64, TotpError> {
    let code = digits(code).ok_or(TotpError::Malformed)?;
    let key = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.expose());
    let current = now.micros().div_euclid(STEP_MICROS);
    // All are compared, whichever fits, so that the time says nothing. Of two steps with one code the later counts.
    let matched = (current - WINDOW..=current + WINDOW)
        .filter_map(|step| u64::try_from(step).ok())
        .filter(|step| verify_slices_are_equal(&password(&key, *step), &code).is_ok())
        .fold(None, |_, step| Some(step))
        .ok_or(TotpError::Wrong)?;
    if last_step.is_some_and(|last| matched <= last) { Err(TotpError::Used) } else { Ok(matched) }
}

/// The code of a step, RFC 4226, 5.3.
fn password(key: &Key, step: u64) -> [u8; DIGITS] {
    let tag = sign(key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag.last().copied().unwrap_or_default() & 0x0f);
    let word = tag.get(offset..).and_then(<[u8]>::first_chunk::<4>).copied().unwrap_or_default();
    let mut rest = u32::from_be_bytes(word) & 0x7fff_ffff;
    let mut code = [b'0'; DIGITS];
    for digit in code.iter_mut().rev() {
        *digit += u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    code
}

fn digits(text: &str) -> Option<[u8; DIGITS]> {
    if text.len() > CODE_BYTES_MAX {
        return None;
    }
    let kept: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    let code: [u8; DIGITS] = kept.try_into().ok()?;
    code.iter().all(u8::is_ascii_digit).then_some(code)
}

fn is_label(text: &str) -> bool {
    let plain = |letter: char| letter != ':' && !letter.is_control();
    !text.trim().is_empty() && text.len() <= LABEL_BYTES_MAX && text.chars().all(plain)
}

/// RFC 4648, 6, without padding: whole groups of five bytes make eight letters.
fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for group in bytes.chunks(5) {
        let bits = group.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let bits = bits << (8 * (5 - group.len()));
        let letters = (group.len() * 8).div_ceil(5);
        text.extend((0..letters).filter_map(|place| {
            let index = usize::try_from(bits >> (35 - 5 * place) & 31).ok()?;
            BASE32.get(index).map(|letter| char::from(*letter))
        }));
    }
    text
}
