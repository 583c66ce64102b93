//! Mail, through the one SMTP server that the operator configured.
//!
//! That server's address is not checked as those of webhooks are: only the operator can set it, and it
//! usually stands in a private network. What users choose are the recipients.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use nightbeat_domain::{DeliveryId, UnixMicros};

use crate::clean::clean_line;
use crate::deadline::Deadline;
use crate::notifier::{SendError, Sent};
use crate::tls::Roots;
use crate::{Content, Letter, Message, Text, render};

mod once;

/// The mail server, as the operator configures it.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpSettings {
    /// Its name or address.
    pub host: String,
    /// Its port: by default 465, 587 or 25, as `tls` wants.
    pub port: Option<u16>,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// The user, where the server wants one.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// The sender: `alerts@example.org` or `Nightbeat <alerts@example.org>`.
    pub from: String,
    /// How we call ourselves to the server; by default, the machine's name.
    pub helo: Option<String>,
}

/// Without the password.
impl fmt::Debug for SmtpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .field("username", &self.username)
            .field("from", &self.from)
            .field("helo", &self.helo)
            .finish_non_exhaustive()
    }
}

/// How the connection to a mail server is encrypted. It is asked for, never guessed from the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// From the first byte (port 465).
    Implicit,
    /// After STARTTLS, without which nothing is sent (port 587).
    Starttls,
    /// Not at all (port 25): for a server on the same machine or network.
    None,
}

impl SmtpTls {
    fn port(self) -> u16 {
        match self {
            Self::Implicit => 465,
            Self::Starttls => 587,
            Self::None => 25,
        }
    }
}

/// Why a mailer could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The sender is not an address.
    #[error("smtp.from: {0:?} is not an e-mail address; write Nightbeat <alerts@example.org>")]
    From(String),
    /// The server's name is empty.
    #[error("smtp.host: is empty; write the name of your mail server")]
    Host,
    /// A user without a password, or the reverse.
    #[error("smtp.username and smtp.password: set both or neither")]
    Credentials,
    /// The TLS library refuses its configuration.
    #[error("cannot set up TLS for {host}: {source}")]
    Tls {
        /// The mail server.
        host: String,
        /// What the library says.
        source: lettre::transport::smtp::Error,
    },
}

/// For how many recipients it is remembered that they have a mail whose other recipients have not.
const HALF_DELIVERED_KEPT: usize = 1_000;
/// How long to wait for the answer to QUIT: the mail is already accepted.
const QUIT_WAIT: Duration = Duration::from_millis(500);
/// The step that cannot be taken back.
const CONTENT: &str = "the mail itself";
/// In the order of preference.
const MECHANISMS: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login];

/// Sends mails.
pub(crate) struct Mailer {
    host: String,
    port: u16,
    tls: SmtpTls,
    tls_parameters: Option<TlsParameters>,
    credentials: Option<Credentials>,
    from: Mailbox,
    hello: ClientId,
    /// Who already has a mail that must be tried again for others. Only in memory: after a restart
    /// such a recipient gets it twice, which is better than never.
    half_delivered: Mutex<VecDeque<(DeliveryId, Address)>>,
}

/// What stands on a mail besides its text.
struct Envelope {
    id: String,
    sent_at: UnixMicros,
    /// The conversation that it belongs to.
    thread: Option<String>,
    /// Where its reader ends such mails.
    unsubscribe: Option<String>,
}

/// What became of one mail to several recipients.
#[derive(Default)]
struct Outcome {
    accepted: Vec<Address>,
    refused: Vec<String>,
}

impl Mailer {
    pub(crate) fn new(settings: &SmtpSettings, roots: &Roots) -> Result<Self, MailerError> {
        let host = settings.host.trim().to_owned();
        if host.is_empty() {
            return Err(MailerError::Host);
        }
        let from = settings
            .from
            .parse()
            .map_err(|_| MailerError::From(settings.from.clone()))?;
        let credentials = match (&settings.username, &settings.password) {
            (Some(user), Some(password)) => Some(Credentials::new(user.clone(), password.clone())),
            (None, None) => None,
            _ => return Err(MailerError::Credentials),
        };
        let tls_parameters = match settings.tls {
            SmtpTls::None => None,
            SmtpTls::Implicit | SmtpTls::Starttls => {
                Some(roots.smtp(&host).map_err(|source| MailerError::Tls {
                    host: host.clone(),
                    source,
                })?)
            }
        };
        Ok(Self {
            port: settings.port.unwrap_or(settings.tls.port()),
            tls: settings.tls,
            tls_parameters,
            credentials,
            from,
            hello: settings
                .helo
                .clone()
                .map_or_else(ClientId::default, ClientId::Domain),
            half_delivered: Mutex::default(),
            host,
        })
    }

    /// Sends `message` to the addresses `to` (with commas between them) in one transaction. It is sent
    /// only when every recipient is accepted; the others get theirs all the same.
    pub(crate) async fn send(
        &self,
        to: &str,
        message: &Message,
        deadline: &Deadline,
    ) -> Result<Sent, SendError> {
        let all: Vec<Address> = to
            .split(',')
            .map(|address| address.trim().parse())
            .collect::<Result<_, _>>()
            .map_err(|_| SendError::refused(format!("{to:?} are not e-mail addresses")))?;
        let mail = self.compose(&all, message).map_err(SendError::refused)?;
        let to: Vec<Address> = all
            .into_iter()
            .filter(|address| !self.has(message.delivery_id, address))
            .collect();
        if to.is_empty() {
            let detail = format!("{} accepted it for everyone at earlier tries", self.host);
            return Ok(Sent { detail });
        }
        let mut connection = self.connect(deadline).await?;
        let (outcome, answer) = self.transact(&mut connection, to, &mail, deadline).await?;
        // The answer no longer matters: the mail is the server's now.
        let _ = tokio::time::timeout(QUIT_WAIT, connection.quit()).await;
        if outcome.refused.is_empty() {
            return Ok(Sent {
                detail: format!("{} accepted: {answer}", self.host),
            });
        }
        let error = self.refused(&outcome);
        self.remember(message.delivery_id, outcome.accepted);
        Err(error)
    }

    /// Sends a letter to its one recipient.
    pub(crate) async fn post(&self, letter: &Letter, deadline: &Deadline) -> Result<(), SendError> {
        let (to, mail) = self.written(letter, None)?;
        let mut connection = self.connect(deadline).await?;
        let (outcome, _) = self
            .transact(&mut connection, vec![to], &mail, deadline)
            .await?;
        // The answer no longer matters: the mail is the server's now.
        let _ = tokio::time::timeout(QUIT_WAIT, connection.quit()).await;
        if outcome.refused.is_empty() {
            return Ok(());
        }
        Err(self.refused(&outcome))
    }

    /// A letter's recipient, and what is sent to them.
    fn written(
        &self,
        letter: &Letter,
        unsubscribe: Option<&str>,
    ) -> Result<(Address, Vec<u8>), SendError> {
        let bad = |_| SendError::refused(format!("{:?} is no e-mail address", letter.to));
        let to: Address = letter.to.trim().parse().map_err(bad)?;
        let envelope = Envelope {
            id: letter.id.to_string(),
            sent_at: letter.sent_at,
            thread: None,
            unsubscribe: unsubscribe.map(str::to_owned),
        };
        let mail = self.write(std::slice::from_ref(&to), &envelope, &letter.text);
        Ok((to, mail.map_err(SendError::refused)?))
    }

    fn refused(&self, outcome: &Outcome) -> SendError {
        let refused = outcome.refused.join("; ");
        SendError::failed(format!("{} refused {refused}", self.host))
    }

    /// Up to the point where mails can be handed over.
    async fn connect(&self, deadline: &Deadline) -> Result<AsyncSmtpConnection, SendError> {
        let at_once = self
            .tls_parameters
            .clone()
            .filter(|_| self.tls == SmtpTls::Implicit);
        let server = (self.host.as_str(), self.port);
        let connecting =
            AsyncSmtpConnection::connect_tokio1(server, None, &self.hello, at_once, None);
        let mut connection = self.step("greeting and EHLO", deadline, connecting).await?;
        if let Some(parameters) = self
            .tls_parameters
            .clone()
            .filter(|_| self.tls == SmtpTls::Starttls)
        {
            if !connection.can_starttls() {
                return Err(SendError::refused(format!(
                    "{} does not offer STARTTLS, so nothing was sent; set smtp.tls to \"implicit\" or \"none\"",
                    self.host
                )));
            }
            self.step(
                "STARTTLS",
                deadline,
                connection.starttls(parameters, &self.hello),
            )
            .await?;
        }
        if let Some(credentials) = &self.credentials {
            self.step("AUTH", deadline, connection.auth(MECHANISMS, credentials))
                .await?;
        }
        Ok(connection)
    }

    /// One mail transaction (RFC 5321, section 3.3).
    async fn transact(
        &self,
        connection: &mut AsyncSmtpConnection,
        to: Vec<Address>,
        mail: &[u8],
        deadline: &Deadline,
    ) -> Result<(Outcome, String), SendError> {
        let outcome = self.offer(connection, to, deadline).await?;
        if outcome.accepted.is_empty() {
            return Ok((outcome, String::new()));
        }
        let answer = self
            .step(CONTENT, deadline, connection.message(mail))
            .await?;
        let lines: Vec<&str> = answer.message().collect();
        Ok((
            outcome,
            clean_line(&format!("{} {}", answer.code(), lines.join(" ")), None),
        ))
    }

    /// Its beginning, up to the point where the server waits for the mail itself, where it accepts any
    /// recipient. One who is refused does not keep the mail from the others.
    async fn offer(
        &self,
        connection: &mut AsyncSmtpConnection,
        to: Vec<Address>,
        deadline: &Deadline,
    ) -> Result<Outcome, SendError> {
        let from = Mail::new(Some(self.from.email.clone()), Vec::new());
        self.step("MAIL FROM", deadline, connection.command(from))
            .await?;
        let mut outcome = Outcome::default();
        for address in to {
            let command = connection.command(Rcpt::new(address.clone(), Vec::new()));
            let waiting = format!("{} did not answer to RCPT TO", self.host);
            match deadline.within(&waiting, command).await? {
                Ok(_) => outcome.accepted.push(address),
                Err(error) if error.is_transient() || error.is_permanent() => {
                    outcome.refused.push(format!("{address}: {}", said(&error)));
                }
                Err(error) => return Err(self.failed("RCPT TO", &error)),
            }
        }
        if !outcome.accepted.is_empty() {
            self.step("DATA", deadline, connection.command(Data))
                .await?;
        }
        Ok(outcome)
    }

    async fn step<T>(
        &self,
        name: &str,
        deadline: &Deadline,
        step: impl Future<Output = Result<T, lettre::transport::smtp::Error>>,
    ) -> Result<T, SendError> {
        let waiting = format!("{} did not answer to {name}", self.host);
        let done = deadline.within(&waiting, step).await?;
        done.map_err(|error| self.failed(name, &error))
    }

    fn failed(&self, step: &str, error: &lettre::transport::smtp::Error) -> SendError {
        SendError::failed(format!("{} at {step}: {}", self.host, said(error)))
    }

    /// The mail as it goes over the wire. The error says what keeps it from being one.
    fn compose(&self, to: &[Address], message: &Message) -> Result<Vec<u8>, String> {
        let envelope = Envelope {
            id: message.delivery_id.to_string(),
            sent_at: message.sent_at,
            thread: thread(message),
            unsubscribe: None,
        };
        self.write(to, &envelope, &render::text(message))
    }

    fn write(&self, to: &[Address], envelope: &Envelope, text: &Text) -> Result<Vec<u8>, String> {
        if text.title.contains(['\r', '\n', '\0']) {
            return Err("the subject contains a line break".to_owned());
        }
        let domain = self.from.email.domain();
        let sent_at = Duration::from_micros(envelope.sent_at.0.max(0) as u64);
        let mut builder = lettre::Message::builder()
            .from(self.from.clone())
            .subject(&text.title)
            .date(SystemTime::UNIX_EPOCH + sent_at)
            .message_id(Some(format!("<{}@{domain}>", envelope.id)))
            // RFC 3834: nobody's holiday notice should answer.
            .raw_header(header("Auto-Submitted", "auto-generated"));
        for address in to {
            builder = builder.to(Mailbox::new(None, address.clone()));
        }
        if let Some(thread) = &envelope.thread {
            let id = format!("<{thread}@{domain}>");
            builder = builder.references(id.clone()).in_reply_to(id);
        }
        if let Some(url) = &envelope.unsubscribe {
            builder = builder.raw_header(header("List-Unsubscribe", &format!("<{url}>")));
            // RFC 8058: one click, of the mail program. Only over TLS.
            if url.starts_with("https://") {
                let one_click = "List-Unsubscribe=One-Click";
                builder = builder.raw_header(header("List-Unsubscribe-Post", one_click));
            }
        }
        let parts = MultiPart::alternative_plain_html(text.plain(None), text.html());
        let mail = builder
            .multipart(parts)
            .map_err(|error| error.to_string())?;
        Ok(mail.formatted())
    }

    fn has(&self, delivery: DeliveryId, address: &Address) -> bool {
        let known = self
            .half_delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .any(|(id, one)| *id == delivery && one == address)
    }

    fn remember(&self, delivery: DeliveryId, addresses: Vec<Address>) {
        let mut known = self
            .half_delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.extend(addresses.into_iter().map(|address| (delivery, address)));
        let surplus = known.len().saturating_sub(HALF_DELIVERED_KEPT);
        known.drain(..surplus);
    }
}

/// All mails about one incident are one conversation.
fn thread(message: &Message) -> Option<String> {
    match &message.content {
        Content::One(snapshot) => Some(snapshot.alert.incident.as_ref()?.id.to_string()),
        Content::Digest(_) | Content::Test { .. } => None,
    }
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// What the server or the connection said, fit to be shown.
fn said(error: &lettre::transport::smtp::Error) -> String {
    clean_line(&error.to_string(), None)
}
