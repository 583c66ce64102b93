//! When a success is expected.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{RefOr, Schema};

use super::words::{CalendarEvents, CronExpression, TimeZone};

/// A schedule. Its JSON is the contract of the `calendar` crate, which says what is wrong with an
/// expression, where, and what may have been meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule(pub(crate) nightbeat_domain::Schedule);

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(out)
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        // By way of a value, so that every error is about the field `schedule` as a whole.
        let value = Value::deserialize(input)?;
        serde_json::from_value(value)
            .map(Self)
            .map_err(D::Error::custom)
    }
}

impl utoipa::PartialSchema for Schedule {
    fn schema() -> RefOr<Schema> {
        let mut schema = Forms::schema();
        if let RefOr::T(Schema::OneOf(forms)) = &mut schema {
            for form in &mut forms.items {
                if let RefOr::T(Schema::Object(form)) = form {
                    form.additional_properties =
                        Some(Box::new(AdditionalProperties::FreeForm(false)));
                }
            }
        }
        schema
    }
}

impl ToSchema for Schedule {
    fn name() -> std::borrow::Cow<'static, str> {
        "Schedule".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Forms::schemas(schemas);
    }
}

/// When a success is expected: at a fixed distance after the last one, or by the wall clock of a time
/// zone.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema matters")]
enum Forms {
    /// A fixed distance after the last success.
    #[schema(title = "IntervalSchedule")]
    Every {
        /// Seconds: 1 second to 10 years.
        #[schema(minimum = 1, maximum = 315_360_000)]
        every: u64,
    },
    /// A cron expression.
    #[schema(title = "CronSchedule")]
    Cron {
        /// The expression.
        cron: CronExpression,
        /// UTC where it is left out.
        timezone: Option<TimeZone>,
    },
    /// systemd calendar events.
    #[schema(title = "CalendarSchedule")]
    Calendar {
        /// The events.
        calendar: CalendarEvents,
        /// UTC where it is left out.
        timezone: Option<TimeZone>,
    },
}
