//! Days that are over become a part of the one for all days before them: what is kept is copied into a new
//! table, which takes the place of the old ones at once. That is all that retention does to the logs here.

use std::time::Duration;

use deadpool_postgres::{Object, Transaction};
use nightbeat_domain::{Settings, UnixMicros};
use tokio_postgres::error::SqlState;

use super::{DatabaseResult, Log, Parts, RUNS, SIGNALS, begin, is_anothers, start_of};
use crate::postgres::error::failed;
use crate::retention::AROUND_INCIDENT;
use crate::{Result, Retention};

/// A day is merged when it has been over for so many days.
const DAYS_OVER: i64 = 1;

/// What is old is copied when what comes to it is at least one so many-th of it, or so many days.
const GROWTH_PART: i64 = 4;
const DAYS_MAX: usize = 32;

/// How often the tables are tried to be exchanged, while others use the log.
const EXCHANGES_MAX: u32 = 60;

/// The pause between two tries.
const EXCHANGE_PAUSE: Duration = Duration::from_secs(1);

/// Ids below this one were not made of the time: they come from a database that was copied, where they were
/// counted.
const TIMED_IDS_FROM: i64 = 1 << 40;

/// An id divided by so many powers of two is the second in which it was given.
const SECOND_BITS: u32 = 31;

const DAY_MICROS: i64 = 86_400_000_000;

/// Merges days that are over, where it is worth it; how many rows are gone with it. Of several nodes one
/// does it.
pub(in super::super) async fn merge(
    client: &mut Object,
    retention: &Retention,
    now: UnixMicros,
) -> Result<u64> {
    let mut deleted = 0;
    for log in [&SIGNALS, &RUNS] {
        deleted += match merge_log(client, log, retention, now).await {
            Ok(deleted) => deleted,
            Err(error) if is_anothers(&error) => {
                tracing::debug!(log = log.table, %error, "days are merged later");
                0
            }
            Err(error) => return Err(failed(&error)),
        };
    }
    Ok(deleted)
}

/// What is merged.
struct Merge<'a> {
    log: &'a Log,
    retention: &'a Retention,
    now: UnixMicros,
    /// The tables that go.
    old: Vec<String>,
    /// The table that takes their place.
    new: String,
    /// Its first id that it does not hold any more.
    end: i64,
}

async fn merge_log(
    client: &mut Object,
    log: &Log,
    retention: &Retention,
    now: UnixMicros,
) -> DatabaseResult<u64> {
    let parts = Parts::read(client, log).await?;
    let today = now.0.div_euclid(DAY_MICROS);
    let over = parts.days.iter().copied();
    let over: Vec<i64> = over.filter(|day| day + DAYS_OVER < today).collect();
    let (Some(before), Some(last)) = (parts.before, over.last()) else {
        return Ok(0);
    };
    let days: Vec<String> = over.iter().map(|day| log.day(*day)).collect();
    if over.len() < DAYS_MAX {
        // Rows that have no part to be in are to be taken in, too.
        let coming: Vec<String> = days.iter().cloned().chain([log.other()]).collect();
        let grows = size(client, &coming).await?;
        if grows * GROWTH_PART < size(client, &[log.before(before)]).await? {
            return Ok(0);
        }
    }
    let mut old = vec![log.before(before)];
    old.extend(days);
    let mut merge = Merge {
        log,
        retention,
        now,
        old,
        new: log.before(last + 1),
        end: start_of(last + 1),
    };
    let transaction = begin(client).await?;
    let deleted = merge.carry_out(&transaction).await?;
    merge.exchange(&transaction).await?;
    transaction.commit().await?;
    let days = over.len();
    tracing::info!(log = log.table, days, deleted, "old days were merged");
    Ok(deleted)
}

/// How much disk tables take, in bytes.
async fn size(client: &Object, tables: &[String]) -> DatabaseResult<i64> {
    let query = "SELECT CAST(coalesce(sum(pg_table_size(to_regclass(name))), 0) AS BIGINT)
                   FROM unnest($1::text[]) AS t (name)";
    client.query_one(query, &[&tables]).await?.try_get(0)
}

impl Merge<'_> {
    /// Copies what is kept; how many rows are not.
    async fn carry_out(&mut self, transaction: &Transaction<'_>) -> DatabaseResult<u64> {
        // No other node may do the same. Rows of heartbeats that were removed may be deleted meanwhile, and
        // come back with the copy: nobody can reach them, and the next merge leaves them out.
        let lock = format!(
            "LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE NOWAIT",
            self.old.join(", ")
        );
        transaction.batch_execute(&lock).await?;
        self.take_strays(transaction).await?;
        transaction.batch_execute(&self.newer()).await?;
        transaction.batch_execute(&self.kept()).await?;
        let count = format!("SELECT count(*) FROM {}", self.source("id"));
        let all: i64 = transaction.query_one(&count, &[]).await?.try_get(0)?;
        transaction
            .batch_execute(&self.log.create(&self.new))
            .await?;
        let kept = transaction.execute(&self.copy(), &[]).await?;
        if self.log.table == RUNS.table {
            transaction.batch_execute(&self.summaries()).await?;
        }
        transaction.batch_execute(&self.links()).await?;
        // With it, nobody has to read the table to see that it is a part.
        let key = format!(
            "ALTER TABLE {} ADD PRIMARY KEY (id), ADD CHECK (id IS NOT NULL AND id < {})",
            self.new, self.end
        );
        transaction.batch_execute(&key).await?;
        Ok((all as u64).saturating_sub(kept))
    }

    /// Rows of these days that are in the default partition, because a day's part was not there in time: as
    /// another table that goes.
    async fn take_strays(&mut self, transaction: &Transaction<'_>) -> DatabaseResult<()> {
        let (other, end) = (self.log.other(), self.end);
        let query = format!("SELECT 1 FROM {other} WHERE id < {end} LIMIT 1");
        if transaction.query_opt(&query, &[]).await?.is_none() {
            return Ok(());
        }
        let stray = format!("{}_stray", self.log.table);
        let create = self.log.create(&stray);
        let statements = format!(
            "{create};
             WITH moved AS (DELETE FROM {other} WHERE id < {end} RETURNING *)
             INSERT INTO {stray} SELECT * FROM moved"
        );
        transaction.batch_execute(&statements).await?;
        self.old.push(stray);
        Ok(())
    }

    /// All rows of the tables that go, with these columns.
    fn source(&self, columns: &str) -> String {
        let one = |table: &String| format!("SELECT {columns} FROM {table}");
        let all: Vec<String> = self.old.iter().map(one).collect();
        format!("({}) AS s", all.join(" UNION ALL "))
    }

    /// How many rows each heartbeat has that are newer, and which of them links to what is merged.
    fn newer(&self) -> String {
        let (table, end) = (self.log.table, self.end);
        format!(
            "CREATE TEMPORARY TABLE newer ON COMMIT DROP AS
             SELECT heartbeat, count(*) AS rows, min(id) FILTER (WHERE previous < {end}) AS crossing
               FROM {table} WHERE id >= {end} GROUP BY heartbeat;
             ANALYZE newer"
        )
    }

    /// Which rows are kept, and to which one each links where those between them are not: always to an earlier
    /// second, so that no chain can lead back to itself.
    fn kept(&self) -> String {
        let Log { newest, at, .. } = self.log;
        let source = self.source(&format!("id, heartbeat, {at} AS at"));
        let rule = self.rule();
        format!(
            "CREATE TEMPORARY TABLE kept ON COMMIT DROP AS
             SELECT id, heartbeat,
                    max(id) OVER (PARTITION BY heartbeat ORDER BY moment
                                  RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS earlier
               FROM (SELECT ranked.id, ranked.heartbeat,
                            CASE WHEN ranked.id < {TIMED_IDS_FROM} THEN ranked.id - {TIMED_IDS_FROM}
                                 ELSE ranked.id >> {SECOND_BITS} END AS moment
                       FROM (SELECT s.*, row_number() OVER (PARTITION BY heartbeat ORDER BY id DESC) AS place
                               FROM {source}) AS ranked
                       JOIN heartbeat e ON e.id = ranked.heartbeat
                       LEFT JOIN heartbeat_state h ON h.id = e.id
                       LEFT JOIN newer n ON n.heartbeat = ranked.heartbeat
                      WHERE ranked.id = h.{newest} OR {rule}) AS chosen;
             CREATE UNIQUE INDEX ON kept (id);
             ANALYZE kept"
        )
    }

    /// When a row is kept that is not its heartbeat's newest.
    fn rule(&self) -> String {
        let rank = "ranked.place + coalesce(n.rows, 0)";
        let Retention {
            signals_max,
            incident_signals,
            runs,
            runs_max,
            ..
        } = *self.retention;
        if self.log.table == RUNS.table {
            let since = (self.now - runs).0;
            return format!("({rank} <= {runs_max} AND ranked.at > {since})");
        }
        let fresh_since = (self.now - AROUND_INCIDENT).0;
        let since = (self.now - incident_signals).0;
        let around = AROUND_INCIDENT.as_micros();
        format!(
            "{rank} <= {signals_max} OR ranked.at > {fresh_since}
              OR (ranked.at > {since} AND EXISTS (
                     SELECT 1 FROM incident i
                      WHERE i.heartbeat = ranked.heartbeat AND ranked.at >= i.opened_at - {around}
                        AND (i.closed_at IS NULL OR ranked.at <= i.closed_at + {around})))"
        )
    }

    /// Copies what is kept. At the end of a chain nothing is linked anew: readers take a link to a missing row
    /// for the end.
    fn copy(&self) -> String {
        let columns = self.log.columns.join(", ");
        let source = self.source(&format!("previous, {columns}"));
        let copied: Vec<String> = self
            .log
            .columns
            .iter()
            .map(|it| format!("s.{it}"))
            .collect();
        format!(
            "INSERT INTO {} (previous, {columns})
             SELECT CASE WHEN s.previous IS NULL OR next.id IS NOT NULL THEN s.previous
                         ELSE coalesce(kept.earlier, s.previous) END,
                    {}
               FROM {source} JOIN kept ON kept.id = s.id LEFT JOIN kept AS next ON next.id = s.previous",
            self.new,
            copied.join(", ")
        )
    }

    /// Links newer rows to the first that is kept, where that is another one now. Nobody else links rows anew.
    fn links(&self) -> String {
        let table = self.log.table;
        format!(
            "UPDATE {table} AS s SET previous = first.id
               FROM (SELECT n.crossing, max(kept.id) AS id
                       FROM newer n JOIN kept ON kept.heartbeat = n.heartbeat
                      WHERE n.crossing IS NOT NULL GROUP BY n.crossing) AS first
              WHERE s.id = first.crossing AND NOT EXISTS (SELECT 1 FROM kept WHERE kept.id = s.previous)"
        )
    }

    /// What is left of runs that are not kept.
    fn summaries(&self) -> String {
        let source = self.source("id, heartbeat, started_at, ended_at, outcome");
        let longest = Settings::SPAN_MAX.as_micros();
        format!(
            "INSERT INTO run_day (heartbeat, day, ok, warning, failed, timed, duration_total, duration_longest)
             SELECT s.heartbeat, CAST(floor(s.ended_at / {DAY_MICROS}.0) AS BIGINT) AS day,
                    count(*) FILTER (WHERE s.outcome = 0), count(*) FILTER (WHERE s.outcome = 1),
                    count(*) FILTER (WHERE s.outcome NOT IN (0, 1)), count(s.lasted),
                    CAST(coalesce(sum(s.lasted), 0) AS BIGINT), coalesce(max(s.lasted), 0)
               FROM (SELECT s.*, CASE WHEN s.started_at IS NOT NULL
                                      THEN least(greatest(s.ended_at - s.started_at, 0), {longest}) END AS lasted
                       FROM {source}) AS s
               JOIN heartbeat e ON e.id = s.heartbeat
              WHERE NOT EXISTS (SELECT 1 FROM kept WHERE kept.id = s.id)
              GROUP BY s.heartbeat, day
                 ON CONFLICT (heartbeat, day) DO UPDATE SET
                    ok = run_day.ok + excluded.ok,
                    warning = run_day.warning + excluded.warning,
                    failed = run_day.failed + excluded.failed,
                    timed = run_day.timed + excluded.timed,
                    duration_total = run_day.duration_total + excluded.duration_total,
                    duration_longest = greatest(run_day.duration_longest, excluded.duration_longest)"
        )
    }

    /// Puts the new table in the place of the old ones. Signals that come meanwhile wait for a moment: never
    /// long, so what somebody else still holds is tried again.
    async fn exchange(&self, transaction: &Transaction<'_>) -> DatabaseResult<()> {
        let (table, other, old) = (self.log.table, self.log.other(), self.old.join(", "));
        let lock = format!(
            "SAVEPOINT exchange; SET LOCAL lock_timeout = '200ms';
             LOCK TABLE ONLY {table}, {old}, {other} IN ACCESS EXCLUSIVE MODE"
        );
        let mut tries = 1;
        while let Err(error) = transaction.batch_execute(&lock).await {
            if error.code() != Some(&SqlState::LOCK_NOT_AVAILABLE) || tries == EXCHANGES_MAX {
                return Err(error);
            }
            tries += 1;
            transaction
                .batch_execute("ROLLBACK TO SAVEPOINT exchange; RELEASE SAVEPOINT exchange")
                .await?;
            tokio::time::sleep(EXCHANGE_PAUSE).await;
        }
        let (new, end) = (&self.new, self.end);
        let exchange = format!(
            "DROP TABLE {old};
             ALTER TABLE {table} ATTACH PARTITION {new} FOR VALUES FROM (MINVALUE) TO ({end})"
        );
        transaction.batch_execute(&exchange).await
    }
}
