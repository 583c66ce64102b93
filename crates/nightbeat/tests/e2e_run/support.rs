//! A server that remembers what it was told, and the binary under test in a home of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;

/// The heartbeat of every test.
pub const ID: &str = "4c1e8c5e-3f0f-4f6a-9c5e-0d6f8f6f1a2b";

/// How long something may take that only has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// One signal that arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What stands after the id: `/start`, `/0`, nothing.
    pub tail: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Told {
    /// A parameter of the query.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A metric.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let value = self.get(&format!("m.{name}"))?;
        Some(value.parse().unwrap())
    }

    /// When it happened, as it says.
    pub fn at(&self) -> Option<Timestamp> {
        self.get("at").map(|at| at.parse().unwrap())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A server: it answers 200 to everything, with this limit of bodies.
#[derive(Debug)]
pub struct Beats {
    address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Beats {
    pub fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), "200 OK", 100_000)
    }

    /// One that keeps this much of a body.
    pub fn keeping(body_bytes: usize) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), "200 OK", body_bytes)
    }

    /// One that answers this.
    pub fn answering(status: &'static str) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), status, 100_000)
    }

    /// One at this address.
    pub fn at(address: SocketAddr, status: &'static str, body_bytes: usize) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let told: Arc<Mutex<Vec<Told>>> = Arc::default();
        let shared = Arc::clone(&told);
        // It lives as long as the test's process.
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let shared = Arc::clone(&shared);
                let connection = connection.unwrap();
                std::thread::spawn(move || serve(&connection, &shared, status, body_bytes));
            }
        });
        Self { address, told }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that arrived.
    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// What arrived, by what stands after the id.
    pub fn tails(&self) -> Vec<String> {
        self.told().into_iter().map(|told| told.tail).collect()
    }

    /// What arrived last.
    #[track_caller]
    pub fn last(&self) -> Told {
        self.told().pop().unwrap()
    }

    /// Waits until so many have arrived.
    #[track_caller]
    pub fn until(&self, count: usize) -> Vec<Told> {
        until("signals arrive", || self.told().len() >= count);
        self.told()
    }

    /// Waits for one with this after the id: what two processes send comes in any order.
    #[track_caller]
    pub fn until_told(&self, tail: &str) -> Told {
        let mut found = None;
        until(tail, || {
            found = self.told().into_iter().find(|told| told.tail == tail);
            found.is_some()
        });
        found.unwrap()
    }
}

/// Answers the requests of one connection.
fn serve(connection: &TcpStream, told: &Mutex<Vec<Told>>, status: &str, body_bytes: usize) {
    let mut reader = BufReader::new(connection);
    let mut writer = connection;
    loop {
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
        let lower = head.iter().map(|line| line.to_lowercase());
        let mut lengths = lower.filter_map(|line| {
            let length = line.strip_prefix("content-length: ");
            length.map(|length| length.parse::<usize>().unwrap())
        });
        let mut body = vec![0; lengths.next().unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let target = head[0].split(' ').nth(1).unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let stem = format!("/api/heartbeat/{ID}");
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        told.lock().unwrap().push(Told {
            tail: path.strip_prefix(&stem).unwrap_or(path).to_owned(),
            query: pairs.into_owned().collect(),
            body,
        });
        let answer = format!(
            "HTTP/1.1 {status}\r\nPing-Body-Limit: {body_bytes}\r\nContent-Length: 2\r\n\r\nOK"
        );
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// An address on which nobody listens.
pub fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// A server that takes connections and never answers.
pub fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let mut waited = Duration::ZERO;
    let step = Duration::from_millis(20);
    while !holds() {
        assert!(waited < PATIENCE, "waited {PATIENCE:?} until {what}");
        std::thread::sleep(step);
        waited += step;
    }
}

/// A machine: a home, a spool, and no variable that is not said.
pub struct Machine {
    pub home: TempDir,
    variables: Vec<(String, String)>,
}

impl Machine {
    /// One whose signals go to `url`.
    pub fn new(url: &str) -> Self {
        let home = TempDir::new().unwrap();
        let spool = home.path().join("spool");
        let path = std::env::var("PATH").unwrap();
        let variables = [
            ("NIGHTBEAT_URL", url.to_owned()),
            ("NIGHTBEAT_SPOOL", spool.display().to_string()),
            ("HOME", home.path().display().to_string()),
            ("PATH", path),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        Self {
            home,
            variables: variables.to_vec(),
        }
    }

    /// With one more variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The folder in which its signals wait.
    pub fn spool(&self) -> PathBuf {
        self.home.path().join("spool")
    }

    /// How many signals wait.
    pub fn waiting(&self) -> usize {
        let entries = std::fs::read_dir(self.spool());
        entries.map_or(0, |entries| {
            let names = entries.map(|entry| entry.unwrap().file_name());
            names
                .filter(|name| name.to_string_lossy().ends_with(".signal"))
                .count()
        })
    }

    /// The binary with these arguments, in a session of its own: without a terminal, as under cron.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("setsid");
        command
            .args(["--wait", env!("CARGO_BIN_EXE_nightbeat")])
            .args(arguments);
        self.prepare(&mut command);
        command
    }

    /// Any command, with this machine's variables.
    pub fn prepare(&self, command: &mut Command) {
        command
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    }

    /// `nightbeat` with these arguments, to its end.
    pub fn nightbeat(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    /// `nightbeat run` with these options and a line for `sh`.
    pub fn sh(&self, options: &[&str], line: &str) -> Ran {
        let arguments = [&["run", ID], options, &["--", "sh", "-c", line]].concat();
        self.nightbeat(&arguments)
    }

    /// The same, begun and not waited for; without `setsid`, so that the process is the wrapper itself.
    pub fn begin(&self, options: &[&str], line: &str) -> Begun {
        self.begin_for(ID, options, line)
    }

    /// The same for another heartbeat.
    pub fn begin_for(&self, heartbeat: &str, options: &[&str], line: &str) -> Begun {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nightbeat"));
        command.args(["run", heartbeat]).args(options);
        command.args(["--", "sh", "-c", line]);
        self.prepare(&mut command);
        Begun(command.spawn().unwrap())
    }

    /// A file of this machine.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// A wrapper under way.
pub struct Begun(pub Child);

impl Begun {
    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for a line on its stdout.
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        let out = self.0.stdout.as_mut().unwrap();
        let mut byte = [0];
        while out.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// Waits for its end.
    pub fn end(self) -> Ran {
        Ran::of(&self.0.wait_with_output().unwrap())
    }
}

/// What the binary did.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: output.stdout.clone(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Its stdout as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// It must have ended with this code, and said nothing of its own.
    #[track_caller]
    pub fn quietly(&self, code: i32) -> String {
        assert_eq!(
            (self.code, self.stderr.as_str()),
            (Some(code), ""),
            "{self:?}"
        );
        self.text()
    }
}

/// Whether a process is there and no zombie.
pub fn lives(pid: &str) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    status.is_ok_and(|stat| !stat.rsplit(')').next().unwrap().starts_with(" Z"))
}
