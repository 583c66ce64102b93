//! kopia: the manifest that `snapshot create --json` prints, and what it logs on stderr.

use serde_json::Value;

use super::{Line, text as json_text, whole as json_whole};
use crate::Tool;
use crate::found::Outcome;
use crate::notes::Notes;
use crate::text::{between, cut, excerpt, go_duration, stamp, whole};

pub(crate) fn line(notes: &mut Notes, line: &Line<'_>) -> bool {
    let text = line.text;
    if text.starts_with("Created") && text.contains(" snapshot with root ") {
        created(notes, text);
    } else if text.starts_with("Ignored ") && text.contains(" error(s) while snapshotting ") {
        let ignored = between(text, "Ignored ", " error(s)").and_then(whole);
        let draft = notes.newest(Tool::Kopia);
        draft.evidence.warnings = ignored;
        draft.judge(Outcome::Warning, "errors were ignored", text);
    } else if text.contains(" fatal error(s) while snapshotting ") {
        let fatal = between(text, "Found ", " fatal error(s)").and_then(whole);
        let draft = notes.newest(Tool::Kopia);
        draft.evidence.errors = fatal;
        draft.judge(Outcome::Failed, "there were fatal errors", text);
    } else if text.starts_with("Snapshotting ") && text.ends_with(" ...") {
        notes.open(Tool::Kopia).show(text);
    } else {
        return false;
    }
    true
}

/// `Created snapshot with root k1 and ID 5f in 3s`
fn created(notes: &mut Notes, text: &str) {
    let draft = notes.open(Tool::Kopia);
    let evidence = draft.show(text);
    if let Some((_, rest)) = text.split_once(" and ID ") {
        let (id, time) = rest.split_once(" in ").unwrap_or((rest, ""));
        evidence.snapshot = Some(cut(id, 64));
        evidence.duration = go_duration(time);
    }
    if text.starts_with("Created partial ") {
        draft.judge(Outcome::Failed, "the snapshot is not whole", text);
    }
    draft.complete = true;
}

pub(crate) fn document(notes: &mut Notes, json: &Value, line: &str) -> Option<String> {
    if let Some(list) = json.as_array() {
        let mut manifests = list
            .iter()
            .filter(|one| one.get("rootEntry").is_some())
            .peekable();
        manifests.peek()?;
        manifests.for_each(|one| manifest(notes, one, line));
        return Some(String::new());
    }
    json.get("rootEntry")?;
    json.get("source")?;
    manifest(notes, json, line);
    Some(String::new())
}

fn manifest(notes: &mut Notes, json: &Value, line: &str) {
    let nothing = Value::Null;
    let stats = json.get("stats").unwrap_or(&nothing);
    let summary = json
        .get("rootEntry")
        .and_then(|root| root.get("summ"))
        .unwrap_or(&nothing);
    let line = &excerpt(line, "\"files\"");
    let draft = notes.open(Tool::Kopia);
    let evidence = draft.show(line);
    evidence.snapshot = json_text(json, "id");
    evidence.files_total = json_whole(summary, "files").or_else(|| json_whole(stats, "fileCount"));
    evidence.bytes_total = json_whole(summary, "size")
        .or_else(|| json_whole(stats, "totalSize"))
        .or_else(|| json_whole(stats, "totalFileSize"));
    evidence.files_changed = json_whole(stats, "nonCachedFiles");
    evidence.errors = json_whole(stats, "errorCount").or_else(|| json_whole(summary, "numFailed"));
    evidence.warnings = json_whole(stats, "ignoredErrorCount");
    let time = |key: &str| stamp(json.get(key)?.as_str()?).map(|(seconds, _)| seconds);
    let times = time("startTime").zip(time("endTime"));
    evidence.duration = times.map(|(start, end)| (end - start).max(0.0));
    draft.complete = true;
    let (errors, warnings) = (draft.evidence.errors, draft.evidence.warnings);
    if let Some(reason) = json_text(json, "incomplete") {
        draft.judge(
            Outcome::Failed,
            &format!("the snapshot is not whole: {reason}"),
            line,
        );
    } else if errors.is_some_and(|errors| errors > 0) {
        draft.judge(Outcome::Failed, "there were errors", line);
    } else if warnings.is_some_and(|warnings| warnings > 0) {
        draft.judge(Outcome::Warning, "errors were ignored", line);
    }
}
