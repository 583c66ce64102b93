//! What a node that does not watch hands over to those that do.

use nightbeat_domain::{HeartbeatId, UnixMicros};
use nightbeat_store::{Store, Watched};
use nightbeat_testkit::postgres;
use uuid::Uuid;

use crate::open;

fn look(number: u128, at: i64) -> Watched {
    Watched {
        heartbeat: HeartbeatId(Uuid::from_u128(number)),
        wake_at: Some(UnixMicros(at)),
    }
}

async fn handed_over(store: &Store) -> Vec<Watched> {
    store.handed_over(10).await.unwrap()
}

#[tokio::test]
async fn the_earliest_look_stays_until_it_is_taken_over() {
    let database = postgres::database();
    let (one, other) = (open(&database).await, open(&database).await);
    assert_eq!(handed_over(&one).await, []);
    let unwatched = Watched {
        wake_at: None,
        ..look(3, 0)
    };
    let looks = [
        look(2, 50),
        look(1, 70),
        look(2, 40),
        look(2, 60),
        unwatched,
    ];
    one.hand_over(&looks).await.unwrap();
    let found = handed_over(&other).await;
    assert_eq!(found, [look(1, 70), look(2, 40)]);
    assert_eq!(other.handed_over(1).await.unwrap(), [look(1, 70)]);
    // Meanwhile one of them becomes earlier, and the other one later, which changes nothing.
    one.hand_over(&[look(1, 90), look(2, 30)]).await.unwrap();
    other.taken_over(&found).await.unwrap();
    assert_eq!(handed_over(&other).await, [look(2, 30)]);
    other.taken_over(&found).await.unwrap();
    assert_eq!(handed_over(&one).await, [look(2, 30)]);
    one.taken_over(&[look(2, 30)]).await.unwrap();
    assert_eq!(handed_over(&one).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_hand_over_and_take_over_at_once() {
    let database = postgres::database();
    let store = open(&database).await;
    let tasks = (0..8).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..20 {
                let mut looks: Vec<Watched> = (0..50).map(|it| look(it, 1_000 - round)).collect();
                if task % 2 == 0 {
                    looks.reverse();
                }
                store.hand_over(&looks).await.unwrap();
                store.taken_over(&handed_over(&store).await).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    loop {
        let left = handed_over(&store).await;
        if left.is_empty() {
            return;
        }
        store.taken_over(&left).await.unwrap();
    }
}
