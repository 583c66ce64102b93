//! The hot path: signals and judgements.

use super::Postgres;
use crate::hot::{Done, Elapse, Record};
use crate::{Result, StoreError};

#[expect(clippy::unused_self, reason = "the hot path is not there yet")]
impl Postgres {
    pub(crate) fn record(
        &self,
        _batch: Record,
    ) -> impl Future<Output = Result<Done>> + Send + use<> {
        std::future::ready(Err(not_there()))
    }

    pub(crate) fn elapse(&self, _due: Elapse) -> impl Future<Output = Result<Done>> + Send + use<> {
        std::future::ready(Err(not_there()))
    }
}

fn not_there() -> StoreError {
    StoreError::Unavailable("signals cannot be recorded in PostgreSQL yet".to_owned())
}
