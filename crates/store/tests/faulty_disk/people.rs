//! What people change, a step of pruning, and backups.

use nightbeat_faulty_disk::{Disk, Fault, Harm, Op, Times};
use nightbeat_store::control::maintenance::Window;
use nightbeat_store::control::{channels, heartbeats, maintenance};
use nightbeat_store::people::{Step, take_step};
use nightbeat_store::sql::Sql;
use nightbeat_store::{PruneCursor, Result, Retention, StoreError, check_sqlite};
use uuid::Uuid;

use crate::house::{ALICE, HOOK, HOUR, House, MINUTE, NOW, START, create, heartbeat_id};
use crate::points::{Again, Method, WEATHERS, acknowledged_is_durable, every_point};

/// Something of everything, in one transaction.
pub(crate) fn tidy_up(sql: &mut dyn Sql) -> Result<()> {
    create(sql, 4)?;
    take_step(sql, ALICE, heartbeat_id(1), &Step::Pause, NOW)?;
    take_step(sql, ALICE, heartbeat_id(3), &Step::Acknowledge, NOW)?;
    heartbeats::delete(sql, ALICE, heartbeat_id(3), None, NOW)?;
    channels::delete(sql, ALICE, HOOK, None)?;
    let window = Window {
        id: Uuid::from_u128(7),
        from: NOW,
        to: NOW + HOUR,
        note: "moving house".to_owned(),
        created_at: NOW,
    };
    maintenance::insert(sql, ALICE, &window)
}

#[tokio::test]
async fn what_people_change() {
    let disk = Disk::take();
    let mut template = House::furnished(&disk).await;
    template.close();
    let method = Method {
        name: "people",
        claimed: false,
        again: Again::Twice,
        points_min: 200,
    };
    every_point(&template, &method, async |house| {
        house.store().write(tidy_up).await
    })
    .await;
}

#[tokio::test]
async fn a_step_of_pruning() {
    let disk = Disk::take();
    let mut template = House::furnished(&disk).await;
    template.close();
    let method = Method {
        name: "prune",
        claimed: false,
        again: Again::Nothing,
        points_min: 100,
    };
    let few = Retention {
        signals_max: 2,
        runs_max: 2,
        ..Retention::default()
    };
    every_point(&template, &method, async |house| {
        let at = START + 24 * HOUR;
        let step = house.store().prune_step(&few, at, PruneCursor::default());
        step.await.map(drop)
    })
    .await;
}

/// Whatever happens to a backup, the database is as it was, and a file of that name is a whole backup.
#[tokio::test]
async fn backup() {
    let disk = Disk::take();
    let mut template = House::furnished(&disk).await;
    template.close();
    let mut points = 0;
    for weather in WEATHERS {
        let began = points;
        // A backup writes each page: every third is enough.
        for at in (0..).step_by(3) {
            let context = format!("backup: {} at {at}", weather.name);
            let mut house = House::like(&template).await;
            let before = house.dump().await;
            let to = house.folder().join("copy.db");
            disk.arm(weather.fault(at));
            let answer = house.store().backup(&to, false).await;
            let counted = disk.disarm();
            assert_eq!(answer.is_ok(), to.exists(), "{context}: {answer:?}");
            if answer.is_ok() {
                assert!(check_sqlite(&to).unwrap().is_ok(), "{context}");
            }
            assert!(
                !house.folder().join("copy.db.partial").exists(),
                "{context}"
            );
            if counted.hits == 0 {
                answer.unwrap();
                break;
            }
            points += 1;
            assert!(
                matches!(answer, Ok(_) | Err(StoreError::Unavailable(_))),
                "{context}: the database itself is well: {answer:?}"
            );
            assert!(house.dump().await == before, "{context}");
            acknowledged_is_durable(&mut house, at, &context).await;
        }
        println!("backup: {}: {} points", weather.name, points - began);
    }
    println!("backup: {points} points in all");
    assert!(points > 100, "{points}");
}

/// The disk is full, and people make room: signals are taken again without a restart.
#[tokio::test]
async fn a_full_disk_refuses_until_there_is_room() {
    let disk = Disk::take();
    let mut house = House::furnished(&disk).await;
    disk.arm(Fault {
        ops: &[Op::Write],
        on: "",
        at: 0,
        times: Times::ForEver,
        harm: Harm::Full,
    });
    for minute in 0..3 {
        let signal = crate::house::success(1, NOW + minute * MINUTE);
        let refused = house.record(vec![signal]).await.unwrap_err();
        let text = refused.to_string();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{text}");
        assert!(text.contains("full"), "{text}");
    }
    disk.disarm();
    acknowledged_is_durable(&mut house, 0, "there is room").await;
}
