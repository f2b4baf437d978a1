//! One page of a list. A cursor names the last entry that the client has, so that it stays right when entries come and go
//! between two pages.

use rmcp::ErrorData;
use rmcp::model::{Cursor, PaginatedRequestParams};

const CURSOR_START: &str = "after:";

/// The entries after the cursor, at most `size` of them, and the cursor of the next page if there is one.
pub(super) fn of<T: Clone>(
    all: &[T],
    key: impl Fn(&T) -> &str,
    request: Option<&PaginatedRequestParams>,
    size: usize,
) -> Result<(Vec<T>, Option<Cursor>), ErrorData> {
    let start = match request.and_then(|request| request.cursor.as_deref()) {
        None => 0,
        Some(cursor) => {
            let last = cursor.strip_prefix(CURSOR_START);
            let last = last.ok_or_else(|| ErrorData::invalid_params("the cursor is none of this server", None))?;
            all.partition_point(|entry| key(entry) <= last)
        }
    };
    let page: Vec<T> = all[start..].iter().take(size).cloned().collect();
    let more = start + page.len() < all.len();
    let next = page.last().filter(|_| more).map(|last| format!("{CURSOR_START}{}", key(last)));
    Ok((page, next))
}

#[cfg(test)]
mod tests {
    use rmcp::model::PaginatedRequestParams;

    use super::of;

    fn after(cursor: &str) -> PaginatedRequestParams {
        PaginatedRequestParams::default().with_cursor(Some(cursor.into()))
    }

    #[test]
    fn pages_hold_every_entry_once() {
        let all = ["a", "b", "c"];
        let (page, next) = of(&all, |entry| entry, None, 2).unwrap();
        assert_eq!((page, next.as_deref()), (vec!["a", "b"], Some("after:b")));
        let (page, next) = of(&all, |entry| entry, Some(&after("after:b")), 2).unwrap();
        assert_eq!((page, next), (vec!["c"], None));
    }

    #[test]
    fn a_cursor_outlives_its_entry() {
        let (page, _) = of(&["a", "c"], |entry| entry, Some(&after("after:b")), 2).unwrap();
        assert_eq!(page, ["c"]);
    }

    #[test]
    fn a_cursor_of_somebody_else_is_refused() {
        assert!(of(&["a"], |entry| entry, Some(&after("17")), 2).is_err());
    }
}
