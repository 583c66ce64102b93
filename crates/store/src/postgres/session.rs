//! One transaction of portable SQL: begun, carried out, committed; tried again where that is safe.

use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio::runtime::Handle;

use super::error::{Again, Failure, is_gone, no_connection};
use super::portable::Portable;
use crate::hot::panicked;
use crate::sql::Sql;
use crate::{Result, StoreError};

/// How often a transaction is tried whose connections are lost.
const ATTEMPTS_MAX: u32 = 5;

/// How often it is tried where others get in its way: with this many, some seconds, a dozen people may create
/// heartbeats at once, who all meet each other on the few pages of a young table.
const MEETINGS_MAX: u32 = 20;

/// By how much the pause grows at most: the more often they meet, the more of them there are.
const PAUSE_GROWS_TO: u32 = 4;

/// How long is waited before it is tried again, in milliseconds: by chance, so that two do not meet again.
const PAUSE_MS: std::ops::Range<u64> = 5..80;

/// The server's limit for one statement.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// How much longer than the server's limit its answer is waited for. Only a server that hangs, or a network
/// that swallows what it says, comes that far.
const ANSWER_GRACE: Duration = Duration::from_secs(2);

/// How long COMMIT may take. It has no limit at the server: see [`COMMIT`].
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Everything that a transaction sets, it sets for itself alone: behind a pooler the next one may run on
/// another connection. A server that does not sync its log for a commit is told to, for this one.
const SETTINGS: &str = "SET LOCAL statement_timeout = '30s';
     SET LOCAL idle_in_transaction_session_timeout = '5s';
     SELECT set_config('synchronous_commit', 'on', true)
      WHERE current_setting('synchronous_commit') = 'off'";

/// Commits. Without the limit for statements: met while the server waits for its standby, it would end the
/// waiting, and the server would call a commit done that only the primary has.
pub(crate) const COMMIT: &str = "SET LOCAL statement_timeout = 0; COMMIT";

/// What kind of transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// What people change: as if nobody else were there.
    Write,
    /// A snapshot.
    Read,
}

impl Mode {
    fn begin(self) -> &'static str {
        match self {
            Self::Write => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            Self::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

/// Runs `verb` in one transaction.
pub(super) async fn run<T, F>(pool: &Pool, mode: Mode, mut verb: F) -> Result<T>
where
    T: Send + 'static,
    F: Fn(&mut dyn Sql) -> Result<T> + Send + 'static,
{
    let mut attempts = 1;
    loop {
        let client = pool.get().await;
        let client = client.map_err(|error| no_connection(&error))?;
        let runtime = Handle::current();
        let work = move || {
            let done = attempt(client, &runtime, mode, &verb);
            (done, verb)
        };
        let (done, unused) = tokio::task::spawn_blocking(work).await.map_err(cut_off)?;
        verb = unused;
        match done {
            Ok(done) => return Ok(done),
            Err(failure) if attempts >= attempts_max(failure.again) => return Err(failure.error),
            Err(failure) => tracing::debug!(error = %failure.error, attempts, "tried again"),
        }
        attempts += 1;
        tokio::time::sleep(pause() * attempts.min(PAUSE_GROWS_TO)).await;
    }
}

fn attempts_max(again: Again) -> u32 {
    match again {
        Again::Never => 1,
        Again::Here => MEETINGS_MAX,
        Again::Elsewhere => ATTEMPTS_MAX,
    }
}

/// A verb went on after one of its statements had failed.
pub(super) fn went_on() -> StoreError {
    let text = "a transaction went on after PostgreSQL had refused a part of it";
    StoreError::Broken(text.to_owned())
}

fn cut_off(error: tokio::task::JoinError) -> StoreError {
    match error.try_into_panic() {
        Ok(panic) => panicked(&*panic),
        Err(error) => StoreError::Unavailable(format!("it was cut off: {error}")),
    }
}

/// By chance; without chance, always the longest.
pub(crate) fn pause() -> Duration {
    let mut bytes = [u8::MAX; 8];
    if let Err(error) = getrandom::fill(&mut bytes) {
        tracing::warn!(%error, "no random numbers");
    }
    let span = PAUSE_MS.end - PAUSE_MS.start;
    Duration::from_millis(PAUSE_MS.start + u64::from_le_bytes(bytes) % span)
}

fn attempt<T>(
    client: Object,
    runtime: &Handle,
    mode: Mode,
    verb: &impl Fn(&mut dyn Sql) -> Result<T>,
) -> std::result::Result<T, Failure> {
    let session = Session {
        client: Some(client),
        runtime,
        kept: false,
    };
    session.say(&format!("{}; {SETTINGS}", mode.begin()), STATEMENT_TIMEOUT)?;
    let mut sql = session.sql()?;
    let done = verb(&mut sql);
    let failure = sql.failure();
    match (done, failure) {
        (Ok(done), None) => {
            session.commit(mode)?;
            Ok(done)
        }
        (Ok(_), Some(again)) => {
            session.roll_back(again);
            let error = went_on();
            Err(Failure { error, again })
        }
        (Err(error), failure) => {
            let again = failure.unwrap_or(Again::Never);
            session.roll_back(again);
            Err(Failure { error, again })
        }
    }
}

/// A connection for the length of one transaction. Dropped in the middle of it, it is closed: the pool must
/// not hand it to the next one.
struct Session<'r> {
    client: Option<Object>,
    runtime: &'r Handle,
    kept: bool,
}

impl Session<'_> {
    fn client(&self) -> std::result::Result<&Object, Failure> {
        let gone = || Failure::never(StoreError::Fatal("a connection was given away".to_owned()));
        self.client.as_ref().ok_or_else(gone)
    }

    fn sql(&self) -> std::result::Result<Portable<'_>, Failure> {
        let limit = STATEMENT_TIMEOUT + ANSWER_GRACE;
        Ok(Portable::new(self.client()?, self.runtime, limit))
    }

    /// Says something that has no answer.
    fn say(&self, text: &str, limit: Duration) -> std::result::Result<(), Failure> {
        let said = self.client()?.batch_execute(text);
        let limited = async { tokio::time::timeout(limit, said).await };
        match self.runtime.block_on(limited) {
            Ok(done) => Ok(done?),
            Err(_) => Err(Failure::no_answer()),
        }
    }

    fn commit(mut self, mode: Mode) -> std::result::Result<(), Failure> {
        let said = self.client()?.batch_execute(COMMIT);
        let limited = async { tokio::time::timeout(COMMIT_TIMEOUT, said).await };
        let error = match self.runtime.block_on(limited) {
            Ok(Ok(())) => {
                self.kept = true;
                return Ok(());
            }
            // What was read is read.
            _ if mode == Mode::Read => return Ok(()),
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        match error {
            // The server says that it did not.
            Some(error) if is_refusal(&error) => Err(error.into()),
            error => {
                let why =
                    error.map_or("no answer in time".to_owned(), |it| super::error::text(&it));
                let text = format!("the connection was lost at COMMIT ({why})");
                Err(Failure::never(StoreError::Unknown(text)))
            }
        }
    }

    /// A connection that cannot even do that is closed.
    fn roll_back(mut self, again: Again) {
        self.kept = again != Again::Elsewhere && self.say("ROLLBACK", STATEMENT_TIMEOUT).is_ok();
    }
}

/// Whether the answer to a COMMIT says that nothing was committed.
pub(crate) fn is_refusal(error: &tokio_postgres::Error) -> bool {
    use tokio_postgres::error::SqlState;

    // CockroachDB says so where it does not know (40003).
    let unknown = SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN;
    error
        .code()
        .is_some_and(|code| !is_gone(code) && *code != unknown)
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if let Some(client) = self.client.take().filter(|_| !self.kept) {
            drop(Object::take(client));
        }
    }
}
