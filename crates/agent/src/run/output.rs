//! The job's output: passed on as it comes, untouched, and looked at on the way.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::child::Pipes;
use super::evidence::Feed;
use super::kept::Kept;
use crate::clock;

/// How much is read at once, in bytes: what a pipe holds.
const CHUNK_BYTES: usize = 64 * 1024;

/// After the job's end, a pipe that says nothing for this long is held open by somebody else.
const QUIET: Duration = Duration::from_millis(100);

/// After the job's end, this long is waited in all for somebody who goes on writing.
const LINGER_MAX: Duration = Duration::from_secs(1);

/// After the job's end, so much may still come: what the largest pipe holds, in bytes. All that the job wrote
/// itself is passed on, however slowly it is taken.
const BACKLOG_BYTES_MAX: usize = 1024 * 1024 + CHUNK_BYTES;

/// Which stream it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Output = 0,
    Errors = 1,
}

/// What both streams have said so far.
pub(super) struct Heard {
    /// The text for the server.
    pub(super) kept: Kept,
    /// What reads it for evidence.
    pub(super) feed: Feed,
    /// How many bytes came on stderr.
    pub(super) errors_bytes: u64,
    /// What could not be passed on, and why.
    pub(super) problems: Vec<String>,
}

/// The threads that pass the output on.
pub(super) struct Output {
    heard: Arc<Mutex<Heard>>,
    threads: Vec<JoinHandle<()>>,
    /// While it is open, the job runs.
    running: Option<PipeWriter>,
}

impl Output {
    /// Begins to read. `keeps`: the text is kept for the server.
    pub(super) fn start(pipes: Pipes, keeps: bool) -> io::Result<Self> {
        let heard = Arc::new(Mutex::new(Heard {
            kept: Kept::new(),
            feed: Feed::new(),
            errors_bytes: 0,
            problems: Vec::new(),
        }));
        let (ended, running) = io::pipe()?;
        let mut output = Self {
            heard,
            threads: Vec::new(),
            running: Some(running),
        };
        if let Some(pipe) = pipes.output {
            output.listen(Stream::Output, pipe, ended.try_clone()?, keeps)?;
        }
        if let Some(pipe) = pipes.errors {
            output.listen(Stream::Errors, pipe, ended, keeps)?;
        }
        Ok(output)
    }

    fn listen<P>(
        &mut self,
        stream: Stream,
        pipe: P,
        ended: PipeReader,
        keeps: bool,
    ) -> io::Result<()>
    where
        P: Read + AsFd + Send + 'static,
    {
        let heard = Arc::clone(&self.heard);
        let name = match stream {
            Stream::Output => "stdout",
            Stream::Errors => "stderr",
        };
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let problem = match stream {
                    Stream::Output => pass_on(pipe, &ended, io::stdout(), |data| {
                        hear(&heard, stream, data, keeps);
                    }),
                    Stream::Errors => pass_on(pipe, &ended, io::stderr(), |data| {
                        hear(&heard, stream, data, keeps);
                    }),
                };
                if let Some(problem) = problem {
                    lock(&heard).problems.push(format!("{name}: {problem}"));
                }
            })?;
        self.threads.push(thread);
        Ok(())
    }

    /// What the server said that it keeps of a body.
    pub(super) fn set_limit(&self, bytes: usize) {
        lock(&self.heard).kept.set_limit(bytes);
    }

    /// After the job's end: what it said. Somebody else who holds its pipe is not waited for.
    pub(super) fn finish(mut self) -> Heard {
        drop(self.running.take());
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so on stderr; what it heard is there.
            let _ = thread.join();
        }
        let silence = Heard {
            kept: Kept::new(),
            feed: Feed::new(),
            errors_bytes: 0,
            problems: Vec::new(),
        };
        std::mem::replace(&mut *lock(&self.heard), silence)
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hear(heard: &Mutex<Heard>, stream: Stream, data: &[u8], keeps: bool) {
    let mut heard = lock(heard);
    match stream {
        Stream::Output => heard.feed.output(data),
        Stream::Errors => {
            heard.errors_bytes += data.len() as u64;
            heard.feed.errors(data);
        }
    }
    if keeps {
        heard.kept.push(stream as usize, data);
    }
}

/// Passes on until the end of `pipe`, or until the job has ended and what it left there is read. What it
/// returns is why something could not be passed on.
fn pass_on<P: Read + AsFd>(
    mut pipe: P,
    ended: &PipeReader,
    mut to: impl Write,
    mut hear: impl FnMut(&[u8]),
) -> Option<String> {
    let mut problem = None;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut backlog = None;
    loop {
        if !wait(&pipe, ended, &mut backlog) {
            return problem;
        }
        let read = match pipe.read(&mut chunk) {
            Ok(0) => return problem,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Some(error.to_string()),
        };
        let data = &chunk[..read];
        hear(data);
        if let Some(Backlog { bytes, .. }) = &mut backlog {
            *bytes += read;
        }
        if problem.is_some() {
            continue;
        }
        match to.write_all(data).and_then(|()| to.flush()) {
            Ok(()) => {}
            // Nobody reads on. The job learns it as it would without us: by writing to a closed pipe.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return None,
            // A full disk behind it, say. The job's own work goes on.
            Err(error) => problem = Some(format!("could not be passed on: {error}")),
        }
    }
}

/// What came after the job's end.
struct Backlog {
    bytes: usize,
    waited: Duration,
}

/// Waits until there is something to read. `false`: the job has ended and has nothing more to say.
fn wait<P: AsFd>(pipe: &P, ended: &PipeReader, backlog: &mut Option<Backlog>) -> bool {
    loop {
        let began = clock::steady();
        let found = match backlog {
            None => {
                let mut both = [
                    PollFd::new(pipe, PollFlags::IN),
                    PollFd::new(ended, PollFlags::IN),
                ];
                let found = poll(&mut both, None);
                if !both[1].revents().is_empty() {
                    *backlog = Some(Backlog {
                        bytes: 0,
                        waited: Duration::ZERO,
                    });
                    continue;
                }
                found
            }
            Some(backlog) => {
                if backlog.bytes > BACKLOG_BYTES_MAX || backlog.waited > LINGER_MAX {
                    return false;
                }
                let quiet = Timespec::try_from(QUIET).unwrap_or_default();
                let found = poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&quiet));
                backlog.waited += began.elapsed();
                found
            }
        };
        match found {
            Ok(0) => return false,
            Err(Errno::INTR) => {}
            // Where something is wrong, reading will tell what.
            Ok(_) | Err(_) => return true,
        }
    }
}
