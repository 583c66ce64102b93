//! A server, and jobs with folders of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nightbeat_testkit::{Admin, Binary, Heartbeat, Setup, SmallDisk};
use tempfile::TempDir;

const NIGHTBEAT: &str = env!("CARGO_BIN_EXE_nightbeat");

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
    _server: Binary,
    full: SmallDisk,
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

impl World {
    pub(crate) async fn start() -> Self {
        let setup = Setup::new(NIGHTBEAT);
        let admin = setup.init();
        let server = setup.start().await;
        let full = SmallDisk::mount(1024);
        full.fill();
        Self {
            admin,
            _server: server,
            full,
        }
    }

    /// A job with a source of a dozen files and with repositories.
    pub(crate) async fn job(&self, way: Way, name: &str) -> Job<'_> {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        fs::create_dir_all(&source).unwrap();
        for file in 0..12 {
            fs::write(
                source.join(format!("file-{file}")),
                vec![b'x'; 20_000 + file],
            )
            .unwrap();
        }
        std::os::unix::fs::symlink(self.full.path(), folder.path().join("full")).unwrap();
        let job = Job {
            world: self,
            way,
            heartbeat: self.admin.every(name, 86_400, 3_600).await,
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
        let id = self.heartbeat.id.to_string();
        let mut command = self.command(Path::new(NIGHTBEAT));
        command
            .arg("run")
            .arg(id)
            .args(flags)
            .args(["--linger", "30s"]);
        command.args(["--", "sh", "-c", line]);
        let url = &self.heartbeat.ping_url;
        command.env("NIGHTBEAT_URL", &url[..url.find("/api/").unwrap()]);
        ended(command)
    }

    fn scripted(&self, line: &str) -> Night {
        let script = format!(
            "( {line} ) > log 2>&1\ncode=$?\ncat log\n\
             curl -fsS --data-binary @log {}/$code > /dev/null || exit 99\nexit $code\n",
            self.heartbeat.ping_url
        );
        let mut command = self.command(Path::new("sh"));
        command.args(["-c", &script]);
        ended(command)
    }

    /// What somebody does to the machine.
    pub(crate) fn person(&self, line: &str) {
        let mut command = self.command(Path::new("sh"));
        command.args(["-c", line]);
        let done = ended(command);
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

    /// What the alert of the newest incident says; empty where there is none.
    pub(crate) async fn incident_text(&self) -> String {
        let path = format!("/heartbeats/{}/incidents", self.heartbeat.id);
        let incidents = self.world.admin.list(&path).await;
        let text = incidents.first().and_then(|it| it["text"].as_str());
        text.unwrap_or_default().to_owned()
    }
}

fn ended(mut command: Command) -> Night {
    let ended = command
        .output()
        .expect("the tool is installed: ./test does that");
    let output = [ended.stdout, ended.stderr].concat();
    Night {
        code: ended.status.code().unwrap_or(-1),
        output: String::from_utf8_lossy(&output).into_owned(),
    }
}
