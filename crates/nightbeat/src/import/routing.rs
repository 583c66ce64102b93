//! Where alerts go: what is called there as a channel is called here gets them here, too.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::code::{Named, Present};
use crate::render::clean;

/// Where a job's alerts go elsewhere, by name and kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Targets(pub(super) Vec<(String, String)>);

/// The channels of a heartbeat, for the API. What is not here is `missing`. A job that told somebody there tells
/// somebody here: where none of its channels is known, it tells all.
pub(super) fn channels(
    targets: &Targets,
    present: &Present,
    missing: &mut BTreeSet<(String, String)>,
    notes: &mut Vec<String>,
) -> Value {
    let Targets(targets) = targets;
    if targets.is_empty() {
        notes.push("tells nobody, as there".to_owned());
        return json!([]);
    }
    let ids = present.channel_ids();
    let (here, away): (Vec<_>, Vec<_>) = targets
        .iter()
        .partition(|(name, _)| !name.is_empty() && ids.contains_key(name));
    if !away.is_empty() {
        let names: Vec<String> = away
            .iter()
            .map(|(name, kind)| match name.as_str() {
                "" => format!("one of kind {}", clean(kind)),
                name => clean(name),
            })
            .collect();
        let names = names.join(", ");
        if here.is_empty() {
            notes.push(format!("tells all channels: not here yet: {names}"));
        } else {
            notes.push(format!("not here yet: {names}"));
        }
        missing.extend(away.into_iter().cloned());
    }
    if here.is_empty() {
        return json!("all");
    }
    Named::list(here.into_iter().map(|(name, _)| name.clone()))
}
