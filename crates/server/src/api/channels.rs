//! `/channels` and `/channel-kinds`, and what a channel would be.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use nightbeat_domain::{ChannelId, DeliveryId, ProjectId};
use nightbeat_notify::{Catalogue, Content, FieldError, Message};
use nightbeat_store::control::channels::{self, Health};
use nightbeat_store::control::projects;
use nightbeat_store::sql::Sql;
use tokio::time::Instant;
use uuid::Uuid;

use super::answer::{Created, Tagged};
use super::caller::Caller;
use super::input::{self, Given, PageQuery, Query};
use super::problem::Problem;
use super::shapes::{
    Channel, ChannelChanges, ChannelEdit, ChannelKind, ChannelList, ChannelPreview, List, MASK,
    NewChannel, TestResult,
};
use super::state::{ApiState, Refusal};
use super::text::{NAME_CHARS_MAX, line};
use super::version::IfMatch;
use crate::random;

/// List channels
///
/// The oldest first.
#[utoipa::path(get, path = "/channels", tag = "channels", params(PageQuery),
    responses((status = 200, body = ChannelList)))]
pub(super) async fn list_channels(
    State(api): State<ApiState>,
    caller: Caller,
    Query(asked): Query<PageQuery>,
) -> Result<Json<ChannelList>, Problem> {
    let page = asked.page();
    let (found, healths) = api
        .read(move |sql| {
            let found = channels::list(sql, caller.project, &page)?;
            let health = |one: &channels::Channel| channels::health(sql, caller.project, one.id);
            let healths: Result<Vec<Health>, _> = found.items.iter().map(health).collect();
            Ok((found, healths?))
        })
        .await?;
    let next_cursor = found.next.map(|cursor| cursor.to_string());
    let both = found.items.into_iter().zip(healths);
    let items = both.map(|(found, health)| Channel::of(found, health, &api.catalogue, caller));
    Ok(Json(ChannelList::new(items.collect(), next_cursor)))
}

/// Create a channel
#[utoipa::path(post, path = "/channels", tag = "channels", request_body = NewChannel,
    responses((status = 201, body = Channel)))]
pub(super) async fn create_channel(
    State(api): State<ApiState>,
    caller: Caller,
    input::Json(asked): input::Json<NewChannel>,
) -> Result<Created<Tagged<Channel>>, Problem> {
    let name = checked_name(&asked.name)?;
    let fields = new_fields(&api.catalogue, &asked.kind, &asked.settings)?;
    let new = channels::Channel {
        id: ChannelId(random::uuid()),
        name,
        kind: asked.kind,
        fields,
        created_at: api.now(),
        version: 1,
    };
    let created = api
        .write_by(caller.actor, move |sql, told| {
            name_is_free(sql, caller.project, &new.name)?;
            channels::insert(sql, caller.project, &new)?;
            told.did("created a channel", &*new.name);
            Ok(new.clone())
        })
        .await?;
    Ok(Created {
        location: format!("{}/api/v1/channels/{}", api.public_url, created.id),
        body: tagged(created, Health::default(), &api, caller),
    })
}

/// Show a channel
#[utoipa::path(get, path = "/channels/{channel}", tag = "channels",
    params(("channel" = String, Path, description = "Its id or name")),
    responses((status = 200, body = Channel)))]
pub(super) async fn show_channel(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
) -> Result<Tagged<Channel>, Problem> {
    let (found, health) = api
        .read(move |sql| {
            let found = find(sql, caller.project, &which)?;
            let health = channels::health(sql, caller.project, found.id)?;
            Ok((found, health))
        })
        .await?;
    Ok(tagged(found, health, &api, caller))
}

/// Change a channel
///
/// Only what is named changes, also within `settings`; its kind stays.
#[utoipa::path(patch, path = "/channels/{channel}", tag = "channels", request_body = ChannelEdit,
    params(("channel" = String, Path, description = "Its id or name"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version to change")),
    responses((status = 200, body = Channel)))]
pub(super) async fn change_channel(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
    if_match: IfMatch,
    input::Json(asked): input::Json<ChannelEdit>,
) -> Result<Tagged<Channel>, Problem> {
    let name = asked.name.as_deref().map(checked_name).transpose()?;
    let catalogue = api.catalogue.clone();
    let project = caller.project;
    let (changed, health) = api
        .write_by(caller.actor, move |sql, told| {
            let mut new = find(sql, project, &which)?;
            if_match.check(new.version)?;
            let old = new.clone();
            if let Some(name) = &name {
                new.name.clone_from(name);
            }
            if let Some(settings) = &asked.settings {
                let merged = merged(&old, settings.clone(), &catalogue);
                new.fields = checked_fields(&catalogue, &old.kind, &merged)?;
            }
            if new != old {
                if new.name != old.name {
                    name_is_free(sql, project, &new.name)?;
                }
                let version = Some(old.version);
                let changed =
                    channels::update(sql, project, old.id, version, &new.name, &new.fields)?;
                new.version = changed.ok_or_else(missing)?;
                told.did("changed a channel", &*new.name);
            }
            let health = channels::health(sql, project, new.id)?;
            Ok((new, health))
        })
        .await?;
    Ok(tagged(changed, health, &api, caller))
}

/// Delete a channel
///
/// Alerts that wait for it are cancelled. Refused while a heartbeat names it: that heartbeat's alerts could
/// go nowhere, unheard.
#[utoipa::path(delete, path = "/channels/{channel}", tag = "channels",
    params(("channel" = String, Path, description = "Its id or name"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version to delete")),
    responses((status = 204)))]
pub(super) async fn delete_channel(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    api.write_by(caller.actor, move |sql, told| {
        let old = find(sql, caller.project, &which)?;
        if_match.check(old.version)?;
        let named_by = channels::named_by(sql, caller.project, old.id)?;
        if named_by > 0 {
            let heartbeats = if named_by == 1 { "heartbeat names" } else { "heartbeats name" };
            let detail = format!(
                "{named_by} {heartbeats} this channel; change their `channels` first, else their alerts \
                 would not reach anyone through it"
            );
            return Err(Problem::new(StatusCode::CONFLICT, detail).into());
        }
        channels::delete(sql, caller.project, old.id, Some(old.version))?;
        told.did("deleted a channel", &*old.name);
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Test a channel
///
/// Sends a test message, and answers what its receiver said to it.
#[utoipa::path(post, path = "/channels/{channel}/test", tag = "channels",
    params(("channel" = String, Path, description = "Its id or name")),
    responses((status = 200, body = TestResult)))]
pub(super) async fn test_channel(
    State(api): State<ApiState>,
    caller: Caller,
    Given(which): Given,
) -> Result<Json<TestResult>, Problem> {
    let _turn = api.tests.clone().try_acquire_owned().map_err(|_| {
        Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many tests are under way; try again",
        )
    })?;
    let (channel, project_name) = api
        .read(move |sql| {
            let channel = find(sql, caller.project, &which)?;
            let project = projects::get(sql, caller.project)?;
            let project = project.ok_or_else(|| Problem::missing("project"))?;
            Ok((channel, project.name))
        })
        .await?;
    let message = Message {
        delivery_id: DeliveryId(random::uuid()),
        sent_at: api.now(),
        base_url: api.public_url.to_string(),
        content: Content::Test {
            project_name,
            channel_name: channel.name,
        },
    };
    let began = Instant::now();
    let answer = api
        .notifier
        .send(&channel.kind, &channel.fields, &message)
        .await;
    Ok(Json(TestResult {
        ok: answer.is_ok(),
        duration_ms: began.elapsed().as_millis() as u64,
        detail: match answer {
            Ok(sent) => sent.detail,
            Err(error) => error.detail,
        },
    }))
}

/// List the kinds of channels
///
/// Each with the fields to fill in.
#[utoipa::path(get, path = "/channel-kinds", tag = "channels",
    responses((status = 200, body = List<ChannelKind>)))]
pub(super) async fn list_channel_kinds(
    State(api): State<ApiState>,
    _caller: Caller,
) -> Json<List<ChannelKind>> {
    Json(List {
        items: api.catalogue.kinds().map(ChannelKind::from).collect(),
        next_cursor: None,
    })
}

/// Try a channel's settings
///
/// Whether they would be taken, and what would change. Nothing is stored, and nothing is sent.
#[utoipa::path(post, path = "/channel-kinds/preview", tag = "channels", request_body = ChannelPreview,
    responses((status = 200, body = ChannelChanges)))]
pub(super) async fn preview_channel(
    State(api): State<ApiState>,
    caller: Caller,
    input::Json(asked): input::Json<ChannelPreview>,
) -> Result<Json<ChannelChanges>, Problem> {
    let old = match asked.channel.clone() {
        Some(which) => Some(
            api.read(move |sql| find(sql, caller.project, &which))
                .await?,
        ),
        None => None,
    };
    let changes = match old {
        Some(old) if old.kind != asked.kind => {
            let problem = format!("the channel is of the kind {:?}, which stays", old.kind);
            return Err(Problem::field("kind", problem));
        }
        Some(old) => {
            let merged = merged(&old, asked.settings, &api.catalogue);
            let new = checked_fields(&api.catalogue, &old.kind, &merged)?;
            differing(&old.fields, &new)
        }
        None => {
            let settings = asked.settings.into_iter();
            let settings = settings.filter_map(|(name, value)| Some((name, value?)));
            let new = new_fields(&api.catalogue, &asked.kind, &settings.collect())?;
            new.into_keys().collect()
        }
    };
    Ok(Json(ChannelChanges { changes }))
}

/// The names of what is not the same in both.
fn differing(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name));
    differ.cloned().collect()
}

/// The project's channel with this id or name.
pub(super) fn find(
    sql: &mut dyn Sql,
    project: ProjectId,
    which: &str,
) -> Result<channels::Channel, Refusal> {
    if let Ok(id) = Uuid::try_parse(which)
        && let Some(found) = channels::get(sql, project, ChannelId(id))?
    {
        return Ok(found);
    }
    // What could not be a name is not looked for: not every database takes a NUL.
    if checked_name(which).is_err() {
        return Err(missing().into());
    }
    Ok(channels::by_name(sql, project, which)?.ok_or_else(missing)?)
}

fn missing() -> Problem {
    Problem::missing("channel")
}

fn checked_name(name: &str) -> Result<String, Problem> {
    line("name", name, NAME_CHARS_MAX)
}

fn name_is_free(sql: &mut dyn Sql, project: ProjectId, name: &str) -> Result<(), Refusal> {
    if channels::by_name(sql, project, name)?.is_none() {
        return Ok(());
    }
    let problem = format!("there is a channel named {name:?} already");
    Err(Problem::conflict("name", problem).into())
}

fn checked_fields(
    catalogue: &Catalogue,
    kind: &str,
    fields: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Problem> {
    catalogue.check(kind, fields).map_err(|error| {
        let FieldError { field, problem } = error;
        match field.as_str() {
            "" => Problem::field("kind", problem),
            field => Problem::field(&format!("settings.{field}"), problem),
        }
    })
}

/// The fields of a new channel: it has no secrets that a mask could stand for.
fn new_fields(
    catalogue: &Catalogue,
    kind: &str,
    settings: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Problem> {
    if let Some((field, _)) = settings.iter().find(|(_, value)| *value == MASK) {
        let problem = format!("{MASK} stands for a secret; a new channel needs the secret itself");
        return Err(Problem::field(&format!("settings.{field}"), problem));
    }
    checked_fields(catalogue, kind, settings)
}

/// The stored fields with these changes. The mask of a secret keeps it.
fn merged(
    old: &channels::Channel,
    changes: BTreeMap<String, Option<String>>,
    catalogue: &Catalogue,
) -> BTreeMap<String, String> {
    let secrets = catalogue.secret_fields(&old.kind);
    let mut fields = old.fields.clone();
    for (name, value) in changes {
        match value {
            Some(value) if value == MASK && secrets.contains(&name.as_str()) => {}
            Some(value) => drop(fields.insert(name, value)),
            None => drop(fields.remove(&name)),
        }
    }
    fields
}

fn tagged(
    found: channels::Channel,
    health: Health,
    api: &ApiState,
    caller: Caller,
) -> Tagged<Channel> {
    Tagged {
        version: found.version,
        body: Channel::of(found, health, &api.catalogue, caller),
    }
}
