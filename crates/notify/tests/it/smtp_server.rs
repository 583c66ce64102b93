//! The test kit's mail server, as a notifier is told of it.

use nightbeat_notify::{SmtpSettings, SmtpTls};
pub(crate) use nightbeat_testkit::{Mail, MailServer as Server, SmtpStep};

pub(crate) fn settings(server: &Server) -> SmtpSettings {
    SmtpSettings {
        host: "127.0.0.1".to_owned(),
        port: Some(server.port()),
        tls: SmtpTls::None,
        username: None,
        password: None,
        from: "Nightbeat <alerts@beats.example.org>".to_owned(),
        helo: Some("beats.example.org".to_owned()),
    }
}
