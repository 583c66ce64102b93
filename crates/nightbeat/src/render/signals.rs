//! The log of a heartbeat's signals.

use nightbeat_agent::api::Signal;
use nightbeat_agent::duration;
use serde_json::Value;

use super::words::{ago, between, moment};
use super::{Cell, Table, clean, status_paint};
use crate::session::View;

/// How much later than it happened a signal must have arrived for that to be worth a word, in seconds.
const LATE_SECONDS: u64 = 60;

/// How many characters of the output's last line are shown.
const LAST_LINE_CHARS_MAX: usize = 60;

/// Signals as a table, in the order given.
pub(crate) fn signals(signals: &[Signal], view: &View) -> String {
    let mut table = Table::new(["TIME", "AGO", "SIGNAL", "FROM", "NOTE"]);
    for signal in signals {
        table.row([
            moment(signal.at, &view.zone).into(),
            ago(view.now, signal.at).into(),
            Cell::painted(&kind(signal), status_paint(&signal.kind)),
            signal.source.as_deref().unwrap_or("").into(),
            note(signal).into(),
        ]);
    }
    table.render(view.colour)
}

/// Signals with all that came with them.
pub(crate) fn bodies(all: &[Signal], view: &View) -> String {
    let mut text = String::new();
    for signal in all {
        // The head of the table once for each would be noise.
        let table = signals(std::slice::from_ref(signal), view);
        text.push_str(table.split_once('\n').map_or("", |(_head, row)| row));
        for line in signal.body.iter().flat_map(|body| body.lines()) {
            text += &["    ", &clean(line), "\n"].concat();
        }
    }
    text
}

fn kind(signal: &Signal) -> String {
    match signal.exit_code {
        Some(code) => format!("{} (exit {code})", signal.kind),
        None => signal.kind.clone(),
    }
}

fn note(signal: &Signal) -> String {
    let mut parts = Vec::new();
    if let Some(why) = &signal.ignored {
        parts.push(format!("ignored: {}", why.replace('_', " ")));
    }
    if let Some(received) = signal.received_at {
        let delay = between(signal.at, received);
        if delay.as_secs() >= LATE_SECONDS {
            parts.push(format!("arrived {} later", duration::rough(delay)));
        }
    }
    if let Some(rid) = &signal.rid {
        parts.push(format!("run {}", rid.get(..8).unwrap_or(rid)));
    }
    for (name, value) in &signal.metrics {
        parts.push(format!("{name}={}", plain(value)));
    }
    if let Some(line) = last_line(signal) {
        parts.push(line);
    }
    parts.join("; ")
}

fn plain(value: &Value) -> String {
    match value.as_f64() {
        Some(number) => number.to_string(),
        None => value.to_string(),
    }
}

fn last_line(signal: &Signal) -> Option<String> {
    let body = signal.body.as_ref()?;
    let line = body.lines().rfind(|line| !line.trim().is_empty())?.trim();
    if line.chars().count() <= LAST_LINE_CHARS_MAX {
        return Some(line.to_owned());
    }
    let cut: String = line.chars().take(LAST_LINE_CHARS_MAX).collect();
    Some(format!("{cut}…"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use serde_json::json;

    fn view() -> View {
        View {
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            zone: TimeZone::UTC,
            colour: false,
        }
    }

    fn cast() -> Vec<Signal> {
        serde_json::from_value(json!([
            {"id": 3, "kind": "success", "at": "2026-11-22T11:57:00Z", "exit_code": 0,
             "received_at": "2026-11-22T11:57:00.01Z", "source": "10.0.0.7",
             "metrics": {"rows": 12, "ratio": 0.5}, "body_bytes": 12, "body": "one\ntwo\u{1b}[2J\n\n"},
            {"id": 2, "kind": "fail", "at": "2026-11-22T02:00:00Z",
             "received_at": "2026-11-22T07:00:00Z", "rid": "0123456789", "ignored": "out_of_order"}
        ]))
        .unwrap()
    }

    #[test]
    fn a_signal_is_one_line() {
        assert_eq!(
            signals(&cast(), &view()),
            "TIME                     AGO        SIGNAL            FROM      NOTE\n\
             2026-11-22 11:57:00 UTC  3 min ago  success (exit 0)  10.0.0.7  \
             ratio=0.5; rows=12; two\u{fffd}[2J\n\
             2026-11-22 02:00:00 UTC  10 h ago   fail                        \
             ignored: out of order; arrived 5 h later; run 01234567\n"
        );
    }

    #[test]
    fn a_whole_body_is_shown_line_by_line() {
        let text = bodies(&cast()[..1], &view());
        assert!(text.starts_with("2026-11-22 11:57:00 UTC"));
        assert!(text.contains("\n    one\n    two\u{fffd}[2J\n"));
    }
}
