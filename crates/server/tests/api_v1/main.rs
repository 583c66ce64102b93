//! `/api/v1` through its router, on a real SQLite file.
#![expect(
    clippy::unwrap_used,
    reason = "in a helper of a test, too, a panic is a failure that says where"
)]

mod access;
mod bad_inputs;
mod broken;
mod brought;
mod channels;
mod deliveries;
mod document;
mod heartbeats;
mod history;
mod incidents;
mod paging;
mod preview;
mod small;
mod support;
mod told;
mod unavailable;
mod work;
