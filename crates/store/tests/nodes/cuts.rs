//! The connection is cut at each message of a transaction, in both directions: what is answered is true.

use std::time::Duration;

use nightbeat_domain::{Claim, Gap, GapKind, HeartbeatId, SignalKind, UnixMicros};
use nightbeat_store::StoreError;
use nightbeat_store::hot::{Done, Record};
use nightbeat_testkit::proxy::{Behaviour, Ending, Point, Proxy, Side, Target};

use crate::cast::{HOUR, House, MICRO, Node, SECOND, due, hourly, signal, success};

/// What became of the transactions that were cut.
#[derive(Debug, Default)]
struct Tally {
    answered: u32,
    refused: u32,
    unknown: u32,
}

/// Fewer messages than any transaction has.
const MESSAGES_MIN: usize = 20;

struct Cutting {
    house: House,
    proxy: Proxy,
    node: Node,
}

impl Cutting {
    async fn new() -> Self {
        let house = House::new();
        let proxy = Proxy::to(Target::Unix(house.database.socket()));
        let node = Node::at(&proxy.url(house.database.name()), 1).await;
        Self { house, proxy, node }
    }

    fn signals(&self, of: HeartbeatId, at: UnixMicros) -> i64 {
        let (of, at) = (of.0.simple(), at.0);
        self.house.count(&format!(
            "signal WHERE heartbeat = '\\x{of}' AND received_at = {at}"
        ))
    }
}

/// Every place where a transaction of so many messages can be cut, until one is past its end.
async fn everywhere(ending: Ending, mut cut: impl AsyncFnMut(Side, Point, Ending) -> bool) {
    for side in [Side::Client, Side::Server] {
        for number in 1.. {
            if !cut(side, Point::After(number), ending).await {
                assert!(number > MESSAGES_MIN, "{side:?}: {number} messages");
                break;
            }
        }
    }
}

async fn records_are_cut(ending: Ending) {
    let cutting = Cutting::new().await;
    let Cutting { house, proxy, node } = &cutting;
    let id = node.heartbeat(1, &hourly()).await;
    let mut tally = Tally::default();
    let mut refused = Vec::new();
    let mut at = node.clock() - HOUR;
    everywhere(ending, async |side, point, ending| {
        // On a connection that stands, with all its statements prepared.
        at = at + SECOND;
        node.record(vec![success(id, at)]).await;
        at = at + SECOND;
        proxy.cut_at(side, point, ending);
        let answer = node.store.record(node.batch(vec![success(id, at)])).await;
        let was_cut = !proxy.forget_cut();
        let stored = cutting.signals(id, at);
        match answer {
            Ok(done) => {
                tally.answered += 1;
                assert_eq!((done.recorded.len(), stored), (1, 1), "{side:?} {point:?}");
            }
            Err(StoreError::Unavailable(_)) => {
                tally.refused += 1;
                assert_eq!(stored, 0, "{side:?} {point:?}");
                refused.push(at);
            }
            Err(StoreError::Unknown(_)) => {
                tally.unknown += 1;
                assert!(stored < 2);
                refused.push(at);
            }
            Err(error) => panic!("{side:?} {point:?}: {error}"),
        }
        was_cut
    })
    .await;
    node.record(Vec::new()).await;
    let gaps = node.gaps().await;
    for at in refused {
        let told = gaps.iter().any(|gap| gap.from <= at && at < gap.to);
        assert!(told, "{at:?} was refused, and is in no gap");
    }
    assert_eq!(tally.unknown, 0, "whoever comes back can look: {tally:?}");
    assert!(tally.answered > 2 * MESSAGES_MIN as u32, "{tally:?}");
    let state = node.state(id).await;
    assert_eq!(state.signals as i64, house.count("signal"));
}

async fn judgements_are_cut(ending: Ending) {
    let cutting = Cutting::new().await;
    let Cutting { house, proxy, node } = &cutting;
    let deadline = node.clock() + SECOND;
    let mut number = 0;
    everywhere(ending, async |side, point, ending| {
        number += 2;
        let warm = node.due_at(number, deadline).await;
        let id = node.due_at(number + 1, deadline).await;
        assert_eq!(node.elapse(&[warm], deadline).await.deliveries, 2);
        proxy.cut_at(side, point, ending);
        let answer = node.store.elapse(due(&[id], deadline)).await;
        let was_cut = !proxy.forget_cut();
        let deliveries = house.count(&format!(
            "delivery WHERE heartbeat = '\\x{}'",
            id.0.simple()
        ));
        let Done {
            deliveries: told, ..
        } = match answer {
            Ok(done) => done,
            Err(error) => panic!("{side:?} {point:?}: {error}"),
        };
        assert_eq!((told, deliveries), (2, 2), "{side:?} {point:?}");
        was_cut
    })
    .await;
    assert_eq!(house.count("incident"), i64::from(number));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_closed_anywhere_is_stored_once_or_refused() {
    records_are_cut(Ending::Close).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_reset_anywhere_is_stored_once_or_refused() {
    records_are_cut(Ending::Reset).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judgement_that_is_closed_anywhere_is_told_once() {
    judgements_are_cut(Ending::Close).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judgement_that_is_reset_anywhere_is_told_once() {
    judgements_are_cut(Ending::Reset).await;
}

/// In time, but refused: the next decision knows, before anybody has told it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_while_the_database_is_away_is_a_gap_before_the_next_decision() {
    let cutting = Cutting::new().await;
    let Cutting { proxy, node, .. } = &cutting;
    let deadline = node.clock() + SECOND;
    let id = node.due_at(1, deadline).await;
    // A connection that was closed while nobody used it is none that was lost.
    proxy.cut();
    node.record(vec![signal(id, SignalKind::Log, node.clock())])
        .await;
    proxy.behave(Behaviour::Refuse);
    let in_time = deadline - MICRO;
    let batch = Record {
        now: in_time,
        ..node.batch(vec![success(id, in_time)])
    };
    let error = node.store.record(batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    proxy.behave(Behaviour::Pass);
    node.elapse(&[id], deadline).await;
    let claim = node.state(id).await.incident.map(|incident| incident.claim);
    assert_eq!(claim, Some(Claim::Unverified), "we refused its signal");
    let gap = Gap {
        from: in_time,
        to: deadline,
        kind: GapKind::Storage,
    };
    assert_eq!(node.gaps().await, [gap]);
}

/// Its answer to COMMIT is lost, and meanwhile another process has become this node: nobody can say.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_not_found_in_another_life_of_the_node() {
    let cutting = Cutting::new().await;
    let Cutting { house, proxy, node } = &cutting;
    let id = node.heartbeat(1, &hourly()).await;
    node.record(vec![success(id, node.clock())]).await;
    // The next answer never comes; the node waits five seconds for it, and then looks.
    proxy.cut_at(
        Side::Server,
        Point::Before(messages(proxy, node, id).await),
        Ending::Silence,
    );
    let lost = node
        .store
        .record(node.batch(vec![success(id, node.clock() + SECOND)]));
    let other = async {
        while cutting.signals(id, node.clock() + SECOND) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let other = house.node(1).await;
        other
            .record(vec![success(id, node.clock() + 2 * SECOND)])
            .await;
    };
    let (lost, ()) = tokio::join!(lost, other);
    let error = lost.unwrap_err();
    assert!(matches!(error, StoreError::Unknown(_)), "{error}");
}

/// How many messages the server sends for one batch.
async fn messages(proxy: &Proxy, node: &Node, id: HeartbeatId) -> usize {
    proxy.record();
    node.record(vec![success(id, node.clock())]).await;
    let of_server = proxy.recorded().into_iter();
    of_server.filter(|it| it.side == Side::Server).count()
}
