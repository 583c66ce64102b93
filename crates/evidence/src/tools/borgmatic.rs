//! borgmatic: borg's own words stay borg's; this reads what borgmatic says at the end, and the list that
//! `create --json` prints, one element an archive.

use serde_json::Value;

use super::{Line, borg};
use crate::Tool;
use crate::found::Outcome;
use crate::notes::Notes;

pub(crate) fn line(notes: &mut Notes, line: &Line<'_>) -> bool {
    let text = line.text;
    if text.ends_with(": Successfully ran configuration file") {
        let draft = notes.open(Tool::Borgmatic);
        draft.show(text);
        draft.complete = true;
    } else if text.ends_with(".yaml: An error occurred")
        || text.ends_with(".yml: An error occurred")
    {
        notes.stop(Tool::Borgmatic, "an error occurred", text);
    } else if text.ends_with(": Error running actions for repository")
        || text.contains("No valid configuration files found")
        || text.ends_with(": Error parsing configuration file")
    {
        let why = text.rsplit_once(": ").map_or(text, |(_, why)| why);
        notes
            .newest(Tool::Borgmatic)
            .judge(Outcome::Failed, why, text);
    } else {
        return false;
    }
    true
}

pub(crate) fn document(notes: &mut Notes, json: &Value, line: &str) -> Option<String> {
    let archives = json.as_array()?;
    let is_archive = |one: &&Value| {
        one.get("archive")
            .is_some_and(|archive| archive.get("stats").is_some())
    };
    let mut found = None;
    for one in archives.iter().filter(is_archive) {
        borg::create(notes, Tool::Borgmatic, one, line);
        found = Some(String::new());
    }
    found
}
