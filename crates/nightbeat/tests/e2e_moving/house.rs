//! A server, and a person at its command line.

use std::path::Path;
use std::process::{Command, Stdio};

use nightbeat_testkit::{Admin, Binary, Setup};
use serde_json::Value;
use tempfile::TempDir;

const NIGHTBEAT: &str = env!("CARGO_BIN_EXE_nightbeat");

pub(crate) struct House {
    pub(crate) admin: Admin,
    pub(crate) server: Binary,
    /// Where the person's files are.
    pub(crate) folder: TempDir,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// It must have succeeded; its stdout.
    #[track_caller]
    pub(crate) fn data(&self) -> &str {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        &self.stdout
    }

    /// It must have ended with this code.
    #[track_caller]
    pub(crate) fn ends_with(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }
}

impl House {
    pub(crate) async fn start() -> Self {
        let setup = Setup::new(NIGHTBEAT);
        let admin = setup.init();
        Self {
            admin,
            server: setup.start().await,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Puts a file into the person's folder.
    pub(crate) fn file(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Runs the binary with the project's key.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, &[])
    }

    /// The same with more variables.
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let mut command = Command::new(NIGHTBEAT);
        command.args(arguments);
        self.ended(command, variables)
    }

    /// Runs a line of a page.
    pub(crate) fn shell(&self, line: &str, variables: &[(&str, &str)]) -> Run {
        let mut command = Command::new("/bin/sh");
        command.args(["-ec", line]);
        self.ended(command, variables)
    }

    fn ended(&self, mut command: Command, variables: &[(&str, &str)]) -> Run {
        let bin = Path::new(NIGHTBEAT).parent().unwrap().display();
        let output = command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{bin}:/usr/bin:/bin"))
            .env("HOME", self.folder.path())
            .env("TZ", "UTC")
            .env("NIGHTBEAT_URL", self.url())
            .env("NIGHTBEAT_API_KEY", self.admin.api_key())
            .env("NIGHTBEAT_SPOOL", self.folder.path().join("spool"))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Run {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The project as a file, with all that may be exported.
    pub(crate) fn export(&self) -> String {
        self.run(&["export", "--with-secrets"]).data().to_owned()
    }

    /// Everything that the API shows of the project, to be compared.
    pub(crate) async fn everything(&self) -> Vec<Value> {
        let mut all = vec![self.admin.get("/project").await];
        for list in ["/heartbeats", "/channels", "/maintenance", "/incidents"] {
            all.extend(self.admin.list(list).await);
        }
        all
    }

    /// The heartbeat with this slug.
    pub(crate) async fn heartbeat(&self, slug: &str) -> Value {
        self.admin.get(&format!("/heartbeats/{slug}")).await
    }
}
