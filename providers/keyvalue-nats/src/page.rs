//! A page of keys, selected from unordered keys: the first ones after a cursor.

use std::collections::BTreeSet;

use weft_provider::keyvalue::KeyPage;
use weft_state::kv::Operation;

/// Collects the first observed keys after a cursor, at most as many as a page has.
pub(crate) struct Page<'a> {
    after: Option<&'a str>,
    keys: BTreeSet<String>,
    keys_max: usize,
    /// The first key that did not fit. Keys from here on are for later pages, even after a deletion
    /// makes space, because earlier keys may have been dropped already.
    end: Option<String>,
}

impl<'a> Page<'a> {
    pub(crate) fn new(after: Option<&'a str>, keys_max: usize) -> Self {
        Self {
            after,
            keys: BTreeSet::new(),
            keys_max,
            end: None,
        }
    }

    /// Applies the last known operation on a key.
    pub(crate) fn observe(&mut self, key: String, operation: Operation) {
        if operation == Operation::Delete {
            self.keys.remove(&key);
            return;
        }
        let is_before = self.after.is_some_and(|after| key.as_str() <= after);
        let is_later = self.end.as_ref().is_some_and(|end| key >= *end);
        if is_before || is_later {
            return;
        }
        self.keys.insert(key);
        if self.keys.len() > self.keys_max {
            self.end = self.keys.pop_last();
        }
    }

    /// Returns the page; `None` if all of its keys were deleted meanwhile, and later keys exist.
    pub(crate) fn finish(self) -> Option<KeyPage> {
        let cursor = match (&self.end, self.keys.last()) {
            (None, _) => None,
            (Some(_), Some(last)) => Some(last.clone()),
            (Some(_), None) => return None,
        };
        let keys = self.keys.into_iter().collect();
        Some(KeyPage { keys, cursor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(after: Option<&str>, seen: &[&str]) -> Option<(String, Option<String>)> {
        let mut page = Page::new(after, 2);
        for text in seen {
            match text.strip_prefix('-') {
                Some(key) => page.observe(key.to_owned(), Operation::Delete),
                None => page.observe((*text).to_owned(), Operation::Put),
            }
        }
        let KeyPage { keys, cursor } = page.finish()?;
        Some((keys.join(" "), cursor))
    }

    #[test]
    fn a_page_has_the_first_keys_after_its_cursor() {
        let check = |after, seen: &[&str], keys: &str, cursor: Option<&str>| {
            let expected = (keys.to_owned(), cursor.map(str::to_owned));
            assert_eq!(page(after, seen), Some(expected), "{after:?} {seen:?}");
        };
        check(None, &[], "", None);
        check(None, &["b", "a", "b"], "a b", None);
        check(None, &["c", "b", "a"], "a b", Some("b"));
        check(Some("a"), &["c", "b", "a"], "b c", None);
        check(Some("made up"), &["c"], "", None);
        check(None, &["a", "-a", "b"], "b", None);
    }

    #[test]
    fn a_key_that_did_not_fit_is_left_to_the_next_page() {
        // `c` did not fit; `d` arrives after a deletion made space, but follows `c`.
        let (keys, cursor) = page(None, &["a", "b", "c", "-a", "d"]).unwrap();
        assert_eq!((keys.as_str(), cursor.as_deref()), ("b", Some("b")));
        assert_eq!(page(None, &["a", "b", "c", "-a", "-b"]), None);
    }
}
