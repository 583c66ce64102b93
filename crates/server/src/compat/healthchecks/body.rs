//! JSON bodies. Their content type is not looked at, and what is not known is passed over.

use axum::body::Body;
use serde_json::{Map, Value};

use super::error::Error;
use crate::api::with_whole_numbers;

/// The largest body, as everywhere but in signals: 1 MB.
const BODY_BYTES_MAX: usize = 1_000_000;

/// The fields of a body.
#[derive(Debug, Default)]
pub(super) struct Fields(Map<String, Value>);

/// Reads a body. Nothing, where it is empty; where its fields mean nothing (`needed` is false), what is no
/// object is nothing, too: some clients send `null`.
pub(super) async fn object(body: Body, needed: bool) -> Result<Fields, Error> {
    let bytes = axum::body::to_bytes(body, BODY_BYTES_MAX).await;
    let bytes = bytes.map_err(|_| Error::NO_JSON)?;
    if bytes.is_empty() {
        return Ok(Fields::default());
    }
    match serde_json::from_slice(&bytes).map(with_whole_numbers) {
        Ok(Value::Object(fields)) => Ok(Fields(fields)),
        Ok(_) if needed => Err(Error::field("value is not an object")),
        Ok(_) => Ok(Fields::default()),
        Err(_) => Err(Error::NO_JSON),
    }
}

impl Fields {
    /// A text of at most `chars_max` characters.
    pub(super) fn text(&self, name: &str, chars_max: usize) -> Result<Option<String>, Error> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        let text = value
            .as_str()
            .ok_or_else(|| Error::field(format_args!("{name} is not a string")))?;
        if text.chars().nth(chars_max).is_some() {
            return Err(Error::field(format_args!("{name} is too long")));
        }
        Ok(Some(text.to_owned()))
    }

    /// A text, where it is one.
    pub(super) fn any_text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        let value = self.0.get(name).map(|value| {
            let flag = value.as_bool();
            flag.ok_or_else(|| Error::field(format_args!("{name} is not a boolean")))
        });
        value.transpose()
    }

    /// A whole number from 1 to `max`.
    pub(super) fn number(&self, name: &str, max: u64) -> Result<Option<u64>, Error> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        let said = |what| Error::field(format_args!("{name} is {what}"));
        match (value.as_u64(), value.as_i64()) {
            (Some(0), _) | (None, Some(_)) => Err(said("too small")),
            (Some(number), _) if number > max => Err(said("too large")),
            (Some(number), _) => Ok(Some(number)),
            (None, None) => Err(said("not a number")),
        }
    }

    /// A list of names.
    pub(super) fn names(&self, name: &str) -> Result<Option<Vec<&str>>, Error> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        let items = value
            .as_array()
            .ok_or_else(|| Error::field(format_args!("{name} is not an array")))?;
        // What is not a text is none of the names.
        Ok(Some(
            items
                .iter()
                .map(|item| item.as_str().unwrap_or_default())
                .collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fields(text: &str) -> Result<Fields, Error> {
        object(Body::from(text.to_owned()), true).await
    }

    #[tokio::test]
    async fn values_are_read_strictly() {
        let given = fields(r#"{"a": "é", "n": 5, "f": true, "u": ["x", 1], "z": null, "h": 1.5}"#);
        let given = given.await.unwrap();
        let wrong = |what: &str| Some(Error::field(what));
        assert_eq!(given.text("a", 1), Ok(Some("é".to_owned())));
        assert_eq!(given.text("a", 0).err(), wrong("a is too long"));
        assert_eq!(given.text("n", 9).err(), wrong("n is not a string"));
        assert_eq!(given.text("z", 9).err(), wrong("z is not a string"));
        assert_eq!(given.text("no", 9), Ok(None));
        assert_eq!(given.number("n", 5), Ok(Some(5)));
        assert_eq!(given.number("n", 4).err(), wrong("n is too large"));
        assert_eq!(given.number("h", 4).err(), wrong("h is not a number"));
        assert_eq!(given.number("f", 4).err(), wrong("f is not a number"));
        assert_eq!(given.flag("f"), Ok(Some(true)));
        assert_eq!(given.flag("n").err(), wrong("n is not a boolean"));
        assert_eq!(given.names("u"), Ok(Some(vec!["x", ""])));
        assert_eq!(given.names("a").err(), wrong("a is not an array"));
    }

    #[tokio::test]
    async fn a_number_has_a_least_and_a_largest() {
        for (text, said) in [
            ("0", "n is too small"),
            ("-9223372036854775808", "n is too small"),
            ("18446744073709551615", "n is too large"),
            ("18446744073709551616", "n is not a number"),
            ("1e4", "n is too large"),
            ("1.5", "n is not a number"),
            ("\"1\"", "n is not a number"),
        ] {
            let given = fields(&format!("{{\"n\": {text}}}")).await.unwrap();
            let error = given.number("n", 1_000).err();
            assert_eq!(error, Some(Error::field(said)), "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_no_object_is_refused_where_fields_are_meant() {
        assert!(fields("").await.is_ok());
        for text in ["{", "nul", "\u{0}", "{\"a\": 1,}"] {
            assert_eq!(fields(text).await.err(), Some(Error::NO_JSON), "{text}");
        }
        for text in ["null", "[]", "\"x\"", "1"] {
            let no_object = Error::field("value is not an object");
            assert_eq!(fields(text).await.err(), Some(no_object), "{text}");
            assert!(object(Body::from(text), false).await.is_ok(), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(fields(&deep).await.err(), Some(Error::NO_JSON));
    }
}
