//! `nightbeat db copy`

use std::io::IsTerminal;
use std::ops::ControlFlow;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use nightbeat_server::admin::{self, CopyPhase, CopyProgress};
use nightbeat_server::config::Database;

use super::configured::broken;
use crate::exit::Failure;
use crate::logging;
use crate::session::note;

const EXAMPLES: &str = "\
Examples:
  nightbeat db copy --from sqlite:/var/lib/nightbeat/nightbeat.db --to postgres://nightbeat@db.example.org/nightbeat
  NIGHTBEAT_COPY_TO=postgres://nightbeat:secret@db.example.org/nightbeat nightbeat db copy --from sqlite:beats.db";

/// How far it is, in plain lines: one each so many hundredths.
const LINE_PERCENT: u64 = 10;

/// A database that moves.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Copy {
    #[arg(
        long,
        help = "The database to copy: sqlite:PATH or postgres://USER@HOST/NAME. No server may use it \
                meanwhile",
        value_name = "URL",
        env = "NIGHTBEAT_COPY_FROM",
        hide_env_values = true
    )]
    from: Database,
    /// Where it goes: an empty database, or one that holds a part of this copy
    #[arg(
        long,
        value_name = "URL",
        env = "NIGHTBEAT_COPY_TO",
        hide_env_values = true
    )]
    to: Database,
}

impl Copy {
    pub(super) fn run(self) -> Result<String, Failure> {
        logging::start_quietly()?;
        let mut shown = Shown::new();
        let mut tell = |progress| {
            shown.show(progress);
            ControlFlow::Continue(())
        };
        let copied = admin::copy(&self.from, &self.to, &mut tell);
        shown.clear();
        let copied = copied.map_err(|error| broken(&error))?;
        if copied.found > 0 {
            note(&format!(
                "{} rows were there from an earlier attempt",
                copied.found
            ));
        }
        let rows: u64 = copied.tables.iter().map(|(_, rows)| rows).sum();
        note(&format!(
            "copied {rows} rows of {} tables from {} to {}; counts and checksums agree",
            copied.tables.len(),
            self.from,
            self.to
        ));
        Ok(String::new())
    }
}

/// A bar on a terminal, plain lines elsewhere.
enum Shown {
    Bar(ProgressBar),
    Lines { last: Option<(CopyPhase, u64)> },
}

impl Shown {
    fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines { last: None };
        }
        let bar = ProgressBar::new(0);
        let template = "{msg:32} {wide_bar} {human_pos}/{human_len} rows, {eta} left";
        match ProgressStyle::with_template(template) {
            Ok(style) => Self::Bar(bar.with_style(style)),
            Err(_) => Self::Bar(bar),
        }
    }

    fn show(&mut self, progress: CopyProgress) {
        let doing = match progress.phase {
            CopyPhase::Copying => "copying",
            CopyPhase::Checking => "comparing",
        };
        match self {
            Self::Bar(bar) => {
                bar.set_length(progress.total);
                bar.set_position(progress.done);
                bar.set_message(format!("{doing} {}", progress.table));
            }
            Self::Lines { last } => {
                let percent = progress.done * 100 / progress.total.max(1);
                let reached = Some((progress.phase, percent / LINE_PERCENT));
                if *last != reached {
                    *last = reached;
                    let CopyProgress {
                        table, done, total, ..
                    } = progress;
                    note(&format!("{doing} {table}: {done} of {total} rows"));
                }
            }
        }
    }

    fn clear(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
