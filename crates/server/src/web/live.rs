//! Pages that follow what happens: the server says that something changed, the page asks what.
//!
//! What somebody looks at, a project or one heartbeat, is asked for its version: a number that changes when it
//! does. Each second at most, and only after this node has stored something; every few seconds in any case: of
//! several nodes the others store, too, and a heartbeat gets late without anything being stored. All pages of
//! the same thing share the question, and what nobody looks at is not asked. An event carries nothing but the
//! version, so that a page which missed some shows nothing wrong once it has asked again.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::StatusCode;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use nightbeat_domain::{HeartbeatId, ProjectId, UnixMicros};
use nightbeat_store::control::overview;
use nightbeat_store::sql::Sql;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Web;
use super::heartbeat;
use super::pages::not_done;
use super::viewer::Member;
use crate::http::Shutdown;

/// The shortest time between two events of one page.
const QUIET: Duration = Duration::from_secs(1);
/// How often a version is asked for although this node has stored nothing, in units of [`QUIET`].
const ASK_ANYWAY: u32 = 4;
/// How often a silent stream says that it is there: proxies close those that do not.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The most streams at once.
const STREAMS_MAX: usize = 4_096;
/// A page that is told of a change asks for a list. So many do in a second, all together; where more pages are
/// open they take turns, and each is told less often.
const TOLD_PER_SECOND: usize = 200;

/// What a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// All heartbeats of a project.
    Project(ProjectId),
    /// One of them.
    Heartbeat(ProjectId, HeartbeatId),
}

impl Subject {
    fn version(self, sql: &mut dyn Sql, now: UnixMicros) -> nightbeat_store::Result<u64> {
        match self {
            Self::Project(project) => overview::version(sql, project, now),
            Self::Heartbeat(project, id) => overview::heartbeat_version(sql, project, id, now),
        }
    }
}

/// Who follows what.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// All that is followed. A std mutex: never held across an await.
    followed: Mutex<HashMap<Subject, Followed>>,
    streams: Arc<Streams>,
}

/// Something that somebody follows.
#[derive(Debug)]
struct Followed {
    /// Its version, 0 until it is known.
    version: watch::Sender<u64>,
    /// When it became that.
    since: Instant,
}

/// The streams that are open.
#[derive(Debug)]
struct Streams {
    open: AtomicUsize,
    /// How many ever were.
    opened: AtomicUsize,
    began: Instant,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            open: AtomicUsize::new(0),
            opened: AtomicUsize::new(0),
            began: Instant::now(),
        }
    }
}

/// One of them.
#[derive(Debug)]
struct Place {
    streams: Arc<Streams>,
    /// Which one it is.
    number: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.streams.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Place {
    /// How long its stream waits for its turn.
    fn turn(&self) -> Duration {
        let open = self.streams.open.load(Ordering::Relaxed);
        turn(self.streams.began.elapsed(), self.number, open)
    }
}

/// How long a stream waits for its turn: each has one in every round, `since` the first round began, and a
/// round takes as long as telling all that are `open` may.
fn turn(since: Duration, number: usize, open: usize) -> Duration {
    if open <= TOLD_PER_SECOND {
        return Duration::ZERO;
    }
    let micros = |streams: usize| streams as u128 * 1_000_000 / TOLD_PER_SECOND as u128;
    let (round, mine) = (micros(open), micros(number % open));
    let wait = (mine + round - since.as_micros() % round) % round;
    Duration::from_micros(u64::try_from(wait).unwrap_or(0))
}

impl Live {
    /// A place for one more stream, if there is any left.
    fn place(&self) -> Option<Place> {
        let streams = Arc::clone(&self.streams);
        let number = streams.opened.fetch_add(1, Ordering::Relaxed);
        let before = streams.open.fetch_add(1, Ordering::Relaxed);
        // Dropped where it is one too many.
        let place = Place { streams, number };
        (before < STREAMS_MAX).then_some(place)
    }

    /// The version of something from now on. Begins to ask where nobody has followed it so far.
    fn follow(self: &Arc<Self>, web: &Web, subject: Subject) -> watch::Receiver<u64> {
        let mut all = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(followed) = all.get(&subject) {
            return followed.version.subscribe();
        }
        let (version, receiver) = watch::channel(0);
        let since = Instant::now();
        all.insert(subject, Followed { version, since });
        tokio::spawn(ask(web.clone(), Arc::clone(self), subject));
        receiver
    }

    /// Tells a version to all who follow; whether anybody does. Else the subject is forgotten.
    fn tell(&self, subject: Subject, version: Option<u64>) -> bool {
        let mut all = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(followed) = all.get_mut(&subject) else {
            return false;
        };
        if followed.version.receiver_count() == 0 {
            all.remove(&subject);
            return false;
        }
        let Some(version) = version else { return true };
        let is_new = |known: &mut u64| std::mem::replace(known, version) != version;
        if followed.version.send_if_modified(is_new) {
            followed.since = Instant::now();
        }
        true
    }

    /// Since when those who follow this have been told that it is as it is: who looked later has seen all that
    /// they were told of. `None`: nobody follows it.
    pub(super) fn told_at(&self, subject: Subject) -> Option<Instant> {
        let all = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&subject).map(|followed| followed.since)
    }
}

/// Asks for a version as long as anybody follows it.
async fn ask(web: Web, live: Arc<Live>, subject: Subject) {
    let mut shutdown = web.shutdown.clone();
    let mut stored = None;
    let mut turns = 0;
    loop {
        let seen = web.node.stored();
        let version = if stored != Some(seen) || turns >= ASK_ANYWAY {
            turns = 0;
            let now = web.node.now();
            let asking = web.store.read(move |sql| subject.version(sql, now));
            match asking.await {
                Ok(version) => {
                    stored = Some(seen);
                    Some(version)
                }
                Err(error) => {
                    tracing::warn!(%error, "whether a page has changed is not known");
                    None
                }
            }
        } else {
            None
        };
        if !live.tell(subject, version) {
            return;
        }
        turns += 1;
        tokio::select! {
            () = tokio::time::sleep(QUIET) => {}
            () = shutdown.begun() => return,
        }
    }
}

/// `…/events` of a project: says its version, and each new one.
pub(super) async fn project_events(State(web): State<Web>, member: Member) -> Response {
    events(&web, Subject::Project(member.project.id))
}

/// The same of one heartbeat.
pub(super) async fn heartbeat_events(
    State(web): State<Web>,
    member: Member,
    Path((_, which)): Path<(String, String)>,
) -> Response {
    match heartbeat::find(&web, member.project.id, &which).await {
        Ok(found) => events(&web, Subject::Heartbeat(member.project.id, found.id)),
        Err(refused) => not_done(&web, &member.viewer, &refused),
    }
}

fn events(web: &Web, subject: Subject) -> Response {
    let Some(place) = web.live.place() else {
        let later = [(RETRY_AFTER, "30")];
        let text = "too many pages are open; this one shows changes when it is loaded again\n";
        return (StatusCode::SERVICE_UNAVAILABLE, later, text).into_response();
    };
    let follower = Follower {
        version: web.live.follow(web, subject),
        told: 0,
        shutdown: web.shutdown.clone(),
        place,
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
    place: Place,
}

impl Follower {
    /// The next event; none when the server stops, so that it need not wait for open pages.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let told = self.told;
        tokio::select! {
            known = self.version.wait_for(|version| *version != told) => drop(known.ok()?),
            () = self.shutdown.begun() => return None,
        }
        // How things are is told at once.
        if told != 0 {
            tokio::select! {
                () = tokio::time::sleep(self.place.turn()) => {}
                () = self.shutdown.begun() => return None,
            }
        }
        let version = *self.version.borrow_and_update();
        self.told = version;
        let event = Event::default().event("changed").data(version.to_string());
        Some((Ok(event), self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_pages_are_told_at_once() {
        for number in [0, 7, TOLD_PER_SECOND * 9] {
            let wait = turn(Duration::from_millis(1_234), number, TOLD_PER_SECOND);
            assert_eq!(wait, Duration::ZERO);
        }
    }

    #[test]
    fn many_pages_take_turns_and_none_is_left_out() {
        let open = 5 * TOLD_PER_SECOND;
        for since in [0, 1, 4_999, 5_000, 123_456_789].map(Duration::from_millis) {
            let mut turns: Vec<Duration> = (0..open).map(|it| turn(since, it, open)).collect();
            turns.sort();
            assert!(turns[open - 1] < Duration::from_secs(5));
            let together = turns.iter().filter(|it| **it < Duration::from_secs(1));
            assert_eq!(together.count(), TOLD_PER_SECOND);
        }
    }

    #[test]
    fn who_was_told_waits_a_whole_round() {
        let open = 5 * TOLD_PER_SECOND;
        let wait = turn(Duration::from_millis(777), 42, open);
        let told = Duration::from_millis(777) + wait;
        let next = turn(told + Duration::from_micros(1), 42, open);
        assert_eq!(next, Duration::from_secs(5) - Duration::from_micros(1));
    }
}
