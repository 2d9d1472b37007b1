//! The stored form of an app.

use std::fs;

use proptest::prelude::*;
use serde_json::{Map, Value};
use weft_lattice_config::{App, RouteSpec};

use crate::{app, golden};

#[test]
fn an_app_comes_back_from_its_stored_form_as_it_was() {
    let text = fs::read_to_string(golden::folder("examples/shop.yaml")).expect("readable");
    let shop = App::from_yaml("shop.yaml", &text).expect("correct");
    let full = app(FULL);
    for app in [shop, full] {
        assert_eq!(
            App::from_json("stored", &app.to_json().unwrap()).unwrap(),
            app
        );
    }
}

#[test]
fn an_app_comes_back_from_its_manifest_as_it_was() {
    let text = fs::read_to_string(golden::folder("examples/shop.yaml")).expect("readable");
    let shop = App::from_yaml("shop.yaml", &text).expect("correct");
    for app in [shop, app(FULL)] {
        let manifest = app.to_yaml().unwrap();
        assert_eq!(App::from_yaml("shop.yaml", &manifest).unwrap(), app);
        let keys = ["apiVersion:", "kind:", "metadata:", "spec:"];
        let places = keys.map(|key| manifest.find(key).unwrap());
        assert!(places.is_sorted(), "{manifest}");
    }
}

/// JSON that a provider may have as a setting.
fn setting() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Short fractions: serde_json reads the last digit of long ones wrong.
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        ".{0,12}".prop_map(Value::from),
        "[-0-9a-z:#.~ '\"\n\t]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[-0-9a-z:#. ]{1,5}", inner, 0..4)
                .prop_map(|map| Value::Object(Map::from_iter(map))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_manifest_keeps_every_setting(setting in setting(), text in ".{0,20}") {
        let mut app = app(FULL);
        app.metadata.annotations.insert("note".to_owned(), text);
        app.spec.providers[0].config.insert("setting".to_owned(), setting);
        let manifest = app.to_yaml().unwrap();
        prop_assert_eq!(App::from_yaml("a.yaml", &manifest).unwrap(), app, "{}", manifest);
    }
}

#[test]
fn a_stored_app_is_checked_like_a_manifest_with_paths_in_place_of_positions() {
    let stored = app(FULL)
        .to_json()
        .unwrap()
        .replace("\"to\":\"db\"", "\"to\":\"bd\"");
    let errors = App::from_json("stored", &stored).unwrap_err();
    let expected = "stored: spec.links[0].to: error: unknown component or provider `bd`\n \
                    = help: did you mean `db`?";
    assert_eq!(errors.to_string(), expected);
    assert_eq!(errors.diagnostics()[0].position, None);
}

#[test]
fn a_stored_app_of_a_version_without_apis_has_raw_routes() {
    let stored = r#"{"apiVersion":"weft.dev/v1alpha1","kind":"App","metadata":{"name":"shop"},
        "spec":{"components":[{"name":"web","source":{"file":"web.wasm"}}],
        "routes":[{"path":"/","to":"web"}]}}"#;
    let app = App::from_json("stored", stored).unwrap();
    let route = RouteSpec::raw(None, "/".parse().unwrap(), "web".parse().unwrap());
    assert_eq!(app.spec.routes, [route]);
    assert_eq!(app.spec.components[0].wit, None);
    // Hosts of that version can read what this one writes.
    let written = app.to_json().unwrap();
    let keys = [
        "wit",
        "interface",
        "operations",
        "errors",
        "names",
        "int64",
        "faces",
    ];
    assert!(
        keys.iter()
            .all(|key| !written.contains(&format!("\"{key}\""))),
        "{written}"
    );
}

#[test]
fn invalid_json_is_rejected_with_the_reason() {
    for text in ["", "{", "[1,", &"[".repeat(100_000)] {
        let errors = App::from_json("stored", text).unwrap_err();
        assert!(
            errors
                .to_string()
                .starts_with("stored: error: invalid JSON: "),
            "{errors}"
        );
    }
}

#[test]
fn diagnostics_are_data_for_other_programs() {
    let errors = App::from_yaml("a.yaml", "kind: [").unwrap_err();
    let json = serde_json::to_value(&errors).unwrap();
    assert_eq!(json["diagnostics"][0]["file"], "a.yaml");
    assert!(json["diagnostics"][0]["line"].is_u64(), "{json}");
}

const FULL: &str = "
  components:
  - name: orders
    source: {digest: 'sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'}
    wit: |
      package a:b;

      interface c { }
    env: {REGION: eu}
    instances: {reuse: {max-requests: 7, max-idle: 1m}}
    limits: {memory: 64MiB, cpu: 250ms, deadline: 5s, concurrency: 3, body: 512}
  - name: pricing
    source: {file: pricing.wasm}
    wit: pricing/wit
    isolate: true
    replicas: 3
    placement:
      require: {cloud: [aws, gcp], arch: arm64}
      prefer: {disk: ssd}
      spread: zone
      one-per-host: true
      anti-affinity: [orders]
      weight: 7
  providers:
  - {name: db, type: keyvalue-redb, config: {path: ./db, sizes: [1, 2.5, null, true]}}
  links:
  - {from: orders, interface: 'wasi:keyvalue@0.2.0-draft', name: main, to: db, config: {bucket: o}}
  - {from: orders, interface: 'shop:catalog/pricing', to: pricing, locality: local, deadline: 50ms, idempotent: true}
  routes:
  - {host: '*.example.com', path: /api/, to: orders}
  - path: /typed
    to: orders
    interface: shop:catalog/orders@0.1.0
    operations:
    - {func: place, as: 'POST /orders', ok: 201, location: '/orders/{id}', body: lines}
    - func: recent
      as: 'GET /orders?limit={limit=20}&cursor={page.cursor=: #}'
      headers: {If-Match: etag, X-Trace: context.trace}
    errors:
      order-error:
        400: [empty, invalid-quantity]
        500: {cases: [storage], hide: true}
        default: {status: 422, hide: true}
      price-error: {default: 404}
    names: kebab
    int64: string
    faces: [http, docs, rpc, mcp]
";

#[test]
fn the_build_of_a_component_is_read_and_never_stored() {
    let text = |build: &str| {
        format!(
            "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {{name: a}}\nspec:\n  components:\n  \
             - {{name: b, source: {{file: b.wasm}}{build}}}\n"
        )
    };
    let read = |build: &str| App::from_yaml("a.yaml", &text(build)).expect("correct");
    let plain = read("");
    for build in [
        ", build: rust",
        ", build: {language: python, dir: b, entry: main, world: w, output: c.wasm}",
        ", build: {command: make}",
    ] {
        let built = read(build);
        assert!(built.spec.components[0].build.is_some(), "{build}");
        assert_eq!(
            built.to_json().unwrap(),
            plain.to_json().unwrap(),
            "{build}"
        );
        assert_eq!(built.without_builds(), plain, "{build}");
    }
    let sent = plain.to_json().unwrap();
    let sent = sent.replace(r#""source""#, r#""build":"rust","source""#);
    assert_eq!(App::from_json("stored", &sent).unwrap(), plain);
}
