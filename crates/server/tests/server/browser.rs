//! A browser without JavaScript: it keeps cookies, follows redirects when told to, and fills in forms.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::support::{Answer, talk};

pub(crate) struct Browser {
    address: SocketAddr,
    pub(crate) cookies: BTreeMap<String, String>,
    /// What the forms of the last page carry.
    pub(crate) csrf: String,
    /// Further header lines, each with its line end.
    pub(crate) headers: String,
}

impl Browser {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            cookies: BTreeMap::new(),
            csrf: String::new(),
            headers: String::new(),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    /// Sends a form with these fields and what the last page's forms carry.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let form = self.form(fields);
        self.send("POST", path, &form).await
    }

    /// A form with these fields and what the last page's forms carry.
    pub(crate) fn form(&self, fields: &[(&str, &str)]) -> String {
        form(fields.iter().copied().chain([("csrf", self.csrf.as_str())]))
    }

    /// The same without what forms carry.
    pub(crate) async fn post_unasked(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let form = form(fields.iter().copied());
        self.send("POST", path, &form).await
    }

    async fn send(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let request = self.request(method, path, body);
        let answer = talk(self.address, request.as_bytes()).await;
        self.learn(&answer);
        answer
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> String {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!(
            "{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nCookie: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{}\r\n{body}",
            cookies.join("; "),
            body.len(),
            self.headers,
        )
    }

    fn learn(&mut self, answer: &Answer) {
        let lines = answer.head.lines().filter_map(|line| line.split_once(": "));
        for (_, cookie) in lines.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            let (pair, attributes) = cookie.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a value");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        if let Some(csrf) = between(&answer.body, "name=\"csrf\" value=\"", "\"") {
            csrf.clone_into(&mut self.csrf);
        }
    }

    /// Signs in by password.
    pub(crate) async fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        self.get("/sign-in").await;
        let fields = [("email", email), ("password", password)];
        self.post("/sign-in", &fields).await
    }

    /// Shows an API key.
    pub(crate) async fn show_key(&mut self, key: &str) -> Answer {
        self.get("/sign-in").await;
        self.post("/sign-in", &[("key", key)]).await
    }

    /// The session's cookie as a header wants it.
    pub(crate) fn session(&self) -> Option<&str> {
        let mut found = self
            .cookies
            .iter()
            .filter(|(name, _)| name.ends_with("nightbeat"));
        found.next().map(|(_, value)| value.as_str())
    }
}

fn form<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let pairs = fields.map(|(name, value)| {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        format!("{name}={value}")
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// The first text between two others.
pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}
