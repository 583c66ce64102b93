//! Checks: listed, made, shown, changed, deleted, paused, resumed.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use nightbeat_domain::{HeartbeatId, Phase, ProjectId, UnixMicros};
use nightbeat_store::control::heartbeats::{self, Filter, Heartbeat};
use nightbeat_store::control::{PageRequest, is_slug, slugify};
use nightbeat_store::people::Step;
use nightbeat_store::sql::Sql;
use serde_json::{Value, json};

use super::Version;
use super::body::Fields;
use super::caller::Caller;
use super::check::{Beside, Viewer, all_channels};
use super::error::Error;
use super::lookup::{Which, find};
use super::spec::{Spec, Unique, nameless};
use crate::api::heartbeats::{edit, insert, remove, take, usual_settings};
use crate::api::{ApiState, Channels, Problem, Refusal, Told};
use crate::random;

/// The most checks of one answer: there are no pages.
const CHECKS_MAX: usize = 10_000;
/// The most tags of one question.
const TAGS_MAX: usize = 50;

/// The project's checks; those with all these tags and this slug.
pub(super) async fn list(
    api: &ApiState,
    version: Version,
    caller: Caller,
    query: &str,
) -> Result<Response, Error> {
    let viewer = Viewer::new(api, version, caller);
    let Some(filter) = filter(query) else {
        return Ok(Json(json!({"checks": []})).into_response());
    };
    let now = viewer.now();
    let project = caller.project;
    let looking = viewer.clone();
    let (found, beside) = api
        .read(move |sql| {
            let mut all = Vec::new();
            walk(sql, project, &filter, now, |heartbeat| {
                all.push(heartbeat);
                all.len() > CHECKS_MAX
            })?;
            Ok((all, looking.beside(sql, project)?))
        })
        .await?;
    if found.len() > CHECKS_MAX {
        return Err(Error::bad(format!(
            "these are more than {CHECKS_MAX} checks: ask for those with a tag, or use /api/v1/heartbeats"
        )));
    }
    let checks: Vec<Value> = found
        .iter()
        .map(|check| viewer.check(check, &beside))
        .collect();
    Ok(Json(json!({"checks": checks})).into_response())
}

/// Which checks a query asks for; `None`: there cannot be such a one.
fn filter(query: &str) -> Option<Filter> {
    let mut filter = Filter::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = value.into_owned();
        match name.as_ref() {
            "tag" if value.contains(|c: char| c.is_control() || c.is_whitespace()) => return None,
            "tag" if !filter.tags.contains(&value) => filter.tags.push(value),
            "slug" if value.is_empty() => {}
            "slug" if !is_slug(&value) => return None,
            "slug" => filter.slug = Some(value),
            _ => {}
        }
    }
    (filter.tags.len() <= TAGS_MAX).then_some(filter)
}

/// Hands over the project's checks one by one, the oldest first, until `taken` has enough.
fn walk(
    sql: &mut dyn Sql,
    project: ProjectId,
    filter: &Filter,
    now: UnixMicros,
    mut taken: impl FnMut(Heartbeat) -> bool,
) -> Result<(), Refusal> {
    let mut after = None;
    loop {
        let page = PageRequest::new(PageRequest::ITEMS_MAX, after);
        let found = heartbeats::list(sql, project, filter, now, &page)?;
        for heartbeat in found.items {
            if taken(heartbeat) {
                return Ok(());
            }
        }
        after = found.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Makes a check; or changes the one that has the same of all that is to be unique.
pub(super) async fn create(
    api: &ApiState,
    version: Version,
    caller: Caller,
    given: &Fields,
) -> Result<Response, Error> {
    let spec = Spec::read(given)?;
    let viewer = Viewer::new(api, version, caller);
    let (now, project) = (viewer.now(), caller.project);
    let id = HeartbeatId(random::uuid());
    let looking = viewer.clone();
    let (status, check, beside) = api
        .write_by(caller.actor, move |sql, told| {
            let (status, id) = if let Some(old) = matching(sql, project, &spec, now)? {
                apply(sql, told, &old, &spec, version, now)?;
                (StatusCode::OK, old.id)
            } else {
                add(sql, told, (project, id), &spec, now)?;
                (StatusCode::CREATED, id)
            };
            let (check, beside) = seen(sql, project, id, &looking)?;
            Ok((status, check, beside))
        })
        .await?;
    Ok((status, Json(viewer.check(&check, &beside))).into_response())
}

/// The oldest check that is meant by what is unique.
fn matching(
    sql: &mut dyn Sql,
    project: ProjectId,
    spec: &Spec,
    now: UnixMicros,
) -> Result<Option<Heartbeat>, Refusal> {
    if !spec.says_what_is_unique() {
        return Ok(None);
    }
    let asks = |field| spec.unique.contains(&field);
    let mut filter = Filter::default();
    if asks(Unique::Slug) {
        filter.slug.clone_from(&spec.slug);
    }
    if asks(Unique::Name) {
        // The nameless have another name in the store.
        filter.text = spec.name.clone().filter(|name| !name.is_empty());
    }
    let mut found = None;
    walk(sql, project, &filter, now, |heartbeat| {
        if spec.is(&heartbeat) {
            found = Some(heartbeat);
        }
        found.is_some()
    })?;
    Ok(found)
}

fn add(
    sql: &mut dyn Sql,
    told: &mut Told,
    (project, id): (ProjectId, HeartbeatId),
    spec: &Spec,
    now: UnixMicros,
) -> Result<(), Refusal> {
    let channels = channels(sql, project, spec)?;
    let slug = spec.slug.clone().filter(|slug| !slug.is_empty());
    let asked = spec.edit(id, None, channels, slug).map_err(Problem::from)?;
    let details = asked.details(&heartbeats::Details::default())?;
    let settings = asked.settings(&usual_settings()?)?;
    insert(sql, told, project, id, details, &settings, now)
}

fn apply(
    sql: &mut dyn Sql,
    told: &mut Told,
    old: &Heartbeat,
    spec: &Spec,
    version: Version,
    now: UnixMicros,
) -> Result<(), Refusal> {
    let channels = channels(sql, old.project, spec)?;
    let slug = new_slug(sql, old, spec, version)?;
    let asked = spec
        .edit(old.id, Some(old), channels, slug)
        .map_err(Problem::from)?;
    asked.mends(&old.unreadable)?;
    let details = asked.details(&old.details)?;
    let settings = asked.settings(&old.settings)?;
    edit(sql, told, old, &details, settings, now)
}

/// The slug that a check is to have, where it is to have another. To the first two versions, it follows the
/// name; it is never empty, and no two checks share one.
fn new_slug(
    sql: &mut dyn Sql,
    old: &Heartbeat,
    spec: &Spec,
    version: Version,
) -> Result<Option<String>, Refusal> {
    if let Some(slug) = spec.slug.as_ref().filter(|slug| !slug.is_empty()) {
        return Ok(Some(slug.clone()));
    }
    let Some(name) = spec.name.as_deref().filter(|_| version < Version::V3) else {
        return Ok(None);
    };
    let name = if name.is_empty() {
        nameless(old.id)
    } else {
        name.to_owned()
    };
    if slugify(&name) == slugify(&old.details.name) {
        return Ok(None);
    }
    Ok(Some(crate::api::slug::free(sql, old.project, &name)?))
}

/// The channels that are said, by id or name.
fn channels(
    sql: &mut dyn Sql,
    project: ProjectId,
    spec: &Spec,
) -> Result<Option<Channels>, Refusal> {
    let wanted = match spec.channels.as_deref() {
        None => return Ok(None),
        Some("*") => return Ok(Some(Channels::All)),
        Some("") => return Ok(Some(Channels::Only(Vec::new()))),
        Some(wanted) => wanted,
    };
    let known = all_channels(sql, project)?;
    let mut ids = Vec::new();
    for text in wanted.split(',') {
        if text.is_empty() {
            return Err(refused("empty channel identifier".to_owned()));
        }
        let found = known
            .iter()
            .find(|channel| channel.name == text || channel.id.to_string() == text);
        match found {
            Some(channel) => ids.push(channel.id.0),
            None => return Err(refused(format!("invalid channel identifier: {text}"))),
        }
    }
    Ok(Some(Channels::Only(ids)))
}

fn refused(text: String) -> Refusal {
    Problem::from(Error::bad(text)).into()
}

/// One check.
pub(super) async fn show(
    api: &ApiState,
    version: Version,
    caller: Caller,
    which: Which,
) -> Result<Response, Error> {
    let viewer = Viewer::new(api, version, caller);
    let looking = viewer.clone();
    let (check, beside) = api
        .read(move |sql| {
            let found = find(sql, caller.project, &which)?;
            Ok((found, looking.beside(sql, caller.project)?))
        })
        .await?;
    Ok(Json(viewer.check(&check, &beside)).into_response())
}

/// Changes what is said of a check.
pub(super) async fn change(
    api: &ApiState,
    version: Version,
    caller: Caller,
    which: Which,
    given: &Fields,
) -> Result<Response, Error> {
    let spec = Spec::read(given)?;
    act(api, version, caller, which, move |sql, told, old, now| {
        apply(sql, told, old, &spec, version, now)
    })
    .await
}

/// Nothing is expected of it any more.
pub(super) async fn pause(
    api: &ApiState,
    version: Version,
    caller: Caller,
    which: Which,
) -> Result<Response, Error> {
    act(api, version, caller, which, |sql, told, old, now| {
        take(sql, told, old, &Step::Pause, now)
    })
    .await
}

/// Something is expected of it again.
pub(super) async fn resume(
    api: &ApiState,
    version: Version,
    caller: Caller,
    which: Which,
) -> Result<Response, Error> {
    act(api, version, caller, which, |sql, told, old, now| {
        if old.state.phase != Phase::Paused {
            let problem = Problem::new(StatusCode::CONFLICT, "check is not paused");
            return Err(problem.into());
        }
        take(sql, told, old, &Step::Resume, now)
    })
    .await
}

/// Does something about a check; it, as it is then.
async fn act<F>(
    api: &ApiState,
    version: Version,
    caller: Caller,
    which: Which,
    verb: F,
) -> Result<Response, Error>
where
    F: Fn(&mut dyn Sql, &mut Told, &Heartbeat, UnixMicros) -> Result<(), Refusal> + Send + 'static,
{
    let viewer = Viewer::new(api, version, caller);
    let (now, project) = (viewer.now(), caller.project);
    let looking = viewer.clone();
    let (check, beside) = api
        .write_by(caller.actor, move |sql, told| {
            let old = find(sql, project, &which)?;
            verb(sql, told, &old, now)?;
            seen(sql, project, old.id, &looking)
        })
        .await?;
    Ok(Json(viewer.check(&check, &beside)).into_response())
}

/// Deletes a check; it, as it was.
pub(super) async fn delete(
    api: &ApiState,
    version: Version,
    caller: Caller,
    which: Which,
) -> Result<Response, Error> {
    let viewer = Viewer::new(api, version, caller);
    let (now, project) = (viewer.now(), caller.project);
    let looking = viewer.clone();
    let (check, beside) = api
        .write_by(caller.actor, move |sql, told| {
            let old = find(sql, project, &which)?;
            remove(sql, told, &old, now)?;
            Ok((old, looking.beside(sql, project)?))
        })
        .await?;
    Ok(Json(viewer.check(&check, &beside)).into_response())
}

/// A check as it is now, and what is told with it.
fn seen(
    sql: &mut dyn Sql,
    project: ProjectId,
    id: HeartbeatId,
    viewer: &Viewer,
) -> Result<(Heartbeat, Beside), Refusal> {
    let found = find(sql, project, &Which::Id(id))?;
    Ok((found, viewer.beside(sql, project)?))
}
