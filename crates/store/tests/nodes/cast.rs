//! Alice's project with two channels on PostgreSQL, and nodes that share it.

use std::sync::mpsc;
use std::time::Duration;

use nightbeat_domain::nodes::NodeId;
use nightbeat_domain::{
    ChannelId, Gap, HeartbeatId, ProjectId, Schedule, Settings, Signal, SignalKind, State,
    UnixMicros,
};
use nightbeat_store::control::channels::Channel;
use nightbeat_store::control::heartbeats::{self, Details, New};
use nightbeat_store::control::projects::Project;
use nightbeat_store::control::{channels, projects};
use nightbeat_store::hot::{Done, Elapse, Record};
use nightbeat_store::outbox::{Claim, ClaimedDelivery, DeliveryEnding, FinishedDelivery};
use nightbeat_store::sql::Sql;
use nightbeat_store::{Arrival, Joined, NewHeartbeat, NodeFacts, Opener, Result, Store, Target};
use nightbeat_testkit::postgres::{self, Database};
use tokio::task::JoinHandle;
use uuid::Uuid;

pub(crate) const ALICE: ProjectId = ProjectId(Uuid::from_u128(0xa11c_e000));
pub(crate) const PING_KEY: &str = "alice-ping-key";
pub(crate) const MAIL: ChannelId = ChannelId(Uuid::from_u128(1));
pub(crate) const HOOK: ChannelId = ChannelId(Uuid::from_u128(2));
pub(crate) const MICRO: Duration = Duration::from_micros(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// A database that nodes may share.
pub(crate) struct House {
    pub(crate) database: Database,
}

/// A node that has joined.
pub(crate) struct Node {
    pub(crate) store: Store,
    pub(crate) joined: Joined,
}

impl House {
    pub(crate) fn new() -> Self {
        let database = postgres::prepared("nodes", |url| {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let prepare = async {
                let opened = Store::open_postgres(url, Opener::Tool).await.unwrap();
                opened.store.write(furnish).await.unwrap();
            };
            // On a thread of its own: the test's drives a runtime already.
            std::thread::scope(|scope| {
                let mut runtime = runtime;
                let work = move || { runtime.enable_all() }.build().unwrap().block_on(prepare);
                scope.spawn(work).join().unwrap();
            });
        });
        Self { database }
    }

    pub(crate) async fn node(&self, number: u128) -> Node {
        Node::at(&self.database.url(), number).await
    }

    pub(crate) fn rows(&self, query: &str) -> Vec<Vec<String>> {
        let rows = self.database.run(query).into_iter();
        rows.map(|row| row.into_iter().map(Option::unwrap_or_default).collect())
            .collect()
    }

    /// The one number that a query answers.
    pub(crate) fn number(&self, query: &str) -> i64 {
        self.rows(query)[0][0].parse().unwrap()
    }

    pub(crate) fn count(&self, table: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM {table}"))
    }

    /// The node's lease is over, as if it had been silent for so long.
    pub(crate) fn end_lease(&self, number: u128) {
        let node = Uuid::from_u128(number).simple();
        self.rows(&format!(
            "UPDATE node SET lease_until = watermark WHERE id = '\\x{node}'"
        ));
    }

    /// A transaction of somebody else that has run a statement and goes on when it is released.
    pub(crate) async fn hold(&self, statement: &str) -> Held {
        let url = self.database.url();
        let opened = Store::open_postgres(&url, Opener::Tool).await.unwrap();
        let (held, is_held) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let statement = statement.to_owned();
        let work = tokio::spawn(async move {
            let verb = move |sql: &mut dyn Sql| {
                sql.execute(&statement, &[])?;
                held.send(()).unwrap();
                // Dropped, it is released too.
                released.recv().ok();
                Ok(())
            };
            opened.store.write(verb).await
        });
        let waiting = tokio::task::spawn_blocking(move || is_held.recv().unwrap());
        waiting.await.unwrap();
        Held { release, work }
    }

    /// Waits until so many wait for a lock.
    pub(crate) async fn until_blocked(&self, count: i64) {
        let query = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while self.number(query) < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The ids of all signals, in their order.
    pub(crate) fn signal_ids(&self) -> Vec<i64> {
        let rows = self.rows("SELECT id FROM signal ORDER BY id");
        rows.iter().map(|row| row[0].parse().unwrap()).collect()
    }
}

/// A transaction that holds locks.
pub(crate) struct Held {
    release: mpsc::Sender<()>,
    work: JoinHandle<Result<()>>,
}

impl Held {
    pub(crate) async fn release(self) {
        drop(self.release);
        self.work.await.unwrap().unwrap();
    }
}

impl Node {
    pub(crate) async fn at(url: &str, number: u128) -> Self {
        let opened = Store::open_postgres(url, Opener::Server).await.unwrap();
        let joined = opened.store.join(facts(number)).await.unwrap().unwrap();
        Self {
            store: opened.store,
            joined,
        }
    }

    pub(crate) async fn join_again(&mut self) {
        let who = NodeFacts {
            id: self.joined.lease.node,
            ..facts(0)
        };
        self.joined = self.store.join(who).await.unwrap().unwrap();
    }

    /// The cluster's time as the node joined.
    pub(crate) fn clock(&self) -> UnixMicros {
        self.joined.clock
    }

    /// A heartbeat of Alice's, created three hours before the node joined.
    pub(crate) async fn heartbeat(&self, number: u32, settings: &Settings) -> HeartbeatId {
        let id = heartbeat_id(number);
        let (settings, at) = (settings.clone(), self.clock() - 3 * HOUR);
        let insert = move |sql: &mut dyn Sql| {
            let details = Details {
                name: format!("job {number}"),
                slug: format!("job-{number}"),
                ..Details::default()
            };
            let new = New {
                id,
                details: &details,
                settings: &settings,
                state: &State::new(&settings, at),
                created_at: at,
            };
            heartbeats::insert(sql, ALICE, &new)
        };
        self.store.write(insert).await.unwrap();
        id
    }

    /// An hourly heartbeat whose last success makes it down at `deadline`.
    pub(crate) async fn due_at(&self, number: u32, deadline: UnixMicros) -> HeartbeatId {
        let id = self.heartbeat(number, &hourly()).await;
        self.record(vec![success(id, deadline - 2 * HOUR)]).await;
        id
    }

    pub(crate) async fn record(&self, arrivals: Vec<Arrival>) -> Done {
        self.store.record(self.batch(arrivals)).await.unwrap()
    }

    pub(crate) fn batch(&self, arrivals: Vec<Arrival>) -> Record {
        Record {
            arrivals,
            watermark: UnixMicros::MIN,
            gaps: Vec::new(),
            now: self.clock(),
        }
    }

    /// Every signal that the node received until `at` is stored.
    pub(crate) async fn come_to(&self, at: UnixMicros) -> Done {
        let beat = Record {
            watermark: at,
            now: at,
            ..self.batch(Vec::new())
        };
        self.store.record(beat).await.unwrap()
    }

    pub(crate) async fn elapse(&self, ids: &[HeartbeatId], asof: UnixMicros) -> Done {
        self.store.elapse(due(ids, asof)).await.unwrap()
    }

    pub(crate) async fn claim(&self, now: UnixMicros) -> Vec<ClaimedDelivery> {
        self.store.claim(wish(now)).await.unwrap()
    }

    /// The heartbeat, as people see it.
    pub(crate) async fn state(&self, id: HeartbeatId) -> State {
        let found = self.store.read(move |sql| heartbeats::get(sql, ALICE, id));
        found.await.unwrap().unwrap().state
    }

    /// The gap ledger.
    pub(crate) async fn gaps(&self) -> Vec<Gap> {
        let dumped = self.store.read(nightbeat_store::dump::dump).await;
        dumped.unwrap().gaps
    }
}

fn furnish(sql: &mut dyn Sql) -> Result<()> {
    let project = Project {
        id: ALICE,
        name: "Alice".to_owned(),
        ping_key: PING_KEY.to_owned(),
        fallback_channel: None,
        created_at: UnixMicros(0),
    };
    projects::create(sql, &project)?;
    for (id, kind) in [(MAIL, "email"), (HOOK, "webhook")] {
        let channel = Channel {
            id,
            name: kind.to_owned(),
            kind: kind.to_owned(),
            fields: [].into(),
            created_at: UnixMicros(0),
            version: 1,
        };
        channels::insert(sql, ALICE, &channel)?;
    }
    Ok(())
}

pub(crate) fn facts(number: u128) -> NodeFacts {
    NodeFacts {
        id: NodeId(Uuid::from_u128(number)),
        name: format!("host {number}"),
        version: "1".to_owned(),
    }
}

pub(crate) fn heartbeat_id(number: u32) -> HeartbeatId {
    HeartbeatId(Uuid::from_u128(0xbea7_0000 + u128::from(number)))
}

/// Expected hourly, with a grace of one hour; nobody is reminded to begin.
pub(crate) fn hourly() -> Settings {
    Settings {
        remind_never_started: false,
        ..Settings::new(Schedule::every_seconds(3_600).unwrap())
    }
}

pub(crate) fn signal(id: HeartbeatId, kind: SignalKind, at: UnixMicros) -> Arrival {
    arrival(Target::Id(id), kind, at)
}

pub(crate) fn success(id: HeartbeatId, at: UnixMicros) -> Arrival {
    signal(id, SignalKind::Success, at)
}

pub(crate) fn arrival(target: Target, kind: SignalKind, at: UnixMicros) -> Arrival {
    Arrival {
        target,
        signal: Signal::new(kind, at),
        nonce: None,
        method: "POST",
        source: "192.0.2.7".to_owned(),
        user_agent: "curl/8.5.0".to_owned(),
        body: None,
        body_bytes: 0,
        mail: None,
    }
}

/// A signal that creates its heartbeat where there is none with this slug.
pub(crate) fn creating(number: u32, slug: &str, at: UnixMicros) -> Arrival {
    let target = Target::Slug {
        ping_key: PING_KEY.to_owned(),
        slug: slug.to_owned(),
        create: Some(Box::new(NewHeartbeat {
            id: heartbeat_id(number),
            settings: hourly(),
        })),
    };
    arrival(target, SignalKind::Success, at)
}

pub(crate) fn due(ids: &[HeartbeatId], asof: UnixMicros) -> Elapse {
    Elapse {
        heartbeats: ids.to_vec(),
        asof,
        gaps: Vec::new(),
        now: asof,
    }
}

pub(crate) fn wish(now: UnixMicros) -> Claim {
    Claim {
        now,
        lease_until: now + 2 * MINUTE,
        per_channel: 500,
        skip: Vec::new(),
        digest_kinds: Vec::new(),
    }
}

pub(crate) fn sent(claimed: &ClaimedDelivery, at: UnixMicros) -> FinishedDelivery {
    FinishedDelivery {
        number: claimed.number,
        claim: claimed.claim,
        began_at: at,
        took: SECOND,
        ending: DeliveryEnding::Sent {
            detail: "200 OK".to_owned(),
        },
    }
}
