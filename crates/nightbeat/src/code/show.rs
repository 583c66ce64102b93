//! Values of settings as people read them.

use serde_json::Value;

use crate::render::{clean, schedule, span};

/// How much of a text is shown.
const TEXT_CHARS_MAX: usize = 60;

/// A change of a field: `grace: 1 h → 90 min`.
pub(super) fn change(name: &str, old: &Value, new: &Value) -> String {
    format!("{name}: {} → {}", value(name, old), value(name, new))
}

/// The value of a heartbeat's field.
fn value(name: &str, value: &Value) -> String {
    match (name, value) {
        (_, Value::Null) => "none".to_owned(),
        ("schedule", _) => clean(&schedule(value)),
        ("grace" | "max_run_time" | "repeat_after", Value::Number(_)) => {
            value.as_u64().map_or_else(|| value.to_string(), span)
        }
        (_, Value::String(text)) => short(text),
        (_, Value::Array(items)) => {
            let items = items.iter().map(|item| match item {
                Value::String(text) => short(text),
                item => item.to_string(),
            });
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        (_, Value::Bool(true)) => "yes".to_owned(),
        (_, Value::Bool(false)) => "no".to_owned(),
        _ => short(&value.to_string()),
    }
}

/// A text on one line, cut where it is long.
pub(super) fn short(text: &str) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    let text = clean(text);
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_are_told_in_words() {
        let told = |name, old, new| change(name, &old, &new);
        assert_eq!(
            told("grace", json!(3600), json!(5400)),
            "grace: 1 h → 90 min"
        );
        assert_eq!(
            told(
                "schedule",
                json!({"every": 86_400}),
                json!({"cron": "0 3 * * *", "timezone": "UTC"})
            ),
            "schedule: every 1 d → cron 0 3 * * * (UTC)"
        );
        assert_eq!(
            told("tags", json!([]), json!(["a", "b"])),
            "tags: [] → [a, b]"
        );
        assert_eq!(
            told("max_run_time", json!(null), json!(60)),
            "max_run_time: none → 1 min"
        );
        assert_eq!(
            told("post_only", json!(false), json!(true)),
            "post_only: no → yes"
        );
        let long = told("description", json!(""), json!("x".repeat(100)));
        assert!(long.starts_with("description: \"\" → xxx") && long.ends_with('…'));
    }
}
