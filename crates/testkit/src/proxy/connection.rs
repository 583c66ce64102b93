//! One connection through the proxy.

use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;

use super::frames::{Frames, Piece, STARTUP, Side};
use super::said::Said;
use super::{Behaviour, Ending, Message, Plan, Point, Shared, Target};

/// What is read at once, at most.
const READ_BYTES: usize = 65_536;

/// Passes everything on until both sides are done, or the connection is to end.
pub(super) async fn serve(mut client: TcpStream, shared: Arc<Shared>) {
    // Before it is counted: who ends all that are counted ends this one.
    let mut ends = shared.ends.subscribe();
    let open = Open::new(Arc::clone(&shared));
    let _ = client.set_nodelay(true);
    let ending = tokio::select! {
        // What was asked for comes before what happens.
        biased;
        _ = ends.changed() => ends.borrow().1,
        ending = relay(&mut client, &open) => ending,
    };
    // One that is gone already needs neither.
    if ending == Ending::Reset {
        let _ = rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO));
    } else {
        let _ = client.shutdown().await;
        // What is left unread would make a reset of it.
        let mut unread = vec![0; READ_BYTES];
        while client.try_read(&mut unread).is_ok_and(|read| read > 0) {}
    }
    // Only then is it not open any more.
    drop(client);
    drop(open);
}

/// How the connection is to end, when it has come to that.
async fn relay(client: &mut TcpStream, open: &Open) -> Ending {
    let mut behaviour = open.shared.behaviour.subscribe();
    may_pass(&mut behaviour).await;
    let (from_client, to_client) = client.split();
    match &open.shared.target {
        Target::Tcp(address) => {
            let Ok(mut server) = TcpStream::connect(address).await else {
                return Ending::Reset;
            };
            let _ = server.set_nodelay(true);
            let (from_server, to_server) = server.split();
            let up = pump(Side::Client, from_client, to_server, open);
            let down = pump(Side::Server, from_server, to_client, open);
            both(up, down).await
        }
        Target::Unix(path) => {
            let Ok(mut server) = UnixStream::connect(path).await else {
                return Ending::Reset;
            };
            let (from_server, to_server) = server.split();
            let up = pump(Side::Client, from_client, to_server, open);
            let down = pump(Side::Server, from_server, to_client, open);
            both(up, down).await
        }
    }
}

/// Drives both directions until both have come to their end, or one to the connection's.
async fn both(
    up: impl Future<Output = Option<Ending>>,
    down: impl Future<Output = Option<Ending>>,
) -> Ending {
    let (mut up, mut down) = (pin!(up), pin!(down));
    let ending = tokio::select! {
        ending = &mut up => match ending {
            Some(ending) => ending,
            None => down.await.unwrap_or(Ending::Close),
        },
        ending = &mut down => match ending {
            Some(ending) => ending,
            None => up.await.unwrap_or(Ending::Close),
        },
    };
    if ending == Ending::Silence {
        // Both connections stay open, and nobody reads them.
        pending::<()>().await;
    }
    ending
}

/// Passes on what one side sends, to its end (`None`) or to the connection's.
async fn pump(
    side: Side,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    open: &Open,
) -> Option<Ending> {
    let mut behaviour = open.shared.behaviour.subscribe();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let Ok(length) = from.read(&mut buffer).await else {
            return Some(Ending::Reset);
        };
        may_pass(&mut behaviour).await;
        if length == 0 {
            // The other side may be gone as well.
            let _ = to.shutdown().await;
            return None;
        }
        let step = open.step(side, &buffer[..length]);
        if to.write_all(&buffer[..step.pass]).await.is_err() {
            return Some(Ending::Reset);
        }
        if step.ending.is_some() {
            return step.ending;
        }
    }
}

/// Waits until something may be passed on.
async fn may_pass(behaviour: &mut watch::Receiver<Behaviour>) {
    loop {
        let now = *behaviour.borrow_and_update();
        match now {
            Behaviour::Pass | Behaviour::Refuse => return,
            Behaviour::Delay(delay) => return tokio::time::sleep(delay).await,
            Behaviour::Blackhole if behaviour.changed().await.is_ok() => {}
            Behaviour::Blackhole => pending().await,
        }
    }
}

/// A connection, which is counted as open until this is dropped.
struct Open {
    shared: Arc<Shared>,
    number: usize,
    progress: Mutex<Progress>,
}

/// How far both directions are.
struct Progress {
    frames: Frames,
    /// The kinds of the messages under way, of the client and of the server.
    kinds: [char; 2],
    /// The plan that is counted for.
    plan: u64,
    /// What the plan's side has sent since: bytes, beginnings and ends of messages.
    bytes: usize,
    begun: usize,
    ended: usize,
    /// What the client has said since it was listened to, by the plan that is listened for.
    said: (u64, Said),
    /// The client gets no more answers.
    unanswered: Option<Ending>,
}

/// What to do with what came.
struct Step {
    /// So many bytes are passed on.
    pass: usize,
    /// And then the connection ends so.
    ending: Option<Ending>,
}

impl Open {
    fn new(shared: Arc<Shared>) -> Self {
        let mut state = shared.lock();
        state.connections += 1;
        state.open += 1;
        let number = state.connections;
        drop(state);
        Self {
            shared,
            number,
            progress: Mutex::new(Progress {
                frames: Frames::default(),
                kinds: [STARTUP; 2],
                plan: 0,
                bytes: 0,
                begun: 0,
                ended: 0,
                said: (0, Said::default()),
                unanswered: None,
            }),
        }
    }

    fn step(&self, side: Side, bytes: &[u8]) -> Step {
        let mut state = self.shared.lock();
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((number, plan)) = state.unanswered.clone()
            && side == Side::Client
            && progress.hears(number, &plan.texts, bytes)
        {
            state.unanswered = None;
            progress.unanswered = Some(plan.ending);
        }
        if side == Side::Server && progress.unanswered.is_some() {
            state.cuts += 1;
            let ending = progress.unanswered;
            return Step { pass: 0, ending };
        }
        let planned = state.plan.filter(|(_, plan)| plan.side == side);
        if let Some((number, _)) = planned {
            progress.count_for(number);
        }
        let mut pass = 0;
        while pass < bytes.len() {
            let piece = progress.frames.take(side, &bytes[pass..]);
            let cut = planned.and_then(|(_, plan)| progress.cut(&plan, piece));
            let passed = cut.unwrap_or(piece.length);
            pass += passed;
            let kind = &mut progress.kinds[usize::from(side == Side::Server)];
            *kind = piece.begins.unwrap_or(*kind);
            if piece.ends && passed == piece.length {
                let message = Message {
                    connection: self.number,
                    side,
                    kind: *kind,
                };
                state.record(message);
            }
            if let (Some(_), Some((_, plan))) = (cut, planned) {
                state.plan = None;
                state.cuts += 1;
                let ending = Some(plan.ending);
                return Step { pass, ending };
            }
        }
        Step { pass, ending: None }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.lock().open -= 1;
    }
}

impl Progress {
    /// Begins to count anew where the plan is another one.
    fn count_for(&mut self, plan: u64) {
        if self.plan != plan {
            self.plan = plan;
            self.bytes = 0;
            self.begun = 0;
            self.ended = 0;
        }
    }

    /// Whether the client has said all texts of the plan with this number.
    fn hears(&mut self, plan: u64, texts: &[String], bytes: &[u8]) -> bool {
        if self.said.0 != plan {
            self.said = (plan, Said::default());
        }
        self.said.1.hears(texts, bytes)
    }

    /// Counts a piece of what the plan's side sends; how much of it passes, where it is the last.
    fn cut(&mut self, plan: &Plan, piece: Piece) -> Option<usize> {
        let before = self.bytes;
        self.bytes += piece.length;
        self.begun += usize::from(piece.begins.is_some());
        self.ended += usize::from(piece.ends);
        match plan.point {
            Point::Bytes(last) if self.bytes >= last => Some(last.saturating_sub(before)),
            Point::Before(number) if piece.begins.is_some() && self.begun == number => Some(0),
            Point::After(number) if piece.ends && self.ended == number => Some(piece.length),
            _ => None,
        }
    }
}
