//! Signal URLs: whom a signal is for and what it says. Pure; nothing here reads more than its arguments.
//!
//! ```text
//! BASE/api/heartbeat/TAIL    the product's own form
//! BASE/ping/TAIL             what Healthchecks clients send
//! PING-HOST/TAIL             the bare form, on the host that `ping_host` names
//!
//! TAIL = UUID [/ACTION] [/]  |  PING-KEY/SLUG [/ACTION] [/]       ACTION = start, fail, log, 0 to 255
//! ```

use std::borrow::Cow;

use nightbeat_domain::{HeartbeatId, SignalKind};
use uuid::Uuid;

use super::query::SignalQuery;
use super::text::decoded;

/// The longest slug.
pub const SLUG_CHARS_MAX: usize = 100;
/// The longest ping key that is looked up.
const PING_KEY_CHARS_MAX: usize = 100;
/// On a bare ping host, a first segment shorter than this is a page of ours and no ping key.
const BARE_KEY_CHARS_MIN: usize = 20;

/// What a signal URL says.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalUrl {
    /// Whom the signal is for.
    pub target: UrlTarget,
    /// What it says.
    pub kind: SignalKind,
    /// The exit code, where the URL told one.
    pub exit_code: Option<u8>,
    /// What the query adds.
    pub query: SignalQuery,
}

/// Whom a signal is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlTarget {
    /// The heartbeat with this id.
    Id(HeartbeatId),
    /// The heartbeat with this slug in the project with this ping key.
    Slug {
        /// The project's ping key.
        ping_key: String,
        /// The slug: 1 to [`SLUG_CHARS_MAX`] of `a-z 0-9 - _`.
        slug: String,
    },
}

/// Why a URL is no signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// It names nothing that can exist.
    #[error("not found")]
    NotFound,
    /// An exit code over 255, or a slug that is too long or holds other characters.
    #[error("invalid url format")]
    Format,
    /// `rid` is not a UUID.
    #[error("invalid uuid format")]
    Rid,
    /// Another parameter of the query is wrong.
    #[error("invalid {parameter}: {problem}")]
    Parameter {
        /// Its name.
        parameter: &'static str,
        /// What would be right.
        problem: Cow<'static, str>,
    },
}

/// Which paths are signals on this server.
#[derive(Debug, Clone, Default)]
pub struct Forms {
    /// The path of the public URL: `/beats`, or empty.
    pub prefix: String,
    /// The host whose every path may be a signal.
    pub ping_host: Option<String>,
    /// The host whose paths are those of Dead Man's Snitch.
    pub snitch_host: Option<String>,
}

impl Forms {
    /// The tail of a signal path; `None` where the path is no signal's. The prefix may be there or not:
    /// many reverse proxies take it off.
    pub fn tail<'a>(&self, host: Option<&str>, path: &'a str) -> Option<&'a str> {
        let path = self.without_prefix(path);
        let known = path
            .strip_prefix("/api/heartbeat/")
            .or_else(|| path.strip_prefix("/ping/"));
        if known.is_some() {
            return known;
        }
        let ping_host = self.ping_host.as_deref()?;
        let bare = path.strip_prefix('/')?;
        (is_host(host?, ping_host) && starts_like_a_signal(bare)).then_some(bare)
    }

    /// The path below the public URL's own.
    pub fn without_prefix<'a>(&self, path: &'a str) -> &'a str {
        match path.strip_prefix(self.prefix.as_str()) {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        }
    }
}

/// What the signal URL with this path and query says, on a server without prefix and ping host.
pub fn parse(path: &str, query: Option<&str>) -> Result<SignalUrl, UrlProblem> {
    let tail = Forms::default()
        .tail(None, path)
        .ok_or(UrlProblem::NotFound)?;
    parse_tail(tail, query)
}

/// What a signal URL says, from its tail on.
pub fn parse_tail(tail: &str, query: Option<&str>) -> Result<SignalUrl, UrlProblem> {
    let (target, action) = target(tail, false)?;
    let (kind, exit_code) = match action {
        Some(action) => parse_action(&action)?,
        None => (SignalKind::Success, None),
    };
    let by_slug = matches!(target, UrlTarget::Slug { .. });
    let query = SignalQuery::parse(query.unwrap_or_default(), by_slug)?;
    Ok(SignalUrl {
        target,
        kind,
        exit_code,
        query,
    })
}

/// Whom a tail names, and what stands behind that. `undashed`: an id may stand without its dashes.
pub(super) fn target(
    tail: &str,
    undashed: bool,
) -> Result<(UrlTarget, Option<Cow<'_, str>>), UrlProblem> {
    let mut segments = tail.strip_suffix('/').unwrap_or(tail).split('/');
    let mut next = || segments.next().map(|segment| decoded(segment, false));
    let first = next().unwrap_or_default();
    let id = if undashed {
        any_uuid(&first)
    } else {
        uuid(&first)
    };
    let found = match id {
        Some(id) => (UrlTarget::Id(HeartbeatId(id)), next()),
        None if is_ping_key(&first) => {
            let slug = next().ok_or(UrlProblem::NotFound)?;
            check_slug(&slug)?;
            let ping_key = first.into_owned();
            (
                UrlTarget::Slug {
                    ping_key,
                    slug: slug.into_owned(),
                },
                next(),
            )
        }
        None => return Err(UrlProblem::NotFound),
    };
    match next() {
        None => Ok(found),
        Some(_) => Err(UrlProblem::NotFound),
    }
}

/// What an ending of the path says.
pub(super) fn parse_action(action: &str) -> Result<(SignalKind, Option<u8>), UrlProblem> {
    match action {
        "start" => Ok((SignalKind::Start, None)),
        "fail" => Ok((SignalKind::Fail, None)),
        "log" => Ok((SignalKind::Log, None)),
        code if !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit()) => {
            let code: u8 = code.parse().map_err(|_| UrlProblem::Format)?;
            let kind = if code == 0 {
                SignalKind::Success
            } else {
                SignalKind::Fail
            };
            Ok((kind, Some(code)))
        }
        _ => Err(UrlProblem::NotFound),
    }
}

/// A UUID in its dashed form, in either case; other forms are none.
pub(super) fn uuid(text: &str) -> Option<Uuid> {
    const DASHED_CHARS: usize = 36;
    (text.len() == DASHED_CHARS)
        .then(|| Uuid::try_parse(text).ok())
        .flatten()
}

/// The same, or without dashes.
pub(super) fn any_uuid(text: &str) -> Option<Uuid> {
    const UNDASHED_CHARS: usize = 32;
    let undashed = || {
        Uuid::try_parse(text)
            .ok()
            .filter(|_| text.len() == UNDASHED_CHARS)
    };
    uuid(text).or_else(undashed)
}

pub(super) fn check_slug(slug: &str) -> Result<(), UrlProblem> {
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    match slug {
        "" => Err(UrlProblem::NotFound),
        slug if slug.len() <= SLUG_CHARS_MAX && slug.bytes().all(fits) => Ok(()),
        _ => Err(UrlProblem::Format),
    }
}

pub(crate) fn is_ping_key(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=PING_KEY_CHARS_MAX).contains(&text.len()) && text.bytes().all(fits)
}

pub(super) fn is_host(host: &str, ping_host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    host.eq_ignore_ascii_case(ping_host) || without_port.eq_ignore_ascii_case(ping_host)
}

fn starts_like_a_signal(tail: &str) -> bool {
    let first = tail.split('/').next().unwrap_or_default();
    first.len() >= BARE_KEY_CHARS_MIN && is_ping_key(first)
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
