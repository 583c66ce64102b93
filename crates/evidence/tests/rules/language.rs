//! What is read, how it is written again, and what is refused.

use nightbeat_evidence::{
    Severity,
    rules::{RULE_CHARS_MAX, RULES_MAX, Rule, RuleSet, RuleSetError},
};
use proptest::prelude::*;

fn canonical(text: &str) -> String {
    Rule::parse(text)
        .unwrap_or_else(|error| panic!("{}", error.pointed()))
        .to_string()
}

#[test]
fn the_rules_of_the_handbook_are_their_own_canonical_text() {
    for text in [
        "files_total > 0",
        "files_changed >= 1",
        "bytes_total >= 50% of median(14)",
        "bytes_total >= 20 GiB",
        "bytes_added < 500 MB",
        "deletes <= 20% of files_total",
        "duration between 5m and 3h",
        "duration >= 10% of median(14)",
        "duration <= 200% of max(30) else warning",
        "errors == 0 else warning",
        "warnings <= 3",
        "exit_code != 2",
        "age(newest_file) < 26h",
        "metric(\"rows\") > 0",
        "metric(\"rows\") >= last",
        "metric(\"temp\") > -5.5",
        "metric(\"dump\") > 1.5 GiB",
        "files_total > 0 or metric(\"skipped\") == 1",
        "files_changed <= files_total and errors == 0",
        "files_total >= min(7)",
        "builtin shrunk off",
        "builtin shrunk 30%",
        "builtin shrunk 30% else warning",
        "builtin too_fast on 5% else failure",
        "builtin silent else warning",
        "builtin all off",
    ] {
        assert_eq!(canonical(text), text);
    }
}

#[test]
fn what_can_be_written_in_several_ways_has_one_canonical_text() {
    for (typed, text) in [
        ("  files_total>0 ", "files_total > 0"),
        ("files_total > 0 else failure", "files_total > 0"),
        ("exit_code = 0", "exit_code == 0"),
        (
            "bytes_total ≥ 100% of median( 14 )",
            "bytes_total >= median(14)",
        ),
        ("bytes_total >= 1gib", "bytes_total >= 1 GiB"),
        ("bytes_total >= 10 kb", "bytes_total >= 10 KB"),
        ("bytes_total >= 10", "bytes_total >= 10"),
        ("bytes_total >= 10 bytes", "bytes_total >= 10 B"),
        (
            "duration between 5 min and 1h30m",
            "duration between 5m and 90m",
        ),
        ("duration < 1d 2h", "duration < 26h"),
        ("duration > 300ms", "duration > 300ms"),
        ("duration > 0", "duration > 0"),
        ("duration < 1.50h", "duration < 1.5h"),
        ("m.rows > 0", "metric(\"rows\") > 0"),
        ("metric(rows) > 0", "metric(\"rows\") > 0"),
        ("age(\"newest_file\") < 26 hours", "age(newest_file) < 26h"),
        ("age(\"newest file\") < 1w", "age(\"newest file\") < 1w"),
        ("metric(\"a\\\"b\") > 0", "metric(\"a\\\"b\") > 0"),
    ] {
        assert_eq!(canonical(typed), text, "{typed}");
        assert_eq!(canonical(text), text);
    }
}

#[test]
fn a_rule_fails_the_run_unless_it_says_otherwise() {
    let severity = |text| Rule::parse(text).unwrap().severity();
    assert_eq!(severity("files_total > 0"), Some(Severity::Failure));
    assert_eq!(
        severity("files_total > 0 else warning"),
        Some(Severity::Warning)
    );
    assert_eq!(severity("builtin shrunk off"), None);
}

/// Each refused text, the part that the carets stand under, a part of the message, and the suggestion.
const REFUSED: [(&str, &str, &str, Option<&str>); 45] = [
    ("", "", "a rule is missing", None),
    ("   ", "", "a rule is missing", None),
    (
        "file_total > 0",
        "file_total",
        "file_total is no field",
        Some("files_total"),
    ),
    (
        "Files_Total > 0",
        "Files_Total",
        "no field",
        Some("files_total"),
    ),
    ("files > 0", "files", "no field", Some("files_total")),
    ("rows > 0", "rows", "is metric(\"rows\")", None),
    ("shrunk off", "shrunk", "no field", Some("builtin shrunk")),
    ("> 0", ">", "a field is wanted here", None),
    (
        "files_total",
        "",
        "is wanted after files_total, as in files_total > 0",
        None,
    ),
    ("files_total 0", "0", "is wanted after files_total", None),
    (
        "duration betwen 5m and 3h",
        "betwen",
        "is wanted after duration",
        Some("between"),
    ),
    ("files_total => 0", "=>", "=> is not understood", Some(">=")),
    ("files_total <> 0", "<>", "<> is not understood", Some("!=")),
    ("files_total > ", "", "an amount is wanted here", None),
    ("files_total > 0 0", "0", "the rule should end here", None),
    ("files_total > 1,000", ",", "digits only", None),
    ("files_total > 1.2.3", "1.2.3", "not a number", None),
    ("files_total > -1", "-1", "never negative", None),
    (
        "files_total > 5 GB",
        "5 GB",
        "files_total is a number: GB does not fit",
        None,
    ),
    (
        "duration > 30",
        "30",
        "a unit of time is missing",
        Some("30s"),
    ),
    (
        "duration > 30 GB",
        "30 GB",
        "a length of time: GB does not fit",
        None,
    ),
    ("bytes_total > 5 M", "M", "M is no unit", Some("MiB")),
    ("bytes_total > 5 gbi", "gbi", "gbi is no unit", Some("GiB")),
    (
        "bytes_total > 5 GiB 3 MiB",
        "MiB",
        "the rule should end",
        None,
    ),
    ("duration < 1m30h", "h", "a smaller unit of time", None),
    ("duration between 5m", "", "\"and\" is wanted here", None),
    (
        "duration between 3h and 5m",
        "5m",
        "5m is less than 3h",
        None,
    ),
    ("bytes_total >= 50%", "", "percent of what?", None),
    (
        "bytes_total >= 50% median(14)",
        "median",
        "percent of what?",
        None,
    ),
    (
        "bytes_total >= 50% of",
        "",
        "an amount is wanted here",
        None,
    ),
    (
        "bytes_total >= 50% of average",
        "average",
        "neither a field nor",
        Some("median(14)"),
    ),
    (
        "bytes_total >= 50% of mediam(14)",
        "mediam",
        "neither a field nor",
        Some("median(14)"),
    ),
    (
        "bytes_total >= 50% of median",
        "",
        "of how many good runs? Write median(14)",
        None,
    ),
    ("bytes_total >= 50% of median(31)", "31", "1 to 30", None),
    ("bytes_total >= 50% of median(0)", "0", "1 to 30", None),
    (
        "bytes_total >= 20000% of last",
        "20000%",
        "a percentage is from 0 to",
        None,
    ),
    (
        "bytes_total >= 50% of files_total",
        "files_total",
        "they cannot be compared",
        None,
    ),
    (
        "exit_code <= median(14)",
        "median",
        "exit_code is not remembered",
        None,
    ),
    ("deletes <= deletes", "deletes", "as much as itself", None),
    ("metric(rows > 0", ">", "a closing parenthesis", None),
    ("metric(\"rows) > 0", "\"", "never closed", None),
    (
        "errors == 0 else warn",
        "warn",
        "\"warning\" or \"failure\"",
        Some("warning"),
    ),
    (
        "errors == 0 and warnings == 0 or deletes == 0",
        "or",
        "write two rules",
        None,
    ),
    (
        "builtin shrank off",
        "shrank",
        "a built-in rule is wanted here",
        Some("shrunk"),
    ),
    (
        "builtin dry_run 30%",
        "30%",
        "builtin dry_run has no percentage",
        None,
    ),
];

#[test]
fn what_is_refused_is_pointed_at_and_a_guess_is_made() {
    let differs = |(text, wrong, message, suggestion): (&str, &str, &str, Option<&str>)| {
        let error = Rule::parse(text).expect_err(text);
        let as_expected = &text[error.at()] == wrong
            && error.message().contains(message)
            && error.suggestion() == suggestion;
        (!as_expected).then(|| error.pointed())
    };
    let differing: Vec<String> = REFUSED.into_iter().filter_map(differs).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
}

#[test]
fn carets_stand_under_the_wrong_part() {
    let error = Rule::parse("größe_total > 0").unwrap_err();
    assert_eq!(
        error.pointed(),
        "größe_total > 0\n\
         ^^^^^^^^^^^\n\
         größe_total is no field; a number that the job reports is metric(\"größe_total\")"
    );
    let error = Rule::parse("metric(\"größe\")\t> 5 M").unwrap_err();
    assert_eq!(
        error.pointed(),
        "metric(\"größe\") > 5 M\n                    ^\nM is no unit; sizes are in B, KB, MB, GB, TB or KiB, MiB, GiB, TiB, times in ms, s, m, h, d, w; did you mean \"MiB\"?"
    );
    assert_eq!(error.column(), 21);
}

#[test]
fn a_list_of_rules_has_limits() {
    let many = vec!["files_total > 0"; RULES_MAX];
    assert_eq!(RuleSet::parse(&many).unwrap().rules().len(), RULES_MAX);
    let too_many = vec!["files_total > 0"; RULES_MAX + 1];
    let error = RuleSet::parse(&too_many).unwrap_err();
    assert_eq!(error, RuleSetError::TooMany { count: 51 });
    assert_eq!(error.to_string(), "51 rules: at most 50 are taken");

    let long = format!("files_total > 0{}", " ".repeat(RULE_CHARS_MAX - 15));
    assert!(Rule::parse(&long).is_ok());
    let error = Rule::parse(&format!("{long} ")).unwrap_err();
    assert_eq!(error.message(), "a rule has at most 500 characters");

    let error = RuleSet::parse(&["files_total > 0", "file > 0"]).unwrap_err();
    assert!(
        error.to_string().starts_with("rule 2: file is no field"),
        "{error}"
    );
}

#[test]
fn of_a_list_by_a_newer_version_is_kept_what_can_be_read() {
    let stored = ["builtin all off", "moon_phase == full", "files_total > 0"];
    let (rules, errors) = RuleSet::readable(&stored);
    assert_eq!(rules.texts(), ["builtin all off", "files_total > 0"]);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].0, 1);
}

#[test]
fn rules_are_texts_in_json() {
    let rules = RuleSet::parse(&["files_total>0", "builtin shrunk off"]).unwrap();
    let json = serde_json::to_string(&rules).unwrap();
    assert_eq!(json, r#"["files_total > 0","builtin shrunk off"]"#);
    assert_eq!(serde_json::from_str::<RuleSet>(&json).unwrap(), rules);
    let error = serde_json::from_str::<RuleSet>(r#"["files > 0"]"#).unwrap_err();
    assert!(
        error.to_string().contains("did you mean \"files_total\"?"),
        "{error}"
    );
}

/// Words of the language and others, so that texts come close to being rules.
fn nearly_a_rule() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "files_total",
        "bytes_total",
        "deletes",
        "duration",
        "exit_code",
        "errors",
        "metric",
        "age",
        "(",
        ")",
        "rows",
        "\"rows\"",
        "\"a b\"",
        "m.rows",
        ">",
        ">=",
        "<",
        "<=",
        "==",
        "!=",
        "=>",
        "between",
        "and",
        "or",
        "else",
        "warning",
        "failure",
        "0",
        "5",
        "50",
        "%",
        "of",
        "median",
        "max",
        "last",
        "14",
        "31",
        "5m",
        "1h30m",
        "26h",
        "GiB",
        "MB",
        "M",
        "s",
        "-",
        "1.5",
        "builtin",
        "shrunk",
        "all",
        "dry_run",
        "on",
        "off",
        "30%",
        "ä",
        "\"",
        "\\",
        "9999999999999",
    ]);
    let spaces = prop::sample::select(vec![" ", "", "  ", "\t"]);
    prop::collection::vec((words, spaces), 0..14).prop_map(|parts| {
        let parts = parts
            .into_iter()
            .map(|(word, space)| format!("{word}{space}"));
        parts.collect()
    })
}

/// Rules that are right, of all sorts.
fn right_rule() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        (0_u32..100_000).prop_map(|n| n.to_string()),
        (0.0_f64..1e6).prop_map(|n| n.to_string()),
        (0_u32..1000, 1_u32..1000).prop_map(|(a, b)| format!("{a}.{b}")),
    ];
    let unit = |units: &'static [&'static str]| prop::sample::select(units);
    let usual = prop_oneof![
        (1_u32..=30).prop_map(|n| format!("median({n})")),
        (1_u32..=30).prop_map(|n| format!("max({n})")),
        (1_u32..=30).prop_map(|n| format!("min({n})")),
        Just("last".to_owned()),
    ];
    let share = |of: BoxedStrategy<String>| {
        (0.0_f64..10_000.0, of).prop_map(|(p, of)| format!("{p}% of {of}"))
    };
    let count = prop_oneof![number.clone(), share(usual.clone().boxed()), usual.clone()];
    let size =
        (number.clone(), unit(&["", "B", "KiB", "MB", "GiB", "TB"])).prop_map(|(n, u)| n + u);
    let time = prop_oneof![
        (number.clone(), unit(&["ms", "s", "m", "h", "d", "w"])).prop_map(|(n, u)| n + u),
        (number.clone(), number, unit(&["ms", "s", "m"]))
            .prop_map(|(a, b, u)| format!("{a}h{b}{u}")),
    ];
    let sign = unit(&[">", ">=", "<", "<=", "==", "!="]);
    let name = "\\PC{1,12}".prop_map(|name| format!("metric({})", serde_json::Value::from(name)));
    let one = prop_oneof![
        (
            unit(&["files_total", "deletes", "errors"]),
            sign.clone(),
            count.clone()
        )
            .prop_map(|(f, s, c)| format!("{f} {s} {c}")),
        (unit(&["bytes_total", "bytes_added"]), sign.clone(), size)
            .prop_map(|(f, s, c)| format!("{f} {s} {c}")),
        (
            unit(&["duration", "age(newest)", "age(\"a b\")"]),
            sign.clone(),
            time
        )
            .prop_map(|(f, s, c)| format!("{f} {s} {c}")),
        (name.clone(), sign, count.clone()).prop_map(|(f, s, c)| format!("{f} {s} {c}")),
        (name, usual, count).prop_map(|(f, a, b)| format!("{f} between {a} and {b}")),
    ];
    let several = (prop::collection::vec(one, 1..4), unit(&[" and ", " or "]));
    (several, unit(&["", " else warning", " else failure"]))
        .prop_map(|((parts, join), end)| parts.join(join) + end)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,80}") {
        reread(&text)?;
    }

    #[test]
    fn nothing_that_looks_like_a_rule_is_too_strange(text in nearly_a_rule()) {
        reread(&text)?;
    }

    #[test]
    fn what_is_written_again_is_the_same_rule(text in right_rule()) {
        if let Err(error) = Rule::parse(&text) {
            // The only things that such a rule can have too much of.
            let allowed = ["at most 500", "too long", "too great", "a percentage is", "smaller unit"];
            prop_assert!(allowed.iter().any(|allowed| error.message().contains(allowed)), "{}", error.pointed());
        }
        reread(&text)?;
    }
}

/// A rule that is written again is the same; an error points into its text and can be shown.
fn reread(text: &str) -> Result<(), TestCaseError> {
    match Rule::parse(text) {
        Ok(rule) => {
            let again = rule.to_string();
            let reread = Rule::parse(&again);
            prop_assert_eq!(reread.as_ref(), Ok(&rule), "{}", again);
            prop_assert_eq!(reread.unwrap().to_string(), again);
        }
        Err(error) => {
            prop_assert!(text.get(error.at()).is_some(), "{}", error);
            prop_assert_eq!(error.pointed().lines().count(), 3);
            prop_assert!(!error.message().is_empty());
        }
    }
    Ok(())
}
