//! `nightbeat import healthchecks`

use nightbeat_testkit::http;
use serde_json::{Value, json};

use crate::elsewhere::{CHECKS, Elsewhere, KEY, READ_ONLY, id};
use crate::house::{House, Run};

fn import(house: &House, elsewhere: &Elsewhere, key: &str, more: &[&str]) -> Run {
    let url = elsewhere.url();
    let arguments = [&["import", "healthchecks", "--url", &url], more].concat();
    house.run_with(&arguments, &[("HEALTHCHECKS_API_KEY", key)])
}

/// The row of the table about a job.
#[track_caller]
fn row<'r>(run: &'r Run, name: &str) -> &'r str {
    let mut rows = run.stdout.lines();
    let found = rows.find(|row| row.contains(&format!(" {name}  ")));
    found.unwrap_or_else(|| panic!("{name} is not in\n{}", run.stdout))
}

async fn by_id(house: &House, number: usize) -> Value {
    house.heartbeat(&id(number)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_checks_are_taken_once() {
    let house = House::start().await;
    house.admin.webhook("ops", "http://127.0.0.1:9/").await;
    let elsewhere = Elsewhere::start();
    let empty = house.everything().await;

    let look = import(&house, &elsewhere, KEY, &["--dry-run"]);
    assert_eq!(look.ends_with(7).stdout.lines().count(), CHECKS + 1);
    assert_eq!(house.everything().await, empty);
    let unsaid = import(&house, &elsewhere, KEY, &[]);
    assert!(unsaid.ends_with(2).stderr.contains("say --yes"));
    assert_eq!(house.everything().await, empty);

    let run = import(&house, &elsewhere, KEY, &["--yes"]);
    assert_eq!(run.ends_with(7).stdout, look.stdout);
    assert!(
        run.stderr.contains("197 create, 3 left out\n"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("done: 197 created\n"), "{}", run.stderr);
    assert!(
        run.stderr
            .ends_with("error: 3 of 200 could not be taken; the table says why\n")
    );
    for missing in [
        "on call (pd): of a kind that is not here",
        "phone (ntfy): nightbeat channel add ntfy",
    ] {
        assert!(run.stderr.contains(missing), "{}", run.stderr);
    }
    let taken = house.everything().await;

    // A second time nothing is changed: not a byte of what is exported, not a version.
    let file = house.export();
    let again = import(&house, &elsewhere, KEY, &["--yes"]);
    assert!(
        again
            .ends_with(7)
            .stderr
            .contains("197 unchanged, 3 left out\n")
    );
    assert_eq!(house.everything().await, taken);
    assert_eq!(house.export(), file);

    what_was_taken(&house, &run).await;
    old_urls_work(&house).await;
}

async fn what_was_taken(house: &House, run: &Run) {
    for (number, fields) in [
        (
            0,
            json!({"name": "Job 0", "slug": "job-0", "schedule": {"every": 60}, "grace": 60}),
        ),
        (
            5,
            json!({"schedule": {"cron": "30 3 * * *", "timezone": "UTC"}, "remind_never_started": false}),
        ),
        (
            8,
            json!({"schedule": {"calendar": "Sun 03:00\nWed 04:00", "timezone": "Asia/Kolkata"}}),
        ),
        (
            9,
            json!({"schedule": {"every": 31_536_000}, "grace": 31_536_000}),
        ),
        (12, json!({"name": "Резервная копия"})),
        (13, json!({"status": "paused"})),
        (14, json!({"manual_resume": true, "post_only": true})),
        (
            15,
            json!({"keywords": {"start": ["BEGIN"], "success": ["OK", "done"], "failure": ["ERROR"],
            "in": ["mail_subject"], "otherwise": "ignore"}}),
        ),
        (
            16,
            json!({"keywords": {"start": [], "success": ["fine"], "failure": [],
            "in": ["body", "mail_body"], "otherwise": "fail"}}),
        ),
        (
            19,
            json!({"tags": ["prod", "db", "eu-west"], "description": "Two\nlines, and \"quotes\""}),
        ),
        (20, json!({"channels": []})),
        (22, json!({"channels": "all"})),
        (24, json!({"status": "new"})),
        (25, json!({"status": "new"})),
    ] {
        let taken = by_id(house, number).await;
        for (name, value) in fields.as_object().unwrap() {
            assert_eq!(taken[name], *value, "{number}: {name}");
        }
    }
    let nameless = by_id(house, 11).await;
    let name = format!("unnamed {}", &id(11)[..8]);
    assert_eq!(nameless["name"], name);
    assert_eq!(by_id(house, 1).await["slug"], "job-1");
    let shared = [17, 18];
    for number in shared {
        assert_ne!(by_id(house, number).await["slug"], "job-1");
        assert!(row(run, &format!("Job {number}")).contains("the slug job-1 is another's"));
    }
    let long = by_id(house, 23).await;
    assert_eq!(long["description"].as_str().unwrap().len(), 10_000);
    assert_eq!(long["tags"].as_array().unwrap().len(), 50);
    assert!(
        row(run, "Job 23")
            .contains("its description is cut at 10000 characters; 10 tags are left out")
    );
    assert!(row(run, "Job 20").contains("tells nobody, as there"));
    let several = row(run, "Job 21");
    assert!(
        several.contains("not here yet: on call, one of kind email, phone"),
        "{several}"
    );
    let ops = house.admin.get("/channels/ops").await["id"].clone();
    assert_eq!(by_id(house, 21).await["channels"], json!([ops]));
    assert_eq!(by_id(house, 3).await["channels"], json!([ops]));
    // Nobody's terminal is played tricks on.
    assert!(!run.stdout.contains(['\u{202e}', '\u{7}']));
    assert!(
        row(run, "Job 27").contains("left out") && row(run, "Job 27").contains("Europe/Atlantis")
    );
    assert!(row(run, "Job 28").contains("left out"));
    assert!(row(run, "Job 29").contains("it is not understood"));
    assert_eq!(house.admin.list("/heartbeats").await.len(), CHECKS - 3);
}

async fn old_urls_work(house: &House) {
    let address = house.server.address();
    let path = format!("/ping/{}", id(3));
    let answer = http::send(address, http::get(address, &path))
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(by_id(house, 3).await["status"], "up");
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_that_are_made_later_are_used_by_the_next_import() {
    let house = House::start().await;
    let elsewhere = Elsewhere::start();
    import(&house, &elsewhere, KEY, &["--yes"]).ends_with(7);
    assert_eq!(by_id(&house, 3).await["channels"], "all");
    let ops = house.admin.webhook("ops", "http://127.0.0.1:9/").await;
    let run = import(&house, &elsewhere, KEY, &["--yes"]);
    assert!(row(&run, "Job 3").contains("channels: all → [ops]"));
    assert_eq!(by_id(&house, 3).await["channels"], json!([ops]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_another_project_has_is_left_out_and_the_rest_is_taken() {
    let house = House::start().await;
    let elsewhere = Elsewhere::start();
    let key = house.server.run(&[
        "init",
        "--email",
        "ben@example.org",
        "--project",
        "Ben's",
        "--json",
    ]);
    let key: Value = serde_json::from_str(&key).unwrap();
    let key = key["api_key"].as_str().unwrap().to_owned();
    house.file(
        "bens.toml",
        &format!("[heartbeats.bens]\nid = \"{}\"\n", id(0)),
    );
    house
        .run_with(&["apply", "bens.toml"], &[("NIGHTBEAT_API_KEY", &key)])
        .data();
    let run = import(&house, &elsewhere, KEY, &["--yes"]);
    let told = &run.ends_with(7).stderr;
    assert!(
        told.contains("left out: job-0: id: a heartbeat with this id exists already"),
        "{told}"
    );
    assert!(told.contains("done: 196 created\n"), "{told}");
    assert!(
        told.ends_with("error: 4 of 200 could not be taken; the table says why\n"),
        "{told}"
    );
    assert!(!told.contains("bens") && !told.contains("Ben's"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_is_busy_is_waited_for_and_one_that_says_no_is_quoted() {
    let house = House::start().await;
    let elsewhere = Elsewhere::start();
    elsewhere.is_busy_for(1);
    import(&house, &elsewhere, KEY, &["--dry-run"]).ends_with(7);
    let told = |key: &str, code: i32| {
        import(&house, &elsewhere, key, &["--dry-run"])
            .ends_with(code)
            .stderr
            .clone()
    };
    let wrong = told(&"x".repeat(32), 1);
    assert!(wrong.contains("says: wrong api key"), "{wrong}");
    assert!(
        wrong.contains("hint: --api-key is a read-write key"),
        "{wrong}"
    );
    let read_only = told(READ_ONLY, 1);
    assert!(
        read_only.contains("is read-only, and is not shown the ids"),
        "{read_only}"
    );
    let nobody = house.run(&[
        "import",
        "healthchecks",
        "--url",
        "http://127.0.0.1:9",
        "--api-key",
        KEY,
    ]);
    assert!(
        nobody
            .ends_with(4)
            .stderr
            .contains("cannot reach http://127.0.0.1:9")
    );
    // Nightbeat's own address without an API behind it, and no URL at all.
    let url = format!("{}/docs", house.url());
    let none = house.run(&["import", "healthchecks", "--url", &url, "--api-key", KEY]);
    assert!(
        none.ends_with(3)
            .stderr
            .contains("the address of a Healthchecks server?"),
        "{}",
        none.stderr
    );
    let none = house.run(&[
        "import",
        "healthchecks",
        "--url",
        "hc.example.org",
        "--api-key",
        KEY,
    ]);
    assert!(none.ends_with(5).stderr.contains("write --url like this"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_needs_a_key_that_may_change_things() {
    let house = House::start().await;
    let elsewhere = Elsewhere::start();
    let made = json!({"name": "look", "scope": "read-only"});
    let key = house.admin.ask("POST", "/keys", &made).await.json();
    let key = key["key"].as_str().unwrap();
    let url = elsewhere.url();
    let arguments = [
        "import",
        "healthchecks",
        "--url",
        &url,
        "--api-key",
        KEY,
        "--to-api-key",
        key,
    ];
    let run = house.run(&arguments);
    assert!(run.ends_with(1).stderr.contains("read-write API key"));
}
