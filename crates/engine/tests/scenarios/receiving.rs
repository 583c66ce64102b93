//! Signals, deadlines and gaps: what the store is given, in which order, with what.

use nightbeat_domain::GapKind;
use nightbeat_engine::{ALIVE_EVERY, Command, Event, Failed, RECORDED_AT_ONCE, TICK_EVERY_MIN};

use crate::cast::{MICROSECOND, Node, at, batch, beat, gap, judgement, seconds};

#[test]
fn the_gap_of_a_start_reaches_the_store_before_any_decision_and_until_it_is_durable() {
    let mut node = Node::new(at(1_000));
    let away = gap(400, 1_000, GapKind::Stopped);
    node.tell(at(1_000), Event::Gap(away));
    node.tell(at(1_000), Event::Filed(vec![(beat(1), at(700))]));
    let first = node.turn(at(1_000));
    let (judged, _, gaps) = judgement(&first);
    assert_eq!((judged.clone(), gaps), (vec![beat(1)], vec![away]));
    // It comes to nothing: the next one carries the gap again.
    node.elapsed(at(1_001), judged, Err(Failed));
    for command in &first {
        if let Command::Record { batch, gaps, .. } = command {
            assert_eq!(*gaps, [away]);
            node.recorded(at(1_001), *batch, false);
        }
    }
    let (judged, _, gaps) = judgement(&node.turn(at(1_003)));
    assert_eq!(judged, [beat(1)]);
    assert!(gaps.contains(&away), "{gaps:?}");
    assert!(
        gaps.iter().any(|gap| gap.kind == GapKind::Storage),
        "{gaps:?}"
    );
}

#[test]
fn every_signal_received_before_a_deadline_is_given_to_the_store_before_its_judgement() {
    let mut node = Node::new(at(0));
    node.tell(at(0), Event::Filed(vec![(beat(1), at(10))]));
    for second in 0..10 {
        node.turn(at(second));
    }
    for arrival in 0..5_000 {
        node.signal(at(10), arrival);
    }
    let commands = node.turn(at(10) + MICROSECOND);
    let mut received = 0;
    for command in &commands {
        match command {
            Command::Record { arrivals, .. } => {
                assert!(arrivals.len() <= RECORDED_AT_ONCE);
                received += arrivals.len();
            }
            Command::Elapse { asof, .. } => {
                assert_eq!((received, *asof), (5_000, at(10)));
                return;
            }
            _ => {}
        }
    }
    panic!("no judgement in {commands:?}");
}

#[test]
fn only_the_last_part_of_a_large_batch_says_that_all_up_to_the_watermark_is_in() {
    let mut node = Node::new(at(0));
    node.turn(at(0));
    for arrival in 0..4_001 {
        node.signal(at(1), arrival);
    }
    node.recorded(at(1), 1, true);
    let marks: Vec<_> = node
        .turn(at(2))
        .into_iter()
        .filter_map(|command| match command {
            Command::Record { watermark, .. } => Some(watermark),
            _ => None,
        })
        .collect();
    let before = at(0) - MICROSECOND;
    assert_eq!(marks, [before, before, at(2) - MICROSECOND]);
}

#[test]
fn a_slow_batch_that_fails_is_a_gap_from_its_first_signal_on() {
    let mut node = Node::new(at(0));
    let (first, ..) = batch(&node.turn(at(0)));
    // The disk takes ten seconds; meanwhile signals come and wait.
    for second in 1..10 {
        node.signal(at(second), 7);
        node.turn(at(second));
    }
    node.recorded(at(10), first, true);
    let (second, arrivals, _) = batch(&node.turn(at(10)));
    assert_eq!(arrivals.len(), 9);
    node.recorded(at(11), second, false);
    assert!(!node.engine.health(at(11)).storing);
    let (third, _, gaps) = batch(&node.turn(at(11)));
    assert_eq!(gaps.len(), 1);
    assert!(gaps[0].from <= at(1), "{gaps:?}");
    assert_eq!((gaps[0].to, gaps[0].kind), (at(11), GapKind::Storage));
    node.recorded(at(11), third, true);
    assert!(node.engine.health(at(11)).storing);
    let (_, _, gaps) = batch(&node.turn(at(13)));
    assert_eq!(gaps, [], "told once");
}

#[test]
fn a_refusal_is_a_gap_from_the_last_instant_whose_signals_were_here() {
    let mut node = Node::new(at(0));
    node.turn(at(0));
    node.recorded(at(0), 1, true);
    // Nobody knows when, between the two turns.
    node.tell(at(1), Event::Refused);
    let (_, _, gaps) = batch(&node.turn(at(1)));
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].kind, GapKind::Refused);
    assert!(gaps[0].from < at(0) && gaps[0].to > at(1), "{gaps:?}");
}

#[test]
fn while_storing_fails_nothing_is_lost_sight_of_and_nothing_spins() {
    let mut node = Node::new(at(0));
    node.tell(
        at(0),
        Event::Filed(vec![(beat(1), at(0)), (beat(2), at(0))]),
    );
    let mut now = at(1);
    let mut turns = 0;
    while now < at(61) {
        turns += 1;
        for command in node.turn(now) {
            match command {
                Command::Record { batch, .. } => node.recorded(now, batch, false),
                Command::Elapse { heartbeats, .. } => node.elapsed(now, heartbeats, Err(Failed)),
                _ => {}
            }
        }
        now = node.engine.next_tick(now);
    }
    assert!(turns < 300, "{turns} turns in a minute");
    let (mut judged, _, _) = judgement(&node.turn(now + seconds(1)));
    judged.sort();
    assert_eq!(judged, [beat(1), beat(2)]);
}

#[test]
fn a_look_that_is_still_due_when_judged_is_not_taken_without_end() {
    let mut node = Node::new(at(0));
    node.tell(at(0), Event::Filed(vec![(beat(1), at(5))]));
    let mut now = at(6);
    let mut judgements = 0;
    while now < at(16) {
        for command in node.turn(now) {
            match command {
                Command::Record { batch, .. } => node.recorded(now, batch, true),
                Command::Elapse { heartbeats, .. } => {
                    judgements += 1;
                    node.elapsed(now, heartbeats, Ok(vec![(beat(1), at(5))]));
                }
                _ => {}
            }
        }
        now = node.engine.next_tick(now);
    }
    assert!((8..=12).contains(&judgements), "{judgements}");
}

#[test]
fn a_deadline_wakes_the_loop_at_its_time() {
    let mut node = Node::new(at(0));
    node.turn(at(0));
    let due = at(0) + std::time::Duration::from_millis(300);
    node.tell(
        at(0),
        Event::Filed(vec![(beat(1), due), (beat(2), at(500))]),
    );
    assert_eq!(node.engine.next_tick(at(0)), due);
    // One that cannot be judged yet does not keep the loop turning.
    assert_eq!(node.engine.next_tick(due), due + TICK_EVERY_MIN);
    let (judged, ..) = judgement(&node.turn(due + MICROSECOND));
    assert_eq!(judged, [beat(1)]);
    assert_eq!(node.engine.next_tick(due), due + ALIVE_EVERY);
}

#[test]
fn a_late_tick_is_a_gap_before_what_it_judges() {
    let mut node = Node::new(at(0));
    node.tell(at(0), Event::Filed(vec![(beat(1), at(30))]));
    node.turn(at(0));
    let (_, _, gaps) = judgement(&node.turn(at(60)));
    assert_eq!(gaps, [gap(0, 60, GapKind::Suspended)]);
}
