//! Copying the log into the database: beside the writer, and at the end.

use std::time::Duration;

use nightbeat_domain::SignalKind;
use nightbeat_faulty_disk::{Disk, Fault, Harm, Kept, Op, Times};
use nightbeat_store::{Arrival, StoreError};

use crate::house::{House, MINUTE, NOW, signal, success, with_body};
use crate::points::{End, POINTS_MAX, WEATHERS, acknowledged_is_durable};

/// More than the log may hold before it is copied.
const LARGE_BYTES: usize = 17 * 1024 * 1024;

/// An orderly end copies all of the log and empties it.
#[tokio::test]
async fn the_end() {
    let disk = Disk::take();
    let mut template = House::furnished(&disk).await;
    template.close();
    let mut total = 0;
    for weather in WEATHERS {
        let mut points = 0;
        loop {
            let context = format!("end: {} at {points}", weather.name);
            let mut house = House::like(&template).await;
            house
                .record(vec![with_body(success(1, NOW))])
                .await
                .unwrap();
            let acknowledged = house.dump().await;
            disk.arm(weather.fault(points));
            house.close();
            if disk.disarm().hits == 0 {
                break;
            }
            if let End::PowerLoss(kept) = weather.end {
                house.lose_power(kept);
            }
            house.open();
            assert!(house.dump().await == acknowledged, "{context}: it is lost");
            acknowledged_is_durable(&mut house, points, &context).await;
            points += 1;
            assert!(points < POINTS_MAX, "{context}: no end");
        }
        println!("end: {}: {points} points", weather.name);
        total += points;
    }
    println!("end: {total} points in all");
    assert!(total > 80, "{total}");
}

/// Copying begins; what goes wrong with it, and with which operation of the thread that copies.
struct Copying {
    /// On the log, or on the database.
    on: &'static str,
    op: &'static [Op],
    /// On the log, the first sync is the commit's.
    at: u64,
    harm: Harm,
    end: End,
}

const LOG: &str = ".db-wal";
const DATABASE: &str = ".db";

/// The thread beside the writer copies seventeen megabytes: each sync goes wrong, and some of the writes.
#[tokio::test]
async fn copying_beside_the_writer() {
    let disk = Disk::take();
    let power_loss = End::PowerLoss(Kept::Some(5));
    let mut cases = Vec::new();
    for (on, op, at) in [
        (LOG, &[Op::Sync][..], 1),
        (DATABASE, &[Op::Write][..], 0),
        (DATABASE, &[Op::Write][..], 4_000),
        (DATABASE, &[Op::Sync][..], 0),
    ] {
        for (harm, end) in [
            (Harm::Error, End::Orderly),
            (Harm::Error, power_loss),
            (Harm::Death, power_loss),
        ] {
            cases.push(Copying {
                on,
                op,
                at,
                harm,
                end,
            });
        }
    }
    for copying in &cases {
        one_copying(&disk, copying).await;
    }
    println!("copying: {} points in all", cases.len());
}

async fn one_copying(disk: &Disk, copying: &Copying) {
    let Copying {
        on,
        op,
        at,
        harm,
        end,
    } = copying;
    let context = format!("copying: {op:?} {at} on {on}: {harm:?}, {end:?}");
    let mut house = House::roomy(disk);
    house.open();
    house.furnish().await.unwrap();
    disk.arm(Fault {
        ops: op,
        on,
        at: *at,
        times: if *harm == Harm::Death {
            Times::ForEver
        } else {
            Times::Once
        },
        harm: *harm,
    });
    let large = Arrival {
        body: Some(vec![b'x'; LARGE_BYTES]),
        body_bytes: LARGE_BYTES as u64,
        ..signal(1, SignalKind::Log, NOW)
    };
    house.record(vec![large]).await.unwrap();
    // The thread needs no more than this one nudge.
    while disk.counted().hits == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    if *harm == Harm::Death {
        house.kill();
    }
    disk.disarm();
    let acknowledged = match *harm {
        Harm::Death => None,
        _ => Some(go_on(&house, op, &context).await),
    };
    match end {
        End::Orderly => house.close(),
        End::Killed => house.kill(),
        End::PowerLoss(kept) => house.lose_power(*kept),
    }
    house.open();
    let left = house.dump().await;
    if let Some(acknowledged) = acknowledged {
        assert!(left == acknowledged, "{context}: it is lost");
    }
    let signals = left
        .iter()
        .filter(|line| line.starts_with("signal: "))
        .count();
    assert!(signals >= 1, "{context}: the large one is lost");
    acknowledged_is_durable(&mut house, *at, &context).await;
}

/// After a write that failed, signals are taken; after a sync that failed, none, once the writer knows.
async fn go_on(house: &House<'_>, op: &[Op], context: &str) -> Vec<String> {
    let mut minute = 0;
    loop {
        minute += 1;
        let answer = house.record(vec![success(2, NOW + minute * MINUTE)]).await;
        match (answer, op) {
            (Ok(_), [Op::Write]) if minute == 20 => break,
            (Ok(_), _) => {}
            (Err(StoreError::Fatal(_)), [Op::Sync]) => break,
            (Err(error), _) => panic!("{context}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    house.dump().await
}
