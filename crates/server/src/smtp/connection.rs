//! One connection, from the greeting to the end.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use nightbeat_store::control::addressed::{self, Addressed};
use nightbeat_store::{Recorded, Target};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use super::Parts;
use super::pace::Pace;
use super::reply::Reply;
use super::session::{Envelope, Found, House, Next, Outcome, Session};
use super::tls::Tls;
use super::wire::{Inbox, Text, TextProblem};
use crate::budget::{Budget, Held};
use crate::http::{Admission, Impatient, Serves, Shutdown, cut_path, linger};
use crate::ingest::mail::Sender;
use crate::ingest::mail::address::MailAddress;
use crate::ingest::mail::letter::Letter;
use crate::ingest::url::UrlTarget;
use crate::metrics::OutcomeLabel;
use crate::node::Answer;

/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;
/// How long a client may take nothing of a reply.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a client may be silent where most connections are taken.
const CROWDED_PATIENCE: Duration = Duration::from_secs(20);
/// How long the text of one mail may take.
const TEXT_TIME_MAX: Duration = Duration::from_secs(600);
/// How long a client may stay.
const STAY_MAX: Duration = Duration::from_secs(3_600);
/// How long the beginning of encryption may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(30);
/// The code of a recipient that is refused.
const NO_MAILBOX: u16 = 550;
/// A text that is so many times larger than it may be is not read to its end.
const PASSED_OVER_MAX: u64 = 4;

/// What all connections share.
pub(super) struct Shared {
    pub(super) house: House,
    pub(super) tls: Option<Tls>,
    pub(super) pace: Pace,
    pub(super) patience: Duration,
    /// For the texts that are still on their way.
    pub(super) memory: Budget,
    pub(super) admission: Arc<Admission>,
    pub(super) parts: Parts,
}

/// Serves connections.
#[derive(Clone)]
pub(super) struct Server(Arc<Shared>);

impl Server {
    pub(super) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Serves for Server {
    const NO_ROOM: &'static [u8] = b"421 4.3.2 too many connections, try again\r\n";

    async fn serve<S>(&self, stream: S, peer: Option<IpAddr>, shutdown: Shutdown)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut session = Session::new(&self.0.house);
        let stay = Instant::now() + STAY_MAX;
        let mut talk = Talk {
            shared: &self.0,
            peer: peer.map(|peer| peer.to_canonical()),
            stream: Impatient::new(stream, WRITE_PATIENCE),
            piece: vec![0; READ_BYTES],
            inbox: Inbox::default(),
            out: Vec::new(),
            stay,
            shutdown,
        };
        talk.say(&session.greeting());
        match talk.converse(&mut session).await {
            Ok(Ended::StartTls) => {}
            Ok(Ended::Closed) => return linger(talk.stream).await,
            Err(error) => return tracing::debug!(%error, "mail connection ended"),
        }
        let Some(tls) = &self.0.tls else { return };
        let handshake = timeout(HANDSHAKE_TIME, tls.acceptor().accept(talk.stream)).await;
        let stream = match handshake {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "no encryption"),
            Err(_) => return tracing::debug!("the encryption took too long to begin"),
        };
        session.is_encrypted();
        let mut talk = Talk {
            shared: talk.shared,
            peer: talk.peer,
            stream,
            piece: talk.piece,
            // What came before the encryption is dropped: anybody may have added it.
            inbox: Inbox::default(),
            out: Vec::new(),
            stay,
            shutdown: talk.shutdown,
        };
        match talk.converse(&mut session).await {
            Ok(_) => linger(talk.stream).await,
            Err(error) => tracing::debug!(%error, "mail connection ended"),
        }
    }
}

/// How a conversation ended.
enum Ended {
    Closed,
    /// It goes on, encrypted.
    StartTls,
}

/// A connection and what is on its way on it.
struct Talk<'s, S> {
    shared: &'s Shared,
    peer: Option<IpAddr>,
    stream: S,
    /// What is read at once.
    piece: Vec<u8>,
    inbox: Inbox,
    /// Replies that are not sent yet: those to commands that came together go together.
    out: Vec<u8>,
    /// When it has to end.
    stay: Instant,
    shutdown: Shutdown,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<'_, S> {
    /// Answers what comes until the connection is to be closed or encrypted.
    async fn converse(&mut self, session: &mut Session<'_>) -> io::Result<Ended> {
        loop {
            let Some(line) = self.inbox.line() else {
                if let Some(last_word) = self.read_on().await? {
                    self.say(&last_word);
                    return self.close().await;
                }
                continue;
            };
            let had_mail = session.has_mail();
            let mut next = session.line(line.as_deref().map_err(|problem| *problem));
            if session.has_mail() && !had_mail && !self.may_send() {
                self.shared.count("too_fast");
                next = session.too_soon();
            }
            if let Next::LookUp(address) = next {
                let found = self.shared.look_up(&address).await;
                next = session.looked_up(address, found);
            }
            if matches!(&next, Next::Say(reply) if reply.code == NO_MAILBOX) {
                self.shared.count("refused_recipient");
            }
            if let Next::Text(reply) = &next {
                self.say(reply);
                let Some(outcome) = self.mail(session).await? else {
                    return self.close().await;
                };
                next = session.told(outcome);
            } else if is_data(&line) && !self.inbox.is_empty() {
                // It did not wait for the answer: what follows is the text of a mail that is not taken, and
                // must not be taken for commands.
                next = next.closing();
            }
            match next {
                Next::Say(reply) => self.say(&reply),
                Next::Close(reply) => {
                    self.say(&reply);
                    return self.close().await;
                }
                Next::StartTls(reply) => {
                    self.say(&reply);
                    self.inbox.clear();
                    self.flush().await?;
                    return Ok(Ended::StartTls);
                }
                // Both were dealt with.
                Next::LookUp(_) | Next::Text(_) => {}
            }
        }
    }

    fn say(&mut self, reply: &Reply) {
        reply.write(&mut self.out);
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.out).await?;
        self.out.clear();
        self.stream.flush().await
    }

    async fn close(&mut self) -> io::Result<Ended> {
        self.flush().await?;
        Ok(Ended::Closed)
    }

    /// Reads more, between commands; or says why there is no more time for it.
    async fn read_on(&mut self) -> io::Result<Option<Reply>> {
        self.flush().await?;
        let mut patience = self.shared.patience;
        if self.shared.admission.is_crowded() {
            patience = patience.min(CROWDED_PATIENCE);
        }
        let until = (Instant::now() + patience).min(self.stay);
        let mut shutdown = self.shutdown.clone();
        let last_word = tokio::select! {
            biased;
            () = shutdown.begun() => "4.3.2 the server stops, try again",
            read = self.read(until) => {
                if read? {
                    return Ok(None);
                }
                "4.4.2 too long a silence"
            }
        };
        Ok(Some(Reply::new(421, last_word)))
    }

    /// Reads more until then; whether something came.
    async fn read(&mut self, until: Instant) -> io::Result<bool> {
        let reading = self.stream.read(&mut self.piece);
        match tokio::time::timeout_at(until, reading).await {
            Err(_) => Ok(false),
            Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Ok(count)) => {
                self.inbox.push(&self.piece[..count]);
                Ok(true)
            }
            Ok(Err(error)) => Err(error),
        }
    }

    /// Whether the other side may send one more mail now.
    fn may_send(&self) -> bool {
        let counted = self
            .peer
            .filter(|peer| !self.shared.admission.is_exempt(*peer));
        counted.is_none_or(|peer| self.shared.pace.take(peer, self.shared.parts.node.now()))
    }

    /// Reads the text of a mail and records what it says; `None`: it breaks off, for a reason that was told.
    async fn mail(&mut self, session: &mut Session<'_>) -> io::Result<Option<Outcome>> {
        let began = Instant::now();
        let Some(envelope) = session.envelope() else {
            return Ok(Some(Outcome::Gone));
        };
        let (mut memory, mut room) = (Held::default(), 0);
        let mut text = Text::new(self.shared.house.mail_bytes);
        let mut starved = false;
        while !self.inbox.text(&mut text) {
            if text.total() > PASSED_OVER_MAX * self.shared.house.mail_bytes as u64 {
                self.say(&Reply::new(552, "5.3.4 the mail is far too large"));
                self.shared.count("too_large");
                return Ok(None);
            }
            self.flush().await?;
            let until = (Instant::now() + self.shared.patience).min(began + TEXT_TIME_MAX);
            if !self.read(until).await? {
                self.say(&Reply::new(421, "4.4.2 the mail takes too long"));
                self.shared.count("too_slow");
                return Ok(None);
            }
            // All that was just read may have to be kept.
            if !starved && text.kept() + READ_BYTES > room {
                room += READ_BYTES;
                starved = !self.shared.memory.take(&mut memory, READ_BYTES);
            }
            if starved {
                text.drop_bytes();
            }
        }
        let bytes = text.total();
        let outcome = match text.finish() {
            _ if starved => {
                // Nobody could have had it.
                self.shared.parts.node.refused();
                Outcome::NoRoom
            }
            Err(TextProblem::Bare) => Outcome::Bare,
            Err(TextProblem::TooLarge) => Outcome::TooLarge,
            Ok(raw) => self.shared.record(raw, &envelope, self.peer).await,
        };
        self.shared.count(name(outcome));
        log(&envelope, self.peer, bytes, outcome, began);
        Ok(Some(outcome))
    }
}

impl Shared {
    async fn look_up(&self, address: &MailAddress) -> Found {
        let target = target(address);
        let looking = self
            .parts
            .store
            .read(move |sql| addressed::look_up(sql, &target));
        match looking.await {
            Ok(Addressed::One) => Found::One,
            Ok(Addressed::None) => Found::None,
            Ok(Addressed::Several) => Found::Several,
            Err(error) => {
                tracing::debug!(%error, "an address could not be looked up");
                self.parts.node.refused();
                self.count("later");
                Found::Unknown
            }
        }
    }

    /// Records what a mail says to all whom it is for. What is stored for some and not for others comes again,
    /// and is recorded once by its mark.
    async fn record(&self, raw: Vec<u8>, envelope: &Envelope, client: Option<IpAddr>) -> Outcome {
        let sender = Sender {
            from: envelope.from.clone(),
            client,
        };
        let ingest = self.parts.ingest.clone();
        let (to, of) = (envelope.to.clone(), sender.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let letter = Letter::read(&raw);
            ingest.arrivals(&letter, &to, &of)
        });
        let ingest = &self.parts.ingest;
        let arrivals = reading.await.unwrap_or_else(|error| {
            // The signals count, whatever the text was.
            tracing::error!(%error, "a mail could not be taken apart; this is a bug");
            ingest.arrivals(&Letter::default(), &envelope.to, &sender)
        });
        let answers = ingest.mail(arrivals).await;
        together(&answers)
    }

    fn count(&self, outcome: &'static str) {
        let label = OutcomeLabel { outcome };
        self.parts.metrics.mails.get_or_create(&label).inc();
    }
}

/// How many recipients of a mail are named in the log.
const LOGGED_MAX: usize = 5;

fn log(envelope: &Envelope, client: Option<IpAddr>, bytes: u64, outcome: Outcome, began: Instant) {
    let to: Vec<String> = envelope.to.iter().take(LOGGED_MAX).map(shown).collect();
    tracing::info!(
        to = to.join(","),
        recipients = envelope.to.len(),
        bytes,
        outcome = name(outcome),
        ms = began.elapsed().as_millis() as u64,
        client = client.map(tracing::field::display),
        "mail"
    );
}

/// What became of a mail, from what became of its signals.
fn together(answers: &[Answer]) -> Outcome {
    let any = |is: fn(&Answer) -> bool| answers.iter().any(is);
    // A row that cannot be read may be mended before the sender gives up.
    if any(|answer| matches!(answer, Answer::Refused { .. } | Answer::NotHere))
        || any(|answer| matches!(answer, Answer::Stored(Recorded::Broken)))
    {
        Outcome::Later
    } else if any(|answer| matches!(answer, Answer::TooFast { .. })) {
        Outcome::TooFast
    } else if any(|answer| {
        !matches!(
            answer,
            Answer::Stored(Recorded::Unknown | Recorded::Ambiguous)
        )
    }) {
        Outcome::Taken
    } else {
        Outcome::Gone
    }
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Taken => "taken",
        Outcome::Later | Outcome::NoRoom => "later",
        Outcome::TooFast => "too_fast",
        Outcome::TooLarge => "too_large",
        Outcome::Bare => "bare",
        Outcome::Gone => "refused_recipient",
    }
}

fn target(address: &MailAddress) -> Target {
    match address.target.clone() {
        UrlTarget::Id(id) => Target::Id(id),
        UrlTarget::Slug { ping_key, slug } => Target::Slug {
            ping_key,
            slug,
            create: None,
        },
    }
}

/// An address for the log, without its secret.
fn shown(address: &MailAddress) -> String {
    match &address.target {
        UrlTarget::Id(id) => cut_path(&id.to_string()).into_owned(),
        UrlTarget::Slug { ping_key, slug } => format!("{}+{slug}", cut_path(ping_key)),
    }
}

fn is_data<E>(line: &Result<Vec<u8>, E>) -> bool {
    let line = line.as_deref().unwrap_or_default();
    line.trim_ascii().eq_ignore_ascii_case(b"DATA")
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightbeat_domain::IgnoredBecause;

    #[test]
    fn a_mail_is_taken_when_all_of_it_is_stored() {
        let stored = Answer::Stored;
        let refused = Answer::Refused {
            retry_after_seconds: 5,
        };
        let too_fast = Answer::TooFast {
            retry_after_seconds: 1,
        };
        for (answers, expected) in [
            (vec![stored(Recorded::Counted)], Outcome::Taken),
            (vec![stored(Recorded::Duplicate)], Outcome::Taken),
            (
                vec![stored(Recorded::Ignored(IgnoredBecause::Keywords))],
                Outcome::Taken,
            ),
            (
                vec![stored(Recorded::Counted), stored(Recorded::Unknown)],
                Outcome::Taken,
            ),
            (vec![stored(Recorded::Unknown)], Outcome::Gone),
            (vec![stored(Recorded::Ambiguous)], Outcome::Gone),
            (vec![stored(Recorded::Counted), refused], Outcome::Later),
            (vec![stored(Recorded::Broken)], Outcome::Later),
            (vec![Answer::NotHere], Outcome::Later),
            (vec![too_fast, stored(Recorded::Counted)], Outcome::TooFast),
            (vec![too_fast, refused], Outcome::Later),
        ] {
            assert_eq!(together(&answers), expected, "{answers:?}");
        }
    }
}
