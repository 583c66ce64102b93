//! Pages that follow what happens: the server says that something changed, the page asks what.
//!
//! A project that somebody looks at is asked for its version, a number that changes when any of its heartbeats
//! does. Each second at most, and only after this node has stored something; every few seconds in any case: of
//! several nodes the others store, too, and a heartbeat gets late without anything being stored. All pages of a
//! project share the question, and one that nobody looks at is not asked. An event carries nothing but the
//! version, so that a page which missed some shows nothing wrong once it has asked again.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::StatusCode;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use nightbeat_domain::ProjectId;
use nightbeat_store::control::overview;
use tokio::sync::watch;

use super::Web;
use super::viewer::Member;
use crate::http::Shutdown;

/// The shortest time between two events of one page.
const QUIET: Duration = Duration::from_secs(1);
/// How often a project is asked although this node has stored nothing, in units of [`QUIET`].
const ASK_ANYWAY: u32 = 4;
/// How often a silent stream says that it is there: proxies close those that do not.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The most streams at once.
const STREAMS_MAX: usize = 4_096;

/// Who follows which project.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// The version of each project that is followed, 0 until it is known. A std mutex: never held across an
    /// await.
    projects: Mutex<HashMap<ProjectId, watch::Sender<u64>>>,
    streams: Arc<AtomicUsize>,
}

/// One of the streams that are open.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Live {
    /// A place for one more stream, if there is any left.
    fn place(&self) -> Option<Place> {
        let place = Place(Arc::clone(&self.streams));
        // Dropped where it is one too many.
        (self.streams.fetch_add(1, Ordering::Relaxed) < STREAMS_MAX).then_some(place)
    }

    /// The version of a project from now on. Begins to ask where nobody has followed it so far.
    fn follow(self: &Arc<Self>, web: &Web, project: ProjectId) -> watch::Receiver<u64> {
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(version) = projects.get(&project) {
            return version.subscribe();
        }
        let (version, receiver) = watch::channel(0);
        projects.insert(project, version);
        tokio::spawn(ask(web.clone(), Arc::clone(self), project));
        receiver
    }

    /// Tells a version to all who follow; whether anybody does. Else the project is forgotten.
    fn tell(&self, project: ProjectId, version: Option<u64>) -> bool {
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(told) = projects.get(&project) else {
            return false;
        };
        if told.receiver_count() == 0 {
            projects.remove(&project);
            return false;
        }
        if let Some(version) = version {
            told.send_if_modified(|known| std::mem::replace(known, version) != version);
        }
        true
    }
}

/// Asks for a project's version as long as anybody follows it.
async fn ask(web: Web, live: Arc<Live>, project: ProjectId) {
    let mut shutdown = web.shutdown.clone();
    let mut stored = None;
    let mut turns = 0;
    loop {
        let seen = web.node.stored();
        let version = if stored != Some(seen) || turns >= ASK_ANYWAY {
            turns = 0;
            let now = web.node.now();
            let asking = web
                .store
                .read(move |sql| overview::version(sql, project, now));
            match asking.await {
                Ok(version) => {
                    stored = Some(seen);
                    Some(version)
                }
                Err(error) => {
                    tracing::warn!(%error, "whether a project has changed is not known");
                    None
                }
            }
        } else {
            None
        };
        if !live.tell(project, version) {
            return;
        }
        turns += 1;
        tokio::select! {
            () = tokio::time::sleep(QUIET) => {}
            () = shutdown.begun() => return,
        }
    }
}

/// `…/events`: says the project's version, and each new one.
pub(super) async fn events(State(web): State<Web>, member: Member) -> Response {
    let Some(place) = web.live.place() else {
        let later = [(RETRY_AFTER, "30")];
        let text = "too many pages are open; this one shows changes when it is loaded again\n";
        return (StatusCode::SERVICE_UNAVAILABLE, later, text).into_response();
    };
    let version = web.live.follow(&web, member.project.id);
    let follower = Follower {
        version,
        told: 0,
        shutdown: web.shutdown.clone(),
        _place: place,
    };
    let events = stream::unfold(follower, Follower::next);
    let headers = [
        (CACHE_CONTROL.as_str(), "no-store"),
        // nginx would keep events back to fill a buffer.
        ("x-accel-buffering", "no"),
    ];
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    (headers, Sse::new(events).keep_alive(keep_alive)).into_response()
}

struct Follower {
    version: watch::Receiver<u64>,
    /// What was told last.
    told: u64,
    shutdown: Shutdown,
    _place: Place,
}

impl Follower {
    /// The next event; none when the server stops, so that it need not wait for open pages.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let told = self.told;
        let version = tokio::select! {
            known = self.version.wait_for(|version| *version != told) => *known.ok()?,
            () = self.shutdown.begun() => return None,
        };
        self.told = version;
        let event = Event::default().event("changed").data(version.to_string());
        Some((Ok(event), self))
    }
}
