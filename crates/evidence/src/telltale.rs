//! Lines that give something away, whoever printed them.
//!
//! The C library's words for an error are looked for in English and in the languages that cron jobs are most often
//! run in, and by their number where a program prints it (`[Errno 28]`, rsync's `(28)`). They count only where an
//! error would stand: at the start of a line, or after a colon. A file that is called like one is none.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::TelltaleKind::{self as Kind, *};
use crate::notes::Notes;
use crate::{Outcome, Tool};

/// Where in a line a phrase counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// At the start, or after `: `, `] `, `: "` and the like.
    Error,
    /// At the end of the line.
    End,
    /// Anywhere.
    Any,
}

/// A phrase, what it gives away, what that means for a run that says nothing worse, and where it counts.
type Phrase = (&'static str, Kind, Outcome, At);

use Outcome::{Failed, Ok as Fine, Warning};

const PHRASES: [Phrase; 104] = [
    ("o space left on device", NoSpaceLeft, Failed, At::Error),
    ("isk quota exceeded", NoSpaceLeft, Failed, At::Error),
    (
        "file too big for remaining disk space",
        NoSpaceLeft,
        Failed,
        At::Any,
    ),
    ("not enough free disk space", NoSpaceLeft, Failed, At::Any),
    (
        "Kein Speicherplatz mehr verfügbar",
        NoSpaceLeft,
        Failed,
        At::Any,
    ),
    (
        "kein Speicherplatz mehr verfügbar",
        NoSpaceLeft,
        Failed,
        At::Any,
    ),
    (
        "Aucun espace disponible sur le périphérique",
        NoSpaceLeft,
        Failed,
        At::Error,
    ),
    (
        "No queda espacio en el dispositivo",
        NoSpaceLeft,
        Failed,
        At::Error,
    ),
    ("Spazio esaurito sul device", NoSpaceLeft, Failed, At::Error),
    (
        "Não há espaço disponível no dispositivo",
        NoSpaceLeft,
        Failed,
        At::Error,
    ),
    ("Brak miejsca na urządzeniu", NoSpaceLeft, Failed, At::Error),
    (
        "На устройстве не осталось свободного места",
        NoSpaceLeft,
        Failed,
        At::Error,
    ),
    ("command not found", CommandNotFound, Failed, At::Error),
    (": not found", CommandNotFound, Failed, At::End),
    ("failed to run command", CommandNotFound, Failed, At::Any),
    (
        "Kommando nicht gefunden",
        CommandNotFound,
        Failed,
        At::Error,
    ),
    ("Befehl nicht gefunden", CommandNotFound, Failed, At::Error),
    ("commande introuvable", CommandNotFound, Failed, At::Error),
    ("orden no encontrada", CommandNotFound, Failed, At::Error),
    ("comando non trovato", CommandNotFound, Failed, At::Error),
    ("comando não encontrado", CommandNotFound, Failed, At::Error),
    (
        "nie znaleziono polecenia",
        CommandNotFound,
        Failed,
        At::Error,
    ),
    ("команда не найдена", CommandNotFound, Failed, At::Error),
    ("yntax error", SyntaxError, Failed, At::Error),
    (
        "unexpected EOF while looking for matching",
        SyntaxError,
        Failed,
        At::Error,
    ),
    ("does not exist, skipping", SourceMissing, Failed, At::End),
    (
        "all target directories/files do not exist",
        SourceMissing,
        Failed,
        At::Any,
    ),
    ("link_stat ", SourceMissing, Failed, At::Any),
    ("change_dir ", SourceMissing, Failed, At::Any),
    (
        "error reading source root directory",
        SourceMissing,
        Failed,
        At::Any,
    ),
    ("is not mounted", NotMounted, Failed, At::Any),
    ("not mounted or bad option", NotMounted, Failed, At::Any),
    ("is not a mountpoint", NotMounted, Failed, At::Any),
    ("mount point does not exist", NotMounted, Failed, At::Any),
    ("Stale file handle", StaleHandle, Failed, At::Error),
    ("Stale NFS file handle", StaleHandle, Failed, At::Error),
    ("stale NFS file handle", StaleHandle, Failed, At::Error),
    ("stale file handle", StaleHandle, Failed, At::Error),
    (
        "ransport endpoint is not connected",
        StaleHandle,
        Failed,
        At::Error,
    ),
    ("Host is down", StaleHandle, Failed, At::Error),
    ("nput/output error", InputOutputError, Failed, At::Error),
    ("ead-only file system", ReadOnly, Failed, At::Error),
    ("ut of memory", OutOfMemory, Failed, At::Error),
    ("annot allocate memory", OutOfMemory, Failed, At::Error),
    ("Killed", OutOfMemory, Failed, At::End),
    ("Segmentation fault", Crash, Failed, At::Any),
    ("core dumped", Crash, Failed, At::Any),
    ("panic: ", Crash, Failed, At::Error),
    (
        "Traceback (most recent call last):",
        Crash,
        Warning,
        At::Any,
    ),
    ("acquire the lock", LockHeld, Warning, At::Any),
    ("repository is already locked", LockHeld, Warning, At::Any),
    ("repo already locked", LockHeld, Warning, At::Any),
    ("database is locked", LockHeld, Failed, At::Error),
    ("Could not get lock", LockHeld, Warning, At::Any),
    ("instance is already running", LockHeld, Warning, At::Any),
    (
        "esource temporarily unavailable",
        LockHeld,
        Warning,
        At::Error,
    ),
    (
        "an empty password is not a password",
        EmptyPassword,
        Failed,
        At::Any,
    ),
    ("no password supplied", EmptyPassword, Failed, At::Any),
    ("BORG_PASSPHRASE is not set", EmptyPassword, Failed, At::Any),
    (
        "no such device or address, unable to read password",
        EmptyPassword,
        Failed,
        At::Any,
    ),
    (
        "sudo: a password is required",
        EmptyPassword,
        Failed,
        At::Any,
    ),
    (
        "a terminal is required to read the password",
        EmptyPassword,
        Failed,
        At::Any,
    ),
    (
        "wrong password or no key found",
        LoginRefused,
        Failed,
        At::Any,
    ),
    (
        "password authentication failed",
        LoginRefused,
        Failed,
        At::Any,
    ),
    ("Access denied for user", LoginRefused, Failed, At::Any),
    (
        "Permission denied (publickey",
        LoginRefused,
        Failed,
        At::Any,
    ),
    (
        "Permission denied, please try again",
        LoginRefused,
        Failed,
        At::Any,
    ),
    (
        "Host key verification failed",
        LoginRefused,
        Failed,
        At::Any,
    ),
    ("Authentication failed", LoginRefused, Failed, At::Error),
    ("onnection refused", ConnectionFailed, Warning, At::Error),
    ("onnection timed out", ConnectionFailed, Warning, At::Error),
    (
        "onnection reset by peer",
        ConnectionFailed,
        Warning,
        At::Error,
    ),
    ("o route to host", ConnectionFailed, Warning, At::Error),
    (
        "etwork is unreachable",
        ConnectionFailed,
        Warning,
        At::Error,
    ),
    ("Could not resolve host", ConnectionFailed, Warning, At::Any),
    (
        "ame or service not known",
        ConnectionFailed,
        Warning,
        At::Error,
    ),
    (
        "emporary failure in name resolution",
        ConnectionFailed,
        Warning,
        At::Error,
    ),
    ("Can't connect to ", ConnectionFailed, Warning, At::Any),
    ("o such file or directory", NoSuchFile, Warning, At::Error),
    ("Directory nonexistent", NoSuchFile, Warning, At::Error),
    ("directory not found", NoSuchFile, Warning, At::Error),
    (
        "Datei oder Verzeichnis nicht gefunden",
        NoSuchFile,
        Warning,
        At::Error,
    ),
    (
        "Aucun fichier ou dossier de ce",
        NoSuchFile,
        Warning,
        At::Error,
    ),
    (
        "No existe el archivo o el directorio",
        NoSuchFile,
        Warning,
        At::Error,
    ),
    (
        "No existe el fichero o el directorio",
        NoSuchFile,
        Warning,
        At::Error,
    ),
    (
        "File o directory non esistente",
        NoSuchFile,
        Warning,
        At::Error,
    ),
    (
        "Arquivo ou diretório inexistente",
        NoSuchFile,
        Warning,
        At::Error,
    ),
    (
        "Nie ma takiego pliku ani katalogu",
        NoSuchFile,
        Warning,
        At::Error,
    ),
    (
        "Нет такого файла или каталога",
        NoSuchFile,
        Warning,
        At::Error,
    ),
    ("ermission denied", PermissionDenied, Warning, At::Error),
    (
        "peration not permitted",
        PermissionDenied,
        Warning,
        At::Error,
    ),
    ("Keine Berechtigung", PermissionDenied, Warning, At::Error),
    (
        "Permission non accordée",
        PermissionDenied,
        Warning,
        At::Error,
    ),
    ("Permiso denegado", PermissionDenied, Warning, At::Error),
    ("Permesso negato", PermissionDenied, Warning, At::Error),
    ("Permissão negada", PermissionDenied, Warning, At::Error),
    ("Brak dostępu", PermissionDenied, Warning, At::Error),
    ("Отказано в доступе", PermissionDenied, Warning, At::Error),
    ("skipping file deletion", Skipping, Warning, At::Any),
    ("skipping ", Skipping, Fine, At::Error),
    ("Skipping ", Skipping, Fine, At::Error),
    (", skipping", Skipping, Fine, At::End),
    ("omitting directory", Skipping, Warning, At::Any),
    ("[Errno ", Skipping, Fine, At::Any),
];

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
        NoSuchFile | PermissionDenied if program.is_some_and(|name| stops_with(name)) => Failed,
        _ => outcome,
    };
    let named = match kind {
        CommandNotFound => missing_command(line).or(program),
        _ => program,
    };
    notes.telltale(kind, outcome, named, line);
}

fn stops_with(program: &str) -> bool {
    COPYING.contains(&program) || is_shell(program)
}

fn is_shell(program: &str) -> bool {
    SHELLS.contains(&program) || program.ends_with(".sh")
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
    let whole_phrase = phrase.starts_with(|char: char| char.is_uppercase() || char == '[');
    let before = match whole_phrase {
        true => before,
        false => before.trim_end_matches(|char: char| char.is_ascii_alphabetic()),
    };
    before.is_empty() || before.ends_with([' ', '"', '(', '\'', '\t'])
}

/// What depends on more than the phrase.
fn refined(line: &str, phrase: &str, kind: Kind, outcome: Outcome) -> Option<(Kind, Outcome)> {
    match phrase {
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
        "28" | "122" => NoSpaceLeft,
        "2" => NoSuchFile,
        "13" | "1" => PermissionDenied,
        "5" => InputOutputError,
        "30" => ReadOnly,
        "116" | "107" => StaleHandle,
        "12" => OutOfMemory,
        _ => return None,
    })
}

const fn default_outcome(kind: Kind) -> Outcome {
    match kind {
        NoSuchFile | PermissionDenied | ConnectionFailed | LockHeld => Warning,
        Skipping => Fine,
        _ => Failed,
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
    let command = head.rsplit(": ").next()?;
    (!command.contains(char::is_whitespace)).then(|| last_name(command))
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
    use super::*;
    use crate::Telltale;

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
                "/root/backup.sh: line 3: restic: command not found",
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
    fn a_file_that_is_called_like_an_error_is_none() {
        let lines = [
            "docs/No space left on device.md",
            "mails/Permission denied",
            "error: page: not found",
            "GET /x HTTP/1.1: not found",
            "Killed Process.mp3",
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
