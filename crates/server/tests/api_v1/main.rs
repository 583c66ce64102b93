//! `/api/v1` through its router, on a real SQLite file.

mod access;
mod bad_inputs;
mod channels;
mod deliveries;
mod document;
mod heartbeats;
mod history;
mod incidents;
mod paging;
mod small;
mod support;
mod told;
