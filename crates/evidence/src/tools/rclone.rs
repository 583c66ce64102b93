//! rclone: all on stderr, from `-v` on; with `--use-json-log` as JSON lines; and the remote control's `core/stats`
//! and `job/status`. Its numbers are told again and again while it runs: the last ones of a run count.

use serde_json::Value;

use super::{Line, seconds, text as json_text, whole as json_whole};
use crate::Tool;
use crate::found::Outcome;
use crate::notes::{Draft, Notes};
use crate::text::{Kilo, after, between, cut, excerpt, go_duration, size, stamp, whole};

/// How far apart two guesses of one run's start may be, in seconds: times in the log are whole seconds.
const START_SPREAD_SECONDS: f64 = 1.5;

/// A run that tells its numbers before its end has run at least this long: rclone's shortest usual interval.
const TOLD_AGAIN_AFTER_SECONDS: f64 = 0.9;

/// The numbers that are being read, and those read last.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    stamp: Option<f64>,
    block: Option<Numbers>,
    last: Option<Numbers>,
}

/// What rclone tells while and after it runs.
#[derive(Debug, Clone, Default)]
struct Numbers {
    stamp: Option<f64>,
    bytes: u64,
    transfers: u64,
    checks: u64,
    deletes: u64,
    errors: u64,
    renames: u64,
    elapsed: Option<f64>,
    line: String,
    /// `--stats-one-line` says only how many bytes.
    only_bytes: bool,
}

pub(crate) fn line(notes: &mut Notes, line: &Line<'_>) -> bool {
    if let Some((level, message)) = log_line(line.text).filter(|_| line.slashed) {
        notes.rclone.stamp = line.stamp;
        return logged(notes, level, message, line.text);
    }
    let text = line.text;
    if line.slashed && is_failure(text) {
        failed(notes, text);
        return true;
    }
    if let Some(rest) =
        after(text, "Transferred:").filter(|rest| rest.contains(" / ") && rest.contains(", "))
    {
        transferred(notes, rest, text);
        return true;
    }
    in_block(notes, text)
}

/// `Failed to copy: directory not found`, `Failed to sync with 5 errors: last error was: …`
fn is_failure(text: &str) -> bool {
    if text.starts_with("Failed to create file system for ") {
        return true;
    }
    let rest = after(text, "Failed to ").and_then(|rest| rest.split_once(':'));
    rest.is_some_and(|(verb, _)| !verb.contains(' ') || verb.contains(" with "))
}

/// `INFO  : f1.bin: Copied (new)`: the level and the message. The name of the level fills six columns.
fn log_line(text: &str) -> Option<(&str, &str)> {
    let levels = [
        "DEBUG ",
        "INFO  ",
        "NOTICE",
        "ERROR ",
        "WARNING",
        "CRITICAL",
        "ALERT ",
        "EMERGENCY",
    ];
    let level = levels.into_iter().find(|level| text.starts_with(level))?;
    let message = text[level.len()..].strip_prefix(':')?;
    Some((level.trim_end(), message.trim()))
}

fn logged(notes: &mut Notes, level: &str, message: &str, text: &str) -> bool {
    let known = matches!(level, "ERROR" | "CRITICAL" | "ALERT" | "EMERGENCY");
    if level == "CRITICAL" && is_failure(message) {
        failed(notes, message);
    } else if known {
        error(notes, message, text);
    } else if message.contains("as --dry-run is set") {
        notes.open(Tool::Rclone).evidence.dry_run = Some(true);
    } else if let Some(version) = between(message, "Version \"v", "\" starting") {
        notes.open(Tool::Rclone).evidence.version = Some(cut(version, 40));
    } else if message == "There was nothing to transfer" {
        notes.open(Tool::Rclone).show(text);
    } else if message.contains(", ETA ") && message.contains(" / ") {
        one_line(notes, message, text);
    } else if let Some(number) = message.strip_suffix(" matching files").and_then(checked) {
        notes.open(Tool::Rclone).show(text).files_total = Some(number);
    } else if let Some(number) = message.strip_suffix(" differences found").and_then(checked) {
        let draft = notes.open(Tool::Rclone);
        draft.evidence.errors = Some(number);
        if number > 0 {
            draft.judge(Outcome::Failed, "the copies differ", text);
        } else {
            draft.show(text);
        }
    } else {
        return message.is_empty();
    }
    true
}

/// The number at the end of `Local file system at /backup: 13`.
fn checked(rest: &str) -> Option<u64> {
    whole(rest.rsplit_once(": ").map_or(rest, |(_, number)| number))
}

/// An error that rclone may still mend by trying again.
fn error(notes: &mut Notes, message: &str, text: &str) {
    let draft = notes.open(Tool::Rclone);
    if !message.starts_with("Attempt ") {
        draft.seen_errors += 1;
        if draft.evidence.line.is_empty() {
            draft.show(text);
        }
    } else if message.contains(" succeeded") {
        draft.seen_errors = 0;
    }
}

/// The last line of a run that failed: `Failed to copy with 4 errors: last error was: …`.
fn failed(notes: &mut Notes, text: &str) {
    end_block(notes);
    let why = text.rsplit_once("last error was: ").map_or_else(
        || text.split_once(": ").map_or(text, |(_, why)| why),
        |(_, why)| why,
    );
    let draft = notes.newest(Tool::Rclone);
    if let Some(errors) = between(text, " with ", " errors").and_then(whole) {
        draft.evidence.errors = Some(errors);
    }
    // Its numbers already said that there were errors; this says which.
    draft.evidence.outcome = Outcome::Ok;
    draft.judge(Outcome::Failed, why, text);
    draft.complete = true;
    notes.rclone.last = None;
}

/// `Transferred: 304.693 KiB / 304.693 KiB, 100%, …` begins the numbers; `Transferred: 13 / 13, 100%` counts files.
fn transferred(notes: &mut Notes, rest: &str, text: &str) {
    let done = rest.split(" / ").next().unwrap_or(rest);
    let is_size = done.chars().any(char::is_alphabetic);
    if is_size {
        end_block(notes);
        notes.rclone.block = Some(Numbers {
            stamp: notes.rclone.stamp.take(),
            bytes: size(done, Kilo::Binary).unwrap_or(0),
            line: text.to_owned(),
            ..Numbers::default()
        });
        notes.speaker = Some(Tool::Rclone);
    } else if let Some(block) = &mut notes.rclone.block {
        block.transfers = whole(done).unwrap_or(0);
        text.clone_into(&mut block.line);
    }
}

/// One of the lines between `Transferred` and `Elapsed time`.
fn in_block(notes: &mut Notes, text: &str) -> bool {
    let Some(block) = &mut notes.rclone.block else {
        return false;
    };
    if let Some(rest) = after(text, "Errors:") {
        block.errors = whole(rest).unwrap_or(0);
    } else if let Some(rest) = after(text, "Checks:") {
        block.checks = whole(rest).unwrap_or(0);
    } else if let Some(rest) = after(text, "Deleted:") {
        block.deletes = whole(rest).unwrap_or(0);
    } else if let Some(rest) = after(text, "Renamed:") {
        block.renames = whole(rest).unwrap_or(0);
    } else if let Some(rest) = after(text, "Elapsed time:") {
        block.elapsed = go_duration(rest);
        end_block(notes);
    } else {
        return false;
    }
    true
}

/// `304.693 KiB / 304.693 KiB, 100%, 0 B/s, ETA -`
fn one_line(notes: &mut Notes, message: &str, text: &str) {
    end_block(notes);
    let numbers = Numbers {
        stamp: notes.rclone.stamp.take(),
        bytes: size(message, Kilo::Binary).unwrap_or(0),
        line: text.to_owned(),
        only_bytes: true,
        ..Numbers::default()
    };
    write(notes, numbers);
}

/// The numbers that were being read are all there.
fn end_block(notes: &mut Notes) {
    if let Some(block) = notes.rclone.block.take() {
        write(notes, block);
    }
}

/// Writes down what a run tells. What it told before is replaced.
fn write(notes: &mut Notes, numbers: Numbers) {
    let again = notes
        .rclone
        .last
        .as_ref()
        .is_some_and(|last| last.goes_on_as(&numbers));
    let draft = if again {
        notes.newest(Tool::Rclone)
    } else {
        notes.open(Tool::Rclone)
    };
    numbers.write(draft);
    draft.complete = true;
    notes.rclone.last = Some(numbers);
}

impl Numbers {
    /// Whether later numbers are of the same run.
    fn goes_on_as(&self, later: &Self) -> bool {
        let grown = later.bytes >= self.bytes
            && later.transfers >= self.transfers
            && later.checks >= self.checks
            && later.deletes >= self.deletes;
        if self.only_bytes || later.only_bytes {
            return self.only_bytes && later.only_bytes && grown;
        }
        let (Some(elapsed), Some(later_elapsed)) = (self.elapsed, later.elapsed) else {
            return grown;
        };
        let long_enough = elapsed >= TOLD_AGAIN_AFTER_SECONDS && later_elapsed >= elapsed;
        let same_start = match (self.stamp, later.stamp) {
            (Some(stamp), Some(later_stamp)) => {
                ((stamp - elapsed) - (later_stamp - later_elapsed)).abs() <= START_SPREAD_SECONDS
            }
            _ => grown,
        };
        long_enough && same_start
    }

    fn write(&self, draft: &mut Draft) {
        let had_run = draft.evidence.outcome;
        let evidence = draft.show(&self.line);
        evidence.bytes_added = Some(self.bytes);
        if self.only_bytes {
            return;
        }
        // A file that is new is only transferred, one that is the same only checked, one that changed is both, and
        // one that is deleted was checked. What rclone tells does not say which are both: this is the least.
        evidence.files_total = Some(self.transfers.max(self.checks.saturating_sub(self.deletes)));
        evidence.files_changed = Some(self.transfers);
        evidence.deletes = Some(self.deletes);
        evidence.errors = Some(self.errors);
        evidence.duration = self.elapsed;
        if self.renames > 0 {
            draft.metric("files_renamed", self.renames as f64);
        }
        if self.errors > 0 {
            draft.judge(
                Outcome::Failed,
                &format!("{} errors", self.errors),
                &self.line,
            );
        } else if had_run == Outcome::Failed {
            // It has tried again, and all went well.
            draft.evidence.outcome = Outcome::Ok;
            draft.evidence.why = None;
            draft.show(&self.line);
        }
    }
}

pub(crate) fn document(notes: &mut Notes, json: &Value, line: &str) -> Option<String> {
    if let Some(level) = json.get("level").and_then(Value::as_str)
        && json.get("msg").is_some()
        && json.get("source").is_some()
    {
        return Some(json_log(notes, level, json, line));
    }
    if json.get("totalTransfers").is_some() && json.get("elapsedTime").is_some() {
        statistics(notes, json, None, line);
        return Some(String::new());
    }
    let success = json.get("success").and_then(Value::as_bool)?;
    if json.get("finished").is_some() && json.get("group").is_some() {
        return Some(job(notes, success, json, line));
    }
    None
}

/// A line of `--use-json-log`. The answer is what it says to people.
fn json_log(notes: &mut Notes, level: &str, json: &Value, line: &str) -> String {
    notes.speaker = Some(Tool::Rclone);
    if let Some(stats) = json.get("stats").filter(|stats| stats.is_object()) {
        let time = json.get("time").and_then(Value::as_str);
        let at = time.and_then(stamp).map(|(seconds, _)| seconds);
        statistics(notes, stats, at, line);
        return String::new();
    }
    let message = json_text(json, "msg").unwrap_or_default();
    let text = match json_text(json, "object") {
        Some(object) => format!("{object}: {message}"),
        None => message.clone(),
    };
    match level {
        "error" | "critical" | "alert" | "emergency" => error(notes, &message, &text),
        _ if message.contains("as --dry-run is set") => {
            notes.open(Tool::Rclone).evidence.dry_run = Some(true);
        }
        _ => {}
    }
    text
}

/// The object `stats` of a log line, or the answer of `core/stats`.
fn statistics(notes: &mut Notes, stats: &Value, at: Option<f64>, line: &str) {
    let number = |key: &str| json_whole(stats, key).unwrap_or(0);
    let numbers = Numbers {
        stamp: at,
        bytes: number("bytes"),
        transfers: number("transfers"),
        checks: number("checks"),
        deletes: number("deletes"),
        errors: number("errors"),
        renames: number("renames"),
        elapsed: seconds(stats, "elapsedTime"),
        line: excerpt(line, "\"bytes\"").into_owned(),
        only_bytes: false,
    };
    write(notes, numbers);
    if let Some(why) = json_text(stats, "lastError").filter(|_| number("errors") > 0) {
        notes.newest(Tool::Rclone).evidence.why = Some(why);
    }
}

/// The answer of `job/status`.
fn job(notes: &mut Notes, success: bool, json: &Value, line: &str) -> String {
    let line = excerpt(line, "\"success\"");
    let why = json_text(json, "error").unwrap_or_else(|| "the job failed".to_owned());
    let draft = notes.open(Tool::Rclone);
    draft.show(&line).duration = seconds(json, "duration");
    draft.complete = true;
    if success {
        return String::new();
    }
    draft.judge(Outcome::Failed, &why, &line);
    why
}

/// The output ended within the numbers.
pub(crate) fn finish(notes: &mut Notes) {
    end_block(notes);
}
