//! Checking what a person filled in for a channel.

use std::collections::BTreeMap;

use lettre::Address;
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};

use crate::catalogue::FieldError;
use crate::http::{self, BodyType};
use crate::kind::{Field, FieldType, Kind, Transport};
use crate::net::check_port;
use crate::payload;
use crate::template::{Template, texts_in};

/// The longest value of a field, in bytes.
const FIELD_BYTES_MAX: usize = 16_384;
/// The most addresses of one e-mail channel: one mail must reach all of them in one attempt.
const EMAILS_MAX: usize = 20;
/// The most extra headers of one channel.
const HEADERS_MAX: usize = 30;
/// How alike two names must be to be taken for a typing error (Damerau-Levenshtein; 1 is equal).
const ALIKE: f64 = 0.5;

/// See [`crate::Catalogue::check`].
pub(crate) fn check(
    kind: &Kind,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, FieldError> {
    if let Some(unknown) = given.keys().find(|name| kind.field(name).is_none()) {
        let names = kind.fields.iter().map(|field| field.name.as_str());
        let problem = format!(
            "{} has no such field; {}",
            kind.name,
            nearest(unknown, names)
        );
        return Err(FieldError {
            field: unknown.clone(),
            problem,
        });
    }
    let mut checked = BTreeMap::new();
    for field in &kind.fields {
        let value = given.get(&field.name).map_or("", |value| value.trim());
        let value = if value.is_empty() {
            field.default.as_deref().unwrap_or("")
        } else {
            value
        };
        let problem = |problem| FieldError {
            field: field.name.clone(),
            problem,
        };
        if value.is_empty() {
            if field.required {
                return Err(problem(format!("is required. {}", field.help)));
            }
            continue;
        }
        let tidy = check_value(field, value).map_err(problem)?;
        checked.insert(field.name.clone(), tidy);
    }
    check_body(kind, &checked)?;
    Ok(checked)
}

/// "did you mean …", or all that there is.
pub(crate) fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut known: Vec<(f64, &str)> = known
        .map(|name| (strsim::normalized_damerau_levenshtein(typed, name), name))
        .collect();
    known.sort_by(|a, b| b.0.total_cmp(&a.0));
    match known.first() {
        Some((alike, name)) if *alike >= ALIKE => format!("did you mean {name:?}?"),
        _ => {
            let mut names: Vec<&str> = known.iter().map(|(_, name)| *name).collect();
            names.sort_unstable();
            format!("there is {}", names.join(", "))
        }
    }
}

fn check_value(field: &Field, value: &str) -> Result<String, String> {
    if value.len() > FIELD_BYTES_MAX {
        return Err(format!("is longer than {FIELD_BYTES_MAX} bytes"));
    }
    let lines = matches!(field.field_type, FieldType::Headers | FieldType::Template);
    let allowed = |c: char| !c.is_control() || (lines && matches!(c, '\n' | '\r' | '\t'));
    if !value.chars().all(allowed) {
        return Err("contains a line break or another control character".to_owned());
    }
    match field.field_type {
        FieldType::Text => Ok(value.to_owned()),
        FieldType::Url if value.contains("{{") => Err("takes no placeholders".to_owned()),
        FieldType::Url => check_url(value).map(|()| value.to_owned()),
        FieldType::UrlTemplate => check_url_template(value).map(|()| value.to_owned()),
        FieldType::Choice if field.choices.iter().any(|choice| choice == value) => {
            Ok(value.to_owned())
        }
        FieldType::Choice => Err(format!("must be one of {}", field.choices.join(", "))),
        FieldType::Headers => check_headers(value).map(|()| value.to_owned()),
        FieldType::Template => check_template(value).map(|()| value.to_owned()),
        FieldType::Emails => check_emails(value),
    }
}

/// Checks the syntax of a URL. Where its host leads is checked at every dial, because that changes.
fn check_url(value: &str) -> Result<(), String> {
    let url = Url::parse(value)
        .map_err(|error| format!("is not a URL ({error}); write https://host/path"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with https:// or http://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user or password; send them in a header".to_owned());
    }
    url.port_or_known_default().map_or(Ok(()), check_port)
}

fn check_url_template(value: &str) -> Result<(), String> {
    let template = Template::parse(value)?;
    check_placeholders(&template)?;
    let authority_ends = value
        .find("://")
        .and_then(|scheme| {
            value[scheme + 3..]
                .find(['/', '?', '#'])
                .map(|end| scheme + 3 + end)
        })
        .unwrap_or(value.len());
    if value.find("{{").is_some_and(|first| first < authority_ends) {
        return Err("placeholders may stand in the path and the query only".to_owned());
    }
    check_url(&template.fill_url(&serde_json::Value::Null))
}

fn check_template(value: &str) -> Result<(), String> {
    check_placeholders(&Template::parse(value)?)
}

/// A channel's own placeholders are about the message; the kind's `field.` and `by_event.` are not.
fn check_placeholders(template: &Template) -> Result<(), String> {
    match template.paths().find(|path| !payload::is_path(path)) {
        None => Ok(()),
        Some(path) => Err(format!(
            "{{{{{path}}}}} is unknown; {}",
            nearest(path, payload::PATHS.iter().copied())
        )),
    }
}

fn check_headers(value: &str) -> Result<(), String> {
    let headers = http::header_lines(value)?;
    if headers.len() > HEADERS_MAX {
        return Err(format!("has more than {HEADERS_MAX} headers"));
    }
    for (name, value) in headers {
        let known = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("{name:?} is not a header's name"))?;
        if http::SET_BY_US.contains(&known) {
            return Err(format!("{name}: is set by Nightbeat itself"));
        }
        check_template(value)?;
        HeaderValue::from_str(value).map_err(|_| {
            format!("{name}: its value contains a character that no header may contain")
        })?;
    }
    Ok(())
}

fn check_emails(value: &str) -> Result<String, String> {
    let texts = value
        .split([',', ';', ' ', '\t'])
        .filter(|text| !text.is_empty());
    let mut addresses: Vec<String> = Vec::new();
    for text in texts {
        let address: Address = text
            .parse()
            .map_err(|_| format!("{text:?} is not an e-mail address; write name@example.org"))?;
        let address = address.to_string();
        if !address.is_ascii() {
            return Err(format!(
                "{address:?} is not plain ASCII; write its domain as xn--…"
            ));
        }
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() || addresses.len() > EMAILS_MAX {
        return Err(format!("takes 1 to {EMAILS_MAX} addresses"));
    }
    Ok(addresses.join(", "))
}

/// A body of one's own must fit the content type that stands in the headers.
fn check_body(kind: &Kind, checked: &BTreeMap<String, String>) -> Result<(), FieldError> {
    let Transport::Http(http) = &kind.transport else {
        return Ok(());
    };
    let Some((name, body)) = filled(checked, http.request.body_field.as_ref()) else {
        return Ok(());
    };
    let headers =
        filled(checked, http.request.headers_field.as_ref()).map_or("", |(_, headers)| headers);
    let wrong = |problem| FieldError {
        field: name.clone(),
        problem,
    };
    if BodyType::of_headers(headers).map_err(wrong)? != BodyType::Json {
        return Ok(());
    }
    let json: serde_json::Value = serde_json::from_str(body).map_err(|error| {
        wrong(format!(
            "is not JSON ({error}). Write placeholders in quotes: \"{{{{incident}}}}\" becomes an object all the same. For another format add the header Content-Type: text/plain"
        ))
    })?;
    for text in texts_in(&json) {
        check_template(text).map_err(wrong)?;
    }
    Ok(())
}

fn filled<'a>(
    checked: &'a BTreeMap<String, String>,
    field: Option<&'a String>,
) -> Option<(&'a String, &'a String)> {
    let name = field?;
    Some((name, checked.get(name)?))
}
