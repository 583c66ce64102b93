//! Stories of empty, missing and wrong sources and destinations, and of scripts that go on. Every job exits with 0
//! in its bad night, unless it is said.

use crate::Story;

pub(crate) const ALL: &[Story] = &[
    Story {
        name: "rsync of an empty source",
        nights: 1,
        good: "rsync -a --stats source/ copy/",
        before: "rm -r source/*",
        bad: "rsync -a --stats source/ copy/",
        status: "down",
        says: &["rsync"],
    },
    Story {
        name: "rsync that empties the backup",
        nights: 1,
        good: "rsync -a --delete --stats source/ copy/",
        before: "rm -r source/*",
        bad: "rsync -a --delete --stats source/ copy/",
        status: "down",
        says: &["rsync"],
    },
    Story {
        name: "rsync with the dry run left in",
        nights: 1,
        good: "rsync -av --stats source/ copy/",
        before: "",
        bad: "rsync -avn --stats source/ copy/",
        status: "down",
        says: &["rsync"],
    },
    Story {
        name: "rsync to a full disk and the script goes on",
        nights: 1,
        good: "rsync -a --stats source/ copy/",
        before: "",
        bad: "rsync -a --stats source/ full/; echo done",
        status: "down",
        says: &["No space left on device"],
    },
    Story {
        name: "rsync of a missing source",
        nights: 1,
        good: "rsync -a --stats source/ copy/",
        before: "mv source elsewhere",
        bad: "rsync -a --stats source/ copy/",
        status: "down",
        says: &["No such file"],
    },
    Story {
        name: "restic of an empty source",
        nights: 1,
        good: "restic backup source",
        before: "rm -r source/*",
        bad: "restic backup source",
        status: "down",
        says: &["restic"],
    },
    Story {
        name: "restic in JSON of an empty source",
        nights: 1,
        good: "restic backup --json --quiet source",
        before: "rm -r source/*",
        bad: "restic backup --json --quiet source",
        status: "down",
        says: &["restic"],
    },
    Story {
        name: "borg of an empty source",
        nights: 1,
        good: "borg create --stats borg::one source",
        before: "rm -r source/*",
        bad: "borg create --stats borg::two source",
        status: "down",
        says: &["borg"],
    },
    Story {
        name: "borg without its repository, and the script goes on",
        nights: 1,
        good: "borg create --stats borg::one source",
        before: "mv borg elsewhere",
        bad: "borg create --stats borg::two source; echo done",
        status: "down",
        says: &["borg"],
    },
    Story {
        name: "rclone sync that empties the backup",
        nights: 1,
        good: "rclone sync -v source copy",
        before: "rm -r source/*",
        bad: "rclone sync -v source copy",
        status: "down",
        says: &["rclone"],
    },
    Story {
        name: "a dump that fails in a pipe",
        nights: 1,
        good: "pg_dump --version | gzip > dump.gz",
        before: "",
        bad: "pg_dump --host=127.0.0.1 --port=1 shop | gzip > dump.gz",
        status: "down",
        says: &["pg_dump"],
    },
    Story {
        name: "a command that is not on the path, and the script goes on",
        nights: 1,
        good: "echo done",
        before: "",
        bad: "my-dump-tool shop > dump; echo done",
        status: "down",
        says: &["my-dump-tool", "not found"],
    },
    Story {
        name: "tar of a missing source in a pipe",
        nights: 1,
        good: "tar -c --totals source | gzip > backup.tar.gz",
        before: "mv source elsewhere",
        bad: "tar -c --totals source | gzip > backup.tar.gz",
        status: "down",
        says: &["tar"],
    },
    Story {
        name: "restic with one of two sources missing",
        nights: 1,
        good: "restic backup --quiet --json source other",
        before: "rm -r other",
        bad: "restic backup --quiet --json source other",
        status: "down",
        says: &["a source is missing", "other does not exist, skipping"],
    },
    Story {
        name: "rsync with one of two sources missing, and the script goes on",
        nights: 1,
        good: "rsync -a --stats source other copy/",
        before: "rm -r other",
        bad: "rsync -a --stats source other copy/; echo done",
        status: "down",
        says: &["a source is missing", "other"],
    },
    // Its archive is never smaller than 10 KiB, so nothing is known before there are nights to compare with.
    Story {
        name: "tar of an empty folder",
        nights: 5,
        good: "tar -c --totals -f backup.tar source",
        before: "rm source/*",
        bad: "tar -c --totals -f backup.tar source",
        status: "down",
        says: &[
            "builtin shrunk",
            "the source held 10 KiB",
            "the median of the last 5 good runs",
        ],
    },
    Story {
        name: "seven steps of which all fail",
        nights: 1,
        good: "echo backup complete",
        before: SEVEN_STEPS,
        bad: "bash backup.sh",
        status: "down",
        says: &[
            "line 3: my-tool: command not found",
            "trouble also with config.env, cd, no-such-dump, cp, rm and ls",
        ],
    },
];

/// A script that somebody wrote at a terminal, in another folder, with another PATH.
pub(crate) const SEVEN_STEPS: &str = r"cat > backup.sh <<'END'
#!/bin/bash
source config.env
my-tool --prepare
(cd /nonexistent && tar cf data.tar .)
no-such-dump shop | gzip > shop.sql.gz
cp /nonexistent/file .
rm /nonexistent/old
ls /nonexistent > list
echo backup complete
exit 0
END
";
