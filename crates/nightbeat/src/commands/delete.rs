//! `nightbeat delete`, and the question that `channel delete` asks too.

use clap::Args;
use nightbeat_agent::Method;

use super::target;
use crate::connection::Connection;
use crate::exit::Failure;
use crate::session::{Session, block_on, note};

/// Delete a heartbeat and its history
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The heartbeat, by id or slug
    #[arg(value_name = "ID|SLUG")]
    heartbeat: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Delete {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        let client = self.connection.client()?;
        block_on(async {
            let heartbeat = target::heartbeat(&client, &self.heartbeat).await?;
            let what = format!("heartbeat `{}` and its history", heartbeat.slug);
            agree(session, self.yes, &what)?;
            client
                .send(Method::DELETE, &["heartbeats", &self.heartbeat], None)
                .await?;
            note(&format!("deleted {what}"));
            Ok(String::new())
        })
    }
}

/// Asks whether `what` may be deleted, unless `yes` was said. Where nobody can be asked, `--yes` is needed.
pub(super) fn agree(session: &Session, yes: bool, what: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !session.interactive {
        return Err(Failure::usage(format!("{what} would be deleted for good"))
            .hint("say --yes where nobody can be asked"));
    }
    if session.confirm(&format!("Delete {what}?"))? {
        return Ok(());
    }
    Err(Failure::failed("nothing was deleted"))
}
