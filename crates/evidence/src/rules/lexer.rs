//! From characters to words, numbers and signs, each with its place.

use std::ops::Range;

use super::{Operator, RuleError};

/// A part of a rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A name or a keyword.
    Word(String),
    /// A name in quotes.
    Quoted(String),
    /// A number, without sign.
    Number(f64),
    Operator(Operator),
    Minus,
    Percent,
    Open,
    Close,
}

/// A part of a rule, and where it stands in bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) at: Range<usize>,
}

/// The longest number, in characters. What is printed of any number that was read fits into it, too.
const NUMBER_CHARS_MAX: usize = 32;

/// The greatest number: up to here whole numbers are exact, and a pebibyte is one of them.
pub(crate) const NUMBER_MAX: f64 = 1e15;

/// Cuts a rule into its parts.
pub(crate) fn cut(text: &str) -> Result<Vec<Placed>, RuleError> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(first) = text.get(at..).and_then(|rest| rest.chars().next()) {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let part = one(text, at, first)?;
        at = part.at.end;
        parts.push(part);
    }
    Ok(parts)
}

/// The part that starts at `start` with `first`.
fn one(text: &str, start: usize, first: char) -> Result<Placed, RuleError> {
    if first.is_ascii_digit() {
        return number(text, start);
    }
    if first.is_alphabetic() || first == '_' {
        // A unit that follows its number directly ends where the next number starts: 1h30m.
        let after_number = text[..start].ends_with(|before: char| before.is_ascii_digit());
        let length = length_of(&text[start..], |c| {
            c.is_alphabetic() || (!after_number && (c.is_alphanumeric() || "_.-".contains(c)))
        });
        let at = start..start + length;
        let token = Token::Word(text[at.clone()].to_owned());
        return Ok(Placed { token, at });
    }
    if first == '"' {
        return quoted(text, start);
    }
    sign(text, start, first)
}

/// How many bytes at the start of a text are of this sort.
fn length_of(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn number(text: &str, start: usize) -> Result<Placed, RuleError> {
    let length = length_of(&text[start..], |c| c.is_ascii_digit() || ".,_'".contains(c));
    let at = start..start + length;
    let digits = &text[at.clone()];
    if let Some(grouped) = digits.find([',', '_', '\'']) {
        let place = start + grouped..start + grouped + 1;
        let message = "numbers are written with digits only, and a point before a fraction";
        return Err(RuleError::new(text, place, message));
    }
    if digits.len() > NUMBER_CHARS_MAX {
        return Err(RuleError::new(text, at, "this number is too long"));
    }
    match digits.parse() {
        Ok(number) if number > NUMBER_MAX => {
            Err(RuleError::new(text, at, "this number is too great"))
        }
        Ok(number) => Ok(Placed {
            token: Token::Number(number),
            at,
        }),
        Err(_) => Err(RuleError::new(text, at, "this is not a number")),
    }
}

/// A text in quotes, escaped as in JSON.
fn quoted(text: &str, start: usize) -> Result<Placed, RuleError> {
    let mut escaped = false;
    let body = &text[start + 1..];
    let end = body.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    let Some(end) = end else {
        let message = "the quote that is opened here is never closed";
        return Err(RuleError::new(text, start..start + 1, message));
    };
    let at = start..start + 1 + end + 1;
    match serde_json::from_str(&text[at.clone()]) {
        Ok(name) => Ok(Placed {
            token: Token::Quoted(name),
            at,
        }),
        Err(_) => Err(RuleError::new(
            text,
            at,
            "what stands in quotes is read as in JSON: a backslash is written \\\\",
        )),
    }
}

fn sign(text: &str, start: usize, first: char) -> Result<Placed, RuleError> {
    let length = length_of(&text[start..], |c| "<>=!≥≤≠".contains(c)).max(first.len_utf8());
    let at = start..start + length;
    let token = match &text[at.clone()] {
        ">" => Token::Operator(Operator::More),
        ">=" | "≥" => Token::Operator(Operator::AtLeast),
        "<" => Token::Operator(Operator::Less),
        "<=" | "≤" => Token::Operator(Operator::AtMost),
        "==" | "=" => Token::Operator(Operator::Equal),
        "!=" | "≠" => Token::Operator(Operator::NotEqual),
        "%" => Token::Percent,
        "(" => Token::Open,
        ")" => Token::Close,
        "-" => Token::Minus,
        other => {
            let meant = match other {
                "=>" => Some(">="),
                "=<" => Some("<="),
                "<>" | "!" => Some("!="),
                "===" => Some("=="),
                _ => None,
            };
            let error = RuleError::new(text, at, format!("{other} is not understood"));
            return Err(match meant {
                Some(meant) => error.suggesting(meant),
                None => error,
            });
        }
    };
    Ok(Placed { token, at })
}
