//! What a job's output says it did.
//!
//! This crate holds the vocabulary: a [`Metric`] a job reports itself, what is read from an output (a
//! [`Reading`]: [`Evidence`] of each tool, and [`Telltale`] lines), and what a broken rule says.
//! It reads no clock, no file and no network, and knows nothing of heartbeats.
#![forbid(unsafe_code)]

pub mod exit;
mod found;
mod keywords;
pub mod limits;
mod lines;
mod notes;
mod reader;
pub mod rules;
mod telltale;
mod text;
mod tool;
mod tools;
pub mod wrapper;

pub use found::{Evidence, LINE_SHOWN_CHARS_MAX, Outcome, Reading, Telltale, TelltaleKind, Totals};
pub use reader::{Reader, Stream, read};
pub use tool::Tool;

use serde::{Deserialize, Serialize};

/// A number that a job reports about itself (`m.rows=1200` on a signal URL).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name, 1 to [`Metric::NAME_CHARS_MAX`] characters.
    pub name: String,
    /// Its value, always finite.
    pub value: f64,
}

impl Metric {
    /// The longest name of a metric, in characters.
    pub const NAME_CHARS_MAX: usize = 64;

    /// A metric; `None` when the name is empty or too long, or the value is not a finite number.
    pub fn new(name: &str, value: f64) -> Option<Self> {
        let fits = !name.is_empty() && name.chars().count() <= Self::NAME_CHARS_MAX;
        (fits && value.is_finite()).then(|| Self {
            name: name.to_owned(),
            value,
        })
    }
}

/// A rule about a run that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenRule {
    /// The rule as its author wrote it: `files_total > 0`.
    pub rule: String,
    /// Whether the run fails or is only warned about.
    pub severity: Severity,
    /// One sentence: what was seen, and what is usual.
    pub explanation: String,
}

/// How bad it is that a rule does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The run counts as done, with a warning.
    Warning,
    /// The run counts as failed.
    Failure,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_has_a_name_and_a_finite_value() {
        let rows = Metric::new("rows", 12.0).unwrap();
        assert!((rows.value - 12.0).abs() < f64::EPSILON);
        assert_eq!(Metric::new("", 12.0), None);
        assert_eq!(Metric::new("rows", f64::NAN), None);
        assert_eq!(Metric::new(&"r".repeat(65), 1.0), None);
    }
}
