//! `nightbeat config show`: the values in force and where each came from.

use std::fmt::Write as _;

use super::keys::KEYS;
use super::{Loaded, Origin};

/// What is shown in place of a secret.
const MASK: &str = "•••";

/// One value in force.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Shown {
    /// The key's name.
    pub key: &'static str,
    /// Its value as text, masked where it is secret; `None` where it is not set.
    pub value: Option<String>,
    /// Where it came from: `default`, `FILE:LINE`, a variable or a flag.
    pub origin: String,
}

impl Loaded {
    /// Every key with its value and origin, in the order of the handbook.
    pub fn values(&self) -> Vec<Shown> {
        let shown = |key: &super::keys::Key| {
            let value = (key.get)(&self.config);
            let mask = |value: String| if key.secret { MASK.to_owned() } else { value };
            let origin = self.origins.get(key.name).unwrap_or(&Origin::Default);
            Shown {
                key: key.name,
                value: value.map(mask),
                origin: origin.to_string(),
            }
        };
        KEYS.iter().map(shown).collect()
    }

    /// The same as lines of a TOML file (one dotted key each), with the origin as comment. A key that
    /// is not set is a comment.
    pub fn show(&self) -> String {
        let mut text = String::new();
        for (key, shown) in KEYS.iter().zip(self.values()) {
            let line = match &shown.value {
                None => format!("# {} is not set", shown.key),
                Some(value) if key.list => {
                    let items: Vec<String> = value.split(',').map(quoted).collect();
                    format!("{} = [{}]", shown.key, items.join(", "))
                }
                Some(value) if is_whole_number(value) => {
                    format!("{} = {value}", shown.key)
                }
                Some(value) => format!("{} = {}", shown.key, quoted(value)),
            };
            // Writing to a String cannot fail.
            let _ = match shown.value {
                None => writeln!(text, "{line}"),
                Some(_) => writeln!(text, "{line:<56} # {}", shown.origin),
            };
        }
        text
    }
}

/// Whether TOML reads it as a number and keeps it as it is: not so `007` and the empty text, which may be a
/// user's name.
fn is_whole_number(text: &str) -> bool {
    text.parse::<i64>()
        .is_ok_and(|number| number.to_string() == text)
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
