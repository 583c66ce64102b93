//! The recorded answers of Debian's cron, cronsim, systemd and oncalendar: see `vectors/README.md`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use jiff::Timestamp;
use nightbeat_calendar::{OnCalendar, Schedule, ScheduleError, Zone};

type Parse = fn(&str, &str, Timestamp) -> Result<Schedule, ScheduleError>;

fn cron(expression: &str, zone: &str, _from: Timestamp) -> Result<Schedule, ScheduleError> {
    Schedule::cron(expression, zone)
}

/// What is over before 2000 is refused, but for the questions that are older than that themselves.
fn on_calendar(expression: &str, zone: &str, from: Timestamp) -> Result<Schedule, ScheduleError> {
    let since = from.min(YEAR_2000);
    let events = OnCalendar::parse_since(expression, &Zone::named(zone)?, since)?;
    Ok(Schedule::OnCalendar(events))
}

const YEAR_2000: Timestamp = Timestamp::constant(946_684_800, 0);

fn unquote(json: &str) -> String {
    serde_json::from_str(json).unwrap()
}

/// Every line of `vectors` is answered as recorded, forwards and backwards.
fn answers(vectors: &str, lines: usize, parse: Parse) {
    let mut wrong = Vec::new();
    for line in vectors.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [id, expression, zone, from, next] = columns[..] else {
            panic!("five columns: {line}");
        };
        let expected: Vec<Timestamp> = next
            .split(',')
            .filter(|instant| !instant.is_empty())
            .map(|instant| instant.parse().unwrap())
            .collect();
        let start: Timestamp = from.parse().unwrap();
        let schedule = match parse(&unquote(expression), zone, start) {
            Ok(schedule) => schedule,
            Err(error) => {
                wrong.push(format!("{id} {expression}: {error}"));
                continue;
            }
        };
        let found: Vec<Timestamp> =
            std::iter::successors(schedule.next_after(start), |&at| schedule.next_after(at))
                .take(5)
                .collect();
        if found != expected {
            wrong.push(format!(
                "{id} {expression} {zone} {from}:\n  wanted {expected:?}\n  found  {found:?}"
            ));
        }
        for pair in expected.windows(2) {
            let back = schedule.previous_before(pair[1]);
            if back != Some(pair[0]) {
                wrong.push(format!(
                    "{id} {expression} {zone} before {}: wanted {}, found {back:?}",
                    pair[1], pair[0]
                ));
            }
        }
    }
    assert_eq!(vectors.lines().count(), lines);
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Every line of `vectors` is refused, but for aliases, which Debian's cron knows.
fn refusals(vectors: &str, lines: usize, parse: Parse) {
    let mut wrong = Vec::new();
    for line in vectors.lines() {
        let (expression, class) = line.split_once('\t').unwrap();
        let accepted = parse(&unquote(expression), "UTC", YEAR_2000).is_ok();
        // @reboot is an alias too, but no time: there is nothing to wait for.
        let right = class == "alias" && expression != "\"@reboot\"";
        if accepted != right {
            wrong.push(format!("{expression} ({class}): accepted: {accepted}"));
        }
    }
    assert_eq!(vectors.lines().count(), lines);
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn cron_where_debian_and_cronsim_agree() {
    answers(include_str!("vectors/cron.tsv"), 4351, cron);
}

#[test]
fn cron_where_only_debian_is_right() {
    let vectors = include_str!("vectors/cron_debian_only.tsv");
    answers(vectors, 236, cron);
}

#[test]
fn cron_refuses() {
    refusals(include_str!("vectors/cron_invalid.tsv"), 1297, cron);
}

#[test]
fn oncalendar_where_systemd_and_oncalendar_agree() {
    let vectors = include_str!("vectors/oncalendar.tsv");
    answers(vectors, 2513, on_calendar);
}

#[test]
fn oncalendar_where_they_disagree_at_clock_changes() {
    let vectors = include_str!("vectors/oncalendar_rule_only.tsv");
    answers(vectors, 103, on_calendar);
}

#[test]
fn oncalendar_refuses() {
    let vectors = include_str!("vectors/oncalendar_invalid.tsv");
    refusals(vectors, 1265, on_calendar);
}
