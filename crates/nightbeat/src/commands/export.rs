//! `nightbeat export`

use clap::Args;

use crate::code::{Present, Secrets, write};
use crate::connection::Connection;
use crate::exit::Failure;
use crate::session::{Session, block_on, hint};

const EXAMPLES: &str = "\
Examples:
  nightbeat export > beats.toml
  nightbeat export | nightbeat apply - --dry-run     (never has anything to change)";

/// Print the project as a file that `nightbeat apply` takes
///
/// Secrets are left out, and `apply` leaves alone what is left out.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Export {
    /// Also the ids of heartbeats, so that their URLs are the same on another server. Who reads them may signal.
    /// Nobody is shown the secrets of channels
    #[arg(long)]
    with_secrets: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Export {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        let client = self.connection.client()?;
        block_on(async {
            let present = Present::load(&client).await?;
            if !present.writable {
                // Half a file would take away what is missing in it.
                return Err(Failure::failed(
                    "this key is read-only, and is not shown where channels lead",
                )
                .hint("an export needs a read-write API key"));
            }
            let secrets = if self.with_secrets {
                hint("the file has the ids of heartbeats: who reads it may signal");
                Secrets::Ids
            } else {
                Secrets::LeftOut
            };
            Ok(write(&present, secrets, session.view.now))
        })
    }
}
