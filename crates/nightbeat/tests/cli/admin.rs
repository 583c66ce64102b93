//! init, config and db: the real server code on a real database.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::run;

fn database(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("nb.db").display())
}

#[test]
fn init_prints_the_ids_and_keys_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let database = database(folder.path());
    let init = ["init", "--email", "me@example.org", "--database", &database];
    let text = run(&init, &[], "");
    let names: Vec<&str> = text
        .data()
        .lines()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        names,
        ["project_id", "api_key", "read_only_key", "ping_key"]
    );
    assert!(
        text.stderr
            .starts_with("made project `default` of me@example.org in sqlite:")
    );

    let json = run(
        &[&init[..], &["--json", "--project", "two"]].concat(),
        &[],
        "",
    );
    let keys: Value = serde_json::from_str(json.data()).unwrap();
    for name in names {
        assert!(
            keys[name].as_str().is_some_and(|key| key.len() >= 36),
            "{name}"
        );
    }
    assert!(!text.stdout.contains(keys["api_key"].as_str().unwrap()));
}

#[test]
fn init_refuses_what_cannot_be_an_account() {
    let folder = TempDir::new().unwrap();
    let database = database(folder.path());
    let short = [
        "init",
        "--email",
        "me@example.org",
        "--password-stdin",
        "--database",
        &database,
    ];
    assert!(
        run(&short, &[], "short\n")
            .error(2)
            .contains("at least 8 characters")
    );
    assert!(run(&short, &[], "").error(2).contains("stdin is empty"));
    run(
        &["init", "--email", "nobody", "--database", &database],
        &[],
        "",
    )
    .error(2);
}

#[test]
fn config_shows_each_value_with_its_origin() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("nb.toml");
    std::fs::write(
        &file,
        "listen = [\"127.0.0.1:9999\"]\n[smtp]\npassword = \"hidden-away\"\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let shown = run(
        &["config", "show", "--json", "--config", file],
        // The client's variables are no keys of the server.
        &[
            ("NIGHTBEAT_LOG_LEVEL", "debug"),
            ("NIGHTBEAT_URL", "http://h"),
            ("NIGHTBEAT_API_KEY", "k"),
        ],
        "",
    );
    // A password without a host or user is a contradiction, which names the key.
    assert_eq!((shown.code, shown.stdout.as_str()), (5, ""));
    assert!(
        shown.stderr.starts_with("error: smtp.username: "),
        "{shown:?}"
    );

    std::fs::write(file, "listen = [\"127.0.0.1:9999\"]\n").unwrap();
    let shown = run(
        &["config", "show", "--json", "--config", file],
        &[
            ("NIGHTBEAT_LOG_LEVEL", "debug"),
            ("NIGHTBEAT_URL", "http://h"),
        ],
        "",
    );
    let values: Value = serde_json::from_str(shown.data()).unwrap();
    let value = |key: &str| {
        let found = values
            .as_array()
            .unwrap()
            .iter()
            .find(|value| value["key"] == key);
        let found = found.unwrap();
        (
            found["value"].as_str().unwrap(),
            found["origin"].as_str().unwrap(),
        )
    };
    assert_eq!(
        value("listen"),
        ("127.0.0.1:9999", format!("{file}:1").as_str())
    );
    assert_eq!(value("log.level"), ("debug", "NIGHTBEAT_LOG_LEVEL"));
}

#[test]
fn a_wrong_configuration_has_its_own_exit_code() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("nb.toml");
    std::fs::write(&file, "lisen = \"x\"\nlog.format = \"xml\"\n").unwrap();
    let file = file.to_str().unwrap();
    for command in [
        &["config", "check"][..],
        &["serve"],
        &["db", "check"],
        &["init", "--email", "a@b"],
    ] {
        let run = run(&[command, &["--config", file]].concat(), &[], "");
        let stderr = run.error(5);
        assert!(
            stderr.contains("unknown key `lisen`: did you mean `listen`?"),
            "{stderr}"
        );
        assert_eq!(stderr.matches("error: ").count(), 2, "{stderr}");
    }
    let good = run(&["config", "check"], &[], "");
    assert_eq!(
        (good.data(), good.stderr.as_str()),
        ("", "the configuration is good\n")
    );
    run(&["serve", "--log-level", "nonsense=loud=x"], &[], "").error(5);
}

#[test]
fn a_database_is_backed_up_and_checked() {
    let folder = TempDir::new().unwrap();
    let database = database(folder.path());
    run(
        &["init", "--email", "me@example.org", "--database", &database],
        &[],
        "",
    )
    .data();
    let copy = folder.path().join("copy.db");
    let file = copy.to_str().unwrap();
    let backup = ["db", "backup", file, "--database", &database];
    assert_eq!(run(&backup, &[], "").data(), "");
    run(&backup, &[], "").error(1);
    run(&[&backup[..], &["--replace"]].concat(), &[], "").data();
    let copy = format!("sqlite:{}", copy.display());
    let checked = run(&["db", "check", "--json", "--database", &copy], &[], "");
    assert_eq!(checked.data(), "{\"problems\":[]}\n");
    assert!(checked.stderr.ends_with("is sound\n"));
}
