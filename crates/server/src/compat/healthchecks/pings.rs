//! Pings: the signals of a check, and their bodies.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use nightbeat_domain::{HeartbeatId, RunId, SignalKind, UnixMicros};
use nightbeat_store::Arrival;
use nightbeat_store::control::PageRequest;
use nightbeat_store::control::signals::{self, Signal};
use serde_json::{Value, json};

use super::Version;
use super::caller::Caller;
use super::error::Error;
use super::lookup::{Which, find};
use super::time;
use crate::api::{ApiState, Problem};

/// A start is not taken for that of an end that came later than this.
const DURATION_MAX: Duration = Duration::from_secs(72 * 3_600);

/// The newest pings of a check: a thousand.
pub(super) async fn list(
    api: &ApiState,
    version: Version,
    caller: Caller,
    which: Which,
) -> Result<Response, Error> {
    let (id, found) = api
        .read(move |sql| {
            let id = find(sql, caller.project, &which)?.id;
            let page = PageRequest::new(PageRequest::ITEMS_MAX, None);
            let found = signals::list_without_bodies(sql, caller.project, id, &page)?;
            Ok((id, found.map(|page| page.items).unwrap_or_default()))
        })
        .await?;
    let url = format!(
        "{}/api/{}/checks/{id}/pings",
        api.public_url,
        version.as_str()
    );
    let scheme = if url.starts_with("https:") {
        "https"
    } else {
        "http"
    };
    let durations = durations(&found);
    let pings: Vec<Value> = found
        .iter()
        .zip(durations)
        .map(|(signal, duration)| ping(signal, duration, &url, scheme))
        .collect();
    Ok(Json(json!({"pings": pings})).into_response())
}

fn ping(signal: &Signal, duration: Option<Duration>, url: &str, scheme: &str) -> Value {
    let kind = match signal.kind {
        _ if signal.ignored.is_some() => "ign",
        SignalKind::Success => "success",
        SignalKind::Start => "start",
        SignalKind::Fail => "fail",
        SignalKind::Log => "log",
    };
    let by_mail = signal.method == Arrival::BY_MAIL;
    let has_body = signal.body_bytes.is_some_and(|bytes| bytes > 0);
    let mut ping = json!({
        "type": kind,
        "date": time::micros(signal.happened_at),
        "n": signal.id,
        "scheme": if by_mail { "email" } else { scheme },
        "remote_addr": Some(&signal.source).filter(|address| !address.is_empty()),
        "method": if by_mail { "" } else { signal.method.as_str() },
        "ua": signal.user_agent,
        "rid": signal.rid,
        "body_url": has_body.then(|| format!("{url}/{}/body", signal.id)),
    });
    if let (Some(duration), Value::Object(fields)) = (duration, &mut ping) {
        fields.insert("duration".to_owned(), duration.as_secs_f64().into());
    }
    ping
}

/// How long the run took that each of these ended: from the start before it with the same run id.
fn durations(newest_first: &[Signal]) -> Vec<Option<Duration>> {
    let mut starts: HashMap<Option<RunId>, UnixMicros> = HashMap::new();
    let mut durations: Vec<Option<Duration>> = newest_first
        .iter()
        .rev()
        .map(|signal| match signal.kind {
            _ if signal.ignored.is_some() => None,
            SignalKind::Start => {
                starts.insert(signal.rid, signal.happened_at);
                None
            }
            SignalKind::Success | SignalKind::Fail => {
                let started_at = starts.remove(&signal.rid)?;
                let took = signal.happened_at.since(started_at);
                (took < DURATION_MAX).then_some(took)
            }
            SignalKind::Log => None,
        })
        .collect();
    durations.reverse();
    durations
}

/// What was kept of a ping's body, as it was sent.
pub(super) async fn body(
    api: &ApiState,
    caller: Caller,
    which: Which,
    number: i64,
) -> Result<Response, Error> {
    let found = api
        .read(move |sql| {
            let heartbeat: HeartbeatId = find(sql, caller.project, &which)?.id;
            let signal = signals::get(sql, caller.project, heartbeat, number)?;
            let body = signal.and_then(|signal| signal.body);
            Ok(body
                .filter(|body| !body.is_empty())
                .ok_or_else(|| Problem::from(Error::NOT_FOUND))?)
        })
        .await?;
    Ok(([(CONTENT_TYPE, "text/plain")], found).into_response())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn signal(id: i64, kind: SignalKind, rid: Option<u128>) -> Signal {
        Signal {
            id,
            kind,
            received_at: UnixMicros(id * 1_000_000),
            happened_at: UnixMicros(id * 1_000_000),
            rid: rid.map(|rid| RunId(uuid::Uuid::from_u128(rid))),
            exit_code: None,
            ignored: None,
            method: "GET".to_owned(),
            source: String::new(),
            user_agent: String::new(),
            metrics: BTreeMap::new(),
            body: None,
            body_bytes: None,
        }
    }

    #[test]
    fn an_end_has_the_duration_of_its_own_run() {
        use SignalKind::{Fail, Log, Start, Success};
        let mut log = vec![
            signal(1, Success, None),
            signal(2, Start, None),
            signal(3, Start, Some(7)),
            signal(5, Log, None),
            signal(6, Success, None),
            signal(7, Success, None),
            signal(9, Fail, Some(7)),
            signal(10, Start, None),
            signal(10 + 73 * 3_600, Success, None),
        ];
        log.reverse();
        let mut found = durations(&log);
        found.reverse();
        let seconds = |it: Option<Duration>| it.map(|it| it.as_secs());
        assert_eq!(
            found.into_iter().map(seconds).collect::<Vec<_>>(),
            [None, None, None, None, Some(4), None, Some(6), None, None]
        );
    }
}
