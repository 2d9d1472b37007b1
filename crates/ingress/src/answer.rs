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
use crate::socket::Answered;
use crate::{bodiless, error_response, faces, request_target, target_check};

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
        let answered = if request.uri().path() == READY_PATH {
            ready_response(&request, &self.readiness).into()
        } else if let Some(reason) = self.rejection.get() {
            error_response::busy(reason).into()
        } else {
            let routes = self.routes.borrow().clone();
            self.respond(request, &routes).await
        };
        let Answered { response, session } = answered;
        if let Some(session) = session {
            let session = session.serve(connection.clone(), self.stop.clone());
            connection.follow_with(session);
            return response.map(|body| ResponseBody::new(body, in_progress));
        }
        let mut response = bodiless::finish(response, is_head, &self.tasks);
        if is_http_1 && self.is_ending.load(Ordering::Relaxed) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response.map(|body| ResponseBody::new(body, in_progress))
    }

    async fn respond(&self, mut request: Request<ClientBody>, routes: &RouteTable) -> Answered {
        if let Some(response) = general_response(&request) {
            return response.into();
        }
        if let Err(error) = request_target::normalise(&mut request, || self.address.to_string()) {
            return error_response::text(StatusCode::BAD_REQUEST, &error.to_string()).into();
        }
        let (host, path) = (
            request_target::route_host(request.uri()),
            request.uri().path(),
        );
        match routes.find(host, path) {
            Some(RouteTarget::Local(handler)) => {
                let handler = handler.clone();
                handle(&*handler, request, &self.tasks).await.into()
            }
            Some(RouteTarget::Remote(component)) => {
                let component = component.clone();
                // Boxed, because the large future would be part of every request to a local
                // component.
                Box::pin(component.forward(request, &self.tasks))
                    .await
                    .into()
            }
            Some(RouteTarget::Typed(route)) => {
                let route = route.clone();
                // Boxed for the same reason.
                Box::pin(faces::respond(&route, request, self)).await
            }
            Some(RouteTarget::Unavailable(reason)) => error_response::busy(reason).into(),
            None if routes.is_partial() => {
                let reason = format!(
                    "this host has not read the desired state of its lattice yet, and has no route \
                     for host `{host}` and path `{path}`"
                );
                error_response::busy(&reason).into()
            }
            None => {
                let reason = format!(
                    "no route matches host `{host}` and path `{path}`; see `weft get routes`"
                );
                error_response::text(StatusCode::NOT_FOUND, &reason).into()
            }
        }
    }
}

/// The response to a request that no component gets: it is invalid, or about the host itself.
fn general_response(request: &Request<ClientBody>) -> Option<Response<Body>> {
    // HTTP/1.1 connections reject more while reading; HTTP/2 only bounds their bytes.
    let header_count = request.headers().len();
    if header_count > HEADERS_MAX {
        let reason =
            format!("too many headers: found {header_count}, expected at most {HEADERS_MAX}");
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Some(error_response::text(status, &reason));
    }
    if request.method() == Method::CONNECT {
        let reason = "this host is no proxy: `CONNECT` is not available";
        return Some(error_response::text(StatusCode::METHOD_NOT_ALLOWED, reason));
    }
    let path = request.uri().path();
    if path == "*" && request.method() == Method::OPTIONS {
        // About the host as a whole (RFC 9110, section 9.3.7), which has no options of its own.
        return Some(error_response::text(StatusCode::NO_CONTENT, ""));
    }
    let error = target_check::check(path).err()?;
    Some(error_response::text(
        StatusCode::BAD_REQUEST,
        &error.to_string(),
    ))
}

fn ready_response(request: &Request<ClientBody>, readiness: &ReadinessSource) -> Response<Body> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let reason = format!("`{READY_PATH}` expects GET or HEAD");
        return error_response::text(StatusCode::METHOD_NOT_ALLOWED, &reason);
    }
    let readiness = readiness.poll();
    error_response::plain(readiness.status(), readiness.text().to_owned())
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
