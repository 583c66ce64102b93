//! What happens to the nodes and to their database.

use std::time::Duration;

use nightbeat_testkit::Random;
use nightbeat_testkit::postgres::Shutdown;
use nightbeat_testkit::proxy::Behaviour;
use tokio::time::sleep;

use crate::world::{NODES, World};

/// Something that begins, lasts, and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// `kill -9` of a node, which is started again.
    Kill(usize),
    /// `SIGSTOP` and `SIGCONT`.
    Pause(usize),
    /// No way to the database, and the node knows.
    Refuse(usize),
    /// No way to the database, in silence.
    Blackhole(usize),
    /// All of the node's connections are reset; it may open others.
    Reset(usize),
    /// The database is stopped, and started again.
    Restart(Shutdown),
}

/// So long a node is held still, or in silence: longer than its lease of ten seconds.
const LONGER_THAN_A_LEASE: u64 = 13_000;

impl Trouble {
    /// One of each.
    pub(crate) const EACH: [Self; 7] = [
        Self::Pause(0),
        Self::Blackhole(1),
        Self::Kill(2),
        Self::Restart(Shutdown::Immediate),
        Self::Refuse(0),
        Self::Restart(Shutdown::Fast),
        Self::Reset(1),
    ];

    fn any(random: &mut Random) -> Self {
        let node = random.below(NODES as u64) as usize;
        match random.below(11) {
            0..3 => Self::Kill(node),
            3..5 => Self::Pause(node),
            5..7 => Self::Blackhole(node),
            7 => Self::Refuse(node),
            8 => Self::Reset(node),
            9 => Self::Restart(Shutdown::Fast),
            _ => Self::Restart(Shutdown::Immediate),
        }
    }

    /// The node that it happens to; none for the database.
    fn node(self) -> Option<usize> {
        match self {
            Self::Kill(node)
            | Self::Pause(node)
            | Self::Refuse(node)
            | Self::Blackhole(node)
            | Self::Reset(node) => Some(node),
            Self::Restart(_) => None,
        }
    }

    /// How long it lasts.
    fn lasts(self, random: &mut Random) -> Duration {
        let milliseconds = match self {
            Self::Pause(_) | Self::Blackhole(_) => LONGER_THAN_A_LEASE + random.below(5_000),
            Self::Kill(_) | Self::Refuse(_) => 1_000 + random.below(6_000),
            Self::Reset(_) => 0,
            Self::Restart(_) => random.below(3_000),
        };
        Duration::from_millis(milliseconds)
    }

    fn begin(self, world: &mut World) {
        match self {
            Self::Kill(node) => world.nodes[node].binary.kill(),
            Self::Pause(node) => world.nodes[node].binary.pause(),
            Self::Refuse(node) => world.nodes[node].proxy.behave(Behaviour::Refuse),
            Self::Blackhole(node) => world.nodes[node].proxy.behave(Behaviour::Blackhole),
            Self::Reset(node) => world.nodes[node].proxy.reset(),
            Self::Restart(how) => world.cluster.stop(how),
        }
    }

    fn end(self, world: &mut World) {
        match self {
            Self::Kill(node) => world.nodes[node].binary.launch(),
            Self::Pause(node) => world.nodes[node].binary.resume(),
            Self::Refuse(node) => world.nodes[node].proxy.behave(Behaviour::Pass),
            Self::Blackhole(node) => {
                // What was in it when it began is as lost as in a network that was down for so long.
                world.nodes[node].proxy.behave(Behaviour::Refuse);
                world.nodes[node].proxy.behave(Behaviour::Pass);
            }
            Self::Reset(_) => {}
            Self::Restart(_) => world.cluster.start(),
        }
    }
}

/// One trouble, from its beginning until every node is well.
pub(crate) async fn one(world: &mut World, trouble: Trouble, random: &mut Random) {
    println!("{trouble:?}");
    trouble.begin(world);
    sleep(trouble.lasts(random)).await;
    trouble.end(world);
    world.until_ready().await;
}

/// One or two troubles at once. Every second time the next ones may come while nodes are still joining again.
pub(crate) async fn some(world: &mut World, random: &mut Random) -> Vec<Trouble> {
    let mut troubles = vec![Trouble::any(random)];
    let other = Trouble::any(random);
    if random.below(3) == 0 && other.node() != troubles[0].node() {
        troubles.push(other);
    }
    let waits = random.below(2) == 0;
    for trouble in &troubles {
        trouble.begin(world);
        sleep(Duration::from_millis(random.below(500))).await;
    }
    for trouble in &troubles {
        sleep(trouble.lasts(random) / troubles.len() as u32).await;
        trouble.end(world);
    }
    if waits {
        world.until_ready().await;
    }
    sleep(Duration::from_millis(1_000 + random.below(9_000))).await;
    troubles
}
