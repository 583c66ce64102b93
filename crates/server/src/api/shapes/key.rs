//! API keys.

use nightbeat_store::control::keys;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Time;
use super::words::Name;

/// An API key.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Key {
    /// Its id.
    id: Uuid,
    /// What people call it.
    name: String,
    /// What it may do.
    scope: Scope,
    /// When it was made.
    created_at: Time,
    /// When it was last used, to the minute.
    #[schema(required)]
    last_used_at: Option<Time>,
    /// The key itself; only in the answer that creates it.
    #[serde(rename = "key", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    secret: Option<String>,
}

/// A key that is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewKey {
    /// What people call it.
    #[schema(value_type = Name)]
    pub(in crate::api) name: String,
    /// What it may do.
    pub(in crate::api) scope: Scope,
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::api) enum Scope {
    /// Everything in its project.
    ReadWrite,
    /// Only look, and not at secrets.
    ReadOnly,
}

impl Key {
    /// The same with the key itself, which is shown this once.
    pub(in crate::api) fn shown(self, secret: String) -> Self {
        Self {
            secret: Some(secret),
            ..self
        }
    }
}

impl From<keys::Key> for Key {
    fn from(key: keys::Key) -> Self {
        Self {
            id: key.id,
            name: key.name,
            scope: key.scope.into(),
            created_at: key.created_at.into(),
            last_used_at: key.last_used_at.map(Time::from),
            secret: None,
        }
    }
}

impl From<keys::Scope> for Scope {
    fn from(scope: keys::Scope) -> Self {
        match scope {
            keys::Scope::ReadWrite => Self::ReadWrite,
            keys::Scope::ReadOnly => Self::ReadOnly,
        }
    }
}

impl From<Scope> for keys::Scope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::ReadWrite => Self::ReadWrite,
            Scope::ReadOnly => Self::ReadOnly,
        }
    }
}
