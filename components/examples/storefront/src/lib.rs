//! The `storefront` component: passes an HTTP request to the shop's API and returns its reply.
//!
//! The API is in `api`, its JSON form in `json`; this file binds both to WASI.

mod api;
mod json;

wit_bindgen::generate!({
    path: ["../../../wit", "../wit"],
    world: "shop:catalog/storefront",
    generate_all,
});

use api::{Method, Reply, Request, Shop};
use exports::wasi::http::incoming_handler::Guest;
use shop::catalog::orders::{self, Order, OrderError};
use shop::catalog::pricing::{self, PriceError};
use shop::catalog::types::{Line, Product, Quote};
use wasi::http::types::{
    Fields, IncomingRequest, Method as WasiMethod, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasi::io::streams::StreamError;

/// The maximum size of a request body. Orders are short.
const BODY_BYTES_MAX: usize = 64 * 1024;

struct Component;

impl Guest for Component {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let reply = match receive(&request) {
            Ok(request) => api::answer(&request, &Linked),
            Err(reply) => reply,
        };
        send(&reply, response_out);
    }
}

/// The shop's other components, on whichever hosts they run.
struct Linked;

impl Shop for Linked {
    fn products(&self) -> Result<Vec<Product>, PriceError> {
        pricing::products()
    }

    fn quote(&self, line: &Line) -> Result<Quote, PriceError> {
        pricing::price_of(line)
    }

    fn left(&self, sku: &str) -> Result<u32, OrderError> {
        orders::left(sku)
    }

    fn place(&self, lines: &[Line]) -> Result<Order, OrderError> {
        orders::place(lines)
    }

    fn order(&self, id: u64) -> Result<Order, OrderError> {
        orders::get(id)
    }

    fn recent(&self, limit: u32) -> Result<Vec<Order>, OrderError> {
        orders::recent(limit)
    }
}

fn receive(request: &IncomingRequest) -> Result<Request, Reply> {
    let method = match request.method() {
        WasiMethod::Get | WasiMethod::Head => Method::Get,
        WasiMethod::Post => Method::Post,
        _ => Method::Other,
    };
    let path_with_query = request.path_with_query().unwrap_or_else(|| "/".to_owned());
    let (path, query) = path_with_query
        .split_once('?')
        .unwrap_or((&path_with_query, ""));
    let body = match method {
        Method::Post => read_body(request)?,
        Method::Get | Method::Other => Vec::new(),
    };
    Ok(Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        body,
    })
}

fn read_body(request: &IncomingRequest) -> Result<Vec<u8>, Reply> {
    let broken = || Reply::error(400, "the request body ended early");
    let incoming = request.consume().map_err(|()| broken())?;
    let stream = incoming.stream().map_err(|()| broken())?;
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(BODY_BYTES_MAX as u64) {
            Ok(chunk) => body.extend(chunk),
            Err(StreamError::Closed) => return Ok(body),
            Err(StreamError::LastOperationFailed(_)) => return Err(broken()),
        }
        if body.len() > BODY_BYTES_MAX {
            return Err(Reply::error(413, "an order has at most 64 KiB"));
        }
    }
}

/// Sends the reply. A closed connection is not an error, so failures after the head are ignored.
fn send(reply: &Reply, response_out: ResponseOutparam) {
    let headers = Fields::new();
    let set = |name: &str, value: &str| {
        headers
            .set(name, &[value.as_bytes().to_vec()])
            .expect("the header is valid");
    };
    set("content-type", reply.content_type);
    if let Some(location) = &reply.location {
        set("location", location);
    }
    if let Some(allow) = reply.allow {
        set("allow", allow);
    }
    let response = OutgoingResponse::new(headers);
    response
        .set_status_code(reply.status)
        .expect("the status code is valid");
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(response_out, Ok(response));
    let stream = body.write().expect("the stream is taken once");
    for chunk in reply.body.as_bytes().chunks(4096) {
        if stream.blocking_write_and_flush(chunk).is_err() {
            return;
        }
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

export!(Component);
