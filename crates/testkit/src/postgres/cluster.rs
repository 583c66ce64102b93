//! A server of a test's own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::machine::{self, Machine};
use super::session::{self, Rows};
use super::{SOCKET_PORT, run_or_panic, socket, socket_url};
use crate::address;
use crate::wait::HANGING;

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(5);

/// So much of a server's log is shown when a test fails.
const LOG_LINES_SHOWN: usize = 60;

/// What a private cluster is like. The default is fast and loses what it likes when it is killed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings<'a> {
    /// Whether a commit survives everything, as PostgreSQL does unless it is told otherwise.
    pub durable: bool,
    /// Whether it listens on an address of this machine, too, where it asks for a password (`scram-sha-256`).
    pub tcp: bool,
    /// Lines of its `postgresql.conf`: a name and its value, unquoted.
    pub conf: &'a [(&'a str, &'a str)],
    /// Files in its data folder, which only it may read: `server.crt` and `server.key` for `ssl`.
    pub files: &'a [(&'a str, &'a [u8])],
}

/// How a server is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Sessions are cut off, their transactions rolled back, everything is written.
    Fast,
    /// At once: the next start begins with recovery.
    Immediate,
}

/// A cluster that only this test uses. It ends when this is dropped, and with the process.
#[derive(Debug)]
pub struct Cluster {
    machine: Machine,
    folder: PathBuf,
    name: String,
    address: Option<SocketAddr>,
    password: String,
    server: Option<Server>,
    /// Locked for as long as this process lives: the folder is not swept.
    _user: File,
}

/// A server that was started.
#[derive(Debug)]
struct Server {
    process: Pid,
    /// How it ended.
    ended: Receiver<ExitStatus>,
}

impl Cluster {
    /// Makes a cluster and starts it.
    pub fn private(settings: Settings<'_>) -> Self {
        machine::sweep();
        let mut cluster = Self::empty(settings.tcp, machine::random());
        let mut conf = Vec::new();
        if !settings.durable {
            conf.extend([
                ("fsync", "off"),
                ("synchronous_commit", "off"),
                ("full_page_writes", "off"),
            ]);
        }
        conf.extend(settings.conf);
        let data = cluster.data();
        cluster.machine.initdb(&data, &cluster.password, &conf);
        for (name, content) in settings.files {
            cluster.machine.write(&data.join(name), content);
        }
        cluster.start();
        cluster
    }

    /// Makes a streaming standby of this server, and waits until it streams. It follows over the Unix socket.
    #[must_use]
    pub fn standby(&self) -> Self {
        let mut standby = Self::empty(self.address.is_some(), self.password.clone());
        let from = format!(
            "host={} port={} user=postgres application_name={}",
            self.folder.join("socket").display(),
            self.port(),
            standby.name,
        );
        let mut backup = self.machine.command("pg_basebackup");
        backup.arg("--pgdata").arg(standby.data());
        backup.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        machine::run(backup.arg("--dbname").arg(from));
        standby.start();
        self.until_standby(&standby, "state = 'streaming'");
        standby
    }

    /// From now on a commit is answered when this standby has it, too.
    pub fn commit_only_with(&self, standby: &Self) {
        self.set(
            "synchronous_standby_names",
            &format!("\"{}\"", standby.name),
        );
        self.until_standby(standby, "sync_state = 'sync'");
    }

    /// Makes a standby the server that takes writes.
    pub fn promote(&self) {
        let promoted = self.run("SELECT pg_promote(true, 60)");
        assert_eq!(promoted[0][0].as_deref(), Some("t"), "{}", self.log());
    }

    /// Makes a database; its URL.
    pub fn create(&self, database: &str) -> String {
        self.run(&format!("CREATE DATABASE {database} TEMPLATE template0"));
        self.url(database)
    }

    /// The URL of a database: over TCP with a password where the cluster has it, else over the Unix socket.
    pub fn url(&self, database: &str) -> String {
        match self.address {
            Some(address) => format!("postgres://postgres:{}@{address}/{database}", self.password),
            None => self.socket_url(database),
        }
    }

    /// Where it listens, if it does.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The password of `postgres` over TCP.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Its Unix socket: what a [`Proxy`](crate::proxy::Proxy) may stand before.
    pub fn socket(&self) -> PathBuf {
        socket(&self.folder, self.port())
    }

    /// Runs statements in the database `postgres`, on a connection of their own; their rows.
    #[track_caller]
    pub fn run(&self, statements: &str) -> Rows {
        run_or_panic(&self.socket_url("postgres"), statements)
    }

    /// These columns of a table in the database `postgres`.
    #[track_caller]
    pub fn select(&self, columns: &str, table: &str) -> Rows {
        self.run(&format!("SELECT {columns} FROM {table}"))
    }

    /// A program of the same PostgreSQL, such as `pgbench`, which finds the cluster by its environment.
    pub fn program(&self, name: &str) -> Command {
        let mut command = self.machine.command(name);
        command.env("PGHOST", self.folder.join("socket"));
        command.env("PGPORT", self.port().to_string());
        command.env("PGUSER", "postgres");
        command
    }

    /// Ends all sessions of an application: its `application_name`.
    pub fn cut_off(&self, application: &str) {
        self.run(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE application_name = '{application}'"
        ));
    }

    /// Changes a setting of the running server.
    pub fn set(&self, name: &str, value: &str) {
        // Neither of them may stand in a transaction, which two statements at once would be.
        self.run(&format!(
            "ALTER SYSTEM SET {name} = '{}'",
            value.replace('\'', "''")
        ));
        self.run("SELECT pg_reload_conf()");
    }

    /// Everything that its servers have logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Starts it, and waits until it answers.
    #[track_caller]
    pub fn start(&mut self) {
        assert!(self.server.is_none(), "it runs already");
        let mut command = self.machine.server();
        let host = self
            .address
            .map_or(String::new(), |address| address.ip().to_string());
        command.args(machine::place(&self.folder, &host, self.port()));
        let log = machine::append(&self.log_file()).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let server = Server::start(command);
        let ended = || {
            let status = server.ended.try_recv().ok()?;
            Some(format!("it ended: {status}"))
        };
        if let Err(why) = session::until_it_answers(&self.socket_url("postgres"), ended) {
            panic!("PostgreSQL does not start: {why}\n{}", self.log());
        }
        self.server = Some(server);
    }

    /// Stops it, and waits until it has ended.
    #[track_caller]
    pub fn stop(&mut self, how: Shutdown) {
        let signal = match how {
            Shutdown::Fast => Signal::INT,
            Shutdown::Immediate => Signal::QUIT,
        };
        let server = self.running();
        kill_process(server.process, signal).unwrap();
        let ended = server.ended.recv_timeout(HANGING);
        assert!(ended.is_ok(), "PostgreSQL does not stop:\n{}", self.log());
    }

    /// Stops it and starts it again.
    pub fn restart(&mut self, how: Shutdown) {
        self.stop(how);
        self.start();
    }

    /// `kill -9` of the server and of all its sessions, as a machine dies.
    #[track_caller]
    pub fn kill(&mut self) {
        let server = self.running();
        // So that it starts no others meanwhile.
        kill_process(server.process, Signal::STOP).unwrap();
        let sessions = children(server.process);
        for process in sessions.iter().chain([&server.process]) {
            // One that has ended by itself is as dead.
            let _ = kill_process(*process, Signal::KILL);
        }
        server.ended.recv_timeout(HANGING).unwrap();
        // Their memory would keep the next server from starting.
        while sessions.iter().any(|process| lives(*process)) {
            std::thread::sleep(PAUSE);
        }
    }

    /// Holds the server and all its sessions still, as a machine that hangs.
    pub fn pause(&self) {
        let process = self.server.as_ref().expect("it does not run").process;
        kill_process(process, Signal::STOP).unwrap();
        for session in children(process) {
            let _ = kill_process(session, Signal::STOP);
        }
    }

    /// Lets them go on.
    pub fn resume(&self) {
        let process = self.server.as_ref().expect("it does not run").process;
        for session in children(process) {
            let _ = kill_process(session, Signal::CONT);
        }
        kill_process(process, Signal::CONT).unwrap();
    }

    /// A folder for a cluster, without its data.
    fn empty(tcp: bool, password: String) -> Self {
        let name = format!("own-{}", machine::random());
        let folder = machine::folder(&name);
        let user = machine::use_folder(&folder);
        let machine = Machine::find();
        for fresh in ["data", "socket"] {
            machine.make_folder(&folder.join(fresh));
        }
        Self {
            machine,
            folder,
            name: name.replace('-', "_"),
            address: tcp.then(address::free),
            password,
            server: None,
            _user: user,
        }
    }

    fn until_standby(&self, standby: &Self, condition: &str) {
        let condition = format!(
            "SELECT true FROM pg_stat_replication WHERE application_name = '{}' AND {condition}",
            standby.name
        );
        session::until(&self.socket_url("postgres"), &condition);
    }

    fn running(&mut self) -> Server {
        self.server.take().expect("it does not run")
    }

    /// In the name of its Unix socket, too.
    fn port(&self) -> u16 {
        self.address.map_or(SOCKET_PORT, |address| address.port())
    }

    fn socket_url(&self, database: &str) -> String {
        socket_url(&self.folder, self.port(), database)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            // It may have ended by itself.
            let _ = kill_process(server.process, Signal::CONT);
            let _ = kill_process(server.process, Signal::QUIT);
            let _ = server.ended.recv_timeout(HANGING);
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            eprintln!("--- the log of {} ---\n{}", self.name, shown.join("\n"));
        }
        machine::remove(&self.folder);
    }
}

impl Server {
    /// Starts it on a thread that lives as long as it does: it ends with that thread, and so with us.
    fn start(mut command: Command) -> Self {
        let (to_us, started) = mpsc::channel();
        let (ending, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let mut child = command.spawn().expect("setpriv, of Debian's util-linux");
            let _ = to_us.send(Pid::from_child(&child));
            let _ = ending.send(child.wait().unwrap());
        });
        let process = started.recv().expect("the server's process");
        Self { process, ended }
    }
}

/// The processes that this one has started and that have not ended.
fn children(parent: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let processes = numbers.filter_map(Pid::from_raw);
    let ours = processes.filter(|process| {
        let parent = parent.as_raw_nonzero().to_string();
        status(*process).is_some_and(|(state, its)| state != "Z" && its == parent)
    });
    ours.collect()
}

fn lives(process: Pid) -> bool {
    status(process).is_some_and(|(state, _)| state != "Z")
}

/// The state of a process and the number of its parent, as proc(5) has them.
fn status(process: Pid) -> Option<(String, String)> {
    let path = Path::new("/proc").join(process.as_raw_nonzero().to_string());
    let line = fs::read_to_string(path.join("stat")).ok()?;
    // The name of the program is in brackets and may hold anything.
    let (_, rest) = line.rsplit_once(") ")?;
    let mut fields = rest.split(' ').map(str::to_owned);
    Some((fields.next()?, fields.next()?))
}
