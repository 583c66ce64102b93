//! A page, taken apart.

use std::path::Path;

/// Which of the page's ways is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The script that ends with curl.
    Curl,
    /// The line of the crontab.
    Wrapper,
    /// The unit.
    Unit,
    /// The script that looks whether it can be restored; the nights are those of the wrapper.
    Restore,
}

/// A page. All of its parts are there, or it fails.
pub(crate) struct Page {
    pub(crate) tool: String,
    /// Makes the heartbeat.
    pub(crate) create: String,
    pub(crate) crontab: String,
    pub(crate) service: String,
    pub(crate) timer: String,
    pub(crate) script: String,
    pub(crate) create_restore: String,
    pub(crate) restore: String,
    pub(crate) rows: Vec<Row>,
}

/// A row of a table of what is caught.
pub(crate) struct Row {
    pub(crate) happened: String,
    /// The exit codes that it names; the first is that of the versions that the tests run.
    pub(crate) codes: Vec<i32>,
    alert: String,
    of_restore: bool,
}

impl Page {
    pub(crate) fn of(tool: &str) -> Self {
        let file = format!("../../docs/backup-with-{tool}.md");
        let text = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(text).unwrap();
        let section = |title: &str| -> &str {
            let (_, rest) = text.split_once(&format!("\n## {title}\n")).unwrap();
            rest.split("\n## ").next().unwrap()
        };
        let restored = section("Can it be restored?");
        let [create] = blocks(section("The heartbeat"));
        let [crontab, service, timer] = blocks(section("With the wrapper"));
        let [script] = blocks(section("With curl alone"));
        let [create_restore, restore] = blocks(restored);
        let caught = rows(section("What it catches"), false);
        let rows = caught.into_iter().chain(rows(restored, true));
        Self {
            tool: tool.to_owned(),
            create,
            crontab,
            service,
            timer,
            script,
            create_restore,
            restore,
            rows: rows.collect(),
        }
    }
}

/// The code blocks of a section, exactly so many.
fn blocks<const COUNT: usize>(section: &str) -> [String; COUNT] {
    let section = format!("\n{section}");
    let pieces = section.split("\n```").enumerate();
    let inside = pieces.filter(|(number, _)| number % 2 == 1);
    let blocks = inside.map(|(_, block)| block.split_once('\n').unwrap().1.to_owned() + "\n");
    blocks.collect::<Vec<_>>().try_into().unwrap()
}

fn rows(section: &str, of_restore: bool) -> Vec<Row> {
    let lines = section.lines().filter(|line| line.starts_with('|'));
    lines
        .skip(2)
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [happened, codes, alert] = cells[..] else {
                panic!("three cells: {line}");
            };
            let numbers = codes.split(|char: char| !char.is_ascii_digit() && char != '.');
            Row {
                happened: happened.to_owned(),
                codes: numbers.filter_map(|number| number.parse().ok()).collect(),
                alert: alert.to_owned(),
                of_restore,
            }
        })
        .collect()
}

impl Row {
    /// What the heartbeat becomes.
    pub(crate) fn status(&self) -> &'static str {
        if self.alert.starts_with("a warning: ") {
            "warning"
        } else {
            "down"
        }
    }

    /// The ways in which it is lived.
    pub(crate) fn ways(&self) -> Vec<Way> {
        if self.of_restore {
            vec![Way::Restore]
        } else {
            vec![Way::Curl, Way::Wrapper]
        }
    }

    /// What the alert says, in any order: what stands between backticks, for this way or for all.
    pub(crate) fn says(&self, way: Way) -> Vec<&str> {
        let pieces: Vec<&str> = self.alert.split('`').collect();
        let mut says = Vec::new();
        for (number, words) in pieces
            .iter()
            .enumerate()
            .filter(|(number, _)| number % 2 == 1)
        {
            let behind = pieces.get(number + 1).copied().unwrap_or_default();
            let only = match behind {
                curl if curl.starts_with(" with curl") => Some(Way::Curl),
                wrapper if wrapper.starts_with(" with the wrapper") => Some(Way::Wrapper),
                _ => None,
            };
            if only.is_none_or(|only| only == way) {
                says.push(*words);
            }
        }
        assert!(!says.is_empty(), "{}", self.happened);
        says
    }
}
