//! Why a request to the API did not succeed.

/// Why a request did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server's URL cannot be used.
    #[error("`{url}` is not the URL of a server: {reason}")]
    BadUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key contains what no key contains.
    #[error("the API key contains characters that no key has")]
    BadKey,
    /// The HTTP client cannot be built.
    #[error("cannot prepare a connection: {0}")]
    Setup(String),
    /// No answer came.
    #[error("cannot reach {server}: {reason}")]
    Unreachable {
        /// Scheme, host and port.
        server: String,
        /// Why, in a few words.
        reason: String,
    },
    /// The server said no.
    #[error("{0}")]
    Refused(Problem),
    /// The server sends us elsewhere, which we do not follow.
    #[error("{server} redirects to {to}")]
    Redirected {
        /// Scheme, host and port.
        server: String,
        /// The `Location`.
        to: String,
    },
    /// Another product's server answers what its API does not.
    #[error("{server} does not answer as a Healthchecks server does: {reason}")]
    Strange {
        /// Scheme, host and port.
        server: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The answer is not one that the API gives.
    #[error("{server} does not answer as a Nightbeat server does: {reason}")]
    NotUnderstood {
        /// Scheme, host and port.
        server: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

/// A server's no, from its problem details (RFC 9457).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in a sentence.
    pub detail: String,
    /// The field it is about, by its name in the API.
    pub field: Option<String>,
    /// After how many seconds to try again.
    pub retry_after: Option<u64>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.field {
            Some(field) if !self.detail.starts_with(field.as_str()) => {
                write!(f, "{field}: {}", self.detail)
            }
            _ => f.write_str(&self.detail),
        }
    }
}
