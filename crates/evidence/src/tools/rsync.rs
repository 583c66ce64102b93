//! rsync: `--stats` or the two closing lines of `-v`, on stdout; errors on stderr. The digits are grouped as the
//! locale has it, or end in `K`, `M`… with `-h` (1000).

use super::Line;
use crate::found::{Evidence, Outcome};
use crate::notes::Notes;
use crate::text::{Kilo, after, between, shown, size, whole};
use crate::{Tool, exit};

/// Exit codes of runs that went on to the end, and print their numbers.
const GOES_ON: [i32; 3] = [23, 24, 25];

/// The exit code of a run during which files vanished.
const VANISHED: i32 = 24;

/// What was named before the closing lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    named_deletions: u64,
    /// The line of the first file that vanished.
    vanished: Option<String>,
}

pub(crate) fn line(notes: &mut Notes, line: &Line<'_>) -> bool {
    let text = line.text;
    if let Some(rest) = after(text, "Number of ") {
        return number_of(notes, rest, text);
    }
    if let Some(rest) = after(text, "Total ") {
        return total(notes, rest, text);
    }
    if let Some(rest) = after(text, "Literal data: ") {
        numbers(notes).bytes_added = size(rest, Kilo::Thousand);
        return true;
    }
    if text.starts_with("total size is ") && text.contains("speedup is ") {
        closing(notes, text);
        return true;
    }
    if text.starts_with("sent ") && text.contains(" bytes  received ") {
        sent(notes, text);
        return true;
    }
    if text.starts_with("deleting ") || text.starts_with("*deleting ") {
        // Without `--stats` the deleted files are only named; a folder's name ends in a slash. Others say "deleting",
        // too, so it counts with rsync's closing line.
        if !text.ends_with('/') {
            notes.rsync.named_deletions += 1;
        }
        return true;
    }
    if text.starts_with("file has vanished: ") || text.starts_with("directory has vanished: ") {
        notes.rsync.vanished.get_or_insert_with(|| shown(text));
        return true;
    }
    if text.starts_with("rsync: ")
        || text.starts_with("rsync error: ")
        || text.starts_with("rsync warning: ")
    {
        complaint(notes, text);
        return true;
    }
    false
}

/// The evidence whose numbers are being read.
fn numbers(notes: &mut Notes) -> &mut Evidence {
    &mut notes.open(Tool::Rsync).evidence
}

/// `Number of files: 16 (reg: 13, dir: 2, link: 1)` and the like.
fn number_of(notes: &mut Notes, rest: &str, text: &str) -> bool {
    let Some((what, number)) = rest.split_once(": ") else {
        return false;
    };
    match what {
        // Borg has a line that begins in the same way.
        "files" if notes.borg.in_report() => return false,
        "files" => {
            if notes.open(Tool::Rsync).evidence.files_total.is_some() {
                notes.open(Tool::Rsync).complete = true;
            }
            let draft = notes.open(Tool::Rsync);
            draft.show(text).files_total = regular(number);
        }
        "created files" => {
            if let Some(created) = regular(number) {
                notes
                    .open(Tool::Rsync)
                    .metric("files_created", created as f64);
            }
        }
        "deleted files" => numbers(notes).deletes = regular(number),
        // Before 3.1 it was `Number of files transferred`.
        "regular files transferred" | "files transferred" => {
            numbers(notes).files_changed = whole(number);
        }
        _ => return false,
    }
    true
}

/// The regular files of `16 (reg: 13, dir: 2)`. An old rsync does not tell them apart.
fn regular(number: &str) -> Option<u64> {
    match number.split_once(" (") {
        None => whole(number),
        Some((_, kinds)) => match kinds.split_once("reg: ") {
            None => Some(0),
            Some((_, regular)) => whole(regular.split(", ").next().unwrap_or(regular)),
        },
    }
}

fn total(notes: &mut Notes, rest: &str, text: &str) -> bool {
    let Some((what, number)) = rest.split_once(": ") else {
        return false;
    };
    let Some(bytes) = size(number, Kilo::Thousand) else {
        return false;
    };
    match what {
        "file size" => {
            let draft = notes.open(Tool::Rsync);
            draft.evidence.bytes_total = Some(bytes);
            if draft.evidence.line.is_empty() {
                draft.show(text);
            }
        }
        "transferred file size" => {
            numbers(notes).bytes_added.get_or_insert(bytes);
        }
        "bytes sent" => notes.open(Tool::Rsync).metric("bytes_sent", bytes as f64),
        "bytes received" => notes
            .open(Tool::Rsync)
            .metric("bytes_received", bytes as f64),
        _ => return false,
    }
    true
}

/// `sent 312,968 bytes  received 277 bytes  626,490.00 bytes/sec`
fn sent(notes: &mut Notes, text: &str) {
    let draft = notes.open(Tool::Rsync);
    for (name, start) in [("bytes_sent", "sent "), ("bytes_received", " received ")] {
        if let Some(bytes) =
            between(text, start, " bytes").and_then(|number| size(number, Kilo::Thousand))
        {
            draft.metric(name, bytes as f64);
        }
    }
}

/// The last line: `total size is 312,013  speedup is 1.00 (DRY RUN)`.
fn closing(notes: &mut Notes, text: &str) {
    let draft = notes.open(Tool::Rsync);
    if draft.evidence.line.is_empty() {
        draft.show(text);
    }
    let evidence = &mut draft.evidence;
    if evidence.bytes_total.is_none() {
        evidence.bytes_total =
            between(text, "total size is ", " ").and_then(|number| size(number, Kilo::Thousand));
    }
    evidence.dry_run = Some(text.ends_with("(DRY RUN)"));
    draft.complete = true;
    let named = std::mem::take(&mut notes.rsync.named_deletions);
    let evidence = &mut notes.newest(Tool::Rsync).evidence;
    if evidence.deletes.is_none() && named > 0 {
        evidence.deletes = Some(named);
    }
}

/// `rsync error: … (code 23) at main.c(1394) [sender=3.5.0]`, or a message about one file.
fn complaint(notes: &mut Notes, text: &str) {
    let code = between(text, "(code ", ")").and_then(|code| code.parse().ok());
    let version = between(text, "=", "]")
        .filter(|version| version.starts_with(|char: char| char.is_ascii_digit()));
    match code {
        Some(code) => ended(notes, code, text),
        None if text.starts_with("rsync warning: ") => {
            notes.warning(Tool::Rsync, &text["rsync warning: ".len()..], text);
        }
        None if is_about_a_file(text) => notes.error(Tool::Rsync, text),
        None => {
            notes.speaker = Some(Tool::Rsync);
        }
    }
    if let Some(version) = version.filter(|_| code.is_some()) {
        notes.newest(Tool::Rsync).evidence.version = Some(crate::text::cut(version, 40));
    }
}

/// Whether a message is about one file that could not be copied.
fn is_about_a_file(text: &str) -> bool {
    let verbs = [
        "send_files failed",
        "failed: ",
        "failed to open",
        "write failed",
        "read errors",
        "failed verification",
    ];
    verbs.iter().any(|verb| text.contains(verb))
}

/// Whether another process of the same run has ended before with words of its own: sender, receiver, generator.
fn other_side_said(before: &str, text: &str) -> bool {
    let side = |line: &str| -> Option<String> {
        let (_, rest) = line.rsplit_once('[')?;
        rest.split_once('=')
            .map(|(side, _)| side.to_ascii_lowercase())
    };
    before.starts_with("rsync error: ")
        && side(before)
            .zip(side(text))
            .is_some_and(|(one, other)| one != other)
}

/// rsync says its exit code itself, after its numbers, if it prints those.
fn ended(notes: &mut Notes, code: i32, text: &str) {
    let meaning = exit::meaning(Some(Tool::Rsync), code);
    let why = format!("{} (code {code})", meaning.text);
    // Which file it was says more than that there was one.
    let vanished = notes.rsync.vanished.take().filter(|_| code == VANISHED);
    let line = vanished.as_deref().unwrap_or(text);
    let closed = notes
        .known(Tool::Rsync)
        .is_some_and(|draft| draft.complete && draft.evidence.outcome == Outcome::Ok);
    if notes
        .known(Tool::Rsync)
        .is_some_and(|draft| other_side_said(&draft.evidence.line, text))
    {
        notes.speaker = Some(Tool::Rsync);
    } else if !GOES_ON.contains(&code) {
        notes.stop(Tool::Rsync, &why, text);
    } else if closed {
        notes.newest(Tool::Rsync).judge(meaning.outcome, &why, line);
    } else {
        let draft = notes.open(Tool::Rsync);
        // What was said about one file is less than this.
        draft.evidence.outcome = Outcome::Ok;
        draft.judge(meaning.outcome, &why, line);
    }
}
