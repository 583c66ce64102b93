//! Two nodes record and judge beside each other, and people change what they work on.

use nightbeat_domain::{Phase, Schedule, SignalKind};
use nightbeat_store::Recorded::{Counted, Created};
use nightbeat_store::Watched;
use nightbeat_store::people::{Step, take_step};

use crate::cast::{ALICE, House, MICRO, Node, SECOND, creating, hourly, signal, success};

#[tokio::test]
async fn a_judgement_goes_no_further_than_the_slowest_node() {
    let house = House::new();
    let one = house.node(1).await;
    let two = house.node(2).await;
    let deadline = two.clock() + SECOND;
    let id = one.due_at(1, deadline).await;
    let early = one.elapse(&[id], deadline + SECOND).await;
    let wake_at = Some(deadline);
    let heartbeat = id;
    assert_eq!(early.deliveries, 0, "the other may hold a signal");
    assert_eq!(early.watched, [Watched { heartbeat, wake_at }]);
    // It does, and stores it: nothing was ever late.
    two.record(vec![success(id, deadline - SECOND)]).await;
    two.come_to(deadline + SECOND).await;
    let judged = one.elapse(&[id], deadline + SECOND).await;
    assert_eq!(judged.deliveries, 0);
    assert_eq!(house.count("incident"), 0);
    let other = one.due_at(2, deadline).await;
    let judged = one.elapse(&[other], deadline + SECOND).await;
    assert_eq!(judged.deliveries, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_both_judge_at_once_is_told_once() {
    let house = House::new();
    let (one, two) = (house.node(1).await, house.node(2).await);
    let deadline = two.clock() + SECOND;
    let mut ids = Vec::new();
    for number in 0..24 {
        ids.push(one.due_at(number, deadline).await);
    }
    let asof = deadline + SECOND;
    one.come_to(asof).await;
    two.come_to(asof).await;
    let mut deliveries = 0;
    for some in ids.chunks(4) {
        let (first, second) = tokio::join!(one.elapse(some, asof), two.elapse(some, asof));
        deliveries += first.deliveries + second.deliveries;
        assert_eq!((first.watched.len(), second.watched.len()), (4, 4));
    }
    assert_eq!(deliveries, 48);
    assert_eq!(house.count("delivery"), 48);
    assert_eq!(house.count("incident"), 24);
    for id in ids {
        assert_eq!(one.state(id).await.phase, Phase::Down);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_that_another_works_on_is_looked_at_a_second_later() {
    let house = House::new();
    let node = house.node(1).await;
    let deadline = node.clock() + SECOND;
    let (held, free) = (
        node.due_at(1, deadline).await,
        node.due_at(2, deadline).await,
    );
    let asof = deadline + SECOND;
    let lock = format!(
        "UPDATE heartbeat_state SET version = version WHERE id = '\\x{}'",
        held.0.simple()
    );
    let other = house.hold(&lock).await;
    let judged = node.elapse(&[held, free], asof).await;
    assert_eq!(judged.deliveries, 2, "of the one that is free");
    let again = Watched {
        heartbeat: held,
        wake_at: Some(asof + SECOND),
    };
    assert!(judged.watched.contains(&again), "{:?}", judged.watched);
    other.release().await;
    assert_eq!(node.elapse(&[held], asof).await.deliveries, 2);
}

/// A person's change is under way, and a signal comes; then the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn neither_a_persons_change_nor_a_signal_is_lost() {
    let house = House::new();
    let node = house.node(1).await;
    let id = node.heartbeat(1, &hourly()).await;
    let now = node.clock();

    // The person first: what is held here is what a pause writes.
    let key = id.0.simple();
    let other = house
        .hold(&format!(
            "UPDATE heartbeat_state SET armed_at = armed_at + 1 WHERE id = '\\x{key}'"
        ))
        .await;
    let armed_at = node.state(id).await.armed_at;
    let signal_comes = node.record(vec![signal(id, SignalKind::Log, now)]);
    let released = async {
        house.until_blocked(1).await;
        other.release().await;
    };
    tokio::join!(signal_comes, released);
    let state = node.state(id).await;
    assert_eq!((state.signals, state.armed_at.0), (1, armed_at.0 + 1));

    // The signal first: its transaction waits for the project, and has the heartbeat.
    let project = house.hold("UPDATE project SET name = name").await;
    let signals = node.record(vec![success(id, now), creating(2, "new", now)]);
    let daily = nightbeat_domain::Settings {
        schedule: Schedule::every_seconds(86_400).unwrap(),
        ..hourly()
    };
    let step = Step::Edit(daily.clone());
    let edit = async {
        house.until_blocked(1).await;
        let edit = node
            .store
            .write(move |sql| take_step(sql, ALICE, id, &step, now));
        let released = async {
            house.until_blocked(2).await;
            project.release().await;
        };
        let (edited, ()) = tokio::join!(edit, released);
        assert!(edited.unwrap().unwrap().effective);
    };
    let (recorded, ()) = tokio::join!(signals, edit);
    assert_eq!(recorded.recorded, [Counted, Created]);
    let state = node.state(id).await;
    assert_eq!((state.signals, state.last_success_at), (2, Some(now)));
    let due = now + 24 * 3_600 * SECOND;
    assert_eq!(state.expected_at, Some(due), "by the new settings");
}

/// Two heartbeats with one slug would get no signal any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_that_two_first_signals_create_is_created_once() {
    let house = House::new();
    let (one, two) = (house.node(1).await, house.node(2).await);
    let now = two.clock();
    let project = house.hold("UPDATE project SET name = name").await;
    let released = async {
        house.until_blocked(2).await;
        project.release().await;
    };
    let (first, second, ()) = tokio::join!(
        one.record(vec![creating(1, "same", now)]),
        two.record(vec![creating(2, "same", now)]),
        released,
    );
    let mut recorded = [first.recorded, second.recorded].concat();
    recorded.sort_by_key(|it| *it == Created);
    assert_eq!(recorded, [Counted, Created]);
    assert_eq!(house.count("heartbeat"), 1);
    assert_eq!(house.count("signal"), 2);
}

/// In batches that name the same heartbeats in opposite orders, by their slugs.
#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_record_the_same_heartbeats_lose_nothing_and_do_not_block_each_other() {
    const ROUNDS: u32 = 20;
    const HEARTBEATS: u32 = 8;
    let house = House::new();
    let (one, two) = (house.node(1).await, house.node(2).await);
    for number in 0..HEARTBEATS {
        one.heartbeat(number, &hourly()).await;
    }
    let work = async |node: &Node, reversed: bool| {
        for round in 0..ROUNDS {
            let at = node.clock() + MICRO * round;
            let mut batch = Vec::new();
            for number in 0..HEARTBEATS {
                let slug = creating(number, &format!("job-{number}"), at);
                batch.extend([slug.clone(), slug]);
            }
            if reversed {
                batch.reverse();
            }
            let done = node.record(batch).await;
            assert_eq!(done.recorded, [Counted; 2 * HEARTBEATS as usize]);
        }
    };
    tokio::join!(work(&one, false), work(&two, true));
    let dumped = one.store.read(nightbeat_store::dump::dump).await.unwrap();
    for heartbeat in dumped.heartbeats {
        let signals = u64::from(2 * 2 * ROUNDS);
        assert_eq!(heartbeat.state.signals, signals);
        assert_eq!(
            heartbeat.signals.len() as u64,
            signals,
            "the chain is whole"
        );
    }
    // The server counts them when a connection ends, or a second later at most.
    drop((one, two));
    let deadlocks = "SELECT pg_stat_clear_snapshot(), deadlocks
                       FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(house.rows(deadlocks)[0][1], "0");
}
