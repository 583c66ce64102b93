//! Rules: the language, the built-in ones, and two hundred nights on which nothing is to be said.

mod broken;
mod builtin;
mod cast;
mod history;
mod language;
mod nights;
mod samples;
