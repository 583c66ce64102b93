//! Passwords: made into hashes and held against them, off the async threads and only few at once.

use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::{self, PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::{Semaphore, TryAcquireError};

/// How many are worked on at once: each takes 19 MiB and some 20 ms of a core.
const AT_ONCE: usize = 2;
/// How many may be worked on or wait. A crowd of guesses must not keep signals from their cores.
const WAITING_MAX: usize = 64;
/// The shortest password.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// The longest password: hashing takes as long as the text.
pub const PASSWORD_BYTES_MAX: usize = 1_000;

/// What unknown addresses are held against, so that they take as long as known ones.
static NOBODYS: LazyLock<String> = LazyLock::new(|| {
    let hash = Argon2::default().hash_password(&crate::random::bytes::<32>());
    hash.map_or_else(|_| String::new(), |hash| hash.to_string())
});

/// Why a password was neither taken nor refused.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many wait already.
    #[error("too many passwords are being checked at once; try again")]
    Busy,
    /// The library could not.
    #[error("the password could not be hashed: {0}")]
    Hashing(password_hash::Error),
}

/// Works on passwords. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            places: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }
}

impl Passwords {
    /// The argon2id hash of a password, in PHC format, with the library's parameters (19 MiB, two passes:
    /// OWASP's and its own).
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let work = move || Argon2::default().hash_password(password.as_bytes());
        let hash = self.work(work).await?;
        let hash = hash.map_err(PasswordError::Hashing)?;
        Ok(hash.to_string())
    }

    /// Whether this is the password with that hash. `None`: of nobody; it takes as long and is always wrong.
    pub async fn fits(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, PasswordError> {
        let known = hash.is_some();
        let work = move || {
            let hash = hash.as_deref().unwrap_or(&NOBODYS);
            let long = password.len() > PASSWORD_BYTES_MAX;
            let text: &[u8] = if long { &[] } else { password.as_bytes() };
            Argon2::default().verify_password(text, hash).is_ok() && !long
        };
        Ok(self.work(work).await? && known)
    }

    /// Both permits move into the work: a client that hangs up frees no place while its work goes on.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                return Err(PasswordError::Busy);
            }
        };
        let turns = Arc::clone(&self.turns);
        // On its own task, so that a place in the queue is never left half way.
        let task = tokio::spawn(async move {
            let turn = turns.acquire_owned().await;
            let working = tokio::task::spawn_blocking(move || {
                let done = work();
                drop((turn, place));
                done
            });
            working.await
        });
        match task.await.and_then(std::convert::identity) {
            Ok(done) => Ok(done),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
}

/// What is wrong with a new password.
pub fn problem(password: &str) -> Option<&'static str> {
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return Some("a password has at least 8 characters; 15 or more are better");
    }
    (password.len() > PASSWORD_BYTES_MAX).then_some("a password has at most 1000 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        let fits = async |password: &str, hash: Option<&str>| {
            let hash = hash.map(str::to_owned);
            passwords.fits(password.to_owned(), hash).await.unwrap()
        };
        assert!(fits("correct horse", Some(&hash)).await);
        assert!(!fits("Correct horse", Some(&hash)).await);
        assert!(!fits("", Some(&hash)).await);
        assert!(!fits("correct horse", None).await);
        assert!(!fits("correct horse", Some("not a hash")).await);
    }

    #[tokio::test]
    async fn one_that_is_too_long_fits_nothing() {
        let passwords = Passwords::default();
        let hash = passwords.hash(String::new()).await.unwrap();
        let long = "x".repeat(PASSWORD_BYTES_MAX + 1);
        assert!(!passwords.fits(long, Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn a_crowd_is_refused_and_whoever_hangs_up_keeps_its_place_while_it_is_worked_on() {
        let passwords = Passwords::default();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        let crowd: Vec<_> = (0..WAITING_MAX)
            .map(|_| {
                let (passwords, held) = (passwords.clone(), Arc::clone(&held));
                tokio::spawn(async move {
                    let waiting = move || held.lock().unwrap().recv().unwrap_err();
                    passwords.work(waiting).await.unwrap();
                })
            })
            .collect();
        while passwords.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        for one in &crowd {
            one.abort();
        }
        let late = passwords.hash("correct horse".to_owned()).await;
        assert!(matches!(late, Err(PasswordError::Busy)), "{late:?}");
        drop(release);
        for one in crowd {
            assert!(one.await.unwrap_err().is_cancelled());
        }
        while passwords.places.available_permits() < WAITING_MAX {
            tokio::task::yield_now().await;
        }
        passwords.hash("correct horse".to_owned()).await.unwrap();
    }

    #[test]
    fn a_new_password_has_bounds() {
        assert!(problem("1234567").is_some());
        assert!(problem("12345678").is_none());
        assert!(problem("äöüäöüäö").is_none());
        assert!(problem(&"x".repeat(1_001)).is_some());
    }
}
