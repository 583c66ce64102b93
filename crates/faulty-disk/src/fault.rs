//! Which operation goes wrong, and how.

use std::path::Path;
use std::time::Duration;

/// What SQLite asks of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Opening or creating a file.
    Open,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Shortening a file.
    Truncate,
    /// Waiting until what was written is on the platter.
    Sync,
    /// Deleting a file.
    Delete,
}

impl Op {
    /// Those that change something.
    pub const CHANGES: &[Op] = &[Op::Open, Op::Write, Op::Truncate, Op::Sync, Op::Delete];
}

/// How an operation goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// It fails and does nothing. A sync that fails loses what it should have synced.
    Error,
    /// The disk is full.
    Full,
    /// The first half is written, then it fails.
    Torn,
    /// It is done, and said to have failed.
    Late,
    /// The process is dead: nothing changes any more.
    Death,
    /// It takes so long, and is done.
    Slow(Duration),
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// This one only.
    Once,
    /// This one, and every one after it.
    ForEver,
}

/// The `at`-th (from 0) of the operations `ops` goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Which operations count.
    pub ops: &'static [Op],
    /// Only on files whose name ends so; empty: on all.
    pub on: &'static str,
    /// How many of them go well first.
    pub at: u64,
    /// How often it goes wrong then.
    pub times: Times,
    /// What goes wrong.
    pub harm: Harm,
}

impl Fault {
    /// The process dies before its `at`-th change.
    pub fn death(at: u64) -> Self {
        Self {
            ops: Op::CHANGES,
            on: "",
            at,
            times: Times::ForEver,
            harm: Harm::Death,
        }
    }
}

/// What came of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// How many operations there were of those that count.
    pub ops: u64,
    /// How many of them went wrong.
    pub hits: u64,
}

/// A fault, waiting for its operation.
#[derive(Debug, Default)]
pub(crate) struct Armed {
    fault: Option<Fault>,
    counted: Counted,
}

impl Armed {
    pub(crate) fn new(fault: Fault) -> Self {
        Self {
            fault: Some(fault),
            counted: Counted::default(),
        }
    }

    pub(crate) fn counted(&self) -> Counted {
        self.counted
    }

    /// What goes wrong with the next operation, which is an `op` on the file `path`.
    pub(crate) fn next(&mut self, op: Op, path: &Path) -> Option<Harm> {
        let ends = |end: &str| {
            path.as_os_str()
                .as_encoded_bytes()
                .ends_with(end.as_bytes())
        };
        let fault = self
            .fault
            .filter(|fault| fault.ops.contains(&op) && ends(fault.on))?;
        let number = self.counted.ops;
        self.counted.ops += 1;
        let hit = match fault.times {
            Times::Once => number == fault.at,
            Times::ForEver => number >= fault.at,
        };
        self.counted.hits += u64::from(hit);
        hit.then_some(fault.harm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(times: Times) -> Vec<bool> {
        let mut armed = Armed::new(Fault {
            ops: &[Op::Write],
            on: "-wal",
            at: 1,
            times,
            harm: Harm::Full,
        });
        let (log, database) = (Path::new("beats.db-wal"), Path::new("beats.db"));
        assert_eq!(armed.next(Op::Sync, log), None, "another operation");
        assert_eq!(armed.next(Op::Write, database), None, "another file");
        (0..4)
            .map(|_| armed.next(Op::Write, log).is_some())
            .collect()
    }

    #[test]
    fn the_nth_goes_wrong_once_or_from_then_on() {
        assert_eq!(hits(Times::Once), [false, true, false, false]);
        assert_eq!(hits(Times::ForEver), [false, true, true, true]);
    }
}
