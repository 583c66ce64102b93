//! What somebody wants a project to be.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use nightbeat_server::api::NotSettable;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// What is wanted. `None`: nothing is said about such things, and they stay as they are.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// The project itself.
    pub(super) project: WantedProject,
    /// All channels.
    pub(super) channels: Option<Vec<WantedChannel>>,
    /// All heartbeats.
    pub(super) heartbeats: Option<Vec<WantedHeartbeat>>,
    /// All maintenance windows.
    pub(super) windows: Option<Vec<WantedWindow>>,
}

/// The project itself. What is not said stays as it is.
#[derive(Debug, Default)]
pub(super) struct WantedProject {
    pub(super) name: Option<String>,
    /// The name of a channel; an empty one is none.
    pub(super) fallback: Option<(String, usize)>,
}

/// A channel, stable by its name.
#[derive(Debug)]
pub(super) struct WantedChannel {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) settings: BTreeMap<String, Setting>,
    /// Where it stands in the file, in bytes.
    pub(super) at: usize,
}

/// The value of a channel's setting.
#[derive(Debug)]
pub(super) struct Setting {
    /// `None`: it stands somewhere that cannot be read here, and is left alone.
    pub(super) value: Option<String>,
    /// It came from elsewhere, so it is not to be shown.
    pub(super) hidden: bool,
    pub(super) at: usize,
}

/// A heartbeat, stable by its slug, or by its id where that is said.
#[derive(Debug, Clone, Default)]
pub(crate) struct WantedHeartbeat {
    /// `None`: the server makes one from the name, and one that is there keeps its own.
    pub(crate) slug: Option<String>,
    /// The id that it had elsewhere.
    pub(crate) id: Option<Uuid>,
    /// `None`: it stays as it is.
    pub(crate) paused: Option<bool>,
    /// Fields of the API; `channels` are names. What is not among them stays as it is.
    pub(crate) fields: Map<String, Value>,
    /// Further fields for one that is not there yet.
    pub(crate) when_new: Map<String, Value>,
    /// Where it stands in the file, in bytes.
    pub(crate) at: usize,
}

impl WantedHeartbeat {
    /// What people call it.
    pub(crate) fn name(&self) -> &str {
        let name = self.fields.get("name").and_then(Value::as_str);
        name.or(self.slug.as_deref()).unwrap_or_default()
    }
}

/// A maintenance window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedWindow {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) note: String,
    pub(super) at: usize,
}

/// The names of channels, each once and in their order: in which they are listed means nothing.
#[derive(Debug)]
pub(crate) struct Named;

impl Named {
    /// As a value that can be compared.
    pub(crate) fn list(names: impl IntoIterator<Item = String>) -> Value {
        let names: std::collections::BTreeSet<String> = names.into_iter().collect();
        json!(names)
    }
}

/// All that may be set on a heartbeat with these fields of the API, as the server would keep it; see
/// [`nightbeat_server::api::settable`]. The name of a channel is no id, so channels are left out.
pub(crate) fn settable(fields: Map<String, Value>) -> Result<Map<String, Value>, NotSettable> {
    let mut all = nightbeat_server::api::settable(Value::Object(fields))?;
    all.remove("channels");
    all.remove("slug");
    Ok(all)
}

/// What a heartbeat has of which nothing is said, in the order in which people read it.
pub(crate) fn usual() -> &'static Map<String, Value> {
    static USUAL: LazyLock<Map<String, Value>> = LazyLock::new(|| {
        let name = Map::from_iter([("name".to_owned(), json!("x"))]);
        let mut usual = settable(name).expect("a name is all that a heartbeat needs");
        usual.remove("name");
        usual.insert("channels".to_owned(), json!("all"));
        usual
    });
    &USUAL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_heartbeat_is_the_servers() {
        assert_eq!(usual()["grace"], 3600);
        assert_eq!(usual()["schedule"], json!({"every": 86_400}));
        assert_eq!(usual()["channels"], "all");
        assert!(!usual().contains_key("slug") && !usual().contains_key("name"));
    }

    #[test]
    fn lists_of_channels_are_equal_in_any_order() {
        let list = |names: &[&str]| Named::list(names.iter().map(|name| (*name).to_owned()));
        assert_eq!(list(&["b", "a", "b"]), list(&["a", "b"]));
    }
}
