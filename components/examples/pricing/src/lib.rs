//! The `pricing` component: binds the catalogue and the discounts to `shop:catalog/pricing`.

mod catalogue;
mod discount;

wit_bindgen::generate!({
    path: ["../../../wit", "../wit"],
    world: "shop:catalog/pricing-service",
    additional_derives: [PartialEq, Eq],
});

use exports::shop::catalog::pricing::{Guest, PriceError};
use shop::catalog::types::{Line, Product, Quote};

struct Component;

impl Guest for Component {
    fn products() -> Result<Vec<Product>, PriceError> {
        Ok(catalogue::products())
    }

    fn find(sku: String) -> Result<Product, PriceError> {
        catalogue::find(&sku).ok_or(PriceError::UnknownSku(sku))
    }

    fn price_of(line: Line) -> Result<Quote, PriceError> {
        let product = Self::find(line.sku)?;
        discount::quote(&product, line.quantity)
    }
}

export!(Component);
