//! What programs change is in the log, with their key's name; what pages change, with the person's.

use nightbeat_store::control::{PageRequest, audit};
use serde_json::{Value, json};

use crate::people::{House, house};
use crate::support::Answer;

impl House {
    /// A request by a program with the project's first read-write key.
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let (key, length) = (&self.nightbeat.keys.api_key, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: h\r\nX-Api-Key: {key}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        self.nightbeat.talk(request).await
    }

    /// What a request makes; its id.
    async fn make(&self, path: &str, body: Value) -> String {
        let made = self.ask("POST", path, Some(body)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let made: Value = serde_json::from_str(&made.body).unwrap();
        made["id"].as_str().unwrap().to_owned()
    }

    /// The time in so many hours, as the API writes it.
    fn in_hours(&self, hours: i64) -> String {
        let now = self.nightbeat.server.node().now().0;
        let then = jiff::Timestamp::from_microsecond(now + hours * 3_600_000_000);
        then.unwrap().to_string()
    }

    /// Who did what to whom, the oldest first, since the last time that this was asked.
    async fn news(&self, seen: &mut usize) -> Vec<(String, String, String)> {
        let home = self.home;
        let all = PageRequest::new(PageRequest::ITEMS_MAX, None);
        let store = self.nightbeat.server.store();
        let reading = store.read(move |sql| audit::of_project(sql, home, &all));
        let mut entries = reading.await.unwrap().items;
        entries.sort_by(|one, other| (one.at, &one.action).cmp(&(other.at, &other.action)));
        let entries: Vec<_> = entries
            .into_iter()
            .map(|entry| {
                assert_eq!(entry.address, "127.0.0.1");
                (entry.who, entry.action, entry.about)
            })
            .collect();
        let news = entries[*seen..].to_vec();
        *seen = entries.len();
        news
    }
}

const PROGRAM: &str = "API key first read-write key";

/// One entry of that key's.
fn did(action: &str, about: &str) -> Vec<(String, String, String)> {
    vec![(PROGRAM.to_owned(), action.to_owned(), about.to_owned())]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_by_a_key_is_in_the_log_with_the_keys_name() {
    let house = house(|_| {}).await;
    let mut seen = 0;
    house
        .make("/api/v1/heartbeats", json!({"name": "nightly"}))
        .await;
    assert_eq!(
        house.news(&mut seen).await,
        did("created a heartbeat", "nightly")
    );
    let url = "/api/v1/heartbeats/nightly";
    let edit = Some(json!({"description": "restic"}));
    house.ask("PATCH", url, edit.clone()).await;
    assert_eq!(
        house.news(&mut seen).await,
        did("changed a heartbeat", "nightly")
    );
    house.ask("PATCH", url, edit).await;
    assert_eq!(house.news(&mut seen).await, [], "nothing changed");
    house.ask("GET", url, None).await;
    house.ask("PATCH", url, Some(json!({"grace": -1}))).await;
    assert_eq!(house.news(&mut seen).await, [], "nor by what is refused");

    house.ask("POST", &format!("{url}/pause"), None).await;
    assert_eq!(
        house.news(&mut seen).await,
        did("paused a heartbeat", "nightly")
    );
    house.ask("POST", &format!("{url}/pause"), None).await;
    assert_eq!(house.news(&mut seen).await, [], "it was paused");
    house.ask("POST", &format!("{url}/resume"), None).await;
    assert_eq!(
        house.news(&mut seen).await,
        did("resumed a heartbeat", "nightly")
    );

    let ping_key = &house.nightbeat.keys.ping_key;
    house
        .nightbeat
        .get(&format!("/api/heartbeat/{ping_key}/nightly/fail"))
        .await;
    assert_eq!(house.news(&mut seen).await, [], "signals are no news");
    let open = house.ask("GET", "/api/v1/incidents?open=true", None).await;
    let open: Value = serde_json::from_str(&open.body).unwrap();
    let incident = format!(
        "/api/v1/incidents/{}",
        open["items"][0]["id"].as_str().unwrap()
    );
    house
        .ask("POST", &format!("{incident}/acknowledge"), None)
        .await;
    assert_eq!(
        house.news(&mut seen).await,
        did("acknowledged an incident", "nightly")
    );
    house
        .ask("POST", &format!("{incident}/acknowledge"), None)
        .await;
    assert_eq!(house.news(&mut seen).await, [], "it was acknowledged");
    let until = Some(json!({"until": house.in_hours(1)}));
    house
        .ask("POST", &format!("{incident}/snooze"), until)
        .await;
    assert_eq!(
        house.news(&mut seen).await,
        did("snoozed an incident", "nightly")
    );
    let note = Some(json!({"text": "looked at it"}));
    house.ask("POST", &format!("{incident}/notes"), note).await;
    assert_eq!(
        house.news(&mut seen).await,
        did("wrote a note about an incident", "nightly")
    );
    house.ask("DELETE", url, None).await;
    assert_eq!(
        house.news(&mut seen).await,
        did("deleted a heartbeat", "nightly")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn so_are_channels_windows_keys_and_settings() {
    let house = house(|_| {}).await;
    let mut seen = 0;
    let hook =
        json!({"name": "hook", "kind": "webhook", "settings": {"url": "https://example.org/"}});
    let channel = house.make("/api/v1/channels", hook).await;
    assert_eq!(
        house.news(&mut seen).await,
        did("created a channel", "hook")
    );
    let url = format!("/api/v1/channels/{channel}");
    for expected in [did("changed a channel", "web"), Vec::new()] {
        house.ask("PATCH", &url, Some(json!({"name": "web"}))).await;
        assert_eq!(house.news(&mut seen).await, expected);
    }
    house.ask("DELETE", &url, None).await;
    assert_eq!(house.news(&mut seen).await, did("deleted a channel", "web"));

    let window = json!({"from": house.in_hours(1), "to": house.in_hours(2), "note": "move"});
    let window = house.make("/api/v1/maintenance", window).await;
    assert_eq!(
        house.news(&mut seen).await,
        did("entered a maintenance window", "move")
    );
    house
        .ask("DELETE", &format!("/api/v1/maintenance/{window}"), None)
        .await;
    assert_eq!(
        house.news(&mut seen).await,
        did("deleted a maintenance window", "")
    );

    let key = json!({"name": "laptop", "scope": "read-only"});
    let key = house.make("/api/v1/keys", key).await;
    assert_eq!(
        house.news(&mut seen).await,
        did("made an API key", "laptop")
    );
    house
        .ask("DELETE", &format!("/api/v1/keys/{key}"), None)
        .await;
    assert_eq!(
        house.news(&mut seen).await,
        did("revoked an API key", "laptop")
    );
    for expected in [did("changed the settings", "Flat"), Vec::new()] {
        house
            .ask("PATCH", "/api/v1/project", Some(json!({"name": "Flat"})))
            .await;
        assert_eq!(house.news(&mut seen).await, expected);
    }
    let keys = house.ask("GET", "/api/v1/keys", None).await;
    let keys: Value = serde_json::from_str(&keys.body).unwrap();
    let own = keys["items"].as_array().unwrap().iter();
    let own = own
        .clone()
        .find(|key| key["name"] == "first read-write key")
        .unwrap();
    let url = format!("/api/v1/keys/{}", own["id"].as_str().unwrap());
    assert_eq!(house.ask("DELETE", &url, None).await.status, 204);
    let expected = did("revoked an API key", "first read-write key");
    assert_eq!(house.news(&mut seen).await, expected, "it deletes itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn so_is_what_the_translation_of_another_api_changes() {
    let house = house(|_| {}).await;
    let mut seen = 0;
    let check = json!({"name": "nightly", "unique": ["name"]});
    house
        .ask("POST", "/api/v3/checks/", Some(check.clone()))
        .await;
    assert_eq!(
        house.news(&mut seen).await,
        did("created a heartbeat", "nightly")
    );
    house.ask("POST", "/api/v3/checks/", Some(check)).await;
    assert_eq!(house.news(&mut seen).await, [], "it is as it is wanted");
    let id = house.nightbeat.by_slug("nightly").await.unwrap().id;
    let url = format!("/api/v3/checks/{id}");
    for (tail, action) in [
        ("", "changed"),
        ("/pause", "paused"),
        ("/resume", "resumed"),
    ] {
        let answer = house
            .ask(
                "POST",
                &format!("{url}{tail}"),
                Some(json!({"desc": "restic"})),
            )
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let expected = did(&format!("{action} a heartbeat"), "nightly");
        assert_eq!(house.news(&mut seen).await, expected);
    }
    house.ask("DELETE", &url, None).await;
    assert_eq!(
        house.news(&mut seen).await,
        did("deleted a heartbeat", "nightly")
    );
    house.ask("GET", "/api/v3/badges/", None).await;
    assert_eq!(house.news(&mut seen).await, []);
    house.ask("POST", "/api/v3/badges/renew", None).await;
    assert_eq!(
        house.news(&mut seen).await,
        did("renewed the links of badges", "")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_leaves_the_name_of_who_pressed_the_button() {
    let house = house(|_| {}).await;
    house.nightbeat.heartbeat("nightly").await;
    let mut seen = 0;
    assert_eq!(house.news(&mut seen).await, []);
    let mut cleo = house.browser("cleo@example.org").await;
    cleo.get("/profile").await;
    let path = format!("/projects/{}/heartbeats/nightly/pause", house.home);
    assert_eq!(cleo.post(&path, &[]).await.status, 303);
    let line = |who: &str, action: &str| (who.to_owned(), action.to_owned(), "nightly".to_owned());
    let expected = [line("cleo@example.org", "paused a heartbeat")];
    assert_eq!(house.news(&mut seen).await, expected);
    let mut screen = crate::browser::Browser::new(house.nightbeat.address());
    screen.show_key(&house.nightbeat.keys.api_key).await;
    screen.get("/sign-out").await;
    let path = format!("/projects/{}/heartbeats/nightly/resume", house.home);
    assert_eq!(screen.post(&path, &[]).await.status, 303);
    assert_eq!(
        house.news(&mut seen).await,
        [line(PROGRAM, "resumed a heartbeat")]
    );
}
