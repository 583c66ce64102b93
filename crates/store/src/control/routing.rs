//! Which channels a heartbeat's alerts go to.

use std::fmt;
use std::str::FromStr;

use nightbeat_domain::ChannelId;

/// Which channels a heartbeat's alerts go to. Its text is what stands in `heartbeat.channels`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Routing {
    /// All of the project, also those that are added later.
    #[default]
    All,
    /// These. One that is deleted later is passed over.
    Only(Vec<ChannelId>),
}

/// `all`, or a JSON list of ids.
impl fmt::Display for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Only(channels) = self else {
            return f.write_str("all");
        };
        f.write_str("[")?;
        for (index, channel) in channels.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}\"{channel}\"")?;
        }
        f.write_str("]")
    }
}

impl FromStr for Routing {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::All),
            list => serde_json::from_str(list).map(Self::Only),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_routing_is_read_as_it_was_written() {
        let channel = |bits| ChannelId(Uuid::from_u128(bits));
        for routing in [
            Routing::All,
            Routing::Only(Vec::new()),
            Routing::Only(vec![channel(1)]),
            Routing::Only(vec![channel(1), channel(2)]),
        ] {
            let text = routing.to_string();
            assert_eq!(text.parse::<Routing>().unwrap(), routing, "{text}");
        }
        for text in ["", "ALL", "[1]", "null"] {
            assert!(text.parse::<Routing>().is_err(), "{text}");
        }
    }
}
