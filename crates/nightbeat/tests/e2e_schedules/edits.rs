//! A person edits the schedule or the zone while the job is late, or down. Lisbon is an hour behind Berlin.

use serde_json::{Value, json};

use crate::story::{Job, MINUTE, happens};

fn cron(expression: &str, zone: &str) -> Value {
    json!({"schedule": {"cron": expression, "timezone": zone}})
}

/// It ran in the night of the change, and is expected at 00:30 UTC the night after.
fn nightly(name: &'static str, grace: u32, runs: &'static [&'static str]) -> Job {
    Job::cron(name, "30 2 * * *", "Europe/Berlin", grace * MINUTE, runs)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_late() {
    const LATE: &str = "2027-03-29T00:35:00Z";
    let to_lisbon = || cron("30 2 * * *", "Europe/Lisbon");
    let to_five_minutes_before = || cron("25 2 * * *", "Europe/Berlin");
    let to_four = || cron("0 4 * * *", "Europe/Berlin");
    let grace = |minutes: u64| json!({"grace": minutes * 60});
    happens(
        "2027-03-27T12:00:00Z",
        vec![
            nightly(
                "not edited",
                10,
                &[
                    "2027-03-28T01:00:00Z",
                    "2027-03-29T00:30:00Z",
                    "2027-03-30T00:30:00Z",
                ],
            ),
            nightly(
                "zone, well",
                10,
                &[
                    "2027-03-28T01:00:00Z",
                    "2027-03-29T01:30:00Z",
                    "2027-03-30T01:30:00Z",
                ],
            )
            .edited(LATE, to_lisbon()),
            nightly("zone, dead", 10, &["2027-03-28T01:00:00Z"])
                .edited(LATE, to_lisbon())
                .told(&["down 2027-03-29T01:40:00Z"]),
            nightly(
                "to an earlier time, late but well",
                10,
                &[
                    "2027-03-28T01:00:00Z",
                    "2027-03-29T00:40:00Z",
                    "2027-03-30T00:25:00Z",
                ],
            )
            .edited(LATE, to_five_minutes_before()),
            nightly("to an earlier time, dead", 10, &["2027-03-28T01:00:00Z"])
                .edited(LATE, to_five_minutes_before())
                .told(&["down 2027-03-29T00:45:00Z"]),
            nightly(
                "to a later time, well",
                10,
                &["2027-03-28T01:00:00Z", "2027-03-29T02:00:00Z"],
            )
            .edited(LATE, to_four()),
            nightly("to a later time, dead", 10, &["2027-03-28T01:00:00Z"])
                .edited(LATE, to_four())
                .told(&["down 2027-03-29T02:10:00Z"]),
            nightly("more grace, dead", 10, &["2027-03-28T01:00:00Z"])
                .edited(LATE, grace(20))
                .told(&["down 2027-03-29T00:50:00Z"]),
            nightly("less grace, dead", 10, &["2027-03-28T01:00:00Z"])
                .edited(LATE, grace(6))
                .told(&["down 2027-03-29T00:36:00Z"]),
        ],
    )
    .await;
}

/// Nothing was late: the instants that the new schedule had before the edit were never expected.
#[tokio::test(flavor = "multi_thread")]
async fn in_the_afternoon_to_a_time_that_has_passed() {
    const AFTERNOON: &str = "2027-03-28T15:00:00Z";
    let to_noon = || cron("0 12 * * *", "Europe/Berlin");
    let to_new_york = || cron("30 2 * * *", "America/New_York");
    happens(
        "2027-03-27T12:00:00Z",
        vec![
            nightly(
                "schedule, well",
                10,
                &["2027-03-28T01:00:00Z", "2027-03-29T10:00:00Z"],
            )
            .edited(AFTERNOON, to_noon()),
            nightly("schedule, dead", 10, &["2027-03-28T01:00:00Z"])
                .edited(AFTERNOON, to_noon())
                .told(&["down 2027-03-29T10:10:00Z"]),
            // There it is 02:30 at 06:30 UTC.
            nightly(
                "zone, well",
                10,
                &["2027-03-28T01:00:00Z", "2027-03-29T06:30:00Z"],
            )
            .edited(AFTERNOON, to_new_york()),
            nightly("zone, dead", 10, &["2027-03-28T01:00:00Z"])
                .edited(AFTERNOON, to_new_york())
                .told(&["down 2027-03-29T06:40:00Z"]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_down() {
    const DOWN: &str = "2027-03-29T00:45:00Z";
    let to_lisbon = || cron("30 2 * * *", "Europe/Lisbon");
    let to_one = || cron("0 1 * * *", "Europe/Berlin");
    happens(
        "2027-03-27T12:00:00Z",
        vec![
            // In Lisbon it is due an hour later; what was missed was missed.
            nightly(
                "zone, then it runs",
                5,
                &["2027-03-28T01:00:00Z", "2027-03-29T01:30:00Z"],
            )
            .edited(DOWN, to_lisbon())
            .told(&["down 2027-03-29T00:35:00Z", "up 2027-03-29T01:30:00Z"]),
            nightly("zone, and it stays dead", 5, &["2027-03-28T01:00:00Z"])
                .edited(DOWN, to_lisbon())
                .told(&["down 2027-03-29T00:35:00Z"]),
            // By the new schedule it is as overdue as by the old one.
            nightly("schedule, dead", 5, &["2027-03-28T01:00:00Z"])
                .edited(DOWN, to_one())
                .told(&["down 2027-03-29T00:35:00Z"]),
            nightly(
                "schedule, back the next night",
                5,
                &["2027-03-28T01:00:00Z", "2027-03-29T23:00:00Z"],
            )
            .edited(DOWN, to_one())
            .told(&["down 2027-03-29T00:35:00Z", "up 2027-03-29T23:00:00Z"]),
        ],
    )
    .await;
}
