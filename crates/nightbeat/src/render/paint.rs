//! Colours, and text that cannot play tricks on a terminal.

/// A colour of the terminal's own palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// As it should be.
    Green,
    /// To look at.
    Yellow,
    /// Wrong.
    Red,
    /// Not known.
    Magenta,
    /// Not so important.
    Dim,
    /// A heading.
    Bold,
}

impl Paint {
    /// `text` in this colour, where `colour` is wanted.
    pub(crate) fn apply(self, text: &str, colour: bool) -> String {
        if !colour {
            return text.to_owned();
        }
        let code = match self {
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Red => 31,
            Self::Magenta => 35,
            Self::Dim => 2,
            Self::Bold => 1,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// The colour of a status, an incident's claim, a signal's kind or a delivery's state.
pub(crate) fn status_paint(status: &str) -> Option<Paint> {
    Some(match status {
        "up" | "success" | "ok" | "sent" => Paint::Green,
        "late" | "warning" => Paint::Yellow,
        "down" | "fail" | "failed" | "failing" => Paint::Red,
        "unverified" => Paint::Magenta,
        "paused" | "new" | "cancelled" | "log" => Paint::Dim,
        _ => return None,
    })
}

/// `text` on one line, without characters that would move the cursor or turn the direction of what
/// follows: names and job output come from others.
pub(crate) fn clean(text: &str) -> String {
    let harmless = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.trim_end().chars().map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_only_where_it_is_wanted() {
        assert_eq!(Paint::Red.apply("down", false), "down");
        assert_eq!(Paint::Red.apply("down", true), "\u{1b}[31mdown\u{1b}[0m");
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(
            clean("a\u{1b}[2Jb\nc\u{202e}d\n"),
            "a\u{fffd}[2Jb c\u{fffd}d"
        );
        assert_eq!(clean("größer 日本"), "größer 日本");
    }
}
