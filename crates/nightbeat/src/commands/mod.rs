//! The commands: one file each, and one table of them.

mod channel;
mod config;
mod configured;
mod create;
mod db;
mod db_copy;
mod delete;
mod deliveries;
mod edit;
mod incidents;
mod init;
mod list;
mod log;
mod login;
mod pause;
mod ping;
mod resume;
mod schedule;
mod serve;
mod settings;
mod show;
mod target;
mod values;

use clap::Subcommand;

use crate::exit::Failure;
use crate::session::Session;

/// What `nightbeat` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(serve::Serve),
    Init(init::Init),
    Login(login::Login),
    Create(create::Create),
    List(list::List),
    Show(show::Show),
    Edit(edit::Edit),
    Pause(pause::Pause),
    Resume(resume::Resume),
    Delete(delete::Delete),
    Log(log::Log),
    Incidents(incidents::Incidents),
    #[command(subcommand)]
    Channel(channel::Channel),
    #[command(subcommand)]
    Deliveries(deliveries::Deliveries),
    Ping(ping::Ping),
    #[command(subcommand)]
    Schedule(schedule::Schedule),
    #[command(subcommand)]
    Db(db::Db),
    #[command(subcommand)]
    Config(config::Config),
}

/// Runs a command. What it returns is its data, for stdout; all else it has said on stderr.
pub(crate) fn run(command: Command, session: &Session) -> Result<String, Failure> {
    match command {
        Command::Serve(serve) => serve.run(),
        Command::Init(init) => init.run(session),
        Command::Login(login) => login.run(session),
        Command::Create(create) => create.run(session),
        Command::List(list) => list.run(session),
        Command::Show(show) => show.run(session),
        Command::Edit(edit) => edit.run(session),
        Command::Pause(pause) => pause.run(),
        Command::Resume(resume) => resume.run(),
        Command::Delete(delete) => delete.run(session),
        Command::Log(log) => log.run(session),
        Command::Incidents(incidents) => incidents.run(session),
        Command::Channel(channel) => channel.run(session),
        Command::Deliveries(deliveries) => deliveries.run(session),
        Command::Ping(ping) => ping.run(),
        Command::Schedule(schedule) => schedule.run(session),
        Command::Db(db) => db.run(),
        Command::Config(config) => config.run(),
    }
}

/// A value of our own as one line of JSON.
fn json_line(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map(|json| json + "\n")
        .map_err(|error| Failure::failed(format!("cannot write JSON: {error}")))
}
