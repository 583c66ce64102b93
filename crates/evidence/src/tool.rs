//! The programs whose output is known.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A program whose output can be read. Its name in JSON is [`Tool::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// `rsync`
    Rsync,
    /// `restic`
    Restic,
    /// `borg`, 1.x and 2.x
    Borg,
    /// `borgmatic`, which runs borg
    Borgmatic,
    /// `rclone`
    Rclone,
    /// `duplicity`
    Duplicity,
    /// `kopia`
    Kopia,
    /// `pg_dump`
    PgDump,
    /// `pg_dumpall`
    PgDumpall,
    /// `pg_basebackup`
    PgBasebackup,
    /// `mysqldump` and `mariadb-dump`
    Mysqldump,
    /// GNU `tar` and bsdtar
    Tar,
    /// `snapraid`
    Snapraid,
    /// `sqlite3`
    Sqlite3,
    /// `zfs send`
    ZfsSend,
}

impl Tool {
    /// All of them, in the order in which they are declared.
    pub const ALL: [Self; 15] = [
        Self::Rsync,
        Self::Restic,
        Self::Borg,
        Self::Borgmatic,
        Self::Rclone,
        Self::Duplicity,
        Self::Kopia,
        Self::PgDump,
        Self::PgDumpall,
        Self::PgBasebackup,
        Self::Mysqldump,
        Self::Tar,
        Self::Snapraid,
        Self::Sqlite3,
        Self::ZfsSend,
    ];

    /// Its name in JSON and in rules: `pg-dump`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsync => "rsync",
            Self::Restic => "restic",
            Self::Borg => "borg",
            Self::Borgmatic => "borgmatic",
            Self::Rclone => "rclone",
            Self::Duplicity => "duplicity",
            Self::Kopia => "kopia",
            Self::PgDump => "pg-dump",
            Self::PgDumpall => "pg-dumpall",
            Self::PgBasebackup => "pg-basebackup",
            Self::Mysqldump => "mysqldump",
            Self::Tar => "tar",
            Self::Snapraid => "snapraid",
            Self::Sqlite3 => "sqlite3",
            Self::ZfsSend => "zfs-send",
        }
    }

    /// The command as people type it: `pg_dump`, `zfs send`. Alerts say this.
    pub const fn command(self) -> &'static str {
        match self {
            Self::PgDump => "pg_dump",
            Self::PgDumpall => "pg_dumpall",
            Self::PgBasebackup => "pg_basebackup",
            Self::ZfsSend => "zfs send",
            _ => self.name(),
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.command())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_one_in_json() {
        for tool in Tool::ALL {
            let json = serde_json::to_string(&tool).unwrap();
            assert_eq!(json, format!("\"{}\"", tool.name()));
            assert_eq!(serde_json::from_str::<Tool>(&json).unwrap(), tool);
        }
    }
}
