//! `/incidents`, and those of one heartbeat.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use nightbeat_domain::{Cause, IncidentId, ProjectId, Settings, UnixMicros};
use nightbeat_store::control::incidents::{self, Filter};
use nightbeat_store::control::notes::{self, Note};
use nightbeat_store::control::{Cursor, PageRequest};
use nightbeat_store::people::{Step, take_step};
use nightbeat_store::sql::Sql;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::caller::Caller;
use super::heartbeats;
use super::input::{self, Given, PageQuery, Query};
use super::problem::Problem;
use super::shapes::{Incident, List, NewNote, Snooze, Viewer};
use super::state::{ApiState, Refusal, Told};
use super::text::lines;
use crate::random;

/// The longest note.
const NOTE_CHARS_MAX: usize = 2_000;

/// An incident and what people wrote about it.
type Noted = (incidents::Incident, Vec<Note>);

/// Which incidents.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct IncidentQuery {
    /// It is open (`true`), or closed (`false`).
    #[serde(default, deserialize_with = "yes_or_no")]
    #[param(nullable = false)]
    open: Option<bool>,
    /// Where to go on: `next_cursor` of the page before.
    #[serde(default, deserialize_with = "input::parsed")]
    #[param(value_type = Option<String>, format = "cursor", nullable = false)]
    cursor: Option<Cursor>,
    /// How many items at most.
    #[serde(default, deserialize_with = "input::limit")]
    #[param(minimum = 1, maximum = 1000, default = 100, nullable = false)]
    limit: Option<u32>,
}

/// List incidents
///
/// Newest first.
#[utoipa::path(get, path = "/incidents", tag = "incidents", params(IncidentQuery),
    responses((status = 200, body = List<Incident>)))]
pub(super) async fn list_incidents(
    State(api): State<ApiState>,
    caller: Caller,
    Query(asked): Query<IncidentQuery>,
) -> Result<Json<List<Incident>>, Problem> {
    let page = input::page(asked.cursor, asked.limit);
    list(&api, caller, None, asked.open, page).await
}

/// List a heartbeat's incidents
///
/// Newest first.
#[utoipa::path(get, path = "/heartbeats/{heartbeat}/incidents", tag = "heartbeats",
    params(("heartbeat" = String, Path, description = "Its id or slug"), PageQuery),
    responses((status = 200, body = List<Incident>)))]
pub(super) async fn list_incidents_of_heartbeat(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
    Query(asked): Query<PageQuery>,
) -> Result<Json<List<Incident>>, Problem> {
    list(&api, caller, Some(which), None, asked.page()).await
}

async fn list(
    api: &ApiState,
    caller: Caller,
    heartbeat: Option<String>,
    open: Option<bool>,
    page: PageRequest,
) -> Result<Json<List<Incident>>, Problem> {
    let viewer = Viewer::new(api, caller);
    let (found, notes) = api
        .read(move |sql| {
            let mut filter = Filter {
                heartbeat: None,
                open,
            };
            if let Some(which) = &heartbeat {
                filter.heartbeat = Some(heartbeats::find(sql, caller.project, which)?.id);
            }
            let found = incidents::list(sql, caller.project, &filter, &page)?;
            let ids: Vec<IncidentId> = found.items.iter().map(|one| one.id).collect();
            Ok((found, notes::of(sql, &ids)?))
        })
        .await?;
    Ok(Json(List::of(found, |one| {
        let notes = notes.get(&one.id).cloned().unwrap_or_default();
        Incident::of(one, notes, &viewer)
    })))
}

/// Show an incident
#[utoipa::path(get, path = "/incidents/{incident}", tag = "incidents",
    params(("incident" = Uuid, Path, description = "Its id")),
    responses((status = 200, body = Incident)))]
pub(super) async fn show_incident(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
) -> Result<Json<Incident>, Problem> {
    let viewer = Viewer::new(&api, caller);
    let (found, notes) = api
        .read(move |sql| {
            let found = find(sql, caller.project, &which)?;
            with_notes(sql, found)
        })
        .await?;
    Ok(Json(Incident::of(found, notes, &viewer)))
}

/// Acknowledge an incident
///
/// Someone has seen it: no more repeats. Again, it changes nothing.
#[utoipa::path(post, path = "/incidents/{incident}/acknowledge", tag = "incidents",
    params(("incident" = Uuid, Path, description = "Its id")),
    responses((status = 200, body = Incident)))]
pub(super) async fn acknowledge_incident(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
) -> Result<Json<Incident>, Problem> {
    acknowledge(&api, caller, which, None).await
}

/// Says that an incident is seen; with a note, which is stored also where it is over by now.
pub(super) async fn acknowledge(
    api: &ApiState,
    caller: Caller,
    which: String,
    note: Option<Note>,
) -> Result<Json<Incident>, Problem> {
    let viewer = Viewer::new(api, caller);
    let now = viewer.now();
    let project = caller.project;
    let (after, notes) = api
        .write_by(caller.actor, move |sql, told| {
            let found = find(sql, project, &which)?;
            if let Some(note) = &note {
                write_note(sql, told, caller, &found, note)?;
            } else if found.closed_at.is_some() {
                return Err(is_closed().into());
            }
            if found.closed_at.is_none() && found.acknowledged_at.is_none() {
                act(sql, told, project, &found, &Step::Acknowledge, now)?;
                incidents::set_acknowledged(sql, project, found.id, Some(now))?;
                told.did("acknowledged an incident", &*found.heartbeat_name);
            }
            let after = by_id(sql, project, found.id)?;
            with_notes(sql, after)
        })
        .await?;
    Ok(Json(Incident::of(after, notes, &viewer)))
}

/// Snooze an incident
///
/// Alerts about it are held back until then.
#[utoipa::path(post, path = "/incidents/{incident}/snooze", tag = "incidents", request_body = Snooze,
    params(("incident" = Uuid, Path, description = "Its id")),
    responses((status = 200, body = Incident)))]
pub(super) async fn snooze_incident(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
    input::Json(asked): input::Json<Snooze>,
) -> Result<Json<Incident>, Problem> {
    let viewer = Viewer::new(&api, caller);
    let now = viewer.now();
    let until = asked.until.micros();
    if until <= now {
        return Err(Problem::field("until", "is not in the future"));
    }
    if until > now + Settings::SPAN_MAX {
        return Err(Problem::field("until", "is more than 10 years away"));
    }
    let project = caller.project;
    let (after, notes) = api
        .write_by(caller.actor, move |sql, told| {
            let found = find(sql, project, &which)?;
            if found.closed_at.is_some() {
                return Err(is_closed().into());
            }
            act(sql, told, project, &found, &Step::Snooze(until), now)?;
            incidents::set_snoozed(sql, project, found.id, Some(until))?;
            told.did("snoozed an incident", &*found.heartbeat_name);
            let after = by_id(sql, project, found.id)?;
            with_notes(sql, after)
        })
        .await?;
    Ok(Json(Incident::of(after, notes, &viewer)))
}

/// Write a note about an incident
///
/// What was seen, and what was done about it. It may be over.
#[utoipa::path(post, path = "/incidents/{incident}/notes", tag = "incidents", request_body = NewNote,
    params(("incident" = Uuid, Path, description = "Its id")),
    responses((status = 201, body = Incident)))]
pub(super) async fn note_incident(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
    input::Json(asked): input::Json<NewNote>,
) -> Result<(StatusCode, Json<Incident>), Problem> {
    let note = new_note(&api, &asked.text)?;
    let noted = add_note(&api, caller, which, note).await?;
    Ok((StatusCode::CREATED, noted))
}

/// Adds a note to an incident.
pub(super) async fn add_note(
    api: &ApiState,
    caller: Caller,
    which: String,
    note: Note,
) -> Result<Json<Incident>, Problem> {
    let viewer = Viewer::new(api, caller);
    let project = caller.project;
    let (found, notes) = api
        .write_by(caller.actor, move |sql, told| {
            let found = find(sql, project, &which)?;
            write_note(sql, told, caller, &found, &note)?;
            with_notes(sql, found)
        })
        .await?;
    Ok(Json(Incident::of(found, notes, &viewer)))
}

/// A note that is written now. Who writes it is known once it is stored.
pub(super) fn new_note(api: &ApiState, text: &str) -> Result<Note, Problem> {
    let text = text.trim().replace("\r\n", "\n");
    if text.is_empty() {
        return Err(Problem::field("text", "is empty"));
    }
    Ok(Note {
        id: random::uuid(),
        at: api.now(),
        who: String::new(),
        text: lines("text", &text, NOTE_CHARS_MAX)?,
    })
}

fn write_note(
    sql: &mut dyn Sql,
    told: &mut Told,
    caller: Caller,
    incident: &incidents::Incident,
    note: &Note,
) -> Result<(), Refusal> {
    let who = match caller.actor {
        Some(actor) => actor.name(sql)?,
        None => return Err(Problem::unknown_caller("a note needs somebody who writes it").into()),
    };
    let note = Note {
        who,
        ..note.clone()
    };
    notes::add(sql, caller.project, incident.id, &note)?;
    told.did("wrote a note about an incident", &*incident.heartbeat_name);
    Ok(())
}

fn with_notes(sql: &mut dyn Sql, found: incidents::Incident) -> Result<Noted, Refusal> {
    let notes = notes::of(sql, &[found.id])?.remove(&found.id);
    Ok((found, notes.unwrap_or_default()))
}

/// Takes a step about an incident that is open.
fn act(
    sql: &mut dyn Sql,
    told: &mut Told,
    project: ProjectId,
    incident: &incidents::Incident,
    step: &Step,
    now: UnixMicros,
) -> Result<(), Refusal> {
    // This one is none of its state's, which cannot be read.
    if incident.cause == Cause::Internal {
        return Ok(());
    }
    let taken = take_step(sql, project, incident.heartbeat, step, now)?.ok_or_else(is_closed)?;
    told.taken(&taken);
    Ok(())
}

fn find(
    sql: &mut dyn Sql,
    project: ProjectId,
    which: &str,
) -> Result<incidents::Incident, Refusal> {
    let id = Uuid::try_parse(which).map_err(|_| missing())?;
    by_id(sql, project, IncidentId(id))
}

fn by_id(
    sql: &mut dyn Sql,
    project: ProjectId,
    id: IncidentId,
) -> Result<incidents::Incident, Refusal> {
    Ok(incidents::get(sql, project, id)?.ok_or_else(missing)?)
}

fn is_closed() -> Problem {
    Problem::new(StatusCode::CONFLICT, "this incident is closed")
}

fn missing() -> Problem {
    Problem::missing("incident")
}

/// For `deserialize_with`: `true` or `false`.
fn yes_or_no<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Option<bool>, D::Error> {
    let text = String::deserialize(input)?;
    let known = text.parse().ok();
    known
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is neither true nor false")))
}
