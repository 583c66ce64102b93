//! One total time for all steps of an attempt.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::notifier::SendError;

/// When an attempt must be over. Every step of every protocol waits under it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    total: Duration,
}

impl Deadline {
    /// `total` from now.
    pub(crate) fn after(total: Duration) -> Self {
        Self {
            at: Instant::now() + total,
            total,
        }
    }

    /// As long again, from now.
    pub(crate) fn renewed(&self) -> Self {
        Self::after(self.total)
    }

    /// Runs one step; `failing` says what did not happen if the time is over first.
    pub(crate) async fn within<F: Future>(
        &self,
        failing: &str,
        step: F,
    ) -> Result<F::Output, SendError> {
        timeout_at(self.at, step)
            .await
            .map_err(|_| SendError::failed(format!("{failing} within {:?}", self.total)))
    }
}
