//! Deliveries: one alert to one channel each, as people look at them. Claiming and finishing them is the
//! outbox's business.

use std::time::Duration;

use nightbeat_domain::{ChannelId, DeliveryId, HeartbeatId, IncidentId, ProjectId, UnixMicros};
use serde::{Deserialize, Serialize};

use super::page::{Cursor, Page, PageRequest};
use super::query::{Query, select};
use crate::Result;
use crate::fields::Fields;
use crate::sql::{Row, Sql};

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It waits for its next try.
    Queued,
    /// Someone is sending it.
    Sending,
    /// The receiver took it.
    Sent,
    /// It was given up.
    Failing,
    /// It is not wanted any more.
    Cancelled,
}

impl DeliveryState {
    /// Its name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failing => "failing",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One alert to one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, which the receiver sees as idempotency key.
    pub id: DeliveryId,
    /// Its place in the order in which alerts were decided.
    pub number: i64,
    /// What kind of message it is: `down`, `up`, …
    pub event: String,
    /// Where it goes.
    pub channel: ChannelId,
    /// The channel's name now; `None` when it was removed.
    pub channel_name: Option<String>,
    /// The heartbeat it is about, which may be removed by now.
    pub heartbeat: HeartbeatId,
    /// The incident it is about.
    pub incident: Option<IncidentId>,
    /// How far it has come.
    pub state: DeliveryState,
    /// When it was decided.
    pub created_at: UnixMicros,
    /// When it is tried next; `None`: never.
    pub next_try_at: Option<UnixMicros>,
    /// When the receiver took it.
    pub sent_at: Option<UnixMicros>,
    /// How often it was tried.
    pub attempt_count: u32,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When a person said that it need not be shown as failing any more.
    pub dismissed_at: Option<UnixMicros>,
}

/// One try to send a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub at: UnixMicros,
    /// How long it took.
    pub duration: Duration,
    /// The receiver took it.
    pub ok: bool,
    /// What the receiver answered, or what went wrong.
    pub detail: String,
}

/// Which deliveries of a project are wanted: those for which all of this holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filter {
    /// It has come this far.
    pub state: Option<DeliveryState>,
    /// It is about this heartbeat.
    pub heartbeat: Option<HeartbeatId>,
    /// It goes to this channel.
    pub channel: Option<ChannelId>,
}

/// The most attempts that are shown of one delivery: the latest. A day of retries has about 100.
pub const ATTEMPTS_MAX: i64 = 200;

const FROM: &str = "FROM delivery
    LEFT JOIN channel ON channel.id = delivery.channel AND channel.project = delivery.project";

const COLUMNS: [&str; 14] = [
    "delivery.number",
    "delivery.id",
    "delivery.event",
    "delivery.channel",
    "channel.name",
    "delivery.heartbeat",
    "delivery.incident",
    "delivery.state",
    "delivery.created_at",
    "delivery.next_try_at",
    "delivery.sent_at",
    "delivery.attempts",
    "delivery.last_error",
    "delivery.dismissed_at",
];

/// The project's deliveries that the filter lets through, newest first.
pub fn list(
    sql: &mut dyn Sql,
    project: ProjectId,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Page<Delivery>> {
    let mut query = Query::new(&COLUMNS, FROM);
    query.and_equal("delivery.project", project);
    if let Some(state) = filter.state {
        query.and_equal("delivery.state", state.as_str());
    }
    if let Some(heartbeat) = filter.heartbeat {
        query.and_equal("delivery.heartbeat", heartbeat);
    }
    if let Some(channel) = filter.channel {
        query.and_equal("delivery.channel", channel);
    }
    if let Some(after) = page.after() {
        let number = query.bind(after.number);
        query.and(&format!("delivery.number < {number}"));
    }
    let limit = query.bind(page.probe());
    let rows = query.run(sql, &format!("ORDER BY delivery.number DESC LIMIT {limit}"))?;
    let deliveries = rows.iter().map(read).collect::<Result<_>>()?;
    Ok(Page::cut(deliveries, page, |delivery: &Delivery| {
        Cursor::number(delivery.number)
    }))
}

/// The project's delivery with this id, and its attempts in their order.
pub fn get(
    sql: &mut dyn Sql,
    project: ProjectId,
    id: DeliveryId,
) -> Result<Option<(Delivery, Vec<Attempt>)>> {
    let mut query = Query::new(&COLUMNS, FROM);
    query.and_equal("delivery.project", project);
    query.and_equal("delivery.id", id);
    let rows = query.run(sql, "")?;
    let Some(delivery) = rows.first().map(read).transpose()? else {
        return Ok(None);
    };
    let attempts = attempts(sql, delivery.number)?;
    Ok(Some((delivery, attempts)))
}

/// Stops showing a delivery as failing; whether the project has such a one that is.
pub fn dismiss(
    sql: &mut dyn Sql,
    project: ProjectId,
    id: DeliveryId,
    now: UnixMicros,
) -> Result<bool> {
    let changed = sql.execute(
        "UPDATE delivery SET dismissed_at = $3
         WHERE project = $1 AND id = $2 AND state = 'failing' AND dismissed_at IS NULL",
        &[project.into(), id.into(), now.into()],
    )?;
    Ok(changed > 0)
}

const ATTEMPT_COLUMNS: [&str; 6] = [
    "attempt.delivery",
    "attempt.number",
    "attempt.at",
    "attempt.duration",
    "attempt.ok",
    "attempt.detail",
];

/// Of a delivery that was found through its project.
fn attempts(sql: &mut dyn Sql, delivery: i64) -> Result<Vec<Attempt>> {
    let query = select(
        &ATTEMPT_COLUMNS,
        "FROM attempt WHERE attempt.delivery = $1 ORDER BY attempt.number DESC LIMIT $2",
    );
    let rows = sql.query(&query, &[delivery.into(), ATTEMPTS_MAX.into()])?;
    let latest_first = rows.iter().rev();
    latest_first.map(read_attempt).collect()
}

fn read_attempt(row: &Row) -> Result<Attempt> {
    let fields = Fields::new(&ATTEMPT_COLUMNS, row);
    Ok(Attempt {
        at: fields.get("attempt.at")?,
        duration: Duration::from_micros(fields.get("attempt.duration")?),
        ok: fields.get("attempt.ok")?,
        detail: fields.get("attempt.detail")?,
    })
}

fn read(row: &Row) -> Result<Delivery> {
    let fields = Fields::new(&COLUMNS, row);
    Ok(Delivery {
        id: fields.get("delivery.id")?,
        number: fields.get("delivery.number")?,
        event: fields.get("delivery.event")?,
        channel: fields.get("delivery.channel")?,
        channel_name: fields.get("channel.name")?,
        heartbeat: fields.get("delivery.heartbeat")?,
        incident: fields.get("delivery.incident")?,
        state: fields.named("delivery.state")?,
        created_at: fields.get("delivery.created_at")?,
        next_try_at: fields.get("delivery.next_try_at")?,
        sent_at: fields.get("delivery.sent_at")?,
        attempt_count: fields.get("delivery.attempts")?,
        last_error: fields.get("delivery.last_error")?,
        dismissed_at: fields.get("delivery.dismissed_at")?,
    })
}
