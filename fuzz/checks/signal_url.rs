//! What holds for every signal URL. The input is `PATH` or `PATH?QUERY`.

use nightbeat_domain::{Metric, SignalKind};
use nightbeat_server::ingest::dialect::{self, Dialect};
use nightbeat_server::ingest::url::{Forms, SLUG_CHARS_MAX, SignalUrl, UrlTarget, parse};
use nightbeat_server::ingest::{METRICS_MAX, SignalQuery};
use nightbeat_store::Arrival;

/// The longest ping key that is looked up.
const PING_KEY_CHARS_MAX: usize = 100;

/// Fails where a URL is read wrongly.
pub(crate) fn check(url: &str) {
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url, None),
    };
    same_tail_below_a_prefix(path);
    every_dialect(path, query);
    let found = parse(path, query);
    assert_eq!(found, parse(path, query), "read twice, it says two things");
    match found {
        Ok(found) => {
            within_bounds(&found);
            assert_eq!(parse(&written(&found), query), Ok(found));
        }
        Err(problem) => assert!(!problem.to_string().is_empty()),
    }
}

/// A public URL with a path, and a host for signals only, change where a URL stands and not what it says.
fn same_tail_below_a_prefix(path: &str) {
    let plain = Forms::default();
    let moved = Forms {
        prefix: "/beats".to_owned(),
        ping_host: Some("ping.example.org".to_owned()),
        snitch_host: Some("snitch.example.org".to_owned()),
    };
    let below = format!("/beats{path}");
    if path.starts_with('/') {
        assert_eq!(moved.tail(None, &below), plain.tail(None, path));
    }
    if let Some(tail) = moved.tail(Some("PING.example.org:443"), path) {
        assert!(path.ends_with(tail));
    }
}

/// Other products' URLs are held to the same bounds; none of them creates anything.
fn every_dialect(path: &str, query: Option<&str>) {
    let forms = Forms {
        snitch_host: Some("snitch.example.org".to_owned()),
        ..Forms::default()
    };
    let Some((dialect, tail)) = forms.place(Some("snitch.example.org"), path) else {
        return;
    };
    assert!(path.ends_with(tail));
    let Ok(spoken) = dialect::parse(dialect, tail, query) else {
        return;
    };
    within_bounds(&spoken.url);
    assert_ne!(spoken.message.as_deref(), Some(""));
    if dialect != Dialect::Own {
        assert_eq!(spoken.url.query.create, None);
    }
}

fn within_bounds(found: &SignalUrl) {
    match &found.target {
        UrlTarget::Id(_) => assert_eq!(found.query.create, None, "an id cannot be chosen"),
        UrlTarget::Slug { ping_key, slug } => {
            let key = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            assert!(
                (1..=PING_KEY_CHARS_MAX).contains(&ping_key.len()) && ping_key.bytes().all(key)
            );
            let plain = |byte: u8| key(byte) && !byte.is_ascii_uppercase();
            assert!((1..=SLUG_CHARS_MAX).contains(&slug.len()) && slug.bytes().all(plain));
        }
    }
    let says = match found.exit_code {
        None => true,
        Some(0) => found.kind == SignalKind::Success,
        Some(_) => found.kind == SignalKind::Fail,
    };
    assert!(says, "{:?} with {:?}", found.kind, found.exit_code);
    query_within_bounds(&found.query);
}

fn query_within_bounds(query: &SignalQuery) {
    if let Some(nonce) = &query.nonce {
        assert!((1..=Arrival::NONCE_CHARS_MAX).contains(&nonce.chars().count()));
    }
    assert!(query.metrics.len() <= METRICS_MAX);
    for metric in &query.metrics {
        assert_eq!(
            Metric::new(&metric.name, metric.value).as_ref(),
            Some(metric)
        );
    }
    if let Some(settings) = query.create.as_deref() {
        assert_eq!(settings.clone().checked().as_ref(), Ok(settings));
        let json = serde_json::to_string(settings).expect("settings are JSON");
        let stored = serde_json::from_str(&json).expect("what was stored can be read");
        assert_eq!(*settings, stored);
    }
}

/// The plainest path that says the same.
fn written(found: &SignalUrl) -> String {
    let target = match &found.target {
        UrlTarget::Id(id) => id.0.to_string(),
        UrlTarget::Slug { ping_key, slug } => format!("{ping_key}/{slug}"),
    };
    let action = match (found.exit_code, found.kind) {
        (Some(code), _) => format!("/{code}"),
        (None, SignalKind::Success) => String::new(),
        (None, kind) => format!("/{}", kind.as_str()),
    };
    format!("/ping/{target}{action}")
}
