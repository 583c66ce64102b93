//! How a command ends: the exit codes, and errors with hints that a person can act on.

use std::process::ExitCode;

use nightbeat_agent::ping::PingError;
use nightbeat_agent::spool::SpoolError;
use nightbeat_agent::{ClientError, Problem};

/// The exit codes; `docs/command-line.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// The request failed, or the server said no.
    Failed = 1,
    /// The command line is not understood. clap uses the same code.
    #[cfg(feature = "full")]
    Usage = 2,
    /// There is no such heartbeat, channel or incident.
    NotFound = 3,
    /// The server cannot be reached.
    Unreachable = 4,
    /// Something must be configured first, or is configured wrongly.
    Config = 5,
    /// Who asked whether something would change is told that it would.
    #[cfg(feature = "full")]
    Differs = 6,
    /// Done, but not all of it could be taken.
    #[cfg(feature = "full")]
    Partly = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What went wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hints: Vec<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hints: Vec::new(),
        }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    #[cfg(feature = "full")]
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(Exit::Config, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Writes `error:` and `hint:` lines to stderr.
    pub(crate) fn print(&self) {
        eprintln!("error: {}", self.message);
        for hint in &self.hints {
            eprintln!("hint: {hint}");
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error {
            ClientError::BadUrl { .. } => Self::config(message)
                .hint("write NIGHTBEAT_URL (or --url) like this: http://127.0.0.1:8787"),
            ClientError::BadKey | ClientError::Setup(_) => {
                Self::config(message).hint("check --api-key and NIGHTBEAT_API_KEY")
            }
            ClientError::Unreachable { server, .. } => unreachable(&server, message),
            ClientError::Redirected { .. } => {
                Self::failed(message).hint("set NIGHTBEAT_URL (or --url) to the final address")
            }
            ClientError::Strange { .. } => {
                Self::failed(message).hint("is --url a Healthchecks server?")
            }
            ClientError::NotUnderstood { .. } => {
                Self::failed(message).hint("is NIGHTBEAT_URL (or --url) a Nightbeat server?")
            }
            ClientError::Refused(problem) => refused(&problem),
        }
    }
}

fn unreachable(server: &str, message: String) -> Failure {
    let failure = Failure::new(Exit::Unreachable, message)
        .hint("is the server running, and is NIGHTBEAT_URL (or --url) its address?");
    if server.starts_with("https://") {
        // A server without a proxy in front speaks plain HTTP; TLS then fails with words for experts.
        return failure.hint("where no proxy adds https, the address begins with http://");
    }
    failure
}

fn refused(problem: &Problem) -> Failure {
    let exit = match problem.status {
        404 => Exit::NotFound,
        _ => Exit::Failed,
    };
    let failure = Failure::new(exit, problem.to_string());
    match (problem.status, problem.field.as_deref()) {
        (401, _) => failure.hint("check the API key, or run `nightbeat login` to save another"),
        (403, _) => failure.hint("this needs a read-write API key"),
        (404, _) => failure.hint("`nightbeat list` shows the heartbeats of this key's project"),
        (429 | 503, _) => failure.hint(match problem.retry_after {
            Some(seconds) => format!("try again in {seconds} s"),
            None => "try again in a moment".to_owned(),
        }),
        (_, Some(field)) if field.split('.').next() == Some("schedule") => {
            failure.hint(schedule_hint(&problem.detail))
        }
        (_, Some(field)) => match field_hint(field) {
            Some(hint) => failure.hint(hint),
            None => failure,
        },
        _ => failure,
    }
}

/// The flag behind the part of a schedule that was refused.
fn schedule_hint(detail: &str) -> &'static str {
    if detail.starts_with("schedule: timezone:") {
        "set it with --tz, as in the IANA list: Europe/Madrid, UTC; neither UTC+2 nor CEST is a place"
    } else {
        "set it with --every 1d, --cron '0 3 * * *' or --calendar 'daily'; \
         `nightbeat schedule explain` says what an expression means"
    }
}

/// The flag behind a field of the API.
fn field_hint(field: &str) -> Option<&'static str> {
    Some(match field.split(['.', '[']).next().unwrap_or(field) {
        "grace" => "set it with --grace, for example --grace 90m",
        "max_run_time" => "set it with --max-run, for example --max-run 3h",
        "repeat_after" => "set it with --repeat-after, for example --repeat-after 1d",
        "slug" => "set it with --slug: lower-case letters, digits, - and _",
        "tags" => "set them with --tag, once for each",
        "warning_codes" => "set them with --warning-code, an exit code from 1 to 255 each",
        "failure_threshold" => "set it with --failure-threshold",
        "recovery_threshold" => "set it with --recovery-threshold",
        "channels" => "`nightbeat channel list` shows the channels",
        "settings" => "set them with --set NAME=VALUE, once for each",
        _ => return None,
    })
}

impl From<SpoolError> for Failure {
    fn from(error: SpoolError) -> Self {
        Self::config(error.to_string()).hint("name another folder with --spool or NIGHTBEAT_SPOOL")
    }
}

impl From<PingError> for Failure {
    fn from(error: PingError) -> Self {
        let message = error.to_string();
        match error {
            PingError::Lookup(error) => error.into(),
            PingError::Hidden => Self::config(message)
                .hint("use the heartbeat's id, NIGHTBEAT_PING_KEY, or a read-write API key"),
            PingError::Setup(_) => Self::config(message),
            PingError::NotFound { .. } => Self::new(Exit::NotFound, message)
                .hint("`nightbeat show` prints a heartbeat's URL; a new key or slug changes it"),
            PingError::Refused { .. } | PingError::Busy { .. } => Self::failed(message),
            PingError::Unreachable { server, .. } => unreachable(&server, message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, field: Option<&str>) -> Failure {
        let problem = Problem {
            status,
            detail: "no".to_owned(),
            field: field.map(str::to_owned),
            retry_after: Some(5),
        };
        ClientError::Refused(problem).into()
    }

    #[test]
    fn each_no_of_the_server_has_its_exit_code_and_hint() {
        assert_eq!(problem(404, None).exit, Exit::NotFound);
        assert_eq!(problem(401, None).exit, Exit::Failed);
        assert_eq!(problem(503, None).hints, ["try again in 5 s"]);
        let grace = problem(422, Some("grace"));
        assert_eq!(grace.message, "grace: no");
        assert_eq!(
            grace.hints,
            ["set it with --grace, for example --grace 90m"]
        );
        assert_eq!(problem(422, Some("schedule.every")).hints.len(), 1);
        assert!(schedule_hint("schedule: timezone: there is none").contains("--tz"));
        assert!(schedule_hint("schedule: cron: hour 24").contains("schedule explain"));
        assert!(problem(422, Some("surprise")).hints.is_empty());
    }
}
