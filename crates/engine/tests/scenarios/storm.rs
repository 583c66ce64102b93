//! Random hours: receivers that fail, hang and come back, a store that fails and forgets to say so. In the
//! end everything is sent, in order, by the rules.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use nightbeat_engine::LEASE;

use crate::cast::{at, seconds};
use crate::world::{State, World};

const PLACES: [(u32, &str, u64); 7] = [
    (1, "smtp", 30),
    (2, "smtp", 30),
    (3, "slack", 0),
    (4, "slack", 0),
    (5, "slack", 60),
    (6, "hook", 0),
    (7, "ntfy", 30),
];

type Dice = Rc<RefCell<TestRng>>;

fn roll(dice: &Dice, sides: u32) -> u32 {
    dice.borrow_mut().next_u32() % sides
}

/// An hour and a half of trouble, then peace.
fn storm(seed: u64, store_fails: bool) -> World {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let dice: Dice = Rc::new(RefCell::new(TestRng::from_seed(
        RngAlgorithm::ChaCha,
        &bytes,
    )));
    let mut world = World::new(at(0), &PLACES);
    let peace = at(5_400);
    let of_receivers = Rc::clone(&dice);
    world.receiver = Box::new(move |channel, now| {
        let took = Duration::from_millis(20 + u64::from(roll(&of_receivers, 300)));
        if now >= peace {
            return (took, true);
        }
        // Each receiver has bad quarters of an hour.
        let bad = (now.0 / 900_000_000 + i64::from(channel)) % 3 == 0;
        let taken = roll(&of_receivers, 100) < if bad { 3 } else { 90 };
        let hangs = bad && roll(&of_receivers, 3) == 0;
        (if hangs { seconds(15) } else { took }, taken)
    });
    let of_store = Rc::clone(&dice);
    world.storing = Box::new(move |now| {
        let took = Duration::from_millis(u64::from(roll(&of_store, 30)));
        // Two minutes in each twenty it fails mostly, and now and then does it and says that it failed.
        let bad = store_fails && now < peace && now.0 % 1_200_000_000 < 120_000_000;
        if !bad {
            return (took, true, true);
        }
        let done = roll(&of_store, 4) == 0;
        (took, done, done && roll(&of_store, 2) == 0)
    });
    let mut now = at(0);
    while now < peace {
        now = now + Duration::from_millis(u64::from(roll(&dice, 20_000)));
        world.run_until(now);
        let burst = if roll(&dice, 10) == 0 { 40 } else { 1 };
        for _ in 0..burst {
            let (channel, _, digest_every) = PLACES[roll(&dice, 7) as usize];
            let digest = digest_every == 0 && roll(&dice, 8) == 0;
            let heartbeat = roll(&dice, 12);
            world.queue(channel, heartbeat, digest);
        }
    }
    world.run_until(peace + seconds(2 * 3_600));
    world
}

fn check(world: &World, exactly_once: bool) -> Result<(), TestCaseError> {
    let mut taken: HashMap<i64, u32> = HashMap::new();
    for message in world.messages.iter().filter(|message| message.taken) {
        for number in &message.rows {
            *taken.entry(*number).or_default() += 1;
        }
    }
    for row in &world.rows {
        prop_assert_eq!(row.state, State::Sent, "{:?}", row);
        let taken = taken.get(&row.number).copied().unwrap_or_default();
        prop_assert!(taken >= 1, "{:?} was never taken", row);
        prop_assert!(
            !exactly_once || taken == 1,
            "{row:?} was taken {taken} times"
        );
    }
    for (channel, ..) in PLACES {
        in_order(world, channel)?;
    }
    for (channel, _, digest_every) in PLACES.into_iter().filter(|place| place.2 > 0) {
        let given = world.given(channel);
        let taken: Vec<_> = given.iter().filter(|message| message.taken).collect();
        for pair in taken.windows(2) {
            let pause = pair[1].began_at.since(pair[0].ended_at);
            let failed_between = given.iter().any(|message| {
                !message.taken
                    && message.ended_at >= pair[0].began_at
                    && message.began_at <= pair[1].began_at
            });
            prop_assert!(failed_between || pause >= seconds(digest_every), "{pair:?}");
        }
    }
    prop_assert_eq!(world.engine.health(world.now).sending, 0);
    prop_assert!(world.turns < 400_000, "{} turns", world.turns);
    Ok(())
}

/// Of one heartbeat on one channel, nothing begins before all that is older has been taken, or stands before
/// it in the same message.
fn in_order(world: &World, channel: u32) -> Result<(), TestCaseError> {
    let given = world.given(channel);
    let mut first_taken = HashMap::new();
    for message in given.iter().filter(|message| message.taken) {
        for number in &message.rows {
            first_taken.entry(*number).or_insert(message.ended_at);
        }
    }
    let mut older: HashMap<u32, i64> = HashMap::new();
    let mut before: HashMap<i64, i64> = HashMap::new();
    for row in world.rows.iter().filter(|row| row.channel == channel) {
        if let Some(older) = older.insert(row.heartbeat, row.number) {
            before.insert(row.number, older);
        }
    }
    for message in given {
        for (place, number) in message.rows.iter().enumerate() {
            let Some(older) = before.get(number) else {
                continue;
            };
            let taken = first_taken.get(older);
            let in_time = taken.is_some_and(|taken| *taken <= message.began_at);
            let told_first = message.rows[..place].contains(older);
            prop_assert!(in_time || told_first, "{message:?} overtook {older}");
        }
    }
    // An id says what a message tells: a receiver may drop one that it has had.
    let mut told: HashMap<_, BTreeSet<i64>> = HashMap::new();
    for message in world.given(channel) {
        let rows: BTreeSet<i64> = message.rows.iter().copied().collect();
        let before = told.entry(message.id).or_insert_with(|| rows.clone());
        prop_assert_eq!(&*before, &rows);
    }
    Ok(())
}

fn seeds(store_fails: bool) {
    let config = Config {
        cases: 20,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run(&any::<u64>(), |seed| {
        check(&storm(seed, store_fails), !store_fails)
    });
    assert!(result.is_ok(), "{result:?}");
}

#[test]
fn whatever_receivers_do_everything_is_sent_once_in_order() {
    seeds(false);
}

#[test]
fn whatever_the_store_does_everything_is_sent_in_order() {
    assert!(
        LEASE < seconds(600),
        "peace is long enough for what a lease holds up"
    );
    seeds(true);
}
