//! `/deliveries`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use nightbeat_domain::{ChannelId, DeliveryId, HeartbeatId, ProjectId};
use nightbeat_store::control::Cursor;
use nightbeat_store::control::channels as stored_channels;
use nightbeat_store::control::deliveries::{self, Filter};
use nightbeat_store::sql::Sql;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::caller::Caller;
use super::input::{self, Given, Query};
use super::problem::Problem;
use super::shapes::{Delivery, DeliveryState, List, Viewer};
use super::state::{ApiState, Refusal};
use super::{channels, heartbeats};

/// Which deliveries: those for which all of this holds.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveryQuery {
    /// It has come this far.
    #[param(nullable = false)]
    state: Option<DeliveryState>,
    /// It is about this heartbeat: an id (also of one that was deleted) or a slug.
    #[param(pattern = r"^[^\x00]*$", nullable = false)]
    heartbeat: Option<String>,
    /// It goes to this channel: an id (also of one that was deleted) or a name.
    #[param(pattern = r"^[^\x00]*$", nullable = false)]
    channel: Option<String>,
    /// Where to go on: `next_cursor` of the page before.
    #[serde(default, deserialize_with = "input::parsed")]
    #[param(value_type = Option<String>, format = "cursor", nullable = false)]
    cursor: Option<Cursor>,
    /// How many items at most.
    #[serde(default, deserialize_with = "input::limit")]
    #[param(minimum = 1, maximum = 1000, default = 100, nullable = false)]
    limit: Option<u32>,
}

/// List deliveries
///
/// Newest first.
#[utoipa::path(get, path = "/deliveries", tag = "deliveries", params(DeliveryQuery),
    responses((status = 200, body = List<Delivery>)))]
pub(super) async fn list_deliveries(
    State(api): State<ApiState>,
    caller: Caller,
    Query(asked): Query<DeliveryQuery>,
) -> Result<Json<List<Delivery>>, Problem> {
    let viewer = Viewer::new(&api, caller);
    let page = input::page(asked.cursor, asked.limit);
    let found = api
        .read(move |sql| {
            let filter = filter(sql, caller.project, &asked)?;
            Ok(deliveries::list(sql, caller.project, &filter, &page)?)
        })
        .await?;
    Ok(Json(List::of(found, |one| Delivery::of(one, &viewer))))
}

/// Show a delivery
///
/// With its tries.
#[utoipa::path(get, path = "/deliveries/{delivery}", tag = "deliveries",
    params(("delivery" = Uuid, Path, description = "Its id")),
    responses((status = 200, body = Delivery)))]
pub(super) async fn show_delivery(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
) -> Result<Json<Delivery>, Problem> {
    let viewer = Viewer::new(&api, caller);
    let found = api
        .read(move |sql| find(sql, caller.project, &which))
        .await?;
    Ok(Json(complete(found, &viewer)))
}

/// Dismiss a delivery
///
/// It failed for good, and need not be shown as failing any more. Again, it changes nothing.
#[utoipa::path(post, path = "/deliveries/{delivery}/dismiss", tag = "deliveries",
    params(("delivery" = Uuid, Path, description = "Its id")),
    responses((status = 200, body = Delivery)))]
pub(super) async fn dismiss_delivery(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
) -> Result<Json<Delivery>, Problem> {
    let viewer = Viewer::new(&api, caller);
    let now = viewer.now();
    let after = api
        .write_by(caller.actor, move |sql, told| {
            let (found, _) = find(sql, caller.project, &which)?;
            if found.state != deliveries::DeliveryState::Failing {
                let detail = format!("it is {}, not failing", found.state.as_str());
                return Err(Problem::new(StatusCode::CONFLICT, detail).into());
            }
            deliveries::dismiss(sql, caller.project, found.id, now)?;
            if found.dismissed_at.is_none() {
                let channel = found.channel_name.unwrap_or_default();
                told.did("dismissed a failed alert", channel);
            }
            find(sql, caller.project, &which)
        })
        .await?;
    Ok(Json(complete(after, &viewer)))
}

type Found = (deliveries::Delivery, Vec<deliveries::Attempt>);

fn find(sql: &mut dyn Sql, project: ProjectId, which: &str) -> Result<Found, Refusal> {
    let missing = || Problem::missing("delivery");
    let id = Uuid::try_parse(which).map_err(|_| missing())?;
    Ok(deliveries::get(sql, project, DeliveryId(id))?.ok_or_else(missing)?)
}

fn complete((found, attempts): Found, viewer: &Viewer) -> Delivery {
    Delivery::of(found, viewer).with_attempts(attempts)
}

fn filter(sql: &mut dyn Sql, project: ProjectId, asked: &DeliveryQuery) -> Result<Filter, Refusal> {
    Ok(Filter {
        state: asked.state.map(Into::into),
        heartbeat: match &asked.heartbeat {
            Some(which) => Some(heartbeat(sql, project, which)?),
            None => None,
        },
        channel: match &asked.channel {
            Some(which) => Some(channel(sql, project, which)?),
            None => None,
        },
    })
}

/// By slug, or by the id that it has or had.
fn heartbeat(sql: &mut dyn Sql, project: ProjectId, which: &str) -> Result<HeartbeatId, Refusal> {
    match (
        heartbeats::find(sql, project, which),
        Uuid::try_parse(which),
    ) {
        (Ok(found), _) => Ok(found.id),
        (Err(Refusal::Problem(_)), Ok(id)) => Ok(HeartbeatId(id)),
        (Err(Refusal::Problem(_)), Err(_)) => {
            Err(Problem::missing("heartbeat").with_field("heartbeat").into())
        }
        (Err(error), _) => Err(error),
    }
}

/// By name, or by the id that it has or had.
fn channel(sql: &mut dyn Sql, project: ProjectId, which: &str) -> Result<ChannelId, Refusal> {
    match (channels::find(sql, project, which), Uuid::try_parse(which)) {
        (Ok(stored_channels::Channel { id, .. }), _) => Ok(id),
        (Err(Refusal::Problem(_)), Ok(id)) => Ok(ChannelId(id)),
        (Err(Refusal::Problem(_)), Err(_)) => {
            Err(Problem::missing("channel").with_field("channel").into())
        }
        (Err(error), _) => Err(error),
    }
}
