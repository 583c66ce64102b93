//! Projects.

use nightbeat_store::control::projects;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::words::ProjectName;
use super::{Change, Time, Viewer};
use crate::api::input::given;

/// The project that a key belongs to.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Project {
    /// Its id.
    id: Uuid,
    /// Its name.
    name: String,
    /// The secret that opens the slug URLs of its heartbeats; `null` for a read-only key.
    #[schema(required)]
    ping_key: Option<String>,
    /// The channel that is used too when an alert is undelivered for two minutes.
    #[schema(required)]
    fallback_channel: Option<Uuid>,
    /// When it was created.
    created_at: Time,
}

/// What may change about a project. Only what is named changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct ProjectEdit {
    /// Its name.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ProjectName>, nullable = false)]
    pub(in crate::api) name: Option<String>,
    /// The channel that is used too when an alert is undelivered for two minutes; `null`: none.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub(in crate::api) fallback_channel: Change<Uuid>,
}

impl Project {
    /// What `viewer` sees of it.
    pub(in crate::api) fn of(found: projects::Project, viewer: &Viewer) -> Self {
        Self {
            id: found.id.0,
            name: found.name,
            ping_key: viewer.secrets.then_some(found.ping_key),
            fallback_channel: found.fallback_channel.map(|id| id.0),
            created_at: found.created_at.into(),
        }
    }
}
