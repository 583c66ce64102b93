//! A signal on its way into the store, and what became of it.

use nightbeat_domain::{Came, HeartbeatId, IgnoredBecause, Settings, Signal, UnixMicros};

/// Whom a signal is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// The heartbeat with this id.
    Id(HeartbeatId),
    /// The heartbeat with this slug in the project with this ping key.
    Slug {
        /// The project's ping key: a secret.
        ping_key: String,
        /// The slug, already checked for form.
        slug: String,
        /// Create the heartbeat where it does not exist yet. Boxed: rare.
        create: Option<Box<NewHeartbeat>>,
    },
}

/// What a first signal creates (`?create=1`).
#[derive(Debug, Clone, PartialEq)]
pub struct NewHeartbeat {
    /// A fresh random id.
    pub id: HeartbeatId,
    /// Its settings.
    pub settings: Settings,
}

/// A signal as it reached us: what `nightbeat_domain::observe` decides on, and what is kept besides.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// Whom it is for.
    pub target: Target,
    /// What it says.
    pub signal: Signal,
    /// The client's mark of this one signal: the same mark again is the same signal.
    pub nonce: Option<String>,
    /// GET, HEAD, POST or PUT, or [`Arrival::BY_MAIL`].
    pub method: &'static str,
    /// The client's address, or empty where there is none (a Unix socket).
    pub source: String,
    /// The client's name for itself, cut to [`Arrival::USER_AGENT_CHARS_MAX`].
    pub user_agent: String,
    /// What is kept of the body.
    pub body: Option<Vec<u8>>,
    /// How many bytes the body had, as far as it was read. More than `body` holds: it was cut.
    pub body_bytes: u64,
    /// The texts of the mail that it came by; `None`: it came by a request. Boxed: rare.
    pub mail: Option<Box<Mail>>,
}

/// What of a mail its heartbeat's keywords may be looked for in. It is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its subject.
    pub subject: String,
    /// What is kept of its text.
    pub text: Vec<u8>,
}

impl Arrival {
    /// How much of a user agent is kept.
    pub const USER_AGENT_CHARS_MAX: usize = 200;
    /// The longest nonce.
    pub const NONCE_CHARS_MAX: usize = 64;
    /// What stands for the method of a signal that came by mail.
    pub const BY_MAIL: &str = "MAIL";

    /// How it came, as far as its meaning depends on that.
    pub fn came(&self) -> Came<'_> {
        match &self.mail {
            Some(mail) => Came::Mail {
                subject: &mail.subject,
                text: &mail.text,
            },
            None => Came::Request {
                method: self.method,
                body: self.body.as_deref(),
            },
        }
    }
}

/// What became of an arrival, once its batch is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is recorded, and it counted.
    Counted,
    /// It is recorded, but it did not count.
    Ignored(IgnoredBecause),
    /// It is recorded, and its heartbeat was created for it.
    Created,
    /// The same signal (same nonce) is recorded already.
    Duplicate,
    /// There is no such heartbeat, ping key or slug.
    Unknown,
    /// Two heartbeats of the project share the slug.
    Ambiguous,
    /// It is not recorded: a stored row of its heartbeat is not what this version wrote.
    Broken,
}

/// A heartbeat whose next look may now be *earlier* than whoever watches it believes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    /// The heartbeat.
    pub heartbeat: HeartbeatId,
    /// When to look at it; `None`: never.
    pub wake_at: Option<UnixMicros>,
}
