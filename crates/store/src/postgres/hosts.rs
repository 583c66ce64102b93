//! Which of the hosts in a URL is spoken to: the first that takes writes, is the database that the node
//! knows, and is not one that a failover has left behind.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{Connect, Hook, HookError, PoolBuilder};
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Error, SimpleQueryMessage, Socket};

use super::address::Address;
use super::error::text;

/// How long one host may take from the first word to the end of the greeting.
pub(super) const GREETING_TIMEOUT: Duration = Duration::from_secs(8);

/// How long of several hosts one may take, so that one that hangs costs no node its lease.
const OF_SEVERAL_TIMEOUT: Duration = Duration::from_secs(2);

/// The first eight digits of a log file's name are its timeline, which each failover makes one higher. The
/// server answers this only where it is the primary.
const WHO: &str = "SELECT system_identifier, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
                     FROM pg_control_system()";

/// Which server it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Server {
    /// Made with the cluster; a standby has its primary's.
    system: String,
    timeline: u32,
}

/// The server that was the last one, for all connections of the process to a database.
#[derive(Debug, Clone, Default)]
pub(super) struct Pinned {
    last: Arc<Mutex<Option<Last>>>,
}

#[derive(Debug)]
struct Last {
    server: Server,
    /// Since when; connections from before lead to another.
    since: Instant,
}

impl Pinned {
    /// Whether this server may be believed; if not, why. A failover's new primary becomes the last one.
    #[expect(
        clippy::disallowed_methods,
        reason = "compared with the pool's own readings, and with nothing else"
    )]
    fn believes(&self, server: Server) -> Result<(), String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*last {
            let known = &known.server;
            if known.system != server.system {
                return Err(format!(
                    "it is another server than the one that was last: its system identifier is {}, not {}; \
                     if the database was moved there on purpose, restart the node",
                    server.system, known.system
                ));
            }
            if server.timeline < known.timeline {
                return Err(format!(
                    "it is another server than the one that was last: its timeline is {}, the primary's \
                     is {}; a failover has left it behind, and it must not take writes any more",
                    server.timeline, known.timeline
                ));
            }
            if server == *known {
                return Ok(());
            }
            tracing::warn!(
                timeline = server.timeline,
                before = known.timeline,
                "PostgreSQL has failed over to another primary"
            );
        }
        let since = Instant::now();
        *last = Some(Last { server, since });
        Ok(())
    }

    /// Whether a connection that was made then may lead to a server that is left behind.
    fn is_newer_than(&self, made: Instant) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().is_some_and(|last| made < last.since)
    }

    /// Asks a server who it is. One that does not know such questions, or does not answer us, is believed.
    async fn ask(&self, client: &Client) -> Result<(), String> {
        let answer = match client.simple_query(WHO).await {
            Ok(answer) => answer,
            Err(error) if error.code().is_some_and(|code| SILENT.contains(code)) => return Ok(()),
            Err(error) => return Err(text(&error)),
        };
        let row = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let read = |column| row.and_then(|row| row.get(column)).unwrap_or_default();
        let timeline = u32::from_str_radix(read(1), 16);
        self.believes(Server {
            system: read(0).to_owned(),
            timeline: timeline.map_err(|_| "it does not say which timeline it is on".to_owned())?,
        })
    }

    /// What a pool has to look at besides.
    pub(super) fn watch(&self, pool: PoolBuilder) -> PoolBuilder {
        let (new, old) = (self.clone(), self.clone());
        pool.post_create(Hook::async_fn(move |client, _| {
            let pinned = new.clone();
            Box::pin(async move { pinned.ask(client).await.map_err(HookError::message) })
        }))
        .pre_recycle(Hook::sync_fn(move |_, metrics| {
            if old.is_newer_than(metrics.created) {
                return Err(HookError::message("made before the failover"));
            }
            Ok(())
        }))
    }
}

/// What other engines, and roles with few rights, say.
const SILENT: [SqlState; 3] = [
    SqlState::UNDEFINED_FUNCTION,
    SqlState::INSUFFICIENT_PRIVILEGE,
    SqlState::FEATURE_NOT_SUPPORTED,
];

/// Connects to one host after the other, each with its own time.
pub(super) struct Hosts<T> {
    each: Vec<Config>,
    tls: T,
    pinned: Pinned,
}

type Connected = (Client, JoinHandle<()>);

impl<T> Hosts<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    pub(super) fn new(address: &Address, tls: T, pinned: &Pinned) -> Self {
        Self {
            each: address.each(),
            tls,
            pinned: pinned.clone(),
        }
    }

    /// The first host that will do. Where none does, the last one's error; or its connection, with which
    /// the pool's hook tells what is wrong.
    async fn first(&self) -> Result<Connected, Error> {
        let limit = if self.each.len() == 1 {
            GREETING_TIMEOUT
        } else {
            OF_SEVERAL_TIMEOUT
        };
        loop {
            let mut failed = None;
            for host in &self.each {
                let trying = tokio::time::timeout(limit, self.one(host));
                match trying.await {
                    Ok(Ok((connected, None))) => return Ok(connected),
                    Ok(Ok((connected, Some(why)))) => {
                        let host = name(host);
                        tracing::warn!(host, why, "a PostgreSQL server is not believed");
                        failed = Some(Ok(connected));
                    }
                    Ok(Err(error)) => {
                        // A server that was found, and is not believed, says more.
                        if !matches!(failed, Some(Ok(_))) {
                            failed = Some(Err(error));
                        }
                    }
                    Err(_) => tracing::debug!(host = name(host), "it does not answer in time"),
                }
            }
            // Where all are silent the pool's own limit ends it.
            if let Some(failed) = failed {
                return failed;
            }
        }
    }

    async fn one(&self, host: &Config) -> Result<(Connected, Option<String>), Error> {
        let (client, connection) = host.connect(self.tls.clone()).await?;
        let driving = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = text(&error), "a connection has ended");
            }
        });
        let believed = self.pinned.ask(&client).await;
        Ok(((client, driving), believed.err()))
    }
}

/// A host as people know it.
fn name(host: &Config) -> String {
    let ports = host.get_ports();
    format!("{:?} {ports:?}", host.get_hosts())
}

impl<T> Connect for Hosts<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect(
        &self,
        _: &Config,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Connected, Error>> + Send + '_>> {
        Box::pin(self.first())
    }
}

impl<T> fmt::Debug for Hosts<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosts").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(system: &str, timeline: u32) -> Server {
        let system = system.to_owned();
        Server { system, timeline }
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "compared with the pool's own readings, and with nothing else"
    )]
    fn a_server_that_a_failover_left_behind_and_a_stranger_are_not_believed() {
        let pinned = Pinned::default();
        let before = Instant::now();
        pinned.believes(server("7", 1)).unwrap();
        pinned.believes(server("7", 1)).unwrap();
        assert!(pinned.is_newer_than(before));
        let between = Instant::now();
        assert!(!pinned.is_newer_than(between));
        pinned.believes(server("7", 3)).unwrap();
        assert!(pinned.is_newer_than(between), "it leads to the old one");
        let behind = pinned.believes(server("7", 2)).unwrap_err();
        assert!(behind.contains("its timeline is 2"), "{behind}");
        let stranger = pinned.believes(server("8", 9)).unwrap_err();
        assert!(stranger.contains("identifier is 8, not 7"), "{stranger}");
        pinned.believes(server("7", 3)).unwrap();
    }
}
