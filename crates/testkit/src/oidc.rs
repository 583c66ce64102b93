//! A small OpenID Connect provider: it knows one client, signs its tokens, and takes each code once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::wall_now;

/// The provider's one client.
pub const CLIENT_ID: &str = "nightbeat";
/// Its secret.
pub const CLIENT_SECRET: &str = "client-secret";
/// How long tokens count, in seconds.
const TOKEN_SECONDS: i64 = 300;

/// A provider that listens on this machine.
#[derive(Debug, Clone)]
pub struct OidcProvider {
    address: SocketAddr,
    /// What codes stand for.
    codes: Arc<Mutex<BTreeMap<String, Grant>>>,
    /// Who signs in when a browser comes.
    pub at_the_browser: Arc<Mutex<Option<Person>>>,
    /// What is wrong with the tokens, if anything.
    pub spoil: Arc<Mutex<Spoiled>>,
}

/// What a provider does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spoiled {
    /// Nothing.
    #[default]
    Nothing,
    /// Tokens are signed with a key that it does not publish.
    Key,
    /// Tokens are for another client.
    Audience,
    /// Tokens are of another provider.
    Issuer,
    /// Tokens have another sign-in's nonce.
    Nonce,
    /// Tokens have expired.
    Expired,
}

/// Whom somebody has signed in as at the provider.
#[derive(Debug, Clone)]
pub struct Person {
    /// The person.
    pub subject: String,
    /// Their address.
    pub email: String,
    /// Whether the provider has verified it.
    pub verified: bool,
}

#[derive(Debug)]
struct Grant {
    person: Person,
    nonce: String,
    challenge: String,
    redirect: String,
    /// In seconds since 1970.
    now: i64,
}

impl OidcProvider {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Self {
            address: listener.local_addr().unwrap(),
            codes: Arc::default(),
            at_the_browser: Arc::default(),
            spoil: Arc::default(),
        };
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        provider
    }

    /// Its name for itself.
    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a browser does that is sent to `url`, and whose person signs in there: where it is sent back to. `now`
    /// is in seconds since 1970.
    pub fn sign_in(&self, url: &str, person: &Person, now: i64) -> String {
        let (start, query) = url.split_once('?').unwrap();
        assert_eq!(start, format!("{}/authorize", self.issuer()));
        let asked = pairs(query);
        assert_eq!(asked["client_id"], CLIENT_ID);
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
        let mut codes = self.codes.lock().unwrap();
        let code = format!("code-{}", codes.len());
        let grant = Grant {
            person: person.clone(),
            nonce: asked["nonce"].clone(),
            challenge: asked["code_challenge"].clone(),
            redirect: asked["redirect_uri"].clone(),
            now,
        };
        codes.insert(code.clone(), grant);
        format!(
            "{}?code={code}&state={}",
            asked["redirect_uri"], asked["state"]
        )
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        let (head, length) = loop {
            let mut some = [0; 4_096];
            match stream.read(&mut some).await {
                Ok(count @ 1..) => bytes.extend_from_slice(&some[..count]),
                _ => return,
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, _)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    name.eq_ignore_ascii_case("content-length")
                        .then(|| value.parse::<usize>().unwrap())
                });
                break (head.to_owned(), length.unwrap_or(0));
            }
        };
        let whole = head.len() + 4 + length;
        while bytes.len() < whole {
            let mut some = [0; 4_096];
            match stream.read(&mut some).await {
                Ok(count @ 1..) => bytes.extend_from_slice(&some[..count]),
                _ => return,
            }
        }
        let body = String::from_utf8_lossy(&bytes[head.len() + 4..whole]).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default();
        let as_json = |answer: (u16, Value)| (answer.0, "application/json", answer.1.to_string());
        let (status, kind, answer) = match (path, self.page(path)) {
            (_, Some(page)) => (200, "text/html", page),
            ("/.well-known/openid-configuration", _) => as_json((200, self.metadata())),
            ("/keys", _) => as_json((200, keys())),
            ("/token", _) => as_json(self.token(&head, &body)),
            _ => as_json((404, json!({}))),
        };
        let response = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{answer}",
            answer.len()
        );
        // A client that is gone has lost nothing.
        let _ = stream.write_all(response.as_bytes()).await;
    }

    /// What a browser sees that was sent here: a link that signs its person in.
    fn page(&self, path: &str) -> Option<String> {
        let person = self.at_the_browser.lock().unwrap().clone()?;
        path.strip_prefix("/authorize?")?;
        let now = wall_now().0 / 1_000_000;
        let back = self.sign_in(&format!("{}{path}", self.issuer()), &person, now);
        let (back, email) = (back.replace('&', "&amp;"), &person.email);
        Some(format!(
            "<!doctype html><html lang=en><title>Provider</title><h1>Provider</h1>\
             <p><a href=\"{back}\">Sign in as {email}</a>"
        ))
    }

    fn metadata(&self) -> Value {
        let issuer = self.issuer();
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }

    fn token(&self, head: &str, body: &str) -> (u16, Value) {
        let asked = pairs(body);
        let basic = base64(format!("{CLIENT_ID}:{CLIENT_SECRET}").as_bytes(), *b"+/");
        let is_client = head.lines().any(|line| {
            line.to_ascii_lowercase()
                .starts_with("authorization: basic ")
                && line.trim_end_matches('=').ends_with(&basic)
        });
        let grant = self.codes.lock().unwrap().remove(&asked["code"]);
        let Some(grant) = grant.filter(|_| is_client) else {
            return (400, json!({"error": "invalid_grant"}));
        };
        let challenge = base64(&Sha256::digest(asked["code_verifier"].as_bytes()), *b"-_");
        if challenge != grant.challenge || asked["redirect_uri"] != grant.redirect {
            return (400, json!({"error": "invalid_grant"}));
        }
        let token = self.id_token(&grant);
        let answer = json!({"access_token": "x", "token_type": "Bearer", "id_token": token});
        (200, answer)
    }

    fn id_token(&self, grant: &Grant) -> String {
        let spoil = *self.spoil.lock().unwrap();
        let or = |spoiled, wrong: &str, right: &str| {
            if spoil == spoiled { wrong } else { right }.to_owned()
        };
        let age = if spoil == Spoiled::Expired {
            2 * TOKEN_SECONDS
        } else {
            0
        };
        let claims = json!({
            "iss": or(Spoiled::Issuer, "http://other.example", &self.issuer()),
            "sub": grant.person.subject,
            "aud": or(Spoiled::Audience, "other", CLIENT_ID),
            "exp": grant.now + TOKEN_SECONDS - age,
            "iat": grant.now - age,
            "nonce": or(Spoiled::Nonce, "other", &grant.nonce),
            "email": grant.person.email,
            "email_verified": grant.person.verified,
        });
        let header = json!({"alg": "ES256", "kid": "one"});
        let part = |value: &Value| base64(value.to_string().as_bytes(), *b"-_");
        let signed = format!("{}.{}", part(&header), part(&claims));
        let key = if spoil == Spoiled::Key {
            key(8)
        } else {
            key(7)
        };
        let signature: Signature = key.sign(signed.as_bytes());
        format!("{signed}.{}", base64(&signature.to_bytes(), *b"-_"))
    }
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_slice(&[number; 32]).unwrap()
}

fn keys() -> Value {
    let point = key(7).verifying_key().to_sec1_point(false);
    let [x, y] = [point.x().unwrap(), point.y().unwrap()].map(|half| base64(half, *b"-_"));
    json!({"keys": [{
        "kty": "EC", "use": "sig", "crv": "P-256", "alg": "ES256", "kid": "one", "x": x, "y": y,
    }]})
}

/// The fields of a form or a query.
fn pairs(text: &str) -> BTreeMap<String, String> {
    let fields = text.split('&').filter_map(|pair| pair.split_once('='));
    fields
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = str::from_utf8(&rest[..2]).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &rest[2..];
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Base 64 without padding; `last` are its last two letters.
fn base64(bytes: &[u8], last: [u8; 2]) -> String {
    let letters = (b'A'..=b'Z')
        .chain(b'a'..=b'z')
        .chain(b'0'..=b'9')
        .chain(last);
    let letters: Vec<u8> = letters.collect();
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| chunk.get(at).map_or(0, |byte| u32::from(*byte));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..=chunk.len() {
            text.push(char::from(letters[(word >> (18 - 6 * at) & 63) as usize]));
        }
    }
    text
}
