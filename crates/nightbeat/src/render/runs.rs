//! Runs as a table.

use nightbeat_agent::api::{Evidence, Run};

use super::words::{NOTHING, ago, moment, run_time};
use super::{Cell, Table, status_paint};
use crate::session::View;

/// Runs as a table, in the order given; under a run that kept not all its rules, what was seen.
pub(crate) fn runs(runs: &[Run], view: &View) -> String {
    let mut table = Table::new(["ENDED", "AGO", "OUTCOME", "TOOK", "DID", "NOTE"]);
    for run in runs {
        let outcome = run.outcome.as_deref().unwrap_or(NOTHING);
        table.row([
            run.ended_at
                .map_or(NOTHING.to_owned(), |at| moment(at, &view.zone))
                .into(),
            run.ended_at
                .map_or(String::new(), |at| ago(view.now, at))
                .into(),
            Cell::painted(outcome, status_paint(outcome)),
            run.duration.map_or(NOTHING.to_owned(), run_time).into(),
            did(run).into(),
            note(run).into(),
        ]);
    }
    table.render(view.colour)
}

fn did(run: &Run) -> String {
    let evidence = run.evidence.iter().flatten();
    let mut parts: Vec<String> = evidence.map(by_tool).collect();
    parts.extend(
        run.metrics
            .iter()
            .map(|(name, value)| format!("{name}={value}")),
    );
    if parts.is_empty() {
        return NOTHING.to_owned();
    }
    parts.join("; ")
}

fn by_tool(evidence: &Evidence) -> String {
    let mut parts = Vec::new();
    let number = |value: Option<u64>, what: &str| value.map(|value| format!("{value} {what}"));
    let size =
        |value: Option<u64>, what: &str| value.map(|value| format!("{} {what}", bytes(value)));
    parts.extend(number(evidence.files_total, "files"));
    parts.extend(size(evidence.bytes_total, "in all"));
    parts.extend(number(evidence.files_changed, "changed"));
    parts.extend(size(evidence.bytes_added, "added"));
    parts.extend(number(evidence.deletes.filter(|it| *it > 0), "deleted"));
    parts.extend(number(evidence.errors.filter(|it| *it > 0), "errors"));
    if evidence.dry_run == Some(true) {
        parts.push("dry run".to_owned());
    }
    if parts.is_empty() {
        return evidence.tool.clone();
    }
    format!("{}: {}", evidence.tool, parts.join(", "))
}

fn note(run: &Run) -> String {
    let code = run.exit_code.filter(|code| *code != 0);
    let code = code.map(|code| format!("exit {code}"));
    let broken = run.broken_rules.iter().map(|broken| broken.text.clone());
    // Where a rule says it, the output's own words would say it again.
    let why = run.why.clone().filter(|_| run.broken_rules.is_empty());
    code.into_iter()
        .chain(broken)
        .chain(why)
        .collect::<Vec<_>>()
        .join("; ")
}

/// `512 B`, `1.5 GiB`.
fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if number < 1_024 {
        return format!("{number} B");
    }
    let mut size = number as f64 / 1_024.0;
    let mut unit = 0;
    while size >= 1_023.95 && unit + 1 < UNITS.len() {
        size /= 1_024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use serde_json::json;

    #[test]
    fn a_run_tells_what_it_did_and_what_is_wrong_with_it() {
        let view = View {
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            zone: TimeZone::UTC,
            colour: false,
        };
        let all: Vec<Run> = serde_json::from_value(json!([
            {"id": 3, "ended_at": "2026-11-22T03:10:00Z", "duration": 600.0, "outcome": "failed",
             "exit_code": 0, "metrics": {"rows": 12},
             "evidence": [{"tool": "restic", "files_total": 0, "bytes_total": 0, "deletes": 0}],
             "broken_rules": [{"rule": "files_total > 0", "severity": "failure", "text": "no files"}]},
            {"id": 2, "ended_at": "2026-11-21T03:10:00Z", "duration": null, "outcome": "ok",
             "exit_code": null, "metrics": {}, "evidence": null, "broken_rules": []},
            {"id": 1, "ended_at": "2026-11-21T01:10:00Z", "duration": null, "outcome": "failed",
             "exit_code": 1, "metrics": {}, "evidence": null, "why": "the disk is full",
             "broken_rules": []}
        ]))
        .unwrap();
        assert_eq!(
            runs(&all, &view),
            "ENDED                    AGO       OUTCOME  TOOK    DID                                   \
             NOTE\n\
             2026-11-22 03:10:00 UTC  9 h ago   failed   10 min  \
             restic: 0 files, 0 B in all; rows=12  no files\n\
             2026-11-21 03:10:00 UTC  33 h ago  ok       -       -\n\
             2026-11-21 01:10:00 UTC  35 h ago  failed   -       -                                     \
             exit 1; the disk is full\n"
        );
    }

    #[test]
    fn sizes_have_their_unit() {
        for (number, words) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_536, "1.5 KiB"),
            (1_048_575, "1.0 MiB"),
            (3 << 40, "3.0 TiB"),
        ] {
            assert_eq!(bytes(number), words);
        }
    }
}
