//! A disk under SQLite that fails, fills up, tears writes and loses power. For tests only.
//!
//! [`Disk::take`] makes a VFS the default of the process that hands everything on to SQLite's own "unix"
//! VFS, locks and shared memory too, and looks at each open, read, write, truncation, sync and deletion.
//! A [`Fault`] makes the n-th of them go wrong. Beside the real file each one has a model of what would
//! be left of it: the *platter*, which takes over what was written when it is synced, and not before.
//! [`Disk::power_loss`] puts that back. Nothing is really synced: no process outlives these tests.
//!
//! What the model knows of disks:
//! - After a sync that failed, the kernel holds the pages for clean: what was written stays readable and
//!   *no later sync will write it*, until somebody writes it again
//!   (<https://wiki.postgresql.org/wiki/Fsync_Errors>).
//! - Of what was not synced, any subset of 512-byte sectors may have reached the platter.
//! - A new file's name, or the end of a deleted one's, is on the platter when its folder was synced.
//!   SQLite does that with the first sync of a new journal or log.
//! - What others than SQLite write is taken for synced, as it stands when SQLite opens it or goes on with it.
//!
//! It must not know what Nightbeat stores.
//!
//! Why not a library: those that let Rust implement a VFS ask for a whole file system, with locks and the
//! log's shared memory, in the place of SQLite's own. What is tested here is that one.

mod disk;
mod fault;
mod model;
mod shim;

pub use disk::{Disk, Kept};
pub use fault::{Counted, Fault, Harm, Op, Times};
