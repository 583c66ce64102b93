//! Everything that leaves Nightbeat: texts, requests, mails, and what is refused. Real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cast;
mod catalogue;
mod guard;
mod http_receiver;
mod mail;
mod mail_reports;
mod own_kinds;
mod smtp_server;
mod stuck;
mod texts;
mod webhook;
