//! Maintenance windows.

use nightbeat_store::control::maintenance;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Time;
use super::words::Note;

/// A time in which misses are held back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MaintenanceWindow)]
pub(in crate::api) struct Window {
    /// Its id.
    id: Uuid,
    /// Its first instant.
    from: Time,
    /// The instant at which it is over.
    to: Time,
    /// What it is for.
    note: String,
}

/// A window that is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewMaintenanceWindow)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewWindow {
    /// Its first instant, which may be past.
    pub(in crate::api) from: Time,
    /// The instant at which it is over: later than `from`, and in the future.
    pub(in crate::api) to: Time,
    /// What it is for.
    #[serde(default)]
    #[schema(value_type = Option<Note>, nullable = false)]
    pub(in crate::api) note: String,
}

impl From<maintenance::Window> for Window {
    fn from(window: maintenance::Window) -> Self {
        Self {
            id: window.id,
            from: window.from.into(),
            to: window.to.into(),
            note: window.note,
        }
    }
}
