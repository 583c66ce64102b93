//! What people write, as the document describes it. `api::text` and the domain check it; these types only have
//! schemas.

use std::borrow::Cow;

use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// No control character, and something besides white space.
const LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
/// No control character but those of lines and tables.
const LINES: &str = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$";
/// The same, and something besides white space.
const FILLED_LINES: &str = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$";
/// No control character.
const PLAIN: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";

macro_rules! texts {
    ($($(#[doc = $about:literal])+ $name:ident = $schema:expr;)+) => {$(
        $(#[doc = $about])+
        #[derive(Debug)]
        pub(in crate::api) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let about = concat!($($about),+).trim();
                $schema.description(Some(about)).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )+};
}

texts! {
    /// What people call it: one line.
    Name = text(LINE, 200).min_length(Some(1));
    /// What people call a project: one line.
    ProjectName = text(LINE, 100).min_length(Some(1));
    /// A tag: one line.
    Tag = text(LINE, 100).min_length(Some(1));
    /// Anything worth knowing.
    Description = text(LINES, 10_000);
    /// What a maintenance window is for.
    Note = text(LINES, 1_000);
    /// What is written about an incident.
    IncidentNoteText = text(FILLED_LINES, 2_000).min_length(Some(1));
    /// A word that is looked for.
    Word = text(PLAIN, 2_000);
    /// An exit code that is no success.
    WarningCode = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(255));
    /// A rule about what a run did, such as `files_total > 0`.
    Rule = own("rule").max_length(Some(500));
    /// As in a crontab: `30 3 * * *`.
    CronExpression = own("cron").max_length(Some(100));
    /// As in `OnCalendar=`: `Mon..Fri 02:00`; several lines are several events.
    CalendarEvents = own("calendar").max_length(Some(1_000));
    /// An IANA name, such as `Europe/Madrid`.
    TimeZone = own("timezone").max_length(Some(64));
}

fn text(pattern: &str, chars_max: usize) -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.pattern(Some(pattern)).max_length(Some(chars_max))
}

/// A text with a grammar of its own, which no pattern can describe.
fn own(format: &str) -> ObjectBuilder {
    let format = SchemaFormat::Custom(format.to_owned());
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(format))
}
