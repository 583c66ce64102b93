//! The model's rows, in the form in which stores are compared.

use std::collections::BTreeMap;

use nightbeat_domain::AlertSnapshot;
use nightbeat_store::dump::{
    AttemptDump, DeliveryDump, Dump, HeartbeatDump, IncidentDump, ProjectDump, RunDump, SignalDump,
};

use super::Model;
use super::outbox::DeliveryRow;
use super::tables::{RunRow, SignalRow};

impl Model {
    /// Everything, as [`nightbeat_store::dump::dump`] tells it of a real store. Its text has one line a row.
    pub fn dump(&self) -> Dump {
        let mut gaps = self.gap_rows.clone();
        gaps.sort_by_key(|gap| (gap.from, gap.to, gap.kind));
        let mut windows: Vec<_> = self
            .windows
            .iter()
            .flat_map(|(project, windows)| {
                windows.values().map(|it| (it.id, *project, it.from, it.to))
            })
            .collect();
        windows.sort_unstable();
        let mut incidents = self.incidents();
        incidents.sort_by_key(|row| (row.heartbeat, row.number));
        Dump {
            alive_until: self.alive_until,
            gaps,
            projects: self
                .projects
                .values()
                .map(|row| ProjectDump {
                    id: row.id,
                    name: row.name.clone(),
                    ping_key: row.ping_key.clone(),
                    fallback_channel: row.fallback_channel,
                })
                .collect(),
            channels: self
                .channels
                .iter()
                .map(|(id, row)| {
                    let channel = &row.channel;
                    (
                        *id,
                        row.project,
                        channel.kind.clone(),
                        channel.fields.clone(),
                    )
                })
                .collect(),
            windows,
            heartbeats: self.heartbeat_rows(),
            removed: self
                .removed
                .iter()
                .map(|(id, (signal, run))| (*id, self.signals_from(*signal), self.runs_from(*run)))
                .collect(),
            incidents,
            deliveries: self.outbox.rows().map(|(_, row)| delivery(row)).collect(),
            nonces: self
                .nonces
                .iter()
                .flat_map(|(id, nonces)| nonces.iter().map(|(it, at)| (*id, it.clone(), *at)))
                .collect(),
        }
    }

    fn heartbeat_rows(&self) -> Vec<HeartbeatDump> {
        let rows = self.heartbeats.iter();
        rows.map(|(id, row)| HeartbeatDump {
            id: *id,
            project: row.project,
            name: row.name.clone(),
            slug: row.slug.clone(),
            tags: row.tags.clone(),
            channels: row.routing.clone(),
            created_at: row.created_at,
            settings: row.hot.settings.clone(),
            state: row.hot.state.clone(),
            signals: self.signals_from(row.hot.newest_signal),
            runs: self.runs_from(row.hot.newest_run),
        })
        .collect()
    }

    fn signals_from(&self, head: Option<i64>) -> Vec<SignalDump> {
        let get = |number| self.signals.get(number);
        let rows = std::iter::successors(head.and_then(get), |row| row.previous.and_then(get));
        rows.map(signal).collect()
    }

    fn runs_from(&self, head: Option<i64>) -> Vec<RunDump> {
        let get = |number| self.runs.get(number);
        let rows = std::iter::successors(head.and_then(get), |row: &&RunRow| {
            row.previous.and_then(get)
        });
        rows.map(|row| RunDump {
            rid: row.run.rid,
            started_at: row.run.started_at,
            ended_at: row.run.ended_at,
            outcome: row.run.outcome,
            exit_code: row.run.exit_code,
            work: row.run.work.as_deref().cloned(),
        })
        .collect()
    }

    fn incidents(&self) -> Vec<IncidentDump> {
        let rows = self.incidents.iter();
        rows.map(|(id, row)| IncidentDump {
            id: *id,
            project: row.project,
            heartbeat: row.heartbeat,
            heartbeat_name: row.heartbeat_name.clone(),
            number: row.number,
            cause: row.cause,
            claim: row.claim,
            opened_at: row.opened_at,
            closed_at: row.closed_at,
            closing: row.closing.map(str::to_owned),
            alert: row.alert.as_deref().cloned(),
        })
        .collect()
    }
}

fn signal(row: &SignalRow) -> SignalDump {
    let arrival = &row.arrival;
    let signal = &arrival.signal;
    let happened_at = signal.happened_at();
    let metrics: BTreeMap<String, f64> = signal
        .metrics
        .iter()
        .map(|metric| (metric.name.clone(), metric.value))
        .collect();
    SignalDump {
        kind: signal.kind,
        received_at: signal.received_at,
        happened_at: (happened_at != signal.received_at).then_some(happened_at),
        rid: signal.rid,
        exit_code: signal.exit_code,
        ignored: row.ignored,
        from: (
            arrival.method.to_owned(),
            arrival.source.clone(),
            arrival.user_agent.clone(),
        ),
        metrics,
        body: arrival.body.clone().map(|body| (body, arrival.body_bytes)),
    }
}

fn delivery(row: &DeliveryRow) -> DeliveryDump {
    DeliveryDump {
        id: row.new.id,
        project: row.new.project,
        channel: row.new.channel,
        heartbeat: row.new.heartbeat,
        incident: row.new.incident,
        event: row.new.event.to_owned(),
        digest: row.new.digest,
        snapshot: AlertSnapshot::clone(&row.new.snapshot),
        state: row.state,
        created_at: row.new.created_at,
        next_try_at: row.next_try_at,
        attempts: row.attempts,
        claim: row.claim,
        last_error: row.last_error.clone(),
        sent_at: row.sent_at,
        fallback: u32::from(row.fallback),
        ended: row
            .ended
            .iter()
            .map(|(number, attempt)| AttemptDump {
                number: *number,
                at: attempt.at,
                took: attempt.took,
                ok: attempt.ok,
                detail: attempt.detail.clone(),
            })
            .collect(),
    }
}
