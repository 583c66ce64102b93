//! How alerts leave: in order, fair between receivers, again after failures.

use std::time::Duration;

use nightbeat_engine::{GIVE_UP_AFTER, LANE_PROBE_EVERY, LEASE, next_try};

use crate::cast::{at, seconds};
use crate::world::{Message, State, World, delivery_id};

const MAIL: u32 = 1;
const HOOK: u32 = 2;
const HANGING: u32 = 3;

fn world() -> World {
    World::new(
        at(0),
        &[
            (MAIL, "smtp", 30),
            (HOOK, "hook", 0),
            (HANGING, "tarpit", 0),
        ],
    )
}

#[test]
fn down_reaches_its_receiver_before_up() {
    let mut world = world();
    let mut refusals = 3;
    world.receiver = Box::new(move |_, _| {
        refusals -= 1;
        (seconds(2), refusals < 0)
    });
    let down = world.queue(HOOK, 1, false);
    let up = world.queue(HOOK, 1, false);
    world.run_until(at(120));
    let order: Vec<_> = world.given(HOOK).iter().map(|it| it.rows.clone()).collect();
    assert_eq!(
        order,
        [vec![down], vec![down], vec![down], vec![down], vec![up]]
    );
    assert_eq!(world.row(up).state, State::Sent);
}

#[test]
fn a_machine_gets_every_event_alone_and_at_once() {
    let mut world = world();
    for heartbeat in 0..20 {
        world.queue(HOOK, heartbeat, false);
    }
    world.run_until(at(2));
    let given = world.given(HOOK);
    assert_eq!(given.len(), 20);
    assert!(given.iter().all(|message| message.rows.len() == 1));
}

#[test]
fn people_get_the_first_at_once_and_what_follows_as_one_digest() {
    let mut world = world();
    for heartbeat in 0..20 {
        world.queue(MAIL, heartbeat, false);
    }
    world.run_until(at(10));
    for heartbeat in 20..30 {
        world.queue(MAIL, heartbeat, false);
    }
    world.run_until(at(29));
    let first = world.given(MAIL);
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].rows.len(), first[0].began_at < at(1)), (1, true));
    world.run_until(at(40));
    let given = world.given(MAIL);
    assert_eq!((given.len(), given[1].rows.len()), (2, 29));
    assert!(given[1].began_at < at(33), "{:?}", given[1].began_at);
    // After a quiet while the next is a first one again.
    world.run_until(at(90));
    world.queue(MAIL, 99, false);
    world.run_until(at(91));
    assert_eq!(world.given(MAIL).len(), 3);
}

/// It goes down and comes back every three seconds: eleven alerts in the time between two digests.
#[test]
fn a_heartbeat_that_flaps_is_told_to_people_without_a_growing_delay() {
    let mut world = world();
    for alert in 0..1_200 {
        world.run_until(at(3 * alert));
        world.queue(MAIL, 1, false);
    }
    let last = world.queue(MAIL, 1, false);
    world.run_until(at(3 * 1_200 + 35));
    assert_eq!(world.row(last).state, State::Sent);
    let given = world.given(MAIL);
    assert!((115..=125).contains(&given.len()), "{}", given.len());
    let told: Vec<i64> = given.iter().flat_map(|it| it.rows.clone()).collect();
    assert_eq!(told, (1..=last).collect::<Vec<_>>(), "in order, each once");
}

#[test]
fn what_piled_up_while_its_receiver_was_away_comes_in_a_few_digests() {
    let mut world = world();
    world.receiver = Box::new(|_, now| (Duration::from_millis(100), now > at(3_600)));
    for alert in 0..300 {
        world.run_until(at(10 * alert));
        world.queue(MAIL, 1, false);
    }
    world.run_until(at(3 * 3_600));
    let given = world.given(MAIL);
    let taken: Vec<usize> = given
        .iter()
        .filter(|message| message.taken)
        .map(|message| message.rows.len())
        .collect();
    assert_eq!(taken, [1, 100, 100, 99]);
}

/// A receiver that took the message, and whose answer was lost, knows it by its id when it comes again.
#[test]
fn a_digest_that_failed_comes_again_as_it_was_and_what_is_new_makes_the_next_one() {
    let mut world = world();
    world.receiver = Box::new(|_, now| {
        let fails = (at(20)..at(60)).contains(&now);
        (Duration::from_millis(100), !fails)
    });
    for heartbeat in 0..8 {
        world.queue(MAIL, heartbeat % 4, false);
    }
    world.run_until(at(40));
    for heartbeat in 0..8 {
        world.queue(MAIL, heartbeat % 4, false);
    }
    world.run_until(at(200));
    let given = world.given(MAIL);
    let (digest, again) = (given[1], &given[2..]);
    assert_eq!((digest.rows.len(), digest.taken), (7, false));
    let (repeats, news): (Vec<&Message>, Vec<&Message>) =
        again.iter().partition(|it| it.id == digest.id);
    assert!(repeats.len() >= 2, "{again:#?}");
    assert!(repeats.iter().all(|it| it.rows == digest.rows));
    assert!(repeats.last().unwrap().taken);
    let mut told: Vec<i64> = news.iter().flat_map(|it| it.rows.clone()).collect();
    told.sort_unstable();
    assert_eq!(told, (9..=16).collect::<Vec<_>>(), "{news:#?}");
}

#[test]
fn what_may_travel_together_is_one_message_also_for_a_machine() {
    let mut world = world();
    for heartbeat in 0..50 {
        world.queue(HOOK, heartbeat, true);
        world.queue(MAIL, heartbeat, true);
    }
    let alone = world.queue(HOOK, 77, false);
    world.run_until(at(5));
    let sizes: Vec<_> = world.given(HOOK).iter().map(|it| it.rows.len()).collect();
    assert_eq!(sizes, [50, 1]);
    assert_eq!(world.row(alone).state, State::Sent);
    assert_eq!(world.given(MAIL)[0].rows.len(), 50);
}

#[test]
fn a_receiver_that_hangs_delays_no_other() {
    let mut world = world();
    world.receiver = Box::new(|channel, _| match channel {
        HANGING => (seconds(15), false),
        _ => (Duration::from_millis(50), true),
    });
    for heartbeat in 0..100 {
        world.queue(HANGING, heartbeat, false);
    }
    for second in 1..200 {
        world.run_until(at(second));
        let number = world.queue(HOOK, 1_000 + second as u32, false);
        world.run_until(at(second) + Duration::from_millis(900));
        assert_eq!(world.row(number).state, State::Sent, "in second {second}");
    }
}

#[test]
fn a_receiver_that_keeps_failing_is_probed_every_half_minute_and_served_when_it_is_back() {
    let mut world = world();
    world.receiver = Box::new(|_, now| (seconds(1), now > at(600)));
    for heartbeat in 0..100 {
        world.queue(HOOK, heartbeat, false);
    }
    world.run_until(at(600));
    let failed = world.given(HOOK);
    let after_closing: Vec<_> = failed.iter().skip(6).map(|it| it.began_at).collect();
    for pair in after_closing.windows(2) {
        let pause = pair[1].since(pair[0]);
        assert!(
            pause >= LANE_PROBE_EVERY && pause <= LANE_PROBE_EVERY + seconds(3),
            "{pause:?}"
        );
    }
    assert!(
        (17..=20).contains(&after_closing.len()),
        "{}",
        after_closing.len()
    );
    world.run_until(at(660));
    let unsent = world.rows.iter().filter(|row| row.state != State::Sent);
    let soon = unsent.filter(|row| row.next_try_at < at(660)).count();
    assert_eq!(
        soon, 0,
        "only those that failed themselves wait for their own next try"
    );
    world.run_until(at(1_800));
    assert!(world.rows.iter().all(|row| row.state == State::Sent));
}

/// Many channels share one receiver. One of them is refused for ever: a webhook that was revoked.
#[test]
fn a_channel_that_its_receiver_refuses_does_not_starve_the_others_there() {
    let mut world = World::new(at(0), &[(1, "slack", 0), (2, "slack", 0)]);
    world.receiver = Box::new(|channel, _| (Duration::from_millis(200), channel == 2));
    for heartbeat in 0..200 {
        world.queue(1, heartbeat, false);
    }
    world.run_until(at(3_600));
    for round in 0..20 {
        let now = at(3_600 + 600 * round);
        world.run_until(now);
        let number = world.queue(2, 1, false);
        world.run_until(now + seconds(70));
        assert_eq!(world.row(number).state, State::Sent, "round {round}");
    }
}

#[test]
fn tries_follow_their_schedule_for_a_day_and_then_end() {
    let mut world = world();
    world.receiver = Box::new(|_, _| (Duration::from_millis(500), false));
    let number = world.queue(HOOK, 1, false);
    world.run_until(at(2 * 86_400));
    let tries = world.given(HOOK);
    for (index, pair) in tries.windows(2).enumerate() {
        let attempts = index as u32 + 1;
        let due = next_try(delivery_id(number), at(0), attempts, None, pair[0].ended_at);
        let late = pair[1].began_at.since(due.unwrap());
        let early = due.unwrap().since(pair[1].began_at);
        assert!(
            late <= seconds(2) && early.is_zero(),
            "{attempts}: {late:?}"
        );
    }
    let last = tries.last().unwrap();
    assert!(last.ended_at >= at(0) + GIVE_UP_AFTER);
    assert!(last.ended_at < at(0) + GIVE_UP_AFTER + seconds(1_100));
    assert!((95..=110).contains(&tries.len()), "{}", tries.len());
    let row = world.row(number);
    assert_eq!(
        (row.state, row.attempts as usize),
        (State::Failing, tries.len())
    );
}

#[test]
fn what_a_claim_took_and_nobody_heard_of_is_sent_after_its_lease() {
    let mut world = world();
    // The first claim is carried out, and its answer is lost: a crash between the two.
    let mut first = true;
    world.storing = Box::new(move |_| {
        let told = !std::mem::take(&mut first);
        (Duration::from_millis(4), true, told)
    });
    let number = world.queue(HOOK, 1, false);
    // The first thing that is asked is the claim.
    world.run_until(at(0) + LEASE + seconds(5));
    assert_eq!(world.row(number).state, State::Sent);
}

#[test]
fn while_the_store_fails_ends_are_kept_and_nothing_spins() {
    let mut world = world();
    world.queue(HOOK, 1, false);
    world.storing = Box::new(|now| {
        let works = now < at(0) + Duration::from_millis(50) || now > at(100);
        (Duration::from_micros(100), works, works)
    });
    world.run_until(at(99));
    assert_eq!(world.given(HOOK).len(), 1);
    assert!(world.turns < 1_000, "{} turns", world.turns);
    assert_eq!(world.row(1).state, State::Sending);
    world.run_until(at(110));
    assert_eq!(world.row(1).state, State::Sent);
    assert_eq!(world.given(HOOK).len(), 1, "sent once");
}

#[test]
fn a_node_that_stops_begins_nothing_and_gives_back_what_it_has_not_begun() {
    let mut world = world();
    world.receiver = Box::new(|_, _| (seconds(3), true));
    for heartbeat in 0..50 {
        world.queue(HOOK, heartbeat, false);
    }
    world.run_until(at(1));
    world.engine.stop();
    world.run_until(at(6));
    assert!(world.engine.is_drained());
    assert_eq!(world.messages.len(), 2);
    let queued = world.rows.iter().filter(|row| row.state == State::Queued);
    assert_eq!(
        queued.count(),
        48,
        "the next start need not wait for a lease"
    );
}
