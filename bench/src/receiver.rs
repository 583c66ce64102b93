//! A webhook receiver that notes when each alert arrives.

use std::sync::{Arc, Mutex, PoisonError};

use nightbeat_domain::UnixMicros;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::process::now;

/// The receiver.
pub(crate) struct Receiver {
    /// Its URL.
    pub(crate) url: String,
    arrivals: Arc<Mutex<Vec<UnixMicros>>>,
}

impl Receiver {
    /// Starts one on a free port.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let arrivals = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&arrivals);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&noted)));
            }
        });
        Ok(Self { url, arrivals })
    }

    /// When alerts arrived.
    pub(crate) fn arrivals(&self) -> Vec<UnixMicros> {
        self.arrivals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn serve(mut stream: TcpStream, noted: Arc<Mutex<Vec<UnixMicros>>>) {
    let mut received = Vec::new();
    let mut buffer = [0_u8; 16_384];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => received.extend_from_slice(&buffer[..read]),
        }
        while let Some(end) = request_end(&received) {
            received.drain(..end);
            noted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(now());
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

/// Where the first whole request in `received` ends.
fn request_end(received: &[u8]) -> Option<usize> {
    let head = received.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&received[..head]).ok()?;
    let length: usize = text
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().ok())?
        })
        .unwrap_or(0);
    let end = head + 4 + length;
    (received.len() >= end).then_some(end)
}
