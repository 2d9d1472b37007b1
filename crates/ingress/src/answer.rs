//! Answers the requests of a connection: by a component of this host or of another, or by the host
//! itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::connection::{ClientBody, Connection, ResponseBody};
use crate::handler::{Body, BodyError, Handler, RequestBody};
use crate::readiness::{READY_PATH, ReadinessSource};
use crate::routes::{RouteTable, RouteTarget};
use crate::server::{Context, HEADERS_MAX};
use crate::{bodiless, error_response, target_check};

impl Context {
    /// Answers a request, and ends its connection if the host is about to end.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        connection: &Arc<Connection>,
    ) -> Response<ResponseBody> {
        let is_http_1 = request.version() <= Version::HTTP_11;
        let in_progress = connection.begin_request(!is_http_1);
        let is_head = request.method() == Method::HEAD;
        let request = ClientBody::of(request, connection);
        let response = if request.uri().path() == READY_PATH {
            ready_response(&request, &self.readiness)
        } else if let Some(reason) = self.rejection.get() {
            error_response::busy(reason)
        } else {
            let routes = self.routes.borrow().clone();
            respond(request, &routes, &self.tasks).await
        };
        let mut response = bodiless::finish(response, is_head, &self.tasks);
        if is_http_1 && self.is_ending.load(Ordering::Relaxed) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response.map(|body| ResponseBody::new(body, in_progress))
    }
}

fn ready_response(request: &Request<ClientBody>, readiness: &ReadinessSource) -> Response<Body> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let reason = format!("`{READY_PATH}` expects GET or HEAD");
        return error_response::text(StatusCode::METHOD_NOT_ALLOWED, &reason);
    }
    let readiness = readiness.poll();
    error_response::plain(readiness.status(), readiness.text().to_owned())
}

async fn respond(
    request: Request<ClientBody>,
    routes: &RouteTable,
    tasks: &TaskTracker,
) -> Response<Body> {
    // HTTP/1.1 connections reject more while reading; HTTP/2 only bounds their bytes.
    let header_count = request.headers().len();
    if header_count > HEADERS_MAX {
        let reason =
            format!("too many headers: found {header_count}, expected at most {HEADERS_MAX}");
        return error_response::text(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &reason);
    }
    let target = request.uri().path();
    if let Err(error) = target_check::check(target) {
        return error_response::text(StatusCode::BAD_REQUEST, &error.to_string());
    }
    let Some(host) = host_of(&request) else {
        return error_response::text(
            StatusCode::BAD_REQUEST,
            "invalid host: expected one `Host` header with a host name or address and an optional port",
        );
    };
    match routes.find(host, target) {
        Some(RouteTarget::Local(handler)) => {
            let handler = handler.clone();
            handle(&*handler, request, tasks).await
        }
        Some(RouteTarget::Remote(component)) => {
            let component = component.clone();
            // Boxed, because the large future would be part of every request to a local component.
            Box::pin(component.forward(request, tasks)).await
        }
        Some(RouteTarget::Unavailable(reason)) => error_response::busy(reason),
        None if routes.is_partial() => {
            let reason = format!(
                "this host has not read the desired state of its lattice yet, and has no route for \
                 host `{host}` and path `{target}`"
            );
            error_response::busy(&reason)
        }
        None => {
            let reason = format!(
                "no route matches host `{host}` and path `{target}`; see `weft get routes`"
            );
            error_response::text(StatusCode::NOT_FOUND, &reason)
        }
    }
}

/// Handles a request with a component of this host.
async fn handle(
    handler: &dyn Handler,
    request: Request<ClientBody>,
    tasks: &TaskTracker,
) -> Response<Body> {
    let declared = request.body().size_hint().lower();
    let limit = handler.body_bytes_max();
    if declared > limit {
        return error_response::body_too_large(declared, limit);
    }
    let request = request.map(|body| limited(body, limit));
    let deadline = Instant::now() + handler.deadline();
    match handler.handle(request, deadline, tasks).await {
        Ok(response) => response,
        Err(overloaded) => error_response::busy(&format!("`{}`: {overloaded}", handler.name())),
    }
}

/// A body that fails with [`BodyError::TooLarge`] after `limit` bytes.
fn limited(body: ClientBody, limit: u64) -> RequestBody {
    if body.is_end_stream() {
        return body.map_err(BodyError::Connection).boxed_unsync();
    }
    let limit_bytes = usize::try_from(limit).unwrap_or(usize::MAX);
    Limited::new(body, limit_bytes)
        .map_err(move |error| match error.downcast::<hyper::Error>() {
            Ok(error) => BodyError::Connection(*error),
            Err(_) => BodyError::TooLarge(limit),
        })
        .boxed_unsync()
}

/// The host of a request, without port; `None` if it is missing, repeated or malformed (RFC 9112,
/// section 3.2).
fn host_of(request: &Request<ClientBody>) -> Option<&str> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.host());
    }
    let mut lines = request.headers().get_all(header::HOST).iter();
    let (host, None) = (lines.next()?, lines.next()) else {
        return None;
    };
    let host = host.to_str().ok()?;
    is_host(host).then(|| without_port(host))
}

/// True if the text has only characters of a host and a port.
fn is_host(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The last colon of `[::1]` is part of the address.
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_host, without_port};

    #[test]
    fn only_valid_hosts_are_accepted() {
        for host in ["localhost", "shop.example.com:8080", "[::1]:80", "10.0.0.1"] {
            assert!(is_host(host), "{host}");
        }
        for other in ["", "a b", "a/b", "user@host", "h\u{f6}st"] {
            assert!(!is_host(other), "{other}");
        }
    }

    #[test]
    fn the_port_is_removed_from_names_and_addresses() {
        assert_eq!(without_port("shop.example.com:8080"), "shop.example.com");
        assert_eq!(without_port("shop.example.com"), "shop.example.com");
        assert_eq!(without_port("[::1]:80"), "[::1]");
        assert_eq!(without_port("[::1]"), "[::1]");
    }
}
