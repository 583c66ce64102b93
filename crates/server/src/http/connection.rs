//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Shutdown;
use super::accept::Serves;
use super::dispatch::App;
use super::stall::Impatient;

/// The largest header of a request, request line included.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// How many header lines a request may have.
const HEADER_LINES_MAX: usize = 100;
/// How long a client may take nothing of an answer.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a client that still sends is listened to after its answer. Closing at once would make its
/// kernel throw the answer away.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// How much of what it still sends is read meanwhile.
const LINGER_BYTES_MAX: usize = 1_000_000;

/// Serves connections.
#[derive(Clone)]
pub(super) struct Server {
    app: Arc<App>,
    builder: http1::Builder,
}

impl Server {
    pub(super) fn new(app: Arc<App>, header_timeout: Duration) -> Self {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .max_headers(HEADER_LINES_MAX)
            .max_header_size(HEADER_BYTES_MAX)
            // A client that has said all may close its side and still wait for the answer (`nc -N`).
            .half_close(true);
        Self { app, builder }
    }
}

impl Serves for Server {
    const NO_ROOM: &'static [u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\
Content-Type: text/plain; charset=utf-8\r\nContent-Length: 21\r\n\r\ntoo many connections\n";

    async fn serve<S>(&self, stream: S, peer: Option<IpAddr>, mut shutdown: Shutdown)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let app = Arc::clone(&self.app);
        let service = service_fn(move |request: http::Request<Incoming>| {
            let app = Arc::clone(&app);
            let answer = async move { Ok::<_, Infallible>(app.respond(peer, request).await) };
            let boxed: Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>> =
                Box::pin(answer);
            boxed
        });
        let stream = TokioIo::new(Impatient::new(stream, WRITE_PATIENCE));
        let mut connection = self.builder.serve_connection(stream, service);
        let mut begun = pin!(shutdown.begun());
        let mut ending = false;
        let served = poll_fn(|context| {
            if !ending && begun.as_mut().poll(context).is_ready() {
                ending = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            connection.poll_without_shutdown(context)
        });
        let served = served.await;
        if let Err(error) = &served {
            tracing::debug!(%error, "connection ended");
        }
        // A header that is not HTTP or too large was answered as well; a silent client was not.
        if served.is_ok() || served.is_err_and(|error| error.is_parse()) {
            linger(connection.into_parts().io.into_inner()).await;
        }
    }
}

/// Says that no more comes, and reads what the client still sends until it has understood.
pub(crate) async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut ignored = [0; 4_096];
    let mut left = LINGER_BYTES_MAX;
    let reading = async {
        while left > 0
            && let Ok(count @ 1..) = stream.read(&mut ignored).await
        {
            left = left.saturating_sub(count);
        }
    };
    // Too long is fine, too: the connection is closed either way.
    let _ = tokio::time::timeout(LINGER_TIME, reading).await;
}
