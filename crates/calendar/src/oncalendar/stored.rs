//! Lines that were accepted once, although a zone at the end of one is unknown by now.

use std::sync::Arc;

use super::{Inner, OnCalendar, line};
use crate::{ParseError, Zone};

impl OnCalendar {
    /// As [`OnCalendar::parse`] for an expression that it accepted once: a last word that it cannot read
    /// is taken for a zone whose rules are missing. It need not name a date any more.
    pub(crate) fn parse_stored(expression: &str, zone: &Zone) -> Result<Self, ParseError> {
        let mut lines = Vec::new();
        for text in expression.split('\n') {
            let line = line::parse(text, 0..text.len(), zone).or_else(|error| {
                let Some((rest, name)) = text.trim_end().rsplit_once(' ') else {
                    return Err(error);
                };
                line::parse(rest, 0..rest.len(), &Zone::missing(name)).map_err(|_| error)
            });
            lines.push(line?);
        }
        Ok(Self {
            inner: Arc::new(Inner {
                expression: expression.into(),
                zone: zone.clone(),
                lines,
            }),
        })
    }
}
