//! A page of keys, from keys in no order: the first ones after a cursor.

use std::collections::BTreeSet;

use weft_provider::keyvalue::KeyPage;
use weft_state::kv::Operation;

/// The first keys after a cursor of those that were seen; at most as many as a page holds.
pub(crate) struct Page<'a> {
    after: Option<&'a str>,
    keys: BTreeSet<String>,
    keys_max: usize,
    /// The first key that had no room. Keys from here on are for later pages, also where a deletion makes
    /// room: who came before is not known any more.
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

    /// Takes what was done to a key last, as far as is known now.
    pub(crate) fn see(&mut self, key: String, operation: Operation) {
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

    /// The page; `None` if all of its keys were deleted meanwhile, and there are later ones.
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
                Some(key) => page.see(key.to_owned(), Operation::Delete),
                None => page.see((*text).to_owned(), Operation::Put),
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
    fn a_key_that_had_no_room_is_left_to_the_next_page() {
        // `c` had no room when it came; `d`, which comes when there is some again, is after it.
        let (keys, cursor) = page(None, &["a", "b", "c", "-a", "d"]).unwrap();
        assert_eq!((keys.as_str(), cursor.as_deref()), ("b", Some("b")));
        assert_eq!(page(None, &["a", "b", "c", "-a", "-b"]), None);
    }
}
