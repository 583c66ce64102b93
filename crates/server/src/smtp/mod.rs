//! Signals by mail: an SMTP server that takes mail for heartbeats, passes none on and sends none.
//!
//! `wire` makes lines and texts of bytes, `session` replies of lines; both are pure. `connection` drives them:
//! it looks addresses up, hands letters to the ingest, and answers 250 only for what is on disk.

mod connection;
mod pace;
pub mod reply;
pub mod session;
pub(crate) mod tls;
pub mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use nightbeat_store::Store;

use crate::budget::Budget;
use crate::config::Config;
use crate::http::{self, Admission, Bound, Caps, DRAIN_TIME, Shutdown};
use crate::ingest::Ingest;
use crate::metrics::Metrics;
use crate::node::NodeHandle;
use connection::{Server, Shared};
use pace::Pace;
use session::House;

/// How much memory the mails that are still on their way may hold, in all: of the largest size, there is room
/// for four.
const MAILS_BYTES_MIN: usize = 64_000_000;
const LARGEST_MAILS: usize = 4;

/// What a mail server works with.
pub(crate) struct Parts {
    /// Where heartbeats are looked up.
    pub(crate) store: Store,
    /// Takes signals in.
    pub(crate) ingest: Ingest,
    /// The node: it hears of what could not be taken.
    pub(crate) node: NodeHandle,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
}

/// A mail server that listens and does not accept yet.
pub(crate) struct MailServer {
    listeners: Vec<Bound>,
    server: Server,
    admission: Arc<Admission>,
    metrics: Arc<Metrics>,
}

impl MailServer {
    /// Listens where `config` says; `None`: nowhere, or this node takes no signals.
    pub(crate) fn bind(config: &Config, parts: Parts) -> anyhow::Result<Option<Self>> {
        let listen = &config.mail_in.listen;
        if listen.is_empty() {
            return Ok(None);
        }
        if !config.roles.signals {
            tracing::info!("no mail is taken here: `signals` is not among this server's roles");
            return Ok(None);
        }
        let tls = tls::of(&config.mail_in)?;
        let mut listeners = Vec::new();
        for listen in listen {
            let bound = http::bind(listen)
                .with_context(|| format!("cannot listen for mail on {listen}"))?;
            listeners.push(bound);
        }
        let limits = &config.limits;
        let node = parts.node.clone();
        let admission = Arc::new(Admission::new(
            Caps::of_mail(limits),
            &config.trusted_proxies.networks,
            Arc::clone(&parts.metrics),
            Box::new(move || node.refused()),
        ));
        let house = House {
            domains: config.mail_domains(),
            mail_bytes: limits.mail_bytes,
            tls: tls.is_some(),
        };
        let metrics = Arc::clone(&parts.metrics);
        let server = Server::new(Shared {
            house,
            tls,
            pace: Pace::new(limits.mails_per_minute_per_address),
            patience: limits.mail_timeout,
            memory: Budget::new(MAILS_BYTES_MIN.max(LARGEST_MAILS * limits.mail_bytes)),
            admission: Arc::clone(&admission),
            parts,
        });
        Ok(Some(Self {
            listeners,
            server,
            admission,
            metrics,
        }))
    }

    /// The TCP addresses on which it listens.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let bound = self.listeners.iter();
        bound.filter_map(Bound::tcp_address).collect()
    }

    /// Takes mail until the end begins; then accepts no more, lets mails under way finish within five
    /// seconds, and returns.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let mut loops = tokio::task::JoinSet::new();
        for listener in self.listeners {
            let admission = Arc::clone(&self.admission);
            loops.spawn(http::accept(
                listener,
                self.server.clone(),
                admission,
                shutdown.clone(),
            ));
        }
        loops.join_all().await;
        let drained = tokio::time::timeout(DRAIN_TIME, self.admission.drained());
        if drained.await.is_err() {
            let open = self.metrics.connections.get();
            tracing::warn!(
                open,
                "some mails did not finish in time; they will come again"
            );
        }
    }
}
