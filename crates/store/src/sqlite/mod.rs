//! SQLite.

pub(crate) mod portable;
