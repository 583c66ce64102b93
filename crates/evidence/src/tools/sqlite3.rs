//! sqlite3: silent when all is well; its errors are known by their words.

use super::Line;
use crate::Tool;
use crate::notes::Notes;

/// The words of SQLite's own errors. They stand at the end of a line that begins with `Error`.
const ERRORS: [&str; 5] = [
    "database is locked",
    "database disk image is malformed",
    "unable to open database file",
    "file is not a database",
    "attempt to write a readonly database",
];

pub(crate) fn line(notes: &mut Notes, line: &Line<'_>) -> bool {
    let text = line.text;
    let begins = [
        "Error: ",
        "Parse error",
        "Runtime error",
        "sqlite3: ",
        "Error near ",
    ];
    if !begins.iter().any(|begin| text.starts_with(begin)) {
        return false;
    }
    let cannot_open = text.starts_with("Error: unable to open database ")
        || text.starts_with("Error: cannot open ");
    let known = ERRORS.iter().find(|error| text.contains(*error));
    match known {
        Some(why) => notes.stop(Tool::Sqlite3, why, text),
        None if cannot_open => notes.stop(Tool::Sqlite3, "the database cannot be opened", text),
        None => return false,
    }
    true
}
