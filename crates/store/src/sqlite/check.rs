//! Looks a whole database through: is it sound as a file, and does it say what this program would?

use std::fmt;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::open;
use super::portable::{DAMAGED, Portable, failed};
use crate::{Result, StoreError, inspect, migrate};

/// How many problems of one kind are told in words; the others are counted.
const TOLD_MAX: usize = 20;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// What was looked at, in that order.
    pub parts: Vec<CheckedPart>,
}

/// One part of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedPart {
    /// What was looked at.
    pub name: &'static str,
    /// How much of it there is, in words; empty where that says nothing.
    pub extent: String,
    /// What is wrong, the first few.
    pub problems: Vec<String>,
    /// How many problems there are in all.
    pub problem_count: u64,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.parts.iter().all(|part| part.problem_count == 0)
    }
}

impl CheckedPart {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            extent: String::new(),
            problems: Vec::new(),
            problem_count: 0,
        }
    }

    pub(crate) fn problem(&mut self, problem: impl Into<String>) {
        self.problem_count += 1;
        if self.problems.len() < TOLD_MAX {
            self.problems.push(problem.into());
        }
    }

    /// Notes what a broken row says of itself; any other error ends the check.
    pub(crate) fn broken<T>(&mut self, read: Result<T>) -> Result<Option<T>> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(StoreError::Broken(problem)) => {
                self.problem(problem);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// A line for each part that is sound, and one for each problem.
impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            let name = part.name;
            if part.problem_count == 0 {
                let extent = match part.extent.as_str() {
                    "" => String::new(),
                    extent => format!(": {extent}"),
                };
                writeln!(f, "ok       {name}{extent}")?;
            }
            for problem in &part.problems {
                writeln!(f, "problem  {name}: {problem}")?;
            }
            let untold = part.problem_count - part.problems.len() as u64;
            if untold > 0 {
                writeln!(f, "problem  {name}: and {untold} more")?;
            }
        }
        Ok(())
    }
}

/// Checks the file at `path`, whether it is in use or not; it is not changed, and not created.
/// [`StoreError::Fatal`] when it is no database at all, or not one of ours that this version can read.
pub fn check_sqlite(path: &Path) -> Result<CheckReport> {
    if !path.is_file() {
        let text = format!("{} is not there, or is no file", path.display());
        return Err(StoreError::Fatal(text));
    }
    let mut connection = open::reader(path)?;
    // One snapshot: the parts are compared with each other.
    let snapshot = connection.transaction().map_err(failed)?;
    let version = migrate::recognise(&snapshot)?;
    let mut report = CheckReport::default();
    report.parts.push(CheckedPart {
        extent: format!("version {version}"),
        ..CheckedPart::new("schema")
    });
    let pages = pages(&snapshot, Depth::Indexes)?;
    let sound = pages.problem_count == 0;
    report.parts.push(pages);
    if sound {
        report.parts.push(references(&snapshot)?);
        report
            .parts
            .extend(inspect::all(&mut Portable::new(&snapshot))?);
    }
    Ok(report)
}

/// How far SQLite's own look goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Every page and row, without comparing indexes and tables.
    Pages,
    /// All that it can.
    Indexes,
}

/// [`StoreError::Fatal`] for a database whose file is damaged, with what to do.
pub(super) fn refuse_damaged(connection: &Connection, database: &Path, depth: Depth) -> Result<()> {
    let found = pages(connection, depth)?;
    let Some(problem) = found.problems.first() else {
        return Ok(());
    };
    Err(StoreError::Fatal(format!(
        "{} is damaged ({problem}); {DAMAGED}",
        database.display()
    )))
}

/// What SQLite finds on the pages of a database that is in use; empty where they are sound.
pub(super) fn damage(database: &Path) -> Result<Vec<String>> {
    let connection = open::reader(database)?;
    Ok(pages(&connection, Depth::Pages)?.problems)
}

/// SQLite's own look: pages, and with [`Depth::Indexes`] indexes against tables.
fn pages(connection: &Connection, depth: Depth) -> Result<CheckedPart> {
    let mut part = CheckedPart::new("pages and indexes");
    let look = match depth {
        Depth::Pages => "quick_check",
        Depth::Indexes => "integrity_check",
    };
    let mut statement = connection
        .prepare(&format!("PRAGMA {look}({})", TOLD_MAX + 1))
        .map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    loop {
        // A page that cannot be read at all ends the look with an error.
        match rows.next() {
            Ok(None) => break,
            Ok(Some(row)) => {
                let said: String = row.get(0).map_err(failed)?;
                if said != "ok" {
                    part.problem(said);
                }
            }
            Err(error) => {
                part.problem(error.to_string());
                break;
            }
        }
    }
    let count: Option<i64> = connection
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    part.extent = format!("{} pages", count.unwrap_or(0));
    Ok(part)
}

/// Rows that hang on rows which are not there.
fn references(connection: &Connection) -> Result<CheckedPart> {
    let mut part = CheckedPart::new("references");
    let mut statement = connection
        .prepare("PRAGMA foreign_key_check")
        .map_err(failed)?;
    let broken = statement
        .query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(2)?))
        })
        .map_err(failed)?;
    for row in broken {
        let (table, parent) = row.map_err(failed)?;
        part.problem(format!(
            "a row of {table} hangs on a row of {parent} that is missing"
        ));
    }
    Ok(part)
}
