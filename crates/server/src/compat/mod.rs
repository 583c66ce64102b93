//! What other products' clients speak, translated onto our own services. Nothing is decided or stored here
//! that `api` does not decide and store.

pub(crate) mod healthchecks;
pub(crate) mod prometheus;
pub(crate) mod sentry;
