//! Whose key a request carries.

use http::request::Parts;
use nightbeat_domain::ProjectId;
use nightbeat_store::control::keys::{self, Scope};

use super::body::Fields;
use super::error::Error;
use crate::accounts::key_hash;
use crate::api::{Actor, ApiState, Who, may_be_key, note_use, rate};
use crate::http::Client;

/// Healthchecks' own keys have 32 characters: to its clients, what is shorter is no key.
const KEY_CHARS_MIN: usize = 32;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    /// The key's project.
    pub(super) project: ProjectId,
    /// The key is read-only: secrets are left out.
    pub(super) read_only: bool,
    /// Who acts, for the log.
    pub(super) actor: Option<Actor>,
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// Any key.
    Look,
    /// A read-write key.
    Change,
}

/// Finds out whose key it is: from `X-Api-Key`, or from the field `api_key` of the body.
pub(super) async fn know(
    api: &ApiState,
    head: &Parts,
    given: &Fields,
    right: Right,
) -> Result<Caller, Error> {
    let key = match head.headers.get("x-api-key") {
        Some(key) => key.to_str().unwrap_or_default(),
        None => given.any_text("api_key").unwrap_or_default(),
    };
    if key.len() < KEY_CHARS_MIN || !may_be_key(key) {
        rate::of_address(&head.extensions)?;
        return Err(Error::NO_KEY);
    }
    let hash = key_hash(key);
    let found = api.read(move |sql| Ok(keys::find_by_hash(sql, &hash)?));
    let Some(owner) = found.await? else {
        rate::of_address(&head.extensions)?;
        return Err(Error::WRONG_KEY);
    };
    rate::of_key(&head.extensions, &owner)?;
    let client = head.extensions.get::<Client>();
    let read_only = owner.scope == Scope::ReadOnly;
    if read_only && right == Right::Change {
        return Err(Error::WRONG_KEY);
    }
    note_use(api, owner, api.now()).await;
    Ok(Caller {
        project: owner.project,
        read_only,
        actor: Some(Actor {
            project: owner.project,
            who: Who::Key(owner.id),
            address: client.and_then(|client| client.address),
        }),
    })
}
