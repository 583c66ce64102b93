//! The cluster that all tests of a run share.
//!
//! nextest runs each test in a process of its own, and a cluster takes seconds to make: the first process of
//! the run that needs one makes it, the others join, and a keeper (`keep.sh`) ends it when all are gone.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use super::machine::{self, Machine};
use super::{SOCKET_PORT, session, socket_url};

/// Nothing is durable, and there is room for the pools of many tests at once.
const CONFIGURATION: [(&str, &str); 8] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_wal_size", "2GB"),
    ("max_connections", "400"),
    ("jit", "off"),
];

/// How long the cluster waits for the next test of the run.
const IDLE: Duration = Duration::from_secs(10);

/// The same where one process runs all the tests.
const IDLE_ALONE: Duration = Duration::from_secs(1);

/// The cluster, as one that uses it sees it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) folder: PathBuf,
    /// Locked for as long as this process lives.
    _user: File,
}

impl Shared {
    /// The cluster of this run, which is ready.
    pub(super) fn get() -> &'static Self {
        static SHARED: OnceLock<Shared> = OnceLock::new();
        SHARED.get_or_init(Self::join)
    }

    /// The URL of a database in it.
    pub(super) fn url(&self, database: &str) -> String {
        socket_url(&self.folder, SOCKET_PORT, database)
    }

    /// Holds what only one process of the run may do at a time.
    pub(super) fn alone(&self) -> File {
        alone(&self.folder)
    }

    fn join() -> Self {
        let (name, idle) = match std::env::var("NEXTEST_RUN_ID") {
            Ok(run) => (run.chars().take(13).collect(), IDLE),
            Err(_) => (machine::random(), IDLE_ALONE),
        };
        let folder = machine::folder(&name);
        let user = machine::use_folder(&folder);
        let shared = Self {
            folder,
            _user: user,
        };
        let _alone = shared.alone();
        if !(shared.is_kept() && shared.ready_file().exists()) {
            machine::sweep();
            shared.make(idle);
        }
        shared
    }

    /// Whether its server was started, and its keeper lives.
    fn is_kept(&self) -> bool {
        machine::keeper(&self.folder).unwrap().try_lock().is_err()
    }

    fn make(&self, idle: Duration) {
        // Who was to make it may have been killed after it was started.
        let mut keeper = (!self.is_kept()).then(|| self.start_fresh(idle));
        let mut ended = || {
            let status = keeper.as_mut()?.try_wait().unwrap()?;
            Some(format!("its keeper ended: {status}"))
        };
        if let Err(why) = session::until_it_answers(&self.url("postgres"), &mut ended) {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            panic!("the tests' PostgreSQL does not start: {why}\n{log}");
        }
        fs::write(self.ready_file(), "").unwrap();
    }

    fn start_fresh(&self, idle: Duration) -> Child {
        let machine = Machine::find();
        // Of one whose keeper was killed.
        let _ = fs::remove_file(self.ready_file());
        for name in ["data", "socket"] {
            let folder = self.folder.join(name);
            let _ = fs::remove_dir_all(&folder);
            machine.make_folder(&folder);
        }
        let data = self.folder.join("data");
        machine.initdb(&data, &machine::random(), &CONFIGURATION);
        self.start(&machine, idle)
    }

    fn start(&self, machine: &Machine, idle: Duration) -> Child {
        let script = self.folder.join("keep.sh");
        fs::write(&script, include_str!("keep.sh")).unwrap();
        let log = machine::append(&self.folder.join("log")).unwrap();
        let server = machine.server();
        Command::new("sh")
            .arg(script)
            .arg(&self.folder)
            .arg(idle.as_secs().to_string())
            .arg(server.get_program())
            .args(server.get_args())
            .args(machine::place(&self.folder, "", SOCKET_PORT))
            .env_clear()
            .envs(
                server
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            // It is not ours to take along, neither when this test ends nor when it is killed.
            .process_group(0)
            .spawn()
            .expect("a shell")
    }

    fn ready_file(&self) -> PathBuf {
        self.folder.join("ready")
    }
}

fn alone(folder: &Path) -> File {
    let file = machine::append(&folder.join("alone")).unwrap();
    file.lock().unwrap();
    file
}
