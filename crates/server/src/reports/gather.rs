//! What a report tells: read in many short reads, so that none holds the database up, and bounded in all.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use nightbeat_domain::{Cause, HeartbeatId, Status, UnixMicros};
use nightbeat_notify::{
    ChannelTrouble, IncidentsOf, MailReport, ProjectReport, RunCounts, Trouble,
};
use nightbeat_store::control::figures::{self, Incident, Period};
use nightbeat_store::control::heartbeats::{Filter, Heartbeat};
use nightbeat_store::control::overview::{self, Part, Sort};
use nightbeat_store::control::projects::{self, Project};
use nightbeat_store::control::reports::Rhythm;
use nightbeat_store::control::{PageRequest, channels};
use nightbeat_store::sql::Sql;
use nightbeat_store::{Result, Store};
use uuid::Uuid;

/// How many projects one report tells of.
const PROJECTS_MAX: usize = 50;
/// How many heartbeats that need a person are told of one project; the rest is counted.
const TROUBLES_MAX: u32 = 20;
/// How many channels of a project are looked at.
const CHANNELS_MAX: u32 = 100;
/// How many rows of runs are looked at for one report: some seconds' work.
const RUN_ROWS_MAX: u64 = 1_000_000;

/// Which report.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) rhythm: Rhythm,
    pub(super) period: Period,
    /// How things are is told as of this instant.
    pub(super) now: UnixMicros,
    /// Its person asked for it.
    pub(super) by_hand: bool,
}

/// For whom.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) account: Uuid,
    pub(super) zone: TimeZone,
    /// The public URL, without a slash at its end.
    pub(super) base_url: String,
    /// Where they end such reports.
    pub(super) unsubscribe: String,
}

/// The report of an account's projects.
pub(super) async fn report(store: &Store, reader: &Reader, wanted: Wanted) -> Result<MailReport> {
    let account = reader.account;
    let reading = store.read(move |sql| projects::of_account(sql, account));
    let found = reading.await?;
    let more = found.len().saturating_sub(PROJECTS_MAX);
    let mut told = Vec::with_capacity(found.len() - more);
    let mut rows_left = RUN_ROWS_MAX;
    for (project, _) in found.into_iter().take(PROJECTS_MAX) {
        told.push(one(store, project, wanted, &mut rows_left).await?);
    }
    Ok(MailReport {
        rhythm: match wanted.rhythm {
            Rhythm::Daily => "Daily",
            Rhythm::Weekly => "Weekly",
            Rhythm::Monthly => "Monthly",
        },
        by_hand: wanted.by_hand,
        from: wanted.period.from,
        to: wanted.period.to,
        now: wanted.now,
        zone: reader.zone.clone(),
        base_url: reader.base_url.clone(),
        unsubscribe: reader.unsubscribe.clone(),
        projects: told,
        more_projects: more as u64,
    })
}

async fn one(
    store: &Store,
    project: Project,
    wanted: Wanted,
    rows_left: &mut u64,
) -> Result<ProjectReport> {
    let (period, now) = (wanted.period, wanted.now);
    let looking = store.read(move |sql| look(sql, &project, period, now));
    let mut report = looking.await?;
    let total: u64 = report.statuses.values().sum();
    let (id, mut counted, mut after) = (report.id, 0, None);
    while *rows_left > 0 {
        let counting = store.read(move |sql| figures::runs(sql, id, period, after));
        let part = counting.await?;
        report.runs.ok += part.runs.ok;
        report.runs.warning += part.runs.warning;
        report.runs.failed += part.runs.failed;
        counted += part.heartbeats;
        *rows_left = rows_left.saturating_sub(part.rows + part.heartbeats);
        after = part.next;
        if after.is_none() {
            return Ok(report);
        }
    }
    report.uncounted = total.saturating_sub(counted);
    Ok(report)
}

/// All but the runs, in one read.
fn look(
    sql: &mut dyn Sql,
    project: &Project,
    period: Period,
    now: UnixMicros,
) -> Result<ProjectReport> {
    let any = Filter::default();
    let worst_first = Part {
        sort: Sort::Status,
        reversed: false,
        skip: 0,
        limit: TROUBLES_MAX,
    };
    let incidents = figures::incidents(sql, project.id, period)?;
    let (never, named) = figures::never_signalled(sql, project.id, period.to)?;
    let worst = overview::part(sql, project.id, &any, now, worst_first)?;
    Ok(ProjectReport {
        id: project.id,
        name: project.name.clone(),
        statuses: overview::counts(sql, project.id, &any, now)?,
        troubles: worst
            .iter()
            .filter_map(|heartbeat| trouble(heartbeat, now))
            .collect(),
        incidents: incidents.len() as u64,
        incidents_cut: incidents.len() >= figures::INCIDENTS_MAX as usize,
        missed: missed(&incidents, period),
        incidents_of: by_heartbeat(&incidents, now),
        runs: RunCounts::default(),
        uncounted: 0,
        never,
        never_names: named.into_iter().map(|named| named.name).collect(),
        channels: broken_channels(sql, project)?,
    })
}

/// What is told of a heartbeat that needs a person.
fn trouble(heartbeat: &Heartbeat, now: UnixMicros) -> Option<Trouble> {
    let status = heartbeat.status(now);
    let incident = heartbeat.state.incident.as_ref();
    let (since, cause) = match status {
        Status::Late => (heartbeat.state.expected_at, None),
        Status::Down | Status::Warning | Status::Unverified => {
            let unwatched = heartbeat.unreadable.is_unwatched();
            let cause = incident.map(|incident| incident.cause);
            (
                incident.map(|incident| incident.opened_at),
                cause.or_else(|| unwatched.then_some(Cause::Internal)),
            )
        }
        Status::New | Status::Up | Status::Paused => return None,
    };
    Some(Trouble {
        id: heartbeat.id,
        name: heartbeat.details.name.clone(),
        slug: heartbeat.details.slug.clone(),
        status,
        since,
        cause,
    })
}

/// How often something was missed that began in the period.
fn missed(incidents: &[Incident], period: Period) -> u64 {
    let missed = incidents.iter().filter(|incident| {
        incident.opened_at >= period.from
            && matches!(incident.cause, Cause::Missed | Cause::NeverStarted)
    });
    missed.count() as u64
}

fn by_heartbeat(incidents: &[Incident], now: UnixMicros) -> Vec<IncidentsOf> {
    let mut all: Vec<IncidentsOf> = Vec::new();
    let mut places: HashMap<HeartbeatId, usize> = HashMap::new();
    for incident in incidents {
        let place = *places.entry(incident.heartbeat).or_insert(all.len());
        if place == all.len() {
            all.push(IncidentsOf {
                id: incident.heartbeat,
                name: incident.name.clone(),
                slug: incident.slug.clone(),
                count: 0,
                total: std::time::Duration::ZERO,
                kinds: Vec::new(),
                open: false,
            });
        }
        let Some(of_one) = all.get_mut(place) else {
            continue;
        };
        of_one.count += 1;
        of_one.total += incident.closed_at.unwrap_or(now).since(incident.opened_at);
        of_one.open |= incident.closed_at.is_none();
        let kind = (incident.cause, incident.claim);
        if !of_one.kinds.contains(&kind) {
            of_one.kinds.push(kind);
        }
    }
    all
}

fn broken_channels(sql: &mut dyn Sql, project: &Project) -> Result<Vec<ChannelTrouble>> {
    let page = PageRequest::new(CHANNELS_MAX, None);
    let mut broken = Vec::new();
    for channel in channels::list(sql, project.id, &page)?.items {
        let health = channels::health(sql, project.id, channel.id)?;
        if health.failing > 0 || health.last_error.is_some() {
            broken.push(ChannelTrouble {
                id: channel.id,
                name: channel.name,
                failing: health.failing,
                last_error: health.last_error,
            });
        }
    }
    Ok(broken)
}
