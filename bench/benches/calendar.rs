//! How fast schedules are: the next instant, reading an expression, the explanation, and the worst cases
//! that are known. `cargo bench -p nightbeat-bench --bench calendar`.
//!
//! Beside them stand two yardsticks of the library of time that the calendar is made with, jiff: from an
//! instant to the same local time a day later, and to local time and back. Machines differ; the ratios to
//! these differ less.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "measuring time is what this is for; an expression that is refused ends the measurement"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use nightbeat_calendar::{Cron, OnCalendar, Schedule, Zone};

/// The vectors that the calendar is tested with, see `crates/calendar/tests/vectors/README.md`.
const CRON: [&str; 2] = [
    include_str!("../../crates/calendar/tests/vectors/cron.tsv"),
    include_str!("../../crates/calendar/tests/vectors/cron_debian_only.tsv"),
];
const ON_CALENDAR: [&str; 2] = [
    include_str!("../../crates/calendar/tests/vectors/oncalendar.tsv"),
    include_str!("../../crates/calendar/tests/vectors/oncalendar_rule_only.tsv"),
];

/// Each vector is tried this often to find the slowest: the least of these times is its own.
const TRIES: u32 = 5;
/// This many of the slowest are tried again.
const FINALISTS: usize = 20;
/// How often a finalist is tried.
const FINAL_TRIES: u32 = 200;

/// 2027-01-15T10:00:00Z, noon in Riga, far from any change of the clocks.
const NOON: Timestamp = Timestamp::constant(1_800_007_200, 0);

fn next_instant(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("next instant");
    let cases = [
        ("30 3 * * *", "Europe/Riga"),
        ("*/15 * * * *", "Europe/Riga"),
        ("0 2 * * 1-5", "Europe/Riga"),
        ("0 0 L * *", "Europe/Riga"),
        ("0 4 29 2 *", "Europe/Riga"),
    ];
    for (expression, zone) in cases {
        let schedule = Schedule::cron(expression, zone).unwrap();
        group.bench_function(format!("cron {expression} in {zone}"), |bencher| {
            // Walks on from instant to instant, clock changes included; starts again after four years.
            let end = NOON + Duration::from_secs(4 * 365 * 86_400);
            let mut at = NOON;
            bencher.iter(|| {
                at = schedule.next_after(black_box(at)).unwrap();
                if at > end {
                    at = NOON;
                }
                at
            });
        });
    }
    let schedule = Schedule::on_calendar("Mon..Fri 02:00\nSat 12:00 UTC", "Europe/Riga").unwrap();
    group.bench_function("OnCalendar of two lines in Europe/Riga", |bencher| {
        bencher.iter(|| schedule.next_after(black_box(NOON)));
    });
    group.finish();
}

fn yardsticks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("yardstick");
    let riga = TimeZone::get("Europe/Riga").unwrap();
    group.bench_function("jiff: the same local time a day later", |bencher| {
        bencher.iter(|| {
            let local = black_box(NOON).to_zoned(riga.clone());
            local.checked_add(1.day()).unwrap().timestamp()
        });
    });
    group.bench_function("jiff: an instant to local time and back", |bencher| {
        bencher.iter(|| {
            let local = riga.to_datetime(black_box(NOON));
            riga.to_ambiguous_timestamp(local).compatible().unwrap()
        });
    });
    group.finish();
}

fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    let zone = Zone::named("Europe/Riga").unwrap();
    for expression in [
        "30 3 * * *",
        "*/15 8-18 * * MON-FRI",
        "0,15,30,45 0-23/2 1,15 JAN-JUN 1-5",
        "@daily",
    ] {
        group.bench_function(format!("cron {expression}"), |bencher| {
            bencher.iter(|| Cron::parse(black_box(expression), &zone).unwrap());
        });
    }
    for expression in ["daily", "Mon..Fri 02:00", "*-*-1,15 04:30:00", "*:0/15"] {
        group.bench_function(format!("OnCalendar {expression}"), |bencher| {
            bencher.iter(|| OnCalendar::parse(black_box(expression), &zone).unwrap());
        });
    }
    group.bench_function("cron 30 3 * * * and the name of its zone", |bencher| {
        bencher.iter(|| Schedule::cron(black_box("30 3 * * *"), black_box("Europe/Riga")).unwrap());
    });
    group.finish();
}

/// A line of the vectors.
struct Vector {
    expression: String,
    zone: Zone,
    is_cron: bool,
    /// What is asked.
    from: Timestamp,
}

/// The start of each search that a vector asks for: its question, then its answers but the last.
const SEARCHES: usize = 5;

impl Vector {
    fn all() -> Vec<Self> {
        let cron = CRON.iter().flat_map(|file| file.lines());
        let on_calendar = ON_CALENDAR.iter().flat_map(|file| file.lines());
        let cron = cron.map(|line| Self::of(line, true));
        cron.chain(on_calendar.map(|line| Self::of(line, false)))
            .collect()
    }

    fn of(line: &str, is_cron: bool) -> Self {
        let columns: Vec<&str> = line.split('\t').collect();
        Self {
            expression: serde_json::from_str(columns[1]).unwrap(),
            zone: Zone::named(columns[2]).unwrap(),
            is_cron,
            from: columns[3].parse().unwrap(),
        }
    }

    fn read(&self) -> Schedule {
        if self.is_cron {
            return Cron::parse(&self.expression, &self.zone).unwrap().into();
        }
        let since = self.from.min(Timestamp::constant(946_684_800, 0));
        let events = OnCalendar::parse_since(&self.expression, &self.zone, since);
        events.unwrap().into()
    }

    /// Its slowest search: the schedule and where it begins.
    fn search(&self, tries: u32) -> Search {
        let schedule = self.read();
        let begin = std::iter::successors(Some(self.from), |at| schedule.next_after(*at));
        let costs = begin.take(SEARCHES).map(|from| {
            let once = || schedule.next_after(black_box(from));
            (least(tries, once), from)
        });
        let (cost, from) = costs.max().unwrap();
        Search {
            cost,
            schedule,
            from,
        }
    }
}

struct Search {
    cost: Duration,
    schedule: Schedule,
    from: Timestamp,
}

/// What something costs: the least of some tries.
fn least<T>(tries: u32, mut once: impl FnMut() -> T) -> Duration {
    let mut time = || {
        let began = Instant::now();
        black_box(once());
        began.elapsed()
    };
    (0..tries).map(|_| time()).min().unwrap()
}

/// The vector that costs most, by a rough look at all and a close one at the finalists.
fn slowest(mut vectors: Vec<Vector>, cost: impl Fn(&Vector, u32) -> Duration) -> Vector {
    for tries in [TRIES, FINAL_TRIES] {
        vectors.sort_by_cached_key(|vector| std::cmp::Reverse(cost(vector, tries)));
        vectors.truncate(FINALISTS);
    }
    vectors.swap_remove(0)
}

/// The slowest of all vectors, to search and to read, found anew each time.
fn worst_vector(criterion: &mut Criterion) {
    let vectors = Vector::all();
    let count = vectors.len();
    let worst = slowest(vectors, |vector, tries| vector.search(tries).cost);
    let Search { schedule, from, .. } = worst.search(FINAL_TRIES);
    println!(
        "The slowest search of {count} vectors: {} in {} after {from}",
        worst.expression, worst.zone
    );
    criterion.bench_function("worst vector: next instant", |bencher| {
        bencher.iter(|| schedule.next_after(black_box(from)));
    });
    let worst = slowest(Vector::all(), |vector, tries| {
        least(tries, || vector.read())
    });
    println!(
        "The slowest of {count} vectors to read: {}",
        worst.expression
    );
    criterion.bench_function("worst vector: read", |bencher| {
        bencher.iter(|| black_box(&worst).read());
    });
}

/// What no vector asks, and an adversary might.
fn adversaries(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("adversary");
    let nowhere = Schedule::cron("*/5 2 8-14 3 */7", "America/New_York").unwrap();
    group.bench_function("a search that finds nothing", |bencher| {
        bencher.iter(|| nowhere.next_after(black_box(NOON)));
    });
    let long = vec!["0-59/1"; 13].join(",") + " * * * *";
    assert_eq!(long.len(), Cron::CHARACTERS_MAX - 2);
    let zone = Zone::named("Europe/Riga").unwrap();
    group.bench_function("reading the longest list of minutes", |bencher| {
        bencher.iter(|| Cron::parse(black_box(&long), &zone).unwrap());
    });
    group.finish();
}

fn around(criterion: &mut Criterion) {
    let schedule = Schedule::cron("0 2 * * 1-5", "Europe/Riga").unwrap();
    criterion.bench_function("explain cron 0 2 * * 1-5", |bencher| {
        bencher.iter(|| black_box(&schedule).explain());
    });
    let daily = Schedule::cron("30 3 * * *", "Europe/Riga").unwrap();
    criterion.bench_function("spacing of cron 30 3 * * *: 1,000 instants", |bencher| {
        bencher.iter(|| daily.spacing_after(black_box(NOON)));
    });
}

criterion_group!(
    benches,
    next_instant,
    yardsticks,
    reading,
    worst_vector,
    adversaries,
    around
);
criterion_main!(benches);
