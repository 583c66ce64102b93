//! What handlers work with, and how they reach the store.

use std::sync::Arc;

use nightbeat_domain::UnixMicros;
use nightbeat_notify::{Catalogue, Notifier};
use nightbeat_store::people::Taken;
use nightbeat_store::sql::Sql;
use nightbeat_store::{Store, StoreError, Watched};
use tokio::sync::Semaphore;

use super::actor::{Actor, Deed};
use super::problem::Problem;
use super::rate::ApiRate;
use crate::node::NodeHandle;

/// How many tests of channels run at once: each waits for a stranger's server.
const TESTS_AT_ONCE: usize = 16;

/// What handlers work with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ApiState {
    /// Where it is stored.
    pub store: Store,
    /// The node: it is told what to watch and that there is something to deliver.
    pub node: NodeHandle,
    /// The kinds of channels.
    pub catalogue: Arc<Catalogue>,
    /// What sends a test.
    pub notifier: Arc<Notifier>,
    /// The public URL, without a slash at its end.
    pub public_url: Arc<str>,
    /// The domain of the addresses that take signals by mail; `None`: no mail is taken.
    pub mail_domain: Option<Arc<str>>,
    /// Who tests a channel holds one of these.
    pub(super) tests: Arc<Semaphore>,
    /// How often it may be asked.
    pub(super) rate: Arc<ApiRate>,
}

/// What the node must hear once a change is durable, and what the log says of it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    watched: Vec<Watched>,
    deliveries: u32,
    deeds: Vec<Deed>,
}

/// Why a verb in a transaction did not do it; either rolls the transaction back.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The store could not.
    Store(StoreError),
    /// The request asks for what may not be.
    Problem(Problem),
}

impl ApiState {
    /// The state of the handlers. `public_url` has no slash at its end.
    pub fn new(
        store: Store,
        node: NodeHandle,
        catalogue: Arc<Catalogue>,
        notifier: Arc<Notifier>,
        public_url: Arc<str>,
    ) -> Self {
        Self {
            store,
            node,
            catalogue,
            notifier,
            public_url,
            mail_domain: None,
            tests: Arc::new(Semaphore::new(TESTS_AT_ONCE)),
            rate: Arc::default(),
        }
    }

    /// So many requests a minute of each key, and of each address without one; `None`: without limit.
    #[must_use]
    pub fn with_rate(self, per_minute: Option<u32>) -> Self {
        Self {
            rate: Arc::new(ApiRate::new(per_minute)),
            ..self
        }
    }

    /// The same, where mail to `domain` is taken.
    #[must_use]
    pub fn with_mail_domain(self, domain: Option<Arc<str>>) -> Self {
        Self {
            mail_domain: domain,
            ..self
        }
    }

    /// The instant now.
    pub(crate) fn now(&self) -> UnixMicros {
        self.node.now()
    }

    /// Looks something up on a snapshot.
    pub(crate) async fn read<T, F>(&self, verb: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Sql) -> Result<T, Refusal> + Send + 'static,
    {
        let refused = RefusedBy::default();
        let keep = refused.clone();
        let done = self
            .store
            .read(move |sql| {
                keep.clear();
                verb(sql).map_err(|refusal| keep.put(refusal))
            })
            .await;
        done.map_err(|error| refused.problem(error))
    }

    /// Changes something in one transaction; when it is durable, or may be, the node is told. `verb` may be
    /// run again. All of it happens also when the client goes away meanwhile. The log says nothing of it: for
    /// what no person and no key does.
    pub(crate) async fn write<T, F>(&self, verb: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Sql, &mut Told) -> Result<T, Refusal> + Send + 'static,
    {
        self.write_by(None, verb).await
    }

    /// The same by somebody: the log says what they did.
    pub(crate) async fn write_by<T, F>(&self, actor: Option<Actor>, verb: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Sql, &mut Told) -> Result<T, Refusal> + Send + 'static,
    {
        let now = self.now();
        let verb = move |sql: &mut dyn Sql, told: &mut Told| {
            let Some(actor) = actor else {
                return verb(sql, told);
            };
            let name = actor.name(sql)?;
            let value = verb(sql, told)?;
            for deed in &told.deeds {
                actor.note(sql, &name, deed, now)?;
            }
            Ok(value)
        };
        let api = self.clone();
        let task = tokio::spawn(async move {
            let refused = RefusedBy::default();
            let to_tell = ToTell::default();
            let (keep, heard) = (refused.clone(), to_tell.clone());
            let done = api.store.write(move |sql| {
                keep.clear();
                let mut told = Told::default();
                let value = verb(sql, &mut told).map_err(|refusal| keep.put(refusal))?;
                heard.put(told);
                Ok(value)
            });
            let done = done.await;
            if may_be_durable(&done) {
                api.tell(to_tell.take());
            }
            done.map_err(|error| refused.problem(error))
        });
        match task.await {
            Ok(done) => done,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }

    fn tell(&self, told: Told) {
        self.node.has_stored();
        if !told.watched.is_empty() {
            self.node.watch(told.watched);
        }
        if told.deliveries > 0 {
            self.node.deliveries_queued();
        }
    }
}

impl Told {
    /// A heartbeat must be looked at then.
    pub(crate) fn watch(&mut self, watched: Watched) {
        self.watched.push(watched);
    }

    /// Something was done, in words, to whom or what. To be said once for each change, and not where nothing
    /// changed.
    pub(crate) fn did(&mut self, action: &'static str, about: impl Into<String>) {
        let about = about.into();
        self.deeds.push(Deed { action, about });
    }

    /// A person's step was taken.
    pub(crate) fn taken(&mut self, taken: &Taken) {
        self.watch(taken.watched);
        self.deliveries += taken.deliveries;
    }
}

/// Whether what a transaction did may be stored. Where its end is unknown, the node is told all the same:
/// an unneeded look costs nothing, but a missing one would only be noticed a minute or two later.
fn may_be_durable<T>(done: &Result<T, StoreError>) -> bool {
    matches!(done, Ok(_) | Err(StoreError::Unknown(_)))
}

/// Carries what is to be told past the store, which says nothing of what a verb did where it cannot say
/// whether that is durable.
#[derive(Debug, Clone, Default)]
struct ToTell(Arc<std::sync::Mutex<Told>>);

impl ToTell {
    /// A verb may be run again: its last run counts.
    fn put(&self, told: Told) {
        *self.slot() = told;
    }

    fn take(&self) -> Told {
        std::mem::take(&mut self.slot())
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Told> {
        let slot = self.0.lock();
        slot.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Carries a problem past the store, which knows its own errors only and rolls back at any.
#[derive(Debug, Clone, Default)]
struct RefusedBy(Arc<std::sync::Mutex<Option<Problem>>>);

impl RefusedBy {
    /// A verb may be run again: what it said before does not count.
    fn clear(&self) {
        self.slot().take();
    }

    fn put(&self, refusal: Refusal) -> StoreError {
        match refusal {
            Refusal::Store(error) => error,
            Refusal::Problem(problem) => {
                *self.slot() = Some(problem);
                StoreError::Conflict("refused by the API".to_owned())
            }
        }
    }

    /// What to answer: ours, unless the store had a worse error on the way out.
    fn problem(&self, error: StoreError) -> Problem {
        match (error, self.slot().take()) {
            (StoreError::Conflict(_), Some(problem)) => problem,
            (error, _) => error.into(),
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Problem>> {
        let slot = self.0.lock();
        slot.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_is_told_also_where_nobody_knows_whether_a_change_is_durable() {
        let end = |error| may_be_durable::<()>(&Err(error));
        assert!(may_be_durable(&Ok(())));
        assert!(end(StoreError::Unknown("lost at COMMIT".to_owned())));
        assert!(!end(StoreError::Unavailable("away".to_owned())));
        assert!(!end(StoreError::Conflict("refused".to_owned())));
    }
}
