//! The invariants, online and at the end.

use std::collections::HashSet;

use nightbeat_domain::{
    Alert, AlertKind, AlertSnapshot, Cause, Claim, Closing, Gap, GapKind, IncidentChange, Phase,
    Signal, UnixMicros,
};
use nightbeat_store::outbox::{Claim as Wish, ClaimedDelivery, DeliveryEnding, FinishedDelivery};

use crate::model::Change;
use crate::scenario::{MINUTE, SECOND};
use crate::truth::{Held, Open, Row};
use crate::world::{Carried, World};

/// A gap may be larger than the trouble behind it by the beat of the alive row and what a commit takes.
const GAP_SLACK: i64 = 8 * SECOND;

/// How far one of several nodes may lag behind: it is lost a lease after its last transaction, and what it
/// said in that may be a lease old.
const LAG_MAX: i64 = 23 * SECOND;

/// How long an acknowledged signal may be unknown to the store before it counts as lost.
const OWED_FOR: i64 = MINUTE;

impl World {
    /// Takes in what was committed, and checks it; whether anything was recorded or decided. `tries`: the
    /// signals that were in it.
    pub(crate) fn absorb(
        &mut self,
        node: usize,
        tries: &[Carried],
        asof: Option<UnixMicros>,
    ) -> bool {
        let changes = self.model.take_changes();
        if changes.is_empty() {
            self.mark(node);
            return false;
        }
        let mut decided = false;
        let mut tries = tries.iter();
        let mut alerts: Vec<(usize, u32)> = Vec::new();
        let mut opened = Vec::new();
        let mut passed = Vec::new();
        for change in changes {
            match change {
                Change::Signal {
                    heartbeat,
                    signal,
                    nonce,
                    ignored,
                    ..
                } => {
                    let Some(beat) = self.numbers.get(&heartbeat).copied() else {
                        continue;
                    };
                    decided |= self.springs(beat);
                    let carries =
                        |carried: &&Carried| self.carries(beat, &signal, nonce.as_deref(), carried);
                    let arrived = tries.find(carries);
                    let mut came = signal.received_at.0;
                    if let Some(carried) = arrived {
                        self.messages[carried.tried.message].stored = true;
                        came = carried.came;
                    }
                    // Several nodes tell no miss that is over before each of them has come past it.
                    let lag = if self.scenario.nodes > 1 { LAG_MAX } else { 0 };
                    let before = (came - lag).min(self.recorded_to);
                    if let Some(deadline) = self.truth.passed_before(beat, before) {
                        passed.push((beat, deadline, came));
                    }
                    self.stored(beat, &signal, came, ignored.is_some());
                }
                Change::Incident { heartbeat, change } => {
                    let Some(beat) = self.numbers.get(&heartbeat).copied() else {
                        continue;
                    };
                    decided |= self.springs(beat);
                    self.incident(beat, change, &mut opened);
                }
                Change::Queued {
                    number,
                    channel,
                    fallback,
                    snapshot,
                    ..
                } => {
                    let Some(beat) = self.numbers.get(&snapshot.heartbeat.id).copied() else {
                        continue;
                    };
                    let queued_at = self.agenda.now;
                    self.truth.rows.insert(
                        number,
                        Row {
                            heartbeat: beat,
                            channel,
                            queued_at,
                            taken: 0,
                            cancelled: false,
                        },
                    );
                    let sequence = snapshot.alert.sequence;
                    self.tell_beat(beat, 0, || {
                        format!("alert {sequence} for channel {channel}, fallback {fallback}")
                    });
                    if !fallback && !alerts.contains(&(beat, sequence)) {
                        alerts.push((beat, sequence));
                        self.alert(beat, &snapshot);
                    }
                }
                Change::Cancelled { number } => {
                    if let Some(row) = self.truth.rows.get_mut(&number) {
                        row.cancelled = true;
                        let (beat, channel) = (row.heartbeat, row.channel);
                        self.tell_beat(beat, 0, || format!("cancelled for channel {channel}"));
                    }
                }
                Change::Gap(gap) => self.gap(node, gap),
                Change::Created(_) => {}
            }
        }
        self.mark(node);
        for (beat, deadline, came) in passed {
            if !opened.iter().any(|(it, ..)| *it == beat) {
                let text = format!("a signal that came at {came} hides the deadline {deadline}");
                self.violate("I4 missed", Some(beat), text);
            }
        }
        self.check_opened(&opened, &alerts);
        self.check_states(&opened, asof);
        decided
    }

    /// A signal that came at the instant `stamp` of the axis was stored.
    fn stored(
        &mut self,
        beat: usize,
        signal: &nightbeat_domain::Signal,
        stamp: i64,
        ignored: bool,
    ) {
        let now = self.agenda.now;
        self.outcome.stored += 1;
        self.agenda.note(stamp as u64 ^ 0x51);
        self.truth.fact(now, Some(beat), || {
            format!(
                "stored: {:?} came {stamp}, stamped {}, claimed {:?}, ignored {ignored}",
                signal.kind, signal.received_at.0, signal.claimed_at
            )
        });
        self.tell_beat(beat, 0, || {
            format!(
                "{:?} stamped {}, claimed {:?}, ignored {ignored}",
                signal.kind, signal.received_at, signal.claimed_at
            )
        });
        let before = self.truth.beats[beat].open;
        self.truth.signal(beat, signal, stamp, ignored, now);
        // One that came in time, while *down* was already claimed.
        if let Some(open) = before
            && open.cause == Cause::Missed
            && let Some((deadline, at)) = open.down
            && stamp <= deadline
            && at >= stamp
            && !ignored
            && self.truth.beats[beat]
                .stored_in_time(deadline)
                .is_some_and(|(it, _)| it == stamp)
        {
            self.outcome.false_raises += 1;
            let text = format!(
                "a signal stamped {stamp} came by {deadline}, but down was claimed at {at}"
            );
            self.violate("I2 false down", Some(beat), text);
        }
    }

    fn incident(
        &mut self,
        beat: usize,
        change: IncidentChange,
        opened: &mut Vec<(usize, u32, bool)>,
    ) {
        let now = self.agenda.now;
        self.truth
            .fact(now, Some(beat), || format!("incident: {change:?}"));
        self.tell_beat(beat, 0, || format!("{change:?}"));
        match change {
            IncidentChange::Opened {
                number,
                cause,
                claim,
                at,
                ..
            } => {
                self.outcome.incidents += 1;
                self.agenda.note(at.0 as u64 ^ u64::from(number) << 50);
                if let Some(open) = self.truth.beats[beat].open {
                    let text = format!("incident {number} opened while {} is open", open.number);
                    self.violate("I5 one incident", Some(beat), text);
                }
                let truth = &mut self.truth.beats[beat];
                truth.tell_runs(at.0);
                truth.open = Some(Open {
                    number,
                    claim,
                    cause,
                    down: None,
                });
                opened.push((beat, number, true));
            }
            IncidentChange::Confirmed { .. } => {
                if let Some(open) = &mut self.truth.beats[beat].open {
                    open.claim = Claim::Down;
                }
            }
            IncidentChange::Closed { at, closing, .. } => {
                let truth = &mut self.truth.beats[beat];
                truth.tell_runs(at.0);
                let Some(open) = truth.open.take() else {
                    self.violate(
                        "I5 one incident",
                        Some(beat),
                        "closed what is not open".to_owned(),
                    );
                    return;
                };
                let told = !matches!(closing, Closing::Replaced | Closing::Paused);
                opened.push((beat, open.number, told));
            }
        }
    }

    /// An alert was decided.
    fn alert(&mut self, beat: usize, snapshot: &AlertSnapshot) {
        let alert = &snapshot.alert;
        let now = self.agenda.now;
        self.outcome.alerts += 1;
        self.agenda
            .note(u64::from(alert.sequence) ^ (alert.at.0 as u64) << 7);
        self.truth.fact(now, Some(beat), || {
            format!(
                "alert {}: {:?} at {}, deadline {:?}, cause {:?}, gaps {:?}",
                alert.sequence,
                alert.kind,
                alert.at.0,
                alert.deadline.map(|at| at.0),
                alert.incident.as_ref().map(|it| it.cause),
                alert
                    .gaps
                    .iter()
                    .map(|gap| (gap.from.0, gap.to.0))
                    .collect::<Vec<_>>()
            )
        });
        let truth = &mut self.truth.beats[beat];
        if let Some((last, _)) = truth.last_alert
            && alert.sequence != last + 1
        {
            let text = format!("alert {} follows alert {last}", alert.sequence);
            self.violate("I5 alerts", Some(beat), text);
        }
        self.truth.beats[beat].last_alert = Some((alert.sequence, alert.kind));
        self.tell_beat(beat, 0, || format!("{alert:?}"));
        let timed = alert.incident.as_ref().map(|it| it.cause);
        let timed = timed.filter(|cause| matches!(cause, Cause::Missed | Cause::Overran));
        let (Some(cause), Some(deadline)) = (timed, alert.deadline) else {
            return;
        };
        match alert.kind {
            AlertKind::Down => {
                self.outcome.downs += 1;
                self.check_down(beat, cause, alert, deadline.0);
            }
            AlertKind::Unverified => {
                self.outcome.unverified += 1;
                self.check_unverified(beat, cause, alert, deadline.0);
            }
            _ => return,
        }
        self.check_window(beat, cause, alert, deadline.0);
    }

    /// I2 and I3: nothing that came, or that was lost through us, makes this *down* wrong.
    fn check_down(&mut self, beat: usize, cause: Cause, alert: &Alert, deadline: i64) {
        let at = alert.at.0;
        let started = alert.run_started_at.map(|at| at.0);
        if (cause == Cause::Overran) != started.is_some() {
            let text = format!("{cause:?}, but of the run that started at {started:?}");
            self.violate("I8 cause", Some(beat), text);
        }
        self.outcome.touched += u64::from(self.touched(beat, started, deadline));
        let truth = &mut self.truth.beats[beat];
        if let Some(open) = &mut truth.open {
            open.down = Some((deadline, at));
        }
        let truth = &self.truth.beats[beat];
        if at < deadline {
            let text = format!("down at {at}, before its deadline {deadline}");
            self.violate("I6 early down", Some(beat), text);
            return;
        }
        if cause == Cause::Missed
            && let Some((stamp, ended)) = truth.stored_in_time(deadline)
        {
            self.outcome.false_raises += 1;
            let text = format!(
                "down at {at} for {deadline}, but the signal of {stamp} (ended {ended}) came in time"
            );
            self.violate("I2 false down", Some(beat), text);
            return;
        }
        if let Some(stamp) = alert
            .run_started_at
            .and_then(|started| truth.run_ended(started.0))
            && stamp <= deadline
        {
            self.outcome.false_raises += 1;
            let text = format!("overran at {deadline}, but the run's end came at {stamp}");
            self.violate("I2 false down", Some(beat), text);
            return;
        }
        // Several nodes judge when each of them has come past the deadline. What came to us after it was too
        // late, where we saw all that came before.
        let started = alert.run_started_at.map(|started| started.0);
        let seen = self.scenario.nodes > 1 && !self.touched(beat, started, deadline);
        let truth = &self.truth.beats[beat];
        if truth.settings.failure_threshold == 1
            && let Some((stamp, ended)) =
                truth.lost_in_time(if seen { deadline } else { at }, started)
        {
            let text = format!(
                "down at {at} for {deadline}, but a signal came at {stamp} (ended {ended}) while we could not take it"
            );
            self.violate("I3 false down in our outage", Some(beat), text);
        }
    }

    /// I9: *unverified* only where a gap of ours touches the silence.
    fn check_unverified(&mut self, beat: usize, cause: Cause, alert: &Alert, deadline: i64) {
        let started = alert.run_started_at.map(|at| at.0);
        let touched = self.touched(beat, started, deadline);
        self.outcome.touched += u64::from(touched);
        if !touched {
            let text = format!("unverified for {deadline}, but no gap of the ledger is near");
            self.violate("I9 unverified", Some(beat), text);
            return;
        }
        let invented = alert.gaps.iter().find(|gap| {
            let known = self.truth.gaps_in(gap.from.0, gap.from.0);
            !known
                .iter()
                .any(|known| known.0 <= gap.from.0 && gap.to.0 <= known.1)
        });
        if let Some(gap) = invented {
            let text = format!("unverified for a gap that is not in the ledger: {gap:?}");
            self.violate("I9 unverified", Some(beat), text);
            return;
        }
        let truth = &self.truth.beats[beat];
        if truth.settings.failure_threshold > 1 {
            return;
        }
        let since = match (cause, started) {
            (Cause::Overran, Some(started)) => started,
            _ => truth.silent_since(deadline),
        };
        let near = |gap: &Gap| gap.to.0 > since && gap.from.0 <= deadline;
        if !alert.gaps.iter().any(near) {
            let text = format!("unverified for {since} to {deadline}, but its gaps are elsewhere");
            self.violate("I9 unverified", Some(beat), text);
        }
    }

    /// Whether a gap of the ledger near the silence that a claim speaks of.
    fn touched(&self, beat: usize, started: Option<i64>, deadline: i64) -> bool {
        let truth = &self.truth.beats[beat];
        let since = if truth.settings.failure_threshold > 1 {
            truth.listened_since().min(started.unwrap_or(i64::MAX))
        } else {
            started.unwrap_or_else(|| truth.silent_since(deadline))
        };
        !self.truth.gaps_in(since, deadline).is_empty()
    }

    /// What happens to a heartbeat, in its own order: I12 compares it. `to`: 0, or a receiver's number from
    /// 1.
    pub(crate) fn tell_beat(&mut self, beat: usize, to: usize, fact: impl FnOnce() -> String) {
        if self.scenario.steady_without.is_none() {
            return;
        }
        let truth = &self.truth.beats[beat];
        let key = (truth.project, truth.number, to);
        let at = self.agenda.now;
        let history = self.outcome.histories.entry(key).or_default();
        history.push(format!("{at}: {}", fact()));
    }

    /// How each heartbeat ends: I12 compares it.
    pub(crate) fn tell_states(&mut self) {
        for beat in 0..self.truth.beats.len() {
            let state = self.model.state(self.truth.beats[beat].id).cloned();
            self.tell_beat(beat, 0, || format!("{state:?}"));
        }
    }

    /// Whether this request carried the signal.
    fn carries(
        &self,
        beat: usize,
        signal: &Signal,
        nonce: Option<&str>,
        carried: &Carried,
    ) -> bool {
        let message = &self.messages[carried.tried.message];
        message.heartbeat == beat
            && message.kind == signal.kind
            // Of what came in the same microsecond, the mark says which it is: a double of one before it was
            // not stored.
            && nonce.is_none_or(|nonce| nonce == carried.tried.message.to_string())
            && carried.stamp == signal.received_at.0
    }

    /// Nothing is claimed for an instant that lies in a maintenance window that was known before.
    fn check_window(&mut self, beat: usize, cause: Cause, alert: &Alert, deadline: i64) {
        let truth = &self.truth.beats[beat];
        let expected = match cause {
            Cause::Missed => deadline - truth.settings.grace.as_micros() as i64,
            _ => deadline,
        };
        let now = self.agenda.now;
        let windows = &self.truth.windows[truth.project];
        let inside = windows.iter().find(|(from, to, stored)| {
            *from <= expected && expected < *to && *stored < now - 2 * SECOND && alert.at.0 > *from
        });
        if let Some((from, to, _)) = inside
            && alert.at.0 < *to
            && self.truth.beats[beat]
                .open
                .is_none_or(|open| open.down.is_none())
        {
            let text = format!(
                "raised at {} in the maintenance from {from} to {to}",
                alert.at.0
            );
            self.violate("maintenance", Some(beat), text);
        }
    }

    /// I5: who opens or closes something says so on every channel, in the same transaction.
    fn check_opened(&mut self, opened: &[(usize, u32, bool)], alerts: &[(usize, u32)]) {
        for (beat, number, told) in opened {
            let has_alert = alerts.iter().any(|(it, _)| it == beat);
            let project = self.truth.beats[*beat].project;
            if *told && !has_alert && !self.truth.channels[project].is_empty() {
                let text = format!("incident {number} changed, but nobody is told");
                self.violate("I5 told with it", Some(*beat), text);
            }
        }
    }

    /// I5 and I6 of the heartbeats that a transaction decided on.
    fn check_states(&mut self, opened: &[(usize, u32, bool)], asof: Option<UnixMicros>) {
        let beats: HashSet<usize> = opened.iter().map(|(beat, ..)| *beat).collect();
        let mut beats: Vec<usize> = beats.into_iter().collect();
        beats.sort_unstable();
        for beat in beats {
            self.check_state(beat, asof);
        }
    }

    fn check_state(&mut self, beat: usize, asof: Option<UnixMicros>) {
        let truth = &self.truth.beats[beat];
        let Some(state) = self.model.state(truth.id) else {
            return;
        };
        let bad = matches!(
            state.phase,
            Phase::Down | Phase::Unverified | Phase::Warning
        );
        let open = truth.open.map(|open| open.number);
        let known = state.incident.as_ref().map(|incident| incident.number);
        if bad != open.is_some() || open != known {
            let text = format!(
                "{:?} with incident {known:?} in the state and {open:?} in the log",
                state.phase
            );
            self.violate("I5 one incident", Some(beat), text);
            return;
        }
        let missed = state
            .incident
            .as_ref()
            .is_some_and(|it| it.cause == Cause::Missed);
        let due = state.expected_at.map(|at| at + truth.settings.grace);
        if let (Some(asof), Some(due)) = (asof, due)
            && state.phase == Phase::Down
            && missed
            && truth.settings.recovery_threshold == 1
            && due > asof
        {
            let text = format!("down, but its deadline {} is after {}", due.0, asof.0);
            self.violate("I6 stale down", Some(beat), text);
        }
    }

    /// I9: a gap of the ledger is one that really was.
    fn gap(&mut self, node: usize, gap: Gap) {
        let now = self.agenda.now;
        let span = gap.to.0 - gap.from.0;
        self.truth.fact(now, None, || {
            format!("gap {:?} from {} to {}", gap.kind, gap.from.0, gap.to.0)
        });
        self.outcome.gaps += 1;
        self.truth.gap(gap.from.0, gap.to.0);
        if gap.kind == GapKind::ClockJump {
            return;
        }
        let (from, to) = if self.scenario.nodes > 1 && gap.kind == GapKind::Stopped {
            // A node that is lost: since its watermark, until the very transaction that says so.
            let Some(from) = self.leases.came_to(gap.from.0) else {
                let text = format!("{gap:?} begins where the store knew nobody to be");
                self.violate("I9 gap", None, text);
                return;
            };
            (from, now)
        } else {
            let real = |axis: UnixMicros| self.truth.real(node, axis.0);
            (real(gap.from), real(gap.to))
        };
        let slack = GAP_SLACK + span / 500;
        if !self.truth.covered(now, from, to, slack) {
            let text = format!(
                "a gap {:?} of {} that was none: {from} to {to}",
                gap.kind,
                crate::world::spell(span)
            );
            self.violate("I9 gap", None, text);
        }
    }

    /// I7: nobody is given a delivery while somebody else has it: it would be sent twice without need.
    pub(crate) fn check_claimed(&mut self, rows: &[ClaimedDelivery], wish: &Wish) {
        for row in rows {
            let held = Held {
                claim: row.claim,
                until: wish.lease_until.0,
                finished: false,
                sent: false,
            };
            let before = self.truth.claims.insert(row.number, held);
            if before.is_some_and(|before| before.sent) {
                let beat = self.truth.rows.get(&row.number).map(|row| row.heartbeat);
                let text = format!("delivery {} is sent again, though it is done", row.number);
                self.violate("I7 one claim", beat, text);
            }
            if let Some(before) = before
                && !before.finished
                && wish.now.0 < before.until
            {
                let beat = self.truth.rows.get(&row.number).map(|row| row.heartbeat);
                let text = format!(
                    "delivery {} is claimed, while claim {} of it holds for {} more",
                    row.number,
                    before.claim,
                    crate::world::spell(before.until - wish.now.0)
                );
                self.violate("I7 one claim", beat, text);
            }
        }
    }

    /// I7: what is marked as sent was taken by its receiver. `own`: the claims under which they were sent.
    pub(crate) fn check_finished(&mut self, rows: &[FinishedDelivery], own: &[i64]) {
        for (row, own) in rows.iter().zip(own) {
            if let Some(held) = self.truth.claims.get_mut(&row.number) {
                let ours = held.claim == *own;
                held.finished |= ours;
                held.sent |= ours && matches!(row.ending, DeliveryEnding::Sent { .. });
            }
            let sent = matches!(row.ending, DeliveryEnding::Sent { .. });
            let known = self.truth.rows.get(&row.number);
            if sent && known.is_some_and(|known| known.taken == 0) {
                let beat = known.map(|known| known.heartbeat);
                let text = format!(
                    "delivery {} is marked as sent, but nobody took it",
                    row.number
                );
                self.violate("I7 undelivered", beat, text);
            }
        }
    }

    /// The reference looks at a heartbeat.
    pub(crate) fn audit(&mut self, beat: usize) {
        let now = self.agenda.now;
        self.check_owed();
        if self.truth.beats[beat].gone {
            return;
        }
        let Some(node) = (0..self.nodes.len()).find(|node| self.nodes[*node].run.is_some()) else {
            self.agenda.after(MINUTE, crate::world::Event::Audit(beat));
            return;
        };
        let axis = self.axis(node).0;
        match self.truth.audit(now, axis, beat) {
            Ok(wait) => self.agenda.after(wait, crate::world::Event::Audit(beat)),
            Err((invariant, text)) => {
                let truth = &self.truth.beats[beat];
                let state = self.model.state(truth.id);
                let text = format!(
                    "{text}; heartbeat {}, {:?}, {state:?}",
                    truth.number, truth.settings
                );
                self.violate(invariant, Some(beat), text);
            }
        }
    }

    /// I1: what was acknowledged is durable.
    fn check_owed(&mut self) {
        let now = self.agenda.now;
        let owed = std::mem::take(&mut self.truth.owed);
        for (message, beat, since) in owed {
            if self.messages[message].stored {
                continue;
            }
            if now - since > OWED_FOR {
                let text = format!("signal {message} was acknowledged and is not stored");
                self.violate("I1 lost signal", Some(beat), text);
            } else {
                self.truth.owed.push((message, beat, since));
            }
        }
    }

    /// I7, I8 and I11, when all has been well for hours.
    pub(crate) fn check_end(&mut self) {
        let now = self.agenda.now;
        let mut late: Vec<(i64, usize)> = self
            .truth
            .rows
            .iter()
            .filter(|(_, row)| row.taken == 0 && !row.cancelled && row.queued_at < now - 5 * MINUTE)
            .map(|(number, row)| (*number, row.heartbeat))
            .collect();
        late.sort_unstable();
        for (number, beat) in late.into_iter().take(3) {
            let text = format!("delivery {number} never reached anybody");
            self.violate("I7 undelivered", Some(beat), text);
        }
        self.check_leases_end();
        for beat in 0..self.truth.beats.len() {
            self.check_beat_end(beat);
        }
    }

    fn check_beat_end(&mut self, beat: usize) {
        let truth = &self.truth.beats[beat];
        if truth.gone {
            return;
        }
        self.check_state(beat, None);
        let truth = &self.truth.beats[beat];
        let Some(state) = self.model.state(truth.id) else {
            return;
        };
        let Some((sequence, kind)) = truth.last_alert else {
            return;
        };
        let told = match state.phase {
            Phase::Down => matches!(
                kind,
                AlertKind::Down | AlertKind::Reminder | AlertKind::Unverified
            ),
            Phase::Unverified => matches!(kind, AlertKind::Unverified | AlertKind::Reminder),
            Phase::Warning => matches!(kind, AlertKind::Warning | AlertKind::Reminder),
            Phase::Up => {
                matches!(kind, AlertKind::Up | AlertKind::NeverStarted) || truth.was_paused()
            }
            Phase::New | Phase::Paused => true,
        };
        if !told {
            let text = format!(
                "it is {:?}, but the last that was told is {kind:?}",
                state.phase
            );
            self.violate("I8 final state", Some(beat), text);
            return;
        }
        let now = self.agenda.now;
        let recent = self
            .truth
            .rows
            .values()
            .any(|row| row.heartbeat == beat && row.queued_at > now - 5 * MINUTE);
        let truth = &self.truth.beats[beat];
        let (id, project) = (truth.id, truth.project);
        let channels = self.truth.channels[project].clone();
        for channel in channels {
            let queued = self
                .truth
                .rows
                .values()
                .any(|row| row.heartbeat == beat && row.channel == channel);
            let taken = self.newest_taken(channel, id);
            if queued
                && !recent
                && kind != AlertKind::NeverStarted
                && taken.is_none_or(|it| it < sequence)
            {
                let known = self
                    .truth
                    .rows
                    .values()
                    .filter(|row| row.channel == channel && row.heartbeat == beat)
                    .count();
                let text = format!(
                    "channel {channel} was told up to {taken:?} of {sequence}, {known} deliveries"
                );
                self.violate("I8 final state", Some(beat), text);
            }
        }
    }
}
