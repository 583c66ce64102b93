//! Opening: a new file with its schema, and one whose last server was killed.

use nightbeat_faulty_disk::{Disk, Harm, Kept};
use nightbeat_store::{Recorded, StoreError};

use crate::house::{House, NOW, marked, success};
use crate::points::{End, POINTS_MAX, WEATHERS, Weather, acknowledged_is_durable};

/// Opens under `weather`, ends as it says, and opens again. Whether there was an operation `at`.
fn one_point(house: &mut House<'_>, weather: Weather, at: u64, context: &str) -> bool {
    house.disk.arm(weather.fault(at));
    let opened = house.try_open();
    let counted = house.disk.disarm();
    if counted.hits == 0 {
        opened.unwrap();
        return false;
    }
    if let Err(error) = &opened {
        let clear = matches!(error, StoreError::Unavailable(_) | StoreError::Fatal(_));
        assert!(clear, "{context}: a disk's fault is nobody else's: {error}");
        assert!(error.to_string().len() > 30, "{context}: {error}");
    } else {
        assert_ne!(
            weather.harm,
            Harm::Death,
            "{context}: the dead do not start"
        );
    }
    match weather.end {
        End::Orderly => house.close(),
        End::Killed => house.kill(),
        End::PowerLoss(kept) => house.lose_power(kept),
    }
    let again = house.try_open();
    assert!(again.is_ok(), "{context}: the next start: {again:?}");
    true
}

#[tokio::test]
async fn a_new_file() {
    let disk = Disk::take();
    let mut total = 0;
    for weather in WEATHERS {
        let mut points = 0;
        loop {
            let context = format!("new file: {} at {points}", weather.name);
            let mut house = House::empty(&disk);
            if !one_point(&mut house, weather, points, &context) {
                break;
            }
            house.furnish().await.unwrap();
            acknowledged_is_durable(&mut house, points, &context).await;
            points += 1;
            assert!(points < POINTS_MAX, "{context}: no end");
        }
        println!("new file: {}: {points} points", weather.name);
        total += points;
    }
    println!("new file: {total} points in all");
    assert!(total > 500, "{total}");
}

/// What the last server acknowledged stands in the log, and nowhere else.
#[tokio::test]
async fn a_file_whose_server_was_killed() {
    let disk = Disk::take();
    let mut template = House::furnished(&disk).await;
    template.close();
    let mut total = 0;
    for weather in WEATHERS {
        let mut points = 0;
        loop {
            let context = format!("killed server's file: {} at {points}", weather.name);
            let mut house = House::like(&template).await;
            house.claim().await.unwrap();
            let last_words = vec![marked(success(1, NOW), "last words")];
            house.record(last_words.clone()).await.unwrap();
            let acknowledged = house.dump().await;
            house.lose_power(Kept::Nothing);
            if !one_point(&mut house, weather, points, &context) {
                break;
            }
            assert!(house.dump().await == acknowledged, "{context}: it is lost");
            let again = house.record(last_words).await.unwrap();
            assert_eq!(again, [Recorded::Duplicate], "{context}");
            acknowledged_is_durable(&mut house, points, &context).await;
            points += 1;
            assert!(points < POINTS_MAX, "{context}: no end");
        }
        println!("killed server's file: {}: {points} points", weather.name);
        total += points;
    }
    println!("killed server's file: {total} points in all");
    assert!(total > 50, "{total}");
}
