//! A database with Alice's and Mallory's projects, and rows that the hot path would have written.

use std::collections::BTreeMap;

use nightbeat_domain::{
    ChannelId, HeartbeatId, Phase, ProjectId, Schedule, Settings, State, UnixMicros,
};
use nightbeat_store::control::channels::Channel;
use nightbeat_store::control::heartbeats::{Details, New};
use nightbeat_store::control::projects::Project;
use nightbeat_store::control::{Cursor, PageRequest, channels, heartbeats, projects};
use nightbeat_store::sql::{Row, Sql, Value};
use nightbeat_store::{Opener, Result, Store};
use nightbeat_testkit::postgres::{self, Database};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;

pub(crate) const ALICE: ProjectId = ProjectId(Uuid::from_u128(0xa11c_e000));
pub(crate) const MALLORY: ProjectId = ProjectId(Uuid::from_u128(0xbad0_0000));

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
            $( #[test] fn $test() { super::$test($crate::world::Engine::Sqlite); } )+
        }
        mod postgres {
            $( #[test] fn $test() { super::$test($crate::world::Engine::Postgres); } )+
        }
    };
}

pub(crate) use on_each_engine;

pub(crate) struct World {
    store: Store,
    runtime: Runtime,
    _place: Place,
}

/// Gone with the world.
#[expect(dead_code, reason = "what is in it only has to be dropped")]
enum Place {
    Folder(TempDir),
    Database(Database),
}

impl World {
    /// With the two projects.
    pub(crate) fn new(engine: Engine) -> Self {
        let runtime = runtime();
        let (opened, place) = match engine {
            Engine::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let opened = Store::open_sqlite(&folder.path().join("beats.db"), Opener::Tool);
                (opened, Place::Folder(folder))
            }
            Engine::Postgres => {
                let database = postgres::prepared("control_verbs", |url| {
                    // With a runtime of its own: what it connected is gone with it.
                    let opened = self::runtime().block_on(Store::open_postgres(url, Opener::Tool));
                    drop(opened.unwrap());
                });
                let opened = runtime.block_on(Store::open_postgres(&database.url(), Opener::Tool));
                (opened, Place::Database(database))
            }
        };
        let world = Self {
            store: opened.unwrap().store,
            runtime,
            _place: place,
        };
        for (id, name) in [(ALICE, "Alice"), (MALLORY, "Mallory")] {
            projects::create(&mut world.sql(), &project(id, name)).unwrap();
        }
        world
    }

    pub(crate) fn sql(&self) -> Statements<'_> {
        Statements(self)
    }

    /// Runs a statement that the verbs under test have no part in.
    pub(crate) fn raw(&self, sql: &str, params: &[Value]) {
        self.sql().execute(sql, params).unwrap();
    }

    /// The one integer that a query answers.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.sql().query(sql, &[]).unwrap()[0].get(0).unwrap()
    }

    /// A new heartbeat of Alice's, created at second `number`.
    pub(crate) fn heartbeat(&self, number: u32, details: &Details) -> HeartbeatId {
        self.heartbeat_in(number, details, &state())
    }

    /// The same in a state of its own.
    pub(crate) fn heartbeat_in(
        &self,
        number: u32,
        details: &Details,
        state: &State,
    ) -> HeartbeatId {
        let id = heartbeat_id(number);
        let new = New {
            id,
            details,
            settings: &settings(86_400),
            state,
            created_at: at(i64::from(number)),
        };
        heartbeats::insert(&mut self.sql(), ALICE, &new).unwrap();
        id
    }

    /// A webhook channel.
    pub(crate) fn channel(&self, project: ProjectId, number: u32, name: &str) -> ChannelId {
        let channel = channel(number, name);
        channels::insert(&mut self.sql(), project, &channel).unwrap();
        channel.id
    }

    /// A signal as the hot path writes it: the new head of its heartbeat's chain.
    pub(crate) fn signal(&self, heartbeat: HeartbeatId, id: i64, body: Option<&[u8]>) {
        self.raw(
            "INSERT INTO signal (id, previous, heartbeat, kind, received_at, method, source, user_agent,
                                 body, body_bytes)
             VALUES ($1, (SELECT newest_signal FROM heartbeat_state WHERE id = $2), $2, 0, $3, 'GET',
                     '192.0.2.7', 'curl/8', $4, $5)",
            &[
                id.into(),
                heartbeat.into(),
                at(id).into(),
                body.map(<[u8]>::to_vec).into(),
                body.map(|body| body.len() as i64).into(),
            ],
        );
        self.raw(
            "UPDATE heartbeat_state SET newest_signal = $2 WHERE id = $1",
            &[heartbeat.into(), id.into()],
        );
    }

    /// A run, in the same way.
    pub(crate) fn run(&self, heartbeat: HeartbeatId, id: i64) {
        self.raw(
            "INSERT INTO run (id, previous, heartbeat, started_at, ended_at, outcome, exit_code)
             VALUES ($1, (SELECT newest_run FROM heartbeat_state WHERE id = $2), $2, $3, $4, 2, 3)",
            &[
                id.into(),
                heartbeat.into(),
                at(id).into(),
                at(id + 1).into(),
            ],
        );
        self.raw(
            "UPDATE heartbeat_state SET newest_run = $2 WHERE id = $1",
            &[heartbeat.into(), id.into()],
        );
    }
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// Each statement in a transaction of its own.
pub(crate) struct Statements<'w>(&'w World);

impl Statements<'_> {
    fn run<T: Send + 'static>(
        &self,
        sql: &str,
        params: &[Value],
        run: impl Fn(&mut dyn Sql, &str, &[Value]) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sql, params) = (sql.to_owned(), params.to_vec());
        let write = self.0.store.write(move |on| run(on, &sql, &params));
        self.0.runtime.block_on(write)
    }
}

impl Sql for Statements<'_> {
    fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        self.run(sql, params, |on, sql, params| on.query(sql, params))
    }

    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        self.run(sql, params, |on, sql, params| on.execute(sql, params))
    }
}

/// `second` seconds after 1970.
pub(crate) fn at(second: i64) -> UnixMicros {
    UnixMicros::from_seconds(second)
}

pub(crate) fn heartbeat_id(number: u32) -> HeartbeatId {
    // In the reverse order of their creation, so that no list is in order by chance.
    HeartbeatId(Uuid::from_u128(0xffff_ffff - u128::from(number)))
}

pub(crate) fn project(id: ProjectId, name: &str) -> Project {
    Project {
        id,
        name: name.to_owned(),
        ping_key: format!("ping key of {name}"),
        fallback_channel: None,
        created_at: at(1),
    }
}

pub(crate) fn channel(number: u32, name: &str) -> Channel {
    let url = ("url".to_owned(), "https://example.org/hook".to_owned());
    Channel {
        id: ChannelId(Uuid::from_u128(u128::from(number))),
        name: name.to_owned(),
        kind: "webhook".to_owned(),
        fields: BTreeMap::from([url]),
        created_at: at(i64::from(number)),
        version: 1,
    }
}

pub(crate) fn settings(every_seconds: u64) -> Settings {
    Settings::new(Schedule::every_seconds(every_seconds).unwrap())
}

pub(crate) fn named(name: &str) -> Details {
    Details {
        name: name.to_owned(),
        slug: nightbeat_store::control::slugify(name),
        ..Details::default()
    }
}

/// New, and nothing known.
pub(crate) fn state() -> State {
    State {
        phase: Phase::New,
        armed_at: at(0),
        last_signal_at: None,
        last_success_at: None,
        expected_at: None,
        wake_at: None,
        failures: 0,
        successes: 0,
        signals: 0,
        incidents: 0,
        alerts: 0,
        version: 0,
        last_run: None,
        runs: Vec::new(),
        finished: Vec::new(),
        incident: None,
        moved: None,
        held_until: None,
        speaks: false,
    }
}

pub(crate) fn first_page(limit: u32) -> PageRequest {
    PageRequest::new(limit, None)
}

/// The page after the one that ended with `cursor`, as a client asks for it: by the cursor's text.
pub(crate) fn next_page(limit: u32, cursor: Option<Cursor>) -> PageRequest {
    let text = cursor.expect("there is another page").to_string();
    PageRequest::new(limit, Some(text.parse().unwrap()))
}
