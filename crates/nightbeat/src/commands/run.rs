//! `nightbeat run`

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use nightbeat_agent::run::checks::{Checks, Free, parse_free};
use nightbeat_agent::run::{
    self, Job, Judging, Keeping, LINGER, Limits, LockWanted, Overlap, Task,
};
use nightbeat_agent::spool::Owner;

use super::values::{metric, span};
use crate::beside::Beside;
use crate::connection::Connection;

const EXAMPLES: &str = "\
Examples:
  nightbeat run nightly-backup -- restic backup /home
  nightbeat run file:/etc/nightbeat/backup.id --timeout 6h --lock backup -- /usr/local/bin/backup.sh
  nightbeat run nightly-dump --shell 'pg_dump shop | gzip > /backup/shop.sql.gz'
  nightbeat run mirror --dest /mnt/nas --mounted --check-first --warn-exit 24 --retry 2 -- rsync -a --stats /srv/ nas:/srv/

Exit codes:
  the job's own, or as in a shell: 126 it cannot be run, 127 there is no such command,
  128+N signal N ended it
  124 it ran longer than --timeout   75 it did not run: another run has the --lock
  69 it did not run: --check-first";

/// Run a job: report its start, its end, how it went and what it did
///
/// The job starts at once and runs as if this were not there: its input, its output, its signals and its exit
/// code are untouched, and a server that is away changes nothing but when it learns of it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct Run {
    /// The heartbeat: its id, its slug (with a ping key or an API key), its whole URL, or <file:PATH>
    #[arg(
        value_name = "ID|SLUG|URL",
        env = "NIGHTBEAT_HEARTBEAT",
        hide_env_values = true,
        required = true
    )]
    heartbeat: String,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "shell")]
    command: Vec<OsString>,
    /// Run this line with bash; each step of it, and of bash scripts that it calls, that fails is a failure
    #[arg(long, value_name = "LINE", conflicts_with = "command")]
    shell: Option<OsString>,
    /// Tell the job to end (TERM) after this long
    #[arg(long, value_name = "DURATION", value_parser = span)]
    timeout: Option<Duration>,
    /// Kill it this long after a TERM [default: 10s after --timeout's, never after others]
    #[arg(long, value_name = "DURATION", value_parser = span)]
    kill_after: Option<Duration>,
    /// Run only while nobody else runs with this lock: a name, or a file's path
    #[arg(long, value_name = "NAME")]
    lock: Option<String>,
    /// What to do while another run has the lock: skip, wait, or wait:DURATION
    #[arg(long, value_name = "WHAT", default_value = "skip", value_parser = overlap, requires = "lock")]
    overlap: Overlap,
    /// Run a job that failed again, up to N times
    #[arg(long, value_name = "N", default_value_t = 0)]
    retry: u32,
    /// Wait this long before it runs again
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = span)]
    retry_wait: Duration,
    /// A job that says something on stderr has failed, also when it exits with 0
    #[arg(long)]
    stderr_is_failure: bool,
    /// These exit codes are a warning, with commas between them: 3,24
    #[arg(long, value_name = "CODES", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..))]
    warn_exit: Vec<u8>,
    /// A number that goes with the end; repeat for several
    #[arg(long = "metric", value_name = "NAME=VALUE", value_parser = metric)]
    metrics: Vec<(String, f64)>,
    /// Do not send the output; it is still read for what the job did
    #[arg(long)]
    no_output: bool,
    /// Read also what goes to a terminal; the job then sees a pipe
    #[arg(long)]
    read_terminal: bool,
    /// How long the end may wait for the server, before the signal waits on disk [default: under a second]
    #[arg(long, value_name = "DURATION", value_parser = span)]
    linger: Option<Duration>,
    /// Say nothing on stderr, not even that a signal could not be sent
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    destination: Destination,
    #[command(flatten)]
    beside: Beside,
    #[command(flatten)]
    connection: Connection,
}

/// What must hold of the place that the job writes to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Destination")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
struct Destination {
    /// Where the job writes to: it must be there, before and after
    #[arg(long, value_name = "FOLDER")]
    dest: Option<PathBuf>,
    /// It lies on a mounted disk of its own, not on the root disk
    #[arg(long, requires = "dest")]
    mounted: bool,
    /// This file is there, which only the right disk has
    #[arg(long, value_name = "FILE", requires = "dest")]
    sentinel: Option<PathBuf>,
    /// So much of it is free, before and after: 10G, 500MB, 5%
    #[arg(long, value_name = "SIZE", requires = "dest", value_parser = parse_free)]
    min_free: Option<Free>,
    /// The job writes something there: its newest file is newer than before
    #[arg(long, requires = "dest")]
    newer: bool,
    /// The job makes it larger than before
    #[arg(long, requires = "dest")]
    larger: bool,
    /// The job writes this dump, or a new one into this folder; it is whole (also .gz, .zst, .xz) and has its tool's last line
    #[arg(long, value_name = "PATH")]
    dump: Option<PathBuf>,
    /// Do not run the job where the destination is not as it should be
    #[arg(long, requires = "dest")]
    check_first: bool,
}

impl Run {
    /// Runs the job; its exit code.
    pub(super) fn run(self) -> u8 {
        run::run(&self.task())
    }

    /// Nothing in here keeps the job from running: what is wrong with the way to the server is told at the
    /// job's end.
    fn task(self) -> Task {
        let route = self.beside.address(&self.connection, &self.heartbeat);
        let spool = self.beside.spool();
        let route = match (route, &spool) {
            (Ok(address), Ok(_)) => Ok(address),
            (Err(failure), _) => Err(failure.message),
            (_, Err(failure)) => Err(failure.message.clone()),
        };
        let locks = Owner::of_process().folder("locks");
        Task {
            job: match self.shell {
                Some(line) => Job::Shell(line),
                None => Job::Command(self.command),
            },
            route,
            spool: spool.ok().flatten(),
            limits: Limits {
                timeout: self.timeout,
                kill_after: self.kill_after,
            },
            lock: self
                .lock
                .map(|name| LockWanted::named(&name, &locks, self.overlap)),
            retries: self.retry,
            retry_wait: self.retry_wait,
            judging: Judging {
                stderr_is_failure: self.stderr_is_failure,
                warn_exit: self.warn_exit,
            },
            checks: Checks {
                dest: self.destination.dest,
                mounted: self.destination.mounted,
                sentinel: self.destination.sentinel,
                min_free: self.destination.min_free,
                newer: self.destination.newer,
                larger: self.destination.larger,
                dump: self.destination.dump,
                first: self.destination.check_first,
            },
            keeping: Keeping {
                no_text: self.no_output,
                terminal: self.read_terminal,
            },
            metrics: self.metrics,
            linger: self.linger.unwrap_or(LINGER),
            quiet: self.quiet,
        }
    }
}

fn overlap(text: &str) -> Result<Overlap, String> {
    match text.split_once(':') {
        None if text == "skip" => Ok(Overlap::Skip),
        None if text == "wait" => Ok(Overlap::Wait(None)),
        Some(("wait", limit)) => span(limit)
            .map(|limit| Overlap::Wait(Some(limit)))
            .map_err(|error| error.to_string()),
        _ => Err("write skip, wait, or wait:10m".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlap_is_skipped_or_waited_for() {
        assert_eq!(overlap("skip"), Ok(Overlap::Skip));
        assert_eq!(overlap("wait"), Ok(Overlap::Wait(None)));
        let minute = Duration::from_secs(60);
        assert_eq!(overlap("wait:1m"), Ok(Overlap::Wait(Some(minute))));
        assert!(overlap("wait:").is_err());
        assert!(overlap("queue").is_err());
    }
}
