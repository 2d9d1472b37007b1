//! Tests of the provider through its public traits.

use std::path::Path;
use std::sync::Arc;

use crate::{ENTRY_OVERHEAD, MemoryFactory};
use bytes::Bytes;
use serde_json::{Value, json};
use weft_provider::keyvalue::{KeyValue, KeyValueError};
use weft_provider::stores::{ProcessMemory, StoreMemory};
use weft_provider::{Capability, Context, Factory, LinkContext, MakeError, Provider, Settings};

fn settings(value: Value) -> Settings {
    serde_json::from_value(value).unwrap()
}

async fn make(config: Value) -> Result<Arc<dyn Provider>, MakeError> {
    let memory: Arc<dyn StoreMemory> = Arc::<ProcessMemory>::default();
    let context = Context {
        app: "shop",
        provider: "cache",
        data_dir: Path::new("unused"),
        stores: &memory,
    };
    MemoryFactory.make(&context, &settings(config)).await
}

fn bind(provider: &dyn Provider, name: Option<&str>, config: Value) -> Arc<dyn KeyValue> {
    let link = LinkContext {
        app: "shop",
        component: "cart",
        provider: "cache",
        interface: "wasi:keyvalue",
        link: name,
    };
    match provider.bind(&link, &settings(config)).unwrap() {
        Capability::KeyValue(key_value) => key_value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_passes_the_conformance_checks() {
    weft_provider::conformance::check(async || {
        bind(make(json!({})).await.unwrap().as_ref(), None, json!({}))
    });
}

#[tokio::test]
async fn links_to_one_bucket_share_it() {
    let provider = make(json!({})).await.unwrap();
    let orders = bind(
        provider.as_ref(),
        Some("orders"),
        json!({ "bucket": "shared" }),
    );
    let carts = bind(
        provider.as_ref(),
        Some("carts"),
        json!({ "bucket": "shared" }),
    );
    orders
        .open("orders")
        .await
        .unwrap()
        .set("key", Bytes::from_static(b"1"))
        .await
        .unwrap();
    let value = carts.open("carts").await.unwrap().get("key").await.unwrap();
    assert_eq!(value.as_deref(), Some(&b"1"[..]));
    assert_eq!(
        carts.open("orders").await.err(),
        Some(KeyValueError::NoSuchStore)
    );
}

#[tokio::test]
async fn a_full_store_refuses_to_grow_until_something_is_deleted() {
    let provider = make(json!({ "max-bytes": 2 * (ENTRY_OVERHEAD + 2) }))
        .await
        .unwrap();
    let bucket = bind(provider.as_ref(), None, json!({}))
        .open("b")
        .await
        .unwrap();
    let value = Bytes::from_static(b"1");
    bucket.set("a", value.clone()).await.unwrap();
    bucket.set("b", value.clone()).await.unwrap();
    let error = bucket
        .set("c", value.clone())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("`max-bytes`"), "{error}");
    assert_eq!(bucket.get("c").await, Ok(None));

    bucket
        .set("a", value.clone())
        .await
        .expect("replacing a value needs no space");
    bucket.delete("a").await.unwrap();
    bucket.set("c", value).await.expect("there is space again");
}

#[tokio::test]
async fn a_mistake_in_the_configuration_names_the_provider_and_the_key() {
    let error = make(json!({ "max-byte": 1 }))
        .await
        .err()
        .unwrap()
        .to_string();
    assert_eq!(
        error,
        "config of provider `cache` of app `shop`, key `max-byte`: unknown field `max-byte`, expected `max-bytes`",
    );
}
