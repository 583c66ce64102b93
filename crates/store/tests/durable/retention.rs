//! What is kept of signals and runs, and for how long.

use std::time::Duration;

use nightbeat_domain::{HeartbeatId, SignalKind, UnixMicros};
use nightbeat_store::control::{PageRequest, heartbeats, runs, signals};
use nightbeat_store::sql::Sql;
use nightbeat_store::{PruneCursor, Retention};

use crate::cast::{ALICE, DAY, HOUR, House, MINUTE, START, hourly, signal, success};

/// Small numbers, so that a test can count them.
pub(crate) fn few() -> Retention {
    Retention {
        signals_max: 10,
        runs_max: 10,
        ..Retention::default()
    }
}

impl House {
    /// A whole sweep; how many rows were deleted. Each step is small.
    pub(crate) async fn sweep(&self, retention: &Retention, now: UnixMicros) -> u64 {
        let mut cursor = PruneCursor::default();
        let mut deleted = 0;
        for _ in 0..1_000 {
            let step = self.store.prune_step(retention, now, cursor).await.unwrap();
            assert!(step.deleted <= 500, "{step:?}");
            deleted += step.deleted;
            if step.done {
                assert_eq!(step.cursor, PruneCursor::default());
                return deleted;
            }
            cursor = step.cursor;
        }
        panic!("a sweep has an end");
    }

    /// The signals that people can still see, newest first, by number; read in small pages.
    async fn signals(&self, id: HeartbeatId) -> Vec<i64> {
        let mut seen = Vec::new();
        let mut page = PageRequest::new(7, None);
        loop {
            let read = self
                .store
                .read(move |sql| signals::list(sql, ALICE, id, &page));
            let found = read.await.unwrap().unwrap();
            seen.extend(found.items.iter().map(|signal| signal.id));
            match found.next {
                Some(next) => page = PageRequest::new(7, Some(next)),
                None => return seen,
            }
        }
    }

    async fn runs(&self, id: HeartbeatId) -> Vec<i64> {
        let page = PageRequest::new(100, None);
        let read = self
            .store
            .read(move |sql| runs::list(sql, ALICE, id, &page));
        let found = read.await.unwrap().unwrap();
        found.items.iter().map(|run| run.id).collect()
    }

    /// Writes a chain of `count` rows, one each `apart`, much faster than by signals.
    async fn chain(&self, table: &'static str, id: HeartbeatId, count: i64, apart: Duration) {
        let write = move |sql: &mut dyn Sql| {
            for number in 1..=count {
                let at = UnixMicros(START.0 + number * apart.as_micros() as i64);
                let columns = match table {
                    "signal" => "kind, received_at, method, source, user_agent",
                    _ => "outcome, ended_at",
                };
                let values = match table {
                    "signal" => "0, $4, 'GET', '', ''",
                    _ => "0, $4",
                };
                let insert = format!(
                    "INSERT INTO {table} (id, previous, heartbeat, {columns}) VALUES ($1, $2, $3, {values})"
                );
                let previous = (number > 1).then_some(number - 1);
                sql.execute(
                    &insert,
                    &[number.into(), previous.into(), id.into(), at.into()],
                )?;
            }
            let head = format!(
                "UPDATE heartbeat_state SET newest_{table} = $2, signals = $2 WHERE id = $1"
            );
            sql.execute(&head, &[id.into(), count.into()])
        };
        self.store.write(write).await.unwrap();
    }
}

/// One success each `apart` from [`START`] on.
async fn signalled(house: &House, id: HeartbeatId, count: u32, apart: Duration) {
    let arrivals = (0..count).map(|number| success(id, START + number * apart));
    house.record(arrivals.collect()).await;
}

#[tokio::test]
async fn of_each_heartbeats_signals_the_newest_stay() {
    let house = House::new().await;
    let (busy, quiet) = (
        house.heartbeat(1, &hourly()).await,
        house.heartbeat(2, &hourly()).await,
    );
    for number in 0..25 {
        let at = START + number * MINUTE;
        house.record(vec![success(busy, at)]).await;
        if number % 5 == 0 {
            house.record(vec![success(quiet, at)]).await;
        }
    }
    let before = (house.signals(busy).await, house.signals(quiet).await);
    let now = START + DAY;
    // Ten signals stay; the runs do too, but for their number.
    assert_eq!(house.sweep(&few(), now).await, 30);
    assert_eq!(house.signals(busy).await, before.0[..10]);
    assert_eq!(house.signals(quiet).await, before.1);
    assert_eq!(house.count("signal"), 15);
    assert_eq!(house.sweep(&few(), now).await, 0);
    assert!(house.store.check().await.unwrap().is_ok());

    let next = house.record(vec![success(busy, now)]).await;
    assert_eq!(next.recorded.len(), 1);
    assert_eq!(house.signals(busy).await.len(), 11);
}

#[tokio::test]
async fn what_is_younger_than_an_hour_stays_whatever_its_number() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    signalled(&house, id, 25, MINUTE).await;
    // Those of the minutes 0 to 5 are an hour old.
    house.sweep(&few(), START + 65 * MINUTE).await;
    assert_eq!(house.count("signal"), 19);
    house.sweep(&few(), START + 2 * DAY).await;
    assert_eq!(house.count("signal"), 10);
}

#[tokio::test]
async fn what_came_around_an_incident_stays_for_ninety_days() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    // Every half hour; the one at 10:00 fails, the one at 10:30 succeeds.
    let kind = |number| {
        if number == 20 {
            SignalKind::Fail
        } else {
            SignalKind::Success
        }
    };
    let arrivals = (0..60).map(|number| signal(id, kind(number), START + number * 30 * MINUTE));
    house.record(arrivals.collect()).await;
    let all = house.signals(id).await;
    let numbered = |numbers: std::ops::RangeInclusive<usize>| -> Vec<i64> {
        numbers.rev().map(|number| all[59 - number]).collect()
    };
    let newest = numbered(50..=59);
    // From 9:00, an hour before it opened, to 11:30, an hour after it closed.
    let around = numbered(18..=23);

    let keep_runs = Retention {
        runs_max: 1_000,
        ..few()
    };
    assert_eq!(house.sweep(&keep_runs, START + 3 * DAY).await, 44);
    assert_eq!(
        house.signals(id).await,
        [newest.clone(), around.clone()].concat()
    );
    house.sweep(&keep_runs, START + 90 * DAY).await;
    assert_eq!(house.signals(id).await, [newest.clone(), around].concat());
    house.sweep(&keep_runs, START + 98 * DAY).await;
    assert_eq!(house.signals(id).await, newest);
    assert!(house.store.check().await.unwrap().is_ok());
}

#[tokio::test]
async fn while_an_incident_is_open_all_that_comes_stays() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    house
        .record(vec![signal(id, SignalKind::Fail, START)])
        .await;
    let arrivals = (1..40).map(|number| signal(id, SignalKind::Fail, START + number * HOUR));
    house.record(arrivals.collect()).await;
    house.sweep(&few(), START + 30 * DAY).await;
    assert_eq!(house.count("signal"), 40);
}

#[tokio::test]
async fn a_long_chain_is_cut_in_small_steps_and_can_be_read_after_each() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    house.chain("signal", id, 5_000, MINUTE).await;
    let retention = Retention {
        signals_max: 2_500,
        ..Retention::default()
    };
    let now = START + 30 * DAY;
    let (mut cursor, mut deleted) = (PruneCursor::default(), 0);
    loop {
        let step = house
            .store
            .prune_step(&retention, now, cursor)
            .await
            .unwrap();
        deleted += step.deleted as i64;
        assert!(step.deleted <= 500, "{step:?}");
        assert_eq!(house.count("signal"), 5_000 - deleted);
        // Nothing that is left is out of reach.
        let reached: i64 = house.one(
            "WITH RECURSIVE chain (id) AS (
                 SELECT newest_signal FROM heartbeat_state
                 UNION ALL
                 SELECT s.previous FROM chain JOIN signal s ON s.id = chain.id
                  WHERE s.previous IN (SELECT id FROM signal)
             ) SELECT count(*) FROM chain",
        );
        assert_eq!(reached, 5_000 - deleted);
        if step.done {
            break;
        }
        cursor = step.cursor;
    }
    assert_eq!(deleted, 2_500);
    assert_eq!(house.one::<i64>("SELECT min(id) FROM signal"), 2_501);
}

#[tokio::test]
async fn large_bodies_are_deleted_a_few_at_a_time() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    for number in 0..40 {
        let mut large = signal(id, SignalKind::Log, START + number * MINUTE);
        large.body = Some(vec![b'x'; 400 * 1024]);
        house.record(vec![large]).await;
    }
    let (mut cursor, mut steps) = (PruneCursor::default(), Vec::new());
    loop {
        let step = house
            .store
            .prune_step(&few(), START + DAY, cursor)
            .await
            .unwrap();
        steps.push(step.deleted);
        if step.done {
            break;
        }
        cursor = step.cursor;
    }
    assert_eq!(steps.iter().sum::<u64>(), 30);
    assert_eq!(steps.iter().max(), Some(&3), "{steps:?}");
}

#[tokio::test]
async fn a_chain_is_looked_through_again_after_a_hundred_signals_or_a_day() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    signalled(&house, id, 25, MINUTE).await;
    house.sweep(&few(), START + DAY).await;
    assert_eq!(house.count("signal"), 10);

    signalled(&house, id, 99, MINUTE).await;
    house.sweep(&few(), START + DAY + HOUR).await;
    assert_eq!(house.count("signal"), 109);
    signalled(&house, id, 1, MINUTE).await;
    house.sweep(&few(), START + DAY + HOUR).await;
    assert_eq!(house.count("signal"), 10);

    signalled(&house, id, 5, MINUTE).await;
    house.sweep(&few(), START + DAY + 2 * HOUR).await;
    assert_eq!(house.count("signal"), 15);
    house.sweep(&few(), START + 9 * DAY).await;
    assert_eq!(house.count("signal"), 10);
}

/// The days of a heartbeat: day, ok, warning, failed, timed, total and longest duration in minutes.
fn days(house: &House) -> Vec<[i64; 7]> {
    let aside = house.aside();
    let mut statement = aside
        .prepare(
            "SELECT day, ok, warning, failed, timed, duration_total, duration_longest
               FROM run_day ORDER BY day",
        )
        .unwrap();
    let minutes = |micros: i64| micros / 60_000_000;
    let rows = statement.query_map([], |row| {
        Ok([
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            minutes(row.get(5)?),
            minutes(row.get(6)?),
        ])
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Three runs on the first day (ok in 10 minutes, failed in 20, ok without a start), one on the second,
/// one 400 days later.
async fn five_runs(house: &House) -> HeartbeatId {
    let id = house.heartbeat(1, &hourly()).await;
    let later = START + DAY;
    house
        .record(vec![
            signal(id, SignalKind::Start, START),
            success(id, START + 10 * MINUTE),
            signal(id, SignalKind::Start, START + HOUR),
            signal(id, SignalKind::Fail, START + HOUR + 20 * MINUTE),
            success(id, START + 2 * HOUR),
            signal(id, SignalKind::Start, later),
            success(id, later + 30 * MINUTE),
            success(id, START + 400 * DAY),
        ])
        .await;
    id
}

const FIRST_DAY: i64 = START.0 / 86_400_000_000;

#[tokio::test]
async fn runs_older_than_a_year_become_sums_of_their_days() {
    let house = House::new().await;
    let id = five_runs(&house).await;
    let all = house.runs(id).await;
    let retention = Retention::default();
    house.sweep(&retention, START + 365 * DAY + HOUR).await;
    assert_eq!(
        house.runs(id).await,
        all[..4],
        "the first is over a year old"
    );
    assert_eq!(days(&house), [[FIRST_DAY, 1, 0, 0, 1, 10, 10]]);
    house.sweep(&retention, START + 380 * DAY).await;
    assert_eq!(house.runs(id).await, all[..1]);
    let sums = [
        [FIRST_DAY, 2, 0, 1, 2, 30, 20],
        [FIRST_DAY + 1, 1, 0, 0, 1, 30, 30],
    ];
    assert_eq!(days(&house), sums);
    // The newest stays, however old it is.
    house.sweep(&retention, START + 900 * DAY).await;
    assert_eq!(house.runs(id).await, all[..1]);
    assert_eq!(days(&house), sums);
    // Five years later the days go too, each in its turn.
    house.sweep(&retention, START + 5 * 365 * DAY + DAY).await;
    assert_eq!(days(&house), sums[1..]);
    house
        .sweep(&retention, START + 5 * 365 * DAY + 10 * DAY)
        .await;
    assert!(days(&house).is_empty());
}

#[tokio::test]
async fn of_many_runs_the_newest_stay_and_none_is_counted_twice() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    house.chain("run", id, 3_000, 10 * MINUTE).await;
    let retention = Retention {
        runs_max: 700,
        ..Retention::default()
    };
    let now = START + 30 * DAY;
    let mut cursor = PruneCursor::default();
    loop {
        // Each step twice: the second time as after a crash that lost the answer of the first.
        let again = cursor.clone();
        let step = house
            .store
            .prune_step(&retention, now, cursor)
            .await
            .unwrap();
        house
            .store
            .prune_step(&retention, now, again)
            .await
            .unwrap();
        let kept = house.count("run");
        let summed: i64 = house.one("SELECT coalesce(sum(ok), 0) FROM run_day");
        assert_eq!(kept + summed, 3_000);
        if step.done {
            break;
        }
        cursor = step.cursor;
    }
    assert_eq!(house.count("run"), 700);
    assert_eq!(house.one::<i64>("SELECT min(id) FROM run"), 2_301);
    assert_eq!(house.runs(id).await.len(), 100);
}

#[tokio::test]
async fn runs_and_their_sums_change_together_or_not_at_all() {
    let house = House::new().await;
    let id = five_runs(&house).await;
    house
        .raw("CREATE TRIGGER broken BEFORE INSERT ON run_day BEGIN SELECT raise(ABORT, 'no'); END");
    let now = START + 380 * DAY;
    let retention = Retention::default();
    let step = house
        .store
        .prune_step(&retention, now, PruneCursor::default());
    assert!(step.await.is_err());
    assert_eq!(house.runs(id).await.len(), 5);
    house.raw("DROP TRIGGER broken");
    house.sweep(&retention, now).await;
    assert_eq!(house.runs(id).await.len(), 1);
    assert_eq!(house.one::<i64>("SELECT sum(ok + failed) FROM run_day"), 4);
}

#[tokio::test]
async fn a_broken_heartbeat_keeps_the_sweep_from_nobody_else() {
    let house = House::new().await;
    let (first, second) = (
        house.heartbeat(1, &hourly()).await,
        house.heartbeat(2, &hourly()).await,
    );
    signalled(&house, first, 25, MINUTE).await;
    signalled(&house, second, 25, MINUTE).await;
    house.raw(
        "UPDATE heartbeat_state SET phase = 77 WHERE id = (SELECT min(id) FROM heartbeat_state)",
    );
    house.sweep(&few(), START + DAY).await;
    assert_eq!(house.count("signal"), 35);
}

#[tokio::test]
async fn a_heartbeat_that_is_removed_in_the_middle_of_a_sweep_leaves_nothing() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    house.chain("signal", id, 3_000, MINUTE).await;
    let now = START + 30 * DAY;
    let few = few();
    let step = house.store.prune_step(&few, now, PruneCursor::default());
    let step = step.await.unwrap();
    assert!(!step.done && step.deleted > 0, "{step:?}");
    let remove = house
        .store
        .write(move |sql| heartbeats::delete(sql, ALICE, id, None, now));
    assert!(remove.await.unwrap());
    let mut cursor = step.cursor;
    loop {
        let step = house.store.prune_step(&few, now, cursor).await.unwrap();
        if step.done {
            break;
        }
        cursor = step.cursor;
    }
    for table in ["signal", "pruned", "removed_heartbeat"] {
        assert_eq!(house.count(table), 0, "{table}");
    }
}
