//! Receivers that stop in the middle. Every attempt ends by itself, and says where it stopped.

use nightbeat_notify::{SmtpSettings, SmtpTls};

use crate::cast::{fields, impatient, missed, one};
use crate::http_receiver::{Behaviour, Receiver};
use crate::smtp_server::{Server, SmtpStep, settings};

async fn stuck_at(behaviour: Behaviour) -> String {
    let receiver = Receiver::start(behaviour).await;
    let settings = fields(&[("url", &receiver.url("/"))]);
    let error = impatient(None)
        .send("webhook", &settings, &one(missed()))
        .await
        .unwrap_err();
    assert!(!error.refused);
    let port = format!(":{}", receiver.port);
    error.detail.replace(&port, "")
}

#[tokio::test]
async fn an_http_receiver_that_stops_anywhere_ends_the_attempt() {
    for (behaviour, detail) in [
        (Behaviour::Silent, "no answer from 127.0.0.1 within 200ms"),
        (
            Behaviour::AnswerAndHang("HTTP/1.1 20".to_owned()),
            "no answer from 127.0.0.1 within 200ms",
        ),
        (
            Behaviour::AnswerAndHang("HTTP/1.1 200 OK\r\nContent-".to_owned()),
            "no answer from 127.0.0.1 within 200ms",
        ),
        (
            Behaviour::AnswerAndHang("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_owned()),
            "127.0.0.1 answered 200 OK, but its answer did not end within 200ms",
        ),
        (
            Behaviour::AnswerAndHang(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe".to_owned(),
            ),
            "127.0.0.1 answered 200 OK, but its answer did not end within 200ms",
        ),
    ] {
        assert_eq!(stuck_at(behaviour).await, detail);
    }
}

#[tokio::test]
async fn a_mail_server_that_stops_anywhere_ends_the_attempt() {
    for (step, name) in [
        (SmtpStep::Greeting, "greeting and EHLO"),
        (SmtpStep::Ehlo, "greeting and EHLO"),
        (SmtpStep::MailFrom, "MAIL FROM"),
        (SmtpStep::RcptTo, "RCPT TO"),
        (SmtpStep::Data, "DATA"),
        (SmtpStep::Content, "the mail itself"),
    ] {
        let server = Server::stuck_at(step).await;
        let notifier = impatient(Some(settings(&server)));
        let to = fields(&[("to", "me@example.org")]);
        let error = notifier
            .send("email", &to, &one(missed()))
            .await
            .unwrap_err();
        assert_eq!(
            error.detail,
            format!("127.0.0.1 did not answer to {name} within 200ms")
        );
    }
}

#[tokio::test]
async fn a_mail_server_that_stops_after_accepting_has_accepted() {
    let server = Server::stuck_at(SmtpStep::Quit).await;
    let notifier = crate::cast::mailing(settings(&server));
    let to = fields(&[("to", "me@example.org")]);
    notifier.send("email", &to, &one(missed())).await.unwrap();
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_is_silent_to_tls_ends_the_attempt() {
    let receiver = Receiver::start(Behaviour::Silent).await;
    let url = receiver.url("/").replace("http://", "https://");
    let settings = fields(&[("url", &url)]);
    let error = impatient(None)
        .send("webhook", &settings, &one(missed()))
        .await
        .unwrap_err();
    assert!(!error.refused, "{error}");

    let smtp = SmtpSettings {
        port: Some(receiver.port),
        tls: SmtpTls::Implicit,
        ..crate::smtp_server::settings(&Server::start().await)
    };
    let to = fields(&[("to", "me@example.org")]);
    let error = impatient(Some(smtp))
        .send("email", &to, &one(missed()))
        .await
        .unwrap_err();
    assert_eq!(
        error.detail,
        "127.0.0.1 did not answer to greeting and EHLO within 200ms"
    );
}
