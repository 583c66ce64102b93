//! How a heartbeat's runs went, as pictures: a year of days, and how long runs took and what they did.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use nightbeat_domain::work::{PastRun, past_facts};
use nightbeat_domain::{Outcome, Settings, UnixMicros};
use nightbeat_evidence::rules::{
    Amount, Comparison, Field, Kind, Operator, RuleSet, Statement, Test,
};
use nightbeat_store::control::days::Day;

use crate::web::time::{bytes, count, took};

/// Days of the year strip: 53 whole weeks at most.
pub(super) const DAYS: i64 = 365;
/// A day's square and the distance to the next.
const CELL: i64 = 13;
const SQUARE: i64 = 11;
/// Above the squares stand the months.
const HEADER: i64 = 14;

/// The size of a chart, in its own units.
pub(super) const WIDTH: f64 = 640.0;
pub(super) const HEIGHT: f64 = 120.0;
/// Fewer runs make no chart.
const RUNS_MIN: usize = 3;
/// With fewer good runs nothing can be said to be usual.
const USUAL_MIN: usize = 5;
/// The most charts of one page.
const CHARTS_MAX: usize = 6;

/// A year, a square a day, a column a week.
pub(super) struct Year {
    pub(super) width: i64,
    /// The squares of days without a run, as one path.
    pub(super) none: String,
    pub(super) days: Vec<Square>,
    pub(super) months: Vec<Month>,
    /// The same in words.
    pub(super) label: String,
}

/// A day with runs.
pub(super) struct Square {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) class: &'static str,
    pub(super) title: String,
}

/// The name of a month above its first week.
pub(super) struct Month {
    pub(super) x: i64,
    pub(super) name: String,
}

/// One figure of the last runs.
pub(super) struct Chart {
    pub(super) title: String,
    /// The newest value.
    pub(super) latest: String,
    pub(super) trace: String,
    pub(super) band: Option<Band>,
    pub(super) limits: Vec<Line>,
    /// Runs that ended with a warning or failed.
    pub(super) dots: Vec<Dot>,
    /// The greatest value that fits.
    pub(super) top: String,
    pub(super) label: String,
}

/// Where values usually are.
pub(super) struct Band {
    pub(super) y: f64,
    pub(super) height: f64,
    pub(super) text: String,
}

/// A limit that a rule or the settings give.
pub(super) struct Line {
    pub(super) y: f64,
    pub(super) text: String,
}

/// A run that stands out.
pub(super) struct Dot {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) class: &'static str,
}

impl Year {
    /// The year until `now`, by these days (days since 1970 in UTC).
    pub(super) fn of(days: &BTreeMap<i64, Day>, now: UnixMicros) -> Self {
        let today = now.0.div_euclid(86_400_000_000);
        let first = today - DAYS + 1;
        // 1 January 1970 was a Thursday; a column begins with Monday.
        let weekday = |day: i64| (day + 3).rem_euclid(7);
        let start = first - weekday(first);
        let place = |day: i64| {
            (
                (day - start).div_euclid(7) * CELL,
                HEADER + weekday(day) * CELL,
            )
        };
        let mut year = Self {
            width: (place(today).0) + CELL,
            none: String::new(),
            days: Vec::new(),
            months: months(first, today, |day| place(day).0),
            label: label(days, first),
        };
        for day in first..=today {
            let (x, y) = place(day);
            match days.get(&day).and_then(|sum| square(*sum)) {
                Some((class, told)) => year.days.push(Square {
                    x,
                    y,
                    class,
                    title: format!("{}: {told}", date(day)),
                }),
                None => {
                    let _ = write!(year.none, "M{x} {y}h{SQUARE}v{SQUARE}h-{SQUARE}z");
                }
            }
        }
        year
    }
}

fn date(day: i64) -> Date {
    let at = Timestamp::from_second(day.saturating_mul(86_400)).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn months(first: i64, last: i64, x: impl Fn(i64) -> i64) -> Vec<Month> {
    let mut months: Vec<Month> = Vec::new();
    for day in first..=last {
        let date = date(day);
        if date.day() == 1 {
            months.push(Month {
                x: x(day),
                name: date.strftime("%b").to_string(),
            });
        }
    }
    months
}

/// The worst of a day is its colour and its height.
fn square(day: Day) -> Option<(&'static str, String)> {
    let Day {
        ok,
        warning,
        failed,
    } = day;
    let parts = [(ok, "ok"), (warning, "with a warning"), (failed, "failed")];
    let told: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, name)| format!("{number} {name}"))
        .collect();
    let class = match (ok, warning, failed) {
        (0, 0, 0) => return None,
        (_, 0, 0) => "o",
        (_, _, 0) => "w",
        _ => "f",
    };
    Some((class, told.join(", ")))
}

fn label(days: &BTreeMap<i64, Day>, first: i64) -> String {
    let of = |class| {
        let seen = days.range(first..).filter_map(|(_, day)| square(*day));
        seen.filter(|(known, _)| *known == class).count()
    };
    format!(
        "The last year by day, in UTC: {} days with good runs only, {} with a warning, {} with a failure",
        of("o"),
        of("w"),
        of("f")
    )
}

/// The charts that these runs are enough for; the oldest run comes first.
pub(super) fn charts(settings: &Settings, runs: &[PastRun]) -> Vec<Chart> {
    let (rules, _) = RuleSet::readable(&settings.rules);
    let facts: Vec<_> = runs.iter().map(past_facts).collect();
    let mut fields: Vec<Field> = vec![Field::Duration, Field::BytesAdded, Field::BytesTotal];
    fields.extend([Field::FilesChanged, Field::FilesTotal, Field::Deletes]);
    let metrics = facts.iter().flat_map(|facts| facts.metrics().keys());
    let mut metrics: Vec<&String> = metrics.collect();
    metrics.sort_unstable();
    metrics.dedup();
    fields.extend(metrics.into_iter().map(|name| Field::Metric(name.clone())));
    let charts = fields.into_iter().filter_map(|field| {
        let values = runs.iter().zip(&facts);
        let values: Vec<(f64, Outcome)> = values
            .filter_map(|(run, facts)| Some((facts.value(&field)?, run.outcome)))
            .collect();
        chart(settings, &rules, &field, &values)
    });
    charts.take(CHARTS_MAX).collect()
}

fn chart(
    settings: &Settings,
    rules: &RuleSet,
    field: &Field,
    values: &[(f64, Outcome)],
) -> Option<Chart> {
    let differs = values.iter().any(|(value, _)| *value != 0.0);
    if values.len() < RUNS_MIN || !differs {
        return None;
    }
    let words = |value: f64| words(field, value);
    let mut limits = limits(rules, field);
    if *field == Field::Duration
        && let Some(longest) = settings.max_run_time
    {
        limits.push((longest.as_secs_f64(), "longest run".to_owned()));
    }
    let greatest = values.iter().map(|(value, _)| *value).fold(0.0, f64::max);
    // A limit far above all values would press them flat: it is told in words instead.
    let shown = |limit: &f64| *limit <= greatest * 4.0;
    let told = limits.iter().map(|(limit, _)| *limit).filter(shown);
    let top = told.fold(greatest, f64::max) * 1.08;
    let x = |index: usize| index as f64 * WIDTH / (values.len() - 1) as f64;
    let y = |value: f64| round(HEIGHT * (1.0 - (value / top).clamp(0.0, 1.0)));
    let mut trace = String::new();
    let mut dots = Vec::new();
    for (index, (value, outcome)) in values.iter().enumerate() {
        let start = if index == 0 { 'M' } else { 'L' };
        let _ = write!(trace, "{start}{} {}", round(x(index)), y(*value));
        let class = match outcome {
            Outcome::Ok => continue,
            Outcome::Warning => "w",
            Outcome::Failed => "f",
        };
        dots.push(Dot {
            x: round(x(index)),
            y: y(*value),
            class,
        });
    }
    let band = usual(values).map(|(low, high)| Band {
        y: y(high),
        height: (y(low) - y(high)).max(2.0),
        text: if words(low) == words(high) {
            words(low)
        } else {
            format!("{} to {}", words(low), words(high))
        },
    });
    let latest = words(values.last()?.0);
    let title = title(field);
    Some(Chart {
        label: format!(
            "{title} of the last {} runs; the latest: {latest}",
            values.len()
        ),
        title,
        latest,
        trace,
        band,
        limits: limits
            .into_iter()
            .map(|(limit, text)| Line {
                y: y(limit),
                text: format!("{text}: {}", words(limit)),
            })
            .collect(),
        dots,
        top: words(top),
    })
}

/// The tenth and the ninetieth of a hundred good runs.
fn usual(values: &[(f64, Outcome)]) -> Option<(f64, f64)> {
    let good = values.iter().filter(|(_, outcome)| *outcome == Outcome::Ok);
    let mut good: Vec<f64> = good.map(|(value, _)| *value).collect();
    if good.len() < USUAL_MIN {
        return None;
    }
    good.sort_by(f64::total_cmp);
    let at = |percent: usize| good[(good.len() - 1) * percent / 100];
    Some((at(10), at(90)))
}

/// What rules compare the field with, where that is a number.
fn limits(rules: &RuleSet, field: &Field) -> Vec<(f64, String)> {
    let mut limits = Vec::new();
    for rule in rules.rules() {
        let Statement::Must(condition, _) = rule.statement() else {
            continue;
        };
        for Comparison { field: of, test } in &condition.comparisons {
            if of != field {
                continue;
            }
            match test {
                Test::Is(operator, Amount::Fixed(amount)) => {
                    let word = match operator {
                        Operator::More | Operator::AtLeast => "at least",
                        Operator::Less | Operator::AtMost => "at most",
                        Operator::Equal => "exactly",
                        Operator::NotEqual => "not",
                    };
                    limits.push((amount.value(), word.to_owned()));
                }
                Test::Between(low, high) => {
                    for (amount, word) in [(low, "at least"), (high, "at most")] {
                        if let Amount::Fixed(amount) = amount {
                            limits.push((amount.value(), word.to_owned()));
                        }
                    }
                }
                Test::Is(..) => {}
            }
        }
    }
    limits
}

fn title(field: &Field) -> String {
    match field {
        Field::Duration => "Duration".to_owned(),
        Field::BytesAdded => "Data added".to_owned(),
        Field::BytesTotal => "Data in all".to_owned(),
        Field::FilesChanged => "Files changed".to_owned(),
        Field::FilesTotal => "Files in all".to_owned(),
        Field::Deletes => "Deletions".to_owned(),
        Field::Metric(name) => name.clone(),
        other => other.word().to_owned(),
    }
}

/// A value of the field, for people.
pub(super) fn words(field: &Field, value: f64) -> String {
    match field.kind() {
        Kind::Bytes => bytes(value),
        Kind::Seconds => took(Duration::try_from_secs_f64(value).unwrap_or_default()),
        Kind::Count | Kind::Code | Kind::Free => count(value),
    }
}

/// To a tenth: no eye sees more.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightbeat_domain::Schedule;

    fn run(seconds: i64, outcome: Outcome) -> PastRun {
        PastRun {
            started_at: Some(UnixMicros::from_seconds(0)),
            ended_at: UnixMicros::from_seconds(seconds),
            outcome,
            work: None,
        }
    }

    fn settings(rules: &[&str]) -> Settings {
        Settings {
            rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
            ..Settings::new(Schedule::every_seconds(86_400).unwrap())
        }
    }

    #[test]
    fn a_year_ends_today_and_each_day_is_once_in_it() {
        // Sunday, 22 November 2026.
        let now = UnixMicros::from_seconds(1_795_312_800);
        let today = 1_795_312_800 / 86_400;
        let day = |ok, warning, failed| Day {
            ok,
            warning,
            failed,
        };
        let days = BTreeMap::from([
            (today, day(2, 0, 1)),
            (today - 1, day(1, 0, 0)),
            (today - 400, day(1, 0, 0)),
        ]);
        let year = Year::of(&days, now);
        assert_eq!(year.days.len(), 2);
        assert_eq!(year.days[1].title, "2026-11-22: 2 ok, 1 failed");
        assert_eq!((year.days[1].class, year.days[0].class), ("f", "o"));
        assert_eq!(year.days[1].y, HEADER + 6 * CELL, "Sunday is the last row");
        assert_eq!(year.none.matches('M').count(), DAYS as usize - 2);
        assert!((12..=13).contains(&year.months.len()));
        assert!(
            year.label
                .contains("1 days with good runs only, 0 with a warning, 1 with a failure")
        );
    }

    #[test]
    fn a_chart_shows_what_is_usual_and_the_limits_of_rules() {
        let mut runs: Vec<PastRun> = (0..10).map(|_| run(100, Outcome::Ok)).collect();
        runs.push(run(200, Outcome::Failed));
        let charts = charts(
            &settings(&["duration < 3m", "duration > 10% of median(14)"]),
            &runs,
        );
        assert_eq!(charts.len(), 1);
        let chart = &charts[0];
        assert_eq!(
            (chart.title.as_str(), chart.latest.as_str()),
            ("Duration", "3 min 20 s")
        );
        assert_eq!(chart.band.as_ref().unwrap().text, "1 min 40 s");
        let limits: Vec<&str> = chart.limits.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(limits, ["at most: 3 min"]);
        assert_eq!(chart.dots.len(), 1);
        assert!(chart.trace.starts_with("M0 ") && chart.trace.matches('L').count() == 10);
    }

    #[test]
    fn too_few_runs_make_no_chart() {
        assert!(charts(&settings(&[]), &[run(1, Outcome::Ok), run(2, Outcome::Ok)]).is_empty());
        let instant: Vec<PastRun> = (0..9).map(|_| run(0, Outcome::Ok)).collect();
        assert!(
            charts(&settings(&[]), &instant).is_empty(),
            "nothing but zero"
        );
    }
}
