//! Status pages as they were made a moment ago: ten thousand people who look at one cost the database as much
//! as one of them.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nightbeat_domain::UnixMicros;
use tokio::sync::Semaphore;

use crate::web::pages::Rendered;

/// How long a page is shown before it is made anew.
pub(super) const FRESH_TIME: Duration = Duration::from_secs(15);
/// How many pages are kept, at 150 kB each at most.
const PAGES_MAX: usize = 200;
/// How many are made at once: strangers get so much of the database, and no more.
const MADE_AT_ONCE: usize = 4;

/// A page that was made.
#[derive(Debug)]
pub(super) struct Made {
    /// When.
    pub(super) at: UnixMicros,
    /// The page.
    pub(super) page: Rendered,
    /// What names this making of it.
    pub(super) etag: String,
}

/// The pages that were made lately, by the last part of their address.
#[derive(Debug)]
pub(in crate::web) struct Cache {
    /// A std mutex: never held across an await.
    made: Mutex<HashMap<String, Arc<Made>>>,
    making: Semaphore,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            made: Mutex::default(),
            making: Semaphore::new(MADE_AT_ONCE),
        }
    }
}

impl Cache {
    /// The page at this address: as it was made lately, or by `read`. What is not there is not remembered, or
    /// whoever guesses addresses could drive out those that are.
    pub(super) async fn get<E, F>(
        &self,
        path: &str,
        now: UnixMicros,
        read: impl FnOnce() -> F,
    ) -> Result<Option<Arc<Made>>, E>
    where
        F: Future<Output = Result<Option<Made>, E>>,
    {
        if let Some(made) = self.fresh(path, now) {
            return Ok(Some(made));
        }
        // Never closed; were it, pages would only be made without waiting for a turn.
        let _turn = self.making.acquire().await.ok();
        // Who waited for a turn finds what the one before has made.
        if let Some(made) = self.fresh(path, now) {
            return Ok(Some(made));
        }
        let Some(made) = read().await? else {
            self.forget(path);
            return Ok(None);
        };
        let made = Arc::new(made);
        self.keep(path, Arc::clone(&made));
        Ok(Some(made))
    }

    /// Shows a page as it is from now on: it was changed, or removed.
    pub(super) fn forget(&self, path: &str) {
        self.lock().remove(path);
    }

    /// What was made less than [`FRESH_TIME`] before `now`. Also what was made after it, by somebody who came
    /// later and had a turn earlier.
    fn fresh(&self, path: &str, now: UnixMicros) -> Option<Arc<Made>> {
        let made = self.lock().get(path).cloned()?;
        (now < made.at + FRESH_TIME).then_some(made)
    }

    fn keep(&self, path: &str, made: Arc<Made>) {
        let now = made.at;
        let mut all = self.lock();
        if all.len() >= PAGES_MAX && !all.contains_key(path) {
            all.retain(|_, known| now < known.at + FRESH_TIME);
        }
        if all.len() >= PAGES_MAX && !all.contains_key(path) {
            let oldest = all.iter().min_by_key(|(_, known)| known.at);
            let oldest = oldest.map(|(path, _)| path.clone());
            oldest.map(|path| all.remove(&path));
        }
        all.insert(path.to_owned(), made);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Made>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use askama::Template;

    use super::*;

    #[derive(Template)]
    #[template(source = "", ext = "html")]
    struct Nothing;

    fn at(seconds: i64) -> UnixMicros {
        UnixMicros::from_seconds(1_000 + seconds)
    }

    /// What `path` is answered at that second; each making is counted and named.
    async fn look(cache: &Cache, path: &str, second: i64, makings: &AtomicUsize) -> String {
        let read = || async {
            tokio::task::yield_now().await;
            let number = makings.fetch_add(1, Ordering::Relaxed);
            let made = Made {
                at: at(second),
                page: Rendered::of(&Nothing).unwrap(),
                etag: format!("{path} {number}"),
            };
            Ok::<_, ()>(Some(made))
        };
        let made = cache.get(path, at(second), read).await.unwrap().unwrap();
        made.etag.clone()
    }

    #[tokio::test]
    async fn a_page_is_made_once_in_fifteen_seconds_and_at_once_after_a_change() {
        let (cache, makings) = (Cache::default(), AtomicUsize::new(0));
        for (second, expected) in [(0, 0), (1, 0), (14, 0), (15, 1), (29, 1), (30, 2)] {
            let shown = look(&cache, "ours", second, &makings).await;
            assert_eq!(shown, format!("ours {expected}"), "{second}");
        }
        cache.forget("ours");
        assert_eq!(look(&cache, "ours", 31, &makings).await, "ours 3");
        assert_eq!(look(&cache, "theirs", 31, &makings).await, "theirs 4");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn ten_thousand_who_come_at_once_cost_a_few_makings() {
        let cache = Arc::new(Cache::default());
        let makings = Arc::new(AtomicUsize::new(0));
        let looks: Vec<_> = (0..10_000)
            .map(|_| {
                let (cache, makings) = (Arc::clone(&cache), Arc::clone(&makings));
                tokio::spawn(async move { look(&cache, "ours", 0, &makings).await })
            })
            .collect();
        for one in looks {
            one.await.unwrap();
        }
        let made = makings.load(Ordering::Relaxed);
        assert!((1..=MADE_AT_ONCE).contains(&made), "{made} makings");
    }

    #[tokio::test]
    async fn so_many_are_kept_and_what_is_not_there_drives_none_out() {
        let (cache, makings) = (Cache::default(), AtomicUsize::new(0));
        look(&cache, "first", 0, &makings).await;
        for number in 0..2 * PAGES_MAX {
            let none = cache
                .get(&format!("guess {number}"), at(1), || async {
                    Ok::<_, ()>(None)
                })
                .await;
            assert!(none.unwrap().is_none());
        }
        assert_eq!(look(&cache, "first", 2, &makings).await, "first 0");
        for number in 0..2 * PAGES_MAX {
            look(&cache, &number.to_string(), 3, &makings).await;
        }
        assert_eq!(cache.lock().len(), PAGES_MAX);
        assert!(
            cache.fresh("first", at(3)).is_none(),
            "the oldest made room"
        );
    }

    #[tokio::test]
    async fn what_was_removed_is_not_shown_any_more() {
        let (cache, makings) = (Cache::default(), AtomicUsize::new(0));
        look(&cache, "ours", 0, &makings).await;
        let gone = || async { Ok::<_, ()>(None) };
        assert!(cache.get("ours", at(20), gone).await.unwrap().is_none());
        assert!(cache.lock().is_empty());
    }
}
