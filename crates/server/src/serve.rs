//! The whole server, from a configuration to its end.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::OptionFuture;
use nightbeat_domain::UnixMicros;
use nightbeat_notify::{Catalogue, Notifier, Outgoing, SmtpSettings};
use nightbeat_store::control::projects;
use nightbeat_store::{Opened, Opener, Store, StoreError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::accounts::oidc::Provider;
use crate::clock::Clock;
use crate::config::{Config, Database, SignUp};
use crate::housekeeping;
use crate::http::{self, App, Bound, Shutdown, ShutdownSwitch};
use crate::ingest::Ingest;
use crate::metrics::Metrics;
use crate::node::{Identity, Node, NodeHandle, Parts};
use crate::reports::Reports;
use crate::router::{self, RouterParts};
use crate::smtp::{self, MailServer};
use crate::web::Setup;

/// Files that are open besides connections: the database and its readers, deliveries on their way, logs.
const FILES_RESERVED: u64 = 192;

/// One of several nodes that stops says so for this long while it still takes what comes: a load balancer
/// that asks each second and believes the third answer sends nothing here by then.
const LAME_FOR: Duration = Duration::from_secs(5);

/// How often a database that was away at the start is asked whether it has a project.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Runs the server until it is told to stop (SIGTERM, SIGINT) or cannot go on. Builds its own runtime.
pub fn serve(config: Config) -> anyhow::Result<()> {
    let config = within_file_limit(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut server = Server::start(config, Clock::of_process()).await?;
        server.announce()?;
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
    config: Config,
    addresses: Vec<SocketAddr>,
    mail_addresses: Vec<SocketAddr>,
    setup_path: Option<String>,
    node: NodeHandle,
    store: Store,
    switch: ShutdownSwitch,
    node_switch: ShutdownSwitch,
    running: JoinHandle<anyhow::Result<()>>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Starts a server; it answers when this returns.
    pub async fn start(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let (store, alive_until) = open(&config.database)?;
        let identity = store
            .is_shared()
            .then(|| Identity::kept_in(config.data_folder.as_deref()));
        let is_there = is_there(&store).await?;
        let catalogue = Arc::new(Catalogue::load(config.channels.folder.as_deref())?);
        let notifier = Arc::new(notifier(&config, Arc::clone(&catalogue))?);
        let metrics = Arc::new(Metrics::default());
        let listeners = bind_all(&config)?;
        let addresses = listeners.iter().filter_map(Bound::tcp_address).collect();
        let public_url: Arc<str> = config.public_url.to_string().trim_end_matches('/').into();
        let (node, handle) = Node::new(Parts {
            store: store.clone(),
            alive_until,
            identity,
            roles: config.roles,
            catalogue: Arc::clone(&catalogue),
            notifier: Arc::clone(&notifier),
            public_url: Arc::clone(&public_url),
            clock,
            metrics: Arc::clone(&metrics),
            inbox_signals_max: config.limits.inbox_signals,
            signals_per_second: config.limits.signals_per_second_per_heartbeat,
        });
        let setup = Arc::new(Setup::closed());
        let mut setup_path = None;
        if is_there && config.roles.web {
            setup_path = open_setup(&store, &setup).await?;
        }
        let (switch, shutdown) = Shutdown::new();
        // The node ends after the connections: requests under way want its answer.
        let (node_switch, node_shutdown) = Shutdown::new();
        let callback = format!("{public_url}/sign-in/oidc/callback");
        let provider = Provider::new(&config.oidc, callback, Arc::clone(&notifier))?;
        warn_of_closed_door(&config, provider.is_some(), &notifier);
        let ingest = Ingest::new(&config, handle.clone(), Arc::clone(&metrics));
        let mail = MailServer::bind(
            &config,
            smtp::Parts {
                store: store.clone(),
                ingest: ingest.clone(),
                node: handle.clone(),
                metrics: Arc::clone(&metrics),
            },
        )?;
        let mail_addresses = mail.as_ref().map_or_else(Vec::new, MailServer::addresses);
        let reports = Reports::new(
            store.clone(),
            handle.clone(),
            Arc::clone(&notifier),
            Arc::clone(&public_url),
            Arc::clone(&metrics),
        );
        let router = router::router(
            &config,
            RouterParts {
                store: store.clone(),
                node: handle.clone(),
                catalogue,
                notifier,
                provider: provider.map(Arc::new),
                reports: reports.clone(),
                public_url,
                ingest: ingest.clone(),
                metrics: Arc::clone(&metrics),
                setup: Arc::clone(&setup),
                shutdown: shutdown.clone(),
            },
        );
        let app = Arc::new(App::new(&config, ingest, router));
        housekeeping::start(&config, &store, &handle, &metrics, &shutdown)?;
        reports.start(config.roles, &shutdown);
        if !is_there && config.roles.web {
            let (store, config) = (store.clone(), config.clone());
            tokio::spawn(open_setup_later(store, setup, config, shutdown.clone()));
        }
        // The node starts before the first connection is accepted, so the gap that it records covers all
        // the time in which nobody could signal.
        let running = tokio::spawn(node.run(node_shutdown));
        let accepting = {
            let (config, handle) = (config.clone(), handle.clone());
            tokio::spawn(async move {
                let mails = mail.map(|mail| mail.run(shutdown.clone()));
                let requests = http::run(listeners, app, &config, metrics, handle, shutdown);
                tokio::join!(requests, OptionFuture::from(mails));
            })
        };
        Ok(Self {
            config,
            addresses,
            mail_addresses,
            setup_path,
            node: handle,
            store,
            switch,
            node_switch,
            running,
            accepting,
        })
    }

    /// The TCP addresses on which it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The TCP addresses on which it listens for mail.
    pub fn mail_addresses(&self) -> &[SocketAddr] {
        &self.mail_addresses
    }

    /// The path of the one-time setup link, on a server without projects.
    pub fn setup_path(&self) -> Option<&str> {
        self.setup_path.as_deref()
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

    /// Stops: is not ready, accepts no more, answers what is under way, writes down what waits. One of several
    /// nodes takes what comes for some seconds more, until nobody sends it anything. An error when the node had to end
    /// by itself.
    pub async fn stop(self) -> anyhow::Result<()> {
        let is_well = !self.running.is_finished() && self.node.health().problems.is_empty();
        if self.store.is_shared() && is_well {
            self.node.is_to_stop();
            tokio::time::sleep(LAME_FOR).await;
        }
        self.switch.begin();
        self.accepting.await.context("the accept loop panicked")?;
        self.node_switch.begin();
        self.running.await.context("the node panicked")?
    }

    /// Tells the person who started it where it is, and how to begin.
    fn announce(&self) -> std::io::Result<()> {
        let url = self.config.public_url.as_str();
        let listening: Vec<String> = self.config.listen.iter().map(ToString::to_string).collect();
        let listening = listening.join(", ");
        let mut out = std::io::stderr().lock();
        writeln!(
            out,
            "Nightbeat listens on {listening}; people and jobs reach it at {url}"
        )?;
        if let Some(path) = &self.setup_path {
            write!(out, "{}", how_to_begin(&self.config, path))?;
        }
        Ok(())
    }
}

fn bind_all(config: &Config) -> anyhow::Result<Vec<Bound>> {
    let bind = |listen| http::bind(listen).with_context(|| format!("cannot listen on {listen}"));
    config.listen.iter().map(bind).collect()
}

/// Whoever signs up must show whose the address is: by a mail, or by somebody who vouches for it.
fn warn_of_closed_door(config: &Config, has_provider: bool, notifier: &Notifier) {
    let vouched = has_provider || config.sign_in_header.is_some();
    if config.sign_up == SignUp::Open && !vouched && !notifier.sends_mail() {
        tracing::warn!(
            "sign_up is open, but nobody can sign up: without smtp no mail can show whose an address is"
        );
    }
}

/// What the person who started a server without projects can do.
fn how_to_begin(config: &Config, path: &str) -> String {
    let url = config.public_url.as_str();
    let database = &config.database;
    format!(
        "\nThis server has no project yet. Open this link, which works once:\n\n    {url}{path}\n\n\
         or run\n\n    nightbeat init --email you@example.org --database {database}\n\n"
    )
}

/// The store, and until when receiving is known to have worked. A database on another machine may be away.
fn open(database: &Database) -> anyhow::Result<(Store, Option<UnixMicros>)> {
    let path = match database {
        Database::Sqlite(path) => path,
        Database::Postgres(url) => return Ok((Store::postgres_at(url.with_password())?, None)),
    };
    let Opened {
        store,
        alive_until,
        setback,
    } = Store::open_sqlite(path, Opener::Server)?;
    if let Some(setback) = setback {
        tracing::error!(
            "{setback}. The time since then is a gap; what was acknowledged in it is lost"
        );
    }
    Ok((store, alive_until))
}

/// Whether the database answers; an error when waiting for it does not help.
async fn is_there(store: &Store) -> anyhow::Result<bool> {
    match store.prepare().await {
        Ok(_) => Ok(true),
        Err(error @ StoreError::Fatal(_)) => Err(error.into()),
        Err(error) if store.is_shared() => {
            tracing::error!(%error, "the database is away: signals are refused until it is there");
            Ok(false)
        }
        Err(error) => Err(error.into()),
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

/// The path of a setup link, where the server has no project yet. Of several nodes it works at this one.
async fn open_setup(store: &Store, setup: &Setup) -> nightbeat_store::Result<Option<String>> {
    let projects = store.read(projects::count).await?;
    Ok((projects == 0).then(|| setup.open()))
}

/// The same for a server whose database was away as it started.
async fn open_setup_later(store: Store, setup: Arc<Setup>, config: Config, mut shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN_AFTER) => {}
            () = shutdown.begun() => return,
        }
        match open_setup(&store, &setup).await {
            Ok(None) => return,
            Ok(Some(path)) => {
                let text = how_to_begin(&config, &path);
                // Where nobody reads stderr, nobody misses it.
                let _ = std::io::stderr().lock().write_all(text.as_bytes());
                return;
            }
            Err(error) => tracing::debug!(%error, "the database is still away"),
        }
    }
}

/// As many connections as the process may open files. The soft limit is raised to the hard one first:
/// it is low for the sake of programs that use `select`, which we do not.
fn within_file_limit(mut config: Config) -> anyhow::Result<Config> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("cannot raise the limit of open files")?;
    // None says "without limit".
    let room = limit.maximum.map_or(u64::MAX, |files| {
        files.saturating_sub(FILES_RESERVED).max(1)
    });
    let mails = if config.mail_in.listen.is_empty() {
        0
    } else {
        config.limits.mail_connections as u64
    };
    let room = room.saturating_sub(mails).max(1);
    let wanted = config.limits.connections as u64;
    if wanted > room {
        tracing::warn!(
            wanted,
            room,
            "fewer connections than limits.connections: raise LimitNOFILE"
        );
        config.limits.connections = usize::try_from(room).unwrap_or(usize::MAX);
    }
    Ok(config)
}
