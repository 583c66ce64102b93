//! A small HTTP server that answers what a test told it to, and the binary under test.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use tempfile::TempDir;

/// The key that every test uses.
pub const KEY: &str = "nb_rw_test";

/// One request that arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method and path: `GET /api/v1/heartbeats`.
    pub line: String,
    /// What stands after the `?`.
    pub query: String,
    /// Header lines in lower case.
    pub headers: Vec<String>,
    /// The body.
    pub body: String,
}

impl Request {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What to answer.
#[derive(Debug, Clone)]
pub struct Answer {
    status: &'static str,
    headers: String,
    body: String,
}

/// An answer with JSON.
pub fn answer(status: &'static str, body: &Value) -> Answer {
    text(status, &body.to_string())
}

/// An answer with any text.
pub fn text(status: &'static str, body: &str) -> Answer {
    Answer {
        status,
        headers: String::new(),
        body: body.to_owned(),
    }
}

/// Problem details.
pub fn problem(status: &'static str, detail: &str, field: Option<&str>) -> Answer {
    let code: u16 = status[..3].parse().unwrap();
    let body = json!({"type": "about:blank", "status": code, "detail": detail, "field": field});
    answer(status, &body)
}

impl Answer {
    /// The same with one more header.
    pub fn with(mut self, header: &str) -> Self {
        self.headers += &[header, "\r\n"].concat();
        self
    }
}

#[derive(Default)]
struct Script {
    routes: Vec<(String, VecDeque<Answer>)>,
    seen: Vec<Request>,
    ended: bool,
}

impl Script {
    fn answer(&mut self, line: &str) -> Answer {
        let route = self.routes.iter_mut().find(|(known, _)| known == line);
        let Some((_, answers)) = route else {
            return problem("404 Not Found", "no such thing", None);
        };
        match answers.len() {
            1 => answers[0].clone(),
            _ => answers.pop_front().unwrap(),
        }
    }
}

/// The server.
pub struct Server {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// A server that answers 404 to everything.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let script: Arc<Mutex<Script>> = Arc::default();
        let shared = Arc::clone(&script);
        let accepting = std::thread::spawn(move || {
            for connection in listener.incoming() {
                if shared.lock().unwrap().ended {
                    return;
                }
                serve_one(&connection.unwrap(), &shared);
            }
        });
        Self {
            address,
            script,
            accepting: Some(accepting),
        }
    }

    /// Answers `line` (`GET /api/v1/heartbeats`) with these answers in turn; the last one stays.
    pub fn on<const N: usize>(self, line: &str, answers: [Answer; N]) -> Self {
        let route = (line.to_owned(), VecDeque::from(answers));
        self.script.lock().unwrap().routes.push(route);
        self
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests that arrived.
    pub fn seen(&self) -> Vec<Request> {
        self.script.lock().unwrap().seen.clone()
    }

    /// Method and path of all requests that arrived.
    pub fn lines(&self) -> Vec<String> {
        self.seen()
            .into_iter()
            .map(|request| request.line)
            .collect()
    }

    /// Runs the binary against this server with the test's key.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, &[], "")
    }

    /// The same with more environment and a stdin.
    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)], stdin: &str) -> Run {
        let url = self.url();
        let mut all = vec![("NIGHTBEAT_URL", url.as_str()), ("NIGHTBEAT_API_KEY", KEY)];
        all.extend(environment);
        run(arguments, &all, stdin)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.script.lock().unwrap().ended = true;
        // Wakes the accepting thread; it looks at `ended` and goes.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            accepting.join().unwrap();
        }
    }
}

fn serve_one(mut connection: &TcpStream, script: &Mutex<Script>) {
    let mut reader = BufReader::new(connection);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let headers: Vec<String> = head[1..].iter().map(|line| line.to_lowercase()).collect();
    let length = headers
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let (target, _version) = head[0].rsplit_once(' ').unwrap();
    let (line, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request {
        line: line.to_owned(),
        query: query.to_owned(),
        headers,
        body: String::from_utf8(body).unwrap(),
    };
    let answer = {
        let mut script = script.lock().unwrap();
        script.seen.push(request);
        script.answer(line)
    };
    let bytes = format!(
        "HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n{}",
        answer.status,
        answer.body.len(),
        answer.headers,
        answer.body
    );
    // A client that has given up is no fault of the test.
    let _ = connection.write_all(bytes.as_bytes());
}

/// An address on which nobody listens.
pub fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// What the binary did.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    /// Its exit code.
    pub code: i32,
    /// Data.
    pub stdout: String,
    /// All else.
    pub stderr: String,
}

impl Run {
    /// The run must have succeeded; its stdout.
    #[track_caller]
    pub fn data(&self) -> &str {
        assert_eq!(self.code, 0, "{self:?}");
        &self.stdout
    }

    /// The run must have failed with this code and without data; its stderr.
    #[track_caller]
    pub fn error(&self, code: i32) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{self:?}");
        &self.stderr
    }
}

/// Runs the binary in a home of its own, with nothing in its environment but `environment`.
pub fn run(arguments: &[&str], environment: &[(&str, &str)], stdin: &str) -> Run {
    let home = TempDir::new().unwrap();
    run_at(home.path(), arguments, environment, stdin)
}

/// Runs the binary with this home.
pub fn run_at(home: &Path, arguments: &[&str], environment: &[(&str, &str)], stdin: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nightbeat"))
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("TZ", "UTC")
        .env("NIGHTBEAT_SPOOL", home.join("spool"))
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // A command that answers as it reads blocks when nobody takes the answers; one that does not read
        // its stdin may be gone already.
        scope.spawn(move || drop(pipe.write_all(stdin.as_bytes())));
        child.wait_with_output().unwrap()
    });
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A heartbeat as the API answers it, with a field from a newer server.
pub fn heartbeat() -> Value {
    json!({
        "id": ID, "name": "nightly backup", "slug": "nightly-backup", "description": "",
        "tags": ["prod"], "schedule": {"every": 86400}, "grace": 5400, "max_run_time": null,
        "failure_threshold": 1, "recovery_threshold": 1, "warning_codes": [3],
        "manual_resume": false, "remind_never_started": true, "repeat_after": null,
        "post_only": false, "rules": [], "channels": "all", "status": "up", "running_since": null,
        "expected_at": "2099-11-22T02:00:00Z", "deadline": "2099-11-22T03:30:00Z",
        "last_signal_at": "2026-11-21T02:00:00.123456Z", "last_success_at": "2026-11-21T02:00:00Z",
        "last_run": {"started_at": null, "ended_at": "2026-11-21T02:00:00Z", "duration": null,
                     "outcome": "ok"},
        "incident_id": null, "ping_url": format!("http://beats.example/api/heartbeat/{ID}"),
        "created_at": "2026-11-01T00:00:00Z", "mood": "hopeful"
    })
}

/// The heartbeat's id.
pub const ID: &str = "4c1e8c5e-3f0f-4f6a-9c5e-0d6f8f6f1a2b";
