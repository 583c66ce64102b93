//! Times and durations.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use nightbeat_domain::UnixMicros;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// A time in RFC 3339; answers are in UTC, with a fraction where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, examples("2026-11-22T02:00:00Z"))]
pub(in crate::api) struct Time(Timestamp);

impl Time {
    /// The instant on the domain's axis.
    pub(in crate::api) fn micros(self) -> UnixMicros {
        self.0.into()
    }
}

impl From<UnixMicros> for Time {
    fn from(at: UnixMicros) -> Self {
        Self(at.timestamp())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        text.parse().map(Self).map_err(|_| {
            D::Error::custom(format!(
                "{text:?} is not a time; write it as 2026-11-22T02:00:00Z"
            ))
        })
    }
}

/// The time between, in seconds with a fraction.
pub(super) fn seconds(from: Option<UnixMicros>, to: UnixMicros) -> Option<f64> {
    from.map(|from| fraction(to.since(from)))
}

/// A duration in seconds, with a fraction.
pub(super) fn fraction(span: Duration) -> f64 {
    // Whole microseconds divided once: the nearest number, 0.25 and not 0.249999….
    span.as_micros() as f64 / 1e6
}
