//! A node whose commands are carried out by hand.

use std::time::Duration;

use nightbeat_domain::{Gap, GapKind, HeartbeatId, UnixMicros};
use nightbeat_engine::{Command, Engine, Event, Failed, Limits, Written};
use uuid::Uuid;

pub(crate) const MICROSECOND: Duration = Duration::from_micros(1);

pub(crate) fn at(seconds: i64) -> UnixMicros {
    UnixMicros::from_seconds(seconds)
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn beat(number: u128) -> HeartbeatId {
    HeartbeatId(Uuid::from_u128(number))
}

pub(crate) fn gap(from: i64, to: i64, kind: GapKind) -> Gap {
    Gap {
        from: at(from),
        to: at(to),
        kind,
    }
}

/// A signal is only a number here.
pub(crate) struct Node {
    pub(crate) engine: Engine<u32>,
}

impl Node {
    /// A node that began at `now`, and has told the store that it is alive.
    pub(crate) fn new(now: UnixMicros) -> Self {
        Self {
            engine: Engine::new(Limits::default(), now),
        }
    }

    pub(crate) fn tell(&mut self, now: UnixMicros, event: Event<u32>) -> Vec<Command<u32>> {
        let mut commands = Vec::new();
        self.engine.step(now, event, &mut commands);
        commands
    }

    pub(crate) fn signal(&mut self, now: UnixMicros, arrival: u32) -> Vec<Command<u32>> {
        self.tell(now, Event::Received { arrival, bytes: 0 })
    }

    /// One turn of the loop; deliveries are no business of these tests.
    pub(crate) fn turn(&mut self, now: UnixMicros) -> Vec<Command<u32>> {
        let watermark = now - MICROSECOND;
        let mut commands = self.tell(now, Event::Tick { watermark });
        self.engine.work(now, &mut commands);
        commands.retain(|command| !matches!(command, Command::Claim { .. }));
        commands
    }

    pub(crate) fn recorded(&mut self, now: UnixMicros, batch: u64, stored: bool) {
        let result = if stored {
            Ok(Written::default())
        } else {
            Err(Failed)
        };
        self.tell(now, Event::Recorded { batch, result });
    }

    pub(crate) fn elapsed(
        &mut self,
        now: UnixMicros,
        heartbeats: Vec<HeartbeatId>,
        result: Result<Vec<(HeartbeatId, UnixMicros)>, Failed>,
    ) {
        let result = result.map(|watched| Written {
            watched,
            deliveries: false,
        });
        self.tell(now, Event::Elapsed { heartbeats, result });
    }
}

/// The one batch among these commands.
pub(crate) fn batch(commands: &[Command<u32>]) -> (u64, Vec<u32>, Vec<Gap>) {
    let mut batches = commands.iter().filter_map(|command| match command {
        Command::Record {
            batch,
            arrivals,
            gaps,
            ..
        } => Some((*batch, arrivals.clone(), gaps.clone())),
        _ => None,
    });
    let first = batches.next().expect("no batch");
    assert!(batches.next().is_none(), "several batches");
    first
}

/// The one judgement among these commands: of whom, up to when, with which gaps.
pub(crate) fn judgement(commands: &[Command<u32>]) -> (Vec<HeartbeatId>, UnixMicros, Vec<Gap>) {
    let mut found = commands.iter().filter_map(|command| match command {
        Command::Elapse {
            heartbeats,
            asof,
            gaps,
        } => Some((heartbeats.clone(), *asof, gaps.clone())),
        _ => None,
    });
    let first = found.next().expect("no judgement");
    assert!(found.next().is_none(), "several judgements");
    first
}
