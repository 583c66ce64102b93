//! `/heartbeats/{heartbeat}/runs`.

use axum::Json;
use axum::extract::State;
use nightbeat_store::control::runs;

use super::caller::Caller;
use super::heartbeats::find;
use super::input::{Given, PageQuery, Query};
use super::problem::Problem;
use super::shapes::{List, Run};
use super::state::ApiState;

/// List a heartbeat's runs
///
/// Those that have ended, newest first.
#[utoipa::path(get, path = "/heartbeats/{heartbeat}/runs", tag = "heartbeats",
    params(("heartbeat" = String, Path, description = "Its id or slug"), PageQuery),
    responses((status = 200, body = List<Run>)))]
pub(super) async fn list_runs(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
    Query(asked): Query<PageQuery>,
) -> Result<Json<List<Run>>, Problem> {
    let page = asked.page();
    let found = api
        .read(move |sql| {
            let heartbeat = find(sql, caller.project, &which)?;
            let found = runs::list(sql, caller.project, heartbeat.id, &page)?;
            Ok(found.ok_or_else(|| Problem::missing("heartbeat"))?)
        })
        .await?;
    Ok(Json(List::of(found, Run::from)))
}
