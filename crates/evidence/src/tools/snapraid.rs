//! snapraid: `diff`, `sync`, `scrub`, `status`; what it says on stdout, warnings on stderr.

use super::Line;
use crate::Tool;
use crate::found::{Outcome, add};
use crate::notes::Notes;
use crate::text::{after, between, cut, whole};

/// How its output begins. Its closing words are everybody's words, so they count only after one of these.
const BEGINS: [&str; 3] = [
    "Self test...",
    "Loading state from ",
    "SnapRAID status report:",
];

pub(crate) fn line(notes: &mut Notes, line: &Line<'_>) -> bool {
    let text = line.text;
    let known = notes.known(Tool::Snapraid).is_some();
    if BEGINS.iter().any(|begin| text.starts_with(begin)) {
        if !known {
            notes.open(Tool::Snapraid).show(text);
        }
        return true;
    }
    match text {
        "Everything OK" | "No error detected." | "Nothing to do" if known => {
            let draft = notes.open(Tool::Snapraid);
            draft.show(text).errors = Some(0);
            draft.complete = true;
            return true;
        }
        "There are differences!" | "No differences" if known => {
            notes.newest(Tool::Snapraid).complete = true;
            return true;
        }
        _ => {}
    }
    if text.starts_with("WARNING! All the files previously present in disk ") {
        notes.stop(Tool::Snapraid, "all files of a disk are missing", text);
    } else if text.starts_with("WARNING! The array is NOT fully synced") {
        notes.warning(Tool::Snapraid, "the array is not fully synced", text);
    } else if let Some(danger) = after(text, "DANGER! ").filter(|_| known) {
        let draft = notes.newest(Tool::Snapraid);
        draft.judge(Outcome::Failed, danger, text);
    } else if text.starts_with("Disk '") && text.ends_with(" are on the same device.") {
        notes.stop(
            Tool::Snapraid,
            "a disk and its parity are on the same device",
            text,
        );
    } else if let Some(version) = between(text, "snapraid v", " by ") {
        notes.open(Tool::Snapraid).evidence.version = Some(cut(version, 40));
    } else {
        return difference(notes, text) || errors(notes, text);
    }
    true
}

/// `   39710 equal`, one line for each kind of difference.
fn difference(notes: &mut Notes, text: &str) -> bool {
    let Some((number, what)) = text.trim_start().split_once(' ') else {
        return false;
    };
    let known = matches!(
        what,
        "equal" | "added" | "removed" | "updated" | "moved" | "copied" | "relocated" | "restored"
    );
    let Some(number) =
        whole(number).filter(|_| known && number.bytes().all(|byte| byte.is_ascii_digit()))
    else {
        return false;
    };
    if what == "equal" {
        // The first of the list, so a list begins.
        if notes.open(Tool::Snapraid).evidence.files_total.is_some() {
            notes.open(Tool::Snapraid).complete = true;
        }
        notes.open(Tool::Snapraid).show(text).files_total = Some(0);
    } else if notes
        .known(Tool::Snapraid)
        .is_none_or(|draft| draft.evidence.files_total.is_none())
    {
        return false;
    }
    let evidence = &mut notes.open(Tool::Snapraid).evidence;
    if what == "removed" {
        evidence.deletes = Some(number);
    } else {
        add(&mut evidence.files_total, Some(number));
    }
    if matches!(what, "added" | "updated" | "copied" | "restored") {
        add(&mut evidence.files_changed, Some(number));
    }
    true
}

/// The end of a sync or a scrub that found errors: `       3 file errors`, `       0 data errors`.
fn errors(notes: &mut Notes, text: &str) -> bool {
    let Some(rest) = ["file errors", "io errors", "data errors"]
        .iter()
        .find_map(|what| text.trim_start().strip_suffix(what))
    else {
        return false;
    };
    let Some(number) = after(rest, "")
        .and_then(whole)
        .filter(|_| notes.known(Tool::Snapraid).is_some())
    else {
        return false;
    };
    let draft = notes.newest(Tool::Snapraid);
    add(&mut draft.evidence.errors, Some(number));
    if number > 0 {
        draft.judge(Outcome::Failed, text.trim(), text);
    }
    true
}
