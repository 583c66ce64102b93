//! One heartbeat, all there is to know.

use std::collections::HashMap;

use jiff::Timestamp;
use nightbeat_agent::api::{Heartbeat, Incident};

use super::words::{NOTHING, ago, between, moment, run_time, schedule, span, towards};
use super::{Paint, clean, status_paint};
use crate::session::View;

/// How wide the names of the fields are.
const LABEL_WIDTH: usize = 14;

/// A heartbeat as a card: what most people want to know first, then its settings.
/// `channels` are the names of channels by id.
pub(crate) fn card(
    heartbeat: &Heartbeat,
    incident: Option<&Incident>,
    channels: &HashMap<String, String>,
    view: &View,
) -> String {
    let mut text = format!(
        "{}  {}\n",
        Paint::Bold.apply(&clean(&heartbeat.name), view.colour),
        status(heartbeat, view)
    );
    let mut line = |label: &str, value: &str| {
        if !value.is_empty() {
            let label = format!("  {label:LABEL_WIDTH$}");
            text += &[&label, clean(value).as_str(), "\n"].concat();
        }
    };
    let when = |at: Option<Timestamp>| match at {
        Some(at) => format!("{} ({})", towards(view.now, at), moment(at, &view.zone)),
        None => NOTHING.to_owned(),
    };
    if let Some(incident) = incident {
        line("incident", &problem(incident, view));
        line("incident id", &incident.id);
    }
    line("last signal", &when(heartbeat.last_signal_at));
    line("last success", &when(heartbeat.last_success_at));
    line("last run", &last_run(heartbeat));
    line("expected", &when(heartbeat.expected_at));
    line("deadline", &when(heartbeat.deadline));
    line("schedule", &schedule(&heartbeat.schedule));
    line("grace", &span(heartbeat.grace));
    line("max run time", &max_run_time(heartbeat));
    line("observed", &observed(heartbeat));
    line("behaves", &behaviour(heartbeat));
    line("rules", &heartbeat.rules.join("; "));
    line("channels", &channel_names(heartbeat, channels));
    line("tags", &heartbeat.tags.join(", "));
    line("description", &heartbeat.description);
    line("slug", &heartbeat.slug);
    line("id", heartbeat.id.as_deref().unwrap_or(""));
    line("signal URL", heartbeat.ping_url.as_deref().unwrap_or(""));
    line("created", &when(heartbeat.created_at));
    text
}

fn status(heartbeat: &Heartbeat, view: &View) -> String {
    let name = clean(&heartbeat.status);
    let name = match status_paint(&heartbeat.status) {
        Some(paint) => paint.apply(&name, view.colour),
        None => name,
    };
    match heartbeat.running_since {
        Some(since) => {
            let running = nightbeat_agent::duration::rough(between(since, view.now));
            format!("{name}, running for {running}")
        }
        None => name,
    }
}

fn problem(incident: &Incident, view: &View) -> String {
    let mut parts = vec![format!(
        "{} ({}) since {}",
        incident.cause.replace('_', " "),
        incident.claim,
        moment(incident.opened_at, &view.zone)
    )];
    parts.extend(incident.text.clone());
    if let Some(at) = incident.acknowledged_at {
        parts.push(format!("acknowledged {}", ago(view.now, at)));
    }
    if let Some(until) = incident.snoozed_until.filter(|until| *until > view.now) {
        parts.push(format!("snoozed until {}", moment(until, &view.zone)));
    }
    parts.join("; ")
}

fn last_run(heartbeat: &Heartbeat) -> String {
    let Some(run) = &heartbeat.last_run else {
        return String::new();
    };
    let outcome = run.outcome.as_deref().unwrap_or(NOTHING);
    match run.duration {
        Some(seconds) => format!("{outcome}, took {}", run_time(seconds)),
        None => outcome.to_owned(),
    }
}

fn max_run_time(heartbeat: &Heartbeat) -> String {
    match heartbeat.max_run_time {
        Some(seconds) => span(seconds),
        None => format!("{} (the grace)", span(heartbeat.grace)),
    }
}

/// What the runs say about the grace, and the command that sets another one where that is worth it.
fn observed(heartbeat: &Heartbeat) -> String {
    let Some(suggestion) = &heartbeat.grace_suggestion else {
        return String::new();
    };
    if suggestion.grace == heartbeat.grace {
        return suggestion.text.clone();
    }
    format!(
        "{} (nightbeat edit {} --grace {})",
        suggestion.text,
        heartbeat.slug,
        span(suggestion.grace).replace(' ', "")
    )
}

/// What differs from what everybody has.
fn behaviour(heartbeat: &Heartbeat) -> String {
    let mut rules = Vec::new();
    if heartbeat.failure_threshold > 1 {
        rules.push(format!(
            "down after {} failures",
            heartbeat.failure_threshold
        ));
    }
    if heartbeat.recovery_threshold > 1 {
        rules.push(format!(
            "up after {} successes",
            heartbeat.recovery_threshold
        ));
    }
    if !heartbeat.warning_codes.is_empty() {
        let codes: Vec<String> = heartbeat.warning_codes.iter().map(u8::to_string).collect();
        rules.push(format!("exit code {} is a warning", codes.join(", ")));
    }
    if let Some(seconds) = heartbeat.repeat_after {
        rules.push(format!("alerts repeat every {}", span(seconds)));
    }
    if heartbeat.manual_resume {
        rules.push("resumed only by hand".to_owned());
    }
    if heartbeat.post_only {
        rules.push("only POST counts".to_owned());
    }
    rules.join("; ")
}

fn channel_names(heartbeat: &Heartbeat, names: &HashMap<String, String>) -> String {
    match heartbeat.channels.as_array() {
        Some(ids) if ids.is_empty() => "none".to_owned(),
        Some(ids) => {
            let ids = ids.iter().filter_map(serde_json::Value::as_str);
            let names: Vec<&str> = ids
                .map(|id| names.get(id).map_or(id, String::as_str))
                .collect();
            names.join(", ")
        }
        None => heartbeat.channels.as_str().unwrap_or("").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use serde_json::json;

    fn view() -> View {
        View {
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            colour: false,
        }
    }

    #[test]
    fn a_card_tells_what_is_wrong_first() {
        let heartbeat: Heartbeat = serde_json::from_value(json!({
            "id": "4c1e", "name": "nightly backup", "slug": "nightly-backup", "tags": ["prod", "db"],
            "schedule": {"every": 86400}, "grace": 5400, "warning_codes": [3], "manual_resume": true,
            "channels": ["c1", "c2"], "status": "down",
            "expected_at": "2026-11-22T02:00:00Z", "deadline": "2026-11-22T03:30:00Z",
            "last_signal_at": "2026-11-21T02:00:00Z", "last_success_at": "2026-11-21T02:00:00Z",
            "last_run": {"ended_at": "2026-11-21T02:00:00Z", "duration": 1234.4, "outcome": "ok"},
            "incident_id": "i1", "ping_url": "http://h/api/heartbeat/4c1e",
            "created_at": "2026-11-01T00:00:00Z", "from_a_newer_server": true,
            "grace_suggestion": {"grace": 5400, "shortest_run": 720.0, "longest_run": 2460.0,
                "latest": 2460.0, "runs": 30, "text": "runs take 12–41 min; grace 90 min is comfortable"}
        }))
        .unwrap();
        let incident: Incident = serde_json::from_value(json!({
            "id": "i1", "cause": "missed", "claim": "down", "opened_at": "2026-11-22T03:30:00Z",
            "text": "no success by 03:30"
        }))
        .unwrap();
        let names = HashMap::from([("c1".to_owned(), "ops mail".to_owned())]);
        assert_eq!(
            card(&heartbeat, Some(&incident), &names, &view()),
            "nightly backup  down\n\
             \x20 incident      missed (down) since 2026-11-22 04:30:00 CET; no success by 03:30\n\
             \x20 incident id   i1\n\
             \x20 last signal   34 h ago (2026-11-21 03:00:00 CET)\n\
             \x20 last success  34 h ago (2026-11-21 03:00:00 CET)\n\
             \x20 last run      ok, took 20 min 34 s\n\
             \x20 expected      10 h ago (2026-11-22 03:00:00 CET)\n\
             \x20 deadline      9 h ago (2026-11-22 04:30:00 CET)\n\
             \x20 schedule      every 1 d\n\
             \x20 grace         90 min\n\
             \x20 max run time  90 min (the grace)\n\
             \x20 observed      runs take 12–41 min; grace 90 min is comfortable\n\
             \x20 behaves       exit code 3 is a warning; resumed only by hand\n\
             \x20 channels      ops mail, c2\n\
             \x20 tags          prod, db\n\
             \x20 slug          nightly-backup\n\
             \x20 id            4c1e\n\
             \x20 signal URL    http://h/api/heartbeat/4c1e\n\
             \x20 created       22 d ago (2026-11-01 01:00:00 CET)\n"
        );
    }

    #[test]
    fn a_grace_that_does_not_fit_comes_with_the_command_that_sets_another() {
        let text = "runs take 12–41 min; grace 1 h is short, 90 min would be comfortable";
        let heartbeat: Heartbeat = serde_json::from_value(json!({
            "name": "n", "slug": "nightly-backup", "status": "up", "grace": 3600,
            "grace_suggestion": {"grace": 5400, "text": text}
        }))
        .unwrap();
        let shown = card(&heartbeat, None, &HashMap::new(), &view());
        let line =
            format!("  observed      {text} (nightbeat edit nightly-backup --grace 90min)\n");
        assert!(shown.contains(&line), "{shown}");
    }

    #[test]
    fn a_heartbeat_of_which_little_is_known_is_shown_too() {
        let heartbeat: Heartbeat = serde_json::from_value(json!({
            "id": "4c1e", "name": "n", "status": "new", "channels": "all",
            "running_since": "2026-11-22T11:50:00Z"
        }))
        .unwrap();
        let text = card(&heartbeat, None, &HashMap::new(), &view());
        assert!(text.starts_with("n  new, running for 10 min\n"));
        assert!(text.contains("  last signal   -\n"));
        assert!(text.contains("  channels      all\n"));
    }
}
