//! The handbook's pages about files and moves: their lines are run, in their order, and print what they say.

use std::path::Path;

use crate::house::{House, Run};

/// A block of a page: its language, and its text.
struct Block {
    language: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let file = format!("../../docs/{page}.md");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let text = format!("\n{text}");
    let pieces = text.split("\n```").enumerate();
    let inside = pieces.filter(|(number, _)| number % 2 == 1);
    let blocks = inside.map(|(_, block)| {
        let (language, text) = block.split_once('\n').unwrap();
        Block {
            language: language.to_owned(),
            text: text.to_owned() + "\n",
        }
    });
    blocks.collect()
}

fn of(page: &str, language: &str) -> Vec<String> {
    let all = blocks(page).into_iter();
    all.filter(|block| block.language == language)
        .map(|block| block.text)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_as_a_file() {
    const PAGE: &str = "config-as-code";
    let house = House::start().await;
    let (files, lines, plans) = (of(PAGE, "toml"), of(PAGE, "sh"), of(PAGE, "text"));
    let [first, heartbeat, secrets, project] = &files[..] else {
        panic!("four files: {files:?}");
    };
    let [apply, export, ci] = &lines[..] else {
        panic!("three pieces of lines: {lines:?}");
    };
    house.file("beats.toml", first);
    let [new, changed] = &plans[..] else {
        panic!("two plans: {plans:?}");
    };
    assert_eq!(house.shell(apply, &[]).data(), new.repeat(2));
    house.file("beats.toml", &first.replace("90m", "2h"));
    assert_eq!(house.shell(apply, &[]).data(), changed.repeat(2));
    assert_eq!(house.shell(export, &[]).data(), "= 3 unchanged\n");
    house.file("hook-headers.txt", "X-Team: ops\n");
    for (name, text) in [
        ("heartbeat", heartbeat),
        ("secrets", secrets),
        ("project", project),
    ] {
        let file = format!("{name}.toml");
        house.file(&file, text);
        let run = house.run_with(&["apply", &file], &[("NTFY_TOKEN", "tk_1")]);
        assert!(run.data().contains("= 0 unchanged"), "{}", run.stdout);
    }
    let ci = house.shell(ci, &[]);
    assert!(ci.data().contains("- heartbeat import\n"), "{}", ci.stdout);
    assert_eq!(house.admin.list("/heartbeats").await.len(), 2);
}

/// Runs all lines of a page; the last of them.
fn followed(house: &House, page: &str, elsewhere: &str, key: &str) -> Run {
    let lines = of(page, "sh").concat();
    let lines = lines
        .replace("https://healthchecks.io", elsewhere)
        .replace("hcw_YOUR_KEY", key);
    let run = house.shell(&lines, &[]);
    run.data();
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn from_healthchecks() {
    let (old, new) = (House::start().await, House::start().await);
    let ops = old.admin.webhook("ops", "http://127.0.0.1:9/").await;
    let fields = serde_json::json!({"channels": [ops]});
    let job = old.admin.heartbeat("job", fields).await;
    followed(
        &new,
        "moving-from-healthchecks",
        &old.url(),
        old.admin.api_key(),
    );
    let here = new.heartbeat("job").await;
    assert_eq!(here["id"], job.id.to_string());
    let ops = new.admin.get("/channels/ops").await["id"].clone();
    assert_eq!(here["channels"], serde_json::json!([ops]));
}

#[tokio::test(flavor = "multi_thread")]
async fn from_uptime_kuma() {
    let house = House::start().await;
    house.file(
        "Uptime_Kuma_Backup.json",
        r#"{"monitorList": [{"id": 1, "name": "Nightly backup", "type": "push", "interval": 86400, "maxretries": 2,
            "retryInterval": 600, "active": 1, "pushToken": "abcd1234", "tags": [], "notificationIDList": {}}]}"#,
    );
    let run = followed(&house, "moving-from-uptime-kuma", "", "");
    assert_eq!(house.heartbeat("nightly-backup").await["grace"], 1200);
    let shown = of("moving-from-uptime-kuma", "text").concat();
    let (name, url) = shown.trim_end().split_once('\t').unwrap();
    let told = run.stdout.lines().last().unwrap();
    let (_, path) = url.split_once("example.org").unwrap();
    assert_eq!(
        told.len(),
        name.len() + 1 + house.url().len() + path.len(),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn from_cronitor() {
    let house = House::start().await;
    house.file(
        "cronitor.yaml",
        "jobs:\n  nightly-backup:\n    schedule: 0 2 * * *\n    notify: [ops]\n",
    );
    followed(&house, "moving-from-cronitor", "", "");
    assert_eq!(
        house.heartbeat("nightly-backup").await["schedule"]["timezone"],
        "UTC"
    );
}
