//! The reference: what product.md says about a heartbeat, replayed from the beginning, one tick of five
//! seconds after the other. Slow and obvious. It shares no code with the crate's decisions: it has
//! its own calendar (an interval, or a grid of five minutes), and where a gap could hide a success it
//! does not calculate but tries: what if one had come?

use std::cell::RefCell;
use std::collections::HashMap;

use nightbeat_domain::{Cause, Phase, SignalKind};

/// Microseconds since the start of the story.
pub(crate) type T = i64;
pub(crate) const SECOND: T = 1_000_000;
/// Everything in a story happens at a multiple of this.
pub(crate) const TICK: T = 5 * SECOND;
/// The step of the wall-clock schedule, and how early a success may be for it.
pub(crate) const GRID: T = 300 * SECOND;
const EARLY: T = GRID / 10;
/// A story's world is silent for ever when it has not gone down after this long.
const FOR_EVER: T = 3_600 * SECOND;

/// A run's id; none is a run too.
pub(crate) type Rid = Option<u8>;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rules {
    /// The interval; `None` is the wall-clock grid.
    pub(crate) every: Option<T>,
    pub(crate) grace: T,
    pub(crate) max_run: Option<T>,
    pub(crate) failures: u32,
    pub(crate) recoveries: u32,
    pub(crate) manual_resume: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    Signal {
        kind: SignalKind,
        /// It ends its run with a warning.
        warning: bool,
        rid: Rid,
        /// When it happened; now, where the client does not say.
        happened: Option<T>,
    },
    /// Every open run ends with a success, and so does the incident. Only supposed, never told.
    EverythingEndsWell,
    Pause,
    Resume,
    Edit(Rules),
    /// A gap that ends now, and began at `from`.
    Gap {
        from: T,
    },
    Maintenance {
        from: T,
        to: T,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    rid: Rid,
    start: T,
    deadline: T,
    told: bool,
}

/// A heartbeat in a world.
#[derive(Debug, Clone)]
pub(crate) struct World<'a> {
    /// All that ever happens in this world, by time.
    history: &'a [(T, Event)],
    /// The success that this world supposes.
    supposed: Vec<(T, Event)>,
    /// The rules that it was created with, and those of now.
    first_rules: Rules,
    rules: Rules,
    gaps: Vec<(T, T)>,
    windows: Vec<(T, T)>,
    pub(crate) phase: Phase,
    cause: Option<(Cause, Option<T>)>,
    armed: T,
    heard: bool,
    last_end: Option<T>,
    pub(crate) expected: Option<T>,
    /// Since when a success would have ended the row of failures that is being counted.
    row: Option<T>,
    failures: u32,
    successes: u32,
    runs: Vec<Run>,
    /// Until then a run spoke for the job that has gone without an end that counts.
    held: T,
    ended: Vec<u8>,
    reminded: bool,
    /// Claims that were worked out already: nothing new is known since.
    known_claims: RefCell<HashMap<(T, T, usize), Claims>>,
}

/// What may be said about a deadline that passed, and when.
#[derive(Debug, Clone, Copy)]
struct Claims {
    /// A gap counts.
    in_doubt: bool,
    unverified: T,
    down: T,
}

impl<'a> World<'a> {
    /// The world at `now`, after everything that happened until then.
    pub(crate) fn replay(rules: Rules, history: &'a [(T, Event)], now: T) -> Self {
        let mut world = World::begin(rules, history, Vec::new());
        world.run_until(now);
        world
    }

    /// Why the open incident opened.
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.cause.map(|(cause, _)| cause)
    }

    fn begin(rules: Rules, history: &'a [(T, Event)], supposed: Vec<(T, Event)>) -> Self {
        World {
            history,
            supposed,
            first_rules: rules,
            rules,
            gaps: Vec::new(),
            windows: Vec::new(),
            phase: Phase::New,
            cause: None,
            armed: 0,
            heard: false,
            last_end: None,
            expected: Some(next(rules, 0)),
            row: None,
            failures: 0,
            successes: 0,
            runs: Vec::new(),
            held: T::MIN,
            ended: Vec::new(),
            reminded: false,
            known_claims: RefCell::default(),
        }
    }

    fn run_until(&mut self, end: T) {
        let mut now = 0;
        while now <= end {
            self.step(now);
            now += TICK;
        }
    }

    /// One tick of the clock. Nothing is decided within a gap.
    fn step(&mut self, now: T) {
        self.happen_at(now);
        let hides =
            |to: T, event: &Event| matches!(event, Event::Gap { from } if *from < now && now < to);
        if !self.history.iter().any(|(to, event)| hides(*to, event)) {
            self.tick(now);
        }
    }

    /// Everything that becomes known after the last tick and not after this one.
    fn happen_at(&mut self, now: T) {
        let due = |(at, _): &&(T, Event)| now - TICK < *at && *at <= now;
        let mut events: Vec<_> = self.supposed.iter().filter(due).copied().collect();
        events.extend(self.history.iter().filter(due).copied());
        events.sort_by_key(|(at, _)| *at);
        for (at, event) in events {
            match event {
                Event::Signal {
                    kind,
                    warning,
                    rid,
                    happened,
                } => {
                    self.signal(at, kind, warning, rid, happened);
                }
                Event::EverythingEndsWell => {
                    self.ended
                        .extend(self.runs.drain(..).filter_map(|run| run.rid));
                    self.signal(at, SignalKind::Success, false, None, None);
                    if self.phase != Phase::Paused {
                        (self.phase, self.cause) = (Phase::Up, None);
                    }
                }
                Event::Pause => self.pause(),
                Event::Resume if self.phase == Phase::Paused => self.arm(at),
                Event::Resume => {}
                Event::Edit(rules) => self.edit(at, rules),
                Event::Gap { from } => self.gaps.push((from, at)),
                Event::Maintenance { from, to } => self.windows.push((from, to)),
            }
        }
    }

    fn arm(&mut self, at: T) {
        self.phase = if self.heard { Phase::Up } else { Phase::New };
        self.armed = at;
        self.expected = Some(next(self.rules, at));
        self.failures = 0;
        self.successes = 0;
        self.row = None;
        self.reminded = false;
    }

    fn pause(&mut self) {
        self.phase = Phase::Paused;
        self.cause = None;
        self.expected = None;
        self.runs.clear();
        self.held = T::MIN;
    }

    fn signal(&mut self, at: T, kind: SignalKind, warning: bool, rid: Rid, happened: Option<T>) {
        if kind == SignalKind::Log || (self.phase == Phase::Paused && self.rules.manual_resume) {
            return;
        }
        if self.phase == Phase::Paused {
            self.arm(at);
        }
        let then = happened.unwrap_or(at);
        if kind == SignalKind::Start {
            let stale = match rid {
                Some(rid) => self.ended.contains(&rid),
                None => happened.is_some() && self.last_end.is_some_and(|end| then < end),
            };
            // A start that arrives only after its run is supposed to have ended.
            let over = self
                .supposed
                .iter()
                .any(|(end, _)| then <= *end && *end < at);
            if !stale && !over {
                self.heard = true;
                self.start(at, then, rid);
            }
            return;
        }
        self.heard = true;
        let run = self.close_run(then, rid);
        let then = run.map_or(then, |run| then.max(run.start));
        if self.last_end.is_some_and(|end| then < end) {
            if let Some(run) = run {
                self.spoke_until(at, run);
            }
            if kind == SignalKind::Success || warning {
                self.newer_runs_ended_before(at, run);
            }
            return;
        }
        self.last_end = Some(then);
        self.held = T::MIN;
        self.row = None;
        self.expected = Some(self.expected_by_the_last_end());
        match (kind, warning) {
            (SignalKind::Fail, false) => self.failed(Cause::Failed, None),
            (_, warning) => self.succeeded(at, warning),
        }
    }

    fn start(&mut self, at: T, then: T, rid: Rid) {
        let mut deadline = then + self.run_limit();
        if deadline <= at && then < at {
            deadline = at + patience(self.rules);
        }
        let run = Run {
            rid,
            start: then,
            deadline,
            told: false,
        };
        match self.runs.iter_mut().find(|run| run.rid == rid) {
            None => self.runs.push(run),
            Some(open) if rid.is_none() && open.start < then => {
                let gone = std::mem::replace(open, run);
                if !gone.told && gone.deadline < at {
                    // It may have ended in a gap: what it was for is not missed for sure.
                    self.expected = self
                        .expected
                        .max(Some(next_after_end(self.rules, gone.deadline)));
                }
                self.spoke_until(at, gone);
            }
            Some(_) => {}
        }
    }

    /// A run has gone without an end that counts: we listened for it all that time.
    fn spoke_until(&mut self, at: T, run: Run) {
        let due = self.expected.map(|expected| expected + self.rules.grace);
        let limit = self.run_limit();
        if due.is_some_and(|due| due < at && !run.told && run.start <= due + limit) {
            self.held = at;
        }
    }

    /// The good end of this run arrives after that of a newer one.
    fn newer_runs_ended_before(&mut self, at: T, run: Option<Run>) {
        let Some(run) = run else { return };
        let of_incident = self.cause == Some((Cause::Overran, Some(run.deadline)));
        if of_incident || run.told {
            self.failures = self.failures.saturating_sub(1);
            self.row = self.row.filter(|_| self.failures > 0);
        }
        let overdue = self.expected.is_some_and(|it| it + self.rules.grace < at);
        if of_incident && !overdue {
            self.phase = Phase::Up;
            self.cause = None;
        }
    }

    fn close_run(&mut self, then: T, rid: Rid) -> Option<Run> {
        let only = rid.is_none() && self.runs.len() == 1;
        let found = self.runs.iter().position(|run| only || run.rid == rid);
        if let Some(found) = found
            && (rid.is_some() || self.runs[found].start <= then)
        {
            let run = self.runs.remove(found);
            self.ended.extend(run.rid.or(rid));
            return Some(run);
        }
        self.ended.extend(rid);
        None
    }

    fn expected_by_the_last_end(&self) -> T {
        match self.last_end {
            Some(end) if end >= self.armed => next_after_end(self.rules, end),
            _ => next(self.rules, self.armed),
        }
    }

    fn succeeded(&mut self, at: T, warning: bool) {
        self.failures = 0;
        self.successes += 1;
        let overdue = self.expected.is_some_and(|it| it + self.rules.grace < at);
        let open = self.cause.is_some();
        if open && overdue {
            return;
        }
        let enough = !open || self.successes >= self.rules.recoveries;
        match (warning, self.phase) {
            (true, Phase::Warning) => self.successes = 0,
            (true, _) if enough => self.open(Phase::Warning, Cause::Failed, None),
            (false, _) if enough => {
                self.settle();
                self.phase = Phase::Up;
                self.cause = None;
            }
            _ => {}
        }
    }

    /// A miss or a failure: an incident where it is one too many.
    fn failed(&mut self, cause: Cause, deadline: Option<T>) {
        self.failures += 1;
        self.successes = 0;
        match self.phase {
            Phase::Down => {}
            Phase::Unverified => self.open(Phase::Down, cause, deadline),
            _ if self.failures >= self.rules.failures => self.open(Phase::Down, cause, deadline),
            Phase::Warning => {}
            _ => self.phase = Phase::Up,
        }
    }

    /// The run that the open incident is about is told, whatever becomes of the incident.
    fn settle(&mut self) {
        if let Some((Cause::Overran, Some(deadline))) = self.cause {
            let told = self.runs.iter_mut().filter(|run| run.deadline == deadline);
            told.for_each(|run| run.told = true);
        }
    }

    fn open(&mut self, phase: Phase, cause: Cause, deadline: Option<T>) {
        self.settle();
        self.phase = phase;
        self.cause = Some((cause, deadline));
        self.successes = 0;
    }

    fn edit(&mut self, at: T, rules: Rules) {
        self.rules = rules;
        if self.phase == Phase::Paused {
            return;
        }
        let (cause, claimed) = self.cause.unwrap_or((Cause::Failed, None));
        for index in 0..self.runs.len() {
            let run = self.runs[index];
            let of_incident = cause == Cause::Overran && claimed == Some(run.deadline);
            if run.start + self.run_limit() > at {
                self.runs[index].deadline = run.start + self.run_limit();
                self.failures -= u32::from(run.told).min(self.failures);
                self.runs[index].told = false;
                if of_incident && self.cause.is_some() {
                    (self.phase, self.cause, self.failures) = (Phase::Up, None, 0);
                }
            } else if !run.told && !of_incident {
                self.runs[index].deadline = at + rules.grace;
            }
        }
        if self.phase == Phase::New && self.reminded {
            return;
        }
        let missed = matches!(self.cause, Some((Cause::Missed, _)));
        let mut expected = self.expected_by_the_last_end();
        for _ in 0..if missed { 0 } else { self.failures } {
            if expected + rules.grace <= at {
                expected = next(rules, expected);
            }
        }
        let overdue = expected + rules.grace <= at;
        let settled = missed && self.phase == Phase::Down;
        self.expected = Some(if overdue && !settled { at } else { expected });
        if missed && !overdue {
            (self.phase, self.cause, self.failures) = (Phase::Up, None, 0);
        }
    }

    fn run_limit(&self) -> T {
        self.rules.max_run.unwrap_or(self.rules.grace)
    }

    /// What the passing of time makes true.
    fn tick(&mut self, now: T) {
        if self.phase == Phase::Paused {
            return;
        }
        for index in 0..self.runs.len() {
            if !self.runs[index].told {
                self.judge_run(now, index);
            }
        }
        while self.judge_miss(now) {}
    }

    fn judge_run(&mut self, now: T, index: usize) {
        let deadline = self.runs[index].deadline;
        if deadline > now {
            return;
        }
        if let Some((_, to)) = self.window_at(deadline, deadline) {
            self.runs[index].deadline = to + self.rules.grace;
            return self.judge_run(now, index);
        }
        let run = self.runs[index];
        if self.one_failure_is_not_enough() {
            self.failed(Cause::Overran, None);
            self.runs[index].told = true;
            self.row = Some(self.row.unwrap_or(T::MAX).min(run.start + 1));
            self.expected = self
                .expected
                .max(Some(next_after_end(self.rules, run.deadline)));
            return;
        }
        let row = match self.rules.every {
            Some(_) => self.quiet(),
            None => self.row.unwrap_or(T::MAX).max(self.quiet()),
        };
        let since = if self.rules.failures > 1 && self.failures > 0 {
            row.min(run.start + 1)
        } else {
            run.start + 1
        };
        let claims = self.claims(now, since, run.deadline);
        self.runs[index].told = self.claim(now, &claims, Cause::Overran, run.deadline);
    }

    /// Judges one miss; whether there may be another.
    fn judge_miss(&mut self, now: T) -> bool {
        let Some(expected) = self.expected else {
            return false;
        };
        let due = expected + self.rules.grace;
        if self.phase != Phase::New && self.running_at(due) || due > now {
            return false;
        }
        if self.window_at(expected, due).is_some() {
            let mut expected = expected;
            while let Some((_, to)) = self.window_at(expected, expected + self.rules.grace) {
                expected = self.first_from(to);
            }
            self.expected = Some(expected);
            return true;
        }
        match self.phase {
            Phase::New => {
                self.reminded = !self.heard;
                if self.reminded {
                    self.expected = None;
                }
                return false;
            }
            Phase::Down => {
                self.successes = 0;
                return false;
            }
            _ => {}
        }
        // An edit may have put the expectation between two instants.
        let instant = expected.div_euclid(GRID) * GRID;
        let row = self.row.unwrap_or(T::MAX).min(instant - EARLY);
        if self.one_failure_is_not_enough() {
            self.failed(Cause::Missed, None);
            self.row = Some(row);
            self.expected = Some(next(self.rules, expected));
            return true;
        }
        let since = match self.rules.every {
            Some(_) => self.quiet(),
            None => self.quiet().max(row),
        };
        let mut deadline = due;
        if self.held > due {
            deadline = self.held;
            while let Some((_, to)) = self.window_at(deadline, deadline) {
                deadline = to + self.rules.grace;
            }
        }
        if deadline > now {
            return false;
        }
        let claims = self.claims(now, since, deadline);
        if deadline == due && self.running_at(claims.down) {
            return false;
        }
        self.claim(now, &claims, Cause::Missed, deadline);
        false
    }

    /// The instant after the last thing that restarted the clock.
    fn quiet(&self) -> T {
        self.last_end.unwrap_or(T::MIN).max(self.armed) + 1
    }

    fn one_failure_is_not_enough(&self) -> bool {
        let told = matches!(self.phase, Phase::Down | Phase::Unverified);
        !told && self.failures + 1 < self.rules.failures
    }

    /// Says what may be said by now; whether that settles the matter.
    fn claim(&mut self, now: T, claims: &Claims, cause: Cause, deadline: T) -> bool {
        if self.phase == Phase::Down {
            if !claims.in_doubt {
                self.successes = 0;
            }
            return true;
        }
        let told = self.phase == Phase::Unverified;
        if now >= claims.down {
            if self.phase == Phase::Unverified {
                self.phase = Phase::Down;
                self.successes = 0;
            } else {
                self.failed(cause, Some(deadline));
            }
            return true;
        }
        if !told && now >= claims.unverified {
            self.failures += 1;
            self.open(Phase::Unverified, cause, Some(deadline));
        }
        false
    }

    /// What may be claimed about the silence from `since` to `deadline`, and from when on.
    fn claims(&self, now: T, since: T, deadline: T) -> Claims {
        let known = self.history.partition_point(|(it, _)| *it <= now);
        let key = (since, deadline, known);
        if let Some(claims) = self.known_claims.borrow().get(&key) {
            return *claims;
        }
        let claims = self.work_out_claims(now, since, deadline);
        self.known_claims.borrow_mut().insert(key, claims);
        claims
    }

    fn work_out_claims(&self, now: T, since: T, deadline: T) -> Claims {
        let counts = |(from, to): &&(T, T)| *to > since && *from <= deadline;
        let counting: Vec<(T, T)> = self.gaps.iter().filter(counts).copied().collect();
        if counting.is_empty() {
            return Claims {
                in_doubt: false,
                unverified: deadline,
                down: deadline,
            };
        }
        let blind: T = counting
            .iter()
            .map(|(from, to)| deadline.min(*to) - since.max(*from))
            .sum();
        let period = self.rules.every.unwrap_or(GRID);
        let short = blind < (period / 100).max(30 * SECOND);
        let over = counting.iter().all(|(_, to)| *to <= deadline);
        let mut unverified = deadline;
        if !(short && over) {
            let mut left = patience(self.rules);
            while left > 0 {
                let receiving = !self
                    .gaps
                    .iter()
                    .any(|(from, to)| (*from..*to).contains(&unverified));
                left -= if receiving { TICK } else { 0 };
                unverified += TICK;
            }
        }
        // The last success that a gap can hide: one that ended with it, or, by the wall clock, just before.
        let early = T::from(self.rules.every.is_none());
        let worlds = counting
            .iter()
            .map(|(_, to)| self.down_had_it_ended(*to - early, now));
        Claims {
            in_doubt: true,
            unverified,
            down: worlds.fold(deadline, T::max),
        }
    }

    /// When this heartbeat would be claimed to be down in a world in which a success had come at `at`.
    fn down_had_it_ended(&self, at: T, now: T) -> T {
        let mut supposed = self.supposed.clone();
        supposed.push((at, Event::EverythingEndsWell));
        let known = self.history.partition_point(|(it, _)| *it <= now);
        let mut world = World::begin(self.first_rules, &self.history[..known], supposed);
        // It may go down and come back by what happened since; it is silent from then on.
        let silent = world.history.last().map_or(at, |(last, _)| at.max(*last));
        let mut down = None;
        let mut now = 0;
        while now < silent || (down.is_none() && now < silent + FOR_EVER) {
            world.step(now);
            let is_down = now >= at && world.phase == Phase::Down;
            down = is_down.then(|| down.unwrap_or(now));
            now += TICK;
        }
        down.unwrap_or(T::MAX)
    }

    /// Whether a run that is within its limit speaks for the job at `due`.
    fn running_at(&self, due: T) -> bool {
        let limit = self.run_limit();
        self.runs
            .iter()
            .any(|run| !run.told && run.start <= due + limit)
    }

    /// A maintenance window that touches the stretch.
    fn window_at(&self, from: T, to: T) -> Option<(T, T)> {
        let touches = |(begin, end): &&(T, T)| *begin <= to && from < *end;
        self.windows.iter().find(touches).copied()
    }

    /// The first instant at or after the end of a maintenance window.
    fn first_from(&self, end: T) -> T {
        match self.rules.every {
            Some(every) => end + every,
            None => next(self.rules, end - 1),
        }
    }
}

/// The schedule's next instant after `at`.
fn next(rules: Rules, at: T) -> T {
    match rules.every {
        Some(every) => at + every,
        None => (at.div_euclid(GRID) + 1) * GRID,
    }
}

/// The same after a run that ended at `end`: shortly before an instant it counts for that.
fn next_after_end(rules: Rules, end: T) -> T {
    let instant = next(rules, end);
    let early = rules.every.is_none() && instant - end <= EARLY;
    if early { next(rules, instant) } else { instant }
}

/// How long somebody who was away may take to report.
fn patience(rules: Rules) -> T {
    rules.grace.clamp(60 * SECOND, 600 * SECOND)
}
