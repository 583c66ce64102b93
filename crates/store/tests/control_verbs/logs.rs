use nightbeat_domain::{HeartbeatId, IgnoredBecause, Outcome, RunId, SignalKind};
use nightbeat_store::control::runs::Run;
use nightbeat_store::control::signals::{PAGE_BODY_BYTES_MAX, Signal};
use nightbeat_store::control::{runs, signals};
use uuid::Uuid;

use crate::world::{
    ALICE, Engine, MALLORY, World, at, first_page, heartbeat_id, named, next_page, on_each_engine,
};

on_each_engine!(
    a_signal_comes_with_all_that_was_recorded,
    a_page_of_large_bodies_is_shorter,
    without_bodies_no_page_is_shorter_and_one_signal_comes_with_its_body,
    a_heartbeat_without_signals_has_empty_lists,
    signals_are_listed_newest_first_a_page_at_a_time,
    a_list_ends_where_the_log_was_pruned,
    logs_are_for_the_heartbeats_own_project,
    runs_are_listed_newest_first_a_page_at_a_time,
);

/// Two heartbeats whose signals and runs take turns in the logs.
fn interleaved(engine: Engine) -> (World, HeartbeatId, HeartbeatId) {
    let world = World::new(engine);
    let odd = world.heartbeat(1, &named("odd"));
    let even = world.heartbeat(2, &named("even"));
    for id in 1..=10 {
        let heartbeat = if id % 2 == 1 { odd } else { even };
        world.signal(heartbeat, id, None);
        world.run(heartbeat, id);
    }
    (world, odd, even)
}

fn signals_are_listed_newest_first_a_page_at_a_time(engine: Engine) {
    let (world, odd, _) = interleaved(engine);
    let list = |request| {
        signals::list(&mut world.sql(), ALICE, odd, &request)
            .unwrap()
            .unwrap()
    };
    let ids = |items: &[Signal]| items.iter().map(|signal| signal.id).collect::<Vec<_>>();
    let page = list(first_page(2));
    assert_eq!(ids(&page.items), [9, 7]);
    let page = list(next_page(2, page.next));
    assert_eq!(ids(&page.items), [5, 3]);
    let page = list(next_page(2, page.next));
    assert_eq!(ids(&page.items), [1]);
    assert_eq!(page.next, None);
    let all = list(first_page(5));
    assert_eq!((ids(&all.items), all.next), (vec![9, 7, 5, 3, 1], None));
}

fn a_list_ends_where_the_log_was_pruned(engine: Engine) {
    let (world, odd, _) = interleaved(engine);
    world.raw("DELETE FROM signal WHERE id <= 5", &[]);
    let list = |request| {
        signals::list(&mut world.sql(), ALICE, odd, &request)
            .unwrap()
            .unwrap()
    };
    for limit in [1, 2, 3] {
        let mut seen = Vec::new();
        let mut request = first_page(limit);
        loop {
            let page = list(request);
            assert!(!page.items.is_empty(), "an empty page was promised");
            seen.extend(page.items.iter().map(|signal| signal.id));
            if page.next.is_none() {
                break;
            }
            request = next_page(limit, page.next);
        }
        assert_eq!(seen, [9, 7]);
    }
}

fn logs_are_for_the_heartbeats_own_project(engine: Engine) {
    let (world, odd, even) = interleaved(engine);
    let mut sql = world.sql();
    let nobody = heartbeat_id(9);
    for (project, heartbeat) in [(MALLORY, odd), (ALICE, nobody)] {
        let page = first_page(9);
        assert_eq!(
            signals::list(&mut sql, project, heartbeat, &page).unwrap(),
            None
        );
        assert_eq!(
            runs::list(&mut sql, project, heartbeat, &page).unwrap(),
            None
        );
    }
    // A cursor into another heartbeat's log leads nowhere.
    let other = signals::list(&mut sql, ALICE, even, &first_page(1))
        .unwrap()
        .unwrap();
    let page = signals::list(&mut sql, ALICE, odd, &next_page(9, other.next))
        .unwrap()
        .unwrap();
    assert_eq!((page.items, page.next), (Vec::new(), None));
}

fn a_signal_comes_with_all_that_was_recorded(engine: Engine) {
    let world = World::new(engine);
    let heartbeat = world.heartbeat(1, &named("backup"));
    world.signal(heartbeat, 1, None);
    world.signal(heartbeat, 2, Some(b"done \xff"));
    let rid = RunId(Uuid::from_u128(5));
    world.raw(
        "UPDATE signal SET kind = 2, happened_at = 1500000, rid = $1, exit_code = 255, ignored = 3,
                           metrics = '{\"rows\":12.5}', body_bytes = 9000
         WHERE id = 2",
        &[rid.into()],
    );
    let page = signals::list(&mut world.sql(), ALICE, heartbeat, &first_page(9))
        .unwrap()
        .unwrap();
    let plain = Signal {
        id: 1,
        kind: SignalKind::Success,
        received_at: at(1),
        happened_at: at(1),
        rid: None,
        exit_code: None,
        ignored: None,
        method: "GET".to_owned(),
        source: "192.0.2.7".to_owned(),
        user_agent: "curl/8".to_owned(),
        metrics: [].into(),
        body: None,
        body_bytes: None,
    };
    let rich = Signal {
        id: 2,
        kind: SignalKind::Fail,
        received_at: at(2),
        happened_at: nightbeat_domain::UnixMicros(1_500_000),
        rid: Some(rid),
        exit_code: Some(255),
        ignored: Some(IgnoredBecause::OutOfOrder),
        metrics: [("rows".to_owned(), 12.5)].into(),
        body: Some(b"done \xff".to_vec()),
        body_bytes: Some(9000),
        ..plain.clone()
    };
    assert_eq!(page.items, [rich, plain]);
}

fn a_page_of_large_bodies_is_shorter(engine: Engine) {
    let world = World::new(engine);
    let heartbeat = world.heartbeat(1, &named("backup"));
    let body = vec![b'x'; PAGE_BODY_BYTES_MAX as usize / 4];
    for id in 1..=6 {
        world.signal(heartbeat, id, Some(&body));
    }
    let list = |request| {
        signals::list(&mut world.sql(), ALICE, heartbeat, &request)
            .unwrap()
            .unwrap()
    };
    let page = list(first_page(100));
    assert_eq!(page.items.len(), 4);
    let page = list(next_page(100, page.next));
    let ids: Vec<_> = page.items.iter().map(|signal| signal.id).collect();
    assert_eq!((ids, page.next), (vec![2, 1], None));
}

fn without_bodies_no_page_is_shorter_and_one_signal_comes_with_its_body(engine: Engine) {
    let (world, odd, even) = interleaved(engine);
    let body = vec![b'x'; PAGE_BODY_BYTES_MAX as usize / 2];
    for id in 11..=14 {
        world.signal(odd, id, Some(&body));
    }
    let page = signals::list_without_bodies(&mut world.sql(), ALICE, odd, &first_page(100));
    let page = page.unwrap().unwrap();
    let ids: Vec<_> = page.items.iter().map(|signal| signal.id).collect();
    assert_eq!(
        (ids, page.next),
        (vec![14, 13, 12, 11, 9, 7, 5, 3, 1], None)
    );
    assert_eq!(page.items[0].body, None);
    assert!(page.items[0].body_bytes.is_some() && page.items[4].body_bytes.is_none());

    let get = |project, heartbeat, id| {
        let found = signals::get(&mut world.sql(), project, heartbeat, id).unwrap();
        found.map(|signal| (signal.id, signal.body))
    };
    assert_eq!(get(ALICE, odd, 14), Some((14, Some(body))));
    assert_eq!(get(ALICE, odd, 9), Some((9, None)));
    assert_eq!(get(ALICE, even, 9), None, "another heartbeat's");
    assert_eq!(get(MALLORY, odd, 9), None, "another project's");
    assert_eq!(get(ALICE, odd, 99), None);
}

fn runs_are_listed_newest_first_a_page_at_a_time(engine: Engine) {
    let (world, _, even) = interleaved(engine);
    let list = |request| {
        runs::list(&mut world.sql(), ALICE, even, &request)
            .unwrap()
            .unwrap()
    };
    let page = list(first_page(3));
    let run = |id| Run {
        id,
        rid: None,
        started_at: Some(at(id)),
        ended_at: at(id + 1),
        outcome: Outcome::Failed,
        exit_code: Some(3),
        work: None,
    };
    assert_eq!(page.items, [run(10), run(8), run(6)]);
    let page = list(next_page(3, page.next));
    assert_eq!((page.items, page.next), (vec![run(4), run(2)], None));
}

fn a_heartbeat_without_signals_has_empty_lists(engine: Engine) {
    let world = World::new(engine);
    let heartbeat = world.heartbeat(1, &named("backup"));
    let page = signals::list(&mut world.sql(), ALICE, heartbeat, &first_page(9))
        .unwrap()
        .unwrap();
    assert_eq!((page.items, page.next), (Vec::new(), None));
    let page = runs::list(&mut world.sql(), ALICE, heartbeat, &first_page(9))
        .unwrap()
        .unwrap();
    assert_eq!((page.items, page.next), (Vec::new(), None));
}
