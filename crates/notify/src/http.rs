//! From a kind, its fields and a message to an HTTP request; from an answer to a verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};

use crate::Message;
use crate::kind::{Body, HttpKind, Kind, Request, Success};
use crate::payload::{self, Event};
use crate::template::{Escape, Template, fill_json, percent_encode};

/// Headers that belong to the connection, not to the message.
pub(crate) const SET_BY_US: [HeaderName; 7] = [
    HOST,
    CONNECTION,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    TE,
    TRAILER,
    UPGRADE,
];

/// How much of an answer is shown to people, in characters.
const SHOWN_CHARS_MAX: usize = 200;
/// The longest wait that a receiver may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// A request, ready to be sent.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
}

/// What a receiver answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Its beginning.
    pub(crate) body: Vec<u8>,
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyType {
    Json,
    Form,
    Text,
}

impl BodyType {
    /// The type that header lines ask for; JSON where they say nothing.
    pub(crate) fn of_headers(lines: &str) -> Result<Self, String> {
        let lines = header_lines(lines)?;
        let named = |(name, _): &&(&str, &str)| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str());
        let Some((_, value)) = lines.iter().find(named) else {
            return Ok(Self::Json);
        };
        let essence = value
            .split(';')
            .next()
            .unwrap_or("")
            .trim()
            .to_ascii_lowercase();
        Ok(match essence.as_str() {
            "application/x-www-form-urlencoded" => Self::Form,
            json if json.ends_with("/json") || json.ends_with("+json") => Self::Json,
            _ => Self::Text,
        })
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Text => "text/plain; charset=utf-8",
        })
    }
}

/// Splits `Name: value` lines.
pub(crate) fn header_lines(text: &str) -> Result<Vec<(&str, &str)>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| format!("{line:?} is not a header; write Name: value"))?;
            Ok((name.trim(), value.trim()))
        })
        .collect()
}

/// `https://hooks.example:443`, where `fields` make a URL.
pub(crate) fn origin(http: &HttpKind, fields: &BTreeMap<String, String>) -> Option<String> {
    let url = url(&http.request.url, &json!({ "field": fields })).ok()?;
    let host = url.host_str()?;
    Some(format!(
        "{}://{host}:{}",
        url.scheme(),
        url.port_or_known_default()?
    ))
}

/// The request that tells `message`. The error says what cannot be sent.
pub(crate) fn prepare(
    kind: &Kind,
    http: &HttpKind,
    fields: &BTreeMap<String, String>,
    message: &Message,
) -> Result<Prepared, String> {
    let event = Event::of(&message.content);
    let mut values = payload::values(message, kind.text_bytes_max);
    values["field"] = json!(fields);
    values["by_event"] = by_event(http, event);
    let request = http.request_for(event);
    let method = Template::parse(&request.method)?.fill(&values, Escape::None);
    let method =
        Method::from_bytes(method.as_bytes()).map_err(|_| format!("{method:?} is no method"))?;
    let (mut headers, written) = (
        headers(&request, fields, &values)?,
        body(&request, fields, &values)?,
    );
    let body = match written {
        Some((body_type, bytes)) if method != Method::GET => {
            headers
                .entry(CONTENT_TYPE)
                .or_insert_with(|| body_type.content_type());
            Some(bytes)
        }
        _ => None,
    };
    Ok(Prepared {
        method,
        url: url(&request.url, &values)?,
        headers,
        body,
    })
}

fn by_event(http: &HttpKind, event: Event) -> Value {
    let chosen = http.by_event.iter().map(|(name, words)| {
        let word = words.get(event.as_str()).or_else(|| words.get("default"));
        (name.clone(), word.cloned().unwrap_or(Value::Null))
    });
    Value::Object(chosen.collect())
}

/// A kind's URL template over the values. A field in it may be a template itself.
fn url(template: &str, values: &Value) -> Result<Url, String> {
    let filled = Template::parse(template)?.fill_url(values);
    let filled = Template::parse(&filled)?.fill_url(values);
    Url::parse(&filled).map_err(|error| format!("its URL is not one: {error}"))
}

fn headers(
    request: &Request,
    fields: &BTreeMap<String, String>,
    values: &Value,
) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let own = request
        .headers_field
        .as_ref()
        .and_then(|name| fields.get(name));
    let own = header_lines(own.map_or("", String::as_str))?;
    let ours = request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in ours.chain(own) {
        let template = Template::parse(value)?;
        if template.is_void(values) {
            continue;
        }
        let header: HeaderName = name
            .parse()
            .map_err(|_| format!("{name:?} is not a header's name"))?;
        // A line break in here would start a header of its own: it is refused.
        let value = HeaderValue::from_str(&template.fill(values, Escape::None)).map_err(|_| {
            format!("the header {name} would contain a line break or another control character")
        })?;
        headers.insert(header, value);
    }
    Ok(headers)
}

fn body(
    request: &Request,
    fields: &BTreeMap<String, String>,
    values: &Value,
) -> Result<Option<(BodyType, Vec<u8>)>, String> {
    let own = request
        .body_field
        .as_ref()
        .and_then(|name| fields.get(name));
    if let Some(own) = own {
        let lines = request
            .headers_field
            .as_ref()
            .and_then(|name| fields.get(name));
        let body_type = BodyType::of_headers(lines.map_or("", String::as_str))?;
        let text = match body_type {
            BodyType::Json => {
                let json: Value = serde_json::from_str(own)
                    .map_err(|error| format!("its body is not JSON: {error}"))?;
                fill_json(&json, values)?.to_string()
            }
            BodyType::Form => Template::parse(own)?.fill(values, Escape::UrlComponent),
            BodyType::Text => Template::parse(own)?.fill(values, Escape::None),
        };
        return Ok(Some((body_type, text.into_bytes())));
    }
    let Some(body) = &request.body else {
        return Ok(None);
    };
    let (body_type, text) = match body {
        Body::Json(json) => (BodyType::Json, fill_json(json, values)?.to_string()),
        Body::Form(pairs) => (BodyType::Form, form(pairs, values)?),
        Body::Text(text) => (
            BodyType::Text,
            Template::parse(text)?.fill(values, Escape::None),
        ),
    };
    Ok(Some((body_type, text.into_bytes())))
}

fn form(pairs: &BTreeMap<String, String>, values: &Value) -> Result<String, String> {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| {
            let value = Template::parse(value)?.fill(values, Escape::None);
            Ok(format!(
                "{}={}",
                percent_encode(name),
                percent_encode(&value)
            ))
        })
        .collect::<Result<_, String>>()?;
    Ok(pairs.join("&"))
}

/// Whether the answer means that the message was delivered; in either case, what to tell people.
pub(crate) fn judge(success: &Success, answer: &Answer) -> Result<String, String> {
    let status = answer.status;
    let (lowest, highest) = success.status;
    let fits = (lowest..=highest).contains(&status.as_u16());
    let body = String::from_utf8_lossy(&answer.body);
    let missing = success
        .contains
        .as_ref()
        .filter(|part| !body.contains(part.as_str()));
    let shown = shown(answer);
    match (fits, missing) {
        (true, None) => Ok(format!("answered {status}{shown}")),
        (true, Some(part)) => Err(format!("answered {status}, but without {part:?}{shown}")),
        (false, _) if status.is_redirection() => Err(redirect(answer)),
        (false, _) => Err(format!("answered {status}{shown}")),
    }
}

fn redirect(answer: &Answer) -> String {
    let status = answer.status;
    let to = answer.headers.get(reqwest::header::LOCATION);
    let to = to.map(|to| printable(&String::from_utf8_lossy(to.as_bytes())));
    match to {
        Some(to) => format!(
            "answered {status}, a redirect to {to}; redirects are not followed, so set the URL itself"
        ),
        None => format!("answered {status}; redirects are not followed, so set the URL itself"),
    }
}

/// `: ` and the beginning of a body that is text.
fn shown(answer: &Answer) -> String {
    let kind = answer
        .headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or("text/plain").to_ascii_lowercase();
    if !kind.starts_with("text/") && !kind.contains("json") {
        return String::new();
    }
    let text = printable(&String::from_utf8_lossy(&answer.body));
    if text.is_empty() {
        text
    } else {
        format!(": {text}")
    }
}

fn printable(text: &str) -> String {
    crate::clean::clean_line(text, None)
        .chars()
        .take(SHOWN_CHARS_MAX)
        .collect()
}

/// The wait that an answer asks for (RFC 9110, section 10.2.3: seconds or a date), at most an hour. A
/// date is read against the receiver's own clock, where it tells it, else against `sent_at`.
pub(crate) fn retry_after(headers: &HeaderMap, sent_at: jiff::Timestamp) -> Option<Duration> {
    let text = headers
        .get(reqwest::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim();
    let wait = if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let now = headers
            .get(reqwest::header::DATE)
            .and_then(|date| http_date(date.to_str().ok()?));
        let until = http_date(text)?;
        Duration::try_from(until.duration_since(now.unwrap_or(sent_at))).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// An HTTP date in the form that must be sent today (IMF-fixdate), which is one of RFC 2822's.
fn http_date(text: &str) -> Option<jiff::Timestamp> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(zoned.timestamp())
}
