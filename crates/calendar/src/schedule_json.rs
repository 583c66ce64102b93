//! The JSON of a [`Schedule`].

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

use crate::Schedule;

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Every(interval) => map.serialize_entry("every", interval)?,
            Self::Cron(cron) => map.serialize_entry("cron", cron.expression())?,
            Self::OnCalendar(events) => map.serialize_entry("calendar", events.expression())?,
        }
        if let Some(zone) = self.zone() {
            map.serialize_entry("timezone", zone.name())?;
        }
        map.end()
    }
}

/// The JSON as it stands, before it is known to make sense.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a schedule like {\"every\": 3600}")]
struct Raw {
    every: Option<u64>,
    cron: Option<String>,
    calendar: Option<String>,
    timezone: Option<String>,
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        let zone = raw.timezone.as_deref();
        match (raw.every, raw.cron, raw.calendar) {
            (Some(_), None, None) if zone.is_some() => Err(de::Error::custom(
                "an interval has no time zone: remove \"timezone\"",
            )),
            (Some(seconds), None, None) => {
                Self::every_seconds(seconds).map_err(|error| in_key("every", &error))
            }
            (None, Some(cron), None) => {
                Self::cron(&cron, zone.unwrap_or("UTC")).map_err(|error| in_key("cron", &error))
            }
            (None, None, Some(events)) => Self::on_calendar(&events, zone.unwrap_or("UTC"))
                .map_err(|error| in_key("calendar", &error)),
            _ => Err(de::Error::custom(
                "a schedule has exactly one of \"every\", \"cron\" and \"calendar\"",
            )),
        }
    }
}

fn in_key<E: de::Error>(key: &str, error: &crate::ScheduleError) -> E {
    match error {
        crate::ScheduleError::Zone(error) => E::custom(format!("timezone: {error}")),
        error => E::custom(format!("{key}: {error}")),
    }
}
