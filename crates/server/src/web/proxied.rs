//! Who has signed in at a proxy that we trust.

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use nightbeat_store::StoreError;
use nightbeat_store::control::accounts::{self, Account};

use super::Web;
use super::pages::{Notice, page, unavailable};
use super::viewer::Visitor;
use crate::accounts::{email_problem, verified_account};
use crate::config::SignUp;
use crate::http::Client;

impl Web {
    /// Who this is to the proxy, as an e-mail address. Nobody is believed but a proxy that the operator trusts.
    pub(super) fn at_proxy(&self, headers: &HeaderMap, client: Option<&Client>) -> Option<String> {
        let name = self.sign_in_header.as_ref()?;
        client.filter(|client| client.by_proxy)?;
        let mut values = headers.get_all(name).iter();
        // Two of them: one may be the client's own, which the proxy has let through.
        let (value, None) = (values.next()?, values.next()) else {
            return None;
        };
        let email = accounts::email_key(value.to_str().ok()?);
        email_problem(&email).is_none().then_some(email)
    }

    /// Signs in whom the proxy names; with a new account, where everybody may have one.
    pub(super) async fn enter_by_proxy(
        &self,
        visitor: &Visitor,
        email: String,
        next: &str,
    ) -> Response {
        match self.account_at_proxy(email).await {
            Ok(Some(account)) if account.verified_at.is_none() => self.never_confirmed(visitor),
            Ok(Some(account)) => self.enter(visitor, account, "at the proxy", next).await,
            Ok(None) => {
                let notice = Notice {
                    frame: self.frame(),
                    title: "You have no account here",
                    text: "The proxy says who you are, but there is no account with your address. Ask the operator \
                           for one (nightbeat init), or for an invitation.",
                };
                page(StatusCode::FORBIDDEN, &notice)
            }
            Err(error) => unavailable(self, &error),
        }
    }

    async fn account_at_proxy(&self, email: String) -> Result<Option<Account>, StoreError> {
        let (open, now) = (self.sign_up == SignUp::Open, self.node.now());
        let new = verified_account(&email, None, now);
        let finding = self.change(move |sql| {
            let found = accounts::by_email(sql, &email)?;
            if found.is_some() || !open {
                return Ok(found);
            }
            accounts::create(sql, &new)?;
            Ok(Some(new.clone()))
        });
        finding.await
    }
}
