//! `pg_basebackup -P -v`, on stderr.

use super::Line;
use crate::Tool;
use crate::found::add;
use crate::notes::Notes;
use crate::text::{after, whole};

pub(crate) fn line(notes: &mut Notes, line: &Line<'_>) -> bool {
    let text = line.text;
    if let Some(message) = after(text, "pg_basebackup: ") {
        said(notes, message, text);
        return true;
    }
    progress(notes, text)
}

fn said(notes: &mut Notes, message: &str, text: &str) {
    if let Some(why) = message
        .strip_prefix("error: ")
        .or_else(|| message.strip_prefix("fatal: "))
    {
        notes.stop(Tool::PgBasebackup, why, text);
    } else if message.starts_with("warning: ") {
        // Counted, not judged by.
        let draft = notes.open(Tool::PgBasebackup);
        add(&mut draft.evidence.warnings, Some(1));
    } else {
        let draft = notes.open(Tool::PgBasebackup);
        draft.show(text);
        draft.complete = message == "base backup completed";
    }
}

/// `32770/32770 kB (100%), 1/1 tablespace`: it is told again and again, and counts in units of 1024 bytes.
fn progress(notes: &mut Notes, text: &str) -> bool {
    let Some((numbers, rest)) = text.trim_start().split_once(" kB (") else {
        return false;
    };
    if !rest.contains(" tablespace") {
        return false;
    }
    let Some(done) = numbers.split('/').next().and_then(whole) else {
        return false;
    };
    let bytes = done.saturating_mul(1024);
    let draft = notes.open(Tool::PgBasebackup);
    draft.show(text).bytes_total = Some(bytes);
    draft.evidence.bytes_added = Some(bytes);
    true
}
