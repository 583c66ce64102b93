//! Passkeys: what the browser is asked, and whether its answer is right.

use nightbeat_store::control::accounts::Account;
use nightbeat_store::control::passkeys as stored;
use serde_json::{Value, json};
use url::Url;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, DiscoverableKey, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use crate::config::PublicUrl;

/// Checks passkeys for one public URL.
#[derive(Debug)]
pub struct Passkeys(Webauthn);

/// A question to a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What the browser's `navigator.credentials` takes, as JSON with bytes in base64url.
    pub options: String,
    /// What the server must remember until the answer comes, as JSON. The browser must not see it.
    pub state: String,
}

/// A passkey that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The credential's id.
    pub credential: Vec<u8>,
    /// The rest, as JSON.
    pub json: String,
}

/// Why an answer is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// It is not what was asked for, or its signature is wrong.
    #[error("the passkey was not accepted: {0}")]
    Wrong(#[from] WebauthnError),
    /// It cannot be read, or what is stored cannot.
    #[error("the passkey cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl Passkeys {
    /// Where browsers have passkeys: on a name, over HTTPS; or on this machine, for trying it out.
    pub fn new(public_url: &PublicUrl) -> Option<Self> {
        let url: Url = public_url.as_str().parse().ok()?;
        let domain = url.domain()?;
        if !public_url.is_https() && domain != "localhost" {
            return None;
        }
        let webauthn = WebauthnBuilder::new(domain, &url).ok()?;
        webauthn.rp_name("Nightbeat").build().ok().map(Self)
    }

    /// Asks for a new passkey of this account, which has these already.
    pub fn ask_for_new(
        &self,
        account: &Account,
        known: &[stored::Passkey],
    ) -> Result<Asked, PasskeyError> {
        let known = known.iter().map(|one| one.credential.clone());
        let (options, state) = self.0.start_passkey_registration(
            account.id,
            &account.email,
            &account.email,
            Some(known.collect()),
        )?;
        let mut options = serde_json::to_value(options)?;
        // It must be found without the e-mail address: the sign-in asks for none.
        if let Some(Value::Object(selection)) =
            options.pointer_mut("/publicKey/authenticatorSelection")
        {
            selection.insert("residentKey".to_owned(), json!("required"));
            selection.insert("requireResidentKey".to_owned(), json!(true));
        }
        Ok(Asked {
            options: options.to_string(),
            state: serde_json::to_string(&state)?,
        })
    }

    /// The passkey that was made for a question.
    pub fn take_new(&self, answer: &str, state: &str) -> Result<Made, PasskeyError> {
        let answer: RegisterPublicKeyCredential = serde_json::from_str(answer)?;
        let state: PasskeyRegistration = serde_json::from_str(state)?;
        let made = self.0.finish_passkey_registration(&answer, &state)?;
        Ok(Made {
            credential: made.cred_id().clone(),
            json: serde_json::to_string(&made)?,
        })
    }

    /// Asks for any passkey of this server.
    pub fn ask(&self) -> Result<Asked, PasskeyError> {
        let (options, state) = self.0.start_discoverable_authentication()?;
        let mut options = serde_json::to_value(options)?;
        // The library means a list below the address field; ours is a button.
        if let Value::Object(all) = &mut options {
            all.remove("mediation");
        }
        Ok(Asked {
            options: options.to_string(),
            state: serde_json::to_string(&state)?,
        })
    }

    /// The id of the credential that an answer comes from. It says nothing yet: see [`check`](Self::check).
    pub fn credential_of(answer: &str) -> Result<Vec<u8>, PasskeyError> {
        let answer: PublicKeyCredential = serde_json::from_str(answer)?;
        Ok(answer.raw_id.clone())
    }

    /// Whether an answer proves that this passkey was used, by its person. What is stored of it from now on.
    pub fn check(
        &self,
        answer: &str,
        state: &str,
        known: &stored::Passkey,
    ) -> Result<String, PasskeyError> {
        let answer: PublicKeyCredential = serde_json::from_str(answer)?;
        let state: DiscoverableAuthentication = serde_json::from_str(state)?;
        let (account, _) = self.0.identify_discoverable_authentication(&answer)?;
        if account != known.account {
            return Err(WebauthnError::InvalidUserUniqueId.into());
        }
        let mut passkey: Passkey = serde_json::from_str(&known.json)?;
        let key = DiscoverableKey::from(&passkey);
        let result = self
            .0
            .finish_discoverable_authentication_v2(&answer, state, &key)?;
        passkey.update_credential(&result);
        Ok(serde_json::to_string(&passkey)?)
    }
}
