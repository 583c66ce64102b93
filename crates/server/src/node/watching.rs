//! When a life reads what is to be watched.
//!
//! Alone, once. Of several nodes, again each time that a node came or went: what only that one had been told
//! to watch earlier is watched by the others from then on.

use std::time::Duration;

use nightbeat_domain::{HeartbeatId, UnixMicros};
use nightbeat_store::{Store, Watched};
use tokio::sync::mpsc::UnboundedSender;

use super::life::Happened;
use crate::zones;

/// The pause after a reading that failed.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Which lives of nodes the list that is watched takes into account.
#[derive(Debug, Default)]
pub(super) struct Watching {
    /// As the last transaction saw it.
    wanted: Option<u64>,
    /// Of the list that is being read.
    reading: Option<u64>,
    /// The list was read once.
    has_begun: bool,
}

impl Watching {
    /// A transaction saw this generation; the one to read the list for, if it has to be read now.
    pub(super) fn saw(&mut self, generation: u64) -> Option<u64> {
        let changed = self.wanted.replace(generation) != Some(generation);
        if !changed || self.reading.is_some() {
            return None;
        }
        self.reading = Some(generation);
        self.reading
    }

    /// The list was read; the generation to read it again for, if there is another by now.
    pub(super) fn has_read(&mut self) -> Option<u64> {
        self.has_begun = true;
        let read = self.reading.take();
        if read == self.wanted {
            return None;
        }
        self.reading = self.wanted;
        self.reading
    }

    /// Whether nothing was read yet.
    pub(super) fn is_first(&self) -> bool {
        !self.has_begun
    }
}

/// Reads the list, until it is read or nobody waits for it any more. `first`: brings what is expected in
/// line with the rules of time zones before.
pub(super) async fn read(
    store: Store,
    first: bool,
    now: UnixMicros,
    events: UnboundedSender<Happened>,
) {
    if first {
        follow_zones(&store, now).await;
    }
    loop {
        match store.watch_list().await {
            Ok(watched) => return drop(events.send(Happened::Listed(watched))),
            Err(error) => tracing::warn!(%error, "cannot read what is to be watched; tried again"),
        }
        tokio::select! {
            () = tokio::time::sleep(READ_AGAIN_AFTER) => {}
            () = events.closed() => return,
        }
    }
}

/// Hands over to other nodes what this one does not watch, until it is stored or this life is over: then the
/// others read what is to be watched anew.
pub(super) async fn hand_over(
    store: Store,
    entries: Vec<(HeartbeatId, UnixMicros)>,
    events: UnboundedSender<Happened>,
) {
    let looks: Vec<Watched> = entries
        .into_iter()
        .map(|(heartbeat, at)| Watched {
            heartbeat,
            wake_at: Some(at),
        })
        .collect();
    while let Err(error) = store.hand_over(&looks).await {
        tracing::warn!(%error, "cannot hand over what is to be watched; tried again");
        tokio::select! {
            () = tokio::time::sleep(READ_AGAIN_AFTER) => {}
            () = events.closed() => return,
        }
    }
}

/// Brings what is expected in line with the present rules of time zones.
pub(super) async fn follow_zones(store: &Store, now: UnixMicros) {
    if let Err(error) = zones::follow(store, now).await {
        // What was promised before still holds; the next start tries again.
        tracing::error!(%error, "time zones with new rules could not be followed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_for_each_generation_one_at_a_time_and_never_for_an_old_one() {
        let mut watching = Watching::default();
        assert!(watching.is_first());
        assert_eq!(watching.saw(3), Some(3), "at first");
        assert_eq!(watching.saw(3), None);
        assert_eq!(watching.saw(4), None, "one is under way");
        assert_eq!(watching.saw(5), None);
        assert_eq!(watching.has_read(), Some(5), "it may not know of that");
        assert!(!watching.is_first());
        assert_eq!(watching.saw(5), None);
        assert_eq!(watching.has_read(), None);
        assert_eq!(watching.saw(5), None);
        assert_eq!(watching.saw(6), Some(6));
    }
}
