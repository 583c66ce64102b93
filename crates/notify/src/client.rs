//! The one place from which HTTP requests leave. It dials no address that is not public, unless the
//! operator allows it: not as a literal in any spelling, not by a DNS answer, and not by a redirect,
//! because redirects are not followed.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Proxy, Response, Url};

use crate::deadline::Deadline;
use crate::http::{Answer, Prepared};
use crate::net::{IpNet, Refused, check_address, check_port};
use crate::notifier::{Outgoing, SendError};
use crate::tls::Roots;

/// How much of an answer is read, in bytes.
const ANSWER_BYTES_MAX: usize = 65_536;
/// How long connecting may take, TLS included, so that a second address gets its chance.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection waits for its next request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How many connections to one host wait for their next request.
const IDLE_MAX: usize = 4;
/// How we call ourselves.
const USER_AGENT: &str = concat!("Nightbeat/", env!("CARGO_PKG_VERSION"));

/// The guarded HTTP client.
#[derive(Debug, Clone)]
pub(crate) struct Outbound {
    client: Client,
    allow: Arc<[IpNet]>,
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The proxy's URL is wrong.
    #[error("outgoing.proxy: {0:?} is not a proxy; write http://host:port")]
    Proxy(String),
    /// The TLS library refuses its configuration.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP library refuses its configuration.
    #[error("cannot set up the HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

impl Outbound {
    pub(crate) fn new(outgoing: &Outgoing, roots: &Roots) -> Result<Self, ClientError> {
        let allow: Arc<[IpNet]> = outgoing.allow.clone().into();
        // `no_proxy` first: HTTP_PROXY and its like in the environment would dial for us, unguarded.
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT.min(outgoing.timeout))
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_MAX)
            .tls_backend_preconfigured(roots.https()?);
        // With a proxy, the only name that we resolve is its own, which the operator trusts.
        builder = match &outgoing.proxy {
            Some(url) => builder.proxy(proxy(url)?),
            None => builder.dns_resolver(GuardedResolver {
                allow: Arc::clone(&allow),
            }),
        };
        Ok(Self {
            client: builder.build()?,
            allow,
        })
    }

    /// Sends a request and reads its answer, or the answer's first 64 KB.
    pub(crate) async fn send(
        &self,
        request: Prepared,
        deadline: &Deadline,
    ) -> Result<Answer, SendError> {
        self.check_url(&request.url).map_err(SendError::refused)?;
        let host = host_of(&request.url);
        let mut sending = self
            .client
            .request(request.method, request.url)
            .headers(request.headers);
        if let Some(body) = request.body {
            sending = sending.body(body);
        }
        let response = deadline
            .within(&format!("no answer from {host}"), sending.send())
            .await?
            .map_err(|error| failure(&error, &host))?;
        let status = response.status();
        let headers = response.headers().clone();
        let started = format!("{host} answered {status}, but its answer did not end");
        let body = deadline
            .within(&started, read(response))
            .await?
            .map_err(|error| {
                SendError::failed(format!(
                    "{host} answered {status}, but then: {}",
                    reason(&error)
                ))
            })?;
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    /// What can be refused before any dial. Names are judged by what they resolve to, at the dial.
    fn check_url(&self, url: &Url) -> Result<(), String> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err("refused: only http:// and https:// are sent to".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "refused: the URL contains a user or password; send them in a header".to_owned(),
            );
        }
        check_port(url.port_or_known_default().unwrap_or(0))?;
        // The URL parser has turned every spelling (decimal, octal, hexadecimal) into the address.
        let host = url.host_str().unwrap_or("");
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        match literal.parse::<IpAddr>() {
            Ok(address) => {
                check_address(address, &self.allow).map_err(|refused| refused.to_string())
            }
            Err(_) => Ok(()),
        }
    }
}

fn proxy(url: &str) -> Result<Proxy, ClientError> {
    let wrong = || ClientError::Proxy(url.to_owned());
    let parsed = Url::parse(url).map_err(|_| wrong())?;
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none_or(str::is_empty) {
        return Err(wrong());
    }
    Proxy::all(url).map_err(|_| wrong())
}

/// Resolves names and leaves out every address that may not be dialled. The connector then dials the
/// very addresses that were checked.
struct GuardedResolver {
    allow: Arc<[IpNet]>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow = Arc::clone(&self.allow);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses = permitted(found, &allow)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The addresses that may be dialled; where there is none, why not.
fn permitted(
    found: impl Iterator<Item = SocketAddr>,
    allow: &[IpNet],
) -> Result<Vec<SocketAddr>, Refused> {
    let mut refused = None;
    let mut addresses = Vec::new();
    for address in found {
        match check_address(address.ip(), allow) {
            Ok(()) => addresses.push(address),
            Err(refusal) => refused = refused.or(Some(refusal)),
        }
    }
    match refused {
        Some(refusal) if addresses.is_empty() => Err(refusal),
        _ => Ok(addresses),
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES_MAX {
        let Some(chunk) = response.chunk().await? else {
            break;
        };
        body.extend_from_slice(&chunk);
    }
    body.truncate(ANSWER_BYTES_MAX);
    Ok(body)
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Why a request failed, without the URL, which may hold a token.
fn failure(error: &reqwest::Error, host: &str) -> SendError {
    if let Some(refused) = causes(error).find_map(|cause| cause.downcast_ref::<Refused>()) {
        return SendError::refused(format!("{host}: {refused}"));
    }
    let reason = reason(error);
    SendError::failed(if error.is_connect() {
        format!("cannot connect to {host}: {reason}")
    } else {
        format!("no answer from {host}: {reason}")
    })
}

/// The innermost cause: `Connection refused (os error 111)`.
fn reason(error: &reqwest::Error) -> String {
    let innermost = causes(error)
        .last()
        .map_or_else(String::new, ToString::to_string);
    if innermost.contains("UnknownIssuer") {
        return format!(
            "{innermost} (if its certificate is of your own authority, set SSL_CERT_FILE or install it \
             among the machine's)"
        );
    }
    innermost
}

fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let first: Option<&'a (dyn Error + 'static)> = Some(error);
    let mut cause = first;
    std::iter::from_fn(move || {
        let now = cause?;
        cause = now.source();
        Some(now)
    })
}
