//! The stores that are compared. The first is the model; each other one is held to it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;

use nightbeat_domain::{DeliveryId, UnixMicros};
use nightbeat_sim::model::{Error, Fault, Model};
use nightbeat_store::control::heartbeats::New;
use nightbeat_store::control::{channels, heartbeats, maintenance, projects};
use nightbeat_store::dump::{Dump, dump, never_wait};
use nightbeat_store::hot::Done;
use nightbeat_store::outbox::{ClaimedDelivery, FinishedDelivery};
use nightbeat_store::people::{Taken, take_step};
use nightbeat_store::{Opener, Store, StoreError, Watched};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::operations::{Ended, NewOne, Operation};

/// What went wrong, by what a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Unavailable,
    Unknown,
    Conflict,
    Broken,
    Fatal,
    Fenced,
}

impl From<StoreError> for Class {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable,
            StoreError::Unknown(_) => Self::Unknown,
            StoreError::Conflict(_) => Self::Conflict,
            StoreError::Broken(_) => Self::Broken,
            StoreError::Fatal(_) => Self::Fatal,
            StoreError::Fenced(_) => Self::Fenced,
        }
    }
}

impl From<Error> for Class {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            Error::Fenced(_) => Self::Fenced,
        }
    }
}

/// What a store said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Done(Done),
    Claimed(Vec<ClaimedDelivery>),
    Nothing,
    Whether(bool),
    Taken(Option<Taken>),
    Watched(Vec<Watched>),
    Opened(Option<UnixMicros>),
}

pub(crate) trait Engine {
    fn name(&self) -> &'static str;

    /// Does it; `refused`: it finds the database in use by another process, or out of reach.
    fn apply(&mut self, operation: &Operation, refused: bool) -> Result<Answer, Class>;

    fn dump(&mut self) -> Dump;

    /// Whether it knows by its own clock until when receiving worked, and enters the gap since then itself.
    fn has_own_clock(&self) -> bool {
        false
    }
}

/// Each store numbers deliveries as it likes.
#[derive(Default)]
pub(crate) struct Numbers(BTreeMap<DeliveryId, i64>);

impl Numbers {
    pub(crate) fn note(&mut self, mut claimed: Vec<ClaimedDelivery>) -> Answer {
        for delivery in &mut claimed {
            self.0.insert(delivery.id, delivery.number);
            delivery.number = 0;
        }
        Answer::Claimed(claimed)
    }

    pub(crate) fn finished(&self, ended: &[Ended]) -> Vec<FinishedDelivery> {
        ended
            .iter()
            .map(|ended| FinishedDelivery {
                number: self.0.get(&ended.id).copied().unwrap_or(-1),
                claim: ended.claim,
                began_at: ended.began_at,
                took: ended.took,
                ending: ended.ending.clone(),
            })
            .collect()
    }
}

fn new_heartbeat(new: &NewOne) -> New<'_> {
    New {
        id: new.id,
        details: &new.details,
        settings: &new.settings,
        state: &new.state,
        created_at: new.created_at,
    }
}

pub(crate) fn sorted(mut watched: Vec<Watched>) -> Answer {
    watched.sort_by_key(|it| it.heartbeat);
    Answer::Watched(watched)
}

const OVERDUE_MAX: u32 = 1_000;

#[derive(Default)]
pub(crate) struct ModelEngine {
    pub(crate) model: Model,
    numbers: Numbers,
}

impl Engine for ModelEngine {
    fn name(&self) -> &'static str {
        "model"
    }

    fn apply(&mut self, operation: &Operation, refused: bool) -> Result<Answer, Class> {
        let model = &mut self.model;
        if refused {
            model.fail_next(Fault::Refuse);
        }
        Ok(match operation.clone() {
            Operation::Record(batch) => Answer::Done(model.record(None, &batch)?),
            Operation::Elapse(due) => Answer::Done(model.elapse(None, &due)?),
            Operation::Claim(wish) => self.numbers.note(model.claim(None, &wish)?),
            Operation::Finish(ended) => {
                model.finish(None, &self.numbers.finished(&ended))?;
                Answer::Nothing
            }
            Operation::WatchList => sorted(model.watch_list()),
            Operation::Overdue(before) => sorted(model.overdue(before, OVERDUE_MAX)),
            Operation::CreateProject(project) => {
                model.create_project(&project)?;
                Answer::Nothing
            }
            Operation::UpdateProject(id, name, fallback) => {
                Answer::Whether(model.update_project(id, &name, fallback)?)
            }
            Operation::InsertChannel(project, channel) => {
                model.insert_channel(project, &channel)?;
                Answer::Nothing
            }
            Operation::DeleteChannel(project, id) => {
                Answer::Whether(model.delete_channel(project, id)?)
            }
            Operation::InsertHeartbeat(project, new) => {
                model.insert_heartbeat(project, &new_heartbeat(&new))?;
                Answer::Nothing
            }
            Operation::UpdateHeartbeat(project, id, details) => {
                Answer::Whether(model.update_heartbeat(project, id, &details)?)
            }
            Operation::Step(project, id, step, now) => {
                Answer::Taken(model.take_step(project, id, &step, now)?)
            }
            Operation::DeleteHeartbeat(project, id, now) => {
                Answer::Whether(model.delete_heartbeat(project, id, now)?)
            }
            Operation::InsertWindow(project, window) => {
                model.insert_window(project, &window)?;
                Answer::Nothing
            }
            Operation::DeleteWindow(project, id) => {
                Answer::Whether(model.delete_window(project, id)?)
            }
            Operation::Reopen => {
                model.crash(None);
                Answer::Opened(model.open_alone())
            }
        })
    }

    fn dump(&mut self) -> Dump {
        self.model.dump()
    }
}

/// Real SQLite, on a real file.
pub(crate) struct SqliteEngine {
    runtime: Runtime,
    folder: TempDir,
    store: Option<Store>,
    /// Another process' connection, which can hold the database for itself.
    other: Option<Store>,
    numbers: Numbers,
}

impl SqliteEngine {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let mut engine = Self {
            runtime: { runtime }.build().unwrap(),
            folder: folder(),
            store: None,
            other: None,
            numbers: Numbers::default(),
        };
        engine.reopen().unwrap();
        engine
    }

    fn reopen(&mut self) -> Result<Answer, Class> {
        drop(self.other.take());
        drop(self.store.take());
        let path = self.folder.path().join("nightbeat.db");
        let opened = Store::open_sqlite(&path, Opener::Server)?;
        self.runtime.block_on(opened.store.write(never_wait))?;
        self.store = Some(opened.store);
        Ok(Answer::Opened(opened.alive_until))
    }

    /// Does `work` while another process holds the database.
    fn while_in_use<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let path = self.folder.path().join("nightbeat.db");
        let other = self
            .other
            .get_or_insert_with(|| Store::open_sqlite(&path, Opener::Tool).unwrap().store);
        let (held, is_held) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        // Queued at once; it runs on a thread of its own.
        let holding = other.clone();
        let holder = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let write = holding.write(move |_| {
                held.send(()).unwrap();
                released.recv().ok();
                Ok(())
            });
            { runtime }.build().unwrap().block_on(write).unwrap();
        });
        is_held.recv().unwrap();
        let done = work(self);
        drop(release);
        holder.join().unwrap();
        done
    }

    fn run(&mut self, operation: Operation) -> Result<Answer, Class> {
        if matches!(operation, Operation::Reopen) {
            return self.reopen();
        }
        let store = self.store.clone().unwrap();
        let finished = match &operation {
            Operation::Finish(ended) => self.numbers.finished(ended),
            _ => Vec::new(),
        };
        let answer = self.runtime.block_on(call(&store, operation, finished))?;
        Ok(match answer {
            Answer::Claimed(claimed) => self.numbers.note(claimed),
            Answer::Watched(watched) => sorted(watched),
            answer => answer,
        })
    }
}

impl Engine for SqliteEngine {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn apply(&mut self, operation: &Operation, refused: bool) -> Result<Answer, Class> {
        if refused {
            return self.while_in_use(|engine| engine.run(operation.clone()));
        }
        self.run(operation.clone())
    }

    fn dump(&mut self) -> Dump {
        let store = self.store.clone().unwrap();
        self.runtime.block_on(store.read(dump)).unwrap()
    }
}

/// One call of a [`Store`], whichever it is.
pub(crate) async fn call(
    store: &Store,
    operation: Operation,
    finished: Vec<FinishedDelivery>,
) -> Result<Answer, StoreError> {
    Ok(match operation {
        Operation::Record(batch) => Answer::Done(store.record(batch).await?),
        Operation::Elapse(due) => Answer::Done(store.elapse(due).await?),
        Operation::Claim(wish) => Answer::Claimed(store.claim(wish).await?),
        Operation::Finish(_) => {
            store.finish(finished).await?;
            Answer::Nothing
        }
        Operation::WatchList => Answer::Watched(store.watch_list().await?),
        Operation::Overdue(before) => Answer::Watched(store.overdue(before, OVERDUE_MAX).await?),
        Operation::Reopen => Answer::Nothing,
        people => store.write(move |sql| by_people(sql, &people)).await?,
    })
}

fn by_people(
    sql: &mut dyn nightbeat_store::sql::Sql,
    operation: &Operation,
) -> Result<Answer, StoreError> {
    Ok(match operation {
        Operation::CreateProject(project) => {
            projects::create(sql, project)?;
            Answer::Nothing
        }
        Operation::UpdateProject(id, name, fallback) => {
            Answer::Whether(projects::update(sql, *id, name, *fallback)?)
        }
        Operation::InsertChannel(project, channel) => {
            channels::insert(sql, *project, channel)?;
            Answer::Nothing
        }
        Operation::DeleteChannel(project, id) => {
            Answer::Whether(channels::delete(sql, *project, *id, None)?)
        }
        Operation::InsertHeartbeat(project, new) => {
            heartbeats::insert(sql, *project, &new_heartbeat(new))?;
            Answer::Nothing
        }
        Operation::UpdateHeartbeat(project, id, details) => {
            let version = heartbeats::update(sql, *project, *id, None, details)?;
            Answer::Whether(version.is_some())
        }
        Operation::Step(project, id, step, now) => {
            Answer::Taken(take_step(sql, *project, *id, step, *now)?)
        }
        Operation::DeleteHeartbeat(project, id, now) => {
            Answer::Whether(heartbeats::delete(sql, *project, *id, None, *now)?)
        }
        Operation::InsertWindow(project, window) => {
            maintenance::insert(sql, *project, window)?;
            Answer::Nothing
        }
        Operation::DeleteWindow(project, id) => {
            Answer::Whether(maintenance::delete(sql, *project, *id)?)
        }
        _ => Answer::Nothing,
    })
}

/// In memory where there is such a place: thirty thousand syncs of a disk would take minutes.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        return tempfile::tempdir_in(memory).unwrap();
    }
    tempfile::tempdir().unwrap()
}
