//! Jobs and the clients that signal for them.

use nightbeat_domain::{HeartbeatId, RunId, Signal, SignalKind, UnixMicros};
use nightbeat_store::{Arrival, Target};
use uuid::Uuid;

use super::World;
use super::agenda::{Event, Life, Try};
use crate::faults::Fault;
use crate::random::Random;
use crate::scenario::{Client, DAY, MINUTE, MS, SECOND, Spec, Style, period};

/// A client waits this long for an answer.
const ANSWER_TIMEOUT: i64 = 10 * SECOND;

/// A balancer sends nothing more to a node that has not been ready for this long.
const NOTICED_AFTER: i64 = 3 * SECOND;

/// How often `curl --retry` and the agent try before they give up or keep the signal for later.
const TRIES_MAX: u16 = 5;

/// A job.
pub(crate) struct Job {
    pub(crate) id: HeartbeatId,
    pub(crate) spec: Spec,
    pub(crate) random: Random,
    /// Its heartbeat was deleted.
    pub(crate) gone: bool,
    /// The run that is on.
    rid: Option<Uuid>,
    /// It ends without a word: its script does not go on where its start was not taken.
    dies: bool,
}

/// A signal on its way.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) heartbeat: usize,
    pub(crate) kind: SignalKind,
    rid: Option<Uuid>,
    made_at: i64,
    /// It was kept, and carries its time now.
    late: bool,
    tries: u16,
    /// The last try whose end its client knows.
    ended: u16,
    /// It is durable.
    pub(crate) stored: bool,
    /// Its client has heard so, or given up.
    done: bool,
}

impl World {
    /// The job begins a run.
    pub(super) fn job_event(&mut self, heartbeat: usize) {
        let now = self.agenda.now;
        let job = &mut self.jobs[heartbeat];
        if job.gone {
            return;
        }
        let dead = job
            .spec
            .dead
            .iter()
            .find(|(from, until)| *from <= now && now < *until);
        if let Some((_, until)) = dead {
            let again = *until + job.random.span(SECOND, MINUTE);
            self.agenda.at(again, Event::Job(heartbeat));
            return;
        }
        let spec = &job.spec;
        let (shortest, longest) = spec.run;
        let mut span = job.random.span(shortest, longest);
        if job.random.chance(0.01) {
            let limit = spec.settings.run_limit().as_micros() as i64;
            span = limit + job.random.span(SECOND, limit);
        }
        let rid = (spec.style == Style::Runs).then(|| job.random.uuid());
        job.rid = rid;
        let starts = spec.style != Style::End;
        let hangs = job.random.chance(spec.hangs);
        let kind = if job.random.chance(spec.fails) {
            SignalKind::Fail
        } else {
            SignalKind::Success
        };
        if starts {
            self.say(heartbeat, SignalKind::Start, rid);
        }
        if hangs {
            self.plan_next(heartbeat, now + span);
        } else {
            self.agenda.after(span, Event::Say(heartbeat, kind, rid));
        }
    }

    /// Plans the run after the one that ended at `end`.
    fn plan_next(&mut self, heartbeat: usize, end: i64) {
        let job = &mut self.jobs[heartbeat];
        let settings = &job.spec.settings;
        let grace = settings.grace.as_micros() as i64;
        let aimed = job.random.chance(job.spec.aimed);
        let typical = i64::midpoint(job.spec.run.0, job.spec.run.1);
        if let Some(interval) = settings.schedule.interval() {
            let interval = interval.duration().as_micros() as i64;
            if aimed {
                let at = end + interval + grace - 3 * SECOND;
                self.agenda.at(at, Event::Aim(heartbeat));
                return;
            }
            let wait = interval * 9 / 10 + job.random.within(0, interval / 10 + grace * 8 / 10);
            self.agenda
                .at(end + (wait - typical).max(SECOND), Event::Job(heartbeat));
            return;
        }
        let ahead = job.spec.ahead;
        let host = UnixMicros(end + ahead).timestamp();
        let Some(next) = settings.schedule.next_after(host) else {
            return;
        };
        let slot = next.as_microsecond() - ahead;
        if aimed {
            self.agenda
                .at(slot + grace - 3 * SECOND, Event::Aim(heartbeat));
        } else {
            let begins = slot + job.random.span(MS, 2 * SECOND);
            self.agenda.at(begins, Event::Job(heartbeat));
        }
    }

    /// The job is about to signal: right at its deadline.
    pub(super) fn aim(&mut self, heartbeat: usize) {
        let now = self.agenda.now;
        let axis = self.axis(0).0;
        let job = &mut self.jobs[heartbeat];
        if job.gone {
            return;
        }
        let dead = job
            .spec
            .dead
            .iter()
            .any(|(from, until)| *from <= now && now < *until);
        let Some(deadline) = self.truth.beats[heartbeat].deadline().filter(|_| !dead) else {
            self.agenda.after(10 * SECOND, Event::Job(heartbeat));
            return;
        };
        let at = now + (deadline - axis);
        let off = if job.random.chance(0.5) {
            job.random.within(-5 * MS, 5 * MS)
        } else {
            job.random.within(-5 * MS, 1_500 * MS)
        };
        let style = job.spec.style;
        let far = period(&job.spec.settings.schedule);
        if at + off < now || at > now + far.min(DAY) {
            self.agenda.after(SECOND, Event::Job(heartbeat));
            return;
        }
        if style == Style::End {
            self.agenda
                .at(at + off, Event::Say(heartbeat, SignalKind::Success, None));
        } else {
            self.agenda.at(at + off, Event::Job(heartbeat));
        }
    }

    /// The job signals.
    pub(super) fn say(&mut self, heartbeat: usize, kind: SignalKind, rid: Option<Uuid>) {
        if self.jobs[heartbeat].gone {
            return;
        }
        if kind == SignalKind::Start {
            self.jobs[heartbeat].dies = false;
        } else if self.jobs[heartbeat].dies {
            self.plan_next(heartbeat, self.agenda.now);
            return;
        }
        let message = self.messages.len();
        self.messages.push(Message {
            heartbeat,
            kind,
            rid,
            made_at: self.agenda.now,
            late: false,
            tries: 0,
            ended: 0,
            stored: false,
            done: false,
        });
        self.outcome.signals += 1;
        self.send(message);
        if kind != SignalKind::Start {
            self.plan_next(heartbeat, self.agenda.now);
        }
    }

    /// A client sends.
    pub(super) fn send(&mut self, message: usize) {
        let sent = &mut self.messages[message];
        if sent.done {
            return;
        }
        sent.tries += 1;
        let tried = Try {
            message,
            number: sent.tries,
        };
        let heartbeat = sent.heartbeat;
        self.agenda.after(ANSWER_TIMEOUT, Event::Timeout(tried));
        if self.network_loses(heartbeat) {
            let at = self.agenda.now;
            self.truth.fact(at, Some(heartbeat), || {
                format!("signal {message} is lost on its way")
            });
            self.outcome.requests_lost += 1;
            return;
        }
        let node = self.choose_node(heartbeat);
        let rough = self.scenario.faults.has(Fault::Client);
        let random = &mut self.jobs[heartbeat].random;
        let latency = match random.within(0, 49) {
            0 if rough => random.span(MS, 8 * SECOND),
            _ => random.span(200, 20 * MS),
        };
        let arrives = self.agenda.now + latency;
        self.agenda.at(arrives, Event::Arrive(tried, node, arrives));
        if rough && random.chance(0.02) {
            let again = arrives + random.span(MS, 5 * SECOND);
            self.outcome.doubled += 1;
            self.agenda.at(again, Event::Arrive(tried, node, again));
        }
    }

    /// The node behind the balancer: some of its routes are stale.
    fn choose_node(&mut self, heartbeat: usize) -> usize {
        let nodes = self.nodes.len() as i64;
        if nodes == 1 {
            return 0;
        }
        self.jobs[heartbeat].random.within(0, nodes - 1) as usize
    }

    /// Where the balancer leads a request that was meant for `node`. It asks each node every second whether
    /// it is ready, and believes the third answer; who refuses a connection is left out at once.
    fn balance(&self, node: usize) -> usize {
        let now = self.agenda.now;
        let count = self.nodes.len();
        let led = (0..count).map(|step| (node + step) % count);
        let well = |node: &usize| {
            let node = &self.nodes[*node];
            node.run.is_some() && node.unready_since.is_none_or(|at| now - at < NOTICED_AFTER)
        };
        let mut led = led.filter(well);
        led.next().unwrap_or(node)
    }

    /// A request reaches a machine, which it first did at `since`.
    pub(super) fn arrive(&mut self, tried: Try, node: usize, since: i64) {
        let node = self.balance(node);
        let machine = &self.nodes[node];
        let heartbeat = self.messages[tried.message].heartbeat;
        let now = self.agenda.now;
        if machine.run.is_none() {
            let stamp = self.axis(node);
            self.truth.fact(now, Some(heartbeat), || {
                format!("signal {} finds nobody at node {node}", tried.message)
            });
            self.lose(tried, stamp.0 - (now - since));
            self.agenda.after(MS, Event::Hear(tried, false));
            return;
        }
        if machine.paused_until > now {
            let resumes = machine.paused_until;
            // A short sleep is bridged by the sender's kernel, which tries again.
            if machine.asleep && resumes - now >= 2_900 * MS {
                let stamp = self.axis(node);
                self.lose(tried, stamp.0);
                return;
            }
            // The kernel takes it; half of those that give up are still read.
            let held = self.jobs[heartbeat].random.within(100, 20 * MS);
            if resumes - now < ANSWER_TIMEOUT || self.jobs[heartbeat].random.chance(0.5) {
                self.agenda
                    .at(resumes + held, Event::Arrive(tried, node, since));
            } else {
                let stamp = self.axis(node);
                self.lose(tried, stamp.0 - (now - since));
            }
            return;
        }
        // A body on its way holds everybody's judgements up for a moment: that is meant.
        if self.jobs[heartbeat].random.chance(0.03) && self.springs(heartbeat) {
            self.announce(tried, node, since);
        } else {
            self.put(node, tried, None, since);
        }
    }

    fn announce(&mut self, tried: Try, node: usize, since: i64) {
        let heartbeat = self.messages[tried.message].heartbeat;
        let span = self.jobs[heartbeat].random.span(MS, 1_900 * MS);
        let reading = self.reading(node);
        let life = self.life(node);
        if let Some(run) = &mut self.nodes[node].run {
            let announced = run.intake.announce(reading);
            self.agenda
                .after(span, Event::Body(tried, life, announced, since));
        }
    }

    /// The body of a request is all there.
    pub(super) fn body(
        &mut self,
        tried: Try,
        life: Life,
        announced: nightbeat_engine::Announced,
        since: i64,
    ) {
        let now = self.agenda.now;
        if !self.lives(life) {
            let stamp = self.axis(life.node);
            self.lose(tried, stamp.0 - (now - since));
            self.agenda.after(MS, Event::Hear(tried, false));
            return;
        }
        let resumes = self.nodes[life.node].paused_until;
        if resumes > now {
            self.agenda
                .at(resumes + MS, Event::Body(tried, life, announced, since));
            return;
        }
        // Held up only by its client's own slowness.
        self.put(life.node, tried, Some(announced), now);
    }

    /// A client hears an answer, or none in time.
    pub(super) fn hear(&mut self, tried: Try, good: bool) {
        let heartbeat = self.messages[tried.message].heartbeat;
        let client = self.jobs[heartbeat].spec.client;
        let now = self.agenda.now;
        let message = &mut self.messages[tried.message];
        if message.done || message.tries != tried.number || message.ended == tried.number {
            return;
        }
        message.ended = tried.number;
        if good || client == Client::Once {
            message.done = true;
            let start = message.kind == SignalKind::Start;
            if !good && start && self.jobs[heartbeat].random.chance(0.5) {
                self.jobs[heartbeat].dies = true;
            }
            return;
        }
        let random = &mut self.jobs[heartbeat].random;
        if message.tries < TRIES_MAX {
            let pause = SECOND << message.tries;
            self.agenda
                .after(random.within(pause / 2, pause), Event::Send(tried.message));
            return;
        }
        if client == Client::Curl || now > message.made_at + 6 * DAY {
            message.done = true;
            return;
        }
        message.late = true;
        let later = random.span(5 * MINUTE, 90 * MINUTE);
        self.outcome.spooled += u64::from(message.tries == TRIES_MAX);
        self.agenda.after(later, Event::Send(tried.message));
    }

    /// A signal as it is stamped.
    pub(super) fn arrival(&self, tried: Try) -> Arrival {
        let message = &self.messages[tried.message];
        let job = &self.jobs[message.heartbeat];
        let mut signal = Signal::new(message.kind, UnixMicros(0));
        signal.rid = message.rid.map(RunId);
        signal.claimed_at = self.claimed_at(tried.message).map(UnixMicros);
        Arrival {
            target: Target::Id(job.id),
            signal,
            nonce: (job.spec.client == Client::Agent).then(|| tried.message.to_string()),
            method: "POST",
            source: String::new(),
            user_agent: String::new(),
            body: None,
            body_bytes: 0,
            mail: None,
        }
    }

    /// The time that a signal says it happened at, by its host's clock.
    fn claimed_at(&self, message: usize) -> Option<i64> {
        let message = &self.messages[message];
        let ahead = self.jobs[message.heartbeat].spec.ahead;
        message.late.then_some(message.made_at + ahead)
    }

    /// A try reached us at `stamp` on the axis, and is lost through our fault.
    pub(crate) fn lose(&mut self, tried: Try, stamp: i64) {
        let message = &self.messages[tried.message];
        let (heartbeat, kind) = (message.heartbeat, message.kind);
        let happened = self
            .claimed_at(tried.message)
            .map_or(stamp, |at| at.min(stamp));
        self.outcome.tries_lost += 1;
        self.truth.lost(heartbeat, kind, stamp, happened);
    }

    /// A heartbeat begins, with its job.
    pub(super) fn add_heartbeat(&mut self, number: usize, spec: Spec) {
        let mut random = self.scenario.random("job", number as u64);
        let id = HeartbeatId(self.scenario.random("heartbeat", number as u64).uuid());
        self.insert_heartbeat(id, &spec);
        let index = self.jobs.len();
        self.numbers.insert(id, index);
        let now = self.agenda.now;
        self.truth.add(id, number, &spec, now);
        let wait = random.within(0, period(&spec.settings.schedule).min(DAY));
        self.jobs.push(Job {
            id,
            spec,
            random,
            gone: false,
            rid: None,
            dies: false,
        });
        self.agenda.after(wait, Event::Job(index));
        let audit = self.jobs[index].random.within(0, MINUTE);
        self.agenda.after(audit, Event::Audit(index));
    }
}
