//! What a person is told about a schedule before using it.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod tables;

use jiff::Timestamp;
use nightbeat_calendar::{Preview, Schedule};
use proptest::{prelude::*, test_runner::RngSeed};

use tables::{CALENDAR_CHANGES, CALENDAR_EXPRESSIONS, CRON_CHANGES, CRON_EXPRESSIONS};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn cron(expression: &str, zone: &str) -> Preview {
    let schedule = Schedule::cron(expression, zone).unwrap();
    schedule.preview(at("2026-11-22T00:00:00Z"), 3)
}

fn events(expression: &str, zone: &str) -> Preview {
    let schedule = Schedule::on_calendar(expression, zone).unwrap();
    schedule.preview(at("2026-11-22T00:00:00Z"), 3)
}

/// Each note as "kind: text".
fn notes(preview: &Preview) -> Vec<String> {
    let line = |note: &nightbeat_calendar::Note| {
        let kind = serde_json::to_string(&note.kind).unwrap();
        let on = note
            .on
            .map_or_else(String::new, |on| format!("on {on} the clocks in "));
        assert!(note.text.starts_with(&on), "{note:?}");
        format!("{}: {}", kind.trim_matches('"'), note.text)
    };
    preview.notes.iter().map(line).collect()
}

/// The notes about clock changes, without the words that all of them begin with.
fn changes(preview: &Preview) -> Vec<String> {
    let short = |note: String| {
        let (kind, text) = note.split_once(": ").unwrap();
        let (_, text) = text.split_once(": ").unwrap();
        format!("{kind}: {text}")
    };
    notes(preview).into_iter().map(short).collect()
}

#[test]
fn the_instants_are_in_the_zone_of_the_schedule() {
    let preview = Schedule::cron("30 2 * * *", "Europe/Kiev").unwrap();
    let preview = preview.preview(at("2027-03-26T12:00:00Z"), 3);
    assert_eq!(preview.explanation, "At 02:30 every day, Europe/Kiev");
    let instants: Vec<String> = preview.instants.iter().map(ToString::to_string).collect();
    assert_eq!(
        instants,
        [
            "2027-03-27T02:30:00+02:00[Europe/Kiev]",
            "2027-03-28T02:30:00+02:00[Europe/Kiev]",
            "2027-03-29T02:30:00+03:00[Europe/Kiev]",
        ]
    );
    assert_eq!(preview.zone.name(), "Europe/Kiev");
}

#[test]
fn an_interval_is_shown_in_utc_and_has_no_notes() {
    let preview = Schedule::every_seconds(5400).unwrap();
    let preview = preview.preview(at("2027-03-28T00:00:00Z"), 2);
    let instants: Vec<String> = preview.instants.iter().map(ToString::to_string).collect();
    assert_eq!(
        instants,
        [
            "2027-03-28T01:30:00+00:00[UTC]",
            "2027-03-28T03:00:00+00:00[UTC]"
        ]
    );
    assert_eq!(preview.zone.name(), "UTC");
    assert_eq!(preview.notes, []);
}

#[test]
fn the_zone_of_the_lines_wins_where_they_agree() {
    let zone = |expression| events(expression, "Europe/Madrid").zone.name().to_owned();
    assert_eq!(zone("02:00 Asia/Tokyo"), "Asia/Tokyo");
    assert_eq!(zone("02:00 Asia/Tokyo\n03:00 Asia/Tokyo"), "Asia/Tokyo");
    assert_eq!(zone("02:00 Asia/Tokyo\n03:00"), "Europe/Madrid");
    assert_eq!(zone("02:00"), "Europe/Madrid");
}

#[test]
fn no_more_is_shown_than_there_is_or_than_is_allowed() {
    let count = |preview: Preview| preview.instants.len();
    assert_eq!(count(events("2027-03-28 12:00", "UTC")), 1);
    let minutes = Schedule::cron("* * * * *", "UTC").unwrap();
    assert_eq!(count(minutes.preview(at("2027-01-01T00:00:00Z"), 0)), 0);
    let all = minutes.preview(at("2027-01-01T00:00:00Z"), usize::MAX);
    assert_eq!(count(all), Preview::INSTANTS_MAX);
}

#[test]
fn a_note_says_when_where_and_what() {
    assert_eq!(
        notes(&cron("30 2 * * *", "Europe/Berlin")),
        [
            "run_moved: on 2027-03-28 the clocks in Europe/Berlin go from 02:00 to 03:00: this runs at 03:00 instead of 02:30",
            "run_once: on 2027-10-31 the clocks in Europe/Berlin go back from 03:00 to 02:00: 02:30 comes twice, and this runs the first time only",
        ]
    );
    let on: Vec<_> = cron("30 2 * * *", "Europe/Berlin").notes;
    let on: Vec<String> = on.iter().map(|note| note.on.unwrap().to_string()).collect();
    assert_eq!(on, ["2027-03-28", "2027-10-31"]);
}

#[test]
fn what_the_changes_do_to_a_cron_job() {
    for &(expression, zone, expected) in CRON_CHANGES {
        assert_eq!(
            changes(&cron(expression, zone)),
            expected,
            "{expression} {zone}"
        );
    }
}

#[test]
fn what_the_changes_do_to_a_timer() {
    for &(expression, zone, expected) in CALENDAR_CHANGES {
        let preview = events(expression, zone);
        assert_eq!(changes(&preview), expected, "{expression} {zone}");
    }
}

#[test]
fn what_an_expression_may_not_mean() {
    for &(expression, expected) in CRON_EXPRESSIONS {
        assert_eq!(notes(&cron(expression, "UTC")), expected, "{expression}");
    }
    for &(expression, expected) in CALENDAR_EXPRESSIONS {
        assert_eq!(notes(&events(expression, "UTC")), expected, "{expression}");
    }
}

#[test]
fn changes_are_told_as_far_as_the_instants_go_and_never_too_many() {
    let yearly = Schedule::cron("30 2 28 3 *", "Europe/Berlin").unwrap();
    let from = at("2026-11-22T00:00:00Z");
    let told = |count| yearly.preview(from, count).notes.len();
    // 28 March is the day of the change in 2027, 2032, 2038, 2049, 2055, 2060, 2066, 2077 …
    assert_eq!(told(1), 1);
    assert_eq!(told(6), 2);
    assert_eq!(told(60), Preview::NOTES_MAX);
}

#[test]
fn a_change_at_midnight_names_both_days() {
    let text = |expression: &str, zone, from: &str| {
        let schedule = Schedule::cron(expression, zone).unwrap();
        notes(&schedule.preview(at(from), 1))
    };
    assert_eq!(
        text("30 23 * * *", "America/Sao_Paulo", "2018-01-01T00:00:00Z"),
        [
            "run_once: on 2018-02-17 the clocks in America/Sao_Paulo go back from 00:00 on 2018-02-18 to 23:00: 23:30 comes twice, and this runs the first time only"
        ]
    );
    assert_eq!(
        text("0 0 * * *", "America/Sao_Paulo", "2018-05-01T00:00:00Z")[0],
        "run_moved: on 2018-11-04 the clocks in America/Sao_Paulo go from 00:00 to 01:00: this runs at 01:00 instead of 00:00"
    );
    // The day that Samoa left out.
    assert_eq!(
        text("0 5 * * *", "Pacific/Apia", "2011-12-01T00:00:00Z")[0],
        "steady: on 2011-12-30 the clocks in Pacific/Apia go from 00:00 to 00:00 on 2011-12-31: there is no 05:00, but the distance between runs stays 1 day"
    );
}

const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/New_York",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Pacific/Apia",
    "UTC",
];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(3),
        ..ProptestConfig::default()
    })]

    /// Whatever is typed: the instants are those of the schedule, every note about a change names a day
    /// on which the offset changes, and no two notes say the same.
    #[test]
    fn a_preview_of_anything_is_sound(
        expression in prop_oneof![
            "[*0-9][-*/0-9,]{0,4} [*0-9][-*/0-9,]{0,4} [*0-9L][-*/0-9,]{0,3} [*0-9][-*/0-9,]{0,3} [*0-7][-*/0-7,#L]{0,3}",
            "(\\*/)?[0-5]?[0-9] [0-4](-[5-9])? [*] [*] [*]",
            "((Mon|Sun|Sat,Wed) )?(\\*-\\*[-~]([1-9]|[12][0-9]|31) )?([*]|[0-4]):(0/[1-9]|[*]|30)(:0/[0-9][.]5)?",
        ],
        zone in prop::sample::select(&ZONES[..]),
        from in 0_i64..4_000_000_000,
        count in 0_usize..40,
    ) {
        let schedule = Schedule::cron(&expression, zone)
            .or_else(|_| Schedule::on_calendar(&expression, zone));
        let Ok(schedule) = schedule else { return Ok(()) };
        let from = Timestamp::from_second(from).unwrap();
        let preview = schedule.preview(from, count);
        let instants: Vec<Timestamp> = preview.instants.iter().map(jiff::Zoned::timestamp).collect();
        prop_assert_eq!(instants, schedule.instants_after(from).take(count).collect::<Vec<_>>());
        prop_assert!(preview.notes.len() <= Preview::NOTES_MAX);
        for (at, note) in preview.notes.iter().enumerate() {
            prop_assert!(!preview.notes[..at].contains(note), "{:?}", note);
            if let Some(on) = note.on {
                let rules = preview.zone.rules();
                let day = on.to_zoned(rules.clone()).unwrap().timestamp();
                let before = day.checked_sub(jiff::SignedDuration::from_secs(1)).unwrap();
                let two_days_on = day.checked_add(jiff::SignedDuration::from_hours(48)).unwrap();
                let offset = rules.to_offset(before);
                let changes = rules.following(before).take_while(|it| it.timestamp() < two_days_on);
                prop_assert!(changes.into_iter().any(|it| it.offset() != offset), "{:?}", note);
            }
        }
    }

    /// The union of lines, searched line by line, gives what asking for the next of all gives.
    #[test]
    fn iterating_over_lines_gives_the_next_of_all(
        lines in prop::collection::vec("(Mon |Sun )?[0-4]:(0/20|30|\\*)( Europe/Berlin| Asia/Tokyo)?", 1..5),
        from in 1_700_000_000_i64..1_900_000_000,
    ) {
        let schedule = Schedule::on_calendar(&lines.join("\n"), "Australia/Lord_Howe").unwrap();
        let from = Timestamp::from_second(from).unwrap();
        let next = |at: &Timestamp| schedule.next_after(*at);
        let one_by_one = std::iter::successors(schedule.next_after(from), next);
        let expected: Vec<Timestamp> = one_by_one.take(60).collect();
        prop_assert_eq!(schedule.instants_after(from).take(60).collect::<Vec<_>>(), expected);
    }
}
