//! The pages and probes, as a browser and a supervisor see them.

use std::net::SocketAddr;

use nightbeat_store::damage::{Damage, damage};

use crate::support::{Answer, start, start_empty, talk};

async fn get(address: SocketAddr, path: &str, cookie: &str) -> Answer {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: h\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
    talk(address, request.as_bytes()).await
}

async fn post(address: SocketAddr, path: &str, form: &str, headers: &str) -> Answer {
    let length = form.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n{headers}\r\n{form}"
    );
    talk(address, request.as_bytes()).await
}

fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").expect("a cookie");
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_setup_link_makes_the_first_project_once() {
    let (server, _folder) = start_empty(|_| {}).await;
    let address = server.addresses()[0];
    let path = server.setup_path().unwrap().to_owned();

    let form = get(address, &path, "").await;
    assert_eq!(form.status, 200);
    assert!(
        form.body.contains("nightbeat init --email"),
        "{}",
        form.body
    );
    assert_eq!(get(address, "/setup/nb_s_wrong", "").await.status, 404);

    let short = post(
        address,
        &path,
        "email=ana%40example.org&password=short&project=Home",
        "",
    )
    .await;
    assert_eq!(short.status, 422);
    assert!(
        short.body.contains("at least 8 characters"),
        "{}",
        short.body
    );
    assert!(
        short.body.contains("value=\"ana@example.org\""),
        "{}",
        short.body
    );
    let fields = "email=ana%40example.org&password=correct+horse&project=%3Cb%3EHome%3C%2Fb%3E";
    for site in ["cross-site", "same-site"] {
        let foreign = post(
            address,
            &path,
            fields,
            &format!("Sec-Fetch-Site: {site}\r\n"),
        )
        .await;
        assert_eq!(foreign.status, 404, "{site}");
    }

    let created = post(address, &path, fields, "").await;
    assert_eq!(created.status, 201);
    assert!(
        created.body.contains("nb_k_") && created.body.contains("nb_p_"),
        "{}",
        created.body
    );
    let list = get(address, "/", &cookie(&created)).await;
    assert!(
        list.body.contains("&#60;b&#62;Home"),
        "the name is text, not HTML: {}",
        list.body
    );
    assert!(list.body.contains("No heartbeats yet"), "{}", list.body);

    assert_eq!(post(address, &path, fields, "").await.status, 404);
    assert_eq!(get(address, &path, "").await.status, 404);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_project_has_no_setup_link() {
    let (server, folder) = start_empty(|_| {}).await;
    let path = server.setup_path().unwrap().to_owned();
    let init = nightbeat_server::accounts::Init {
        email: "ana@example.org".to_owned(),
        password: Some("correct horse".to_owned()),
        project: "Home".to_owned(),
    };
    let database = nightbeat_server::config::Database::Sqlite(folder.path().join("nightbeat.db"));
    let by_hand =
        tokio::task::spawn_blocking(move || nightbeat_server::admin::init(&database, init));
    by_hand.await.unwrap().unwrap();
    let late = post(
        server.addresses()[0],
        &path,
        "email=b%40c&password=correct+horse&project=Mine",
        "",
    )
    .await;
    assert_eq!(
        late.status, 422,
        "the link was open, but a project exists by now"
    );
    assert!(late.body.contains("set up already"), "{}", late.body);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_for_whoever_has_a_key() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("nightly").await;
    let address = nightbeat.address();

    let stranger = get(address, "/", "nightbeat=guess").await;
    assert_eq!(stranger.status, 200);
    assert!(
        stranger.body.contains("Sign in") && !stranger.body.contains("nightly"),
        "{}",
        stranger.body
    );
    let wrong = post(address, "/sign-in", "key=nb_k_wrong", "").await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, None));

    let form = format!("key={}", nightbeat.keys.read_only_key);
    let foreign = post(address, "/sign-in", &form, "Sec-Fetch-Site: cross-site\r\n").await;
    assert_eq!((foreign.status, foreign.header("set-cookie")), (401, None));
    let signed_in = post(address, "/sign-in", &form, "").await;
    assert_eq!(
        (signed_in.status, signed_in.header("location")),
        (303, Some("/"))
    );
    let attributes = signed_in.header("set-cookie").unwrap();
    assert!(
        attributes.contains("; Path=/; HttpOnly; SameSite=Lax; Max-Age=1209600"),
        "{attributes}"
    );
    assert!(!attributes.contains("nb_k_"), "{attributes}");

    let session = cookie(&signed_in);
    let list = get(address, "/", &format!("other=1; {session}")).await;
    assert!(
        list.body.contains("nightly") && list.body.contains(">up<"),
        "{}",
        list.body
    );
    assert!(
        !list.body.contains(&id.to_string()),
        "a signal URL is a secret"
    );
    assert_eq!(list.header("cache-control"), Some("no-store"));
    let policy = list.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'self'"),
        "{policy}"
    );
    for (header, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(list.header(header), Some(value));
    }

    let out = post(address, "/sign-out", "", &format!("Cookie: {session}\r\n")).await;
    assert_eq!(out.status, 303);
    assert!(get(address, "/", &session).await.body.contains("Sign in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_that_cannot_be_read_hides_no_other_in_the_list() {
    let nightbeat = start(|_| {}).await;
    let ill = nightbeat.heartbeat("ill").await;
    nightbeat.heartbeat("well").await;
    let broken = damage(nightbeat.server.store(), ill, Damage::State);
    broken.await.unwrap();
    let form = format!("key={}", nightbeat.keys.read_only_key);
    let signed_in = post(nightbeat.address(), "/sign-in", &form, "").await;
    let list = get(nightbeat.address(), "/", &cookie(&signed_in)).await;
    assert_eq!(list.status, 200);
    for shown in [
        ">unverified<",
        ">up<",
        "cannot be read: table heartbeat_state, column rare",
    ] {
        assert!(list.body.contains(shown), "{shown}: {}", list.body);
    }
    assert!(!list.body.contains(&ill.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_to_the_next_page_holds_no_id() {
    use nightbeat_domain::{HeartbeatId, Schedule, Settings, State};
    use nightbeat_store::control::heartbeats::{self, Details, New};
    let nightbeat = start(|_| {}).await;
    let (project, now) = (nightbeat.project(), nightbeat.server.node().now());
    let ids: Vec<HeartbeatId> = (0..501)
        .map(|_| HeartbeatId(nightbeat_server::random::uuid()))
        .collect();
    let inserted = ids.clone();
    let writing = nightbeat.server.store().write(move |sql| {
        let settings = Settings::new(Schedule::every_seconds(60).unwrap());
        for id in inserted.iter().copied() {
            let details = Details {
                name: "job".to_owned(),
                ..Details::default()
            };
            let new = New {
                id,
                details: &details,
                settings: &settings,
                state: &State::new(&settings, now),
                created_at: now,
            };
            heartbeats::insert(sql, project, &new)?;
        }
        Ok(())
    });
    writing.await.unwrap();
    let form = format!("key={}", nightbeat.keys.read_only_key);
    let session = cookie(&post(nightbeat.address(), "/sign-in", &form, "").await);
    let first = get(nightbeat.address(), "/", &session).await.body;
    for id in &ids {
        assert!(!first.contains(&id.0.simple().to_string()[8..]), "{id}");
    }
    let from = first.find("cursor=").expect("a next page");
    let link = &first[from..from + first[from..].find('"').unwrap()];
    let second = get(nightbeat.address(), &format!("/?{link}"), &session)
        .await
        .body;
    assert_eq!(second.matches(">job<").count(), 1, "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_key() {
    let nightbeat = start(|_| {}).await;
    let address = nightbeat.address();
    let form = format!("key={}", nightbeat.keys.api_key);
    let session = cookie(&post(address, "/sign-in", &form, "").await);
    assert!(get(address, "/", &session).await.body.contains("Sign out"));

    let project = nightbeat.project();
    let hash = nightbeat_server::accounts::key_hash(&nightbeat.keys.api_key);
    let removing = nightbeat.server.store().write(move |sql| {
        let owner = nightbeat_store::control::keys::find_by_hash(sql, &hash)?.expect("the key");
        nightbeat_store::control::keys::delete(sql, project, owner.id)
    });
    assert!(removing.await.unwrap());
    assert!(get(address, "/", &session).await.body.contains("Sign in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_https_the_cookie_is_as_strict_as_can_be() {
    let nightbeat =
        start(|config| config.public_url = "https://beats.example.org".parse().unwrap()).await;
    let form = format!("key={}", nightbeat.keys.api_key);
    let signed_in = post(nightbeat.address(), "/sign-in", &form, "").await;
    let cookie = signed_in.header("set-cookie").unwrap();
    assert!(
        cookie.starts_with("__Host-nightbeat=") && cookie.contains("; Secure"),
        "{cookie}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_style_sheet_is_found_and_kept_by_browsers() {
    let nightbeat =
        start(|config| config.public_url = "http://example.org/beats".parse().unwrap()).await;
    let page = get(nightbeat.address(), "/beats/", "").await.body;
    let from = page.find("href=\"/beats/assets/").expect("a style sheet") + 6;
    let path = &page[from..from + page[from..].find('"').unwrap()];
    let style = get(nightbeat.address(), path, "").await;
    assert_eq!(style.status, 200);
    assert_eq!(
        style.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    assert_eq!(
        style.header("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
    assert_eq!(
        get(nightbeat.address(), "/beats/assets/style.0.css", "")
            .await
            .status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_metrics_and_robots() {
    let nightbeat = start(|_| {}).await;
    nightbeat.heartbeat("backup").await;
    nightbeat
        .get("/ping/4c1e8a52-09d3-4b7e-8f6a-1d2c3b4a5968")
        .await;
    assert_eq!(nightbeat.get("/healthz").await.body, "alive\n");
    let ready = nightbeat.get("/readyz").await;
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
    assert_eq!(
        nightbeat.get("/robots.txt").await.body,
        "User-agent: *\nDisallow: /\n"
    );
    let metrics = nightbeat.get("/metrics").await;
    assert!(
        metrics
            .header("content-type")
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    for line in [
        "nightbeat_signals_total{outcome=\"created\"} 1",
        "nightbeat_signals_total{outcome=\"unknown\"} 1",
        "nightbeat_http_requests_total{path=\"/readyz\",status=\"200\"} 1",
        "nightbeat_false_raise_total 0",
    ] {
        assert!(
            metrics.body.lines().any(|found| found == line),
            "{line} is not in\n{}",
            metrics.body
        );
    }
    let proxied = "GET /metrics HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.1\r\n\
                   Connection: close\r\n\r\n";
    let stranger = nightbeat.talk(proxied).await;
    assert_eq!(stranger.status, 403);
    assert!(!stranger.body.contains("nightbeat_"), "{}", stranger.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_goes_away_does_not_use_the_setup_link_up_for_nothing() {
    use tokio::io::AsyncWriteExt;
    let (server, _folder) = start_empty(|_| {}).await;
    let address = server.addresses()[0];
    let path = server.setup_path().unwrap().to_owned();
    let fields = "email=ana%40example.org&password=correct+horse&project=Home";
    let length = fields.len();
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{fields}");
    let mut gone = tokio::net::TcpStream::connect(address).await.unwrap();
    gone.write_all(request.as_bytes()).await.unwrap();
    // A reset, not a mere end: the server drops all that runs on the connection.
    gone.set_zero_linger().unwrap();
    drop(gone);
    // Either the project is there, or the link still works: never neither.
    let asking = async {
        loop {
            let again = post(address, &path, fields, "").await;
            let made = server
                .store()
                .read(nightbeat_store::control::projects::count);
            if again.status != 404 || made.await.unwrap() > 0 {
                break again;
            }
        }
    };
    let again = tokio::time::timeout(crate::support::HANGING, asking)
        .await
        .expect("neither");
    assert!([201, 404, 422].contains(&again.status), "{}", again.status);
    let made = server
        .store()
        .read(nightbeat_store::control::projects::count);
    assert_eq!(made.await.unwrap(), 1);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_page_signs_nobody_out() {
    let nightbeat = start(|_| {}).await;
    let address = nightbeat.address();
    let form = format!("key={}", nightbeat.keys.read_only_key);
    let cookie = cookie(&post(address, "/sign-in", &form, "").await);
    let headers = format!("Cookie: {cookie}\r\nSec-Fetch-Site: cross-site\r\n");
    let foreign = post(address, "/sign-out", "", &headers).await;
    assert_eq!(foreign.header("set-cookie"), None);
    assert!(get(address, "/", &cookie).await.body.contains("Home"));
    let own = post(address, "/sign-out", "", &format!("Cookie: {cookie}\r\n")).await;
    assert!(own.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert!(!get(address, "/", &cookie).await.body.contains("Home"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_served_and_goes_with_the_server() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nightbeat.sock");
    // Left behind by a server that was killed.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listen = nightbeat_server::config::Listen::Unix(path.clone());
    let (server, _data) = start_empty(|config| config.listen = vec![listen]).await;
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(Answer::parse(&bytes).status, 200);
    server.stop().await.unwrap();
    assert!(!path.exists());
}
