//! The rows of the hot path on SQLite. One writer, one connection: what a transaction reads, nobody else
//! changes.

use nightbeat_domain::{FinishedRun, HeartbeatId, UnixMicros};
use rusqlite::Connection;

use super::portable::Portable;
use super::rows;
use super::writer::Writer;
use crate::effects;
use crate::hot::{Loaded, Memory, Opening, Renewed, Rows, Shared, TakenFor, Writes};
use crate::sql::Sql;
use crate::{Arrival, Result};

impl Writes for Writer {
    fn memory(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn transaction<T>(
        &mut self,
        opening: &Opening<'_>,
        work: impl Fn(&mut dyn Rows, &mut Shared<'_>) -> Result<T>,
    ) -> Result<T> {
        let done = Writer::transaction(self, |connection, shared| {
            let mut sql = Portable::new(connection);
            for gap in opening.gaps {
                effects::insert_gap(&mut sql, *gap)?;
                shared.gaps_mut().add(*gap);
            }
            effects::alive(&mut sql, opening.now)?;
            work(&mut SqliteRows { connection, sql }, shared)
        })?;
        self.is_durable(opening.now);
        Ok(done)
    }
}

struct SqliteRows<'c> {
    connection: &'c Connection,
    sql: Portable<'c>,
}

impl Rows for SqliteRows<'_> {
    fn sql(&mut self) -> Result<&mut dyn Sql> {
        Ok(&mut self.sql)
    }

    fn load(&mut self, shared: &mut Shared<'_>, heartbeat: HeartbeatId) -> Result<Option<Loaded>> {
        rows::read(self.connection, shared, heartbeat)
    }

    fn write(&mut self, heartbeat: HeartbeatId, loaded: &Loaded) -> Result<()> {
        rows::write(self.connection, heartbeat, loaded)
    }

    fn insert_signal(
        &mut self,
        row: i64,
        heartbeat: HeartbeatId,
        arrival: &Arrival,
        taken_for: TakenFor,
        previous: Option<i64>,
    ) -> Result<()> {
        rows::insert_signal(
            self.connection,
            row,
            heartbeat,
            arrival,
            taken_for,
            previous,
        )
    }

    fn insert_run(
        &mut self,
        row: i64,
        heartbeat: HeartbeatId,
        run: &FinishedRun,
        previous: Option<i64>,
    ) -> Result<()> {
        rows::insert_run(self.connection, row, heartbeat, run, previous)
    }

    /// All signals come through this writer.
    fn judge_to(&self, wish: UnixMicros) -> UnixMicros {
        wish
    }

    fn is_held_elsewhere(&mut self, _: HeartbeatId) -> Result<bool> {
        Ok(false)
    }

    fn renewed(&self) -> Option<Renewed> {
        None
    }
}
