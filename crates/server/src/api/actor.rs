//! Who changes something, for the log of who did what.
//!
//! Every verb that a program or a page reaches says to [`Told`](super::Told) what it did, in words;
//! [`ApiState::write_by`](super::ApiState::write_by) puts it into the log, in the same transaction.

use std::net::IpAddr;

use nightbeat_domain::{ProjectId, UnixMicros};
use nightbeat_store::Result;
use nightbeat_store::control::{accounts, audit, keys};
use nightbeat_store::sql::Sql;
use uuid::Uuid;

use crate::random;

/// Who changes something in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Actor {
    /// The project.
    pub(crate) project: ProjectId,
    /// The one who acts.
    pub(crate) who: Who,
    /// From where; `None`: unknown, or a Unix socket.
    pub(crate) address: Option<IpAddr>,
}

/// A person or a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The account with this id.
    Account(Uuid),
    /// Whoever has the API key with this id.
    Key(Uuid),
}

/// Something that was done.
#[derive(Debug)]
pub(super) struct Deed {
    /// What, in words: `paused a heartbeat`.
    pub(super) action: &'static str,
    /// To whom or what.
    pub(super) about: String,
}

impl Actor {
    /// What the log calls them. Ask before anything is done: a key may delete itself.
    pub(super) fn name(self, sql: &mut dyn Sql) -> Result<String> {
        let known = match self.who {
            Who::Account(id) => accounts::get(sql, id)?.map(|account| account.email),
            Who::Key(id) => {
                let key = keys::get(sql, self.project, id)?;
                key.map(|key| format!("API key {}", key.name))
            }
        };
        // Deleted since the request came.
        let gone = || match self.who {
            Who::Account(_) => "a deleted account".to_owned(),
            Who::Key(_) => "a deleted API key".to_owned(),
        };
        Ok(known.unwrap_or_else(gone))
    }

    /// Notes what they did.
    pub(super) fn note(
        self,
        sql: &mut dyn Sql,
        name: &str,
        deed: &Deed,
        now: UnixMicros,
    ) -> Result<()> {
        let address = self.address.map(|address| address.to_canonical());
        let entry = audit::Entry {
            id: random::uuid(),
            at: now,
            project: Some(self.project),
            account: match self.who {
                Who::Account(id) => Some(id),
                Who::Key(_) => None,
            },
            who: name.to_owned(),
            action: deed.action.to_owned(),
            about: deed.about.clone(),
            address: address
                .map(|address| address.to_string())
                .unwrap_or_default(),
        };
        audit::note(sql, &entry)
    }
}
