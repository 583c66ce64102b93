//! What jobs send and what they are answered, over real sockets.

use crate::support::{Fixture, one_answer, start};
use nightbeat_domain::{IgnoredBecause, Schedule, SignalKind};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

fn request(line: &str, headers: &[&str], body: &str) -> String {
    let mut lines = vec![
        format!("{line} HTTP/1.1"),
        "Host: beats.example.org".to_owned(),
        "Connection: close".to_owned(),
    ];
    lines.extend(headers.iter().map(ToString::to_string));
    if !body.is_empty() {
        lines.push(format!("Content-Length: {}", body.len()));
    }
    format!("{}\r\n\r\n{body}", lines.join("\r\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_is_answered_once_it_is_stored() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("backup").await;
    for (path, kind, exit_code) in [
        (format!("/api/heartbeat/{id}"), SignalKind::Success, None),
        (format!("/api/heartbeat/{id}/"), SignalKind::Success, None),
        (format!("/ping/{id}/start"), SignalKind::Start, None),
        (format!("/ping/{id}/start/"), SignalKind::Start, None),
        (format!("/api/heartbeat/{id}/fail"), SignalKind::Fail, None),
        (format!("/ping/{id}/log"), SignalKind::Log, None),
        (format!("/ping/{id}/0"), SignalKind::Success, Some(0)),
        (format!("/ping/{id}/255"), SignalKind::Fail, Some(255)),
        (
            format!("/ping/{}", id.to_string().to_uppercase()),
            SignalKind::Success,
            None,
        ),
        (
            format!("/ping/{}/backup", nightbeat.keys.ping_key),
            SignalKind::Success,
            None,
        ),
        (
            format!("/api/heartbeat/{}/backup/3/", nightbeat.keys.ping_key),
            SignalKind::Fail,
            Some(3),
        ),
    ] {
        let answer = nightbeat.get(&path).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "OK"), "{path}");
        assert_eq!(answer.header("ping-body-limit"), Some("100000"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        let stored = nightbeat.newest(id).await;
        assert_eq!((stored.kind, stored.exit_code), (kind, exit_code), "{path}");
        assert_eq!(
            (stored.method.as_str(), stored.source.as_str()),
            ("GET", "127.0.0.1"),
            "{path}"
        );
    }
    assert_eq!(
        nightbeat.signals(id).await.len(),
        12,
        "with the one that created it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_and_stores_nothing() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("backup").await;
    let key = &nightbeat.keys.ping_key;
    let long = "s".repeat(101);
    for (path, status, body) in [
        (
            "/ping/4c1e8a52-09d3-4b7e-8f6a-1d2c3b4a5968".to_owned(),
            404,
            "not found",
        ),
        (format!("/ping/{id}/foo"), 404, "not found"),
        (format!("/ping/{id}/-1"), 404, "not found"),
        (format!("/ping/{id}/start/start"), 404, "not found"),
        ("/ping/checks".to_owned(), 404, "not found"),
        ("/ping/".to_owned(), 404, "not found"),
        ("/api/heartbeat/".to_owned(), 404, "not found"),
        (format!("/ping/{key}/unknown"), 404, "not found"),
        ("/ping/wrong-key/backup".to_owned(), 404, "not found"),
        (
            "/ping/wrong-key/backup?create=1".to_owned(),
            404,
            "not found",
        ),
        (format!("/ping/{id}/256"), 400, "invalid url format"),
        (format!("/ping/{key}/Backup"), 400, "invalid url format"),
        (
            format!("/ping/{key}/{long}?create=1"),
            400,
            "invalid url format",
        ),
        (format!("/ping/{id}?rid=1"), 400, "invalid uuid format"),
        (
            format!("/ping/{key}/other?create=1&rid=1"),
            400,
            "invalid uuid format",
        ),
        (
            format!("/ping/{id}?at=yesterday"),
            400,
            "invalid at: write RFC 3339, as `2026-11-22T02:00:00Z`",
        ),
        (
            format!("/ping/{key}/other?create=1&every=0"),
            400,
            "invalid every: an interval of 0 seconds is outside 1 second to 10 years (315360000 seconds)",
        ),
    ] {
        let answer = nightbeat.get(&path).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (status, body),
            "{path}"
        );
    }
    assert_eq!(nightbeat.signals(id).await.len(), 1);
    assert!(
        nightbeat.by_slug("other").await.is_none(),
        "a refused signal creates nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn create_makes_a_heartbeat_once() {
    let nightbeat = start(|_| {}).await;
    let path = format!(
        "/ping/{}/hourly/start?create=1&every=1h&grace=10m",
        nightbeat.keys.ping_key
    );
    assert_eq!(nightbeat.get(&path).await.status, 201);
    assert_eq!(nightbeat.get(&path).await.status, 200);
    let made = nightbeat.by_slug("hourly").await.unwrap();
    assert_eq!(
        made.settings.schedule,
        Schedule::every_seconds(3_600).unwrap()
    );
    assert_eq!(made.settings.grace.as_secs(), 600);
    assert_eq!(nightbeat.signals(made.id).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_is_stored_with_the_signal() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("backup").await;
    let query =
        "rid=11111111-2222-4333-8444-555555555555&m.rows=1200&metric=size:1.5&m.broken=x&nonce=n1";
    for _ in 0..2 {
        assert_eq!(
            nightbeat.get(&format!("/ping/{id}?{query}")).await.status,
            200
        );
    }
    let signals = nightbeat.signals(id).await;
    assert_eq!(signals.len(), 2, "the same nonce is the same signal");
    assert_eq!(
        signals[0].rid.unwrap().to_string(),
        "11111111-2222-4333-8444-555555555555"
    );
    let metrics: Vec<_> = signals[0]
        .metrics
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    assert_eq!(metrics, [("rows", 1200.0), ("size", 1.5)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn methods() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("backup").await;
    for method in ["GET", "HEAD", "POST", "PUT"] {
        let answer = nightbeat
            .talk(request(&format!("{method} /ping/{id}"), &[], ""))
            .await;
        assert_eq!(answer.status, 200, "{method}");
        assert_eq!(
            answer.body,
            if method == "HEAD" { "" } else { "OK" },
            "{method}"
        );
        assert_eq!(nightbeat.newest(id).await.method, method);
    }
    let options = nightbeat
        .talk(request(
            &format!("OPTIONS /ping/{id}"),
            &["Origin: https://a.example"],
            "",
        ))
        .await;
    assert_eq!((options.status, options.body.as_str()), (204, ""));
    assert_eq!(
        options.header("access-control-allow-methods"),
        Some("GET, HEAD, POST, PUT, OPTIONS")
    );
    for method in ["DELETE", "PATCH", "TRACE", "BREW"] {
        let answer = nightbeat
            .talk(request(&format!("{method} /ping/{id}"), &[], ""))
            .await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(
            answer.header("allow"),
            Some("GET, HEAD, POST, PUT, OPTIONS"),
            "{method}"
        );
    }
    assert_eq!(nightbeat.signals(id).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_without_host() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("backup").await;
    let answer = nightbeat
        .talk(format!("GET /ping/{id} HTTP/1.0\r\n\r\n"))
        .await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "OK"));
    let answer = nightbeat
        .talk(format!(
            "POST /ping/{id}/fail HTTP/1.0\r\nContent-Length: 5\r\n\r\nwrong"
        ))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        nightbeat.newest(id).await.body.as_deref(),
        Some(b"wrong".as_slice())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_put_as_curl_sends_from_a_pipe() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("backup").await;
    let chunks = "5\r\nline1\r\n7;ext=1\r\n\nline2\n\r\n0\r\nTrailer: x\r\n\r\n";
    let head = format!(
        "PUT /ping/{id} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    assert_eq!(nightbeat.talk(head + chunks).await.status, 200);
    let stored = nightbeat.newest(id).await;
    assert_eq!(stored.body.as_deref(), Some(b"line1\nline2\n".as_slice()));
    assert_eq!(stored.body_bytes, Some(12));
}

#[tokio::test(flavor = "multi_thread")]
async fn expect_100_continue() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("backup").await;
    let mut stream = TcpStream::connect(nightbeat.address()).await.unwrap();
    let head = format!(
        "POST /ping/{id} HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(one_answer(&mut stream).await.status, 100);
    stream.write_all(b"body").await.unwrap();
    assert_eq!(one_answer(&mut stream).await.body, "OK");
    assert_eq!(
        nightbeat.newest(id).await.body.as_deref(),
        Some(b"body".as_slice())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_signals_on_one_connection() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("backup").await;
    let mut stream = TcpStream::connect(nightbeat.address()).await.unwrap();
    for round in 0..20 {
        let body = format!("round {round}");
        let length = body.len();
        let request = format!(
            "POST /ping/{id} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(one_answer(&mut stream).await.body, "OK");
    }
    assert_eq!(nightbeat.signals(id).await.len(), 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_closes_its_side_first_is_answered() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("backup").await;
    let mut stream = TcpStream::connect(nightbeat.address()).await.unwrap();
    stream
        .write_all(format!("GET /ping/{id} HTTP/1.0\r\n\r\n").as_bytes())
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let answer = crate::support::Answer::parse(&crate::support::rest(&mut stream).await);
    assert_eq!(answer.body, "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_posts_and_strange_content_types() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("backup").await;
    let post = format!("POST /ping/{id}");
    for (headers, body, stored) in [
        (vec![], "", None),
        (vec!["Content-Length: 0"], "", None),
        (vec!["Content-Type: application/json"], "done", Some("done")),
        (
            vec!["Content-Type: application/x-www-form-urlencoded"],
            "null",
            Some("null"),
        ),
        (
            vec!["Content-Type: multipart/form-data; boundary=x"],
            "--x--",
            Some("--x--"),
        ),
        (vec!["Content-Type: \"nonsense"], "x", Some("x")),
        (vec!["Content-Encoding: gzip"], "not gzip", Some("not gzip")),
    ] {
        assert_eq!(
            nightbeat.talk(request(&post, &headers, body)).await.status,
            200,
            "{headers:?}"
        );
        let found = nightbeat.newest(id).await.body;
        assert_eq!(found.as_deref(), stored.map(str::as_bytes), "{headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_a_request_can_lose_a_signal() {
    let nightbeat =
        start(|config| config.trusted_proxies.networks = vec!["127.0.0.0/8".parse().unwrap()])
            .await;
    let id = nightbeat.heartbeat("backup").await;
    let long = "a".repeat(5_000);
    let headers: Vec<Vec<u8>> = vec![
        b"X-Forwarded-For: unknown".to_vec(),
        b"X-Forwarded-For: [2001:db8::1]:443".to_vec(),
        b"X-Forwarded-For: \xff\xfe".to_vec(),
        b"X-Forwarded-For: , , ,".to_vec(),
        format!("X-Forwarded-For: {}", "1.2.3.4,".repeat(500)).into_bytes(),
        format!("User-Agent: {long}").into_bytes(),
        b"User-Agent: \xc3\x28\xff".to_vec(),
        b"Cookie: ;;;=;".to_vec(),
        b"Content-Type: \xff".to_vec(),
        b"Expect: nonsense".to_vec(),
        b"Purpose: \xff".to_vec(),
    ];
    for header in headers {
        let mut bytes = format!(
            "POST /ping/{id} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 6\r\n"
        )
        .into_bytes();
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(b"\r\n\r\n\0\xff\xfea\r\n");
        let before = nightbeat.signals(id).await.len();
        let answer = nightbeat.talk(bytes).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&header));
        let signals = nightbeat.signals(id).await;
        assert_eq!(signals.len(), before + 1);
        assert_eq!(
            signals[0].body.as_deref(),
            Some(b"\0\xff\xfea\r\n".as_slice())
        );
        assert!(signals[0].user_agent.chars().count() <= 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_is_the_forwarded_one_where_the_proxy_is_trusted() {
    async fn source(nightbeat: &Fixture, forwarded: &str) -> String {
        let id = nightbeat.by_slug("backup").await.unwrap().id;
        let header = format!("X-Forwarded-For: {forwarded}");
        nightbeat
            .talk(request(&format!("GET /ping/{id}"), &[&header], ""))
            .await;
        nightbeat.newest(id).await.source
    }
    let open = start(|_| {}).await;
    open.heartbeat("backup").await;
    assert_eq!(source(&open, "198.51.100.7").await, "127.0.0.1");

    let behind =
        start(|config| config.trusted_proxies.networks = vec!["127.0.0.0/8".parse().unwrap()])
            .await;
    behind.heartbeat("backup").await;
    assert_eq!(
        source(&behind, "6.6.6.6, 198.51.100.7").await,
        "198.51.100.7"
    );
    assert_eq!(source(&behind, "unknown").await, "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn link_previewers_are_recorded_and_ignored() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("backup").await;
    let ignored = Some(IgnoredBecause::Previewer);
    for (line, header, expected) in [
        ("GET", "User-Agent: Slackbot-LinkExpanding 1.0", ignored),
        (
            "HEAD",
            "User-Agent: Mozilla/5.0 (compatible; Googlebot/2.1)",
            ignored,
        ),
        ("GET", "Sec-Purpose: prefetch", ignored),
        ("GET", "X-Moz: prefetch", ignored),
        ("POST", "User-Agent: Slackbot-LinkExpanding 1.0", None),
        ("GET", "User-Agent: curl/8.5.0", None),
    ] {
        let answer = nightbeat
            .talk(request(&format!("{line} /ping/{id}"), &[header], ""))
            .await;
        assert_eq!(answer.status, 200, "{line} {header}");
        assert_eq!(
            nightbeat.newest(id).await.ignored,
            expected,
            "{line} {header}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_path_prefix_and_on_a_ping_host() {
    let nightbeat = start(|config| {
        config.public_url = "https://example.org/beats".parse().unwrap();
        config.ping_host = Some("ping.example.org".to_owned());
    })
    .await;
    let id = nightbeat.heartbeat("backup").await;
    for (host, path, status) in [
        ("example.org", format!("/beats/api/heartbeat/{id}"), 200),
        ("example.org", format!("/beats/ping/{id}/start"), 200),
        ("example.org", format!("/ping/{id}"), 200),
        ("example.org", format!("/{id}"), 404),
        ("example.org", format!("/beatsping/{id}"), 404),
        ("ping.example.org", format!("/{id}"), 200),
        ("PING.EXAMPLE.ORG:443", format!("/{id}/0"), 200),
        (
            "ping.example.org",
            format!("/{}/backup", nightbeat.keys.ping_key),
            200,
        ),
        ("ping.example.org", "/healthz".to_owned(), 200),
        ("example.org", "/beats/healthz".to_owned(), 200),
        ("example.org", "/beats".to_owned(), 303),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(
            nightbeat.talk(request).await.status,
            status,
            "{host} {path}"
        );
    }
    let absolute = format!(
        "GET http://ping.example.org/{id} HTTP/1.1\r\nHost: ping.example.org\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(nightbeat.talk(absolute).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_body_is_cut_and_never_refused() {
    let nightbeat = start(|config| config.limits.body_bytes = 1_000).await;
    let id = nightbeat.heartbeat("backup").await;
    let body = format!("first{}last", "-".repeat(20_000));
    let answer = nightbeat
        .talk(request(&format!("POST /ping/{id}/fail"), &[], &body))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("ping-body-limit"), Some("1000"));
    let stored = nightbeat.newest(id).await;
    let kept = String::from_utf8(stored.body.unwrap()).unwrap();
    assert!(
        kept.starts_with("first--") && kept.ends_with("--last"),
        "{kept}"
    );
    assert!(kept.contains("bytes cut"), "{kept}");
    assert!(kept.len() <= 1_000);
    assert_eq!(stored.body_bytes, Some(20_009));
}
