//! Mails that must not arrive twice.

use crate::deadline::Deadline;
use crate::notifier::SendError;
use crate::{RegularLetter, SentOnce};

use super::{CONTENT, Mailer, QUIT_WAIT};

impl Mailer {
    /// Sends a letter to its one recipient, where `hand_over` says so when all but the mail itself is said. An
    /// error: the server has not taken it, for certain.
    pub(crate) async fn post_once(
        &self,
        letter: &RegularLetter,
        hand_over: impl Future<Output = bool>,
        deadline: &Deadline,
    ) -> Result<SentOnce, SendError> {
        let (to, mail) = self.written(&letter.letter, Some(&letter.unsubscribe))?;
        let mut connection = self.connect(deadline).await?;
        let outcome = self.offer(&mut connection, vec![to], deadline).await?;
        if outcome.accepted.is_empty() {
            return Err(self.refused(&outcome));
        }
        if !hand_over.await {
            // A mail that never came to its end is none (RFC 5321, section 4.1.1.4): closing is enough.
            return Ok(SentOnce::Withheld);
        }
        // However long that took: from here on nobody may give up early.
        let deadline = deadline.renewed();
        let waiting = format!("{} did not answer to {CONTENT}", self.host);
        let said = deadline.within(&waiting, connection.message(&mail)).await;
        match said {
            Ok(Ok(_)) => {
                // The answer no longer matters: the mail is the server's now.
                let _ = tokio::time::timeout(QUIT_WAIT, connection.quit()).await;
                Ok(SentOnce::Taken)
            }
            Ok(Err(error)) if error.is_transient() || error.is_permanent() => {
                Err(self.failed(CONTENT, &error))
            }
            // The connection broke, or nothing was said: it may have been the answer that was lost.
            Ok(Err(error)) => Ok(SentOnce::InDoubt(self.failed(CONTENT, &error).detail)),
            Err(late) => Ok(SentOnce::InDoubt(late.detail)),
        }
    }
}
