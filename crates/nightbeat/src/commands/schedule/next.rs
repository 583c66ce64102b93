//! `nightbeat schedule next`: a question a line in, an answer a line out.

use std::io::{self, BufRead, BufReader, Read, Write};

use clap::Args;
use jiff::Timestamp;
use jiff::tz::Offset;
use nightbeat_calendar::{Cron, ScheduleError, Zone};
use serde::{Deserialize, Serialize};

use crate::exit::Failure;

const EXAMPLES: &str = r#"Examples:
  echo '{"kind":"cron","expr":"30 2 * * *","tz":"Europe/Berlin","from":"2027-03-27T12:00:00Z"}' |
      nightbeat schedule next --stdin

A line has "kind" (cron or oncalendar), "expr", "from" (RFC 3339), and may have "tz" (default: UTC)
and "count" (default: 5). The answer is {"next":["2027-03-28T03:00:00+02:00", …]}, with the offsets
of "tz" and fewer than "count" instants where there are no more, or {"error":"…"}."#;

/// Answer questions about schedules, a line of JSON each
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Next {
    /// Read the questions from stdin, and answer each one on stdout before waiting for the next
    #[arg(long, required = true)]
    stdin: bool,
}

/// Longest line that is read, in bytes. An expression has 1,000 characters at most.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Instants in an answer where the question does not say.
const COUNT_DEFAULT: usize = 5;
/// Most instants in one answer.
const COUNT_MAX: usize = 10_000;

/// What is asked. Other keys are passed over, so that a caller can keep its own beside these.
#[derive(Debug, Deserialize)]
struct Question {
    kind: Kind,
    expr: String,
    tz: Option<String>,
    from: String,
    count: Option<usize>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Cron,
    OnCalendar,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Next(Vec<String>),
    Error(String),
}

impl Next {
    pub(super) fn run(self) -> Result<String, Failure> {
        debug_assert!(self.stdin, "clap requires it");
        match answer_all(io::stdin(), io::stdout().lock()) {
            // Whoever asked has gone, and wants no more answers.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(String::new()),
            Err(error) => Err(Failure::failed(format!("cannot go on: {error}"))),
            Ok(()) => Ok(String::new()),
        }
    }
}

/// One answer for each line that is not blank, in order.
///
/// Answers are held back only while the next question is already here: who writes one line and waits
/// gets its answer, who writes many pays for few writes.
fn answer_all(questions: impl Read, answers: impl Write) -> io::Result<()> {
    let mut questions = BufReader::with_capacity(LINE_BYTES_MAX, questions);
    let mut answers = io::BufWriter::new(answers);
    let mut line = Vec::new();
    loop {
        if !questions.buffer().contains(&b'\n') {
            answers.flush()?;
        }
        let answer = match read_line(&mut questions, &mut line)? {
            Line::End => return answers.flush(),
            Line::Whole if line.trim_ascii().is_empty() => continue,
            Line::Whole => answer(&line),
            Line::TooLong => Err(format!("a line has at most {LINE_BYTES_MAX} bytes")),
        };
        serde_json::to_writer(
            &mut answers,
            &answer.map_or_else(Answer::Error, Answer::Next),
        )?;
        answers.write_all(b"\n")?;
    }
}

enum Line {
    /// `line` holds it.
    Whole,
    /// It was passed over.
    TooLong,
    End,
}

fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let most = LINE_BYTES_MAX as u64 + 1;
    if input.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(Line::End);
    }
    if line.len() <= LINE_BYTES_MAX || line.ends_with(b"\n") {
        return Ok(Line::Whole);
    }
    input.skip_until(b'\n')?;
    Ok(Line::TooLong)
}

fn answer(line: &[u8]) -> Result<Vec<String>, String> {
    let question: Question =
        serde_json::from_slice(line).map_err(|error| format!("not a question: {error}"))?;
    let count = question.count.unwrap_or(COUNT_DEFAULT);
    if count > COUNT_MAX {
        return Err(format!("count {count}: 0 to {COUNT_MAX}"));
    }
    let from: Timestamp = question.from.parse().map_err(|_| {
        let from = &question.from;
        format!("from {from:?}: not an instant like 2026-11-22T03:00:00+01:00")
    })?;
    let zone = Zone::named(question.tz.as_deref().unwrap_or("UTC"));
    let zone = zone.map_err(|error| error.to_string())?;
    let schedule = match question.kind {
        Kind::Cron => Cron::parse(&question.expr, &zone)
            .map(Into::into)
            .map_err(Into::into),
        Kind::OnCalendar => super::on_calendar(&question.expr, &zone, from),
    };
    let schedule = schedule.map_err(|error: ScheduleError| error.to_string())?;
    let instants = schedule.instants_after(from).take(count);
    Ok(instants.map(|at| shown(at, &zone)).collect())
}

/// RFC 3339 with the zone's offset. It knows no seconds in offsets, as local mean times had them: there
/// the offset is cut to minutes, and the instant stays right.
pub(super) fn shown(at: Timestamp, zone: &Zone) -> String {
    let seconds = zone.rules().to_offset(at).seconds();
    let offset = Offset::from_seconds(seconds - seconds % 60).unwrap_or(Offset::UTC);
    at.display_with_offset(offset).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// What comes out for `questions`.
    fn answers(questions: impl Read) -> Vec<String> {
        let mut out = Vec::new();
        answer_all(questions, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        out.lines().map(str::to_owned).collect()
    }

    const QUESTION: &str =
        r#"{"kind":"cron","expr":"0 3 * * *","from":"2027-01-01T00:00:00Z","count":1}"#;
    const ANSWER: &str = r#"{"next":["2027-01-01T03:00:00+00:00"]}"#;

    #[test]
    fn a_line_that_is_too_long_has_one_answer_and_the_next_line_its_own() {
        let longest = format!(
            "{QUESTION}{}\n",
            " ".repeat(LINE_BYTES_MAX - QUESTION.len())
        );
        let too_long = format!(" {longest}");
        let input = [&longest, &too_long, &longest[..], QUESTION].concat();
        let too_long = r#"{"error":"a line has at most 65536 bytes"}"#;
        let found = answers(Cursor::new(input));
        assert_eq!(found, [ANSWER, too_long, ANSWER, ANSWER]);
    }

    #[test]
    fn a_local_mean_time_is_shown_to_the_minute_and_is_still_the_same_instant() {
        let zone = Zone::named("Europe/Riga").unwrap();
        let at: Timestamp = "1870-01-01T12:00:00Z".parse().unwrap();
        let text = shown(at, &zone);
        assert!(text.ends_with("+01:36"), "{text}");
        assert_eq!(text.parse::<Timestamp>().unwrap(), at);
    }

    /// Hands out one piece for each read, and looks at what was answered so far.
    struct Pieces<'a> {
        left: Vec<&'a str>,
        answered: &'a std::cell::RefCell<Vec<u8>>,
        seen: &'a std::cell::RefCell<Vec<usize>>,
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let answered = self.answered.borrow();
            let lines = str::from_utf8(&answered).unwrap().lines().count();
            self.seen.borrow_mut().push(lines);
            if self.left.is_empty() {
                return Ok(0);
            }
            let piece = self.left.remove(0);
            buffer[..piece.len()].copy_from_slice(piece.as_bytes());
            Ok(piece.len())
        }
    }

    struct Shared<'a>(&'a std::cell::RefCell<Vec<u8>>);

    impl Write for Shared<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_that_was_asked_is_answered_before_more_is_read() {
        let (answered, seen) = <(std::cell::RefCell<_>, std::cell::RefCell<_>)>::default();
        let line = format!("{QUESTION}\n");
        let two_and_a_bit = format!("{line}{line}{{");
        let pieces = vec![line.as_str(), &two_and_a_bit, "}\n"];
        let input = Pieces {
            left: pieces,
            answered: &answered,
            seen: &seen,
        };
        answer_all(input, Shared(&answered)).unwrap();
        assert_eq!(*seen.borrow(), [0, 1, 3, 4]);
    }
}
