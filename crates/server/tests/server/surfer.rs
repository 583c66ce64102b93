//! A browser without JavaScript: it keeps its cookie, sends forms with the token of the page they stand on, and
//! unpacks what is compressed.

use std::io::Read as _;
use std::net::SocketAddr;

use flate2::read::GzDecoder;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{Answer, Fixture, rest, talk};

pub(crate) struct Surfer {
    pub(crate) address: SocketAddr,
    pub(crate) cookie: String,
    /// The project's page.
    pub(crate) project: String,
}

impl Surfer {
    /// One whose user may change things.
    pub(crate) async fn of_owner(nightbeat: &Fixture) -> Self {
        Self::with_key(nightbeat, &nightbeat.keys.api_key).await
    }

    /// One whose user may only look.
    pub(crate) async fn of_reader(nightbeat: &Fixture) -> Self {
        Self::with_key(nightbeat, &nightbeat.keys.read_only_key).await
    }

    /// One that is not signed in.
    pub(crate) fn of_nobody(nightbeat: &Fixture) -> Self {
        Self {
            address: nightbeat.address(),
            cookie: String::new(),
            project: format!("/projects/{}", nightbeat.project()),
        }
    }

    pub(crate) async fn with_key(nightbeat: &Fixture, key: &str) -> Self {
        let mut browser = Self::of_nobody(nightbeat);
        let form = browser.get("/sign-in").await;
        browser.cookie = cookie(&form);
        let csrf = token(&form.body);
        let signed_in = browser
            .send("/sign-in", &format!("csrf={csrf}&key={key}"), "")
            .await;
        browser.cookie = cookie(&signed_in);
        browser
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, "").await
    }

    /// With more headers, each ended by a line break.
    pub(crate) async fn get_with(&self, path: &str, headers: &str) -> Answer {
        let cookie = &self.cookie;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: h\r\nCookie: {cookie}\r\n{headers}Connection: close\r\n\r\n"
        );
        talk(self.address, request.as_bytes()).await
    }

    /// A page of the project.
    pub(crate) async fn page(&self, below: &str) -> Answer {
        self.get(&format!("{}{below}", self.project)).await
    }

    /// What a browser that takes gzip gets: how many bytes came, and what they unpack to.
    pub(crate) async fn packed(&self, path: &str) -> (usize, String) {
        let cookie = &self.cookie;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: h\r\nCookie: {cookie}\r\nAccept-Encoding: gzip\r\n\
             Connection: close\r\n\r\n"
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let bytes = rest(&mut stream).await;
        let end = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap()
            + 4;
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        assert!(head.contains("content-encoding: gzip"), "{head}");
        let mut text = String::new();
        let mut unpacking = GzDecoder::new(&bytes[end..]);
        unpacking.read_to_string(&mut text).unwrap();
        (bytes.len(), text)
    }

    /// Sends a form of the project with the token of this browser.
    pub(crate) async fn post(&self, below: &str, form: &str) -> Answer {
        let csrf = self.csrf().await;
        let form = format!("csrf={csrf}&{form}");
        self.send(&format!("{}{below}", self.project), &form, "")
            .await
    }

    /// Sends a form as it is.
    pub(crate) async fn send(&self, path: &str, form: &str, headers: &str) -> Answer {
        let (cookie, length) = (&self.cookie, form.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nCookie: {cookie}\r\nContent-Length: {length}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n{headers}Connection: close\r\n\r\n{form}"
        );
        talk(self.address, request.as_bytes()).await
    }

    /// The token that forms of this browser carry.
    pub(crate) async fn csrf(&self) -> String {
        token(&self.get("/sign-out").await.body)
    }

    /// The page that an answer sends to.
    pub(crate) async fn follow(&self, answer: &Answer) -> Answer {
        assert_eq!(answer.status, 303, "{}", answer.body);
        let to = answer.header("location").expect("a location");
        self.get(to.split('#').next().unwrap()).await
    }
}

/// What stands between two marks, the first time.
pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let from = text
        .find(before)
        .unwrap_or_else(|| panic!("{before} in {text}"))
        + before.len();
    let to = text[from..]
        .find(after)
        .unwrap_or_else(|| panic!("{after} after {before}"));
    &text[from..from + to]
}

/// The id of the first incident on a page that can be acknowledged there.
pub(crate) fn incident(page: &str) -> &str {
    let (before, _) = page.split_once("/acknowledge\"").expect("a form");
    before.rsplit('/').next().unwrap()
}

/// The first cookie that an answer sets.
fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").expect("a cookie");
    cookie.split(';').next().unwrap().to_owned()
}

/// The token that the forms of a page carry.
fn token(page: &str) -> String {
    between(page, "name=\"csrf\" value=\"", "\"").to_owned()
}
