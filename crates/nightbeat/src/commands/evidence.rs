//! `nightbeat evidence`

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use nightbeat_evidence::{Evidence, Outcome, Reader, Reading, Stream, Telltale, Totals};
use serde::Serialize;

use super::json_line;
use crate::exit::{Exit, Failure};
use crate::render::{Paint, clean, status_paint};
use crate::session::{Session, View, hint};

/// As much of an output as is read at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// How wide the names of the numbers are.
const LABEL_WIDTH: usize = 15;

const EXAMPLES: &str = "\
Examples:
  restic backup /home 2>&1 | nightbeat evidence -
  nightbeat evidence /var/log/backup.log
  nightbeat evidence rsync.log --exit-code 23 --json";

/// Show what Nightbeat reads from a job's output: files, bytes, errors, and how the run went
///
/// The server reads the body of every signal in this way, and `nightbeat run` what its job prints. Nothing is sent
/// anywhere. Exits with 0, also when the output tells of a failure.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ShowEvidence {
    /// A file with what the job printed, or - for stdin
    file: PathBuf,
    /// The exit code with which the job ended
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    exit_code: Option<i32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A reading, and the numbers of all its tools together.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    reading: &'a Reading,
    #[serde(skip_serializing_if = "Option::is_none")]
    sum: Option<Totals>,
}

impl ShowEvidence {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        let reading = read(&self.file, self.exit_code)?;
        if self.json {
            let sum = reading.sum();
            return json_line(&Answer {
                reading: &reading,
                sum,
            });
        }
        if reading.evidence.is_empty() && reading.telltales.is_empty() {
            hint(
                "docs/evidence.md lists the tools that are known, and what each must be told to print",
            );
        }
        Ok(shown(&reading, &session.view))
    }
}

/// Reads a file, or stdin, to its end.
fn read(path: &Path, exit_code: Option<i32>) -> Result<Reading, Failure> {
    let broken = |error: std::io::Error| {
        let exit = match error.kind() {
            std::io::ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Failed,
        };
        Failure::new(exit, format!("cannot read {}: {error}", path.display()))
    };
    let mut source: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(std::io::stdin().lock()),
        _ => Box::new(File::open(path).map_err(broken)?),
    };
    let mut reader = Reader::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match source.read(&mut chunk) {
            Ok(0) => return Ok(reader.finish(exit_code)),
            Ok(length) => reader.push(Stream::Output, &chunk[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(error)),
        }
    }
}

/// The reading as people read it.
fn shown(reading: &Reading, view: &View) -> String {
    let mut parts = vec![headline(reading, view)];
    parts.extend(reading.evidence.iter().map(|evidence| card(evidence, view)));
    if reading.evidence.len() > 1
        && let Some(sum) = reading.sum()
    {
        parts.push(rows("all together", &totals(&sum), view));
    }
    parts.extend(
        reading
            .telltales
            .iter()
            .map(|telltale| told(telltale, view)),
    );
    parts.concat()
}

/// How it went, and why.
fn headline(reading: &Reading, view: &View) -> String {
    let outcome = reading.outcome.as_str();
    let paint = status_paint(outcome).unwrap_or(Paint::Dim);
    let outcome = paint.apply(outcome, view.colour);
    match &reading.why {
        Some(why) => format!("{outcome}: {}\n", clean(why)),
        None if reading.evidence.is_empty() && reading.telltales.is_empty() => {
            format!("{outcome}: nothing was recognised\n")
        }
        None => outcome + "\n",
    }
}

/// One tool's evidence.
fn card(evidence: &Evidence, view: &View) -> String {
    let mut known = totals(&Totals {
        files_total: evidence.files_total,
        files_changed: evidence.files_changed,
        bytes_total: evidence.bytes_total,
        bytes_added: evidence.bytes_added,
        deletes: evidence.deletes,
        errors: evidence.errors,
        warnings: evidence.warnings,
        dry_run: evidence.dry_run,
        duration: evidence.duration,
    });
    if let Some(snapshot) = &evidence.snapshot {
        known.push(("snapshot", clean(snapshot)));
    }
    for metric in &evidence.metrics {
        known.push((
            "metric",
            format!("{} = {}", clean(&metric.name), metric.value),
        ));
    }
    known.push(("seen in", clean(&evidence.line)));
    let name = match &evidence.version {
        Some(version) => format!("{} {}", evidence.tool, clean(version)),
        None => evidence.tool.to_string(),
    };
    rows(&name, &known, view)
}

/// A heading, and names with their values.
fn rows(heading: &str, rows: &[(&str, String)], view: &View) -> String {
    let heading = Paint::Bold.apply(heading, view.colour) + "\n";
    let rows = rows
        .iter()
        .map(|(name, value)| format!("  {name:LABEL_WIDTH$}{value}\n"));
    std::iter::once(heading).chain(rows).collect()
}

/// The numbers that are known, each with its name as rules have it.
fn totals(sum: &Totals) -> Vec<(&'static str, String)> {
    let numbers = [
        ("files_total", sum.files_total),
        ("files_changed", sum.files_changed),
        ("bytes_total", sum.bytes_total),
        ("bytes_added", sum.bytes_added),
        ("deletes", sum.deletes),
        ("errors", sum.errors),
        ("warnings", sum.warnings),
    ];
    let known = numbers.into_iter().filter_map(|(name, number)| {
        let number = number?;
        let size = name.starts_with("bytes").then(|| size(number)).flatten();
        Some(match size {
            Some(size) => (name, format!("{number} ({size})")),
            None => (name, number.to_string()),
        })
    });
    let mut rows: Vec<_> = known.collect();
    if let Some(dry_run) = sum.dry_run {
        rows.push(("dry_run", if dry_run { "yes" } else { "no" }.to_owned()));
    }
    if let Some(seconds) = sum.duration {
        rows.push(("duration", format!("{seconds:.1} s")));
    }
    rows
}

/// A number of bytes in the largest unit that it fills; none below a kibibyte.
fn size(bytes: u64) -> Option<String> {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    (bytes >= 1024).then(|| format!("{value:.1} {}", units[unit]))
}

/// A telltale line.
fn told(telltale: &Telltale, view: &View) -> String {
    let paint = match telltale.outcome {
        Outcome::Ok => Paint::Dim,
        Outcome::Warning => Paint::Yellow,
        Outcome::Failed => Paint::Red,
    };
    let kind = paint.apply(telltale.kind.text(), view.colour);
    let times = match telltale.times {
        1 => String::new(),
        more => format!(" ({more} lines)"),
    };
    format!("{kind}{times}: {}\n", clean(&telltale.line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_largest_unit() {
        assert_eq!(size(1023), None);
        assert_eq!(size(1024).as_deref(), Some("1.0 KiB"));
        assert_eq!(size(1_610_612_736).as_deref(), Some("1.5 GiB"));
        assert_eq!(size(u64::MAX).as_deref(), Some("16.0 EiB"));
    }
}
