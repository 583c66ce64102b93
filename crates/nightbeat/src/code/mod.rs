//! A project as a file. What somebody wants (`wanted`, read from TOML by `file`) is held against what is there
//! (`present`): the difference is a `plan`, which is shown, and carried out. `write` makes the file of what is
//! there. Imports want something, too, and go the same way from there.

mod carry_out;
mod file;
mod plan;
mod present;
mod show;
mod source;
mod wanted;
mod write;

pub(crate) use carry_out::carry_out;
pub(crate) use file::{File, Unknown};
pub(crate) use plan::{Asked, Mark, Plan, Step, Verdict, heartbeat, plan};
pub(crate) use present::{Present, PresentHeartbeat};
pub(crate) use source::Problems;
pub(crate) use wanted::{Named, WantedHeartbeat, settable};
pub(crate) use write::{Secrets, write};
