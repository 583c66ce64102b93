//! `/heartbeats`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use nightbeat_domain::{
    ChannelId, HeartbeatId, LastRun, Phase, ProjectId, SUGGESTION_RUNS_MAX, Schedule, Settings,
    State as HeartbeatState, UnixMicros, suggest_grace,
};
use nightbeat_store::Watched;
use nightbeat_store::control::brought::{self, Brought};
use nightbeat_store::control::heartbeats::{self, BySlug, Details, Filter, New};
use nightbeat_store::control::{Cursor, Page, PageRequest, Routing, channels, is_slug, runs};
use nightbeat_store::people::{Step, take_step};
use nightbeat_store::sql::Sql;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::answer::{Created, Tagged};
use super::caller::Caller;
use super::input::{self, Given, Query};
use super::problem::Problem;
use super::shapes::{
    Heartbeat, HeartbeatDetail, HeartbeatEdit, List, NewHeartbeat, Status, Viewer,
};
use super::slug;
use super::state::{ApiState, Refusal, Told};
use super::version::IfMatch;
use crate::random;

/// The schedule of a heartbeat that is created without one: every day.
const CREATED_EVERY_SECONDS: u64 = 86_400;

/// Which heartbeats: those for which all of this holds.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HeartbeatQuery {
    /// It has this tag; of several, it has all.
    #[serde(default, deserialize_with = "one_or_more")]
    #[param(pattern = r"^[^\x00]*$")]
    tag: Vec<String>,
    /// It has this status now.
    #[param(value_type = Option<Status>, nullable = false)]
    status: Option<Status>,
    /// This occurs in its name, slug or description.
    #[param(pattern = r"^[^\x00]*$", nullable = false)]
    q: Option<String>,
    /// It has this slug.
    #[param(pattern = r"^[^\x00]*$", nullable = false)]
    slug: Option<String>,
    /// Where to go on: `next_cursor` of the page before.
    #[serde(default, deserialize_with = "input::parsed")]
    #[param(value_type = Option<String>, format = "cursor", nullable = false)]
    cursor: Option<Cursor>,
    /// How many items at most.
    #[serde(default, deserialize_with = "input::limit")]
    #[param(minimum = 1, maximum = 1000, default = 100, nullable = false)]
    limit: Option<u32>,
}

/// List heartbeats
///
/// The oldest first.
#[utoipa::path(get, path = "/heartbeats", tag = "heartbeats", params(HeartbeatQuery),
    responses((status = 200, body = List<Heartbeat>)))]
pub(super) async fn list_heartbeats(
    State(api): State<ApiState>,
    caller: Caller,
    Query(asked): Query<HeartbeatQuery>,
) -> Result<Json<List<Heartbeat>>, Problem> {
    let viewer = Viewer::new(&api, caller);
    let page = input::page(asked.cursor.map(without_id), asked.limit);
    let filter = Filter {
        tags: asked.tag,
        status: asked.status.map(Into::into),
        text: asked.q,
        slug: asked.slug,
    };
    let now = viewer.now();
    let found = api
        .read(move |sql| Ok(heartbeats::list(sql, caller.project, &filter, now, &page)?))
        .await?;
    Ok(Json(listed(found, &viewer)))
}

/// Create a heartbeat
#[utoipa::path(post, path = "/heartbeats", tag = "heartbeats", request_body = NewHeartbeat,
    responses((status = 201, body = HeartbeatDetail)))]
pub(super) async fn create_heartbeat(
    State(api): State<ApiState>,
    caller: Caller,
    input::Json(new): input::Json<NewHeartbeat>,
) -> Result<Created<Tagged<HeartbeatDetail>>, Problem> {
    let brought = new.id()?;
    let paused = new.is_paused();
    let NewHeartbeat(asked) = new;
    let details = asked.new_details()?;
    let settings = asked.settings(&usual_settings()?)?;
    let viewer = Viewer::new(&api, caller);
    let (now, project) = (viewer.now(), caller.project);
    let id = brought.unwrap_or_else(|| HeartbeatId(random::uuid()));
    let created = api
        .write_by(caller.actor, move |sql, told| {
            let mut state = HeartbeatState::new(&settings, now);
            if brought.is_some() {
                go_on(sql, id, &mut state, now)?;
            }
            if paused {
                // Nothing is open yet, so there is nothing to tell.
                nightbeat_domain::control::pause(id, &settings, &mut state, now);
            }
            insert_as(
                sql,
                told,
                project,
                (id, &state),
                details.clone(),
                &settings,
                now,
            )?;
            by_id(sql, project, id)
        })
        .await?;
    Ok(Created {
        location: format!("{}/api/v1/heartbeats/{id}", api.public_url),
        body: tagged(&created, &viewer),
    })
}

/// Show a heartbeat
#[utoipa::path(get, path = "/heartbeats/{heartbeat}", tag = "heartbeats",
    params(("heartbeat" = String, Path, description = "Its id or slug")),
    responses((status = 200, body = HeartbeatDetail)))]
pub(super) async fn show_heartbeat(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
) -> Result<Tagged<HeartbeatDetail>, Problem> {
    let viewer = Viewer::new(&api, caller);
    let found = api
        .read(move |sql| {
            let found = find(sql, caller.project, &which)?;
            detail(sql, found)
        })
        .await?;
    Ok(tagged(&found, &viewer))
}

/// Change a heartbeat
///
/// Only what is named changes. An edit alone never raises an alarm: what it makes overdue gets a fresh
/// grace, and what it makes fine closes its incident. One that the server cannot read (`problem`) is mended:
/// what cannot be read and is not named gets its usual value. Where its settings cannot be read, the
/// schedule must be named.
#[utoipa::path(patch, path = "/heartbeats/{heartbeat}", tag = "heartbeats", request_body = HeartbeatEdit,
    params(("heartbeat" = String, Path, description = "Its id or slug"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version to change")),
    responses((status = 200, body = HeartbeatDetail)))]
pub(super) async fn change_heartbeat(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
    if_match: IfMatch,
    input::Json(asked): input::Json<HeartbeatEdit>,
) -> Result<Tagged<HeartbeatDetail>, Problem> {
    asked.is_no_beginning()?;
    let viewer = Viewer::new(&api, caller);
    let now = viewer.now();
    let project = caller.project;
    let changed = api
        .write_by(caller.actor, move |sql, told| {
            let old = find(sql, project, &which)?;
            if_match.check(old.version)?;
            asked.mends(&old.unreadable)?;
            let details = asked.details(&old.details)?;
            let settings = asked.settings(&old.settings)?;
            edit(sql, told, &old, &details, settings, now)?;
            by_id(sql, project, old.id)
        })
        .await?;
    Ok(tagged(&changed, &viewer))
}

/// Delete a heartbeat
///
/// Its signals and runs go with it, and its URL is not known any more; its incidents stay.
#[utoipa::path(delete, path = "/heartbeats/{heartbeat}", tag = "heartbeats",
    params(("heartbeat" = String, Path, description = "Its id or slug"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version to delete")),
    responses((status = 204)))]
pub(super) async fn delete_heartbeat(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let now = api.now();
    api.write_by(caller.actor, move |sql, told| {
        let old = find(sql, caller.project, &which)?;
        if_match.check(old.version)?;
        remove(sql, told, &old, now)?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Pause a heartbeat
///
/// Nothing is expected any more; an open incident closes without a word.
#[utoipa::path(post, path = "/heartbeats/{heartbeat}/pause", tag = "heartbeats",
    params(("heartbeat" = String, Path, description = "Its id or slug")),
    responses((status = 200, body = HeartbeatDetail)))]
pub(super) async fn pause_heartbeat(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
) -> Result<Tagged<HeartbeatDetail>, Problem> {
    step(&api, caller, which, Step::Pause).await
}

/// Resume a heartbeat
///
/// Something is expected again, as if it had just been created.
#[utoipa::path(post, path = "/heartbeats/{heartbeat}/resume", tag = "heartbeats",
    params(("heartbeat" = String, Path, description = "Its id or slug")),
    responses((status = 200, body = HeartbeatDetail)))]
pub(super) async fn resume_heartbeat(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
) -> Result<Tagged<HeartbeatDetail>, Problem> {
    step(&api, caller, which, Step::Resume).await
}

async fn step(
    api: &ApiState,
    caller: Caller,
    which: String,
    step: Step,
) -> Result<Tagged<HeartbeatDetail>, Problem> {
    let viewer = Viewer::new(api, caller);
    let now = viewer.now();
    let after = api
        .write_by(caller.actor, move |sql, told| {
            let before = find(sql, caller.project, &which)?;
            take(sql, told, &before, &step, now)?;
            by_id(sql, caller.project, before.id)
        })
        .await?;
    Ok(tagged(&after, &viewer))
}

/// Adds a heartbeat to a project; its slug is made from its name where it has none.
pub(crate) fn insert(
    sql: &mut dyn Sql,
    told: &mut Told,
    project: ProjectId,
    id: HeartbeatId,
    details: Details,
    settings: &Settings,
    now: UnixMicros,
) -> Result<(), Refusal> {
    let state = HeartbeatState::new(settings, now);
    insert_as(sql, told, project, (id, &state), details, settings, now)
}

fn insert_as(
    sql: &mut dyn Sql,
    told: &mut Told,
    project: ProjectId,
    (id, state): (HeartbeatId, &HeartbeatState),
    mut details: Details,
    settings: &Settings,
    now: UnixMicros,
) -> Result<(), Refusal> {
    if details.slug.is_empty() {
        details.slug = slug::free(sql, project, &details.name)?;
    } else {
        slug_is_free(sql, project, &details.slug)?;
    }
    channels_are_known(sql, project, &details.channels)?;
    let new = New {
        id,
        details: &details,
        settings,
        state,
        created_at: now,
    };
    heartbeats::insert(sql, project, &new)?;
    told.did("created a heartbeat", &*details.name);
    told.watch(Watched {
        heartbeat: id,
        wake_at: state.wake_at,
    });
    Ok(())
}

/// Lets a heartbeat have an id that its creator brings along. One that was deleted may come back: its incidents
/// and alerts are numbered from there, for their ids are made of the numbers.
fn go_on(
    sql: &mut dyn Sql,
    id: HeartbeatId,
    state: &mut HeartbeatState,
    now: UnixMicros,
) -> Result<(), Refusal> {
    let conflict = |problem| Err(Problem::conflict("id", problem).into());
    match brought::claim(sql, id, now)? {
        Brought::Unknown => Ok(()),
        Brought::Earlier { incidents, alerts } => {
            (state.incidents, state.alerts) = (incidents, alerts);
            Ok(())
        }
        // Whose it is, is nobody's business.
        Brought::Taken => conflict("a heartbeat with this id exists already"),
        Brought::Leaving => conflict(
            "a heartbeat with this id was deleted, and its history is still being removed; try again in half an hour",
        ),
    }
}

/// Gives a heartbeat these details and settings; nothing happens where it has them already.
pub(crate) fn edit(
    sql: &mut dyn Sql,
    told: &mut Told,
    old: &heartbeats::Heartbeat,
    details: &Details,
    settings: Settings,
    now: UnixMicros,
) -> Result<(), Refusal> {
    let project = old.project;
    let same = *details == old.details && settings == *old.settings;
    if same && old.unreadable.is_nothing() {
        return Ok(());
    }
    if details.slug != old.details.slug {
        slug_is_free(sql, project, &details.slug)?;
    }
    if details.channels != old.details.channels {
        channels_are_known(sql, project, &details.channels)?;
    }
    update(sql, old, details)?;
    told.did("changed a heartbeat", &*details.name);
    if settings != *old.settings || old.unreadable.is_unwatched() {
        take(sql, told, old, &Step::Edit(settings), now)?;
    }
    Ok(())
}

/// Takes a person's step about a heartbeat.
pub(crate) fn take(
    sql: &mut dyn Sql,
    told: &mut Told,
    heartbeat: &heartbeats::Heartbeat,
    step: &Step,
    now: UnixMicros,
) -> Result<(), Refusal> {
    let taken = take_step(sql, heartbeat.project, heartbeat.id, step, now)?;
    told.taken(&taken.ok_or_else(missing)?);
    let was_paused = heartbeat.state.phase == Phase::Paused;
    let name = &*heartbeat.details.name;
    match step {
        Step::Pause if !was_paused => told.did("paused a heartbeat", name),
        Step::Resume if was_paused => told.did("resumed a heartbeat", name),
        // An edit is told by whoever edits; the others change nothing, or something else than a heartbeat.
        _ => {}
    }
    Ok(())
}

/// Removes a heartbeat.
pub(crate) fn remove(
    sql: &mut dyn Sql,
    told: &mut Told,
    old: &heartbeats::Heartbeat,
    now: UnixMicros,
) -> Result<(), Refusal> {
    heartbeats::delete(sql, old.project, old.id, Some(old.version), now)?;
    told.did("deleted a heartbeat", &*old.details.name);
    Ok(())
}

/// The project's heartbeat with this id or slug.
pub(super) fn find(
    sql: &mut dyn Sql,
    project: ProjectId,
    which: &str,
) -> Result<heartbeats::Heartbeat, Refusal> {
    if let Ok(id) = Uuid::try_parse(which)
        && let Some(found) = heartbeats::get(sql, project, HeartbeatId(id))?
    {
        return Ok(found);
    }
    if !is_slug(which) {
        return Err(missing().into());
    }
    match heartbeats::by_slug(sql, project, which)? {
        BySlug::One(found) => Ok(*found),
        BySlug::None => Err(missing().into()),
        BySlug::Several => Err(Problem::new(
            StatusCode::CONFLICT,
            "several heartbeats share this slug; name it by its id",
        )
        .into()),
    }
}

fn by_id(sql: &mut dyn Sql, project: ProjectId, id: HeartbeatId) -> Result<Detail, Refusal> {
    let found = heartbeats::get(sql, project, id)?.ok_or_else(missing)?;
    detail(sql, found)
}

/// A heartbeat, and its newest runs: those that a suggested grace is made from.
struct Detail {
    heartbeat: heartbeats::Heartbeat,
    runs: Vec<LastRun>,
}

fn detail(sql: &mut dyn Sql, heartbeat: heartbeats::Heartbeat) -> Result<Detail, Refusal> {
    let page = PageRequest::new(SUGGESTION_RUNS_MAX as u32, None);
    let found = runs::list(sql, heartbeat.project, heartbeat.id, &page)?.ok_or_else(missing)?;
    let ended = found.items.into_iter().map(|run| LastRun {
        started_at: run.started_at,
        ended_at: run.ended_at,
        outcome: run.outcome,
    });
    Ok(Detail {
        runs: ended.collect(),
        heartbeat,
    })
}

fn update(
    sql: &mut dyn Sql,
    old: &heartbeats::Heartbeat,
    details: &Details,
) -> Result<(), Refusal> {
    let version = Some(old.version);
    let changed = heartbeats::update(sql, old.project, old.id, version, details)?;
    changed.map(|_| ()).ok_or_else(|| missing().into())
}

fn slug_is_free(sql: &mut dyn Sql, project: ProjectId, slug: &str) -> Result<(), Refusal> {
    if heartbeats::by_slug(sql, project, slug)? == BySlug::None {
        return Ok(());
    }
    let problem = format!("another heartbeat has the slug {slug:?}");
    Err(Problem::conflict("slug", problem).into())
}

fn channels_are_known(
    sql: &mut dyn Sql,
    project: ProjectId,
    routing: &Routing,
) -> Result<(), Refusal> {
    let Routing::Only(ids) = routing else {
        return Ok(());
    };
    for ChannelId(id) in ids {
        if channels::get(sql, project, ChannelId(*id))?.is_none() {
            let problem = format!("there is no channel {id} in this project");
            return Err(Problem::field("channels", problem).into());
        }
    }
    Ok(())
}

/// What a heartbeat has that is created with a name only.
pub(crate) fn usual_settings() -> Result<Settings, Problem> {
    Schedule::every_seconds(CREATED_EVERY_SECONDS)
        .map(Settings::new)
        .map_err(|error| Problem::field("schedule", error))
}

fn missing() -> Problem {
    Problem::missing("heartbeat")
}

fn tagged(found: &Detail, viewer: &Viewer) -> Tagged<HeartbeatDetail> {
    let Detail { heartbeat, runs } = found;
    let heartbeats::Heartbeat {
        settings, state, ..
    } = heartbeat;
    let suggestion = suggest_grace(settings, state, runs, viewer.now());
    let shown = Heartbeat::of(heartbeat, viewer);
    Tagged {
        version: heartbeat.version,
        body: HeartbeatDetail::new(shown, settings.grace, suggestion),
    }
}

fn listed(page: Page<heartbeats::Heartbeat>, viewer: &Viewer) -> List<Heartbeat> {
    let mut list = List::of(page, |found| Heartbeat::of(&found, viewer));
    let next = list.next_cursor.and_then(|cursor| cursor.parse().ok());
    list.next_cursor = next.map(|cursor| without_id(cursor).to_string());
    list
}

/// How much of an id stands in a cursor: 8 of its 32 digits.
const CURSOR_DIGITS: usize = 8;

/// A cursor names the last heartbeat of its page by time and id; the id is a secret, and a cursor is seen by
/// read-only keys and stands in logs. Its first digits, then the greatest ones, are the same place in the
/// list, unless two heartbeats were created in the same microsecond with equal first digits.
///
/// One that comes in is cut too: whoever may ask "is its id above this one?" a hundred times knows the id.
pub(crate) fn without_id(cursor: Cursor) -> Cursor {
    let text = cursor.to_string();
    let Some((time, id)) = text.split_once('.') else {
        return cursor;
    };
    let shown: String = id.chars().take(CURSOR_DIGITS).collect();
    // Digits of a cursor are those of a cursor again.
    format!("{time}.{shown:f<32}").parse().unwrap_or(cursor)
}

/// For `deserialize_with`: a parameter that may be given several times.
fn one_or_more<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Tags {
        One(String),
        More(Vec<String>),
    }
    Ok(match Tags::deserialize(input)? {
        Tags::One(tag) => vec![tag],
        Tags::More(tags) => tags,
    })
}
