//! `zfs send -v` (on stderr; with `-n` on stdout), and its parsable form with `-P`. The sizes are estimates.

use super::Line;
use crate::Tool;
use crate::found::add;
use crate::notes::Notes;
use crate::text::{Kilo, after, between, cut, size, whole};

pub(crate) fn line(notes: &mut Notes, line: &Line<'_>) -> bool {
    let text = line.text;
    parsable(notes, text) || verbose(notes, text) || failure(notes, text)
}

/// `full⇥pool/fs@s⇥123`, `incremental⇥a⇥pool/fs@b⇥123`, and at the end `size⇥123`.
fn parsable(notes: &mut Notes, text: &str) -> bool {
    let mut fields = text.split('\t');
    let kind = fields.next().unwrap_or_default();
    let last = fields.next_back().and_then(exact);
    match (kind, last) {
        ("full" | "incremental", Some(bytes)) => {
            let Some(snapshot) = fields.next_back().filter(|name| name.contains('@')) else {
                return false;
            };
            stream(notes, snapshot, Some(bytes), text);
        }
        // Others may print such a line, too.
        ("size", Some(bytes))
            if notes
                .known(Tool::ZfsSend)
                .is_some_and(|draft| !draft.complete) =>
        {
            total(notes, bytes, text);
        }
        _ => return false,
    }
    true
}

/// A field that is a number and nothing else.
fn exact(field: &str) -> Option<u64> {
    let digits = !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| whole(field))?
}

/// `full send of pool/fs@s estimated size is 12.5K`, `total estimated size is 1.2M`
fn verbose(notes: &mut Notes, text: &str) -> bool {
    if let Some(bytes) = after(text, "total estimated size is ") {
        let Some(bytes) = size(bytes, Kilo::Binary) else {
            return false;
        };
        total(notes, bytes, text);
        return true;
    }
    let Some((what, bytes)) = text.split_once(" estimated size is ") else {
        return false;
    };
    let snapshot = after(what, "full send of ").or_else(|| between(text, " to ", " estimated"));
    let Some(snapshot) = snapshot.filter(|name| name.contains('@')) else {
        return false;
    };
    stream(notes, snapshot, size(bytes, Kilo::Binary), text);
    true
}

/// One of the streams that are sent.
fn stream(notes: &mut Notes, snapshot: &str, bytes: Option<u64>, text: &str) {
    let draft = notes.open(Tool::ZfsSend);
    draft.count("snapshots");
    let evidence = draft.show(text);
    evidence.snapshot = Some(cut(snapshot, 200));
    add(&mut evidence.bytes_total, bytes);
}

/// The size of all streams together, which ends their list.
fn total(notes: &mut Notes, bytes: u64, text: &str) {
    let draft = notes.open(Tool::ZfsSend);
    draft.show(text).bytes_total = Some(bytes);
    draft.complete = true;
}

fn failure(notes: &mut Notes, text: &str) -> bool {
    let said = text.strip_prefix("warning: ").unwrap_or(text);
    let sending = said.starts_with("cannot send '") || said.starts_with("cannot receive ");
    let opening = said.starts_with("cannot open '") && said.ends_with(": dataset does not exist");
    let why = said
        .split_once("': ")
        .or_else(|| said.split_once(": "))
        .map(|(_, why)| why);
    let Some(why) = why.filter(|_| sending || opening) else {
        return false;
    };
    if sending
        && notes
            .known(Tool::ZfsSend)
            .is_some_and(|draft| draft.complete && draft.evidence.why.is_none())
    {
        // The estimate comes before the sending.
        notes
            .newest(Tool::ZfsSend)
            .judge(crate::Outcome::Failed, why, text);
    } else {
        notes.stop(Tool::ZfsSend, why, text);
    }
    true
}
