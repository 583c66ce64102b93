//! What makes a line worth a closer look. Ordinary lines are passed over by one search over many of them at once:
//! this is why gigabytes of output cost little.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

use crate::telltale;

/// A part of each line that a tool's reader knows. A new line of a reader needs its words here.
///
/// A line that holds nothing but a bracket begins a JSON document over several lines; an empty message of rclone's
/// log comes before its numbers.
const WORDS: [&str; 96] = [
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
];

/// The words of the other tools, which are frequent in others' output, too.
const FREQUENT_WORDS: [&str; 27] = [
    // snapraid
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
];

/// Words for which one more is needed to be in the list.
const MORE_WORDS: [&str; 4] = [
    "cannot open '",
    "Parse error",
    "Runtime error",
    "\"message\":",
];

static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let words = WORDS
        .into_iter()
        .chain(FREQUENT_WORDS)
        .chain(MORE_WORDS)
        .chain(telltale::phrases());
    AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::DFA))
        .build(words)
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
        let words = WORDS
            .into_iter()
            .chain(FREQUENT_WORDS)
            .chain(MORE_WORDS)
            .chain(telltale::phrases());
        for word in words {
            let body = word.trim_end_matches(['\n', '\r']);
            assert!(
                word.len() - body.len() <= 1 && !body.contains(['\n', '\r']),
                "{word:?}"
            );
            assert!(!body.is_empty() && word.len() >= 2, "{word:?}");
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
