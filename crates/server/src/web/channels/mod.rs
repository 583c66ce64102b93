//! Where alerts go: the channels of a project, what they are made of, and how they fare.

pub(super) mod first;
mod form;

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use nightbeat_domain::{ChannelId, ProjectId};
use nightbeat_notify::Kind;
use nightbeat_store::control::PageRequest;
use nightbeat_store::control::channels::{self, Channel, Health};
use nightbeat_store::control::deliveries::{self, Attempt, Delivery, Filter};
use uuid::Uuid;

use super::Web;
use super::fields::Fields;
use super::forms::Posted;
use super::frame::{Frame, Here, project_path};
use super::pages::{go, missing, not_done, only_looking, page, unavailable};
use super::time::{Reader, When, took};
use super::viewer::Member;
use crate::api::inside::{Refused, Tested};
use form::Input;

/// How many channels are listed.
const CHANNELS_SHOWN: u32 = 500;
/// How many deliveries stand in a channel's log.
const DELIVERIES_SHOWN: u32 = 25;

/// All channels.
#[derive(Template)]
#[template(path = "channels.html")]
struct List {
    frame: Frame,
    path: String,
    may_change: bool,
    channels: Vec<Row>,
    kinds: Vec<KindRow>,
}

struct Row {
    id: String,
    name: String,
    kind: String,
    sent: Option<When>,
    error: Option<String>,
    failing: u64,
}

struct KindRow {
    name: String,
    title: String,
    help: String,
}

/// One channel, or one that is to be.
#[derive(Template)]
#[template(path = "channel.html")]
struct One {
    frame: Frame,
    path: String,
    /// Its page; `None`: it is not made yet.
    own: Option<String>,
    may_change: bool,
    title: String,
    kind: KindRow,
    name: String,
    version: String,
    inputs: Vec<Input>,
    problem: Option<Refused>,
    tested: Option<Tested>,
    health: Option<Row>,
    log: Vec<Sent>,
}

/// A delivery.
struct Sent {
    id: String,
    event: String,
    state: &'static str,
    mark: &'static str,
    created: When,
    next: Option<When>,
    is_failing: bool,
    attempts: Vec<Try>,
}

struct Try {
    at: When,
    took: String,
    ok: bool,
    detail: String,
}

impl One {
    /// What is wrong with a field.
    fn problem_of(&self, field: &str) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        (problem.field.as_deref() == Some(field)).then_some(problem.detail.as_str())
    }

    /// What is wrong with something that the form does not show.
    fn other_problem(&self) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        let is_shown =
            |field: &str| field == "name" || self.inputs.iter().any(|input| input.field() == field);
        let elsewhere = !problem.field.as_deref().is_some_and(is_shown);
        elsewhere.then_some(problem.detail.as_str())
    }
}

pub(super) async fn list(State(web): State<Web>, member: Member) -> Response {
    let project = member.project.id;
    let reading = web.store.read(move |sql| {
        let found = channels::list(sql, project, &PageRequest::new(CHANNELS_SHOWN, None))?;
        let both = found.items.into_iter().map(|channel| {
            let health = channels::health(sql, project, channel.id)?;
            Ok((channel, health))
        });
        both.collect::<nightbeat_store::Result<Vec<(Channel, Health)>>>()
    });
    let found = match reading.await {
        Ok(found) => found,
        Err(error) => return unavailable(&web, &error),
    };
    let reader = web.reader(&member.viewer);
    let rows = found
        .iter()
        .map(|(channel, health)| row(&web, channel, health, &reader));
    let frame = web.frame_at(&member, Here::Channels);
    let list = List {
        path: format!("{}{}", frame.base, project_path(project)),
        may_change: member.may_change(),
        channels: rows.collect(),
        kinds: web.api.catalogue.kinds().map(KindRow::of).collect(),
        frame,
    };
    page(StatusCode::OK, &list)
}

impl KindRow {
    fn of(kind: &Kind) -> Self {
        Self {
            name: kind.name.clone(),
            title: kind.title.clone(),
            help: kind.help.clone(),
        }
    }
}

fn row(web: &Web, channel: &Channel, health: &Health, reader: &Reader) -> Row {
    let kind = web.api.catalogue.kind(&channel.kind);
    Row {
        id: channel.id.to_string(),
        name: channel.name.clone(),
        kind: kind.map_or_else(|| channel.kind.clone(), |kind| kind.title.clone()),
        sent: health.last_sent_at.map(|at| reader.when(at)),
        error: health.last_error.clone(),
        failing: health.failing,
    }
}

/// The form for a new one; without a kind, the kinds to choose from.
pub(super) async fn ask(
    State(web): State<Web>,
    member: Member,
    RawQuery(query): RawQuery,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let kind = fields.text("kind");
    match web.api.catalogue.kind(kind) {
        Some(kind) => {
            let inputs = form::empty(kind);
            let one = new(&web, &member, kind, String::new(), inputs, None);
            page(StatusCode::OK, &one)
        }
        None => go(
            &web,
            &format!("{}/channels#kinds", project_path(member.project.id)),
        ),
    }
}

pub(super) async fn create(
    State(web): State<Web>,
    member: Member,
    Posted(fields): Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let Some(kind) = web.api.catalogue.kind(fields.text("kind")) else {
        return missing(&web, &member.viewer, "kind of channel");
    };
    let inside = member.inside(&web);
    match inside.create_channel(form::new_json(kind, &fields)).await {
        Ok(id) => go(
            &web,
            &format!("{}/channels/{id}", project_path(member.project.id)),
        ),
        Err(problem) => {
            let status = problem.status;
            let inputs = form::typed(kind, &fields);
            let name = fields.text("name").to_owned();
            page(
                status,
                &new(&web, &member, kind, name, inputs, Some(problem)),
            )
        }
    }
}

fn new(
    web: &Web,
    member: &Member,
    kind: &Kind,
    name: String,
    inputs: Vec<Input>,
    problem: Option<Refused>,
) -> One {
    let frame = web.frame_at(member, Here::Channels);
    One {
        path: format!("{}{}", frame.base, project_path(member.project.id)),
        own: None,
        may_change: true,
        title: format!("New channel: {}", kind.title),
        kind: KindRow::of(kind),
        name,
        version: String::new(),
        inputs,
        problem,
        tested: None,
        health: None,
        log: Vec::new(),
        frame,
    }
}

type Which = Path<(String, String)>;

pub(super) async fn show(State(web): State<Web>, member: Member, Path((_, id)): Which) -> Response {
    one(&web, &member, &id, None, Ok(None)).await
}

pub(super) async fn save(
    State(web): State<Web>,
    member: Member,
    Path((_, id)): Which,
    Posted(fields): Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let kind = match find(&web, member.project.id, &id).await {
        Ok(Some((channel, ..))) => web.api.catalogue.kind(&channel.kind),
        Ok(None) => return missing(&web, &member.viewer, "channel"),
        Err(error) => return unavailable(&web, &error),
    };
    let json = form::change_json(kind, &fields);
    let version = fields.text("version").parse().ok();
    let inside = member.inside(&web);
    match inside.change_channel(&id, version, json).await {
        Ok(()) => go(
            &web,
            &format!("{}/channels/{id}", project_path(member.project.id)),
        ),
        Err(problem) => one(&web, &member, &id, Some(&fields), Err(problem)).await,
    }
}

pub(super) async fn test(
    State(web): State<Web>,
    member: Member,
    Path((_, id)): Which,
    _form: Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let said = member.inside(&web).test_channel(&id).await;
    one(&web, &member, &id, None, said.map(Some)).await
}

pub(super) async fn delete(
    State(web): State<Web>,
    member: Member,
    Path((_, id)): Which,
    _form: Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    match member.inside(&web).delete_channel(&id).await {
        Ok(()) => go(
            &web,
            &format!("{}/channels", project_path(member.project.id)),
        ),
        Err(refused) => not_done(&web, &member.viewer, &refused),
    }
}

/// A delivery need not be shown as failing any more.
pub(super) async fn dismiss(
    State(web): State<Web>,
    member: Member,
    Path((_, id)): Which,
    Posted(fields): Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let channel = Uuid::try_parse(fields.text("channel")).unwrap_or_default();
    match member.inside(&web).dismiss(&id).await {
        Ok(()) => {
            let path = project_path(member.project.id);
            go(&web, &format!("{path}/channels/{channel}"))
        }
        Err(refused) => not_done(&web, &member.viewer, &refused),
    }
}

type Found = (Channel, Health, Vec<(Delivery, Vec<Attempt>)>);

async fn find(web: &Web, project: ProjectId, id: &str) -> nightbeat_store::Result<Option<Found>> {
    let Ok(id) = Uuid::try_parse(id) else {
        return Ok(None);
    };
    let id = ChannelId(id);
    let reading = web.store.read(move |sql| {
        let Some(channel) = channels::get(sql, project, id)? else {
            return Ok(None);
        };
        let health = channels::health(sql, project, id)?;
        let filter = Filter {
            channel: Some(id),
            ..Filter::default()
        };
        let request = PageRequest::new(DELIVERIES_SHOWN, None);
        let mut log = Vec::new();
        for delivery in deliveries::list(sql, project, &filter, &request)?.items {
            log.extend(deliveries::get(sql, project, delivery.id)?);
        }
        Ok(Some((channel, health, log)))
    });
    reading.await
}

/// A channel's page; with what a test was answered, or what is wrong with the form.
async fn one(
    web: &Web,
    member: &Member,
    id: &str,
    typed: Option<&Fields>,
    result: Result<Option<Tested>, Refused>,
) -> Response {
    let (channel, health, log) = match find(web, member.project.id, id).await {
        Ok(Some(found)) => found,
        Ok(None) => return missing(web, &member.viewer, "channel"),
        Err(error) => return unavailable(web, &error),
    };
    let reader = web.reader(&member.viewer);
    let kind = web.api.catalogue.kind(&channel.kind);
    let (tested, problem) = match result {
        Ok(tested) => (tested, None),
        Err(problem) => (None, Some(problem)),
    };
    let inputs = match (kind, typed) {
        (Some(kind), Some(fields)) => form::typed(kind, fields),
        (Some(kind), None) => form::stored(kind, &channel.fields),
        // Of a kind that is not in the catalogue any more nothing is shown: all may be secret.
        (None, _) => Vec::new(),
    };
    let frame = web.frame_at(member, Here::Channels);
    let path = format!("{}{}", frame.base, project_path(member.project.id));
    let typed_name = typed.map(|fields| fields.text("name").to_owned());
    let one = One {
        own: Some(format!("{path}/channels/{}", channel.id)),
        may_change: member.may_change(),
        title: channel.name.clone(),
        kind: kind.map_or_else(
            || KindRow {
                name: channel.kind.clone(),
                title: channel.kind.clone(),
                help: "This kind is not known to the server any more: alerts to it fail."
                    .to_owned(),
            },
            KindRow::of,
        ),
        version: channel.version.to_string(),
        health: Some(row(web, &channel, &health, &reader)),
        name: typed_name.unwrap_or(channel.name),
        inputs,
        tested,
        log: log.into_iter().map(|one| sent(one, &reader)).collect(),
        path,
        frame,
        problem,
    };
    let status = one
        .problem
        .as_ref()
        .map_or(StatusCode::OK, |problem| problem.status);
    page(status, &one)
}

fn sent((delivery, attempts): (Delivery, Vec<Attempt>), reader: &Reader) -> Sent {
    use deliveries::DeliveryState;
    let tries = attempts.into_iter().rev().map(|attempt| Try {
        at: reader.when(attempt.at),
        took: took(attempt.duration),
        ok: attempt.ok,
        detail: attempt.detail,
    });
    Sent {
        id: delivery.id.to_string(),
        event: delivery.event,
        state: delivery.state.as_str(),
        mark: match delivery.state {
            DeliveryState::Sent => "ok",
            DeliveryState::Failing => "failed",
            DeliveryState::Queued if delivery.attempt_count > 0 => "warning",
            DeliveryState::Queued | DeliveryState::Sending => "running",
            DeliveryState::Cancelled => "paused",
        },
        created: reader.when(delivery.created_at),
        next: delivery.next_try_at.map(|at| reader.when(at)),
        is_failing: delivery.state == DeliveryState::Failing && delivery.dismissed_at.is_none(),
        attempts: tries.collect(),
    }
}
