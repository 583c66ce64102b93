//! What a failed sync leaves behind: pages that can be read, and that no later sync will write.

use nightbeat_faulty_disk::{Disk, Fault, Harm, Kept, Op, Times};
use nightbeat_store::{Opener, Recorded, Store, StoreError};

use crate::house::{House, MINUTE, NOW, marked, success};
use crate::people::tidy_up;
use crate::points::acknowledged_is_durable;

const FIRST_SYNC: Fault = Fault {
    ops: &[Op::Sync],
    on: "",
    at: 0,
    times: Times::Once,
    harm: Harm::Error,
};

/// A commit whose sync failed stood in the log as the next process read it, but not on the disk; what was
/// acknowledged behind it was gone with the power.
#[tokio::test]
async fn what_is_acknowledged_after_a_failed_sync_and_a_restart_survives_a_power_loss() {
    let disk = Disk::take();
    let mut house = House::furnished(&disk).await;
    let unlucky = || vec![marked(success(1, NOW), "unlucky")];
    disk.arm(FIRST_SYNC);
    let refused = house.record(unlucky()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Fatal(_)), "{refused}");
    assert_eq!(disk.disarm().hits, 1);
    house.kill();
    house.open();
    // It was refused, and came to the log all the same: a client that tries again is not counted twice.
    let again = house.record(unlucky()).await.unwrap();
    assert_eq!(again, [Recorded::Duplicate]);
    for minute in 1..=5 {
        let signal = success(2, NOW + minute * MINUTE);
        assert_eq!(
            house.record(vec![signal]).await.unwrap(),
            [Recorded::Counted]
        );
    }
    let acknowledged = house.dump().await;
    house.lose_power(Kept::Nothing);
    house.open();
    assert!(house.dump().await == acknowledged, "acknowledged, and lost");
    house.check().await;
}

/// The administrator's tool may be the first to come after a failed sync.
#[tokio::test]
async fn a_tool_that_comes_first_writes_the_log_again_too() {
    let disk = Disk::take();
    let mut house = House::furnished(&disk).await;
    disk.arm(FIRST_SYNC);
    house.record(vec![success(1, NOW)]).await.unwrap_err();
    house.kill();
    let tool = Store::open_sqlite(&house.path(), Opener::Tool).unwrap();
    tool.store.write(tidy_up).await.unwrap();
    disk.arm(Fault::death(0));
    drop(tool);
    disk.disarm();
    house.lose_power(Kept::Nothing);
    house.open();
    let again = house.store().write(tidy_up).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    house.check().await;
}

/// After a failed sync the next start is killed too, or the power fails in the midst of it.
#[tokio::test]
async fn a_start_after_a_failed_sync_may_die_anywhere() {
    let disk = Disk::take();
    let mut template = House::furnished(&disk).await;
    template.close();
    let mut points = 0;
    for kept in [None, Some(Kept::Nothing), Some(Kept::Some(3))] {
        for at in 0.. {
            let context = format!("second death at {at}, {kept:?}");
            let mut house = House::like(&template).await;
            let acknowledged = house.dump().await;
            disk.arm(FIRST_SYNC);
            house.store().write(tidy_up).await.unwrap_err();
            house.kill();
            disk.arm(Fault::death(at));
            let started = house.try_open();
            let hits = disk.disarm().hits;
            match kept {
                None => house.kill(),
                Some(kept) => house.lose_power(kept),
            }
            house.open();
            // The commit whose sync failed may be there, all of it, or not.
            if house.dump().await != acknowledged {
                let again = house.store().write(tidy_up).await;
                assert!(matches!(again, Err(StoreError::Conflict(_))), "{context}");
            }
            acknowledged_is_durable(&mut house, at, &context).await;
            if hits == 0 {
                started.unwrap();
                break;
            }
            points += 1;
        }
    }
    println!("start after a failed sync: {points} points in all");
    assert!(points >= 6, "{points}");
}

/// After a sync that failed, a server says so for every call, and what it refuses is not stored later.
#[tokio::test]
async fn after_a_failed_sync_everything_is_refused_until_the_next_start() {
    let disk = Disk::take();
    let mut house = House::furnished(&disk).await;
    let before = house.dump().await;
    disk.arm(FIRST_SYNC);
    house.record(vec![success(1, NOW)]).await.unwrap_err();
    disk.disarm();
    for _ in 0..3 {
        let refused = house.record(vec![success(2, NOW)]).await.unwrap_err();
        assert!(matches!(refused, StoreError::Fatal(_)), "{refused}");
    }
    assert!(house.claim().await.is_err());
    assert!(house.dump().await == before, "nothing is half there");
    house.close();
    house.open();
    assert!(
        house.dump().await == before,
        "an orderly end forgets what failed"
    );
    house.check().await;
}

/// The disk stays broken: the next start refuses, and says what is wrong. Once the disk is well, it starts.
#[tokio::test]
async fn a_disk_that_does_not_sync_gets_no_server() {
    let disk = Disk::take();
    let mut house = House::empty(&disk);
    let broken = Fault {
        times: Times::ForEver,
        ..FIRST_SYNC
    };
    disk.arm(broken);
    let refused = house.try_open().unwrap_err();
    disk.disarm();
    assert!(matches!(refused, StoreError::Fatal(_)), "{refused}");
    assert!(refused.to_string().contains("cannot be used"), "{refused}");
    house.open();
    house.furnish().await.unwrap();
    acknowledged_is_durable(&mut house, 0, "well again").await;
}
