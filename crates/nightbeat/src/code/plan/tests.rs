use jiff::tz::TimeZone;
use serde_json::json;

use super::*;
use crate::code::file::{File, Unknown};
use crate::code::present::Present;

/// Plans without channels: nobody is asked.
fn planned(there: Value, text: &str, prune: bool) -> Result<Plan, String> {
    let present = Present::from_answers(there);
    let mut problems = Problems::new("beats.toml", text);
    let folder = std::path::Path::new("");
    let file = File::read(text, folder, Unknown::Refused, &mut problems).unwrap();
    let client = Client::new("http://127.0.0.1:9", "key").unwrap();
    let view = View {
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
        zone: TimeZone::UTC,
        colour: false,
    };
    let asked = Asked {
        client: &client,
        prune,
        view: &view,
    };
    let planning = plan(&file.wanted, &present, &asked, &mut problems);
    let plan = crate::session::block_on(planning).unwrap();
    match problems.finish() {
        Ok(()) => Ok(plan),
        Err(failure) => Err(failure.message),
    }
}

const ID: &str = "4c1e8c5e-3f0f-4f6a-9c5e-0d6f8f6f1a2b";

/// A heartbeat as the server answers it.
fn job(slug: &str, more: Value) -> Value {
    let mut job = json!({"id": ID, "name": slug, "slug": slug, "status": "up"});
    let Value::Object(fields) = &mut job else {
        unreachable!()
    };
    fields.extend(crate::code::wanted::usual().clone());
    if let Value::Object(more) = more {
        fields.extend(more);
    }
    job
}

fn project(heartbeats: &Value) -> Value {
    json!({"name": "Home", "channels": [{"id": "c1", "name": "ops", "kind": "webhook"}],
        "heartbeats": heartbeats})
}

fn shown(there: Value, text: &str, prune: bool) -> String {
    planned(there, text, prune).unwrap().show(false)
}

#[test]
fn what_is_as_wanted_is_left_alone() {
    let there = project(&json!([job("a", json!({"channels": ["c1"]}))]));
    let text = "[heartbeats.a]\nchannels = ['ops']";
    assert_eq!(shown(there, text, false), "= 1 unchanged\n");
}

#[test]
fn a_plan_says_what_changes() {
    let there = project(&json!([
        job("a", json!({"grace": 60})),
        job("gone", json!({"id": "2"})),
    ]));
    let text = "\
[project]
name = 'Work'
fallback_channel = 'ops'
[heartbeats.a]
grace = '90m'
[heartbeats.new]
paused = true
[[maintenance]]
from = 2026-12-01T00:00:00Z
to = 2026-12-02T00:00:00Z
[[maintenance]]
from = 2020-12-01T00:00:00Z
to = 2020-12-02T00:00:00Z
";
    assert_eq!(
        shown(there.clone(), text, false),
        "~ project\n    name: Home → Work\n    fallback_channel: none → ops\n\
         ~ heartbeat a\n    grace: 1 min → 90 min\n\
         + heartbeat new\n    paused\n\
         + maintenance from 2026-12-01 00:00:00 UTC to 2026-12-02 00:00:00 UTC\n\
         = 1 unchanged\n\
         1 not in the file, left alone without --prune: heartbeat gone\n"
    );
    let pruned = shown(there, text, true);
    assert!(
        pruned.ends_with("- heartbeat gone\n    with its history\n= 1 unchanged\n"),
        "{pruned}"
    );
}

#[test]
fn an_id_finds_a_heartbeat_under_another_slug() {
    let there = project(&json!([job("old", json!({}))]));
    let text = format!("[heartbeats.new]\nid = '{ID}'\nname = 'old'");
    assert_eq!(
        shown(there.clone(), &text, true),
        "~ heartbeat old\n    slug: old → new\n= 0 unchanged\n"
    );
    let other = "[heartbeats.old]\nid = '11111111-2222-4333-8444-555555555555'";
    let told = planned(there, other, false).unwrap_err();
    assert!(told.contains("beats.toml:1: there is a heartbeat `old` with another id"));
    let twice = format!("[heartbeats.a]\nid = '{ID}'\n[heartbeats.b]\nid = '{ID}'");
    let told = planned(project(&json!([])), &twice, false).unwrap_err();
    assert!(told.starts_with("beats.toml:3: the id 4c1e8c5e"), "{told}");
}

#[test]
fn who_is_paused_stays_so_unless_something_is_said() {
    let there = || project(&json!([job("a", json!({"status": "paused"}))]));
    assert_eq!(shown(there(), "[heartbeats.a]", false), "= 1 unchanged\n");
    assert_eq!(
        shown(there(), "[heartbeats.a]\npaused = false", false),
        "~ heartbeat a\n    paused: yes → no\n= 0 unchanged\n"
    );
}

#[test]
fn channels_that_are_named_must_be_there() {
    let there = || project(&json!([job("a", json!({"channels": ["c1"]}))]));
    let told = planned(there(), "\n[heartbeats.a]\nchannels = ['pager']", false).unwrap_err();
    assert_eq!(
        told,
        "beats.toml:2: no channel is called `pager`; there is ops"
    );
    // What the file does not speak of may need what it does not want.
    let told = planned(there(), "[channels]", true).unwrap_err();
    assert!(told.contains("the heartbeat `a` names it"), "{told}");
    assert_eq!(planned(there(), "[channels]", false).unwrap().removals(), 0);
    let plan = planned(there(), "[channels]\n[heartbeats]", true).unwrap();
    // First who names it, then the channel.
    let removed: Vec<String> = plan.steps.iter().map(Step::title).collect();
    assert_eq!(removed, ["heartbeat a", "channel ops"]);
}

#[test]
fn what_cannot_be_read_is_written_anew() {
    let there = project(&json!([job(
        "a",
        json!({"problem": "settings 3 cannot be read"})
    )]));
    let plan = planned(there, "[heartbeats.a]", false).unwrap();
    let body = plan.steps[0].requests[0].body.as_ref().unwrap();
    assert_eq!(body["schedule"], json!({"every": 86_400}));
}
