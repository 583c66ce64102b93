//! The server as a process of its own.

use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use nightbeat_domain::UnixMicros;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::admin::Admin;
use crate::clock::TestClock;
use crate::http::Connection;
use crate::wait::{HANGING, until};
use crate::{address, http};

/// The longest step of time that a running server takes without a gap.
const STEP: Duration = Duration::from_secs(3);

/// How to start the binary under test.
#[derive(Debug)]
#[must_use]
pub struct Setup {
    program: PathBuf,
    folder: TempDir,
    address: SocketAddr,
    database: PathBuf,
    /// The database, where it is not that file.
    database_url: Option<String>,
    environment: Vec<(String, String)>,
    serve_arguments: Vec<String>,
    clock: Option<TestClock>,
}

impl Setup {
    /// A server on a fresh database, on an address of its own, whose channels may reach this machine.
    /// `program` is `env!("CARGO_BIN_EXE_nightbeat")`.
    pub fn new(program: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("nightbeat.db");
        let address = address::free();
        Self {
            program: program.into(),
            folder,
            address,
            database,
            database_url: None,
            environment: Vec::new(),
            serve_arguments: Vec::new(),
            clock: None,
        }
        .with("outgoing.allow", "127.0.0.0/8")
        .with("limits.connections_per_address", "4096")
        // A test asks the API again and again: that is no news, and its clock may stand still.
        .with("limits.api_requests_per_minute", "off")
        .with("log.level", "info,nightbeat_server::http=warn")
    }

    /// Sets a key of the configuration.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        let variable = format!("NIGHTBEAT_{}", key.replace('.', "_").to_uppercase());
        self.environment.push((variable, value.to_owned()));
        self
    }

    /// Sets a variable of its environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts the database in `folder`.
    pub fn database_in(mut self, folder: &Path) -> Self {
        self.database = folder.join("nightbeat.db");
        self
    }

    /// Makes it a node on the database with this URL, which others may use, too.
    pub fn on(mut self, database_url: &str) -> Self {
        self.database_url = Some(database_url.to_owned());
        self
    }

    /// Adds an argument of `nightbeat serve`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.serve_arguments.push(argument.to_owned());
        self
    }

    /// Gives it a clock that stands at `now` until the test moves it.
    pub fn clock_at(mut self, now: UnixMicros) -> Self {
        let file = self.folder.path().join("clock");
        self.clock = Some(TestClock::standing(&file, now));
        self
    }

    /// Where its database is.
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// Makes the first project.
    pub fn init(&self) -> Admin {
        let made = self.run(&["init", "--email", "ana@example.org", "--json"]);
        Admin::new(self.address, &made)
    }

    /// Runs a command of the binary on this database; its stdout.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts the server and waits until it is ready.
    pub async fn start(self) -> Binary {
        let mut binary = Binary {
            setup: self,
            process: None,
        };
        binary.restart().await;
        binary
    }

    /// Starts the server and waits for nothing.
    pub fn launch(self) -> Binary {
        let mut binary = Binary {
            setup: self,
            process: None,
        };
        binary.launch();
        binary
    }

    /// Runs a command of the binary that may fail, to its end.
    pub fn try_run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let file = || format!("sqlite:{}", self.database.display());
        let database_url = self.database_url.clone().unwrap_or_else(file);
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("NIGHTBEAT_DATABASE", database_url)
            .env("RUST_BACKTRACE", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        if let Some(clock) = &self.clock {
            command.env("NIGHTBEAT_CLOCK_FILE", clock.file());
        }
        command
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

/// A server that runs, or ran and can be started again on the same address and database. It is killed when
/// this is dropped.
#[derive(Debug)]
pub struct Binary {
    setup: Setup,
    process: Option<Child>,
}

impl Binary {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.setup.address
    }

    /// Where its database is.
    pub fn database(&self) -> &Path {
        &self.setup.database
    }

    /// Runs a command of the binary on the same database; its stdout.
    pub fn run(&self, arguments: &[&str]) -> String {
        self.setup.run(arguments)
    }

    /// Runs a command of the binary that may fail, to its end.
    pub fn try_run(&self, arguments: &[&str]) -> Output {
        self.setup.try_run(arguments)
    }

    /// Its clock, where it has one that stands still.
    #[track_caller]
    pub fn clock(&self) -> &TestClock {
        self.setup.clock.as_ref().unwrap()
    }

    /// Everything that it and its predecessors have logged.
    pub fn log(&self) -> String {
        let mut text = String::new();
        let mut file = File::open(self.setup.log_file()).unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    /// Starts it again and waits until it is ready.
    pub async fn restart(&mut self) {
        self.launch();
        self.until_ready().await;
    }

    /// Waits until it is ready, after it was launched or when what it needs is back.
    pub async fn until_ready(&mut self) {
        let address = self.address();
        let mut last = String::new();
        for _ in 0..HANGING.as_secs() * 50 {
            match http::send(address, http::get(address, "/readyz")).await {
                Ok(answer) if answer.status == 200 => return,
                Ok(answer) => last = format!("{} {}", answer.status, answer.body.trim()),
                Err(error) => last = error.to_string(),
            }
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "it ended ({ended:?}):\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it is not ready ({last}):\n{}", self.log());
    }

    /// Starts it without waiting for anything.
    pub fn launch(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.setup.log_file())
            .unwrap();
        let listen = self.setup.address.to_string();
        let url = format!("http://{listen}");
        let arguments = ["serve", "--listen", &listen, "--public-url", &url];
        let child = self
            .setup
            .command(&arguments)
            .args(&self.setup.serve_arguments)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(child);
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// `SIGTERM`; how it ended.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let mut process = self.process.take().unwrap();
        for _ in 0..HANGING.as_secs() * 50 {
            if let Some(status) = process.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process.kill().unwrap();
        panic!("it does not stop:\n{}", self.log());
    }

    /// Waits until it has ended by itself; how it ended.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        for _ in 0..HANGING.as_secs() * 50 {
            if let Some(status) = process.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process.kill().unwrap();
        panic!("it does not end:\n{}", self.log());
    }

    /// Holds it still, as a paused virtual machine is held still.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().unwrap();
        kill_process(Pid::from_child(process), signal).unwrap();
    }

    /// Lets time pass as a running server sees it pass: in small steps, each of which it has taken in before
    /// the next. `nudge` is a heartbeat that nobody cares about.
    pub async fn pass(&self, span: Duration, nudge: &crate::Heartbeat) {
        // A connection for each step would take longer than the steps.
        let mut connection = Connection::open(self.address()).await.ok();
        let mut left = span;
        while !left.is_zero() {
            let step = left.min(STEP);
            self.clock().leap(step);
            left -= step;
            let answer = match &mut connection {
                Some(open) => open.send(self.nudge(nudge)).await.ok(),
                None => None,
            };
            if let Some(answer) = answer {
                taken_in(answer.status);
            } else {
                // It closes a connection when it wishes.
                self.turn(nudge).await;
                connection = Connection::open(self.address()).await.ok();
            }
        }
    }

    /// Waits until the server has taken in what time it is, whether it can store or not.
    pub async fn turn(&self, nudge: &crate::Heartbeat) {
        let answer = http::send(self.address(), self.nudge(nudge));
        taken_in(answer.await.unwrap().status);
    }

    fn nudge(&self, nudge: &crate::Heartbeat) -> http::Request {
        let path = format!("{}/log", nudge.path());
        http::request("POST", self.address(), &path, "")
    }

    /// Waits until its log holds this text.
    pub async fn logged(&self, text: &str) {
        until(&format!("the log says {text:?}"), async || {
            self.log().contains(text).then_some(())
        })
        .await;
    }
}

#[track_caller]
fn taken_in(status: u16) {
    assert!([200, 503].contains(&status), "{status}");
}

impl Drop for Binary {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
        if std::thread::panicking() {
            eprintln!("--- the server's log ---\n{}", self.log());
        }
    }
}
