//! A change of something that may be empty.

use serde::{Deserialize, Deserializer};

/// What a `PATCH` says of a field that may be empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Change<T> {
    /// Nothing: it is not named.
    #[default]
    Keep,
    /// `null`: it becomes empty.
    Clear,
    /// It becomes this.
    Set(T),
}

impl<T> Change<T> {
    /// What `old` becomes.
    pub(crate) fn of(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Keep => old,
            Self::Clear => None,
            Self::Set(new) => Some(new),
        }
    }

    /// The same change of another type.
    pub(crate) fn map<U>(self, make: impl FnOnce(T) -> U) -> Change<U> {
        match self {
            Self::Keep => Change::Keep,
            Self::Clear => Change::Clear,
            Self::Set(value) => Change::Set(make(value)),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(input)?.map_or(Self::Clear, Self::Set))
    }
}
