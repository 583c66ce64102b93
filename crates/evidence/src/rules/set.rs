//! All rules of a heartbeat.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    Amount, Base, Builtin, Condition, Field, RULES_MAX, Rule, RuleError, RuleSetError, Statement,
    Switch, Test, Tuning,
};
use crate::Severity;

/// The rules of a heartbeat, in JSON a list of texts. Empty, it is the built-in rules as they are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// Reads a list of rules. Of lines that tune the same built-in rule the later counts.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, RuleSetError> {
        let count = texts.len();
        if count > RULES_MAX {
            return Err(RuleSetError::TooMany { count });
        }
        let read = |(index, text): (usize, &T)| {
            Rule::parse(text.as_ref()).map_err(|error| RuleSetError::Rule { index, error })
        };
        let rules = texts.iter().enumerate().map(read);
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
        })
    }

    /// Reads what can be read of a stored list, which a newer version may have written, and says what cannot,
    /// each with its place in the list. What cannot be read judges nothing; all else does.
    pub fn readable<T: AsRef<str>>(texts: &[T]) -> (Self, Vec<(usize, RuleError)>) {
        let mut rules = Vec::new();
        let mut errors = Vec::new();
        for (index, text) in texts.iter().enumerate().take(RULES_MAX) {
            match Rule::parse(text.as_ref()) {
                Ok(rule) => rules.push(rule),
                Err(error) => errors.push((index, error)),
            }
        }
        (Self { rules }, errors)
    }

    /// The rules, in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether nothing is written; the built-in rules judge all the same.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The canonical texts.
    pub fn texts(&self) -> Vec<String> {
        self.rules.iter().map(Rule::to_string).collect()
    }

    /// How a built-in rule is tuned, all lines together.
    pub fn tuning(&self, builtin: Builtin) -> Tuning {
        let mut tuning = Tuning::default();
        for rule in &self.rules {
            match rule.statement() {
                Statement::Builtin(None, line) => tuning = tuning.then(*line),
                Statement::Builtin(Some(which), line) if *which == builtin => {
                    tuning = tuning.then(*line);
                    // Who tunes a rule behind "builtin all off" wants it.
                    if line.switch.is_none() && tuning.switch == Some(Switch::Off) {
                        tuning.switch = Some(Switch::Tools);
                    }
                }
                Statement::Builtin(..) | Statement::Must(..) => {}
            }
        }
        tuning
    }

    /// Whether anything could be judged of a run of which nothing was read and nothing reported, or of any
    /// other. If not, neither facts nor history need be looked at.
    pub fn is_off(&self) -> bool {
        let own = self.conditions().next().is_some();
        let judges = |builtin: &Builtin| self.tuning(*builtin).switch != Some(Switch::Off);
        !own && !Builtin::ALL.iter().any(judges)
    }

    /// The names of the metrics that rules hold against their history, so that must be remembered.
    pub(crate) fn metrics_with_history(&self) -> BTreeSet<&str> {
        let comparisons = self
            .conditions()
            .flat_map(|(condition, _)| &condition.comparisons);
        comparisons
            .filter_map(|comparison| match &comparison.field {
                Field::Metric(name) if comparison.test.needs_history() => Some(name.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The rules that are not about built-in ones.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = (&Condition, Severity)> {
        self.rules.iter().filter_map(|rule| match rule.statement() {
            Statement::Must(condition, severity) => Some((condition, *severity)),
            Statement::Builtin(..) => None,
        })
    }
}

impl Test {
    /// Whether it looks at runs before.
    pub(crate) fn needs_history(&self) -> bool {
        let looks_back = |amount: &Amount| match amount {
            Amount::Share { of, .. } => matches!(of, Base::History(_)),
            Amount::Fixed(_) => false,
        };
        match self {
            Self::Is(_, amount) => looks_back(amount),
            Self::Between(low, high) => looks_back(low) || looks_back(high),
        }
    }
}

impl TryFrom<Vec<String>> for RuleSet {
    type Error = RuleSetError;

    fn try_from(texts: Vec<String>) -> Result<Self, RuleSetError> {
        Self::parse(&texts)
    }
}

impl From<RuleSet> for Vec<String> {
    fn from(rules: RuleSet) -> Self {
        rules.texts()
    }
}
