//! The logic of the book, over any storage.

use crate::exports::example::guestbook::guestbook::{Entry, GuestbookError};

/// The key with the number of entries.
const COUNT: &str = "count";

/// The part of a key-value bucket that the book needs.
pub trait Storage {
    /// Adds 1 to the number under a key, at once for all instances, and returns the sum.
    fn increment(&self, key: &str) -> Result<u64, GuestbookError>;

    /// Reads a value.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, GuestbookError>;

    /// Writes a value.
    fn set(&self, key: &str, value: &[u8]) -> Result<(), GuestbookError>;
}

/// Adds an entry.
pub fn sign(storage: &impl Storage, text: &str) -> Result<Entry, GuestbookError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(GuestbookError::BlankText);
    }
    let number = storage.increment(COUNT)?;
    storage.set(&key(number), text.as_bytes())?;
    Ok(Entry {
        number,
        text: text.to_owned(),
    })
}

/// Reads an entry.
pub fn read(storage: &impl Storage, number: u64) -> Result<Entry, GuestbookError> {
    let text = storage.get(&key(number))?;
    let text = text.ok_or(GuestbookError::UnknownEntry(number))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(Entry { number, text })
}

fn key(number: u64) -> String {
    format!("entry-{number}")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Default)]
    struct Memory(RefCell<BTreeMap<String, Vec<u8>>>, RefCell<u64>);

    impl Storage for Memory {
        fn increment(&self, _: &str) -> Result<u64, GuestbookError> {
            *self.1.borrow_mut() += 1;
            Ok(*self.1.borrow())
        }

        fn get(&self, key: &str) -> Result<Option<Vec<u8>>, GuestbookError> {
            Ok(self.0.borrow().get(key).cloned())
        }

        fn set(&self, key: &str, value: &[u8]) -> Result<(), GuestbookError> {
            self.0.borrow_mut().insert(key.to_owned(), value.to_owned());
            Ok(())
        }
    }

    #[test]
    fn entries_are_numbered_and_read_by_number() {
        let memory = Memory::default();
        assert_eq!(sign(&memory, "first").unwrap().number, 1);
        assert_eq!(sign(&memory, " second ").unwrap().number, 2);
        assert_eq!(read(&memory, 2).unwrap().text, "second");
    }

    #[test]
    fn a_blank_text_and_an_unknown_number_are_errors() {
        let memory = Memory::default();
        assert!(matches!(sign(&memory, " "), Err(GuestbookError::BlankText)));
        let unknown = read(&memory, 7);
        assert!(matches!(unknown, Err(GuestbookError::UnknownEntry(7))));
    }
}
