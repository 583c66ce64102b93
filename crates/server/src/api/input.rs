//! What requests bring: JSON bodies, queries and path segments, read strictly.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::StatusCode;
use http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use nightbeat_store::control::{Cursor, PageRequest};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use utoipa::IntoParams;

use super::names;
use super::problem::Problem;

/// The largest body: 1 MB.
const BODY_BYTES_MAX: usize = 1_000_000;

/// A JSON object as a `T`.
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let bytes = whole(request.into_body()).await?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                format!("this is not JSON: {error}"),
            )
        })?;
        object(with_whole_numbers(value)).map(Self)
    }
}

/// The largest whole number below which all of them can be told as a float: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// The value with `3600.0` for the whole number that it is: JSON knows one kind of numbers only, and languages
/// with two write it so.
pub(crate) fn with_whole_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < WHOLE_MAX => {
                Value::from(float as i64)
            }
            _ => Value::Number(number),
        },
        Value::Array(values) => values.into_iter().map(with_whole_numbers).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            fields
                .map(|(name, value)| (name, with_whole_numbers(value)))
                .collect()
        }
        other => other,
    }
}

async fn whole(body: Body) -> Result<bytes::Bytes, Problem> {
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the request is larger than 1 MB",
        )),
        Err(_) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "the request broke off",
        )),
    }
}

/// A JSON value as a `T`, which is a struct.
pub(super) fn object<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    let Value::Object(given) = &value else {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "a JSON object is expected: {\"…\": …}",
        ));
    };
    let known = names::fields_of::<T>();
    if let Some(name) = given.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Problem::field(name, names::unknown(name, known)));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let (field, problem) = told(&error);
        match field.as_str() {
            "" => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, problem),
            field => Problem::field(field, problem),
        }
    })
}

/// Which field an error is about, and what is wrong with it.
fn told(error: &serde_path_to_error::Error<serde_json::Error>) -> (String, String) {
    let text = error.inner().to_string();
    if let Some(name) = text.strip_prefix("missing field `") {
        let name = name.trim_end_matches('`').to_owned();
        return (name, "is missing".to_owned());
    }
    let path = error.path().to_string();
    let path = if path == "." { String::new() } else { path };
    (path, plain(&text))
}

/// serde's words for types, in a person's words.
fn plain(text: &str) -> String {
    let Some((found, expected)) = text.rsplit_once(", expected ") else {
        return text.to_owned();
    };
    let expected = match expected {
        "u8" => "a whole number from 0 to 255",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" => "a whole number, not negative",
        "a string" => "text",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "a map" => "an object",
        other => other,
    };
    format!("{found}, expected {expected}")
}

/// The query as a `T`: only parameters that it knows.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut given: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes()) {
            if value.contains('\0') {
                return Err(Problem::parameter(&name, "contains a NUL character"));
            }
            let values = given.entry(name.into_owned()).or_default();
            values.push(Value::String(value.into_owned()));
        }
        let known = names::fields_of::<T>();
        if let Some(name) = given.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(Problem::parameter(name, names::unknown(name, known)));
        }
        let one_or_list = |values: Vec<Value>| match <[Value; 1]>::try_from(values) {
            Ok([one]) => one,
            Err(several) => Value::Array(several),
        };
        let object: Map<String, Value> = given
            .into_iter()
            .map(|(name, values)| (name, one_or_list(values)))
            .collect();
        let repeated = |name: &str| object.get(name).is_some_and(Value::is_array);
        serde_path_to_error::deserialize(Value::Object(object.clone()))
            .map(Self)
            .map_err(|error| {
                let (name, problem) = told(&error);
                if repeated(&name) {
                    return Problem::parameter(&name, "is given more than once");
                }
                Problem::parameter(&name, problem)
            })
    }
}

/// The one parameter in a path: an id, a slug or a name.
pub(super) struct Given(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Given {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::missing("thing"))?;
        Ok(Self(text))
    }
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Where to go on: `next_cursor` of the page before.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, format = "cursor", nullable = false)]
    pub(super) cursor: Option<Cursor>,
    /// How many items at most.
    #[serde(default, deserialize_with = "limit")]
    #[param(minimum = 1, maximum = 1000, default = 100, nullable = false)]
    pub(super) limit: Option<u32>,
}

impl PageQuery {
    pub(super) fn page(&self) -> PageRequest {
        page(self.cursor, self.limit)
    }
}

/// The page that `cursor` and `limit` ask for.
pub(super) fn page(cursor: Option<Cursor>, limit: Option<u32>) -> PageRequest {
    PageRequest::new(limit.unwrap_or(PageRequest::ITEMS_DEFAULT), cursor)
}

/// For `deserialize_with`: how many items, 1 to 1000.
pub(super) fn limit<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u32>, D::Error> {
    let text = String::deserialize(input)?;
    let number = text.parse().ok();
    let number = number.filter(|number| (1..=PageRequest::ITEMS_MAX).contains(number));
    number.map(Some).ok_or_else(|| {
        D::Error::custom(format!(
            "{text:?} is not a number from 1 to {}",
            PageRequest::ITEMS_MAX
        ))
    })
}

/// For `deserialize_with`: something that is read from a text.
pub(super) fn parsed<'de, D, T>(input: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(input)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

/// For `deserialize_with`: what is given must be something, and only a field that may be empty takes
/// `null`. Without it, `null` would mean "not given".
pub(super) fn given<'de, D, T>(input: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(input).map(Some)
}
