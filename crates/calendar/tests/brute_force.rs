//! The same answers as going through every minute of real time and looking at the wall clock, around
//! the clock changes of 40 zones. The slow way here shares no code with the crate.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use nightbeat_calendar::{Cron, OnCalendar, Schedule, Zone};
use proptest::{prelude::*, test_runner::RngSeed};

const ZONES: [&str; 40] = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/El_Aaiun",
    "America/Asuncion",
    "America/Caracas",
    "America/Havana",
    "America/New_York",
    "America/Nuuk",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "America/St_Johns",
    "Antarctica/Casey",
    "Antarctica/Macquarie",
    "Antarctica/Troll",
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Dhaka",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Asia/Ulaanbaatar",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Istanbul",
    "Europe/Kiev",
    "Europe/London",
    "Europe/Moscow",
    "Europe/Riga",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Easter",
    "Pacific/Fakaofo",
    "Pacific/Kwajalein",
    "UTC",
];

/// 1975-01-01; from then on all offsets of these zones are whole minutes.
const YEAR_1975: i64 = 157_766_400;
/// Changes of a zone after 1975 among which a case chooses.
const CHANGES: usize = 120;
const WINDOW_DAYS: i64 = 3;
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// The instants at which the offset changes, and by how many minutes.
fn changes(rules: &TimeZone) -> Vec<(Timestamp, i32)> {
    let start = Timestamp::from_second(YEAR_1975).unwrap();
    let jump = |at: Timestamp| {
        let before = rules.to_offset(at - SignedDuration::from_nanos(1));
        (at, (rules.to_offset(at).seconds() - before.seconds()) / 60)
    };
    // tzdata also lists changes of the name alone.
    rules
        .following(start)
        .take(CHANGES)
        .map(|change| jump(change.timestamp()))
        .filter(|(_, minutes)| *minutes != 0)
        .collect()
}

/// Every real minute of a few days before and after a clock change, with its wall time.
struct Window {
    zone: Zone,
    minutes: Vec<(Timestamp, DateTime)>,
}

impl Window {
    fn around(zone: &str, change: usize) -> Self {
        let zone = Zone::named(zone).unwrap();
        let rules = zone.rules().clone();
        // A zone without changes is looked at where New York has one.
        let middle = match &changes(&rules)[..] {
            [] => "2026-03-08T07:00:00Z".parse().unwrap(),
            changes => changes[change % changes.len()].0,
        };
        let minutes = (-WINDOW_DAYS * 1440..WINDOW_DAYS * 1440)
            .map(|minute| middle + MINUTE * i32::try_from(minute).unwrap())
            .map(|at| (at, rules.to_datetime(at)))
            .collect();
        Self { zone, minutes }
    }

    fn start(&self) -> Timestamp {
        self.minutes[0].0 - SignedDuration::from_nanos(1)
    }

    fn end(&self) -> Timestamp {
        self.minutes.last().unwrap().0 + SignedDuration::from_nanos(1)
    }

    /// The schedule walks through the window, both ways, over exactly these instants.
    fn holds(&self, schedule: &Schedule, expected: &[Timestamp]) {
        let shown = format!("{schedule:?}");
        let inside = |at: &Timestamp| self.start() < *at && *at < self.end();
        let forwards: Vec<_> = std::iter::successors(schedule.next_after(self.start()), |&at| {
            schedule.next_after(at)
        })
        .take_while(inside)
        .collect();
        same(&forwards, expected, &format!("{shown} forwards"));
        let mut backwards: Vec<_> =
            std::iter::successors(schedule.previous_before(self.end()), |&at| {
                schedule.previous_before(at)
            })
            .take_while(inside)
            .collect();
        backwards.reverse();
        same(&backwards, expected, &format!("{shown} backwards"));
        // From anywhere, not only from one instant to the next.
        for (index, (minute, _)) in self.minutes.iter().enumerate().step_by(7) {
            let from = *minute + SignedDuration::from_secs((index % 61) as i64);
            let next = expected.iter().find(|&&at| at > from);
            if let Some(next) = next {
                assert_eq!(
                    schedule.next_after(from),
                    Some(*next),
                    "{shown} after {from}"
                );
            }
            let previous = expected.iter().rev().find(|&&at| at < from);
            if let Some(previous) = previous {
                assert_eq!(
                    schedule.previous_before(from),
                    Some(*previous),
                    "{shown} before {from}"
                );
            }
        }
    }
}

/// Shows the first difference, not a thousand minutes.
fn same(found: &[Timestamp], expected: &[Timestamp], what: &str) {
    let differs = found
        .iter()
        .zip(expected)
        .find(|(found, expected)| found != expected);
    assert_eq!(differs, None, "{what}");
    assert_eq!(
        found.len(),
        expected.len(),
        "{what}: {:?} {:?}",
        found.last(),
        expected.last()
    );
}

/// A field as text and as the values it means.
#[derive(Debug, Clone)]
struct Field {
    text: String,
    values: Vec<i8>,
}

impl Field {
    fn has(&self, value: i8) -> bool {
        self.values.contains(&value)
    }

    fn starred(&self) -> bool {
        self.text.starts_with('*')
    }
}

fn every(low: i8, high: i8, step: i8) -> Vec<i8> {
    (low..=high)
        .step_by(usize::try_from(step).unwrap())
        .collect()
}

/// Single values, lists, ranges and steps in cron's writing or systemd's.
fn field(low: i8, high: i8, range: &'static str) -> impl Strategy<Value = Field> {
    let value = low..=high;
    let step = 1..=(high - low);
    prop_oneof![
        3 => Just(Field { text: "*".into(), values: every(low, high, 1) }),
        2 => step.clone().prop_map(move |step| Field {
            text: if range == "-" { format!("*/{step}") } else { format!("{low}/{step}") },
            values: every(low, high, step),
        }),
        3 => proptest::collection::vec(value.clone(), 1..4).prop_map(|values| Field {
            text: values.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            values,
        }),
        2 => (value.clone(), value, step).prop_map(move |(a, b, step)| {
            let (a, b) = (a.min(b), a.max(b));
            Field { text: format!("{a}{range}{b}/{step}"), values: every(a, b, step) }
        }),
    ]
}

fn cron_matches(fields: &[Field; 5], wall: DateTime) -> bool {
    let [minute, hour, day, month, weekday] = fields;
    let sunday_zero = wall.weekday().to_sunday_zero_offset();
    let by_date = day.has(wall.day());
    let by_weekday = weekday.has(sunday_zero) || (sunday_zero == 0 && weekday.has(7));
    let day_fits = if day.starred() || weekday.starred() {
        by_date && by_weekday
    } else {
        by_date || by_weekday
    };
    minute.has(wall.minute()) && hour.has(wall.hour()) && month.has(wall.month()) && day_fits
}

/// cron's main loop: a clock that jumps, and what it does about it (cron(8)).
fn cron_instants(window: &Window, fields: &[Field; 5]) -> Vec<Timestamp> {
    let three_hours = SignedDuration::from_hours(3);
    let wild = fields[0].starred() || fields[1].starred();
    let mut due = Vec::new();
    let mut silent_until = Timestamp::MIN;
    for pair in window.minutes.windows(2) {
        let ((_, earlier), (at, wall)) = (pair[0], pair[1]);
        let jump = wall.duration_since(earlier) - MINUTE;
        let mut fits = cron_matches(fields, wall);
        if !wild && jump.is_positive() && jump < three_hours {
            let mut skipped = earlier + MINUTE;
            while skipped < wall {
                fits |= cron_matches(fields, skipped);
                skipped += MINUTE;
            }
        }
        if !wild && jump.is_negative() && jump.abs() <= three_hours {
            silent_until = at + jump.abs();
        }
        if fits && at >= silent_until {
            due.push(at);
        }
    }
    due
}

/// The first time that the wall clock shows each matching minute.
fn calendar_instants(window: &Window, fields: &[Field; 5]) -> Vec<Timestamp> {
    let [minute, hour, day, month, weekday] = fields;
    let mut seen = HashSet::new();
    let fits = |wall: DateTime| {
        minute.has(wall.minute())
            && hour.has(wall.hour())
            && day.has(wall.day())
            && month.has(wall.month())
            && weekday.has(wall.weekday().to_sunday_zero_offset())
    };
    let first = |(at, wall): &(Timestamp, DateTime)| seen.insert(*wall).then_some((*at, *wall));
    window
        .minutes
        .iter()
        .filter_map(first)
        .filter(|(_, wall)| fits(*wall))
        .map(|(at, _)| at)
        .collect()
}

fn settings(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(2027),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(settings(300))]

    #[test]
    fn cron_is_its_main_loop(
        zone in 0..ZONES.len(),
        change in 0..CHANGES,
        fields in (field(0, 59, "-"), field(0, 23, "-"), field(1, 28, "-"), field(1, 12, "-"), field(0, 7, "-")),
    ) {
        let mut fields: [Field; 5] = fields.into();
        let mut window = Window::around(ZONES[zone], change);
        let text = fields.each_ref().map(|field| field.text.clone()).join(" ");
        // `*` in the day of month is 1 to 31.
        if fields[2].text == "*" {
            fields[2].values = every(1, 31, 1);
        }
        if fields[2].text.starts_with("*/") {
            let step: i8 = fields[2].text[2..].parse().unwrap();
            fields[2].values = every(1, 31, step);
        }
        let expected = cron_instants(&window, &fields);
        // The first minute has no predecessor to tell a jump by.
        window.minutes.remove(0);
        let cron = Cron::parse(&text, &window.zone).unwrap();
        window.holds(&Schedule::Cron(cron), &expected);
    }
}

/// A weekday range or list in systemd's writing.
fn weekdays() -> impl Strategy<Value = Field> {
    const NAMES: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    prop_oneof![
        2 => Just(Field { text: String::new(), values: every(0, 6, 1) }),
        1 => (1..=6i8, 1..=6i8).prop_map(|(a, b)| {
            let (a, b) = (a.min(b), a.max(b));
            let text = format!("{}..{} ", NAMES[a as usize], NAMES[b as usize]);
            Field { text, values: every(a, b, 1) }
        }),
        1 => (0..=6i8).prop_map(|a| Field { text: format!("{}, ", NAMES[a as usize]), values: vec![a] }),
    ]
}

proptest! {
    #![proptest_config(settings(300))]

    #[test]
    fn on_calendar_is_the_first_pass_of_each_wall_time(
        zone in 0..ZONES.len(),
        change in 0..CHANGES,
        fields in (field(0, 59, ".."), field(0, 23, ".."), field(1, 31, ".."), field(1, 12, ".."), weekdays()),
    ) {
        let fields: [Field; 5] = fields.into();
        let window = Window::around(ZONES[zone], change);
        let [minute, hour, day, month, weekday] = fields.each_ref().map(|field| &field.text);
        let text = format!("{weekday}*-{month}-{day} {hour}:{minute}");
        // 31 February and its like.
        if let Ok(events) = OnCalendar::parse(&text, &window.zone) {
            let mut expected = calendar_instants(&window, &fields);
            // What the first day repeats from before the window is not known to be a repetition.
            let second_day = window.minutes[1440].0;
            expected.retain(|&at| at >= second_day);
            let tail = Window { zone: window.zone.clone(), minutes: window.minutes[1440..].to_vec() };
            tail.holds(&Schedule::OnCalendar(events), &expected);
        }
    }
}

#[test]
fn the_windows_hold_changes_of_every_kind() {
    let mut jumps = HashSet::new();
    for zone in ZONES {
        let zone = Zone::named(zone).unwrap();
        jumps.extend(changes(zone.rules()).iter().map(|(_, minutes)| *minutes));
    }
    for wanted in [-60, 60, -30, 30, -120, 120, -180, 180, 1440, 15] {
        assert!(jumps.contains(&wanted), "no jump of {wanted} minutes");
    }
}
