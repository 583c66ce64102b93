//! A row whose columns have names, so that an error can say which value is broken.

use std::str::FromStr;

use serde::de::DeserializeOwned;

use crate::codec::{broken, named, short};
use crate::sql::{FromValue, Row, Value};
use crate::{Result, StoreError};

/// A row and the names of its columns, each as `table.column`. The first one is the row's key.
pub(crate) struct Fields<'r> {
    names: &'static [&'static str],
    row: &'r Row,
}

impl<'r> Fields<'r> {
    /// `row` as the answer to a SELECT of `names`.
    pub(crate) fn new(names: &'static [&'static str], row: &'r Row) -> Self {
        Self { names, row }
    }

    /// The value of one column.
    pub(crate) fn get<T: FromValue>(&self, name: &str) -> Result<T> {
        let index = self.names.iter().position(|known| *known == name);
        let index = index.ok_or_else(|| self.broken(name, "is not selected"))?;
        let value = self.row.get(index);
        value.map_err(|error| self.broken(name, &error.to_string()))
    }

    /// An integer of a narrower type, or NULL.
    pub(crate) fn int_or_null<T: TryFrom<i64>>(&self, name: &str) -> Result<Option<T>> {
        let number: Option<i64> = self.get(name)?;
        let number = number.map(T::try_from).transpose();
        number.map_err(|_| self.broken(name, "out of range"))
    }

    /// What an integer stands for.
    pub(crate) fn code<T>(&self, name: &str, decode: impl Fn(i64) -> Option<T>) -> Result<T> {
        decode(self.get(name)?).ok_or_else(|| self.broken(name, "an unknown code"))
    }

    /// What an integer stands for, or NULL.
    pub(crate) fn code_or_null<T>(
        &self,
        name: &str,
        decode: impl Fn(i64) -> Option<T>,
    ) -> Result<Option<T>> {
        let code: Option<i64> = self.get(name)?;
        let decoded = |code| decode(code).ok_or_else(|| self.broken(name, "an unknown code"));
        code.map(decoded).transpose()
    }

    /// What a name stands for: the reverse of `as_str`.
    pub(crate) fn named<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let text: String = self.get(name)?;
        named(&text).ok_or_else(|| self.broken(name, &format!("{text:?} is not known")))
    }

    /// What a text stands for.
    pub(crate) fn parsed<T: FromStr<Err: ToString>>(&self, name: &str) -> Result<T> {
        let parsed = self.get::<String>(name)?.parse();
        parsed.map_err(|error: T::Err| self.broken(name, &error.to_string()))
    }

    /// A value from JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let value = serde_json::from_str(&self.get::<String>(name)?);
        value.map_err(|error| self.broken(name, &error.to_string()))
    }

    /// A value from JSON, or NULL.
    pub(crate) fn json_or_null<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let text: Option<String> = self.get(name)?;
        let value = text.map(|text| serde_json::from_str(&text)).transpose();
        value.map_err(|error| self.broken(name, &error.to_string()))
    }

    /// The error that says what is wrong with a column of this row.
    pub(crate) fn broken(&self, name: &str, what: &str) -> StoreError {
        let (table, column) = name.split_once('.').unwrap_or(("?", name));
        let key = match self.row.values.first() {
            Some(Value::Int(number)) => number.to_string(),
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Blob(bytes)) => uuid::Uuid::from_slice(bytes)
                .map_or_else(|_| format!("of {} bytes", bytes.len()), short),
            Some(Value::Null) | None => "without a key".to_owned(),
        };
        broken(table, column, key, what)
    }
}
