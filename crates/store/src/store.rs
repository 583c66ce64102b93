//! [`Store`]: what the server talks to.

use std::path::Path;
use std::sync::Arc;

use futures_util::future::Either;
use nightbeat_domain::UnixMicros;

use crate::hot::{Done, Elapse, Record};
use crate::nodes::{Joined, NodeFacts};
use crate::outbox::{self, Claim, ClaimedDelivery, FinishedDelivery};
use crate::postgres::{self, Postgres};
use crate::sql::Sql;
use crate::sqlite::Sqlite;
use crate::zones::{self, MovedHeartbeat, StoredZone};
use crate::{
    BackupDone, CheckReport, PruneCursor, PruneProgress, Result, Retention, Watched, broken,
    effects,
};

/// Durable state. Cheap to clone; the last clone closes it.
#[derive(Debug, Clone)]
pub enum Store {
    /// An embedded SQLite file.
    Sqlite(Arc<Sqlite>),
    /// A PostgreSQL database, for one node or several.
    Postgres(Arc<Postgres>),
}

/// A store that was opened, and what it says of the time before.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Until when receiving is known to have worked; `None` on a database that never served.
    pub alive_until: Option<UnixMicros>,
    /// Why it is older than what was acknowledged on it, in words: a backup was put back, or its log is
    /// gone. The time since `alive_until` is a gap, and what was acknowledged in it is lost.
    pub setback: Option<String>,
}

/// The time zones of all heartbeats, and what new rules of theirs led to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ZoneReport {
    /// The zones, by name.
    pub zones: Vec<StoredZone>,
    /// The heartbeats that are expected at another instant now.
    pub moved: Vec<MovedHeartbeat>,
}

/// Who opens a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opener {
    /// A server: the only one on its file.
    Server,
    /// The administrator's tool, beside a running server or without one.
    Tool,
    /// A copy of one database to another: alone on its file, and the only one that opens a target before it
    /// is complete.
    Copy,
}

impl Store {
    /// Opens the SQLite file at `path`; creates it where it is missing, and brings its schema up to date.
    pub fn open_sqlite(path: &Path, opener: Opener) -> Result<Opened> {
        Self::open_sqlite_with(path, opener, false)
    }

    /// The same; `allow_network_file_system`: also where the file lies on NFS, SMB, FUSE and the like,
    /// which is refused else. What was acknowledged may be lost there.
    pub fn open_sqlite_with(
        path: &Path,
        opener: Opener,
        allow_network_file_system: bool,
    ) -> Result<Opened> {
        let (sqlite, before) = Sqlite::open(path, opener, allow_network_file_system)?;
        Ok(Opened {
            store: Self::Sqlite(Arc::new(sqlite)),
            alive_until: before.alive_until,
            setback: before.setback,
        })
    }

    /// Connects to the PostgreSQL database at `url` (`postgres://user:password@host,host/database`), which
    /// exists and may be empty, and brings its schema up to date. Servers and tools may be many here, at
    /// once. [`Unavailable`](crate::StoreError::Unavailable) when it cannot be reached now,
    /// [`Fatal`](crate::StoreError::Fatal) when it is no place for us.
    ///
    /// `sslmode` and `sslrootcert` are as libpq has them, but stricter: a host other than this machine has
    /// to prove who it is (`verify-full`) unless the URL says `sslmode=disable`, `prefer` or `verify-ca`.
    pub async fn open_postgres(url: &str, opener: Opener) -> Result<Opened> {
        let (postgres, alive_until) = Postgres::open(url, opener).await?;
        Ok(Opened {
            store: Self::Postgres(Arc::new(postgres)),
            alive_until,
            setback: None,
        })
    }

    /// The PostgreSQL database at `url`, as for [`open_postgres`](Self::open_postgres), which may be away
    /// now: nothing is said to it before [`prepare`](Self::prepare). Call it on a Tokio runtime.
    pub fn postgres_at(url: &str) -> Result<Self> {
        Ok(Self::Postgres(Arc::new(Postgres::at(url)?)))
    }

    /// Connects, and brings the schema up to date; until when receiving is known to have worked. Errors as
    /// for [`open_postgres`](Self::open_postgres); it may be called again. An SQLite store is ready as it is
    /// opened.
    pub async fn prepare(&self) -> Result<Option<UnixMicros>> {
        match self {
            Self::Sqlite(_) => self.read(effects::alive_until).await,
            Self::Postgres(postgres) => postgres.prepare().await,
        }
    }

    /// Whether several nodes may share it.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Records a batch of signals: all of it durable, or nothing. The calls take effect in the order in
    /// which they were made, whoever awaits first.
    pub fn record(&self, batch: Record) -> impl Future<Output = Result<Done>> + Send + use<> {
        match self {
            Self::Sqlite(sqlite) => Either::Left(sqlite.record(batch)),
            Self::Postgres(postgres) => Either::Right(postgres.record(batch)),
        }
    }

    /// Judges heartbeats whose deadline may have passed, in the same order of calls.
    pub fn elapse(&self, due: Elapse) -> impl Future<Output = Result<Done>> + Send + use<> {
        match self {
            Self::Sqlite(sqlite) => Either::Left(sqlite.elapse(due)),
            Self::Postgres(postgres) => Either::Right(postgres.elapse(due)),
        }
    }

    /// Says that receiving worked until `now`, and enters gaps into the ledger.
    pub fn alive(
        &self,
        now: UnixMicros,
        gaps: Vec<nightbeat_domain::Gap>,
    ) -> impl Future<Output = Result<Done>> + Send + use<> {
        self.record(Record {
            arrivals: Vec::new(),
            watermark: UnixMicros::MIN,
            gaps,
            now,
        })
    }

    /// Claims deliveries that are due.
    pub async fn claim(&self, wish: Claim) -> Result<Vec<ClaimedDelivery>> {
        match self {
            Self::Sqlite(sqlite) => sqlite.write(move |sql| outbox::claim(sql, &wish)).await,
            Self::Postgres(postgres) => postgres.claim(wish).await,
        }
    }

    /// Stores what became of claimed deliveries.
    pub async fn finish(&self, finished: Vec<FinishedDelivery>) -> Result<()> {
        match self {
            Self::Sqlite(sqlite) => {
                let verb = move |sql: &mut dyn Sql| outbox::finish(sql, &finished);
                sqlite.write(verb).await
            }
            Self::Postgres(postgres) => postgres.finish(finished).await,
        }
    }

    /// How many deliveries wait, are being sent, and failed for good.
    pub async fn delivery_counts(&self) -> Result<Vec<(String, u64)>> {
        self.read(outbox::counts).await
    }

    /// How many heartbeats cannot be read, so that nobody watches their jobs.
    pub async fn broken_heartbeats(&self) -> Result<u64> {
        self.read(broken::count).await
    }

    /// A node begins, or begins again: on a database that several share it gets a lease, which each of its
    /// transactions shows and renews. `None`: nobody shares this one.
    pub async fn join(&self, who: NodeFacts) -> Result<Option<Joined>> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(postgres) => postgres.join(who).await.map(Some),
        }
    }

    /// What the clock of a database that several share says, some time before this returns. `None`: nobody
    /// shares this one.
    pub async fn clock(&self) -> Result<Option<UnixMicros>> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(postgres) => postgres.read(postgres::clock).await.map(Some),
        }
    }

    /// The node ends cleanly: everything that it received until `now` is recorded or refused, and `gaps` are
    /// what it has not told yet. The others go on without it, and nothing is a gap.
    pub async fn leave(&self, gaps: Vec<nightbeat_domain::Gap>, now: UnixMicros) -> Result<()> {
        match self {
            Self::Sqlite(_) => self.alive(now, gaps).await.map(drop),
            Self::Postgres(postgres) => postgres.leave(gaps, now).await,
        }
    }

    /// Runs portable SQL in one transaction: all of it durable, or nothing. Where other transactions get in
    /// its way, `verb` is run again from the start: what it does besides SQL must bear that.
    /// [`Unknown`](crate::StoreError::Unknown) when the answer to the COMMIT was lost.
    pub async fn write<T, F>(&self, verb: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Sql) -> Result<T> + Send + 'static,
    {
        match self {
            Self::Sqlite(sqlite) => sqlite.write(verb).await,
            Self::Postgres(postgres) => postgres.write(verb).await,
        }
    }

    /// Runs portable SQL on a snapshot; it must not write. `verb` may be run again, as that of a write.
    pub async fn read<T, F>(&self, verb: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Sql) -> Result<T> + Send + 'static,
    {
        match self {
            Self::Sqlite(sqlite) => sqlite.read(verb).await,
            Self::Postgres(postgres) => postgres.read(verb).await,
        }
    }

    /// Brings every heartbeat in line with the present rules of its time zone, where those have changed
    /// since the last start. Call it before anything is judged; cut off, the next call goes on.
    pub async fn follow_zone_rules(&self, now: UnixMicros) -> Result<ZoneReport> {
        let zones = self.read(zones::survey).await?;
        let zones = Arc::new(zones);
        let mut moved = Vec::new();
        let mut after = (!zones.affected.is_empty()).then(zones::nobody);
        while let Some(from) = after {
            let affected = Arc::clone(&zones);
            let page = self.write(move |sql| {
                let mut moved = Vec::new();
                let last = zones::follow_page(sql, &affected.affected, &from, now, &mut moved)?;
                Ok((last, moved))
            });
            let (last, of_page) = page.await?;
            moved.extend(of_page);
            after = last;
        }
        if zones.stored.iter().any(|zone| zone.changed) {
            let zones = Arc::clone(&zones);
            self.write(move |sql| zones::remember(sql, &zones)).await?;
        }
        Ok(ZoneReport {
            zones: zones.stored.clone(),
            moved,
        })
    }

    /// Everything that is to be watched, in any order: what a watcher starts with.
    pub async fn watch_list(&self) -> Result<Vec<Watched>> {
        match self {
            Self::Sqlite(sqlite) => sqlite.watch_list().await,
            Self::Postgres(postgres) => postgres.watch_list().await,
        }
    }

    /// Everything watched that should have been looked at before `before`: what a watcher must have lost.
    pub async fn overdue(&self, before: UnixMicros, limit: u32) -> Result<Vec<Watched>> {
        self.read(move |sql| effects::overdue(sql, before, limit))
            .await
    }

    /// Looks that this node does not take, because watching is not among its roles: others find them with
    /// [`handed_over`](Self::handed_over). A database that nobody shares has nobody to take them.
    pub async fn hand_over(&self, watched: &[Watched]) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(postgres) => postgres.hand_over(watched).await,
        }
    }

    /// Looks that other nodes handed over, at most `limit`. Whoever watches them says so with
    /// [`taken_over`](Self::taken_over): when it dies, all others read again what is to be watched.
    pub async fn handed_over(&self, limit: u32) -> Result<Vec<Watched>> {
        match self {
            Self::Sqlite(_) => Ok(Vec::new()),
            Self::Postgres(postgres) => postgres.handed_over(limit).await,
        }
    }

    /// This node watches them from now on.
    pub async fn taken_over(&self, watched: &[Watched]) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(postgres) => postgres.taken_over(watched).await,
        }
    }

    /// One bounded step of a sweep that deletes what `retention` no longer keeps, from where `cursor`
    /// says. Call it again with the cursor of its answer, with a pause between steps, and begin a new
    /// sweep some minutes after one is done.
    pub async fn prune_step(
        &self,
        retention: &Retention,
        now: UnixMicros,
        cursor: PruneCursor,
    ) -> Result<PruneProgress> {
        match self {
            Self::Sqlite(sqlite) => sqlite.prune_step(retention.clone(), now, cursor).await,
            Self::Postgres(postgres) => postgres.prune_step(retention.clone(), now, cursor).await,
        }
    }

    /// Copies the database to the file `to` while it is in use, as of one instant. The copy is checked and
    /// synced before it gets its name; `replace`: a file of that name may go.
    /// [`Conflict`](crate::StoreError::Conflict) when it may not. PostgreSQL has its own tools for this:
    /// there it is [`Unavailable`](crate::StoreError::Unavailable), and says which.
    pub async fn backup(&self, to: &Path, replace: bool) -> Result<BackupDone> {
        match self {
            Self::Sqlite(sqlite) => sqlite.backup(to.to_owned(), replace).await,
            Self::Postgres(_) => Err(postgres::no_backup()),
        }
    }

    /// Looks the whole database through while it is in use: pages, references, and whether its rows say
    /// what they should; of a PostgreSQL database, the rows. Reads everything, so it takes a while; signals
    /// go on meanwhile.
    pub async fn check(&self) -> Result<CheckReport> {
        match self {
            Self::Sqlite(sqlite) => sqlite.check().await,
            Self::Postgres(postgres) => postgres.check().await,
        }
    }

    /// Looks over every page of the database while it is in use; what is damaged, in words. Cheaper than
    /// [`check`](Self::check): it does not compare indexes and does not ask what rows say. Nothing of a
    /// PostgreSQL database, whose server checks its pages as it reads them (data checksums).
    pub async fn damage(&self) -> Result<Vec<String>> {
        match self {
            Self::Sqlite(sqlite) => sqlite.damage().await,
            Self::Postgres(_) => Ok(Vec::new()),
        }
    }

    /// How much disk the write-ahead log takes, in bytes. Steadily more than 64 MiB: something reads for
    /// very long. 0 for PostgreSQL, whose log is its server's own.
    pub fn wal_bytes(&self) -> u64 {
        match self {
            Self::Sqlite(sqlite) => sqlite.wal_bytes(),
            Self::Postgres(_) => 0,
        }
    }
}
