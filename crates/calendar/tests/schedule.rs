//! What holds for every kind of schedule: JSON, equality, iteration, spacing, and that nothing a person
//! can type panics or searches for ever.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    time::Duration,
};

use jiff::Timestamp;
use nightbeat_calendar::{Cron, OnCalendar, Schedule, Zone, ZoneData};
use proptest::{prelude::*, test_runner::RngSeed};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn cron(expression: &str, zone: &str) -> Schedule {
    Schedule::cron(expression, zone).unwrap()
}

fn events(expression: &str, zone: &str) -> Schedule {
    Schedule::on_calendar(expression, zone).unwrap()
}

fn hash(schedule: &Schedule) -> u64 {
    let mut hasher = DefaultHasher::new();
    schedule.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn the_json_is_what_was_typed() {
    for json in [
        r#"{"every":3600}"#,
        r#"{"cron":"30 3 * * *","timezone":"Europe/Madrid"}"#,
        r#"{"cron":" @daily\t","timezone":"Europe/Kiev"}"#,
        r#"{"calendar":"Mon..Fri 02:00","timezone":"Europe/Madrid"}"#,
        r#"{"calendar":"daily UTC\nSat 12:00","timezone":"Asia/Calcutta"}"#,
    ] {
        let schedule: Schedule = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&schedule).unwrap(), json);
    }
}

#[test]
fn the_time_zone_is_utc_where_none_is_given() {
    let schedule: Schedule = serde_json::from_str(r#"{"cron":"30 3 * * *"}"#).unwrap();
    assert_eq!(schedule, cron("30 3 * * *", "UTC"));
    assert_eq!(
        serde_json::to_string(&schedule).unwrap(),
        r#"{"cron":"30 3 * * *","timezone":"UTC"}"#
    );
}

#[test]
fn schedules_are_equal_when_they_were_typed_alike() {
    let schedule = cron("0 2 * * *", "Europe/Riga");
    assert_eq!(schedule, cron("0 2 * * *", "Europe/Riga"));
    assert_eq!(hash(&schedule), hash(&cron("0 2 * * *", "Europe/Riga")));
    assert_ne!(schedule, cron("0 2 * * *", "Europe/Vilnius"));
    assert_ne!(schedule, cron("00 2 * * *", "Europe/Riga"));
    assert_ne!(schedule, events("02:00", "Europe/Riga"));
}

#[test]
fn schedules_go_from_thread_to_thread() {
    fn sendable<T: Send + Sync + 'static>() {}
    sendable::<Schedule>();
    sendable::<Cron>();
    sendable::<OnCalendar>();
}

#[test]
fn zones_keep_their_name_and_say_where_their_rules_come_from() {
    let alias = Zone::named("Europe/Kiev").unwrap();
    let new = Zone::named("Europe/Kyiv").unwrap();
    let instant = at("2027-07-01T00:00:00Z");
    assert_eq!(alias.name(), "Europe/Kiev");
    assert_eq!(
        alias.rules().to_offset(instant),
        new.rules().to_offset(instant)
    );
    assert_ne!(alias, new);
    assert_eq!(Zone::utc().data(), ZoneData::Bundled);
    for wrong in [
        "",
        "Europe",
        "../etc/passwd",
        "europe/kyiv",
        "UTC ",
        "posix/UTC",
        "é",
        "localtime",
    ] {
        assert!(Zone::named(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn instants_follow_one_another() {
    let from = at("2027-03-26T12:00:00Z");
    let schedule = cron("30 2 * * *", "Europe/Berlin");
    let found: Vec<Timestamp> = schedule.instants_after(from).take(3).collect();
    // On the 28th, 02:30 does not exist: cron runs the job at 03:00.
    let expected = [
        "2027-03-27T01:30:00Z",
        "2027-03-28T01:00:00Z",
        "2027-03-29T00:30:00Z",
    ];
    assert_eq!(found, expected.map(at));
    let once = events("2027-03-28 12:00", "Europe/Berlin");
    assert_eq!(once.instants_after(from).count(), 1);
}

#[test]
fn spacing_is_told_from_the_expression() {
    let from = at("2027-01-01T00:00:00Z");
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let spacing = |schedule: Schedule| schedule.spacing_after(from).unwrap();

    let every = spacing(Schedule::every_seconds(60).unwrap());
    assert_eq!(
        (every.mean, every.smallest),
        (Duration::from_secs(60), Duration::from_secs(60))
    );

    let nightly = spacing(cron("30 3 * * *", "UTC"));
    assert_eq!((nightly.mean, nightly.smallest), (hours(24), hours(24)));

    // The night of the spring change is an hour short.
    let nightly = spacing(cron("30 3 * * *", "Europe/Madrid"));
    assert_eq!(nightly.smallest, hours(23));

    // 540 minutes on five of seven days: the mean is over the whole week, not over a morning.
    let busy = spacing(cron("* 9-17 * * MON-FRI", "UTC"));
    assert_eq!(busy.smallest, Duration::from_secs(60));
    assert!((223..=226).contains(&busy.mean.as_secs()), "{busy:?}");

    let seconds = spacing(events("Mon *:*:*", "UTC"));
    assert!(
        (6_900..=7_100).contains(&seconds.mean.as_millis()),
        "{seconds:?}"
    );

    let twice = spacing(events("02:00\n14:30", "UTC"));
    assert_eq!(
        (twice.mean, twice.smallest),
        (hours(12), Duration::from_secs(41_400))
    );

    let one_year = spacing(events("2027-*-* *:00", "UTC"));
    assert_eq!(one_year.mean, hours(1));

    let once = events("2027-03-28 12:00", "UTC");
    assert_eq!(once.spacing_after(from), None);
}

#[test]
fn a_job_that_only_falls_into_gaps_ends_the_search() {
    // Since 2007 New York skips 02:00 to 02:59 on the Sunday from 8 to 14 March: wild minutes are lost.
    let lost = cron("*/5 2 8-14 3 */7", "America/New_York");
    assert_eq!(lost.next_after(at("2027-01-01T00:00:00Z")), None);
    assert!(lost.previous_before(at("2027-01-01T00:00:00Z")).is_some());
    let lost = events("Sun *-3-8..14 2:30", "America/New_York");
    assert_eq!(lost.next_after(at("2027-01-01T00:00:00Z")), None);
}

#[test]
fn the_ends_of_time_are_no_trouble() {
    for schedule in [
        cron("* * * * *", "Pacific/Apia"),
        cron("0 0 29 2 */7", "Antarctica/Troll"),
        events("*:*:0/0.25", "Pacific/Kiritimati"),
        events("2199-12-31 23:59:59", "UTC"),
        Schedule::every_seconds(315_360_000).unwrap(),
    ] {
        for instant in [Timestamp::MIN, Timestamp::MAX] {
            let next = schedule.next_after(instant);
            assert!(next.is_none_or(|next| next > instant));
            let previous = schedule.previous_before(instant);
            assert!(previous.is_none_or(|previous| previous < instant));
        }
    }
}

#[test]
fn fractions_of_a_second_are_kept_to_the_microsecond() {
    let schedule = events("12:00:00.123456/0.5", "UTC");
    let first = at("2027-01-01T12:00:00.123456Z");
    assert_eq!(schedule.next_after(at("2027-01-01T00:00:00Z")), Some(first));
    assert_eq!(
        schedule.next_after(first),
        Some(at("2027-01-01T12:00:00.623456Z"))
    );
    let just_before = at("2027-01-01T12:00:00.123455999Z");
    assert_eq!(schedule.next_after(just_before), Some(first));
    let just_after = at("2027-01-01T12:00:00.123456001Z");
    assert_eq!(schedule.previous_before(just_after), Some(first));
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
    #![proptest_config(settings(2000))]

    #[test]
    fn nothing_that_can_be_typed_panics(
        text in "[-0-9*/,#LW a-z.:~@%?\n\r\té–MONFRISUanT]{0,60}",
        seconds in 0..4_000_000_000_i64,
    ) {
        let from = Timestamp::from_second(seconds).unwrap();
        for schedule in [Schedule::cron(&text, "Europe/Riga"), Schedule::on_calendar(&text, "Europe/Riga")] {
            match schedule {
                Ok(schedule) => {
                    schedule.next_after(from);
                    schedule.previous_before(from);
                    assert!(!schedule.explain().is_empty());
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
        if let Err(error) = OnCalendar::parse(&text, &Zone::utc()) {
            assert!(error.pointed().lines().count() == 3, "{}", error.pointed());
        }
    }

    #[test]
    fn next_and_previous_are_each_other_s_inverse(
        minute in "(\\*|\\*/7|0|5,35|10-20/5)", hour in "(\\*|\\*/6|2|1-4)", day in "(\\*|13|1-7|L|\\*/2)",
        weekday in "(\\*|5|1-5|5L|MON#2)", zone in 0..5_usize, seconds in 0..4_000_000_000_i64,
    ) {
        let zone = ["Europe/Riga", "Australia/Lord_Howe", "America/Sao_Paulo", "Antarctica/Troll", "Pacific/Apia"][zone];
        let schedule = cron(&format!("{minute} {hour} {day} * {weekday}"), zone);
        let from = Timestamp::from_second(seconds).unwrap();
        let next = schedule.next_after(from).unwrap();
        let after = schedule.next_after(next).unwrap();
        assert!(from < next && next < after);
        assert_eq!(schedule.previous_before(after), Some(next));
        // Nothing lies between an instant and the one before it.
        let before = schedule.previous_before(next).unwrap();
        assert!(before <= from);
        assert_eq!(schedule.next_after(before), Some(next));
    }
}
