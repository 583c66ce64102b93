//! The writer's queue: one thread that owns an engine's writer. Signals, judgements and claims pass through it
//! one after another, so that nothing of one node can overtake anything else of it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::{Result, StoreError};

/// Who works on a queue.
pub(crate) trait Worker: Send + 'static {
    /// Between two jobs.
    fn after_job(&mut self) {}

    /// After the last job.
    fn close(self)
    where
        Self: Sized,
    {
    }
}

/// What the writer thread is asked to do.
type Job<W> = Box<dyn FnOnce(&mut W) + Send>;

/// The way to the writer thread.
pub(crate) struct Queue<W> {
    jobs: Option<Sender<Job<W>>>,
    thread: Option<JoinHandle<()>>,
}

impl<W> std::fmt::Debug for Queue<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl<W: Worker> Queue<W> {
    pub(crate) fn start(writer: W) -> Result<Self> {
        let (jobs, inbox) = channel::<Job<W>>();
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || work(writer, &inbox))
            .map_err(|error| StoreError::Fatal(format!("cannot start the writer: {error}")))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Queues `job` at once, and answers when it is done. The queue keeps the order of the calls, not of
    /// the awaits.
    pub(crate) fn run<T, F>(&self, job: F) -> impl Future<Output = Result<T>> + Send + use<T, F, W>
    where
        T: Send + 'static,
        F: FnOnce(&mut W) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job<W> = Box::new(move |writer| {
            // Whoever asked may have gone away; the work is done all the same.
            drop(answer.send(job(writer)));
        });
        let queued = match &self.jobs {
            Some(jobs) => jobs.send(job).is_ok(),
            None => false,
        };
        async move {
            if !queued {
                return Err(StoreError::Fatal("the writer has stopped".to_owned()));
            }
            answered
                .await
                .unwrap_or_else(|_| Err(StoreError::Fatal("the writer has stopped".to_owned())))
        }
    }
}

/// Waits until all that is queued is done.
impl<W> Drop for Queue<W> {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer ended in a panic");
        }
    }
}

fn work<W: Worker>(mut writer: W, inbox: &Receiver<Job<W>>) {
    let guard = AbortOnPanic;
    while let Ok(job) = inbox.recv() {
        job(&mut writer);
        writer.after_job();
    }
    writer.close();
    drop(guard);
}

/// A writer that has panicked must not leave a server behind that looks alive: end the process, and let
/// whoever supervises it start a new one.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}
