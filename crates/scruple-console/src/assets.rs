//! Static files, embedded, under names that hold a hash of their content: a browser keeps them for good.

use std::sync::LazyLock;

/// The one style sheet.
pub const CSS: &str = include_str!("../assets/console.css");

/// Where it is served.
pub static CSS_PATH: LazyLock<String> = LazyLock::new(|| format!("/assets/console.{:016x}.css", fnv1a(CSS.as_bytes())));

/// The one script: it speaks with the device's passkeys. Every page works without it.
pub const JS: &str = include_str!("../assets/passkey.js");

/// Where it is served.
pub static JS_PATH: LazyLock<String> = LazyLock::new(|| format!("/assets/passkey.{:016x}.js", fnv1a(JS.as_bytes())));

/// FNV-1a, 64 bits. The hash tells versions of one file apart; it protects nothing.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_known_one() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
