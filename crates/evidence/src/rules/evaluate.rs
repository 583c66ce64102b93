//! A run, held against its rules.

use super::{
    Builtin, EXPLANATION_CHARS_MAX, History, RuleSet, RunFacts,
    own::{self, Verdict},
    standing, words,
};
use crate::{BrokenRule, Severity};

/// The rules that do not hold for a run, failures first, each with one sentence: what was seen, what is usual
/// or wanted, and the line of the output that shows it. `history` is that of the good runs before this one.
///
/// At most one for each rule and built-in rule. Built-in rules that say the same as a graver one are left out.
pub fn evaluate(rules: &RuleSet, facts: &RunFacts, history: &History) -> Vec<BrokenRule> {
    let mut broken: Vec<BrokenRule> = Builtin::ALL
        .into_iter()
        .filter_map(|builtin| standing::judge(builtin, rules.tuning(builtin), facts, history))
        .collect();
    leave_out_consequences(&mut broken);
    for (condition, severity) in rules.conditions() {
        if let Verdict::Broken(explanation) = own::judge(condition, facts, history) {
            broken.push(BrokenRule {
                rule: written(condition, severity),
                severity,
                explanation,
            });
        }
    }
    for rule in &mut broken {
        rule.explanation = words::cut(&rule.explanation, EXPLANATION_CHARS_MAX);
    }
    // Stable: within a severity they stay in their order.
    broken.sort_by_key(|rule| std::cmp::Reverse(rule.severity));
    broken
}

/// Who reads nothing shrinks and is fast, too: one sentence says it.
fn leave_out_consequences(broken: &mut Vec<BrokenRule>) {
    let failed = |broken: &[BrokenRule], builtin| {
        let is = |rule: &BrokenRule| standing::is_of(rule, builtin);
        let failure = |rule: &&BrokenRule| rule.severity == Severity::Failure;
        broken.iter().filter(failure).any(is)
    };
    let nothing = failed(broken, Builtin::NothingRead);
    let shrunk = failed(broken, Builtin::Shrunk);
    broken.retain(|rule| {
        let shrinks = standing::is_of(rule, Builtin::Shrunk);
        let is_fast = standing::is_of(rule, Builtin::TooFast);
        !(nothing && shrinks || (nothing || shrunk) && is_fast)
    });
}

fn written(condition: &super::Condition, severity: Severity) -> String {
    match severity {
        Severity::Failure => condition.to_string(),
        Severity::Warning => format!("{condition} else warning"),
    }
}
