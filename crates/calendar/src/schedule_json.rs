//! The JSON of a [`Schedule`].

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

use crate::{Cron, OnCalendar, Schedule, ScheduleError, Zone};

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
        raw.read(Self::cron, Self::on_calendar)
    }
}

impl Schedule {
    /// Reads JSON that was stored when its zones were known. One that is unknown by now, on this machine
    /// or in this version, is kept under its name as [`ZoneData::Missing`](crate::ZoneData::Missing), so
    /// that nothing is lost and nobody takes the schedule for a sound one. For
    /// `#[serde(deserialize_with)]`; what people type is read by [`Deserialize`].
    pub fn deserialize_stored<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let zone = |name: &str| Zone::exact(name).unwrap_or_else(|_| Zone::missing(name));
        Raw::deserialize(input)?.read(
            |text, name| Ok(Cron::parse(text, &zone(name))?.into()),
            |text, name| Ok(OnCalendar::parse_stored(text, &zone(name))?.into()),
        )
    }
}

impl Raw {
    fn read<E: de::Error>(
        self,
        cron: impl FnOnce(&str, &str) -> Result<Schedule, ScheduleError>,
        on_calendar: impl FnOnce(&str, &str) -> Result<Schedule, ScheduleError>,
    ) -> Result<Schedule, E> {
        let zone = self.timezone.as_deref();
        match (self.every, self.cron, self.calendar) {
            (Some(_), None, None) if zone.is_some() => Err(E::custom(
                "an interval has no time zone: remove \"timezone\"",
            )),
            (Some(seconds), None, None) => {
                Schedule::every_seconds(seconds).map_err(|error| in_key("every", &error))
            }
            (None, Some(text), None) => {
                cron(&text, zone.unwrap_or("UTC")).map_err(|error| in_key("cron", &error))
            }
            (None, None, Some(text)) => on_calendar(&text, zone.unwrap_or("UTC"))
                .map_err(|error| in_key("calendar", &error)),
            _ => Err(E::custom(
                "a schedule has exactly one of \"every\", \"cron\" and \"calendar\"",
            )),
        }
    }
}

fn in_key<E: de::Error>(key: &str, error: &ScheduleError) -> E {
    match error {
        ScheduleError::Zone(error) => E::custom(format!("timezone: {error}")),
        error => E::custom(format!("{key}: {error}")),
    }
}
