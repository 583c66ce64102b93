//! The hot path: all of it passes through the writer, in the order of the calls.

use nightbeat_domain::{Gap, UnixMicros};

use super::Postgres;
use crate::Result;
use crate::hot::{Done, Elapse, Opening, Record, Writes, judge, record};
use crate::nodes::{self, Joined, NodeFacts};
use crate::outbox::{self, Claim, ClaimedDelivery, FinishedDelivery};
use crate::sql::Sql;

impl Postgres {
    pub(crate) fn record(
        &self,
        batch: Record,
    ) -> impl Future<Output = Result<Done>> + Send + use<> {
        self.writer.run(move |writer| record(writer, &batch))
    }

    pub(crate) fn elapse(&self, due: Elapse) -> impl Future<Output = Result<Done>> + Send + use<> {
        self.writer.run(move |writer| judge(writer, &due))
    }

    pub(crate) async fn claim(&self, wish: Claim) -> Result<Vec<ClaimedDelivery>> {
        self.beside_nobody(wish.now, move |sql| outbox::claim(sql, &wish))
            .await
    }

    pub(crate) async fn finish(&self, finished: Vec<FinishedDelivery>) -> Result<()> {
        let now = UnixMicros::MIN;
        self.beside_nobody(now, move |sql| outbox::finish(sql, &finished))
            .await
    }

    /// Portable SQL in a transaction that shows the node's lease: one that was taken for lost changes
    /// nothing.
    async fn beside_nobody<T: Send + 'static>(
        &self,
        now: UnixMicros,
        verb: impl Fn(&mut dyn Sql) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let job = self.writer.run(move |writer| {
            writer.transaction(&Opening::of_nobody(now), |rows, _| verb(rows.sql()?))
        });
        job.await
    }

    /// The node begins, or begins again.
    pub(crate) async fn join(&self, who: NodeFacts) -> Result<Joined> {
        let joining = self.write(move |sql| {
            let clock = clock(sql)?;
            nodes::join(sql, &who, clock)
        });
        let joined = joining.await?;
        let known = joined.clone();
        let told = self.writer.run(move |writer| {
            writer.joined(&known);
            Ok(())
        });
        told.await?;
        Ok(joined)
    }

    /// The node ends cleanly, with these gaps in the ledger.
    pub(crate) async fn leave(&self, gaps: Vec<Gap>, now: UnixMicros) -> Result<()> {
        let leaving = self.writer.run(move |writer| {
            writer.leave(&Opening {
                gaps: &gaps,
                watermark: now,
                ..Opening::of_nobody(now)
            })
        });
        leaving.await
    }
}

/// The database's own clock.
pub(crate) fn clock(sql: &mut dyn Sql) -> Result<UnixMicros> {
    let query = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)";
    let row = sql.first(query, &[])?;
    row.map_or(Ok(UnixMicros::MIN), |row| row.get(0))
}
