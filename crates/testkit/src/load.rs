//! Many jobs that signal at once. Each signal is marked, and it is known what each was answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nightbeat_domain::HeartbeatId;
use tokio::task::JoinHandle;

use crate::Heartbeat;
use crate::http::{self, Connection};

/// How long a client waits before it tries again.
const PAUSE: Duration = Duration::from_millis(10);

/// How many tries a signal has before the test has failed: a minute of a server that is away.
const TRIES_MAX: u32 = 6_000;

/// What became of one signal.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its mark: the body that it carried.
    pub mark: String,
    /// Whom it was for.
    pub heartbeat: HeartbeatId,
    /// Whether it was answered 200.
    pub answered: bool,
    /// How often it went out; nothing went out on a connection that was refused.
    pub sent: u32,
}

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<Outcome>>>,
}

/// How a client behaves.
#[derive(Debug, Clone, Copy)]
struct Client {
    number: usize,
    signals: usize,
    /// Every second client keeps its connection.
    keeps_connection: bool,
    /// Half of them say the same signal again with its nonce until it is answered; the others say each once.
    says_again: bool,
}

impl Load {
    /// Starts so many clients, each of which sends so many signals to `heartbeats` in turn.
    pub fn start(
        address: SocketAddr,
        heartbeats: &[Heartbeat],
        clients: usize,
        signals: usize,
    ) -> Self {
        let answered = Arc::new(AtomicUsize::new(0));
        let clients = (0..clients)
            .map(|number| {
                let client = Client {
                    number,
                    signals,
                    keeps_connection: number % 2 == 0,
                    says_again: number % 4 < 2,
                };
                let (answered, heartbeats) = (Arc::clone(&answered), heartbeats.to_vec());
                tokio::spawn(async move { client.run(address, &heartbeats, &answered).await })
            })
            .collect();
        Self { answered, clients }
    }

    /// How many signals were answered 200 so far.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Whether all clients are done.
    pub fn is_done(&self) -> bool {
        self.clients.iter().all(JoinHandle::is_finished)
    }

    /// Waits for all clients; what became of each signal.
    pub async fn outcomes(self) -> Vec<Outcome> {
        let mut all = Vec::new();
        for client in self.clients {
            all.extend(client.await.unwrap());
        }
        all
    }
}

impl Client {
    async fn run(
        self,
        address: SocketAddr,
        heartbeats: &[Heartbeat],
        answered: &AtomicUsize,
    ) -> Vec<Outcome> {
        let mut connection = None;
        let mut outcomes = Vec::new();
        for signal in 0..self.signals {
            let heartbeat = &heartbeats[(self.number + signal) % heartbeats.len()];
            let mut outcome = Outcome {
                mark: format!("{}-{signal}", self.number),
                heartbeat: heartbeat.id,
                answered: false,
                sent: 0,
            };
            let path = if self.says_again {
                format!("{}?nonce={}", heartbeat.path(), outcome.mark)
            } else {
                heartbeat.path()
            };
            self.say(address, &path, &mut connection, &mut outcome)
                .await;
            if outcome.answered {
                answered.fetch_add(1, Ordering::Relaxed);
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn say(
        self,
        address: SocketAddr,
        path: &str,
        kept: &mut Option<Connection>,
        outcome: &mut Outcome,
    ) {
        for _ in 0..TRIES_MAX {
            let open = match kept.take() {
                Some(open) => Ok(open),
                None => Connection::open(address).await,
            };
            if let Ok(mut connection) = open {
                outcome.sent += 1;
                let request = http::request("POST", address, path, &outcome.mark);
                match connection.send(request).await {
                    Ok(answer) if answer.status == 200 => {
                        outcome.answered = true;
                        *kept = self.keeps_connection.then_some(connection);
                        return;
                    }
                    Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.body),
                    Err(_) => {}
                }
                if !self.says_again {
                    return;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("{} was never answered", outcome.mark);
    }
}
