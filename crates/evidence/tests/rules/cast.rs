//! Runs, histories and rules in one line.

use nightbeat_evidence::{
    BrokenRule, Evidence, Metric, Outcome, Reading, Severity, Telltale, TelltaleKind, Tool,
    rules::{History, RuleSet, RunFacts, evaluate},
};

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const GIB: u64 = 1 << 30;

/// rsync saw so many files and bytes.
pub(crate) fn rsync(files: u64, bytes: u64) -> Evidence {
    let mut evidence = Evidence::new(Tool::Rsync);
    evidence.files_total = Some(files);
    evidence.bytes_total = Some(bytes);
    evidence.deletes = Some(0);
    evidence.line = format!("Number of files: {files}");
    evidence
}

pub(crate) fn restic(files: u64, bytes: u64) -> Evidence {
    let mut evidence = Evidence::new(Tool::Restic);
    evidence.files_total = Some(files);
    evidence.bytes_total = Some(bytes);
    evidence.line = format!("processed {files} files");
    evidence
}

pub(crate) fn reading(evidence: &[Evidence]) -> Reading {
    Reading {
        evidence: evidence.to_vec(),
        ..Reading::default()
    }
}

pub(crate) fn facts(evidence: &[Evidence]) -> RunFacts {
    RunFacts::read(Some(&reading(evidence)))
}

/// A run of which only metrics are known.
pub(crate) fn reported(metrics: &[(&str, f64)]) -> RunFacts {
    let metrics: Vec<Metric> = metrics
        .iter()
        .map(|(name, value)| Metric::new(name, *value).unwrap())
        .collect();
    RunFacts::read(None).reported(&metrics)
}

pub(crate) fn telltale(kind: TelltaleKind, program: &str, line: &str) -> Telltale {
    Telltale {
        kind,
        outcome: Outcome::Failed,
        program: Some(program.to_owned()),
        line: line.to_owned(),
        times: 1,
    }
}

pub(crate) fn rules(texts: &[&str]) -> RuleSet {
    RuleSet::parse(texts).unwrap()
}

/// A history of as many runs like this.
pub(crate) fn nights(count: usize, facts: &RunFacts) -> History {
    let mut history = History::default();
    for _ in 0..count {
        history.push(facts, &RuleSet::default());
    }
    history
}

/// What the built-in rules say.
pub(crate) fn judged(facts: &RunFacts, history: &History) -> Vec<BrokenRule> {
    evaluate(&RuleSet::default(), facts, history)
}

/// What one rule of one's own says, without the built-in ones.
pub(crate) fn own(rule: &str, facts: &RunFacts, history: &History) -> Option<BrokenRule> {
    let rules = rules(&["builtin all off", rule]);
    evaluate(&rules, facts, history).pop()
}

/// What it says in words; empty if it holds.
pub(crate) fn said(rule: &str, facts: &RunFacts, history: &History) -> String {
    own(rule, facts, history).map_or(String::new(), |broken| broken.explanation)
}

/// The broken rules, each with how bad it is.
pub(crate) fn names(broken: &[BrokenRule]) -> Vec<(&str, Severity)> {
    let name = |rule: &BrokenRule| rule.severity;
    broken
        .iter()
        .map(|rule| (rule.rule.as_str(), name(rule)))
        .collect()
}
