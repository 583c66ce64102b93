//! Alice's project with two channels, on a store that serves, and a second connection that looks in.

use std::path::PathBuf;
use std::time::Duration;

use nightbeat_domain::{
    ChannelId, Gap, GapKind, HeartbeatId, ProjectId, Schedule, Settings, Signal, SignalKind, State,
    UnixMicros,
};
use nightbeat_store::control::channels::Channel;
use nightbeat_store::control::heartbeats::{Details, New};
use nightbeat_store::control::projects::Project;
use nightbeat_store::control::{channels, heartbeats, projects};
use nightbeat_store::hot::{Done, Elapse, Record};
use nightbeat_store::{Arrival, Opener, Store, Target};
use rusqlite::Connection;
use rusqlite::types::FromSql;
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const ALICE: ProjectId = ProjectId(Uuid::from_u128(0xa11c_e000));
pub(crate) const PING_KEY: &str = "alice-ping-key";
pub(crate) const MAIL: ChannelId = ChannelId(Uuid::from_u128(1));
pub(crate) const HOOK: ChannelId = ChannelId(Uuid::from_u128(2));
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// 2026-03-02T00:00:00Z: when the story begins.
pub(crate) const START: UnixMicros = UnixMicros(1_772_409_600_000_000);

pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) folder: TempDir,
}

impl House {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("beats.db");
        let store = Store::open_sqlite(&path, Opener::Server).unwrap().store;
        let house = Self { store, folder };
        house.store.write(furnish).await.unwrap();
        house
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("beats.db")
    }

    /// A connection beside the store.
    pub(crate) fn aside(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// The one value that a query answers.
    pub(crate) fn one<T: FromSql>(&self, sql: &str) -> T {
        self.aside().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn count(&self, table: &str) -> i64 {
        self.one(&format!("SELECT count(*) FROM {table}"))
    }

    /// Runs a statement that the code under test has no part in.
    pub(crate) fn raw(&self, sql: &str) {
        self.aside().execute_batch(sql).unwrap();
    }

    /// A heartbeat of Alice's, created at [`START`].
    pub(crate) async fn heartbeat(&self, number: u32, settings: &Settings) -> HeartbeatId {
        let id = heartbeat_id(number);
        let settings = settings.clone();
        let insert = move |sql: &mut dyn nightbeat_store::sql::Sql| {
            let details = Details {
                name: format!("job {number}"),
                slug: format!("job-{number}"),
                ..Details::default()
            };
            let new = New {
                id,
                details: &details,
                settings: &settings,
                state: &State::new(&settings, START),
                created_at: START,
            };
            heartbeats::insert(sql, ALICE, &new)
        };
        self.store.write(insert).await.unwrap();
        id
    }

    pub(crate) async fn record(&self, arrivals: Vec<Arrival>) -> Done {
        self.store.record(batch(arrivals)).await.unwrap()
    }

    pub(crate) async fn elapse(&self, id: HeartbeatId, asof: UnixMicros, gaps: Vec<Gap>) -> Done {
        self.store.elapse(due(vec![id], asof, gaps)).await.unwrap()
    }

    /// The heartbeat, as people see it.
    pub(crate) async fn state(&self, id: HeartbeatId) -> State {
        let found = self.store.read(move |sql| heartbeats::get(sql, ALICE, id));
        found.await.unwrap().unwrap().state
    }
}

fn furnish(sql: &mut dyn nightbeat_store::sql::Sql) -> nightbeat_store::Result<()> {
    let project = Project {
        id: ALICE,
        name: "Alice".to_owned(),
        ping_key: PING_KEY.to_owned(),
        fallback_channel: None,
        created_at: START,
    };
    projects::create(sql, &project)?;
    for (id, kind) in [(MAIL, "email"), (HOOK, "webhook")] {
        let channel = Channel {
            id,
            name: kind.to_owned(),
            kind: kind.to_owned(),
            fields: [].into(),
            created_at: START,
            version: 1,
        };
        channels::insert(sql, ALICE, &channel)?;
    }
    Ok(())
}

pub(crate) fn heartbeat_id(number: u32) -> HeartbeatId {
    HeartbeatId(Uuid::from_u128(0xbea7_0000 + u128::from(number)))
}

/// Expected hourly, with a grace of one hour.
pub(crate) fn hourly() -> Settings {
    Settings::new(Schedule::every_seconds(3_600).unwrap())
}

/// A signal by POST, received at `at`.
pub(crate) fn signal(id: HeartbeatId, kind: SignalKind, at: UnixMicros) -> Arrival {
    arrival(Target::Id(id), kind, at)
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
    }
}

pub(crate) fn success(id: HeartbeatId, at: UnixMicros) -> Arrival {
    signal(id, SignalKind::Success, at)
}

pub(crate) fn batch(arrivals: Vec<Arrival>) -> Record {
    Record {
        arrivals,
        watermark: UnixMicros::MIN,
        gaps: Vec::new(),
        now: START,
    }
}

pub(crate) fn due(heartbeats: Vec<HeartbeatId>, asof: UnixMicros, gaps: Vec<Gap>) -> Elapse {
    Elapse {
        heartbeats,
        asof,
        gaps,
        now: asof,
    }
}

pub(crate) fn gap(from: UnixMicros, to: UnixMicros) -> Gap {
    Gap {
        from,
        to,
        kind: GapKind::Stopped,
    }
}
