//! What an error of PostgreSQL means to a caller, and whether the same may be tried again.

use std::error::Error as _;
use std::fmt::Write as _;

use deadpool_postgres::PoolError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::StoreError;

/// Why a transaction did not happen.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the caller is told, where it is not tried again.
    pub(crate) error: StoreError,
    pub(crate) again: Again,
}

/// Whether a transaction that failed before its COMMIT may work when it is tried again at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// No.
    Never,
    /// Yes, on the same connection: it met another transaction.
    Here,
    /// Yes, but not on this connection: it is gone, or it is one that cannot write any more.
    Elsewhere,
}

impl Failure {
    /// The verb itself says no.
    pub(crate) fn never(error: StoreError) -> Self {
        let again = Again::Never;
        Self { error, again }
    }

    /// There was no answer in time; what became of it cannot be known on this connection.
    pub(crate) fn no_answer() -> Self {
        Self {
            error: StoreError::Unavailable("PostgreSQL did not answer in time".to_owned()),
            again: Again::Elsewhere,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let again = again(&error);
        Self {
            error: failed(&error),
            again,
        }
    }
}

fn again(error: &Error) -> Again {
    let Some(code) = error.code() else {
        return Again::Elsewhere;
    };
    if CONFLICTS.contains(code) {
        Again::Here
    } else if STALE.contains(code) || is_gone(code) {
        Again::Elsewhere
    } else {
        Again::Never
    }
}

/// Two transactions met. One of them is rolled back and only has to be run again.
const CONFLICTS: [SqlState; 2] = [
    SqlState::T_R_SERIALIZATION_FAILURE,
    SqlState::T_R_DEADLOCK_DETECTED,
];

/// What the connection remembers does not hold any more: a pooler gave it another server, a migration
/// changed a table, or the primary has become a standby.
const STALE: [SqlState; 4] = [
    SqlState::INVALID_SQL_STATEMENT_NAME,
    SqlState::DUPLICATE_PSTATEMENT,
    SqlState::FEATURE_NOT_SUPPORTED,
    SqlState::READ_ONLY_SQL_TRANSACTION,
];

/// Whether the session is at its end: connection exceptions, and the server's own farewell.
pub(crate) fn is_gone(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(code)
}

/// What an error means to a caller.
pub(crate) fn failed(error: &Error) -> StoreError {
    let text = text(error);
    let Some(code) = error.code() else {
        return StoreError::Unavailable(text);
    };
    let unavailable = [
        // Resources: a full disk, no more connections, no memory.
        "53", // The system: a read or write that failed.
        "58",
    ];
    let other = [SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE];
    if TAKEN.contains(code) {
        StoreError::Conflict(text)
    } else if again(error) != Again::Never
        || other.contains(code)
        || REFUSED.contains(code)
        || unavailable
            .iter()
            .any(|class| code.code().starts_with(class))
    {
        StoreError::Unavailable(text)
    } else {
        // A statement that does not fit the schema, or a value that does not fit its column.
        StoreError::Broken(text)
    }
}

/// A row with this key exists already, or the row that this one hangs on does not.
const TAKEN: [SqlState; 2] = [SqlState::UNIQUE_VIOLATION, SqlState::FOREIGN_KEY_VIOLATION];

/// The server does not let us in: an administrator has to change that.
const REFUSED: [SqlState; 4] = [
    SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
    SqlState::INVALID_PASSWORD,
    SqlState::INVALID_CATALOG_NAME,
    SqlState::INSUFFICIENT_PRIVILEGE,
];

/// The same, as a start is told: waiting does not help.
pub(super) fn at_start(error: &PoolError) -> StoreError {
    let refused = match error {
        PoolError::Backend(inner) => inner.code().is_some_and(|code| REFUSED.contains(code)),
        _ => false,
    };
    match no_connection(error) {
        StoreError::Unavailable(text) if refused => {
            StoreError::Fatal(format!("PostgreSQL refuses us: {text}"))
        }
        error => error,
    }
}

/// No connection could be had.
pub(crate) fn no_connection(error: &PoolError) -> StoreError {
    let why = match error {
        PoolError::Backend(inner) => text(inner),
        PoolError::Timeout(_) => "no connection in time".to_owned(),
        other => other.to_string(),
    };
    let hint = if why.contains("does not support TLS") {
        "; where the way to it is safe without, add sslmode=disable to the URL"
    } else {
        ""
    };
    StoreError::Unavailable(format!("cannot connect to PostgreSQL: {why}{hint}"))
}

/// What happened, without the values: a server's `DETAIL` repeats them, and they may be secret.
pub(super) fn text(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        let code = said.code().code();
        return format!("{} (PostgreSQL error {code})", said.message());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            // Writing to a text cannot fail.
            let _ = write!(text, ": {said}");
        }
        cause = inner.source();
    }
    text
}
