//! The loop: one method, and each of its operations on the disk gone wrong in each way.

use nightbeat_faulty_disk::{Fault, Harm, Kept, Op, Times};
use nightbeat_store::{Result, StoreError};

use crate::house::House;

/// No method makes so many operations: the loop has lost its end.
pub(crate) const POINTS_MAX: u64 = 5_000;

/// One way in which a disk goes wrong, and what becomes of the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) name: &'static str,
    pub(crate) ops: &'static [Op],
    pub(crate) times: Times,
    pub(crate) harm: Harm,
    pub(crate) end: End,
}

/// How a server ends that can do no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Orderly,
    Killed,
    PowerLoss(Kept),
}

impl Weather {
    const fn new(name: &'static str, ops: &'static [Op], times: Times, harm: Harm) -> Self {
        let end = End::Orderly;
        Self {
            name,
            ops,
            times,
            harm,
            end,
        }
    }

    const fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    pub(crate) fn fault(&self, at: u64) -> Fault {
        Fault {
            ops: self.ops,
            on: "",
            at,
            times: self.times,
            harm: self.harm,
        }
    }
}

const WRITE: &[Op] = &[Op::Write];
const SYNC: &[Op] = &[Op::Sync];
const OTHERS: &[Op] = &[Op::Open, Op::Read, Op::Truncate, Op::Delete];

pub(crate) const WEATHERS: [Weather; 15] = [
    Weather::new("a write fails", WRITE, Times::Once, Harm::Error),
    Weather::new(
        "no write works any more",
        WRITE,
        Times::ForEver,
        Harm::Error,
    ),
    Weather::new("full for a moment", WRITE, Times::Once, Harm::Full),
    Weather::new("full", WRITE, Times::ForEver, Harm::Full),
    Weather::new("a write is torn", WRITE, Times::Once, Harm::Torn),
    Weather::new(
        "a write works, and is said not to",
        WRITE,
        Times::Once,
        Harm::Late,
    ),
    Weather::new(
        "a write works, is said not to, and the server is killed",
        WRITE,
        Times::Once,
        Harm::Late,
    )
    .ending(End::Killed),
    Weather::new("a sync fails", SYNC, Times::Once, Harm::Error),
    Weather::new(
        "a sync fails, and the server is killed",
        SYNC,
        Times::Once,
        Harm::Error,
    )
    .ending(End::Killed),
    Weather::new("no sync works any more", SYNC, Times::ForEver, Harm::Error).ending(End::Killed),
    Weather::new(
        "a sync works, and is said not to",
        SYNC,
        Times::Once,
        Harm::Late,
    ),
    Weather::new(
        "an open, read, truncation or deletion fails",
        OTHERS,
        Times::Once,
        Harm::Error,
    ),
    Weather::new("killed", Op::CHANGES, Times::ForEver, Harm::Death).ending(End::Killed),
    Weather::new("power loss", Op::CHANGES, Times::ForEver, Harm::Death)
        .ending(End::PowerLoss(Kept::Nothing)),
    Weather::new(
        "power loss, and some sectors are written",
        Op::CHANGES,
        Times::ForEver,
        Harm::Death,
    )
    .ending(End::PowerLoss(Kept::Some(1))),
];

/// A method of the store.
pub(crate) struct Method {
    pub(crate) name: &'static str,
    /// The alerts that wait are claimed first.
    pub(crate) claimed: bool,
    /// What a second call does.
    pub(crate) again: Again,
    /// The fewest operations that go wrong in all, or the loop has missed them.
    pub(crate) points_min: u64,
}

/// What a second call does where the first one may have been carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Nothing: done twice is done once.
    Nothing,
    /// The same, unless the server was started again in between: then it comes too late.
    TooLate,
    /// It would do it twice.
    Twice,
}

impl Method {
    async fn house<'d>(&self, template: &House<'d>) -> House<'d> {
        let house = House::like(template).await;
        if self.claimed {
            assert_eq!(house.claim().await.unwrap().len(), 2);
        }
        house
    }
}

/// What is stored before the method and after it.
struct Known {
    before: Vec<String>,
    after: Vec<String>,
}

/// Lets each operation of `act` go wrong in each way: all of it is stored, or nothing.
pub(crate) async fn every_point<'d>(
    template: &House<'d>,
    method: &Method,
    act: impl AsyncFn(&House<'d>) -> Result<()>,
) {
    let house = method.house(template).await;
    let before = house.dump().await;
    act(&house).await.unwrap();
    let known = Known {
        before,
        after: house.dump().await,
    };
    drop(house);
    let mut total = 0;
    for weather in WEATHERS {
        let mut points = 0;
        while one_point(template, &known, method, &act, weather, points).await {
            points += 1;
            assert!(
                points < POINTS_MAX,
                "{}: {}: no end",
                method.name,
                weather.name
            );
        }
        println!("{}: {}: {points} points", method.name, weather.name);
        total += points;
    }
    println!("{}: {total} points in all", method.name);
    assert!(
        total >= method.points_min,
        "{}: only {total} points",
        method.name
    );
}

/// Whether there was an operation `at` to go wrong.
async fn one_point<'d>(
    template: &House<'d>,
    known: &Known,
    method: &Method,
    act: &impl AsyncFn(&House<'d>) -> Result<()>,
    weather: Weather,
    at: u64,
) -> bool {
    let context = format!("{}: {} at {at}", method.name, weather.name);
    let mut house = method.house(template).await;
    house.disk.arm(weather.fault(at));
    let answer = act(&house).await;
    let counted = house.disk.disarm();
    let restarted = settle(&mut house, &answer, weather, &context).await;
    let stored = house.dump().await;
    let all = stored == known.after;
    assert!(
        all || stored == known.before,
        "{context}: half of it is stored: {answer:?}"
    );
    assert!(
        all || answer.is_err(),
        "{context}: it was acknowledged, and is lost"
    );
    assert!(
        !all || answer.is_ok() || restarted || known.before == known.after,
        "{context}: nothing should be stored: {answer:?}"
    );
    if counted.hits == 0 {
        assert!(answer.is_ok(), "{context}: {answer:?}");
        return false;
    }
    // Whoever had no answer asks again.
    let again = match method.again {
        Again::Nothing => true,
        Again::TooLate => !restarted,
        Again::Twice => !all,
    };
    if again {
        let again = act(&house).await;
        assert!(
            again.is_ok(),
            "{context}: the disk is well again: {again:?}"
        );
        let done = without_gaps(house.dump().await);
        assert!(
            done == without_gaps(known.after.clone()),
            "{context}: not done, or twice: {done:#?}"
        );
    }
    acknowledged_is_durable(&mut house, at, &context).await;
    true
}

/// What was refused leaves a gap behind.
fn without_gaps(mut dump: Vec<String>) -> Vec<String> {
    dump.retain(|line| !line.starts_with("gap: "));
    dump
}

/// Brings the house to a state in which the store works. Whether the server was started again.
async fn settle(
    house: &mut House<'_>,
    answer: &Result<()>,
    weather: Weather,
    context: &str,
) -> bool {
    if weather.harm != Harm::Death {
        match answer {
            Ok(()) | Err(StoreError::Unavailable(_)) if weather.end == End::Orderly => {
                return false;
            }
            Ok(()) | Err(StoreError::Unavailable(_)) => {}
            Err(StoreError::Fatal(_)) => {
                let next = house.furnish().await;
                let fatal = matches!(next, Err(StoreError::Fatal(_)));
                assert!(fatal, "{context}: it goes on after {answer:?}: {next:?}");
            }
            Err(other) => panic!("{context}: a disk's fault is none of the caller's: {other}"),
        }
    }
    match weather.end {
        End::Orderly => house.close(),
        End::Killed => house.kill(),
        End::PowerLoss(kept) => house.lose_power(kept),
    }
    let opened = house.try_open();
    assert!(opened.is_ok(), "{context}: the next start: {opened:?}");
    true
}

/// What is acknowledged now survives a power loss, whatever happened before.
pub(crate) async fn acknowledged_is_durable(house: &mut House<'_>, seed: u64, context: &str) {
    house.record_one_more().await;
    let acknowledged = house.dump().await;
    let kept = if seed.is_multiple_of(2) {
        Kept::Nothing
    } else {
        Kept::Some(seed)
    };
    house.lose_power(kept);
    let opened = house.try_open();
    assert!(
        opened.is_ok(),
        "{context}: after the power loss: {opened:?}"
    );
    let left = house.dump().await;
    assert!(
        left == acknowledged,
        "{context}: acknowledged, and lost with the power ({kept:?})"
    );
    house.check().await;
}
