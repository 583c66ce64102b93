//! The loop that accepts connections.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::admission::Admission;
use super::{Bound, Shutdown};

/// How long to pause when the process may open no more files. Trying again at once would take a whole
/// core and free nothing.
const PAUSE: Duration = Duration::from_millis(100);

/// What serves connections, in one protocol; cheap to clone.
pub(crate) trait Serves: Clone + Send + Sync + 'static {
    /// What a connection is told that there is no room for, as far as its socket takes it at once.
    const NO_ROOM: &'static [u8];

    /// Serves one connection until it ends. `peer` is the other side's address; `None`: a Unix socket.
    fn serve<S>(
        &self,
        stream: S,
        peer: Option<IpAddr>,
        shutdown: Shutdown,
    ) -> impl Future<Output = ()> + Send
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static;
}

enum Stream {
    Tcp(TcpStream, IpAddr),
    Unix(UnixStream),
}

/// Accepts on `listener` until the end begins.
pub(crate) async fn accept(
    listener: Bound,
    server: impl Serves,
    admission: Arc<Admission>,
    mut shutdown: Shutdown,
) {
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.begun() => return,
            accepted = next(&listener) => accepted,
        };
        match accepted {
            Ok(stream) => {
                failing = false;
                take(stream, &server, &admission, &shutdown);
            }
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                admission.refused("files");
                if !failing {
                    tracing::error!(%error, "cannot accept connections; raise the limit of open files (LimitNOFILE)");
                }
                failing = true;
                tokio::select! {
                    () = shutdown.begun() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }
}

async fn next(listener: &Bound) -> io::Result<Stream> {
    match listener {
        Bound::Tcp(listener) => listener
            .accept()
            .await
            .map(|(stream, peer)| Stream::Tcp(stream, peer.ip())),
        Bound::Unix(listener, _) => listener
            .accept()
            .await
            .map(|(stream, _)| Stream::Unix(stream)),
    }
}

fn take<P: Serves>(stream: Stream, server: &P, admission: &Arc<Admission>, shutdown: &Shutdown) {
    let peer = match &stream {
        Stream::Tcp(_, peer) => Some(*peer),
        Stream::Unix(_) => None,
    };
    let admitted = match admission.admit(peer) {
        Ok(admitted) => admitted,
        Err(reason) => {
            tracing::debug!(reason, "connection refused");
            // The client learns why where it can; it is refused either way.
            let _ = match &stream {
                Stream::Tcp(stream, _) => stream.try_write(P::NO_ROOM),
                Stream::Unix(stream) => stream.try_write(P::NO_ROOM),
            };
            return;
        }
    };
    let (server, shutdown) = (server.clone(), shutdown.clone());
    tokio::spawn(async move {
        let _admitted = admitted;
        match stream {
            Stream::Tcp(stream, _) => {
                // Costs nothing where it fails: an answer may then wait for the client's acknowledgement.
                let _ = stream.set_nodelay(true);
                server.serve(stream, peer, shutdown).await;
            }
            Stream::Unix(stream) => server.serve(stream, peer, shutdown).await,
        }
    });
}

/// The client was gone before it was accepted; the next one may be fine.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
