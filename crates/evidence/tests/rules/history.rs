//! What is remembered of good runs, and how it is stored.

use nightbeat_evidence::{
    Metric,
    rules::{Field, HISTORY_METRICS_MAX, HISTORY_RUNS_MAX, History, RuleSet, RunFacts},
};

use crate::cast::{GIB, facts, judged, nights, reported, restic, rsync, rules, said};

#[test]
fn the_last_thirty_runs_are_remembered_the_newest_first() {
    let mut history = History::default();
    for files in 0..100 {
        history.push(&facts(&[rsync(files, 1)]), &RuleSet::default());
    }
    assert_eq!(history.runs(), HISTORY_RUNS_MAX);
    assert_eq!(history.values(&Field::FilesTotal, 3), [99.0, 98.0, 97.0]);
    assert_eq!(
        history.values(&Field::FilesTotal, 1_000).len(),
        HISTORY_RUNS_MAX
    );
    assert!(history.values(&Field::BytesAdded, 30).is_empty());
}

#[test]
fn runs_that_do_not_say_a_field_are_left_out() {
    let mut history = nights(3, &facts(&[rsync(10, 1)]));
    history.push(&reported(&[("rows", 5.0)]), &RuleSet::default());
    history.push(&facts(&[rsync(11, 1)]), &RuleSet::default());
    assert_eq!(history.values(&Field::FilesTotal, 3), [11.0, 10.0]);
    assert_eq!(history.values(&Field::Metric("rows".to_owned()), 2), [5.0]);
    assert_eq!(history.runs(), 5);
}

#[test]
fn it_is_stored_in_a_stable_and_short_form() {
    let run = facts(&[rsync(1_234, 5 * GIB)])
        .lasted(Some(61.234_567))
        .reported(&[Metric::new("rows", 0.000_25).unwrap()]);
    let history = nights(2, &run);
    let json = serde_json::to_string(&history).unwrap();
    assert_eq!(
        json,
        "{\"runs\":2,\"columns\":{\"bytes_total\":[5368709120,5368709120],\"deletes\":[0,0],\
         \"duration\":[61.235,61.235],\"empty_parts\":[0,0],\"errors\":[0,0],\"files_total\":[1234,1234],\
         \"m.rows\":[0.00025,0.00025],\"warnings\":[0,0]},\"tools\":{\"rsync\":3}}"
    );
    assert_eq!(serde_json::from_str::<History>(&json).unwrap(), history);
    assert_eq!(
        serde_json::from_str::<History>("{}").unwrap(),
        History::default()
    );

    let full = serde_json::to_string(&nights(30, &run)).unwrap();
    assert!(full.len() < 2_000, "{} bytes", full.len());
}

#[test]
fn a_stored_history_that_is_too_much_or_too_little_is_brought_into_shape() {
    let strange = r#"{"runs": 99, "columns": {"files_total": [1, 2, null, 4], "nonsense": [1], "m.x": [null]},
        "tools": {"rsync": 4294967295, "tool-of-tomorrow": 3}}"#;
    let mut history: History = serde_json::from_str(strange).unwrap();
    assert_eq!(history.runs(), HISTORY_RUNS_MAX);
    assert_eq!(history.values(&Field::FilesTotal, 30), [4.0, 2.0, 1.0]);
    history.push(&facts(&[rsync(7, 7)]), &RuleSet::default());
    assert_eq!(history.values(&Field::FilesTotal, 3), [7.0, 4.0]);
    let again = serde_json::to_string(&history).unwrap();
    assert!(
        !again.contains("nonsense") && !again.contains("tomorrow"),
        "{again}"
    );

    let short = r#"{"runs": 2, "columns": {"files_total": [1, 2, 3]}, "tools": {"rsync": 255}}"#;
    let history: History = serde_json::from_str(short).unwrap();
    assert_eq!(history.values(&Field::FilesTotal, 30), [3.0, 2.0]);
    assert_eq!(judged(&RunFacts::read(None), &history), []);
}

#[test]
fn metrics_are_bounded_and_those_that_rules_need_come_first() {
    let many: Vec<(String, f64)> = (0..64)
        .map(|n| (format!("metric{n:02}"), f64::from(n)))
        .collect();
    let many: Vec<(&str, f64)> = many
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let run = reported(&many);
    let list = rules(&[
        "metric(metric63) >= 50% of median(14)",
        "metric(metric62) > 0",
    ]);
    let mut history = History::default();
    for _ in 0..6 {
        history.push(&run, &list);
    }
    let known = |history: &History, name: &str| {
        !history
            .values(&Field::Metric(name.to_owned()), 30)
            .is_empty()
    };
    assert!(known(&history, "metric63") && known(&history, "metric14"));
    assert!(!known(&history, "metric62") && !known(&history, "metric15"));
    assert_eq!(metrics_in(&history), HISTORY_METRICS_MAX);
    assert_ne!(
        said(
            "metric(metric63) >= 50% of median(14)",
            &reported(&[("metric63", 5.0)]),
            &history
        ),
        ""
    );

    // Names that change from night to night do not pile up.
    for night in 0..100 {
        let name = format!("night{night}");
        history.push(&reported(&[(name.as_str(), 1.0)]), &list);
        assert!(metrics_in(&history) <= HISTORY_METRICS_MAX);
    }
    assert!(known(&history, "night99") && !known(&history, "metric63"));
}

fn metrics_in(history: &History) -> usize {
    let json = serde_json::to_value(history).unwrap();
    let columns = json["columns"].as_object().unwrap();
    columns.keys().filter(|name| name.starts_with("m.")).count()
}

#[test]
fn the_largest_history_fits_into_a_row() {
    let mut evidence = vec![rsync(u64::MAX, u64::MAX), restic(u64::MAX, u64::MAX)];
    evidence[0].bytes_added = Some(u64::MAX);
    let names: Vec<String> = (0..HISTORY_METRICS_MAX)
        .map(|n| format!("{n:02}{}", "x".repeat(62)))
        .collect();
    let metrics: Vec<Metric> = names
        .iter()
        .map(|name| Metric::new(name, -1.234_567e-300).unwrap())
        .collect();
    let run = facts(&evidence)
        .lasted(Some(123_456.789))
        .reported(&metrics);
    let json = serde_json::to_string(&nights(30, &run)).unwrap();
    assert!(json.len() < 16 * 1024, "{} bytes", json.len());
}
