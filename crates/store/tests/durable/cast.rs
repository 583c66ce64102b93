//! Alice's project with two channels, on a store that serves, and a second connection that looks in. A file
//! of SQLite, or for what every store does PostgreSQL too.

use std::fmt::Debug;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use nightbeat_domain::nodes::NodeId;
use nightbeat_domain::{
    ChannelId, Gap, GapKind, HeartbeatId, ProjectId, Schedule, Settings, Signal, SignalKind, State,
    UnixMicros,
};
use nightbeat_store::control::channels::Channel;
use nightbeat_store::control::heartbeats::{Details, New};
use nightbeat_store::control::projects::Project;
use nightbeat_store::control::{channels, heartbeats, projects};
use nightbeat_store::hot::{Done, Elapse, Record};
use nightbeat_store::{Arrival, NodeFacts, Opener, Store, Target};
use nightbeat_testkit::postgres::{self, Database};
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

/// What keeps the rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// Makes two tests of each of these functions: one on each engine.
macro_rules! on_each_engine {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $( #[tokio::test] async fn $test() { super::$test($crate::cast::Engine::Sqlite).await; } )+
        }
        mod postgres {
            $( #[tokio::test] async fn $test() { super::$test($crate::cast::Engine::Postgres).await; } )+
        }
    };
}

pub(crate) use on_each_engine;

pub(crate) struct House {
    pub(crate) store: Store,
    /// Of the file; empty where the rows are not in one.
    pub(crate) folder: TempDir,
    database: Option<Database>,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::on(Engine::Sqlite).await
    }

    /// With this file in `folder`, opened again.
    pub(crate) fn of(store: Store, folder: TempDir) -> Self {
        Self {
            store,
            folder,
            database: None,
        }
    }

    pub(crate) async fn on(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, database) = match engine {
            Engine::Sqlite => {
                let path = folder.path().join("beats.db");
                (Store::open_sqlite(&path, Opener::Server).unwrap(), None)
            }
            Engine::Postgres => {
                let database = postgres::database();
                let opened = Store::open_postgres(&database.url(), Opener::Server).await;
                (opened.unwrap(), Some(database))
            }
        };
        let store = store.store;
        let node = NodeFacts {
            id: NodeId(Uuid::from_u128(1)),
            name: "one".to_owned(),
            version: "1".to_owned(),
        };
        // The database's clock is past the whole story: the node never holds it up.
        store.join(node).await.unwrap();
        store.write(furnish).await.unwrap();
        Self {
            store,
            folder,
            database,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("beats.db")
    }

    /// A connection beside the store.
    pub(crate) fn aside(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// The one value that a query answers.
    pub(crate) fn one<T: FromSql + FromStr<Err: Debug>>(&self, sql: &str) -> T {
        if let Some(database) = &self.database {
            let text = database.run(sql)[0][0].clone().unwrap();
            return text.parse().unwrap();
        }
        self.aside().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn count(&self, table: &str) -> i64 {
        self.one(&format!("SELECT count(*) FROM {table}"))
    }

    /// Runs a statement that the code under test has no part in.
    pub(crate) fn raw(&self, sql: &str) {
        match &self.database {
            Some(database) => drop(database.run(sql)),
            None => self.aside().execute_batch(sql).unwrap(),
        }
    }

    /// From now on the table takes no new rows.
    pub(crate) fn refuse(&self, table: &str) {
        self.raw(&match self.database {
            Some(_) => format!("ALTER TABLE {table} ADD CONSTRAINT no CHECK (false) NOT VALID"),
            None => format!(
                "CREATE TRIGGER no BEFORE INSERT ON {table} BEGIN SELECT raise(ABORT, 'no'); END"
            ),
        });
    }

    /// It takes them again.
    pub(crate) fn allow(&self, table: &str) {
        self.raw(&match self.database {
            Some(_) => format!("ALTER TABLE {table} DROP CONSTRAINT no"),
            None => "DROP TRIGGER no".to_owned(),
        });
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
        mail: None,
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
