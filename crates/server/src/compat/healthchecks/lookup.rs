//! Which check a path names.

use nightbeat_domain::{HeartbeatId, ProjectId};
use nightbeat_store::control::heartbeats::{self, Heartbeat};
use nightbeat_store::sql::Sql;
use uuid::Uuid;

use super::error::Error;
use crate::api::{Problem, Refusal};

/// How many characters of an id, in hexadecimal, its unique key is made of.
const UNIQUE_KEY_OF_CHARS: usize = 16;
/// A SHA-1 in hexadecimal.
const UNIQUE_KEY_CHARS: usize = 40;

/// What stands for a check in a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Which {
    /// Its id.
    Id(HeartbeatId),
    /// What a read-only key is shown in its place.
    UniqueKey(String),
}

impl Which {
    /// A UUID, with or without dashes, or a unique key.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(id) = Uuid::try_parse(text) {
            return Some(Self::Id(HeartbeatId(id)));
        }
        let is_key =
            text.len() == UNIQUE_KEY_CHARS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_key.then(|| Self::UniqueKey(text.to_ascii_lowercase()))
    }
}

/// What stands for a check where its id must not be shown: the SHA-1 of the first half of its digits. Nobody
/// finds the other half by it.
pub(crate) fn unique_key(id: HeartbeatId) -> String {
    let digits = id.0.simple().to_string();
    sha1_smol::Sha1::from(&digits[..UNIQUE_KEY_OF_CHARS])
        .digest()
        .to_string()
}

/// The project's check.
pub(super) fn find(
    sql: &mut dyn Sql,
    project: ProjectId,
    which: &Which,
) -> Result<Heartbeat, Refusal> {
    let id = match which {
        Which::Id(id) => Some(*id),
        Which::UniqueKey(key) => heartbeats::find_id(sql, project, |id| unique_key(id) == *key)?,
    };
    let found = match id {
        Some(id) => heartbeats::get(sql, project, id)?,
        None => None,
    };
    found.ok_or_else(|| Problem::from(Error::NOT_FOUND).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unique_key_is_the_hash_of_half_an_id() {
        let id = Uuid::from_u128(0xf618_072a_7bde_4eee_af63_71a7_7c5d_5723);
        // printf f618072a7bde4eee | sha1sum
        let key = "69ac51664c827e8f64a265bb001c5fc29512285c";
        assert_eq!(unique_key(HeartbeatId(id)), key);
        assert_eq!(Which::parse(key), Some(Which::UniqueKey(key.to_owned())));
        assert_eq!(Which::parse(&key.to_uppercase()), Which::parse(key));
        assert_eq!(
            Which::parse(&id.to_string()),
            Some(Which::Id(HeartbeatId(id)))
        );
        for text in ["", "x", &key[1..], "{f618072a-7bde-4eee-af63-71a77c5d5723"] {
            assert_eq!(Which::parse(text), None, "{text}");
        }
    }
}
