//! `/maintenance`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use nightbeat_domain::Settings;
use nightbeat_store::control::maintenance;
use uuid::Uuid;

use super::answer::Created;
use super::caller::Caller;
use super::input::{self, Given, PageQuery, Query};
use super::problem::Problem;
use super::shapes::{List, NewWindow, Window};
use super::state::ApiState;
use super::text::lines;
use crate::random;

/// The longest note.
const NOTE_CHARS_MAX: usize = 1_000;

/// List maintenance windows
///
/// The one that ends last first.
#[utoipa::path(get, path = "/maintenance", tag = "maintenance", params(PageQuery),
    responses((status = 200, body = List<Window>)))]
pub(super) async fn list_maintenance(
    State(api): State<ApiState>,
    caller: Caller,
    Query(asked): Query<PageQuery>,
) -> Result<Json<List<Window>>, Problem> {
    let page = asked.page();
    let found = api
        .read(move |sql| Ok(maintenance::list(sql, caller.project, &page)?))
        .await?;
    Ok(Json(List::of(found, Window::from)))
}

/// Enter a maintenance window
///
/// Misses of the project are held back from its first instant to its end.
#[utoipa::path(post, path = "/maintenance", tag = "maintenance", request_body = NewWindow,
    responses((status = 201, body = Window)))]
pub(super) async fn create_maintenance(
    State(api): State<ApiState>,
    caller: Caller,
    input::Json(asked): input::Json<NewWindow>,
) -> Result<Created<Json<Window>>, Problem> {
    let now = api.now();
    let (from, to) = (asked.from.micros(), asked.to.micros());
    if to <= from {
        return Err(Problem::field("to", "is not later than `from`"));
    }
    if to <= now {
        return Err(Problem::field("to", "is not in the future"));
    }
    if to > now + Settings::SPAN_MAX {
        return Err(Problem::field("to", "is more than 10 years away"));
    }
    let window = maintenance::Window {
        id: random::uuid(),
        from,
        to,
        note: lines("note", &asked.note, NOTE_CHARS_MAX)?,
        created_at: now,
    };
    let created = api
        .write_by(caller.actor, move |sql, told| {
            maintenance::insert(sql, caller.project, &window)?;
            told.did("entered a maintenance window", &*window.note);
            Ok(window.clone())
        })
        .await?;
    Ok(Created {
        location: format!("{}/api/v1/maintenance/{}", api.public_url, created.id),
        body: Json(created.into()),
    })
}

/// Delete a maintenance window
#[utoipa::path(delete, path = "/maintenance/{window}", tag = "maintenance",
    params(("window" = Uuid, Path, description = "Its id")),
    responses((status = 204)))]
pub(super) async fn delete_maintenance(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
) -> Result<StatusCode, Problem> {
    let missing = || Problem::missing("maintenance window");
    let id = Uuid::try_parse(&which).map_err(|_| missing())?;
    api.write_by(caller.actor, move |sql, told| {
        if maintenance::delete(sql, caller.project, id)? {
            told.did("deleted a maintenance window", "");
            return Ok(StatusCode::NO_CONTENT);
        }
        Err(missing().into())
    })
    .await
}
