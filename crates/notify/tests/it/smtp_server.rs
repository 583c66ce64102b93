//! A small SMTP server on 127.0.0.1 that records mails, refuses whom it is told to, and can stop
//! answering at any step.

use std::sync::{Arc, Mutex};

use nightbeat_notify::{SmtpSettings, SmtpTls};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Where a server stops answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SmtpStep {
    Greeting,
    Ehlo,
    MailFrom,
    RcptTo,
    Data,
    Content,
    Quit,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) content: String,
}

impl Mail {
    /// The content without the soft line breaks of quoted-printable.
    pub(crate) fn unfolded(&self) -> String {
        self.content.replace("=\n", "")
    }
}

#[derive(Debug, Clone, Default)]
struct Plan {
    stuck_at: Option<SmtpStep>,
    /// Recipients that are refused, with the answer.
    refuse: Vec<(String, String)>,
    /// The AUTH PLAIN argument that is accepted; without one, AUTH is not offered.
    auth: Option<String>,
}

pub(crate) struct Server {
    port: u16,
    plan: Arc<Mutex<Plan>>,
    mails: Arc<Mutex<Vec<Mail>>>,
}

impl Server {
    async fn with(plan: Plan) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            plan: Arc::new(Mutex::new(plan)),
            mails: Arc::default(),
        };
        let (plan, mails) = (Arc::clone(&server.plan), Arc::clone(&server.mails));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let plan = plan.lock().unwrap().clone();
                tokio::spawn(converse(stream, plan, Arc::clone(&mails)));
            }
        });
        server
    }

    pub(crate) async fn start() -> Self {
        Self::with(Plan::default()).await
    }

    pub(crate) async fn stuck_at(step: SmtpStep) -> Self {
        Self::with(Plan {
            stuck_at: Some(step),
            ..Plan::default()
        })
        .await
    }

    pub(crate) async fn with_auth(plain: &str) -> Self {
        Self::with(Plan {
            auth: Some(plain.to_owned()),
            ..Plan::default()
        })
        .await
    }

    pub(crate) fn refuse(&self, address: &str, answer: &str) {
        self.plan
            .lock()
            .unwrap()
            .refuse
            .push((address.to_owned(), answer.to_owned()));
    }

    pub(crate) fn refuse_nobody(&self) {
        self.plan.lock().unwrap().refuse.clear();
    }

    pub(crate) fn settings(&self) -> SmtpSettings {
        SmtpSettings {
            host: "127.0.0.1".to_owned(),
            port: Some(self.port),
            tls: SmtpTls::None,
            username: None,
            password: None,
            from: "Nightbeat <alerts@beats.example.org>".to_owned(),
            helo: Some("beats.example.org".to_owned()),
        }
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }

    /// The only mail that came.
    pub(crate) fn mail(&self) -> Mail {
        let mails = self.mails();
        assert_eq!(mails.len(), 1, "{mails:?}");
        mails[0].clone()
    }
}

/// One connection. It ends when the client goes, or never, where it is stuck.
async fn converse(stream: TcpStream, plan: Plan, mails: Arc<Mutex<Vec<Mail>>>) {
    let mut stream = BufReader::new(stream);
    let mut mail = Mail::default();
    say(
        &mut stream,
        &plan,
        SmtpStep::Greeting,
        "220 mail.example ESMTP",
    )
    .await;
    loop {
        let Some(line) = read_line(&mut stream).await else {
            return;
        };
        let (verb, rest) = line.split_once([' ', ':']).unwrap_or((&line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                let auth = if plan.auth.is_some() {
                    "250-AUTH PLAIN LOGIN\r\n"
                } else {
                    ""
                };
                let answer = format!("250-mail.example\r\n{auth}250 8BITMIME");
                say(&mut stream, &plan, SmtpStep::Ehlo, &answer).await;
            }
            "AUTH" => {
                let given = rest.strip_prefix("PLAIN ").map(str::to_owned);
                let answer = if given == plan.auth {
                    "235 2.7.0 ok"
                } else {
                    "535 5.7.8 wrong password"
                };
                say(&mut stream, &plan, SmtpStep::Ehlo, answer).await;
            }
            "MAIL" => {
                mail = Mail {
                    from: address(rest),
                    ..Mail::default()
                };
                say(&mut stream, &plan, SmtpStep::MailFrom, "250 2.1.0 ok").await;
            }
            "RCPT" => {
                let to = address(rest);
                let refused = plan.refuse.iter().find(|(address, _)| *address == to);
                let answer = refused.map_or("250 2.1.5 ok", |(_, answer)| answer.as_str());
                if refused.is_none() {
                    mail.to.push(to);
                }
                say(&mut stream, &plan, SmtpStep::RcptTo, answer).await;
            }
            "DATA" => {
                say(&mut stream, &plan, SmtpStep::Data, "354 go on").await;
                let Some(content) = read_content(&mut stream).await else {
                    return;
                };
                mail.content = content;
                if plan.stuck_at != Some(SmtpStep::Content) {
                    mails.lock().unwrap().push(mail.clone());
                }
                say(
                    &mut stream,
                    &plan,
                    SmtpStep::Content,
                    "250 2.0.0 queued as 12345",
                )
                .await;
            }
            "QUIT" => {
                say(&mut stream, &plan, SmtpStep::Quit, "221 2.0.0 bye").await;
                return;
            }
            _ => say(&mut stream, &plan, SmtpStep::Quit, "500 5.5.1 what?").await,
        }
    }
}

/// `<me@example.org>` out of `FROM:<me@example.org> BODY=8BITMIME`.
fn address(rest: &str) -> String {
    let inside = rest
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or("", |(address, _)| address).to_owned()
}

async fn read_line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await {
        Ok(read) if read > 0 => Some(line.trim_end().to_owned()),
        _ => None,
    }
}

async fn read_content(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut content = String::new();
    loop {
        let line = read_line(stream).await?;
        if line == "." {
            return Some(content);
        }
        content.push_str(line.strip_prefix('.').unwrap_or(&line));
        content.push('\n');
    }
}

async fn say(stream: &mut BufReader<TcpStream>, plan: &Plan, step: SmtpStep, answer: &str) {
    if plan.stuck_at == Some(step) {
        std::future::pending::<()>().await;
    }
    // The client may be gone already: then the next read ends the conversation.
    let _ = stream.write_all(format!("{answer}\r\n").as_bytes()).await;
}
