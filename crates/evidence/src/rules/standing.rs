//! How the built-in rules judge.
//!
//! Those that compare with what is usual ask for two things: a part of the median, and never before in the
//! runs that it is made of. The second keeps quiet where small and large runs take turns, such as full and
//! incremental archives, or quiet weekends.

use super::{Builtin, Field, GOOD_RUNS_MIN, History, RunFacts, Switch, Tuning, USUAL_RUNS, words};
use crate::{BrokenRule, Severity};

/// With fewer files than this, half of them are few enough to come and go on an ordinary night.
const FILES_FEW: f64 = 10.0;

/// A run that usually takes less than this, in seconds, varies by more than a tenth for no reason at all.
const FAST_MEDIAN_SECONDS_MIN: f64 = 10.0;

/// How much a rehearsal and the run behind it may differ in files, in percent: files come and go in between.
const REHEARSAL_DIFFERS_PERCENT_MAX: f64 = 1.0;

/// Judges one built-in rule; `None` if it holds, is off, or cannot be judged.
pub(crate) fn judge(
    builtin: Builtin,
    tuning: Tuning,
    facts: &RunFacts,
    history: &History,
) -> Option<BrokenRule> {
    let judges = match tuning.switch.unwrap_or_default() {
        Switch::Off => false,
        Switch::On => true,
        // That a tool is silent is seen in runs where none speaks, and a shell's "not found" is of no tool.
        Switch::Tools => {
            facts.has_evidence() || matches!(builtin, Builtin::Output | Builtin::Silent)
        }
    };
    if !judges {
        return None;
    }
    let part = tuning.percent.or(builtin.percent()).unwrap_or_default() / 100.0;
    let (severity, explanation) = match builtin {
        Builtin::Output => facts.verdict.clone(),
        Builtin::NothingRead => nothing_read(facts, history),
        Builtin::DryRun => dry_run(facts),
        Builtin::Silent => silent(facts, history),
        Builtin::Shrunk => shrunk(part, facts, history),
        Builtin::ManyDeletes => many_deletes(part, facts, history),
        Builtin::TooFast => too_fast(part, facts, history),
    }?;
    let severity = tuning.severity.unwrap_or(severity);
    Some(BrokenRule {
        rule: written(builtin, tuning),
        severity,
        explanation,
    })
}

/// Whether a broken rule is this one.
pub(crate) fn is_of(rule: &BrokenRule, builtin: Builtin) -> bool {
    let mut words = rule.rule.split_whitespace();
    words.next() == Some("builtin") && words.next() == Some(builtin.name())
}

/// The line that would tune it as it is now, to be copied and changed.
fn written(builtin: Builtin, tuning: Tuning) -> String {
    let shown = Tuning {
        percent: tuning.percent.or(builtin.percent()),
        ..tuning
    };
    format!("builtin {builtin}{shown}")
}

type Finding = Option<(Severity, String)>;

/// All tools read nothing, or one of several did that usually reads something.
fn nothing_read(facts: &RunFacts, history: &History) -> Finding {
    let empty = facts.empty_parts();
    let measured = facts.parts.iter().filter(|part| part.is_measured()).count();
    if empty == measured {
        return all_nothing(facts, history).map(|why| (Severity::Failure, why));
    }
    let part = facts.parts.iter().find(|part| part.is_empty())?;
    let before = history.empty_parts(USUAL_RUNS);
    let as_many = before.iter().filter(|count| **count >= empty as f64);
    let severity = match as_many.count() {
        // A source that is always empty, beside others that are not.
        GOOD_RUNS_MIN.. => return None,
        _ if before.len() < GOOD_RUNS_MIN => Severity::Warning,
        _ => Severity::Failure,
    };
    let usual = match severity {
        Severity::Warning => String::new(),
        Severity::Failure => format!(
            ", and that is not usual in {}",
            words::good_runs(before.len())
        ),
    };
    let why = format!(
        "{empty} of {measured} runs of tools read nothing{usual}{}",
        words::quote(part.tool.command(), &part.line)
    );
    Some((severity, why))
}

/// What all tools together, or the job itself, say is nothing.
fn all_nothing(facts: &RunFacts, history: &History) -> Option<String> {
    let files = (Field::FilesTotal, "no file was read");
    let bytes = (Field::BytesTotal, "not one byte was read");
    let (field, what) = [files, bytes]
        .into_iter()
        .find(|(field, _)| facts.value(field).is_some())?;
    let is_zero = facts.value(&field).is_some_and(|value| value <= 0.0);
    let usual = usual(&field, history).map_or(String::new(), |usual| {
        format!(", usual is {}", words::amount(&field, usual.median))
    });
    is_zero.then(|| format!("{what}{usual}{}", facts.line()))
}

/// A rehearsal, and not one that the same tool did in earnest behind it.
fn dry_run(facts: &RunFacts) -> Finding {
    let alike = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => {
            a.abs_diff(b) as f64 * 100.0 <= REHEARSAL_DIFFERS_PERCENT_MAX * a.max(b) as f64
        }
        _ => false,
    };
    let (_, part) = facts.parts.iter().enumerate().find(|(index, part)| {
        let mut behind = facts.parts[index + 1..].iter();
        let in_earnest = behind.any(|later| {
            !later.dry_run && later.tool == part.tool && alike(later.files_total, part.files_total)
        });
        part.dry_run && !in_earnest
    })?;
    let why = format!(
        "{} only rehearsed (a dry run), so nothing was saved{}",
        part.tool,
        words::quote(part.tool.command(), &part.line)
    );
    Some((Severity::Failure, why))
}

/// A tool that spoke in each of the good runs does not appear in the output.
fn silent(facts: &RunFacts, history: &History) -> Finding {
    if !facts.has_output {
        return None;
    }
    let spoke = |tool| facts.parts.iter().any(|part| part.tool == tool);
    let mut missing = history.steady_tools(USUAL_RUNS);
    missing.retain(|tool| !spoke(*tool));
    let names: Vec<&str> = missing.iter().map(|tool| tool.command()).collect();
    if names.is_empty() {
        return None;
    }
    let runs = words::good_runs(history.runs().min(USUAL_RUNS));
    let quote = facts.telltales.first().map_or(String::new(), |telltale| {
        let speaker = telltale.program.as_deref().unwrap_or("the output");
        words::quote(speaker, &telltale.line)
    });
    let why = format!(
        "nothing of {} was found in the output, but in each of {runs}{quote}",
        names.join(" and ")
    );
    Some((Severity::Failure, why))
}

/// The source is smaller than ever. Its size decides; that only its files are fewer may be a cleaned-up cache.
fn shrunk(part: f64, facts: &RunFacts, history: &History) -> Finding {
    let smaller = |field: &Field| {
        let usual = usual(field, history)?;
        let value = facts.value(field)?;
        (value < usual.median * part && value < usual.least).then(|| {
            format!(
                "{}, less than {}% of what is usual, {} (the median of {}){}",
                words::seen(field, value),
                words::number(part * 100.0),
                words::amount(field, usual.median),
                words::good_runs(usual.runs),
                facts.line()
            )
        })
    };
    if let Some(why) = smaller(&Field::BytesTotal) {
        return Some((Severity::Failure, why));
    }
    let files = usual(&Field::FilesTotal, history)?;
    if files.median < FILES_FEW {
        return None;
    }
    let judged_by_bytes =
        facts.value(&Field::BytesTotal).is_some() && usual(&Field::BytesTotal, history).is_some();
    let severity = if judged_by_bytes {
        Severity::Warning
    } else {
        Severity::Failure
    };
    smaller(&Field::FilesTotal).map(|why| (severity, why))
}

/// More of what was there was deleted than ever.
fn many_deletes(part: f64, facts: &RunFacts, history: &History) -> Finding {
    let deletes = facts.value(&Field::Deletes)?;
    if history.runs() < GOOD_RUNS_MIN {
        return None;
    }
    let before = history.values(&Field::Deletes, USUAL_RUNS);
    if words::greatest(&before).is_some_and(|most| deletes <= most) {
        return None;
    }
    // What was there: all that the last good run saw. Who does not count files may have counted them now.
    let last = history.values(&Field::FilesTotal, USUAL_RUNS);
    let now = || Some(facts.value(&Field::FilesTotal)? + deletes);
    let there = last.first().copied().or_else(now)?;
    if there < FILES_FEW || deletes <= there * part {
        return None;
    }
    let usual = words::median(&before).map_or(String::new(), |median| {
        format!(", usual is {}", words::number(median))
    });
    let why = format!(
        "{}, more than {}% of the {} that were there{usual}{}",
        words::seen(&Field::Deletes, deletes),
        words::number(part * 100.0),
        words::number(there),
        facts.line()
    );
    Some((Severity::Failure, why))
}

/// The run was faster than ever by far. Where the tools saw as much as usual that is remarkable, but no loss.
fn too_fast(part: f64, facts: &RunFacts, history: &History) -> Finding {
    let took = facts.value(&Field::Duration)?;
    let time = usual(&Field::Duration, history)?;
    let varies = time.median < FAST_MEDIAN_SECONDS_MIN;
    if varies || took >= time.median * part || took >= time.least {
        return None;
    }
    let seen = [Field::BytesTotal, Field::FilesTotal]
        .iter()
        .find_map(|field| {
            let usual = usual(field, history)?;
            Some(facts.value(field)? >= usual.median / 2.0)
        });
    let (severity, though) = match seen {
        Some(true) => (Severity::Warning, ", though it saw as much as usual"),
        _ => (Severity::Failure, ""),
    };
    let why = format!(
        "{}, less than {}% of what is usual, {} (the median of {}){though}{}",
        words::seen(&Field::Duration, took),
        words::number(part * 100.0),
        words::span(time.median),
        words::good_runs(time.runs),
        facts.line()
    );
    Some((severity, why))
}

/// What is usual for a field.
struct Usually {
    median: f64,
    least: f64,
    /// In how many good runs.
    runs: usize,
}

/// What is usual; `None` while fewer than [`GOOD_RUNS_MIN`] good runs say it.
fn usual(field: &Field, history: &History) -> Option<Usually> {
    let values = history.values(field, USUAL_RUNS);
    let runs = values.len();
    if runs < GOOD_RUNS_MIN {
        return None;
    }
    Some(Usually {
        median: words::median(&values)?,
        least: words::least(&values)?,
        runs,
    })
}
