//! What can go wrong with storing, sorted by what the caller can do about it.

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was stored; the same call may work later (busy, disk full, connection lost). Only where a
    /// disk says that a write failed which it carried out, and the process is killed before the next one,
    /// the next start may find it stored: all of it, as if the answer had been lost.
    #[error("cannot store now: {0}")]
    Unavailable(String),
    /// It may or may not have been committed. Ask again before relying on either.
    #[error("unknown whether it was stored: {0}")]
    Unknown(String),
    /// Another row has this name, slug or address.
    #[error("{0}")]
    Conflict(String),
    /// A stored row is not what this version wrote. Names table, column and row.
    #[error("broken row: {0}")]
    Broken(String),
    /// The database cannot be used any more by this process: corrupt, replaced, failed to sync.
    #[error("the database cannot be used: {0}")]
    Fatal(String),
    /// This node was taken for lost, or has not joined: nothing was stored, and it must join (again).
    #[error(transparent)]
    Fenced(#[from] nightbeat_domain::nodes::Fenced),
}

/// The store's result.
pub type Result<T> = std::result::Result<T, StoreError>;
