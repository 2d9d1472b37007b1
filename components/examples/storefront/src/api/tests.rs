//! The API over a shop that sells one kind of teapot and never stores anything.

use super::*;
use crate::shop::catalog::orders::Shortage;
use crate::shop::catalog::types::{Currency, Money};

struct TestShop;

impl Shop for TestShop {
    fn products(&self) -> Result<Vec<Product>, PriceError> {
        Err(PriceError::LinkFailure("pricing is unreachable".to_owned()))
    }

    fn quote(&self, line: &Line) -> Result<Quote, PriceError> {
        match (line.sku.as_str(), line.quantity) {
            ("teapot", 0) => Err(PriceError::InvalidQuantity(0)),
            ("teapot", quantity) => Ok(Quote {
                sku: line.sku.clone(),
                quantity,
                unit_price: euros(100),
                discount: None,
                total: euros(100 * u64::from(quantity)),
            }),
            (sku, _) => Err(PriceError::UnknownSku(sku.to_owned())),
        }
    }

    fn left(&self, _sku: &str) -> Result<u32, OrderError> {
        Ok(5)
    }

    fn place(&self, lines: &[Line]) -> Result<Order, OrderError> {
        let line = lines.first().ok_or(OrderError::Empty)?;
        if line.quantity > 5 {
            return Err(OrderError::OutOfStock(Shortage {
                sku: line.sku.clone(),
                left: 5,
            }));
        }
        Ok(Order {
            id: 7,
            lines: Vec::new(),
            total: euros(100),
        })
    }

    fn order(&self, id: u64) -> Result<Order, OrderError> {
        Err(OrderError::UnknownOrder(id))
    }

    fn recent(&self, _limit: u32) -> Result<Vec<Order>, OrderError> {
        Err(OrderError::Storage("secret path".to_owned()))
    }
}

fn euros(cents: u64) -> Money {
    Money {
        cents,
        currency: Currency::Eur,
    }
}

fn ask(method: Method, path: &str, body: &str) -> Reply {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let request = Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        body: body.as_bytes().to_vec(),
    };
    answer(&request, &TestShop)
}

fn check(method: Method, path: &str, body: &str, status: u16, text: &str) {
    let reply = ask(method, path, body);
    assert_eq!(
        reply.status, status,
        "{method:?} {path} {body}: {}",
        reply.body
    );
    assert!(
        reply.body.contains(text),
        "{method:?} {path} {body}: {}",
        reply.body
    );
}

#[test]
fn each_question_has_its_status() {
    check(Method::Get, "/", "", 200, "GET  /products");
    check(
        Method::Get,
        "/products/teapot?quantity=3",
        "",
        200,
        r#""cents":300"#,
    );
    check(Method::Get, "/products/teapot", "", 200, r#""left":5"#);
    check(
        Method::Post,
        "/orders",
        r#"{"lines":[{"sku":"teapot","quantity":2}]}"#,
        201,
        r#""id":7"#,
    );
}

#[test]
fn a_mistake_of_the_client_says_what_would_be_right() {
    check(
        Method::Get,
        "/products/unicorn",
        "",
        404,
        "does not sell `unicorn`",
    );
    check(
        Method::Get,
        "/products/teapot?quantity=many",
        "",
        400,
        "whole number",
    );
    check(
        Method::Get,
        "/products/teapot?quantity=0",
        "",
        400,
        "cannot sell 0",
    );
    check(Method::Get, "/nowhere", "", 404, "GET /");
    check(Method::Get, "/orders/7", "", 404, "no order 7");
    check(Method::Get, "/orders/seven", "", 404, "/orders/1");
    check(Method::Post, "/orders", "{", 400, "an order looks like");
    check(
        Method::Post,
        "/orders",
        r#"{"lines":[],"coupon":1}"#,
        400,
        "coupon",
    );
    check(
        Method::Post,
        "/orders",
        r#"{"lines":[]}"#,
        400,
        "at least one line",
    );
    check(
        Method::Post,
        "/orders",
        r#"{"lines":[{"sku":"teapot","quantity":6}]}"#,
        409,
        r#""left":5"#,
    );
}

#[test]
fn another_method_is_told_which_ones_there_are() {
    assert_eq!(ask(Method::Post, "/products", "").allow, Some("GET"));
    assert_eq!(ask(Method::Other, "/orders", "").allow, Some("GET, POST"));
    check(Method::Other, "/orders", "", 405, "GET, POST");
}

#[test]
fn a_lost_link_is_503_and_a_broken_store_keeps_its_secrets() {
    check(Method::Get, "/products", "", 503, "pricing is unreachable");
    let reply = ask(Method::Get, "/orders", "");
    assert_eq!(reply.status, 500);
    assert!(!reply.body.contains("secret path"));
}

#[test]
fn a_placed_order_says_where_it_is() {
    let reply = ask(
        Method::Post,
        "/orders",
        r#"{"lines":[{"sku":"teapot","quantity":1}]}"#,
    );
    assert_eq!(reply.location.as_deref(), Some("/orders/7"));
}
