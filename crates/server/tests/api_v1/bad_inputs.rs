//! A hundred and more bad inputs: each gets its 4xx and a problem that says why; none gets a 5xx, and none
//! changes anything.

use serde_json::{Value, json};

use crate::support::Api;

/// A request that must be refused: method, path, body; then the status and the field.
type Bad = (&'static str, String, Vec<u8>, u16, Option<&'static str>);

#[tokio::test]
async fn bad_inputs_are_refused_and_change_nothing() {
    let api = Api::new().await;
    api.heartbeat("job").await;
    api.channel("hook").await;
    let before = seen(&api).await;
    let bad: Vec<Bad> = [
        broken_json(),
        wrong_fields(),
        wrong_queries(),
        wrong_paths(),
    ]
    .concat();
    assert!(bad.len() >= 100, "{}", bad.len());
    for (method, path, body, status, field) in bad {
        let key = [("x-api-key", api.ana.api_key.as_str())];
        let answer = api.raw(method, &path, &key, body).await;
        answer.refuses(status, field);
    }
    assert_eq!(seen(&api).await, before);
}

async fn seen(api: &Api) -> [Value; 3] {
    [
        api.get("/heartbeats").await.is(200),
        api.get("/channels").await.is(200),
        api.get("/project").await.is(200),
    ]
}

/// What is not JSON, on every route that reads some.
fn broken_json() -> Vec<Bad> {
    let deep = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    let bodies: Vec<(Vec<u8>, u16)> = vec![
        (b"".to_vec(), 400),
        (b" ".to_vec(), 400),
        (b"{".to_vec(), 400),
        (b"{\"name\": }".to_vec(), 400),
        (b"{'name': 'x'}".to_vec(), 400),
        (b"{\"name\": \"x\"} {}".to_vec(), 400),
        (b"name=x&grace=1".to_vec(), 400),
        (b"<xml/>".to_vec(), 400),
        (b"NaN".to_vec(), 400),
        (b"{\"name\": \"\xff\xfe\"}".to_vec(), 400),
        (b"{\"name\": \"\\ud800\"}".to_vec(), 400),
        (b"{\"name\": \"a\x00b\"}".to_vec(), 400),
        (b"{\"name\": 1e999}".to_vec(), 400),
        (b"\xef\xbb\xbf{\"name\": \"x\"}".to_vec(), 400),
        (deep(200), 400),
        (deep(400_000), 400),
        (
            [b"{\"name\":".to_vec(), deep(130), b"}".to_vec()].concat(),
            400,
        ),
        (b"[]".to_vec(), 422),
        (b"null".to_vec(), 422),
        (b"\"name\"".to_vec(), 422),
        (b"17".to_vec(), 422),
        (b"[{\"name\": \"x\"}]".to_vec(), 422),
        (vec![b' '; 1_000_001], 413),
        (vec![b'{'; 3_000_000], 413),
    ];
    let routes = [
        ("POST", "/heartbeats"),
        ("PATCH", "/heartbeats/job"),
        ("POST", "/channels"),
        ("PATCH", "/channels/hook"),
        ("PATCH", "/project"),
        ("POST", "/maintenance"),
        ("POST", "/keys"),
        ("POST", "/schedules/preview"),
        (
            "POST",
            "/incidents/00000000-0000-4000-8000-000000000000/snooze",
        ),
        (
            "POST",
            "/incidents/00000000-0000-4000-8000-000000000000/notes",
        ),
    ];
    let mut bad = Vec::new();
    for (body, status) in bodies {
        for (method, path) in routes {
            bad.push((method, path.to_owned(), body.clone(), status, None));
        }
    }
    bad
}

/// JSON that says what may not be, in a new heartbeat and in an edit.
#[expect(clippy::too_many_lines, reason = "a table")]
fn wrong_fields() -> Vec<Bad> {
    let long = |length: usize| Value::String("x".repeat(length));
    let many = |count: usize| Value::Array((0..count).map(|n| json!(n.to_string())).collect());
    let mut bad: Vec<Bad> = Vec::new();
    for (field, value) in [
        ("name", json!("")),
        ("name", json!(" \t\n ")),
        ("name", json!("a\nb")),
        ("name", json!("a\u{0}b")),
        ("name", json!("a\u{7f}b")),
        ("name", json!(null)),
        ("name", json!(1)),
        ("name", json!(["x"])),
        ("name", json!({"x": "y"})),
        ("name", long(201)),
        ("name", long(990_000)),
        ("name", json!("備".repeat(201))),
        ("slug", json!("")),
        ("slug", json!("Upper")),
        ("slug", json!("a b")),
        ("slug", json!("a/b")),
        ("slug", json!("備")),
        ("slug", json!("a\u{0}")),
        ("slug", json!(null)),
        ("slug", long(101)),
        ("description", json!("a\u{0}b")),
        ("description", json!("a\u{1b}[31m")),
        ("description", long(10_001)),
        ("description", json!(null)),
        ("tags", json!("prod")),
        ("tags", json!([""])),
        ("tags", json!(["a\u{0}"])),
        ("tags[1]", json!(["a", 1])),
        ("tags[0]", json!([null])),
        ("tags", json!(["x".repeat(101)])),
        ("tags", many(51)),
        ("tags", json!(null)),
        ("schedule", json!(null)),
        ("schedule", json!([])),
        ("schedule", json!({"every": -1})),
        ("schedule", json!({"every": 315_360_001_u64})),
        ("schedule", json!({"every": u64::MAX})),
        ("schedule", json!({"every": 1.5})),
        ("schedule", json!({"cron": ""})),
        ("schedule", json!({"cron": "x".repeat(100_000)})),
        ("schedule", json!({"cron": "* * * * *\u{0}"})),
        (
            "schedule",
            json!({"cron": "* * * * *", "timezone": "../../etc/passwd"}),
        ),
        (
            "schedule",
            json!({"cron": "* * * * *", "timezone": "\u{0}"}),
        ),
        ("schedule", json!({"calendar": "2023-02-30"})),
        ("grace", json!(0)),
        ("grace", json!(-1)),
        ("grace", json!(1.5)),
        ("grace", json!("1h")),
        ("grace", json!(null)),
        ("grace", json!(315_360_001)),
        ("grace", json!(u64::MAX)),
        ("grace", json!(1e300)),
        ("max_run_time", json!(0)),
        ("max_run_time", json!(u64::MAX)),
        ("max_run_time", json!("")),
        ("repeat_after", json!(0)),
        ("repeat_after", json!(false)),
        ("failure_threshold", json!(0)),
        ("failure_threshold", json!(1_001)),
        ("failure_threshold", json!(4_294_967_296_u64)),
        ("failure_threshold", json!(null)),
        ("recovery_threshold", json!(0)),
        ("recovery_threshold", json!("two")),
        ("warning_codes", json!([0])),
        ("warning_codes[0]", json!([256])),
        ("warning_codes[0]", json!([-1])),
        ("warning_codes[0]", json!(["3"])),
        ("warning_codes", json!(3)),
        ("warning_codes", json!(null)),
        ("manual_resume", json!("yes")),
        ("manual_resume", json!(1)),
        ("remind_never_started", json!(null)),
        ("post_only", json!([])),
        ("rules", json!(["files_total > "])),
        ("rules", json!({})),
        ("rules", json!(null)),
        ("rules", json!("")),
        ("keywords", json!([])),
        ("keywords.in", json!({"in": {}})),
        ("keywords.in[0]", json!({"in": ["header"]})),
        ("keywords.failure[0]", json!({"in": [], "failure": [1]})),
        (
            "keywords",
            json!({"in": ["body"], "failure": ["x".repeat(2_001)]}),
        ),
        ("channels", json!("none")),
        ("channels", json!(null)),
        ("channels", json!(["hook"])),
        ("channels", json!([1])),
        ("channels", json!(["00000000-0000-4000-8000-000000000000"])),
        (
            "channels",
            json!(
                (0..101)
                    .map(|n| uuid::Uuid::from_u128(n).to_string())
                    .collect::<Vec<_>>()
            ),
        ),
        ("id", json!("00000000-0000-1000-8000-000000000000")),
        ("status", json!("up")),
        ("", json!(1)),
        ("a\u{0}b", json!(1)),
    ] {
        let sent = field.split(['[', '.']).next().unwrap();
        let mut new = json!({"name": "x"});
        new[sent] = value.clone();
        let edit = json!({sent: value});
        for (method, path, body) in [
            ("POST", "/heartbeats", new),
            ("PATCH", "/heartbeats/job", edit),
        ] {
            let body = body.to_string().into_bytes();
            bad.push((method, path.to_owned(), body, 422, Some(field)));
        }
    }
    bad
}

fn wrong_queries() -> Vec<Bad> {
    let mut bad: Vec<Bad> = Vec::new();
    for (path, field) in [
        ("/heartbeats?status=upp", "status"),
        ("/heartbeats?status=Up", "status"),
        ("/heartbeats?status=", "status"),
        ("/heartbeats?status=up&status=down", "status"),
        ("/heartbeats?q=a&q=b", "q"),
        ("/heartbeats?q=%00", "q"),
        ("/heartbeats?tag=%00", "tag"),
        ("/heartbeats?tags=a", "tags"),
        ("/heartbeats?page=2", "page"),
        ("/heartbeats?=", ""),
        ("/heartbeats/job/signals?limit=0", "limit"),
        ("/heartbeats/job/runs?open=true", "open"),
        ("/incidents?open=yes", "open"),
        ("/incidents?open", "open"),
        ("/incidents?heartbeat=job", "heartbeat"),
        ("/deliveries?state=lost", "state"),
        ("/keys?scope=read-only", "scope"),
    ] {
        bad.push(("GET", path.to_owned(), Vec::new(), 400, Some(field)));
    }
    for (path, field) in [
        ("/deliveries?heartbeat=nobody", "heartbeat"),
        ("/deliveries?heartbeat=%F0%9F%97%84", "heartbeat"),
        ("/deliveries?channel=", "channel"),
    ] {
        bad.push(("GET", path.to_owned(), Vec::new(), 404, Some(field)));
    }
    bad
}

fn wrong_paths() -> Vec<Bad> {
    let long = format!("/heartbeats/{}", "x".repeat(60_000));
    [
        "/heartbeats/%00",
        "/heartbeats/%ff%fe",
        "/heartbeats/%2e%2e",
        "/heartbeats/..%2f..%2fkeys",
        "/heartbeats/%F0%9F%97%84",
        "/heartbeats/JOB",
        "/heartbeats/00000000-0000-4000-8000-000000000000",
        "/heartbeats/{00000000-0000-4000-8000-000000000000",
        "/channels/%00",
        "/channels/hook%00",
        "/channels/%20",
        "/incidents/1",
        "/incidents/%00",
        "/deliveries/-1",
        "/maintenance/1",
        "/heartbeats//signals",
        "/%00",
        &long,
    ]
    .iter()
    .flat_map(|path| {
        let method = if path.starts_with("/maintenance") {
            "DELETE"
        } else {
            "GET"
        };
        [(method, (*path).to_owned(), Vec::new(), 404, None)]
    })
    .collect()
}
