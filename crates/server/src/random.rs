//! The only place that draws random numbers: ids and keys.

use uuid::Uuid;

/// Letters and digits, without those that are mistaken for another (0 O, 1 l I). 57 of them.
const ALPHABET: &[u8; 57] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// Digits and small letters without i, l, o and u (Crockford's base 32).
const CODE_ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 44 characters of an alphabet of 57: 256 bits.
const KEY_CHARS: usize = 44;

/// A random UUID v4.
pub fn uuid() -> Uuid {
    uuid::Builder::from_random_bytes(bytes()).into_uuid()
}

/// `prefix` and 256 random bits as letters and digits. The prefix lets scanners find a leaked key.
pub fn key(prefix: &str) -> String {
    let mut key = prefix.to_owned();
    let end = prefix.len() + KEY_CHARS;
    while key.len() < end {
        for byte in bytes::<64>() {
            // Only the first 4 * 57 values: the rest would make some characters likelier.
            let place = usize::from(byte);
            if place < 4 * ALPHABET.len() && key.len() < end {
                key.push(char::from(ALPHABET[place % ALPHABET.len()]));
            }
        }
    }
    key
}

/// 60 random bits for people to copy by hand: `x4k2-9mfp-t7qz`.
pub fn code() -> String {
    let letters = bytes::<12>().map(|byte| char::from(CODE_ALPHABET[usize::from(byte) % 32]));
    let group = |range: std::ops::Range<usize>| letters[range].iter().collect::<String>();
    format!("{}-{}-{}", group(0..4), group(4..8), group(8..12))
}

/// Random bytes of the operating system.
///
/// # Panics
/// Where the operating system has none: nothing that is secret could be made then.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "there is no safe way to go on")]
    getrandom::fill(&mut bytes).expect("the operating system must give random numbers");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_long_plain_and_never_the_same() {
        let keys: std::collections::BTreeSet<String> = (0..100).map(|_| key("nb_k_")).collect();
        assert_eq!(keys.len(), 100);
        for key in keys {
            assert_eq!(key.len(), 49);
            assert!(key.starts_with("nb_k_"));
            assert!(
                key[5..].bytes().all(|byte| byte.is_ascii_alphanumeric()),
                "{key}"
            );
        }
    }

    #[test]
    fn ids_are_version_4() {
        assert_eq!(uuid().get_version_num(), 4);
        assert_ne!(uuid(), uuid());
    }
}
