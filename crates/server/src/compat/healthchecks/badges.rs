//! The links of badges.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use nightbeat_domain::{HeartbeatId, ProjectId};
use nightbeat_store::control::{heartbeats, projects};
use nightbeat_store::sql::Sql;
use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::error::Error;
use crate::api::{ApiState, Problem, Refusal};
use crate::badges::{About, Format, Links, States};
use crate::random;

/// What the secrets of badges begin with.
const KEY_PREFIX: &str = "nb_b_";

/// The badges of the project (`*`) and of each tag.
pub(super) async fn list(api: &ApiState, caller: Caller) -> Result<Response, Error> {
    let project = caller.project;
    let secret = api
        .read(move |sql| Ok(projects::badge_key(sql, project)?))
        .await?;
    // Asked for the first time: from now on there are links.
    let secret = match secret {
        Some(secret) => secret,
        None => api.write(move |sql, _| secret_of(sql, project)).await?,
    };
    let tags = api
        .read(move |sql| Ok(heartbeats::tags(sql, project)?))
        .await?;
    let links = Links {
        public_url: &api.public_url,
        project,
        secret: &secret,
    };
    let mut badges = Map::new();
    for tag in tags {
        badges.insert(tag.clone(), of(&links, &About::Tag(tag)));
    }
    badges.insert("*".to_owned(), of(&links, &About::All));
    Ok(Json(json!({"badges": badges})).into_response())
}

fn of(links: &Links<'_>, about: &About<HeartbeatId>) -> Value {
    let link = |states, format| links.link(about, "", states, format);
    json!({
        "svg": link(States::Two, Format::Svg),
        "svg3": link(States::Three, Format::Svg),
        "json": link(States::Two, Format::Json),
        "json3": link(States::Three, Format::Json),
        "shields": link(States::Two, Format::Shields),
        "shields3": link(States::Three, Format::Shields),
    })
}

/// The project's secret; a new one, where it has none yet.
pub(super) fn secret_of(sql: &mut dyn Sql, project: ProjectId) -> Result<String, Refusal> {
    if let Some(secret) = projects::badge_key(sql, project)? {
        return Ok(secret);
    }
    let secret = random::key(KEY_PREFIX);
    if projects::set_badge_key(sql, project, &secret)? {
        return Ok(secret);
    }
    Err(Problem::from(Error::NOT_FOUND).into())
}

/// Ends all links of the project's badges; new ones take their place.
pub(super) async fn renew(api: &ApiState, caller: Caller) -> Result<Response, Error> {
    let project = caller.project;
    let secret = random::key(KEY_PREFIX);
    api.write_by(caller.actor, move |sql, told| {
        told.did("renewed the links of badges", "");
        Ok(projects::set_badge_key(sql, project, &secret)?)
    })
    .await?;
    list(api, caller).await
}
