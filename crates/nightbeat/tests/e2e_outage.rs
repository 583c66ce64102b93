//! Hole D: a server that was away for two hours. A thousand jobs from every minute to every day, ten of them
//! really dead. No living job is called down, what fell due meanwhile is told in one message, and every dead
//! job is told in time.
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use nightbeat_domain::{Signal, SignalKind, UnixMicros};
use nightbeat_store::hot::Record;
use nightbeat_store::{Arrival, Opener, Store, Target};
use nightbeat_testkit::http::{self, Connection};
use nightbeat_testkit::{Admin, Binary, Heartbeat, Random, Receiver, Setup, instant, until};
use serde_json::{Value, json};

/// 2026-11-22T03:00:00Z: when the server goes away.
const NIGHT: UnixMicros = UnixMicros::from_seconds(1_795_316_400);
const AWAY: Duration = Duration::from_secs(2 * 3_600);

/// How long the world is watched afterwards.
const AFTERWARDS: Duration = Duration::from_secs(50 * 60);

/// One step of the world: what happens within it happens at its end.
const STEP: Duration = Duration::from_secs(3);

const JOBS: usize = 1_000;
/// How often jobs run, in seconds.
const PERIODS: [u64; 10] = [
    60, 120, 240, 600, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400,
];
/// The grace of all of them, and so how long they have to report when the server is back.
const GRACE: Duration = Duration::from_secs(300);

/// Late by this is in time: a step of the world, and the steps of the server.
const SLACK: Duration = Duration::from_secs(15);

const SEED: u64 = 20_261_122;

/// A job as it really is.
struct Job {
    heartbeat: Heartbeat,
    period: Duration,
    /// When it signalled last before the server went away.
    last: UnixMicros,
    dead: bool,
}

impl Job {
    fn deadline(&self) -> UnixMicros {
        self.last + self.period + GRACE
    }

    /// When it runs next, after `at`. Nobody tries again what failed while the server was away.
    fn next_run(&self, at: UnixMicros) -> Option<UnixMicros> {
        let runs = at.since(self.last).as_micros() / self.period.as_micros() + 1;
        (!self.dead).then(|| self.last + self.period * runs as u32)
    }

    fn run_within(&self, from: UnixMicros, to: UnixMicros) -> bool {
        self.next_run(from).is_some_and(|run| run <= to)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hole_d_two_hours_away_call_no_living_job_down_and_hide_no_dead_one() {
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat"))
        .clock_at(NIGHT - 2 * Duration::from_secs(86_400));
    let admin = setup.init();
    let mut server = setup.start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;
    let nudge = admin.every("nudge", 10 * 86_400, 3_600).await;
    let jobs = jobs(&admin).await;
    server.terminate().await;

    // The nights before: the last signal of each job, with the server's own means.
    live_until_night(server.database(), &jobs).await;
    server.clock().leap(NIGHT.since(server.clock().now()));
    server.restart().await;
    for job in &jobs {
        assert_eq!(
            admin.status(&job.heartbeat).await,
            "up",
            "{}",
            job.heartbeat.name
        );
    }
    assert!(receiver.received().is_empty(), "{:?}", receiver.received());

    // It goes, and comes back.
    assert!(server.terminate().await.success());
    server.clock().leap(AWAY);
    server.restart().await;
    let back = server.clock().now();
    let patience_ends = back + GRACE;

    watch(&server, &nudge, &jobs, patience_ends - STEP).await;
    assert!(receiver.received().is_empty(), "{:?}", receiver.received());
    // Digests collect for three seconds what belongs together.
    watch(&server, &nudge, &jobs, patience_ends + STEP * 2).await;
    one_digest(&receiver, &jobs, back).await;

    watch(&server, &nudge, &jobs, back + AFTERWARDS).await;
    let incidents = incidents(&admin).await;
    no_living_job_is_down(&jobs, &incidents);
    every_dead_job_is_told(&admin, &jobs, back).await;
    until("every delivery is sent", async || {
        let waiting = admin.list("/deliveries").await;
        waiting
            .iter()
            .all(|one| one["state"] == "sent")
            .then_some(())
    })
    .await;
}

/// All jobs, with a last run at some moment of their last period. One job of each period is dead, and its
/// deadline passes at the latest soon after the server is back.
async fn jobs(admin: &Admin) -> Vec<Job> {
    println!("seed {SEED}");
    let mut random = Random::new(SEED);
    let mut jobs = Vec::new();
    for number in 0..JOBS {
        let period = Duration::from_secs(PERIODS[number % PERIODS.len()]);
        let dead = number < PERIODS.len();
        // The whole microseconds keep two jobs from the same instant.
        let mut ago = Duration::from_micros(random.below(period.as_micros() as u64));
        if dead {
            let due_after = AWAY + Duration::from_secs(random.below(1_200));
            ago = ago.max((period + GRACE).saturating_sub(due_after));
        }
        let name = format!("{} s, number {number}", period.as_secs());
        let fields = json!({
            "schedule": {"every": period.as_secs()}, "grace": GRACE.as_secs(),
            "remind_never_started": false,
        });
        jobs.push(Job {
            heartbeat: admin.heartbeat(&name, fields).await,
            period,
            last: NIGHT - ago,
            dead,
        });
    }
    jobs
}

async fn live_until_night(database: &Path, jobs: &[Job]) {
    let store = Store::open_sqlite(database, Opener::Server).unwrap().store;
    let mut last: Vec<&Job> = jobs.iter().collect();
    last.sort_by_key(|job| job.last);
    let arrivals = last.iter().map(|job| Arrival {
        target: Target::Id(job.heartbeat.id),
        signal: Signal::new(SignalKind::Success, job.last),
        nonce: None,
        method: "GET",
        source: String::new(),
        user_agent: String::new(),
        body: None,
        body_bytes: 0,
        mail: None,
    });
    let batch = Record {
        arrivals: arrivals.collect(),
        watermark: UnixMicros::MIN,
        gaps: Vec::new(),
        now: NIGHT,
    };
    assert_eq!(store.record(batch).await.unwrap().recorded.len(), JOBS);
}

/// Lets the world go on until `end`: the living jobs run when they run.
async fn watch(server: &Binary, nudge: &Heartbeat, jobs: &[Job], end: UnixMicros) {
    let address = server.address();
    let mut connection = Connection::open(address).await.unwrap();
    loop {
        let from = server.clock().now();
        let step = end.since(from).min(STEP);
        if step.is_zero() {
            return;
        }
        server.pass(step, nudge).await;
        for job in jobs.iter().filter(|job| job.run_within(from, from + step)) {
            let request = http::get(address, &job.heartbeat.path());
            let answer = connection.send(request).await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
    }
}

/// What fell due while the server was away, and did not report when it was back, is told in one message.
async fn one_digest(receiver: &Receiver, jobs: &[Job], back: UnixMicros) {
    let told = receiver.until("the digest", |all| !all.is_empty()).await;
    let silent = |job: &&Job| job.deadline() <= back && !job.run_within(back, back + GRACE);
    let expected: BTreeSet<&str> = jobs
        .iter()
        .filter(silent)
        .map(|job| job.heartbeat.name.as_str())
        .collect();
    let digest = told.iter().find(|one| one.event() == "digest").unwrap();
    let items = digest.body["heartbeats"].as_array().unwrap();
    let names: BTreeSet<&str> = items
        .iter()
        .map(|one| one["heartbeat"]["name"].as_str().unwrap())
        .collect();
    println!("{} jobs in the digest", names.len());
    assert_eq!(items.len(), names.len(), "a job is there twice");
    assert_eq!(names, expected);
    assert!(
        items
            .iter()
            .all(|one| one["heartbeat"]["status"] == "unverified")
    );
    let down = told.iter().filter(|one| one.event() != "up");
    assert_eq!(down.count(), 1, "one message, not a storm: {told:?}");
}

/// All incidents by the name of their heartbeat, the newest first.
async fn incidents(admin: &Admin) -> BTreeMap<String, Vec<Value>> {
    let mut by_name = BTreeMap::<String, Vec<Value>>::new();
    for incident in admin.list("/incidents").await {
        let name = incident["heartbeat_name"].as_str().unwrap().to_owned();
        by_name.entry(name).or_default().push(incident);
    }
    by_name
}

fn no_living_job_is_down(jobs: &[Job], incidents: &BTreeMap<String, Vec<Value>>) {
    for job in jobs.iter().filter(|job| !job.dead) {
        for incident in incidents.get(&job.heartbeat.name).into_iter().flatten() {
            assert_eq!(incident["claim"], "unverified", "{incident}");
        }
    }
}

/// *Unverified* at the later of its deadline and our return, plus the patience; *down* when a whole period
/// has passed since our return.
async fn every_dead_job_is_told(admin: &Admin, jobs: &[Job], back: UnixMicros) {
    let dead: Vec<&Job> = jobs.iter().filter(|job| job.dead).collect();
    assert_eq!(dead.len(), JOBS / 100);
    for job in dead {
        let (name, deadline) = (&job.heartbeat.name, job.deadline());
        let first = admin.deliveries(&job.heartbeat).await.remove(0);
        let told = instant(&first["created_at"]);
        let bound = deadline.max(back) + GRACE;
        assert!(
            told <= bound + SLACK,
            "{name}: told at {told:?}, not by {bound:?}"
        );
        let sure = back + job.period + GRACE;
        let status = if sure + SLACK <= back + AFTERWARDS {
            "down"
        } else {
            "unverified"
        };
        assert_eq!(admin.status(&job.heartbeat).await, status, "{name}");
    }
}
