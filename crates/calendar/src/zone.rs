//! A time zone by its IANA name.

mod nearest;
mod system;

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, LazyLock},
};

use jiff::tz::{TimeZone, TimeZoneDatabase};

pub use system::system_zones;

/// Longest name of a time zone that is looked up, in bytes. The longest in tzdata has 32.
const NAME_BYTES_MAX: usize = 64;

/// Files beside the zones that mean whatever this machine is set to.
const NOT_ZONES: [&str; 2] = ["localtime", "posixrules"];

/// The zones inside the binary, read only where the system has none, or not the one asked for.
static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone, kept under the name that was typed: `Europe/Kiev` stays `Europe/Kiev`.
///
/// The rules come from the system's tzdata, and from the copy inside the binary where the system has
/// none ([`Zone::data`] tells which). Cloning is cheap. Two zones are equal when their names are.
#[derive(Clone)]
pub struct Zone {
    name: Arc<str>,
    rules: TimeZone,
    data: ZoneData,
}

/// Where the rules of a [`Zone`] come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneData {
    /// The system's time zone database, normally `/usr/share/zoneinfo`.
    System,
    /// The copy of tzdata that was compiled in: as old as the binary.
    Bundled,
    /// Rules that the caller brought along ([`Zone::with_rules`]).
    Given,
    /// Nowhere: neither the system nor the binary knows the zone any more. Read as UTC, which is a
    /// stand-in and nothing to rely on; only [`Schedule::deserialize_stored`](crate::Schedule::deserialize_stored)
    /// makes such a zone.
    Missing,
}

/// Why a name is not a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneError {
    /// No zone has this name.
    #[error("there is no time zone {name:?}; names look like Europe/Madrid or UTC")]
    Unknown {
        /// The name as it was typed.
        name: Box<str>,
    },
    /// A zone has nearly this name. Names are file names, so case matters.
    #[error("there is no time zone {name:?}; did you mean {right:?}?")]
    Spelling {
        /// The name as it was typed.
        name: Box<str>,
        /// The name that exists.
        right: Box<str>,
    },
}

impl Zone {
    /// The zone called `name` in the IANA database, aliases included.
    pub fn named(name: &str) -> Result<Self, ZoneError> {
        Self::exact(name).map_err(nearest::add)
    }

    /// As [`Zone::named`], without the search for what else was meant, which takes longer.
    pub(crate) fn exact(name: &str) -> Result<Self, ZoneError> {
        if name == "UTC" {
            return Ok(Self::utc());
        }
        let (rules, data) = match system::database().map(|system| look_up(system, name)) {
            Some(Ok(rules)) => (rules, ZoneData::System),
            None | Some(Err(ZoneError::Unknown { .. })) => {
                (look_up(&BUNDLED, name)?, ZoneData::Bundled)
            }
            Some(Err(error)) => return Err(error),
        };
        Ok(Self {
            name: name.into(),
            rules,
            data,
        })
    }

    /// Coordinated universal time, the zone of a schedule that names none.
    pub fn utc() -> Self {
        Self {
            name: "UTC".into(),
            rules: TimeZone::UTC,
            data: ZoneData::Bundled,
        }
    }

    /// A zone of this name with rules from elsewhere: a test, or data of one's own. The name is not looked
    /// up.
    pub fn with_rules(name: &str, rules: TimeZone) -> Self {
        Self {
            name: name.into(),
            rules,
            data: ZoneData::Given,
        }
    }

    /// A zone that was known when its name was stored, and is not any more.
    pub(crate) fn missing(name: &str) -> Self {
        Self {
            name: name.into(),
            rules: TimeZone::UTC,
            data: ZoneData::Missing,
        }
    }

    /// The name as it was typed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the rules come from. UTC needs none, and says [`ZoneData::Bundled`].
    pub fn data(&self) -> ZoneData {
        self.data
    }

    /// The rules, as jiff reads them.
    pub fn rules(&self) -> &TimeZone {
        &self.rules
    }
}

fn look_up(database: &TimeZoneDatabase, name: &str) -> Result<TimeZone, ZoneError> {
    let unknown = || ZoneError::Unknown { name: name.into() };
    // The length bounds the search, the characters keep paths like `../` away from the file system.
    let plausible = name.len() <= NAME_BYTES_MAX
        && !NOT_ZONES.contains(&name)
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/_-+".contains(&byte));
    if !plausible {
        return Err(unknown());
    }
    let rules = database.get(name).map_err(|_| unknown())?;
    // jiff ignores case and returns the name of the file.
    match rules.iana_name() {
        Some(right) if right == name => Ok(rules),
        Some(right) => Err(ZoneError::Spelling {
            name: name.into(),
            right: right.into(),
        }),
        None => Err(unknown()),
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
