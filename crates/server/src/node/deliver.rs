//! How an alert leaves: what the engine wants sent is made into a message and given to its channel.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use nightbeat_domain::{AlertSnapshot, UnixMicros};
use nightbeat_engine::{Answer, Claimed, Ending, Finished, LEASE, Send};
use nightbeat_notify::{Catalogue, Content, Message, Notifier};
use nightbeat_store::Store;
use nightbeat_store::outbox::{ClaimedDelivery, DeliveryEnding, FinishedDelivery};
use tokio::sync::mpsc::UnboundedSender;

use super::life::Happened;

/// Sends what was claimed.
#[derive(Debug)]
pub(super) struct Deliver {
    store: Store,
    catalogue: Arc<Catalogue>,
    notifier: Arc<Notifier>,
    public_url: Arc<str>,
    /// What is claimed and not finished, by its number.
    kept: HashMap<i64, Kept>,
}

#[derive(Debug)]
struct Kept {
    claim: i64,
    kind: String,
    fields: BTreeMap<String, String>,
    snapshot: AlertSnapshot,
}

impl Deliver {
    pub(super) fn new(
        store: Store,
        catalogue: Arc<Catalogue>,
        notifier: Arc<Notifier>,
        public_url: Arc<str>,
    ) -> Self {
        Self {
            store,
            catalogue,
            notifier,
            public_url,
            kept: HashMap::new(),
        }
    }

    /// The kinds of channels that get digests.
    pub(super) fn digest_kinds(&self) -> Vec<String> {
        let kinds = self.catalogue.kinds();
        let digests = kinds.filter(|kind| kind.digest_seconds > 0);
        digests.map(|kind| kind.name.clone()).collect()
    }

    /// Keeps the contents of what was claimed; the engine only decides on the order.
    pub(super) fn keep(&mut self, rows: Vec<ClaimedDelivery>, now: UnixMicros) -> Vec<Claimed> {
        rows.into_iter()
            .map(|row| self.keep_one(row, now))
            .collect()
    }

    fn keep_one(&mut self, row: ClaimedDelivery, now: UnixMicros) -> Claimed {
        let claimed = Claimed {
            number: row.number,
            claim: row.claim,
            id: row.id,
            channel: row.channel,
            lane: self.catalogue.lane(&row.kind, &row.fields),
            digest_every: Duration::from_secs(self.catalogue.digest_seconds(&row.kind).into()),
            digest: row.digest,
            attempts: row.attempts,
            created_at: row.created_at,
            lease_until: now + LEASE,
        };
        let kept = Kept {
            claim: row.claim,
            kind: row.kind,
            fields: row.fields,
            snapshot: row.snapshot,
        };
        self.kept.insert(row.number, kept);
        claimed
    }

    /// Sends one message on a task of its own; its end comes back as an event, whatever happens.
    pub(super) fn send(&self, send: &Send, now: UnixMicros, events: UnboundedSender<Happened>) {
        let notifier = Arc::clone(&self.notifier);
        let prepared = self.prepare(send, now);
        let number = send.message;
        tokio::spawn(async move {
            let sending = tokio::spawn(async move {
                match prepared {
                    None => Answer {
                        taken: false,
                        detail: "the delivery is not at hand any more".to_owned(),
                        retry_after: None,
                    },
                    Some((kind, fields, message)) => {
                        answer(notifier.send(&kind, &fields, &message).await)
                    }
                }
            });
            let answer = sending.await.unwrap_or_else(|error| Answer {
                taken: false,
                detail: format!("sending it failed inside of Nightbeat: {error}"),
                retry_after: None,
            });
            let message = number;
            drop(events.send(Happened::Sent { message, answer }));
        });
    }

    fn prepare(
        &self,
        send: &Send,
        now: UnixMicros,
    ) -> Option<(String, BTreeMap<String, String>, Message)> {
        let first = send.deliveries.first()?;
        let kept = self.kept.get(&first.number)?;
        let mut snapshots: Vec<AlertSnapshot> = send
            .deliveries
            .iter()
            .filter_map(|delivery| self.kept.get(&delivery.number))
            .map(|kept| kept.snapshot.clone())
            .collect();
        let together = first.digest || snapshots.len() > 1;
        let content = match snapshots.pop() {
            Some(only) if !together => Content::One(Box::new(only)),
            last => {
                snapshots.extend(last);
                Content::Digest(snapshots)
            }
        };
        let message = Message {
            delivery_id: send.id,
            sent_at: now,
            base_url: self.public_url.to_string(),
            content,
        };
        Some((kept.kind.clone(), kept.fields.clone(), message))
    }

    /// Stores what became of deliveries. What cannot be stored comes back, to be stored later: a message
    /// that was sent and is not marked would be sent again.
    pub(super) fn finish(&mut self, finished: Vec<Finished>, events: UnboundedSender<Happened>) {
        for delivery in &finished {
            let ours = self.kept.get(&delivery.number);
            if ours.is_some_and(|kept| kept.claim == delivery.claim) {
                self.kept.remove(&delivery.number);
            }
        }
        let store = self.store.clone();
        tokio::spawn(async move {
            let rows = finished.iter().map(row).collect();
            let (result, error) = match store.finish(rows).await {
                Ok(()) => (Ok(()), None),
                Err(error) => (Err(finished), Some(error)),
            };
            drop(events.send(Happened::Finished(result, error)));
        });
    }
}

fn answer(result: Result<nightbeat_notify::Sent, nightbeat_notify::SendError>) -> Answer {
    match result {
        Ok(sent) => Answer {
            taken: true,
            detail: sent.detail,
            retry_after: None,
        },
        Err(error) => Answer {
            taken: false,
            detail: error.detail,
            retry_after: error.retry_after,
        },
    }
}

fn row(finished: &Finished) -> FinishedDelivery {
    let ending = match &finished.ending {
        Ending::Sent { detail } => DeliveryEnding::Sent {
            detail: detail.clone(),
        },
        Ending::Failed {
            detail,
            next_try_at,
        } => DeliveryEnding::Failed {
            detail: detail.clone(),
            next_try_at: *next_try_at,
        },
        Ending::Released { next_try_at } => DeliveryEnding::Released {
            next_try_at: *next_try_at,
        },
    };
    FinishedDelivery {
        number: finished.number,
        claim: finished.claim,
        began_at: finished.began_at,
        took: finished.took,
        ending,
    }
}
