//! borg 1.x and 2.x: `--stats` on stderr, `--json` on stdout, `--log-json` on stderr.

use serde_json::Value;

use super::{Line, seconds, text as json_text, whole as json_whole};
use crate::Tool;
use crate::found::Outcome;
use crate::notes::Notes;
use crate::text::{Kilo, after, between, cut, excerpt, size, whole, worded_duration};

/// What a file or an archive could not be read for is said in this way: `PATH: open: [Errno 13] Permission denied`.
const STEPS: [&str; 9] = [
    "open", "stat", "read", "scandir", "listdir", "readlink", "fstat", "dir_open", "flags",
];

/// Lines with which borg says that it ends.
const ENDS: [(&str, &str, &str); 8] = [
    (
        "Archive ",
        " already exists",
        "the archive's name is taken already",
    ),
    (
        "Failed to create/acquire the lock ",
        "",
        "the repository is locked",
    ),
    (
        "Repository ",
        " does not exist.",
        "the repository is not there",
    ),
    (
        "Repository ",
        " already exists.",
        "the repository is there already",
    ),
    (
        "Repository ",
        " is not a valid repository",
        "this is no repository",
    ),
    ("Cannot acquire a passphrase", "", "there is no passphrase"),
    (
        "passphrase supplied in ",
        " is incorrect.",
        "the passphrase is wrong",
    ),
    ("Local Exception", "", "borg stopped with an exception"),
];

/// Where in a report we are.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    in_report: bool,
}

impl State {
    /// Whether the lines that come are those of a report, so that `Number of files` is borg's.
    pub(crate) const fn in_report(&self) -> bool {
        self.in_report
    }
}

pub(crate) fn line(notes: &mut Notes, line: &Line<'_>) -> bool {
    let text = line.text;
    if let Some(name) = after(text, "Archive name: ") {
        notes.borg.in_report = true;
        notes.open(Tool::Borg).evidence.snapshot = Some(cut(name, 200));
        return true;
    }
    if notes.borg.in_report && report(notes, text) {
        return true;
    }
    if let Some(rest) = after(text, "This archive: ") {
        sizes(notes, rest);
        return true;
    }
    failure(notes, text) || closing(notes, text)
}

/// A line of the report that `--stats` prints.
fn report(notes: &mut Notes, text: &str) -> bool {
    let draft = notes.open(Tool::Borg);
    if let Some(time) = after(text, "Duration: ") {
        draft.evidence.duration = worded_duration(time);
    } else if let Some(number) = after(text, "Number of files: ") {
        draft.show(text).files_total = whole(number);
    } else if let Some(bytes) = after(text, "Original size: ") {
        draft.evidence.bytes_total = size(bytes, Kilo::Thousand);
    } else if let Some(bytes) = after(text, "Deduplicated size: ") {
        // Borg 2 has no table; this is its last line.
        draft.evidence.bytes_added = size(bytes, Kilo::Thousand);
        draft.complete = true;
        notes.borg.in_report = false;
    } else {
        return false;
    }
    true
}

/// `This archive:  312.50 kB  312.51 kB  480 B`: original, compressed, deduplicated.
fn sizes(notes: &mut Notes, rest: &str) {
    notes.borg.in_report = false;
    let draft = notes.open(Tool::Borg);
    let mut words = rest.split_whitespace();
    let mut columns = Vec::new();
    while let (Some(number), Some(unit)) = (words.next(), words.next()) {
        columns.push(size(&format!("{number} {unit}"), Kilo::Thousand));
    }
    if let [original, compressed, deduplicated] = columns[..] {
        draft.evidence.bytes_total = original;
        draft.evidence.bytes_added = deduplicated;
        if let Some(compressed) = compressed {
            draft.metric("bytes_compressed", compressed as f64);
        }
    }
    draft.complete = true;
}

/// What went wrong: one file, or all.
fn failure(notes: &mut Notes, text: &str) -> bool {
    if let Some(at) = text.find(": [Errno ") {
        let step = text[..at].rsplit_once(": ").map(|(_, step)| step);
        if step.is_some_and(|step| STEPS.contains(&step)) {
            notes.warning(Tool::Borg, "not everything could be read", text);
            return true;
        }
    }
    let of_file = text.ends_with(": file changed while we backed it up")
        || text.ends_with(": file not found");
    if of_file {
        notes.warning(Tool::Borg, "not everything could be read", text);
        return true;
    }
    // `check`, and whoever meets the same by chance; it is said once for each place.
    let damaged = text.starts_with("Data integrity error: ")
        || text.ends_with("repository check, errors found.")
        || text == "Archive consistency check complete, problems found.";
    if damaged {
        let draft = notes.newest(Tool::Borg);
        draft.judge(Outcome::Failed, "the repository is damaged", text);
        return true;
    }
    // A prompt without an end of line may stand before it.
    let text_after_prompt = text
        .find("Cannot acquire a passphrase")
        .map_or(text, |at| &text[at..]);
    for (start, end, why) in ENDS {
        if text_after_prompt.starts_with(start) && text_after_prompt.ends_with(end) {
            notes.stop(Tool::Borg, why, text);
            return true;
        }
    }
    false
}

/// Its version in a report of a crash, and what `--show-rc` says at the end.
fn closing(notes: &mut Notes, text: &str) -> bool {
    if let Some(version) = between(text, "Borg: ", "  Python: ") {
        notes.newest(Tool::Borg).evidence.version = Some(cut(version, 40));
        return true;
    }
    let Some(rest) = after(text, "terminating with ") else {
        return false;
    };
    let outcome = match rest.split(' ').next() {
        Some("success") => Outcome::Ok,
        Some("warning") => Outcome::Warning,
        Some("error") => Outcome::Failed,
        _ => return false,
    };
    let draft = notes.newest(Tool::Borg);
    draft.judge(outcome, rest, text);
    draft.complete = true;
    true
}

pub(crate) fn document(notes: &mut Notes, json: &Value, line: &str) -> Option<String> {
    if json
        .get("archive")
        .is_some_and(|archive| archive.get("stats").is_some())
    {
        create(notes, Tool::Borg, json, line);
        return Some(String::new());
    }
    if json.get("type")?.as_str()? != "log_message" || json.get("levelname").is_none() {
        return None;
    }
    let message = json_text(json, "message").unwrap_or_default();
    // A message that is also said without JSON means the same here.
    if failure(notes, &message) || closing(notes, &message) {
        return Some(message);
    }
    match json.get("levelname").and_then(Value::as_str) {
        Some("WARNING") => notes.warning(Tool::Borg, "not everything could be read", &message),
        Some("ERROR" | "CRITICAL") => notes.stop(Tool::Borg, &message, &message),
        _ => notes.speaker = Some(Tool::Borg),
    }
    Some(message)
}

/// What `create --json` prints, for borg or for borgmatic.
pub(super) fn create(notes: &mut Notes, tool: Tool, json: &Value, line: &str) {
    let draft = notes.open(tool);
    let archive = json.get("archive").unwrap_or(&Value::Null);
    let stats = archive.get("stats").unwrap_or(&Value::Null);
    let evidence = draft.show(&excerpt(line, "\"nfiles\""));
    evidence.files_total = json_whole(stats, "nfiles");
    evidence.bytes_total = json_whole(stats, "original_size");
    evidence.bytes_added = json_whole(stats, "deduplicated_size");
    evidence.duration = seconds(archive, "duration");
    evidence.snapshot = json_text(archive, "name");
    if let Some(compressed) = json_whole(stats, "compressed_size") {
        draft.metric("bytes_compressed", compressed as f64);
    }
    draft.complete = true;
}
