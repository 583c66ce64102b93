//! Alice's project with some history, on a disk that may fail.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nightbeat_domain::{
    ChannelId, HeartbeatId, ProjectId, Schedule, Settings, Signal, SignalKind, State, UnixMicros,
};
use nightbeat_faulty_disk::{Disk, Fault, Kept};
use nightbeat_store::control::channels::Channel;
use nightbeat_store::control::heartbeats::{Details, New};
use nightbeat_store::control::projects::Project;
use nightbeat_store::control::{channels, heartbeats, projects};
use nightbeat_store::hot::{Elapse, Record};
use nightbeat_store::outbox::{Claim, ClaimedDelivery};
use nightbeat_store::sql::{Row, Sql, Value};
use nightbeat_store::{Arrival, Opened, Opener, Recorded, Result, Store, StoreError, Target};
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const ALICE: ProjectId = ProjectId(Uuid::from_u128(0xa11c_e000));
pub(crate) const MAIL: ChannelId = ChannelId(Uuid::from_u128(1));
pub(crate) const HOOK: ChannelId = ChannelId(Uuid::from_u128(2));
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// 2026-03-02T00:00:00Z: when the story begins.
pub(crate) const START: UnixMicros = UnixMicros(1_772_409_600_000_000);

/// When something goes wrong with the disk.
pub(crate) const NOW: UnixMicros = UnixMicros(START.0 + 110 * 60 * 1_000_000);

/// A folder with a database, and the store on it.
pub(crate) struct House<'d> {
    pub(crate) disk: &'d Disk,
    folder: TempDir,
    store: Option<Store>,
    /// What the last opening said of the time before.
    pub(crate) alive_until: Option<UnixMicros>,
}

impl Drop for House<'_> {
    fn drop(&mut self) {
        self.store = None;
        self.disk.forget(self.folder.path());
    }
}

impl<'d> House<'d> {
    /// An empty folder.
    pub(crate) fn empty(disk: &'d Disk) -> Self {
        Self::in_folder(disk, in_memory().unwrap())
    }

    /// An empty folder with room for much.
    pub(crate) fn roomy(disk: &'d Disk) -> Self {
        Self::in_folder(disk, tempfile::tempdir().unwrap())
    }

    fn in_folder(disk: &'d Disk, folder: TempDir) -> Self {
        Self {
            disk,
            folder,
            store: None,
            alive_until: None,
        }
    }

    /// Alice's: heartbeat 1 is up and due in ten minutes, 2 is up too, 3 failed and its alerts wait.
    pub(crate) async fn furnished(disk: &'d Disk) -> Self {
        let mut house = Self::empty(disk);
        house.open();
        house.furnish().await.unwrap();
        for number in 1..=3 {
            let signals = (0..6)
                .map(|minute| with_body(success(number, START - minute * MINUTE)))
                .collect();
            house.record(signals).await.unwrap();
        }
        let failed = signal(3, SignalKind::Fail, START + MINUTE);
        house.record(vec![failed]).await.unwrap();
        house
    }

    /// Another one with the same content. It was used since it was opened: there is something in the log.
    pub(crate) async fn like(other: &House<'d>) -> Self {
        let mut house = Self::empty(other.disk);
        std::fs::copy(other.path(), house.path()).unwrap();
        house.open();
        house
            .record(vec![success(2, START + 5 * MINUTE)])
            .await
            .unwrap();
        house
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder().join("beats.db")
    }

    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().expect("the store is open")
    }

    pub(crate) fn open(&mut self) {
        self.try_open().unwrap();
    }

    pub(crate) fn try_open(&mut self) -> Result<()> {
        self.store = None;
        let opened = Store::open_sqlite(&self.path(), Opener::Server)?;
        let Opened {
            store,
            alive_until,
            setback,
        } = opened;
        assert_eq!(setback, None, "what was acknowledged is on the disk");
        self.store = Some(store);
        self.alive_until = alive_until;
        Ok(())
    }

    /// The server ends in an orderly way.
    pub(crate) fn close(&mut self) {
        self.store = None;
    }

    /// The server is killed: nothing it still does has an effect.
    pub(crate) fn kill(&mut self) {
        self.disk.arm(Fault::death(0));
        self.store = None;
        self.disk.disarm();
    }

    /// The power fails.
    pub(crate) fn lose_power(&mut self, kept: Kept) {
        self.kill();
        self.disk.power_loss(self.folder(), kept).unwrap();
    }

    pub(crate) async fn furnish(&self) -> Result<()> {
        self.store().write(furnish).await
    }

    pub(crate) async fn record(&self, arrivals: Vec<Arrival>) -> Result<Vec<Recorded>> {
        let batch = Record {
            now: arrivals.last().map_or(NOW, |last| last.signal.received_at),
            arrivals,
            watermark: UnixMicros::MIN,
            gaps: Vec::new(),
        };
        Ok(self.store().record(batch).await?.recorded)
    }

    pub(crate) async fn elapse(&self, number: u32, asof: UnixMicros) -> Result<()> {
        let due = Elapse {
            heartbeats: vec![heartbeat_id(number)],
            asof,
            gaps: Vec::new(),
            now: asof,
        };
        self.store().elapse(due).await.map(drop)
    }

    pub(crate) async fn claim(&self) -> Result<Vec<ClaimedDelivery>> {
        let wish = Claim {
            now: NOW,
            lease_until: NOW + HOUR,
            per_channel: 10,
            skip: Vec::new(),
            digest_kinds: Vec::new(),
        };
        self.store().claim(wish).await
    }

    /// A signal that nothing is known of yet, recorded. Starts the server again where it can do no more.
    pub(crate) async fn record_one_more(&mut self) {
        let one_more = || vec![marked(success(2, NOW + MINUTE), "one more")];
        if let Err(StoreError::Fatal(_)) = self.record(one_more()).await {
            self.open();
            self.record(one_more()).await.unwrap();
        }
        let recorded = self.record(one_more()).await.unwrap();
        assert_eq!(recorded, [Recorded::Duplicate], "it is there once");
    }

    /// Everything that is stored, row by row. A delivery that is being sent counts as free: that is what a
    /// start makes of it.
    pub(crate) async fn dump(&self) -> Vec<String> {
        self.store().read(dump).await.unwrap()
    }

    /// The file is sound, and its rows agree with each other.
    pub(crate) async fn check(&self) {
        let report = self.store().check().await.unwrap();
        assert!(report.is_ok(), "{report}");
    }
}

/// In memory where there is such a file system: what is durable is up to the model.
fn in_memory() -> std::io::Result<TempDir> {
    match tempfile::tempdir_in("/dev/shm") {
        Ok(folder) => Ok(folder),
        Err(_) => tempfile::tempdir(),
    }
}

fn dump(sql: &mut dyn Sql) -> Result<Vec<String>> {
    let tables = sql.query(
        "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name",
        &[],
    )?;
    let mut dump = Vec::new();
    for table in &tables {
        let table: String = table.get(0)?;
        let select = match table.as_str() {
            "delivery" => {
                "SELECT number, id, event, attempts, claim, last_error, sent_at, fallback,
                        CASE state WHEN 'sending' THEN 'queued' ELSE state END,
                        CASE state WHEN 'sending' THEN created_at ELSE next_try_at END
                   FROM delivery ORDER BY number"
            }
            // A gap that is told twice counts twice in `gap_revision`; its row stands once.
            "service" => "SELECT one, alive_until, stopped_clean FROM service",
            _ => &format!("SELECT * FROM {table}"),
        };
        let rows = sql.query(select, &[])?;
        dump.extend(rows.iter().map(|row| format!("{table}: {}", line(row))));
    }
    Ok(dump)
}

/// A row in one line; what is long in it by its hash.
fn line(row: &Row) -> String {
    let values = row.values.iter().map(|value| match value {
        Value::Null => "-".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) if text.len() < 40 => text.clone(),
        Value::Text(text) => hash(text.as_bytes()),
        Value::Blob(bytes) => hash(bytes),
    });
    values.collect::<Vec<_>>().join(" ")
}

fn hash(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn furnish(sql: &mut dyn Sql) -> Result<()> {
    let project = Project {
        id: ALICE,
        name: "Alice".to_owned(),
        ping_key: "alice-ping-key".to_owned(),
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
    for number in 1..=3 {
        create(sql, number)?;
    }
    Ok(())
}

/// A heartbeat expected hourly, with a grace of one hour.
pub(crate) fn create(sql: &mut dyn Sql, number: u32) -> Result<()> {
    let settings = Settings::new(Schedule::every_seconds(3_600).unwrap());
    let details = Details {
        name: format!("job {number}"),
        slug: format!("job-{number}"),
        ..Details::default()
    };
    let new = New {
        id: heartbeat_id(number),
        details: &details,
        settings: &settings,
        state: &State::new(&settings, START - HOUR),
        created_at: START - HOUR,
    };
    heartbeats::insert(sql, ALICE, &new)
}

pub(crate) fn heartbeat_id(number: u32) -> HeartbeatId {
    HeartbeatId(Uuid::from_u128(0xbea7_0000 + u128::from(number)))
}

pub(crate) fn signal(number: u32, kind: SignalKind, at: UnixMicros) -> Arrival {
    Arrival {
        target: Target::Id(heartbeat_id(number)),
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

pub(crate) fn success(number: u32, at: UnixMicros) -> Arrival {
    signal(number, SignalKind::Success, at)
}

/// It brings more than fits on one page.
pub(crate) fn with_body(arrival: Arrival) -> Arrival {
    Arrival {
        body: Some(vec![b'x'; 6_000]),
        body_bytes: 6_000,
        ..arrival
    }
}

/// It bears the client's mark: sent again, it is the same signal.
pub(crate) fn marked(arrival: Arrival, nonce: &str) -> Arrival {
    Arrival {
        nonce: Some(nonce.to_owned()),
        ..arrival
    }
}
