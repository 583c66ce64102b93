//! What was perhaps meant by a word that is not known.

use super::{Builtin, Field, Unit};

/// How alike two words must be for a guess, from 0 to 1.
const ALIKE: f64 = 0.6;

/// How much of a word its beginning must be to stand for it, in bytes.
const BEGINNING_BYTES_MIN: usize = 3;

/// Words that people use for fields.
const OTHER_WORDS: [(&str, &str); 24] = [
    ("files", "files_total"),
    ("file_count", "files_total"),
    ("nfiles", "files_total"),
    ("bytes", "bytes_total"),
    ("size", "bytes_total"),
    ("total_size", "bytes_total"),
    ("added", "bytes_added"),
    ("transferred", "bytes_added"),
    ("changed", "files_changed"),
    ("deleted", "deletes"),
    ("deletions", "deletes"),
    ("failures", "errors"),
    ("time", "duration"),
    ("runtime", "duration"),
    ("elapsed", "duration"),
    ("seconds", "duration"),
    ("exit", "exit_code"),
    ("code", "exit_code"),
    ("status", "exit_code"),
    ("average", "median(14)"),
    ("mean", "median(14)"),
    ("avg", "median(14)"),
    ("usual", "median(14)"),
    ("previous", "last"),
];

/// A field, or `metric`, `age` or `builtin`, for a word that stands where a rule begins.
pub(crate) fn of_field(word: &str) -> Option<String> {
    let small = word.to_lowercase();
    if let Some(builtin) = Builtin::ALL.iter().find(|builtin| builtin.name() == small) {
        return Some(format!("builtin {builtin}"));
    }
    let plain = Field::PLAIN.iter().map(Field::word);
    nearest(&small, plain.chain(["metric", "age", "builtin"]))
}

/// A field or a word about history, for a word that stands behind `of` or an operator.
pub(crate) fn of_base(word: &str) -> Option<String> {
    let plain = Field::PLAIN.iter().map(Field::word);
    let history = ["median(14)", "max(14)", "min(14)", "last", "metric"];
    nearest(&word.to_lowercase(), plain.chain(history))
}

/// A built-in rule's name.
pub(crate) fn of_builtin(word: &str) -> Option<String> {
    let names = Builtin::ALL.iter().map(|builtin| builtin.name());
    nearest(&word.to_lowercase(), names.chain(["all"]))
}

/// One of a few words that may stand here.
pub(crate) fn of_keyword(word: &str, keywords: &[&'static str]) -> Option<String> {
    nearest(&word.to_lowercase(), keywords.iter().copied())
}

/// A unit. `M` and the like may be one of two, so are no unit by themselves.
pub(crate) fn of_unit(word: &str) -> Option<String> {
    let binary = match word {
        "k" | "K" => Some("KiB"),
        "M" => Some("MiB"),
        "g" | "G" => Some("GiB"),
        "t" | "T" => Some("TiB"),
        _ => None,
    };
    let names = Unit::ALL.iter().map(|unit| unit.name);
    binary.map(str::to_owned).or_else(|| nearest(word, names))
}

/// The most similar of the words that would be understood.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.collect();
    let other = OTHER_WORDS.iter().find(|(other, _)| *other == word);
    if let Some((_, meant)) = other
        && known.contains(meant)
    {
        return Some((*meant).to_owned());
    }
    let word = word.to_lowercase();
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        let bare = name.split('(').next().unwrap_or(&name);
        // Who stops early means the rest: warn, dur.
        let begins = word.len() >= BEGINNING_BYTES_MIN && bare.starts_with(&word);
        let likeness = strsim::normalized_damerau_levenshtein(&word, bare);
        likeness.max(if begins { ALIKE } else { 0.0 })
    };
    known
        .into_iter()
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}
