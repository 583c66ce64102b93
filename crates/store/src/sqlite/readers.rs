//! The readers: a few connections that only read, each on a snapshot.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::open;
use super::place::Place;
use super::portable::failed;
use crate::{Result, StoreError};

/// How many reads run at once. A read never waits for the writer, only for other reads.
const READERS: usize = 4;

#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    /// A connection that is opened later must be on the same files.
    place: Option<Arc<Place>>,
    turns: Arc<Semaphore>,
    /// Connections nobody uses now. A plain mutex: it is held for a push or a pop.
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(crate) fn open(path: &Path, place: Option<Arc<Place>>) -> Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            place,
            turns: Arc::new(Semaphore::new(READERS)),
            idle: Arc::new(Mutex::new(vec![open::reader(path)?])),
        })
    }

    pub(crate) async fn run<T, F>(&self, verb: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let stopped = |_| StoreError::Fatal("the readers have stopped".to_owned());
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(stopped)?;
        let idle = Arc::clone(&self.idle);
        let path = self.path.clone();
        let place = self.place.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let spare = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = match spare {
                Some(connection) => connection,
                None => open::reader(&path)?,
            };
            if let Some(place) = place {
                place.check()?;
            }
            let result = read(&mut connection, verb);
            idle.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
            // The turn ends with the work, also where nobody waits for it any more.
            drop(turn);
            result
        });
        reading
            .await
            .unwrap_or_else(|error| Err(StoreError::Unavailable(format!("a read failed: {error}"))))
    }
}

/// One snapshot, given up before the answer leaves: an open one would keep the log from shrinking.
fn read<T>(connection: &mut Connection, verb: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    let snapshot = connection.transaction().map_err(failed)?;
    let done = verb(&snapshot)?;
    snapshot.finish().map_err(failed)?;
    Ok(done)
}
