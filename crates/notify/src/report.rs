//! This server's own heartbeat, watched by another instance.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};

use crate::client::{ClientError, Outbound};
use crate::deadline::Deadline;
use crate::http::Prepared;
use crate::notifier::{Outgoing, SendError};
use crate::tls::{Roots, install_crypto_provider};

/// How long one signal may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Signals to another instance that this one is well.
pub struct Reporter {
    outbound: Outbound,
    url: Url,
}

/// Without the URL: it is a secret.
impl std::fmt::Debug for Reporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reporter").finish_non_exhaustive()
    }
}

/// Why a [`Reporter`] could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReporterError {
    /// The URL is wrong.
    #[error("report_to: not a URL; write the signal URL, https://host/api/heartbeat/…")]
    Url,
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Reporter {
    /// A reporter to the signal URL `url`. The operator has written it, so private addresses are dialled.
    pub fn new(url: &str, proxy: Option<String>) -> Result<Self, ReporterError> {
        install_crypto_provider();
        let everywhere = ["0.0.0.0/0", "::/0"];
        let outgoing = Outgoing {
            allow: everywhere
                .iter()
                .filter_map(|net| net.parse().ok())
                .collect(),
            proxy,
            timeout: TIMEOUT,
        };
        Ok(Self {
            outbound: Outbound::new(&outgoing, &Roots::load())?,
            url: Url::parse(url).map_err(|_| ReporterError::Url)?,
        })
    }

    /// Sends one signal.
    pub async fn signal(&self) -> Result<(), SendError> {
        let request = Prepared {
            method: Method::GET,
            url: self.url.clone(),
            headers: HeaderMap::new(),
            body: None,
        };
        let answer = self
            .outbound
            .send(request, &Deadline::after(TIMEOUT))
            .await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(SendError::failed(format!("answered {}", answer.status)))
    }
}
