//! Lines that give something away, whoever printed them.
//!
//! The C library's words for an error are looked for in English and in the languages that cron jobs are most often
//! run in, and by their number where a program prints it (`[Errno 28]`, rsync's `(28)`). They count only where an
//! error would stand: at the start of a line, or after a colon. A file that is called like one is none.

mod phrases;

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::TelltaleKind as Kind;
use crate::notes::Notes;
use crate::{Outcome, Tool};

use phrases::{At, PHRASES};

static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .build(PHRASES.iter().map(|phrase| phrase.0))
        .expect("the phrases are few and fixed")
});

/// The phrases that a line must hold one of to be looked at.
pub(crate) fn phrases() -> impl Iterator<Item = &'static str> {
    PHRASES.iter().map(|phrase| phrase.0)
}

/// Programs that make the copy: when they do not find a file, there is none.
const COPYING: [&str; 17] = [
    "cp", "mv", "dd", "scp", "sftp", "install", "gzip", "pigz", "xz", "zstd", "bzip2", "zip", "7z",
    "cpio", "split", "openssl", "gpg",
];

/// Shells: what they complain about is a step that did not run.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "env"];

/// Endings of scripts' names. Another name with a dot in it is a file's, not a program's.
const SCRIPTS: [&str; 5] = [".sh", ".py", ".pl", ".rb", ".php"];

/// Words before a colon that say how bad it is, not who says it.
const LEVELS: [&str; 8] = [
    "error", "fatal", "warning", "warn", "info", "notice", "critical", "note",
];

/// Looks for what a line gives away, and notes it.
pub(crate) fn look(notes: &mut Notes, line: &str) {
    let Some((kind, outcome)) = worst(line) else {
        return;
    };
    let program = notes.speaker.map(Tool::command).or_else(|| program(line));
    let outcome = match kind {
        Kind::NoSuchFile | Kind::PermissionDenied if program.is_some_and(stops_with) => {
            Outcome::Failed
        }
        _ => outcome,
    };
    let named = match kind {
        Kind::CommandNotFound => missing_command(line).or(program),
        Kind::NoSuchFile | Kind::PermissionDenied if program.is_some_and(is_shell) => {
            step_of_shell(line).or(program)
        }
        _ => program,
    };
    notes.telltale(kind, outcome, named, line);
}

fn stops_with(program: &str) -> bool {
    COPYING.contains(&program) || is_shell(program)
}

fn is_shell(program: &str) -> bool {
    SHELLS.contains(&program) || program.strip_suffix(".sh").is_some()
}

/// The gravest of what a line gives away: the earlier kinds of the list are the graver.
fn worst(line: &str) -> Option<(Kind, Outcome)> {
    let mut worst: Option<(Kind, Outcome)> = None;
    for found in FINDER.find_iter(line) {
        let (phrase, kind, outcome, at) = PHRASES[found.pattern().as_usize()];
        let (before, after) = (&line[..found.start()], &line[found.end()..]);
        let stands = match at {
            At::Any => true,
            At::End => after.trim_end_matches(['.', '!']).is_empty(),
            At::Error => is_error_place(before, phrase),
        };
        if !stands {
            continue;
        }
        let Some((kind, outcome)) = refined(line, phrase, kind, outcome) else {
            continue;
        };
        if worst.is_none_or(|(known, _)| kind < known) {
            worst = Some((kind, outcome));
        }
    }
    worst
}

/// Whether an error message may begin here. A phrase without its first letter has it before itself.
fn is_error_place(before: &str, phrase: &str) -> bool {
    let is_whole = phrase.starts_with(|char: char| char.is_uppercase() || char == '[');
    let letter = |char: char| char.is_ascii_alphabetic();
    let before = match before.strip_suffix(letter) {
        Some(rest) if !is_whole => rest,
        _ => before,
    };
    before.is_empty() || before.ends_with([' ', '"', '(', '\'', '\t'])
}

/// What depends on more than the phrase.
fn refined(line: &str, phrase: &str, kind: Kind, outcome: Outcome) -> Option<(Kind, Outcome)> {
    match phrase {
        // PostgreSQL says so of `DROP TABLE IF EXISTS`.
        "does not exist, skipping" => (!line.contains("NOTICE:")).then_some((kind, outcome)),
        // SQL has syntax errors, too; a shell's are "unexpected".
        "yntax error" => line.contains("unexpected").then_some((kind, outcome)),
        // Of PostgreSQL's client; a server that answers says what is fatal.
        "connection to server on socket " => (!line.contains("FATAL")).then_some((kind, outcome)),
        "special device " => line.contains(" does not exist").then_some((kind, outcome)),
        ": not found" => missing_command(line).map(|_| (kind, outcome)),
        // rsync cannot find a source. It says so of the destination, too, which is worse or mended.
        "link_stat " | "change_dir " => {
            let of_rsync = line.starts_with("rsync: ") && line.contains(" failed: ");
            of_rsync.then_some((kind, outcome))
        }
        "Killed" => {
            let alone = line.trim_end() == "Killed"
                || line.contains(": line ")
                || line.ends_with(" Killed");
            (alone && !line.contains("/Killed")).then_some((kind, outcome))
        }
        "[Errno " => errno(line).map(|kind| (kind, default_outcome(kind))),
        "failed to run command" => {
            let missing = line.contains("o such file or directory");
            missing.then_some((kind, outcome))
        }
        _ => Some((kind, outcome)),
    }
}

/// The kind of `[Errno 28]`, on Linux.
fn errno(line: &str) -> Option<Kind> {
    let number = crate::text::between(line, "[Errno ", "]")?;
    Some(match number {
        "28" | "122" => Kind::NoSpaceLeft,
        "2" => Kind::NoSuchFile,
        "13" | "1" => Kind::PermissionDenied,
        "5" => Kind::InputOutputError,
        "30" => Kind::ReadOnly,
        "116" | "107" => Kind::StaleHandle,
        "12" => Kind::OutOfMemory,
        _ => return None,
    })
}

const fn default_outcome(kind: Kind) -> Outcome {
    match kind {
        Kind::NoSuchFile | Kind::PermissionDenied | Kind::ConnectionFailed | Kind::LockHeld => {
            Outcome::Warning
        }
        Kind::Skipping => Outcome::Ok,
        _ => Outcome::Failed,
    }
}

/// The program that a line names at its start: `cp: cannot stat …`, `/usr/bin/cp: …`, `gzip: stdout: …`.
fn program(line: &str) -> Option<&str> {
    let (name, _) = line.trim_start().split_once(':')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-/[]".contains(&byte);
    if name.is_empty() || name.len() > 60 || !name.bytes().all(plain) {
        return None;
    }
    let name = name.rsplit('/').next().unwrap_or(name);
    let is_script = SCRIPTS.iter().any(|ending| name.ends_with(ending));
    let is_file = name.contains('.') && !is_script;
    let is_error = ["Error", "Exception", "Warning"]
        .iter()
        .any(|ending| name.ends_with(ending));
    let is_level = LEVELS.iter().any(|level| name.eq_ignore_ascii_case(level));
    (!name.is_empty() && !name.starts_with('[') && !is_file && !is_error && !is_level)
        .then_some(name)
}

/// The command that a shell did not find: `sh: 1: pg_dump: not found`, `backup.sh: line 3: pg_dump: command not found`,
/// `zsh: command not found: pg_dump`, `timeout: failed to run command ‘pg_dump’: No such file or directory`.
fn missing_command(line: &str) -> Option<&str> {
    if let Some((_, rest)) = line.split_once("command not found: ") {
        return Some(last_name(rest));
    }
    if let Some((_, rest)) = line.split_once("failed to run command ") {
        let quotes = ['‘', '’', '\'', '"', '`'];
        let name = rest.trim_start_matches(quotes).split(quotes).next()?;
        return Some(last_name(name));
    }
    if let Some(head) = line.trim_end().strip_suffix(": not found") {
        let (shell, command) = head.rsplit_once(": ")?;
        // `sh: 1: pg_dump`, `backup.sh: line 3: pg_dump`, or busybox's `sh: pg_dump`.
        let (name, place) = shell.split_once(": ").unwrap_or((shell, ""));
        let numbered = place.trim_start_matches("line ").parse::<u32>().is_ok();
        let of_shell = numbered || (place.is_empty() && is_shell(last_name(name)));
        let is_word = !command.is_empty() && !command.contains(char::is_whitespace);
        return (of_shell && is_word).then(|| last_name(command));
    }
    let (head, _) = line.rsplit_once(": ")?;
    // French has a space before the colon.
    let command = head.rsplit(": ").next()?.trim();
    (!command.contains(char::is_whitespace)).then(|| last_name(command))
}

/// What a shell stumbled over in a line of its script: `cd` in `backup.sh: line 4: cd: /data: No such file or directory`,
/// `config.env` in `backup.sh: line 2: config.env: No such file or directory`.
fn step_of_shell(line: &str) -> Option<&str> {
    let mut parts = line.split(": ");
    let (_, place, step) = (parts.next()?, parts.next()?, parts.next()?);
    let numbered = place.rsplit(' ').next()?.parse::<u32>().is_ok();
    // Its own words, as dash's "cannot create", name nothing. Behind the step comes the error.
    let is_word = !step.is_empty() && step != "." && !step.contains(char::is_whitespace);
    (numbered && is_word && parts.next().is_some()).then(|| last_name(step))
}

fn last_name(path: &str) -> &str {
    let path = path.trim();
    path.rsplit('/')
        .next()
        .filter(|name| !name.is_empty())
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use Outcome::{Failed, Ok as Fine, Warning};

    use super::*;
    use crate::Telltale;
    use Kind::{
        CommandNotFound, ConnectionFailed, Crash, Damaged, EmptyPassword, InputOutputError,
        LoginRefused, NoSpaceLeft, NoSuchFile, OutOfMemory, PermissionDenied, ReadOnly, Skipping,
        SourceMissing, StaleHandle, SyntaxError,
    };

    fn seen(line: &str) -> Option<Telltale> {
        let mut notes = Notes::default();
        look(&mut notes, line);
        notes.finish().1.pop()
    }

    fn kind(line: &str) -> Option<Kind> {
        seen(line).map(|telltale| telltale.kind)
    }

    #[test]
    fn errors_are_known_by_their_words() {
        let lines = [
            (
                "cp: error writing '/mnt/f10.bin': No space left on device",
                NoSpaceLeft,
            ),
            (
                "rsync: [receiver] write failed on \"/mnt/f6.bin\": No space left on device (28)",
                NoSpaceLeft,
            ),
            ("a.txt: read: [Errno 28] Kein Platz", NoSpaceLeft),
            (
                "tar: x: Cannot write: Auf dem Gerät ist kein Speicherplatz mehr verfügbar",
                NoSpaceLeft,
            ),
            ("/bin/sh: 1: pg_dump: not found", CommandNotFound),
            (
                "/srv/backup.sh: line 3: restic: command not found",
                CommandNotFound,
            ),
            (
                "timeout: failed to run command ‘rsync’: No such file or directory",
                CommandNotFound,
            ),
            (
                "bash: Zeile 1: restic: Kommando nicht gefunden.",
                CommandNotFound,
            ),
            (
                "sh: 1: Syntax error: end of file unexpected (expecting \")\")",
                SyntaxError,
            ),
            ("data/nosuch does not exist, skipping", SourceMissing),
            (
                "rsync: [sender] link_stat \"/data/x\" failed: No such file or directory (2)",
                SourceMissing,
            ),
            ("ls: cannot access '/x': Stale file handle", StaleHandle),
            ("cat: x: Input/output error", InputOutputError),
            ("touch: cannot touch 'x': Read-only file system", ReadOnly),
            ("Killed", OutOfMemory),
            (
                "./b.sh: line 2: 4711 Segmentation fault      (core dumped) ./x",
                Crash,
            ),
            ("Fatal: an empty password is not a password", EmptyPassword),
            (
                "root@nas: Permission denied (publickey,password).",
                LoginRefused,
            ),
            (
                "ssh: connect to host nas port 22: Connection refused",
                ConnectionFailed,
            ),
            ("cat: x: No such file or directory", NoSuchFile),
            ("gzip: stdin: unexpected end of file", Damaged),
            (
                "Insufficient free space to complete transaction (required: 545.43 MB, available: 30.69 MB).",
                NoSpaceLeft,
            ),
            (
                "passcommand supplied in BORG_PASSCOMMAND failed: Command '['cat', '/x']' returned non-zero exit status 1.",
                EmptyPassword,
            ),
            ("tar: Unexpected EOF in archive", Damaged),
            (
                "backup.sh: line 9: syntax error: unexpected end of file",
                SyntaxError,
            ),
            (
                "pg_dump: error: connection to server on socket \"/run/.s.PGSQL.5432\" failed: No such file or directory",
                ConnectionFailed,
            ),
            (
                "cp: das Öffnen von 'x' ist nicht möglich: Keine Berechtigung",
                PermissionDenied,
            ),
            ("skipping non-regular file \"x\"", Skipping),
        ];
        for (line, expected) in lines {
            assert_eq!(kind(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn a_step_of_a_script_is_told_from_the_others() {
        let named = |line: &str| seen(line).and_then(|telltale| telltale.program);
        for (line, name) in [
            (
                "backup.sh: line 2: config.env: No such file or directory",
                "config.env",
            ),
            (
                "backup.sh: line 4: cd: /data: No such file or directory",
                "cd",
            ),
            (
                "./backup.sh: Zeile 4: /mnt/nas/list: Keine Berechtigung",
                "list",
            ),
            (
                "sh: 3: cannot create /mnt/x.gz: Directory nonexistent",
                "sh",
            ),
            ("backup.sh: No such file or directory", "backup.sh"),
        ] {
            assert_eq!(named(line).as_deref(), Some(name), "{line}");
        }
    }

    #[test]
    fn a_file_that_is_called_like_an_error_is_none() {
        let lines = [
            "docs/No space left on device.md",
            "mails/Permission denied",
            "error: page: not found",
            "GET /x HTTP/1.1: not found",
            "Killed Process.mp3",
            "psql:x.sql:1: NOTICE:  table \"t\" does not exist, skipping",
            "ERROR:  syntax error at or near \"SELEC\"",
            "link_stat of everything",
            "[Errno x] what",
            "",
        ];
        for line in lines {
            assert_eq!(kind(line), None, "{line}");
        }
    }

    #[test]
    fn the_program_and_the_missing_command_are_named() {
        let named = |line: &str| seen(line).and_then(|telltale| telltale.program);
        assert_eq!(
            named("/bin/sh: 1: pg_dump: not found").as_deref(),
            Some("pg_dump")
        );
        assert_eq!(
            named("b.sh: line 3: /opt/x/restic: command not found").as_deref(),
            Some("restic")
        );
        assert_eq!(
            named("zsh: command not found: borg").as_deref(),
            Some("borg")
        );
        assert_eq!(
            named("timeout: failed to run command ‘rsync’: No such file or directory").as_deref(),
            Some("rsync")
        );
        assert_eq!(
            named("/usr/bin/cp: cannot stat 'x': No such file or directory").as_deref(),
            Some("cp")
        );
        assert_eq!(named("cannot stat 'x': No such file or directory"), None);
    }

    #[test]
    fn who_makes_the_copy_fails_without_a_file() {
        let outcome = |line: &str| seen(line).map(|telltale| telltale.outcome);
        assert_eq!(
            outcome("cp: cannot stat 'x': No such file or directory"),
            Some(Failed)
        );
        assert_eq!(
            outcome("sh: 3: cannot create /mnt/x.gz: Directory nonexistent"),
            Some(Failed)
        );
        assert_eq!(
            outcome("ls: cannot access 'x': No such file or directory"),
            Some(Warning)
        );
        assert_eq!(outcome("skipping non-regular file \"x\""), Some(Fine));
    }
}
