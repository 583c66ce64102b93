//! Real PostgreSQL servers, for tests only: in a temporary folder, on a Unix socket, never as root.
//!
//! - [`database`]: a fresh database in a cluster that all tests of the run share; it costs milliseconds.
//!   Nothing in it is durable.
//! - [`Cluster::private`]: a server of the test's own, which it may stop, kill and fail over.
//!
//! All of it blocks, and may be called from any thread. It ends with the tests, also when they are killed.
//! A machine without PostgreSQL fails the test, with the name of the package.

mod cluster;
mod machine;
mod session;
mod shared;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub use cluster::{Cluster, Settings, Shutdown};
pub use session::Rows;

use shared::Shared;

/// The port in the name of the Unix socket of a cluster that has no other; each has a folder of its own.
const SOCKET_PORT: u16 = 5432;

/// A database of the cluster that the tests of a run share. It is dropped with this, whoever is connected.
#[derive(Debug)]
pub struct Database {
    name: String,
}

/// A fresh, empty database.
pub fn database() -> Database {
    copy_of("template0")
}

/// A copy of the database `template`, which `prepare` fills the first time that a test of this run asks for
/// it: it is given the URL of an empty one. For a schema that is the same in many tests.
pub fn prepared(template: &str, prepare: impl FnOnce(&str)) -> Database {
    let shared = Shared::get();
    let name = format!("prepared_{template}");
    let known = format!("SELECT true FROM pg_database WHERE datname = '{name}'");
    let alone = shared.alone();
    if run_shared(&known).is_empty() {
        // Under another name until it is whole: a test that was killed in the middle prepared nothing.
        let fresh = format!("preparing_{template}");
        run_shared(&format!("DROP DATABASE IF EXISTS {fresh} WITH (FORCE)"));
        run_shared(&format!("CREATE DATABASE {fresh} TEMPLATE template0"));
        prepare(&shared.url(&fresh));
        run_shared(&format!("ALTER DATABASE {fresh} RENAME TO {name}"));
    }
    drop(alone);
    copy_of(&name)
}

impl Database {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its URL, over the Unix socket, as the superuser `postgres`.
    pub fn url(&self) -> String {
        Shared::get().url(&self.name)
    }

    /// The server's Unix socket: what a [`Proxy`](crate::proxy::Proxy) may stand before.
    pub fn socket(&self) -> PathBuf {
        socket(&Shared::get().folder, SOCKET_PORT)
    }

    /// Runs statements on a connection of their own; their rows.
    #[track_caller]
    pub fn run(&self, statements: &str) -> Rows {
        run_or_panic(&self.url(), statements)
    }

    /// How many rows a table has.
    #[track_caller]
    pub fn count(&self, table: &str) -> u64 {
        count(&self.url(), table, "true")
    }

    /// How many rows of a table meet a condition.
    #[track_caller]
    pub fn count_where(&self, table: &str, condition: &str) -> u64 {
        count(&self.url(), table, condition)
    }
}

#[track_caller]
fn count(url: &str, table: &str, condition: &str) -> u64 {
    let rows = run_or_panic(
        url,
        &format!("SELECT count(*) FROM {table} WHERE {condition}"),
    );
    rows[0][0].as_deref().unwrap().parse().unwrap()
}

impl Drop for Database {
    fn drop(&mut self) {
        let url = Shared::get().url("postgres");
        let dropped = session::run(&url, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        if let Err(error) = dropped {
            eprintln!(
                "database {} stays until the end of the run: {error:?}",
                self.name
            );
        }
    }
}

fn copy_of(template: &str) -> Database {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("test_{}_{number}", std::process::id());
    // A process with our number may have been killed before it could drop its own.
    run_shared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
    run_shared(&format!("CREATE DATABASE {name} TEMPLATE {template}"));
    Database { name }
}

fn run_shared(statements: &str) -> Rows {
    run_or_panic(&Shared::get().url("postgres"), statements)
}

#[track_caller]
fn run_or_panic(url: &str, statements: &str) -> Rows {
    session::run(url, statements).unwrap_or_else(|error| panic!("{statements}: {error:?}"))
}

/// The URL of a database of the cluster in `folder`.
fn socket_url(folder: &Path, port: u16, database: &str) -> String {
    let host = escaped(&folder.join("socket"));
    format!("postgres://postgres@{host}:{port}/{database}")
}

fn socket(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!("socket/.s.PGSQL.{port}"))
}

/// A path where a URL has its host.
fn escaped(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    bytes
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(*byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
