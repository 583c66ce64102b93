//! Placeholders: `{{heartbeat.name}}` becomes a value. There is no logic in a template, and the place
//! a value goes to decides how it is escaped.

use std::fmt::Write as _;

use serde_json::Value;

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// A dotted path into the values.
    Placeholder(String),
}

/// How a value is written into the text around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// As it is: plain text, a header value (whose line breaks are refused where it is built).
    None,
    /// Percent-encoded: one component of a URL or of a form.
    UrlComponent,
}

impl Template {
    /// Reads a template. The error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{") {
            let (literal, opened) = rest.split_at(start);
            let Some((inside, after)) = opened[2..].split_once("}}") else {
                return Err("a placeholder is not closed: write {{name}}".to_owned());
            };
            let path = inside.trim();
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
            if path.is_empty() || !path.chars().all(plain) {
                return Err(format!(
                    "{{{{{inside}}}}} is not a placeholder: write {{{{name}}}}"
                ));
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            pieces.push(Piece::Placeholder(path.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Self { pieces })
    }

    /// The paths of all placeholders.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Placeholder(path) => Some(path.as_str()),
        })
    }

    /// The text with every value filled in.
    pub(crate) fn fill(&self, values: &Value, escape: Escape) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Placeholder(path) => {
                    let value = plain(look_up(values, path));
                    match escape {
                        Escape::None => text.push_str(&value),
                        Escape::UrlComponent => text.push_str(&percent_encode(&value)),
                    }
                }
            }
        }
        text
    }

    /// The text as a URL: a placeholder that stands first is the start of the URL and goes in as it
    /// is; every other is one component.
    pub(crate) fn fill_url(&self, values: &Value) -> String {
        match self.pieces.split_first() {
            Some((Piece::Placeholder(path), rest)) => {
                let rest = Self {
                    pieces: rest.to_vec(),
                };
                plain(look_up(values, path)) + &rest.fill(values, Escape::UrlComponent)
            }
            _ => self.fill(values, Escape::UrlComponent),
        }
    }

    /// The text as a JSON value. A text that is nothing but one placeholder becomes that value with
    /// its type: an object, a list, a number, `null`.
    fn fill_json(&self, values: &Value) -> Value {
        match self.pieces.as_slice() {
            [Piece::Placeholder(path)] => look_up(values, path).clone(),
            _ => Value::String(self.fill(values, Escape::None)),
        }
    }

    /// Whether it has placeholders and all of them are empty.
    pub(crate) fn is_void(&self, values: &Value) -> bool {
        let mut paths = self.paths().peekable();
        paths.peek().is_some() && paths.all(|path| plain(look_up(values, path)).is_empty())
    }
}

/// `json` with the placeholders in all of its texts filled in. Escaping is not needed: a value never
/// becomes anything but the text or the value it is.
pub(crate) fn fill_json(json: &Value, values: &Value) -> Result<Value, String> {
    Ok(match json {
        Value::String(text) => Template::parse(text)?.fill_json(values),
        Value::Array(items) => items
            .iter()
            .map(|item| fill_json(item, values))
            .collect::<Result<_, _>>()?,
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| Ok((name.clone(), fill_json(member, values)?)))
            .collect::<Result<_, String>>()?,
        other => other.clone(),
    })
}

/// The texts in `json` that may hold placeholders.
pub(crate) fn texts_in(json: &Value) -> Vec<&str> {
    match json {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts_in).collect(),
        Value::Object(members) => members.values().flat_map(texts_in).collect(),
        _ => Vec::new(),
    }
}

fn look_up<'a>(values: &'a Value, path: &str) -> &'a Value {
    path.split('.')
        .try_fold(values, |value, name| value.get(name))
        .unwrap_or(&Value::Null)
}

/// A value in the middle of a text.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            texts.join(", ")
        }
        other => other.to_string(),
    }
}

/// Everything but the unreserved characters of RFC 3986 as `%XX` of its UTF-8 bytes.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values() -> Value {
        json!({
            "title": "DOWN: \"db\" & {{title}}",
            "url": "https://h.example/a?b=c",
            "heartbeat": {"name": "näch/tlich", "tags": ["a", "b"]},
            "incident": null,
            "n": 5,
        })
    }

    fn fill(text: &str, escape: Escape) -> String {
        Template::parse(text).unwrap().fill(&values(), escape)
    }

    #[test]
    fn values_go_in_once_and_are_not_read_as_templates() {
        assert_eq!(
            fill("[{{ title }}]", Escape::None),
            "[DOWN: \"db\" & {{title}}]"
        );
        assert_eq!(
            fill(
                "{{heartbeat.tags}} {{n}} {{incident}}{{nothing.here}}.",
                Escape::None
            ),
            "a, b 5 ."
        );
    }

    #[test]
    fn a_url_component_cannot_leave_its_place() {
        assert_eq!(
            fill("/x/{{heartbeat.name}}?t={{title}}", Escape::UrlComponent),
            "/x/n%C3%A4ch%2Ftlich?t=DOWN%3A%20%22db%22%20%26%20%7B%7Btitle%7D%7D"
        );
        let url = Template::parse("{{url}}/{{url}}")
            .unwrap()
            .fill_url(&values());
        assert_eq!(
            url,
            "https://h.example/a?b=c/https%3A%2F%2Fh.example%2Fa%3Fb%3Dc"
        );
    }

    #[test]
    fn json_keeps_types_and_needs_no_escaping() {
        let body = json!({"a": "{{title}}", "b": ["{{n}}", "n={{n}}"], "c": "{{heartbeat}}", "d": "{{incident}}", "e": 1});
        assert_eq!(
            fill_json(&body, &values()).unwrap(),
            json!({
                "a": "DOWN: \"db\" & {{title}}", "b": [5, "n=5"],
                "c": {"name": "näch/tlich", "tags": ["a", "b"]}, "d": null, "e": 1
            })
        );
    }

    #[test]
    fn a_broken_placeholder_is_refused() {
        for text in [
            "{{",
            "a {{title",
            "{{}}",
            "{{ti tle}}",
            "{{#if x}}",
            "{{{title}}}",
        ] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
        assert!(Template::parse("{\"a\": {\"b\": 1}} }}").is_ok());
    }

    #[test]
    fn a_text_is_void_when_all_its_placeholders_are_empty() {
        let void = |text| Template::parse(text).unwrap().is_void(&values());
        assert!(void("Bearer {{incident}}"));
        assert!(!void("Bearer {{n}}"));
        assert!(!void("constant"));
    }
}
