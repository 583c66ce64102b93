//! How what the pages promise to catch comes about: lines of `sh` in the folder that stands for the machine.

use crate::page::Row;

/// What happens after the good nights.
pub(crate) struct Trouble {
    pub(crate) tool: &'static str,
    /// How the row begins.
    row: &'static str,
    pub(crate) nights: usize,
    pub(crate) does: &'static str,
}

impl Trouble {
    /// What brings a row about.
    pub(crate) fn of(tool: &str, row: &Row) -> &'static Self {
        let mut found = TROUBLES
            .iter()
            .filter(|trouble| trouble.tool == tool && row.happened.starts_with(trouble.row));
        let one = found.next();
        one.unwrap_or_else(|| panic!("who has tried this? {}", row.happened))
    }
}

const fn at_once(tool: &'static str, row: &'static str, does: &'static str) -> Trouble {
    Trouble {
        tool,
        row,
        nights: 0,
        does,
    }
}

const fn after_one(tool: &'static str, row: &'static str, does: &'static str) -> Trouble {
    Trouble {
        tool,
        row,
        nights: 1,
        does,
    }
}

const fn after_five(tool: &'static str, row: &'static str, does: &'static str) -> Trouble {
    Trouble {
        tool,
        row,
        nights: 5,
        does,
    }
}

/// From now on nobody who runs may read all files (see `House`).
const SECRET: &str = "echo secret > srv/data/secret; chmod 000 srv/data/secret; touch mortal";
const EMPTIED: &str = "rm -r srv/data/* srv/mail/*";
const EMPTIED_AND_BACKED_UP: &str = "rm -r srv/data/* srv/mail/*; sh nightly";
const SHRUNK: &str = "rm srv/data/file-0[3-9]* srv/data/file-1*";
const DRY_RUN: &str = "sed -i 's/ -v/ -v --dry-run/; s/ -a / -a --dry-run /; s/ --json/ --json --dry-run/' \
                       bin/backup.sh nightly";
/// Writes into the middle of the largest files, and lets them look as before.
const DAMAGED: &str = "find mnt -type f -size +3k -path '*data*' | while read -r file; do \
     touch -r \"$file\" stamp; echo damage | dd of=\"$file\" bs=1 seek=2000 conv=notrunc status=none; \
     touch -r stamp \"$file\"; done";

pub(crate) const TROUBLES: &[Trouble] = &[
    at_once("restic", "Both folders are empty", EMPTIED),
    at_once("restic", "One of the folders is gone", "rm -r srv/mail"),
    after_five("restic", "After five good nights", SHRUNK),
    at_once("restic", "A file may not be read", SECRET),
    at_once("restic", "`--dry-run` was left in", DRY_RUN),
    at_once(
        "restic",
        "The disk of the repository is not mounted",
        "/bin/umount mnt/nas",
    ),
    at_once(
        "restic",
        "The password file is gone",
        "rm etc/restic/password",
    ),
    at_once("restic", "cron does not find restic", "rm usr/restic"),
    at_once("restic", "A file of the repository is damaged", DAMAGED),
    at_once(
        "restic",
        "The newest snapshot is empty",
        EMPTIED_AND_BACKED_UP,
    ),
    at_once("borg", "Both folders are empty", EMPTIED),
    at_once("borg", "One of the folders is gone", "rm -r srv/mail"),
    after_five("borg", "After five good nights", SHRUNK),
    at_once("borg", "A file may not be read", SECRET),
    at_once(
        "borg",
        "The disk of the repository is not mounted",
        "/bin/umount mnt/nas",
    ),
    at_once("borg", "The passphrase is gone", "rm etc/borg/passphrase"),
    at_once("borg", "cron does not find borg", "rm usr/borg"),
    at_once("borg", "A file of the repository is damaged", DAMAGED),
    at_once("borg", "The newest archive is empty", EMPTIED_AND_BACKED_UP),
    after_one("rsync", "The folder is empty", "rm srv/data/*"),
    at_once("rsync", "The folder is gone", "mv srv/data srv/elsewhere"),
    after_five("rsync", "After five good nights", SHRUNK),
    at_once("rsync", "`--dry-run` was left in", DRY_RUN),
    at_once(
        "rsync",
        "The backup's disk is not mounted",
        "/bin/umount mnt/nas",
    ),
    at_once(
        "rsync",
        "The backup's disk is full",
        "head -c 100000000 /dev/zero > mnt/nas/other || true; head -c 100000 /dev/zero > srv/data/new",
    ),
    at_once("rsync", "A file may not be read", SECRET),
    after_one("rsync", "Most of the copy is damaged", DAMAGED),
    after_one("rclone", "The folder is empty", "rm srv/data/*"),
    at_once("rclone", "The folder is gone", "mv srv/data srv/elsewhere"),
    after_five("rclone", "After five good nights", SHRUNK),
    at_once("rclone", "`--dry-run` was left in, with", DRY_RUN),
    at_once(
        "rclone",
        "rclone does not find its configuration",
        "rm etc/rclone.conf",
    ),
    at_once("rclone", "A file may not be read", SECRET),
    at_once(
        "rclone",
        "The destination is full",
        "head -c 100000000 /dev/zero > mnt/remote/other || true; head -c 100000 /dev/zero > srv/data/new",
    ),
    after_one("rclone", "Files of the copy are damaged", DAMAGED),
    at_once(
        "pg_dump",
        "The server does not answer",
        "echo /nonexistent > pghost",
    ),
    at_once("pg_dump", "cron does not find pg_dump", "rm usr/pg_dump"),
    at_once(
        "pg_dump",
        "The disk is full",
        "rm -f srv/backup/*; head -c 100000000 /dev/zero > srv/backup/other || true",
    ),
    after_five(
        "pg_dump",
        "After five good nights",
        "echo 'TRUNCATE orders' | psql --quiet shop",
    ),
    at_once("pg_dump", "The database is not there", "dropdb shop"),
    at_once(
        "pg_dump",
        "The dump is cut off",
        "truncate -s -3000 srv/backup/shop.sql.gz",
    ),
    at_once(
        "pg_dump",
        "The table is empty in the dump",
        "echo 'TRUNCATE orders' | psql --quiet shop; sh nightly",
    ),
];
