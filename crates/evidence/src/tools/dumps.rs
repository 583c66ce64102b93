//! Dumps as SQL: `pg_dump`, `pg_dumpall`, `mysqldump` and `mariadb-dump`. They say nothing when all went well, so a
//! job that sends the end of its dump (`tail -c 4096 app.sql`) is recognised by the closing line. What they say on
//! stderr begins with their name.

use super::Line;
use crate::Tool;
use crate::found::{Outcome, add};
use crate::notes::Notes;
use crate::text::{after, between, cut};

/// Which dumps have begun and not ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    begun: [bool; 3],
}

/// The tools of this module, in the order of [`State::begun`].
const TOOLS: [Tool; 3] = [Tool::PgDump, Tool::PgDumpall, Tool::Mysqldump];

pub(crate) fn line(notes: &mut Notes, line: &Line<'_>) -> bool {
    let text = line.text;
    let messages = [
        ("pg_dump: ", Tool::PgDump),
        ("pg_dumpall: ", Tool::PgDumpall),
        ("mysqldump: ", Tool::Mysqldump),
        ("mariadb-dump: ", Tool::Mysqldump),
    ];
    for (start, tool) in messages {
        if let Some(message) = after(text, start) {
            said(notes, tool, message, text);
            return true;
        }
    }
    text.starts_with("--") && sql_comment(notes, text)
}

/// A message on stderr.
fn said(notes: &mut Notes, tool: Tool, message: &str, text: &str) {
    let mysql = tool == Tool::Mysqldump;
    let fatal = [
        "error: ",
        "fatal: ",
        "[archiver",
        "Got error: ",
        "Error ",
        "Couldn't ",
        "Error: ",
        "unknown ",
    ];
    if fatal.iter().any(|start| message.starts_with(start)) {
        notes.stop(tool, message.trim_start_matches("error: "), text);
    } else if message.starts_with("warning: ") || message.starts_with("WARNING: ") {
        // Counted, not judged by: those of circular foreign keys come every night.
        let draft = notes.open(tool);
        add(&mut draft.evidence.warnings, Some(1));
        if draft.evidence.line.is_empty() {
            draft.show(text);
        }
    } else if ["detail: ", "hint: "]
        .iter()
        .any(|start| message.starts_with(start))
        || (mysql && message.starts_with("[Warning]"))
    {
        // It belongs to the message before; mysqldump warns of a password on the command line, by which no run should
        // be judged.
        notes.speaker = Some(tool);
    } else if message.starts_with("dumping contents of table ") {
        let draft = notes.open(tool);
        draft.show(text);
        draft.count("tables");
    } else {
        let draft = notes.open(tool);
        if draft.evidence.line.is_empty() {
            draft.show(text);
        }
    }
}

/// A comment in the dump itself.
fn sql_comment(notes: &mut Notes, text: &str) -> bool {
    let is_within_dumpall = notes.dumps.begun[1];
    let database = if is_within_dumpall {
        Tool::PgDumpall
    } else {
        Tool::PgDump
    };
    match text {
        "-- PostgreSQL database dump" if !is_within_dumpall => begin(notes, Tool::PgDump, text),
        "-- PostgreSQL database cluster dump" => begin(notes, Tool::PgDumpall, text),
        "-- PostgreSQL database dump complete" if !is_within_dumpall => {
            end(notes, Tool::PgDump, text);
        }
        "-- PostgreSQL database cluster dump complete" => end(notes, Tool::PgDumpall, text),
        "-- PostgreSQL database dump" | "-- PostgreSQL database dump complete" => {}
        _ => return within(notes, database, text),
    }
    true
}

fn within(notes: &mut Notes, database: Tool, text: &str) -> bool {
    if let Some(version) = after(text, "-- Dumped by pg_dump version ") {
        let version = version.split(' ').next().unwrap_or(version);
        notes.open(database).evidence.version = Some(cut(version, 40));
    } else if text.starts_with("-- Data for Name: ") && text.contains("TABLE DATA") {
        notes.open(database).count("tables");
    } else if text.starts_with("-- MySQL dump ") || text.starts_with("-- MariaDB dump ") {
        begin(notes, Tool::Mysqldump, text);
        let version = between(text, "Distrib ", ",").and_then(|rest| rest.split('-').next());
        notes.open(Tool::Mysqldump).evidence.version = version.map(|version| cut(version, 40));
    } else if text.starts_with("-- Dumping data for table ") {
        notes.open(Tool::Mysqldump).count("tables");
    } else if text.starts_with("-- Dump completed") {
        end(notes, Tool::Mysqldump, text);
    } else {
        return false;
    }
    true
}

fn begin(notes: &mut Notes, tool: Tool, text: &str) {
    // A dump begins although the last one has not ended.
    if is_begun(notes, tool) {
        unfinished(notes, tool);
    }
    set_begun(notes, tool, true);
    notes.open(tool).show(text);
}

fn end(notes: &mut Notes, tool: Tool, text: &str) {
    set_begun(notes, tool, false);
    let draft = notes.open(tool);
    draft.show(text);
    draft.complete = true;
}

fn is_begun(notes: &Notes, tool: Tool) -> bool {
    TOOLS
        .iter()
        .zip(notes.dumps.begun)
        .any(|(&one, begun)| one == tool && begun)
}

fn set_begun(notes: &mut Notes, tool: Tool, begun: bool) {
    for (one, flag) in TOOLS.iter().zip(&mut notes.dumps.begun) {
        if *one == tool {
            *flag = begun;
        }
    }
}

/// A dump has begun, and its closing line is missing. When a part of the output is missing, too, that says nothing.
fn unfinished(notes: &mut Notes, tool: Tool) {
    if !notes.cut {
        let line = notes.open(tool).evidence.line.clone();
        let draft = notes.open(tool);
        draft.judge(
            Outcome::Failed,
            "the dump ends before its closing line",
            &line,
        );
        draft.complete = true;
    }
}

/// The output is over.
pub(crate) fn finish(notes: &mut Notes) {
    for tool in TOOLS {
        if is_begun(notes, tool) {
            unfinished(notes, tool);
        }
    }
}
