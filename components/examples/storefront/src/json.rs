//! The JSON form of the shop's values, with names in kebab case as in the WIT.

use serde_json::{Value, json};

use crate::shop::catalog::orders::Order;
use crate::shop::catalog::types::{Currency, Discount, Money, Product, Quote};

pub fn product(product: &Product) -> Value {
    json!({
        "sku": product.sku,
        "name": product.name,
        "price": money(product.price),
        "discount": product.discount.map(discount),
    })
}

pub fn quote(quote: &Quote) -> Value {
    json!({
        "sku": quote.sku,
        "quantity": quote.quantity,
        "unit-price": money(quote.unit_price),
        "discount": quote.discount.map(discount),
        "total": money(quote.total),
    })
}

pub fn order(order: &Order) -> Value {
    let lines: Vec<Value> = order.lines.iter().map(quote).collect();
    json!({ "id": order.id, "lines": lines, "total": money(order.total) })
}

fn money(money: Money) -> Value {
    let currency = match money.currency {
        Currency::Eur => "eur",
        Currency::Gbp => "gbp",
        Currency::Usd => "usd",
    };
    json!({ "cents": money.cents, "currency": currency })
}

fn discount(discount: Discount) -> Value {
    match discount {
        Discount::Percentage(percent) => json!({ "percentage": percent }),
        Discount::Fixed(off) => json!({ "fixed": money(off) }),
        Discount::BuyNGetOne(bought) => json!({ "buy-n-get-one": bought }),
    }
}
