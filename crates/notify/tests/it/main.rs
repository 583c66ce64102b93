//! Everything that leaves Nightbeat: texts, requests, mails, and what is refused. Real sockets.

mod cast;
mod catalogue;
mod guard;
mod http_receiver;
mod mail;
mod own_kinds;
mod smtp_server;
mod stuck;
mod texts;
mod webhook;
