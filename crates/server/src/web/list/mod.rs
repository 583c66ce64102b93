//! The heartbeats of a project: the page that people leave open.

mod bulk;
mod shared;
mod strip;
mod wish;

use std::collections::HashMap;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use nightbeat_domain::{HeartbeatId, LastRun, Status};
use nightbeat_store::control::heartbeats::{Filter, Heartbeat};
use nightbeat_store::control::overview::{self, HEARTBEATS_MAX, Sort};
use nightbeat_store::control::{PageRequest, channels};
use tokio::time::Instant;

pub(super) use bulk::{ask, change};
use shared::Asked;
pub(super) use shared::Lists;
pub(super) use strip::{Spark, Strip};
use wish::{Group, Wish};

use super::Web;
use super::frame::{Frame, Here, project_path};
use super::live::Subject;
use super::marks::{self, BY_URGENCY};
use super::pages::{Rendered, broken, page_without_secrets, unavailable};
use super::time::{Reader, When};
use super::viewer::Member;

/// How many tags are offered to choose from.
const TAGS_OFFERED_MAX: usize = 40;

/// The page.
#[derive(Template)]
#[template(path = "list.html")]
struct List {
    frame: Frame,
    project: String,
    may_change: bool,
    /// The project has no heartbeat at all.
    is_new: bool,
    /// Alerts go somewhere.
    has_channel: bool,
    text: String,
    /// What else stands in the address, for the form of the search.
    kept: Vec<(&'static str, String)>,
    tags: Vec<Choice>,
    groups: Vec<Choice>,
    beats: Beats,
}

/// What changes by itself.
#[derive(Template)]
#[template(path = "beats.html")]
struct Part {
    may_change: bool,
    beats: Beats,
}

/// The heartbeats on it.
struct Beats {
    /// The project's page, with the public URL's path.
    path: String,
    /// This very part of it.
    address: String,
    version: String,
    title: String,
    icon: String,
    statuses: Vec<Choice>,
    columns: Vec<Column>,
    groups: Vec<Rows>,
    /// What the filters let through.
    total: u64,
    is_filtered: bool,
    from: u64,
    to: u64,
    before: Option<String>,
    after: Option<String>,
    /// Nothing is late or worse in the whole project.
    sentence: String,
}

/// Something to choose by following a link.
struct Choice {
    name: String,
    link: String,
    count: u64,
    is_chosen: bool,
}

/// A heading that sorts.
struct Column {
    class: &'static str,
    name: &'static str,
    link: String,
    /// For `aria-sort`; empty: it is not sorted by this one.
    order: &'static str,
}

/// Rows that belong together.
struct Rows {
    title: Option<String>,
    rows: Vec<Row>,
}

/// One heartbeat.
struct Row {
    slug: String,
    name: String,
    tags: Vec<String>,
    status: &'static str,
    running: Option<When>,
    /// What cannot be read of it.
    problem: Option<String>,
    schedule: String,
    last: Option<When>,
    next: Option<When>,
    strip: Strip,
    spark: Option<Spark>,
}

/// What one look at the database gives.
struct Seen {
    heartbeats: Vec<Heartbeat>,
    runs: HashMap<HeartbeatId, Vec<LastRun>>,
    counts: HashMap<Status, u64>,
    filtered: HashMap<Status, u64>,
    tags: Vec<String>,
    has_channel: bool,
    version: u64,
}

pub(super) async fn show(
    State(web): State<Web>,
    member: Member,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let wish = Wish::parse(query.as_deref().unwrap_or_default());
    let reader = Reader::new(web.node.now(), member.viewer.time_zone.as_deref());
    if headers.contains_key("hx-request") {
        return part(&web, &member, &wish, &reader, &headers).await;
    }
    let seen = match look(&web, &member, &wish, &reader).await {
        Ok(seen) => seen,
        Err(error) => return unavailable(&web, &error),
    };
    let is_new = seen.counts.is_empty();
    let has_channel = seen.has_channel;
    let offered = offered(&wish, &seen.tags);
    let frame = framed(&web, &member, &seen);
    let beats = beats(&frame, &member, &wish, seen, &reader);
    let list = List {
        frame,
        project: member.project.name.clone(),
        may_change: member.may_change(),
        is_new,
        has_channel,
        kept: kept(&wish),
        tags: offered,
        groups: groups(&wish),
        text: wish.text,
        beats,
    };
    page_without_secrets(&headers, &list)
}

/// The part of the page that asks for itself. No token and no id stands in it: it may be compressed, and
/// everybody who may see it may be shown the same one.
async fn part(
    web: &Web,
    member: &Member,
    wish: &Wish,
    reader: &Reader,
    headers: &HeaderMap,
) -> Response {
    let may_change = member.may_change();
    let asked = Asked {
        project: member.project.id,
        query: wish.query(),
        may_change,
        time_zone: member.viewer.time_zone.clone(),
    };
    let look = async {
        let seen = look(web, member, wish, reader).await;
        let seen = seen.map_err(|error| unavailable(web, &error))?;
        let frame = framed(web, member, &seen);
        let beats = beats(&frame, member, wish, seen, reader);
        Rendered::of(&Part { may_change, beats }).map_err(|error| broken(&error))
    };
    let told_at = web.live.told_at(Subject::Project(member.project.id));
    match web.lists.get(asked, told_at, Instant::now(), look).await {
        Ok(list) => list.response(headers),
        Err(response) => response,
    }
}

/// The frame, with an icon that tells the worst of the project.
fn framed(web: &Web, member: &Member, seen: &Seen) -> Frame {
    Frame {
        icon: web.icon(marks::worst(&seen.counts)),
        ..web.frame_at(member, Here::Heartbeats)
    }
}

fn groups(wish: &Wish) -> Vec<Choice> {
    let groups = [
        ("no groups", Group::None),
        ("status", Group::Status),
        ("tag", Group::Tag),
    ];
    let choice = |(name, group): (&str, Group)| Choice {
        name: name.to_owned(),
        link: Wish {
            group,
            ..wish.clone()
        }
        .query(),
        count: 0,
        is_chosen: wish.group == group,
    };
    groups.into_iter().map(choice).collect()
}

async fn look(
    web: &Web,
    member: &Member,
    wish: &Wish,
    reader: &Reader,
) -> nightbeat_store::Result<Seen> {
    let (project, now) = (member.project.id, reader.now());
    let (filter, part) = (wish.filter(), wish.part());
    let is_filtered = wish.is_filtered();
    let reading = web.store.read(move |sql| {
        let heartbeats = overview::part(sql, project, &filter, now, part)?;
        let ids: Vec<HeartbeatId> = heartbeats.iter().map(|one| one.id).collect();
        let counts = overview::counts(sql, project, &Filter::default(), now)?;
        let filtered = if is_filtered {
            overview::counts(sql, project, &filter, now)?
        } else {
            counts.clone()
        };
        Ok(Seen {
            runs: overview::last_runs(sql, &ids)?,
            heartbeats,
            counts,
            filtered,
            tags: overview::tags(sql, project)?.into_iter().collect(),
            has_channel: !channels::list(sql, project, &PageRequest::new(1, None))?
                .items
                .is_empty(),
            version: overview::version(sql, project, now)?,
        })
    });
    reading.await
}

fn offered(wish: &Wish, tags: &[String]) -> Vec<Choice> {
    let chosen = |tag: &String| wish.tags.contains(tag);
    let shown = tags.iter().filter(|tag| chosen(tag));
    let shown = shown.chain(tags.iter().filter(|tag| !chosen(tag)));
    let shown = shown.take(TAGS_OFFERED_MAX).map(|tag| Choice {
        name: tag.clone(),
        link: wish.with_tag(tag).query(),
        count: 0,
        is_chosen: chosen(tag),
    });
    shown.collect()
}

/// What the form of the search sends besides its text.
fn kept(wish: &Wish) -> Vec<(&'static str, String)> {
    let mut kept = Vec::new();
    if let Some(status) = wish.status {
        kept.push(("status", status.as_str().to_owned()));
    }
    kept.extend(wish.tags.iter().map(|tag| ("tag", tag.clone())));
    if wish.sort != Sort::default() || wish.reversed {
        let minus = if wish.reversed { "-" } else { "" };
        kept.push(("sort", format!("{minus}{}", wish.sort_name())));
    }
    if wish.group != Group::None {
        kept.push(("group", wish.group_name().to_owned()));
    }
    kept
}

fn beats(frame: &Frame, member: &Member, wish: &Wish, seen: Seen, reader: &Reader) -> Beats {
    let path = format!("{}{}", frame.base, project_path(member.project.id));
    let summary = marks::summary(&seen.counts);
    let total: u64 = match wish.status {
        Some(status) => seen.filtered.get(&status).copied().unwrap_or(0),
        None => seen.filtered.values().sum(),
    };
    let from = u64::from(wish.page) * u64::from(HEARTBEATS_MAX);
    let to = from + seen.heartbeats.len() as u64;
    let link = |wish: &Wish| format!("{path}{}", wish.query());
    let Seen {
        heartbeats,
        mut runs,
        filtered,
        version,
        ..
    } = seen;
    let rows = heartbeats.into_iter().map(|one| {
        let runs = runs.remove(&one.id).unwrap_or_default();
        row(one, &runs, reader)
    });
    Beats {
        address: link(wish),
        version: version.to_string(),
        title: format!("{summary} – {} – Nightbeat", member.project.name),
        icon: frame.icon.clone(),
        statuses: statuses(wish, &filtered, &link),
        columns: columns(wish, &link),
        groups: grouped(wish.group, rows.collect()),
        total,
        is_filtered: wish.is_filtered(),
        from: from + 1,
        to,
        before: (wish.page > 0).then(|| link(&wish.at_page(wish.page - 1))),
        after: (to < total).then(|| link(&wish.at_page(wish.page + 1))),
        sentence: summary,
        path,
    }
}

fn statuses(
    wish: &Wish,
    counts: &HashMap<Status, u64>,
    link: &impl Fn(&Wish) -> String,
) -> Vec<Choice> {
    let mut choices = vec![Choice {
        name: "all".to_owned(),
        link: link(&wish.with_status(None)),
        count: counts.values().sum(),
        is_chosen: wish.status.is_none(),
    }];
    for status in BY_URGENCY {
        let count = counts.get(&status).copied().unwrap_or(0);
        let is_chosen = wish.status == Some(status);
        if count > 0 || is_chosen {
            choices.push(Choice {
                name: status.as_str().to_owned(),
                link: link(&wish.with_status(Some(status))),
                count,
                is_chosen,
            });
        }
    }
    choices
}

fn columns(wish: &Wish, link: &impl Fn(&Wish) -> String) -> Vec<Column> {
    let column = |class, name, sort| Column {
        class,
        name,
        link: link(&wish.sorted(sort)),
        order: match (wish.sort == sort, wish.reversed) {
            (false, _) => "",
            (true, false) => "ascending",
            (true, true) => "descending",
        },
    };
    vec![
        column("c-status", "Status", Sort::Status),
        column("c-name", "Name", Sort::Name),
        column("c-when last", "Last signal", Sort::LastSignal),
        column("c-when next", "Expected", Sort::Expected),
    ]
}

/// Rows under a heading each; the headings are in the order in which they first come, "no tag" last.
fn grouped(group: Group, rows: Vec<Row>) -> Vec<Rows> {
    let title = |row: &Row| match group {
        Group::None => None,
        Group::Status => Some(row.status.to_owned()),
        Group::Tag => Some(row.tags.first().cloned().unwrap_or_default()),
    };
    let mut groups: Vec<Rows> = Vec::new();
    for row in rows {
        let title = title(&row);
        match groups.iter_mut().find(|known| known.title == title) {
            Some(known) => known.rows.push(row),
            None => groups.push(Rows {
                title,
                rows: vec![row],
            }),
        }
    }
    if group == Group::Tag {
        groups.sort_by_key(|known| known.title.as_deref().is_some_and(str::is_empty));
    }
    groups
}

fn row(heartbeat: Heartbeat, runs: &[LastRun], reader: &Reader) -> Row {
    let state = &heartbeat.state;
    let unreadable = &heartbeat.unreadable;
    let when = |at: Option<_>| at.map(|at| reader.when(at));
    Row {
        slug: heartbeat.details.slug.clone(),
        status: heartbeat.status(reader.now()).as_str(),
        running: when(state.running_since()),
        problem: (!unreadable.is_nothing()).then(|| unreadable.problems.join("; ")),
        schedule: if unreadable.settings {
            "cannot be read".to_owned()
        } else {
            heartbeat.settings.schedule.explain()
        },
        last: when(state.last_signal_at),
        next: when(state.expected_at),
        strip: Strip::of(runs),
        spark: Spark::of(runs),
        name: heartbeat.details.name,
        tags: heartbeat.details.tags,
    }
}
