//! Slugs: what stands for a heartbeat in a URL.

/// The longest slug.
pub const SLUG_CHARS_MAX: usize = 100;

/// Whether this is a slug: 1 to [`SLUG_CHARS_MAX`] of `a`–`z`, `0`–`9`, `-` and `_`.
pub fn is_slug(text: &str) -> bool {
    let fits = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
    };
    (1..=SLUG_CHARS_MAX).contains(&text.len()) && text.bytes().all(fits)
}

/// A slug for a name: in lower case, and each stretch of what a slug cannot hold becomes one `-`.
/// `heartbeat` when nothing is left.
pub fn slugify(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.chars().map(|letter| letter.to_ascii_lowercase()) {
        if letter.is_ascii_alphanumeric() || letter == '_' {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(SLUG_CHARS_MAX);
    match slug.trim_matches('-') {
        "" => "heartbeat".to_owned(),
        slug => slug.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_becomes_a_slug() {
        for (name, slug) in [
            ("Nightly backup", "nightly-backup"),
            ("  db: dump (prod) ", "db-dump-prod"),
            ("a_b-c", "a_b-c"),
            ("a--b", "a-b"),
            ("100 %", "100"),
            ("Café", "caf"),
            ("備份", "heartbeat"),
            ("", "heartbeat"),
        ] {
            assert_eq!(slugify(name), slug, "{name}");
        }
    }

    #[test]
    fn a_slug_has_few_characters() {
        for slug in ["a", "0", "-", "_", "a-b_c9", &"a".repeat(100)] {
            assert!(is_slug(slug), "{slug}");
        }
        for text in ["", "A", "a b", "ä", "a/b", "a.b", "a\n", &"a".repeat(101)] {
            assert!(!is_slug(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_name_has_a_slug(name in ".{0,300}") {
            prop_assert!(is_slug(&slugify(&name)));
        }
    }
}
