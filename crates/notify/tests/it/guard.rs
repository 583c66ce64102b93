//! What the outgoing client refuses to dial.

use std::sync::Arc;

use nightbeat_notify::{Notifier, NotifierError, Outgoing};

use crate::cast::{catalogue, fields, guarded, missed, notifier, one};
use crate::http_receiver::{OK, Receiver};

#[tokio::test]
async fn no_spelling_of_an_address_that_is_not_public_is_dialled() {
    let receiver = Receiver::answering(OK).await;
    let port = receiver.port;
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::1]",
        "[fe80::1]",
        "[fc00::1]",
        "[ff02::1]",
        "10.0.0.5",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.0.1",
        "224.0.0.1",
        "①②⑦.0.0.1",
    ] {
        let settings = fields(&[("url", &format!("http://{host}:{port}/"))]);
        let error = guarded()
            .send("webhook", &settings, &one(missed()))
            .await
            .unwrap_err();
        assert!(error.refused, "{host}: {error}");
        assert!(
            error.detail.contains("allow it with outgoing.allow = [\""),
            "{host}: {error}"
        );
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_name_is_judged_by_the_addresses_it_leads_to() {
    let receiver = Receiver::answering(OK).await;
    let url = format!("http://localhost:{}/", receiver.port);
    let settings = fields(&[("url", &url)]);
    let error = guarded()
        .send("webhook", &settings, &one(missed()))
        .await
        .unwrap_err();
    assert!(error.refused, "{error}");
    assert!(
        error
            .detail
            .starts_with(&format!("localhost:{}: refused: ", receiver.port)),
        "{error}"
    );
    assert!(
        error
            .detail
            .contains("is a loopback address; allow it with outgoing.allow"),
        "{error}"
    );
    assert_eq!(receiver.connections(), 0);
    // The same name is dialled where the operator allows what it leads to.
    notifier()
        .send("webhook", &settings, &one(missed()))
        .await
        .unwrap();
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_not_followed() {
    let inside = Receiver::answering(OK).await;
    for target in [
        "http://169.254.169.254/latest/meta-data".to_owned(),
        inside.url("/"),
    ] {
        for status in [
            "301 Moved Permanently",
            "302 Found",
            "307 Temporary Redirect",
        ] {
            let answer =
                format!("HTTP/1.1 {status}\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n");
            let receiver = Receiver::answering(&answer).await;
            let settings = fields(&[("url", &receiver.url("/"))]);
            let error = notifier()
                .send("webhook", &settings, &one(missed()))
                .await
                .unwrap_err();
            let expected = format!(
                "answered {status}, a redirect to {target}; redirects are not followed, so set the URL itself"
            );
            assert_eq!(error.detail, expected);
            assert_eq!(receiver.connections(), 1);
        }
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn other_protocols_ports_and_credentials_in_the_url_are_refused() {
    for (url, hint) in [
        ("ftp://h.example/", "must begin with https:// or http://"),
        ("file:///etc/passwd", "must begin with https:// or http://"),
        ("http://h.example:6379/", "port 6379 belongs to a service"),
        (
            "http://user:pass@h.example/",
            "must not contain a user or password",
        ),
        ("http://[fe80::1%25eth0]/", "is not a URL"),
    ] {
        let error = notifier()
            .send("webhook", &fields(&[("url", url)]), &one(missed()))
            .await
            .unwrap_err();
        assert!(
            error.refused && error.detail.contains(hint),
            "{url}: {error}"
        );
    }
}

#[tokio::test]
async fn a_proxy_dials_only_where_addresses_in_urls_may_be_dialled() {
    let proxy = Receiver::answering(OK).await;
    let outgoing = Outgoing {
        proxy: Some(proxy.url("")),
        ..Outgoing::default()
    };
    let notifier = Notifier::new(catalogue(), outgoing, None).unwrap();
    let settings = fields(&[("url", "http://hooks.example/x")]);
    notifier
        .send("webhook", &settings, &one(missed()))
        .await
        .unwrap();
    assert_eq!(
        proxy.request().line(),
        "POST http://hooks.example/x HTTP/1.1"
    );
    let settings = fields(&[("url", "http://169.254.169.254/x")]);
    let error = notifier
        .send("webhook", &settings, &one(missed()))
        .await
        .unwrap_err();
    assert!(error.refused, "{error}");
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn a_wrong_configuration_says_what_is_wrong() {
    let problem = |outgoing| match Notifier::new(Arc::clone(&catalogue()), outgoing, None) {
        Ok(_) => panic!("it was accepted"),
        Err(error) => error,
    };
    let error = problem(Outgoing {
        proxy: Some("nonsense".to_owned()),
        ..Outgoing::default()
    });
    assert_eq!(
        error.to_string(),
        "outgoing.proxy: \"nonsense\" is not a proxy; write http://host:port"
    );
    let error = problem(Outgoing {
        timeout: std::time::Duration::ZERO,
        ..Outgoing::default()
    });
    assert!(matches!(error, NotifierError::Timeout));
}
