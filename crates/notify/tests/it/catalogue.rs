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

/// Kind, fields, the field that is named, and a part of what is said.
type Mistake<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

fn assert_named(mistakes: &[Mistake<'_>]) {
    for (kind, pairs, field, hint) in mistakes {
        let error = refusal(kind, pairs);
        assert_eq!(error.field, *field, "{error}");
        assert!(error.problem.contains(hint), "{kind} {pairs:?}: {error}");
    }
}

#[test]
fn unknown_kinds_and_fields_are_named_with_the_nearest_known_one() {
    assert_named(&[
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
    ]);
}

#[test]
fn a_wrong_url_is_named_with_a_remedy() {
    for (url, hint) in [
        ("h.example/x", "is not a URL"),
        ("gopher://h.example/", "must begin with https://"),
        ("https://u:p@h.example/", "send them in a header"),
        ("https://h.example:25/", "port 25"),
        (
            "https://{{heartbeat.slug}}.example/",
            "path and the query only",
        ),
        ("https://h.example/{{slug}}", "{{slug}} is unknown"),
        (
            "https://h.example/{{heartbeat.nmae}}",
            "did you mean \"heartbeat.name\"?",
        ),
        ("https://h.example/{{field.headers}}", "is unknown"),
        ("https://h.example/{{title", "not closed"),
    ] {
        assert_named(&[("webhook", &[("url", url)], "url", hint)]);
    }
    let server = ("server", "https://h.example/{{title}}");
    assert_named(&[(
        "ntfy",
        &[("topic", "t"), server],
        "server",
        "takes no placeholders",
    )]);
}

#[test]
fn wrong_methods_headers_and_bodies_are_named_with_a_remedy() {
    let long = "x".repeat(20_000);
    for (field, value, hint) in [
        ("method", "BREW", "must be one of POST, PUT"),
        ("headers", "no colon", "write Name: value"),
        ("headers", "Bad Name: x", "is not a header's name"),
        ("headers", "Host: internal", "set by Nightbeat itself"),
        ("headers", "X: {{oops}}", "{{oops}} is unknown"),
        ("headers", "X: a\u{0}b", "control character"),
        ("body", "plain {{title}}", "is not JSON"),
        ("body", "{\"a\": {{title}}}", "placeholders in quotes"),
        ("body", "{\"a\": \"{{titel}}\"}", "did you mean \"title\"?"),
        ("body", "\"{{title\"", "not closed"),
        ("body", &long, "longer than 16384 bytes"),
    ] {
        let url = ("url", "https://h.example/");
        assert_named(&[("webhook", &[url, (field, value)], field, hint)]);
    }
}

#[test]
fn wrong_topics_and_addresses_are_named_with_a_remedy() {
    assert_named(&[
        ("ntfy", &[("topic", "a\nb")], "topic", "line break"),
        ("email", &[("to", "me")], "to", "is not an e-mail address"),
        (
            "email",
            &[("to", "me@example.org\r\nBcc: you@example.org")],
            "to",
            "line break",
        ),
        ("email", &[("to", ", ,")], "to", "takes 1 to 20 addresses"),
        ("email", &[("to", "me@exämple.org")], "to", "xn--"),
    ]);
}
