//! duplicity: the block `Backup Statistics` on stdout.

use super::Line;
use crate::Tool;
use crate::found::add;
use crate::notes::Notes;
use crate::text::{after, decimal, whole};

pub(crate) fn line(notes: &mut Notes, line: &Line<'_>) -> bool {
    let text = line.text;
    if text.contains("[ Backup Statistics ]") {
        notes.open(Tool::Duplicity);
        return true;
    }
    if let Some(why) = after(text, "Giving up after ").and_then(|rest| rest.split_once(". ")) {
        notes.stop(Tool::Duplicity, why.1, text);
        return true;
    }
    if let Some(why) = after(text, "duplicity: error: ") {
        notes.stop(Tool::Duplicity, why, text);
        return true;
    }
    let Some((name, number)) = text.split_once(' ') else {
        return false;
    };
    statistic(notes, name, number, text)
}

/// `SourceFileSize 320205 (313 KB)`. Elsewhere such a line means nothing: only within the block it counts.
fn statistic(notes: &mut Notes, name: &str, number: &str, text: &str) -> bool {
    let known = matches!(
        name,
        "SourceFiles"
            | "SourceFileSize"
            | "NewFiles"
            | "ChangedFiles"
            | "DeletedFiles"
            | "RawDeltaSize"
            | "TotalDestinationSizeChange"
            | "ElapsedTime"
            | "Errors"
    );
    let in_block = notes
        .known(Tool::Duplicity)
        .is_some_and(|draft| !draft.complete);
    if !known || !in_block {
        return false;
    }
    let Some(value) = whole(number.split(' ').next().unwrap_or(number)) else {
        return false;
    };
    let draft = notes.open(Tool::Duplicity);
    match name {
        // The source folder itself is counted, too: an empty one says 1.
        "SourceFiles" => draft.show(text).files_total = Some(value.saturating_sub(1)),
        "SourceFileSize" => draft.evidence.bytes_total = Some(value),
        "NewFiles" | "ChangedFiles" => add(&mut draft.evidence.files_changed, Some(value)),
        "DeletedFiles" => draft.evidence.deletes = Some(value),
        "RawDeltaSize" => draft.metric("bytes_delta", value as f64),
        "TotalDestinationSizeChange" => draft.evidence.bytes_added = Some(value),
        "ElapsedTime" => draft.evidence.duration = decimal(number),
        _ => {
            draft.evidence.errors = Some(value);
            if value > 0 {
                draft.judge(crate::Outcome::Warning, &format!("{value} errors"), text);
            }
            draft.complete = true;
        }
    }
    true
}
