//! Which server, which key, and what happens when there is none.

use serde_json::json;
use tempfile::TempDir;

use crate::support::{KEY, Server, answer, nobody, problem, run, run_at, text};

fn empty() -> crate::support::Answer {
    answer("200 OK", &json!({"items": [], "next_cursor": null}))
}

const LIST: &str = "GET /api/v1/heartbeats";

#[test]
fn the_key_travels_in_a_header_of_its_own() {
    let server = Server::start().on(LIST, [empty()]);
    assert_eq!(server.run(&["list", "--json"]).data(), "{\"items\":[]}\n");
    let headers = &server.seen()[0].headers;
    assert!(
        headers.contains(&format!("x-api-key: {KEY}")),
        "{headers:?}"
    );
    assert!(!headers.iter().any(|line| line.starts_with("authorization")));
}

#[test]
fn without_a_key_it_says_how_to_get_one() {
    let run = run(&["list"], &[], "");
    let stderr = run.error(5);
    assert!(
        stderr.starts_with("error: no API key\nhint: set NIGHTBEAT_API_KEY"),
        "{stderr}"
    );
    assert!(stderr.contains("nightbeat login"));
}

#[test]
fn a_server_that_is_not_there_has_its_own_exit_code() {
    let url = nobody();
    let run = run(
        &["list"],
        &[("NIGHTBEAT_URL", &url), ("NIGHTBEAT_API_KEY", KEY)],
        "",
    );
    let stderr = run.error(4);
    assert!(
        stderr.starts_with(&format!("error: cannot reach {url}: Connection refused")),
        "{stderr}"
    );
    assert!(stderr.contains("\nhint: "));
}

#[test]
fn a_flag_goes_before_the_environment() {
    let server = Server::start().on(LIST, [empty()]);
    let dead = nobody();
    let run = server.run_with(
        &[
            "list",
            "--json",
            "--url",
            &server.url(),
            "--api-key",
            "other",
        ],
        &[("NIGHTBEAT_URL", &dead)],
        "",
    );
    run.data();
    assert!(
        server.seen()[0]
            .headers
            .contains(&"x-api-key: other".to_owned())
    );
}

#[test]
fn a_no_of_the_server_is_told_with_a_hint() {
    let server = Server::start()
        .on(
            LIST,
            [problem("401 Unauthorized", "this key is not known", None)],
        )
        .on(
            "POST /api/v1/heartbeats",
            [problem(
                "422 Unprocessable Content",
                "grace: 0 seconds is outside 1 second to 10 years",
                Some("grace"),
            )],
        )
        .on("GET /api/v1/channels", [empty()]);
    let run = server.run(&["list"]);
    assert!(
        run.error(1)
            .starts_with("error: this key is not known\nhint: check the API key")
    );
    let run = server.run(&["create", "x", "--grace", "0"]);
    assert_eq!(
        run.error(1),
        "error: grace: 0 seconds is outside 1 second to 10 years\n\
         hint: set it with --grace, for example --grace 90m\n"
    );
}

#[test]
fn what_is_not_the_api_is_not_taken_for_it() {
    let server = Server::start().on(LIST, [text("200 OK", "<html>Welcome</html>")]);
    let run = server.run(&["list"]);
    let stderr = run.error(1);
    assert!(
        stderr.contains("does not answer as a Nightbeat server does"),
        "{stderr}"
    );

    let server = Server::start().on(LIST, [text("404 Not Found", "not found")]);
    let run = server.run(&["list"]);
    let stderr = run.error(1);
    assert!(
        stderr.contains("it answers 404 Not Found without a reason\nhint: is NIGHTBEAT_URL"),
        "{stderr}"
    );

    let elsewhere = text("301 Moved Permanently", "").with("Location: https://beats.example/");
    let server = Server::start().on(LIST, [elsewhere]);
    let run = server.run(&["list"]);
    let stderr = run.error(1);
    assert!(
        stderr.contains("redirects to https://beats.example/\nhint: "),
        "{stderr}"
    );
}

#[test]
fn a_command_line_that_is_wrong_is_told_where() {
    let unknown = run(&["list", "--colour"], &[], "");
    assert!(unknown.error(2).contains("--colour"));
    let every = run(&["create", "x", "--every", "90x"], &[], "");
    let stderr = every.error(2);
    assert!(
        stderr.contains("`x` is not a unit; use s, m (minutes), h, d or w (weeks)"),
        "{stderr}"
    );
}

#[test]
fn a_proxy_is_not_asked_for_this_machine() {
    let server = Server::start().on(LIST, [empty()]);
    let dead = nobody();
    let proxies = [
        ("HTTP_PROXY", dead.as_str()),
        ("http_proxy", &dead),
        ("ALL_PROXY", &dead),
    ];
    server.run_with(&["list", "--json"], &proxies, "").data();
}

#[test]
fn a_machine_without_certificates_can_do_http_and_is_told_about_https() {
    let server = Server::start().on(LIST, [empty()]);
    let folder = TempDir::new().unwrap();
    let none = folder.path().join("none.pem");
    std::fs::write(&none, "").unwrap();
    let none = [
        ("SSL_CERT_FILE", none.to_str().unwrap()),
        ("SSL_CERT_DIR", ""),
    ];
    server.run_with(&["list", "--json"], &none, "").data();

    let run = server.run_with(&["list", "--url", "https://127.0.0.1:1"], &none, "");
    let stderr = run.error(5);
    assert!(
        stderr.contains("install ca-certificates, or set SSL_CERT_FILE"),
        "{stderr}"
    );
}

#[test]
fn login_tries_the_key_and_saves_it_for_its_owner_only() {
    let home = TempDir::new().unwrap();
    let server = Server::start()
        .on(
            "GET /api/v1/project",
            [answer("200 OK", &json!({"id": "p", "name": "home"}))],
        )
        .on(LIST, [empty()]);
    let login = ["login", "--url", &server.url(), "--api-key-stdin"];
    let run = run_at(home.path(), &login, &[], "saved-key\n");
    assert_eq!(run.data(), "");
    assert!(
        run.stderr
            .starts_with(&format!("project `home` on {}: saved in ", server.url()))
    );

    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = home.path().join(".config/nightbeat/client.toml");
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    run_at(home.path(), &["list", "--json"], &[], "").data();
    let last = server.seen().pop().unwrap();
    assert!(last.headers.contains(&"x-api-key: saved-key".to_owned()));

    let other = Server::start().on(LIST, [empty()]);
    let run = run_at(home.path(), &["list", "--url", &other.url()], &[], "");
    assert!(run.error(5).contains("the saved one is for"));
    assert_eq!(other.lines(), [""; 0]);
}

#[test]
fn login_saves_nothing_that_does_not_work() {
    let home = TempDir::new().unwrap();
    let server = Server::start().on(
        "GET /api/v1/project",
        [problem("401 Unauthorized", "this key is not known", None)],
    );
    let login = ["login", "--url", &server.url(), "--api-key-stdin"];
    run_at(home.path(), &login, &[], "wrong\n").error(1);
    run_at(home.path(), &login, &[], "").error(2);
    let asked = run_at(home.path(), &["login"], &[], "");
    assert!(asked.error(2).contains("--api-key-stdin"));
    assert!(std::fs::read_dir(home.path()).unwrap().next().is_none());
}

#[test]
fn help_and_version_are_data() {
    let version = run(&["--version"], &[], "");
    assert_eq!(
        version.data(),
        concat!("nightbeat ", env!("CARGO_PKG_VERSION"), "\n")
    );
    let help = run(&["--help"], &[], "");
    for word in [
        "serve",
        "init",
        "ping",
        "NIGHTBEAT_URL",
        "Exit codes",
        "Examples",
    ] {
        assert!(help.data().contains(word), "{word}");
    }
    let secret = run(
        &["list", "--help"],
        &[("NIGHTBEAT_API_KEY", "very-secret")],
        "",
    );
    assert!(!secret.data().contains("very-secret"));
}
