//! The time zone that was probably meant.

use super::{BUNDLED, NAME_BYTES_MAX, ZoneError};

/// Adds the one name that was probably meant: at most two letters away, or that city.
pub(super) fn add(error: ZoneError) -> ZoneError {
    let ZoneError::Unknown { name } = &error else {
        return error;
    };
    if name.len() > NAME_BYTES_MAX {
        return error;
    }
    // `GMT+1` is an hour east of Greenwich; the zone `Etc/GMT+1` is one west of it.
    if name.contains('+') && !name.contains('/') {
        return error;
    }
    let typed = name.to_ascii_lowercase().replace(' ', "_");
    let distance = |known: &str| {
        let known = known.to_ascii_lowercase();
        if known.rsplit('/').next() == Some(&typed) {
            return 0;
        }
        // Short names are all near one another.
        if typed.len() < 6 || typed.len().abs_diff(known.len()) > 2 {
            return usize::MAX;
        }
        edits(typed.as_bytes(), known.as_bytes())
    };
    let names = BUNDLED.available();
    let best = names.min_by_key(|known| distance(known.as_str()));
    match best.filter(|known| distance(known.as_str()) <= 2) {
        Some(right) => ZoneError::Spelling {
            name: name.clone(),
            right: right.as_str().into(),
        },
        None => error,
    }
}

/// Letters to insert, delete, replace or swap with their neighbour to turn one word into the other.
fn edits(from: &[u8], to: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, letter) in from.iter().enumerate() {
        let mut this = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != other);
            let mut fewest = replaced.min(last[column + 1] + 1).min(this[column] + 1);
            let swapped =
                row > 0 && column > 0 && from[row - 1] == *other && to[column - 1] == *letter;
            if swapped {
                fewest = fewest.min(before[column - 1] + 1);
            }
            this.push(fewest);
        }
        before = std::mem::replace(&mut last, this);
    }
    last[to.len()]
}
