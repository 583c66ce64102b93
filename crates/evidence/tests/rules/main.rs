//! Rules: the language, the built-in ones, and two hundred nights on which nothing is to be said.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

mod broken;
mod builtin;
mod cast;
mod history;
mod language;
mod nights;
mod samples;
