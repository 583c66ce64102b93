//! `nightbeat db`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use nightbeat_server::admin;
use serde_json::json;

use super::configured::{Configured, broken};
use super::db_copy::Copy;
use crate::exit::Failure;
use crate::logging;
use crate::session::note;

/// Back the database up, look it over, or move it
#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Copy the whole database to a new file while the server goes on
    Backup(Backup),
    /// Look the whole database over; exit code 1 when something is wrong
    Check(Check),
    /// Copy everything to an empty database, on this engine or the other; run again, it goes on
    Copy(Copy),
}

/// A copy of the database.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to write
    file: PathBuf,
    /// Replace the file where it exists: only once the copy is complete
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    configured: Configured,
}

/// A look at the database.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configured: Configured,
}

impl Db {
    pub(super) fn run(self) -> Result<String, Failure> {
        match self {
            Self::Backup(backup) => backup.run(),
            Self::Check(check) => check.run(),
            Self::Copy(copy) => copy.run(),
        }
    }
}

impl Backup {
    fn run(self) -> Result<String, Failure> {
        let database = self.configured.load()?.config.database;
        logging::start_quietly()?;
        let is_new = !self.file.exists();
        admin::backup(&database, &self.file, self.replace).map_err(|error| {
            let failure = broken(&error);
            if is_new || self.replace {
                return failure;
            }
            failure.hint("--replace replaces it, once the copy is complete")
        })?;
        note(&format!("copied {database} to {}", self.file.display()));
        Ok(String::new())
    }
}

impl Check {
    fn run(self) -> Result<String, Failure> {
        let database = self.configured.load()?.config.database;
        logging::start_quietly()?;
        let problems = admin::check(&database).map_err(|error| broken(&error))?;
        let text = if self.json {
            format!("{}\n", json!({"problems": problems}))
        } else {
            problems
                .iter()
                .map(|problem| problem.clone() + "\n")
                .collect()
        };
        if problems.is_empty() {
            note(&format!("{database} is sound"));
            return Ok(text);
        }
        // What was found is data, wanted on stdout also when it is bad news.
        crate::print(&text)?;
        Err(Failure::failed(format!("{database} is damaged"))
            .hint("stop the server, and put the last backup in its place"))
    }
}
