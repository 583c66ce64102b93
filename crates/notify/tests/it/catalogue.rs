//! The catalogue, and checking what a person fills in.

use std::collections::BTreeSet;
use std::path::Path;

use nightbeat_notify::{Catalogue, FieldError};

use crate::cast::{catalogue, fields};

fn refusal(kind: &str, pairs: &[(&str, &str)]) -> FieldError {
    catalogue().check(kind, &fields(pairs)).unwrap_err()
}

#[test]
fn the_catalogue_is_what_the_api_shows() {
    let kinds: Vec<_> = catalogue().kinds().cloned().collect();
    insta::assert_json_snapshot!(kinds);
}

#[test]
fn every_file_of_the_channels_folder_is_built_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../channels");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let built_in: BTreeSet<String> = catalogue().kinds().map(|kind| kind.name.clone()).collect();
    assert_eq!(files, built_in);
}

#[test]
fn a_file_of_ones_own_replaces_a_built_in_kind_and_a_wrong_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let own = "title = \"Mine\"\nhelp = \"h\"\n[request]\nmethod = \"GET\"\nurl = \"https://h.example/\"\n";
    std::fs::write(folder.path().join("ntfy.toml"), own).unwrap();
    std::fs::write(folder.path().join("README.md"), "not a channel").unwrap();
    let catalogue = Catalogue::load(Some(folder.path())).unwrap();
    assert_eq!(catalogue.kind("ntfy").unwrap().title, "Mine");
    assert_eq!(catalogue.kinds().count(), 3);
    assert_eq!(
        catalogue.lane("ntfy", &fields(&[])),
        "https://h.example:443"
    );

    std::fs::write(folder.path().join("bad.toml"), "title = 3").unwrap();
    let error = Catalogue::load(Some(folder.path()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("bad.toml"), "{error}");
    let error = Catalogue::load(Some(Path::new("/does/not/exist")))
        .unwrap_err()
        .to_string();
    assert!(error.contains("/does/not/exist"), "{error}");
}

#[test]
fn defaults_are_filled_in_and_values_tidied() {
    let checked = catalogue()
        .check("ntfy", &fields(&[("topic", " t "), ("token", "")]))
        .unwrap();
    assert_eq!(
        checked,
        fields(&[("server", "https://ntfy.sh"), ("topic", "t")])
    );
    let checked = catalogue()
        .check(
            "email",
            &fields(&[("to", "a@b.example;c@d.example, a@b.example")]),
        )
        .unwrap();
    assert_eq!(checked, fields(&[("to", "a@b.example, c@d.example")]));
    let checked = catalogue()
        .check("webhook", &fields(&[("url", "https://h.example/")]))
        .unwrap();
    assert_eq!(
        checked,
        fields(&[("method", "POST"), ("url", "https://h.example/")])
    );
    // What was checked once passes again and stays the same.
    assert_eq!(catalogue().check("webhook", &checked).unwrap(), checked);
}

#[test]
fn lanes_digests_and_secrets_follow_the_kind() {
    let catalogue = catalogue();
    let url = |url: &str| fields(&[("url", url)]);
    for (settings, lane) in [
        (
            url("https://hooks.example/a/b?c"),
            "https://hooks.example:443",
        ),
        (
            url("http://10.0.0.5:8080/{{heartbeat.slug}}"),
            "http://10.0.0.5:8080",
        ),
        (url("nonsense"), "webhook"),
    ] {
        assert_eq!(catalogue.lane("webhook", &settings), lane);
    }
    assert_eq!(
        catalogue.lane("email", &fields(&[("to", "a@b.example")])),
        "smtp"
    );
    assert_eq!(catalogue.digest_seconds("webhook"), 0);
    assert_eq!(catalogue.digest_seconds("ntfy"), 30);
    assert_eq!(catalogue.digest_seconds("email"), 30);
    assert_eq!(catalogue.secret_fields("webhook"), ["headers"]);
    assert_eq!(catalogue.secret_fields("ntfy"), ["token"]);
}

#[test]
fn a_mistake_is_named_with_its_field_and_a_remedy() {
    let url = ("url", "https://h.example/");
    let long = "x".repeat(20_000);
    let cases: &[(&str, &[(&str, &str)], &str, &str)] = &[
        ("webhok", &[], "", "did you mean \"webhook\"?"),
        ("carrier pigeon", &[], "", "there is email, ntfy, webhook"),
        ("webhook", &[], "url", "is required"),
        ("webhook", &[("ulr", "x")], "ulr", "did you mean \"url\"?"),
        (
            "webhook",
            &[("colour", "x")],
            "colour",
            "there is body, headers, method, url",
        ),
        ("webhook", &[("url", "h.example/x")], "url", "is not a URL"),
        (
            "webhook",
            &[("url", "gopher://h.example/")],
            "url",
            "must begin with https://",
        ),
        (
            "webhook",
            &[("url", "https://u:p@h.example/")],
            "url",
            "send them in a header",
        ),
        (
            "webhook",
            &[("url", "https://h.example:25/")],
            "url",
            "port 25",
        ),
        (
            "webhook",
            &[("url", "https://{{heartbeat.slug}}.example/")],
            "url",
            "path and the query only",
        ),
        (
            "webhook",
            &[("url", "https://h.example/{{slug}}")],
            "url",
            "{{slug}} is unknown",
        ),
        (
            "webhook",
            &[("url", "https://h.example/{{heartbeat.nmae}}")],
            "url",
            "did you mean \"heartbeat.name\"?",
        ),
        (
            "webhook",
            &[("url", "https://h.example/{{field.headers}}")],
            "url",
            "is unknown",
        ),
        (
            "webhook",
            &[url, ("method", "BREW")],
            "method",
            "must be one of POST, PUT",
        ),
        (
            "webhook",
            &[url, ("headers", "no colon")],
            "headers",
            "write Name: value",
        ),
        (
            "webhook",
            &[url, ("headers", "Bad Name: x")],
            "headers",
            "is not a header's name",
        ),
        (
            "webhook",
            &[url, ("headers", "Host: internal")],
            "headers",
            "set by Nightbeat itself",
        ),
        (
            "webhook",
            &[url, ("headers", "X: {{oops}}")],
            "headers",
            "{{oops}} is unknown",
        ),
        (
            "webhook",
            &[url, ("headers", "X: a\u{0}b")],
            "headers",
            "control character",
        ),
        (
            "webhook",
            &[url, ("body", "plain {{title}}")],
            "body",
            "is not JSON",
        ),
        (
            "webhook",
            &[url, ("body", "{\"a\": {{title}}}")],
            "body",
            "placeholders in quotes",
        ),
        (
            "webhook",
            &[url, ("body", "{\"a\": \"{{titel}}\"}")],
            "body",
            "did you mean \"title\"?",
        ),
        (
            "webhook",
            &[url, ("body", "\"{{title\"")],
            "body",
            "not closed",
        ),
        (
            "webhook",
            &[url, ("body", &long)],
            "body",
            "longer than 16384 bytes",
        ),
        ("ntfy", &[("topic", "a\nb")], "topic", "line break"),
        (
            "ntfy",
            &[("topic", "t"), ("server", "https://h.example/{{title}}")],
            "server",
            "takes no placeholders",
        ),
        ("email", &[("to", "me")], "to", "is not an e-mail address"),
        (
            "email",
            &[("to", "me@example.org\r\nBcc: you@example.org")],
            "to",
            "line break",
        ),
        ("email", &[("to", ", ,")], "to", "takes 1 to 20 addresses"),
        ("email", &[("to", "me@exämple.org")], "to", "xn--"),
    ];
    for (kind, pairs, field, hint) in cases {
        let error = refusal(kind, pairs);
        assert_eq!(error.field, *field, "{error}");
        assert!(error.problem.contains(hint), "{kind} {pairs:?}: {error}");
    }
}
