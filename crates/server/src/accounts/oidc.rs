//! Signing in at an OpenID Connect provider: the authorization code flow with PKCE, state and nonce.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use nightbeat_domain::UnixMicros;
use nightbeat_notify::{Notifier, SendError};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdTokenClaims, CoreProviderMetadata,
};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, TokenResponse as _,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::config::Oidc;

/// How long what a provider says of itself (addresses, keys) is believed.
const KNOWN_TIME: Duration = Duration::from_secs(600);
/// What the button says where the operator does not.
const NAME: &str = "OpenID Connect";

/// A provider that the operator trusts.
#[derive(Debug)]
pub struct Provider {
    /// What people call it.
    pub name: String,
    issuer: IssuerUrl,
    client: ClientId,
    secret: Option<ClientSecret>,
    redirect: RedirectUrl,
    notifier: Arc<Notifier>,
    /// What it says of itself, and when it was asked. A Tokio mutex: one asks, and the others wait for its answer.
    known: Mutex<Option<(UnixMicros, CoreProviderMetadata)>>,
}

/// A sign-in that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub url: String,
    /// What the browser brings back, and only it knows.
    pub state: String,
    /// What the server remembers until then.
    pub remembered: Remembered,
}

/// What the server remembers of a sign-in at a provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Remembered {
    nonce: String,
    verifier: String,
}

/// Who somebody is to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// The person there; it never changes.
    pub subject: String,
    /// Their e-mail address, where the provider has verified it.
    pub email: Option<String>,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// An address in the configuration is none.
    #[error("oidc: {0}")]
    Configuration(String),
    /// The provider cannot be asked, or does not say what it should.
    #[error("the OpenID Connect provider: {0}")]
    Provider(String),
    /// What the provider gave is not for us, not for this sign-in, or not its own.
    #[error("the token of the OpenID Connect provider is refused: {0}")]
    Token(String),
}

type Answering = Pin<Box<dyn Future<Output = Result<HttpResponse, SendError>> + Send>>;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl Provider {
    /// The provider of this configuration; `None` where there is none. `callback` is the address to which it
    /// sends browsers back.
    pub fn new(
        config: &Oidc,
        callback: String,
        notifier: Arc<Notifier>,
    ) -> Result<Option<Self>, OidcError> {
        let (Some(issuer), Some(client)) = (&config.issuer, &config.client_id) else {
            return Ok(None);
        };
        let wrong =
            |error: openidconnect::url::ParseError| OidcError::Configuration(error.to_string());
        let secret = config.client_secret();
        let secret = secret.map_err(|error| OidcError::Configuration(error.to_string()))?;
        Ok(Some(Self {
            name: config.name.clone().unwrap_or_else(|| NAME.to_owned()),
            issuer: IssuerUrl::new(issuer.clone()).map_err(wrong)?,
            client: ClientId::new(client.clone()),
            secret: secret.map(|secret| ClientSecret::new(secret.0)),
            redirect: RedirectUrl::new(callback).map_err(wrong)?,
            notifier,
            known: Mutex::default(),
        }))
    }

    /// Begins a sign-in.
    pub async fn begin(&self, now: UnixMicros) -> Result<Begun, OidcError> {
        let client = self.client(now).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scope(Scope::new("email".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        Ok(Begun {
            url: url.to_string(),
            state: state.secret().clone(),
            remembered: Remembered {
                nonce: nonce.secret().clone(),
                verifier: verifier.secret().clone(),
            },
        })
    }

    /// Who somebody is that came back with this code.
    pub async fn finish(
        &self,
        code: String,
        remembered: Remembered,
        now: UnixMicros,
    ) -> Result<Identity, OidcError> {
        let client = self.client(now).await?;
        let provider = |error: String| OidcError::Provider(error);
        let asking = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| provider(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(remembered.verifier));
        let http = self.http();
        let answer = Box::pin(asking.request_async(&http)).await;
        let answer = answer.map_err(|error| provider(error.to_string()))?;
        let token = answer.id_token();
        let token = token.ok_or_else(|| provider("it gave no id token".to_owned()))?;
        let verifier = client.id_token_verifier();
        let claims = token.claims(&verifier, &Nonce::new(remembered.nonce));
        let claims = claims.map_err(|error| OidcError::Token(error.to_string()))?;
        Ok(self.identity(claims))
    }

    fn identity(&self, claims: &CoreIdTokenClaims) -> Identity {
        let verified = claims.email_verified() == Some(true);
        Identity {
            issuer: self.issuer.to_string(),
            subject: claims.subject().to_string(),
            email: claims
                .email()
                .filter(|_| verified)
                .map(|email| email.to_string()),
        }
    }

    async fn client(&self, now: UnixMicros) -> Result<Client, OidcError> {
        let mut known = self.known.lock().await;
        let is_fresh = |at: &UnixMicros| now <= *at + KNOWN_TIME;
        let metadata = match &*known {
            Some((at, metadata)) if is_fresh(at) => metadata.clone(),
            _ => {
                let http = self.http();
                let asking = CoreProviderMetadata::discover_async(self.issuer.clone(), &http);
                let found = Box::pin(asking).await;
                let found = found.map_err(|error| OidcError::Provider(error.to_string()))?;
                *known = Some((now, found.clone()));
                found
            }
        };
        let client =
            CoreClient::from_provider_metadata(metadata, self.client.clone(), self.secret.clone());
        Ok(client.set_redirect_uri(self.redirect.clone()))
    }

    /// What the library dials with. Its futures borrow nothing, or they could not move between threads.
    fn http(&self) -> impl Fn(HttpRequest) -> Answering + Send + Sync + use<> {
        let notifier = Arc::clone(&self.notifier);
        move |request| {
            let notifier = Arc::clone(&notifier);
            Box::pin(async move { notifier.fetch(request).await })
        }
    }
}
