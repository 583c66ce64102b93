//! Who looks, and from where.

use nightbeat_domain::{HeartbeatId, UnixMicros};
use uuid::Uuid;

use crate::api::ApiState;
use crate::api::caller::Caller;

/// Who looks at something, when, and what they may see.
#[derive(Debug, Clone)]
pub(in crate::api) struct Viewer {
    /// They may see secrets.
    pub(super) secrets: bool,
    /// When they look.
    pub(super) now: UnixMicros,
    public_url: std::sync::Arc<str>,
    mail_domain: Option<std::sync::Arc<str>>,
}

impl Viewer {
    /// The caller, now.
    pub(in crate::api) fn new(api: &ApiState, caller: Caller) -> Self {
        Self {
            secrets: caller.secrets,
            now: api.now(),
            public_url: api.public_url.clone(),
            mail_domain: api.mail_domain.clone(),
        }
    }

    /// The instant of this look.
    pub(in crate::api) fn now(&self) -> UnixMicros {
        self.now
    }

    /// A heartbeat's id, which is a secret: who knows it may signal.
    pub(super) fn heartbeat_id(&self, id: HeartbeatId) -> Option<Uuid> {
        self.secrets.then_some(id.0)
    }

    /// Where a heartbeat is signalled.
    pub(super) fn ping_url(&self, id: HeartbeatId) -> Option<String> {
        self.secrets
            .then(|| format!("{}/api/heartbeat/{id}", self.public_url))
    }

    /// The address to which signals are mailed.
    pub(super) fn ping_email(&self, id: HeartbeatId) -> Option<String> {
        let domain = self.mail_domain.as_ref().filter(|_| self.secrets)?;
        Some(format!("{id}@{domain}"))
    }
}
