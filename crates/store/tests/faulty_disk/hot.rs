//! The hot path and the outbox.

use std::time::Duration;

use nightbeat_domain::{Claim as Claimed, Gap, GapKind, SignalKind};
use nightbeat_faulty_disk::{Disk, Fault, Harm, Op, Times};
use nightbeat_store::StoreError;
use nightbeat_store::control::heartbeats;
use nightbeat_store::outbox::{DeliveryEnding, FinishedDelivery};

use crate::house::{
    ALICE, HOUR, House, MINUTE, NOW, START, heartbeat_id, marked, signal, success, with_body,
};
use crate::points::{Again, Method, every_point};

#[tokio::test]
async fn record() {
    let disk = Disk::take();
    let mut template = House::furnished(&disk).await;
    template.close();
    let method = Method {
        name: "record",
        claimed: false,
        again: Again::Nothing,
        points_min: 200,
    };
    every_point(&template, &method, async |house| {
        // One goes on, one fails, one is well again: incidents open and close, and alerts are queued.
        let batch = vec![
            marked(with_body(success(1, NOW)), "a"),
            marked(signal(2, SignalKind::Fail, NOW), "b"),
            marked(success(3, NOW), "c"),
        ];
        house.record(batch).await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn elapse() {
    let disk = Disk::take();
    let mut template = House::furnished(&disk).await;
    template.close();
    let method = Method {
        name: "elapse",
        claimed: false,
        again: Again::Nothing,
        points_min: 100,
    };
    every_point(&template, &method, async |house| {
        house.elapse(1, START + 3 * HOUR).await
    })
    .await;
}

#[tokio::test]
async fn alive_with_a_gap() {
    let disk = Disk::take();
    let mut template = House::furnished(&disk).await;
    template.close();
    let method = Method {
        name: "alive",
        claimed: false,
        again: Again::Nothing,
        points_min: 40,
    };
    every_point(&template, &method, async |house| {
        let gap = Gap {
            from: NOW - MINUTE,
            to: NOW,
            kind: GapKind::Stopped,
        };
        house.store().alive(NOW, vec![gap]).await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn claim() {
    let disk = Disk::take();
    let mut template = House::furnished(&disk).await;
    template.close();
    let method = Method {
        name: "claim",
        claimed: false,
        again: Again::Twice,
        points_min: 60,
    };
    every_point(&template, &method, async |house| {
        house.claim().await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn finish() {
    let disk = Disk::take();
    let mut template = House::furnished(&disk).await;
    template.close();
    let method = Method {
        name: "finish",
        claimed: true,
        again: Again::TooLate,
        points_min: 60,
    };
    every_point(&template, &method, async |house| {
        let finished = |number| FinishedDelivery {
            number,
            claim: 1,
            began_at: NOW,
            took: Duration::from_millis(30),
            ending: DeliveryEnding::Sent {
                detail: "200".to_owned(),
            },
        };
        house.store().finish(vec![finished(1), finished(2)]).await
    })
    .await;
}

/// A signal that came in time, and was refused: silence is not what it means.
#[tokio::test]
async fn what_the_disk_refused_is_never_judged_down() {
    let disk = Disk::take();
    let mut template = House::furnished(&disk).await;
    template.close();
    let mut refused = 0;
    for (op, harm) in [
        (Op::Write, Harm::Error),
        (Op::Write, Harm::Full),
        (Op::Sync, Harm::Error),
    ] {
        for at in 0.. {
            let mut house = House::like(&template).await;
            let ops = match op {
                Op::Sync => &[Op::Sync][..],
                _ => &[Op::Write][..],
            };
            disk.arm(Fault {
                ops,
                on: "",
                at,
                times: Times::Once,
                harm,
            });
            let answer = house.record(vec![success(1, NOW)]).await;
            if disk.disarm().hits == 0 {
                answer.unwrap();
                break;
            }
            refused += 1;
            let due = START + 3 * HOUR;
            match answer.unwrap_err() {
                StoreError::Unavailable(_) => house.elapse(1, due).await.unwrap(),
                StoreError::Fatal(_) => {
                    house.kill();
                    house.open();
                    // The engine enters what lies between as a gap, before anything else.
                    assert!(house.alive_until.unwrap() <= NOW, "we were not there: {at}");
                    continue;
                }
                other => panic!("{other}"),
            }
            let id = heartbeat_id(1);
            let found = house
                .store()
                .read(move |sql| heartbeats::get(sql, ALICE, id));
            let state = found.await.unwrap().unwrap().state;
            let claim = state.incident.map(|incident| incident.claim);
            assert_eq!(claim, Some(Claimed::Unverified), "{op:?} {harm:?} {at}");
        }
    }
    println!("refused: {refused} points");
    assert!(refused >= 15, "{refused}");
}

/// A slow disk is only slow.
#[tokio::test]
async fn a_slow_disk_loses_nothing() {
    let disk = Disk::take();
    let mut house = House::furnished(&disk).await;
    disk.arm(Fault {
        ops: &[Op::Write, Op::Sync],
        on: "",
        at: 0,
        times: Times::ForEver,
        harm: Harm::Slow(Duration::from_millis(2)),
    });
    house.record(vec![success(1, NOW)]).await.unwrap();
    house.elapse(2, START + 3 * HOUR).await.unwrap();
    assert!(disk.disarm().hits > 20);
    crate::points::acknowledged_is_durable(&mut house, 0, "slow").await;
}
