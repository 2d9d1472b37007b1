//! What a customer of the example shop does, and whether the shop's answers are right.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::command::say;
use crate::http::{self, Answer};

/// The manifest of the shop.
pub(crate) const MANIFEST: &str = "lattice-config/examples/shop.yaml";

/// What may be bought, and what it costs with the discount. Stock is small, and orders are kept: the
/// first of these that is left is bought.
const WISHES: [Wish; 4] = [
    wish("teapot", 2, 9_800),
    wish("cup", 4, 3_750),
    wish("sencha", 2, 2_379),
    wish("strainer", 2, 1_300),
];

struct Wish {
    sku: &'static str,
    quantity: u64,
    cents: u64,
}

const fn wish(sku: &'static str, quantity: u64, cents: u64) -> Wish {
    Wish {
        sku,
        quantity,
        cents,
    }
}

/// Asks for a price, orders, and reads the order back. Each request and answer is printed.
///
/// # Errors
/// If an answer is not what a shop should say, or everything is sold out.
pub(crate) fn visit(address: SocketAddr) -> Result<()> {
    let (wish, left) = choose(address)?;
    let order = order(address, wish)?;
    let id = &order["id"];
    let read_back = get(address, &format!("/orders/{id}"), 200)?;
    ensure!(
        read_back == order,
        "order {id} reads back as {read_back}, and was {order}"
    );
    let quote = get(address, &quote_path(wish), 200)?;
    let left_after = number(&quote, "/left")?;
    ensure!(
        left_after == left - wish.quantity,
        "{} of {left} `{}` were bought, and {left_after} are left",
        wish.quantity,
        wish.sku
    );
    Ok(())
}

fn choose(address: SocketAddr) -> Result<(&'static Wish, u64)> {
    for wish in &WISHES {
        let quote = get(address, &quote_path(wish), 200)?;
        check_total(&quote, wish)?;
        let left = number(&quote, "/left")?;
        if left >= wish.quantity {
            return Ok((wish, left));
        }
    }
    bail!("the shop is sold out: it keeps its orders; `cargo xtask demo --fresh` starts a new one");
}

fn order(address: SocketAddr, wish: &Wish) -> Result<Value> {
    let body = json!({ "lines": [{ "sku": wish.sku, "quantity": wish.quantity }] }).to_string();
    say(&format!("POST http://{address}/orders {body}"));
    let order = expect(&http::post(address, "/orders", &body)?, 201)?;
    check_total(&order, wish)?;
    Ok(order)
}

fn get(address: SocketAddr, path: &str, status: u16) -> Result<Value> {
    say(&format!("GET http://{address}{path}"));
    expect(&http::get(address, path)?, status)
}

fn expect(answer: &Answer, status: u16) -> Result<Value> {
    say(&format!("  → {} {}", answer.status, answer.body.trim_end()));
    ensure!(
        answer.status == status,
        "expected status {status}, found {}",
        answer.status
    );
    serde_json::from_str(&answer.body).context("the answer is not JSON")
}

fn check_total(answer: &Value, wish: &Wish) -> Result<()> {
    let cents = number(answer, "/total/cents")?;
    ensure!(
        cents == wish.cents,
        "{} `{}` cost {} cents, and the shop says {cents}",
        wish.quantity,
        wish.sku,
        wish.cents
    );
    Ok(())
}

fn number(answer: &Value, pointer: &str) -> Result<u64> {
    let number = answer.pointer(pointer).and_then(Value::as_u64);
    number.with_context(|| format!("the answer has no number at `{pointer}`"))
}

fn quote_path(wish: &Wish) -> String {
    format!("/products/{}?quantity={}", wish.sku, wish.quantity)
}
