//! What a transaction of the hot path writes: gathered column by column, written with one statement a table.

use std::sync::LazyLock;

use nightbeat_domain::{FinishedRun, HeartbeatId};
use tokio_postgres::types::ToSql;

use super::portable::Portable;
use super::rows::key;
use crate::codec::{Columns, ignored_code, kind_code, metrics_json, outcome_code, work_json};
use crate::hot::{Loaded, TakenFor};
use crate::{Arrival, Result};

/// The parameters of a statement.
pub(super) type Params<'a> = Vec<&'a (dyn ToSql + Sync)>;

/// Signals, runs, states and our node, in this order, as one statement: each one more would cost the server and
/// us a message both ways.
pub(super) static WRITE: LazyLock<String> = LazyLock::new(|| {
    let statements = [INSERT_SIGNALS, INSERT_RUNS, UPDATE_STATES, UPDATE_NODE];
    let mut parameters = 0;
    let [signals, runs, states, node] = statements.map(|statement| {
        let (shifted, count) = shifted(statement, parameters);
        parameters += count;
        shifted
    });
    format!("WITH signals AS ({signals}), runs AS ({runs}), states AS ({states}) {node}")
});

/// A statement whose parameters are counted from `by` on, and how many it has.
fn shifted(statement: &str, by: usize) -> (String, usize) {
    let mut parts = statement.split('$');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold((first, 0), |(before, count), part| {
        let end = part.find(|it: char| !it.is_ascii_digit());
        let (number, rest) = part.split_at(end.unwrap_or(part.len()));
        let number: usize = number.parse().expect("a number after each $");
        (format!("{before}${}{rest}", number + by), count.max(number))
    })
}

const UPDATE_NODE: &str = "
UPDATE node SET lease_until = $2, watermark = $3, last_id = $4, last_batch = $5 WHERE id = $1";

/// Signals to be appended.
#[derive(Debug, Default)]
pub(super) struct Signals {
    id: Vec<i64>,
    previous: Vec<Option<i64>>,
    heartbeat: Vec<Vec<u8>>,
    kind: Vec<i64>,
    received_at: Vec<i64>,
    happened_at: Vec<Option<i64>>,
    rid: Vec<Option<Vec<u8>>>,
    exit_code: Vec<Option<i64>>,
    ignored: Vec<Option<i64>>,
    method: Vec<String>,
    source: Vec<String>,
    user_agent: Vec<String>,
    metrics: Vec<Option<String>>,
    body: Vec<Option<Vec<u8>>>,
    body_bytes: Vec<Option<i64>>,
}

const INSERT_SIGNALS: &str = "
INSERT INTO signal (id, previous, heartbeat, kind, received_at, happened_at, rid, exit_code, ignored,
                    method, source, user_agent, metrics, body, body_bytes)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[],
                     $7::bytea[], $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::text[],
                     $13::text[], $14::bytea[], $15::bigint[])";

impl Signals {
    pub(super) fn push(
        &mut self,
        row: i64,
        heartbeat: HeartbeatId,
        arrival: &Arrival,
        taken_for: TakenFor,
        previous: Option<i64>,
    ) -> Result<()> {
        let signal = &arrival.signal;
        let happened_at = signal.happened_at();
        self.metrics.push(metrics_json(&signal.metrics)?);
        self.id.push(row);
        self.previous.push(previous);
        self.heartbeat.push(key(heartbeat));
        self.kind.push(kind_code(taken_for.kind));
        self.received_at.push(signal.received_at.0);
        self.happened_at
            .push((happened_at != signal.received_at).then_some(happened_at.0));
        self.rid
            .push(signal.rid.as_ref().map(|rid| rid.0.as_bytes().to_vec()));
        self.exit_code.push(signal.exit_code.map(i64::from));
        self.ignored.push(taken_for.ignored.map(ignored_code));
        self.method.push(text(arrival.method));
        self.source.push(text(&arrival.source));
        self.user_agent.push(text(&arrival.user_agent));
        self.body.push(arrival.body.clone());
        self.body_bytes
            .push(arrival.body.as_ref().map(|_| arrival.body_bytes as i64));
        Ok(())
    }

    pub(super) fn params(&self) -> Params<'_> {
        vec![
            &self.id,
            &self.previous,
            &self.heartbeat,
            &self.kind,
            &self.received_at,
            &self.happened_at,
            &self.rid,
            &self.exit_code,
            &self.ignored,
            &self.method,
            &self.source,
            &self.user_agent,
            &self.metrics,
            &self.body,
            &self.body_bytes,
        ]
    }

    /// Writes now what is gathered: somebody is about to read it.
    pub(super) fn flush(&mut self, portable: &mut Portable<'_>) -> Result<()> {
        if self.id.is_empty() {
            return Ok(());
        }
        portable.raw(INSERT_SIGNALS, &self.params())?;
        *self = Self::default();
        Ok(())
    }
}

/// PostgreSQL has no text with a zero in it; what stands for a character that cannot be shown takes its
/// place.
fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Runs to be appended.
#[derive(Debug, Default)]
pub(super) struct Runs {
    id: Vec<i64>,
    previous: Vec<Option<i64>>,
    heartbeat: Vec<Vec<u8>>,
    rid: Vec<Option<Vec<u8>>>,
    started_at: Vec<Option<i64>>,
    ended_at: Vec<i64>,
    outcome: Vec<i64>,
    exit_code: Vec<Option<i64>>,
    work: Vec<Option<String>>,
}

const INSERT_RUNS: &str = "
INSERT INTO run (id, previous, heartbeat, rid, started_at, ended_at, outcome, exit_code, work)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[],
                     $7::bigint[], $8::bigint[], $9::text[])";

impl Runs {
    pub(super) fn push(
        &mut self,
        row: i64,
        heartbeat: HeartbeatId,
        run: &FinishedRun,
        previous: Option<i64>,
    ) -> Result<()> {
        self.work.push(work_json(run.work.as_deref())?);
        self.id.push(row);
        self.previous.push(previous);
        self.heartbeat.push(key(heartbeat));
        self.rid
            .push(run.rid.as_ref().map(|rid| rid.0.as_bytes().to_vec()));
        self.started_at.push(run.started_at.map(|at| at.0));
        self.ended_at.push(run.ended_at.0);
        self.outcome.push(outcome_code(run.outcome));
        self.exit_code.push(run.exit_code.map(i64::from));
        Ok(())
    }

    pub(super) fn params(&self) -> Params<'_> {
        vec![
            &self.id,
            &self.previous,
            &self.heartbeat,
            &self.rid,
            &self.started_at,
            &self.ended_at,
            &self.outcome,
            &self.exit_code,
            &self.work,
        ]
    }
}

/// States to be written back, each heartbeat once.
#[derive(Debug, Default)]
pub(super) struct States {
    id: Vec<Vec<u8>>,
    settings: Vec<i64>,
    newest_signal: Vec<Option<i64>>,
    newest_run: Vec<Option<i64>>,
    phase: Vec<i64>,
    armed_at: Vec<i64>,
    last_signal_at: Vec<Option<i64>>,
    last_success_at: Vec<Option<i64>>,
    expected_at: Vec<Option<i64>>,
    wake_at: Vec<Option<i64>>,
    failures: Vec<i64>,
    successes: Vec<i64>,
    signals: Vec<i64>,
    incidents: Vec<i64>,
    alerts: Vec<i64>,
    version: Vec<i64>,
    run_started_at: Vec<Option<i64>>,
    run_ended_at: Vec<Option<i64>>,
    run_outcome: Vec<Option<i64>>,
    rare: Vec<Option<String>>,
}

const UPDATE_STATES: &str = "
UPDATE heartbeat_state h
   SET settings = v.settings, newest_signal = v.newest_signal, newest_run = v.newest_run,
       phase = v.phase, armed_at = v.armed_at, last_signal_at = v.last_signal_at,
       last_success_at = v.last_success_at, expected_at = v.expected_at, wake_at = v.wake_at,
       failures = v.failures, successes = v.successes, signals = v.signals, incidents = v.incidents,
       alerts = v.alerts, version = v.version, run_started_at = v.run_started_at,
       run_ended_at = v.run_ended_at, run_outcome = v.run_outcome, rare = v.rare
  FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
              $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
              $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[],
              $19::bigint[], $20::text[])
       AS v (id, settings, newest_signal, newest_run, phase, armed_at, last_signal_at, last_success_at,
             expected_at, wake_at, failures, successes, signals, incidents, alerts, version,
             run_started_at, run_ended_at, run_outcome, rare)
 WHERE h.id = v.id";

impl States {
    pub(super) fn push(&mut self, heartbeat: HeartbeatId, loaded: &Loaded) -> Result<()> {
        let columns = Columns::from_state(&loaded.state)?;
        self.id.push(key(heartbeat));
        self.settings.push(loaded.settings_row);
        self.newest_signal.push(loaded.newest_signal);
        self.newest_run.push(loaded.newest_run);
        self.phase.push(columns.phase);
        self.armed_at.push(columns.armed_at);
        self.last_signal_at.push(columns.last_signal_at);
        self.last_success_at.push(columns.last_success_at);
        self.expected_at.push(columns.expected_at);
        self.wake_at.push(columns.wake_at);
        self.failures.push(columns.failures);
        self.successes.push(columns.successes);
        self.signals.push(columns.signals);
        self.incidents.push(columns.incidents);
        self.alerts.push(columns.alerts);
        self.version.push(columns.version);
        self.run_started_at.push(columns.run_started_at);
        self.run_ended_at.push(columns.run_ended_at);
        self.run_outcome.push(columns.run_outcome);
        self.rare.push(columns.rare);
        Ok(())
    }

    pub(super) fn params(&self) -> Params<'_> {
        vec![
            &self.id,
            &self.settings,
            &self.newest_signal,
            &self.newest_run,
            &self.phase,
            &self.armed_at,
            &self.last_signal_at,
            &self.last_success_at,
            &self.expected_at,
            &self.wake_at,
            &self.failures,
            &self.successes,
            &self.signals,
            &self.incidents,
            &self.alerts,
            &self.version,
            &self.run_started_at,
            &self.run_ended_at,
            &self.run_outcome,
            &self.rare,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_the_statement_has_parameters_of_its_own() {
        let (signals, runs, states) = (Signals::default(), Runs::default(), States::default());
        let lengths = [signals.params(), runs.params(), states.params()].map(|params| params.len());
        let counted = [INSERT_SIGNALS, INSERT_RUNS, UPDATE_STATES].map(|it| shifted(it, 0).1);
        assert_eq!(counted, lengths);
        let all = lengths.iter().sum::<usize>() + 5;
        for number in 1..=all {
            let places = WRITE.matches(&format!("${number}")).count();
            assert!(places > 0, "${number}");
        }
        assert!(!WRITE.contains(&format!("${}", all + 1)));
        assert_eq!(
            shifted("$1, $12 and $2", 30),
            ("$31, $42 and $32".to_owned(), 12)
        );
    }
}
