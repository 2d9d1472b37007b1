//! The `orders` component: binds the shop's ledger to `shop:catalog/orders`, and its dependencies
//! to `shop:catalog/pricing`, `wasi:keyvalue` and `wasi:logging`.

mod ledger;

wit_bindgen::generate!({
    path: ["../../../wit", "../wit"],
    world: "shop:catalog/orders-service",
    additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    additional_derives_ignore: ["error", "key-response"],
    generate_all,
});

use exports::shop::catalog::orders::{Guest, Line, Order, OrderError};
use ledger::{Backend, Ledger};
use shop::catalog::pricing::{self, PriceError};
use shop::catalog::types::{Product, Quote};
use wasi::keyvalue::{atomics, store};
use wasi::logging::logging::{Level, log};

/// The bucket for all state; a manifest links it.
const BUCKET: &str = "orders";

struct Component;

impl Guest for Component {
    fn place(lines: Vec<Line>) -> Result<Order, OrderError> {
        let placed = open()?.place(&lines);
        match &placed {
            Ok(order) => log(Level::Info, "orders", &format!("placed order {}", order.id)),
            Err(error) => log(
                Level::Warn,
                "orders",
                &format!("refused an order: {error:?}"),
            ),
        }
        placed
    }

    fn get(id: u64) -> Result<Order, OrderError> {
        open()?.get(id)
    }

    fn recent(limit: u32) -> Result<Vec<Order>, OrderError> {
        open()?.recent(limit)
    }

    fn left(sku: String) -> Result<u32, OrderError> {
        open()?.left(&sku)
    }
}

fn open() -> Result<Ledger<Linked>, OrderError> {
    let bucket = store::open(BUCKET).map_err(storage)?;
    Ok(Ledger::new(Linked { bucket }))
}

/// The ledger's dependencies, as the manifest links them.
struct Linked {
    bucket: store::Bucket,
}

impl Backend for Linked {
    fn product(&self, sku: &str) -> Result<Product, OrderError> {
        pricing::find(sku).map_err(price)
    }

    fn quote(&self, line: &Line) -> Result<Quote, OrderError> {
        pricing::price_of(line).map_err(price)
    }

    fn increment(&self, key: &str, delta: u64) -> Result<u64, OrderError> {
        atomics::increment(&self.bucket, key, delta).map_err(storage)
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, OrderError> {
        self.bucket.get(key).map_err(storage)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), OrderError> {
        self.bucket.set(key, value).map_err(storage)
    }
}

fn price(error: PriceError) -> OrderError {
    match error {
        PriceError::UnknownSku(sku) => OrderError::UnknownSku(sku),
        PriceError::InvalidQuantity(quantity) => OrderError::InvalidQuantity(quantity),
        PriceError::LinkFailure(text) => OrderError::LinkFailure(text),
    }
}

fn storage(error: store::Error) -> OrderError {
    OrderError::Storage(match error {
        store::Error::NoSuchStore => format!("there is no bucket `{BUCKET}`"),
        store::Error::AccessDenied => format!("the bucket `{BUCKET}` is closed to this component"),
        store::Error::Other(text) => text,
    })
}

export!(Component);
