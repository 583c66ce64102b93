//! Schedules that were stored when their zones were known.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use jiff::{Timestamp, tz::TimeZone};
use nightbeat_calendar::{Cron, Schedule, Zone, ZoneData};
use serde_json::Value;

fn stored(json: &str) -> Schedule {
    Schedule::deserialize_stored(serde_json::from_str::<Value>(json).unwrap()).unwrap()
}

fn zones(schedule: &Schedule) -> Vec<(&str, ZoneData)> {
    let zones = schedule.zones().into_iter();
    zones.map(|zone| (zone.name(), zone.data())).collect()
}

#[test]
fn a_zone_that_is_gone_keeps_its_name_and_says_so() {
    for json in [
        r#"{"cron":"30 2 * * *","timezone":"Atlantis/Old_Town"}"#,
        r#"{"calendar":"Mon 02:00\nSat 12:00","timezone":"Atlantis/Old_Town"}"#,
        r#"{"calendar":"Mon 02:00 Atlantis/Old_Town","timezone":"Atlantis/Old_Town"}"#,
    ] {
        assert!(serde_json::from_str::<Schedule>(json).is_err(), "{json}");
        let schedule = stored(json);
        assert_eq!(zones(&schedule), [("Atlantis/Old_Town", ZoneData::Missing)]);
        // Stored again, it is what it was.
        assert_eq!(serde_json::to_string(&schedule).unwrap(), json);
    }
}

#[test]
fn a_line_whose_own_zone_is_gone_leaves_the_other_lines_sound() {
    let schedule = stored(
        r#"{"calendar":"Mon 02:00 Atlantis/Old_Town\nSat 12:00","timezone":"Europe/Madrid"}"#,
    );
    let found = zones(&schedule);
    assert_eq!(found[0], ("Atlantis/Old_Town", ZoneData::Missing));
    assert_eq!(found[1].0, "Europe/Madrid");
    assert_ne!(found[1].1, ZoneData::Missing);
}

#[test]
fn what_is_no_schedule_is_refused_in_store_too() {
    for json in [
        r#"{"cron":"61 2 * * *","timezone":"Atlantis/Old_Town"}"#,
        r#"{"calendar":"Mon 02:00 nonsense 02:00","timezone":"UTC"}"#,
        r#"{"cron":"30 2 * * *","every":60}"#,
        "{}",
    ] {
        let value: Value = serde_json::from_str(json).unwrap();
        assert!(Schedule::deserialize_stored(value).is_err(), "{json}");
    }
    assert_eq!(zones(&stored(r#"{"every":60}"#)), []);
}

#[test]
fn rules_may_be_brought_along() {
    let zone = Zone::with_rules("Test/East", TimeZone::posix("EST-3").unwrap());
    assert_eq!(zone.data(), ZoneData::Given);
    let schedule = Schedule::from(Cron::parse("30 2 * * *", &zone).unwrap());
    let from: Timestamp = "2027-03-01T00:00:00Z".parse().unwrap();
    let next = schedule.next_after(from).unwrap();
    assert_eq!(next.to_string(), "2027-03-01T23:30:00Z");
}
