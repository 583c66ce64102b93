//! The table of signal URLs: what is accepted and what is answered to the rest.

use super::*;
use nightbeat_domain::{Metric, RunId, Schedule, UnixMicros};
use std::time::Duration;

const ID: &str = "4c1e8a52-09d3-4b7e-8f6a-1d2c3b4a5968";
const KEY: &str = "Zk3xw1YtQmB7n0pLr5vGdA";

fn id() -> UrlTarget {
    UrlTarget::Id(HeartbeatId(Uuid::try_parse(ID).unwrap()))
}

fn slug(slug: &str) -> UrlTarget {
    UrlTarget::Slug {
        ping_key: KEY.to_owned(),
        slug: slug.to_owned(),
    }
}

fn of(url: &str) -> Result<SignalUrl, UrlProblem> {
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url, None),
    };
    parse(&path.replace("ID", ID).replace("KEY", KEY), query)
}

fn query(text: &str) -> SignalQuery {
    of(&format!("/ping/KEY/job?{text}")).unwrap().query
}

#[test]
fn accepted_paths() {
    use SignalKind::{Fail, Log, Start, Success};
    let long = "s".repeat(SLUG_CHARS_MAX);
    for (tail, target, kind, exit_code) in [
        ("ID", id(), Success, None),
        ("ID/", id(), Success, None),
        ("ID/start", id(), Start, None),
        ("ID/start/", id(), Start, None),
        ("ID/fail", id(), Fail, None),
        ("ID/log", id(), Log, None),
        ("ID/0", id(), Success, Some(0)),
        ("ID/1", id(), Fail, Some(1)),
        ("ID/255", id(), Fail, Some(255)),
        ("ID/255/", id(), Fail, Some(255)),
        ("ID/007", id(), Fail, Some(7)),
        (
            "%34c1e8a52-09d3-4b7e-8f6a-1d2c3b4a5968",
            id(),
            Success,
            None,
        ),
        (
            "4C1E8A52-09D3-4B7E-8F6A-1D2C3B4A5968/start",
            id(),
            Start,
            None,
        ),
        ("4c1e8A52-09d3-4b7e-8F6a-1d2c3b4a5968", id(), Success, None),
        ("KEY/nightly-backup", slug("nightly-backup"), Success, None),
        ("KEY/nightly-backup/", slug("nightly-backup"), Success, None),
        (
            "KEY/nightly_backup/start",
            slug("nightly_backup"),
            Start,
            None,
        ),
        ("KEY/a/fail", slug("a"), Fail, None),
        ("KEY/a/log/", slug("a"), Log, None),
        ("KEY/a/3", slug("a"), Fail, Some(3)),
        (
            "KEY/nightly%2Dbackup",
            slug("nightly-backup"),
            Success,
            None,
        ),
        ("KEY/start", slug("start"), Success, None),
        ("KEY/start/start", slug("start"), Start, None),
        ("KEY/42", slug("42"), Success, None),
        ("KEY/42/0", slug("42"), Success, Some(0)),
        ("KEY/LONG", slug(&long), Success, None),
    ] {
        for form in ["/api/heartbeat/", "/ping/"] {
            let url = format!("{form}{}", tail.replace("LONG", &long));
            let found = of(&url).unwrap_or_else(|problem| panic!("{url}: {problem}"));
            assert_eq!(
                (found.target, found.kind, found.exit_code),
                (target.clone(), kind, exit_code),
                "{url}"
            );
            assert_eq!(found.query, SignalQuery::default(), "{url}");
        }
    }
}

#[test]
fn refused_paths() {
    use UrlProblem::{Format, NotFound};
    let long = "s".repeat(SLUG_CHARS_MAX + 1);
    let long_key = "k".repeat(PING_KEY_CHARS_MAX + 1);
    for (tail, problem) in [
        ("", NotFound),
        ("/", NotFound),
        ("//", NotFound),
        ("checks", NotFound),
        ("checks/", NotFound),
        ("ID//", NotFound),
        ("ID//start", NotFound),
        ("ID/foo", NotFound),
        ("ID/START", NotFound),
        ("ID/-1", NotFound),
        ("ID/+1", NotFound),
        ("ID/1.0", NotFound),
        ("ID/0x1", NotFound),
        ("ID/start/start", NotFound),
        ("ID/slug/start/x", NotFound),
        ("ID/256", Format),
        ("ID/300", Format),
        ("ID/99999999999999999999999999", Format),
        ("4c1e8a5209d34b7e8f6a1d2c3b4a5968", NotFound),
        ("{4c1e8a52-09d3-4b7e-8f6a-1d2c3b4a5968}", NotFound),
        ("urn:uuid:4c1e8a52-09d3-4b7e-8f6a-1d2c3b4a5968", NotFound),
        ("4c1e8a52-09d3-4b7e-8f6a-1d2c3b4a596", NotFound),
        ("4c1e8a52-09d3-4b7e-8f6a-1d2c3b4a5968 ", NotFound),
        ("gc1e8a52-09d3-4b7e-8f6a-1d2c3b4a5968", NotFound),
        ("KEY", NotFound),
        ("KEY/", NotFound),
        ("KEY//start", NotFound),
        ("KEY/Nightly", Format),
        ("KEY/NIGHTLY/start", Format),
        ("KEY/LONG", Format),
        ("KEY/LONG/start", Format),
        ("KEY/night+ly", Format),
        ("KEY/night%20ly", Format),
        ("KEY/night.ly", Format),
        ("KEY/n%C3%A4chtlich", Format),
        ("KEY/a%2Fstart", Format),
        ("KEY/a%00", Format),
        ("KEY/%ff", Format),
        ("KEY/%", Format),
        ("KEY/a/foo", NotFound),
        ("KEY/a/256", Format),
        ("KEY/a/start/more", NotFound),
        ("k%20y/a", NotFound),
        ("k.y/a", NotFound),
        ("%00/a", NotFound),
        ("../metrics", NotFound),
        ("BIG/a", NotFound),
    ] {
        for form in ["/api/heartbeat/", "/ping/"] {
            let url = format!(
                "{form}{}",
                tail.replace("LONG", &long).replace("BIG", &long_key)
            );
            assert_eq!(of(&url), Err(problem.clone()), "{url}");
        }
    }
}

#[test]
fn paths_that_are_no_signals() {
    for path in [
        "",
        "/",
        "/ping",
        "/api/heartbeat",
        "/api/heartbeats/x",
        "/pings/x",
        "/ID",
        "/api/v1/x",
        "ping/ID",
    ] {
        assert_eq!(of(path), Err(UrlProblem::NotFound), "{path}");
    }
}

#[test]
fn a_path_prefix_may_be_there_or_not() {
    let forms = Forms {
        prefix: "/beats".to_owned(),
        ..Forms::default()
    };
    assert_eq!(forms.tail(None, "/beats/ping/x"), Some("x"));
    assert_eq!(forms.tail(None, "/ping/x"), Some("x"));
    assert_eq!(forms.tail(None, "/beatsping/x"), None);
    assert_eq!(forms.tail(None, "/beats/api/v1/project"), None);
    assert_eq!(forms.without_prefix("/beats"), "/");
    assert_eq!(forms.without_prefix("/beats/healthz"), "/healthz");
    assert_eq!(forms.without_prefix("/beatsx"), "/beatsx");
}

#[test]
fn on_a_ping_host_the_bare_form_is_a_signal() {
    let forms = Forms {
        ping_host: Some("ping.example.org".to_owned()),
        ..Forms::default()
    };
    let bare = format!("/{ID}/start");
    for host in [
        "ping.example.org",
        "PING.example.org",
        "ping.example.org:443",
    ] {
        assert_eq!(forms.tail(Some(host), &bare), Some(&bare[1..]), "{host}");
        assert_eq!(forms.tail(Some(host), "/ping/x"), Some("x"), "{host}");
    }
    let by_slug = format!("/{KEY}/backup");
    assert_eq!(
        forms.tail(Some("ping.example.org"), &by_slug),
        Some(&by_slug[1..])
    );
    for host in [
        None,
        Some("beats.example.org"),
        Some("ping.example.org.evil"),
        Some(""),
    ] {
        assert_eq!(forms.tail(host, &bare), None, "{host:?}");
    }
    for path in [
        "/",
        "/healthz",
        "/metrics",
        "/api/v1/heartbeats",
        "/robots.txt",
        "/assets/style.0123456789abcdef.css",
    ] {
        assert_eq!(forms.tail(Some("ping.example.org"), path), None, "{path}");
    }
    let with_port = Forms {
        ping_host: Some("localhost:8787".to_owned()),
        ..Forms::default()
    };
    assert!(with_port.tail(Some("localhost:8787"), &bare).is_some());
    assert!(with_port.tail(Some("localhost"), &bare).is_none());
}

#[test]
fn rid_is_a_dashed_uuid_in_either_case() {
    let rid = Some(RunId(Uuid::try_parse(ID).unwrap()));
    for value in [ID, &ID.to_uppercase()] {
        assert_eq!(query(&format!("rid={value}")).rid, rid);
    }
    for bad in [
        "rid=",
        "rid",
        "rid=1",
        "rid=4c1e8a5209d34b7e8f6a1d2c3b4a5968",
        "create=1&rid=x",
        "rid=%00",
    ] {
        for target in ["ID", "KEY/a", "KEY/a/start"] {
            assert_eq!(
                of(&format!("/ping/{target}?{bad}")),
                Err(UrlProblem::Rid),
                "{target} {bad}"
            );
        }
    }
    assert_eq!(
        of("/ping/KEY/Upper?rid=x"),
        Err(UrlProblem::Format),
        "the path is judged first"
    );
}

#[test]
fn at_is_an_instant() {
    let expected = Some(UnixMicros::from_seconds(1_795_312_800));
    for text in [
        "at=2026-11-22T02:00:00Z",
        "at=2026-11-22T03:00:00%2B01:00",
        "at=2026-11-22T03:00:00+01:00",
        "at=2026-11-22T02%3A00%3A00.000Z",
    ] {
        assert_eq!(query(text).claimed_at, expected, "{text}");
    }
    for text in [
        "at=",
        "at=yesterday",
        "at=1795312800",
        "at=2026-11-22",
        "at=2026-13-22T02:00:00Z",
    ] {
        let problem = of(&format!("/ping/ID?{text}")).unwrap_err().to_string();
        assert_eq!(
            problem, "invalid at: write RFC 3339, as `2026-11-22T02:00:00Z`",
            "{text}"
        );
    }
}

#[test]
fn a_nonce_is_up_to_64_characters() {
    assert_eq!(query("nonce=a%20b").nonce.as_deref(), Some("a b"));
    let longest = "é".repeat(64);
    assert_eq!(
        query(&format!("nonce={longest}")).nonce,
        Some(longest.clone())
    );
    for text in ["nonce=".to_owned(), format!("nonce={longest}e")] {
        let problem = of(&format!("/ping/ID?{text}")).unwrap_err().to_string();
        assert_eq!(problem, "invalid nonce: write 1 to 64 characters");
    }
}

#[test]
fn metrics_are_numbers_and_the_unreadable_ones_are_left_out() {
    let found = query("m.rows=1200&metric=size:1.5e3&m.delta=-2&m.padded=%20%20%2012&metric=a:b:3");
    let expected = [
        ("rows", 1200.0),
        ("size", 1500.0),
        ("delta", -2.0),
        ("padded", 12.0),
    ];
    assert_eq!(
        found.metrics,
        expected.map(|(name, value)| Metric::new(name, value).unwrap())
    );
    for text in [
        "m.rows=",
        "m.rows=many",
        "m.rows=NaN",
        "m.rows=inf",
        "m.=1",
        "metric=rows",
        "metric=:1",
        "m=1",
    ] {
        assert_eq!(query(text).metrics, [], "{text}");
    }
    let long = "n".repeat(65);
    assert_eq!(query(&format!("m.{long}=1")).metrics, []);
    let many: Vec<String> = (0..100).map(|n| format!("m.n{n}={n}")).collect();
    assert_eq!(
        query(&many.join("&")).metrics.len(),
        super::super::query::METRICS_MAX
    );
}

#[test]
fn create_says_what_is_created() {
    let every = |seconds| Schedule::every_seconds(seconds).unwrap();
    for (text, schedule, grace) in [
        ("create=1", every(86_400), 3_600),
        ("create=1&every=1h", every(3_600), 3_600),
        ("create=1&every=90&grace=30m", every(90), 1_800),
        ("grace=1d&create=1&every=2w", every(1_209_600), 86_400),
        (
            "create=1&cron=30+3+*+*+*",
            Schedule::cron("30 3 * * *", "UTC").unwrap(),
            3_600,
        ),
        (
            "create=1&cron=30%203%20*%20*%20*&tz=Europe/Madrid",
            Schedule::cron("30 3 * * *", "Europe/Madrid").unwrap(),
            3_600,
        ),
    ] {
        let settings = query(text).create.unwrap_or_else(|| panic!("{text}"));
        assert_eq!(settings.schedule, schedule, "{text}");
        assert_eq!(settings.grace, Duration::from_secs(grace), "{text}");
    }
    for text in [
        "",
        "create=0",
        "create=",
        "create",
        "create=true",
        "every=1h",
        "every=nonsense",
    ] {
        assert_eq!(query(text).create, None, "{text}");
    }
    assert_eq!(
        of("/ping/ID?create=1&every=nonsense").unwrap().query.create,
        None
    );
}

#[test]
fn a_wrong_wish_creates_nothing() {
    for (text, start) in [
        ("every=nonsense", "invalid every: "),
        ("every=0", "invalid every: "),
        ("every=11000d", "invalid every: "),
        ("every=1h&cron=30+3+*+*+*", "invalid every: "),
        ("tz=Europe/Madrid", "invalid tz: "),
        ("cron=61+3+*+*+*", "invalid cron: "),
        ("cron=30+3+*+*+*&tz=Europe/Nowhere", "invalid tz: "),
        ("grace=0", "invalid grace: "),
        ("grace=-1", "invalid grace: "),
    ] {
        let problem = of(&format!("/ping/KEY/a?create=1&{text}"))
            .unwrap_err()
            .to_string();
        assert!(problem.starts_with(start), "{text}: {problem}");
    }
}

#[test]
fn what_is_not_understood_is_left_alone() {
    for text in [
        "_=1795312800",
        "utm_source=x",
        "&&&",
        "=",
        "%",
        "%ff=%ff",
        "status=up&msg=OK&ping=",
    ] {
        assert_eq!(query(text), SignalQuery::default(), "{text}");
    }
}
