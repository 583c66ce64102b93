//! Which channels a heartbeat's alerts go to.

use nightbeat_domain::ChannelId;
use nightbeat_store::control::Routing;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

/// `"all"`, or a list of channel ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Channels {
    /// All of the project, also those that are added later.
    All,
    /// These.
    Only(Vec<Uuid>),
}

impl Serialize for Channels {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => out.serialize_str("all"),
            Self::Only(ids) => ids.serialize(out),
        }
    }
}

impl<'de> Deserialize<'de> for Channels {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(input)?;
        if value == "all" {
            return Ok(Self::All);
        }
        serde_json::from_value(value)
            .map(Self::Only)
            .map_err(|_| D::Error::custom("write \"all\", or a list of channel ids"))
    }
}

impl From<&Routing> for Channels {
    fn from(routing: &Routing) -> Self {
        match routing {
            Routing::All => Self::All,
            Routing::Only(ids) => Self::Only(ids.iter().map(|id| id.0).collect()),
        }
    }
}

impl From<&Channels> for Routing {
    fn from(channels: &Channels) -> Self {
        match channels {
            Channels::All => Self::All,
            Channels::Only(ids) => {
                let mut known: Vec<ChannelId> = Vec::new();
                for id in ids.iter().copied().map(ChannelId) {
                    if !known.contains(&id) {
                        known.push(id);
                    }
                }
                Self::Only(known)
            }
        }
    }
}

impl PartialSchema for Channels {
    fn schema() -> RefOr<Schema> {
        Forms::schema()
    }
}

impl ToSchema for Channels {
    fn name() -> std::borrow::Cow<'static, str> {
        "Channels".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((All::name().into_owned(), All::schema()));
    }
}

/// All channels of the project, also those that are added later; or some of them.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema matters")]
enum Forms {
    /// All.
    All(All),
    /// The ids of some.
    Only(Vec<Uuid>),
}

#[derive(ToSchema)]
#[schema(as = AllChannels)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema matters")]
enum All {
    All,
}
