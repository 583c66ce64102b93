//! What an exit code means, for each tool. Sources: the man pages rsync(1), tar's manual "Return status", and the
//! documentation of restic, borg, rclone and duplicity on their exit codes.

use serde::Serialize;

use crate::{Outcome, Tool};

/// What an exit code means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExitMeaning {
    /// How the run went. An unknown code is a failure.
    pub outcome: Outcome,
    /// A short name in kebab-case: `partial-transfer`. For an ordinary failure `failed`.
    pub name: &'static str,
    /// The same in words, as the end of a sentence: `some files were not transferred`.
    pub text: String,
}

/// A code's outcome, name and text.
type Row = (i32, Outcome, &'static str, &'static str);

use Outcome::{Failed, Warning};

const RSYNC: [Row; 22] = [
    (1, Failed, "usage", "syntax or usage error"),
    (
        2,
        Failed,
        "protocol-version",
        "the two sides' protocols do not fit",
    ),
    (
        3,
        Failed,
        "file-selection",
        "errors selecting input and output files",
    ),
    (4, Failed, "not-supported", "the action is not supported"),
    (
        5,
        Failed,
        "protocol-start",
        "error starting the client-server protocol",
    ),
    (6, Failed, "log-file", "the daemon cannot write its log"),
    (10, Failed, "socket", "error in socket I/O"),
    (11, Failed, "file-io", "error in file I/O"),
    (
        12,
        Failed,
        "protocol-stream",
        "error in the protocol's data stream: often the connection broke",
    ),
    (13, Failed, "diagnostics", "errors with program diagnostics"),
    (14, Failed, "ipc", "error in inter-process communication"),
    (15, Failed, "sibling-crashed", "a sibling process crashed"),
    (
        16,
        Failed,
        "sibling-ended",
        "a sibling process ended abnormally",
    ),
    (19, Failed, "sigusr1", "it was ended by SIGUSR1"),
    (20, Failed, "signal", "it was ended by a signal"),
    (
        21,
        Failed,
        "wait-failed",
        "waiting for a child process failed",
    ),
    (22, Failed, "memory", "it could not allocate memory"),
    (
        23,
        Warning,
        "partial-transfer",
        "some files or attributes were not transferred",
    ),
    (
        24,
        Warning,
        "vanished",
        "some files vanished before they were transferred",
    ),
    (
        25,
        Failed,
        "max-delete",
        "the limit of --max-delete stopped deletions",
    ),
    (
        30,
        Failed,
        "timeout",
        "time ran out while sending or receiving",
    ),
    (
        35,
        Failed,
        "connect-timeout",
        "time ran out while connecting to the daemon",
    ),
];

const RESTIC: [Row; 7] = [
    (1, Failed, "failed", "it failed"),
    (2, Failed, "go-runtime", "it crashed"),
    (
        3,
        Warning,
        "partial",
        "some of the source could not be read",
    ),
    (10, Failed, "no-repository", "the repository does not exist"),
    (11, Failed, "locked", "the repository could not be locked"),
    (12, Failed, "wrong-password", "the password is wrong"),
    (130, Failed, "interrupted", "it was interrupted"),
];

/// Codes 0 to 2 are those without `BORG_EXIT_CODES=modern`; of the modern ones the most frequent have a text.
const BORG: [Row; 26] = [
    (1, Warning, "warning", "it ended with warnings"),
    (2, Failed, "failed", "it failed"),
    (3, Failed, "cancelled-by-user", "it was cancelled"),
    (4, Failed, "command-error", "the command line is wrong"),
    (
        10,
        Failed,
        "invalid-repository",
        "this is no valid repository",
    ),
    (13, Failed, "no-repository", "the repository does not exist"),
    (15, Failed, "no-repository", "the repository does not exist"),
    (
        20,
        Failed,
        "insufficient-free-space",
        "there is not enough free space to finish the transaction",
    ),
    (
        30,
        Failed,
        "archive-exists",
        "the archive's name is taken already",
    ),
    (31, Failed, "no-archive", "the archive does not exist"),
    (40, Failed, "key-file", "the key file is wrong"),
    (50, Failed, "no-passphrase", "there is no passphrase"),
    (
        51,
        Failed,
        "passphrase-command",
        "the command for the passphrase failed",
    ),
    (52, Failed, "wrong-passphrase", "the passphrase is wrong"),
    (70, Failed, "lock-error", "the lock could not be taken"),
    (
        73,
        Failed,
        "locked",
        "the repository is locked by somebody else",
    ),
    (80, Failed, "connection-closed", "the connection was closed"),
    (
        81,
        Failed,
        "connection-hint",
        "the connection broke: is borg there on the other side?",
    ),
    (
        100,
        Warning,
        "file-changed",
        "a file changed while it was read",
    ),
    (
        101,
        Warning,
        "pattern-never-matched",
        "an include pattern never matched",
    ),
    (
        102,
        Warning,
        "backup-warning",
        "not everything could be read",
    ),
    (
        103,
        Warning,
        "race",
        "a file was replaced while it was read",
    ),
    (104, Warning, "os-error", "a file could not be read"),
    (105, Warning, "permission-denied", "a file may not be read"),
    (
        106,
        Warning,
        "io-error",
        "a file could not be read from the disk",
    ),
    (
        107,
        Warning,
        "file-not-found",
        "a file or a source is not there",
    ),
];

const RCLONE: [Row; 10] = [
    (1, Failed, "failed", "it failed"),
    (2, Failed, "usage", "syntax or usage error"),
    (3, Failed, "no-directory", "a directory was not found"),
    (4, Failed, "no-file", "a file was not found"),
    (
        5,
        Failed,
        "retryable",
        "an error that trying again might have mended",
    ),
    (6, Failed, "not-retryable", "less serious errors"),
    (
        7,
        Failed,
        "fatal",
        "a fatal error: the account is suspended or a limit was reached",
    ),
    (
        8,
        Failed,
        "max-transfer",
        "the limit of --max-transfer was reached",
    ),
    (9, Failed, "nothing-transferred", "nothing was transferred"),
    (
        10,
        Failed,
        "max-duration",
        "the limit of --max-duration was reached",
    ),
];

const DUPLICITY: [Row; 14] = [
    (1, Failed, "failed", "it failed"),
    (2, Failed, "usage", "the command line is wrong"),
    (
        3,
        Failed,
        "host-mismatch",
        "the host is another one than before",
    ),
    (13, Failed, "no-source", "the source does not exist"),
    (23, Failed, "user-error", "it was called wrongly"),
    (30, Failed, "crashed", "it stopped with an exception"),
    (31, Failed, "gpg", "gpg failed"),
    (
        35,
        Failed,
        "not-enough-space",
        "there is not enough free space",
    ),
    (38, Failed, "connection", "the connection failed"),
    (
        42,
        Failed,
        "source-mismatch",
        "the source is another one than before",
    ),
    (
        50,
        Failed,
        "destination",
        "the destination answered with an error",
    ),
    (
        51,
        Failed,
        "permission-denied",
        "the destination may not be written",
    ),
    (
        52,
        Failed,
        "no-destination",
        "the destination does not exist",
    ),
    (53, Failed, "no-space", "the destination is full"),
];

const TAR: [Row; 2] = [
    (
        1,
        Warning,
        "files-changed",
        "some files changed while they were read",
    ),
    (2, Failed, "failed", "it failed"),
];

/// Codes of the shell, of `timeout` and of no tool in particular.
const ANY: [Row; 4] = [
    (
        124,
        Failed,
        "timeout",
        "the time limit of timeout(1) ran out",
    ),
    (
        125,
        Failed,
        "wrapper-failed",
        "the command that should have started it failed",
    ),
    (
        126,
        Failed,
        "not-executable",
        "the command could not be executed",
    ),
    (
        127,
        Failed,
        "command-not-found",
        "the command was not found",
    ),
];

/// Signals that end a job, by number on Linux.
const SIGNALS: [(i32, &str); 11] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (11, "SIGSEGV"),
    (13, "SIGPIPE"),
    (15, "SIGTERM"),
    (24, "SIGXCPU"),
];

/// What an exit code says, given the tool that ended with it, if that is known.
pub fn meaning(tool: Option<Tool>, code: i32) -> ExitMeaning {
    if code == 0 {
        return says(Outcome::Ok, "ok", "it ended well".to_owned());
    }
    let rows = tool.map_or(&[][..], rows);
    // rsync has codes from 124 on for its remote shell. They are left out: `timeout` and shells are more frequent.
    if let Some(&(_, outcome, name, text)) = rows.iter().chain(&ANY).find(|row| row.0 == code) {
        return says(outcome, name, text.to_owned());
    }
    if tool == Some(Tool::Borg) && (100..128).contains(&code) {
        return says(Warning, "warning", "it ended with warnings".to_owned());
    }
    if let Some((signal, name)) = SIGNALS.iter().find(|(signal, _)| 128 + signal == code) {
        let text = format!("it was ended by signal {signal} ({name})");
        return says(Failed, "signal", text);
    }
    says(Failed, "failed", "it failed".to_owned())
}

const fn says(outcome: Outcome, name: &'static str, text: String) -> ExitMeaning {
    ExitMeaning {
        outcome,
        name,
        text,
    }
}

/// What a tool documents of its exit codes.
fn rows(tool: Tool) -> &'static [Row] {
    match tool {
        Tool::Rsync => &RSYNC,
        Tool::Restic => &RESTIC,
        Tool::Borg => &BORG,
        Tool::Rclone => &RCLONE,
        Tool::Duplicity => &DUPLICITY,
        Tool::Tar => &TAR,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_says_what_its_codes_mean() {
        assert_eq!(meaning(Some(Tool::Rsync), 24).outcome, Warning);
        assert_eq!(meaning(Some(Tool::Rsync), 11).name, "file-io");
        assert_eq!(meaning(Some(Tool::Restic), 3).outcome, Warning);
        assert_eq!(meaning(Some(Tool::Restic), 99).outcome, Failed);
        assert_eq!(meaning(Some(Tool::Borg), 1).outcome, Warning);
        assert_eq!(meaning(Some(Tool::Borg), 73).name, "locked");
        assert_eq!(meaning(Some(Tool::Borg), 119).outcome, Warning);
        assert_eq!(meaning(Some(Tool::Tar), 1).outcome, Warning);
        assert_eq!(meaning(Some(Tool::PgDump), 1).outcome, Failed);
    }

    #[test]
    fn the_shell_says_what_the_rest_means() {
        assert_eq!(meaning(None, 0).outcome, Outcome::Ok);
        assert_eq!(meaning(None, 127).name, "command-not-found");
        assert_eq!(meaning(Some(Tool::Borg), 127).name, "command-not-found");
        assert_eq!(
            meaning(None, 137).text,
            "it was ended by signal 9 (SIGKILL)"
        );
        assert_eq!(meaning(None, 3).name, "failed");
        assert_eq!(meaning(None, -1).outcome, Failed);
    }

    #[test]
    fn every_row_has_a_name_of_its_own_kind() {
        for tool in Tool::ALL {
            let rows = rows(tool);
            for (at, (code, _, name, text)) in rows.iter().enumerate() {
                assert!(!name.contains(' ') && !text.is_empty(), "{tool} {code}");
                assert!(
                    rows[..at].iter().all(|row| row.0 < *code),
                    "{tool} {code}: in order"
                );
            }
        }
    }
}
