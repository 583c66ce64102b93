//! Every recorded output is read to the right tool, the right numbers and the right judgement.

use crate::support::{facts, samples};
use nightbeat_evidence::Outcome::{self, Failed, Ok, Warning};
use nightbeat_evidence::{Reader, Stream, read};

/// A sample's name, how it is judged, what is read (evidence, then telltales after a `!`), and why.
type Row = (&'static str, Outcome, &'static [&'static str], &'static str);

/// The table. `files`, `changed`, `bytes`, `added` … are the fields of an evidence; `s` is its duration in seconds,
/// `id` its snapshot. Runs that print nothing yield nothing: for them there are rules and destination checks.
const TABLE: &[Row] = &[
    (
        "borg12-archive-exists",
        Failed,
        &["borg"],
        "borg ended with 2; the archive's name is taken already: Archive a1 already exists",
    ),
    (
        "borg12-disk-full",
        Failed,
        &[
            "borg warnings=5 v1.2.4",
            "! no-space-left borg 5",
            "! no-space-left - 3",
            "! crash - 2",
        ],
        "borg ended with 2; no space left: data/src/f8.bin: read: [Errno 28] No space left on device",
    ),
    (
        "borg12-locked",
        Failed,
        &["borg", "! lock-held borg 1"],
        "borg ended with 2; somebody else holds the lock: Failed to create/acquire the lock /srv/lab/brepo/lock.exclusive (timeout).",
    ),
    (
        "borg12-partial-1",
        Warning,
        &[
            "borg files=12 bytes=300530 added=480 warnings=1 s=0.11 id=n1",
            "! permission-denied borg 1",
        ],
        "borg ended with 1: it ended with warnings; something may not be read or written: /srv/lab/data/src/f3.bin: open: [Errno 13] Permission denied: 'f3.bin'",
    ),
    (
        "borg12-repo-missing",
        Failed,
        &["borg"],
        "borg ended with 2; the repository is not there: Repository /mnt/evnas/nope does not exist.",
    ),
    (
        "borg12-source-empty",
        Ok,
        &["borg files=0 bytes=484 added=460 s=0.01 id=a5"],
        "",
    ),
    (
        "borg12-success-json",
        Ok,
        &["borg files=13 bytes=312496 added=462 s=0.01 id=a2"],
        "",
    ),
    (
        "borg12-success-stats",
        Ok,
        &["borg files=13 bytes=312500 added=312510 s=0.01 id=a1"],
        "",
    ),
    (
        "borg14-archive-exists-modern",
        Failed,
        &["borg"],
        "borg ended with 30: the archive's name is taken already; Archive a1 already exists",
    ),
    (
        "borg14-disk-full-modern",
        Failed,
        &["borg v1.4.5", "! no-space-left - 2", "! crash - 1"],
        "borg ended with 2; no space left: No space left on device, cleaning up partial transaction to free space.",
    ),
    (
        "borg14-locked-modern",
        Failed,
        &["borg", "! lock-held borg 1"],
        "borg ended with 73: the repository is locked by somebody else; somebody else holds the lock: Failed to create/acquire the lock /srv/lab/brepo/lock.exclusive (timeout).",
    ),
    (
        "borg14-no-passphrase-modern",
        Failed,
        &["borg", "! empty-password borg 1"],
        "borg ended with 50: there is no passphrase; a password is missing: Enter passphrase for key /srv/lab/brepoenc: Cannot acquire a passphrase: BORG_PASSPHRASE is not set. BORG_PASSCOMMAND is not set. Interactive password query failed.",
    ),
    (
        "borg14-partial-modern",
        Warning,
        &[
            "borg files=12 bytes=300006 added=0 warnings=1 s=0.00 id=n2",
            "! permission-denied borg 1",
        ],
        "borg ended with 105: a file may not be read; something may not be read or written: /srv/lab/data/src/f3.bin: open: [Errno 13] Permission denied: 'f3.bin'",
    ),
    (
        "borg14-source-missing",
        Warning,
        &[
            "borg files=0 bytes=0 added=0 warnings=1 s=0.00 id=b6",
            "! no-such-file borg 1",
        ],
        "borg ended with 1: it ended with warnings; a file or folder is missing: data/nosuch: stat: [Errno 2] No such file or directory: 'data/nosuch'",
    ),
    ("cp-dest-unmounted", Ok, &[], ""),
    (
        "cp-disk-full",
        Failed,
        &["! no-space-left cp 3"],
        "the job ended with 1; no space left: cp: error writing '/mnt/evfull/./f10.bin': No space left on device",
    ),
    (
        "duplicity-disk-full",
        Failed,
        &["duplicity", "! no-space-left duplicity 1"],
        "duplicity ended with 53: the destination is full; no space left: Giving up after 1 attempts. OSError: No space left on device",
    ),
    (
        "duplicity-incr-nochange",
        Ok,
        &["duplicity files=15 changed=0 bytes=320205 added=20 deletes=0 errors=0 s=0.01"],
        "",
    ),
    (
        "duplicity-source-empty",
        Ok,
        &["duplicity files=0 changed=1 bytes=4096 added=89 deletes=0 errors=0 s=0.00"],
        "",
    ),
    (
        "duplicity-success",
        Ok,
        &["duplicity files=15 changed=16 bytes=320205 added=313464 deletes=0 errors=0 s=0.02"],
        "",
    ),
    (
        "mysqldump-access-denied",
        Failed,
        &["mysqldump", "! login-refused mysqldump 1"],
        "mysqldump ended with 2; a login was refused: mysqldump: Got error: 1044: \"Access denied for user ''@'localhost' to database 'app'\" when selecting the database",
    ),
    (
        "mysqldump-broken-view-pipe",
        Failed,
        &["mysqldump"],
        "mysqldump: Got error: 1356: \"View 'app.v2' references invalid table(s) or column(s) or function(s) or definer/invoker of view lack rights to use them\" when using LOCK TABLES",
    ),
    (
        "mysqldump-broken-view",
        Failed,
        &["mysqldump"],
        "mysqldump ended with 2; Got error: 1356: \"View 'app.v2' references invalid table(s) or column(s) or function(s) or definer/invoker of view lack rights to use them\" when using LOCK TABLES",
    ),
    (
        "mysqldump-no-server",
        Failed,
        &["mysqldump", "! connection-failed mysqldump 1"],
        "mysqldump ended with 2; a server could not be reached: mysqldump: Got error: 2002: \"Can't connect to server on '127.0.0.1' (115)\" when trying to connect",
    ),
    (
        "pg_basebackup-success",
        Ok,
        &["pg-basebackup bytes=33556480 added=33556480"],
        "",
    ),
    (
        "pg_dump-no-password",
        Failed,
        &["pg-dump"],
        "pg_dump ended with 1; connection to server at \"127.0.0.1\", port 55999 failed: FATAL:  database \"nodb\" does not exist",
    ),
    (
        "pg_dump-perm",
        Failed,
        &["pg-dump", "! permission-denied pg_dump 1"],
        "pg_dump ended with 1; something may not be read or written: pg_dump: error: query failed: ERROR:  permission denied for table t",
    ),
    (
        "pg_dump-pipe-no-server-pipefail",
        Failed,
        &["pg-dump", "! connection-failed pg_dump 1"],
        "pg_dump ended with 1; a server could not be reached: pg_dump: error: connection to server at \"127.0.0.1\", port 55998 failed: Connection refused",
    ),
    (
        "pg_dump-pipe-no-server",
        Failed,
        &["pg-dump", "! connection-failed pg_dump 1"],
        "a server could not be reached: pg_dump: error: connection to server at \"127.0.0.1\", port 55998 failed: Connection refused",
    ),
    (
        "pg_dump-pipe-not-on-path",
        Failed,
        &["! command-not-found pg_dump 1"],
        "a command was not found: /bin/sh: 1: pg_dump: not found",
    ),
    ("pg_dump-success", Ok, &[], ""),
    ("pg_dump-verbose", Ok, &["pg-dump"], ""),
    (
        "rclone-check-missing",
        Failed,
        &["rclone errors=13"],
        "rclone ended with 1; 13 differences found",
    ),
    (
        "rclone-dest-unmounted",
        Ok,
        &["rclone files=13 changed=13 added=312006 deletes=0 errors=0 s=0.10"],
        "",
    ),
    (
        "rclone-disk-full-json",
        Failed,
        &[
            "rclone files=9 changed=9 added=192006 deletes=0 errors=4 s=0.07",
            "! no-space-left rclone 6",
        ],
        "rclone ended with 1; no space left: f6.bin: Failed to copy: preallocate: file too big for remaining disk space",
    ),
    (
        "rclone-disk-full",
        Failed,
        &[
            "rclone files=9 changed=9 added=192006 deletes=0 errors=4 s=0.10",
            "! no-space-left rclone 6",
        ],
        "rclone ended with 1; no space left: ERROR : f6.bin: Failed to copy: preallocate: file too big for remaining disk space",
    ),
    (
        "rclone-nothing-v",
        Ok,
        &["rclone files=13 changed=0 added=0 deletes=0 errors=0 s=0.10"],
        "",
    ),
    (
        "rclone-rc-core-stats",
        Ok,
        &["rclone files=13 changed=13 added=312006 deletes=0 errors=0 s=4.35"],
        "",
    ),
    ("rclone-rc-job-status", Ok, &["rclone s=0.02"], ""),
    (
        "rclone-source-empty",
        Ok,
        &["rclone files=0 changed=0 added=0 deletes=0 errors=0 s=0.10"],
        "",
    ),
    (
        "rclone-source-missing-3",
        Failed,
        &[
            "rclone errors=3",
            "! source-missing rclone 3",
            "! no-such-file rclone 4",
        ],
        "rclone ended with 3: a directory was not found; a source is missing: ERROR : Local file system at /srv/lab/data/nosuch: error reading source root directory: directory not found",
    ),
    (
        "rclone-success-copy-v",
        Ok,
        &["rclone files=13 changed=13 added=312006 deletes=0 errors=0 s=0.10"],
        "",
    ),
    (
        "rclone-success-jsonlog",
        Ok,
        &["rclone files=13 changed=13 added=312006 deletes=0 errors=0 s=0.15"],
        "",
    ),
    ("rclone-success-oneline", Ok, &["rclone added=312006"], ""),
    (
        "rclone-sync-max-delete",
        Failed,
        &["rclone files=0 changed=0 added=0 deletes=9 errors=5 s=0.00"],
        "rclone ended with 7: a fatal error: the account is suspended or a limit was reached; failed to delete 4 files",
    ),
    ("restic-check", Ok, &["restic errors=0"], ""),
    (
        "restic-disk-full",
        Failed,
        &["restic", "! no-space-left restic 1"],
        "restic ended with 1; no space left: Fatal: unable to save snapshot: write /mnt/evfull/r/data/be/beb9a6c7b75d61edc1ba64863a58cd98305171438bfceab1529e1d61dc1eb44d-tmp-4239111227: no space left on device",
    ),
    ("restic-forget-json", Ok, &["restic"], ""),
    (
        "restic-no-password",
        Failed,
        &["restic", "! empty-password restic 1"],
        "restic ended with 1; a password is missing: Fatal: an empty password is not a password",
    ),
    (
        "restic-partial-3-json",
        Warning,
        &[
            "restic files=12 changed=12 bytes=300006 added=306612 errors=1 s=0.28 id=a298f9e9",
            "! permission-denied restic 1",
        ],
        "restic ended with 3: some of the source could not be read; something may not be read or written: /srv/lab/data/src/f3.bin: open: permission denied",
    ),
    (
        "restic-repo-missing",
        Failed,
        &["restic", "! no-such-file restic 1"],
        "restic ended with 1; a file or folder is missing: Fatal: unable to open config file: stat /mnt/evnas/nope/config: no such file or directory",
    ),
    (
        "restic-source-empty-text",
        Ok,
        &["restic files=0 changed=0 bytes=0 added=0 dry=false s=0.00 id=1600bfda"],
        "",
    ),
    (
        "restic-source-missing",
        Failed,
        &[
            "restic",
            "! source-missing - 1",
            "! source-missing restic 1",
        ],
        "restic ended with 1; a source is missing: data/nosuch does not exist, skipping",
    ),
    (
        "restic-success-json",
        Ok,
        &["restic files=13 changed=13 bytes=312006 added=317903 s=0.24 id=7f684e2d"],
        "",
    ),
    (
        "restic-success-quiet-json",
        Ok,
        &["restic files=13 changed=0 bytes=312006 added=0 s=0.22 id=cd564601"],
        "",
    ),
    (
        "restic-wrong-password",
        Failed,
        &["restic", "! login-refused restic 1"],
        "restic ended with 1; a login was refused: Fatal: wrong password or no key found",
    ),
    (
        "rsync-dest-parent-missing",
        Failed,
        &["rsync errors=1 v3.5.0", "! no-such-file rsync 1"],
        "rsync ended with 11: error in file I/O; a file or folder is missing: rsync: [Receiver] mkdir \"/srv/lab/data/no/such/parent\" failed: No such file or directory (2)",
    ),
    (
        "rsync-dest-unmounted",
        Ok,
        &["rsync files=13 changed=13 bytes=312013 added=312006 deletes=0 dry=false"],
        "",
    ),
    (
        "rsync-disk-full-no-stats",
        Failed,
        &["rsync errors=1 v3.5.0", "! no-space-left rsync 1"],
        "rsync ended with 11: error in file I/O; no space left: rsync: [receiver] write failed on \"/mnt/evfull/f6.bin\": No space left on device (28)",
    ),
    (
        "rsync-disk-full",
        Failed,
        &["rsync errors=1 v3.5.0", "! no-space-left rsync 1"],
        "rsync ended with 11: error in file I/O; no space left: rsync: [receiver] write failed on \"/mnt/evfull/f6.bin\": No space left on device (28)",
    ),
    (
        "rsync-killed-20",
        Failed,
        &["rsync v3.5.0"],
        "rsync ended with 124: the time limit of timeout(1) ran out; it was ended by a signal (code 20): rsync error: received SIGINT, SIGTERM, or SIGHUP (code 20) at rsync.c(874) [sender=3.5.0]",
    ),
    (
        "rsync-locale-de",
        Ok,
        &["rsync files=13 changed=13 bytes=312013 added=312006 deletes=0 dry=false"],
        "",
    ),
    (
        "rsync-noh",
        Ok,
        &["rsync files=13 changed=13 bytes=312013 added=312006 deletes=0 dry=false"],
        "",
    ),
    (
        "rsync-partial-23",
        Warning,
        &[
            "rsync files=13 changed=13 bytes=312013 added=300006 deletes=0 errors=1 dry=false v3.5.0",
            "! permission-denied rsync 1",
        ],
        "rsync ended with 23: some files or attributes were not transferred; something may not be read or written: rsync: [sender] send_files failed to open \"/srv/lab/data/src/f3.bin\": Permission denied (13)",
    ),
    (
        "rsync-source-empty",
        Ok,
        &["rsync files=0 changed=0 bytes=0 added=0 deletes=0 dry=false"],
        "",
    ),
    (
        "rsync-ssh-host-down",
        Failed,
        &["rsync v3.5.0", "! connection-failed ssh 1"],
        "rsync ended with 12: error in the protocol's data stream: often the connection broke; a server could not be reached: ssh: connect to host 127.0.0.1 port 1: Connection refused",
    ),
    (
        "rsync-success-human",
        Ok,
        &["rsync files=13 changed=13 bytes=312010 added=312010 deletes=0 dry=false"],
        "",
    ),
    (
        "rsync-success-nochange",
        Ok,
        &["rsync files=13 changed=0 bytes=312013 added=0 deletes=0 dry=false"],
        "",
    ),
    ("rsync-success-v", Ok, &["rsync bytes=312013 dry=false"], ""),
    (
        "rsync-success",
        Ok,
        &["rsync files=13 changed=13 bytes=312013 added=312006 deletes=0 dry=false"],
        "",
    ),
    (
        "rsync-timeout-30",
        Failed,
        &["rsync v3.5.0"],
        "rsync ended with 30: time ran out while sending or receiving; rsync error: timeout in data send/receive (code 30) at io.c(248) [Receiver=3.5.0]",
    ),
    ("snapraid-status", Ok, &["snapraid errors=0"], ""),
    (
        "snapraid-sync-empty",
        Failed,
        &["snapraid"],
        "snapraid ended with 1; all files of a disk are missing: WARNING! All the files previously present in disk 'd1' at dir '/srv/lab/sr/d1/'",
    ),
    (
        "snapraid-sync",
        Failed,
        &["snapraid"],
        "snapraid ended with 1; a disk and its parity are on the same device: Disk '/srv/lab/sr/d1/' and Parity '/srv/lab/sr/par/snapraid.parity' are on the same device.",
    ),
    (
        "sqlite-backup-locked",
        Failed,
        &["sqlite3", "! lock-held sqlite3 1"],
        "sqlite3 ended with 1; somebody else holds the lock: Error: database is locked",
    ),
    ("sqlite-backup-success", Ok, &[], ""),
    (
        "tar-changed-1",
        Warning,
        &["tar warnings=1"],
        "tar ended with 1: some files changed while they were read; a file changed while it was read: tar: data/van/grow: file changed as we read it",
    ),
    (
        "tar-cron-percent",
        Failed,
        &["! syntax-error sh 1"],
        "the job ended with 2; a shell could not read its script: sh: 1: Syntax error: end of file unexpected (expecting \")\")",
    ),
    (
        "tar-disk-full",
        Failed,
        &["tar", "! no-space-left gzip 1"],
        "tar ended with 2; no space left: gzip: stdout: No space left on device",
    ),
    (
        "tar-pipe-source-missing",
        Failed,
        &["tar errors=1", "! no-such-file tar 1"],
        "a file or folder is missing: tar: data/nosuch: Cannot stat: No such file or directory",
    ),
    ("tar-source-empty", Ok, &["tar bytes=10240"], ""),
    (
        "tar-source-missing-2",
        Failed,
        &["tar errors=1", "! no-such-file tar 1"],
        "tar ended with 2; a file or folder is missing: tar: data/nosuch: Cannot stat: No such file or directory",
    ),
    ("tar-success-plain", Ok, &[], ""),
];

#[test]
fn every_sample_is_read_to_its_tool_its_numbers_and_its_outcome() {
    let samples = samples();
    let names: Vec<&str> = samples.iter().map(|sample| sample.name.as_str()).collect();
    let expected: Vec<&str> = TABLE.iter().map(|row| row.0).collect();
    assert_eq!(names, expected, "each sample has its row");
    for (sample, (name, outcome, expected, why)) in samples.iter().zip(TABLE) {
        let reading = sample.read();
        assert_eq!(facts(&reading), *expected, "{name}");
        assert_eq!(reading.outcome, *outcome, "{name}");
        assert_eq!(reading.why.as_deref().unwrap_or_default(), *why, "{name}");
        for evidence in &reading.evidence {
            assert!(!evidence.line.is_empty(), "{name}: the line that shows it");
        }
    }
}

#[test]
fn a_run_that_failed_is_never_read_as_a_good_one() {
    for sample in samples() {
        let reading = sample.read();
        assert!(
            sample.exit_code == 0 || reading.outcome != Ok,
            "{}",
            sample.name
        );
    }
}

#[test]
fn a_body_that_mixes_both_streams_says_the_same() {
    for sample in samples() {
        let mut expected = facts(&sample.read());
        expected.sort();
        let output_first = [&sample.output[..], &sample.errors[..]].concat();
        let errors_first = [&sample.errors[..], b"\n", &sample.output[..]].concat();
        for body in [output_first, errors_first] {
            let reading = read(&body, Some(sample.exit_code));
            let mut found = facts(&reading);
            found.sort();
            assert_eq!(found, expected, "{}", sample.name);
            assert_eq!(reading.outcome, sample.read().outcome, "{}", sample.name);
        }
    }
}

#[test]
fn bytes_that_come_one_by_one_say_the_same() {
    for sample in samples() {
        let mut reader = Reader::new();
        for (stream, bytes) in [
            (Stream::Output, &sample.output),
            (Stream::Errors, &sample.errors),
        ] {
            for byte in bytes {
                reader.push(stream, &[*byte]);
            }
        }
        assert_eq!(
            reader.finish(Some(sample.exit_code)),
            sample.read(),
            "{}",
            sample.name
        );
    }
}

#[test]
fn a_reading_is_the_same_after_it_was_stored() {
    for sample in samples() {
        let reading = sample.read();
        let json = serde_json::to_string(&reading).unwrap();
        let stored: nightbeat_evidence::Reading = serde_json::from_str(&json).unwrap();
        assert_eq!(stored, reading, "{json}");
    }
}
