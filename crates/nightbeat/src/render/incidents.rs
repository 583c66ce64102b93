//! Incidents as a table.

use nightbeat_agent::api::Incident;

use super::words::{between, moment};
use super::{Cell, Table, status_paint};
use crate::session::View;

/// Incidents as a table, in the order given.
pub(crate) fn incidents(incidents: &[Incident], view: &View) -> String {
    let mut table = Table::new([
        "OPENED",
        "LASTED",
        "HEARTBEAT",
        "CLAIM",
        "CAUSE",
        "STATE",
        "ID",
    ]);
    for incident in incidents {
        let end = incident.closed_at.unwrap_or(view.now);
        table.row([
            moment(incident.opened_at, &view.zone).into(),
            nightbeat_agent::duration::rough(between(incident.opened_at, end)).into(),
            incident.heartbeat_name.as_str().into(),
            Cell::painted(&incident.claim, status_paint(&incident.claim)),
            incident.cause.replace('_', " ").into(),
            state(incident, view).into(),
            incident.id.as_str().into(),
        ]);
    }
    table.render(view.colour)
}

fn state(incident: &Incident, view: &View) -> String {
    if incident.closed_at.is_some() {
        return "closed".to_owned();
    }
    match incident.snoozed_until.filter(|until| *until > view.now) {
        Some(until) => format!("snoozed until {}", moment(until, &view.zone)),
        None if incident.acknowledged_at.is_some() => "acknowledged".to_owned(),
        None => "open".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use serde_json::json;

    #[test]
    fn an_incident_tells_how_long_and_whether_somebody_has_seen_it() {
        let view = View {
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            zone: TimeZone::UTC,
            colour: false,
        };
        let all: Vec<Incident> = serde_json::from_value(json!([
            {"id": "i3", "heartbeat_name": "a", "cause": "missed", "claim": "down",
             "opened_at": "2026-11-22T11:30:00Z", "closed_at": null},
            {"id": "i2", "heartbeat_name": "b", "cause": "failed", "claim": "down",
             "opened_at": "2026-11-22T11:00:00Z", "acknowledged_at": "2026-11-22T11:10:00Z"},
            {"id": "i1", "heartbeat_name": "c", "cause": "hollow", "claim": "warning",
             "opened_at": "2026-11-20T11:00:00Z", "closed_at": "2026-11-20T11:05:00Z",
             "snoozed_until": "2026-11-23T00:00:00Z"}
        ]))
        .unwrap();
        assert_eq!(
            incidents(&all, &view),
            "OPENED                   LASTED  HEARTBEAT  CLAIM    CAUSE   STATE         ID\n\
             2026-11-22 11:30:00 UTC  30 min  a          down     missed  open          i3\n\
             2026-11-22 11:00:00 UTC  60 min  b          down     failed  acknowledged  i2\n\
             2026-11-20 11:00:00 UTC  5 min   c          warning  hollow  closed        i1\n"
        );
    }
}
