//! Where to go on after a sign-in: a page of ours, never another site.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The longest path that is remembered.
const NEXT_BYTES_MAX: usize = 500;
/// What may stand as it is in the value of a query.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'/');

/// The path of the sign-in that leads to `next` afterwards, below the public URL's own.
pub(super) fn sign_in_path(next: &str) -> String {
    with_next("/sign-in", next)
}

/// A path with `?next=…`, where there is something to say.
pub(super) fn with_next(path: &str, next: &str) -> String {
    match safe(next) {
        "/" => path.to_owned(),
        next => format!("{path}?next={}", utf8_percent_encode(next, VALUE)),
    }
}

/// `next`, where it is a path of this server; the first page otherwise. Browsers read `//host`, `/\host` and
/// paths with line breaks or tabs in them as other sites.
pub(super) fn safe(next: &str) -> &str {
    let is_path = next.starts_with('/') && !next[1..].starts_with(['/', '\\']);
    let is_plain = next
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_path && is_plain && next.len() <= NEXT_BYTES_MAX {
        next
    } else {
        "/"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_ours_is_followed() {
        for path in ["/", "/projects/1?tag=a&x=%2F", "/profile#sessions"] {
            assert_eq!(safe(path), path);
        }
        let long = format!("/{}", "x".repeat(NEXT_BYTES_MAX));
        for other in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/x\\..\\evil",
            " /x",
            "javascript:alert(1)",
            "evil.example",
            "/päth",
            &long,
        ] {
            assert_eq!(safe(other), "/", "{other:?}");
        }
    }

    #[test]
    fn the_way_back_survives_as_one_value() {
        assert_eq!(sign_in_path("/"), "/sign-in");
        assert_eq!(
            sign_in_path("/projects/1?a=b&c=d"),
            "/sign-in?next=/projects/1%3Fa%3Db%26c%3Dd"
        );
        assert_eq!(sign_in_path("//evil.example"), "/sign-in");
    }
}
