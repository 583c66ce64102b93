//! Which grace is suggested, by the runs that were seen.

use std::time::Duration;

use nightbeat_domain::{
    Awaited, GraceFit, GraceSuggestion, LastRun, Outcome, SUGGESTION_RUNS_MAX, Schedule, Settings,
    State, UnixMicros, suggest_grace,
};
use proptest::prelude::*;

use crate::cast::{DAY, HOUR, MINUTE, at};

/// A heartbeat created at the story's beginning.
struct Job {
    settings: Settings,
    runs: Vec<LastRun>,
    armed_at: UnixMicros,
}

impl Job {
    fn on(schedule: Schedule, grace: Duration) -> Self {
        let mut settings = Settings::new(schedule);
        settings.grace = grace;
        Self {
            settings,
            runs: Vec::new(),
            armed_at: at("00:00"),
        }
    }

    fn cron(expression: &str, grace: Duration) -> Self {
        Self::on(Schedule::cron(expression, "UTC").unwrap(), grace)
    }

    fn every(interval: Duration, grace: Duration) -> Self {
        Self::on(Schedule::every_seconds(interval.as_secs()).unwrap(), grace)
    }

    /// A run from `started_at` to `ended_at`.
    fn run(mut self, started_at: &str, ended_at: &str) -> Self {
        self.runs.push(run(Some(at(started_at)), at(ended_at)));
        self
    }

    /// A success without a start.
    fn success(mut self, ended_at: &str) -> Self {
        self.runs.push(run(None, at(ended_at)));
        self
    }

    /// Runs that begin at 03:30 on days 1, 2, …, and take this many minutes.
    fn nights(mut self, minutes: &[u64]) -> Self {
        for (day, minutes) in minutes.iter().enumerate() {
            let started_at = at("03:30") + DAY * day as u32;
            self.runs
                .push(run(Some(started_at), started_at + MINUTE * *minutes as u32));
        }
        self
    }

    fn without_starts(mut self) -> Self {
        for run in &mut self.runs {
            run.started_at = None;
        }
        self
    }

    fn suggestion(&self) -> Option<GraceSuggestion> {
        let mut state = State::new(&self.settings, at("00:00"));
        state.armed_at = self.armed_at;
        suggest_grace(&self.settings, &state, &self.runs, at("60d 00:00"))
    }

    #[track_caller]
    fn suggests(&self) -> GraceSuggestion {
        self.suggestion().expect("enough runs")
    }
}

fn run(started_at: Option<UnixMicros>, ended_at: UnixMicros) -> LastRun {
    LastRun {
        started_at,
        ended_at,
        outcome: Outcome::Ok,
    }
}

#[test]
fn twice_the_slowest_rounded_up_is_comfortable() {
    let job = Job::cron("30 3 * * *", MINUTE * 90).nights(&[12, 41, 20, 15, 30]);
    assert_eq!(
        job.suggests(),
        GraceSuggestion {
            grace: MINUTE * 90,
            fit: GraceFit::Comfortable,
            runs: 5,
            took: Some((MINUTE * 12, MINUTE * 41)),
            latest: Some(MINUTE * 41),
            awaited: Awaited::Success,
            overlap: None,
        }
    );
}

#[test]
fn four_successes_say_too_little() {
    let four = Job::cron("30 3 * * *", HOUR).nights(&[12, 41, 20, 15]);
    assert_eq!(four.suggestion(), None);
    // Of the first success without a start nobody knows for when it came.
    let five = Job::cron("30 3 * * *", HOUR).nights(&[12, 41, 20, 15, 30]);
    assert_eq!(five.without_starts().suggestion(), None);
}

#[test]
fn failures_are_no_successes_but_move_what_is_expected() {
    let mut job = Job::cron("30 3 * * *", HOUR).nights(&[10, 10, 300, 10, 10, 10]);
    job.runs[2].outcome = Outcome::Failed;
    assert_eq!(job.suggests().latest, Some(MINUTE * 10));
    assert_eq!(job.suggests().runs, 5);
    job.runs[3].outcome = Outcome::Warning;
    assert_eq!(job.suggests().runs, 5);
    job.runs[4].outcome = Outcome::Failed;
    assert_eq!(job.suggestion(), None);
}

#[test]
fn without_starts_only_lateness_is_seen() {
    let job = Job::cron("30 3 * * *", MINUTE * 50).nights(&[12, 41, 20, 15, 30, 12]);
    let suggestion = job.without_starts().suggests();
    assert_eq!(suggestion.took, None);
    assert_eq!(suggestion.latest, Some(MINUTE * 41));
    assert_eq!(suggestion.grace, MINUTE * 90);
    assert_eq!(suggestion.fit, GraceFit::Short);
}

#[test]
fn a_weekend_away_is_not_taken_for_a_slow_run() {
    let job = Job::cron("30 3 * * *", HOUR)
        .success("1d 03:40")
        .success("2d 03:41")
        // Two nights are missing.
        .success("5d 03:40")
        .success("6d 03:40")
        .success("7d 03:40")
        .success("8d 03:40");
    // The one after the weekend says nothing about an instant that was missed before it.
    assert_eq!(job.suggestion(), None);
    let job = job.success("9d 03:40");
    assert_eq!(job.suggests().latest, Some(MINUTE * 11));
}

#[test]
fn a_run_out_of_turn_counts_by_its_length_only() {
    let job = Job::cron("30 3 * * *", HOUR)
        .nights(&[10, 10, 10, 10, 10])
        .run("2d 15:00", "2d 15:20");
    let suggestion = job.suggests();
    assert_eq!(suggestion.latest, Some(MINUTE * 10));
    assert_eq!(suggestion.took, Some((MINUTE * 10, MINUTE * 20)));
    assert_eq!(suggestion.runs, 6);
}

#[test]
fn runs_of_an_earlier_schedule_are_not_taken_for_late_ones() {
    // It ran at 02:20 until now; it shall run at 03:30.
    let mut job = Job::cron("30 3 * * *", HOUR);
    for day in 1..=10 {
        job = job.success(&format!("{day}d 02:20"));
    }
    assert_eq!(job.suggestion(), None);
}

#[test]
fn a_clock_that_is_ahead_is_in_time() {
    let mut job = Job::cron("30 3 * * *", MINUTE);
    for day in 1..=6 {
        job = job.success(&format!("{day}d 03:29:57"));
    }
    let suggestion = job.suggests();
    assert_eq!(suggestion.latest, Some(Duration::ZERO));
    assert_eq!(suggestion.grace, MINUTE);
}

#[test]
fn a_pause_is_not_taken_for_a_slow_run() {
    let mut job = Job::cron("30 3 * * 1", HOUR);
    for day in [1, 8, 15, 22, 29] {
        job = job.success(&format!("{day}d 03:40"));
    }
    job = job.success("37d 03:40");
    let day_and_ten_minutes = Some(DAY + MINUTE * 10);
    assert_eq!(job.suggests().latest, day_and_ten_minutes, "for day 36");
    // Resumed on day 37, it was expected on day 43.
    job.armed_at = at("37d 03:00");
    job = job.success("43d 03:40");
    assert_eq!(job.suggests().latest, Some(MINUTE * 10));
}

#[test]
fn without_a_known_zone_nothing_is_suggested() {
    let stored = r#"{"cron":"30 3 * * *","timezone":"Atlantis/Old_Town"}"#;
    let stored = serde_json::from_str::<serde_json::Value>(stored).unwrap();
    let schedule = Schedule::deserialize_stored(stored).unwrap();
    let job = Job::on(schedule, HOUR).nights(&[10, 10, 10, 10, 10, 10]);
    assert_eq!(job.suggestion(), None);
}

#[test]
fn a_longest_run_time_leaves_the_start_to_wait_for() {
    let mut job = Job::cron("30 3 * * *", MINUTE * 5).nights(&[180, 200, 190, 180, 210, 200]);
    job.settings.max_run_time = Some(HOUR * 6);
    let suggestion = job.suggests();
    assert_eq!(suggestion.awaited, Awaited::Start);
    assert_eq!(suggestion.latest, Some(Duration::ZERO));
    assert_eq!(suggestion.grace, MINUTE * 5);
    assert_eq!(suggestion.fit, GraceFit::Comfortable);
    // One run that did not say when it started: the grace must wait for its end.
    job.runs[3].started_at = None;
    assert_eq!(job.suggests().awaited, Awaited::Success);
    assert_eq!(job.suggests().grace, HOUR * 8);
    assert_eq!(job.suggests().fit, GraceFit::Short);
}

#[test]
fn a_grace_does_not_hide_the_next_instant() {
    let mut job = Job::cron("*/15 * * * *", MINUTE * 10);
    for hour in 1..=6 {
        job = job.run(&format!("{hour}:00"), &format!("{hour}:08"));
        job = job.run(&format!("{hour}:15"), &format!("{hour}:24"));
    }
    let suggestion = job.suggests();
    assert_eq!(
        suggestion.grace,
        MINUTE * 15,
        "not 30, which is two instants"
    );
    assert_eq!(suggestion.fit, GraceFit::Short);
    assert_eq!(suggestion.overlap, None);
}

#[test]
fn runs_that_overlap_are_said_to() {
    let mut job = Job::cron("*/5 * * * *", MINUTE * 15);
    for minute in (0..60).step_by(5) {
        let started_at = at("01:00") + MINUTE * minute;
        job.runs
            .push(run(Some(started_at), started_at + MINUTE * 7));
    }
    let suggestion = job.suggests();
    assert_eq!(suggestion.overlap, Some(MINUTE * 5));
    assert_eq!(suggestion.took, Some((MINUTE * 7, MINUTE * 7)));
    assert_eq!(suggestion.fit, GraceFit::Comfortable);
    job.settings.grace = MINUTE * 5;
    assert_eq!(
        job.suggests().grace,
        MINUTE * 10,
        "never less than was seen"
    );
}

#[test]
fn a_job_that_skips_while_it_runs_overlaps_too() {
    let mut job = Job::cron("*/5 * * * *", MINUTE * 15);
    for minute in (0..60).step_by(10) {
        let started_at = at("01:00") + MINUTE * minute;
        job.runs
            .push(run(Some(started_at), started_at + MINUTE * 7));
    }
    assert_eq!(job.suggests().overlap, Some(MINUTE * 5));
    assert_eq!(job.suggests().latest, Some(MINUTE * 7));
}

#[test]
fn a_long_grace_is_said_to_detect_late_only_where_that_matters() {
    let hourly = |grace| {
        let mut job = Job::cron("0 * * * *", grace);
        for hour in 1..=8 {
            job = job.run(&format!("{hour}:00"), &format!("{hour}:00:10"));
        }
        job.suggests()
    };
    assert_eq!(hourly(HOUR).fit, GraceFit::Long);
    assert_eq!(hourly(HOUR).grace, MINUTE);
    assert_eq!(hourly(MINUTE * 15).fit, GraceFit::Comfortable);
    let nightly = Job::cron("30 3 * * *", HOUR).nights(&[0, 1, 0, 1, 0]);
    assert_eq!(nightly.suggests().fit, GraceFit::Comfortable);
}

#[test]
fn an_interval_of_days_leaves_room_for_the_day_with_25_hours() {
    let days = |grace| Job::every(DAY, grace).nights(&[10, 11, 10, 12, 10, 10]);
    let suggestion = days(HOUR).suggests();
    assert_eq!(suggestion.latest, Some(MINUTE * 2));
    assert_eq!(suggestion.fit, GraceFit::ShortOnLongDays);
    assert_eq!(suggestion.grace, MINUTE * 90);
    assert_eq!(days(MINUTE * 80).suggests().fit, GraceFit::Comfortable);
    assert_eq!(days(MINUTE * 10).suggests().fit, GraceFit::Short);
    // Half a day is no whole day.
    let mut half = Job::every(DAY / 2, MINUTE * 30);
    for number in 0..8 {
        half.runs.push(run(None, at("01:00") + DAY / 2 * number));
    }
    assert_eq!(half.suggests().fit, GraceFit::Comfortable);
}

#[test]
fn a_run_in_an_interval_may_take_longer_than_it_is_late() {
    // Each run ends an hour after the one before: none is late, and each may run for the grace only.
    let mut job = Job::every(HOUR, MINUTE * 20);
    for hour in 1..=6 {
        let ended_at = at("00:30") + HOUR * hour;
        job.runs.push(run(Some(ended_at - MINUTE * 20), ended_at));
    }
    assert_eq!(job.suggests().latest, Some(Duration::ZERO));
    assert_eq!(job.suggests().grace, MINUTE * 45);
    assert_eq!(job.suggests().fit, GraceFit::Short);
}

#[test]
fn only_the_newest_runs_count() {
    let mut minutes = vec![10; SUGGESTION_RUNS_MAX + 1];
    minutes[0] = 300;
    let mut job = Job::cron("30 3 * * *", HOUR).nights(&minutes);
    job.runs.reverse();
    let suggestion = job.suggests();
    assert_eq!(suggestion.runs, SUGGESTION_RUNS_MAX);
    assert_eq!(suggestion.took, Some((MINUTE * 10, MINUTE * 10)));
}

#[test]
fn seconds_apart_is_no_reason_for_minutes_of_grace() {
    let mut job = Job::every(Duration::from_secs(10), MINUTE * 5);
    for number in 0..10 {
        let late = Duration::from_millis(200) * number;
        job.runs.push(run(
            None,
            at("01:00") + Duration::from_secs(10) * number + late,
        ));
    }
    assert_eq!(job.suggests().grace, Duration::from_secs(10));
    assert_eq!(job.suggests().fit, GraceFit::Long);
}

fn schedules() -> impl Strategy<Value = Schedule> {
    prop_oneof![
        (1_u64..100_000).prop_map(|seconds| Schedule::every_seconds(seconds).unwrap()),
        prop::sample::select(vec![
            "30 3 * * *",
            "*/5 * * * *",
            "0 */6 * * 1-5",
            "5 2,3 1 * *"
        ])
        .prop_map(|text| Schedule::cron(text, "Europe/Berlin").unwrap()),
    ]
}

/// Seconds, short and long ones.
fn seconds() -> impl Strategy<Value = u64> {
    (0_u32..22).prop_flat_map(|bits| 0..=(1_u64 << bits))
}

/// Runs that start when they are expected and take this many seconds each; with the grace set so that the
/// suggestion is always its own.
fn suggested(schedule: &Schedule, takes: &[u64]) -> Option<GraceSuggestion> {
    let mut job = Job::on(schedule.clone(), Duration::from_secs(1));
    let mut free = at("00:00");
    for seconds in takes {
        let started_at = schedule.next_after(free.timestamp()).unwrap().into();
        let ended_at = started_at + Duration::from_secs(*seconds);
        job.runs.push(run(Some(started_at), ended_at));
        free = ended_at;
    }
    job.suggestion()
}

proptest! {
    #[test]
    fn what_is_suggested_is_enough_and_bounded(
        schedule in schedules(),
        takes in prop::collection::vec(seconds(), 5..12),
    ) {
        let Some(found) = suggested(&schedule, &takes) else {
            return Err(TestCaseError::fail("five runs with starts are enough"));
        };
        let slowest = found.latest.unwrap_or_default().max(found.took.unwrap().1);
        let smallest = schedule.spacing_after(at("60d 00:00").timestamp()).unwrap().smallest;
        if found.fit == GraceFit::Comfortable {
            prop_assert_eq!(found.grace, Duration::from_secs(1));
        } else {
            prop_assert!(found.grace >= slowest, "{found:?}");
            prop_assert!(found.grace <= Settings::SPAN_MAX);
            // Four times: rounding up doubles and a half at most. A day with 25 hours may add its own.
            let most = slowest * 5 + MINUTE + HOUR * 2;
            prop_assert!(found.grace <= smallest.max(most), "{found:?} of {smallest:?}");
        }
        prop_assert_eq!(found.overlap.is_some(), found.took.unwrap().1 > smallest);
    }

    #[test]
    fn slower_runs_never_suggest_less(
        schedule in schedules(),
        takes in prop::collection::vec(seconds(), 5..12),
        longer in seconds(),
    ) {
        // All run out of turn by their length alone: what is late would depend on where they fall.
        let grace = |takes: &[u64]| {
            let mut job = Job::on(schedule.clone(), Duration::from_secs(1));
            for (number, seconds) in takes.iter().enumerate() {
                let ended_at = at("10d 00:00") + Duration::from_micros(number as u64);
                let started_at = ended_at - Duration::from_secs(*seconds);
                job.runs.push(run(Some(started_at), ended_at));
            }
            job.suggests()
        };
        let before = grace(&takes);
        let mut slower = takes.clone();
        slower[0] += longer;
        let after = grace(&slower);
        let rounded = |found: GraceSuggestion| match found.fit {
            GraceFit::Comfortable => Duration::ZERO,
            _ => found.grace,
        };
        prop_assert!(rounded(after) >= rounded(before), "{before:?} {after:?}");
    }
}
