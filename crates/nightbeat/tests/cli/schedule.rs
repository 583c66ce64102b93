//! `nightbeat schedule`, without any server.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::run;

const NEXT: [&str; 3] = ["schedule", "next", "--stdin"];

/// The answers to some lines, each of them JSON.
fn answers(questions: &str) -> Vec<Value> {
    let run = run(&NEXT, &[], questions);
    let lines = run.data().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A file of recorded answers, which the calendar's own tests also read: its lines by columns.
fn vectors(name: &str) -> Vec<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../calendar/tests/vectors");
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let columns = |line: &str| line.split('\t').map(str::to_owned).collect();
    text.lines().map(columns).collect()
}

fn unquoted(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

#[test]
fn next_answers_what_real_schedulers_answered() {
    for (name, kind, count) in [
        ("cron.tsv", "cron", 4351),
        ("cron_debian_only.tsv", "cron", 236),
        ("oncalendar.tsv", "oncalendar", 2513),
        ("oncalendar_rule_only.tsv", "oncalendar", 103),
    ] {
        let vectors = vectors(name);
        assert_eq!(vectors.len(), count, "{name}");
        let questions: String = vectors
            .iter()
            .map(|it| {
                let (id, expression) = (&it[0], unquoted(&it[1]));
                let question = json!({"id": id, "kind": kind, "expr": expression, "tz": it[2],
                    "from": it[3]});
                question.to_string() + "\n"
            })
            .collect();
        let answers = answers(&questions);
        assert_eq!(answers.len(), count, "{name}");
        for (vector, answer) in vectors.iter().zip(answers) {
            let found = answer["next"].as_array();
            let found = found.unwrap_or_else(|| panic!("{vector:?}: {answer}"));
            let wanted = vector[4].split(',').filter(|instant| !instant.is_empty());
            let wanted: Vec<&str> = wanted.collect();
            assert_eq!(found, &wanted, "{vector:?}");
        }
    }
}

#[test]
fn next_refuses_what_real_schedulers_refused() {
    for (name, kind, count) in [
        ("cron_invalid.tsv", "cron", 1297),
        ("oncalendar_invalid.tsv", "oncalendar", 1265),
    ] {
        let vectors = vectors(name);
        let questions: String = vectors
            .iter()
            .map(|it| {
                let question = json!({"kind": kind, "expr": unquoted(&it[0]),
                    "from": "2000-01-01T00:00:00Z"});
                question.to_string() + "\n"
            })
            .collect();
        let answers = answers(&questions);
        assert_eq!((vectors.len(), answers.len()), (count, count), "{name}");
        for (vector, answer) in vectors.iter().zip(answers) {
            // Debian's cron knows aliases; @reboot is one too, but no time.
            let right = vector[1] == "alias" && vector[0] != "\"@reboot\"";
            assert_eq!(answer["error"].is_null(), right, "{vector:?}: {answer}");
        }
    }
}

#[test]
fn next_has_one_answer_for_each_line_whatever_the_line_is() {
    let questions = concat!(
        r#"{"kind":"cron","expr":"0 3 * * *","from":"2027-03-27T12:00:00Z","tz":"Europe/Berlin","count":2,"next":["?"]}"#,
        "\n\n",
        "nonsense\n",
        "\u{fffd}\0\n",
        r#"{"kind":"cron","expr":"0 3 * * *"}"#,
        "\n   \r\n",
        r#"{"kind":"moon","expr":"full","from":"2027-01-01T00:00:00Z"}"#,
        "\r\n",
        r#"{"kind":"oncalendar","expr":"2027-01-01 00:00:01","from":"2027-01-01T00:00:00+00:00"}"#,
        "\n",
        r#"{"kind":"oncalendar","expr":"2027-01-01","from":"2027-01-01T00:00:00Z"}"#,
        "\n",
        r#"{"kind":"cron","expr":"0 24 * * *","from":"2027-01-01T00:00:00Z"}"#,
        "\n",
        r#"{"kind":"cron","expr":"0 3 * * *","from":"yesterday"}"#,
        "\n",
        r#"{"kind":"cron","expr":"0 3 * * *","from":"2027-01-01T00:00:00Z","tz":"Europe/Berln"}"#,
        "\n",
        r#"{"kind":"cron","expr":"0 3 * * *","from":"2027-01-01T00:00:00Z","count":10001}"#,
        "\n",
        // The zone in the expression wins; the offsets are still those of "tz". No line end.
        r#"{"kind":"oncalendar","expr":"12:00 Asia/Tokyo","from":"2027-01-01T00:00:00Z","tz":"UTC","count":1}"#,
    );
    let run = run(&NEXT, &[], questions);
    let lines: Vec<&str> = run.data().lines().collect();
    let starts = [
        r#"{"next":["2027-03-28T03:00:00+02:00","2027-03-29T03:00:00+02:00"]}"#,
        r#"{"error":"not a question: expected "#,
        r#"{"error":"not a question: "#,
        r#"{"error":"not a question: missing field `from`"#,
        r#"{"error":"not a question: unknown variant `moon`, expected `cron` or `oncalendar`"#,
        r#"{"next":["2027-01-01T00:00:01+00:00"]}"#,
        r#"{"next":[]}"#,
        r#"{"error":"hour 24: 0 to 23 (column 3)"#,
        r#"{"error":"from \"yesterday\": not an instant like "#,
        r#"{"error":"there is no time zone \"Europe/Berln\"; did you mean \"Europe/Berlin\"?"}"#,
        r#"{"error":"count 10001: 0 to 10000"}"#,
        r#"{"next":["2027-01-01T03:00:00+00:00"]}"#,
    ];
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}\n{start}");
    }
}

#[test]
fn next_answers_each_question_before_the_next_is_asked_and_minds_no_closed_pipe() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nightbeat"))
        .args(NEXT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut asked = child.stdin.take().unwrap();
    let mut answered = BufReader::new(child.stdout.take().unwrap());
    for day in 1..=3 {
        let from = format!("2027-01-0{day}T00:00:00Z");
        let question = json!({"kind": "cron", "expr": "0 3 * * *", "from": from, "count": 1});
        writeln!(asked, "{question}").unwrap();
        let mut line = String::new();
        answered.read_line(&mut line).unwrap();
        let wanted = format!("{{\"next\":[\"2027-01-0{day}T03:00:00+00:00\"]}}\n");
        assert_eq!(line, wanted);
    }
    drop(answered);
    // It may be gone before all of this is written.
    let _ = asked.write_all("{}\n".repeat(100_000).as_bytes());
    drop(asked);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn next_without_stdin_says_what_it_needs() {
    let run = run(&["schedule", "next"], &[], "");
    assert!(run.error(2).contains("--stdin"));
}

/// `explain` with these arguments, on a machine in Berlin.
fn explain(arguments: &[&str]) -> crate::support::Run {
    let all = [&["schedule", "explain"], arguments].concat();
    run(&all, &[("TZ", "Europe/Berlin")], "")
}

#[test]
fn explain_says_when_a_cron_job_is_due_and_what_the_clocks_do() {
    let explained = explain(&["30 2 * * *", "--from", "2027-03-27 12:00", "--count", "2"]);
    assert_eq!(
        explained.data(),
        "\
At 02:30 every day, Europe/Berlin
  read as    a cron expression, as Debian's cron reads it
  time zone  Europe/Berlin, by this machine's tzdata
  next       Sun 2027-03-28 03:00:00 +02:00
             Mon 2027-03-29 02:30:00 +02:00
  note       on 2027-03-28 the clocks in Europe/Berlin go from 02:00 to 03:00: this runs at 03:00 instead of 02:30
  note       on 2027-10-31 the clocks in Europe/Berlin go back from 03:00 to 02:00: 02:30 comes twice, and this runs the first time only
  note       on 2028-03-26 the clocks in Europe/Berlin go from 02:00 to 03:00: this runs at 03:00 instead of 02:30
"
    );
    assert_eq!(explained.stderr, "");
}

#[test]
fn explain_tells_the_kinds_apart() {
    let first_lines = |expression: &str| {
        let run = explain(&[expression, "--count", "1", "--tz", "UTC"]);
        let lines: Vec<&str> = run.data().lines().take(2).collect();
        lines.join("; ")
    };
    assert_eq!(
        first_lines("@daily"),
        "At 00:00 every day, UTC;   read as    a cron expression, as Debian's cron reads it"
    );
    assert_eq!(
        first_lines("daily"),
        "At 00:00 every day, UTC;   read as    calendar events, as systemd reads OnCalendar="
    );
    for interval in ["6h", "every 6h", "21600"] {
        assert_eq!(
            first_lines(interval),
            "Every 6 hours;   read as    an interval"
        );
    }
}

#[test]
fn explain_shows_an_interval_on_the_local_clock_and_what_is_over_as_over() {
    let from = ["--from", "2027-03-27T12:00:00Z", "--count", "1"];
    let interval = explain(&[&["every 1d"][..], &from].concat());
    let lines: Vec<&str> = interval.data().lines().skip(2).collect();
    assert_eq!(
        lines,
        [
            "  time zone  Europe/Berlin, by this machine's tzdata",
            "  next       Sun 2027-03-28 14:00:00 +02:00"
        ]
    );
    let over = explain(&[&["2026-01-01", "--tz", "UTC"][..], &from].concat());
    assert_eq!(
        over.data().lines().skip(2).collect::<Vec<_>>(),
        ["  time zone  UTC", "  next       never again"]
    );
}

#[test]
fn explain_answers_programs_in_json() {
    let from = ["--from", "2027-03-27T12:00:00Z", "--count", "1", "--json"];
    let run = explain(&[&["30 2 * * *"][..], &from].concat());
    let explained: Value = serde_json::from_str(run.data()).unwrap();
    let notes = explained["notes"].as_array().unwrap();
    assert_eq!(
        (&notes[0]["kind"], &notes[0]["date"]),
        (&json!("run_moved"), &json!("2027-03-28"))
    );
    let text = notes[0]["text"].as_str().unwrap();
    assert!(
        text.ends_with("this runs at 03:00 instead of 02:30"),
        "{text}"
    );
    let mut rest = explained.clone();
    rest.as_object_mut().unwrap().remove("notes");
    assert_eq!(
        rest,
        json!({
            "kind": "cron",
            "expression": "30 2 * * *",
            "explanation": "At 02:30 every day, Europe/Berlin",
            "timezone": "Europe/Berlin",
            "zone_data": "system",
            "from": "2027-03-27T13:00:00+01:00",
            "next": ["2027-03-28T03:00:00+02:00"],
            "mean_distance": 86_400.0,
            "smallest_distance": 84_600.0,
        })
    );
}

#[test]
fn explain_begins_now_and_shows_ten() {
    let run = explain(&["* * * * *", "--json"]);
    let explained: Value = serde_json::from_str(run.data()).unwrap();
    let instant = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let next = explained["next"].as_array().unwrap();
    let wait = instant(&next[0]).duration_since(instant(&explained["from"]));
    assert_eq!(next.len(), 10);
    assert!(wait.is_positive() && wait.as_secs() <= 60, "{wait}");
}

#[test]
fn explain_points_at_what_is_wrong() {
    let hour = explain(&["0 24 * * *"]);
    assert_eq!(
        hour.error(2),
        "\
error: hour 24: 0 to 23 (column 3)
  0 24 * * *
    ^^
hint: did you mean \"0 0 * * *\"?
hint: this was taken for a cron expression, as Debian's cron reads it; --kind says otherwise
"
    );
    let calendar = explain(&["0 2 * * *", "--kind", "calendar"]);
    let stderr = calendar.error(2);
    assert!(stderr.contains("\n  0 2 * * *\n"), "{stderr}");
    assert!(!stderr.contains("--kind"), "{stderr}");
    for (arguments, start) in [
        (&["100000d"][..], "error: "),
        (&["daily", "--tz", "Mars"], "error: there is no time zone"),
        (&["daily", "--from", "soon"], "error: `soon` is not a time"),
        (&["daily", "--count", "0"], "error: invalid value '0'"),
        (&["daily", "--count", "1001"], "error: invalid value '1001'"),
    ] {
        let run = explain(arguments);
        assert!(run.error(2).starts_with(start), "{run:?}");
    }
}

#[test]
fn explain_asks_for_quotes_and_does_not_echo_pages() {
    let unquoted = explain(&["30", "2", "Cargo.toml", "src", "1"]);
    assert_eq!(
        unquoted.error(2),
        "\
error: 5 arguments instead of one
hint: put the expression in quotes: nightbeat schedule explain '30 2 * * *'
"
    );
    let long = format!("{} 2 * * *", "1,".repeat(500));
    let stderr = explain(&[&long]).error(2).to_owned();
    assert!(stderr.len() < 300, "{stderr}");
}

#[test]
fn explain_counts_an_interval_from_a_whole_second() {
    let text = explain(&["1h", "--count", "1"]).data().to_owned();
    let next = text.lines().last().unwrap();
    assert!(!next.contains('.'), "{next}");
}

#[test]
fn explain_needs_a_zone_only_for_what_follows_a_clock() {
    let in_zone = |zone: &str, expression: &str| {
        run(
            &["schedule", "explain", expression, "--count", "1"],
            &[("TZ", zone)],
            "",
        )
    };
    for nameless in ["localtime", "CET-1CEST,M3.5.0,M10.5.0/3"] {
        assert_eq!(
            in_zone(nameless, "30 2 * * *").error(2),
            "error: the name of this machine's time zone is not known
hint: say it with --tz, for example --tz Europe/Berlin
"
        );
        assert!(in_zone(nameless, "6h").data().contains("UTC"));
    }
}
