//! The writer: one thread, one connection, one queue, as on SQLite. Beside it the writers of other nodes work
//! on the same rows, so each transaction locks what it changes, and shows that its node's lease holds.

use deadpool_postgres::Pool;
use nightbeat_domain::nodes::{Fenced, Lease, NodeId};
use nightbeat_domain::{GapLedger, UnixMicros};
use tokio::runtime::Handle;

use super::begin::{self, Begun, GapsMark};
use super::connection::Connection;
use super::end::{self, Lost};
use super::error::{Again, Failure, no_connection};
use super::rows::PostgresRows;
use super::session::pause;
use crate::hot::{Memory, NextRows, Opening, Rows, Shared, Worker, Writes, panicked};
use crate::nodes::{self, Joined};
use crate::{Result, StoreError, effects};

/// How often a transaction is tried that others get in the way of.
const ATTEMPTS_MAX: u32 = 5;

/// What the writer thread works with.
pub(crate) struct Writer {
    /// At most one connection.
    pool: Pool,
    runtime: Handle,
    memory: Memory,
    /// What the node shows; `None`: it has not joined, and may write nothing.
    lease: Option<Lease>,
    /// The gaps in the ledger as it was read last.
    gaps_known: Option<GapsMark>,
}

impl Writer {
    pub(super) fn new(pool: Pool, runtime: Handle) -> Self {
        Self {
            pool,
            runtime,
            memory: empty(),
            lease: None,
            gaps_known: None,
        }
    }

    /// The node has joined: nothing of an older life is left.
    pub(super) fn joined(&mut self, joined: &Joined) {
        self.memory = empty();
        self.gaps_known = None;
        self.lease = Some(joined.lease);
    }

    /// The node ends cleanly.
    pub(super) fn leave(&mut self, opening: &Opening<'_>) -> Result<()> {
        let lease = self.lease.ok_or(Fenced)?;
        let refused = self.memory.refused;
        let gaps: Vec<_> = refused.iter().chain(opening.gaps).copied().collect();
        let opening = Opening {
            gaps: &gaps,
            ..*opening
        };
        self.transaction(&opening, |rows, _| nodes::leave(rows.sql()?, lease))?;
        self.lease = None;
        Ok(())
    }

    /// One attempt at a transaction.
    fn attempt<T>(
        &mut self,
        opening: &Opening<'_>,
        work: &impl Fn(&mut dyn Rows, &mut Shared<'_>) -> Result<T>,
    ) -> std::result::Result<T, Failure> {
        let lease = self.lease.ok_or_else(|| Failure::never(Fenced.into()))?;
        let client = self.runtime.block_on(self.pool.get());
        let client = client.map_err(|error| Failure::never(no_connection(&error)))?;
        let connection = Connection::new(client);
        let begun = begin::begin(&connection, &self.runtime, lease, self.gaps_known, opening);
        let begun = match begun {
            Ok(begun) => begun,
            Err(Failure { error, again }) => {
                return Err(connection.roll_back(&self.runtime, error, again));
            }
        };
        self.remember(&begun);
        let Begun {
            node,
            rows,
            suspects,
            clock,
            ..
        } = begun;
        let mut shared = self.memory.share();
        let mut rows = PostgresRows::new(connection.portable(&self.runtime), rows);
        let worked = enter_gaps(&mut rows, &mut shared, opening, &suspects, clock)
            .and_then(|()| work(&mut rows, &mut shared));
        let (again, written) = rows.end();
        let changed = shared.changed();
        let next = changed.next();
        let ready = match (worked, again) {
            (Ok(done), None) => node
                .gave(next.signal.max(next.run))
                .map(|node| (done, node)),
            (Ok(_), Some(_)) => Err(super::session::went_on()),
            (Err(error), _) => Err(error),
        };
        let (done, node) = match ready {
            Ok(ready) => ready,
            Err(error) => {
                let again = again.unwrap_or(Again::Never);
                return Err(connection.roll_back(&self.runtime, error, again));
            }
        };
        match end::commit(connection, &self.runtime, &node, &written) {
            Ok(()) => {}
            Err(Lost::Not(failure)) => return Err(failure),
            Err(Lost::Answer(why)) => {
                let found = end::look(&self.pool, &self.runtime, &node, &why);
                if !found.map_err(Failure::never)? {
                    let error = StoreError::Unavailable(why);
                    let again = Again::Elsewhere;
                    return Err(Failure { error, again });
                }
            }
        }
        self.memory.keep(changed);
        Ok(done)
    }

    /// What other nodes changed since the last transaction.
    fn remember(&mut self, begun: &Begun) {
        self.memory.next = NextRows {
            signal: begun.node.first_id,
            run: begun.node.first_id,
        };
        self.memory.broken = begun.markers.iter().copied().collect();
        if let Some(gaps) = &begun.gaps {
            self.memory.gaps = GapLedger::new(gaps.iter().copied());
        }
        self.gaps_known = Some(begun.gaps_mark);
    }
}

impl Worker for Writer {}

impl Writes for Writer {
    fn memory(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn transaction<T>(
        &mut self,
        opening: &Opening<'_>,
        work: impl Fn(&mut dyn Rows, &mut Shared<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut attempts = 1;
        loop {
            // A row that makes a decision panic is a broken row, as on the other engine.
            let attempt = std::panic::AssertUnwindSafe(|| self.attempt(opening, &work));
            let failure = match std::panic::catch_unwind(attempt) {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(failure)) => failure,
                Err(panic) => Failure::never(panicked(&*panic)),
            };
            self.memory.rolled_back();
            if failure.again == Again::Never || attempts == ATTEMPTS_MAX {
                return Err(failure.error);
            }
            tracing::debug!(error = %failure.error, attempts, "tried again");
            attempts += 1;
            std::thread::sleep(pause());
        }
    }
}

/// Gaps come first: no decision may be taken without them.
fn enter_gaps(
    rows: &mut PostgresRows<'_>,
    shared: &mut Shared<'_>,
    opening: &Opening<'_>,
    suspects: &[NodeId],
    clock: UnixMicros,
) -> Result<()> {
    let mut gaps = Vec::new();
    if !suspects.is_empty() {
        gaps = nodes::reap(rows.sql()?, suspects, clock)?;
    }
    gaps.extend_from_slice(opening.gaps);
    for gap in gaps {
        effects::insert_gap(rows.sql()?, gap)?;
        shared.gaps_mut().add(gap);
    }
    Ok(())
}

fn empty() -> Memory {
    let next = NextRows { signal: 0, run: 0 };
    Memory::new(GapLedger::default(), Vec::new(), next)
}
