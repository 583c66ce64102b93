//! The hot verbs: record a batch of signals, judge what has become due. One transaction each, unless a row
//! in it is broken.

use std::time::Duration;

use nightbeat_domain::{Gap, GapKind, HeartbeatId, UnixMicros};

use super::engine::{Opening, Writes};
use super::transaction::Hot;
use super::unreadable::{Whom, tell_broken};
use super::{Done, Elapse, Record};
use crate::{Arrival, Recorded, Result, StoreError, Target};

/// Records a batch of signals. Where one of them cannot be (a row of its heartbeat is broken), the others
/// are: in smaller transactions.
pub(crate) fn record(writer: &mut impl Writes, batch: &Record) -> Result<Done> {
    let result = record_all(writer, batch, &batch.arrivals);
    let memory = writer.memory();
    if result.is_err() {
        // What follows in the queue was given to us before anyone knew of this: it must not decide
        // anything without the gap.
        memory.refused = join(memory.refused, refused(batch));
    }
    memory.watermark = memory.watermark.max(batch.watermark);
    result
}

/// The gap that is left when a batch is refused.
fn refused(batch: &Record) -> Option<Gap> {
    let received = batch.arrivals.iter().map(|it| it.signal.received_at);
    Some(Gap {
        from: received.clone().min()?,
        to: received.max()?.max(batch.now) + Duration::from_micros(1),
        kind: GapKind::Storage,
    })
}

/// Nothing was stored between two such gaps.
fn join(known: Option<Gap>, new: Option<Gap>) -> Option<Gap> {
    let (Some(known), Some(new)) = (known, new) else {
        return known.or(new);
    };
    Some(Gap {
        from: known.from.min(new.from),
        to: known.to.max(new.to),
        kind: GapKind::Storage,
    })
}

fn record_all(writer: &mut impl Writes, batch: &Record, arrivals: &[Arrival]) -> Result<Done> {
    let heartbeats: Vec<HeartbeatId> = arrivals
        .iter()
        .filter_map(|arrival| match arrival.target {
            Target::Id(id) => Some(id),
            Target::Slug { .. } => None,
        })
        .collect();
    let slugs: Vec<(&str, &str)> = arrivals
        .iter()
        .filter_map(|arrival| match &arrival.target {
            Target::Id(_) => None,
            Target::Slug { ping_key, slug, .. } => Some((ping_key.as_str(), slug.as_str())),
        })
        .collect();
    let opening = Opening {
        heartbeats: &heartbeats,
        slugs: &slugs,
        leaves_held: false,
        gaps: &batch.gaps,
        watermark: writer.memory().watermark.max(batch.watermark),
        now: batch.now,
    };
    let result = transaction(writer, opening, |hot| {
        for arrival in arrivals {
            hot.take_in(arrival)?;
        }
        Ok(())
    });
    match result {
        Err(StoreError::Broken(_) | StoreError::Conflict(_)) if arrivals.len() > 1 => {
            let (first, second) = arrivals.split_at(arrivals.len() / 2);
            let done = record_all(writer, batch, first)?;
            Ok(done.and(record_all(writer, batch, second)?))
        }
        Err(StoreError::Broken(error) | StoreError::Conflict(error)) if arrivals.len() == 1 => {
            tracing::debug!(%error, "a signal cannot be recorded: its heartbeat is broken");
            let received_at = arrivals[0].signal.received_at;
            let whom = Whom::Target(&arrivals[0].target);
            Ok(Done {
                recorded: vec![Recorded::Broken],
                deliveries: tell_broken(writer, &whom, &error, received_at, batch.now),
                ..Done::default()
            })
        }
        result => result,
    }
}

/// Judges heartbeats whose deadline may have passed. One that cannot be (one of its rows is broken) keeps
/// no other from being judged; it stays overdue, and that is told.
pub(crate) fn judge(writer: &mut impl Writes, request: &Elapse) -> Result<Done> {
    let memory = writer.memory();
    memory.watermark = memory.watermark.max(request.asof);
    let is_broken = |id: &HeartbeatId| {
        let marker = memory.broken.get(id);
        marker.is_some_and(|marker| marker.mended_at.is_none())
    };
    // Those that are known to be broken would only tear the others' transaction apart again.
    let (broken, sound): (Vec<_>, Vec<_>) = request.heartbeats.iter().partition(|id| is_broken(id));
    let mut done = judge_all(writer, request, &sound)?;
    for heartbeat in broken {
        done = done.and(judge_all(writer, request, &[heartbeat])?);
    }
    Ok(done)
}

fn judge_all(
    writer: &mut impl Writes,
    request: &Elapse,
    heartbeats: &[HeartbeatId],
) -> Result<Done> {
    let opening = Opening {
        heartbeats,
        slugs: &[],
        leaves_held: true,
        gaps: &request.gaps,
        watermark: request.asof,
        now: request.now,
    };
    let result = transaction(writer, opening, |hot| {
        for heartbeat in heartbeats {
            hot.judge(*heartbeat)?;
        }
        Ok(())
    });
    match (result, heartbeats) {
        (Err(StoreError::Broken(_) | StoreError::Conflict(_)), [_, _, ..]) => {
            let (first, second) = heartbeats.split_at(heartbeats.len() / 2);
            let done = judge_all(writer, request, first)?;
            Ok(done.and(judge_all(writer, request, second)?))
        }
        (Err(StoreError::Broken(error) | StoreError::Conflict(error)), [heartbeat]) => {
            tracing::debug!(%error, "a heartbeat cannot be judged: it is broken");
            let whom = Whom::Heartbeat(*heartbeat);
            Ok(Done {
                deliveries: tell_broken(writer, &whom, &error, request.now, request.now),
                ..Done::default()
            })
        }
        (result, _) => result,
    }
}

/// One transaction on the hot path, after the gaps.
fn transaction(
    writer: &mut impl Writes,
    opening: Opening<'_>,
    work: impl Fn(&mut Hot<'_, '_>) -> Result<()>,
) -> Result<Done> {
    let refused = writer.memory().refused;
    let gaps: Vec<Gap> = refused.iter().chain(opening.gaps).copied().collect();
    let opening = Opening {
        gaps: &gaps,
        ..opening
    };
    let (done, markers) = writer.transaction(&opening, |rows, shared| {
        let mut hot = Hot::begin(rows, shared, &opening);
        work(&mut hot)?;
        hot.finish()
    })?;
    let memory = writer.memory();
    memory.refused = None;
    for (heartbeat, marker) in markers {
        match marker {
            Some(marker) => memory.broken.insert(heartbeat, marker),
            None => memory.broken.remove(&heartbeat),
        };
    }
    Ok(done)
}

impl Opening<'_> {
    /// Of a transaction that is about nobody in particular.
    pub(crate) fn of_nobody(now: UnixMicros) -> Self {
        Self {
            heartbeats: &[],
            slugs: &[],
            leaves_held: false,
            gaps: &[],
            watermark: UnixMicros::MIN,
            now,
        }
    }
}
