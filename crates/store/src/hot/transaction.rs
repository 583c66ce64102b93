//! One transaction on the hot path: what the domain decides of signals and deadlines, carried out on an
//! engine's rows.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use nightbeat_domain::{
    Effects, HeartbeatId, IgnoredBecause, ProjectId, Signal, Surroundings, UnixMicros, elapse,
    observe, work,
};

use super::Done;
use super::engine::{Loaded, Opening, Rows, TakenFor};
use super::memory::Shared;
use crate::broken::{self, Marker};
use crate::codec::{self, short};
use crate::control::runs;
use crate::effects;
use crate::{Arrival, NewHeartbeat, Recorded, Result, Target, Watched};

/// A heartbeat that another node works on is looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What becomes of the writer's markers of broken heartbeats once a transaction is committed; `None`: they go.
pub(super) type Markers = Vec<(HeartbeatId, Option<Marker>)>;

/// One transaction on the hot path.
pub(super) struct Hot<'t, 'm> {
    rows: &'t mut dyn Rows,
    shared: &'t mut Shared<'m>,
    /// `None`: there is no such heartbeat.
    loaded: HashMap<HeartbeatId, Option<Loaded>>,
    /// Every signal received up to this instant, by whichever node, has been recorded or refused.
    judged_to: UnixMicros,
    now: UnixMicros,
    markers: Markers,
    done: Done,
}

impl<'t, 'm> Hot<'t, 'm> {
    pub(super) fn begin(
        rows: &'t mut dyn Rows,
        shared: &'t mut Shared<'m>,
        opening: &Opening<'_>,
    ) -> Self {
        Self {
            judged_to: rows.judge_to(opening.watermark),
            rows,
            shared,
            loaded: HashMap::new(),
            now: opening.now.max(opening.watermark),
            markers: Vec::new(),
            done: Done::default(),
        }
    }

    /// Takes a signal in.
    pub(super) fn take_in(&mut self, arrival: &Arrival) -> Result<()> {
        let recorded = self.record(arrival)?;
        self.done.recorded.push(recorded);
        Ok(())
    }

    fn record(&mut self, arrival: &Arrival) -> Result<Recorded> {
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
        self.elapse(heartbeat, just_before.min(self.judged_to))?;
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
        let signal = self.weighed(heartbeat, arrival)?;
        let signal_row = self.shared.next.signal;
        self.shared.next.signal += 1;
        let Some(loaded) = self.loaded.get_mut(&heartbeat).and_then(Option::as_mut) else {
            return Ok(None);
        };
        let observed = observe(heartbeat, &loaded.settings, &mut loaded.state, &signal);
        self.rows.insert_signal(
            signal_row,
            heartbeat,
            arrival,
            TakenFor {
                kind: signal.kind,
                ignored: observed.ignored,
            },
            loaded.newest_signal,
        )?;
        loaded.newest_signal = Some(signal_row);
        loaded.changed = true;
        self.carry_out(heartbeat, &observed.effects)?;
        Ok(observed.ignored)
    }

    /// The signal, with what the heartbeat's own settings make of it: what it says, whether it counts, and
    /// which rules its run does not keep.
    fn weighed<'a>(
        &mut self,
        heartbeat: HeartbeatId,
        arrival: &'a Arrival,
    ) -> Result<Cow<'a, Signal>> {
        let mut signal = Cow::Borrowed(&arrival.signal);
        let Some(loaded) = self.loaded.get(&heartbeat).and_then(Option::as_ref) else {
            return Ok(signal);
        };
        if let Some(meaning) = loaded.settings.meaning(&signal, arrival.came()) {
            signal.to_mut().taken_for(meaning);
        }
        if !work::is_judged(&loaded.settings, &loaded.state, &signal) {
            return Ok(signal);
        }
        let past = runs::past(self.rows.sql()?, heartbeat, loaded.newest_run)?;
        let broken = work::broken_rules(&loaded.settings, &loaded.state, &signal, &past);
        if !broken.is_empty() {
            signal.to_mut().broken_rules.extend(broken);
        }
        Ok(signal)
    }

    /// Judges a heartbeat, and says when to look at it again.
    pub(super) fn judge(&mut self, heartbeat: HeartbeatId) -> Result<()> {
        if self.rows.is_held_elsewhere(heartbeat)? {
            let wake_at = Some(self.now + LOOK_AGAIN);
            self.done.watched.push(Watched { heartbeat, wake_at });
            return Ok(());
        }
        self.elapse(heartbeat, self.judged_to)?;
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
        let maintenance = effects::maintenance(self.rows.sql()?, heartbeat)?;
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
            let row = self.shared.next.run;
            self.shared.next.run += 1;
            self.rows
                .insert_run(row, heartbeat, run, loaded.newest_run)?;
            loaded.newest_run = Some(row);
        }
        self.done.false_raises += effects.false_raises;
        if effects.incidents.is_empty() && effects.alerts.is_empty() {
            return Ok(());
        }
        let about = effects::About {
            heartbeat,
            settings: &loaded.settings,
            newest_signal: loaded.newest_signal,
        };
        self.done.deliveries += effects::store(self.rows.sql()?, &about, effects)?;
        Ok(())
    }

    fn load(&mut self, heartbeat: HeartbeatId) -> Result<Option<&mut Loaded>> {
        if !self.loaded.contains_key(&heartbeat) {
            let mut loaded = self.rows.load(self.shared, heartbeat)?;
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
        let marker = self.shared.broken.get(&heartbeat).copied();
        let Some(loaded) = loaded else {
            if broken::exists(self.rows.sql()?, heartbeat)? {
                let row = short(heartbeat.0);
                return Err(codec::broken("heartbeat_state", "id", row, "is missing"));
            }
            if marker.is_some() {
                broken::forget(self.rows.sql()?, heartbeat)?;
                self.markers.push((heartbeat, None));
            }
            return Ok(());
        };
        if let Some(marker) = marker.filter(|marker| marker.mended_at.is_none()) {
            let (settings, state) = (&loaded.settings, &mut loaded.state);
            let sql = self.rows.sql()?;
            self.done.deliveries += broken::mend(sql, heartbeat, settings, state, self.now)?;
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
    fn first_time(
        &mut self,
        heartbeat: HeartbeatId,
        nonce: &str,
        arrival: &Arrival,
    ) -> Result<bool> {
        let inserted = self.rows.sql()?.execute(
            "INSERT INTO signal_nonce (heartbeat, nonce, received_at) VALUES ($1, $2, $3)
                 ON CONFLICT DO NOTHING",
            &[
                heartbeat.into(),
                nonce.into(),
                arrival.signal.received_at.into(),
            ],
        )?;
        Ok(inserted == 1)
    }

    fn resolve(
        &mut self,
        ping_key: &str,
        slug: &str,
        create: Option<&NewHeartbeat>,
        arrival: &Arrival,
    ) -> Result<Resolved> {
        let mut found = self.by_slug(ping_key, slug)?;
        if let ([(project, None)], Some(_)) = (found.as_slice(), create) {
            // Another node may be creating it at this moment: one after the other.
            effects::lock_project(self.rows.sql()?, *project)?;
            found = self.by_slug(ping_key, slug)?;
        }
        Ok(match (found.as_slice(), create) {
            ([(_, Some(id))], _) => Resolved::One(*id),
            ([(project, None)], Some(new)) => {
                let at = arrival.signal.received_at;
                effects::create_from_signal(self.rows.sql()?, *project, slug, new, at)?;
                // An earlier signal of the batch may have asked for it in vain.
                self.loaded.remove(&new.id);
                self.rows.created(new.id);
                Resolved::Created(new.id)
            }
            ([] | [(_, None)], _) => Resolved::None,
            _ => Resolved::Several,
        })
    }

    /// The project with this ping key, and its heartbeats with this slug: two of them are too many.
    fn by_slug(
        &mut self,
        ping_key: &str,
        slug: &str,
    ) -> Result<Vec<(ProjectId, Option<HeartbeatId>)>> {
        let rows = self.rows.sql()?.query(
            "SELECT p.id, h.id FROM project p LEFT JOIN heartbeat h
                 ON h.project = p.id AND h.slug = $2 WHERE p.ping_key = $1 LIMIT 2",
            &[ping_key.into(), slug.into()],
        )?;
        rows.iter()
            .map(|row| Ok((row.get(0)?, row.get(1)?)))
            .collect()
    }

    /// Writes back what changed, in the order of the keys: neighbours share pages.
    pub(super) fn finish(mut self) -> Result<(Done, Markers)> {
        let mut changed: Vec<(HeartbeatId, Loaded)> = self
            .loaded
            .drain()
            .filter_map(|(id, loaded)| Some((id, loaded?)))
            .filter(|(_, loaded)| loaded.changed)
            .collect();
        changed.sort_unstable_by_key(|(id, _)| *id);
        for (id, loaded) in &changed {
            self.rows.write(*id, loaded)?;
            if self
                .shared
                .broken
                .get(id)
                .is_some_and(|it| it.is_past(&loaded.state))
            {
                broken::forget(self.rows.sql()?, *id)?;
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
        self.done.renewed = self.rows.renewed();
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
