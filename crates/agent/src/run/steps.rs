//! `--shell`: a line for bash, of which each failing step is noticed, not only the last.
//!
//! Bash reads the file in `BASH_ENV` before anything else, in this line and in each bash script that it
//! calls. Ours lets a pipeline fail with any of its parts and notes each command that fails and is not
//! tested: what `set -e` would stop at. It stops nothing.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::child::Start;
use crate::clock;
use crate::spool::private_folder;

/// How much of the list of failed steps is read, in bytes.
const LIST_BYTES_MAX: u64 = 64 * 1024;

/// How much of a step's command is shown, in characters.
const COMMAND_CHARS_MAX: usize = 200;

/// What bash reads first. `set -E` hands the trap on to functions and subshells. The user's own `BASH_ENV`
/// comes before ours, so that it cannot take it back by chance.
const HOOK: &str = r#"
if [ -n "${NIGHTBEAT_BASH_ENV-}" ] && [ -r "$NIGHTBEAT_BASH_ENV" ]; then . "$NIGHTBEAT_BASH_ENV"; fi
set -o pipefail -E
trap 'printf "%s\t%s\t%s\t%s\0" "$? ${PIPESTATUS[*]}" "$LINENO" "$0" "$BASH_COMMAND" >> "$NIGHTBEAT_STEPS" 2>/dev/null' ERR
"#;

/// The folder of one run.
#[derive(Debug)]
pub(super) struct Steps {
    folder: PathBuf,
}

/// A command that failed and was not tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FailedStep {
    code: String,
    line: String,
    script: String,
    command: String,
}

impl fmt::Display for FailedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            line,
            script,
            command,
        } = self;
        write!(f, "`{command}` ended with {code}, line {line}")?;
        match script.as_str() {
            "bash" => Ok(()),
            script => write!(f, " of {script}"),
        }
    }
}

impl Steps {
    /// Makes `start` run `line`. `None`: steps cannot be noticed; where that is a pity, `troubles` says so.
    pub(super) fn prepare(
        line: &OsStr,
        start: &mut Start,
        troubles: &mut Vec<String>,
    ) -> Option<Self> {
        if !on_path("bash") {
            start.words = ["sh", "-c"].map(OsString::from).to_vec();
            start.words.push(line.to_owned());
            troubles.push(
                "there is no bash here: sh runs the line, and a step that fails in its middle goes unnoticed"
                    .to_owned(),
            );
            return None;
        }
        start.words = ["bash", "-o", "pipefail", "-c"]
            .map(OsString::from)
            .to_vec();
        start.words.push(line.to_owned());
        match Self::make() {
            Ok(steps) => {
                if let Some(own) = std::env::var_os("BASH_ENV") {
                    start.variables.push(("NIGHTBEAT_BASH_ENV".into(), own));
                }
                start
                    .variables
                    .push(("BASH_ENV".into(), steps.hook().into()));
                start
                    .variables
                    .push(("NIGHTBEAT_STEPS".into(), steps.list().into()));
                Some(steps)
            }
            Err(error) => {
                troubles.push(format!("failing steps cannot be noticed: {error}"));
                None
            }
        }
    }

    fn make() -> io::Result<Self> {
        let name = format!("nightbeat-{}", clock::random().simple());
        let folder = std::env::temp_dir().join(name);
        private_folder(&folder).map_err(|error| io::Error::other(error.to_string()))?;
        let steps = Self { folder };
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(0o600);
        options.open(steps.hook())?.write_all(HOOK.as_bytes())?;
        options.open(steps.list())?;
        Ok(steps)
    }

    fn hook(&self) -> PathBuf {
        self.folder.join("hook")
    }

    fn list(&self) -> PathBuf {
        self.folder.join("steps")
    }

    /// The steps that failed, in their order.
    pub(super) fn failed(self) -> Vec<FailedStep> {
        let mut bytes = Vec::new();
        let opened = fs::File::open(self.list());
        // Without the list there is nothing to say of steps.
        let _ = opened.and_then(|list| list.take(LIST_BYTES_MAX).read_to_end(&mut bytes));
        parse(&String::from_utf8_lossy(&bytes))
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        // A script that it left behind may still write there; then the folder stays in the temporary files.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn parse(list: &str) -> Vec<FailedStep> {
    let mut steps: Vec<FailedStep> = Vec::new();
    for entry in list.split_terminator('\0') {
        let mut fields = entry.splitn(4, '\t');
        let mut field = || fields.next().map(str::to_owned);
        let (Some(code), Some(line), Some(script), Some(command)) =
            (field(), field(), field(), field())
        else {
            continue;
        };
        let first = command.lines().next().unwrap_or_default();
        // The code, and those of all parts of a pipeline; bash names only the last of them.
        let (code, parts) = code.split_once(' ').unwrap_or((&code, ""));
        let code = if parts.contains(' ') {
            format!("{code} (the pipeline's parts: {parts})")
        } else {
            code.to_owned()
        };
        let step = FailedStep {
            code,
            line,
            script,
            command: first.chars().take(COMMAND_CHARS_MAX).collect(),
        };
        // A loop fails in the same place again and again; a subshell and its parent in one.
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    std::env::split_paths(&path).any(|folder: PathBuf| {
        let file: &Path = &folder.join(program);
        file.is_file()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_failed_steps_is_read() {
        let list = "127 127\t3\t./backup.sh\ttool --all\x001 1\t9\tbash\tcp a\nb\x001 1\t9\tbash\tcp a\nb\0\
            1 1 0\t10\tbash\tgzip\0cut";
        let steps: Vec<String> = parse(list).iter().map(ToString::to_string).collect();
        assert_eq!(
            steps,
            [
                "`tool --all` ended with 127, line 3 of ./backup.sh",
                "`cp a` ended with 1, line 9",
                "`gzip` ended with 1 (the pipeline's parts: 1 0), line 10"
            ]
        );
    }
}
