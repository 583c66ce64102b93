//! The whole server, from a configuration to its end.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use nightbeat_notify::{Catalogue, Notifier, Outgoing, SmtpSettings};
use nightbeat_store::{Opened, Opener, Store};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::housekeeping;
use crate::http::{self, App, Bound, Shutdown, ShutdownSwitch};
use crate::ingest::Ingest;
use crate::metrics::Metrics;
use crate::node::{Node, NodeHandle, Parts};
use crate::router::{self, RouterParts};

/// Runs the server until it is told to stop (SIGTERM, SIGINT) or cannot go on. Builds its own runtime.
pub fn serve(config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut server = Server::start(config, Clock::of_process()).await?;
        tokio::select! {
            _ = terminate.recv() => tracing::info!("told to stop"),
            _ = interrupt.recv() => tracing::info!("told to stop"),
            () = server.ended() => {}
        }
        server.stop().await
    })
}

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<SocketAddr>,
    node: NodeHandle,
    store: Store,
    switch: ShutdownSwitch,
    shutdown: Shutdown,
    running: JoinHandle<anyhow::Result<()>>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Starts a server; it answers when this returns.
    pub async fn start(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let Opened { store, alive_until } = open(&config.database)?;
        let catalogue = Arc::new(Catalogue::load(config.channels.folder.as_deref())?);
        let notifier = Arc::new(notifier(&config, Arc::clone(&catalogue))?);
        let metrics = Arc::new(Metrics::default());
        let mut listeners = Vec::new();
        for listen in &config.listen {
            let bound = http::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
            listeners.push(bound);
        }
        let addresses = listeners.iter().filter_map(Bound::tcp_address).collect();
        let public_url: Arc<str> = config.public_url.to_string().trim_end_matches('/').into();
        let (node, handle) = Node::new(Parts {
            store: store.clone(),
            alive_until,
            catalogue: Arc::clone(&catalogue),
            notifier: Arc::clone(&notifier),
            public_url: Arc::clone(&public_url),
            clock,
            metrics: Arc::clone(&metrics),
            inbox_signals_max: config.limits.inbox_signals,
        });
        let (switch, shutdown) = Shutdown::new();
        let router = router::router(
            &config,
            RouterParts {
                store: store.clone(),
                node: handle.clone(),
                catalogue,
                notifier,
                public_url,
                metrics: Arc::clone(&metrics),
            },
        );
        let ingest = Ingest::new(&config, handle.clone(), Arc::clone(&metrics));
        let app = Arc::new(App::new(&config, ingest, router));
        housekeeping::start(&config, &store, &handle, &metrics, &shutdown);
        // The node starts before the first connection is accepted, so the gap that it records covers all
        // the time in which nobody could signal.
        let running = tokio::spawn(node.run(shutdown.clone()));
        let accepting = tokio::spawn(accept(listeners, app, config, metrics, shutdown.clone()));
        Ok(Self {
            addresses,
            node: handle,
            store,
            switch,
            shutdown,
            running,
            accepting,
        })
    }

    /// The TCP addresses on which it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The handle on its node.
    pub fn node(&self) -> &NodeHandle {
        &self.node
    }

    /// Its store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns when the node has ended by itself: it cannot go on.
    pub async fn ended(&mut self) {
        while !self.running.is_finished() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    /// Stops: accepts no more, answers what is under way, writes down what waits. An error when the node
    /// had to end by itself.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.switch.begin();
        drop(self.shutdown);
        self.accepting.await.context("the accept loop panicked")?;
        self.running.await.context("the node panicked")?
    }
}

async fn accept(
    listeners: Vec<Bound>,
    app: Arc<App>,
    config: Config,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
) {
    http::run(listeners, app, &config, metrics, shutdown).await;
}

fn open(database: &Database) -> anyhow::Result<Opened> {
    match database {
        Database::Sqlite(path) => Ok(Store::open_sqlite(path, Opener::Server)?),
    }
}

fn notifier(config: &Config, catalogue: Arc<Catalogue>) -> anyhow::Result<Notifier> {
    let outgoing = Outgoing {
        allow: config.outgoing.allow.clone(),
        proxy: config.outgoing.proxy.as_ref().map(|proxy| proxy.0.clone()),
        timeout: config.outgoing.timeout,
    };
    Ok(Notifier::new(catalogue, outgoing, smtp(config)?)?)
}

fn smtp(config: &Config) -> anyhow::Result<Option<SmtpSettings>> {
    let smtp = &config.smtp;
    let Some(host) = smtp.host.clone() else {
        return Ok(None);
    };
    let password = smtp.password().context("cannot read smtp.password_file")?;
    Ok(Some(SmtpSettings {
        host,
        port: smtp.port,
        tls: smtp
            .tls
            .context("smtp.tls: say `implicit`, `starttls` or `none`")?,
        username: smtp.username.clone(),
        password: password.map(|password| password.0),
        from: smtp
            .from
            .clone()
            .context("smtp.from: say who sends the mails")?,
        helo: None,
    }))
}
