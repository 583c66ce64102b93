//! Every call of the crate `healthchecks`, told what to do by its arguments: the server's URL, a read-write key
//! and a read-only key. Prints what it was answered as JSON.

use healthchecks::manage::{ManageClient, UpsertResult};
use healthchecks::model::{NewCheck, UpdatedCheck};
use healthchecks::{manage, ping};
use serde_json::{Value, json};
use uuid::Uuid;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [base, key, read_only_key] = arguments.as_slice() else {
        return Err("usage: nightbeat-clients BASE API_KEY READ_ONLY_KEY".into());
    };
    let api = format!("{base}/api/v3");
    let client = manage::get_client_with_url(key.clone(), None, api.clone())?;
    let looking = manage::get_client_with_url(read_only_key.clone(), None, api)?;
    let said = manage(base, &client, &looking)?;
    println!("{said}");
    Ok(())
}

fn manage(base: &str, client: &ManageClient, looking: &ManageClient) -> Result<Value, Failure> {
    let made = client.create_check(NewCheck {
        name: Some("By crate".to_owned()),
        tags: Some("rust crate".to_owned()),
        timeout: Some(600),
        channels: Some("*".to_owned()),
        ..NewCheck::default()
    })?;
    let id = made.id().ok_or("a check without its ping URL")?;
    let again = NewCheck {
        name: Some("By crate".to_owned()),
        desc: Some("again".to_owned()),
        unique: Some(vec!["name".to_owned()]),
        ..NewCheck::default()
    };
    let (result, again) = client.upsert_check(again)?;
    let changed = UpdatedCheck {
        schedule: Some("30 3 * * *".to_owned()),
        tz: Some("Europe/Madrid".to_owned()),
        ..UpdatedCheck::default()
    };
    let changed = client.update_check(changed, &id)?;
    let pinged = job(base, &id)?;
    let pings = client.list_logged_pings(&id)?;
    let flips = client.list_status_changes(&id);
    let mut seen = looking.get_checks()?;
    seen.retain(|check| check.name == "By crate");
    let unique_key = seen[0].unique_key.clone().ok_or("no unique key")?;
    let missing = Uuid::new_v4().to_string();
    Ok(json!({
        "id": id,
        "made": made,
        "again": again,
        "updated": matches!(result, UpsertResult::Updated),
        "changed": changed,
        "pinged": pinged,
        "pings": pings,
        "flips": flips.err().map(|error| error.to_string()),
        "checks": client.get_checks()?.len(),
        "shown": client.get_check(&id)?,
        "seen": seen[0],
        "seen_alone": looking.get_check(&unique_key)?,
        "channels": client.get_channels()?,
        "paused": client.pause(&id)?,
        "refused": looking.pause(&id).err().map(|error| error.to_string()),
        "missing": client.get_check(&missing).err().map(|error| error.to_string()),
        "deleted": client.delete(&id)?,
        "gone": client.get_check(&id).is_err(),
    }))
}

/// What a job says, and whether it was heard.
fn job(base: &str, id: &str) -> Result<[bool; 8], Failure> {
    let job = ping::get_client_with_url(id, &format!("{base}/ping"))?;
    let run = Uuid::new_v4();
    Ok([
        job.start_timer(),
        job.report_success(),
        job.start_timer_with_run_id(Some(&run)),
        job.report_failure_with_logs_and_run_id("no room", Some(&run)),
        job.report_failure(),
        job.report_failure_with_logs("why"),
        job.report_success_with_run_id(Some(&run)),
        job.report_failure_with_run_id(None),
    ])
}
