//! What arrives at a mail server.

use nightbeat_domain::{AlertKind, Cause, Claim, Closing};
use nightbeat_notify::{Notifier, NotifierError, Outgoing, SmtpSettings, SmtpTls};

use crate::cast::{
    HEARTBEAT, at, catalogue, fields, guarded, incident, mailing, missed, one, test_message,
};
use crate::smtp_server::{Mail, Server, settings};

fn header<'a>(mail: &'a Mail, name: &str) -> Option<&'a str> {
    let (head, _) = mail.content.split_once("\n\n").unwrap();
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut values = lines.filter(|(known, _)| *known == name);
    values.next().map(|(_, value)| value)
}

#[tokio::test]
async fn a_mail_has_all_its_headers_and_both_forms() {
    let server = Server::start().await;
    let to = fields(&[("to", "me@example.org, ops@example.org")]);
    let mut snapshot = missed();
    snapshot.output_tail = Some("a < b & c\n".to_owned());
    let alert = one(snapshot);
    let sent = mailing(settings(&server))
        .send("email", &to, &alert)
        .await
        .unwrap();
    assert_eq!(sent.detail, "127.0.0.1 accepted: 250 2.0.0 queued as 12345");
    let mail = server.mail();
    assert_eq!(mail.from, "alerts@beats.example.org");
    assert_eq!(mail.to, ["me@example.org", "ops@example.org"]);
    let id = incident(Cause::Missed, Claim::Down).id;
    let thread = format!("<{id}@beats.example.org>");
    let message_id = format!("<{}@beats.example.org>", alert.delivery_id);
    for (name, value) in [
        ("From", "Nightbeat <alerts@beats.example.org>"),
        ("To", "me@example.org, ops@example.org"),
        ("Subject", "DOWN: nightly backup"),
        ("Date", "Sun, 22 Nov 2026 03:04:01 +0000"),
        ("Auto-Submitted", "auto-generated"),
        ("Message-ID", message_id.as_str()),
        ("References", thread.as_str()),
        ("In-Reply-To", thread.as_str()),
    ] {
        assert_eq!(header(&mail, name), Some(value), "{name}\n{}", mail.content);
    }
    let content = mail.unfolded();
    for part in [
        "Content-Type: text/plain",
        "Content-Type: text/html",
        "
  a < b & c
",
        "a &lt; b &amp; c",
        "https://beats.example.org/projects/00000000-0000-0000-0000-000000000001/heartbeats/nightly-backup",
    ] {
        assert!(
            content.contains(part),
            "{part}
{content}"
        );
    }
    assert!(!content.contains(HEARTBEAT), "{content}");
}

#[tokio::test]
async fn mails_about_one_incident_are_one_conversation() {
    let server = Server::start().await;
    let to = fields(&[("to", "me@example.org")]);
    let notifier = mailing(settings(&server));
    notifier.send("email", &to, &one(missed())).await.unwrap();
    let mut up = missed();
    up.alert.kind = AlertKind::Up;
    up.alert.closing = Some(Closing::Success);
    let mut closed = incident(Cause::Missed, Claim::Down);
    closed.closed_at = Some(at("2026-11-22 05:18"));
    up.alert.incident = Some(closed);
    notifier.send("email", &to, &one(up)).await.unwrap();
    notifier.send("email", &to, &test_message()).await.unwrap();
    let mails = server.mails();
    assert_eq!(
        header(&mails[0], "References"),
        header(&mails[1], "References")
    );
    assert_eq!(header(&mails[2], "References"), None);
}

#[tokio::test]
async fn a_name_cannot_add_a_header() {
    let server = Server::start().await;
    let to = fields(&[("to", "me@example.org")]);
    let mut snapshot = missed();
    snapshot.heartbeat.name = "x\r\nBcc: all@example.org\r\n\r\nnew body".to_owned();
    mailing(settings(&server))
        .send("email", &to, &one(snapshot))
        .await
        .unwrap();
    let mail = server.mail();
    assert_eq!(mail.to, ["me@example.org"]);
    assert_eq!(
        header(&mail, "Subject"),
        Some("DOWN: x Bcc: all@example.org new body")
    );
    assert_eq!(header(&mail, "Bcc"), None);
}

#[tokio::test]
async fn a_refused_recipient_does_not_keep_the_mail_from_the_others() {
    let server = Server::start().await;
    server.refuse("gone@example.org", "550 5.1.1 no such user");
    server.refuse("busy@example.org", "451 4.7.1 try again later");
    let to = fields(&[("to", "gone@example.org me@example.org busy@example.org")]);
    let notifier = mailing(settings(&server));
    let alert = one(missed());
    let error = notifier.send("email", &to, &alert).await.unwrap_err();
    assert!(!error.refused);
    for part in [
        "gone@example.org",
        "5.1.1 no such user",
        "busy@example.org",
        "try again later",
    ] {
        assert!(error.detail.contains(part), "{error}");
    }
    assert_eq!(server.mail().to, ["me@example.org"]);
    // The next try goes to those who do not have it.
    server.refuse_nobody();
    notifier.send("email", &to, &alert).await.unwrap();
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[1].to, ["gone@example.org", "busy@example.org"]);
    // Once those who refuse are taken out of the channel, everyone has it.
    let me = fields(&[("to", "me@example.org")]);
    notifier.send("email", &me, &alert).await.unwrap();
    assert_eq!(server.mails().len(), 2);
}

#[tokio::test]
async fn when_everybody_is_refused_nothing_is_sent() {
    let server = Server::start().await;
    server.refuse("gone@example.org", "550 5.1.1 no such user");
    let to = fields(&[("to", "gone@example.org")]);
    let error = mailing(settings(&server))
        .send("email", &to, &one(missed()))
        .await
        .unwrap_err();
    assert!(error.detail.contains("no such user"), "{error}");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn the_password_is_used_and_not_told() {
    // base64 of \0user\0secret-password
    let server = Server::with_auth("AHVzZXIAc2VjcmV0LXBhc3N3b3Jk").await;
    let with = |password: &str| SmtpSettings {
        username: Some("user".to_owned()),
        password: Some(password.to_owned()),
        ..settings(&server)
    };
    let to = fields(&[("to", "me@example.org")]);
    let notifier = mailing(with("secret-password"));
    notifier.send("email", &to, &one(missed())).await.unwrap();
    assert_eq!(server.mails().len(), 1);
    let error = mailing(with("other-password"))
        .send("email", &to, &one(missed()))
        .await
        .unwrap_err();
    assert!(
        error.detail.contains("at AUTH") && error.detail.contains("wrong password"),
        "{error}"
    );
    assert!(!error.detail.contains("other-password"));
    assert!(!format!("{:?}", with("secret-password")).contains("secret-password"));
}

#[tokio::test]
async fn without_starttls_nothing_is_sent_in_the_clear() {
    let server = Server::start().await;
    let settings = SmtpSettings {
        tls: SmtpTls::Starttls,
        ..settings(&server)
    };
    let to = fields(&[("to", "me@example.org")]);
    let error = mailing(settings)
        .send("email", &to, &one(missed()))
        .await
        .unwrap_err();
    assert!(
        error.refused && error.detail.contains("does not offer STARTTLS"),
        "{error}"
    );
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn without_a_mail_server_the_refusal_says_what_to_set() {
    let to = fields(&[("to", "me@example.org")]);
    let error = guarded()
        .send("email", &to, &one(missed()))
        .await
        .unwrap_err();
    assert!(
        error.refused && error.detail.contains("smtp.host"),
        "{error}"
    );
}

#[tokio::test]
async fn wrong_settings_are_named() {
    let server = Server::start().await;
    let good = settings(&server);
    for (settings, hint) in [
        (
            SmtpSettings {
                from: "not an address".to_owned(),
                ..good.clone()
            },
            "smtp.from",
        ),
        (
            SmtpSettings {
                from: "a@b\r\nBcc: c@d".to_owned(),
                ..good.clone()
            },
            "smtp.from",
        ),
        (
            SmtpSettings {
                host: " ".to_owned(),
                ..good.clone()
            },
            "smtp.host",
        ),
        (
            SmtpSettings {
                username: Some("u".to_owned()),
                ..good.clone()
            },
            "smtp.password",
        ),
    ] {
        let made = Notifier::new(catalogue(), Outgoing::default(), Some(settings));
        let Err(error @ NotifierError::Mailer(_)) = made else {
            panic!("{hint}: it was accepted");
        };
        assert!(error.to_string().contains(hint), "{error}");
    }
}
