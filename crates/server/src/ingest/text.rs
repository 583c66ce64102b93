//! Percent-encoding, read leniently: what is not an escape stays as it is.

use std::borrow::Cow;

/// A path segment or query component without its escapes. `plus_is_space` is the rule of queries.
/// Bytes that are not UTF-8 become U+FFFD.
pub(super) fn decoded(text: &str, plus_is_space: bool) -> Cow<'_, str> {
    let plain = |byte: u8| byte != b'%' && (byte != b'+' || !plus_is_space);
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let raw = text.as_bytes();
    let mut bytes = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        let escaped = (raw[at] == b'%')
            .then(|| raw.get(at + 1..at + 3))
            .flatten()
            .and_then(hex);
        if let Some(byte) = escaped {
            bytes.push(byte);
            at += 3;
            continue;
        }
        bytes.push(if plus_is_space && raw[at] == b'+' {
            b' '
        } else {
            raw[at]
        });
        at += 1;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Cow::Owned(text),
        Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

fn hex(digits: &[u8]) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    let [high, low] = digits else { return None };
    u8::try_from(value(*high)? * 16 + value(*low)?).ok()
}

/// The `name=value` pairs of a query, still encoded; a name without `=` has an empty value.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

/// The first field of that name in a form (`application/x-www-form-urlencoded`). What is not UTF-8
/// becomes U+FFFD.
pub(crate) fn form_field(body: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let mut fields = pairs(&text).map(|(name, value)| (decoded(name, true), decoded(value, true)));
    fields
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_the_rest_stays() {
        for (text, in_path, in_query) in [
            ("abc", "abc", "abc"),
            ("a+b", "a+b", "a b"),
            ("a%20b%2F", "a b/", "a b/"),
            ("100%", "100%", "100%"),
            ("%2", "%2", "%2"),
            ("%zz%41", "%zzA", "%zzA"),
            ("%C3%A9", "é", "é"),
            ("%ff", "\u{fffd}", "\u{fffd}"),
        ] {
            assert_eq!(decoded(text, false), in_path, "{text}");
            assert_eq!(decoded(text, true), in_query, "{text}");
        }
    }

    #[test]
    fn a_field_of_a_form_is_found_by_its_name() {
        let body = b"email=ana%40example.org&project=My+home&password=%ff%E2%82%AC&email=second";
        assert_eq!(
            form_field(body, "email").as_deref(),
            Some("ana@example.org")
        );
        assert_eq!(form_field(body, "project").as_deref(), Some("My home"));
        assert_eq!(form_field(body, "password").as_deref(), Some("\u{fffd}€"));
        assert_eq!(form_field(body, "other"), None);
    }

    #[test]
    fn a_query_is_pairs() {
        let found: Vec<_> = pairs("a=1&&b&c==2&").collect();
        assert_eq!(found, [("a", "1"), ("b", ""), ("c", "=2")]);
        assert_eq!(pairs("").count(), 0);
    }
}
