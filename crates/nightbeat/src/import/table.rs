//! What happens to each job, as a table.

use serde_json::Value;

use crate::code::{Mark, Step, WantedHeartbeat};
use crate::render::{Cell, Paint, Table, schedule, span};

/// One job.
#[derive(Debug)]
pub(super) struct Line {
    what: What,
    name: String,
    slug: String,
    schedule: String,
    grace: String,
    notes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Create,
    Change,
    Same,
    Left,
    Other,
}

impl Line {
    /// It is created or changed.
    pub(super) fn step(wanted: &WantedHeartbeat, step: &Step, notes: Vec<String>) -> Self {
        let what = match step.mark {
            Mark::Create => What::Create,
            Mark::Change | Mark::Remove => What::Change,
        };
        let notes = step.details.iter().cloned().chain(notes).collect();
        Self::about(wanted, what, notes)
    }

    /// It is here already.
    pub(super) fn same(wanted: &WantedHeartbeat, notes: Vec<String>) -> Self {
        Self::about(wanted, What::Same, notes)
    }

    /// It cannot be taken.
    pub(super) fn left(name: String, why: &str, notes: Vec<String>) -> Self {
        Self::without(What::Left, name, why, notes)
    }

    /// It is nothing that waits for signals.
    pub(super) fn other(name: String, why: &str) -> Self {
        Self::without(What::Other, name, why, Vec::new())
    }

    fn about(wanted: &WantedHeartbeat, what: What, notes: Vec<String>) -> Self {
        let field = |name: &str| wanted.fields.get(name).unwrap_or(&Value::Null);
        Self {
            what,
            name: wanted.name().to_owned(),
            slug: wanted.slug.clone().unwrap_or_default(),
            schedule: match field("schedule") {
                Value::Null => String::new(),
                value => schedule(value),
            },
            grace: field("grace").as_u64().map_or_else(String::new, span),
            notes,
        }
    }

    fn without(what: What, name: String, why: &str, notes: Vec<String>) -> Self {
        Self {
            what,
            name,
            slug: String::new(),
            schedule: String::new(),
            grace: String::new(),
            notes: [why.to_owned()].into_iter().chain(notes).collect(),
        }
    }

    /// It should have been taken, and could not be.
    pub(super) fn is_left(&self) -> bool {
        self.what == What::Left
    }
}

impl What {
    fn words(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Same => "unchanged",
            Self::Left => "left out",
            Self::Other => "no heartbeat",
        }
    }

    fn cell(self) -> Cell {
        let paint = match self {
            Self::Create => Some(Paint::Green),
            Self::Change => Some(Paint::Yellow),
            Self::Left => Some(Paint::Red),
            Self::Same | Self::Other => Some(Paint::Dim),
        };
        Cell::painted(self.words(), paint)
    }
}

/// All of them.
pub(super) fn table(lines: &[Line], colour: bool) -> String {
    let mut table = Table::new(["WHAT", "NAME", "SLUG", "SCHEDULE", "GRACE", "NOTES"]);
    for line in lines {
        table.row([
            line.what.cell(),
            line.name.as_str().into(),
            line.slug.as_str().into(),
            line.schedule.as_str().into(),
            line.grace.as_str().into(),
            line.notes.join("; ").into(),
        ]);
    }
    table.render(colour)
}

/// How many of each: `3 create, 1 left out`.
pub(super) fn summary(lines: &[Line]) -> String {
    let all = [
        What::Create,
        What::Change,
        What::Same,
        What::Left,
        What::Other,
    ];
    let counted = all.iter().filter_map(|what| {
        let count = lines.iter().filter(|line| line.what == *what).count();
        (count > 0).then(|| format!("{count} {}", what.words()))
    });
    counted.collect::<Vec<_>>().join(", ")
}
