//! `/heartbeats/{heartbeat}/signals`.

use axum::Json;
use axum::extract::State;
use nightbeat_store::control::signals;

use super::caller::Caller;
use super::heartbeats::find;
use super::input::{Given, PageQuery, Query};
use super::problem::Problem;
use super::shapes::{List, Signal};
use super::state::ApiState;

/// List a heartbeat's signals
///
/// With their bodies, newest first. A page with large bodies has fewer items than `limit`.
#[utoipa::path(get, path = "/heartbeats/{heartbeat}/signals", tag = "heartbeats",
    params(("heartbeat" = String, Path, description = "Its id or slug"), PageQuery),
    responses((status = 200, body = List<Signal>)))]
pub(super) async fn list_signals(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
    Query(asked): Query<PageQuery>,
) -> Result<Json<List<Signal>>, Problem> {
    let page = asked.page();
    let found = api
        .read(move |sql| {
            let heartbeat = find(sql, caller.project, &which)?;
            let found = signals::list(sql, caller.project, heartbeat.id, &page)?;
            Ok(found.ok_or_else(|| Problem::missing("heartbeat"))?)
        })
        .await?;
    Ok(Json(List::of(found, Signal::from)))
}
