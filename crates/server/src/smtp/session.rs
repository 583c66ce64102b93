//! One conversation: from commands to replies. Pure; who drives it reads, writes, looks addresses up and stores.

use std::borrow::Cow;

use smtp_proto::{Error, MAIL_BODY_BINARYMIME, Request};

use super::reply::Reply;
use super::wire::LineProblem;
use crate::config::MailDomain;
use crate::ingest::mail::address::{AddressProblem, MailAddress};

/// How many recipients one mail may have. RFC 5321 (4.5.3.1.8) wants a hundred at the least.
pub const RECIPIENTS_MAX: usize = 100;
/// How many commands may be refused before the connection is closed.
const REFUSALS_MAX: u32 = 20;
/// How many commands there may be without a mail being taken.
const IDLE_COMMANDS_MAX: u32 = 1_000;
/// How much of a sender's address is kept, in characters.
const SENDER_CHARS_MAX: usize = 200;

/// What the client is to be told and what is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Say this, and read on.
    Say(Reply),
    /// Say this, and close the connection.
    Close(Reply),
    /// Look for the heartbeat of this address, then call [`Session::looked_up`].
    LookUp(MailAddress),
    /// Say this, read the text, then call [`Session::told`].
    Text(Reply),
    /// Say this, drop what else came, begin with TLS, then call [`Session::is_encrypted`].
    StartTls(Reply),
}

impl Next {
    /// The same, but the connection is closed then.
    pub(super) fn closing(self) -> Self {
        match self {
            Self::Say(reply) => Self::Close(reply),
            other => other,
        }
    }
}

/// What was found at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A heartbeat.
    One,
    /// Nothing.
    None,
    /// Two heartbeats with this slug.
    Several,
    /// Nobody could look.
    Unknown,
}

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All that it says is on disk.
    Taken,
    /// Some of it could not be stored: it must come again.
    Later,
    /// There is no memory for it now.
    NoRoom,
    /// Its heartbeats signal faster than the operator allows.
    TooFast,
    /// It is too large.
    TooLarge,
    /// It holds a line feed or a carriage return that stands alone.
    Bare,
    /// Its heartbeats were removed meanwhile.
    Gone,
}

/// What stays the same in all conversations.
#[derive(Debug, Clone)]
pub struct House {
    /// The domains whose mail is taken; the first is what the server calls itself.
    pub domains: Vec<MailDomain>,
    /// The largest mail, in bytes.
    pub mail_bytes: usize,
    /// Whether there is a certificate.
    pub tls: bool,
}

/// A mail that is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Who sent it; empty: nobody wants to hear back about it.
    pub from: String,
    /// To which heartbeats it says something; each once.
    pub to: Vec<MailAddress>,
    /// A recipient was refused.
    refused: bool,
}

/// One conversation.
#[derive(Debug)]
pub struct Session<'h> {
    house: &'h House,
    /// The client has said hello.
    greeted: bool,
    encrypted: bool,
    envelope: Option<Envelope>,
    refusals: u32,
    idle_commands: u32,
}

impl<'h> Session<'h> {
    /// A conversation that begins.
    pub fn new(house: &'h House) -> Self {
        Self {
            house,
            greeted: false,
            encrypted: false,
            envelope: None,
            refusals: 0,
            idle_commands: 0,
        }
    }

    /// What the server says first.
    pub fn greeting(&self) -> Reply {
        Reply::new(220, format!("{} ESMTP Nightbeat", self.name()))
    }

    /// Answers one line.
    pub fn line(&mut self, line: Result<&[u8], LineProblem>) -> Next {
        self.idle_commands += 1;
        if self.idle_commands > IDLE_COMMANDS_MAX {
            return Next::Close(Reply::new(421, "4.7.0 too many commands without a mail"));
        }
        let next = match line {
            Err(LineProblem::TooLong) => refused(500, "5.5.2 this line is too long"),
            Err(LineProblem::Bare) => refused(
                500,
                "5.5.2 end each line with CR LF, and use neither elsewhere",
            ),
            Ok(line) => match Request::parse(&mut line.iter()) {
                Ok(request) => self.request(request),
                Err(error) => self.unread(line, &error),
            },
        };
        self.counted(next)
    }

    /// Whether a mail was begun and its text is not read.
    pub fn has_mail(&self) -> bool {
        self.envelope.is_some()
    }

    /// The mail that was just begun comes too soon after others of its sender.
    pub fn too_soon(&mut self) -> Next {
        self.envelope = None;
        self.counted(refused(
            450,
            "4.7.1 too many mails from your address, try again in a minute",
        ))
    }

    /// The heartbeat of the address of a [`Next::LookUp`] was looked for.
    pub fn looked_up(&mut self, address: MailAddress, found: Found) -> Next {
        let Some(envelope) = &mut self.envelope else {
            return Next::Close(lost());
        };
        envelope.refused |= found != Found::One;
        let next = match found {
            Found::One => {
                if !envelope.to.contains(&address) {
                    envelope.to.push(address);
                }
                Next::Say(Reply::new(250, "2.1.5 fine"))
            }
            Found::None => refused(550, format!("5.1.1 {}", AddressProblem::Unknown)),
            Found::Several => refused(550, "5.1.4 two heartbeats have this name"),
            Found::Unknown => refused(451, "4.3.0 it cannot be looked up now, try again"),
        };
        self.counted(next)
    }

    /// The mail whose text was read; the next one begins anew.
    pub fn envelope(&mut self) -> Option<Envelope> {
        self.envelope.take()
    }

    /// The text of a [`Next::Text`] was read, and this became of the mail.
    pub fn told(&mut self, outcome: Outcome) -> Next {
        self.idle_commands = 0;
        let next = match outcome {
            Outcome::Taken => Next::Say(Reply::new(250, "2.0.0 recorded")),
            Outcome::Later => refused(451, "4.3.0 it cannot be stored now, try again"),
            Outcome::NoRoom => refused(452, "4.3.1 too many mails at once, try again"),
            Outcome::TooFast => refused(451, "4.7.1 too many signals, try again"),
            Outcome::TooLarge => self.too_large(),
            Outcome::Bare => refused(
                550,
                "5.6.11 end each line with CR LF, and use neither elsewhere",
            ),
            Outcome::Gone => refused(550, "5.1.1 the heartbeat is gone"),
        };
        self.counted(next)
    }

    /// The connection is encrypted: all that was said before is forgotten (RFC 3207, 4.2).
    pub fn is_encrypted(&mut self) {
        *self = Self {
            encrypted: true,
            refusals: self.refusals,
            idle_commands: self.idle_commands,
            ..Self::new(self.house)
        };
    }

    fn request(&mut self, request: Request<Cow<'_, str>>) -> Next {
        match request {
            Request::Helo { .. } => {
                self.hello();
                Next::Say(Reply::new(250, self.name()))
            }
            Request::Ehlo { .. } => {
                self.hello();
                Next::Say(self.extensions())
            }
            Request::Mail { from } if from.flags & MAIL_BODY_BINARYMIME != 0 => {
                refused(555, "5.5.4 binary mails are not taken")
            }
            Request::Mail { from } => self.mail(&from.address, from.size),
            Request::Rcpt { to } => self.rcpt(&to.address),
            Request::Data => self.data(),
            Request::Rset => {
                self.envelope = None;
                fine()
            }
            Request::Noop { .. } => fine(),
            Request::Help { .. } => Next::Say(Reply::new(
                214,
                "2.0.0 mail to ID@DOMAIN is a signal; the handbook says more",
            )),
            Request::Quit => Next::Close(Reply::new(221, "2.0.0 bye")),
            Request::StartTls => self.start_tls(),
            // What follows it is no command, and must not be taken for some.
            Request::Bdat { .. } | Request::Burl { .. } => {
                Next::Close(Reply::new(502, "5.5.1 use DATA"))
            }
            Request::Vrfy { .. } | Request::Expn { .. } => {
                refused(502, "5.5.1 nobody is told who is here")
            }
            Request::Auth { .. } => refused(502, "5.5.1 there is nothing to sign in to"),
            Request::Lhlo { .. } | Request::Etrn { .. } | Request::Atrn { .. } => unknown(),
        }
    }

    /// A line that the parser refuses. What it says against an address is not the last word: it takes neither
    /// a sender without a domain, which nobody here needs, nor an address of a machine in brackets.
    fn unread(&mut self, line: &[u8], error: &Error) -> Next {
        match error {
            Error::InvalidSenderAddress => match between_brackets(line) {
                Some(from) => self.mail(&from, 0),
                None => refused(501, "5.1.7 write MAIL FROM:<you@example.org>"),
            },
            Error::InvalidRecipientAddress => match between_brackets(line) {
                Some(to) => self.rcpt(&to),
                None => refused(501, "5.1.3 write RCPT TO:<ID@DOMAIN>"),
            },
            Error::UnknownCommand => unknown(),
            Error::SyntaxError { syntax } => refused(501, format!("5.5.4 write {syntax}")),
            Error::InvalidParameter { param } => refused(501, format!("5.5.4 {param} is wrong")),
            Error::UnsupportedParameter { .. } => refused(555, "5.5.4 a parameter is unknown"),
            _ => refused(500, "5.5.2 this cannot be understood"),
        }
    }

    fn hello(&mut self) {
        self.greeted = true;
        self.envelope = None;
    }

    fn extensions(&self) -> Reply {
        let mut lines: Vec<Cow<'static, str>> = vec![
            self.name().into(),
            "PIPELINING".into(),
            format!("SIZE {}", self.house.mail_bytes).into(),
            "8BITMIME".into(),
            "SMTPUTF8".into(),
            "ENHANCEDSTATUSCODES".into(),
        ];
        if self.house.tls && !self.encrypted {
            lines.push("STARTTLS".into());
        }
        Reply::of_lines(250, lines)
    }

    fn mail(&mut self, from: &str, size: usize) -> Next {
        if !self.greeted {
            return refused(503, "5.5.1 say EHLO first");
        }
        if self.envelope.is_some() {
            return refused(503, "5.5.1 one mail after the other");
        }
        if size > self.house.mail_bytes {
            return self.too_large();
        }
        let plain = from.chars().filter(|c| !c.is_control());
        self.envelope = Some(Envelope {
            from: plain.take(SENDER_CHARS_MAX).collect(),
            to: Vec::new(),
            refused: false,
        });
        Next::Say(Reply::new(250, "2.1.0 fine"))
    }

    fn rcpt(&mut self, to: &str) -> Next {
        let Some(envelope) = &mut self.envelope else {
            return refused(503, "5.5.1 say MAIL first");
        };
        if envelope.to.len() >= RECIPIENTS_MAX {
            return refused(452, "4.5.3 too many recipients");
        }
        let problem = match MailAddress::parse(to, &self.house.domains) {
            Ok(address) => return Next::LookUp(address),
            Err(problem) => problem,
        };
        envelope.refused = true;
        match problem {
            AddressProblem::NoDomain => refused(550, format!("5.1.3 {problem}")),
            AddressProblem::Elsewhere => refused(550, format!("5.7.1 relay denied: {problem}")),
            AddressProblem::Unknown | AddressProblem::Ending => {
                refused(550, format!("5.1.1 {problem}"))
            }
        }
    }

    fn data(&mut self) -> Next {
        match &self.envelope {
            Some(envelope) if !envelope.to.is_empty() => Next::Text(Reply::new(
                354,
                "go on; end with a dot on a line of its own",
            )),
            Some(envelope) if envelope.refused => refused(554, "5.5.1 no recipient was accepted"),
            _ => refused(503, "5.5.1 say MAIL and RCPT first"),
        }
    }

    fn start_tls(&mut self) -> Next {
        match (self.house.tls, self.encrypted) {
            (false, _) => refused(502, "5.5.1 there is no certificate here"),
            (true, true) => refused(503, "5.5.1 it is encrypted already"),
            (true, false) => Next::StartTls(Reply::new(220, "2.0.0 go on")),
        }
    }

    fn too_large(&self) -> Next {
        refused(
            552,
            format!(
                "5.3.4 the mail has more than {} bytes",
                self.house.mail_bytes
            ),
        )
    }

    fn name(&self) -> String {
        let first = self.house.domains.first();
        first.map_or_else(|| "localhost".to_owned(), ToString::to_string)
    }

    /// Who is refused again and again is no mail server.
    fn counted(&mut self, next: Next) -> Next {
        let Next::Say(reply) = &next else { return next };
        self.refusals += u32::from(reply.is_refusal());
        if self.refusals < REFUSALS_MAX {
            return next;
        }
        Next::Close(Reply::new(421, "4.7.0 too many mistakes"))
    }
}

fn fine() -> Next {
    Next::Say(Reply::new(250, "2.0.0 fine"))
}

fn refused(code: u16, text: impl Into<Cow<'static, str>>) -> Next {
    Next::Say(Reply::new(code, text))
}

fn unknown() -> Next {
    refused(500, "5.5.1 this command is unknown")
}

fn lost() -> Reply {
    Reply::new(421, "4.3.0 the mail was lost, send it again")
}

/// What stands in the first pair of angle brackets.
fn between_brackets(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line);
    let (_, behind) = line.split_once('<')?;
    let (inside, _) = behind.split_once('>')?;
    Some(inside.trim().to_owned())
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
