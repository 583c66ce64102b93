//! Instants as pages show them.

use std::fmt;

use nightbeat_domain::UnixMicros;

/// An instant: RFC 3339 for the browser, which tells it in the reader's own zone, and UTC for whoever has no
/// JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(pub(super) UnixMicros);

impl Moment {
    /// RFC 3339, for the attribute `datetime`.
    pub(super) fn exact(self) -> String {
        self.0.to_string()
    }
}

/// To the minute: `2026-11-22 02:00 UTC`.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.exact();
        let minutes = exact.get(..16).unwrap_or(&exact).replace('T', " ");
        write!(f, "{minutes} UTC")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_to_the_minute() {
        let moment = Moment(UnixMicros(1_795_312_859_999_999));
        assert_eq!(moment.to_string(), "2026-11-22 02:00 UTC");
        assert!(moment.exact().starts_with("2026-11-22T02:00:59"));
    }
}
