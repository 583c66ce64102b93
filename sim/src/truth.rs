//! The reference: what really happened, and what follows from it. Shares no code with the domain.
//!
//! Times are microseconds on the axis of the node that received a signal, unless they are called true.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use nightbeat_domain::{
    Cause, ChannelId, Claim, HeartbeatId, Schedule, Settings, Signal, SignalKind, UnixMicros,
};
use nightbeat_store::people::Step;
use uuid::Uuid;

use crate::outcome::Outcome;
use crate::scenario::{DAY, MINUTE, SECOND, Scenario, Spec};
use crate::world::Weather;

/// After a trouble, this much passes before anything is expected to be in time again.
const SETTLE: i64 = 3 * SECOND;

/// How much of the past a heartbeat keeps.
const KEPT: usize = 48;

/// How many open runs are timed at once, as the domain promises.
const TIMED: usize = 32;

/// How many open runs are remembered at all.
const RUNS_KEPT: usize = 128;

/// Gaps that are shorter in all, and over by the deadline, put nothing off: as the domain promises.
const SHORT_GAP: i64 = 30 * SECOND;

/// How far an axis may run from true time before it is noted, and how many such notes are kept.
const AXIS_STEP: i64 = SECOND / 20;
const AXIS_KEPT: usize = 20_000;

/// How many facts are shown around a violation.
const FACTS_SHOWN: usize = 60;

/// A run that has started and whose end is not stored.
#[derive(Debug, Clone, Copy)]
struct Run {
    rid: Option<Uuid>,
    started: i64,
    received: i64,
    /// Something was said while it was over its limit: it needs no word of its own.
    told: bool,
    /// So many were on when it started that it may not be timed: it may hold a miss back, or not.
    unsure: bool,
}

impl Run {
    /// When it is judged, where runs may take up to `limit`: one that was told late is given ten minutes.
    fn judged_at(&self, limit: i64) -> i64 {
        let late = if self.started < self.received {
            10 * MINUTE
        } else {
            0
        };
        (self.started + limit).max(self.received + late)
    }
}

/// The incident that is open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    pub(crate) number: u32,
    pub(crate) claim: Claim,
    pub(crate) cause: Cause,
    /// Of a *down*: its deadline, and the instant of its decision.
    pub(crate) down: Option<(i64, i64)>,
}

/// What really happened to one heartbeat.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and they come in all combinations"
)]
#[derive(Debug)]
pub(crate) struct Beat {
    pub(crate) id: HeartbeatId,
    pub(crate) number: usize,
    pub(crate) project: usize,
    pub(crate) settings: Arc<Settings>,
    pub(crate) gone: bool,
    pub(crate) paused: bool,
    armed: i64,
    edited: i64,
    /// A signal was heard that counted.
    heard: bool,
    /// A miss is news: it is not new any more.
    active: bool,
    /// The latest end of a run, and the true time, healthy only, when it was stored.
    pub(crate) last_end: Option<i64>,
    last_end_healthy: i64,
    /// Where several failures are needed: a run that was too long put the next miss off to this.
    put_off: i64,
    runs: Vec<Run>,
    /// Stored ends: stamp and end.
    ends: VecDeque<(i64, i64)>,
    /// Runs that ended: start, and the stamp of the end.
    ended: VecDeque<(i64, i64)>,
    /// Ends that reached us and were lost: stamp and end.
    lost: VecDeque<(i64, i64)>,
    pub(crate) open: Option<Open>,
    pub(crate) last_alert: Option<(u32, nightbeat_domain::AlertKind)>,
    was_paused: bool,
    /// Overdue since it was first seen so: its deadline, and the healthy time then.
    overdue: Option<(i64, i64)>,
}

/// A delivery, as far as it must reach somebody.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) heartbeat: usize,
    pub(crate) channel: ChannelId,
    pub(crate) queued_at: i64,
    pub(crate) taken: u32,
    pub(crate) cancelled: bool,
}

/// A claim of a delivery.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) claim: i64,
    pub(crate) until: i64,
    pub(crate) finished: bool,
    /// The claimer has stored that it was taken.
    pub(crate) sent: bool,
}

/// Everything that really happened.
pub(crate) struct Truth {
    pub(crate) beats: Vec<Beat>,
    pub(crate) channels: Vec<Vec<ChannelId>>,
    /// Of each project: maintenance, from and to, and when it was stored.
    pub(crate) windows: Vec<Vec<(i64, i64, i64)>>,
    pub(crate) weather: Vec<Weather>,
    pub(crate) rows: HashMap<i64, Row>,
    /// Of each delivery, its last claim: which, until when, by the clock of the claimer, and whether the
    /// claimer has finished it.
    pub(crate) claims: HashMap<i64, Held>,
    /// Signals that were acknowledged and are not stored, whose they are, and since when.
    pub(crate) owed: Vec<(usize, usize, i64)>,
    begins_at: i64,
    down: Vec<bool>,
    bad_since: Option<i64>,
    bad_until: i64,
    bad_total: i64,
    /// Merged stretches of trouble, in true time.
    bad: Vec<(i64, i64)>,
    traced: bool,
    /// The last facts about all, and about each heartbeat.
    facts: VecDeque<(i64, String)>,
    beat_facts: HashMap<usize, VecDeque<(i64, String)>>,
    /// What the ledger was told, joined and in order.
    gaps: Vec<(i64, i64)>,
    /// Of each node: instants of its axis with their true ones, wherever their distance changed.
    axes: Vec<VecDeque<(i64, i64)>>,
}

impl Beat {
    /// When a success is expected after a run that ended at `end`.
    pub(crate) fn next(&self, end: i64) -> i64 {
        next(&self.settings.schedule, end)
    }

    fn grace(&self) -> i64 {
        self.settings.grace.as_micros() as i64
    }

    /// The last thing that restarted the clock.
    fn quiet(&self) -> i64 {
        self.last_end.unwrap_or(i64::MIN).max(self.armed)
    }

    /// Since when a gap of ours may have hidden something that counts.
    pub(crate) fn listened_since(&self) -> i64 {
        let first_run = self.runs.iter().map(|run| run.started).min();
        self.quiet().min(first_run.unwrap_or(i64::MAX))
    }

    /// When it is overdue if nothing more comes; nothing of runs and maintenance.
    pub(crate) fn deadline(&self) -> Option<i64> {
        (self.active && !self.paused).then(|| {
            let expected = match self.last_end {
                Some(end) if end >= self.armed => self.next(end),
                _ => after(&self.settings.schedule, self.armed),
            };
            expected + self.grace()
        })
    }

    /// By when something must be open if nothing more comes: sound, sometimes later than the domain's own.
    fn must_open_by(&self, windows: &[(i64, i64, i64)]) -> Option<i64> {
        let open = self.open.is_some_and(|open| open.claim != Claim::Warning);
        // What an edit or maintenance makes of a deadline that was running is not looked at again before
        // the next end of a run.
        let since = self.last_end.unwrap_or(self.armed);
        let unclear = self.edited > since || windows.iter().any(|(_, to, _)| *to > since);
        if self.gone || self.paused || open || unclear {
            return None;
        }
        let threshold = self.settings.failure_threshold;
        let limit = self.settings.run_limit().as_micros() as i64;
        let runs = self.runs.iter().filter(|run| !run.told);
        let runs = runs.map(|run| {
            let edited = if self.edited > run.started {
                self.edited + self.grace()
            } else {
                0
            };
            let judged = run.judged_at(limit).max(edited);
            (self.run_after_windows(judged, windows), run.unsure)
        });
        let runs: Vec<(i64, bool)> = runs.collect();
        let held = runs.iter().map(|(at, _)| *at).max();
        let miss = self
            .miss_by(windows)
            .map(|miss| miss.max(held.unwrap_or(miss)));
        if threshold > 1 {
            return miss;
        }
        let timed = runs.iter().filter(|(_, unsure)| !unsure);
        timed.map(|(at, _)| *at).min().into_iter().chain(miss).min()
    }

    fn miss_by(&self, windows: &[(i64, i64, i64)]) -> Option<i64> {
        let mut deadline = self.deadline()?;
        // An edit expects nothing of what had passed before it; a run that was too long counts as a
        // failure, and what it was for is not missed a second time.
        let mut edited = after(&self.settings.schedule, self.edited) + self.grace();
        if self.settings.failure_threshold > 1 {
            let limit = self.settings.run_limit().as_micros() as i64;
            deadline = deadline.max(self.put_off);
            for run in &self.runs {
                deadline = deadline.max(self.next(run.judged_at(limit)) + self.grace());
            }
        }
        // Failures in a row move on by one instant each.
        for _ in 1..self.settings.failure_threshold {
            for at in [&mut deadline, &mut edited] {
                *at = after(&self.settings.schedule, *at - self.grace()) + self.grace();
                *at = self.after_windows(*at, self.grace(), windows);
            }
        }
        let edited = if self.edited > 0 { edited } else { 0 };
        Some(self.after_windows(deadline.max(edited), self.grace(), windows))
    }

    /// When a run is judged whose limit passes in maintenance: the grace after it, which may be in the next one;
    /// or by the next instant's own deadline, whichever is later.
    fn run_after_windows(&self, judged: i64, windows: &[(i64, i64, i64)]) -> i64 {
        let mut moved = judged;
        for _ in 0..windows.len() {
            let held = windows
                .iter()
                .find(|(from, to, _)| *from <= moved && moved < *to);
            let Some((_, to, _)) = held else { break };
            moved = *to + self.grace();
        }
        self.after_windows(judged, 0, windows).max(moved)
    }

    /// The deadline, where maintenance holds it back.
    fn after_windows(&self, deadline: i64, grace: i64, windows: &[(i64, i64, i64)]) -> i64 {
        let mut deadline = deadline;
        for _ in 0..windows.len() {
            for (from, to, _) in windows {
                if *from <= deadline && deadline - grace < *to {
                    deadline = after(&self.settings.schedule, *to) + self.grace();
                }
            }
        }
        deadline
    }

    /// A signal was stored.
    fn signal(&mut self, signal: &Signal, came: i64, ignored: bool, healthy: i64) {
        if ignored {
            return;
        }
        let stamp = signal.received_at.0;
        let happened = signal
            .claimed_at
            .map_or(stamp, |at| at.0.clamp(stamp - 7 * DAY, stamp));
        if self.paused {
            if self.settings.manual_resume || signal.kind == SignalKind::Log {
                return;
            }
            self.arm(stamp);
        }
        self.heard = true;
        match signal.kind {
            SignalKind::Log => {}
            SignalKind::Start => self.start(signal.rid.map(|rid| rid.0), happened, stamp),
            SignalKind::Success | SignalKind::Fail => {
                self.active = true;
                let ended = self.end(signal.rid.map(|rid| rid.0), happened, came);
                self.last_end = self.last_end.max(Some(ended));
                self.last_end_healthy = healthy;
                self.overdue = None;
            }
        }
    }

    fn start(&mut self, rid: Option<Uuid>, started: i64, received: i64) {
        let run = Run {
            rid,
            started,
            received,
            told: false,
            unsure: false,
        };
        if let Some(open) = self.runs.iter_mut().find(|open| open.rid == rid) {
            if rid.is_none() && open.started < started {
                *open = Run {
                    unsure: open.unsure,
                    ..run
                };
            }
            return;
        }
        let mut unsure = false;
        if self.runs.len() >= TIMED {
            // Below the threshold nothing is said of a run that is over its limit, and its place is free.
            match self.runs.iter().position(|run| run.told) {
                Some(told) => drop(self.runs.remove(told)),
                None => unsure = true,
            }
        }
        if self.runs.len() >= RUNS_KEPT {
            self.forget_run();
        }
        self.runs.push(Run { unsure, ..run });
    }

    /// Forgets the run that is judged first, but not that it put the next miss off.
    fn forget_run(&mut self) {
        let limit = self.settings.run_limit().as_micros() as i64;
        let judged = self.runs.iter().map(|run| run.judged_at(limit));
        if let Some((judged, first)) = judged.zip(0..).min() {
            self.runs.remove(first);
            self.put_off = self.put_off.max(self.next(judged) + self.grace());
        }
    }

    /// A run ended; when, for no run ends before it has started.
    fn end(&mut self, rid: Option<Uuid>, ended: i64, stamp: i64) -> i64 {
        let found = match (rid, self.runs.as_slice()) {
            (None, [_]) => Some(0),
            _ => self.runs.iter().position(|run| run.rid == rid),
        };
        let found = found.filter(|found| rid.is_some() || self.runs[*found].started <= ended);
        let run = found.map(|found| self.runs.remove(found));
        let ended = run.map_or(ended, |run| ended.max(run.started));
        keep(&mut self.ends, (stamp, ended));
        if let Some(run) = run {
            keep(&mut self.ended, (run.started, stamp));
            let judged = run.judged_at(self.settings.run_limit().as_micros() as i64);
            if judged <= stamp {
                // It was counted before its end came in.
                self.put_off = self.put_off.max(self.next(judged) + self.grace());
            }
        }
        ended
    }

    fn arm(&mut self, at: i64) {
        self.paused = false;
        self.armed = at;
        self.active = self.heard;
        self.overdue = None;
    }

    /// A person's step was stored.
    pub(crate) fn stepped(&mut self, step: &Step, at: i64) {
        match step {
            Step::Edit(settings) => {
                // Below the threshold a run that is too long is counted without a word.
                self.tell_runs(at);
                self.settings = Arc::new(settings.clone());
                self.edited = at;
            }
            Step::Pause => {
                self.paused = true;
                self.was_paused = true;
                self.runs.clear();
            }
            Step::Resume if self.paused => self.arm(at),
            Step::Resume | Step::Acknowledge | Step::Snooze(_) => {}
        }
        self.overdue = None;
    }

    /// An incident opened or closed: what is over its limit by now has been spoken of.
    pub(crate) fn tell_runs(&mut self, at: i64) {
        let limit = self.settings.run_limit().as_micros() as i64;
        for run in &mut self.runs {
            // One that was told late is given its patience: until then it may speak for the job.
            run.told |= run.judged_at(limit) <= at;
            run.unsure |= run.started + limit <= at;
        }
        self.overdue = None;
    }

    /// A success or failure that was stored, came by `deadline`, and puts it off.
    pub(crate) fn stored_in_time(&self, deadline: i64) -> Option<(i64, i64)> {
        let found = self.ends.iter().find(|(stamp, ended)| {
            *stamp <= deadline && self.next(*ended) + self.grace() > deadline
        });
        found.copied()
    }

    /// One that was lost through our fault, and by which the job was fine at `at`.
    /// Of a run that overran, only what came after it had started.
    pub(crate) fn lost_in_time(&self, at: i64, started: Option<i64>) -> Option<(i64, i64)> {
        let found = self.lost.iter().find(|(stamp, ended)| {
            if started.is_some_and(|started| *stamp < started) {
                return false;
            }
            // What is within a second of the edge may be seen either way.
            *stamp <= at - SECOND && self.next(*ended) + self.grace() > at + SECOND
        });
        found.copied()
    }

    /// Someone paused it once: that closes an incident without a word.
    pub(crate) fn was_paused(&self) -> bool {
        self.was_paused
    }

    /// The stamp of the end of the run that started then, where no other did.
    pub(crate) fn run_ended(&self, started: i64) -> Option<i64> {
        if self.runs.iter().any(|run| run.started == started) {
            return None;
        }
        let found = self.ended.iter().find(|(it, _)| *it == started);
        found.map(|(_, stamp)| *stamp)
    }

    /// Since when a signal of ours that was missed would change that `deadline` is missed.
    pub(crate) fn silent_since(&self, deadline: i64) -> i64 {
        let schedule = &self.settings.schedule;
        if schedule.interval().is_some() {
            return self.quiet();
        }
        let expected = deadline - self.grace();
        let instant = before(schedule, expected + 1);
        (instant - tolerance(schedule, instant)).max(self.quiet())
    }
}

fn keep<T>(list: &mut VecDeque<T>, item: T) {
    keep_up_to(list, KEPT, item);
}

fn keep_up_to<T>(list: &mut VecDeque<T>, most: usize, item: T) {
    if list.len() >= most {
        list.pop_front();
    }
    list.push_back(item);
}

fn after(schedule: &Schedule, at: i64) -> i64 {
    let next = schedule.next_after(UnixMicros(at).timestamp());
    next.map_or(i64::MAX / 4, jiff::Timestamp::as_microsecond)
}

fn before(schedule: &Schedule, at: i64) -> i64 {
    let last = schedule.previous_before(UnixMicros(at).timestamp());
    last.map_or(at, jiff::Timestamp::as_microsecond)
}

/// How long before its instant a success counts for it: a tenth of the distance, five minutes at most.
fn tolerance(schedule: &Schedule, instant: i64) -> i64 {
    ((instant - before(schedule, instant)) / 10).min(5 * MINUTE)
}

/// When the next success is expected after a run that ended at `end`.
fn next(schedule: &Schedule, end: i64) -> i64 {
    let next = after(schedule, end);
    if schedule.interval().is_none() && next - end <= tolerance(schedule, next) {
        return after(schedule, next);
    }
    next
}

impl Truth {
    pub(crate) fn new(scenario: &Scenario, now: i64) -> Self {
        Self {
            beats: Vec::new(),
            channels: vec![Vec::new(); 3],
            windows: vec![Vec::new(); 3],
            weather: vec![Weather::default(); scenario.nodes],
            rows: HashMap::new(),
            claims: HashMap::new(),
            owed: Vec::new(),
            begins_at: now,
            down: vec![true; scenario.nodes],
            bad_since: Some(now),
            bad_until: now + SETTLE,
            bad_total: 0,
            bad: Vec::new(),
            traced: scenario.trace,
            facts: VecDeque::new(),
            beat_facts: HashMap::new(),
            gaps: Vec::new(),
            axes: vec![VecDeque::new(); scenario.nodes],
        }
    }

    pub(crate) fn add(&mut self, id: HeartbeatId, number: usize, spec: &Spec, now: i64) {
        self.beats.push(Beat {
            id,
            number,
            project: spec.project,
            settings: Arc::clone(&spec.settings),
            gone: false,
            paused: false,
            armed: now,
            edited: 0,
            heard: false,
            active: false,
            last_end: None,
            last_end_healthy: 0,
            put_off: i64::MIN,
            runs: Vec::new(),
            ends: VecDeque::new(),
            ended: VecDeque::new(),
            lost: VecDeque::new(),
            open: None,
            last_alert: None,
            was_paused: false,
            overdue: None,
        });
    }

    /// A signal was stored that came at the instant `came` of the axis, whatever its stamp says.
    pub(crate) fn signal(
        &mut self,
        heartbeat: usize,
        signal: &Signal,
        came: i64,
        ignored: bool,
        now: i64,
    ) {
        let healthy = self.healthy(now);
        self.beats[heartbeat].signal(signal, came, ignored, healthy);
    }

    /// A try reached us and was lost through our fault.
    pub(crate) fn lost(&mut self, heartbeat: usize, kind: SignalKind, stamp: i64, happened: i64) {
        if matches!(kind, SignalKind::Success | SignalKind::Fail) {
            keep(&mut self.beats[heartbeat].lost, (stamp, happened));
        }
    }

    /// A receiver took a delivery; whether it had it already.
    pub(crate) fn accepted(&mut self, number: i64) -> bool {
        let Some(row) = self.rows.get_mut(&number) else {
            return false;
        };
        row.taken += 1;
        row.taken > 1
    }

    /// Something is wrong until `until`.
    pub(crate) fn worsen(&mut self, now: i64, until: i64) {
        self.settle(now);
        self.bad_since.get_or_insert(now);
        self.bad_until = self.bad_until.max(until + SETTLE);
    }

    pub(crate) fn node_up(&mut self, now: i64, node: usize, up: bool) {
        self.worsen(now, now);
        self.down[node] = !up;
    }

    pub(crate) fn stepped(&mut self, now: i64) {
        self.worsen(now, now);
    }

    fn settle(&mut self, now: i64) {
        if let Some(since) = self.bad_since
            && self.bad_until <= now
            && self.down.iter().any(|down| !down)
        {
            self.bad_since = None;
            self.bad_total += self.bad_until - since;
            match self.bad.last_mut() {
                Some(last) if since - last.1 < 10 * SECOND => last.1 = self.bad_until,
                _ => self.bad.push((since, self.bad_until)),
            }
        }
    }

    /// How much true time has passed in which nothing was wrong with us.
    pub(crate) fn healthy(&mut self, now: i64) -> i64 {
        self.settle(now);
        let open = self.bad_since.map_or(0, |since| now - since);
        now - self.begins_at - self.bad_total - open
    }

    /// Whether one stretch of trouble covers all from `from` to `to`, give or take `slack`, in true time.
    pub(crate) fn covered(&mut self, now: i64, from: i64, to: i64, slack: i64) -> bool {
        self.settle(now);
        let mut at = from + slack;
        let end = to - slack;
        let open = self.bad_since.map(|since| (since, i64::MAX / 2));
        for (since, until) in self.bad.iter().copied().chain(open) {
            if until + slack >= at && since - slack <= at {
                at = at.max(until + slack);
            }
        }
        at >= end
    }

    /// A gap was entered into the ledger.
    pub(crate) fn gap(&mut self, from: i64, to: i64) {
        let first = self.gaps.partition_point(|known| known.1 < from);
        let last = self.gaps.partition_point(|known| known.0 <= to);
        let mut joined = (from, to);
        for known in self.gaps.drain(first..last) {
            joined = (joined.0.min(known.0), joined.1.max(known.1));
        }
        self.gaps.insert(first, joined);
    }

    /// The gaps of the ledger that touch a stretch of silence from `since` to `deadline`.
    pub(crate) fn gaps_in(&self, since: i64, deadline: i64) -> &[(i64, i64)] {
        let first = self.gaps.partition_point(|gap| gap.1 <= since);
        let last = self.gaps.partition_point(|gap| gap.0 <= deadline);
        &self.gaps[first..last.max(first)]
    }

    /// Whether an alert that is due at `deadline` may wait for anything: gaps of ours that are long, or on
    /// at the deadline.
    fn may_wait(&self, since: i64, deadline: i64) -> bool {
        let gaps = self.gaps_in(since, deadline);
        let span = |gap: &(i64, i64)| gap.1 - gap.0.max(since);
        let blind: i64 = gaps.iter().map(span).sum();
        blind >= SHORT_GAP || gaps.last().is_some_and(|gap| gap.1 > deadline)
    }

    /// The deadline that had passed when a signal came at `came`, and that nothing may put off: something
    /// must be open for it.
    pub(crate) fn passed_before(&self, heartbeat: usize, came: i64) -> Option<i64> {
        let beat = &self.beats[heartbeat];
        let deadline = beat.must_open_by(&self.windows[beat.project])?;
        (deadline < came && !self.may_wait(beat.listened_since(), deadline)).then_some(deadline)
    }

    /// A node's loop turned at an instant of its axis.
    pub(crate) fn running(&mut self, now: i64, node: usize, axis: i64) {
        let known = &mut self.axes[node];
        if let Some((at, real)) = known.back()
            && ((now - real) - (axis - at)).abs() < AXIS_STEP
        {
            return;
        }
        keep_up_to(known, AXIS_KEPT, (axis, now));
    }

    /// A process begins, at this instant of its axis: what was lost before it came before it, whatever
    /// the wall clock said meanwhile. Where it is alone, nobody else has a claim any more.
    pub(crate) fn begins(&mut self, axis: i64) {
        if self.down.iter().all(|down| *down) {
            self.claims.clear();
        }
        for beat in &mut self.beats {
            for (stamp, ended) in &mut beat.lost {
                *stamp = (*stamp).min(axis);
                *ended = (*ended).min(axis);
            }
            // What the axis of before had come past, this one has still to come to.
            beat.overdue = beat.overdue.filter(|(deadline, _)| *deadline <= axis);
        }
    }

    /// The true instant of one on a node's axis; the last one, where the database's clock was set back and
    /// the node began anew on an earlier axis.
    pub(crate) fn real(&self, node: usize, axis: i64) -> i64 {
        let known = &self.axes[node];
        let after = known.iter().rposition(|(at, _)| *at <= axis);
        let after = after.map_or(0, |index| index + 1);
        let next = known.get(after).map_or(i64::MAX, |(_, real)| *real);
        match after.checked_sub(1).and_then(|index| known.get(index)) {
            Some((at, real)) => (real + (axis - at)).min(next),
            None => known.front().map_or(axis, |(at, real)| real + (axis - at)),
        }
    }

    /// Looks at a heartbeat; the violation, or when to look again, in true time from now.
    pub(crate) fn audit(
        &mut self,
        now: i64,
        axis: i64,
        heartbeat: usize,
    ) -> Result<i64, (&'static str, String)> {
        let healthy = self.healthy(now);
        let windows = &self.windows[self.beats[heartbeat].project];
        let beat = &self.beats[heartbeat];
        let usual = (10 * MINUTE)
            .max(crate::scenario::period(&beat.settings.schedule) / 2)
            .min(6 * 60 * MINUTE);
        let Some(deadline) = beat.must_open_by(windows) else {
            self.beats[heartbeat].overdue = None;
            return Ok(usual);
        };
        if axis < deadline {
            let steady = self.steady_miss(heartbeat, healthy);
            self.beats[heartbeat].overdue = None;
            return match steady {
                Some(text) => Err(("I4 missed", text)),
                None => Ok((deadline - axis).min(usual).max(SECOND)),
            };
        }
        let patience = beat.grace().clamp(MINUTE, 10 * MINUTE);
        let bound_clean = 15 * SECOND;
        let bound = patience * 6 / 5 + 90 * SECOND;
        let first = match beat.overdue {
            Some((known, first)) if known == deadline => first,
            _ => healthy,
        };
        let patient = self.may_wait(beat.listened_since(), deadline);
        self.beats[heartbeat].overdue = Some((deadline, first));
        let waited = healthy - first;
        if waited > bound || (waited > bound_clean && !patient) {
            let text = format!(
                "overdue since {deadline}, {} of healthy time ago, and nothing is open",
                crate::world::spell(waited)
            );
            return Err(("I4 missed", text));
        }
        Ok(if patient {
            (bound - waited + SECOND).max(SECOND)
        } else {
            bound_clean + SECOND
        })
    }

    /// Whatever the axis says: an interval that has long passed in healthy time.
    fn steady_miss(&self, heartbeat: usize, healthy: i64) -> Option<String> {
        let beat = &self.beats[heartbeat];
        let interval = beat.settings.schedule.interval()?.duration().as_micros() as i64;
        let plain = beat.runs.is_empty()
            && beat.settings.failure_threshold == 1
            && beat.active
            && beat.last_end? >= beat.armed;
        let span = interval + beat.grace();
        let passed = healthy - beat.last_end_healthy;
        let bound = span + span / 50 + 12 * MINUTE + 90 * SECOND;
        (plain && passed > bound).then(|| {
            format!(
                "{} of healthy time since its last signal, {} are allowed, and nothing is open",
                crate::world::spell(passed),
                crate::world::spell(span)
            )
        })
    }

    /// Keeps a fact for the neighbourhood of a violation.
    pub(crate) fn fact(
        &mut self,
        at: i64,
        heartbeat: Option<usize>,
        text: impl FnOnce() -> String,
    ) {
        if !self.traced {
            return;
        }
        let list = match heartbeat {
            Some(heartbeat) => self.beat_facts.entry(heartbeat).or_default(),
            None => &mut self.facts,
        };
        if list.len() == FACTS_SHOWN {
            list.pop_front();
        }
        list.push_back((at, text()));
    }

    /// The last facts about a heartbeat and everything it shares with others.
    pub(crate) fn neighbourhood(&self, heartbeat: Option<usize>) -> Vec<String> {
        let ours = heartbeat.and_then(|heartbeat| self.beat_facts.get(&heartbeat));
        let mut facts: Vec<&(i64, String)> = self
            .facts
            .iter()
            .chain(ours.into_iter().flatten())
            .collect();
        facts.sort_by_key(|(at, _)| *at);
        let shown = facts.iter().rev().take(FACTS_SHOWN).rev();
        shown
            .map(|(at, text)| format!("{} {at} {text}", UnixMicros(*at).timestamp()))
            .collect()
    }

    pub(crate) fn figures(&mut self, now: i64, outcome: &mut Outcome) {
        self.settle(now);
        let open = self.bad_since.map_or(0, |since| now - since);
        let lived = (now - self.begins_at).max(1) as f64;
        outcome.troubled_share = (self.bad_total + open) as f64 / lived;
        let gaps: i64 = self.gaps.iter().map(|gap| gap.1 - gap.0).sum();
        outcome.gap_share = gaps as f64 / lived;
        let known: HashSet<i64> = self.rows.keys().copied().collect();
        outcome.deliveries = known.len() as u64;
    }
}
