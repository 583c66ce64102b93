//! The picture of a badge. Pure.

use askama::Template;

/// The longest label that is drawn.
const LABEL_CHARS_MAX: usize = 60;
/// The room on both sides of a text.
const PADDING: u32 = 10;

/// A badge of two fields: what, and how it is. `textLength` makes the text fit whatever font there is.
#[derive(Template)]
#[template(
    ext = "svg",
    escape = "html",
    source = r##"<svg xmlns="http://www.w3.org/2000/svg" width="{{ width }}" height="20" role="img" aria-label="{{ label }}: {{ state }}"><title>{{ label }}: {{ state }}</title><clipPath id="r"><rect width="{{ width }}" height="20" rx="3"/></clipPath><g clip-path="url(#r)"><rect width="{{ left }}" height="20" fill="#4b5563"/><rect x="{{ left }}" width="{{ right }}" height="20" fill="{{ color }}"/></g><g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11"><text x="{{ left_middle }}" y="14" textLength="{{ left_text }}">{{ label }}</text><text x="{{ right_middle }}" y="14" textLength="{{ right_text }}">{{ state }}</text></g></svg>
"##
)]
struct Picture<'a> {
    label: &'a str,
    state: &'a str,
    color: &'static str,
    width: u32,
    left: u32,
    right: u32,
    left_text: u32,
    right_text: u32,
    left_middle: u32,
    right_middle: u32,
}

/// A badge that says that `label` is in this state: `up`, `late` or `down`.
pub(super) fn picture(label: &str, state: &str) -> String {
    let label = match label.char_indices().nth(LABEL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &label[..end]),
        None => label.to_owned(),
    };
    let (left_text, right_text) = (width_of(&label), width_of(state));
    let (left, right) = (left_text + PADDING, right_text + PADDING);
    let picture = Picture {
        label: &label,
        state,
        color: match state {
            "down" => "#b91c1c",
            "late" => "#b45309",
            _ => "#15803d",
        },
        width: left + right,
        left,
        right,
        left_text,
        right_text,
        left_middle: left / 2,
        right_middle: left + right / 2,
    };
    picture.render().unwrap_or_else(|error| {
        // Writing to a String fails only where a value cannot be shown, and texts and numbers can.
        tracing::error!(%error, "a badge could not be drawn");
        String::new()
    })
}

/// About how wide a text is in Verdana of 11 pixels.
fn width_of(text: &str) -> u32 {
    text.chars()
        .map(|letter| match letter {
            'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | 'f' | 't'
            | 'r' | '(' | ')' | '[' | ']' => 5,
            'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 10,
            'A'..='Z' => 8,
            letter if letter.is_ascii() => 7,
            _ => 11,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_says_what_and_how_and_is_escaped() {
        let picture = picture("a<b> & \"c\"", "down");
        assert!(
            picture.contains("#b91c1c") && picture.contains(">down</text>"),
            "{picture}"
        );
        assert!(
            !picture.contains("<b>") && !picture.contains("\"c\""),
            "{picture}"
        );
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    }

    #[test]
    fn a_long_label_is_cut() {
        let picture = picture(&"é".repeat(1_000), "up");
        assert!(picture.len() < 2_000, "{}", picture.len());
        assert!(picture.contains('…'));
    }
}
