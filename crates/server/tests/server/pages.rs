//! The pages and probes, as a browser and a supervisor see them.

use std::net::SocketAddr;

use nightbeat_store::damage::{Damage, damage};

use crate::browser::Browser;
use crate::support::{Answer, start, start_empty, talk};

async fn get(address: SocketAddr, path: &str, cookie: &str) -> Answer {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: h\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
    talk(address, request.as_bytes()).await
}

/// A browser that has shown a key.
async fn with_key(address: SocketAddr, key: &str) -> Browser {
    let mut browser = Browser::new(address);
    assert_eq!(browser.show_key(key).await.status, 303);
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn the_setup_link_makes_the_first_project_once() {
    let (server, _folder) = start_empty(|_| {}).await;
    let address = server.addresses()[0];
    let path = server.setup_path().unwrap().to_owned();

    let mut browser = Browser::new(address);
    let form = browser.get(&path).await;
    assert_eq!(form.status, 200);
    assert!(
        form.body.contains("nightbeat init --email"),
        "{}",
        form.body
    );
    assert_eq!(get(address, "/setup/nb_s_wrong", "").await.status, 404);

    let fields = |password| {
        [
            ("email", "ana@example.org"),
            ("password", password),
            ("project", "<b>Home</b>"),
        ]
    };
    let short = browser.post(&path, &fields("short")).await;
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
    let fields = fields("correct horse");
    for site in ["cross-site", "same-site"] {
        browser.headers = format!("Sec-Fetch-Site: {site}\r\n");
        let foreign = browser.post(&path, &fields).await;
        assert_eq!(foreign.status, 403, "{site}");
    }
    browser.headers.clear();
    assert_eq!(browser.post_unasked(&path, &fields).await.status, 403);

    let created = browser.post(&path, &fields).await;
    assert_eq!(created.status, 201);
    assert!(
        created.body.contains("nb_k_") && created.body.contains("nb_p_"),
        "{}",
        created.body
    );
    let start = browser.get("/").await;
    let list = browser.get(start.header("location").unwrap()).await;
    assert!(
        list.body.contains("&#60;b&#62;Home"),
        "the name is text, not HTML: {}",
        list.body
    );
    assert!(
        list.body.contains("Nothing is watched yet"),
        "{}",
        list.body
    );

    // For the token of its form.
    browser.get("/sign-out").await;
    assert_eq!(browser.post(&path, &fields).await.status, 404);
    assert_eq!(browser.get(&path).await.status, 404);
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
    let mut browser = Browser::new(server.addresses()[0]);
    browser.get(&path).await;
    let fields = [
        ("email", "b@c"),
        ("password", "correct horse"),
        ("project", "Mine"),
    ];
    let late = browser.post(&path, &fields).await;
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
    assert_eq!(
        (stranger.status, stranger.header("location")),
        (303, Some("/sign-in"))
    );
    let mut browser = Browser::new(address);
    let wrong = browser.show_key("nb_k_wrong").await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, None));

    let key = [("key", nightbeat.keys.read_only_key.as_str())];
    browser.headers = "Sec-Fetch-Site: cross-site\r\n".to_owned();
    let foreign = browser.post("/sign-in", &key).await;
    assert_eq!((foreign.status, foreign.header("set-cookie")), (403, None));
    browser.headers.clear();
    let signed_in = browser.post("/sign-in", &key).await;
    assert_eq!(
        (signed_in.status, signed_in.header("location")),
        (303, Some("/"))
    );
    let attributes = signed_in.header("set-cookie").unwrap();
    assert!(
        attributes.contains("; Path=/; HttpOnly; SameSite=Lax; Max-Age=34560000"),
        "{attributes}"
    );
    assert!(!attributes.contains("nb_k_"), "{attributes}");

    let session = format!("nightbeat={}", browser.session().unwrap());
    let project = format!("/projects/{}", nightbeat.project());
    let list = get(address, &project, &format!("other=1; {session}")).await;
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
        policy.starts_with("default-src 'none'; script-src 'self'"),
        "{policy}"
    );
    for (header, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(list.header(header), Some(value));
    }

    browser.get("/sign-out").await;
    let out = browser.post("/sign-out", &[]).await;
    assert_eq!((out.status, browser.session()), (303, None));
    assert_eq!(get(address, "/", &session).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_that_cannot_be_read_hides_no_other_in_the_list() {
    let nightbeat = start(|_| {}).await;
    let ill = nightbeat.heartbeat("ill").await;
    nightbeat.heartbeat("well").await;
    let broken = damage(nightbeat.server.store(), ill, Damage::State);
    broken.await.unwrap();
    let mut browser = with_key(nightbeat.address(), &nightbeat.keys.read_only_key).await;
    let project = format!("/projects/{}", nightbeat.project());
    let list = browser.get(&project).await;
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
async fn a_session_ends_with_its_key() {
    let nightbeat = start(|_| {}).await;
    let address = nightbeat.address();
    let mut browser = with_key(address, &nightbeat.keys.api_key).await;
    assert!(browser.get("/sign-out").await.body.contains("Sign out"));

    let project = nightbeat.project();
    let hash = nightbeat_server::accounts::key_hash(&nightbeat.keys.api_key);
    let removing = nightbeat.server.store().write(move |sql| {
        let owner = nightbeat_store::control::keys::find_by_hash(sql, &hash)?.expect("the key");
        nightbeat_store::control::keys::delete(sql, project, owner.id)
    });
    assert!(removing.await.unwrap());
    assert_eq!(browser.get("/").await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_https_the_cookie_is_as_strict_as_can_be() {
    let nightbeat =
        start(|config| config.public_url = "https://beats.example.org".parse().unwrap()).await;
    let mut browser = Browser::new(nightbeat.address());
    let form = browser.get("/sign-in").await;
    let cookie = form.header("set-cookie").unwrap();
    assert!(
        cookie.starts_with("__Host-nightbeat-form=") && cookie.contains("; Secure"),
        "{cookie}"
    );
    let signed_in = browser.show_key(&nightbeat.keys.api_key).await;
    let cookie = signed_in.header("set-cookie").unwrap();
    assert!(
        cookie.starts_with("__Host-nightbeat=") && cookie.contains("; Secure"),
        "{cookie}"
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
    let mut browser = Browser::new(address);
    browser.get(&path).await;
    let fields = [
        ("email", "ana@example.org"),
        ("password", "correct horse"),
        ("project", "Home"),
    ];
    let request = browser.request("POST", &path, &browser.form(&fields));
    let mut gone = tokio::net::TcpStream::connect(address).await.unwrap();
    gone.write_all(request.as_bytes()).await.unwrap();
    // A reset, not a mere end: the server drops all that runs on the connection.
    gone.set_zero_linger().unwrap();
    drop(gone);
    // Either the project is there, or the link still works: never neither.
    let asking = async {
        loop {
            let again = browser.post(&path, &fields).await;
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
    let mut browser = with_key(address, &nightbeat.keys.read_only_key).await;
    browser.get("/sign-out").await;
    browser.headers = "Sec-Fetch-Site: cross-site\r\n".to_owned();
    let foreign = browser.post("/sign-out", &[]).await;
    assert_eq!((foreign.status, foreign.header("set-cookie")), (403, None));
    browser.headers.clear();
    let unasked = browser.post_unasked("/sign-out", &[]).await;
    assert_eq!((unasked.status, unasked.header("set-cookie")), (403, None));
    assert_eq!(browser.get("/sign-out").await.status, 200);
    let session = browser.session().unwrap().to_owned();
    let own = browser.post("/sign-out", &[]).await;
    assert!(own.header("set-cookie").unwrap().contains("Max-Age=0"));
    browser.cookies.insert("nightbeat".to_owned(), session);
    assert_eq!(browser.get("/").await.status, 303);
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
