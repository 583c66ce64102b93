//! A server, and jobs with folders of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nightbeat_testkit::{Admin, Binary, Heartbeat, Setup, SmallDisk, until, wall_now};
use serde_json::{Value, json};
use tempfile::TempDir;

const NIGHTBEAT: &str = env!("CARGO_BIN_EXE_nightbeat");

/// Runs a command as a root that may read only what everybody or root itself may: what a user is without being
/// another one.
const MORTAL: &str = "#!/bin/sh\n\
    exec setpriv --bounding-set=-dac_override,-dac_read_search \"$@\"\n";

/// How a job tells how it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A script that keeps its output and ends with curl.
    Curl,
    /// `nightbeat run`.
    Wrapper,
}

pub(crate) struct World {
    admin: Admin,
    server: Binary,
    /// A disk without room, where the test may mount one.
    full: Option<SmallDisk>,
    /// A heartbeat that nobody cares about: with its signals time passes.
    nudge: Heartbeat,
}

/// A job, and the folder in which it runs.
pub(crate) struct Job<'w> {
    world: &'w World,
    way: Way,
    heartbeat: Heartbeat,
    folder: TempDir,
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Night {
    pub(crate) code: i32,
    pub(crate) output: String,
}

/// A run under way.
#[must_use]
pub(crate) struct Run(Child);

impl Run {
    /// Waits for its end.
    pub(crate) fn end(self) -> Night {
        Night::of(&self.0.wait_with_output().unwrap())
    }
}

impl Night {
    fn of(ended: &Output) -> Self {
        let output = [&*ended.stdout, &*ended.stderr].concat();
        Self {
            code: ended.status.code().unwrap_or(-1),
            output: String::from_utf8_lossy(&output).into_owned(),
        }
    }
}

impl World {
    /// A server, and a disk that is full. Needs root.
    pub(crate) async fn start() -> Self {
        let full = SmallDisk::mount(1024);
        full.fill();
        Self::of(Setup::new(NIGHTBEAT), Some(full)).await
    }

    /// A server whose clock stands still until [`World::pass`] moves it.
    pub(crate) async fn with_clock() -> Self {
        Self::of(Setup::new(NIGHTBEAT).clock_at(wall_now()), None).await
    }

    async fn of(setup: Setup, full: Option<SmallDisk>) -> Self {
        let admin = setup.init();
        let server = setup.start().await;
        let nudge = admin.every("nudge", 31_536_000, 3_600).await;
        Self {
            admin,
            server,
            full,
            nudge,
        }
    }

    /// Lets time pass for the server.
    pub(crate) async fn pass(&self, span: Duration) {
        self.server.pass(span, &self.nudge).await;
    }

    /// A job that is expected daily, with a source of a dozen files and with repositories.
    pub(crate) async fn job(&self, way: Way, name: &str) -> Job<'_> {
        let fields = json!({"schedule": {"every": 86_400}, "grace": 3_600});
        self.job_with(way, name, fields).await
    }

    /// The same with other settings.
    pub(crate) async fn job_with(&self, way: Way, name: &str, fields: Value) -> Job<'_> {
        let folder = tempfile::tempdir().unwrap();
        for source in ["source", "other"] {
            let source = folder.path().join(source);
            fs::create_dir_all(&source).unwrap();
            for file in 0..12 {
                let bytes = vec![b'x'; 20_000 + file];
                fs::write(source.join(format!("file-{file}")), bytes).unwrap();
            }
        }
        if let Some(full) = &self.full {
            std::os::unix::fs::symlink(full.path(), folder.path().join("full")).unwrap();
        }
        let mortal = folder.path().join("mortal");
        fs::write(&mortal, MORTAL).unwrap();
        fs::set_permissions(&mortal, PermissionsExt::from_mode(0o755)).unwrap();
        let job = Job {
            world: self,
            way,
            heartbeat: self.admin.heartbeat(name, fields).await,
            folder,
        };
        if name.starts_with("restic") {
            job.person("restic init");
        }
        if name.starts_with("borg") {
            job.person("borg init --encryption=none borg");
        }
        job
    }
}

impl Job<'_> {
    /// One run of this line of `sh`.
    pub(crate) fn night(&self, line: &str) -> Night {
        match self.way {
            Way::Curl => self.scripted(line),
            Way::Wrapper => self.wrapped(&[], line),
        }
    }

    /// In the wrapper, with flags of its own.
    pub(crate) fn wrapped(&self, flags: &[&str], line: &str) -> Night {
        ended(self.in_wrapper(&[flags, &["--", "sh", "-c", line]].concat()))
    }

    /// In the wrapper's own shell.
    pub(crate) fn in_shell(&self, line: &str) -> Night {
        ended(self.in_wrapper(&["--shell", line]))
    }

    /// Begins a run and waits until the server knows of it.
    pub(crate) async fn begin(&self, line: &str) -> Run {
        let mut command = match self.way {
            Way::Curl => {
                let url = &self.heartbeat.ping_url;
                let script = format!("curl -fsS {url}/start > /dev/null || exit 98\n");
                self.script(&(script + &self.telling(line)))
            }
            Way::Wrapper => self.in_wrapper(&["--", "sh", "-c", line]),
        };
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let run = Run(command.spawn().unwrap());
        until("the server knows of the start", async || {
            let shown = self.world.admin.show(&self.heartbeat).await;
            shown["running_since"].is_string().then_some(())
        })
        .await;
        run
    }

    fn in_wrapper(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(Path::new(NIGHTBEAT));
        let id = self.heartbeat.id.to_string();
        command
            .args(["run", &id, "--linger", "30s"])
            .args(arguments);
        let url = &self.heartbeat.ping_url;
        command.env("NIGHTBEAT_URL", &url[..url.find("/api/").unwrap()]);
        command
    }

    fn scripted(&self, line: &str) -> Night {
        ended(self.script(&self.telling(line)))
    }

    /// What people write: it keeps the output and the exit code, and sends both.
    fn telling(&self, line: &str) -> String {
        format!(
            "( {line}\n) > log 2>&1\ncode=$?\ncat log\n\
             curl -fsS --data-binary @log {}/$code > /dev/null || exit 99\nexit $code\n",
            self.heartbeat.ping_url
        )
    }

    fn script(&self, script: &str) -> Command {
        let mut command = self.command(Path::new("sh"));
        command.args(["-c", script]);
        command
    }

    /// What somebody does to the machine.
    pub(crate) fn person(&self, line: &str) {
        let done = ended(self.script(line));
        assert_eq!(done.code, 0, "{line}: {}", done.output);
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let home: PathBuf = self.folder.path().join("home");
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", &home)
            .env("LC_ALL", "C.UTF-8")
            .env("NIGHTBEAT_SPOOL", home.join("spool"))
            .env("RESTIC_REPOSITORY", self.folder.path().join("restic"))
            .env("RESTIC_PASSWORD", "a-password-of-a-test")
            .env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes")
            .env("BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes");
        command
    }

    pub(crate) async fn status(&self) -> String {
        self.world.admin.status(&self.heartbeat).await
    }

    /// Waits until it has this status.
    pub(crate) async fn until_status(&self, status: &str) {
        self.world.admin.until_status(&self.heartbeat, status).await;
    }

    /// What the alert of the newest incident says; empty where there is none.
    pub(crate) async fn incident_text(&self) -> String {
        let path = format!("/heartbeats/{}/incidents", self.heartbeat.id);
        let incidents = self.world.admin.list(&path).await;
        let text = incidents.first().and_then(|it| it["text"].as_str());
        text.unwrap_or_default().to_owned()
    }
}

fn ended(mut command: Command) -> Night {
    let ended = command.output();
    Night::of(&ended.expect("the tool is installed: ./test does that"))
}
