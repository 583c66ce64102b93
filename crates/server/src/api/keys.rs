//! `/keys`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use nightbeat_store::control::keys;
use uuid::Uuid;

use super::answer::Created;
use super::caller::Caller;
use super::input::{self, Given, PageQuery, Query};
use super::problem::Problem;
use super::shapes::{Key, List, NewKey};
use super::state::ApiState;
use super::text::{NAME_CHARS_MAX, line};
use crate::accounts::{API_KEY_PREFIX, key_hash};
use crate::random;

/// List API keys
///
/// The oldest first. The keys themselves are not known any more.
#[utoipa::path(get, path = "/keys", tag = "keys", params(PageQuery),
    responses((status = 200, body = List<Key>)))]
pub(super) async fn list_keys(
    State(api): State<ApiState>,
    caller: Caller,
    Query(asked): Query<PageQuery>,
) -> Result<Json<List<Key>>, Problem> {
    let page = asked.page();
    let found = api
        .read(move |sql| Ok(keys::list(sql, caller.project, &page)?))
        .await?;
    Ok(Json(List::of(found, Key::from)))
}

/// Create an API key
///
/// Only this answer shows it.
#[utoipa::path(post, path = "/keys", tag = "keys", request_body = NewKey,
    responses((status = 201, body = Key)))]
pub(super) async fn create_key(
    State(api): State<ApiState>,
    caller: Caller,
    input::Json(asked): input::Json<NewKey>,
) -> Result<Created<Json<Key>>, Problem> {
    let secret = random::key(API_KEY_PREFIX);
    let hash = key_hash(&secret);
    let key = keys::Key {
        id: random::uuid(),
        name: line("name", &asked.name, NAME_CHARS_MAX)?,
        scope: asked.scope.into(),
        created_at: api.now(),
        last_used_at: None,
    };
    let created = api
        .write_by(caller.actor, move |sql, told| {
            keys::insert(sql, caller.project, &key, &hash)?;
            told.did("made an API key", &*key.name);
            Ok(key.clone())
        })
        .await?;
    Ok(Created {
        location: format!("{}/api/v1/keys/{}", api.public_url, created.id),
        body: Json(Key::from(created).shown(secret)),
    })
}

/// Delete an API key
///
/// It opens nothing from then on; a key may delete itself.
#[utoipa::path(delete, path = "/keys/{id}", tag = "keys",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 204)))]
pub(super) async fn delete_key(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
) -> Result<StatusCode, Problem> {
    let missing = || Problem::missing("key");
    let id = Uuid::try_parse(&which).map_err(|_| missing())?;
    api.write_by(caller.actor, move |sql, told| {
        let found = keys::get(sql, caller.project, id)?.ok_or_else(missing)?;
        keys::delete(sql, caller.project, id)?;
        told.did("revoked an API key", found.name);
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
