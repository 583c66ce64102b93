//! What makes a line worth a closer look. Ordinary lines are passed over by one search over many of them at once:
//! this is why gigabytes of output cost little.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

use crate::telltale;

/// A part of each line that a tool's reader knows. A new line of a reader needs its words here.
///
/// A line that holds nothing but a bracket begins a JSON document over several lines; an empty message of rclone's
/// log comes before its numbers.
const WORDS: [&str; 101] = [
    // JSON documents
    "{\n",
    "{\r",
    "[\n",
    "[\r",
    // rsync
    "Number of ",
    "Total ",
    "Literal data: ",
    "total size is ",
    " bytes  received ",
    "deleting ",
    "rsync: ",
    "rsync error: ",
    "rsync warning: ",
    " has vanished: ",
    // restic
    "\"message_type\":\"summary\"",
    "\"message_type\":\"error\"",
    "\"message_type\":\"exit_error\"",
    "\"keep\":",
    "Fatal: ",
    " unmodified",
    "to the repo",
    "processed ",
    "snapshot ",
    "source file could not be read",
    "no errors were found",
    " compiled with ",
    // borg
    "Archive ",
    "Duration: ",
    "riginal size: ",
    "eduplicated size: ",
    "This archive: ",
    ": file not found",
    ": file changed while we ",
    "Repository ",
    "acquire a passphrase",
    "passphrase supplied in ",
    "Local Exception",
    "Borg: ",
    "terminating with ",
    "Data integrity error: ",
    "repository check, errors ",
    "\"levelname\"",
    "\"nfiles\"",
    // borgmatic
    "ran configuration file",
    "An error occurred",
    "Error running actions",
    "valid configuration files found",
    "Error parsing configuration",
    // rclone
    "Transferred:",
    "Errors:  ",
    "Checks:  ",
    "Deleted:  ",
    "Renamed:  ",
    "Elapsed time:",
    ", ETA ",
    "ERROR :",
    "CRITICAL:",
    " : \n",
    " : \r",
    "E: \n",
    "E: \r",
    " Failed to ",
    "nothing to transfer",
    "as --dry-run is set",
    " matching files",
    " differences found",
    "Version \"v",
    "\"stats\":",
    "\"level\":\"error\"",
    "totalTransfers",
    // duplicity
    "Backup Statistics",
    "SourceFile",
    "NewFiles ",
    "ChangedFiles ",
    "DeletedFiles ",
    "RawDeltaSize ",
    "TotalDestinationSizeChange ",
    "ElapsedTime ",
    "Errors ",
    "Giving up after ",
    "duplicity: error: ",
    // kopia
    " snapshot with root ",
    "while snapshotting ",
    "Snapshotting ",
    "\"rootEntry\"",
    // dumps and base backups
    "pg_dump: ",
    "pg_dumpall: ",
    "mysqldump: ",
    "mariadb-dump: ",
    "-- PostgreSQL database ",
    "-- Dump",
    "-- Data for Name: ",
    "DB dump ",
    "SQL dump ",
    "pg_basebackup: ",
    " kB (",
    // tar
    "tar: ",
    "/s)",
    // sqlite3
    "Error: ",
    "Parse error",
    "Runtime error",
];

/// The words of the other tools, which are frequent in others' output, too.
const FREQUENT_WORDS: [&str; 30] = [
    // snapraid
    "Self test...",
    "Loading state from ",
    "Everything OK",
    "No error detected",
    "Nothing to do",
    "There are differences",
    "No differences",
    "SnapRAID",
    "WARNING! ",
    "DANGER! ",
    "on the same device.",
    "snapraid v",
    " equal",
    " added",
    " removed",
    " updated",
    " moved",
    " copied",
    " relocated",
    " restored",
    "file errors",
    "io errors",
    "data errors",
    // zfs
    "full\t",
    "incremental\t",
    "size\t",
    "estimated size is ",
    "cannot send '",
    "cannot receive ",
    "cannot open '",
];

/// As much of a phrase's end as is looked for, in bytes. It tells the lines apart as well, and the search is built
/// in half the time.
const PHRASE_END_BYTES: usize = 12;

fn words() -> impl Iterator<Item = &'static [u8]> {
    let phrases = telltale::phrases().map(|phrase| {
        let phrase = phrase.as_bytes();
        &phrase[phrase.len().saturating_sub(PHRASE_END_BYTES)..]
    });
    let words = WORDS.into_iter().chain(FREQUENT_WORDS);
    words.map(str::as_bytes).chain(phrases)
}

static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::DFA))
        .build(words())
        .expect("the words are few and fixed")
});

/// The end of the first word that is found.
pub(crate) fn find(text: &[u8], from: usize) -> Option<usize> {
    FINDER
        .find(Input::new(text).range(from..))
        .map(|found| found.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_goes_over_the_end_of_a_line() {
        for word in words() {
            let ends = |byte: &u8| matches!(byte, b'\n' | b'\r');
            let (_, body) = word.split_last().unwrap();
            assert!(!body.is_empty() && !body.iter().any(ends), "{word:?}");
        }
    }

    #[test]
    fn an_ordinary_line_is_passed_over() {
        assert_eq!(
            find(b"2026/11/22 11:19:51 INFO  : f1.bin: Copied (new)\n", 0),
            None
        );
        assert_eq!(
            find(b"{\"message_type\":\"status\",\"percent_done\":0.5}\n", 0),
            None
        );
        assert_eq!(find(b"usr/share/doc/zlib1g/changelog.gz\n", 0), None);
        assert!(find(b"Number of files: 16\n", 0).is_some());
    }
}
