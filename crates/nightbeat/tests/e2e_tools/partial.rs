//! Stories of backups that are made, but not of everything: files that vanish or change while they are read, and one
//! that may not be read. Most are a warning, by the exit code of the tool.
//!
//! `./mortal` runs a tool as a root that may not read everything (see [`crate::world`]).

use crate::Story;

/// What stands in the place of ssh, and lets a file vanish when rsync has told of it and is in the middle of another.
const FAR: &str = r#"cat > far <<'END'
shift
exec 3<&0
mkfifo in
{ dd bs=64k count=300000 iflag=count_bytes status=none; rm source/z; exec cat; } <&3 > in &
exec "$@" < in 3<&-
END
head -c 1000000 /dev/zero > source/a; echo z > source/z"#;

/// A file that tar is long in the middle of: nobody has read its pipe yet.
const LONG_FILE: &str = "head -c 1000000 /dev/zero > source/a; echo z > source/z";

/// A file that only its owner's rights keep from being read.
const SECRET: &str = "echo secret > source/secret; chmod 000 source/secret";

pub(crate) const ALL: &[Story] = &[
    Story {
        name: "rsync while a file vanishes",
        nights: 1,
        good: "rsync -a --stats source/ copy/",
        before: FAR,
        bad: "rsync -a --stats -e 'sh ./far' source/ far:copy/",
        status: "warning",
        says: &["rsync ended with 24", "file has vanished", "source/z"],
    },
    Story {
        name: "tar while a file changes",
        nights: 1,
        good: "tar -c --totals -f backup.tar source",
        before: LONG_FILE,
        bad: "mkfifo pipe; { head -c 100000; echo more >> source/a; cat; } < pipe > backup.tar & \
              tar -c --totals --sort=name -f pipe source",
        status: "warning",
        says: &["tar ended with 1", "source/a: file changed as we read it"],
    },
    Story {
        name: "tar while a file vanishes",
        nights: 1,
        good: "tar -c --totals -f backup.tar source",
        before: LONG_FILE,
        bad: "mkfifo pipe; { head -c 100000; rm source/z; cat; } < pipe > backup.tar & \
              tar -c --totals --sort=name -f pipe source",
        status: "warning",
        says: &[
            "tar ended with 1",
            "source/z: File removed before we read it",
        ],
    },
    Story {
        name: "rsync with a file that may not be read",
        nights: 1,
        good: "./mortal rsync -a --stats source/ copy/",
        before: SECRET,
        bad: "./mortal rsync -a --stats source/ copy/",
        status: "warning",
        says: &["rsync ended with 23", "source/secret", "Permission denied"],
    },
    Story {
        name: "restic with a file that may not be read",
        nights: 1,
        good: "./mortal restic backup source",
        before: SECRET,
        bad: "./mortal restic backup source",
        status: "warning",
        says: &["restic ended with 3", "source/secret: permission denied"],
    },
    Story {
        name: "restic in JSON with a file that may not be read",
        nights: 1,
        good: "./mortal restic backup --quiet --json source",
        before: SECRET,
        bad: "./mortal restic backup --quiet --json source",
        status: "warning",
        says: &[
            "restic ended with 3",
            "source/secret: open: permission denied",
        ],
    },
    Story {
        name: "borg with a file that may not be read",
        nights: 1,
        good: "./mortal borg create --stats borg::one source",
        before: SECRET,
        bad: "./mortal borg create --stats borg::two source",
        status: "warning",
        says: &["borg ended with 1", "source/secret", "Permission denied"],
    },
    // These two say with their exit code that they failed.
    Story {
        name: "rclone with a file that may not be read",
        nights: 1,
        good: "./mortal rclone copy -v source copy",
        before: SECRET,
        bad: "./mortal rclone copy -v source copy",
        status: "down",
        says: &["rclone ended with 1", "source/secret: permission denied"],
    },
    Story {
        name: "tar with a file that may not be read",
        nights: 1,
        good: "./mortal tar -c --totals -f backup.tar source",
        before: SECRET,
        bad: "./mortal tar -c --totals -f backup.tar source",
        status: "down",
        says: &[
            "tar ended with 2",
            "source/secret: Cannot open: Permission denied",
        ],
    },
];
