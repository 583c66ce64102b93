//! Bringing the schema up to date, also where several nodes start at once.
//!
//! Each migration is one transaction together with the note that it was applied. Whoever applies one holds
//! the lock on the first row of `schema_version`; the others wait for it, and find it done. A migration only
//! ever adds: nodes of the version before go on working beside it until they are replaced.

use deadpool_postgres::Object;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Transaction};

use super::error::{Again, Failure, failed};
use super::session::pause;
use crate::{Result, StoreError};

/// The oldest PostgreSQL that is tested against; as the server counts it.
const SERVER_VERSION_MIN: i32 = 140_000;

/// How often a migration is tried that another node gets in the way of.
const ATTEMPTS_MAX: u32 = 20;

/// One step of the schema.
struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

/// All of them. One that was released is never edited: a later one corrects it.
const MIGRATIONS: [Migration; 12] = [
    Migration {
        version: 1,
        name: "first",
        sql: include_str!("../migrations/postgres/0001_first.sql"),
    },
    Migration {
        version: 2,
        name: "handed_over",
        sql: include_str!("../migrations/postgres/0002_handed_over.sql"),
    },
    Migration {
        version: 3,
        name: "work",
        sql: include_str!("../migrations/postgres/0003_work.sql"),
    },
    Migration {
        version: 4,
        name: "accounts",
        sql: include_str!("../migrations/postgres/0004_accounts.sql"),
    },
    Migration {
        version: 5,
        name: "second_step",
        sql: include_str!("../migrations/postgres/0005_second_step.sql"),
    },
    Migration {
        version: 6,
        name: "passkeys",
        sql: include_str!("../migrations/postgres/0006_passkeys.sql"),
    },
    Migration {
        version: 7,
        name: "external_identity",
        sql: include_str!("../migrations/postgres/0007_external_identity.sql"),
    },
    Migration {
        version: 8,
        name: "badges",
        sql: include_str!("../migrations/postgres/0008_badges.sql"),
    },
    Migration {
        version: 9,
        name: "confirmed_addresses",
        sql: include_str!("../migrations/postgres/0009_confirmed_addresses.sql"),
    },
    Migration {
        version: 10,
        name: "reports",
        sql: include_str!("../migrations/postgres/0010_reports.sql"),
    },
    Migration {
        version: 11,
        name: "status_page",
        sql: include_str!("../migrations/postgres/0011_status_page.sql"),
    },
    Migration {
        version: 12,
        name: "incident_note",
        sql: include_str!("../migrations/postgres/0012_incident_note.sql"),
    },
];

/// Who owns the table of versions. Its row 0 says so, and is what is locked.
const OWNER: &str = "nightbeat";

/// Applies what is missing. [`StoreError::Fatal`] where the database is no place for it: too old, another
/// program's, or of a newer version of this one.
pub(super) async fn migrate(client: &mut Object) -> Result<()> {
    fit(client).await?;
    apply(client, &MIGRATIONS).await
}

/// Refuses a server that cannot hold what we store.
async fn fit(client: &Object) -> Result<()> {
    let query = "SELECT CAST(current_setting('server_version_num') AS integer),
                        current_setting('server_encoding')";
    let row = client
        .query_one(query, &[])
        .await
        .map_err(|error| failed(&error))?;
    let version: i32 = row.try_get(0).map_err(|error| failed(&error))?;
    let encoding: String = row.try_get(1).map_err(|error| failed(&error))?;
    if version < SERVER_VERSION_MIN {
        let (has, wants) = (version / 10_000, SERVER_VERSION_MIN / 10_000);
        return Err(unusable(&format!(
            "it is PostgreSQL {has}, and {wants} is the oldest that may be used"
        )));
    }
    if encoding != "UTF8" {
        return Err(unusable(&format!(
            "its encoding is {encoding}; create it anew with ENCODING 'UTF8' TEMPLATE template0"
        )));
    }
    Ok(())
}

async fn apply(client: &mut Object, migrations: &[Migration]) -> Result<()> {
    for migration in migrations {
        let mut attempts = 1;
        while let Err(stopped) = step(client, migration, migrations).await {
            match stopped {
                Stopped::Met(_) if attempts < ATTEMPTS_MAX => attempts += 1,
                Stopped::Met(error) | Stopped::For(error) => return Err(error),
            }
            tokio::time::sleep(pause()).await;
        }
    }
    Ok(())
}

/// Why a step was not taken.
enum Stopped {
    /// Another node is at it: look again.
    Met(StoreError),
    /// It cannot be.
    For(StoreError),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        let failure = Failure::from(error);
        if failure.again == Again::Here {
            Self::Met(failure.error)
        } else {
            Self::For(failure.error)
        }
    }
}

/// Applies one migration, unless it is applied already.
async fn step(
    client: &mut Object,
    migration: &Migration,
    migrations: &[Migration],
) -> std::result::Result<(), Stopped> {
    // Dropped on an error, which rolls it back.
    let transaction = client.transaction().await?;
    // A table may be large; but what waits for a lock makes all others wait behind it.
    transaction
        .batch_execute(
            "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10s';
             SET LOCAL idle_in_transaction_session_timeout = '60s'",
        )
        .await?;
    let version = lock(&transaction).await?;
    refuse_newer(version, migrations).map_err(Stopped::For)?;
    if version >= migration.version {
        return Ok(());
    }
    let applied = transaction.batch_execute(migration.sql).await;
    applied.map_err(|error| taken(error, migration))?;
    transaction
        .execute(
            "INSERT INTO schema_version (version, name) VALUES ($1, $2)",
            &[&migration.version, &migration.name],
        )
        .await?;
    Ok(transaction.commit().await?)
}

/// Waits until no other node migrates; the newest migration that was applied, 0 for none.
async fn lock(transaction: &Transaction<'_>) -> std::result::Result<i64, Stopped> {
    let found = "SELECT to_regclass('schema_version') IS NOT NULL";
    if !transaction
        .query_one(found, &[])
        .await?
        .try_get::<_, bool>(0)?
    {
        // Two nodes may come to this at once: one of them is told that the table exists.
        let created = transaction
            .batch_execute(
                "CREATE TABLE schema_version (
                     version BIGINT PRIMARY KEY,
                     name    TEXT COLLATE \"C\" NOT NULL
                 );
                 INSERT INTO schema_version (version, name) VALUES (0, 'nightbeat')",
            )
            .await;
        created.map_err(|error| match error.code() {
            Some(code) if RACES.contains(code) => Stopped::Met(failed(&error)),
            _ => error.into(),
        })?;
    }
    let owner = "SELECT name FROM schema_version WHERE version = 0 FOR UPDATE";
    let owner = transaction.query_opt(owner, &[]).await.map_err(stranger)?;
    let owner: Option<String> = owner.map(|row| row.try_get(0)).transpose()?;
    if owner.as_deref() != Some(OWNER) {
        return Err(Stopped::For(unusable(OTHERS)));
    }
    let newest = "SELECT max(version) FROM schema_version";
    Ok(transaction.query_one(newest, &[]).await?.try_get(0)?)
}

/// What creating the same table twice at once leads to.
const RACES: [SqlState; 2] = [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_TABLE];

const OTHERS: &str = "it belongs to another program; create a database of its own for nightbeat";

/// A table of versions with other columns.
fn stranger(error: Error) -> Stopped {
    let others = [SqlState::UNDEFINED_COLUMN, SqlState::DATATYPE_MISMATCH];
    match error.code() {
        Some(code) if others.contains(code) => Stopped::For(unusable(OTHERS)),
        _ => error.into(),
    }
}

/// A table or index of the same name stands there already, and we did not make it.
fn taken(error: Error, migration: &Migration) -> Stopped {
    if error.code() == Some(&SqlState::DUPLICATE_TABLE) {
        let what = failed(&error);
        return Stopped::For(unusable(&format!(
            "migration {} meets what it did not make ({what}); {OTHERS}",
            migration.name
        )));
    }
    error.into()
}

fn refuse_newer(version: i64, migrations: &[Migration]) -> Result<()> {
    let known = migrations.last().map_or(0, |migration| migration.version);
    if version <= known {
        return Ok(());
    }
    Err(unusable(&format!(
        "its schema is version {version}, and this nightbeat knows versions up to {known}; \
         use the newer nightbeat that wrote it"
    )))
}

fn unusable(why: &str) -> StoreError {
    StoreError::Fatal(format!("this PostgreSQL database cannot be used: {why}"))
}
