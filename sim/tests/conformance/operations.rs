//! What is done to every store, and in what order: random, but aimed at the places where mistakes are made
//! (a signal at its deadline, a claim that is not the last one, an id that existed before).

use std::collections::BTreeMap;
use std::time::Duration;

use nightbeat_domain::{
    BrokenRule, ChannelId, DeliveryId, Gap, GapKind, HeartbeatId, IgnoredBecause, Keywords, Metric,
    Otherwise, ProjectId, RunId, Schedule, Settings, Severity, Signal, SignalKind, State,
    UnixMicros,
};
use nightbeat_evidence::{Evidence, Reading, Tool};
use nightbeat_sim::model::Model;
use nightbeat_store::control::Routing;
use nightbeat_store::control::channels::Channel;
use nightbeat_store::control::heartbeats::Details;
use nightbeat_store::control::maintenance::Window;
use nightbeat_store::control::projects::Project;
use nightbeat_store::hot::{Elapse, Record};
use nightbeat_store::outbox::{Claim, DeliveryEnding};
use nightbeat_store::people::Step;
use nightbeat_store::{Arrival, NewHeartbeat, Target};
use uuid::Uuid;

use crate::random::Random;

/// One call of a store.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Record(Record),
    Elapse(Elapse),
    Claim(Claim),
    Finish(Vec<Ended>),
    WatchList,
    Overdue(UnixMicros),
    CreateProject(Project),
    UpdateProject(ProjectId, String, Option<ChannelId>),
    InsertChannel(ProjectId, Channel),
    DeleteChannel(ProjectId, ChannelId),
    InsertHeartbeat(ProjectId, Box<NewOne>),
    UpdateHeartbeat(ProjectId, HeartbeatId, Details),
    Step(ProjectId, HeartbeatId, Step, UnixMicros),
    DeleteHeartbeat(ProjectId, HeartbeatId, UnixMicros),
    InsertWindow(ProjectId, Window),
    DeleteWindow(ProjectId, Uuid),
    /// The server ends, however it ends, and another begins.
    Reopen,
}

#[derive(Debug, Clone)]
pub(crate) struct NewOne {
    pub(crate) id: HeartbeatId,
    pub(crate) details: Details,
    pub(crate) settings: Settings,
    pub(crate) state: State,
    pub(crate) created_at: UnixMicros,
}

/// A claimed delivery that came to its end. Each store has its own number for it.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) id: DeliveryId,
    pub(crate) claim: i64,
    pub(crate) began_at: UnixMicros,
    pub(crate) took: Duration,
    pub(crate) ending: DeliveryEnding,
}

const PROJECTS: u128 = 2;
const CHANNELS: u128 = 5;
const HEARTBEATS: usize = 7;
const SLUGS: [&str; 4] = ["backup", "dump", "sync", "report"];

pub(crate) fn project(number: u128) -> ProjectId {
    ProjectId(Uuid::from_u128(0xA0_0000 + number))
}

fn channel(number: u128) -> ChannelId {
    ChannelId(Uuid::from_u128(0xC0_0000 + number))
}

/// Ids are random, so that one that was removed never comes again: the next of its number has another.
fn heartbeat(number: usize, life: u128) -> HeartbeatId {
    HeartbeatId(Uuid::from_u128(0xB0_0000 + number as u128 + 0x100 * life))
}

pub(crate) struct Generator {
    random: Random,
    now: UnixMicros,
    windows: u128,
    /// What the last claims gave out.
    claimed: Vec<(DeliveryId, i64)>,
    gaps: Vec<Gap>,
    /// Which of its number each heartbeat is.
    lives: [u128; HEARTBEATS],
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            now: UnixMicros::from_seconds(1_700_000_000 + (seed as i64 % 1_000) * 40_000),
            windows: 0,
            claimed: Vec::new(),
            gaps: Vec::new(),
            lives: [0; HEARTBEATS],
        }
    }

    /// What there is at the beginning.
    pub(crate) fn first(&mut self) -> Vec<Operation> {
        let mut first = Vec::new();
        for number in 0..PROJECTS {
            first.push(Operation::CreateProject(Project {
                id: project(number),
                name: format!("project {number}"),
                ping_key: format!("key-{number}"),
                fallback_channel: None,
                created_at: self.now,
            }));
        }
        for number in 0..3 {
            let home = project(u128::from(number == 2));
            first.push(Operation::InsertChannel(home, self.channel(number)));
        }
        first.push(Operation::UpdateProject(
            project(0),
            "helped".to_owned(),
            Some(channel(0)),
        ));
        for number in 0..4 {
            let home = project(u128::from(number == 3));
            let new = self.new_heartbeat(heartbeat(number, 0));
            first.push(Operation::InsertHeartbeat(home, new));
        }
        first
    }

    pub(crate) fn remember(&mut self, claimed: impl IntoIterator<Item = (DeliveryId, i64)>) {
        self.claimed.extend(claimed);
        let old = self.claimed.len().saturating_sub(12);
        self.claimed.drain(..old);
    }

    pub(crate) fn next(&mut self, model: &Model) -> Operation {
        self.pass_time(model);
        let home = project(self.random.below(PROJECTS as u64).into());
        let id = self.heartbeat();
        match self.random.below(100) {
            0..34 => Operation::Record(self.record(model)),
            34..54 => Operation::Elapse(self.elapse(model)),
            54..63 => Operation::Claim(self.claim()),
            63..70 => Operation::Finish(self.finish()),
            70..80 => {
                let home = self.home_of(model, id, home);
                Operation::Step(home, id, self.step(model, id), self.now)
            }
            80..84 => Operation::InsertHeartbeat(home, self.new_heartbeat(id)),
            84..86 => {
                let home = self.home_of(model, id, home);
                if model.project_of(id) == Some(home) {
                    let number = (id.0.as_u128() & 0xFF) as usize;
                    self.lives[number] += 1;
                }
                Operation::DeleteHeartbeat(home, id, self.now)
            }
            86..88 => {
                let home = self.home_of(model, id, home);
                Operation::UpdateHeartbeat(home, id, self.details())
            }
            88..90 => {
                let number = self.random.below(CHANNELS as u64).into();
                Operation::InsertChannel(home, self.channel(number))
            }
            90 => {
                let number = self.random.below(CHANNELS as u64).into();
                Operation::DeleteChannel(home, channel(number))
            }
            91 => {
                let number = self.random.below(CHANNELS as u64).into();
                let fallback = self.random.percent(80).then(|| channel(number));
                Operation::UpdateProject(home, "renamed".to_owned(), fallback)
            }
            92..94 => Operation::InsertWindow(home, self.window()),
            94 => {
                let number = u128::from(self.random.below(self.windows as u64 + 1));
                Operation::DeleteWindow(home, Uuid::from_u128(0xD0_0000 + number))
            }
            95 => Operation::WatchList,
            96 => Operation::Overdue(self.now),
            97 => Operation::Record(Record {
                arrivals: Vec::new(),
                watermark: UnixMicros::MIN,
                gaps: self.gaps(),
                now: self.now,
            }),
            _ => Operation::Reopen,
        }
    }

    fn heartbeat(&mut self) -> HeartbeatId {
        let number = self.random.below(HEARTBEATS as u64) as usize;
        heartbeat(number, self.lives[number])
    }

    /// A heartbeat, or at times one that was removed.
    fn known_heartbeat(&mut self) -> HeartbeatId {
        let number = self.random.below(HEARTBEATS as u64) as usize;
        let life = self.lives[number];
        let before = u128::from(self.random.percent(10));
        heartbeat(number, life.saturating_sub(before))
    }

    /// Mostly the project in which it lives.
    fn home_of(&mut self, model: &Model, id: HeartbeatId, other: ProjectId) -> ProjectId {
        if self.random.percent(5) {
            return other;
        }
        model.project_of(id).unwrap_or(other)
    }

    /// When somebody is to be looked at next.
    fn some_wake(&mut self, model: &Model) -> Option<UnixMicros> {
        let id = self.heartbeat();
        let wake_at = model.state(id)?.wake_at?;
        let beside = self.random.below(4) as i64 - 2;
        Some(UnixMicros(wake_at.0.saturating_add(beside)))
    }

    fn pass_time(&mut self, model: &Model) {
        let micros = match self.random.below(20) {
            0..4 => 0,
            4..8 => self.random.below(1_000_000),
            8..12 => self.random.below(120 * 1_000_000),
            12..14 => self.random.below(3_600 * 1_000_000),
            14 => self.random.below(2 * 86_400 * 1_000_000),
            _ => {
                let wake = self.some_wake(model).unwrap_or(self.now);
                let near = wake.since(self.now) < Duration::from_secs(3 * 86_400);
                self.now = if near { self.now.max(wake) } else { self.now };
                0
            }
        };
        self.now = self.now + Duration::from_micros(micros);
    }

    fn earlier(&mut self, micros: u64) -> UnixMicros {
        self.now - Duration::from_micros(self.random.below(micros))
    }

    fn gaps(&mut self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        while self.random.percent(12) {
            if self.random.percent(20) && !self.gaps.is_empty() {
                gaps.push(self.random.pick(&self.gaps));
                continue;
            }
            let span = self
                .random
                .pick(&[1, 2_000_000, 600_000_000, 90_000_000_000]);
            let (one, other) = (self.earlier(span), self.earlier(span));
            let kind = self.random.pick(&[
                GapKind::Stopped,
                GapKind::Storage,
                GapKind::Refused,
                GapKind::Suspended,
            ]);
            let reversed = self.random.percent(5);
            let (from, to) = if (one <= other) == reversed {
                (other, one)
            } else {
                (one, other)
            };
            gaps.push(Gap { from, to, kind });
        }
        self.gaps.extend(&gaps);
        gaps
    }

    fn record(&mut self, model: &Model) -> Record {
        let count = match self.random.below(20) {
            0 => 0,
            1 => 12,
            2..5 => 4,
            _ => 1,
        };
        let mut arrivals: Vec<Arrival> = (0..count).map(|_| self.arrival(model)).collect();
        if self.random.percent(80) {
            arrivals.sort_by_key(|arrival| arrival.signal.received_at);
        }
        let newest = arrivals.iter().map(|it| it.signal.received_at).max();
        let watermark = match self.random.below(10) {
            0 => UnixMicros::MIN,
            1 => self.earlier(5_000_000),
            2..5 => newest.unwrap_or(self.now),
            _ => self.now,
        };
        Record {
            arrivals,
            watermark,
            gaps: self.gaps(),
            now: self.now,
        }
    }

    fn arrival(&mut self, model: &Model) -> Arrival {
        let target = if self.random.percent(80) {
            Target::Id(self.known_heartbeat())
        } else {
            Target::Slug {
                ping_key: format!("key-{}", self.random.below(3)),
                slug: self.random.pick(&SLUGS).to_owned(),
                create: self.random.percent(40).then(|| {
                    Box::new(NewHeartbeat {
                        id: self.heartbeat(),
                        settings: self.settings(),
                    })
                }),
            }
        };
        let received_at = match self.random.below(10) {
            0..3 => self.now,
            3..6 => self.some_wake(model).unwrap_or(self.now).min(self.now),
            _ => self.earlier(30_000_000),
        };
        let body = self.random.percent(10).then(|| {
            let bodies: [&[u8]; 4] = [
                b"",
                b"copied 12 files\nok\n",
                b"\xff\xfe cut",
                &[b'x'; 3_000],
            ];
            self.random.pick(&bodies).to_vec()
        });
        Arrival {
            target,
            signal: self.signal(received_at),
            nonce: self
                .random
                .percent(15)
                .then(|| format!("n{}", self.random.below(5))),
            method: self.random.pick(&["GET", "HEAD", "POST", "PUT"]),
            source: "192.0.2.7".to_owned(),
            user_agent: "curl/8".to_owned(),
            body_bytes: body.as_ref().map_or(0, |body| body.len() as u64 + 1),
            mail: None,
            body,
        }
    }

    fn signal(&mut self, received_at: UnixMicros) -> Signal {
        let kind = self.random.pick(&[
            SignalKind::Success,
            SignalKind::Success,
            SignalKind::Success,
            SignalKind::Start,
            SignalKind::Start,
            SignalKind::Fail,
            SignalKind::Log,
        ]);
        let mut signal = Signal::new(kind, received_at);
        if self.random.percent(35) {
            let number = u128::from(self.random.below(4));
            signal.rid = Some(RunId(Uuid::from_u128(0xE0_0000 + number)));
        }
        if self.random.percent(15) {
            let late = self.random.below(9 * 86_400 * 1_000_000) as i64 - 10_000_000;
            signal.claimed_at = Some(UnixMicros(received_at.0 - late));
        }
        if kind == SignalKind::Fail && self.random.percent(50) {
            signal.exit_code = Some(self.random.pick(&[1, 3]));
        }
        if self.random.percent(8) {
            signal.broken_rules.push(BrokenRule {
                rule: "files_total > 0".to_owned(),
                severity: self.random.pick(&[Severity::Warning, Severity::Failure]),
                explanation: "0, usually 12".to_owned(),
            });
        }
        if self.random.percent(15) {
            signal.reading = Some(Box::new(self.reading()));
        }
        if self.random.percent(4) {
            signal.ignored = Some(IgnoredBecause::Previewer);
        }
        if self.random.percent(5) {
            let values = [Metric::new("rows", 12.5), Metric::new("rows", 13.0)];
            signal.metrics.extend(values.into_iter().flatten());
        }
        signal
    }

    /// What a nightly copy says, now and then of an empty source.
    fn reading(&mut self) -> Reading {
        let mut evidence = Evidence::new(Tool::Rsync);
        evidence.files_total = Some(self.random.pick(&[0, 40, 100, 110, 120, 130]));
        evidence.bytes_total = evidence.files_total.map(|files| files * 1_000);
        evidence.deletes = Some(self.random.pick(&[0, 0, 1, 90]));
        Reading {
            evidence: vec![evidence],
            ..Reading::default()
        }
    }

    fn elapse(&mut self, model: &Model) -> Elapse {
        let mut heartbeats: Vec<HeartbeatId> = (0..HEARTBEATS)
            .map(|it| heartbeat(it, self.lives[it]))
            .collect();
        let share = self.random.pick(&[20, 60, 100]);
        heartbeats.retain(|_| self.random.percent(share));
        let asof = match self.random.below(10) {
            0 => self.earlier(60_000_000),
            1..4 => self.some_wake(model).unwrap_or(self.now).min(self.now),
            _ => self.now,
        };
        Elapse {
            heartbeats,
            asof,
            gaps: self.gaps(),
            now: self.now,
        }
    }

    fn claim(&mut self) -> Claim {
        let skip = self.random.percent(15);
        let number = self.random.below(CHANNELS as u64).into();
        Claim {
            now: self.now,
            lease_until: self.now + Duration::from_secs(120),
            per_channel: self.random.pick(&[1, 2, 500]),
            skip: skip.then(|| channel(number)).into_iter().collect(),
            digest_kinds: self
                .random
                .pick(&[&[][..], &["email"]])
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }

    fn finish(&mut self) -> Vec<Ended> {
        let mut ended = Vec::new();
        for (id, claim) in self.claimed.clone() {
            if self.random.percent(50) {
                continue;
            }
            let soon = self.now + Duration::from_secs(self.random.below(60));
            let ending = match self.random.below(5) {
                0 | 1 => DeliveryEnding::Sent {
                    detail: "200 OK".to_owned(),
                },
                2 => DeliveryEnding::Failed {
                    detail: "500".to_owned(),
                    next_try_at: None,
                },
                3 => DeliveryEnding::Failed {
                    detail: "timed out".to_owned(),
                    next_try_at: Some(soon),
                },
                _ => DeliveryEnding::Released { next_try_at: soon },
            };
            ended.push(Ended {
                id,
                claim: claim - i64::from(self.random.percent(10)),
                began_at: self.earlier(2_000_000),
                took: Duration::from_micros(self.random.below(900_000)),
                ending,
            });
        }
        ended
    }

    fn step(&mut self, model: &Model, id: HeartbeatId) -> Step {
        match self.random.below(8) {
            0 | 1 => Step::Edit(self.settings()),
            2 => {
                let same = model.settings(id).map(|settings| Settings::clone(settings));
                Step::Edit(same.unwrap_or_else(|| self.settings()))
            }
            3 => Step::Pause,
            4 => Step::Resume,
            5 => Step::Acknowledge,
            _ => Step::Snooze(self.now + Duration::from_secs(self.random.below(7_200))),
        }
    }

    fn settings(&mut self) -> Settings {
        let schedule = match self.random.below(6) {
            0 | 1 => Schedule::every_seconds(60),
            2 => Schedule::every_seconds(3_600),
            3 => Schedule::every_seconds(86_400),
            4 => Schedule::cron("30 3 * * *", "Europe/Madrid"),
            _ => Schedule::cron("*/10 * * * *", "UTC"),
        };
        let mut settings = Settings::new(schedule.unwrap());
        settings.grace = Duration::from_secs(self.random.pick(&[1, 30, 300, 3_600]));
        if self.random.percent(25) {
            settings.max_run_time = Some(Duration::from_secs(self.random.pick(&[60, 1_800])));
        }
        settings.failure_threshold = self.random.pick(&[1, 1, 1, 2, 3]);
        settings.recovery_threshold = self.random.pick(&[1, 1, 1, 2]);
        if self.random.percent(30) {
            settings.warning_codes = vec![3];
        }
        settings.manual_resume = self.random.percent(30);
        settings.remind_never_started = self.random.percent(70);
        if self.random.percent(30) {
            settings.repeat_after = Some(Duration::from_secs(600));
        }
        settings.post_only = self.random.percent(10);
        if self.random.percent(10) {
            settings.keywords = Some(Box::new(self.keywords()));
        }
        if self.random.percent(10) {
            settings.rules = vec!["files_total >= 50% of median(5)".to_owned()];
        }
        settings
    }

    fn keywords(&mut self) -> Keywords {
        let word = |word: &str| vec![word.to_owned()];
        Keywords {
            start: word("xx"),
            success: word("files"),
            failure: word("cut"),
            in_body: self.random.percent(80),
            otherwise: self.random.pick(&[Otherwise::Ignore, Otherwise::Fail]),
            ..Keywords::default()
        }
    }

    fn details(&mut self) -> Details {
        let slug = self.random.pick(&SLUGS).to_owned();
        let mut chosen: Vec<ChannelId> = (0..CHANNELS).map(channel).collect();
        chosen.retain(|_| self.random.percent(25));
        Details {
            name: format!("Nightly {slug}"),
            slug,
            description: String::new(),
            tags: vec!["prod".to_owned()],
            channels: if self.random.percent(40) {
                Routing::All
            } else {
                Routing::Only(chosen)
            },
        }
    }

    fn new_heartbeat(&mut self, id: HeartbeatId) -> Box<NewOne> {
        let settings = self.settings();
        Box::new(NewOne {
            id,
            details: self.details(),
            state: State::new(&settings, self.now),
            settings,
            created_at: self.now,
        })
    }

    fn channel(&mut self, number: u128) -> Channel {
        let kind = if number.is_multiple_of(2) {
            "webhook"
        } else {
            "email"
        };
        Channel {
            id: channel(number),
            name: format!("channel {}", self.random.below(6)),
            kind: kind.to_owned(),
            fields: BTreeMap::from([("url".to_owned(), format!("https://example.org/{number}"))]),
            created_at: self.now,
            version: 1,
        }
    }

    fn window(&mut self) -> Window {
        let new = self.random.percent(90);
        self.windows += u128::from(new);
        let from = if self.random.percent(50) {
            self.earlier(3_600_000_000)
        } else {
            self.now + Duration::from_secs(self.random.below(86_400))
        };
        Window {
            id: Uuid::from_u128(0xD0_0000 + self.windows),
            from,
            to: from + Duration::from_secs(1 + self.random.below(20_000)),
            note: String::new(),
            created_at: self.now,
        }
    }
}
