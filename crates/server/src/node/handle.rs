//! What requests have of the node.

use std::sync::Arc;

use nightbeat_domain::{Gap, UnixMicros};
use nightbeat_store::{Arrival, Watched};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::intake::{Arriving, Inbound, Intake};
use super::life::entries;
use super::report::{Health, Report};
use super::{Answer, RETRY_AFTER_SECONDS, Told};
use crate::config::Roles;

/// What requests have of the node. Cheap to clone. It outlives the node's lives: between two of them signals
/// are refused, and what it is told is kept for the next one.
#[derive(Debug, Clone)]
pub struct NodeHandle {
    pub(super) intake: Arc<Intake>,
    pub(super) told: UnboundedSender<Told>,
    pub(super) report: Arc<Report>,
    pub(super) roles: Roles,
}

impl NodeHandle {
    /// Records a signal; returns when it is durable, or will not be. Its time of arrival is stamped here.
    pub async fn signal(&self, arrival: Arrival) -> Answer {
        self.put(arrival, None).await
    }

    /// Announces a signal whose body is still on its way: it arrives now, and no deadline after this
    /// instant is judged before it is here.
    pub fn announce(&self) -> Arriving {
        self.intake.announce()
    }

    /// Records a signal that was announced.
    pub async fn announced_signal(&self, arriving: Arriving, arrival: Arrival) -> Answer {
        self.put(arrival, Some(arriving)).await
    }

    async fn put(&self, arrival: Arrival, announced: Option<Arriving>) -> Answer {
        if !self.roles.signals {
            return Answer::NotHere;
        }
        let (answer, answered) = oneshot::channel();
        self.intake.put(Inbound { arrival, answer }, announced);
        answered.await.unwrap_or(Answer::Refused {
            retry_after_seconds: RETRY_AFTER_SECONDS,
        })
    }

    /// A signal may have been refused before it came here: too many connections, no more files.
    pub fn refused(&self) {
        self.intake.refused();
    }

    /// The instant now, on the node's time axis.
    pub fn now(&self) -> UnixMicros {
        self.intake.now()
    }

    /// Whether [`now`](Self::now) says what time it is. One of several nodes learns that as it joins.
    pub fn knows_the_time(&self) -> bool {
        self.intake.knows_the_time()
    }

    /// What the node does.
    pub fn roles(&self) -> Roles {
        self.roles
    }

    /// Look at these heartbeats then: after people's changes.
    pub fn watch(&self, watched: Vec<Watched>) {
        self.tell(Told::Filed(entries(watched)));
    }

    /// Deliveries were queued.
    pub fn deliveries_queued(&self) {
        self.tell(Told::Queued);
    }

    /// A person's change was stored: pages that show it look again.
    pub fn has_stored(&self) {
        self.report.has_stored();
    }

    /// How often this node has stored something about a heartbeat. While it is the same number, nothing has
    /// changed by this node.
    pub fn stored(&self) -> u64 {
        self.report.stored()
    }

    /// Signals could not be received in this stretch, as an operator says.
    pub fn declare_gap(&self, gap: Gap) {
        self.tell(Told::Gap(gap));
    }

    /// The database was looked over: this is damaged in it, or nothing.
    pub fn database_looked_over(&self, damage: Option<String>) {
        self.report.looked_over(damage);
    }

    /// The server is about to stop: it is not ready from now on, and takes what comes all the same.
    pub fn is_to_stop(&self) {
        self.report.stopping();
    }

    /// How the node is.
    pub fn health(&self) -> Health {
        self.report.health(self.now(), self.intake.is_ready())
    }

    /// Whether enough is left of the node's lease for the others to notice when it dies.
    pub(crate) fn is_ready(&self) -> bool {
        self.intake.is_ready()
    }

    fn tell(&self, told: Told) {
        // A node that has ended says so itself; what is stored is found at the next start.
        drop(self.told.send(told));
    }
}
