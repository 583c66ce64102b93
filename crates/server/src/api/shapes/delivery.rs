//! Deliveries.

use nightbeat_store::control::deliveries;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Time, Viewer};

/// One alert to one channel.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Delivery {
    /// Its id, which the receiver sees as idempotency key.
    id: Uuid,
    /// What kind of message it is.
    #[schema(value_type = DeliveryEvent)]
    event: String,
    /// Where it goes.
    channel_id: Uuid,
    /// The channel's name now; `null` when it was deleted.
    #[schema(required)]
    channel_name: Option<String>,
    /// The heartbeat it is about, which may be removed by now; `null` for a read-only key.
    #[schema(required)]
    heartbeat_id: Option<Uuid>,
    /// The incident it is about.
    #[schema(required)]
    incident_id: Option<Uuid>,
    /// How far it has come.
    state: DeliveryState,
    /// When it was decided.
    created_at: Time,
    /// When it is tried next; `null`: never.
    #[schema(required)]
    next_try_at: Option<Time>,
    /// When the receiver took it.
    #[schema(required)]
    sent_at: Option<Time>,
    /// How often it was tried.
    attempt_count: u32,
    /// What went wrong last.
    #[schema(required)]
    last_error: Option<String>,
    /// When someone said that it need not be shown as failing any more.
    #[schema(required)]
    dismissed_at: Option<Time>,
    /// The tries, at most the last 200; only in the answer for one delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    attempts: Option<Vec<Attempt>>,
}

/// One try.
#[derive(Debug, Serialize, ToSchema)]
struct Attempt {
    /// When it began.
    at: Time,
    /// How long it took.
    duration_ms: u64,
    /// The receiver took it.
    ok: bool,
    /// What the receiver answered, or what went wrong.
    detail: String,
}

/// What kind of message a delivery is.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(
    dead_code,
    reason = "only its schema matters: the store keeps the name"
)]
enum DeliveryEvent {
    Down,
    Warning,
    Up,
    Reminder,
    Digest,
    Test,
}

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::api) enum DeliveryState {
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

impl Delivery {
    /// What `viewer` sees of it in a list.
    pub(in crate::api) fn of(found: deliveries::Delivery, viewer: &Viewer) -> Self {
        Self {
            id: found.id.0,
            event: found.event,
            channel_id: found.channel.0,
            channel_name: found.channel_name,
            heartbeat_id: viewer.heartbeat_id(found.heartbeat),
            incident_id: found.incident.map(|id| id.0),
            state: found.state.into(),
            created_at: found.created_at.into(),
            next_try_at: found.next_try_at.map(Time::from),
            sent_at: found.sent_at.map(Time::from),
            attempt_count: found.attempt_count,
            last_error: found.last_error,
            dismissed_at: found.dismissed_at.map(Time::from),
            attempts: None,
        }
    }

    /// The same with its tries.
    pub(in crate::api) fn with_attempts(self, attempts: Vec<deliveries::Attempt>) -> Self {
        Self {
            attempts: Some(attempts.into_iter().map(Attempt::from).collect()),
            ..self
        }
    }
}

impl From<deliveries::Attempt> for Attempt {
    fn from(attempt: deliveries::Attempt) -> Self {
        Self {
            at: attempt.at.into(),
            duration_ms: attempt.duration.as_millis() as u64,
            ok: attempt.ok,
            detail: attempt.detail,
        }
    }
}

macro_rules! same_names {
    ($($name:ident),+) => {
        impl From<deliveries::DeliveryState> for DeliveryState {
            fn from(state: deliveries::DeliveryState) -> Self {
                match state { $(deliveries::DeliveryState::$name => Self::$name),+ }
            }
        }

        impl From<DeliveryState> for deliveries::DeliveryState {
            fn from(state: DeliveryState) -> Self {
                match state { $(DeliveryState::$name => Self::$name),+ }
            }
        }
    };
}

same_names!(Queued, Sending, Sent, Failing, Cancelled);
