//! Bringing a database's schema up to date.
//!
//! Migrations are numbered SQL files that only ever go forward. Each is applied in one transaction
//! together with the note that it was, so a crash leaves either the old schema or the new one.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use crate::sqlite::portable::failed;
use crate::{Result, StoreError};

/// What a file says of itself in its header ("NBEA"), so that `file` and we know whose it is.
const APPLICATION_ID: i32 = 0x4E42_4541;

/// One step of the schema.
struct Migration {
    /// Its number; they count up from 1 without a gap.
    version: u32,
    /// What it is called, for people who look into the database.
    name: &'static str,
    /// Its statements.
    sql: &'static str,
}

/// All of them. One that was released is never edited: a later one corrects it.
const MIGRATIONS: [Migration; 14] = [
    Migration {
        version: 1,
        name: "first",
        sql: include_str!("migrations/0001_first.sql"),
    },
    Migration {
        version: 2,
        name: "zone_rules",
        sql: include_str!("migrations/0002_zone_rules.sql"),
    },
    Migration {
        version: 3,
        name: "broken_heartbeats",
        sql: include_str!("migrations/0003_broken_heartbeats.sql"),
    },
    Migration {
        version: 4,
        name: "gap_revision",
        sql: include_str!("migrations/0004_gap_revision.sql"),
    },
    Migration {
        version: 5,
        name: "work",
        sql: include_str!("migrations/0005_work.sql"),
    },
    Migration {
        version: 6,
        name: "accounts",
        sql: include_str!("migrations/0006_accounts.sql"),
    },
    Migration {
        version: 7,
        name: "second_step",
        sql: include_str!("migrations/0007_second_step.sql"),
    },
    Migration {
        version: 8,
        name: "passkeys",
        sql: include_str!("migrations/0008_passkeys.sql"),
    },
    Migration {
        version: 9,
        name: "external_identity",
        sql: include_str!("migrations/0009_external_identity.sql"),
    },
    Migration {
        version: 10,
        name: "badges",
        sql: include_str!("migrations/0010_badges.sql"),
    },
    Migration {
        version: 11,
        name: "confirmed_addresses",
        sql: include_str!("migrations/0011_confirmed_addresses.sql"),
    },
    Migration {
        version: 12,
        name: "reports",
        sql: include_str!("migrations/0012_reports.sql"),
    },
    Migration {
        version: 13,
        name: "status_page",
        sql: include_str!("migrations/0013_status_page.sql"),
    },
    Migration {
        version: 14,
        name: "incident_note",
        sql: include_str!("migrations/0014_incident_note.sql"),
    },
];

/// Applies what is missing. [`StoreError::Fatal`] when the file belongs to another program, or to a newer
/// version of this one.
pub(crate) fn migrate(connection: &mut Connection) -> Result<()> {
    apply(connection, &MIGRATIONS)
}

/// The version of a file that is ours and up to date; it is not changed. [`StoreError::Fatal`] for any
/// other file.
pub(crate) fn recognise(connection: &Connection) -> Result<u32> {
    let application: i32 = connection
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .map_err(failed)?;
    if application != APPLICATION_ID {
        return Err(unusable("it is not a database of nightbeat"));
    }
    let version = applied(connection)?;
    refuse_newer(version, &MIGRATIONS)?;
    if version as usize != MIGRATIONS.len() {
        return Err(unusable(&format!(
            "its schema is version {version}, and this nightbeat wants {}; \
             start the server with it once, which brings it up to date",
            MIGRATIONS.len()
        )));
    }
    Ok(version)
}

fn applied(connection: &Connection) -> Result<u32> {
    connection
        .query_row("SELECT max(version) FROM schema_version", [], |row| {
            row.get::<_, Option<u32>>(0)
        })
        .map_err(failed)?
        .ok_or_else(|| unusable("its table schema_version is empty; restore a backup"))
}

fn apply(connection: &mut Connection, migrations: &[Migration]) -> Result<()> {
    for migration in migrations {
        // Begun for writing: two processes that open a new file take turns, and the second one sees what
        // the first has done.
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let version = version(&transaction)?;
        refuse_newer(version, migrations)?;
        if version >= migration.version {
            continue;
        }
        transaction.execute_batch(migration.sql).map_err(failed)?;
        transaction
            .execute(
                "INSERT INTO schema_version (version, name) VALUES (?1, ?2)",
                (migration.version, migration.name),
            )
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}

/// The newest migration that was applied. An empty file becomes ours; another program's is refused.
fn version(transaction: &Transaction<'_>) -> Result<u32> {
    let application: i32 = transaction
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .map_err(failed)?;
    match application {
        APPLICATION_ID => applied(transaction),
        0 if is_empty(transaction)? => {
            transaction
                .execute_batch(&format!(
                    "PRAGMA application_id = {APPLICATION_ID};
                     CREATE TABLE schema_version (
                         version INTEGER PRIMARY KEY,
                         name    TEXT NOT NULL
                     ) STRICT;"
                ))
                .map_err(failed)?;
            Ok(0)
        }
        _ => Err(unusable(
            "it belongs to another program; name another file, and nightbeat creates it",
        )),
    }
}

fn is_empty(transaction: &Transaction<'_>) -> Result<bool> {
    let object = transaction
        .query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(()))
        .optional()
        .map_err(failed)?;
    Ok(object.is_none())
}

fn refuse_newer(version: u32, migrations: &[Migration]) -> Result<()> {
    let known = migrations.last().map_or(0, |migration| migration.version);
    if version <= known {
        return Ok(());
    }
    Err(unusable(&format!(
        "its schema is version {version}, and this nightbeat knows versions up to {known}; \
         use the newer nightbeat that wrote it, or restore a backup from before"
    )))
}

fn unusable(why: &str) -> StoreError {
    StoreError::Fatal(format!("this database cannot be opened: {why}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The newest version that there is.
    const NEWEST: u32 = MIGRATIONS.len() as u32;

    /// All migrations, and one more.
    fn with_next(sql: &'static str) -> Vec<Migration> {
        let next = Migration {
            version: NEWEST + 1,
            name: "next",
            sql,
        };
        MIGRATIONS.into_iter().chain([next]).collect()
    }

    const NEXT: &str = "CREATE TABLE next (a INTEGER) STRICT;";

    fn open(path: &Path) -> Connection {
        Connection::open(path).unwrap()
    }

    fn dump(connection: &Connection) -> Vec<String> {
        let mut statement = connection
            .prepare("SELECT name || coalesce(sql, '') FROM sqlite_schema ORDER BY name")
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(|row| row.unwrap()).collect()
    }

    fn versions(connection: &Connection) -> Vec<(u32, String)> {
        let mut statement = connection
            .prepare("SELECT version, name FROM schema_version ORDER BY version")
            .unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(|row| row.unwrap()).collect()
    }

    #[test]
    fn migrations_count_up_from_one() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.version as usize, index + 1, "{}", migration.name);
        }
    }

    #[test]
    fn an_empty_file_gets_the_schema_and_a_second_time_nothing_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("beats.db");
        migrate(&mut open(&path)).unwrap();
        let mut again = open(&path);
        let before = dump(&again);
        migrate(&mut again).unwrap();
        assert_eq!(dump(&again), before);
        let all = MIGRATIONS.map(|migration| (migration.version, migration.name.to_owned()));
        assert_eq!(versions(&again), all);
        // The header says "NBEA" at byte 68 (https://sqlite.org/fileformat2.html#application_id).
        assert_eq!(std::fs::read(&path).unwrap()[68..72], *b"NBEA");
    }

    #[test]
    fn a_later_migration_is_applied_to_a_file_that_exists() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("beats.db");
        migrate(&mut open(&path)).unwrap();
        let mut connection = open(&path);
        apply(&mut connection, &with_next(NEXT)).unwrap();
        let applied: Vec<_> = versions(&connection).into_iter().map(|it| it.0).collect();
        assert_eq!(applied, (1..=NEWEST + 1).collect::<Vec<_>>());
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_behind() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let before = dump(&connection);
        let half = with_next("CREATE TABLE next (a INTEGER) STRICT; CREATE TABLE project (a);");
        let error = apply(&mut connection, &half).unwrap_err();
        assert!(matches!(error, StoreError::Broken(_)), "{error}");
        assert_eq!(dump(&connection), before);
        assert_eq!(versions(&connection).len(), MIGRATIONS.len());
    }

    #[test]
    fn an_older_binary_refuses_a_newer_schema() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection, &with_next(NEXT)).unwrap();
        let error = migrate(&mut connection).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StoreError::Fatal(_)), "{text}");
        let both = format!(
            "its schema is version {}, and this nightbeat knows versions up to {NEWEST}",
            NEWEST + 1
        );
        assert!(text.contains(&both), "{text}");
    }

    #[test]
    fn another_programs_file_is_refused_and_left_alone() {
        for sql in [
            "CREATE TABLE recipes (name TEXT)",
            "PRAGMA application_id = 252006674",
            "PRAGMA application_id = 252006674; CREATE TABLE schema_version (version INTEGER)",
        ] {
            let mut connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(sql).unwrap();
            let before = dump(&connection);
            let error = migrate(&mut connection).unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, StoreError::Fatal(_)), "{text}");
            assert!(text.contains("another program"), "{text}");
            assert_eq!(dump(&connection), before);
        }
    }

    #[test]
    fn what_is_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "milk, eggs, butter\n".repeat(200)).unwrap();
        let error = migrate(&mut open(&path)).unwrap_err();
        assert!(matches!(error, StoreError::Fatal(_)), "{error}");
    }

    #[test]
    fn two_processes_may_open_a_new_file_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("beats.db");
        std::thread::scope(|scope| {
            let openers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| migrate(&mut open(&path))))
                .collect();
            for opener in openers {
                opener.join().unwrap().unwrap();
            }
        });
        assert_eq!(versions(&open(&path)).len(), MIGRATIONS.len());
    }
}
