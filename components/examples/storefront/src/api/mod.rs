//! The shop's HTTP API: the routes, and the status code for each error.
//!
//! Independent of WASI: it turns a request and a shop into a reply.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::json;
use crate::shop::catalog::orders::{Order, OrderError};
use crate::shop::catalog::pricing::PriceError;
use crate::shop::catalog::types::{Line, Product, Quote};

/// The number of orders in `GET /orders`.
const RECENT_ORDERS: u32 = 20;

const WELCOME: &str = "\
A small shop, made of three WebAssembly components. Try:

  GET  /products                     what there is
  GET  /products/cup?quantity=4      what four cups cost, with the discount
  POST /orders                       {\"lines\":[{\"sku\":\"teapot\",\"quantity\":2}]}
  GET  /orders/1                     an order, read back
  GET  /orders                       the newest orders
";

/// The services that the API uses.
pub trait Shop {
    fn products(&self) -> Result<Vec<Product>, PriceError>;
    fn quote(&self, line: &Line) -> Result<Quote, PriceError>;
    fn left(&self, sku: &str) -> Result<u32, OrderError>;
    fn place(&self, lines: &[Line]) -> Result<Order, OrderError>;
    fn order(&self, id: u64) -> Result<Order, OrderError>;
    fn recent(&self, limit: u32) -> Result<Vec<Order>, OrderError>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Other,
}

pub struct Request {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub body: Vec<u8>,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    /// The location of the created resource.
    pub location: Option<String>,
    /// The methods that the path supports.
    pub allow: Option<&'static str>,
    pub body: String,
}

impl Reply {
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "error": message }))
    }

    fn json(status: u16, value: &Value) -> Self {
        Self {
            status,
            content_type: "application/json",
            location: None,
            allow: None,
            body: format!("{value}\n"),
        }
    }

    fn method_not_allowed(allow: &'static str) -> Self {
        let reply = Self::error(405, &format!("this path takes {allow}"));
        Self {
            allow: Some(allow),
            ..reply
        }
    }
}

/// Handles one request.
pub fn answer(request: &Request, shop: &impl Shop) -> Reply {
    route(request, shop).unwrap_or_else(|reply| reply)
}

fn route(request: &Request, shop: &impl Shop) -> Result<Reply, Reply> {
    let segments: Vec<&str> = request
        .path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    match (segments.as_slice(), request.method) {
        ([], Method::Get) => Ok(welcome()),
        (["products"], Method::Get) => products(shop),
        (["products", sku], Method::Get) => quote(shop, sku, &request.query),
        (["orders"], Method::Get) => orders(shop),
        (["orders"], Method::Post) => place(shop, &request.body),
        (["orders", id], Method::Get) => order(shop, id),
        (["orders"], _) => Err(Reply::method_not_allowed("GET, POST")),
        ([] | ["products"] | ["products" | "orders", _], _) => {
            Err(Reply::method_not_allowed("GET"))
        }
        _ => Err(Reply::error(
            404,
            "there is nothing here; GET / says what there is",
        )),
    }
}

fn welcome() -> Reply {
    Reply {
        status: 200,
        content_type: "text/plain; charset=utf-8",
        location: None,
        allow: None,
        body: WELCOME.to_owned(),
    }
}

fn products(shop: &impl Shop) -> Result<Reply, Reply> {
    let products = shop.products().map_err(price_error)?;
    let products: Vec<Value> = products.iter().map(json::product).collect();
    Ok(Reply::json(200, &json!({ "products": products })))
}

fn quote(shop: &impl Shop, sku: &str, query: &str) -> Result<Reply, Reply> {
    let line = Line {
        sku: sku.to_owned(),
        quantity: quantity(query)?,
    };
    let quote = shop.quote(&line).map_err(price_error)?;
    let left = shop.left(sku).map_err(order_error)?;
    let mut answer = json::quote(&quote);
    answer["left"] = left.into();
    Ok(Reply::json(200, &answer))
}

fn quantity(query: &str) -> Result<u32, Reply> {
    let Some(text) = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("quantity="))
    else {
        return Ok(1);
    };
    text.parse()
        .map_err(|_| Reply::error(400, "`quantity` is a whole number, as in ?quantity=3"))
}

fn orders(shop: &impl Shop) -> Result<Reply, Reply> {
    let orders = shop.recent(RECENT_ORDERS).map_err(order_error)?;
    let orders: Vec<Value> = orders.iter().map(json::order).collect();
    Ok(Reply::json(200, &json!({ "orders": orders })))
}

fn order(shop: &impl Shop, id: &str) -> Result<Reply, Reply> {
    let unknown = |_| Reply::error(404, "an order is named by its number, as in /orders/1");
    let order = shop
        .order(id.parse().map_err(unknown)?)
        .map_err(order_error)?;
    Ok(Reply::json(200, &json::order(&order)))
}

fn place(shop: &impl Shop, body: &[u8]) -> Result<Reply, Reply> {
    let wish: Wish = serde_json::from_slice(body).map_err(|error| {
        let expected = r#"{"lines":[{"sku":"teapot","quantity":2}]}"#;
        Reply::error(400, &format!("an order looks like {expected}: {error}"))
    })?;
    let lines: Vec<Line> = wish.lines.into_iter().map(WishedLine::into_line).collect();
    let order = shop.place(&lines).map_err(order_error)?;
    let location = Some(format!("/orders/{}", order.id));
    Ok(Reply {
        location,
        ..Reply::json(201, &json::order(&order))
    })
}

/// The JSON body of `POST /orders`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    lines: Vec<WishedLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WishedLine {
    sku: String,
    quantity: u32,
}

impl WishedLine {
    fn into_line(self) -> Line {
        Line {
            sku: self.sku,
            quantity: self.quantity,
        }
    }
}

fn price_error(error: PriceError) -> Reply {
    match error {
        PriceError::UnknownSku(sku) => unknown_sku(&sku),
        PriceError::InvalidQuantity(quantity) => invalid_quantity(quantity),
        PriceError::LinkFailure(text) => link_failure(&text),
    }
}

fn order_error(error: OrderError) -> Reply {
    match error {
        OrderError::Empty => Reply::error(400, "an order has at least one line"),
        OrderError::UnknownSku(sku) => unknown_sku(&sku),
        OrderError::InvalidQuantity(quantity) => invalid_quantity(quantity),
        OrderError::OutOfStock(shortage) => {
            let message = format!("only {} of `{}` left", shortage.left, shortage.sku);
            let detail = json!({ "error": message, "sku": shortage.sku, "left": shortage.left });
            Reply::json(409, &detail)
        }
        OrderError::MixedCurrencies => Reply::error(409, "one order is paid in one currency"),
        OrderError::UnknownOrder(id) => Reply::error(404, &format!("there is no order {id}")),
        // The store's message is for the operator, and was logged.
        OrderError::Storage(_) => Reply::error(500, "the shop could not reach its books"),
        OrderError::LinkFailure(text) => link_failure(&text),
    }
}

fn unknown_sku(sku: &str) -> Reply {
    Reply::error(404, &format!("the shop does not sell `{sku}`"))
}

fn invalid_quantity(quantity: u32) -> Reply {
    Reply::error(400, &format!("cannot sell {quantity} of something"))
}

fn link_failure(text: &str) -> Reply {
    Reply::error(503, &format!("a part of the shop is out of reach: {text}"))
}

#[cfg(test)]
mod tests;
