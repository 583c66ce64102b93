//! How often the APIs may be asked, and what answers say of it.

use crate::support::{Answer, Fixture, start};

/// A server whose APIs take so many requests a minute, behind a proxy that is trusted.
async fn limited(per_minute: u32) -> Fixture {
    start(|config| {
        config.limits.api_requests_per_minute = Some(per_minute);
        config.trusted_proxies.networks = vec!["127.0.0.1".parse().unwrap()];
    })
    .await
}

impl Fixture {
    /// Asks for `path` from this address, with further header lines.
    async fn ask(&self, path: &str, address: &str, headers: &str) -> Answer {
        self.talk(format!(
            "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Forwarded-For: {address}\r\n{headers}\r\n"
        ))
        .await
    }
}

/// The two fields, up to the seconds: those depend on how fast the machine is.
fn told(answer: &Answer) -> (Option<&str>, Option<&str>) {
    let limit = answer.header("ratelimit");
    let left = limit.map(|limit| limit.split(";t=").next().unwrap());
    (answer.header("ratelimit-policy"), left)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_has_its_own_quota_on_all_apis_together() {
    // One a minute: the next one is a minute away, however slow the machine is.
    let nightbeat = limited(1).await;
    let project = nightbeat.project();
    let (key, reader) = (&nightbeat.keys.api_key, &nightbeat.keys.read_only_key);
    let bearer = format!("Authorization: Bearer {key}\r\n");
    let first = nightbeat.ask("/api/v1/project", "192.0.2.7", &bearer).await;
    assert_eq!(first.status, 200);
    let policy = Some("\"key\";q=1;w=60");
    assert_eq!(told(&first), (policy, Some("\"key\";r=0")));
    assert_eq!(first.header("retry-after"), None);
    let api_key = format!("X-Api-Key: {key}\r\n");
    for (path, headers, kind) in [
        (
            "/api/v1/project".to_owned(),
            &bearer,
            "application/problem+json",
        ),
        (
            "/api/v1/nowhere".to_owned(),
            &bearer,
            "application/problem+json",
        ),
        ("/api/v1/checks/".to_owned(), &api_key, "application/json"),
        ("/api/v3/checks/".to_owned(), &api_key, "application/json"),
        (
            format!("/projects/{project}/metrics"),
            &bearer,
            "application/problem+json",
        ),
        (
            format!("/projects/{project}/metrics/{key}"),
            &bearer,
            "application/problem+json",
        ),
    ] {
        // From another address: that is not asked for.
        let answer = nightbeat.ask(&path, "192.0.2.8", headers).await;
        assert_eq!(answer.status, 429, "{path}");
        assert_eq!(answer.header("content-type"), Some(kind), "{path}");
        let said = "1 request a minute may come with this key";
        assert!(answer.body.contains(said), "{path}: {}", answer.body);
        assert_eq!(told(&answer), (policy, Some("\"key\";r=0")), "{path}");
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        let limit = answer.header("ratelimit").unwrap();
        assert!(limit.ends_with(&format!(";t={seconds}")), "{limit}");
    }
    // Another key is another's.
    let bearer = format!("Authorization: Bearer {reader}\r\n");
    let answer = nightbeat.ask("/api/v1/project", "192.0.2.7", &bearer).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_one_for_what_it_asks_without_a_known_key() {
    let nightbeat = limited(1).await;
    let project = nightbeat.project();
    let wrong = "Authorization: Bearer nb_k_guess\r\n";
    let asked = [
        ("/api/v1/project".to_owned(), wrong, 401),
        ("/api/v1/openapi.json".to_owned(), "", 200),
        ("/api/v2/checks/".to_owned(), "", 401),
        ("/api/v3/status/".to_owned(), "", 200),
        ("/api/v3/nowhere/".to_owned(), "", 404),
        (format!("/badges/{project}/guess/2/all.svg"), "", 404),
        (format!("/projects/{project}/metrics/nb_k_guess"), "", 403),
    ];
    for (number, (path, headers, status)) in asked.iter().enumerate() {
        let address = format!("192.0.2.{number}");
        let answer = nightbeat.ask(path, &address, headers).await;
        assert_eq!(answer.status, *status, "{path}: {}", answer.body);
        assert_eq!(told(&answer).0, Some("\"address\";q=1;w=60"), "{path}");
        // Whatever it asks next, and wherever it guesses.
        for (path, headers, _) in &asked {
            let answer = nightbeat.ask(path, &address, headers).await;
            assert_eq!(answer.status, 429, "{path}");
        }
    }
    // Whoever has a key is not held up by a neighbour who guesses.
    let bearer = format!("Authorization: Bearer {}\r\n", nightbeat.keys.api_key);
    let known = nightbeat.ask("/api/v1/project", "192.0.2.0", &bearer).await;
    assert_eq!(known.status, 200);
    // Nor are programs on this machine counted without a key.
    for _ in 0..10 {
        let answer = nightbeat.get("/api/v1/openapi.json").await;
        assert_eq!((answer.status, told(&answer)), (200, (None, None)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_and_pages_are_not_counted() {
    let nightbeat = limited(1).await;
    let id = nightbeat.heartbeat("nightly").await;
    for path in [
        format!("/api/heartbeat/{id}"),
        format!("/ping/{id}"),
        "/sign-in".to_owned(),
    ] {
        for _ in 0..5 {
            let answer = nightbeat.ask(&path, "192.0.2.7", "").await;
            assert_eq!(
                (answer.status, told(&answer)),
                (200, (None, None)),
                "{path}"
            );
        }
    }
    assert_eq!(nightbeat.signals(id).await.len(), 11);
}
