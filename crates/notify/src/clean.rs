//! Making names and job output fit to be shown: no control characters, no signal URLs.

use std::iter::Peekable;
use std::str::Chars;

use nightbeat_domain::HeartbeatId;

/// The longest name or other single line in a text, in characters.
const LINE_CHARS_MAX: usize = 200;
/// The longest reason for an alert, in characters: room for the steps of a script that all failed.
const REASON_CHARS_MAX: usize = 1_000;
/// How many of the last lines of a job's output are shown.
pub(crate) const OUTPUT_LINES_MAX: usize = 10;
/// How much of a text is looked at, in bytes: far more than is shown.
const INPUT_BYTES_MAX: usize = 16_384;
/// What stands in the place of a secret.
const HIDDEN: &str = "[hidden]";
/// What a signal URL's secret stands behind, in lower case.
const SIGNAL_PATHS: [&str; 2] = ["/api/heartbeat/", "/ping/"];
/// From this many characters on, what stands behind a signal path is taken for a secret. A UUID has
/// 32 or 36, a ping key 22.
const SECRET_CHARS_MIN: usize = 16;

/// `text` as one line that can be shown anywhere. `own` is the id of the heartbeat it is about, which
/// is a secret too.
pub(crate) fn clean_line(text: &str, own: Option<HeartbeatId>) -> String {
    one_line(text, own, LINE_CHARS_MAX)
}

/// The same for what is the news itself, which may be longer.
pub(crate) fn clean_reason(text: &str, own: Option<HeartbeatId>) -> String {
    one_line(text, own, REASON_CHARS_MAX)
}

fn one_line(text: &str, own: Option<HeartbeatId>, chars: usize) -> String {
    let head = &text[..char_boundary_below(text, INPUT_BYTES_MAX)];
    let text = hide_secrets(&strip(head), own);
    let words: Vec<&str> = text.split_whitespace().collect();
    shorten(&words.join(" "), chars)
}

/// The last lines of a job's output, each as [`clean_line`] would, with their indentation.
pub(crate) fn clean_output(text: &str, own: HeartbeatId) -> Vec<String> {
    let text = hide_secrets(&strip(tail(text)), Some(own));
    let mut lines: Vec<String> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .rev()
        .take(OUTPUT_LINES_MAX)
        .map(|line| shorten(&line.replace('\t', "    "), LINE_CHARS_MAX))
        .collect();
    lines.reverse();
    lines
}

/// The last character's beginning at or before the byte `index`.
pub(crate) fn char_boundary_below(text: &str, index: usize) -> usize {
    (0..=index.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

/// The last [`INPUT_BYTES_MAX`] of `text`, from a word's beginning: half a signal URL would not be known
/// as one.
fn tail(text: &str) -> &str {
    if text.len() <= INPUT_BYTES_MAX {
        return text;
    }
    let tail = &text[char_boundary_below(text, text.len() - INPUT_BYTES_MAX)..];
    tail.split_once(char::is_whitespace)
        .map_or("", |(_, whole)| whole)
}

fn shorten(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some((cut, _)) => format!("{}…", &text[..cut]),
    }
}

/// Takes out terminal escape sequences and every control character but line break and tab, and the
/// marks that turn the direction of writing (they make a text read as another one). A lone carriage
/// return, as progress bars send, becomes a line break.
fn strip(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            '\u{9b}' => skip_control_sequence(&mut rest),
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' | '\t' => clean.push(c),
            '\r' | '\u{2028}' | '\u{2029}' => clean.push('\n'),
            c if c.is_control() || is_invisible(c) => {}
            c => clean.push(c),
        }
    }
    clean
}

/// Direction marks and overrides, and characters that take no room at all.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// Behind ESC (ECMA-48): a control sequence, a string up to its end, or one character.
fn skip_escape(rest: &mut Peekable<Chars<'_>>) {
    match rest.next() {
        Some('[') => skip_control_sequence(rest),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(rest),
        Some(intermediate) if (' '..='/').contains(&intermediate) => {
            rest.next();
        }
        _ => {}
    }
}

/// Parameters and intermediates (0x20–0x3f), then one final byte (0x40–0x7e).
fn skip_control_sequence(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| (' '..='?').contains(c)).is_some() {}
    rest.next_if(|c| ('@'..='~').contains(c));
}

/// Up to BEL or ESC \; a string that is not closed ends at its line's end, so that it hides no more.
fn skip_string(rest: &mut Peekable<Chars<'_>>) {
    while let Some(c) = rest.next_if(|c| *c != '\n') {
        match c {
            '\u{7}' => return,
            '\u{1b}' => {
                rest.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

/// Takes out what opens a signal URL: whatever stands behind its path, and the heartbeat's own id
/// wherever it stands.
fn hide_secrets(text: &str, own: Option<HeartbeatId>) -> String {
    let mut text = text.to_owned();
    if let Some(own) = own {
        text = replace_ignoring_case(&text, &own.0.hyphenated().to_string());
        text = replace_ignoring_case(&text, &own.0.simple().to_string());
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(secret) = signal_path_end(rest) {
        let (before, after) = rest.split_at(secret);
        let token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let length = after.find(|c| !token(c)).unwrap_or(after.len());
        clean.push_str(before);
        clean.push_str(if length < SECRET_CHARS_MIN {
            &after[..length]
        } else {
            HIDDEN
        });
        rest = &after[length..];
    }
    clean + rest
}

/// Where the first signal path in `text` ends, and its secret begins.
fn signal_path_end(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let found = |path: &&str| lower.find(*path).map(|start| start + path.len());
    SIGNAL_PATHS.iter().filter_map(found).min()
}

fn replace_ignoring_case(text: &str, secret: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut clean = String::with_capacity(text.len());
    let mut copied = 0;
    for (start, _) in lower.match_indices(secret) {
        clean.push_str(&text[copied..start]);
        clean.push_str(HIDDEN);
        copied = start + secret.len();
    }
    clean.push_str(&text[copied..]);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4c1e8f9a-1b2c-4d3e-8f90-0123456789ab";

    fn own() -> HeartbeatId {
        ID.parse().unwrap()
    }

    #[test]
    fn control_characters_and_escape_sequences_go() {
        for (dirty, clean) in [
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{9b}31mred", "red"),
            ("\u{1b}]0;title\u{7}shown", "shown"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}(Bplain", "plain"),
            ("a\u{0}b\u{8}c\u{7f}d\u{85}", "abcd"),
            ("safe\u{202e}gpj.exe\u{2066}\u{200f}", "safegpj.exe"),
            ("two\r\nlines\tand   spaces", "two lines and spaces"),
            ("日本語 émoji 👩‍💻", "日本語 émoji 👩‍💻"),
        ] {
            assert_eq!(clean_line(dirty, None), clean);
        }
    }

    #[test]
    fn an_open_escape_string_hides_nothing_but_its_line() {
        let output = clean_output("\u{1b}]0;open\nshown", own());
        assert_eq!(output, ["shown"]);
    }

    #[test]
    fn signal_urls_are_hidden_in_every_spelling() {
        for dirty in [
            format!("https://h/api/heartbeat/{ID}"),
            format!("https://h/API/Heartbeat/{}/fail", ID.to_uppercase()),
            format!("https://h/ping/{}?rid=1", ID.replace('-', "")),
            "https://h/ping/0d9e8f9a-1b2c-4d3e-8f90-0123456789ab/0".to_owned(),
            "https://h/ping/kq3Zp0aXw91LmNvT5uYbRd/nightly".to_owned(),
            format!("bare https://hc.example/{ID}/start"),
            format!("/api/heart\u{1b}[0mbeat/\u{200b}{ID}"),
            format!("/ping/{ID}/ping/{ID}"),
        ] {
            let clean = clean_line(&dirty, Some(own()));
            assert!(clean.contains(HIDDEN), "{dirty}: {clean}");
            assert!(!clean.to_lowercase().contains("1b2c"), "{dirty}: {clean}");
            assert!(!clean.contains("kq3Z"), "{dirty}: {clean}");
        }
    }

    #[test]
    fn other_ids_and_paths_stay() {
        for text in [
            "snapshot 0d9e8f9a-1b2c-4d3e-8f90-0123456789ab saved",
            "GET /ping/ok, /api/heartbeat/, /pingpong",
            "ünïcode İ /ping/x",
        ] {
            assert_eq!(clean_line(text, Some(own())), text);
        }
    }

    #[test]
    fn only_the_last_lines_of_an_output_stay() {
        let output: Vec<String> = (1..=30).map(|n| format!("line {n}")).collect();
        let output = output.join("\n\n");
        let lines = clean_output(&output, own());
        assert_eq!(lines.len(), OUTPUT_LINES_MAX);
        assert_eq!(lines[0], "line 21");
        assert_eq!(lines[9], "line 30");
    }

    #[test]
    fn a_progress_bar_leaves_its_last_states() {
        let lines = clean_output("10 %\r50 %\r100 %\ndone", own());
        assert_eq!(lines, ["10 %", "50 %", "100 %", "done"]);
    }

    #[test]
    fn a_huge_output_is_cut_at_a_word_and_hides_its_secrets_all_the_same() {
        let url = "https://h/ping/0d9e8f9a-1b2c-4d3e-8f90-0123456789ab";
        for padding in 0..url.len() {
            let output = format!("{url} {}", "x".repeat(INPUT_BYTES_MAX - padding));
            let shown = clean_output(&output, own()).join("\n");
            assert!(!shown.contains("0123456789ab"), "{padding}: {shown}");
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let line = clean_line(&"ä".repeat(500), None);
        assert_eq!(line.chars().count(), LINE_CHARS_MAX + 1);
        assert!(line.ends_with('…'));
    }
}
