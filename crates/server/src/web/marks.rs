//! Statuses, for people.

use std::collections::HashMap;

use nightbeat_domain::Status;

/// All of them, what needs a person first.
pub(super) const BY_URGENCY: [Status; 7] = [
    Status::Down,
    Status::Unverified,
    Status::Warning,
    Status::Late,
    Status::New,
    Status::Up,
    Status::Paused,
];

/// How many of them need a person.
const URGENT: usize = 4;

/// The status of that name.
pub(super) fn status(name: &str) -> Option<Status> {
    BY_URGENCY
        .into_iter()
        .find(|status| status.as_str() == name)
}

/// The one that needs a person most, of those that are there.
pub(super) fn worst(counts: &HashMap<Status, u64>) -> Option<Status> {
    BY_URGENCY
        .into_iter()
        .find(|status| counts.get(status).is_some_and(|count| *count > 0))
}

/// Whether there is anything that a person should look at.
pub(super) fn needs_somebody(counts: &HashMap<Status, u64>) -> bool {
    let urgent = &BY_URGENCY[..URGENT];
    urgent
        .iter()
        .any(|status| counts.get(status).is_some_and(|count| *count > 0))
}

/// `2 down, 1 late`; `all is well` where nothing needs a person.
pub(super) fn summary(counts: &HashMap<Status, u64>) -> String {
    let urgent = &BY_URGENCY[..URGENT];
    let told: Vec<String> = urgent
        .iter()
        .filter_map(|status| {
            let count = counts.get(status).copied().filter(|count| *count > 0)?;
            Some(format!("{count} {}", status.as_str()))
        })
        .collect();
    if !told.is_empty() {
        return told.join(", ");
    }
    if counts.values().sum::<u64>() == 0 {
        return "no heartbeats yet".to_owned();
    }
    "all is well".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_told_first() {
        let counts = HashMap::from([(Status::Up, 9), (Status::Late, 1), (Status::Down, 2)]);
        assert_eq!(worst(&counts), Some(Status::Down));
        assert_eq!(summary(&counts), "2 down, 1 late");
        assert_eq!(summary(&HashMap::from([(Status::Up, 9)])), "all is well");
        assert_eq!(summary(&HashMap::new()), "no heartbeats yet");
        assert_eq!(worst(&HashMap::new()), None);
        assert_eq!(status("late"), Some(Status::Late));
        assert_eq!(status("Late"), None);
    }
}
