//! The hot path: record a batch of signals, judge what has become due. One transaction each.

use std::collections::HashMap;
use std::time::Duration;

use nightbeat_domain::{
    Effects, Gap, GapKind, HeartbeatId, IgnoredBecause, Maintenance, Surroundings, UnixMicros,
    elapse, observe,
};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::broken::{Whom, tell_broken};
use super::portable::{Portable, failed};
use super::rows::{Loaded, insert_run, insert_signal, optional_uuid_at, read, uuid_at, write};
use super::writer::{Shared, Writer};
use crate::broken::{self, Marker};
use crate::codec::{self, short};
use crate::effects;
use crate::hot::{Done, Elapse, Record};
use crate::{Arrival, NewHeartbeat, Recorded, Result, StoreError, Target, Watched};

/// What becomes of the writer's markers of broken heartbeats once a transaction is committed; `None`: they go.
type Markers = Vec<(HeartbeatId, Option<Marker>)>;

/// One transaction on the hot path.
struct Hot<'t, 'w> {
    connection: &'t Connection,
    shared: &'t mut Shared<'w>,
    /// `None`: there is no such heartbeat.
    loaded: HashMap<HeartbeatId, Option<Loaded>>,
    /// Every signal received up to this instant has been recorded or refused.
    watermark: UnixMicros,
    now: UnixMicros,
    markers: Markers,
    done: Done,
}

/// Records a batch of signals. Where one of them cannot be (a row of its heartbeat is broken), the others
/// are: in smaller transactions.
pub(super) fn record(writer: &mut Writer, batch: &Record) -> Result<Done> {
    let result = record_all(writer, batch, &batch.arrivals);
    if result.is_err() {
        // What follows in the queue was given to us before anyone knew of this: it must not decide
        // anything without the gap.
        writer.refused = join(writer.refused, refused(batch));
    }
    writer.watermark = writer.watermark.max(batch.watermark);
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

fn record_all(writer: &mut Writer, batch: &Record, arrivals: &[Arrival]) -> Result<Done> {
    let watermark = writer.watermark.max(batch.watermark);
    let result = transaction(writer, &batch.gaps, batch.now, watermark, |hot| {
        for arrival in arrivals {
            let recorded = hot.take_in(arrival)?;
            hot.done.recorded.push(recorded);
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
pub(super) fn judge(writer: &mut Writer, request: &Elapse) -> Result<Done> {
    writer.watermark = writer.watermark.max(request.asof);
    let is_broken = |id: &HeartbeatId| {
        let marker = writer.broken.get(id);
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

fn judge_all(writer: &mut Writer, request: &Elapse, heartbeats: &[HeartbeatId]) -> Result<Done> {
    let result = transaction(writer, &request.gaps, request.now, request.asof, |hot| {
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
    writer: &mut Writer,
    gaps: &[Gap],
    now: UnixMicros,
    watermark: UnixMicros,
    work: impl FnOnce(&mut Hot<'_, '_>) -> Result<()>,
) -> Result<Done> {
    let refused = writer.refused;
    let gaps: Vec<Gap> = refused.iter().chain(gaps).copied().collect();
    let result = writer.transaction(|connection, shared| {
        let mut hot = Hot::begin(connection, shared, &gaps, now, watermark)?;
        work(&mut hot)?;
        hot.finish()
    });
    let (done, markers) = result?;
    writer.is_durable(now);
    writer.refused = None;
    for (heartbeat, marker) in markers {
        match marker {
            Some(marker) => writer.broken.insert(heartbeat, marker),
            None => writer.broken.remove(&heartbeat),
        };
    }
    Ok(done)
}

impl<'t, 'w> Hot<'t, 'w> {
    /// Gaps come first: no decision may be taken without them.
    fn begin(
        connection: &'t Connection,
        shared: &'t mut Shared<'w>,
        gaps: &[Gap],
        now: UnixMicros,
        watermark: UnixMicros,
    ) -> Result<Self> {
        let mut sql = Portable::new(connection);
        for gap in gaps {
            effects::insert_gap(&mut sql, *gap)?;
            shared.gaps_mut().add(*gap);
        }
        effects::alive(&mut sql, now)?;
        Ok(Self {
            connection,
            shared,
            loaded: HashMap::new(),
            watermark,
            now: now.max(watermark),
            markers: Vec::new(),
            done: Done::default(),
        })
    }

    fn take_in(&mut self, arrival: &Arrival) -> Result<Recorded> {
        let (heartbeat, created) = match &arrival.target {
            Target::Id(id) => (*id, false),
            Target::Slug {
                ping_key,
                slug,
                create,
            } => match self.resolve(ping_key, slug, create.as_deref(), arrival)? {
                Resolved::One(id) => (id, false),
                Resolved::Created(id) => (id, true),
                Resolved::None => return Ok(Recorded::Unknown),
                Resolved::Several => return Ok(Recorded::Ambiguous),
            },
        };
        let Some(loaded) = self.load(heartbeat)? else {
            return Ok(Recorded::Unknown);
        };
        if created {
            // Nobody watches it yet.
            loaded.wake_before = None;
        }
        if let Some(nonce) = &arrival.nonce
            && !self.first_time(heartbeat, nonce, arrival)?
        {
            return Ok(Recorded::Duplicate);
        }
        // A deadline that passed, but whose turn to be judged has not come yet, is told first: this signal
        // would make it unseen.
        let just_before = arrival.signal.received_at - Duration::from_micros(1);
        self.elapse(heartbeat, just_before.min(self.watermark))?;
        let ignored = self.observe(heartbeat, arrival)?;
        Ok(match ignored {
            Some(reason) => Recorded::Ignored(reason),
            None if created => Recorded::Created,
            None => Recorded::Counted,
        })
    }

    fn observe(
        &mut self,
        heartbeat: HeartbeatId,
        arrival: &Arrival,
    ) -> Result<Option<IgnoredBecause>> {
        let signal_row = *self.shared.next_signal;
        *self.shared.next_signal += 1;
        let connection = self.connection;
        let Some(loaded) = self.loaded.get_mut(&heartbeat).and_then(Option::as_mut) else {
            return Ok(None);
        };
        let filtered = loaded.settings.post_only
            && arrival.method != "POST"
            && arrival.signal.ignored.is_none();
        let observed = if filtered {
            let mut signal = arrival.signal.clone();
            signal.ignored = Some(IgnoredBecause::Method);
            observe(heartbeat, &loaded.settings, &mut loaded.state, &signal)
        } else {
            observe(
                heartbeat,
                &loaded.settings,
                &mut loaded.state,
                &arrival.signal,
            )
        };
        insert_signal(
            connection,
            signal_row,
            heartbeat,
            arrival,
            observed.ignored,
            loaded.newest_signal,
        )?;
        loaded.newest_signal = Some(signal_row);
        loaded.changed = true;
        self.carry_out(heartbeat, &observed.effects)?;
        Ok(observed.ignored)
    }

    /// Judges a heartbeat, and says when to look at it again.
    fn judge(&mut self, heartbeat: HeartbeatId) -> Result<()> {
        self.elapse(heartbeat, self.watermark)?;
        if let Some(loaded) = self.load(heartbeat)? {
            let wake_at = loaded.state.wake_at;
            self.done.watched.push(Watched { heartbeat, wake_at });
        }
        Ok(())
    }

    /// Decides what has become due by `asof`, if anything: a signal may have moved it on since.
    fn elapse(&mut self, heartbeat: HeartbeatId, asof: UnixMicros) -> Result<()> {
        let due = |loaded: &Loaded| loaded.state.wake_at.is_some_and(|at| at <= asof);
        if !self.load(heartbeat)?.as_deref().is_some_and(due) {
            return Ok(());
        }
        let maintenance = self.maintenance(heartbeat)?;
        let Some(loaded) = self.loaded.get_mut(&heartbeat).and_then(Option::as_mut) else {
            return Ok(());
        };
        // What was refused because it could not be read is a gap of this heartbeat alone.
        let own = self.shared.broken.get(&heartbeat).map(|marker| {
            let mut ledger = self.shared.gaps().clone();
            ledger.add(marker.gap(self.now));
            ledger
        });
        let around = Surroundings {
            gaps: own.as_ref().unwrap_or(self.shared.gaps()),
            maintenance: &maintenance,
        };
        let effects = elapse(heartbeat, &loaded.settings, &mut loaded.state, around, asof);
        loaded.changed = true;
        self.carry_out(heartbeat, &effects)
    }

    /// Stores what a decision caused besides the state itself.
    fn carry_out(&mut self, heartbeat: HeartbeatId, effects: &Effects) -> Result<()> {
        let Some(loaded) = self.loaded.get_mut(&heartbeat).and_then(Option::as_mut) else {
            return Ok(());
        };
        if let Some(run) = &effects.run {
            let row = *self.shared.next_run;
            *self.shared.next_run += 1;
            insert_run(self.connection, row, heartbeat, run, loaded.newest_run)?;
            loaded.newest_run = Some(row);
        }
        self.done.false_raises += effects.false_raises;
        let mut sql = Portable::new(self.connection);
        let about = effects::About {
            heartbeat,
            settings: &loaded.settings,
            newest_signal: loaded.newest_signal,
        };
        self.done.deliveries += effects::store(&mut sql, &about, effects)?;
        Ok(())
    }

    fn maintenance(&self, heartbeat: HeartbeatId) -> Result<Vec<Maintenance>> {
        let mut sql = Portable::new(self.connection);
        effects::maintenance(&mut sql, heartbeat)
    }

    fn load(&mut self, heartbeat: HeartbeatId) -> Result<Option<&mut Loaded>> {
        if !self.loaded.contains_key(&heartbeat) {
            let mut loaded = read(self.connection, self.shared, heartbeat)?;
            self.look_at_marker(heartbeat, loaded.as_mut())?;
            self.loaded.insert(heartbeat, loaded);
        }
        Ok(self.loaded.get_mut(&heartbeat).and_then(Option::as_mut))
    }

    /// A heartbeat that was read may be one that could not be before. One without a state, which may have
    /// been lost, is told from one that was removed.
    fn look_at_marker(
        &mut self,
        heartbeat: HeartbeatId,
        loaded: Option<&mut Loaded>,
    ) -> Result<()> {
        let mut sql = Portable::new(self.connection);
        let marker = self.shared.broken.get(&heartbeat).copied();
        let Some(loaded) = loaded else {
            if broken::exists(&mut sql, heartbeat)? {
                let row = short(heartbeat.0);
                return Err(codec::broken("heartbeat_state", "id", row, "is missing"));
            }
            if marker.is_some() {
                broken::forget(&mut sql, heartbeat)?;
                self.markers.push((heartbeat, None));
            }
            return Ok(());
        };
        if let Some(marker) = marker.filter(|marker| marker.mended_at.is_none()) {
            let (settings, state) = (&loaded.settings, &mut loaded.state);
            self.done.deliveries += broken::mend(&mut sql, heartbeat, settings, state, self.now)?;
            loaded.changed = true;
            let mended_at = Some(self.now);
            self.markers.push((
                heartbeat,
                Some(Marker {
                    mended_at,
                    ..marker
                }),
            ));
        }
        Ok(())
    }

    /// Whether this mark of the client is new.
    fn first_time(&self, heartbeat: HeartbeatId, nonce: &str, arrival: &Arrival) -> Result<bool> {
        let sql = "INSERT OR IGNORE INTO signal_nonce (heartbeat, nonce, received_at) VALUES (?1, ?2, ?3)";
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let id = heartbeat.0.as_bytes().as_slice();
        let inserted = statement
            .execute(params![id, nonce, arrival.signal.received_at.0])
            .map_err(failed)?;
        Ok(inserted == 1)
    }

    fn resolve(
        &mut self,
        ping_key: &str,
        slug: &str,
        create: Option<&NewHeartbeat>,
        arrival: &Arrival,
    ) -> Result<Resolved> {
        let sql = "SELECT p.id, h.id FROM project p LEFT JOIN heartbeat h
                   ON h.project = p.id AND h.slug = ?2 WHERE p.ping_key = ?1 LIMIT 2";
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let found: Vec<(Uuid, Option<Uuid>)> = statement
            .query_map(params![ping_key, slug], |row| {
                Ok((uuid_at(row, 0)?, optional_uuid_at(row, 1)?))
            })
            .and_then(Iterator::collect)
            .map_err(failed)?;
        Ok(match (found.as_slice(), create) {
            ([(_, Some(id))], _) => Resolved::One(HeartbeatId(*id)),
            ([(project, None)], Some(new)) => {
                let mut sql = Portable::new(self.connection);
                let project = nightbeat_domain::ProjectId(*project);
                let at = arrival.signal.received_at;
                effects::create_from_signal(&mut sql, project, slug, new, at)?;
                // An earlier signal of the batch may have asked for it in vain.
                self.loaded.remove(&new.id);
                Resolved::Created(new.id)
            }
            ([] | [(_, None)], _) => Resolved::None,
            _ => Resolved::Several,
        })
    }

    /// Writes back what changed, in the order of the keys: neighbours share pages.
    fn finish(mut self) -> Result<(Done, Markers)> {
        let mut changed: Vec<(HeartbeatId, Loaded)> = self
            .loaded
            .drain()
            .filter_map(|(id, loaded)| Some((id, loaded?)))
            .filter(|(_, loaded)| loaded.changed)
            .collect();
        changed.sort_unstable_by_key(|(id, _)| *id);
        for (id, loaded) in &changed {
            write(self.connection, *id, loaded)?;
            if self
                .shared
                .broken
                .get(id)
                .is_some_and(|it| it.is_past(&loaded.state))
            {
                broken::forget(&mut Portable::new(self.connection), *id)?;
                self.markers.push((*id, None));
            }
            let wake_at = loaded.state.wake_at;
            // A later look needs no word: whoever watches finds out when the earlier one comes up.
            if wake_at.is_some_and(|at| loaded.wake_before.is_none_or(|before| at < before)) {
                self.done.watched.push(Watched {
                    heartbeat: *id,
                    wake_at,
                });
            }
        }
        Ok((self.done, self.markers))
    }
}

/// What a ping key and a slug lead to.
enum Resolved {
    One(HeartbeatId),
    Created(HeartbeatId),
    None,
    Several,
}
