//! Nodes on one database.

use std::time::Duration;

use nightbeat_testkit::postgres::{self, Database};
use nightbeat_testkit::{Admin, Binary, Receiver, Setup, until};

/// How long a node is held still: longer than its lease.
pub(crate) const LONGER_THAN_A_LEASE: Duration = Duration::from_secs(15);

/// Pair nodes, and a person who has a channel.
pub(crate) struct Pair {
    pub(crate) one: Binary,
    pub(crate) two: Binary,
    pub(crate) admin: Admin,
    pub(crate) receiver: Receiver,
    pub(crate) database: Database,
}

pub(crate) fn node(url: &str) -> Setup {
    Setup::new(env!("CARGO_BIN_EXE_nightbeat")).on(url)
}

impl Pair {
    pub(crate) async fn start() -> Self {
        let database = postgres::database();
        let setup = node(&database.url());
        let admin = setup.init();
        let one = setup.start().await;
        let two = node(&database.url()).start().await;
        let receiver = Receiver::start().await;
        admin.webhook("pager", &receiver.url()).await;
        Self {
            one,
            two,
            admin,
            receiver,
            database,
        }
    }

    /// The person, at the second node.
    pub(crate) fn at_two(&self) -> Admin {
        self.admin.at(&self.two)
    }

    /// How many gaps are in the ledger.
    pub(crate) fn gaps(&self) -> u64 {
        self.database.count("gap")
    }
}

/// Waits until a server says that it is not ready; in which words.
pub(crate) async fn until_unready(admin: &Admin) -> String {
    until("it is not ready", async || {
        let (status, text) = admin.ready().await;
        (status == 503).then_some(text)
    })
    .await
}
