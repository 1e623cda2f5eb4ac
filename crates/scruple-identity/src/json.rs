//! Reading the JSON of tokens and key sets.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use scruple_core::Timestamp;
use serde::Deserialize;
use serde_json::Number;

/// The last second of the year 9999.
const SECONDS_MAX: i64 = 253_402_300_799;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// A JSON object as a struct. An array is refused: serde would read its elements as the fields in their order. A field
/// that stands twice is refused by serde.
pub fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    if json.trim_ascii_start().first() == Some(&b'{') { serde_json::from_slice(json).ok() } else { None }
}

/// Base64url without padding, in the one spelling that each value has.
pub fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// RFC 7519, 2: seconds, perhaps with a fraction; what is finer than a microsecond is cut off.
pub fn seconds(number: &Number) -> Option<Timestamp> {
    let micros = match number.as_i64() {
        Some(whole) => (0..=SECONDS_MAX).contains(&whole).then(|| whole * MICROS_PER_SECOND),
        None => number
            .as_f64()
            .filter(|seconds| (0.0..=SECONDS_MAX as f64).contains(seconds))
            .map(|seconds| (seconds * MICROS_PER_SECOND as f64) as i64),
    };
    micros.map(Timestamp::from_micros)
}

/// The claim `aud`: one name, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// None or more.
    Many(Vec<String>),
}

impl OneOrMany {
    /// Whether it is, or has, this one.
    pub fn names(&self, name: &str) -> bool {
        self.all().iter().any(|one| one == name)
    }

    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}
