//! A proxy on the way to PostgreSQL, or to any other server, that does on command what networks do.
//!
//! It runs on a thread of its own: a test that blocks does not hold it up.

mod connection;
mod frames;
mod said;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::address;
use crate::wait::HANGING;

pub use frames::{STARTUP, Side};

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(5);

/// Where the proxy leads.
#[derive(Debug, Clone)]
pub enum Target {
    /// An address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// What the proxy does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// It passes everything on.
    Pass,
    /// The same, each piece so much later, in both directions.
    Delay(Duration),
    /// It takes connections and bytes and passes nothing on, nor that somebody has hung up.
    Blackhole,
    /// Nobody listens; connections that are open are reset.
    Refuse,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As if the other end had closed it.
    Close,
    /// The client gets a TCP reset. The server still reads everything that was passed on.
    Reset,
    /// Nothing is passed on any more, and nobody is told.
    Silence,
}

/// A place in what one side sends, on each connection for itself; counted from the moment that
/// [`Proxy::cut_at`] is called, or from the connection's beginning if that is later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// After so many bytes.
    Bytes(usize),
    /// Before the message with this number; the first has the number 1. Its first byte must have come.
    Before(usize),
    /// After the message with this number.
    After(usize),
}

/// A message that has passed wholly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// The number of its connection, from 1.
    pub connection: usize,
    /// Who sent it.
    pub side: Side,
    /// Its kind: `Q`, `P`, `Z`, …; [`STARTUP`] where it has none.
    pub kind: char,
}

/// It ends when this is dropped, with all its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Dropped to end the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: Target,
    behaviour: watch::Sender<Behaviour>,
    /// How often all connections were ended, and how at last.
    ends: watch::Sender<(u64, Ending)>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many connections there have been.
    connections: usize,
    open: usize,
    /// The messages since somebody wished to see them.
    recorded: Option<Vec<Message>>,
    /// The number of the plan tells connections that it is another one.
    plan: Option<(u64, Plan)>,
    plans: u64,
    /// The same, of what clients are to say.
    unanswered: Option<(u64, Unanswered)>,
    cuts: usize,
    listening: bool,
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    side: Side,
    point: Point,
    ending: Ending,
}

/// The connection on which the client says these texts ends so before it is answered.
#[derive(Debug, Clone)]
struct Unanswered {
    texts: Arc<[String]>,
    ending: Ending,
}

impl Proxy {
    /// A proxy that leads to `target` and passes everything on.
    pub fn to(target: impl Into<Target>) -> Self {
        let address = address::free();
        let shared = Arc::new(Shared {
            target: target.into(),
            behaviour: watch::Sender::new(Behaviour::Pass),
            ends: watch::Sender::new((0, Ending::Close)),
            state: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = listen(address, serving) => {}
                }
            });
        });
        let proxy = Self {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        };
        proxy.until("the proxy listens", |state| state.listening);
        proxy
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a database behind it, as `postgres` without a password: for what leads to a Unix socket.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.address)
    }

    /// From now on, do this. [`Behaviour::Refuse`] is done when this returns, and so is its end.
    #[track_caller]
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.behaviour.send_replace(behaviour);
        let listens = behaviour != Behaviour::Refuse;
        self.until("the listener", |state| state.listening == listens);
        if behaviour == Behaviour::Refuse {
            self.end(Ending::Reset);
        }
    }

    /// Closes all connections that are open now.
    #[track_caller]
    pub fn cut(&self) {
        self.end(Ending::Close);
    }

    /// Resets all connections that are open now.
    #[track_caller]
    pub fn reset(&self) {
        self.end(Ending::Reset);
    }

    /// Ends the first connection that comes to this point, once; what was planned before is forgotten.
    pub fn cut_at(&self, side: Side, point: Point, ending: Ending) {
        let mut state = self.shared.lock();
        state.plans += 1;
        let plan = Plan {
            side,
            point,
            ending,
        };
        state.plan = Some((state.plans, plan));
    }

    /// Ends the first connection on which the client says these texts from now on, one after the other, once:
    /// all that it says reaches the server, and nothing that the server says after the last of them reaches
    /// the client. For the answer to one certain COMMIT.
    pub fn cut_answer(&self, texts: &[&str], ending: Ending) {
        let mut state = self.shared.lock();
        state.plans += 1;
        let texts = texts.iter().map(|&text| text.to_owned()).collect();
        state.unanswered = Some((state.plans, Unanswered { texts, ending }));
    }

    /// Forgets what is planned; whether it had not come to that yet.
    pub fn forget_cut(&self) -> bool {
        let mut state = self.shared.lock();
        let (plan, unanswered) = (state.plan.take(), state.unanswered.take());
        plan.is_some() || unanswered.is_some()
    }

    /// How many connections came to the point where they were to be cut.
    pub fn cuts(&self) -> usize {
        self.shared.lock().cuts
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.shared.lock().open
    }

    /// From now on, remember the messages that pass.
    pub fn record(&self) {
        self.shared.lock().recorded = Some(Vec::new());
    }

    /// The messages that have passed since [`Proxy::record`], in the order of their ends. No more are
    /// remembered.
    pub fn recorded(&self) -> Vec<Message> {
        self.shared.lock().recorded.take().unwrap_or_default()
    }

    /// Ends all connections, and waits until they have ended.
    #[track_caller]
    fn end(&self, ending: Ending) {
        let before = self.connections();
        self.shared.ends.send_modify(|(times, how)| {
            *times += 1;
            *how = ending;
        });
        // New ones may come while the old ones go.
        self.until("the connections end", |state| {
            state.open <= state.connections - before
        });
    }

    #[track_caller]
    fn until(&self, what: &str, holds: impl Fn(&State) -> bool) {
        for _ in 0..HANGING.as_millis() / PAUSE.as_millis() {
            if holds(&self.shared.lock()) {
                return;
            }
            std::thread::sleep(PAUSE);
        }
        panic!("waited {HANGING:?} for: {what}");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("the proxy's thread panicked");
        }
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl From<PathBuf> for Target {
    fn from(path: PathBuf) -> Self {
        Self::Unix(path)
    }
}

impl From<&Path> for Target {
    fn from(path: &Path) -> Self {
        Self::Unix(path.to_owned())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn record(&mut self, message: Message) {
        if let Some(recorded) = &mut self.recorded {
            recorded.push(message);
        }
    }
}

/// Takes connections, as long as somebody is to listen.
async fn listen(address: SocketAddr, shared: Arc<Shared>) {
    let mut behaviour = shared.behaviour.subscribe();
    loop {
        let refuses = |behaviour: &Behaviour| *behaviour == Behaviour::Refuse;
        if behaviour.wait_for(|now| !refuses(now)).await.is_err() {
            return;
        }
        let listener = TcpListener::bind(address).await.unwrap();
        shared.lock().listening = true;
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, _) = accepted.unwrap();
                    tokio::spawn(connection::serve(stream, Arc::clone(&shared)));
                }
                _ = behaviour.wait_for(refuses) => break,
            }
        }
        drop(listener);
        shared.lock().listening = false;
    }
}
