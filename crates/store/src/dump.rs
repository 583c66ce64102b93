//! Everything that decisions read or write, in a form in which two stores can be compared: engines number
//! their rows as they like, so rows are named by their ids here, and logs are told along their chains.
//!
//! Not in it: accounts, their reports and keys, a person's descriptions and notes, status pages, what retention keeps
//! for itself, since when an incident was acknowledged, and heartbeats that cannot be read: such a one cannot be dumped.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use nightbeat_domain::{
    AlertSnapshot, Cause, ChannelId, Claim, DeliveryId, Gap, HeartbeatId, IgnoredBecause,
    IncidentId, Outcome, ProjectId, RunId, Settings, SignalKind, State, UnixMicros, Work,
};

use crate::Result;
use crate::codec::{Columns, ignored, kind, outcome};
use crate::control::deliveries::DeliveryState;
use crate::control::{Routing, settings};
use crate::effects;
use crate::fields::Fields;
use crate::sql::{Row, Sql};

/// All rows that matter.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dump {
    /// Until when receiving is known to have worked.
    pub alive_until: Option<UnixMicros>,
    /// The gaps as they were told, by time and kind.
    pub gaps: Vec<Gap>,
    /// By id.
    pub projects: Vec<ProjectDump>,
    /// By id: the channel, its project, its kind and its fields.
    pub channels: Vec<(ChannelId, ProjectId, String, BTreeMap<String, String>)>,
    /// Maintenance windows by id: project, from, to.
    pub windows: Vec<(uuid::Uuid, ProjectId, UnixMicros, UnixMicros)>,
    /// By id.
    pub heartbeats: Vec<HeartbeatDump>,
    /// What removed heartbeats left behind, by id.
    pub removed: Vec<(HeartbeatId, Vec<SignalDump>, Vec<RunDump>)>,
    /// By heartbeat and number.
    pub incidents: Vec<IncidentDump>,
    /// In the order in which they were decided.
    pub deliveries: Vec<DeliveryDump>,
    /// Marks of signals that were seen, in order.
    pub nonces: Vec<(HeartbeatId, String, UnixMicros)>,
}

/// A project.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectDump {
    /// Its id.
    pub id: ProjectId,
    /// Its name.
    pub name: String,
    /// Its ping key.
    pub ping_key: String,
    /// Its fallback channel.
    pub fallback_channel: Option<ChannelId>,
}

/// A heartbeat with its logs, the newest row first.
#[derive(Debug, Clone, PartialEq)]
pub struct HeartbeatDump {
    /// Its id.
    pub id: HeartbeatId,
    /// Its project.
    pub project: ProjectId,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Where its alerts go.
    pub channels: Routing,
    /// When it was created.
    pub created_at: UnixMicros,
    /// What decides how it behaves.
    pub settings: Arc<Settings>,
    /// What is known of it.
    pub state: State,
    /// Its signals.
    pub signals: Vec<SignalDump>,
    /// Its runs.
    pub runs: Vec<RunDump>,
}

/// A signal.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalDump {
    /// What it says.
    pub kind: SignalKind,
    /// When it reached us.
    pub received_at: UnixMicros,
    /// When it happened, where that is another instant.
    pub happened_at: Option<UnixMicros>,
    /// Its run.
    pub rid: Option<RunId>,
    /// Its exit code.
    pub exit_code: Option<u8>,
    /// It did not count.
    pub ignored: Option<IgnoredBecause>,
    /// Method, source and user agent.
    pub from: (String, String, String),
    /// Its metrics.
    pub metrics: BTreeMap<String, f64>,
    /// Its body, and how large that was.
    pub body: Option<(Vec<u8>, u64)>,
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunDump {
    /// Its run id.
    pub rid: Option<RunId>,
    /// When it started.
    pub started_at: Option<UnixMicros>,
    /// When it ended.
    pub ended_at: UnixMicros,
    /// How it ended.
    pub outcome: Outcome,
    /// Its exit code.
    pub exit_code: Option<u8>,
    /// What it says of its work.
    pub work: Option<Work>,
}

/// An incident.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentDump {
    /// Its id.
    pub id: IncidentId,
    /// Its project.
    pub project: ProjectId,
    /// Its heartbeat.
    pub heartbeat: HeartbeatId,
    /// The heartbeat's name as it opened.
    pub heartbeat_name: String,
    /// Which of the heartbeat's it is.
    pub number: u32,
    /// Why it opened.
    pub cause: Cause,
    /// What it claims.
    pub claim: Claim,
    /// When it opened.
    pub opened_at: UnixMicros,
    /// When it closed.
    pub closed_at: Option<UnixMicros>,
    /// How it closed.
    pub closing: Option<String>,
    /// What was told.
    pub alert: Option<AlertSnapshot>,
}

/// A delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryDump {
    /// Its id.
    pub id: DeliveryId,
    /// Its project.
    pub project: ProjectId,
    /// Where it goes.
    pub channel: ChannelId,
    /// Its heartbeat.
    pub heartbeat: HeartbeatId,
    /// Its incident.
    pub incident: Option<IncidentId>,
    /// What receivers call it.
    pub event: String,
    /// It may travel with others.
    pub digest: bool,
    /// What it tells.
    pub snapshot: AlertSnapshot,
    /// How far it has come.
    pub state: DeliveryState,
    /// When it was decided.
    pub created_at: UnixMicros,
    /// When it is tried next.
    pub next_try_at: Option<UnixMicros>,
    /// How often it was tried.
    pub attempts: u32,
    /// How often it was claimed.
    pub claim: i64,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When the receiver took it.
    pub sent_at: Option<UnixMicros>,
    /// 1: a copy for the fallback channel; 2: such a copy was made.
    pub fallback: u32,
    /// Its attempts that ended, by number.
    pub ended: Vec<AttemptDump>,
}

/// An attempt to send a delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptDump {
    /// Which.
    pub number: u32,
    /// When it began.
    pub at: UnixMicros,
    /// How long it took.
    pub took: Duration,
    /// The receiver took it.
    pub ok: bool,
    /// What it said.
    pub detail: String,
}

/// One line a row.
impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn lines<R: fmt::Debug>(
            f: &mut fmt::Formatter<'_>,
            table: &str,
            rows: &[R],
        ) -> fmt::Result {
            rows.iter()
                .try_for_each(|row| writeln!(f, "{table} {row:?}"))
        }
        writeln!(f, "alive_until {:?}", self.alive_until)?;
        lines(f, "gap", &self.gaps)?;
        lines(f, "project", &self.projects)?;
        lines(f, "channel", &self.channels)?;
        lines(f, "maintenance", &self.windows)?;
        lines(f, "heartbeat", &self.heartbeats)?;
        lines(f, "removed", &self.removed)?;
        lines(f, "incident", &self.incidents)?;
        lines(f, "delivery", &self.deliveries)?;
        lines(f, "nonce", &self.nonces)
    }
}

/// Reads everything. For tests and for people who compare databases: it takes as much memory as there is
/// data.
pub fn dump(sql: &mut dyn Sql) -> Result<Dump> {
    let mut gaps = effects::gaps(sql)?;
    gaps.sort_by_key(|gap| (gap.from, gap.to, gap.kind));
    let signals = log(sql, &SIGNAL, "signal", signal)?;
    let runs = log(sql, &RUN, "run", run)?;
    Ok(Dump {
        alive_until: effects::alive_until(sql)?,
        gaps,
        projects: all(sql, &PROJECT, "project ORDER BY id", |fields| {
            Ok(ProjectDump {
                id: fields.get("project.id")?,
                name: fields.get("project.name")?,
                ping_key: fields.get("project.ping_key")?,
                fallback_channel: fields.get("project.fallback_channel")?,
            })
        })?,
        channels: all(sql, &CHANNEL, "channel ORDER BY id", |fields| {
            Ok((
                fields.get("channel.id")?,
                fields.get("channel.project")?,
                fields.get("channel.kind")?,
                fields.json("channel.fields")?,
            ))
        })?,
        windows: all(sql, &WINDOW, "maintenance ORDER BY id", |fields| {
            Ok((
                fields.get("maintenance.id")?,
                fields.get("maintenance.project")?,
                fields.get("maintenance.from_at")?,
                fields.get("maintenance.to_at")?,
            ))
        })?,
        heartbeats: heartbeats(sql, &signals, &runs)?,
        removed: all(sql, &REMOVED, "removed_heartbeat ORDER BY id", |fields| {
            let signal = fields.get("removed_heartbeat.newest_signal")?;
            let run = fields.get("removed_heartbeat.newest_run")?;
            let id = fields.get("removed_heartbeat.id")?;
            Ok((id, chain(&signals, signal), chain(&runs, run)))
        })?,
        incidents: all(
            sql,
            &INCIDENT,
            "incident ORDER BY heartbeat, number",
            incident,
        )?,
        deliveries: deliveries(sql)?,
        nonces: all(
            sql,
            &NONCE,
            "signal_nonce ORDER BY heartbeat, nonce",
            |fields| {
                Ok((
                    fields.get("signal_nonce.heartbeat")?,
                    fields.get("signal_nonce.nonce")?,
                    fields.get("signal_nonce.received_at")?,
                ))
            },
        )?,
    })
}

/// Rows of a log by number, each with the number of the one before.
type Rows<R> = HashMap<i64, (Option<i64>, R)>;

/// The rows of a chain from its head on.
fn chain<R: Clone>(rows: &Rows<R>, head: Option<i64>) -> Vec<R> {
    let first = head.and_then(|head| rows.get(&head));
    let all = std::iter::successors(first, |(previous, _)| {
        previous.and_then(|previous| rows.get(&previous))
    });
    all.map(|(_, row)| row.clone()).collect()
}

fn all<T>(
    sql: &mut dyn Sql,
    columns: &'static [&'static str],
    from: &str,
    read: impl Fn(&Fields<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let query = format!("SELECT {} FROM {from}", columns.join(", "));
    let rows: Vec<Row> = sql.query(&query, &[])?;
    rows.iter()
        .map(|row| read(&Fields::new(columns, row)))
        .collect()
}

fn log<T>(
    sql: &mut dyn Sql,
    columns: &'static [&'static str],
    table: &str,
    read: impl Fn(&Fields<'_>) -> Result<T>,
) -> Result<Rows<T>> {
    let [number, previous] = [columns[0], columns[1]];
    let rows = all(sql, columns, table, |fields| {
        let number: i64 = fields.get(number)?;
        Ok((number, (fields.get(previous)?, read(fields)?)))
    })?;
    Ok(rows.into_iter().collect())
}

const PROJECT: [&str; 4] = [
    "project.id",
    "project.name",
    "project.ping_key",
    "project.fallback_channel",
];

const CHANNEL: [&str; 4] = [
    "channel.id",
    "channel.project",
    "channel.kind",
    "channel.fields",
];

const WINDOW: [&str; 4] = [
    "maintenance.id",
    "maintenance.project",
    "maintenance.from_at",
    "maintenance.to_at",
];

const REMOVED: [&str; 3] = [
    "removed_heartbeat.id",
    "removed_heartbeat.newest_signal",
    "removed_heartbeat.newest_run",
];

const NONCE: [&str; 3] = [
    "signal_nonce.heartbeat",
    "signal_nonce.nonce",
    "signal_nonce.received_at",
];

const SIGNAL: [&str; 14] = [
    "signal.id",
    "signal.previous",
    "signal.kind",
    "signal.received_at",
    "signal.happened_at",
    "signal.rid",
    "signal.exit_code",
    "signal.ignored",
    "signal.method",
    "signal.source",
    "signal.user_agent",
    "signal.metrics",
    "signal.body",
    "signal.body_bytes",
];

fn signal(fields: &Fields<'_>) -> Result<SignalDump> {
    let body: Option<Vec<u8>> = fields.get("signal.body")?;
    let body_bytes: Option<u64> = fields.get("signal.body_bytes")?;
    Ok(SignalDump {
        kind: fields.code("signal.kind", kind)?,
        received_at: fields.get("signal.received_at")?,
        happened_at: fields.get("signal.happened_at")?,
        rid: fields.get("signal.rid")?,
        exit_code: fields.int_or_null("signal.exit_code")?,
        ignored: fields.code_or_null("signal.ignored", ignored)?,
        from: (
            fields.get("signal.method")?,
            fields.get("signal.source")?,
            fields.get("signal.user_agent")?,
        ),
        metrics: fields.json_or_null("signal.metrics")?.unwrap_or_default(),
        body: body.zip(body_bytes),
    })
}

const RUN: [&str; 8] = [
    "run.id",
    "run.previous",
    "run.rid",
    "run.started_at",
    "run.ended_at",
    "run.outcome",
    "run.exit_code",
    "run.work",
];

fn run(fields: &Fields<'_>) -> Result<RunDump> {
    Ok(RunDump {
        rid: fields.get("run.rid")?,
        started_at: fields.get("run.started_at")?,
        ended_at: fields.get("run.ended_at")?,
        outcome: fields.code("run.outcome", outcome)?,
        exit_code: fields.int_or_null("run.exit_code")?,
        work: fields.json_or_null("run.work")?,
    })
}

const HEARTBEAT: [&str; 26] = [
    "heartbeat.id",
    "heartbeat.project",
    "heartbeat.name",
    "heartbeat.slug",
    "heartbeat.tags",
    "heartbeat.channels",
    "heartbeat.created_at",
    "heartbeat_state.settings",
    "heartbeat_state.newest_signal",
    "heartbeat_state.newest_run",
    "heartbeat_state.phase",
    "heartbeat_state.armed_at",
    "heartbeat_state.last_signal_at",
    "heartbeat_state.last_success_at",
    "heartbeat_state.expected_at",
    "heartbeat_state.wake_at",
    "heartbeat_state.failures",
    "heartbeat_state.successes",
    "heartbeat_state.signals",
    "heartbeat_state.incidents",
    "heartbeat_state.alerts",
    "heartbeat_state.version",
    "heartbeat_state.run_started_at",
    "heartbeat_state.run_ended_at",
    "heartbeat_state.run_outcome",
    "heartbeat_state.rare",
];

fn heartbeats(
    sql: &mut dyn Sql,
    signals: &Rows<SignalDump>,
    runs: &Rows<RunDump>,
) -> Result<Vec<HeartbeatDump>> {
    let query = format!(
        "SELECT {} FROM heartbeat JOIN heartbeat_state ON heartbeat_state.id = heartbeat.id
          ORDER BY heartbeat.id",
        HEARTBEAT.join(", ")
    );
    let rows = sql.query(&query, &[])?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let fields = Fields::new(&HEARTBEAT, row);
        let id = fields.get("heartbeat.id")?;
        let settings = settings::load(sql, fields.get("heartbeat_state.settings")?)?;
        found.push(HeartbeatDump {
            id,
            project: fields.get("heartbeat.project")?,
            name: fields.get("heartbeat.name")?,
            slug: fields.get("heartbeat.slug")?,
            tags: fields.json("heartbeat.tags")?,
            channels: fields.parsed("heartbeat.channels")?,
            created_at: fields.get("heartbeat.created_at")?,
            settings: Arc::new(settings),
            state: Columns::from_fields(&fields)?.into_state(id)?,
            signals: chain(signals, fields.get("heartbeat_state.newest_signal")?),
            runs: chain(runs, fields.get("heartbeat_state.newest_run")?),
        });
    }
    Ok(found)
}

const INCIDENT: [&str; 11] = [
    "incident.id",
    "incident.project",
    "incident.heartbeat",
    "incident.heartbeat_name",
    "incident.number",
    "incident.cause",
    "incident.claim",
    "incident.opened_at",
    "incident.closed_at",
    "incident.closing",
    "incident.alert",
];

fn incident(fields: &Fields<'_>) -> Result<IncidentDump> {
    Ok(IncidentDump {
        id: fields.get("incident.id")?,
        project: fields.get("incident.project")?,
        heartbeat: fields.get("incident.heartbeat")?,
        heartbeat_name: fields.get("incident.heartbeat_name")?,
        number: fields.get("incident.number")?,
        cause: fields.named("incident.cause")?,
        claim: fields.named("incident.claim")?,
        opened_at: fields.get("incident.opened_at")?,
        closed_at: fields.get("incident.closed_at")?,
        closing: fields.get("incident.closing")?,
        alert: fields.json("incident.alert")?,
    })
}

const DELIVERY: [&str; 17] = [
    "delivery.number",
    "delivery.id",
    "delivery.project",
    "delivery.channel",
    "delivery.heartbeat",
    "delivery.incident",
    "delivery.event",
    "delivery.digest",
    "delivery.snapshot",
    "delivery.state",
    "delivery.created_at",
    "delivery.next_try_at",
    "delivery.attempts",
    "delivery.claim",
    "delivery.last_error",
    "delivery.sent_at",
    "delivery.fallback",
];

const ATTEMPT: [&str; 6] = [
    "attempt.delivery",
    "attempt.number",
    "attempt.at",
    "attempt.duration",
    "attempt.ok",
    "attempt.detail",
];

fn deliveries(sql: &mut dyn Sql) -> Result<Vec<DeliveryDump>> {
    let mut ended: HashMap<i64, Vec<AttemptDump>> = HashMap::new();
    let from = "attempt ORDER BY delivery, number";
    let attempts = all(sql, &ATTEMPT, from, |fields| {
        let attempt = AttemptDump {
            number: fields.get("attempt.number")?,
            at: fields.get("attempt.at")?,
            took: Duration::from_micros(fields.get("attempt.duration")?),
            ok: fields.get("attempt.ok")?,
            detail: fields.get("attempt.detail")?,
        };
        Ok((fields.get::<i64>("attempt.delivery")?, attempt))
    })?;
    for (delivery, attempt) in attempts {
        ended.entry(delivery).or_default().push(attempt);
    }
    all(sql, &DELIVERY, "delivery ORDER BY number", |fields| {
        let number: i64 = fields.get("delivery.number")?;
        Ok(DeliveryDump {
            id: fields.get("delivery.id")?,
            project: fields.get("delivery.project")?,
            channel: fields.get("delivery.channel")?,
            heartbeat: fields.get("delivery.heartbeat")?,
            incident: fields.get("delivery.incident")?,
            event: fields.get("delivery.event")?,
            digest: fields.get("delivery.digest")?,
            snapshot: fields.json("delivery.snapshot")?,
            state: fields.named("delivery.state")?,
            created_at: fields.get("delivery.created_at")?,
            next_try_at: fields.get("delivery.next_try_at")?,
            attempts: fields.get("delivery.attempts")?,
            claim: fields.get("delivery.claim")?,
            last_error: fields.get("delivery.last_error")?,
            sent_at: fields.get("delivery.sent_at")?,
            fallback: fields.get("delivery.fallback")?,
            ended: ended.get(&number).cloned().unwrap_or_default(),
        })
    })
}

/// From now on this writer refuses at once where the file is in use, instead of waiting. For tests that make
/// it so.
pub fn never_wait(sql: &mut dyn Sql) -> Result<()> {
    sql.query("PRAGMA busy_timeout = 0", &[])?;
    Ok(())
}

/// Frees what was being sent, as the start of a server that has its database for itself does. For tests that
/// have one node on a database that several could share: there a claim waits for the end of its lease.
pub fn free_claims(sql: &mut dyn Sql) -> Result<()> {
    crate::outbox::free_leases(sql)
}
