//! Signals in: from a URL, a method, headers and a body to an answer that says it is durable.

mod body;
pub mod client;
mod query;
mod text;
pub mod url;
