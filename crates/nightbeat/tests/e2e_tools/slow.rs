//! Twenty minutes become three hours: the server's clock is one that the test moves, the job is real.

use std::time::Duration;

use serde_json::json;

use crate::world::{Way, World};

/// How long the job takes.
const USUAL: Duration = Duration::from_secs(20 * 60);
/// How long it takes in the bad night: first a little more than an hour, then the rest of three.
const SLOW: [Duration; 2] = [
    Duration::from_secs(3_600 + 60),
    Duration::from_secs(2 * 3_600 - 60),
];

/// As many good runs as the built-in rules want to see.
const GOOD_NIGHTS: usize = 5;

const JOB: &str = "while ! test -e go; do sleep 0.05; done; rm go; rsync -a --stats source/ copy/";

#[tokio::test(flavor = "multi_thread")]
async fn twenty_minutes_become_three_hours_and_curl_tells() {
    become_three_hours(Way::Curl).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_minutes_become_three_hours_and_the_wrapper_tells() {
    become_three_hours(Way::Wrapper).await;
}

/// A rule finds it at the end of the run, a longest run time while it is on.
async fn become_three_hours(way: Way) {
    let world = World::with_clock().await;
    let every_day = json!({"every": 86_400});
    let wanted = json!(["duration between 5m and 1h"]);
    let fields =
        json!({"schedule": every_day, "grace": 3_600, "max_run_time": 86_400, "rules": wanted});
    let ruled = world.job_with(way, "ruled", fields).await;
    let fields = json!({"schedule": every_day, "grace": 3_600, "max_run_time": 3_600});
    let limited = world.job_with(way, "limited", fields).await;

    for _ in 0..GOOD_NIGHTS {
        let run = ruled.begin(JOB).await;
        world.pass(USUAL).await;
        ruled.person("touch go");
        let night = run.end();
        assert_eq!(night.code, 0, "{}", night.output);
        let text = ruled.incident_text().await;
        assert_eq!(ruled.status().await, "up", "{text}");
    }

    let (run, other) = (ruled.begin(JOB).await, limited.begin(JOB).await);
    world.pass(SLOW[0]).await;
    // The limit speaks up while the job still runs.
    limited.until_status("down").await;
    let text = limited.incident_text().await;
    assert!(
        text.contains("still running") || text.contains("1 h"),
        "{text}"
    );
    assert_eq!(ruled.status().await, "up");
    world.pass(SLOW[1]).await;
    for (job, run) in [(&ruled, run), (&limited, other)] {
        job.person("touch go");
        let night = run.end();
        assert_eq!(night.code, 0, "{}", night.output);
    }
    assert_eq!(ruled.status().await, "down");
    let text = ruled.incident_text().await;
    for words in ["duration between 5m and 1h", "3 h", "usual is 20 min"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}
