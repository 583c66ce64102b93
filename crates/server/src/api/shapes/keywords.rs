//! Words that say what a signal means.

use nightbeat_domain as domain;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::Word;

/// Words in what a job sends that say what it means, whatever its URL says. A failure goes before a success,
/// and that before a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keywords {
    /// Any of these says that the job began.
    #[serde(default)]
    #[schema(value_type = Vec<Word>, max_items = 100)]
    start: Vec<String>,
    /// Any of these says that it finished well.
    #[serde(default)]
    #[schema(value_type = Vec<Word>, max_items = 100)]
    success: Vec<String>,
    /// Any of these says that it failed.
    #[serde(default)]
    #[schema(value_type = Vec<Word>, max_items = 100)]
    failure: Vec<String>,
    /// Where they are looked for.
    #[serde(rename = "in")]
    places: Vec<Place>,
    /// What a text without any of them means.
    #[serde(default)]
    otherwise: Otherwise,
}

/// Where words are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = KeywordPlace)]
#[serde(rename_all = "snake_case")]
enum Place {
    /// In the bodies of requests.
    Body,
    /// In the subjects of mails.
    MailSubject,
    /// In the texts of mails.
    MailBody,
}

/// What a text without any of the words means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Otherwise {
    /// Nothing: it is recorded and ignored.
    #[default]
    Ignore,
    /// That the job failed.
    Fail,
}

impl From<&domain::Keywords> for Keywords {
    fn from(keywords: &domain::Keywords) -> Self {
        let places = [
            (keywords.in_body, Place::Body),
            (keywords.in_mail_subject, Place::MailSubject),
            (keywords.in_mail_body, Place::MailBody),
        ];
        let looked_at = places.into_iter().filter(|(looked_at, _)| *looked_at);
        Self {
            start: keywords.start.clone(),
            success: keywords.success.clone(),
            failure: keywords.failure.clone(),
            places: looked_at.map(|(_, place)| place).collect(),
            otherwise: match keywords.otherwise {
                domain::Otherwise::Ignore => Otherwise::Ignore,
                domain::Otherwise::Fail => Otherwise::Fail,
            },
        }
    }
}

impl From<&Keywords> for domain::Keywords {
    fn from(keywords: &Keywords) -> Self {
        let looks_at = |place| keywords.places.contains(&place);
        Self {
            start: keywords.start.clone(),
            success: keywords.success.clone(),
            failure: keywords.failure.clone(),
            in_body: looks_at(Place::Body),
            in_mail_subject: looks_at(Place::MailSubject),
            in_mail_body: looks_at(Place::MailBody),
            otherwise: match keywords.otherwise {
                Otherwise::Ignore => domain::Otherwise::Ignore,
                Otherwise::Fail => domain::Otherwise::Fail,
            },
        }
    }
}
