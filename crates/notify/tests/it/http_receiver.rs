//! A receiver of HTTP requests on 127.0.0.1 that records them and answers exactly what it is told to.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What happens after a connection is made.
#[derive(Clone)]
pub(crate) enum Behaviour {
    /// Reads a request, writes this, closes.
    Answer(String),
    /// Reads a request, writes this, and then keeps the connection open for ever.
    AnswerAndHang(String),
    /// Neither reads nor writes.
    Silent,
    /// Resets the connection.
    Reset,
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Request line and headers, as they came.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(crate) struct Receiver {
    pub(crate) port: u16,
    connections: Arc<Mutex<usize>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let connections = Arc::clone(&receiver.connections);
        let requests = Arc::clone(&receiver.requests);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                *connections.lock().unwrap() += 1;
                tokio::spawn(serve(stream, behaviour.clone(), Arc::clone(&requests)));
            }
        });
        receiver
    }

    pub(crate) async fn answering(answer: &str) -> Self {
        Self::start(Behaviour::Answer(answer.to_owned())).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The only request that came.
    pub(crate) fn request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests[0].clone()
    }
}

async fn serve(mut stream: TcpStream, behaviour: Behaviour, requests: Arc<Mutex<Vec<Request>>>) {
    match behaviour {
        Behaviour::Silent => std::future::pending::<()>().await,
        Behaviour::Reset => stream.set_zero_linger().unwrap(),
        Behaviour::Answer(answer) => {
            let request = read_request(&mut stream).await;
            requests.lock().unwrap().push(request);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        Behaviour::AnswerAndHang(answer) => {
            let request = read_request(&mut stream).await;
            requests.lock().unwrap().push(request);
            stream.write_all(answer.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Request {
    let mut bytes = Vec::new();
    let head_end = loop {
        let found = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = found {
            break end + 4;
        }
        assert_ne!(
            stream.read_buf(&mut bytes).await.unwrap(),
            0,
            "closed in the head"
        );
    };
    let mut request = Request {
        head: String::from_utf8(bytes[..head_end].to_vec()).unwrap(),
        body: String::new(),
    };
    let length = request
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    while bytes.len() < head_end + length {
        assert_ne!(
            stream.read_buf(&mut bytes).await.unwrap(),
            0,
            "closed in the body"
        );
    }
    request.body = String::from_utf8(bytes.split_off(head_end)).unwrap();
    request
}
