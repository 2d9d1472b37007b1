use std::path::Path;

use serde_json::{Value, json};
use weft_provider::stores::{ProcessMemory, StoreMemory};

use super::*;

async fn make(config: &Value) -> Result<Arc<dyn Provider>, MakeError> {
    let memory: Arc<dyn StoreMemory> = Arc::<ProcessMemory>::default();
    let context = Context {
        app: "shop",
        provider: "settings",
        data_dir: Path::new("unused"),
        stores: &memory,
    };
    ValuesFactory
        .make(&context, config.as_object().unwrap())
        .await
}

fn bind(provider: &dyn Provider, config: &Value) -> Result<Capability, ConfigProblem> {
    let link = LinkContext {
        app: "shop",
        component: "cart",
        provider: "settings",
        interface: "wasi:config",
        link: None,
    };
    provider.bind(&link, config.as_object().unwrap())
}

async fn check(provider: Value, link: Value, expect: &[(&str, &str)]) {
    let provider = make(&provider).await.unwrap();
    let Ok(Capability::Config(config)) = bind(provider.as_ref(), &link) else {
        panic!("no config")
    };
    let expect: Vec<_> = expect
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    assert_eq!(config.get_all().await.unwrap(), expect);
    for (key, value) in expect {
        assert_eq!(config.get(&key).await, Ok(Some(value)));
    }
    assert_eq!(config.get("missing").await, Ok(None));
}

#[tokio::test]
async fn a_link_sees_the_values_of_its_provider_with_its_own_on_top() {
    check(json!({}), json!({}), &[]).await;
    check(
        json!({ "values": { "b": "1", "a": "2" } }),
        json!({}),
        &[("a", "2"), ("b", "1")],
    )
    .await;
    check(
        json!({ "values": { "a": "1", "b": "2" } }),
        json!({ "values": { "b": "link", "c": "3" } }),
        &[("a", "1"), ("b", "link"), ("c", "3")],
    )
    .await;
}

#[tokio::test]
async fn a_value_that_is_no_string_is_named_but_not_shown() {
    let error = make(&json!({ "values": { "pin": 1234 } }))
        .await
        .err()
        .unwrap()
        .to_string();
    assert_eq!(
        error,
        "config of provider `settings` of app `shop`, key `values`: the value of `pin` is not a string; put it in quotes",
    );
}

#[tokio::test]
async fn an_unknown_key_of_a_link_is_refused() {
    let provider = make(&json!({})).await.unwrap();
    let problem = bind(provider.as_ref(), &json!({ "vales": {} })).unwrap_err();
    assert_eq!(problem.key(), Some("vales"));
    assert!(
        problem.to_string().contains("component `cart`"),
        "{problem}"
    );
}
