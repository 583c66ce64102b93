//! Real tools, and the failures of which people learn when they need their backup: a real server, real rsync,
//! restic, borg, rclone, `pg_dump` and tar. Each story is told twice: by a script that ends with curl and sends its
//! output, and by `nightbeat run`.
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

mod partial;
mod slow;
mod stories;
mod world;

use nightbeat_testkit::is_root;
use world::{Night, Way, World};

/// A story: a job that was well for a time, and what happened then.
struct Story {
    name: &'static str,
    /// How many nights it was well.
    nights: usize,
    /// The job as it should be; a line of `sh`, in the folder of the story.
    good: &'static str,
    /// What somebody does before the bad night.
    before: &'static str,
    /// The job in the bad night.
    bad: &'static str,
    /// What it becomes.
    status: &'static str,
    /// What the alert says, in any order.
    says: &'static [&'static str],
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_sends_its_output_with_curl_cannot_lie() {
    stories_told(Way::Curl).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_in_the_wrapper_cannot_lie() {
    stories_told(Way::Wrapper).await;
}

async fn stories_told(way: Way) {
    if !is_root() {
        return;
    }
    let world = World::start().await;
    let mut wrong = Vec::new();
    for story in stories::ALL.iter().chain(partial::ALL) {
        if let Err(what) = told(&world, way, story).await {
            wrong.push(format!("{}: {what}", story.name));
        }
    }
    assert!(wrong.is_empty(), "{way:?}\n{}", wrong.join("\n\n"));
}

/// Lives all nights; what is not as it should be.
async fn told(world: &World, way: Way, story: &Story) -> Result<(), String> {
    let job = world.job(way, story.name).await;
    for _ in 0..story.nights {
        let Night { output, .. } = job.night(story.good);
        let status = job.status().await;
        if status != "up" {
            let text = job.incident_text().await;
            return Err(format!("the good night is {status}: {text}\n{output}"));
        }
    }
    job.person(story.before);
    let Night { output, code } = job.night(story.bad);
    let status = job.status().await;
    let text = job.incident_text().await;
    if status != story.status {
        return Err(format!(
            "the bad night (exit {code}) is {status}, not {}: {text}\n{output}",
            story.status
        ));
    }
    let missing = story.says.iter().find(|words| !text.contains(**words));
    match missing {
        Some(words) => Err(format!(
            "the alert does not say {words:?}: {text}\n{output}"
        )),
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_is_not_mounted_is_noticed_by_the_wrapper() {
    if !is_root() {
        return;
    }
    let world = World::start().await;
    let job = world.job(Way::Wrapper, "unmounted").await;
    let copy = "rsync -a --stats source/ nas/";
    job.person("mkdir nas");
    let night = job.wrapped(&["--dest", "nas", "--mounted"], copy);
    assert_eq!(night.code, 0, "{}", night.output);
    assert_eq!(job.status().await, "down");
    let text = job.incident_text().await;
    assert!(text.contains("nas"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_an_empty_folder_is_noticed_by_the_wrapper_in_the_first_night() {
    if !is_root() {
        return;
    }
    let world = World::start().await;
    let job = world.job(Way::Wrapper, "archive").await;
    let archive = "tar -c source | gzip > backup.tar.gz";
    job.wrapped(&["--dump", "backup.tar.gz"], archive);
    assert_eq!(job.status().await, "up");
    job.person("rm source/*");
    let night = job.wrapped(&["--dump", "backup.tar.gz"], archive);
    assert_eq!(night.code, 0, "{}", night.output);
    assert_eq!(job.status().await, "down");
    let text = job.incident_text().await;
    assert!(
        text.contains("backup.tar.gz") && text.contains("an archive without a file in it"),
        "{text}"
    );
}

/// The alert names each of them, with its exit code and its line.
#[tokio::test(flavor = "multi_thread")]
async fn seven_steps_of_which_all_fail_are_named_by_the_wrappers_shell() {
    if !is_root() {
        return;
    }
    let world = World::start().await;
    let job = world.job(Way::Wrapper, "seven").await;
    job.person(stories::SEVEN_STEPS);
    let night = job.in_shell("bash backup.sh");
    assert_eq!(night.code, 0, "{}", night.output);
    assert_eq!(job.status().await, "down");
    let text = job.incident_text().await;
    assert!(
        text.contains(": 6 steps failed: ") || text.contains(": 7 steps failed: "),
        "{text}"
    );
    for step in [
        "`source config.env` ended with 1, line 2 of backup.sh",
        "`my-tool --prepare` ended with 127, line 3",
        "`gzip > shop.sql.gz` ended with 127 (the pipeline's parts: 127 0), line 5",
        "`cp /nonexistent/file .` ended with 1, line 6",
        "`rm /nonexistent/old` ended with 1, line 7",
        "`ls /nonexistent > list` ended with 2, line 8",
    ] {
        assert!(text.contains(step), "{step}: {text}");
    }
}
