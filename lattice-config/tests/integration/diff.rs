//! The difference between two apps.

use weft_lattice_config::diff;

use crate::app;

const OLD: &str = "
  components:
  - {name: storefront, source: {file: a.wasm}}
  - {name: orders, source: {file: b.wasm}, env: {A: x}}
  - {name: legacy, source: {file: c.wasm}}
  providers:
  - {name: db, type: keyvalue-redb, config: {path: a, password: hunter2}}
  links:
  - {from: storefront, interface: 'shop:catalog/orders', to: orders}
  - {from: orders, interface: 'wasi:keyvalue', name: main, to: db}
  - {from: storefront, interface: 'shop:catalog/pricing', to: legacy}
  routes:
  - {host: shop.example.com, to: storefront}
  - {path: /old, to: legacy}
  - {path: /api, to: orders, interface: 'shop:catalog/orders'}
";

const NEW: &str = "
  components:
  - {name: pricing, source: {file: d.wasm}}
  - {name: orders, source: {file: b2.wasm}, replicas: 3, placement: {spread: zone}, limits: {memory: 1MiB}, env: {A: x}}
  - {name: storefront, source: {file: a.wasm}, isolate: true}
  providers:
  - {name: db, type: keyvalue-redb, config: {path: a, password: secret}}
  - {name: log, type: logging-tracing}
  links:
  - {from: orders, interface: 'wasi:keyvalue', name: main, to: db, config: {bucket: b}}
  - {from: storefront, interface: 'shop:catalog/orders@0.1.0', to: orders}
  - {from: storefront, interface: 'shop:catalog/pricing', to: pricing, locality: local, deadline: 1s, idempotent: true}
  routes:
  - {host: shop.example.com, to: pricing}
  - {path: /old/, to: storefront}
  - {path: /api, to: orders, interface: 'shop:catalog/orders', int64: string, operations: [{func: get, as: 'GET /{id}'}]}
";

#[test]
fn a_diff_names_what_is_added_removed_and_changed() {
    let lines: Vec<_> = diff(&app(OLD), &app(NEW))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        lines,
        [
            "- component legacy",
            "~ component orders (limits, placement, replicas, source)",
            "+ component pricing",
            "~ component storefront (isolate)",
            "~ provider db (config)",
            "+ provider log",
            "~ link orders → wasi:keyvalue named main (config)",
            "- link storefront → shop:catalog/orders",
            "+ link storefront → shop:catalog/orders@0.1.0",
            "~ link storefront → shop:catalog/pricing (deadline, idempotent, locality, to)",
            "~ route /api (int64, operations)",
            "~ route /old (to)",
            "~ route shop.example.com/ (to)",
        ]
    );
}

#[test]
fn an_app_does_not_differ_from_itself() {
    assert_eq!(diff(&app(OLD), &app(OLD)), []);
}

#[test]
fn a_diff_shows_no_value_of_a_setting() {
    let text = format!("{:?}", diff(&app(OLD), &app(NEW)));
    assert!(
        !text.contains("hunter2") && !text.contains("secret"),
        "{text}"
    );
}
