//! Waiting for something to become true.

use std::time::Duration;

/// Far longer than anything takes on a machine with too much to do; only a test that hangs waits this long.
pub const HANGING: Duration = Duration::from_secs(60);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks again and again until `look` finds something; panics with `what` when it never does.
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(HANGING, what, look).await
}

/// The same with another patience.
pub(crate) async fn until_within<T>(
    patience: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let end = tokio::time::Instant::now() + patience;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            tokio::time::Instant::now() < end,
            "waited {patience:?} for: {what}"
        );
        tokio::time::sleep(PAUSE).await;
    }
}
