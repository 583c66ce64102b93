//! A bound on what the bodies of all connections together may hold in memory: the caps on connections and
//! on one body, multiplied, would be gigabytes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many bytes, shared by all; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Arc<Semaphore>);

/// Bytes taken out of a [`Budget`]; they go back when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Held(Option<OwnedSemaphorePermit>);

impl Budget {
    /// A budget of `bytes`.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Takes `bytes` more for `held`; `false` and nothing taken where they are not left. Never waits: who
    /// sends slowly must not make others queue.
    pub(crate) fn take(&self, held: &mut Held, bytes: usize) -> bool {
        let wanted = u32::try_from(bytes).ok();
        let taken = wanted.and_then(|bytes| Arc::clone(&self.0).try_acquire_many_owned(bytes).ok());
        match (taken, held.0.as_mut()) {
            (None, _) => return false,
            (Some(taken), Some(known)) => known.merge(taken),
            (taken, None) => held.0 = taken,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_missing_to_others_until_it_is_dropped() {
        let budget = Budget::new(10);
        let (mut one, mut other) = (Held::default(), Held::default());
        assert!(budget.take(&mut one, 4));
        assert!(budget.take(&mut one, 4));
        assert!(!budget.take(&mut other, 3));
        assert!(budget.take(&mut other, 2));
        drop(one);
        assert!(budget.take(&mut other, 8));
        assert!(!budget.take(&mut other, 1));
        assert!(!budget.take(&mut other, usize::MAX));
    }
}
