//! Tests of the public API.

mod arguments;
mod compare;
mod docs;
mod forms;
mod guide;
mod mcp;
mod mistakes;
mod openapi;
mod responses;
mod routing;
mod rpc;
mod sockets;

use std::fs;
use std::path::{Path, PathBuf};

use weft_api::Api;
use weft_json::Interface;
use weft_lattice_config::{App, Mistake, RouteSpec};

/// The interface of the shop's orders, in part.
const ORDERS: &str = "
    enum currency { eur, gbp }
    record money { cents: u64, currency: currency }
    record line { sku: string, quantity: u32 }
    record order { id: u64, lines: list<line>, total: money }
    record shortage { sku: string, left: u32 }
    /// The reason an order could not be placed or read.
    variant order-error {
        /// The order has no lines. Nothing was ordered.
        empty,
        unknown-order(u64),
        out-of-stock(shortage),
        storage(string),
    }
    place: func(lines: list<line>) -> result<order, order-error>;
    get: func(id: u64) -> result<order, order-error>;
    recent: func(limit: u32, after: option<u64>, tags: list<string>) -> result<list<order>, order-error>;
    find: func(id: u64) -> option<order>;
    change: func(order: order, etag: option<string>) -> result<_, order-error>;
    remove: func(id: u64);
    upload: func(name: string, data: list<u8>) -> result<u64, string>;
    download: func(name: list<string>) -> list<u8>;
    watch: async func(names: stream<string>) -> stream<string>;
";

const NAME: &str = "test:shop/orders@1.2.3";

/// An interface with these items.
fn interface(items: &str) -> Interface {
    let text = format!("package test:shop@1.2.3;\ninterface orders {{\n{items}\n}}");
    Interface::from_text(&text, NAME).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A route below `/api` with these further lines.
fn route(lines: &str) -> RouteSpec {
    let lines: Vec<_> = lines.lines().map(|line| format!("    {line}\n")).collect();
    let text = format!(
        "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {{name: shop}}\nspec:\n  \
         components: [{{name: orders, source: {{file: orders.wasm}}}}]\n  routes:\n  - to: orders\n    \
         path: /api\n    interface: {NAME}\n{}",
        lines.concat()
    );
    let app = App::from_yaml("shop.yaml", &text).unwrap_or_else(|errors| panic!("{errors}"));
    app.spec.routes[0].clone()
}

/// The API of a route to an interface with these items.
fn try_api(items: &str, lines: &str) -> Result<Api, Vec<Mistake>> {
    Api::new(&route(lines), &interface(items))
}

/// The API of a correct route.
fn api(items: &str, lines: &str) -> Api {
    try_api(items, lines).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// The API of the orders in the example of a manifest.
fn shop() -> Api {
    let read = |path: &str| fs::read_to_string(repository(path)).expect("readable");
    let files = ["types.wit", "pricing.wit", "orders.wit"];
    let wit = files.map(|file| read(&format!("components/examples/wit/{file}")));
    let orders = Interface::from_text(&wit.concat(), "shop:catalog/orders@0.1.0");
    let manifest = read("lattice-config/examples/shop-api.yaml");
    let app = App::from_yaml("shop-api.yaml", &manifest).expect("a correct manifest");
    let api = Api::new(&app.spec.routes[0], &orders.expect("an interface"));
    api.unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}
