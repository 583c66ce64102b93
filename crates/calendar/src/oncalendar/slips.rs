//! The usual slips in calendar expressions, and what was probably meant.

use crate::ParseError;

pub(super) fn explain(error: ParseError) -> ParseError {
    error
}
