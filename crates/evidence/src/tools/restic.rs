//! restic: text and `--json`, the numbers on stdout, errors on stderr.

use serde_json::Value;

use super::{Line, seconds, text as json_text, whole as json_whole};
use crate::Tool;
use crate::found::Outcome;
use crate::notes::Notes;
use crate::text::{Kilo, after, between, clock_duration, cut, excerpt, size, whole};

/// The last words of a run that went on without some of its source.
const PARTIAL: &str = "at least one source file could not be read";

pub(crate) fn line(notes: &mut Notes, line: &Line<'_>) -> bool {
    let text = line.text;
    if let Some(why) = after(text, "Fatal: ") {
        notes.stop(Tool::Restic, why, text);
    } else if text.starts_with("Files: ") && text.ends_with(" unmodified") {
        files(notes, text);
    } else if text.starts_with("processed ") && text.contains(" files, ") && took(text).is_some() {
        processed(notes, text);
    } else if let Some(rest) = added(text) {
        let draft = notes.open(Tool::Restic);
        draft.evidence.bytes_added = size(rest, Kilo::Binary);
        draft.evidence.dry_run = Some(text.starts_with("Would"));
    } else if let Some(id) = saved(text) {
        notes.newest(Tool::Restic).evidence.snapshot = Some(cut(id, 64));
    } else if text.contains(PARTIAL) {
        partial(notes, text);
    } else if text == "no errors were found" {
        let draft = notes.open(Tool::Restic);
        draft.show(text).errors = Some(0);
        draft.complete = true;
    } else if text.starts_with("restic ") && text.contains(" compiled with ") {
        let version = text.split(' ').nth(1).unwrap_or_default();
        notes.open(Tool::Restic).evidence.version = Some(cut(version, 40));
    } else {
        return false;
    }
    true
}

/// `Files: 0 new, 0 changed, 13 unmodified`
fn files(notes: &mut Notes, text: &str) {
    let draft = notes.open(Tool::Restic);
    let mut numbers = text["Files: ".len()..]
        .split(',')
        .map(|part| whole(part.trim()));
    let (new, changed) = (numbers.next().flatten(), numbers.next().flatten());
    draft.evidence.files_changed = new
        .zip(changed)
        .map(|(new, changed)| new.saturating_add(changed));
}

/// `processed 13 files, 304.693 KiB in 0:00`
fn processed(notes: &mut Notes, text: &str) {
    let draft = notes.open(Tool::Restic);
    let evidence = draft.show(text);
    evidence.files_total = between(text, "processed ", " files").and_then(whole);
    if let Some((_, rest)) = text.split_once(" files, ") {
        evidence.bytes_total = size(rest, Kilo::Binary);
    }
    evidence.duration = took(text);
    draft.complete = true;
}

/// The time at the end of `processed 13 files, 304.693 KiB in 0:00`.
fn took(text: &str) -> Option<f64> {
    let (_, time) = text.rsplit_once(" in ")?;
    clock_duration(time)
}

/// The id in `snapshot de13ad41 saved`.
fn saved(text: &str) -> Option<&str> {
    let id = text.strip_prefix("snapshot ")?.strip_suffix(" saved")?;
    let is_id = id.len() >= 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then_some(id)
}

/// `Added to the repository: 0 B`, `Would add to the repo: …`
fn added(text: &str) -> Option<&str> {
    let rest = text
        .strip_prefix("Added to the repo")
        .or_else(|| text.strip_prefix("Would add to the repo"))?;
    rest.trim_start_matches("sitory").strip_prefix(": ")
}

/// The last words of a run that could not read everything.
fn partial(notes: &mut Notes, text: &str) {
    let closed = notes
        .known(Tool::Restic)
        .is_some_and(|draft| draft.complete);
    let draft = if closed {
        notes.newest(Tool::Restic)
    } else {
        notes.open(Tool::Restic)
    };
    if draft.evidence.outcome == Outcome::Warning {
        // What was said about one file is less than this.
        draft.evidence.outcome = Outcome::Ok;
    }
    if draft.evidence.outcome == Outcome::Ok {
        draft.judge(Outcome::Warning, PARTIAL, text);
    }
}

pub(crate) fn document(notes: &mut Notes, json: &Value, line: &str) -> Option<String> {
    if let Some(groups) = json.as_array().filter(|groups| {
        groups
            .first()
            .is_some_and(|group| group.get("keep").is_some())
    }) {
        forget(notes, groups, line);
        return Some(String::new());
    }
    match json.get("message_type")?.as_str()? {
        "summary" => {
            summary(notes, json, line);
            Some(String::new())
        }
        "error" => {
            let message = error_message(json);
            notes.error(Tool::Restic, &message);
            Some(message)
        }
        "exit_error" => {
            let message = json_text(json, "message").unwrap_or_default();
            let why = message.trim_start_matches("Fatal: ").to_owned();
            // `Warning: at least one source file could not be read` is said in this form, too.
            if why.contains(PARTIAL) {
                partial(notes, &message);
            } else {
                notes.stop(Tool::Restic, &why, &message);
            }
            Some(message)
        }
        _ => Some(String::new()),
    }
}

fn summary(notes: &mut Notes, json: &Value, line: &str) {
    let draft = notes.open(Tool::Restic);
    let evidence = draft.show(&excerpt(line, "\"total_files_processed\""));
    evidence.files_total = json_whole(json, "total_files_processed");
    evidence.files_changed = json_whole(json, "files_new")
        .zip(json_whole(json, "files_changed"))
        .map(|(new, changed)| new.saturating_add(changed));
    evidence.bytes_total = json_whole(json, "total_bytes_processed");
    evidence.bytes_added = json_whole(json, "data_added");
    evidence.duration = seconds(json, "total_duration");
    evidence.snapshot = json_text(json, "snapshot_id");
    evidence.dry_run = json.get("dry_run").and_then(Value::as_bool);
    draft.complete = true;
}

/// The words of an error: since 0.17 its message, before that its parts.
fn error_message(json: &Value) -> String {
    let error = json.get("error").unwrap_or(&Value::Null);
    let item = json_text(json, "item")
        .or_else(|| json_text(error, "Path"))
        .unwrap_or_default();
    let message = json_text(error, "message").or_else(|| error.as_str().map(str::to_owned));
    let message = message.unwrap_or_else(|| {
        let operation = json_text(error, "Op").unwrap_or_else(|| "read".to_owned());
        match json_whole(error, "Err") {
            Some(2) => format!("{operation}: no such file or directory"),
            Some(5) => format!("{operation}: input/output error"),
            Some(13) => format!("{operation}: permission denied"),
            Some(number) => format!("{operation}: [Errno {number}]"),
            None => format!("{operation} failed"),
        }
    });
    if item.is_empty() || message.contains(&item) {
        message
    } else {
        format!("{item}: {message}")
    }
}

/// `forget --json`: how many snapshots stayed and how many went.
fn forget(notes: &mut Notes, groups: &[Value], line: &str) {
    let count = |key: &str| -> u64 {
        let lists = groups.iter().filter_map(|group| group.get(key)?.as_array());
        lists.map(|list| list.len() as u64).sum()
    };
    let (kept, removed) = (count("keep"), count("remove"));
    let draft = notes.open(Tool::Restic);
    draft.show(&excerpt(line, "\"keep\""));
    draft.metric("snapshots_kept", kept as f64);
    draft.metric("snapshots_removed", removed as f64);
    draft.complete = true;
}
