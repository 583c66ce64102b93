//! Which heartbeat or channel a person means.

use nightbeat_agent::api::{Channel, Heartbeat};
use nightbeat_agent::{Client, ClientError};

use crate::exit::{Exit, Failure};

/// A heartbeat given by id or slug.
pub(super) async fn heartbeat(client: &Client, given: &str) -> Result<Heartbeat, Failure> {
    let answer = client.get(&["heartbeats", given]).await;
    Ok(answer
        .map_err(|error| named("heartbeat", given, error))?
        .parse()?)
}

/// A channel given by id or name.
pub(super) async fn channel(client: &Client, given: &str) -> Result<Channel, Failure> {
    let answer = client.get(&["channels", given]).await;
    Ok(answer
        .map_err(|error| named("channel", given, error))?
        .parse()?)
}

/// All channels of the project.
pub(super) async fn channels(client: &Client) -> Result<Vec<Channel>, Failure> {
    Ok(client.list(&["channels"], &[], None).await?.parse()?)
}

/// The ids of channels given by name or id.
pub(super) fn channel_ids(channels: &[Channel], given: &[String]) -> Result<Vec<String>, Failure> {
    let find = |name: &String| {
        let known = channels
            .iter()
            .find(|channel| channel.id == *name)
            .or_else(|| channels.iter().find(|channel| channel.name == *name));
        known.map(|channel| channel.id.clone()).ok_or_else(|| {
            let names: Vec<&str> = channels
                .iter()
                .map(|channel| channel.name.as_str())
                .collect();
            let failure = Failure::new(Exit::NotFound, format!("no channel is called `{name}`"));
            match names.as_slice() {
                [] => failure.hint("there is none yet: `nightbeat channel add` makes one"),
                some => failure.hint(format!("there are: {}", some.join(", "))),
            }
        })
    };
    given.iter().map(find).collect()
}

/// An error with the name of what was not found, which the server's *not found* does not repeat.
pub(super) fn named(kind: &str, given: &str, error: ClientError) -> Failure {
    let failure = Failure::from(error);
    if failure.exit != Exit::NotFound {
        return failure;
    }
    let plural = match kind {
        "heartbeat" => "list",
        "channel" => "channel list",
        _ => "incidents",
    };
    let failure = Failure::new(
        Exit::NotFound,
        format!("there is no {kind} `{given}` in this project"),
    )
    .hint(format!("`nightbeat {plural}` shows them"));
    let of_slugs = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    if kind == "heartbeat" && !given.chars().all(of_slugs) {
        return failure.hint("say its slug or its id, not its name");
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_found_by_name_or_id() {
        let channels: Vec<Channel> = serde_json::from_str(
            r#"[{"id":"c1","name":"ops","kind":"email"},{"id":"c2","name":"c1","kind":"ntfy"}]"#,
        )
        .unwrap();
        let ids = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            channel_ids(&channels, &names)
        };
        assert_eq!(ids(&["ops"]), Ok(vec!["c1".to_owned()]));
        assert_eq!(
            ids(&["c1", "c2"]),
            Ok(vec!["c1".to_owned(), "c2".to_owned()])
        );
        let failure = ids(&["pager"]).unwrap_err();
        assert_eq!(failure.message, "no channel is called `pager`");
        assert_eq!(failure.hints, ["there are: ops, c1"]);
    }
}
