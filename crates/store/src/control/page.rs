//! Long lists, a page at a time.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::sql::Value;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    limit: u32,
    after: Option<Cursor>,
}

impl PageRequest {
    /// The most items of one page.
    pub const ITEMS_MAX: u32 = 1_000;
    /// The items of a page when nobody says how many.
    pub const ITEMS_DEFAULT: u32 = 100;

    /// At most `limit` items (1 to [`PageRequest::ITEMS_MAX`], or the nearest of these) from where an
    /// earlier page ended.
    pub fn new(limit: u32, after: Option<Cursor>) -> Self {
        Self {
            limit: limit.clamp(1, Self::ITEMS_MAX),
            after,
        }
    }

    /// How many items.
    pub(super) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// One item more than the page holds: whether there is a next page.
    pub(super) fn probe(&self) -> Value {
        Value::Int(i64::from(self.limit) + 1)
    }

    /// Where to go on, if this is not the first page.
    pub(super) fn after(&self) -> Option<Cursor> {
        self.after
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self::new(Self::ITEMS_DEFAULT, None)
    }
}

/// Part of a list, and where it goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Makes a page of items that were fetched with [`PageRequest::probe`].
    pub(super) fn cut(
        mut items: Vec<T>,
        request: &PageRequest,
        cursor: impl Fn(&T) -> Cursor,
    ) -> Self {
        let more = items.len() > request.limit();
        items.truncate(request.limit());
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }
}

/// A place in a list. Its text is for the client to hand back, not to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub(super) number: i64,
    pub(super) id: Uuid,
}

impl Cursor {
    /// Before everything, in a list that goes up.
    pub(super) const FIRST: Self = Self {
        number: i64::MIN,
        id: Uuid::nil(),
    };
    /// A place in a list that is ordered by a number alone.
    pub(super) fn number(number: i64) -> Self {
        Self {
            number,
            id: Uuid::nil(),
        }
    }
}

/// What is not the text of a [`Cursor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor that this server gave out")]
pub struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.id.is_nil() {
            write!(f, "{}", self.number)
        } else {
            write!(f, "{}.{}", self.number, self.id.simple())
        }
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (number, id) = text.split_once('.').unwrap_or((text, ""));
        Ok(Self {
            number: number.parse().map_err(|_| CursorError)?,
            id: match id {
                "" => Uuid::nil(),
                id => Uuid::try_parse(id).map_err(|_| CursorError)?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let id = Uuid::from_u128(7);
        for cursor in [Cursor::number(-17), Cursor { number: 5, id }] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for text in ["", "x", "1.x", ".", "1.2.3", "99999999999999999999"] {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text}");
        }
    }

    #[test]
    fn a_page_says_whether_there_is_another() {
        let request = PageRequest::new(2, None);
        let page = |items: &[i64]| Page::cut(items.to_vec(), &request, |n| Cursor::number(*n));
        assert_eq!(page(&[1, 2, 3]).next, Some(Cursor::number(2)));
        assert_eq!(page(&[1, 2, 3]).items, [1, 2]);
        assert_eq!(page(&[1, 2]).next, None);
        assert_eq!(page(&[]).next, None);
        assert_eq!(PageRequest::new(0, None).limit(), 1);
        assert_eq!(PageRequest::new(u32::MAX, None).limit(), 1_000);
    }
}
