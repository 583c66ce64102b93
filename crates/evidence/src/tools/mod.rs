//! What each tool prints. One module a tool; each looks at one line (or one JSON document) and says whether it
//! was its own. None of them knows on which stream a line came: a body that holds both reads the same.

pub(crate) mod borg;
mod borgmatic;
pub(crate) mod dumps;
mod duplicity;
mod kopia;
mod pg_basebackup;
pub(crate) mod rclone;
mod restic;
pub(crate) mod rsync;
mod snapraid;
mod sqlite3;
mod tar;
mod zfs;

use serde_json::Value;

use crate::notes::Notes;

/// A line of text, without the time that a log put before it.
pub(crate) struct Line<'a> {
    /// What it says.
    pub(crate) text: &'a str,
    /// The time at its start, if there was one, in seconds.
    pub(crate) stamp: Option<f64>,
    /// Whether that was written as Go programs do: `2026/11/22 11:19:51`.
    pub(crate) slashed: bool,
}

/// The tools' readers of lines, in the order in which they are asked. The first that knows a line has it.
const READERS: [fn(&mut Notes, &Line<'_>) -> bool; 13] = [
    rsync::line,
    restic::line,
    borg::line,
    rclone::line,
    borgmatic::line,
    duplicity::line,
    kopia::line,
    dumps::line,
    pg_basebackup::line,
    tar::line,
    snapraid::line,
    sqlite3::line,
    zfs::line,
];

/// Gives a line to the tool whose words it is.
pub(crate) fn line(notes: &mut Notes, line: &Line<'_>) {
    let _known = READERS.iter().any(|read| read(notes, line));
}

/// Gives a JSON document to the tool whose words it is. The answer is the message in it, if it is one that says
/// something to people.
pub(crate) fn document(notes: &mut Notes, json: &Value, line: &str) -> Option<String> {
    restic::document(notes, json, line)
        .or_else(|| borg::document(notes, json, line))
        .or_else(|| borgmatic::document(notes, json, line))
        .or_else(|| rclone::document(notes, json, line))
        .or_else(|| kopia::document(notes, json, line))
        .or_else(|| plain_message(json))
}

/// The output is over: what was waiting for its end is written down.
pub(crate) fn finish(notes: &mut Notes) {
    rclone::finish(notes);
    dumps::finish(notes);
}

/// The message of some other program's log line.
fn plain_message(json: &Value) -> Option<String> {
    let keys = ["message", "msg", "error", "err"];
    let mut texts = keys.iter().filter_map(|key| json.get(key)?.as_str());
    texts.next().map(str::to_owned)
}

/// A whole number in a JSON object. A number that is negative or has a fraction is none.
pub(crate) fn whole(json: &Value, key: &str) -> Option<u64> {
    json.get(key)?.as_u64()
}

/// A text in a JSON object that is not empty.
pub(crate) fn text(json: &Value, key: &str) -> Option<String> {
    let text = json.get(key)?.as_str()?;
    (!text.is_empty()).then(|| crate::text::cut(text, crate::LINE_SHOWN_CHARS_MAX))
}

/// Seconds in a JSON object, never negative.
pub(crate) fn seconds(json: &Value, key: &str) -> Option<f64> {
    let seconds = json.get(key)?.as_f64()?;
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
}
