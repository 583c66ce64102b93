//! The last runs of a heartbeat as two small pictures: what became of them, and how long they took.

use std::fmt::Write as _;

use nightbeat_domain::{LastRun, Outcome};

/// How many runs have a place.
const PLACES: usize = 30;
/// The distance between two runs in the strip.
const STEP: usize = 4;
/// The middle of the strip: its lines are as thick as the style sheet says, a failed run's more than others'.
const MIDDLE: usize = 9;
/// The sparkline's size.
const SPARK_WIDTH: usize = 87;
const SPARK_HEIGHT: f64 = 16.0;
/// Fewer durations make no line.
const DURATIONS_MIN: usize = 3;

/// Runs as a strip, the newest at its end: a path for each outcome, dashed into one bar a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::web) struct Strip {
    /// Places without a run.
    pub(in crate::web) none: String,
    pub(in crate::web) ok: String,
    pub(in crate::web) warning: String,
    pub(in crate::web) failed: String,
    /// The same in words.
    pub(in crate::web) label: String,
}

/// How long runs took, as a line.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) struct Spark {
    pub(in crate::web) line: String,
    /// Where the newest run is.
    pub(in crate::web) x: usize,
    pub(in crate::web) y: i64,
}

impl Strip {
    /// The strip of the last of these runs; the oldest comes first.
    pub(in crate::web) fn of(runs: &[LastRun]) -> Self {
        let runs = &runs[runs.len().saturating_sub(PLACES)..];
        let mut strip = Self {
            label: label(runs),
            ..Self::default()
        };
        let empty = PLACES - runs.len();
        if empty > 0 {
            draw(&mut strip.none, 0, empty);
        }
        let mut from = 0;
        while from < runs.len() {
            let outcome = runs[from].outcome;
            let same = runs[from..].iter().take_while(|run| run.outcome == outcome);
            let length = same.count();
            let path = match outcome {
                Outcome::Ok => &mut strip.ok,
                Outcome::Warning => &mut strip.warning,
                Outcome::Failed => &mut strip.failed,
            };
            draw(path, empty + from, length);
            from += length;
        }
        strip
    }
}

fn draw(path: &mut String, place: usize, length: usize) {
    // Writing to a string cannot fail.
    let _ = write!(path, "M{} {MIDDLE}h{}", place * STEP, length * STEP - 1);
}

fn label(runs: &[LastRun]) -> String {
    let count = |outcome| runs.iter().filter(|run| run.outcome == outcome).count();
    let (ok, warning, failed) = (
        count(Outcome::Ok),
        count(Outcome::Warning),
        count(Outcome::Failed),
    );
    let mut parts = vec![format!("{ok} ok")];
    if warning > 0 {
        parts.push(format!("{warning} with a warning"));
    }
    if failed > 0 {
        parts.push(format!("{failed} failed"));
    }
    match runs.len() {
        0 => "no runs yet".to_owned(),
        1 => format!("1 run: {}", parts.join(", ")),
        count => format!("last {count} runs: {}", parts.join(", ")),
    }
}

impl Spark {
    /// The line of those of the runs whose duration is known; the oldest comes first.
    pub(in crate::web) fn of(runs: &[LastRun]) -> Option<Self> {
        let runs = &runs[runs.len().saturating_sub(PLACES)..];
        let took = runs.iter().filter_map(|run| {
            let started = run.started_at?;
            Some(run.ended_at.since(started).as_secs_f64())
        });
        let took: Vec<f64> = took.collect();
        if took.len() < DURATIONS_MIN {
            return None;
        }
        let longest = took.iter().copied().fold(0.0, f64::max).max(1e-6);
        let place = |index: usize| index * SPARK_WIDTH / (took.len() - 1);
        let height = |seconds: f64| (SPARK_HEIGHT * (1.0 - seconds / longest)).round() as i64 + 1;
        let mut line = String::new();
        let (mut x, mut y) = (0, height(took[0]));
        let _ = write!(line, "M0 {y}");
        for (index, seconds) in took.iter().enumerate().skip(1) {
            let (next_x, next_y) = (place(index), height(*seconds));
            let _ = write!(line, "l{} {}", next_x - x, next_y - y);
            (x, y) = (next_x, next_y);
        }
        Some(Self { line, x, y })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightbeat_domain::UnixMicros;

    fn run(took: i64, outcome: Outcome) -> LastRun {
        LastRun {
            started_at: Some(UnixMicros::from_seconds(1_000)),
            ended_at: UnixMicros::from_seconds(1_000 + took),
            outcome,
        }
    }

    #[test]
    fn runs_of_one_outcome_are_one_stretch() {
        let mut runs = vec![run(1, Outcome::Ok); 26];
        runs.push(run(1, Outcome::Failed));
        runs.push(run(1, Outcome::Ok));
        let strip = Strip::of(&runs);
        assert_eq!(strip.none, "M0 9h7");
        assert_eq!(strip.ok, "M8 9h103M116 9h3");
        assert_eq!(strip.failed, "M112 9h3");
        assert_eq!(strip.warning, "");
        assert_eq!(strip.label, "last 28 runs: 27 ok, 1 failed");
        assert_eq!(Strip::of(&[]).label, "no runs yet");
        assert_eq!(Strip::of(&vec![run(1, Outcome::Ok); 90]).ok, "M0 9h119");
    }

    #[test]
    fn a_sparkline_reaches_from_side_to_side_and_up_to_the_longest() {
        let runs = [10, 20, 5].map(|took| run(took, Outcome::Ok));
        let spark = Spark::of(&runs).unwrap();
        assert_eq!(spark.line, "M0 9l43 -8l44 12");
        assert_eq!((spark.x, spark.y), (87, 13));
        assert_eq!(Spark::of(&runs[..2]), None);
        let quick = [0, 0, 0].map(|took| run(took, Outcome::Ok));
        assert_eq!(Spark::of(&quick).unwrap().y, 17);
    }
}
