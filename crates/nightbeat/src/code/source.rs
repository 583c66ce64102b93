//! A TOML file whose parts know where they stand, and all that is wrong with it.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};
use toml::de::{DeTable, DeValue};

use crate::exit::Failure;

/// The most problems that are shown at once.
const SHOWN_MAX: usize = 20;
/// How alike two names must be to be taken for a typing error (Jaro-Winkler, 1 is equal).
const ALIKE: f64 = 0.75;

/// What is wrong with a file: all of it, so that nobody has to mend it line after line.
#[derive(Debug)]
pub(crate) struct Problems<'f> {
    file: &'f str,
    text: &'f str,
    found: Vec<(usize, String)>,
}

impl<'f> Problems<'f> {
    pub(crate) fn new(file: &'f str, text: &'f str) -> Self {
        Self {
            file,
            text,
            found: Vec::new(),
        }
    }

    /// Something is wrong with what stands `at` this byte.
    pub(crate) fn add(&mut self, at: usize, problem: impl Into<String>) {
        self.found.push((self.line(at), problem.into()));
    }

    /// The place of a byte, for a person.
    pub(crate) fn place(&self, at: usize) -> String {
        format!("{}:{}", self.file, self.line(at))
    }

    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().iter().take(at);
        before.filter(|byte| **byte == b'\n').count() + 1
    }

    /// All of it as one failure.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort();
        let told = self.found.iter().take(SHOWN_MAX);
        let mut lines: Vec<String> = told
            .map(|(line, problem)| format!("{}:{line}: {problem}", self.file))
            .collect();
        if self.found.len() > SHOWN_MAX {
            lines.push(format!("and {} more", self.found.len() - SHOWN_MAX));
        }
        Err(Failure::config(lines.join("\nerror: ")).hint("nothing was changed"))
    }
}

/// A table, by the names of its entries.
#[derive(Debug)]
pub(super) struct Section<'a> {
    entries: BTreeMap<&'a str, Entry<'a>>,
    /// Where it stands.
    pub(super) at: usize,
}

/// A value, and where its name stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) value: &'a DeValue<'a>,
    pub(super) at: usize,
}

impl<'a> Section<'a> {
    pub(super) fn new(table: &'a DeTable<'a>, at: usize) -> Self {
        let entries = table.iter().map(|(name, value)| {
            let entry = Entry {
                value: value.get_ref(),
                at: name.span().start,
            };
            (name.get_ref().as_ref(), entry)
        });
        Self {
            entries: entries.collect(),
            at,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Entry<'a>> {
        self.entries.get(name).copied()
    }

    /// Its entries, by their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, Entry<'a>)> {
        self.entries.iter().map(|(name, entry)| (*name, *entry))
    }

    /// Where the entry stands, else the table.
    pub(super) fn at(&self, name: &str) -> usize {
        self.get(name).map_or(self.at, |entry| entry.at)
    }

    /// Finds names that are not among these.
    pub(super) fn know(&self, known: &[&str], problems: &mut Problems<'_>) {
        for (name, entry) in self.iter() {
            if !known.contains(&name) {
                problems.add(entry.at, unknown(name, known));
            }
        }
    }

    /// A text that may be left out.
    pub(super) fn text(&self, name: &str, problems: &mut Problems<'_>) -> Option<String> {
        let entry = self.get(name)?;
        if let DeValue::String(text) = entry.value {
            return Some(text.clone().into_owned());
        }
        problems.add(entry.at, format!("{name} is to be a text in quotes"));
        None
    }

    /// A table within the table.
    pub(super) fn section(&self, name: &str, problems: &mut Problems<'_>) -> Option<Self> {
        self.get(name)?.section(name, problems)
    }
}

impl<'a> Entry<'a> {
    /// The value as a table.
    pub(super) fn section(&self, name: &str, problems: &mut Problems<'_>) -> Option<Section<'a>> {
        if let DeValue::Table(table) = self.value {
            return Some(Section::new(table, self.at));
        }
        problems.add(self.at, format!("{name} is to be a table"));
        None
    }

    /// The value as JSON.
    pub(super) fn json(&self) -> Value {
        json(self.value)
    }
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            // What is larger is no number that the API takes: it says so of the text.
            .map_or_else(|_| Value::String(number.to_string()), Value::from),
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .ok()
            .and_then(Number::from_f64)
            .map_or_else(|| Value::String(number.to_string()), Value::Number),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            let entries = table.iter();
            let entries = entries.map(|(name, value)| {
                let name = name.get_ref().clone().into_owned();
                (name, json(value.get_ref()))
            });
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// What to say of a name that is not known.
fn unknown(typed: &str, known: &[&str]) -> String {
    let alike = |name: &&&str| (strsim::jaro_winkler(typed, name) * 1e6) as u64;
    match known.iter().max_by_key(alike) {
        Some(name) if strsim::jaro_winkler(typed, name) >= ALIKE => {
            format!("`{typed}` is not known here; did you mean `{name}`?")
        }
        _ => format!("`{typed}` is not known here; there is {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_told_in_their_order() {
        let text = "a = 1\nb = 2\n\nc = 3\n";
        let mut problems = Problems::new("beats.toml", text);
        assert_eq!(problems.finish(), Ok(()));
        problems.add(13, "third");
        problems.add(0, "first");
        let failure = problems.finish().unwrap_err();
        assert_eq!(
            failure.message,
            "beats.toml:1: first\nerror: beats.toml:4: third"
        );
        for number in 0..30 {
            problems.add(6, format!("number {number:02}"));
        }
        let failure = problems.finish().unwrap_err();
        assert!(failure.message.ends_with("error: and 12 more"));
        assert_eq!(failure.message.lines().count(), SHOWN_MAX + 1);
    }

    #[test]
    fn the_nearest_name_is_offered() {
        let known = ["grace", "name"];
        assert_eq!(
            unknown("grase", &known),
            "`grase` is not known here; did you mean `grace`?"
        );
        assert!(unknown("xyz", &known).ends_with("there is grace, name"));
    }

    #[test]
    fn values_become_json() {
        let text = "a = 0x10\nb = 1.5\nc = [true, 'x']\nd = 2026-11-22T03:00:00Z\ne.f = 1_000";
        let document = DeTable::parse(text).unwrap();
        let section = Section::new(document.get_ref(), 0);
        let all: Map<String, Value> = section
            .iter()
            .map(|(name, entry)| (name.to_owned(), entry.json()))
            .collect();
        assert_eq!(
            Value::Object(all),
            serde_json::json!({"a": 16, "b": 1.5, "c": [true, "x"], "d": "2026-11-22T03:00:00Z",
                "e": {"f": 1000}})
        );
        assert_eq!(section.at("b"), 9);
    }
}
