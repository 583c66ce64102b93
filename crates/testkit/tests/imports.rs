//! Who may import whom, as ARCHITECTURE.md draws it; and where SQL, HTTP types and HTTP clients may stand.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Each crate and what it may import of ours. What tests need besides ([`DEV_ONLY`]) is not in it.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("calendar", &[]),
    ("evidence", &[]),
    ("domain", &["calendar", "evidence"]),
    ("engine", &["domain"]),
    ("store", &["domain"]),
    ("notify", &["domain"]),
    (
        "server",
        &[
            "calendar", "evidence", "domain", "engine", "store", "notify",
        ],
    ),
    ("agent", &["calendar", "evidence"]),
    ("nightbeat", &["calendar", "evidence", "server", "agent"]),
    // For development alone: it measures on a PostgreSQL of the test kit's.
    ("bench", &["domain", "store", "testkit"]),
    ("sim", &["calendar", "domain", "engine", "store"]),
    ("testkit", &["domain"]),
    ("faulty-disk", &[]),
];

/// Only a dev-dependency may name them.
const DEV_ONLY: [&str; 2] = ["testkit", "faulty-disk"];

/// Libraries that are the business of some crates only, however they are used.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("rusqlite", &["store", "faulty-disk"]),
    ("tokio-postgres", &["store", "testkit"]),
    ("axum", &["server"]),
    ("utoipa-axum", &["server"]),
    ("tower-http", &["server"]),
    ("reqwest", &["notify", "agent"]),
    ("lettre", &["notify"]),
    ("clap", &["nightbeat", "bench", "sim"]),
];

/// Where in the server axum's types may stand.
const HTTP_MODULES: &[&str] = &[
    "api",
    "badges",
    "compat",
    "http",
    "ingest",
    "web",
    "router.rs",
];

#[derive(Debug)]
struct Import {
    name: String,
    dev: bool,
}

/// Our crates by their short names, each with everything that it imports.
fn crates() -> BTreeMap<String, Vec<Import>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(top())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let imports = package["dependencies"].as_array().unwrap().iter();
            let imports = imports
                .map(|import| Import {
                    name: short(import["name"].as_str().unwrap()).to_owned(),
                    dev: import["kind"] == "dev",
                })
                .collect();
            (short(package["name"].as_str().unwrap()).to_owned(), imports)
        })
        .collect()
}

fn short(name: &str) -> &str {
    name.strip_prefix("nightbeat-").unwrap_or(name)
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

fn allowed(name: &str) -> &'static [&'static str] {
    let found = MAY_IMPORT.iter().find(|(known, _)| *known == name);
    found
        .unwrap_or_else(|| {
            panic!("{name}: a new crate? Say here and in ARCHITECTURE.md what it may import")
        })
        .1
}

/// Everything below `name` in the picture, itself included.
fn below(name: &str) -> Vec<&'static str> {
    let mut all = Vec::new();
    let mut waiting = allowed(name).to_vec();
    while let Some(next) = waiting.pop() {
        if !all.contains(&next) {
            all.push(next);
            waiting.extend(allowed(next));
        }
    }
    all
}

#[test]
fn each_crate_imports_only_what_the_picture_says() {
    let crates = crates();
    let mut wrong = Vec::new();
    for (name, imports) in &crates {
        let ours = imports
            .iter()
            .filter(|import| crates.contains_key(&import.name));
        for import in ours {
            let imported = import.name.as_str();
            let fine = if import.dev {
                DEV_ONLY.contains(&imported) || below(name).contains(&imported)
            } else {
                allowed(name).contains(&imported)
            };
            if !fine {
                wrong.push(format!("{name} may not import {imported}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_crate_of_the_picture_is_there() {
    let crates = crates();
    for (name, _) in MAY_IMPORT {
        assert!(
            crates.contains_key(*name),
            "{name} is gone: take it out here"
        );
    }
}

#[test]
fn libraries_with_a_home_stay_there() {
    let mut wrong = Vec::new();
    for (name, imports) in &crates() {
        for (library, homes) in ONLY_IN {
            let strays = imports.iter().any(|import| import.name == *library)
                && !homes.contains(&name.as_str());
            if strays {
                wrong.push(format!("{name} may not use {library}: only {homes:?} may"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn sql_stands_only_in_the_store() {
    let mut wrong = Vec::new();
    for (file, text) in sources(&["crates", "bench"]) {
        // The test kit and the bench ask PostgreSQL about PostgreSQL. The agent looks at dumps, which are SQL,
        // and runs none of it. A handbook page backs up somebody's own database.
        let homes = [
            "crates/store",
            "crates/testkit",
            "bench/src/postgres.rs",
            "crates/agent/src/run/checks/dump.rs",
            "crates/nightbeat/tests/e2e_handbook/house.rs",
        ];
        if homes.iter().any(|home| file.starts_with(top().join(home))) {
            continue;
        }
        let lines = text.lines().enumerate();
        let sql = lines.filter(|(_, line)| looks_like_sql(line));
        wrong.extend(sql.map(|(at, line)| format!("{}:{}: {line}", file.display(), at + 1)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A string that begins like a statement, or a line of one that goes on.
fn looks_like_sql(line: &str) -> bool {
    const BEGINNINGS: [(&str, &str); 6] = [
        ("SELECT ", " FROM "),
        ("INSERT ", " INTO "),
        ("UPDATE ", " SET "),
        ("DELETE FROM ", ""),
        ("CREATE TABLE ", ""),
        ("PRAGMA ", ""),
    ];
    BEGINNINGS.iter().any(|(first, second)| {
        let start = line.trim_start().trim_start_matches("sql(");
        let quoted = line.contains(&["\"", first].concat());
        (quoted || start.starts_with(first)) && line.contains(second.trim_end())
    })
}

#[test]
fn sql_is_recognised() {
    assert!(looks_like_sql(
        r#"    sql.query("SELECT id FROM heartbeat", &[])"#
    ));
    assert!(looks_like_sql(
        r#"    "UPDATE delivery SET state = 'sent'","#
    ));
    assert!(looks_like_sql(r#"let x = "DELETE FROM signal""#));
    assert!(!looks_like_sql(r#".on("DELETE /api/v1/channels/c1", [])"#));
    assert!(!looks_like_sql("// SELECT the right one"));
}

#[test]
fn axum_stands_only_in_the_servers_http_modules() {
    let source = top().join("crates/server/src");
    let mut wrong = Vec::new();
    for (file, text) in sources(&["crates/server/src"]) {
        let inside = file.strip_prefix(&source).unwrap();
        let home = HTTP_MODULES.iter().any(|module| inside.starts_with(module));
        if !home && (text.contains("axum::") || text.contains("use axum")) {
            wrong.push(inside.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "axum's types stand in {wrong:#?}");
}

/// All Rust files below these folders, with their text.
fn sources(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| top().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap();
            waiting.extend(entries.map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path != Path::new(&top().join(file!()))
        {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    assert!(!found.is_empty(), "no sources in {folders:?}");
    found
}
