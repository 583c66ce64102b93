//! What the engine wants done.

use nightbeat_domain::{ChannelId, Gap, HeartbeatId, UnixMicros};
use nightbeat_engine::{self as engine, Command};
use nightbeat_store::Target;
use nightbeat_store::hot::{Elapse, Record};

use super::{Answer, Happened, Inbound, Life, Round, Targets};
use crate::node::RETRY_AFTER_SECONDS;

impl Life {
    pub(super) fn execute(&mut self, now: UnixMicros, commands: Vec<Command<Inbound>>) {
        for command in commands {
            match command {
                Command::Record {
                    batch,
                    arrivals,
                    watermark,
                    gaps,
                } => self.record(now, batch, arrivals, watermark, gaps),
                Command::Answer { batch, durable } => self.to_answer.push((batch, durable)),
                Command::Refuse(inbound) => inbound.answer(Answer::Refused {
                    retry_after_seconds: RETRY_AFTER_SECONDS,
                }),
                Command::Elapse {
                    heartbeats,
                    asof,
                    gaps,
                } => self.elapse(heartbeats, asof, gaps),
                Command::Claim { skip } => self.claim(now, skip),
                Command::Send(send) => {
                    let events = self.events.clone();
                    self.deliver.send(&send, now, events);
                }
                Command::Finish(finished) => {
                    self.deliver.finish(finished, self.events.clone());
                }
            }
        }
    }

    fn record(
        &mut self,
        now: UnixMicros,
        batch: u64,
        mut inbound: Vec<Inbound>,
        watermark: UnixMicros,
        gaps: Vec<Gap>,
    ) {
        // One that was announced may stand behind others that came after it.
        inbound.sort_by_key(|inbound| inbound.arrival.signal.received_at);
        let (arrivals, answers): (Vec<_>, Vec<_>) = inbound
            .into_iter()
            .map(|inbound| (inbound.arrival, inbound.answer))
            .unzip();
        self.answers.insert(batch, answers);
        let targets = arrivals.iter().filter_map(|arrival| match arrival.target {
            Target::Id(id) => Some(id),
            Target::Slug { .. } => None,
        });
        let targets: Vec<HeartbeatId> = targets.collect();
        let by_slug = targets.len() < arrivals.len();
        self.targets.insert(
            batch,
            Targets {
                ids: targets,
                by_slug,
            },
        );
        let asked = self.kit.intake.read();
        let writing = self.kit.store.record(Record {
            arrivals,
            watermark,
            gaps,
            // A signal that came later may still be on its way here: a crash would lose it unseen.
            now: watermark,
        });
        let (kit, events) = (self.kit.clone(), self.events.clone());
        tokio::spawn(async move {
            let result = writing.await;
            let answered = kit.intake.read();
            drop(events.send(Happened::Recorded {
                batch,
                began_at: now,
                round: Round { asked, answered },
                result,
            }));
        });
    }

    fn elapse(&self, heartbeats: Vec<HeartbeatId>, asof: UnixMicros, gaps: Vec<Gap>) {
        let asked = self.kit.intake.read();
        let judging = self.kit.store.elapse(Elapse {
            heartbeats: heartbeats.clone(),
            asof,
            gaps,
            now: asof,
        });
        let (kit, events) = (self.kit.clone(), self.events.clone());
        tokio::spawn(async move {
            let result = judging.await;
            let answered = kit.intake.read();
            drop(events.send(Happened::Elapsed {
                heartbeats,
                round: Round { asked, answered },
                result,
            }));
        });
    }

    fn claim(&self, now: UnixMicros, skip: Vec<ChannelId>) {
        let events = self.events.clone();
        if !self.kit.roles.deliver {
            drop(events.send(Happened::Claimed(Ok(Vec::new()))));
            return;
        }
        let wish = nightbeat_store::outbox::Claim {
            now,
            lease_until: now + engine::LEASE,
            per_channel: engine::CLAIM_PER_CHANNEL,
            skip,
            digest_kinds: self.deliver.digest_kinds(),
        };
        let store = self.kit.store.clone();
        tokio::spawn(async move {
            let result = store.claim(wish).await;
            drop(events.send(Happened::Claimed(result)));
        });
    }

    pub(super) fn answer(&mut self, batch: u64, durable: bool) {
        let answers = self.answers.remove(&batch).unwrap_or_default();
        let mut recorded = self.recorded.remove(&batch).unwrap_or_default().into_iter();
        for answer in answers {
            let outcome = match recorded.next() {
                Some(recorded) if durable => Answer::Stored(recorded),
                _ => Answer::Refused {
                    retry_after_seconds: RETRY_AFTER_SECONDS,
                },
            };
            // The client may have gone away.
            let _ = answer.send(outcome);
        }
    }
}
