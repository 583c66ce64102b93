//! What clients of other products ask and are answered, as tables: `healthchecks.toml`,
//! and `dialects.toml` for the others.

use nightbeat_server::accounts::{self, Init, Initialised};
use serde::Deserialize;
use serde_json::Value;

use crate::support::{Answer, Fixture, start};

/// A table of requests and answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    story: Vec<Story>,
}

/// Requests that follow each other, in a project of their own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    name: String,
    rows: Vec<Row>,
}

/// One request, what it is answered, and what it led to. In texts, `{name}` stands for what was kept under
/// that name; `{write}`, `{read}` and `{ping}` are the project's keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// The method and the path.
    ask: String,
    /// The key of the API; nothing: none.
    #[serde(default = "write")]
    key: String,
    /// The body.
    #[serde(default)]
    send: String,
    /// The host that is asked.
    #[serde(default = "host")]
    host: String,
    /// Other headers, a line each.
    #[serde(default)]
    head: Vec<String>,
    status: u16,
    /// What the JSON of the answer holds: `"*"` is anything but null, and other fields may be there.
    json: Option<String>,
    /// The whole answer, as text.
    text: Option<String>,
    /// Headers that the answer has.
    #[serde(default)]
    answers: Vec<String>,
    /// Fields that the answer does not have.
    #[serde(default)]
    lacks: Vec<String>,
    /// What is kept of the answer: a name, and where it stands.
    #[serde(default)]
    keep: Vec<(String, String)>,
    /// What `GET /api/v3/checks/{id}` holds then.
    effect: Option<String>,
    /// What the newest of `{id}`'s pings holds then.
    ping: Option<String>,
    /// What Healthchecks does otherwise, and why Nightbeat does not.
    differs: Option<String>,
}

fn host() -> String {
    "beats.example.org".to_owned()
}

fn write() -> String {
    "{write}".to_owned()
}

/// What is known in a story.
struct Teller<'a> {
    nightbeat: &'a Fixture,
    kept: Vec<(String, String)>,
}

impl<'a> Teller<'a> {
    fn new(nightbeat: &'a Fixture, keys: &Initialised) -> Self {
        let kept = [
            ("write", &keys.api_key),
            ("read", &keys.read_only_key),
            ("ping", &keys.ping_key),
        ];
        Self {
            nightbeat,
            kept: kept
                .map(|(name, key)| (name.to_owned(), key.clone()))
                .to_vec(),
        }
    }

    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.kept {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    async fn ask(&self, ask: &str, host: &str, key: &str, head: &[String], send: &str) -> Answer {
        let mut lines = vec![
            format!("{ask} HTTP/1.1"),
            format!("Host: {host}"),
            "Connection: close".to_owned(),
        ];
        if !key.is_empty() {
            lines.push(format!("X-Api-Key: {key}"));
        }
        lines.extend(head.iter().cloned());
        if !send.is_empty() {
            lines.push(format!("Content-Length: {}", send.len()));
        }
        let request = format!("{}\r\n\r\n{send}", lines.join("\r\n"));
        self.nightbeat.talk(request).await
    }

    async fn look(&self, path: &str) -> Value {
        let ask = self.fill(&format!("GET {path}"));
        let key = self.fill("{write}");
        let answer = self.ask(&ask, &host(), &key, &[], "").await;
        json(&answer.body, path)
    }

    async fn tell(&mut self, row: &Row, what: &str) {
        let (ask, send) = (self.fill(&row.ask), self.fill(&row.send));
        let head: Vec<String> = row.head.iter().map(|line| self.fill(line)).collect();
        let answer = self
            .ask(&ask, &row.host, &self.fill(&row.key), &head, &send)
            .await;
        assert_eq!(answer.status, row.status, "{what}: {}", answer.body);
        if let Some(text) = &row.text {
            assert_eq!(answer.body, self.fill(text), "{what}");
        }
        if let Some(expected) = &row.json {
            let found = json(&answer.body, what);
            self.holds(&found, expected, what);
            for field in &row.lacks {
                assert_eq!(found.get(field), None, "{what}: {field}");
            }
        }
        for line in &row.answers {
            let (name, value) = line.split_once(": ").unwrap();
            assert_eq!(answer.header(name), Some(value), "{what}: {}", answer.head);
        }
        for (name, place) in &row.keep {
            let found = json(&answer.body, what);
            let value = found
                .pointer(place)
                .unwrap_or_else(|| panic!("{what}: {found}"));
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            self.kept.retain(|(known, _)| known != name);
            self.kept.push((name.clone(), value));
        }
        if let Some(expected) = &row.effect {
            let found = self.look("/api/v3/checks/{id}").await;
            self.holds(&found, expected, &format!("{what}, then"));
        }
        if let Some(expected) = &row.ping {
            let found = self.look("/api/v3/checks/{id}/pings/").await;
            self.holds(
                &found["pings"][0],
                expected,
                &format!("{what}, then its ping"),
            );
        }
    }

    fn holds(&self, found: &Value, expected: &str, what: &str) {
        let expected = json(&self.fill(expected), what);
        assert!(
            holds(found, &expected),
            "{what}: {expected} is not in {found:#}"
        );
    }
}

fn json(text: &str, what: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{what}: {error}: {text}"))
}

/// Whether `found` has all that is expected.
fn holds(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (found, Value::String(any)) if any == "*" => !found.is_null(),
        (Value::Object(found), Value::Object(expected)) => expected
            .iter()
            .all(|(name, value)| found.get(name).is_some_and(|it| holds(it, value))),
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| holds(a, b))
        }
        (found, expected) => found == expected,
    }
}

async fn tell(table: &str) -> usize {
    let table: Table = toml::from_str(table).unwrap();
    let nightbeat = start(|config| {
        config.public_url = "https://beats.example.org".parse().unwrap();
        config.snitch_host = Some("snitch.example.org".to_owned());
    })
    .await;
    let mut rows = 0;
    for (number, story) in table.story.iter().enumerate() {
        let init = Init {
            email: format!("client{number}@example.org"),
            password: None,
            project: story.name.clone(),
        };
        let now = nightbeat.server.node().now();
        let store = nightbeat.server.store();
        let keys = accounts::create(store, init, false, now).await.unwrap();
        let mut teller = Teller::new(&nightbeat, &keys);
        for (number, row) in story.rows.iter().enumerate() {
            let what = format!("{}, row {}: {}", story.name, number + 1, row.ask);
            teller.tell(row, &what).await;
            if let Some(why) = &row.differs {
                assert!(why.len() > 20, "{what}: say why it differs");
            }
        }
        rows += story.rows.len();
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_healthchecks_are_answered_as_they_are_used_to() {
    let rows = tell(include_str!("healthchecks.toml")).await;
    assert!(rows >= 150, "{rows} rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_other_products_change_one_url() {
    let rows = tell(include_str!("dialects.toml")).await;
    assert!(rows >= 40, "{rows} rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_is_told_under_old_names_and_new_ones() {
    let nightbeat = start(|_| {}).await;
    nightbeat.heartbeat("backup").await;
    let project = nightbeat.project();
    let keys = &nightbeat.keys;
    let mut teller = Teller::new(&nightbeat, keys);
    let path = format!("/projects/{project}/metrics");
    for (ask, key, status) in [
        (path.clone(), "{read}", 200),
        (format!("{path}/"), "{write}", 200),
        (format!("{path}/{{read}}"), "", 200),
        (path.clone(), "", 401),
        (path.clone(), "wrong", 403),
        (path.clone(), "{ping}", 403),
        ("/projects/x/metrics".to_owned(), "{read}", 403),
    ] {
        let (ask, key) = (teller.fill(&format!("GET {ask}")), teller.fill(key));
        let answer = teller.ask(&ask, &host(), &key, &[], "").await;
        assert_eq!(answer.status, status, "{ask}: {}", answer.body);
    }
    let send = r#"{"name": "Quote \" me", "slug": "quoted", "tags": "prod web"}"#;
    let made = teller
        .ask("POST /api/v3/checks/", &host(), &keys.api_key, &[], send)
        .await;
    let made = json(&made.body, "made");
    let id = made["uuid"].as_str().unwrap().to_owned();
    teller.kept.push(("id".to_owned(), id.clone()));
    let output = "processed 12 files, 3.000 MiB in 0:01\nsnapshot de13ad41 saved\n";
    let ask = format!("POST /ping/{id}/1?m.rows=7");
    teller.ask(&ask, &host(), "", &[], output).await;
    let answer = teller
        .ask(
            &format!("GET {path}"),
            &host(),
            &keys.read_only_key,
            &[],
            "",
        )
        .await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let unique = json(
        &teller
            .ask(
                "GET /api/v3/checks/?slug=quoted",
                &host(),
                &keys.read_only_key,
                &[],
                "",
            )
            .await
            .body,
        "unique",
    );
    let unique = unique["checks"][0]["unique_key"].as_str().unwrap();
    for line in [
        &format!(
            "hc_check_up{{name=\"Quote \\\" me\",tags=\"prod web\",unique_key=\"{unique}\"}} 0"
        ),
        "hc_tag_up{tag=\"prod\"} 0",
        "hc_checks_total 2",
        "hc_checks_down_total 1",
        "nightbeat_heartbeat_incident_open{heartbeat=\"backup\",name=\"backup\"} 0",
        "nightbeat_heartbeat_incident_open{heartbeat=\"quoted\",name=\"Quote \\\" me\"} 1",
        "nightbeat_heartbeat_signals_total{heartbeat=\"backup\",name=\"backup\"} 1",
        "nightbeat_heartbeat_status{heartbeat=\"backup\",name=\"backup\",status=\"up\"} 1",
        "nightbeat_heartbeat_evidence{heartbeat=\"quoted\",name=\"Quote \\\" me\",fact=\"files_total\"} 12",
        "nightbeat_heartbeat_metric{heartbeat=\"quoted\",name=\"Quote \\\" me\",metric=\"rows\"} 7",
    ] {
        assert!(
            answer.body.lines().any(|found| found == line),
            "{line} is not in\n{}",
            answer.body
        );
    }
    let age = "nightbeat_heartbeat_last_success_age_seconds{heartbeat=\"backup\"";
    assert!(
        answer.body.contains(age) && !answer.body.contains(&id),
        "{}",
        answer.body
    );
}

/// What nobody means.
fn strange_values() -> Vec<String> {
    let mut values: Vec<String> = [
        "null",
        "true",
        "[]",
        "{}",
        "0",
        "-1",
        "1.5",
        "1e308",
        "-0.0",
        "18446744073709551615",
        "9223372036854775807",
        "\"\"",
        "\" \"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\u202e\"",
        "\"*\"",
        "\",\"",
        "\"a\\nb\"",
        "\"<script>\"",
        "\"' OR 1=1 --\"",
        "\"* * * * *\"",
        "\"2023-02-30\"",
        "\"UTC\"",
        "\"POST\"",
        "[null]",
        "[[[[]]]]",
        "{\"a\": {\"b\": []}}",
        "[\"name\", \"name\"]",
        "\"00000000-0000-4000-8000-000000000000\"",
    ]
    .map(str::to_owned)
    .to_vec();
    values.push(format!("\"{}\"", "x".repeat(100_000)));
    values.push(format!("\"{}\"", "\u{1F5C4} ".repeat(10_000)));
    values.push(format!("\"{}\"", "a,".repeat(5_000)));
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_input_is_refused_and_breaks_nothing() {
    let nightbeat = start(|_| {}).await;
    let keys = &nightbeat.keys;
    let teller = Teller::new(&nightbeat, keys);
    let ask = async |ask: &str, send: &str| {
        let answer = teller.ask(ask, &host(), &keys.api_key, &[], send).await;
        assert!(
            answer.status < 500,
            "{ask} {send:.200}: {} {}",
            answer.status,
            answer.body
        );
        answer
    };
    let made = ask("POST /api/v3/checks/", r#"{"name": "victim"}"#).await;
    let id = json(&made.body, "made")["uuid"]
        .as_str()
        .unwrap()
        .to_owned();
    for field in [
        "api_key",
        "channels",
        "desc",
        "failure_kw",
        "filter_body",
        "filter_default_fail",
        "filter_http_body",
        "filter_subject",
        "grace",
        "manual_resume",
        "methods",
        "name",
        "schedule",
        "slug",
        "start_kw",
        "subject",
        "subject_fail",
        "success_kw",
        "tags",
        "timeout",
        "tz",
        "unique",
        "other",
        "",
    ] {
        for value in strange_values() {
            let send = format!("{{\"{field}\": {value}}}");
            let answer = ask(&format!("POST /api/v3/checks/{id}"), &send).await;
            assert!(
                [200, 400].contains(&answer.status),
                "{send:.200}: {}",
                answer.body
            );
        }
        let send = format!("{{\"{field}\": \"x\", \"unique\": [\"name\", \"tags\", \"slug\"]}}");
        ask("POST /api/v1/checks/", &send).await;
    }
    for value in [
        "%00",
        "%FF",
        "-1",
        "1e9",
        "%C3%28",
        "\"",
        "9".repeat(99).as_str(),
        "a&b=c",
        "",
    ] {
        for path in [
            format!("checks/?tag={value}"),
            format!("checks/?slug={value}"),
            format!("checks/{id}/flips/?seconds={value}"),
            format!("checks/{id}/flips/?start={value}&end={value}"),
            format!("checks/{id}/pings/{value}/body"),
            format!("checks/{value}/pings/"),
            format!("badges/{value}"),
            format!("{value}/"),
        ] {
            ask(&format!("GET /api/v3/{}", path.replace('"', "%22")), "").await;
        }
    }
    let badge = ask("GET /api/v3/badges/", "").await;
    assert_eq!(badge.status, 200, "{}", badge.body);
    let listed = ask("GET /api/v3/checks/", "").await;
    assert_eq!(listed.status, 200, "{}", listed.body);
}
