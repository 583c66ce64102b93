//! Alert texts. They answer in one glance: what, since when, why, what was expected, the last output,
//! and where to look. They are calm, exact, in UTC, and never contain a signal URL.

use nightbeat_domain::{
    Alert, AlertKind, AlertSnapshot, BrokenRule, Cause, Claim, Closing, IncidentFacts, UnixMicros,
};

use crate::clean::{clean_line, clean_output, clean_reason};
use crate::digest;
use crate::gaps;
use crate::payload::page_url;
use crate::text::{Paragraph, Text};
use crate::words::{self, Clock};
use crate::{Content, Message};

/// The whole text of a message.
pub fn text(message: &Message) -> Text {
    let base_url = &message.base_url;
    match &message.content {
        Content::One(snapshot) => Text {
            title: one_title(snapshot),
            paragraphs: one_paragraphs(snapshot),
            link: page_url(snapshot, base_url),
        },
        Content::Digest(snapshots) => digest::text(snapshots, base_url),
        Content::Test {
            project_name,
            channel_name,
        } => test(project_name, channel_name, base_url),
    }
}

/// The title of a message: one line.
pub fn title(message: &Message) -> String {
    text(message).title
}

/// The body of a message as plain text, ending with a link.
pub fn body(message: &Message) -> String {
    text(message).plain(None)
}

/// What an alert says about its incident, in one sentence.
pub fn incident_text(snapshot: &AlertSnapshot) -> String {
    let lead = match snapshot.alert.kind {
        AlertKind::Up => up(snapshot),
        AlertKind::NeverStarted => never_started(snapshot),
        AlertKind::Reminder if is_readable_again(&snapshot.alert) => up(snapshot),
        AlertKind::Reminder if is_internal(&snapshot.alert) => match held_for(&snapshot.alert) {
            Some(held) => format!("Still {held}. {}", why(snapshot)),
            None => why(snapshot),
        },
        AlertKind::Reminder => match held_for(&snapshot.alert) {
            Some(held) => format!("Still {held}: {}", lower_first(&why(snapshot))),
            None => why(snapshot),
        },
        AlertKind::Down | AlertKind::Unverified | AlertKind::Warning => why(snapshot),
    };
    format!("{lead}.")
}

/// The heartbeat's name, fit to be shown.
pub(crate) fn name(snapshot: &AlertSnapshot) -> String {
    clean_line(&snapshot.heartbeat.name, Some(snapshot.heartbeat.id))
}

/// The first words when a heartbeat can be read again, whatever its job does.
const WATCHED_AGAIN: &str = "WATCHED AGAIN";

fn is_readable_again(alert: &Alert) -> bool {
    alert.closing == Some(Closing::Readable)
}

/// What happened, in capitals: the first word of a title.
pub(crate) fn label(alert: &Alert) -> &'static str {
    match alert.kind {
        AlertKind::Reminder if is_readable_again(alert) => WATCHED_AGAIN,
        AlertKind::Down => "DOWN",
        AlertKind::Unverified => "UNVERIFIED",
        AlertKind::Warning => "WARNING",
        AlertKind::NeverStarted => "NOT STARTED YET",
        AlertKind::Reminder => match alert.incident.as_ref().map(|incident| incident.claim) {
            Some(Claim::Unverified) => "STILL UNVERIFIED",
            Some(Claim::Warning) => "STILL WARNING",
            Some(Claim::Down) | None => "STILL DOWN",
        },
        AlertKind::Up => match alert.closing {
            Some(Closing::Retracted) => "CORRECTION",
            Some(Closing::Edited | Closing::Paused | Closing::Replaced) => "CLOSED",
            Some(Closing::Readable) => WATCHED_AGAIN,
            Some(Closing::Success | Closing::RanInTime(_)) | None => "UP",
        },
    }
}

fn one_title(snapshot: &AlertSnapshot) -> String {
    let alert = &snapshot.alert;
    let start = format!("{}: {}", label(alert), name(snapshot));
    match alert.kind {
        AlertKind::Up => match alert.closing {
            Some(Closing::Retracted) => start + " was not down",
            Some(Closing::RanInTime(_)) => start + " — it ran in time after all",
            Some(Closing::Edited) => start + " — its schedule was changed",
            Some(Closing::Paused) => start + " — it was paused",
            Some(Closing::Replaced) => start + " — another incident took its place",
            Some(Closing::Readable) => start,
            Some(Closing::Success) | None => match held_for(alert) {
                Some(held) => format!("{start} — was {held}"),
                None => start,
            },
        },
        AlertKind::Reminder if is_readable_again(alert) => start,
        AlertKind::Reminder => match alert.incident.as_ref() {
            Some(incident) => {
                let age = alert.at.since(incident.opened_at);
                format!("{start}, for {}", words::duration(age))
            }
            None => start,
        },
        _ => start,
    }
}

fn one_paragraphs(snapshot: &AlertSnapshot) -> Vec<Paragraph> {
    let alert = &snapshot.alert;
    let mut paragraphs = vec![Paragraph::Prose(incident_text(snapshot))];
    if is_internal(alert) {
        paragraphs.push(internal_advice(alert));
    } else if claims(alert, Claim::Unverified) && alert.kind != AlertKind::Up {
        paragraphs.extend(unverified(snapshot));
    }
    if let Some(expectation) = expectation(snapshot) {
        paragraphs.push(Paragraph::Prose(expectation));
    }
    let output = snapshot.output_tail.as_deref().unwrap_or("");
    let output = clean_output(output, snapshot.heartbeat.id);
    let is_over = alert.kind == AlertKind::Up || is_readable_again(alert);
    if !output.is_empty() && !is_over {
        paragraphs.push(Paragraph::Prose("Output with its last signal:".to_owned()));
        paragraphs.push(Paragraph::Output(output));
    }
    paragraphs.push(Paragraph::Prose(origin(snapshot)));
    paragraphs
}

/// Why an incident opened.
fn why(snapshot: &AlertSnapshot) -> String {
    let alert = &snapshot.alert;
    let told = match alert.incident.as_ref() {
        None => missed(snapshot),
        Some(incident) => match incident.cause {
            Cause::Missed => missed(snapshot),
            Cause::NeverStarted => never_started(snapshot),
            Cause::Overran => overran(snapshot),
            Cause::Failed => failed(snapshot, incident),
            Cause::Hollow => hollow(snapshot, incident),
            Cause::Internal => internal(snapshot),
        },
    };
    if claims(alert, Claim::Unverified) && !is_internal(alert) {
        told + &gaps::clause(snapshot)
    } else {
        told
    }
}

/// Our own error: what is stored of the heartbeat cannot be read.
fn internal(snapshot: &AlertSnapshot) -> String {
    let problem = snapshot.alert.problem.as_deref().unwrap_or_default();
    let problem = clean_line(problem, Some(snapshot.heartbeat.id));
    let problem = problem.trim_end_matches('.');
    let problem = if problem.is_empty() {
        String::new()
    } else {
        format!(" ({problem})")
    };
    format!(
        "Nightbeat cannot read what it stored about this heartbeat{problem}; nobody is watching the job \
         until this is mended"
    )
}

fn is_internal(alert: &Alert) -> bool {
    let cause = alert.incident.as_ref().map(|incident| incident.cause);
    cause == Some(Cause::Internal)
}

fn missed(snapshot: &AlertSnapshot) -> String {
    let clock = Clock::of(&snapshot.heartbeat.schedule);
    let since = match snapshot.alert.last_success_at {
        Some(at) => format!("No success since {}", clock.instant(at)),
        None => "No success yet".to_owned(),
    };
    match expected_by(snapshot) {
        Some(expected) => format!("{since}; {expected}"),
        None => since,
    }
}

/// `expected by 2026-11-22 03:04 UTC (every day, 1 h of grace)`.
pub(crate) fn expected_by(snapshot: &AlertSnapshot) -> Option<String> {
    let alert = &snapshot.alert;
    let schedule = &snapshot.heartbeat.schedule;
    let by = alert.deadline.or(alert.expected_at)?;
    let grace = alert
        .expected_at
        .map(|expected| by.since(expected))
        .filter(|grace| !grace.is_zero())
        .map(|grace| format!("{} of grace", words::duration(grace)));
    let terms: Vec<String> = words::schedule(schedule).into_iter().chain(grace).collect();
    let by = Clock::of(schedule).instant(by);
    Some(if terms.is_empty() {
        format!("expected by {by}")
    } else {
        format!("expected by {by} ({})", terms.join(", "))
    })
}

fn never_started(snapshot: &AlertSnapshot) -> String {
    match expected_by(snapshot) {
        Some(expected) => format!("No signal has come since it was created; {expected}"),
        None => "No signal has come since it was created".to_owned(),
    }
}

fn overran(snapshot: &AlertSnapshot) -> String {
    let alert = &snapshot.alert;
    let clock = Clock::of(&snapshot.heartbeat.schedule);
    let run = match alert.run_started_at {
        Some(start) => format!("The run that started at {}", clock.instant(start)),
        None => "A run".to_owned(),
    };
    let limit = match (alert.run_started_at, alert.deadline) {
        (Some(start), Some(deadline)) => {
            let limit = words::duration(deadline.since(start));
            let passed = clock.instant(deadline);
            format!("its limit of {limit} passed at {passed}")
        }
        (None, Some(deadline)) => {
            format!("its limit passed at {}", clock.instant(deadline))
        }
        (_, None) => "its limit has passed".to_owned(),
    };
    format!("{run} has not ended; {limit}")
}

fn failed(snapshot: &AlertSnapshot, incident: &IncidentFacts) -> String {
    let said = match incident.claim {
        Claim::Warning => "the job ended with a warning",
        Claim::Down | Claim::Unverified => "the job reported a failure",
    };
    let code = snapshot.alert.exit_code;
    let code = code.map_or(String::new(), |code| format!(" (exit code {code})"));
    let own = Some(snapshot.heartbeat.id);
    let seen = snapshot.alert.broken_rules.first().map(|seen| {
        let seen = clean_reason(&seen.explanation, own);
        format!(": {}", seen.trim_end_matches('.'))
    });
    format!(
        "{} {said}{code}{}{}",
        at(snapshot, incident),
        after_start(snapshot, incident),
        seen.unwrap_or_default()
    )
}

fn hollow(snapshot: &AlertSnapshot, incident: &IncidentFacts) -> String {
    let rules = &snapshot.alert.broken_rules;
    let start = format!("{} the job reported success", at(snapshot, incident));
    if rules.is_empty() {
        return format!("{start}, but a rule about its work did not hold");
    }
    let told: Vec<String> = rules.iter().map(|rule| broken(snapshot, rule)).collect();
    let which = if rules.len() == 1 { "a rule" } else { "rules" };
    format!(
        "{start}, but {which} about its work did not hold: {}",
        told.join("; ")
    )
}

fn broken(snapshot: &AlertSnapshot, rule: &BrokenRule) -> String {
    let own = Some(snapshot.heartbeat.id);
    let explanation = clean_reason(&rule.explanation, own);
    let explanation = explanation.trim_end_matches('.');
    format!("{} ({explanation})", clean_line(&rule.rule, own))
}

/// `At 2026-11-22 02:16 UTC`.
fn at(snapshot: &AlertSnapshot, incident: &IncidentFacts) -> String {
    let clock = Clock::of(&snapshot.heartbeat.schedule);
    format!("At {}", clock.instant(incident.opened_at))
}

/// `, 12 min after its start`.
fn after_start(snapshot: &AlertSnapshot, incident: &IncidentFacts) -> String {
    match snapshot.alert.run_started_at {
        Some(start) if start <= incident.opened_at => {
            let lasted = words::duration(incident.opened_at.since(start));
            format!(", {lasted} after its start")
        }
        _ => String::new(),
    }
}

fn up(snapshot: &AlertSnapshot) -> String {
    let alert = &snapshot.alert;
    let clock = Clock::of(&snapshot.heartbeat.schedule);
    let show = |at: UnixMicros| clock.instant(at);
    let closed = show(closed_at(alert));
    let held = held_for(alert);
    let had_been = held
        .as_ref()
        .map_or(String::new(), |held| format!("; it had been {held}"));
    match alert.closing {
        None | Some(Closing::Success) => match held {
            Some(held) => format!("A success came at {closed}; it was {held}"),
            None => format!("A success came at {closed}"),
        },
        Some(Closing::RanInTime(ran_at)) => format!(
            "It ran in time, at {}; the signal of that success reached Nightbeat late, at {closed}",
            show(ran_at)
        ),
        Some(Closing::Retracted) => match &alert.incident {
            Some(incident) => format!(
                "Its success had arrived in time; the alert of {} was Nightbeat's own error",
                show(incident.opened_at)
            ),
            None => {
                "Its success had arrived in time; the alert was Nightbeat's own error".to_owned()
            }
        },
        Some(Closing::Edited) => {
            format!(
                "Its schedule was changed at {closed}, and by the new one it is not overdue{had_been}"
            )
        }
        Some(Closing::Paused) => format!("It was paused at {closed}{had_been}"),
        Some(Closing::Replaced) => {
            format!("Another incident took the place of this one at {closed}{had_been}")
        }
        Some(Closing::Readable) => {
            let status = alert.status.as_str();
            format!(
                "Since {closed} Nightbeat can read what it stored about this heartbeat again, and watches \
                 the job; its status is {status}{had_been}"
            )
        }
    }
}

fn closed_at(alert: &Alert) -> UnixMicros {
    let closed = alert
        .incident
        .as_ref()
        .and_then(|incident| incident.closed_at);
    closed.unwrap_or(alert.at)
}

/// `down for 2 h 14 min (missed)`: what the incident claims, until it closed or until now.
fn held_for(alert: &Alert) -> Option<String> {
    let incident = alert.incident.as_ref()?;
    let span = words::duration(closed_at(alert).since(incident.opened_at));
    let cause = cause(incident.cause);
    Some(match incident.claim {
        Claim::Down => format!("down for {span} ({cause})"),
        Claim::Unverified => format!("unverified for {span} ({cause})"),
        Claim::Warning => format!("in warning for {span} ({cause})"),
    })
}

/// Why an incident opened, in a word or two.
pub(crate) fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Missed => "missed",
        Cause::Overran => "ran too long",
        Cause::Failed => "failed",
        Cause::Hollow => "a rule did not hold",
        Cause::NeverStarted => "never started",
        Cause::Internal => "internal error",
    }
}

fn claims(alert: &Alert, claim: Claim) -> bool {
    alert
        .incident
        .as_ref()
        .is_some_and(|incident| incident.claim == claim)
}

/// What an unverified alert means, and when exactly we could not receive.
fn unverified(snapshot: &AlertSnapshot) -> Vec<Paragraph> {
    let meaning = "During an interruption a signal may have been lost, so it is not certain that the job \
                   failed: please check whether it ran.";
    let mut paragraphs = vec![Paragraph::Prose(meaning.to_owned())];
    let clock = Clock::of(&snapshot.heartbeat.schedule);
    let points = gaps::points(&snapshot.alert.gaps, &clock);
    if !points.is_empty() {
        paragraphs.push(Paragraph::Prose("Interruptions of Nightbeat:".to_owned()));
        paragraphs.push(Paragraph::List(points));
    }
    paragraphs
}

/// What to do about our own error, while it lasts; and what it leaves behind.
fn internal_advice(alert: &Alert) -> Paragraph {
    let advice = if is_readable_again(alert) {
        "Signals that came meanwhile were refused: please check whether the job ran."
    } else {
        "This is an error of Nightbeat, not of the job. Its signals are refused meanwhile: please check \
         whether it runs. To mend it, give the heartbeat its schedule again, or restore a backup; \
         “nightbeat db check” says what is broken."
    };
    Paragraph::Prose(advice.to_owned())
}

/// What is expected, where the first sentence did not already say it; and what to do about a job that
/// never started.
fn expectation(snapshot: &AlertSnapshot) -> Option<String> {
    let alert = &snapshot.alert;
    if alert.kind == AlertKind::NeverStarted {
        let hint = "Its page shows the line to put at the end of the job. If it is not needed, pause \
                    or delete it.";
        return Some(hint.to_owned());
    }
    let cause = alert.incident.as_ref().map(|incident| incident.cause)?;
    let told = matches!(cause, Cause::Missed | Cause::NeverStarted | Cause::Internal);
    if alert.kind == AlertKind::Up || told {
        return None;
    }
    let clock = Clock::of(&snapshot.heartbeat.schedule);
    let schedule = &snapshot.heartbeat.schedule;
    let expected = match (words::schedule(schedule), schedule.interval()) {
        (Some(every), Some(_)) => format!("A success is expected {every}. "),
        (Some(calendar), None) => format!("A success is expected by its schedule, {calendar}. "),
        (None, _) => String::new(),
    };
    Some(match alert.last_success_at {
        Some(last) => format!("{expected}The last one was at {}.", clock.instant(last)),
        None => format!("{expected}There has been none yet."),
    })
}

/// `Project: home. Tags: prod, nas.`
fn origin(snapshot: &AlertSnapshot) -> String {
    let facts = &snapshot.heartbeat;
    let project = clean_line(&facts.project_name, Some(facts.id));
    if facts.tags.is_empty() {
        return format!("Project: {project}");
    }
    let tags = facts.tags.iter().map(|tag| clean_line(tag, Some(facts.id)));
    format!(
        "Project: {project} · Tags: {}",
        tags.collect::<Vec<_>>().join(", ")
    )
}

fn test(project_name: &str, channel_name: &str, base_url: &str) -> Text {
    let channel = clean_line(channel_name, None);
    let project = clean_line(project_name, None);
    Text {
        title: format!("TEST: {channel}"),
        paragraphs: vec![Paragraph::Prose(format!(
            "This is a test of the channel “{channel}” in the project “{project}”. Nothing is wrong: \
             alerts will arrive here."
        ))],
        link: format!("{base_url}/"),
    }
}

fn lower_first(sentence: &str) -> String {
    let mut chars = sentence.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().collect::<String>() + chars.as_str(),
        None => String::new(),
    }
}
