//! One alert to one channel: the catalogue of channel kinds, rendering, the guarded HTTP client, the
//! mailer.
//!
//! [`Catalogue`] says which kinds there are and checks what a person fills in; [`Notifier`] sends one
//! [`Message`], once, within one total time; [`render`] makes the texts.
//!
//! This crate knows nothing of queues, tries and storage: whoever calls decides when, and again.
#![forbid(unsafe_code)]

mod catalogue;
mod check;
mod clean;
mod client;
mod deadline;
mod digest;
mod gaps;
mod http;
mod kind;
mod kind_file;
mod mail;
mod mail_report;
mod net;
mod notifier;
mod pace;
mod payload;
pub mod render;
mod report;
mod template;
mod text;
mod tls;
mod words;

use nightbeat_domain::{AlertSnapshot, DeliveryId, UnixMicros};

pub use catalogue::{Catalogue, CatalogueError, FieldError};
pub use client::ClientError;
pub use kind::{Field, FieldType, Kind};
pub use mail::{MailerError, SmtpSettings, SmtpTls};
pub use mail_report::{ChannelTrouble, IncidentsOf, MailReport, ProjectReport, RunCounts, Trouble};
pub use net::{IpNet, IpNetError};
pub use notifier::{Notifier, NotifierError, Outgoing, SendError, Sent};
pub use payload::Event;
pub use render::{incident_text, text};
pub use report::{Reporter, ReporterError};
pub use text::{Link, Paragraph, Text};
pub use tls::install_crypto_provider;

/// What a channel is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The delivery: the same for every try, so that a receiver can tell a repetition.
    pub delivery_id: DeliveryId,
    /// When this try is made.
    pub sent_at: UnixMicros,
    /// Nightbeat's public URL, without a slash at its end: what links begin with.
    pub base_url: String,
    /// What is told.
    pub content: Content,
}

/// A mail to one person that is no alert: a link to sign in, an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Tells it from every other.
    pub id: DeliveryId,
    /// When it is sent.
    pub sent_at: UnixMicros,
    /// The address.
    pub to: String,
    /// What it says. Its link may be a secret, which is then the reader's alone.
    pub text: Text,
}

/// A letter of those that a person gets again and again until they end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegularLetter {
    /// The letter.
    pub letter: Letter,
    /// Where its reader, or their mail program, ends such letters (RFC 8058).
    pub unsubscribe: String,
}

/// What became of a letter that must not arrive twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentOnce {
    /// The mail server took it.
    Taken,
    /// It was not to be sent any more: the mail server has nothing.
    Withheld,
    /// The mail server may have taken it, or not; why nobody knows.
    InDoubt(String),
}

/// What a [`Message`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// One alert.
    One(Box<AlertSnapshot>),
    /// Several alerts that waited for each other, in the order of their decisions.
    Digest(Vec<AlertSnapshot>),
    /// A person tries the channel.
    Test {
        /// The project it lives in.
        project_name: String,
        /// Its name.
        channel_name: String,
    },
}
