//! The commands of a server and its administrators.

use clap::Subcommand;

use super::{
    apply, channel, config, create, db, delete, deliveries, edit, evidence, export, import,
    incidents, init, list, log, login, pause, resume, runs, schedule, serve, show,
};
use crate::exit::Failure;
use crate::session::Session;

/// What the small client cannot do.
#[derive(Debug, Subcommand)]
pub(crate) enum Full {
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
    Runs(runs::Runs),
    Evidence(evidence::ShowEvidence),
    Incidents(incidents::Incidents),
    #[command(subcommand)]
    Channel(channel::Channel),
    #[command(subcommand)]
    Deliveries(deliveries::Deliveries),
    #[command(subcommand)]
    Schedule(schedule::Schedule),
    Apply(apply::Apply),
    Export(export::Export),
    #[command(subcommand)]
    Import(import::Import),
    #[command(subcommand)]
    Db(db::Db),
    #[command(subcommand)]
    Config(config::Config),
}

impl Full {
    /// Runs a command. What it returns is its data, for stdout; all else it has said on stderr.
    pub(super) fn run(self) -> Result<String, Failure> {
        let session = &Session::of_process();
        match self {
            Self::Serve(serve) => serve.run(),
            Self::Init(init) => init.run(session),
            Self::Login(login) => login.run(session),
            Self::Create(create) => create.run(session),
            Self::List(list) => list.run(session),
            Self::Show(show) => show.run(session),
            Self::Edit(edit) => edit.run(session),
            Self::Pause(pause) => pause.run(),
            Self::Resume(resume) => resume.run(),
            Self::Delete(delete) => delete.run(session),
            Self::Log(log) => log.run(session),
            Self::Runs(runs) => runs.run(session),
            Self::Evidence(evidence) => evidence.run(session),
            Self::Incidents(incidents) => incidents.run(session),
            Self::Channel(channel) => channel.run(session),
            Self::Deliveries(deliveries) => deliveries.run(session),
            Self::Schedule(schedule) => schedule.run(session),
            Self::Apply(apply) => apply.run(session),
            Self::Export(export) => export.run(session),
            Self::Import(import) => import.run(session),
            Self::Db(db) => db.run(),
            Self::Config(config) => config.run(),
        }
    }
}
