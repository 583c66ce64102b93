//! A client that says what it is told, over one connection.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::wait::HANGING;

/// A request.
pub type Request = ::http::Request<Full<Bytes>>;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its header.
    pub headers: ::http::HeaderMap,
    /// Its body as text.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }
}

/// Why there was no answer.
pub type NoAnswer = Box<dyn std::error::Error + Send + Sync>;

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self, NoAnswer> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, driving) = http1::handshake(TokioIo::new(stream)).await?;
        // Its error is the request's error, too.
        tokio::spawn(driving);
        Ok(Self { sender })
    }

    /// Sends a request and reads its whole answer.
    pub async fn send(&mut self, request: Request) -> Result<Answer, NoAnswer> {
        tokio::time::timeout(HANGING, self.exchange(request)).await?
    }

    async fn exchange(&mut self, request: Request) -> Result<Answer, NoAnswer> {
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

/// Sends one request on a connection of its own.
pub async fn send(address: SocketAddr, request: Request) -> Result<Answer, NoAnswer> {
    Connection::open(address).await?.send(request).await
}

/// A request without body.
pub fn get(address: SocketAddr, path: &str) -> Request {
    request("GET", address, path, "")
}

/// Any request.
pub fn request(method: &str, address: SocketAddr, path: &str, body: impl AsRef<[u8]>) -> Request {
    ::http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", address.to_string())
        .body(Full::new(Bytes::copy_from_slice(body.as_ref())))
        .unwrap()
}

/// The request with a header whose value is any bytes that HTTP can carry.
#[must_use]
pub fn with(mut request: Request, name: &'static str, value: &[u8]) -> Request {
    let value = ::http::HeaderValue::from_bytes(value).unwrap();
    request.headers_mut().insert(name, value);
    request
}
