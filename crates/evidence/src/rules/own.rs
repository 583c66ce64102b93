//! How a written condition is judged.

use super::{
    Amount, Base, Comparison, Condition, Field, GOOD_RUNS_MIN, History, Join, Operator, RunFacts,
    Test, USUAL_RUNS, Usual, words,
};
use crate::Outcome;

/// What is said of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    /// There are too few good runs to say.
    Unknown,
    /// It does not hold, and why.
    Broken(String),
}

/// An instant up to this far ahead of the end of the run, in seconds, is a clock that is a little fast.
const AHEAD_SECONDS_MAX: f64 = 86_400.0;

/// Judges a condition.
pub(crate) fn judge(condition: &Condition, facts: &RunFacts, history: &History) -> Verdict {
    let verdicts = condition
        .comparisons
        .iter()
        .map(|comparison| one(comparison, facts, history));
    match condition.join {
        Join::All => {
            let mut all = Verdict::Holds;
            for verdict in verdicts {
                match verdict {
                    Verdict::Broken(why) => return Verdict::Broken(why),
                    Verdict::Unknown => all = Verdict::Unknown,
                    Verdict::Holds => {}
                }
            }
            all
        }
        Join::Any => {
            let mut reasons = Vec::new();
            for verdict in verdicts {
                match verdict {
                    // Perhaps it holds: only what is broken for certain may fail a run.
                    Verdict::Holds | Verdict::Unknown => return verdict,
                    Verdict::Broken(why) => reasons.push(why),
                }
            }
            Verdict::Broken(reasons.join(", and "))
        }
    }
}

/// Judges one comparison.
fn one(comparison: &Comparison, facts: &RunFacts, history: &History) -> Verdict {
    let field = &comparison.field;
    let Some(value) = facts.value(field) else {
        // Before it can be judged at all, it is not missed.
        return match wanted(comparison, facts, history) {
            Wanted::TooFewRuns => Verdict::Unknown,
            Wanted::Bounds(_) | Wanted::NoField(_) => {
                Verdict::Broken(missing(field, facts, history))
            }
        };
    };
    if matches!(field, Field::Age(_)) && value < -AHEAD_SECONDS_MAX {
        let why = format!(
            "{} lies {} after the end of the run, so is no time in Unix seconds",
            metric_of(field),
            words::span(-value)
        );
        return Verdict::Broken(why);
    }
    // An age of less than nothing is a clock that is fast.
    let value = match field {
        Field::Age(_) => value.max(0.0),
        _ => value,
    };
    match wanted(comparison, facts, history) {
        Wanted::NoField(other) => Verdict::Broken(missing(&other, facts, history)),
        Wanted::TooFewRuns if value <= 0.0 && comparison.test.asks_for_more_than_nothing() => {
            let why = format!(
                "{}; that is too little without any comparison{}",
                words::seen(field, value),
                shown(field, facts)
            );
            Verdict::Broken(why)
        }
        Wanted::TooFewRuns => Verdict::Unknown,
        Wanted::Bounds(bounds) => {
            if bounds
                .iter()
                .all(|bound| bound.operator.holds(value, bound.value))
            {
                return Verdict::Holds;
            }
            Verdict::Broken(sentence(comparison, value, &bounds, facts, history))
        }
    }
}

/// What a field must be, in this run.
enum Wanted {
    /// It is compared with these, one or two.
    Bounds(Vec<Bound>),
    /// It is compared with good runs before, of which there are too few.
    TooFewRuns,
    /// It is compared with a field that is not known.
    NoField(Field),
}

/// One comparison with a number.
struct Bound {
    operator: Operator,
    value: f64,
    /// What the number is, where it was not written down: `50% of the median of the last 14 good runs, 12 GiB`.
    origin: Option<String>,
}

fn wanted(comparison: &Comparison, facts: &RunFacts, history: &History) -> Wanted {
    let amounts = match &comparison.test {
        Test::Is(operator, amount) => vec![(*operator, amount)],
        Test::Between(low, high) => vec![(Operator::AtLeast, low), (Operator::AtMost, high)],
    };
    let mut bounds = Vec::new();
    for (operator, amount) in amounts {
        let bound = match amount {
            Amount::Fixed(quantity) => Some((quantity.value(), None)),
            Amount::Share {
                percent,
                of: Base::Field(other),
            } => {
                let Some(whole) = facts.value(other) else {
                    return Wanted::NoField(other.clone());
                };
                let of = format!("{other}, {}", words::amount(other, whole));
                Some((part(*percent, whole), Some(share(*percent, &of))))
            }
            Amount::Share {
                percent,
                of: Base::History(usual),
            } => before(*usual, &comparison.field, history).map(|(whole, runs)| {
                let of = in_words(*usual, runs, &words::amount(&comparison.field, whole));
                (part(*percent, whole), Some(share(*percent, &of)))
            }),
        };
        let Some((value, origin)) = bound else {
            return Wanted::TooFewRuns;
        };
        bounds.push(Bound {
            operator,
            value,
            origin,
        });
    }
    Wanted::Bounds(bounds)
}

fn part(percent: f64, whole: f64) -> f64 {
    whole * percent / 100.0
}

/// `50% of …`; the whole is not called 100 %.
fn share(percent: f64, of: &str) -> String {
    if (percent - 100.0).abs() < f64::EPSILON {
        return of.to_owned();
    }
    format!("{}% of {of}", words::number(percent))
}

/// What a field was before, and in how many runs that is seen; `None` if these are too few.
fn before(usual: Usual, field: &Field, history: &History) -> Option<(f64, usize)> {
    let values = history.values(field, usual.runs());
    if values.len() < usual.runs_needed() {
        return None;
    }
    let value = match usual {
        Usual::Median(_) => words::median(&values),
        Usual::Max(_) => words::greatest(&values),
        Usual::Min(_) | Usual::Last => words::least(&values),
    };
    value.map(|value| (value, values.len()))
}

/// `the median of the last 14 good runs, 12 GiB`.
fn in_words(usual: Usual, runs: usize, amount: &str) -> String {
    let which = match usual {
        Usual::Median(_) => "the median of ",
        Usual::Max(_) => "the most of ",
        Usual::Min(_) => "the least of ",
        Usual::Last => "",
    };
    format!("{which}{}, {amount}", words::good_runs(runs))
}

/// What was seen, what was wanted, what is usual, and the line that shows it.
fn sentence(
    comparison: &Comparison,
    value: f64,
    bounds: &[Bound],
    facts: &RunFacts,
    history: &History,
) -> String {
    let field = &comparison.field;
    let bounds: Vec<String> = bounds
        .iter()
        .map(|bound| bound_in_words(field, bound))
        .collect();
    let looks_back = comparison.test.needs_history();
    let usual = if looks_back {
        String::new()
    } else {
        usually(field, history)
    };
    format!(
        "{}, wanted is {}{usual}{}",
        words::seen(field, value),
        bounds.join(" and "),
        shown(field, facts)
    )
}

/// `at least 6 GiB (50% of …)`.
fn bound_in_words(field: &Field, bound: &Bound) -> String {
    let how = match bound.operator {
        Operator::More => "more than ",
        Operator::AtLeast => "at least ",
        Operator::Less => "less than ",
        Operator::AtMost => "at most ",
        Operator::Equal => "",
        Operator::NotEqual => "anything but ",
    };
    let origin = match &bound.origin {
        Some(origin) => format!(" ({origin})"),
        None => String::new(),
    };
    format!("{how}{}{origin}", words::amount(field, bound.value))
}

/// `, usual is 13,420`; nothing while too few good runs are known.
fn usually(field: &Field, history: &History) -> String {
    let values = history.values(field, USUAL_RUNS);
    match words::median(&values) {
        Some(median) if values.len() >= GOOD_RUNS_MIN => {
            format!(", usual is {}", words::amount(field, median))
        }
        _ => String::new(),
    }
}

/// A field is not known. The silence of a tool is a finding, too.
fn missing(field: &Field, facts: &RunFacts, history: &History) -> String {
    let usual = usually(field, history);
    let why = match field {
        Field::ExitCode => "the job sent no exit code".to_owned(),
        Field::Metric(name) => {
            format!("neither the job nor a tool reported it (send m.{name}=NUMBER with the signal)")
        }
        Field::Age(name) => {
            format!("the job reported no {name} (send m.{name}=UNIX_SECONDS with the signal)")
        }
        Field::Duration if !facts.has_evidence() => {
            "no start was sent, and no output says how long it took".to_owned()
        }
        _ if !facts.has_output => "nothing was read, the signal carried no output".to_owned(),
        _ if !facts.has_evidence() => {
            let line = facts
                .telltales
                .first()
                .map_or("", |telltale| &telltale.line);
            let quote = words::quote("the output", line);
            format!("nothing was read, no known tool reports in the output{quote}")
        }
        _ => format!("nothing was read, {} did not say it", facts.speakers()),
    };
    format!("{field} is not known{usual}: {why}")
}

/// The line of output that shows a field.
fn shown(field: &Field, facts: &RunFacts) -> String {
    match field {
        Field::Errors => telling(facts, Outcome::Failed),
        Field::Warnings => telling(facts, Outcome::Warning),
        Field::FilesTotal
        | Field::FilesChanged
        | Field::BytesTotal
        | Field::BytesAdded
        | Field::Deletes => facts.line(),
        Field::Duration | Field::ExitCode | Field::Metric(_) | Field::Age(_) => String::new(),
    }
}

/// The first line that tells of trouble; else the tool's own.
fn telling(facts: &RunFacts, outcome: Outcome) -> String {
    let line = facts.telltales.iter().find(|one| one.outcome == outcome);
    match line {
        Some(telltale) => {
            let speaker = telltale.program.as_deref().unwrap_or("the output");
            words::quote(speaker, &telltale.line)
        }
        None => facts.line(),
    }
}

/// The metric that an age is made of.
fn metric_of(field: &Field) -> &str {
    match field {
        Field::Age(name) | Field::Metric(name) => name,
        plain => plain.word(),
    }
}

impl Test {
    /// Whether zero cannot hold for it, whatever the history says: it asks for a part of what is usual.
    fn asks_for_more_than_nothing(&self) -> bool {
        let part = |amount: &Amount| match amount {
            Amount::Share { percent, .. } => *percent > 0.0,
            Amount::Fixed(quantity) => quantity.number > 0.0,
        };
        match self {
            Self::Is(Operator::More | Operator::AtLeast, amount) | Self::Between(amount, _) => {
                part(amount)
            }
            Self::Is(..) => false,
        }
    }
}
