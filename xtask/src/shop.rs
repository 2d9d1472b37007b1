//! Places an order in the example shop and checks the responses.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use weft_harness::http::{Connection, Request, Response};

use crate::command::print_line;

/// The manifest of the shop.
pub(crate) const MANIFEST: &str = "lattice-config/examples/shop.yaml";

/// Possible orders, with their price after the discount. Stock is small and orders are stored: the
/// first one that is still in stock is placed.
const PURCHASES: [Purchase; 4] = [
    purchase("teapot", 2, 9_800),
    purchase("cup", 4, 3_750),
    purchase("sencha", 2, 2_379),
    purchase("strainer", 2, 1_300),
];

/// The price of four cups, of which one is free.
const FOUR_CUPS_CENTS: u64 = 3_750;

struct Purchase {
    sku: &'static str,
    quantity: u64,
    cents: u64,
}

const fn purchase(sku: &'static str, quantity: u64, cents: u64) -> Purchase {
    Purchase {
        sku,
        quantity,
        cents,
    }
}

/// Requests a price, places an order, and reads the order back. Prints each request and response.
///
/// # Errors
/// If a response is wrong, or everything is sold out.
pub(crate) fn place_order(address: SocketAddr) -> Result<()> {
    let (purchase, left) = choose(address)?;
    let order = order(address, purchase)?;
    let id = &order["id"];
    let read_back = get(address, &format!("/orders/{id}"), 200)?;
    ensure!(
        read_back == order,
        "expected order {id} as {order}, found {read_back}"
    );
    let quote = get(address, &quote_path(purchase), 200)?;
    let left_after = number(&quote, "/left")?;
    ensure!(
        left_after == left - purchase.quantity,
        "{} of {left} `{}` were ordered, but {left_after} are in stock",
        purchase.quantity,
        purchase.sku
    );
    Ok(())
}

/// Requests a price and places an order by the typed API, reads the order back, and sends one with
/// mistakes, which the host answers. Prints each request and response.
///
/// # Errors
/// If a response is wrong.
pub(crate) fn use_api(address: SocketAddr) -> Result<()> {
    let price = get(address, "/catalog/products/cup/price?quantity=4", 200)?;
    let cents = number(&price, "/total/cents")?;
    ensure!(
        cents == FOUR_CUPS_CENTS,
        "expected four cups to cost {FOUR_CUPS_CENTS} cents, found {cents}"
    );
    let stock = get(address, "/api/stock/sencha", 200)?;
    if stock.as_u64().is_some_and(|left| left > 0) {
        let order = post(address, r#"{"lines":[{"sku":"sencha","quantity":1}]}"#, 201)?;
        let read_back = get(address, &format!("/api/orders/{}", order["id"]), 200)?;
        ensure!(read_back == order, "expected {order}, found {read_back}");
    }
    let problem = post(
        address,
        r#"{"lines":[{"sku":"cup","quantity":"two"}]}"#,
        400,
    )?;
    let pointer = problem.pointer("/errors/0/pointer").and_then(Value::as_str);
    let expected = "/lines/0/quantity";
    ensure!(
        pointer == Some(expected),
        "expected an error at `{expected}`, found {problem}"
    );
    Ok(())
}

/// Sends a body of JSON to the typed API.
fn post(address: SocketAddr, body: &str, status: u16) -> Result<Value> {
    print_line(&format!("POST http://{address}/api/orders {body}"));
    let request = format!(
        "POST /api/orders HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = Connection::open(address).context("no connection")?;
    connection
        .send(request.as_bytes())
        .context("the host does not read the request")?;
    checked(&connection.response().context("no response")?, status)
}

fn choose(address: SocketAddr) -> Result<(&'static Purchase, u64)> {
    for purchase in &PURCHASES {
        let quote = get(address, &quote_path(purchase), 200)?;
        check_total(&quote, purchase)?;
        let left = number(&quote, "/left")?;
        if left >= purchase.quantity {
            return Ok((purchase, left));
        }
    }
    bail!("the shop is sold out by earlier orders; `cargo xtask demo --fresh` deletes them");
}

fn order(address: SocketAddr, purchase: &Purchase) -> Result<Value> {
    let body =
        json!({ "lines": [{ "sku": purchase.sku, "quantity": purchase.quantity }] }).to_string();
    print_line(&format!("POST http://{address}/orders {body}"));
    let order = send(
        address,
        Request::with_body("POST", "/orders", body.as_bytes()),
        201,
    )?;
    check_total(&order, purchase)?;
    Ok(order)
}

fn get(address: SocketAddr, path: &str, status: u16) -> Result<Value> {
    print_line(&format!("GET http://{address}{path}"));
    send(address, Request::get(path), status)
}

fn send(address: SocketAddr, request: Request<'_>, status: u16) -> Result<Value> {
    let response = request.try_send(address).context("no response")?;
    checked(&response, status)
}

/// Prints a response and checks its status.
fn checked(response: &Response, status: u16) -> Result<Value> {
    print_line(&format!(
        "  → {} {}",
        response.status,
        response.text().trim_end()
    ));
    ensure!(
        response.status == status,
        "expected status {status}, found {}",
        response.status
    );
    serde_json::from_slice(&response.body).context("the response is not JSON")
}

fn check_total(response: &Value, purchase: &Purchase) -> Result<()> {
    let cents = number(response, "/total/cents")?;
    ensure!(
        cents == purchase.cents,
        "expected {} `{}` to cost {} cents, found {cents}",
        purchase.quantity,
        purchase.sku,
        purchase.cents
    );
    Ok(())
}

fn number(response: &Value, pointer: &str) -> Result<u64> {
    let number = response.pointer(pointer).and_then(Value::as_u64);
    number.with_context(|| format!("missing number at `{pointer}` of the response"))
}

fn quote_path(purchase: &Purchase) -> String {
    format!("/products/{}?quantity={}", purchase.sku, purchase.quantity)
}
