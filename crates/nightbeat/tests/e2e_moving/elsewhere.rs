//! A Healthchecks server: its management API, as it answers, with one project.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};

/// The project's keys there.
pub(crate) const KEY: &str = "hcw_0123456789abcdefghijklmnopqr";
pub(crate) const READ_ONLY: &str = "hcr_0123456789abcdefghijklmnopqr";

/// How many checks it has.
pub(crate) const CHECKS: usize = 200;

pub(crate) struct Elsewhere {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    /// How often it still answers that it is asked too often.
    busy: Arc<AtomicUsize>,
    serving: Option<JoinHandle<()>>,
}

impl Elsewhere {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (ended, busy) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (is_over, refuses) = (Arc::clone(&ended), Arc::clone(&busy));
        let serving = std::thread::spawn(move || {
            for connection in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                answer(&connection.unwrap(), address, &refuses);
            }
        });
        Self {
            address,
            ended,
            busy,
            serving: Some(serving),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next requests are too many.
    pub(crate) fn is_busy_for(&self, requests: usize) {
        self.busy.store(requests, Ordering::SeqCst);
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the thread; it sees that it is over.
        let _ = TcpStream::connect(self.address);
        if let Some(serving) = self.serving.take() {
            serving.join().unwrap();
        }
    }
}

fn answer(mut connection: &TcpStream, address: SocketAddr, busy: &AtomicUsize) {
    let mut lines = BufReader::new(connection).lines().map_while(Result::ok);
    let Some(first) = lines.next() else {
        return;
    };
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let key = headers
        .iter()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("x-api-key"))
        .map_or("", |(_, value)| value);
    let path = first.split(' ').nth(1).unwrap_or_default();
    let (status, more, body) = if busy.load(Ordering::SeqCst) > 0 {
        busy.fetch_sub(1, Ordering::SeqCst);
        (
            "429 Too Many Requests",
            "Retry-After: 1\r\n".to_owned(),
            String::new(),
        )
    } else {
        answer_to(path, key, address)
    };
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\
         Access-Control-Allow-Origin: *\r\n{more}\r\n{body}",
        body.len()
    );
    let _ = connection.write_all(text.as_bytes());
}

fn answer_to(path: &str, key: &str, address: SocketAddr) -> (&'static str, String, String) {
    let plain = |status, body: Value| (status, String::new(), body.to_string());
    if !path.starts_with("/api/v3/") {
        return (
            "404 Not Found",
            String::new(),
            "<h1>Not Found</h1>".to_owned(),
        );
    }
    if !path.ends_with('/') {
        let there = format!("Location: {path}/\r\n");
        return ("301 Moved Permanently", there, String::new());
    }
    match (path, key) {
        (_, key) if key.len() < 32 => {
            plain("401 Unauthorized", json!({"error": "missing api key"}))
        }
        ("/api/v3/checks/", KEY) => plain("200 OK", json!({"checks": checks(address)})),
        ("/api/v3/checks/", READ_ONLY) => {
            let check = json!({"name": "x", "unique_key": "a6c7b0a8", "grace": 60, "timeout": 60});
            plain("200 OK", json!({"checks": [check]}))
        }
        ("/api/v3/channels/", KEY) => plain("200 OK", json!({"channels": CHANNELS.map(channel)})),
        _ => plain("401 Unauthorized", json!({"error": "wrong api key"})),
    }
}

/// Their ids, names and kinds.
const CHANNELS: [(&str, &str, &str); 4] = [
    ("0ac4f3ff-0c5e-4bb8-8f5c-1c1f0b7d0001", "ops", "webhook"),
    ("0ac4f3ff-0c5e-4bb8-8f5c-1c1f0b7d0002", "on call", "pd"),
    ("0ac4f3ff-0c5e-4bb8-8f5c-1c1f0b7d0003", "", "email"),
    ("0ac4f3ff-0c5e-4bb8-8f5c-1c1f0b7d0004", "phone", "ntfy"),
];

fn channel((id, name, kind): (&str, &str, &str)) -> Value {
    json!({"id": id, "name": name, "kind": kind})
}

/// The id of a check.
pub(crate) fn id(number: usize) -> String {
    format!(
        "{:08x}-59f2-4c1e-8c5e-3f0f4f6a{number:04x}",
        0x2a00_0000 + number * 7919
    )
}

/// Checks of every kind, in the words of a real answer.
fn checks(address: SocketAddr) -> Vec<Value> {
    (0..CHECKS).map(|number| check(number, address)).collect()
}

fn check(number: usize, address: SocketAddr) -> Value {
    let uuid = id(number);
    let host = format!("http://{address}");
    let mut check = json!({
        "name": format!("Job {number}"), "slug": format!("job-{number}"), "tags": "", "desc": "",
        "grace": 3600, "n_pings": number * 31, "status": "up", "started": false,
        "last_ping": "2026-11-21T02:00:07+00:00", "next_ping": "2026-11-22T02:00:07+00:00",
        "manual_resume": false, "methods": "", "subject": "", "subject_fail": "", "start_kw": "",
        "success_kw": "", "failure_kw": "", "filter_subject": false, "filter_body": false,
        "filter_http_body": false, "filter_default_fail": false,
        "badge_url": format!("{host}/b/2/{uuid}.svg"), "last_duration": 12,
        "uuid": uuid, "ping_url": format!("{host}/ping/{uuid}"),
        "update_url": format!("{host}/api/v3/checks/{uuid}"),
        "pause_url": format!("{host}/api/v3/checks/{uuid}/pause"),
        "resume_url": format!("{host}/api/v3/checks/{uuid}/resume"),
        "channels": CHANNELS[0].0, "timeout": 86400,
    });
    let crons = [
        "30 3 * * *",
        "*/15 * * * *",
        "0 6 * * MON-FRI",
        "0 0 L * *",
        "5 4 * * 1#2",
    ];
    let events = [
        "daily",
        "Mon..Fri 02:00",
        "*-*-01 03:00",
        "Sun 03:00\nWed 04:00",
        "hourly",
    ];
    let zones = [
        "Europe/Riga",
        "UTC",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
    ];
    let mut more = match number % 10 {
        0..=3 => json!({"timeout": 60 * (number + 1), "grace": 60 + number}),
        4..=6 => json!({"schedule": crons[number % 5], "tz": zones[number % 4]}),
        7 | 8 => json!({"schedule": events[number % 5], "tz": zones[number % 5]}),
        _ => json!({"timeout": 31_536_000, "grace": 31_536_000}),
    };
    let special = match number {
        11 => json!({"name": "", "slug": ""}),
        12 => json!({"name": "Резервная копия", "slug": ""}),
        13 => json!({"status": "paused", "last_ping": null, "next_ping": null}),
        14 => json!({"manual_resume": true, "methods": "POST"}),
        15 => {
            json!({"start_kw": "BEGIN", "success_kw": "OK,done", "failure_kw": "ERROR", "filter_subject": true,
            "subject": "OK,done", "subject_fail": "ERROR"})
        }
        16 => json!({"success_kw": "fine", "filter_http_body": true, "filter_body": true,
            "filter_default_fail": true}),
        17 | 18 => json!({"slug": "job-1"}),
        19 => json!({"tags": "prod db prod eu-west", "desc": "Two\nlines, and \"quotes\""}),
        20 => json!({"channels": ""}),
        21 => json!({"channels": CHANNELS.map(|(id, _, _)| id).join(",")}),
        22 => json!({"channels": CHANNELS[1].0}),
        23 => {
            json!({"desc": "x".repeat(12_000), "tags": (0..60).map(|n| format!("t{n}")).collect::<Vec<_>>().join(" ")})
        }
        24 => json!({"status": "new", "last_ping": null}),
        25 => json!({"status": "down"}),
        26 => json!({"status": "grace", "started": true, "name": "a \u{202e}name\u{7} of tricks"}),
        // What cannot be taken.
        27 => json!({"schedule": "0 3 * * *", "tz": "Europe/Atlantis"}),
        28 => json!({"schedule": "every blue moon", "tz": "UTC"}),
        29 => json!({"grace": "an hour"}),
        _ => json!({}),
    };
    if number == 27 || number == 28 {
        more = json!({});
    }
    let Value::Object(fields) = &mut check else {
        unreachable!()
    };
    for one in [more, special] {
        if let Value::Object(one) = one {
            fields.extend(one);
        }
    }
    if fields.contains_key("schedule") {
        fields.remove("timeout");
    }
    check
}
