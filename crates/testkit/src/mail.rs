//! A small SMTP server on 127.0.0.1 that records mails, refuses whom it is told to, and can stop
//! answering at any step.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::wait::until;

/// Where a server stops answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpStep {
    /// Before its first line.
    Greeting,
    /// After EHLO, or AUTH.
    Ehlo,
    /// After MAIL FROM.
    MailFrom,
    /// After RCPT TO.
    RcptTo,
    /// After DATA.
    Data,
    /// After the mail, which it does not keep.
    Content,
    /// After QUIT.
    Quit,
}

/// A mail that arrived.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// The sender of its envelope.
    pub from: String,
    /// The recipients of its envelope.
    pub to: Vec<String>,
    /// Its headers and its body, with `\n` at the end of each line.
    pub content: String,
}

impl Mail {
    /// The value of a header, its folded lines joined.
    pub fn header(&self, name: &str) -> Option<String> {
        let (head, _) = self.content.split_once("\n\n")?;
        let head = head.replace("\n ", " ");
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.trim().to_owned())
    }

    /// The content without the soft line breaks of quoted-printable.
    pub fn unfolded(&self) -> String {
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

/// The mail server. It ends when this is dropped.
#[derive(Debug)]
pub struct MailServer {
    port: u16,
    plan: Arc<Mutex<Plan>>,
    mails: Arc<Mutex<Vec<Mail>>>,
    /// How many clients wait for an answer that does not come.
    stuck: Arc<Mutex<usize>>,
    accepting: JoinHandle<()>,
}

impl MailServer {
    async fn with(plan: Plan) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan = Arc::new(Mutex::new(plan));
        let (mails, stuck) = (Arc::default(), Arc::default());
        let accepting = {
            let (plan, mails, stuck) = (Arc::clone(&plan), Arc::clone(&mails), Arc::clone(&stuck));
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let plan = plan.lock().unwrap().clone();
                    let conversation = Conversation {
                        stream: BufReader::new(stream),
                        plan,
                        stuck: Arc::clone(&stuck),
                    };
                    tokio::spawn(conversation.hold(Arc::clone(&mails)));
                }
            })
        };
        Self {
            port,
            plan,
            mails,
            stuck,
            accepting,
        }
    }

    /// One that takes everything.
    pub async fn start() -> Self {
        Self::with(Plan::default()).await
    }

    /// One that stops answering at a step.
    pub async fn stuck_at(step: SmtpStep) -> Self {
        Self::with(Plan {
            stuck_at: Some(step),
            ..Plan::default()
        })
        .await
    }

    /// One that wants this AUTH PLAIN argument.
    pub async fn with_auth(plain: &str) -> Self {
        Self::with(Plan {
            auth: Some(plain.to_owned()),
            ..Plan::default()
        })
        .await
    }

    /// Refuses a recipient from now on, with this answer.
    pub fn refuse(&self, address: &str, answer: &str) {
        self.plan
            .lock()
            .unwrap()
            .refuse
            .push((address.to_owned(), answer.to_owned()));
    }

    /// Refuses nobody any more.
    pub fn refuse_nobody(&self) {
        self.plan.lock().unwrap().refuse.clear();
    }

    /// Stops answering at a step from the next connection on; `None`: at none.
    pub fn get_stuck_at(&self, step: Option<SmtpStep>) {
        self.plan.lock().unwrap().stuck_at = step;
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until a client waits for an answer that does not come.
    pub async fn until_stuck(&self) {
        until("a mail is stuck", async || {
            (*self.stuck.lock().unwrap() > 0).then_some(())
        })
        .await;
    }

    /// Waits until so many mails are there; all of them.
    pub async fn until_mails(&self, number: usize) -> Vec<Mail> {
        until(&format!("{number} mails"), async || {
            let mails = self.mails();
            (mails.len() >= number).then_some(mails)
        })
        .await
    }

    /// Everything that arrived, in its order.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }

    /// The only mail that came.
    #[track_caller]
    pub fn mail(&self) -> Mail {
        let mails = self.mails();
        assert_eq!(mails.len(), 1, "{mails:?}");
        mails[0].clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// One connection.
struct Conversation {
    stream: BufReader<TcpStream>,
    plan: Plan,
    stuck: Arc<Mutex<usize>>,
}

impl Conversation {
    /// Ends when the client goes, or never, where it is stuck.
    async fn hold(mut self, mails: Arc<Mutex<Vec<Mail>>>) {
        let mut mail = Mail::default();
        self.say(SmtpStep::Greeting, "220 mail.example ESMTP").await;
        loop {
            let Some(line) = read_line(&mut self.stream).await else {
                return;
            };
            let (verb, rest) = line.split_once([' ', ':']).unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => {
                    let auth = if self.plan.auth.is_some() {
                        "250-AUTH PLAIN LOGIN\r\n"
                    } else {
                        ""
                    };
                    let answer = format!("250-mail.example\r\n{auth}250 8BITMIME");
                    self.say(SmtpStep::Ehlo, &answer).await;
                }
                "AUTH" => {
                    let given = rest.strip_prefix("PLAIN ").map(str::to_owned);
                    let answer = if given == self.plan.auth {
                        "235 2.7.0 ok"
                    } else {
                        "535 5.7.8 wrong password"
                    };
                    self.say(SmtpStep::Ehlo, answer).await;
                }
                "MAIL" => {
                    mail = Mail {
                        from: address(rest),
                        ..Mail::default()
                    };
                    self.say(SmtpStep::MailFrom, "250 2.1.0 ok").await;
                }
                "RCPT" => {
                    let to = address(rest);
                    let refuse = &self.plan.refuse;
                    let refused = refuse.iter().find(|(address, _)| *address == to);
                    let answer = refused.map(|(_, answer)| answer.clone());
                    if answer.is_none() {
                        mail.to.push(to);
                    }
                    let answer = answer.unwrap_or_else(|| "250 2.1.5 ok".to_owned());
                    self.say(SmtpStep::RcptTo, &answer).await;
                }
                "DATA" => {
                    self.say(SmtpStep::Data, "354 go on").await;
                    let Some(content) = read_content(&mut self.stream).await else {
                        return;
                    };
                    mail.content = content;
                    if self.plan.stuck_at != Some(SmtpStep::Content) {
                        mails.lock().unwrap().push(mail.clone());
                    }
                    self.say(SmtpStep::Content, "250 2.0.0 queued as 12345")
                        .await;
                }
                "QUIT" => {
                    self.say(SmtpStep::Quit, "221 2.0.0 bye").await;
                    return;
                }
                _ => self.say(SmtpStep::Quit, "500 5.5.1 what?").await,
            }
        }
    }

    async fn say(&mut self, step: SmtpStep, answer: &str) {
        if self.plan.stuck_at == Some(step) {
            *self.stuck.lock().unwrap() += 1;
            std::future::pending::<()>().await;
        }
        // The client may be gone already: then the next read ends the conversation.
        let _ = self
            .stream
            .write_all(format!("{answer}\r\n").as_bytes())
            .await;
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
