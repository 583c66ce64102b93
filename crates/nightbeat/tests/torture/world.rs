//! The nodes, their database, and where alerts arrive.

use std::net::SocketAddr;

use nightbeat_testkit::postgres::{Cluster, Settings};
use nightbeat_testkit::proxy::{Proxy, Target};
use nightbeat_testkit::{Admin, Behaviour, Binary, Receiver, Setup};

/// How many nodes there are.
pub(crate) const NODES: usize = 3;

/// The database in the cluster; every cluster has it.
const DATABASE: &str = "postgres";

/// The receiver takes one message in so many and does not say so: it is sent again.
const FORGETS_ONE_IN: u32 = 3;

/// It does so for so many messages, which are more than there are.
const FORGETFUL_FOR: u32 = 100_000;

/// A node, and the way from it to the database, which is its alone.
pub(crate) struct Node {
    pub(crate) binary: Binary,
    pub(crate) proxy: Proxy,
}

/// Nodes end before their database does.
pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) admin: Admin,
    pub(crate) receiver: Receiver,
    pub(crate) cluster: Cluster,
}

/// A stretch in which signals may have been missed, in microseconds since 1970.
pub(crate) struct Gap {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl World {
    pub(crate) async fn start() -> Self {
        let cluster = Cluster::private(Settings {
            durable: true,
            ..Settings::default()
        });
        let mut nodes = Vec::new();
        let mut first = None;
        for _ in 0..NODES {
            let proxy = Proxy::to(Target::Unix(cluster.socket()));
            let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat")).on(&proxy.url(DATABASE));
            first = first.or_else(|| Some(setup.init()));
            let binary = setup.start().await;
            nodes.push(Node { binary, proxy });
        }
        let admin = first.unwrap();
        let receiver = Receiver::start().await;
        receiver.next((0..FORGETFUL_FOR).map(|message| {
            if message % FORGETS_ONE_IN == 1 {
                Behaviour::Reset
            } else {
                Behaviour::Take
            }
        }));
        admin.webhook("pager", &receiver.url()).await;
        Self {
            nodes,
            admin,
            receiver,
            cluster,
        }
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let nodes = self.nodes.iter();
        nodes.map(|node| node.binary.address()).collect()
    }

    pub(crate) async fn until_ready(&mut self) {
        for node in &mut self.nodes {
            node.binary.until_ready().await;
        }
    }

    /// The ledger.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        let rows = self.cluster.select("from_at, to_at", "gap");
        let number = |text: &Option<String>| text.as_ref().unwrap().parse().unwrap();
        rows.iter()
            .map(|row| Gap {
                from: number(&row[0]),
                to: number(&row[1]),
            })
            .collect()
    }

    /// Every mark in the log of signals, and how often it is there.
    pub(crate) fn marks(&self) -> Vec<(String, usize)> {
        let rows = self.cluster.select(
            "convert_from(body, 'UTF8'), count(*)",
            "signal GROUP BY body",
        );
        rows.into_iter()
            .map(|mut row| {
                let times = row.pop().flatten().unwrap().parse().unwrap();
                (row.pop().flatten().expect("a signal without mark"), times)
            })
            .collect()
    }
}
