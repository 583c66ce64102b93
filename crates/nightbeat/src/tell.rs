//! What is said to the person and is not data: on stderr.

use std::io::Write;

/// Tells the person something that is not data.
pub(crate) fn note(text: &str) {
    // Nobody may listen there any more; a command that did its work did it all the same.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Tells the person what they could do next.
#[cfg(feature = "full")]
pub(crate) fn hint(text: &str) {
    note(&format!("hint: {text}"));
}
