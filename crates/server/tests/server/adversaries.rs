//! Clients that mean harm or are broken: no timeout, cap or cut may lose a signal or hold the server up.

use std::time::Duration;

use crate::support::{Answer, HANGING, one_answer, rest, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread")]
async fn silent_half_spoken_and_idle_connections_are_closed() {
    let nightbeat = start(|config| config.limits.header_timeout = SHORT).await;
    let id = nightbeat.heartbeat("backup").await;
    for first in ["", "G", "GET /ping/x HTTP/1.1\r\nHost: h\r\nX-Slow: "] {
        let mut stream = TcpStream::connect(nightbeat.address()).await.unwrap();
        stream.write_all(first.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{first:?}");
    }
    let mut stream = TcpStream::connect(nightbeat.address()).await.unwrap();
    stream
        .write_all(format!("GET /ping/{id} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes())
        .await
        .unwrap();
    assert_eq!(one_answer(&mut stream).await.body, "OK");
    assert_eq!(
        rest(&mut stream).await,
        b"",
        "an idle connection is closed without a word"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_in_counts_with_what_came() {
    let nightbeat = start(|config| config.limits.body_timeout = SHORT).await;
    let id = nightbeat.heartbeat("backup").await;
    let mut stream = TcpStream::connect(nightbeat.address()).await.unwrap();
    let request = format!(
        "POST /ping/{id}/fail HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhalf of it"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = Answer::parse(&rest(&mut stream).await);
    assert_eq!((answer.status, answer.body.as_str()), (200, "OK"));
    assert_eq!(answer.header("connection"), Some("close"));
    let stored = nightbeat.newest(id).await;
    assert_eq!(stored.body.as_deref(), Some(b"half of it".as_slice()));
    assert_eq!(stored.body_bytes, Some(1_000), "it is marked as cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_body_is_cut_at_the_hard_limit_and_counts() {
    let nightbeat = start(|config| {
        config.limits.body_bytes = 1_000;
        config.limits.body_hard_bytes = 100_000;
    })
    .await;
    let id = nightbeat.heartbeat("backup").await;
    let stream = TcpStream::connect(nightbeat.address()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let sending = tokio::spawn(async move {
        let head =
            format!("POST /ping/{id} HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n");
        writing.write_all(head.as_bytes()).await?;
        // Ends with an error when the server has closed the connection.
        for _ in 0..1_000_000 {
            writing.write_all(&[b'x'; 1_000]).await?;
        }
        Ok::<_, std::io::Error>(())
    });
    let mut answer = [0; 15];
    tokio::time::timeout(HANGING, reading.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    let stored = nightbeat.newest(id).await;
    assert_eq!(stored.body_bytes, Some(1_000_000_000));
    assert!(stored.body.unwrap().len() <= 1_000);
    assert!(sending.await.unwrap().is_err(), "a gigabyte was not read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_in_its_body_has_signalled() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("backup").await;
    let mut stream = TcpStream::connect(nightbeat.address()).await.unwrap();
    let request =
        format!("POST /ping/{id}/fail HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhalf");
    stream.write_all(request.as_bytes()).await.unwrap();
    drop(stream);
    while nightbeat.signals(id).await.len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(
        nightbeat.newest(id).await.body.as_deref(),
        Some(b"half".as_slice())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_have_their_limits() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("backup").await;
    let head = format!("GET /ping/{id} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n");
    for (what, bytes, status) in [
        (
            "98 more lines",
            format!("{head}{}\r\n", "A: b\r\n".repeat(98)),
            200,
        ),
        (
            "99 more lines",
            format!("{head}{}\r\n", "A: b\r\n".repeat(99)),
            431,
        ),
        (
            "one long line",
            format!("{head}A: {}\r\n\r\n", "b".repeat(17_000)),
            431,
        ),
        (
            "a long query",
            format!(
                "GET /ping/{id}?x={} HTTP/1.1\r\nHost: h\r\n\r\n",
                "y".repeat(20_000)
            ),
            431,
        ),
        (
            "an endless path",
            format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "y".repeat(70_000)),
            431,
        ),
        ("no HTTP", "SSH-2.0-OpenSSH_9.2p1\r\n\r\n".to_owned(), 400),
        (
            "a bad length",
            format!("{head}Content-Length: many\r\n\r\n"),
            400,
        ),
        (
            "two lengths",
            format!("{head}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
            400,
        ),
        (
            "a NUL in the path",
            format!("GET /ping/{id}\0 HTTP/1.1\r\nHost: h\r\n\r\n"),
            400,
        ),
    ] {
        let answer = nightbeat.talk(bytes).await;
        assert_eq!(answer.status, status, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_cap_are_refused_and_told_so() {
    let nightbeat = start(|config| config.limits.connections = 3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(nightbeat.address()).await.unwrap();
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(one_answer(&mut stream).await.status, 200);
        held.push(stream);
    }
    let mut refused = TcpStream::connect(nightbeat.address()).await.unwrap();
    let answer = Answer::parse(&rest(&mut refused).await);
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("5"))
    );
    let metrics = {
        let stream = &mut held[0];
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n")
            .await
            .unwrap();
        one_answer(stream).await.body
    };
    assert!(
        metrics.contains("nightbeat_open_connections 3\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("nightbeat_refused_connections_total{reason=\"connections\"} 1\n"),
        "{metrics}"
    );
    drop(held);
    loop {
        let mut stream = TcpStream::connect(nightbeat.address()).await.unwrap();
        stream
            .write_all(b"GET /healthz HTTP/1.0\r\n\r\n")
            .await
            .unwrap();
        if rest(&mut stream).await.starts_with(b"HTTP/1.0 200") {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_waits_for_requests_under_way_and_not_for_idle_connections() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("backup").await;
    let mut idle = TcpStream::connect(nightbeat.address()).await.unwrap();
    idle.write_all(format!("GET /ping/{id} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes())
        .await
        .unwrap();
    assert_eq!(one_answer(&mut idle).await.status, 200);

    let mut busy = TcpStream::connect(nightbeat.address()).await.unwrap();
    let head = format!(
        "POST /ping/{id} HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    );
    busy.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(one_answer(&mut busy).await.status, 100, "its handler runs");

    let address = nightbeat.address();
    let store = nightbeat.server.store().clone();
    let project = nightbeat.project();
    let stopping = tokio::spawn(nightbeat.server.stop());
    assert_eq!(rest(&mut idle).await, b"");
    busy.write_all(b"late").await.unwrap();
    let answer = Answer::parse(&rest(&mut busy).await);
    assert_eq!((answer.status, answer.body.as_str()), (200, "OK"));
    drop((idle, busy));
    stopping.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());

    let request = nightbeat_store::control::PageRequest::default();
    let reading =
        store.read(move |sql| nightbeat_store::control::signals::list(sql, project, id, &request));
    let newest = reading.await.unwrap().unwrap().items.swap_remove(0);
    assert_eq!(newest.body.as_deref(), Some(b"late".as_slice()));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_sent_requests_of_strangers_hold_a_bounded_amount_of_memory() {
    let nightbeat = start(|_| {}).await;
    let half = format!(
        "POST /no/such/page HTTP/1.1\r\nHost: h\r\nContent-Length: 999999\r\n\r\n{}",
        "x".repeat(999_000)
    );
    // 64 of them fill the memory for bodies.
    let mut open = tokio::task::JoinSet::new();
    let strangers = || {
        let (address, half) = (nightbeat.address(), half.clone());
        async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // One that is refused may be cut off before it has sent all.
            let _ = stream.write_all(half.as_bytes()).await;
            Answer::parse(&rest(&mut stream).await)
        }
    };
    for _ in 0..70 {
        open.spawn(strangers());
    }
    let refused = loop {
        let answer = open.join_next().await.unwrap().unwrap();
        if answer.status == 503 {
            break answer;
        }
        // Its ten seconds were over; a machine so slow needs another try.
        assert_eq!(answer.status, 408);
        open.spawn(strangers());
    };
    assert_eq!(refused.header("retry-after"), Some("5"));
    open.shutdown().await;
    // The memory comes back.
    loop {
        let small = "POST /sign-in HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\
                     Connection: close\r\n\r\nk=1";
        let answer = nightbeat.talk(small).await;
        if answer.status != 503 {
            assert_eq!(answer.status, 403);
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_requests_have_their_limits_too() {
    let nightbeat = start(|_| {}).await;
    let long = format!(
        "POST /sign-in HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n{}",
        "x".repeat(1_000_001)
    );
    let answer = nightbeat.talk(long).await;
    assert_eq!(answer.status, 413);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    let answer = nightbeat.get("/no/such/page").await;
    assert_eq!((answer.status, answer.body.as_str()), (404, "not found\n"));
}
