//! Secrets in what is kept of the output. What is passed on is never touched.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use memchr::memmem;
use serde_json::Value;

/// What stands in place of a secret.
const MASK: &[u8] = b"***";

/// The shortest value that is taken for a secret, in bytes: masking each `1` would hide the output.
const SECRET_BYTES_MIN: usize = 6;

/// The longest part of a secret that is looked for, in bytes.
pub(super) const SECRET_BYTES_MAX: usize = 4096;

/// The endings of names whose values are secrets: `RESTIC_PASSWORD`, `PGPASSWORD`, `BORG_PASSPHRASE`,
/// `AWS_SECRET_ACCESS_KEY`.
const ENDINGS: [&str; 9] = [
    "PASSWORD",
    "PASSWD",
    "_PWD",
    "PASSPHRASE",
    "_PASS",
    "TOKEN",
    "SECRET",
    "_KEY",
    "APIKEY",
];

/// How long the part of a URL between `//` and `@` may be, in bytes.
const USERINFO_BYTES_MAX: usize = 512;

/// The secrets of one environment.
#[derive(Clone, Default)]
pub(super) struct Masks {
    /// The longest first: one may be part of another.
    secrets: Vec<Vec<u8>>,
}

impl Masks {
    /// Of variables with names that look like it.
    pub(super) fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut secrets = Vec::new();
        for (name, value) in variables {
            let name = name.to_string_lossy().to_ascii_uppercase();
            if name != "OLDPWD" && ENDINGS.iter().any(|ending| name.ends_with(ending)) {
                // The output has one line after the other, and so has a key in PEM.
                let lines = value.as_bytes().split(|byte| *byte == b'\n');
                let lines = lines.map(|line| &line[..line.len().min(SECRET_BYTES_MAX)]);
                secrets.extend(lines.map(<[u8]>::to_vec));
            }
        }
        secrets.retain(|secret| secret.len() >= SECRET_BYTES_MIN);
        secrets.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then(one.cmp(other)));
        secrets.dedup();
        Self { secrets }
    }

    /// `text` without secrets.
    pub(super) fn apply(&self, text: Vec<u8>) -> Vec<u8> {
        let mut text = text;
        for secret in &self.secrets {
            text = replace(text, secret);
        }
        without_userinfo(text)
    }

    /// The same for a text.
    pub(super) fn apply_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.apply(text.as_bytes().to_vec())).into_owned()
    }

    /// The same for each text in a JSON value.
    pub(super) fn apply_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.apply_text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.apply_json(value)),
            Value::Object(fields) => fields
                .iter_mut()
                .for_each(|(_, value)| self.apply_json(value)),
            _ => {}
        }
    }
}

fn replace(text: Vec<u8>, secret: &[u8]) -> Vec<u8> {
    let mut found = memmem::find_iter(&text, secret).peekable();
    if found.peek().is_none() {
        return text;
    }
    let mut masked = Vec::with_capacity(text.len());
    let mut from = 0;
    for at in found {
        masked.extend_from_slice(&text[from..at]);
        masked.extend_from_slice(MASK);
        from = at + secret.len();
    }
    masked.extend_from_slice(&text[from..]);
    masked
}

/// `scheme://user:pass@host` without the password.
fn without_userinfo(text: Vec<u8>) -> Vec<u8> {
    let mut found = memmem::find_iter(&text, b"://").peekable();
    if found.peek().is_none() {
        return text;
    }
    let mut masked = Vec::with_capacity(text.len());
    let mut from = 0;
    for at in found {
        let begin = at + 3;
        if begin < from {
            continue;
        }
        let Some((colon, end)) = password(&text[begin..]) else {
            continue;
        };
        masked.extend_from_slice(&text[from..=begin + colon]);
        masked.extend_from_slice(MASK);
        from = begin + end;
    }
    masked.extend_from_slice(&text[from..]);
    masked
}

/// Where the password of `user:pass@…` is: the colon before it and the `@` after it.
fn password(text: &[u8]) -> Option<(usize, usize)> {
    let text = &text[..text.len().min(USERINFO_BYTES_MAX)];
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"/?#\"'<>".contains(byte);
    let end = text.iter().position(ends).unwrap_or(text.len());
    let at = memchr::memrchr(b'@', &text[..end])?;
    let colon = memchr::memchr(b':', &text[..at])?;
    (colon + 1 < at).then_some((colon, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(variables: &[(&str, &str)]) -> Masks {
        let variables = variables.iter();
        Masks::of(variables.map(|(name, value)| ((*name).into(), (*value).into())))
    }

    #[test]
    fn values_of_secret_variables_are_masked_wherever_they_stand() {
        let masks = masks(&[
            ("RESTIC_PASSWORD", "hunter22"),
            ("PGPASSWORD", "postgres-pw"),
            ("AWS_SECRET_ACCESS_KEY", "abc/def+ghi"),
            ("api_token", "lower-case"),
            ("PATH", "/usr/bin:/bin"),
            ("PWD", "/srv/backup"),
            ("SHORT_KEY", "1"),
        ]);
        let masked = masks.apply_text(
            "a=hunter22hunter22 postgres-pw abc/def+ghi lower-case /usr/bin:/bin /srv/backup 1",
        );
        assert_eq!(masked, "a=****** *** *** *** /usr/bin:/bin /srv/backup 1");
    }

    #[test]
    fn a_secret_that_is_part_of_another_leaves_nothing_of_it() {
        let masks = masks(&[("A_KEY", "secret"), ("B_KEY", "secretlonger")]);
        assert_eq!(masks.apply_text("secretlonger secret"), "*** ***");
    }

    #[test]
    fn each_line_of_a_key_is_a_secret() {
        let masks = masks(&[("SSH_KEY", "-----BEGIN\nabcdefgh\n")]);
        assert_eq!(masks.apply_text("got abcdefgh"), "got ***");
    }

    #[test]
    fn passwords_in_urls_are_masked() {
        let masks = Masks::default();
        for (seen, kept) in [
            ("rest:https://u:p@host/x", "rest:https://u:***@host/x"),
            ("ftp://u:p@ss@h ftp://v:q@h", "ftp://u:***@h ftp://v:***@h"),
            ("http://host:80/a@b", "http://host:80/a@b"),
            ("mailto:x@y ://@ ://:@", "mailto:x@y ://@ ://:@"),
            ("git://user@host:22/x", "git://user@host:22/x"),
        ] {
            assert_eq!(masks.apply_text(seen), kept);
        }
    }

    #[test]
    fn texts_in_json_are_masked_before_they_are_quoted() {
        let masks = masks(&[("DB_PASSWORD", "quo\"ted")]);
        let mut value = serde_json::json!({"line": ["x quo\"ted"], "n": 1});
        masks.apply_json(&mut value);
        assert_eq!(value, serde_json::json!({"line": ["x ***"], "n": 1}));
    }
}
