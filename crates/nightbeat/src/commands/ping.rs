//! `nightbeat ping`

use std::collections::VecDeque;
use std::io::Read;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use nightbeat_agent::clock;
use nightbeat_agent::ping::{self, Address, Kind, NONCE_CHARS_MAX, Patience, PingError, Signal};
use nightbeat_agent::spool::Spool;
use uuid::Uuid;

use super::values::{Waits, metric, rfc3339, span, spans};
use crate::beside::Beside;
use crate::connection::Connection;
use crate::exit::Failure;
use crate::tell::note;

/// How much of the beginning of a long output is sent, in bytes.
const BODY_HEAD_BYTES: usize = 256 * 1024;

/// How much of its end is sent, in bytes.
const BODY_TAIL_BYTES: usize = 768 * 1024;

/// How long the caller is kept waiting for signals that are not this one.
const DELIVER_OTHERS_MAX: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  nightbeat ping nightly-backup                               by slug
  nightbeat ping 4c1e8c5e-3f0f-4f6a-9c5e-0d6f8f6f1a2b         by id: needs no key
  nightbeat ping \"$ID\" --start --rid \"$RUN\"
  nightbeat ping \"$ID\" --metric rows=1200
  restic backup / > log 2>&1; nightbeat ping \"$ID\" --exit-code $? --body - < log";

/// Send a signal: the job is done, has begun, or failed
///
/// Tries five times over about 30 s when the server cannot be reached or answers 5xx or 429. All tries
/// carry one nonce, so that the signal is recorded once. What could not be sent waits on disk for the next
/// call. Says nothing when all is well.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct Ping {
    /// The heartbeat: its id, its slug (with a ping key or an API key) or its whole URL
    #[arg(value_name = "ID|SLUG|URL")]
    heartbeat: String,
    /// The job has begun
    #[arg(long, group = "kind")]
    start: bool,
    /// The job failed
    #[arg(long, group = "kind")]
    fail: bool,
    /// Just record what --body says
    #[arg(long, group = "kind")]
    log: bool,
    /// The job ended with this code: 0 is success, all others are failures
    #[arg(long, group = "kind", value_name = "N")]
    exit_code: Option<u8>,
    /// The run this belongs to: the same UUID on a run's start and its end
    #[arg(long, value_name = "UUID")]
    rid: Option<Uuid>,
    /// What to keep with the signal; `-` reads stdin
    #[arg(long, value_name = "TEXT|-", allow_hyphen_values = true)]
    body: Option<String>,
    /// A number that the job reports; repeat for several
    #[arg(long = "metric", value_name = "NAME=VALUE", value_parser = metric)]
    metrics: Vec<(String, f64)>,
    /// When it really happened, where that is not now: 2026-11-22T03:00:00Z
    #[arg(long, value_name = "RFC3339", value_parser = rfc3339)]
    at: Option<Timestamp>,
    /// Signals with the same text are recorded once [default: random]
    #[arg(long, value_name = "TEXT", value_parser = nonce)]
    nonce: Option<String>,
    /// Give up after this long
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = span)]
    timeout: Duration,
    /// The waits between tries [default: about 1s,3s,8s,18s]
    #[arg(long, value_name = "DURATIONS", value_parser = spans)]
    retry_waits: Option<Waits>,
    /// Say on stderr what happens
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    beside: Beside,
    #[command(flatten)]
    connection: Connection,
}

impl Ping {
    pub(super) fn run(mut self) -> Result<String, Failure> {
        let random = clock::random();
        let nonce = self.nonce.take().unwrap_or_else(|| random.to_string());
        let at = self.at.unwrap_or_else(clock::wall);
        let signal = Signal {
            rid: self.rid,
            always_timed: self.at.is_some(),
            metrics: std::mem::take(&mut self.metrics),
            body: self.read_body()?,
            ..Signal::new(self.kind(), at, nonce)
        };
        let patience = Patience {
            waits: match self.retry_waits.take() {
                Some(Waits(waits)) => waits,
                None => Patience::spread(random.as_bytes()[0]),
            },
            total: self.timeout,
            ..Patience::default()
        };
        let address = self.beside.address(&self.connection, &self.heartbeat)?;
        let spool = self.beside.spool()?;
        let retrying = |error: &PingError, wait: Duration| {
            let wait = wait.as_secs_f64();
            self.tell(&format!("{error}; next try in {wait:.1} s"));
        };
        match ping::send(&address, &signal, &patience, retrying) {
            Ok(sent) => {
                self.tell(&format!("recorded, tries: {}", sent.tries));
                self.deliver_others(spool.as_ref());
                Ok(String::new())
            }
            Err(error) => Err(keep(spool.as_ref(), &address, &signal, error)),
        }
    }

    fn tell(&self, text: &str) {
        if self.verbose {
            note(text);
        }
    }

    /// The server is there: what waited for it goes too, for a short while.
    fn deliver_others(&self, spool: Option<&Spool>) {
        let began = clock::steady();
        let go_on = || began.elapsed() < DELIVER_OTHERS_MAX;
        match spool.map(|spool| spool.deliver(DELIVER_OTHERS_MAX, go_on)) {
            Some(Ok(delivery)) if delivery.sent > 0 => {
                self.tell(&format!("delivered that waited: {}", delivery.sent));
            }
            Some(Err(error)) => self.tell(&error.to_string()),
            _ => {}
        }
    }

    fn kind(&self) -> Kind {
        match (self.start, self.fail, self.log, self.exit_code) {
            (true, ..) => Kind::Start,
            (_, true, ..) => Kind::Fail,
            (_, _, true, _) => Kind::Log,
            (_, _, _, Some(code)) => Kind::ExitCode(code),
            _ => Kind::Success,
        }
    }

    fn read_body(&self) -> Result<Vec<u8>, Failure> {
        match self.body.as_deref() {
            None => Ok(Vec::new()),
            Some("-") => head_and_tail(std::io::stdin().lock())
                .map_err(|error| Failure::failed(format!("cannot read stdin: {error}"))),
            Some(text) => Ok(text.as_bytes().to_vec()),
        }
    }
}

/// What cannot be sent now waits on disk, with its time. The person learns both.
fn keep(spool: Option<&Spool>, address: &Address, signal: &Signal, error: PingError) -> Failure {
    let may_pass = error.may_pass();
    let failure = Failure::from(error);
    let Some(spool) = spool.filter(|_| may_pass) else {
        return failure;
    };
    match spool.put(address, signal) {
        Ok(_) => failure.hint(format!(
            "the signal waits in {}; the next call or `nightbeat flush` delivers it",
            spool.folder().display()
        )),
        Err(error) => failure.hint(error.to_string()),
    }
}

fn nonce(text: &str) -> Result<String, String> {
    match text.chars().count() {
        0 => Err("it is empty".to_owned()),
        1..=NONCE_CHARS_MAX => Ok(text.to_owned()),
        _ => Err(format!("it is longer than {NONCE_CHARS_MAX} characters")),
    }
}

/// All of `input`, or its beginning and its end with a note between them: a job's last words say most.
fn head_and_tail(mut input: impl Read) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    input
        .by_ref()
        .take(BODY_HEAD_BYTES as u64)
        .read_to_end(&mut body)?;
    let mut tail: VecDeque<u8> = VecDeque::new();
    let mut left_out: usize = 0;
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        tail.extend(&chunk[..read]);
        let excess = tail.len().saturating_sub(BODY_TAIL_BYTES);
        tail.drain(..excess);
        left_out += excess;
    }
    if left_out > 0 {
        body.extend_from_slice(format!("\n[… {left_out} bytes left out …]\n").as_bytes());
    }
    body.extend(tail);
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_fits_is_sent_whole() {
        let text = vec![b'x'; BODY_HEAD_BYTES + BODY_TAIL_BYTES];
        assert_eq!(head_and_tail(text.as_slice()).unwrap(), text);
        assert_eq!(head_and_tail(&b""[..]).unwrap(), b"");
    }

    #[test]
    fn of_a_long_body_the_beginning_and_the_end_are_sent() {
        let mut text = b"begin".to_vec();
        text.extend(vec![b'x'; 3_000_000]);
        text.extend(b"end");
        let sent = String::from_utf8(head_and_tail(text.as_slice()).unwrap()).unwrap();
        let left_out = text.len() - BODY_HEAD_BYTES - BODY_TAIL_BYTES;
        assert!(sent.starts_with("beginx"));
        assert!(sent.contains(&format!("x\n[… {left_out} bytes left out …]\nx")));
        assert!(sent.ends_with("xend"));
    }

    #[test]
    fn a_nonce_has_a_length() {
        assert!(nonce("").is_err());
        assert!(nonce(&"n".repeat(64)).is_ok());
        assert!(nonce(&"n".repeat(65)).is_err());
    }
}
