//! The numbers of the last good runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize, Serializer};

use super::{Field, GOOD_RUNS_MIN, HISTORY_METRICS_MAX, HISTORY_RUNS_MAX, RuleSet, RunFacts};
use crate::Tool;

/// The numbers of the last [`HISTORY_RUNS_MAX`] good runs. In JSON one list of numbers for each field, some
/// 2 KiB in all; what is too much in a stored one is left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct History {
    /// How many runs are remembered.
    runs: usize,
    /// Each field's numbers, the newest last, one for each run.
    columns: BTreeMap<String, Vec<Number>>,
    /// In which runs each tool spoke: one bit for each run, the lowest is the newest.
    tools: BTreeMap<String, u32>,
}

/// A history as it is stored, by whichever version.
#[derive(Deserialize)]
struct Stored {
    #[serde(default)]
    runs: usize,
    #[serde(default)]
    columns: BTreeMap<String, Vec<Number>>,
    #[serde(default)]
    tools: BTreeMap<String, u32>,
}

/// One number of one run, if it said it.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(transparent)]
struct Number(Option<f64>);

impl Serialize for Number {
    /// A whole number without the `.0`: most are, and a row is small.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        match self.0 {
            Some(number) if number.fract() == 0.0 && number.abs() <= EXACT_MAX => {
                serializer.serialize_i64(number as i64)
            }
            other => other.serialize(serializer),
        }
    }
}

/// The bits of all runs that are remembered.
const RUNS_MASK: u32 = (1 << HISTORY_RUNS_MAX) - 1;

/// How many tools said that they read nothing. No field, but remembered like one.
const EMPTY_PARTS: &str = "empty_parts";

/// What the columns of metrics start with, so that none is taken for a field.
const METRIC: &str = "m.";

impl History {
    /// How many good runs are remembered.
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// Whether no good run is remembered.
    pub fn is_empty(&self) -> bool {
        self.runs == 0
    }

    /// Remembers a good run: one that did not fail. Of the metrics, those that the rules need come first, then
    /// those that are remembered already.
    pub fn push(&mut self, facts: &RunFacts, rules: &RuleSet) {
        let mut row: BTreeMap<String, f64> = Field::PLAIN
            .iter()
            .filter(|field| field.has_history())
            .filter_map(|field| Some((field.word().to_owned(), facts.value(field)?)))
            .collect();
        if facts.has_evidence() {
            row.insert(EMPTY_PARTS.to_owned(), facts.empty_parts() as f64);
        }
        for name in self.metrics_to_keep(facts, rules) {
            let value = facts.metrics().get(name).copied();
            row.extend(value.map(|value| (format!("{METRIC}{name}"), value)));
        }
        let tools = facts.parts.iter().map(|part| part.tool.name().to_owned());
        self.add(row, tools.collect());
    }

    /// What a field was in the last `runs` good runs, the newest first; runs that did not say it are left out.
    pub fn values(&self, field: &Field, runs: usize) -> Vec<f64> {
        match field {
            Field::Metric(name) => self.column(&format!("{METRIC}{name}"), runs),
            other => self.column(other.word(), runs),
        }
    }

    /// How many tools said in the last `runs` good runs that they read nothing, the newest first.
    pub(crate) fn empty_parts(&self, runs: usize) -> Vec<f64> {
        self.column(EMPTY_PARTS, runs)
    }

    /// The tools that spoke in each of the last `runs` good runs, if there are as many as are needed.
    pub(crate) fn steady_tools(&self, runs: usize) -> Vec<Tool> {
        let runs = runs.min(self.runs);
        if runs < GOOD_RUNS_MIN {
            return Vec::new();
        }
        let each = RUNS_MASK >> (HISTORY_RUNS_MAX - runs);
        let spoke = |tool: &Tool| {
            self.tools
                .get(tool.name())
                .is_some_and(|bits| bits & each == each)
        };
        Tool::ALL.into_iter().filter(spoke).collect()
    }

    fn column(&self, name: &str, runs: usize) -> Vec<f64> {
        let column = self.columns.get(name).map_or(&[][..], Vec::as_slice);
        let newest = column.iter().rev().take(runs);
        newest.filter_map(|number| number.0).collect()
    }

    fn metrics_to_keep<'a>(&self, facts: &'a RunFacts, rules: &RuleSet) -> Vec<&'a str> {
        let needed = rules.metrics_with_history();
        let rank = |name: &&str| {
            let known = self.columns.contains_key(&format!("{METRIC}{name}"));
            (!needed.contains(name), !known)
        };
        let mut names: Vec<&str> = facts.metrics().keys().map(String::as_str).collect();
        // Stable: those of the same rank stay in the order of their names.
        names.sort_by_key(rank);
        names.truncate(HISTORY_METRICS_MAX);
        names
    }

    fn add(&mut self, mut row: BTreeMap<String, f64>, tools: BTreeSet<String>) {
        for (name, column) in &mut self.columns {
            column.push(Number(row.remove(name).map(to_the_thousandth)));
        }
        for (name, value) in row {
            let mut column = vec![Number(None); self.runs];
            column.push(Number(Some(to_the_thousandth(value))));
            self.columns.insert(name, column);
        }
        for bits in self.tools.values_mut() {
            *bits = (*bits << 1) & RUNS_MASK;
        }
        for tool in tools {
            *self.tools.entry(tool).or_default() |= 1;
        }
        self.runs += 1;
        self.tidy();
    }

    /// Keeps to the limits: the newest runs, a number for each of them, and nothing that none of them says.
    fn tidy(&mut self) {
        self.runs = self.runs.min(HISTORY_RUNS_MAX);
        for column in self.columns.values_mut() {
            let missing = self.runs.saturating_sub(column.len());
            column.splice(0..0, vec![Number(None); missing]);
            column.drain(..column.len() - self.runs);
        }
        self.columns
            .retain(|_, column| column.iter().any(|number| number.0.is_some()));
        self.forget_metrics();
        let remembered = RUNS_MASK.checked_shr((HISTORY_RUNS_MAX - self.runs) as u32);
        self.tools.retain(|_, bits| {
            *bits &= remembered.unwrap_or(0);
            *bits != 0
        });
    }

    /// Names that change from run to run must not pile up: those that were heard of longest ago go.
    fn forget_metrics(&mut self) {
        let last_heard =
            |column: &Vec<Number>| column.iter().rev().position(|number| number.0.is_some());
        let mut metrics: Vec<(Option<usize>, String)> = self
            .columns
            .iter()
            .filter(|(name, _)| name.starts_with(METRIC))
            .map(|(name, column)| (last_heard(column), name.clone()))
            .collect();
        metrics.sort();
        for (_, name) in metrics.into_iter().skip(HISTORY_METRICS_MAX) {
            self.columns.remove(&name);
        }
    }
}

impl From<Stored> for History {
    fn from(stored: Stored) -> Self {
        let known = |name: &String| {
            let plain = Field::PLAIN.iter().any(|field| field.word() == name);
            plain || name == EMPTY_PARTS || name.starts_with(METRIC)
        };
        let mut history = Self {
            runs: stored.runs,
            columns: stored.columns,
            tools: stored.tools,
        };
        history.columns.retain(|name, _| known(name));
        history
            .tools
            .retain(|name, _| Tool::ALL.iter().any(|tool| tool.name() == name));
        history.tidy();
        history
    }
}

/// A thousandth is enough of a second, and of most other things.
fn to_the_thousandth(value: f64) -> f64 {
    const PARTS: f64 = 1000.0;
    let rounded = (value * PARTS).round() / PARTS;
    // What is smaller than that is kept as it is: a rate of 0.0004 is not zero.
    if rounded.is_finite() && value.abs() >= 1.0 {
        rounded
    } else {
        value
    }
}
