//! Signals.

use std::collections::BTreeMap;

use nightbeat_domain::{IgnoredBecause, SignalKind};
use nightbeat_store::control::signals;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Time;

/// One message from a job.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Signal {
    /// Its number; later ones have greater numbers.
    id: i64,
    /// What it says.
    kind: Kind,
    /// When it happened.
    at: Time,
    /// When it arrived: later than `at` where the client delivered it late.
    received_at: Time,
    /// The run it belongs to.
    #[schema(required)]
    rid: Option<Uuid>,
    /// The job's exit code, where it was told.
    #[schema(required)]
    exit_code: Option<u8>,
    /// Why it did not count; `null`: it counted.
    #[schema(required)]
    ignored: Option<Ignored>,
    /// The client's address; empty where it has none.
    source: String,
    /// GET, HEAD, POST or PUT, or MAIL where it came by mail.
    method: String,
    /// The client's name for itself, perhaps cut.
    user_agent: String,
    /// Numbers that the job reported.
    metrics: BTreeMap<String, f64>,
    /// How many bytes the body had.
    body_bytes: u64,
    /// The body was longer than what is kept of it.
    body_truncated: bool,
    /// The body as text; what is not UTF-8 is shown as U+FFFD.
    #[schema(required)]
    body: Option<String>,
}

/// What a signal says.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = SignalKind)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// The job finished well.
    Success,
    /// The job began.
    Start,
    /// The job failed.
    Fail,
    /// The job says something; it changes nothing.
    Log,
}

/// Why a signal did not count.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Ignored {
    /// The heartbeat was paused, and resumes only by hand.
    Paused,
    /// The heartbeat counts only POST.
    Method,
    /// A known link previewer fetched the URL.
    Previewer,
    /// A start that arrived after the end of its own run.
    OutOfOrder,
    /// The heartbeat's keywords decide, and none of them is in its text.
    Keywords,
}

impl From<signals::Signal> for Signal {
    fn from(signal: signals::Signal) -> Self {
        let kept = signal.body.as_ref().map_or(0, |body| body.len() as u64);
        let sent = signal.body_bytes.unwrap_or(kept);
        Self {
            id: signal.id,
            kind: signal.kind.into(),
            at: signal.happened_at.into(),
            received_at: signal.received_at.into(),
            rid: signal.rid.map(|rid| rid.0),
            exit_code: signal.exit_code,
            ignored: signal.ignored.map(Ignored::from),
            source: signal.source,
            method: signal.method,
            user_agent: signal.user_agent,
            metrics: signal.metrics,
            body_bytes: sent,
            body_truncated: sent > kept,
            body: signal
                .body
                .map(|body| String::from_utf8_lossy(&body).into_owned()),
        }
    }
}

impl From<SignalKind> for Kind {
    fn from(kind: SignalKind) -> Self {
        match kind {
            SignalKind::Success => Self::Success,
            SignalKind::Start => Self::Start,
            SignalKind::Fail => Self::Fail,
            SignalKind::Log => Self::Log,
        }
    }
}

impl From<IgnoredBecause> for Ignored {
    fn from(why: IgnoredBecause) -> Self {
        match why {
            IgnoredBecause::Paused => Self::Paused,
            IgnoredBecause::Method => Self::Method,
            IgnoredBecause::Previewer => Self::Previewer,
            IgnoredBecause::OutOfOrder => Self::OutOfOrder,
            IgnoredBecause::Keywords => Self::Keywords,
        }
    }
}
