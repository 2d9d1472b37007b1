//! Conformance checks that the tests of every key-value backend run. A failed check panics.

mod batch;
mod model;
mod single;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};

use crate::keyvalue::{Bucket, KeyValue};

type Case = fn(Arc<dyn Bucket>) -> Pin<Box<dyn Future<Output = ()>>>;

/// The cases by name; the name is also the name of the case's bucket.
const CASES: &[(&str, Case)] = &[
    ("a value that was set is read back", |bucket| {
        Box::pin(single::set_and_get(bucket))
    }),
    ("a deleted key is missing", |bucket| {
        Box::pin(single::delete(bucket))
    }),
    ("a key out of bounds is refused", |bucket| {
        Box::pin(single::refuse_keys(bucket))
    }),
    (
        "the largest value fits and one more byte does not",
        |bucket| Box::pin(single::largest_value(bucket)),
    ),
    ("a counter counts both ways", |bucket| {
        Box::pin(single::count(bucket))
    }),
    ("a value that is not a counter stays unchanged", |bucket| {
        Box::pin(single::refuse_to_count(bucket))
    }),
    ("increments of many tasks are not lost", |bucket| {
        Box::pin(single::count_at_once(bucket))
    }),
    ("a swap needs the expected value", |bucket| {
        Box::pin(single::swap(bucket))
    }),
    ("one of many concurrent swaps wins", |bucket| {
        Box::pin(single::swap_at_once(bucket))
    }),
    ("batches keep the order of keys", |bucket| {
        Box::pin(batch::set_get_delete(bucket))
    }),
    ("batches out of bounds are refused", |bucket| {
        Box::pin(batch::refuse(bucket))
    }),
    ("pages list every key once", |bucket| {
        Box::pin(batch::list_in_pages(bucket))
    }),
    ("listing continues after its cursor was deleted", |bucket| {
        Box::pin(batch::list_while_deleting(bucket))
    }),
];

/// Runs all checks against the backend that `key_value` creates inside a runtime of this function.
/// It must serve every identifier, as a link without a name does.
///
/// # Panics
///
/// If a check fails.
pub fn check(key_value: impl AsyncFnOnce() -> Arc<dyn KeyValue>) {
    let runtime = runtime();
    let key_value = runtime.block_on(key_value());
    for (name, case) in CASES {
        let bucket = runtime
            .block_on(key_value.open(name))
            .expect("every identifier is served");
        // Names the case in the failure, since the thread does not have its name.
        let passed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(case(bucket))
        }));
        assert!(passed.is_ok(), "the backend fails the case `{name}`");
    }
    runtime.block_on(buckets_are_apart(key_value.as_ref()));
    model::check(&runtime, key_value.as_ref());
}

async fn buckets_are_apart(key_value: &dyn KeyValue) {
    let one = key_value
        .open("one")
        .await
        .expect("the identifier is served");
    // `on` + `e-…` must not be `one` + `-…`.
    let other = key_value
        .open("on")
        .await
        .expect("the identifier is served");
    one.set("key", Bytes::from_static(b"1")).await.expect("set");
    assert_eq!(other.get("key").await, Ok(None));
    assert_eq!(
        other.list_keys(None).await.expect("list").keys,
        Vec::<String>::new()
    );
    let again = key_value
        .open("one")
        .await
        .expect("the identifier is served");
    assert_eq!(again.get("key").await, Ok(Some(Bytes::from_static(b"1"))));
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built")
}
