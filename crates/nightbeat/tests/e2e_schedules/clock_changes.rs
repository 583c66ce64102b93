//! The nights in which clocks change, and months without a 31st.
//!
//! Berlin: on 28 March 2027 from 02:00 to 03:00 (01:00 UTC), on 31 October 2027 from 03:00 back to 02:00
//! (01:00 UTC). Lord Howe: on 4 April 2027 from 02:00 back to 01:30 (15:00 UTC the day before), on 3 October
//! 2027 from 02:00 to 02:30 (15:30 UTC the day before).

use std::time::Duration;

use crate::story::{Job, MINUTE, happens};

const BERLIN: &str = "Europe/Berlin";
const LORD_HOWE: &str = "Australia/Lord_Howe";
const GRACE: Duration = Duration::from_secs(300);

/// cron makes up at 03:00 for what the clocks skip; systemd leaves it out.
#[tokio::test(flavor = "multi_thread")]
async fn at_half_past_two_in_spring() {
    const CRON: &[&str] = &[
        "2027-03-27T01:30:00Z",
        "2027-03-28T01:00:00Z",
        "2027-03-29T00:30:00Z",
        "2027-03-30T00:30:00Z",
    ];
    const SYSTEMD: &[&str] = &[
        "2027-03-27T01:30:00Z",
        "2027-03-29T00:30:00Z",
        "2027-03-30T00:30:00Z",
    ];
    // On a machine whose clock is three seconds ahead: each counts for the instant that it precedes.
    const EARLY: &[&str] = &[
        "2027-03-27T01:29:57Z",
        "2027-03-28T00:59:57Z",
        "2027-03-29T00:29:57Z",
        "2027-03-30T00:29:57Z",
    ];
    let cron = |name, runs| Job::cron(name, "30 2 * * *", BERLIN, GRACE, runs);
    let calendar = |name, runs| Job::calendar(name, "02:30", BERLIN, GRACE, runs);
    happens(
        "2027-03-26T12:00:00Z",
        vec![
            cron("well, cron", CRON),
            cron("misses the change, cron", &CRON[..1]).told(&["down 2027-03-28T01:05:00Z"]),
            cron("misses the night after, cron", &CRON[..2]).told(&["down 2027-03-29T00:35:00Z"]),
            calendar("well, systemd", SYSTEMD),
            calendar("misses the night after, systemd", &SYSTEMD[..1])
                .told(&["down 2027-03-29T00:35:00Z"]),
            calendar("misses the second night after, systemd", &SYSTEMD[..2])
                .told(&["down 2027-03-30T00:35:00Z"]),
            cron("well, three seconds early", EARLY).at_once(),
            cron("early, misses the second night after", &EARLY[..3])
                .at_once()
                .told(&["down 2027-03-30T00:35:00Z"]),
        ],
    )
    .await;
}

/// A job by its name and runs.
type Make = fn(&'static str, &'static [&'static str]) -> Job;

/// 02:30 comes twice; cron and systemd both run the job the first time only.
#[tokio::test(flavor = "multi_thread")]
async fn at_half_past_two_in_autumn() {
    const WELL: &[&str] = &[
        "2027-10-30T00:30:00Z",
        "2027-10-31T00:30:00Z",
        "2027-11-01T01:30:00Z",
        "2027-11-02T01:30:00Z",
    ];
    let mut jobs = Vec::new();
    let kinds: [Make; 2] = [
        |name, runs| Job::cron(name, "30 2 * * *", BERLIN, GRACE, runs),
        |name, runs| Job::calendar(name, "02:30", BERLIN, GRACE, runs),
    ];
    for job in kinds {
        jobs.push(job("well", WELL));
        jobs.push(job("misses the change", &WELL[..1]).told(&["down 2027-10-31T00:35:00Z"]));
        jobs.push(job("misses the night after", &WELL[..2]).told(&["down 2027-11-01T01:35:00Z"]));
    }
    happens("2027-10-29T12:00:00Z", jobs).await;
}

/// systemd counts 02:00 to 02:59 once: 75 minutes without an instant. cron follows the clock: every quarter of
/// both hours.
#[tokio::test(flavor = "multi_thread")]
async fn every_quarter_of_an_hour_in_autumn() {
    const SYSTEMD: &[&str] = &[
        "2027-10-31T00:30:00Z",
        "2027-10-31T00:45:00Z",
        "2027-10-31T02:00:00Z",
        "2027-10-31T02:15:00Z",
    ];
    const CRON: &[&str] = &[
        "2027-10-31T00:30:00Z",
        "2027-10-31T00:45:00Z",
        "2027-10-31T01:00:00Z",
        "2027-10-31T01:15:00Z",
        "2027-10-31T01:30:00Z",
        "2027-10-31T01:45:00Z",
        "2027-10-31T02:00:00Z",
        "2027-10-31T02:15:00Z",
    ];
    // On a machine whose clock is three seconds ahead.
    const EARLY: &[&str] = &[
        "2027-10-31T00:29:57Z",
        "2027-10-31T00:44:57Z",
        "2027-10-31T01:59:57Z",
        "2027-10-31T02:14:57Z",
    ];
    let calendar = |name, runs| Job::calendar(name, "*:0/15", BERLIN, 2 * MINUTE, runs);
    let cron = |name, runs| Job::cron(name, "*/15 * * * *", BERLIN, 2 * MINUTE, runs);
    happens(
        "2027-10-31T00:20:00Z",
        vec![
            calendar("well, systemd", SYSTEMD),
            calendar("misses the last before the hole", &SYSTEMD[..1])
                .told(&["down 2027-10-31T00:47:00Z"]),
            calendar("misses the first after the hole", &SYSTEMD[..2])
                .told(&["down 2027-10-31T02:02:00Z"]),
            calendar("misses the second after the hole", &SYSTEMD[..3])
                .told(&["down 2027-10-31T02:17:00Z"]),
            calendar("well, three seconds early", EARLY).at_once(),
            calendar("early, misses the first after the hole", &EARLY[..2])
                .at_once()
                .told(&["down 2027-10-31T02:02:00Z"]),
            cron("well, cron", CRON),
            cron("misses the second two o'clock", &CRON[..2]).told(&["down 2027-10-31T01:02:00Z"]),
            cron("misses half past two, the second time", &CRON[..4])
                .told(&["down 2027-10-31T01:32:00Z"]),
            cron("misses three o'clock", &CRON[..6]).told(&["down 2027-10-31T02:02:00Z"]),
        ],
    )
    .await;
}

/// Half an hour comes twice; 01:45 is in it, and counts the first time.
#[tokio::test(flavor = "multi_thread")]
async fn half_an_hour_back_on_lord_howe() {
    const WELL: &[&str] = &[
        "2027-04-02T14:45:00Z",
        "2027-04-03T14:45:00Z",
        "2027-04-04T15:15:00Z",
    ];
    let cron = |name, runs| Job::cron(name, "45 1 * * *", LORD_HOWE, GRACE, runs);
    let calendar = |name, runs| Job::calendar(name, "01:45", LORD_HOWE, GRACE, runs);
    happens(
        "2027-04-02T12:00:00Z",
        vec![
            cron("well, cron", WELL),
            calendar("well, systemd", WELL),
            cron("misses the change, cron", &WELL[..1]).told(&["down 2027-04-03T14:50:00Z"]),
            calendar("misses the night after, systemd", &WELL[..2])
                .told(&["down 2027-04-04T15:20:00Z"]),
        ],
    )
    .await;
}

/// Half an hour is skipped; 02:15 is in it. cron runs it at 02:30, systemd the next night.
#[tokio::test(flavor = "multi_thread")]
async fn half_an_hour_on_at_lord_howe() {
    const CRON: &[&str] = &[
        "2027-10-01T15:45:00Z",
        "2027-10-02T15:30:00Z",
        "2027-10-03T15:15:00Z",
    ];
    const SYSTEMD: &[&str] = &["2027-10-01T15:45:00Z", "2027-10-03T15:15:00Z"];
    let cron = |name, runs| Job::cron(name, "15 2 * * *", LORD_HOWE, GRACE, runs);
    let calendar = |name, runs| Job::calendar(name, "02:15", LORD_HOWE, GRACE, runs);
    happens(
        "2027-10-01T12:00:00Z",
        vec![
            cron("well, cron", CRON),
            calendar("well, systemd", SYSTEMD),
            cron("misses the change, cron", &CRON[..1]).told(&["down 2027-10-02T15:35:00Z"]),
            cron("misses the night after, cron", &CRON[..2]).told(&["down 2027-10-03T15:20:00Z"]),
            calendar("misses the night after, systemd", &SYSTEMD[..1])
                .told(&["down 2027-10-03T15:20:00Z"]),
        ],
    )
    .await;
}

/// February, April and June have no 31st, and between January and March the offset changes.
#[tokio::test(flavor = "multi_thread")]
async fn on_the_thirty_first() {
    const WELL: &[&str] = &[
        "2027-01-31T02:00:00Z",
        "2027-03-31T01:00:00Z",
        "2027-05-31T01:00:00Z",
    ];
    let cron = |name, runs| Job::cron(name, "0 3 31 * *", BERLIN, GRACE, runs);
    let calendar = |name, runs| Job::calendar(name, "*-*-31 03:00", BERLIN, GRACE, runs);
    happens(
        "2027-01-30T12:00:00Z",
        vec![
            cron("well, cron", WELL),
            calendar("well, systemd", WELL),
            cron("misses March, cron", &WELL[..1]).told(&["down 2027-03-31T01:05:00Z"]),
            calendar("misses May, systemd", &WELL[..2]).told(&["down 2027-05-31T01:05:00Z"]),
        ],
    )
    .await;
}
