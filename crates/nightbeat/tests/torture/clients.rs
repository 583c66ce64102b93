//! Jobs: each signals at its interval, through any node, again and again until one has answered 200. Some die.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nightbeat_domain::UnixMicros;
use nightbeat_testkit::http::{self, Connection};
use nightbeat_testkit::{Heartbeat, Random, wall_now};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How long a client waits for an answer before it asks another node.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// How long it waits before it tries again.
const PAUSE: Duration = Duration::from_millis(300);

/// How often a job that waits for its next signal looks whether it is over, at the latest.
const LOOK: Duration = Duration::from_millis(500);

/// A job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) number: u64,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) interval: Duration,
    pub(crate) grace: Duration,
    /// After so long it begins no other signal; it says one at least.
    pub(crate) dies: Option<Duration>,
    /// Its signals carry a nonce: none may be there twice.
    pub(crate) nonce: bool,
}

/// A signal, and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) mark: String,
    /// When it was tried first.
    pub(crate) tried_at: UnixMicros,
    /// When the try began that was answered 200.
    pub(crate) sent_at: UnixMicros,
    /// When that answer was there.
    pub(crate) answered_at: Option<UnixMicros>,
    pub(crate) tries: u32,
}

/// A job at its end, with everything it said.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) job: Job,
    pub(crate) said: Vec<Said>,
}

impl Job {
    /// Signals until it dies or all is over.
    pub(crate) async fn live(
        self,
        nodes: Arc<Vec<SocketAddr>>,
        over: Arc<AtomicBool>,
        mut random: Random,
    ) -> Life {
        let mut said = Vec::new();
        let born = Instant::now();
        // Not all at once.
        let begin = random.below(self.interval.as_millis() as u64);
        let mut next = born + Duration::from_millis(begin);
        loop {
            let dead = !said.is_empty() && self.dies.is_some_and(|age| born.elapsed() >= age);
            if dead || over.load(Ordering::Relaxed) {
                break;
            }
            if Instant::now() < next {
                sleep_until(next.min(Instant::now() + LOOK)).await;
                continue;
            }
            // As a scheduler starts it: what it then waits for an answer does not move the next one.
            next = Instant::now() + self.interval;
            said.push(self.say(said.len(), &nodes, &over, &mut random).await);
        }
        Life { job: self, said }
    }

    async fn say(
        &self,
        number: usize,
        nodes: &[SocketAddr],
        over: &AtomicBool,
        random: &mut Random,
    ) -> Said {
        let mark = format!("{}-{number}", self.number);
        let path = if self.nonce {
            format!("{}?nonce={mark}", self.heartbeat.path())
        } else {
            self.heartbeat.path()
        };
        let now = wall_now();
        let mut said = Said {
            mark,
            tried_at: now,
            sent_at: now,
            answered_at: None,
            tries: 0,
        };
        let mut node = random.below(nodes.len() as u64) as usize;
        while !over.load(Ordering::Relaxed) {
            said.tries += 1;
            said.sent_at = wall_now();
            if tried(nodes[node], &path, &said.mark).await {
                said.answered_at = Some(wall_now());
                break;
            }
            node = (node + 1) % nodes.len();
            sleep(PAUSE + Duration::from_millis(random.below(300))).await;
        }
        said
    }
}

/// Whether it was answered 200.
async fn tried(node: SocketAddr, path: &str, mark: &str) -> bool {
    let exchange = async {
        let mut connection = Connection::open(node).await?;
        let request = http::request("POST", node, path, mark);
        connection.send(request).await
    };
    match timeout(ANSWER_MAX, exchange).await {
        Ok(Ok(answer)) => {
            let known = [200, 503].contains(&answer.status);
            assert!(known, "{}: {}", answer.status, answer.body);
            answer.status == 200
        }
        Ok(Err(_)) | Err(_) => false,
    }
}
