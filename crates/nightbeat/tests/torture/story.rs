//! From the first signal to the checker's word.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nightbeat_testkit::{Random, wall_now};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::checker::{self, Evidence};
use crate::clients::{Job, Life};
use crate::troubles::{self, Trouble};
use crate::world::World;

/// One job in so many dies.
const DEAD_ONE_IN: u64 = 8;

/// How many heartbeats are created at once.
const CREATORS: usize = 8;

/// The least of a short run, in which jobs die.
const SHORT_SPAN: Duration = Duration::from_secs(50);

/// How a run is to be.
pub(crate) struct Plan {
    pub(crate) heartbeats: u64,
    /// In milliseconds.
    pub(crate) interval: Range<u64>,
    /// In milliseconds.
    pub(crate) grace: Range<u64>,
    /// How long there are troubles; none: one of each, whatever that takes.
    pub(crate) span: Option<Duration>,
    pub(crate) seed: u64,
}

/// Runs it, and panics with everything that was promised and not kept.
pub(crate) async fn live(plan: Plan) {
    println!("seed {}", plan.seed);
    let mut random = Random::new(plan.seed);
    let mut world = World::start().await;
    let jobs = jobs(&plan, &world, &mut random).await;
    println!("{} heartbeats, {} nodes", jobs.len(), world.nodes.len());

    let began = Instant::now();
    let over = Arc::new(AtomicBool::new(false));
    let nodes = Arc::new(world.addresses());
    let mut lives = Vec::new();
    let doomed = jobs.iter().filter(|job| job.dies.is_some()).count();
    for job in jobs {
        let own = Random::new(plan.seed ^ (job.number + 1).rotate_left(32));
        lives.push(tokio::spawn(job.live(
            Arc::clone(&nodes),
            Arc::clone(&over),
            own,
        )));
    }
    trouble(&plan, &mut world, began, &mut random).await;
    world.until_ready().await;
    let quiet_since = wall_now();
    println!("{:.0} s: no more troubles", began.elapsed().as_secs_f64());

    let dead = until_told(&world, &mut lives, doomed, quiet_since).await;
    // Whatever is still to come without reason comes now.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let ends_at = wall_now();
    over.store(true, Ordering::Relaxed);
    let mut all: Vec<Life> = dead;
    for life in lives {
        all.push(life.await.unwrap());
    }
    let evidence = Evidence {
        lives: all,
        received: world.receiver.received(),
        gaps: world.gaps(),
        marks: world.marks(),
        quiet_since,
        ends_at,
    };
    let verdict = checker::check(&evidence);
    println!("{}", verdict.figures);
    assert!(verdict.broken.is_empty(), "{:#?}", verdict.broken);
    assert!(verdict.repeated > 0, "nothing shows with which key");
}

/// Creates the heartbeats. Who dies when is decided here.
async fn jobs(plan: &Plan, world: &World, random: &mut Random) -> Vec<Job> {
    let mut waiting = tokio::task::JoinSet::new();
    let mut jobs = Vec::new();
    let span = plan.span.unwrap_or(SHORT_SPAN).as_millis() as u64;
    for number in 0..plan.heartbeats {
        let mut within = |range: &Range<u64>| range.start + random.below(range.end - range.start);
        // The API takes whole seconds.
        let (interval, grace) = (within(&plan.interval) / 1_000, within(&plan.grace) / 1_000);
        let dies = random.below(DEAD_ONE_IN) == 0;
        let after = Duration::from_millis(random.below(span));
        let admin = world.admin.clone();
        waiting.spawn(async move {
            let fields = json!({"schedule": {"every": interval}, "grace": grace});
            let heartbeat = admin.heartbeat(&format!("job {number}"), fields).await;
            Job {
                number,
                heartbeat,
                interval: Duration::from_secs(interval),
                grace: Duration::from_secs(grace),
                dies: dies.then_some(after),
                nonce: number % 2 == 0,
            }
        });
        if waiting.len() >= CREATORS {
            jobs.push(waiting.join_next().await.unwrap().unwrap());
        }
    }
    while let Some(job) = waiting.join_next().await {
        jobs.push(job.unwrap());
    }
    jobs
}

async fn trouble(plan: &Plan, world: &mut World, began: Instant, random: &mut Random) {
    let Some(span) = plan.span else {
        for trouble in Trouble::EACH {
            troubles::one(world, trouble, random).await;
        }
        return;
    };
    let mut counted = BTreeMap::new();
    while began.elapsed() < span {
        for trouble in troubles::some(world, random).await {
            let kind = match trouble {
                Trouble::Kill(_) => "killed",
                Trouble::Pause(_) => "held still",
                Trouble::Refuse(_) => "refused by the database",
                Trouble::Blackhole(_) => "cut off in silence",
                Trouble::Reset(_) => "connections reset",
                Trouble::Restart(_) => "database restarted",
            };
            *counted.entry(kind).or_insert(0) += 1;
        }
    }
    println!("{counted:?}");
}

/// Waits until every dead job was told of, or should have been; the dead.
async fn until_told(
    world: &World,
    lives: &mut Vec<tokio::task::JoinHandle<Life>>,
    doomed: usize,
    quiet_since: nightbeat_domain::UnixMicros,
) -> Vec<Life> {
    let mut dead: Vec<Life> = Vec::new();
    loop {
        let (ended, living) = lives.drain(..).partition(JoinHandle::is_finished);
        *lives = living;
        let ended: Vec<_> = ended;
        for life in ended {
            dead.push(life.await.unwrap());
        }
        let received = world.receiver.received();
        let told = checker::told(&received);
        let now = wall_now();
        let waits = dead.len() < doomed
            || dead.iter().any(|life| {
                checker::told_of_death(life, &told).is_none()
                    && now <= checker::told_by(life, quiet_since)
            });
        if !waits {
            return dead;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
