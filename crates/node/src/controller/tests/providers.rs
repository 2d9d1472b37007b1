//! Providers from revision to revision.

use serde_json::{Value, json};
use weft_lattice_config::App;
use weft_telemetry::chain;

use super::TestController;
use super::fake_provider::{failing_provider, provider, rejected_link};
use crate::controller::DeployError;
use crate::test_support::{app_name, app_with, artifact};

/// The app `shop` with the component `cart`.
fn shop(revision: u64, providers: &[Value], links: &[Value]) -> App {
    let cart = json!({ "name": "cart", "source": { "digest": artifact("shop").0 } });
    let spec = json!({ "components": [cart], "providers": providers, "links": links });
    app_with("shop", revision, &spec)
}

#[tokio::test]
async fn a_changed_provider_is_made_again_and_the_others_run_on() {
    let host = TestController::start().await;
    let first = shop(1, &[provider("db", 1), provider("log", 1)], &[]);
    host.joined.deploy(first).await.unwrap();
    assert_eq!(host.providers.take(), ["make db 1", "make log 1"]);
    let second = shop(2, &[provider("db", 2), provider("log", 1)], &[]);
    host.joined.deploy(second).await.unwrap();
    // The old one holds resources that the new one needs.
    assert_eq!(host.providers.take(), ["close db 1", "make db 2"]);
}

#[tokio::test]
async fn a_removed_provider_is_closed_after_the_new_revision_is_bound() {
    let host = TestController::start().await;
    let first = shop(1, &[provider("db", 1), provider("log", 1)], &[]);
    host.joined.deploy(first).await.unwrap();
    host.providers.take();
    let second = shop(2, &[provider("log", 1), provider("cache", 1)], &[]);
    host.joined.deploy(second).await.unwrap();
    assert_eq!(host.providers.take(), ["make cache 1", "close db 1"]);
}

#[tokio::test]
async fn a_provider_that_does_not_start_leaves_the_old_revision_with_its_providers() {
    let host = TestController::start().await;
    let first = shop(1, &[provider("db", 1), provider("log", 1)], &[]);
    host.joined.deploy(first).await.unwrap();
    host.providers.take();
    let second = [
        provider("cache", 1),
        failing_provider("db", 2),
        provider("log", 1),
    ];
    let error = host.joined.deploy(shop(2, &second, &[])).await;
    let error = error.unwrap_err();
    assert!(matches!(error, DeployError::Provider(_)), "{error:?}");
    let log = ["make cache 1", "close db 1", "close cache 1", "make db 1"];
    assert_eq!(host.providers.take(), log);
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 1");
    // The restored provider is the one that is closed with the app.
    host.joined.undeploy(app_name("shop")).await.unwrap();
    assert_eq!(host.providers.take(), ["close db 1", "close log 1"]);
}

#[tokio::test]
async fn a_link_that_its_provider_rejects_leaves_the_old_revision_with_its_providers() {
    let host = TestController::start().await;
    let first = shop(1, &[provider("log", 1)], &[]);
    host.joined.deploy(first).await.unwrap();
    host.providers.take();
    let providers = [provider("log", 1), provider("cache", 1)];
    let second = shop(2, &providers, &[rejected_link("cart", "log")]);
    let error = host.joined.deploy(second).await.unwrap_err();
    assert!(matches!(error, DeployError::ProviderLink(_)), "{error:?}");
    assert_eq!(host.providers.take(), ["make cache 1", "close cache 1"]);
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 1");
}

#[tokio::test]
async fn a_provider_of_an_unknown_type_is_rejected_before_anything_is_closed() {
    let host = TestController::start().await;
    let first = shop(1, &[provider("db", 1)], &[]);
    host.joined.deploy(first).await.unwrap();
    host.providers.take();
    let unknown = json!({ "name": "db", "type": "future" });
    let error = host.joined.deploy(shop(2, &[unknown], &[])).await;
    assert_eq!(
        chain(&error.unwrap_err()),
        "cannot use provider `db`: unknown provider type `future`, expected one of `fake`"
    );
    assert_eq!(host.providers.take(), [""; 0]);
}

#[tokio::test]
async fn a_stopping_host_closes_all_providers() {
    let host = TestController::start().await;
    let first = shop(1, &[provider("db", 1), provider("log", 1)], &[]);
    host.joined.deploy(first).await.unwrap();
    host.providers.take();
    host.controller.stop().await;
    assert_eq!(host.providers.take(), ["close db 1", "close log 1"]);
}
