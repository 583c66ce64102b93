//! `docs/schedules.md` says what the binary says.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::run;

fn page() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schedules.md");
    std::fs::read_to_string(file).unwrap()
}

/// A command line without variables, as a shell takes it apart.
fn words(line: &str) -> Vec<&str> {
    let pieces = line.split('\'').enumerate();
    let words = pieces.flat_map(|(number, piece)| match number % 2 {
        0 => piece.split_whitespace().collect(),
        _ => vec![piece],
    });
    words.collect()
}

/// What `schedule next` says to one question.
fn asked(kind: &str, expression: &str, from: &str, count: usize) -> Value {
    let question = json!({"kind": kind, "expr": expression, "tz": "Europe/Berlin", "from": from,
        "count": count});
    let run = run(
        &["schedule", "next", "--stdin"],
        &[],
        &format!("{question}\n"),
    );
    serde_json::from_str(run.data()).unwrap()
}

#[test]
fn the_explanations_that_it_shows_are_those_that_are_printed() {
    let page = page();
    let blocks = page.split("$ nightbeat schedule ").skip(1);
    let mut seen = 0;
    for block in blocks {
        let (line, rest) = block.split_once('\n').unwrap();
        let shown = rest.split("```").next().unwrap();
        let shown = shown.split("$ ").next().unwrap();
        let command: Vec<&str> = ["schedule"].into_iter().chain(words(line)).collect();
        let run = run(&command, &[], "");
        // A machine without tzdata uses the copy in the binary, and says so.
        let told = run
            .data()
            .replace("the copy of tzdata in this binary", "this machine's tzdata");
        assert_eq!(told, shown, "{line}");
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn what_it_says_is_refused_is_refused_in_these_words() {
    let page = page();
    let (_, table) = page.split_once("| typed | answer |\n|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let mut seen = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [typed, answer] = cells[..] else {
            panic!("two cells: {row}");
        };
        let found = asked("cron", typed.trim_matches('`'), "2027-01-01T00:00:00Z", 1);
        assert_eq!(found["error"], answer);
        seen += 1;
    }
    assert_eq!(seen, 5);
}

/// Which kind, the expression, what is asked for the instants after, and those: day of the month and time.
const CHANGES_OF_2027: &str = "\
cron | 30 2 * * * | 2027-03-27T23:50:00Z | 28T03:00:00+02:00 29T02:30:00+02:00
cron | 30 2 * * * | 2027-10-30T23:50:00Z | 31T02:30:00+02:00 01T02:30:00+01:00
cron | 0 2,3 * * * | 2027-03-27T23:50:00Z | 28T03:00:00+02:00 29T02:00:00+02:00
cron | 0 2,3 * * * | 2027-10-30T23:50:00Z | 31T02:00:00+02:00 31T03:00:00+01:00
cron | 0 * * * * | 2027-03-27T23:50:00Z | 28T01:00:00+01:00 28T03:00:00+02:00
cron | 0 * * * * | 2027-10-30T23:50:00Z | 31T02:00:00+02:00 31T02:00:00+01:00 31T03:00:00+01:00
cron | 0 */2 * * * | 2027-03-27T22:50:00Z | 28T00:00:00+01:00 28T04:00:00+02:00
cron | 0 */2 * * * | 2027-10-30T23:50:00Z | 31T02:00:00+02:00 31T02:00:00+01:00 31T04:00:00+01:00
oncalendar | 02:30 | 2027-03-27T23:50:00Z | 29T02:30:00+02:00
oncalendar | 02:30 | 2027-10-30T23:50:00Z | 31T02:30:00+02:00 01T02:30:00+01:00
oncalendar | hourly | 2027-03-27T23:50:00Z | 28T01:00:00+01:00 28T03:00:00+02:00
oncalendar | hourly | 2027-10-30T23:50:00Z | 31T02:00:00+02:00 31T03:00:00+01:00
cron | */15 * * * * | 2027-03-28T00:40:00Z | 28T01:45:00+01:00 28T03:00:00+02:00
oncalendar | *:0/15 | 2027-03-28T00:40:00Z | 28T01:45:00+01:00 28T03:00:00+02:00
cron | */15 * * * * | 2027-10-31T00:40:00Z | 31T02:45:00+02:00 31T02:00:00+01:00
oncalendar | *:0/15 | 2027-10-31T00:40:00Z | 31T02:45:00+02:00 31T03:00:00+01:00";

/// The table of both changes of the clocks in Berlin in 2027: what comes after a question on the evening
/// before, as far as the table tells it.
#[test]
fn the_clock_changes_of_2027_are_as_in_its_table() {
    for row in CHANGES_OF_2027.lines() {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [kind, expression, from, wanted] = cells[..] else {
            panic!("four cells: {row}");
        };
        let wanted: Vec<&str> = wanted.split(' ').collect();
        assert!(page().contains(&format!("`{expression}`")), "{expression}");
        let found = asked(kind, expression, from, wanted.len());
        let found = found["next"].as_array().unwrap();
        let days: Vec<&str> = found
            .iter()
            .map(|at| &at.as_str().unwrap()["2027-03-".len()..])
            .collect();
        assert_eq!(days, wanted, "{kind} {expression} after {from}");
    }
}
