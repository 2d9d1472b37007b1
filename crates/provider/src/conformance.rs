//! What every key-value backend must do, as checks that its tests run. A check that fails panics, as
//! a test does.

mod batch;
mod model;
mod single;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};

use crate::keyvalue::{Bucket, KeyValue};

type Case = fn(Arc<dyn Bucket>) -> Pin<Box<dyn Future<Output = ()>>>;

/// Each case by name; the name is also that of the bucket it works in.
const CASES: &[(&str, Case)] = &[
    ("a value that was set is read back", |bucket| {
        Box::pin(single::set_and_get(bucket))
    }),
    ("a deleted key is gone", |bucket| {
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
    ("what is no counter stays as it is", |bucket| {
        Box::pin(single::refuse_to_count(bucket))
    }),
    ("increments of many tasks are not lost", |bucket| {
        Box::pin(single::count_at_once(bucket))
    }),
    ("a swap needs the expected value", |bucket| {
        Box::pin(single::swap(bucket))
    }),
    ("of many swaps at once one wins", |bucket| {
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
    ("a walk goes on after its cursor was deleted", |bucket| {
        Box::pin(batch::list_while_deleting(bucket))
    }),
];

/// Runs every check against `key_value`, which serves every identifier (a link without a name).
/// It is made inside a runtime of this function.
///
/// # Panics
///
/// If the backend does not do what it must.
pub fn check(key_value: impl AsyncFnOnce() -> Arc<dyn KeyValue>) {
    let runtime = runtime();
    let key_value = runtime.block_on(key_value());
    for (name, case) in CASES {
        let bucket = runtime
            .block_on(key_value.open(name))
            .expect("every identifier is served");
        // A case is a sentence, so that the name of the thread is not all a failure says.
        let passed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(case(bucket))
        }));
        assert!(passed.is_ok(), "the backend fails this: {name}");
    }
    runtime.block_on(buckets_are_apart(key_value.as_ref()));
    model::check(&runtime, key_value.as_ref());
}

async fn buckets_are_apart(key_value: &dyn KeyValue) {
    let one = key_value.open("one").await.expect("it is served");
    // `on` + `e-…` must not be `one` + `-…`.
    let other = key_value.open("on").await.expect("it is served");
    one.set("key", Bytes::from_static(b"1")).await.expect("set");
    assert_eq!(other.get("key").await, Ok(None));
    assert_eq!(
        other.list_keys(None).await.expect("list").keys,
        Vec::<String>::new()
    );
    let again = key_value.open("one").await.expect("it is served");
    assert_eq!(again.get("key").await, Ok(Some(Bytes::from_static(b"1"))));
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built")
}
