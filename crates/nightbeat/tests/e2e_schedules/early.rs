//! A machine whose clock is three seconds ahead.

use crate::story::{Job, MINUTE, happens};

/// Each signal counts for the instant that it precedes, in the night of the change too: nothing is told
/// until a whole instant goes by.
#[tokio::test(flavor = "multi_thread")]
async fn three_seconds_before_its_instant() {
    const NIGHTS: &[&str] = &[
        "2027-03-27T01:29:57Z",
        "2027-03-28T00:59:57Z",
        "2027-03-29T00:29:57Z",
        "2027-03-30T00:29:57Z",
    ];
    let berlin = "Europe/Berlin";
    let job = |name, runs| Job::cron(name, "30 2 * * *", berlin, 5 * MINUTE, runs).at_once();
    happens(
        "2027-03-26T12:00:00Z",
        vec![
            job("well", NIGHTS),
            job("misses the second night after", &NIGHTS[..3]).told(&["down 2027-03-30T00:35:00Z"]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_seconds_before_each_quarter_over_the_autumn_change() {
    const QUARTERS: &[&str] = &[
        "2027-10-31T00:29:57Z",
        "2027-10-31T00:44:57Z",
        "2027-10-31T01:59:57Z",
        "2027-10-31T02:14:57Z",
    ];
    let berlin = "Europe/Berlin";
    let job = |name, runs| Job::calendar(name, "*:0/15", berlin, 2 * MINUTE, runs).at_once();
    happens(
        "2027-10-31T00:20:00Z",
        vec![
            job("well", QUARTERS),
            job("misses the first after the hole", &QUARTERS[..2])
                .told(&["down 2027-10-31T02:02:00Z"]),
        ],
    )
    .await;
}
