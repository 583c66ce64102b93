//! Channels, to look at.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::caller::Caller;
use super::check::all_channels;
use super::error::Error;
use crate::api::ApiState;

/// The project's channels: their ids, names and kinds.
pub(super) async fn list(api: &ApiState, caller: Caller) -> Result<Response, Error> {
    let found = api
        .read(move |sql| all_channels(sql, caller.project))
        .await?;
    let channels: Vec<Value> = found
        .iter()
        .map(|channel| json!({"id": channel.id, "name": channel.name, "kind": channel.kind}))
        .collect();
    Ok(Json(json!({"channels": channels})).into_response())
}
