//! Whatever a stranger or a tired operator types: an answer, never a panic.

use nightbeat_server::config::{File, Overrides, load};
use nightbeat_server::ingest::url::{SLUG_CHARS_MAX, UrlProblem, UrlTarget, parse};
use nightbeat_server::span;
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_path_and_query_is_a_signal_or_a_problem(tail in "\\PC{0,60}", query in "\\PC{0,60}") {
        let parsed = parse(&format!("/ping/{tail}"), Some(&query));
        prop_assert!(parsed.is_err() || !tail.is_empty());
    }

    #[test]
    fn whatever_is_accepted_is_well_formed(
        key in "[a-zA-Z0-9_%./-]{1,30}",
        slug in "[a-z0-9A-Z_%./ -]{1,110}",
        action in "(|/|/start|/fail|/log|/[0-9]{1,4}|/[a-z]{1,5})",
        query in "((rid|at|nonce|create|every|cron|grace|m\\.x)=[0-9a-z:*+%-]{0,12}&){0,4}",
    ) {
        match parse(&format!("/api/heartbeat/{key}/{slug}{action}"), Some(&query)) {
            Ok(url) => {
                if let UrlTarget::Slug { ping_key, slug } = url.target {
                    prop_assert!(!ping_key.is_empty() && !slug.is_empty());
                    prop_assert!(slug.len() <= SLUG_CHARS_MAX);
                    prop_assert!(!slug.contains(|c: char| c.is_uppercase() || "/% ".contains(c)));
                }
            }
            Err(problem) => {
                let named = matches!(problem, UrlProblem::Parameter { .. });
                prop_assert!(!named || problem.to_string().starts_with("invalid "));
            }
        }
    }

    #[test]
    fn any_configuration_is_loaded_or_refused_with_words(
        text in "((listen|database|public_url|limits|body_bytes|smtp\\.tls|x)( = |\\.)(1|\"a\"|\\[|\\{|\\n|\\PC{0,8})\\n?){0,6}",
        value in "\\PC{0,20}",
    ) {
        let environment = [
            ("HOME".to_owned(), "/home/ana".to_owned()),
            ("NIGHTBEAT_LIMITS_BODY_BYTES".to_owned(), value.clone()),
            ("NIGHTBEAT_PUBLIC_URL".to_owned(), value),
        ];
        let file = File { name: "nb.toml", text: &text };
        if let Err(error) = load(Some(file), &environment, &Overrides::default()) {
            prop_assert!(!error.problems.is_empty());
            prop_assert!(error.problems.iter().all(|problem| !problem.is_empty()));
        }
    }

    #[test]
    fn lengths_of_time_are_written_as_they_are_read(seconds in 0..u64::MAX / 2) {
        let span = std::time::Duration::from_secs(seconds);
        prop_assert_eq!(span::parse(&span::format(span)), Some(span));
    }

    #[test]
    fn any_text_is_a_length_or_none(text in "[0-9wdhms \\PC]{0,24}") {
        let starts_with_number = text.starts_with(|c: char| c.is_ascii_digit());
        prop_assert!(span::parse(&text).is_none() || starts_with_number);
    }
}
