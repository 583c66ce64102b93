//! Status pages: what a project shows to everybody who knows the address.
//!
//! A stranger sees names, how things are, the last success and the last runs; no id, no address, no schedule, no
//! body, no tag, and not whose it is. `manage.rs` is where a project says so.

mod cache;
mod manage;

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use nightbeat_domain::{HeartbeatId, LastRun, Status, UnixMicros};
use nightbeat_store::StoreError;
use nightbeat_store::control::heartbeats::{Filter, Heartbeat};
use nightbeat_store::control::overview::{self, HEARTBEATS_MAX, Part, Sort};
use nightbeat_store::control::status_pages::{self, StatusPage};

pub(super) use cache::Cache;
pub(super) use manage::{change, create, delete, list, one};

use super::Web;
use super::list::Strip;
use super::marks;
use super::pages::{Rendered, refused, unavailable};
use super::time::{Reader, When};
use cache::Made;

/// How often an open page looks again, in seconds.
const LOOK_AGAIN_SECONDS: u32 = 60;
/// What those on the way may keep, and for how long: as long as we do.
const KEPT: &str = "public, max-age=15";

/// What everybody sees.
#[derive(Template)]
#[template(path = "status.html")]
struct Public {
    style: String,
    script: String,
    htmx: String,
    icon: String,
    /// Its own address, with the public URL's path.
    address: String,
    every_seconds: u32,
    title: String,
    /// The mark of the whole, …
    worst: &'static str,
    /// … and the whole in words.
    words: String,
    total: u64,
    seen: When,
    rows: Vec<Row>,
    left_out: u64,
    /// What the words mean that stand on the page.
    meanings: Vec<(&'static str, &'static str)>,
}

struct Row {
    name: String,
    status: &'static str,
    strip: Strip,
    success: Option<When>,
}

/// What one look at the database gives.
struct Seen {
    page: StatusPage,
    heartbeats: Vec<Heartbeat>,
    counts: HashMap<Status, u64>,
    runs: HashMap<HeartbeatId, Vec<LastRun>>,
}

/// A status page, for everybody.
pub(super) async fn show(
    State(web): State<Web>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    let now = web.node.now();
    if !is_path(&path) {
        return nothing(&web);
    }
    let made = web
        .status
        .get(&path, now, || async {
            let seen = look(&web, &path).await?;
            seen.map(|seen| make(&web, seen)).transpose()
        })
        .await;
    match made {
        Ok(Some(made)) => answer(&made, &headers),
        Ok(None) => nothing(&web),
        Err(error) => unavailable(&web, &error),
    }
}

/// Whether a text may be the last part of an address; not every database takes every text.
fn is_path(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.len() <= manage::PATH_CHARS.1 && text.bytes().all(fits)
}

/// The same for what never was and for what was taken down.
fn nothing(web: &Web) -> Response {
    let text = "There is no status page at this address. Perhaps it was taken down, or the address was cut on \
                its way.";
    refused(web, StatusCode::NOT_FOUND, "Nothing is shown here", text)
}

async fn look(web: &Web, path: &str) -> nightbeat_store::Result<Option<Seen>> {
    let (path, now) = (path.to_owned(), web.node.now());
    let reading = web.store.read(move |sql| {
        let Some((project, page)) = status_pages::by_path(sql, &path)? else {
            return Ok(None);
        };
        let tag = Some(page.tag.clone()).filter(|tag| !tag.is_empty());
        let filter = Filter {
            tags: tag.into_iter().collect(),
            ..Filter::default()
        };
        let part = Part {
            sort: Sort::Status,
            reversed: false,
            skip: 0,
            limit: HEARTBEATS_MAX,
        };
        let heartbeats = overview::part(sql, project, &filter, now, part)?;
        let ids: Vec<HeartbeatId> = heartbeats.iter().map(|one| one.id).collect();
        Ok(Some(Seen {
            counts: overview::counts(sql, project, &filter, now)?,
            runs: overview::last_runs(sql, &ids)?,
            heartbeats,
            page,
        }))
    });
    reading.await
}

fn make(web: &Web, seen: Seen) -> nightbeat_store::Result<Made> {
    let now = web.node.now();
    let page = Rendered::of(&shown(web, seen, now));
    let page = page.map_err(|error| StoreError::Broken(format!("a status page: {error}")))?;
    Ok(Made {
        at: now,
        etag: page.etag(),
        page,
    })
}

fn answer(made: &Made, headers: &HeaderMap) -> Response {
    let common = [(CACHE_CONTROL, KEPT.to_owned()), (ETAG, made.etag.clone())];
    if is_known(headers, &made.etag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, made.page.response(headers)).into_response()
}

/// Whether the browser has it already.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).into_iter();
    let mut tags = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    tags.any(|tag| tag.trim() == etag || tag.trim() == "*")
}

fn shown(web: &Web, seen: Seen, now: UnixMicros) -> Public {
    let Seen {
        page,
        heartbeats,
        counts,
        mut runs,
    } = seen;
    let reader = Reader::new(now, None);
    let (worst, words) = overall(&counts);
    let total: u64 = counts.values().sum();
    let frame = web.frame();
    let meanings = MEANINGS
        .iter()
        .filter(|(status, _)| counts.get(status).is_some_and(|count| *count > 0));
    Public {
        icon: web.icon(marks::worst(&counts)),
        style: frame.style,
        script: frame.script,
        htmx: frame.htmx,
        address: format!("{}/status/{}", frame.base, page.path),
        every_seconds: LOOK_AGAIN_SECONDS,
        title: page.title,
        worst,
        words,
        total,
        seen: reader.when(now),
        left_out: total.saturating_sub(heartbeats.len() as u64),
        meanings: meanings
            .map(|(status, meaning)| (status.as_str(), *meaning))
            .collect(),
        rows: heartbeats
            .into_iter()
            .map(|one| Row {
                status: one.status(now).as_str(),
                strip: Strip::of(&runs.remove(&one.id).unwrap_or_default()),
                success: one.state.last_success_at.map(|at| reader.when(at)),
                name: one.details.name,
            })
            .collect(),
    }
}

/// What strangers are told that a status means.
const MEANINGS: [(Status, &str); 7] = [
    (Status::Down, "It did not do its work, or not in time."),
    (
        Status::Unverified,
        "It is overdue, but we could not hear it all the time: perhaps it is fine.",
    ),
    (Status::Warning, "Done, with something to look at."),
    (Status::Late, "Expected by now; it still has a while."),
    (Status::New, "Nothing was heard of it yet."),
    (Status::Up, "It did its work in time."),
    (Status::Paused, "Nothing is expected of it at the moment."),
];

/// A mark and words for the whole.
fn overall(counts: &HashMap<Status, u64>) -> (&'static str, String) {
    let count = |status| counts.get(&status).copied().unwrap_or(0);
    let mark = marks::worst(counts).map_or("new", Status::as_str);
    let words = if counts.is_empty() {
        "Nothing is shown here yet".to_owned()
    } else if marks::needs_somebody(counts) {
        marks::summary(counts)
    } else if count(Status::Up) > 0 {
        return (Status::Up.as_str(), "All is well".to_owned());
    } else if count(Status::New) > 0 {
        "Nothing was heard yet".to_owned()
    } else {
        "Paused".to_owned()
    };
    (mark, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_is_as_good_as_its_worst_and_never_better_than_what_was_heard() {
        let told = |counts: &[(Status, u64)]| overall(&counts.iter().copied().collect());
        for (counts, mark, words) in [
            (&[] as &[(Status, u64)], "new", "Nothing is shown here yet"),
            (&[(Status::Up, 3), (Status::Paused, 1)], "up", "All is well"),
            (&[(Status::Up, 3), (Status::New, 1)], "up", "All is well"),
            (
                &[(Status::New, 1), (Status::Paused, 1)],
                "new",
                "Nothing was heard yet",
            ),
            (&[(Status::Paused, 2)], "paused", "Paused"),
            (&[(Status::Up, 3), (Status::Late, 1)], "late", "1 late"),
            (
                &[(Status::Up, 3), (Status::Late, 1), (Status::Down, 2)],
                "down",
                "2 down, 1 late",
            ),
        ] {
            assert_eq!(told(counts), (mark, words.to_owned()));
        }
    }

    #[test]
    fn an_address_is_plain() {
        for fits in ["ours", "a", "0f9c-3", "X7"] {
            assert!(is_path(fits), "{fits}");
        }
        for not in ["", "a b", "ä", "a\0", "../x", &"x".repeat(100)] {
            assert!(!is_path(not), "{not}");
        }
    }
}
