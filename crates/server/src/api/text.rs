//! Bounds of the texts that people type.

use super::problem::Problem;

/// The longest name.
pub(crate) const NAME_CHARS_MAX: usize = 200;

/// One line of 1 to `chars_max` characters, without white space around it.
pub(crate) fn line(field: &str, text: &str, chars_max: usize) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Problem::field(field, "is empty"));
    }
    if text.chars().any(char::is_control) {
        let problem = "contains a line break or another control character";
        return Err(Problem::field(field, problem));
    }
    no_longer(field, text, chars_max)
}

/// A text of up to `chars_max` characters, which may have several lines or be empty.
pub(crate) fn lines(field: &str, text: &str, chars_max: usize) -> Result<String, Problem> {
    let fits = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    if !text.chars().all(fits) {
        return Err(Problem::field(field, "contains a control character"));
    }
    no_longer(field, text, chars_max)
}

fn no_longer(field: &str, text: &str, chars_max: usize) -> Result<String, Problem> {
    if text.chars().nth(chars_max).is_some() {
        let problem = format!("is longer than {chars_max} characters");
        return Err(Problem::field(field, problem));
    }
    Ok(text.to_owned())
}
