//! What `nightbeat run` adds to a job's output: lines of its own, and what it read in the whole of it.

use crate::{Outcome, Reading};

/// Stands before each line of the wrapper.
pub const NOTE_TAG: &str = "[nightbeat] ";

/// Stands before the reading, one line of JSON: the last line of a body.
pub const READING_TAG: &str = "[nightbeat] reading ";

/// Stands behind [`NOTE_TAG`] before each step of a script that failed.
pub const STEP_TAG: &str = "step failed: ";

/// Stands before several of them, behind their number.
const STEPS_FAILED: &str = " steps failed: ";

/// How much of the wrapper's lines says why a run failed, in characters.
const WHY_CHARS_MAX: usize = 1_000;

/// Takes the wrapper's reading out of a body, where it ends with one: nobody wants to look at it, and it is of
/// the whole output, of which the body may hold only a part. Whoever knows a heartbeat's id can send one, so
/// it is held to the limits of a reading of our own.
pub fn take_reading(body: &mut Vec<u8>) -> Option<Reading> {
    let end = body.trim_ascii_end().len();
    let begin = body[..end]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let json = body[begin..end].strip_prefix(READING_TAG.as_bytes())?;
    let reading: Reading = serde_json::from_slice(json).ok()?;
    body.truncate(begin);
    Some(reading.within_limits())
}

/// What the wrapper's own lines say of a run that failed, in one sentence.
pub fn notes(body: &[u8]) -> Option<String> {
    let lines = body.split(|byte| *byte == b'\n');
    let ours = lines.filter_map(|line| line.strip_prefix(NOTE_TAG.as_bytes()));
    let told: Vec<_> = ours.map(String::from_utf8_lossy).collect();
    let steps: Vec<&str> = told.iter().filter_map(|line| step(line)).collect();
    let steps = match steps.as_slice() {
        [] => None,
        [one] => Some(format!("{STEP_TAG}{one}")),
        all => Some(format!("{}{STEPS_FAILED}{}", all.len(), all.join("; "))),
    };
    let others = told.iter().map(|line| &**line);
    let others = others.filter(|line| step(line).is_none());
    let told: Vec<&str> = steps.as_deref().into_iter().chain(others).collect();
    let told = told.join("; ");
    let told: String = told.trim().chars().take(WHY_CHARS_MAX).collect();
    (!told.is_empty()).then_some(told)
}

fn step(line: &str) -> Option<&str> {
    line.strip_prefix(STEP_TAG)
}

impl Reading {
    /// The same, of a run that the wrapper says has failed, for this reason.
    #[must_use]
    pub fn failed_because(mut self, why: String) -> Self {
        // What the output gives away is nearer to the cause; but many steps say enough themselves.
        let troubled = self.evidence.iter().any(|one| one.outcome != Outcome::Ok)
            || self.telltales.iter().any(|one| one.outcome != Outcome::Ok);
        let said = self.why.take();
        let said = said.filter(|_| troubled && !why.contains(STEPS_FAILED));
        self.outcome = Outcome::Failed;
        self.why = Some(match said {
            Some(said) => format!("{why}; {said}"),
            None => why,
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found::LINE_SHOWN_CHARS_MAX;
    use crate::limits::EVIDENCES_MAX;
    use crate::{Evidence, Metric, Tool};

    fn reading() -> Reading {
        let mut evidence = Evidence::new(Tool::Restic);
        evidence.files_total = Some(12);
        Reading {
            evidence: vec![evidence],
            ..Reading::default()
        }
    }

    #[test]
    fn the_reading_comes_out_of_the_body_and_the_rest_stays() {
        let json = serde_json::to_string(&reading()).unwrap();
        let mut body = format!("one\n[nightbeat] a note\n{READING_TAG}{json}\n").into_bytes();
        assert_eq!(take_reading(&mut body), Some(reading()));
        assert_eq!(body, b"one\n[nightbeat] a note\n");
        assert_eq!(notes(&body).as_deref(), Some("a note"));
    }

    #[test]
    fn a_reading_from_elsewhere_is_held_to_our_limits() {
        let mut huge = reading();
        huge.why = Some("w".repeat(5_000));
        huge.evidence[0].line = "l".repeat(5_000);
        huge.evidence[0].duration = Some(-1.0);
        let metric = Metric {
            name: "n".repeat(65),
            value: 1.0,
        };
        huge.evidence[0].metrics = vec![metric];
        huge.evidence = vec![huge.evidence[0].clone(); EVIDENCES_MAX + 1];
        let json = serde_json::to_string(&huge).unwrap();
        let mut body = format!("{READING_TAG}{json}").into_bytes();
        let taken = take_reading(&mut body).unwrap();
        assert_eq!(taken.evidence.len(), EVIDENCES_MAX);
        assert!(taken.why.unwrap().chars().count() <= 1_000);
        for one in &taken.evidence {
            assert!(one.line.chars().count() <= LINE_SHOWN_CHARS_MAX);
            assert_eq!((one.duration, one.metrics.len()), (None, 0));
        }
    }

    #[test]
    fn what_is_no_reading_stays_where_it_is() {
        for body in [
            "",
            "\n",
            "one\ntwo\n",
            "[nightbeat] reading {\"evidence\":3}\n",
            "[nightbeat] reading ",
            "[nightbeat] reading {}\nand more\n",
        ] {
            let mut bytes = body.as_bytes().to_vec();
            assert_eq!(take_reading(&mut bytes), None, "{body:?}");
            assert_eq!(bytes, body.as_bytes());
        }
        assert_eq!(notes(b"a line\n"), None);
    }

    #[test]
    fn the_steps_that_failed_come_first_and_are_counted() {
        let one = b"[nightbeat] step failed: `a` ended with 1, line 2\n";
        assert_eq!(
            notes(one).as_deref(),
            Some("step failed: `a` ended with 1, line 2")
        );
        let three = b"out\n[nightbeat] a note\n[nightbeat] step failed: one\n[nightbeat] step failed: two\n";
        assert_eq!(
            notes(three).as_deref(),
            Some("2 steps failed: one; two; a note")
        );
    }
}
