//! The rules that are on by themselves: their names, and how a line of a heartbeat's rules tunes them.
//! How they judge stands in `standing.rs`.

use std::fmt;

use crate::Severity;

/// A rule that is on without being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Builtin {
    /// The output itself says that it did not go well.
    Output,
    /// A tool read no file, or not one byte.
    NothingRead,
    /// A tool only rehearsed: `--dry-run` was left in.
    DryRun,
    /// A tool that always speaks said nothing.
    Silent,
    /// The source is smaller than half of what is usual.
    Shrunk,
    /// More than half of the files were deleted.
    ManyDeletes,
    /// The run took less than a tenth of what is usual.
    TooFast,
}

impl Builtin {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 7] = [
        Self::Output,
        Self::NothingRead,
        Self::DryRun,
        Self::Silent,
        Self::Shrunk,
        Self::ManyDeletes,
        Self::TooFast,
    ];

    /// Its name in a rule: `nothing_read`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::NothingRead => "nothing_read",
            Self::DryRun => "dry_run",
            Self::Silent => "silent",
            Self::Shrunk => "shrunk",
            Self::ManyDeletes => "many_deletes",
            Self::TooFast => "too_fast",
        }
    }

    /// The percentage that it judges by, unless a rule says another; `None` where it has none.
    pub const fn percent(self) -> Option<f64> {
        match self {
            Self::Shrunk | Self::ManyDeletes => Some(50.0),
            Self::TooFast => Some(10.0),
            Self::Output | Self::NothingRead | Self::DryRun | Self::Silent => None,
        }
    }
}

impl fmt::Display for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a built-in rule judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Switch {
    /// It judges runs of known tools.
    #[default]
    Tools,
    /// It judges every run, also by numbers that the job reports itself under the names of the fields.
    On,
    /// It judges nothing.
    Off,
}

/// How a built-in rule is tuned. What is `None` is as it is by itself.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tuning {
    /// Whether it judges; `None` where the line does not say.
    pub switch: Option<Switch>,
    /// The percentage that it judges by.
    pub percent: Option<f64>,
    /// How bad it is that it does not hold.
    pub severity: Option<Severity>,
}

impl Tuning {
    /// This, with what a later line says instead.
    pub(crate) fn then(self, later: Self) -> Self {
        Self {
            switch: later.switch.or(self.switch),
            percent: later.percent.or(self.percent),
            severity: later.severity.or(self.severity),
        }
    }
}

/// What stands behind the name: ` off`, ` 30% else warning`.
impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.switch {
            Some(Switch::On) => f.write_str(" on")?,
            Some(Switch::Off) => f.write_str(" off")?,
            Some(Switch::Tools) | None => {}
        }
        if let Some(percent) = self.percent {
            write!(f, " {percent}%")?;
        }
        match self.severity {
            Some(Severity::Warning) => f.write_str(" else warning"),
            Some(Severity::Failure) => f.write_str(" else failure"),
            None => Ok(()),
        }
    }
}
