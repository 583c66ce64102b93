//! Sending: one message to one channel, once. Whoever calls keeps the schedule of further tries.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::catalogue::{self, Catalogue};
use crate::check;
use crate::client::{ClientError, Outbound};
use crate::deadline::Deadline;
use crate::http;
use crate::kind::{HttpKind, Kind, Transport};
use crate::mail::{Mailer, MailerError, SmtpSettings};
use crate::net::IpNet;
use crate::pace::Pace;
use crate::template::{Escape, Template};
use crate::tls::{Roots, install_crypto_provider};
use crate::{Letter, Message, RegularLetter, SentOnce};

/// What may be dialled, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Networks that may be dialled although they are not the public internet.
    pub allow: Vec<IpNet>,
    /// A proxy that dials for us, `http://host:port`. It must then keep requests out of private
    /// networks itself, because it resolves the names; addresses in URLs are still checked here.
    pub proxy: Option<String>,
    /// How long one attempt may take, with all its steps.
    pub timeout: Duration,
}

impl Outgoing {
    /// The usual length of an attempt.
    pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(15);
}

impl Default for Outgoing {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            proxy: None,
            timeout: Self::TIMEOUT_DEFAULT,
        }
    }
}

/// A message was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// What the receiver answered, for people.
    pub detail: String,
}

/// A message was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct SendError {
    /// What the receiver answered, or what went wrong, for people. It contains no secret.
    pub detail: String,
    /// How long the receiver asks us to wait; at most an hour.
    pub retry_after: Option<Duration>,
    /// Our own guard or configuration refused: trying again helps only after someone changes it.
    pub refused: bool,
}

impl SendError {
    pub(crate) fn failed(detail: String) -> Self {
        Self {
            detail,
            retry_after: None,
            refused: false,
        }
    }

    pub(crate) fn refused(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            retry_after: None,
            refused: true,
        }
    }
}

/// Why a [`Notifier`] could not be made: the operator's configuration is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifierError {
    /// No attempt could succeed.
    #[error("outgoing.timeout: must be longer than 0")]
    Timeout,
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The mailer.
    #[error(transparent)]
    Mailer(#[from] MailerError),
}

const NO_MAILER: &str =
    "no mail server is configured; the operator sets smtp.host, smtp.tls and smtp.from";

/// Sends messages to channels of every kind.
pub struct Notifier {
    catalogue: Arc<Catalogue>,
    outbound: Outbound,
    mailer: Option<Mailer>,
    pace: Pace,
    timeout: Duration,
}

/// Without its settings: they hold passwords.
impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notifier").finish_non_exhaustive()
    }
}

impl Notifier {
    /// A notifier; `smtp` is the mail server, without which e-mail channels refuse.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "made once, from a configuration that is given away"
    )]
    pub fn new(
        catalogue: Arc<Catalogue>,
        outgoing: Outgoing,
        smtp: Option<SmtpSettings>,
    ) -> Result<Self, NotifierError> {
        Self::with_roots(catalogue, &outgoing, smtp.as_ref(), &Roots::load())
    }

    pub(crate) fn with_roots(
        catalogue: Arc<Catalogue>,
        outgoing: &Outgoing,
        smtp: Option<&SmtpSettings>,
        roots: &Roots,
    ) -> Result<Self, NotifierError> {
        if outgoing.timeout.is_zero() {
            return Err(NotifierError::Timeout);
        }
        install_crypto_provider();
        let mailer = smtp
            .map(|settings| Mailer::new(settings, roots))
            .transpose()?;
        Ok(Self {
            catalogue,
            outbound: Outbound::new(outgoing, roots)?,
            mailer,
            pace: Pace::default(),
            timeout: outgoing.timeout,
        })
    }

    /// Sends `message` to the channel of `kind` with `fields`, once. It returns within the configured
    /// time, whatever the receiver does.
    pub async fn send(
        &self,
        kind: &str,
        fields: &BTreeMap<String, String>,
        message: &Message,
    ) -> Result<Sent, SendError> {
        let Some(known) = self.catalogue.kind(kind) else {
            return Err(SendError::refused(format!(
                "{kind:?} is no kind of channel any more; is its file gone from the channels folder?"
            )));
        };
        // They were checked when they were stored, but the kind's file may have changed since.
        let fields =
            check::check(known, fields).map_err(|error| SendError::refused(error.to_string()))?;
        self.keep_pace(known, &fields)?;
        let deadline = Deadline::after(self.timeout);
        let sending = async {
            match &known.transport {
                Transport::Http(http) => {
                    self.send_http(known, http, &fields, message, &deadline)
                        .await
                }
                Transport::Mail(to) => self.send_mail(to, &fields, message, &deadline).await,
            }
        };
        // The steps have this limit already; here it holds for whatever a step forgot.
        deadline
            .within("it was not delivered", Box::pin(sending))
            .await?
    }

    /// Whether a mail server is configured.
    pub fn sends_mail(&self) -> bool {
        self.mailer.is_some()
    }

    /// Sends a letter, once, within the configured time.
    pub async fn mail(&self, letter: &Letter) -> Result<(), SendError> {
        let Some(mailer) = &self.mailer else {
            return Err(SendError::refused(NO_MAILER));
        };
        let deadline = Deadline::after(self.timeout);
        let sending = Box::pin(mailer.post(letter, &deadline));
        deadline.within("it was not delivered", sending).await?
    }

    /// Sends a letter that must not arrive twice. `hand_over` is awaited once, at the last moment at which the
    /// mail server has nothing yet, and says whether to go on: an error means for certain that the letter was
    /// not taken, also after that. What comes before `hand_over` is within the configured time, and what comes
    /// after it.
    pub async fn mail_once(
        &self,
        letter: &RegularLetter,
        hand_over: impl Future<Output = bool> + Send,
    ) -> Result<SentOnce, SendError> {
        let Some(mailer) = &self.mailer else {
            return Err(SendError::refused(NO_MAILER));
        };
        let deadline = Deadline::after(self.timeout);
        // No limit round all of it: whoever is cut off in the middle does not know what was handed over.
        Box::pin(mailer.post_once(letter, hand_over, &deadline)).await
    }

    /// Sends any request through the guarded client, once, within the configured time; its answer, cut after
    /// 64 KB. For servers that the operator has named, such as one that people sign in at.
    pub async fn fetch(
        &self,
        request: ::http::Request<Vec<u8>>,
    ) -> Result<::http::Response<Vec<u8>>, SendError> {
        let (head, body) = request.into_parts();
        let url = head.uri.to_string();
        let url = url
            .parse()
            .map_err(|_| SendError::refused("this is not a URL"))?;
        let deadline = Deadline::after(self.timeout);
        let prepared = http::Prepared {
            method: head.method,
            url,
            headers: head.headers,
            body: (!body.is_empty()).then_some(body),
        };
        let answer = self.outbound.send(prepared, &deadline).await?;
        let mut response = ::http::Response::new(answer.body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }

    fn keep_pace(&self, kind: &Kind, fields: &BTreeMap<String, String>) -> Result<(), SendError> {
        let Some(rate) = kind.rate else {
            return Ok(());
        };
        let lane = catalogue::lane(kind, fields);
        self.pace
            .take(&lane, rate, Instant::now())
            .map_err(|wait| SendError {
                detail: format!(
                    "waiting: {lane} takes {} messages a minute",
                    rate.per_minute
                ),
                retry_after: Some(wait),
                refused: false,
            })
    }

    async fn send_http(
        &self,
        kind: &Kind,
        http: &HttpKind,
        fields: &BTreeMap<String, String>,
        message: &Message,
        deadline: &Deadline,
    ) -> Result<Sent, SendError> {
        let request = http::prepare(kind, http, fields, message).map_err(SendError::refused)?;
        let answer = self.outbound.send(request, deadline).await?;
        match http::judge(&http.success, &answer) {
            Ok(detail) => Ok(Sent { detail }),
            Err(detail) => Err(SendError {
                detail,
                retry_after: http::retry_after(&answer.headers, message.sent_at.timestamp()),
                refused: false,
            }),
        }
    }

    async fn send_mail(
        &self,
        to: &Template,
        fields: &BTreeMap<String, String>,
        message: &Message,
        deadline: &Deadline,
    ) -> Result<Sent, SendError> {
        let Some(mailer) = &self.mailer else {
            return Err(SendError::refused(NO_MAILER));
        };
        let to = to.fill(&serde_json::json!({ "field": fields }), Escape::None);
        mailer.send(&to, message, deadline).await
    }
}
