//! What people write where an expression is wanted: helpers for both kinds.

/// What to say of `@reboot`.
pub(crate) const REBOOT: &str =
    "@reboot is the start of the machine, not a time: there is no instant to wait for";

/// Characters that look like others, and come with text copied from a web page or a word processor.
const LOOKALIKES: [(char, &str); 9] = [
    ('\u{2013}', "-"),
    ('\u{2014}', "-"),
    ('\u{2212}', "-"),
    ('\u{2026}', ".."),
    ('\u{2217}', "*"),
    ('\u{a0}', " "),
    ('\u{3000}', " "),
    ('\u{feff}', ""),
    ('\u{200b}', ""),
];

/// A character that cannot be right in any expression, what it is called, and where it stands.
pub(crate) fn foreign(text: &str) -> Option<(usize, char, &'static str)> {
    text.char_indices().find_map(|(at, character)| {
        let what = match character {
            '\r' => "a carriage return (a Windows line end)",
            '\u{a0}' | '\u{3000}' => "a blank that is not a plain space",
            '\u{2013}' | '\u{2014}' | '\u{2212}' => "a dash that is not a plain hyphen",
            '\u{feff}' | '\u{200b}' => "an invisible character",
            '\'' | '"' | '`' | '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' => {
                "a quotation mark"
            }
            _ => return None,
        };
        Some((at, character, what))
    })
}

/// The text with lookalikes replaced, quotation marks and carriage returns dropped, and trimmed.
pub(crate) fn cleaned(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        let lookalike = LOOKALIKES.iter().find(|(one, _)| *one == character);
        match (lookalike, character) {
            (Some((_, plain)), _) => clean.push_str(plain),
            (None, '\r' | '\'' | '"' | '`' | '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}') => {
            }
            (None, character) => clean.push(character),
        }
    }
    clean.trim().to_owned()
}

/// A time of day as people write it: `2am`, `2:30 pm`, `14:30`, `02:30h`, `noon`. Hour and minute.
pub(crate) fn clock_time(text: &str) -> Option<(u8, u8)> {
    let text = text.trim().to_ascii_lowercase();
    match &*text {
        "midnight" => return Some((0, 0)),
        "noon" | "midday" => return Some((12, 0)),
        _ => {}
    }
    let (digits, half) = if let Some(digits) = text.strip_suffix("am") {
        (digits, Some(0))
    } else if let Some(digits) = text.strip_suffix("pm") {
        (digits, Some(12))
    } else {
        (text.strip_suffix('h').unwrap_or(&text), None)
    };
    let digits = digits.trim_end();
    let (hour, minute) = match digits.split_once([':', '.', 'h']) {
        Some((hour, minute)) if minute.len() == 2 => (hour, minute.parse().ok()?),
        // A number alone is a time only with am or pm, or with an h.
        None if half.is_some() || text.ends_with('h') => (digits, 0),
        _ => return None,
    };
    let hour: u8 = hour.parse().ok()?;
    let hour = match half {
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(half) => hour % 12 + half,
        None => hour,
    };
    (hour < 24 && minute < 60).then_some((hour, minute))
}

/// `every 5 minutes`, `each hour`, `5 minutes`: the number and the unit without its plural s.
pub(crate) fn every(text: &str) -> Option<(u32, String)> {
    let text = text.trim().to_ascii_lowercase();
    let rest = text
        .strip_prefix("every ")
        .or_else(|| text.strip_prefix("each "))
        .or_else(|| {
            text.starts_with(|it: char| it.is_ascii_digit())
                .then_some(&*text)
        })?
        .trim();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = rest.split_at(digits);
    let number = if number.is_empty() {
        1
    } else {
        number.parse().ok()?
    };
    let unit = unit.trim();
    Some((number, unit.trim_end_matches('s').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_time_is_read_as_people_write_it() {
        assert_eq!(clock_time("2am"), Some((2, 0)));
        assert_eq!(clock_time("2:30 PM"), Some((14, 30)));
        assert_eq!(clock_time("12am"), Some((0, 0)));
        assert_eq!(clock_time("12pm"), Some((12, 0)));
        assert_eq!(clock_time("14:30"), Some((14, 30)));
        assert_eq!(clock_time("2h30"), Some((2, 30)));
        assert_eq!(clock_time("noon"), Some((12, 0)));
        for wrong in ["", "2", "25:00", "13pm", "0am", "1:2", "2:60", "am", "é"] {
            assert_eq!(clock_time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_takes_a_number_or_none() {
        assert_eq!(every("every 5 minutes"), Some((5, "minute".into())));
        assert_eq!(every("Every hour"), Some((1, "hour".into())));
        assert_eq!(every("every 15min"), Some((15, "min".into())));
        assert_eq!(every("15 minutes"), Some((15, "minute".into())));
        assert_eq!(every("daily"), None);
        assert_eq!(every("every few days"), Some((1, "few day".into())));
    }
}
