//! `nightbeat resume`

use clap::Args;

use super::pause::Which;
use crate::exit::Failure;

/// Expect a paused heartbeat's signals again
#[derive(Debug, Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    which: Which,
}

impl Resume {
    pub(super) fn run(self) -> Result<String, Failure> {
        self.which.step("resume", "resumed")
    }
}
