//! A database with many heartbeats, written through the store's own verbs.

use std::path::Path;

use anyhow::Context as _;
use nightbeat_domain::{
    ChannelId, HeartbeatId, ProjectId, Schedule, Settings, Signal, SignalKind, State, UnixMicros,
    observe,
};
use nightbeat_store::control::{Routing, channels, heartbeats, projects};
use nightbeat_store::{Opener, Store};
use uuid::Uuid;

use crate::process::now;

/// How many heartbeats are written in one transaction.
const CHUNK: u32 = 20_000;

/// What to write.
pub(crate) struct Seed {
    /// How many heartbeats.
    pub(crate) heartbeats: u32,
    /// How often each is expected, in seconds.
    pub(crate) every_seconds: u64,
    /// Their grace, in seconds.
    pub(crate) grace_seconds: u64,
    /// When each had its last success.
    pub(crate) last_success_at: UnixMicros,
    /// A webhook that gets their alerts.
    pub(crate) webhook: Option<String>,
}

impl Seed {
    /// So many heartbeats that are fine for a day.
    pub(crate) fn fine(heartbeats: u32) -> Self {
        Self {
            heartbeats,
            every_seconds: 86_400,
            grace_seconds: 3_600,
            last_success_at: now(),
            webhook: None,
        }
    }
}

/// The id of the `number`-th heartbeat: spread over the key space, as random ids are.
pub(crate) fn heartbeat(number: u32) -> HeartbeatId {
    HeartbeatId(Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes()))
}

/// Writes the SQLite database at `path`.
pub(crate) async fn write(path: &Path, seed: &Seed) -> anyhow::Result<()> {
    let store = Store::open_sqlite(path, Opener::Tool)?.store;
    write_to(&store, seed).await
}

/// Writes a database that is empty.
pub(crate) async fn write_to(store: &Store, seed: &Seed) -> anyhow::Result<()> {
    let project = ProjectId(Uuid::from_u128(1));
    let mut settings = Settings::new(Schedule::every_seconds(seed.every_seconds)?);
    settings.grace = std::time::Duration::from_secs(seed.grace_seconds);
    let webhook = seed.webhook.clone();
    let created_at = seed.last_success_at;
    store
        .write(move |sql| {
            projects::create(
                sql,
                &projects::Project {
                    id: project,
                    name: "bench".to_owned(),
                    ping_key: "bench-ping-key-bench-x".to_owned(),
                    fallback_channel: None,
                    created_at,
                },
            )?;
            if let Some(url) = webhook.clone() {
                let channel = channels::Channel {
                    id: ChannelId(Uuid::from_u128(2)),
                    name: "receiver".to_owned(),
                    kind: "webhook".to_owned(),
                    fields: [("url".to_owned(), url)].into(),
                    created_at,
                    version: 1,
                };
                channels::insert(sql, project, &channel)?;
            }
            Ok(())
        })
        .await
        .context("cannot write the project")?;
    let mut from = 0;
    while from < seed.heartbeats {
        let to = (from + CHUNK).min(seed.heartbeats);
        let settings = settings.clone();
        store
            .write(move |sql| {
                for number in from..to {
                    insert(sql, project, &settings, number, created_at)?;
                }
                Ok(())
            })
            .await
            .context("cannot write heartbeats")?;
        from = to;
    }
    Ok(())
}

fn insert(
    sql: &mut dyn nightbeat_store::sql::Sql,
    project: ProjectId,
    settings: &Settings,
    number: u32,
    at: UnixMicros,
) -> nightbeat_store::Result<()> {
    let id = heartbeat(number);
    let mut state = State::new(settings, at);
    observe(
        id,
        settings,
        &mut state,
        &Signal::new(SignalKind::Success, at),
    );
    let details = heartbeats::Details {
        name: format!("job {number}"),
        slug: format!("job-{number}"),
        description: String::new(),
        tags: Vec::new(),
        channels: Routing::All,
    };
    let new = heartbeats::New {
        id,
        details: &details,
        settings,
        state: &state,
        created_at: at,
    };
    heartbeats::insert(sql, project, &new)
}
