//! Implements the interface `guestbook` over a key-value bucket, which `weft.yaml` links to a
//! provider. Functions of [`book`] are the logic, and are tested without a bucket.

mod book;

wit_bindgen::generate!({ world: "app", generate_all });

use book::Storage;
use exports::example::guestbook::guestbook::{Entry, Guest, GuestbookError};
use wasi::keyvalue::{atomics, store};

/// The name of the bucket in links of the manifest.
const BUCKET: &str = "guestbook";

struct Component;

impl Guest for Component {
    fn sign(text: String) -> Result<Entry, GuestbookError> {
        let entry = book::sign(&Bucket::open()?, &text)?;
        // Standard output is in `weft logs`.
        println!("entry {}", entry.number);
        Ok(entry)
    }

    fn read(number: u64) -> Result<Entry, GuestbookError> {
        book::read(&Bucket::open()?, number)
    }
}

struct Bucket(store::Bucket);

impl Bucket {
    fn open() -> Result<Self, GuestbookError> {
        store::open(BUCKET).map(Self).map_err(storage)
    }
}

impl Storage for Bucket {
    fn increment(&self, key: &str) -> Result<u64, GuestbookError> {
        atomics::increment(&self.0, key, 1).map_err(storage)
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, GuestbookError> {
        self.0.get(key).map_err(storage)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), GuestbookError> {
        self.0.set(key, value).map_err(storage)
    }
}

fn storage(error: store::Error) -> GuestbookError {
    GuestbookError::Storage(match error {
        store::Error::NoSuchStore => format!("bucket `{BUCKET}` is missing"),
        store::Error::AccessDenied => format!("access to bucket `{BUCKET}` is denied"),
        store::Error::Other(text) => text,
    })
}

export!(Component);
