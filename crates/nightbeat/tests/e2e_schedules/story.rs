//! A story: jobs that run when they run, and what is told of them.

use std::time::Duration;

use nightbeat_domain::UnixMicros;
use nightbeat_testkit::{Admin, Binary, Heartbeat, Random, Receiver, Setup, instant};
use serde_json::{Value, json};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// From so long before anything happens the server sees time pass in small steps: longer than a
/// grace and what a success may come early together, so that no leap can excuse a silence. Where a grace is
/// longer, some job has to run at the instant itself.
const BEFORE: Duration = Duration::from_secs(11 * 60);
/// And until so long after it.
const AFTER: Duration = Duration::from_secs(90);

/// The longest that a job runs, in seconds.
const RUNTIME_MAX: u64 = 40;
const SEED: u64 = 20_270_328;

/// An instant in RFC 3339.
pub(crate) fn at(text: &str) -> UnixMicros {
    instant(&Value::from(text))
}

/// A job as it really is.
pub(crate) struct Job {
    name: &'static str,
    fields: Value,
    /// When its scheduler starts it.
    runs: &'static [&'static str],
    /// How long it takes is random; else it signals when it starts.
    takes_time: bool,
    /// When a person edits it, and to what.
    edits: Vec<(&'static str, Value)>,
    /// What is told of it, and in which minute: `"down 2027-03-28T01:05:00Z"`.
    told: &'static [&'static str],
}

impl Job {
    fn new(
        name: &'static str,
        schedule: &Value,
        grace: Duration,
        runs: &'static [&'static str],
    ) -> Self {
        let fields = json!({
            "schedule": schedule, "grace": grace.as_secs(), "remind_never_started": false,
        });
        Self {
            name,
            fields,
            runs,
            takes_time: true,
            edits: Vec::new(),
            told: &[],
        }
    }

    pub(crate) fn cron(
        name: &'static str,
        expression: &str,
        zone: &str,
        grace: Duration,
        runs: &'static [&'static str],
    ) -> Self {
        let schedule = json!({"cron": expression, "timezone": zone});
        Self::new(name, &schedule, grace, runs)
    }

    pub(crate) fn calendar(
        name: &'static str,
        expression: &str,
        zone: &str,
        grace: Duration,
        runs: &'static [&'static str],
    ) -> Self {
        let schedule = json!({"calendar": expression, "timezone": zone});
        Self::new(name, &schedule, grace, runs)
    }

    /// It signals at its instants, not some time after.
    pub(crate) fn at_once(mut self) -> Self {
        self.takes_time = false;
        self
    }

    pub(crate) fn edited(mut self, at: &'static str, fields: Value) -> Self {
        self.edits.push((at, fields));
        self
    }

    pub(crate) fn told(mut self, told: &'static [&'static str]) -> Self {
        self.told = told;
        self
    }
}

/// What happens to one of the jobs.
enum Event {
    Signals(usize),
    IsEdited(usize, Value),
    /// It is told of: nothing happens, but the server must see time pass.
    IsTold,
}

/// Lets it all happen, from `start` on, and looks at what was told.
pub(crate) async fn happens(start: &str, jobs: Vec<Job>) {
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat")).clock_at(at(start));
    let admin = setup.init();
    let server = setup.start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;
    let nudge = admin.every("nudge", 315_360_000, 3_600).await;
    let mut heartbeats = Vec::new();
    for job in &jobs {
        heartbeats.push(admin.heartbeat(job.name, job.fields.clone()).await);
    }
    for (time, event) in events(&jobs) {
        pass_until(&server, &nudge, time).await;
        match event {
            Event::Signals(job) => assert_eq!(admin.signal(&heartbeats[job]).await, 200),
            Event::IsEdited(job, fields) => edit(&admin, &heartbeats[job], &fields).await,
            Event::IsTold => {}
        }
    }
    server.pass(AFTER, &nudge).await;
    for (job, heartbeat) in jobs.iter().zip(&heartbeats) {
        assert_eq!(told(&admin, heartbeat).await, job.told, "{}", job.name);
        // Whoever saw the whole time does not say that it is unsure.
        let path = format!("/heartbeats/{}/incidents", heartbeat.id);
        for incident in admin.list(&path).await {
            assert_eq!(incident["claim"], "down", "{}", job.name);
        }
    }
}

/// All that happens, in order.
fn events(jobs: &[Job]) -> Vec<(UnixMicros, Event)> {
    println!("seed {SEED}");
    let mut random = Random::new(SEED);
    let mut events = Vec::new();
    for (number, job) in jobs.iter().enumerate() {
        for run in job.runs {
            let takes = Duration::from_millis(random.below(RUNTIME_MAX * 1_000));
            let ends = if job.takes_time {
                at(run) + takes
            } else {
                at(run)
            };
            events.push((ends, Event::Signals(number)));
        }
        for (time, fields) in &job.edits {
            events.push((at(time), Event::IsEdited(number, fields.clone())));
        }
        for told in job.told {
            let (_, time) = told.split_once(' ').unwrap();
            events.push((at(time), Event::IsTold));
        }
    }
    events.sort_by_key(|(time, _)| *time);
    events
}

/// Lets time pass: long stretches in which nothing happens at once, as on a machine that is suspended.
async fn pass_until(server: &Binary, nudge: &Heartbeat, time: UnixMicros) {
    let left = || time.since(server.clock().now());
    if left() > AFTER + BEFORE {
        server.pass(AFTER, nudge).await;
        server.clock().leap(left().saturating_sub(BEFORE));
        server.turn(nudge).await;
    }
    server.pass(left(), nudge).await;
}

async fn edit(admin: &Admin, heartbeat: &Heartbeat, fields: &Value) {
    let path = format!("/heartbeats/{}", heartbeat.id);
    let answer = admin.ask("PATCH", &path, fields).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// What was told, in order, and in which minute.
pub(crate) async fn told(admin: &Admin, heartbeat: &Heartbeat) -> Vec<String> {
    let deliveries = admin.deliveries(heartbeat).await;
    let told = deliveries.iter().map(|delivery| {
        let minute = MINUTE.as_micros() as i64;
        let created = instant(&delivery["created_at"]).0 / minute * minute;
        format!(
            "{} {}",
            delivery["event"].as_str().unwrap(),
            UnixMicros(created)
        )
    });
    told.collect()
}
