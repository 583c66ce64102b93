//! How a life ends in order: what waits is written down, and the other nodes are told.

use std::time::Duration;

use nightbeat_domain::{Gap, GapKind};
use tokio::sync::mpsc::UnboundedReceiver;

use super::Life;
use crate::node::Told;

/// How long the node may take to write down what it has when the server stops.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// How long it may then take to say that it leaves.
const LEAVE_TIME: Duration = Duration::from_secs(5);

impl Life {
    /// Writes down what waits, with an end; then leaves the other nodes.
    pub(super) async fn drain(&mut self, told: &mut UnboundedReceiver<Told>) {
        self.kit.intake.close();
        self.engine.stop();
        let end = tokio::time::Instant::now() + DRAIN_TIME;
        loop {
            self.turn(told);
            if self.end.is_some() {
                return;
            }
            if self.engine.is_drained() {
                break;
            }
            let happened = tokio::time::timeout_at(end, self.happened.recv()).await;
            let Ok(Some(event)) = happened else {
                tracing::warn!("some messages were still on their way; they are sent again");
                break;
            };
            self.take_in(event);
        }
        if self.kit.store.is_shared() {
            self.leave().await;
        }
    }

    /// Tells the other nodes that this one is gone, so that nobody takes it for lost: nothing is a gap.
    async fn leave(&mut self) {
        let taken = self.kit.intake.take();
        if !self.answers.is_empty() || self.engine.health(taken.now).inbox_signals > 0 {
            tracing::warn!(
                "signals could not be stored in time: the others take this node for lost"
            );
            return;
        }
        // What came after the intake was closed, and what was kept back.
        let all_is_stored = !taken.refused
            && taken.signals.is_empty()
            && taken.watermark >= taken.now - Duration::from_micros(1);
        let refused = (!all_is_stored).then(|| Gap {
            from: self.watermark.min(taken.watermark),
            to: taken.now + Duration::from_micros(1),
            kind: GapKind::Refused,
        });
        let leaving = self
            .kit
            .store
            .leave(refused.into_iter().collect(), taken.now);
        match tokio::time::timeout(LEAVE_TIME, leaving).await {
            Ok(Ok(())) => tracing::info!("left: the other nodes, if there are any, go on"),
            Ok(Err(error)) => tracing::warn!(%error, "cannot leave: the others take it for lost"),
            Err(_) => tracing::warn!("cannot leave in time: the others take it for lost"),
        }
    }
}
