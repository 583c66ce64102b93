//! A list that many look at is made once for all of them.
//!
//! Whoever is told that something changed asks for the list, a wall of screens all at the same time. They are
//! shown the same one, if it was looked up after they were told. One that nobody is told about is made for
//! whoever asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nightbeat_domain::ProjectId;
use tokio::time::{Instant, timeout};

use crate::web::pages::Rendered;

/// How long a list is shown to those who ask for it.
const SHOWN_FOR: Duration = Duration::from_secs(2);
/// How long somebody waits for the list that another one has asked for, before they look for themselves.
const WAIT: Duration = Duration::from_secs(1);
/// How many lists are kept; further ones are not shared. Each is some 200 kB at most.
const LISTS_MAX: usize = 64;

/// A list as somebody asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub(super) project: ProjectId,
    /// Filters, order, page.
    pub(super) query: String,
    pub(super) may_change: bool,
    pub(super) time_zone: Option<String>,
}

/// The lists that were last shown. A std mutex: never held across an await.
#[derive(Debug, Default)]
pub(in crate::web) struct Lists(Mutex<HashMap<Asked, Arc<Place>>>);

/// Where one of them is kept; locked while it is made.
type Place = tokio::sync::Mutex<Option<Shown>>;

#[derive(Debug)]
struct Shown {
    /// Looking began no sooner.
    since: Instant,
    list: Arc<Rendered>,
}

impl Shown {
    fn is_fresh(&self, now: Instant) -> bool {
        now.duration_since(self.since) < SHOWN_FOR
    }
}

impl Lists {
    /// The list as it was looked up after `told_at`: by somebody else, or `now` by `look`.
    ///
    /// # Errors
    /// Those of `look`.
    pub(super) async fn get<E>(
        &self,
        asked: Asked,
        told_at: Option<Instant>,
        now: Instant,
        look: impl Future<Output = Result<Rendered, E>>,
    ) -> Result<Arc<Rendered>, E> {
        let place = told_at.and_then(|told_at| Some((self.place(asked, now)?, told_at)));
        let Some((place, told_at)) = place else {
            return look.await.map(Arc::new);
        };
        let Ok(mut known) = timeout(WAIT, place.lock()).await else {
            return look.await.map(Arc::new);
        };
        let is_new_enough = |shown: &&Shown| shown.since >= told_at && shown.is_fresh(now);
        if let Some(shown) = known.as_ref().filter(is_new_enough) {
            return Ok(Arc::clone(&shown.list));
        }
        let list = Arc::new(look.await?);
        *known = Some(Shown {
            since: now,
            list: Arc::clone(&list),
        });
        Ok(list)
    }

    /// Where a list is kept, if there is room.
    fn place(&self, asked: Asked, now: Instant) -> Option<Arc<Place>> {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lists.len() >= LISTS_MAX && !lists.contains_key(&asked) {
            lists.retain(|_, place| match place.try_lock() {
                Ok(known) => known.as_ref().is_some_and(|shown| shown.is_fresh(now)),
                Err(_) => true,
            });
            if lists.len() >= LISTS_MAX {
                return None;
            }
        }
        Some(Arc::clone(lists.entry(asked).or_default()))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use askama::Template;
    use uuid::Uuid;

    use super::*;

    #[derive(Template)]
    #[template(source = "{{ text }}", ext = "html")]
    struct Text {
        text: &'static str,
    }

    fn asked(query: &str) -> Asked {
        Asked {
            project: ProjectId(Uuid::nil()),
            query: query.to_owned(),
            may_change: false,
            time_zone: None,
        }
    }

    async fn get(
        lists: &Lists,
        query: &str,
        told_at: Option<Instant>,
        now: Instant,
    ) -> Arc<Rendered> {
        let look = async { Ok::<_, Infallible>(Rendered::of(&Text { text: "a list" }).unwrap()) };
        lists.get(asked(query), told_at, now, look).await.unwrap()
    }

    #[tokio::test]
    async fn who_is_told_the_same_sees_the_same_list() {
        let lists = Lists::default();
        let now = Instant::now();
        let first = get(&lists, "", Some(now), now).await;
        let same = get(&lists, "", Some(now), now).await;
        assert!(Arc::ptr_eq(&first, &same));
        let other = get(&lists, "?status=down", Some(now), now).await;
        assert!(!Arc::ptr_eq(&first, &other));
    }

    #[tokio::test]
    async fn who_is_told_of_a_change_never_sees_a_list_from_before_it() {
        let lists = Lists::default();
        let now = Instant::now();
        let first = get(&lists, "", Some(now), now).await;
        let told_at = now + Duration::from_millis(1);
        let second = get(&lists, "", Some(told_at), told_at).await;
        assert!(!Arc::ptr_eq(&first, &second));
        let same = get(&lists, "", Some(told_at), told_at).await;
        assert!(Arc::ptr_eq(&second, &same));
    }

    #[tokio::test]
    async fn a_list_is_not_shown_for_long_nor_where_nobody_is_told() {
        let lists = Lists::default();
        let now = Instant::now();
        let first = get(&lists, "", Some(now), now).await;
        let alone = get(&lists, "", None, now).await;
        assert!(!Arc::ptr_eq(&first, &alone));
        let second = get(&lists, "", Some(now), now + SHOWN_FOR).await;
        assert!(!Arc::ptr_eq(&first, &second));
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_and_old_ones_make_room() {
        let lists = Lists::default();
        let now = Instant::now();
        for number in 0..LISTS_MAX {
            get(&lists, &number.to_string(), Some(now), now).await;
        }
        let first = get(&lists, "more", Some(now), now).await;
        let again = get(&lists, "more", Some(now), now).await;
        assert!(!Arc::ptr_eq(&first, &again), "no room, so not shared");
        let later = now + SHOWN_FOR;
        let first = get(&lists, "more", Some(now), later).await;
        let again = get(&lists, "more", Some(now), later).await;
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!(lists.0.lock().unwrap().len(), 1);
    }
}
