//! A rule: what it is made of, and its canonical text.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Builtin, Field, GOOD_RUNS_MIN, Quantity, RuleError, Tuning};
use crate::Severity;

/// One line of a heartbeat's rules. As text, also in JSON; `Display` is the canonical spelling, which parses
/// to the same rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rule {
    pub(crate) statement: Statement,
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// Something must hold, or the run fails or is warned about.
    Must(Condition, Severity),
    /// How the built-in rules are tuned: one of them, or all (`None`).
    Builtin(Option<Builtin>, Tuning),
}

/// Comparisons, joined in one way. Both ways in one rule would need parentheses, so are refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// How they are joined.
    pub join: Join,
    /// At least one.
    pub comparisons: Vec<Comparison>,
}

/// How comparisons are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// All must hold: `and`.
    All,
    /// One must hold: `or`.
    Any,
}

/// One field, held against something.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is looked at.
    pub field: Field,
    /// What must hold for it.
    pub test: Test,
}

/// What must hold for a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// A comparison with one amount.
    Is(Operator, Amount),
    /// From one amount to another, both included.
    Between(Amount, Amount),
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Amount {
    /// A number.
    Fixed(Quantity),
    /// A part of something: `50% of median(14)`. The whole is 100 %.
    Share {
        /// How much of it, in percent.
        percent: f64,
        /// Of what.
        of: Base,
    },
}

/// What a percentage is of.
#[derive(Debug, Clone, PartialEq)]
pub enum Base {
    /// Another field of the same run.
    Field(Field),
    /// The same field in good runs before.
    History(Usual),
}

/// What the same field was in good runs before. The number is how many of the last are looked at,
/// 1 to [`super::HISTORY_RUNS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usual {
    /// As many were below as above.
    Median(usize),
    /// The greatest.
    Max(usize),
    /// The smallest.
    Min(usize),
    /// That of the last good run.
    Last,
}

impl Rule {
    /// Reads a rule. See `docs/rules.md` for the language.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        super::parse::rule(text)
    }

    /// What it says.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// How bad it is that it does not hold; `None` for a line that tunes built-in rules.
    pub fn severity(&self) -> Option<Severity> {
        match &self.statement {
            Statement::Must(_, severity) => Some(*severity),
            Statement::Builtin(..) => None,
        }
    }
}

impl Usual {
    /// How many good runs must be known before they are compared with: as many as are asked for, and no more
    /// than [`GOOD_RUNS_MIN`]. Who asks for the last one, or the last three, wants to be told by these.
    pub fn runs_needed(self) -> usize {
        self.runs().min(GOOD_RUNS_MIN)
    }

    /// How many of the last good runs are looked at.
    pub fn runs(self) -> usize {
        match self {
            Self::Median(runs) | Self::Max(runs) | Self::Min(runs) => runs,
            Self::Last => 1,
        }
    }
}

impl Operator {
    /// How it is written.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }

    /// Whether `left` compares so with `right`.
    pub fn holds(self, left: f64, right: f64) -> bool {
        #[expect(
            clippy::float_cmp,
            reason = "counts and sizes are whole numbers, which are exact below 2^53"
        )]
        match self {
            Self::More => left > right,
            Self::AtLeast => left >= right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Equal => left == right,
            Self::NotEqual => left != right,
        }
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Rule {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        Self::parse(&text)
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> Self {
        rule.to_string()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.statement {
            Statement::Must(condition, severity) => {
                write!(f, "{condition}")?;
                // Failure goes without saying.
                match severity {
                    Severity::Warning => f.write_str(" else warning"),
                    Severity::Failure => Ok(()),
                }
            }
            Statement::Builtin(which, tuning) => {
                let name = which.map_or("all", Builtin::name);
                write!(f, "builtin {name}{tuning}")
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = match self.join {
            Join::All => " and ",
            Join::Any => " or ",
        };
        for (index, comparison) in self.comparisons.iter().enumerate() {
            if index > 0 {
                f.write_str(join)?;
            }
            write!(f, "{comparison}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.test {
            Test::Is(operator, amount) => write!(f, "{} {} {amount}", self.field, operator.sign()),
            Test::Between(low, high) => write!(f, "{} between {low} and {high}", self.field),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(quantity) => write!(f, "{quantity}"),
            Self::Share { percent, of } if (percent - 100.0).abs() < f64::EPSILON => {
                write!(f, "{of}")
            }
            Self::Share { percent, of } => write!(f, "{percent}% of {of}"),
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => write!(f, "{field}"),
            Self::History(usual) => write!(f, "{usual}"),
        }
    }
}

impl fmt::Display for Usual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Median(runs) => write!(f, "median({runs})"),
            Self::Max(runs) => write!(f, "max({runs})"),
            Self::Min(runs) => write!(f, "min({runs})"),
            Self::Last => f.write_str("last"),
        }
    }
}
