//! A page of a list.

use nightbeat_store::control::Page;
use serde::Serialize;
use utoipa::ToSchema;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct List<T> {
    /// The items.
    pub(in crate::api) items: Vec<T>,
    /// Where the next page begins; `null` on the last one.
    #[schema(required)]
    pub(in crate::api) next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A stored page, each item in its shape.
    pub(in crate::api) fn of<S>(page: Page<S>, shape: impl Fn(S) -> T) -> Self {
        Self {
            next_cursor: page.next.map(|cursor| cursor.to_string()),
            items: page.items.into_iter().map(shape).collect(),
        }
    }
}
