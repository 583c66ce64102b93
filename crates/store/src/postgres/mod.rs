//! PostgreSQL: any number of equal nodes on one database.

mod address;
mod begin;
mod connection;
mod end;
mod error;
mod flush;
mod handover;
mod hosts;
mod hot;
mod logs;
mod migrate;
pub(crate) mod portable;
mod rows;
mod session;
mod tls;
mod writer;

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use nightbeat_domain::{HeartbeatId, UnixMicros};
use tokio::runtime::Handle;
use tokio_postgres::NoTls;

use self::address::{Address, Tls};
use self::hosts::{GREETING_TIMEOUT, Hosts, Pinned};
pub(crate) use self::hot::clock;
use self::session::Mode;
use self::writer::Writer;
use crate::hot::Queue;
use crate::retention::Logs;
use crate::sql::Sql;
use crate::{
    CheckReport, Opener, PruneCursor, PruneProgress, Result, Retention, StoreError, Watched, copy,
    inspect, nodes, retention,
};

/// How many connections a node has for all but the hot path.
const CONNECTIONS_MAX: usize = 8;

/// How long a transaction waits for its turn on a connection.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// How many rows of the watch list are read at once.
const WATCH_PAGE_ROWS: i64 = 20_000;

/// A PostgreSQL database, opened.
#[derive(Debug)]
pub struct Postgres {
    pool: Pool,
    writer: Queue<Writer>,
}

impl Postgres {
    /// Connects, and brings the schema up to date. Until when receiving is known to have worked on any
    /// node; `None` on a database that never served.
    pub(crate) async fn open(url: &str, opener: Opener) -> Result<(Self, Option<UnixMicros>)> {
        let postgres = Self::at(url)?;
        let alive_until = postgres.prepare_for(opener).await?;
        Ok((postgres, alive_until))
    }

    /// The database at `url`, to which nothing is said yet. Call it on the runtime that serves it.
    pub(crate) fn at(url: &str) -> Result<Self> {
        let address = Address::parse(url)?;
        let pinned = Pinned::default();
        let pool = pool(&address, &pinned, CONNECTIONS_MAX)?;
        let writer = Writer::new(self::pool(&address, &pinned, 1)?, Handle::current());
        let writer = Queue::start(writer)?;
        Ok(Self { pool, writer })
    }

    /// Connects, and brings the schema up to date; again, where it failed or was done before.
    pub(crate) async fn prepare(&self) -> Result<Option<UnixMicros>> {
        self.prepare_for(Opener::Server).await
    }

    async fn prepare_for(&self, opener: Opener) -> Result<Option<UnixMicros>> {
        let client = self.pool.get().await;
        let mut client = client.map_err(|error| error::at_start(&error))?;
        migrate::migrate(&mut client).await?;
        if let Err(error) = logs::make_ahead(&mut client).await {
            // Until it works, the default partitions take the rows.
            tracing::warn!(%error, "the days ahead have no parts of the logs yet");
        }
        drop(client);
        self.warn_of_loss().await;
        self.read(move |sql| {
            if opener != Opener::Copy && copy::is_unfinished(sql, true)? {
                return Err(copy::unfinished());
            }
            nodes::alive_until(sql)
        })
        .await
    }

    /// A failover to a standby that is not synchronous loses what was acknowledged last.
    async fn warn_of_loss(&self) {
        match self.read(has_only_asynchronous_standbys).await {
            Ok(false) => {}
            Ok(true) => tracing::warn!(
                "this PostgreSQL has a standby and answers without waiting for it: a failover can lose \
                 signals that were acknowledged. Set synchronous_standby_names (handbook: PostgreSQL)"
            ),
            // Other engines have other standbys.
            Err(error) => tracing::debug!(%error, "whether standbys are synchronous is not known"),
        }
    }

    /// Runs portable SQL in one transaction: again, where another one got in its way.
    pub(crate) async fn write<T, F>(&self, verb: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Sql) -> Result<T> + Send + 'static,
    {
        session::run(&self.pool, Mode::Write, verb).await
    }

    /// Runs portable SQL on a snapshot.
    pub(crate) async fn read<T, F>(&self, verb: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Sql) -> Result<T> + Send + 'static,
    {
        session::run(&self.pool, Mode::Read, verb).await
    }

    pub(crate) async fn watch_list(&self) -> Result<Vec<Watched>> {
        self.read(watch_list).await
    }

    /// One step of a sweep: found on a snapshot, carried out in a transaction that compares what was found
    /// with what stands. The first one sees to the logs, too.
    pub(crate) async fn prune_step(
        &self,
        retention: Retention,
        now: UnixMicros,
        cursor: PruneCursor,
    ) -> Result<PruneProgress> {
        let mut deleted = 0;
        if cursor == PruneCursor::default() {
            let client = self.pool.get().await;
            let mut client = client.map_err(|error| error::no_connection(&error))?;
            logs::make_ahead(&mut client).await?;
            deleted = logs::merge(&mut client, &retention, now).await?;
        }
        let plan = self
            .read(move |sql| retention::plan(sql, &retention, now, &cursor, Logs::Apart))
            .await?;
        let mut progress = plan.progress();
        progress.deleted = deleted;
        if !plan.is_empty() {
            progress.deleted += self.write(move |sql| plan.apply(sql)).await?;
        }
        Ok(progress)
    }

    /// Looks at what the rows say; the pages are the server's business (`pg_amcheck`, checksums).
    pub(crate) async fn check(&self) -> Result<CheckReport> {
        let parts = self.read(inspect::all).await?;
        Ok(CheckReport { parts })
    }
}

/// PostgreSQL's own tools copy it, while it is in use.
pub(crate) fn no_backup() -> StoreError {
    StoreError::Unavailable(
        "this database is in PostgreSQL: back it up with pg_dump, or with pg_basebackup and its \
         log (handbook: Operations)"
            .to_owned(),
    )
}

/// Connections to the database, made when they are needed.
fn pool(address: &Address, pinned: &Pinned, connections: usize) -> Result<Pool> {
    let config = address.config.clone();
    let recycling = ManagerConfig {
        // A closed one is noticed; one that is dead is noticed by the transaction, and tried elsewhere.
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = match &address.tls {
        Tls::Off => Manager::from_connect(config, Hosts::new(address, NoTls, pinned), recycling),
        Tls::On { roots, check_name } => {
            let connector = tls::connector(roots, *check_name)?;
            Manager::from_connect(config, Hosts::new(address, connector, pinned), recycling)
        }
    };
    let built = pinned
        .watch(Pool::builder(manager))
        .max_size(connections)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(TURN_TIMEOUT))
        .create_timeout(Some(GREETING_TIMEOUT * address.hosts()))
        .build();
    built.map_err(|error| StoreError::Fatal(format!("no connections: {error}")))
}

/// Whether there are standbys, and none of them is waited for.
fn has_only_asynchronous_standbys(sql: &mut dyn Sql) -> Result<bool> {
    let found = sql.query(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM pg_stat_replication)
            AND (current_setting('synchronous_standby_names') = ''
                 OR current_setting('synchronous_commit') = 'local')",
        &[],
    )?;
    Ok(!found.is_empty())
}

/// Everything that is to be watched, page by page on one snapshot.
fn watch_list(sql: &mut dyn Sql) -> Result<Vec<Watched>> {
    let mut watched = Vec::new();
    let mut after = HeartbeatId(uuid::Uuid::nil());
    loop {
        let rows = sql.query(
            "SELECT id, wake_at FROM heartbeat_state WHERE id > $1 ORDER BY id LIMIT $2",
            &[after.into(), WATCH_PAGE_ROWS.into()],
        )?;
        for row in &rows {
            after = row.get(0)?;
            let wake_at: Option<UnixMicros> = row.get(1)?;
            if wake_at.is_some() {
                watched.push(Watched {
                    heartbeat: after,
                    wake_at,
                });
            }
        }
        if (rows.len() as i64) < WATCH_PAGE_ROWS {
            return Ok(watched);
        }
    }
}
