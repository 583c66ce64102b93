//! Reads an output as it comes.

use serde_json::Value;

use crate::found::{Evidence, Outcome, Reading, Telltale};
use crate::lines::{Found, Lines};
use crate::notes::Notes;
use crate::text::{clean, cut, stamp};
use crate::tools::{self, Line};
use crate::{Tool, exit, telltale};

/// The longest sentence that says why, in characters.
const WHY_CHARS_MAX: usize = 500;

/// How many programs are named beside the one whose line is told.
const OTHERS_NAMED_MAX: usize = 8;

/// Where bytes of an output come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output. A body that holds both streams is given as this one.
    Output,
    /// Standard error.
    Errors,
}

/// Reads what a job prints, while it prints it. Any bytes are fine, in any chunks; the memory is bounded
/// ([`crate::limits`]), and the time grows with the length.
///
/// ```
/// use nightbeat_evidence::{Outcome, Reader, Stream, Tool};
///
/// let mut reader = Reader::new();
/// reader.push(Stream::Output, b"processed 0 files, 0 B in 0:00\nsnapshot 1600bfda ");
/// reader.push(Stream::Output, b"saved\n");
/// let reading = reader.finish(Some(0));
///
/// assert_eq!(reading.outcome, Outcome::Ok);
/// assert_eq!(reading.evidence[0].tool, Tool::Restic);
/// assert_eq!(reading.evidence[0].files_total, Some(0));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Reader {
    output: Lines,
    errors: Lines,
    notes: Notes,
}

impl Reader {
    /// A reader that has read nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of a stream.
    pub fn push(&mut self, stream: Stream, bytes: &[u8]) {
        let lines = match stream {
            Stream::Output => &mut self.output,
            Stream::Errors => &mut self.errors,
        };
        let notes = &mut self.notes;
        lines.push(bytes, &mut |found| note(notes, found));
    }

    /// Some of the output is missing here, because it was too long to be kept. From now on nothing is taken for
    /// incomplete only because its end was not seen.
    pub fn cut(&mut self) {
        let notes = &mut self.notes;
        for lines in [&mut self.output, &mut self.errors] {
            lines.finish(&mut |found| note(notes, found));
        }
        self.notes.cut = true;
    }

    /// All was read. The exit code is that of the whole job; `None` where nobody knows it.
    pub fn finish(mut self, exit_code: Option<i32>) -> Reading {
        let notes = &mut self.notes;
        for lines in [&mut self.output, &mut self.errors] {
            lines.finish(&mut |found| note(notes, found));
        }
        let (evidence, telltales) = self.notes.finish();
        judged(evidence, telltales, exit_code.unwrap_or(0))
    }
}

/// Reads a whole output at once, as the body of a signal holds it.
pub fn read(body: &[u8], exit_code: Option<i32>) -> Reading {
    let mut reader = Reader::new();
    reader.push(Stream::Output, body);
    reader.finish(exit_code)
}

/// Notes what a line or a document says.
fn note(notes: &mut Notes, found: Found<'_>) {
    notes.speaker = None;
    match found {
        Found::Document(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            if let Ok(json) = serde_json::from_str(&text) {
                note_json(notes, &json, &text);
            }
        }
        Found::Line(bytes) => {
            let line = clean(bytes);
            let trimmed = line.trim_start();
            let is_json = matches!(trimmed.as_bytes(), [b'{', .., b'}'] | [b'[', .., b']']);
            match is_json.then(|| serde_json::from_str(trimmed)) {
                Some(Ok(json)) => note_json(notes, &json, trimmed),
                _ => note_text(notes, &line),
            }
        }
    }
}

fn note_json(notes: &mut Notes, json: &Value, text: &str) {
    let message = tools::document(notes, json, text);
    if let Some(message) = message.filter(|message| !message.is_empty()) {
        telltale::look(notes, &message);
    }
}

fn note_text(notes: &mut Notes, line: &str) {
    let (stamp, text) = without_log_prefix(line);
    let slashed = stamp.is_some() && line.trim_start_matches('[').as_bytes().get(4) == Some(&b'/');
    let line = Line {
        text,
        stamp,
        slashed,
    };
    tools::line(notes, &line);
    telltale::look(notes, text);
}

/// A line without the time, the process id and the level that a log puts before it.
fn without_log_prefix(line: &str) -> (Option<f64>, &str) {
    let inner = line.strip_prefix('[').unwrap_or(line);
    let Some((seconds, rest)) = stamp(inner) else {
        return (None, line);
    };
    let rest = rest
        .strip_prefix(']')
        .unwrap_or(rest)
        .trim_start_matches(':');
    let text = rest.strip_prefix(' ').unwrap_or(rest);
    // rsync's own log: `2026/11/22 11:19:51 [4711] Number of files: 16`.
    let text = match text
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
    {
        Some((pid, rest)) if pid.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => text,
    };
    (Some(seconds), text)
}

/// Puts together what was found and how the job ended.
fn judged(evidence: Vec<Evidence>, telltales: Vec<Telltale>, exit_code: i32) -> Reading {
    let said = evidence.iter().map(|one| one.outcome);
    let given_away = telltales.iter().map(|telltale| telltale.outcome);
    let worst = said.chain(given_away).max().unwrap_or_default();
    let (ended, ending) = match exit_code {
        0 => (Outcome::Ok, None),
        code => ending(&evidence, code),
    };
    let cause = match worst {
        Outcome::Ok => None,
        worst => cause(&evidence, &telltales, worst, ending.as_deref()),
    };
    let why = match (ending, cause) {
        (Some(ending), Some(cause)) => Some(format!("{ending}; {cause}")),
        (ending, cause) => ending.or(cause),
    };
    Reading {
        evidence,
        telltales,
        outcome: worst.max(ended),
        why: why.map(|why| cut(&why, WHY_CHARS_MAX)),
    }
}

/// What the exit code says, and in words. It is taken for that of the tool that spoke of trouble, or else of the
/// last one. That a code means only a warning is believed when the tool itself warns: the code of a script is often
/// another command's.
fn ending(evidence: &[Evidence], code: i32) -> (Outcome, Option<String>) {
    let troubled = evidence.iter().rev().find(|one| one.outcome != Outcome::Ok);
    let speaker = troubled.or(evidence.last());
    let tool = speaker.map(|one| one.tool);
    let mut meaning = exit::meaning(tool, code);
    let warned = speaker.is_some_and(|one| one.outcome == Outcome::Warning);
    if meaning.outcome == Outcome::Warning && !warned {
        meaning = exit::meaning(None, code);
    }
    let name = tool.map_or("the job", Tool::command);
    let text = match meaning.name {
        "failed" => format!("{name} ended with {code}"),
        _ => format!("{name} ended with {code}: {}", meaning.text),
    };
    (meaning.outcome, Some(text))
}

/// The first cause of the worst that was said.
fn cause(
    evidence: &[Evidence],
    telltales: &[Telltale],
    worst: Outcome,
    ending: Option<&str>,
) -> Option<String> {
    let said = evidence.iter().find(|one| one.outcome == worst);
    // What a line gives away is nearer to the cause than what the tool made of it in the end.
    let explains = |telltale: &&Telltale| {
        let of_tool =
            said.is_some_and(|one| telltale.program.as_deref() == Some(one.tool.command()));
        let alone = said.is_some() && evidence.len() == 1;
        telltale.outcome == worst || (telltale.outcome != Outcome::Ok && (of_tool || alone))
    };
    // Of several the gravest kind; of the same kind the first.
    if let Some(telltale) = telltales
        .iter()
        .filter(explains)
        .min_by_key(|telltale| telltale.kind)
    {
        // A line without a name is of the only tool that spoke; and the ending names its tool itself.
        let only = evidence.first().filter(|_| evidence.len() == 1);
        let named = only.map(|one| one.tool.command()).filter(|name| {
            telltale.program.is_none() || ending.is_some_and(|ending| ending.starts_with(name))
        });
        let told = [telltale.program.as_deref(), named];
        let others = others_in_trouble(evidence, telltales, told);
        return Some(format!(
            "{}: {}{others}",
            telltale.kind.text(),
            telltale.line
        ));
    }
    let said = said?;
    let why = said.why.as_deref().unwrap_or("it failed");
    let plain = why.split(" (code ").next().unwrap_or(why);
    if ending.is_some_and(|ending| ending.ends_with(plain)) && !said.line.is_empty() {
        return Some(said.line.clone());
    }
    let why = if said.line.contains(why) || said.line.is_empty() {
        why.to_owned()
    } else {
        format!("{why}: {}", said.line)
    };
    Some(match ending {
        Some(ending) if ending.starts_with(said.tool.command()) => why,
        _ => format!("{}: {why}", said.tool),
    })
}

/// `; trouble also with cp, rm and ls`: a script that goes on after one failure often has more of them.
fn others_in_trouble(
    evidence: &[Evidence],
    telltales: &[Telltale],
    told: [Option<&str>; 2],
) -> String {
    let complained = telltales
        .iter()
        .filter(|one| one.outcome != Outcome::Ok)
        .filter_map(|one| one.program.as_deref());
    let failed = evidence
        .iter()
        .filter(|one| one.outcome != Outcome::Ok)
        .map(|one| one.tool.command());
    let mut names: Vec<&str> = Vec::new();
    for name in complained.chain(failed) {
        if !told.contains(&Some(name)) && !names.contains(&name) {
            names.push(name);
        }
    }
    let more = names.len().saturating_sub(OTHERS_NAMED_MAX);
    names.truncate(OTHERS_NAMED_MAX);
    let more = (more > 0).then(|| format!("{more} more"));
    let Some(last) = more.as_deref().or_else(|| names.pop()) else {
        return String::new();
    };
    match names.as_slice() {
        [] => format!("; trouble also with {last}"),
        names => format!("; trouble also with {} and {last}", names.join(", ")),
    }
}
