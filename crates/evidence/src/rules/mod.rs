//! Rules: what must hold for a run that says it went well to be believed.
//!
//! A rule is one line of text, `files_total > 0` or `bytes_total >= 50% of median(14) else warning`; a line
//! `builtin NAME …` tunes one of those that are on by themselves. [`evaluate`] holds a [`RuleSet`] against
//! the [`RunFacts`] of a run and the [`History`] of the good runs before it. `docs/rules.md` tells it to users.
//!
//! What makes a good run is for the caller to say: every run that did not fail, by its own report or by a
//! rule. A run that was only warned about is a good one, so that what only warns gets used to a new size.

mod builtin;
mod error;
mod evaluate;
mod facts;
mod field;
mod history;
mod lexer;
mod names;
mod own;
mod parse;
mod quantity;
mod rule;
mod set;
mod standing;
mod words;

pub use builtin::{Builtin, Switch, Tuning};
pub use error::{RuleError, RuleSetError};
pub use evaluate::evaluate;
pub use facts::RunFacts;
pub use field::{Field, Kind};
pub use history::History;
pub use quantity::{Quantity, Unit};
pub use rule::{Amount, Base, Comparison, Condition, Join, Operator, Rule, Statement, Test, Usual};
pub use set::RuleSet;

/// The longest rule, in characters.
pub const RULE_CHARS_MAX: usize = 500;

/// How many rules one heartbeat has.
pub const RULES_MAX: usize = 50;

/// How many good runs are remembered.
pub const HISTORY_RUNS_MAX: usize = 30;

/// How many metrics are remembered of each run; the tools' own fields are apart from these.
pub const HISTORY_METRICS_MAX: usize = 16;

/// With fewer good runs than this nothing can be said to be unusual; only zero is.
pub const GOOD_RUNS_MIN: usize = 5;

/// How many good runs say what is usual, where a rule does not say it itself: two weeks of nights, so that
/// every day of the week is in it twice.
pub const USUAL_RUNS: usize = 14;

/// The longest sentence about a rule that did not hold, in characters.
pub const EXPLANATION_CHARS_MAX: usize = 600;
