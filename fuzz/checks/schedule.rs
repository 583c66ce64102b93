//! What holds for every schedule. The input is `MICROSECONDS ZONE` and, from the second line on, an
//! expression, which is read as a number of seconds, as cron and as calendar events.

use jiff::Timestamp;
use nightbeat_calendar::{Schedule, ScheduleError};

/// Instants that are looked at in each direction.
const STEPS: usize = 4;

/// Fails where a schedule is read or walked wrongly.
pub(crate) fn check(input: &str) {
    let (head, expression) = input.split_once('\n').unwrap_or(("", input));
    let (micros, zone) = head.split_once(' ').unwrap_or((head, "UTC"));
    let micros = micros.parse().unwrap_or_default();
    let from = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
    if let Ok(seconds) = expression.parse() {
        read(Schedule::every_seconds(seconds), from);
    }
    read(Schedule::cron(expression, zone), from);
    read(Schedule::on_calendar(expression, zone), from);
}

fn read(schedule: Result<Schedule, ScheduleError>, from: Timestamp) {
    match schedule {
        Ok(schedule) => {
            assert!(!schedule.explain().is_empty());
            stored(&schedule);
            forwards(&schedule, from);
            backwards(&schedule, from);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn stored(schedule: &Schedule) {
    let json = serde_json::to_string(schedule).expect("a schedule is JSON");
    let again: Schedule = serde_json::from_str(&json).expect("what was stored can be read");
    assert_eq!(*schedule, again);
    assert_eq!(schedule.explain(), again.explain());
}

fn forwards(schedule: &Schedule, from: Timestamp) {
    let mut at = from;
    for next in schedule.instants_after(from).take(STEPS) {
        assert!(next > at, "{schedule:?}: {next} is not after {at}");
        if let Some(back) = schedule.previous_before(next) {
            assert!(
                back <= at,
                "{schedule:?}: {back} lies between {at} and {next}"
            );
        }
        at = next;
    }
}

fn backwards(schedule: &Schedule, from: Timestamp) {
    let mut at = from;
    for _ in 0..STEPS {
        let Some(previous) = schedule.previous_before(at) else {
            return;
        };
        assert!(previous < at, "{schedule:?}: {previous} is not before {at}");
        if let Some(forth) = schedule.next_after(previous) {
            assert!(
                forth >= at,
                "{schedule:?}: {forth} lies between {previous} and {at}"
            );
        }
        at = previous;
    }
}
