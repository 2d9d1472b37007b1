//! The faces of typed routes: the operations, and what stands beside them at paths of its own.

mod mcp;
mod rpc;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use weft_api::{Listener, Operation, Problem, Returned, face_of, not_post, origin};
use weft_lattice_config::Face;

use crate::body_budget::BodyShare;
use crate::connection::ClientBody;
use crate::request_target::route_host;
use crate::server::Context;
use crate::socket::{self, Answered};
use crate::typed_route::{CallContext, Rejection, TypedRoute, off_the_connection};

/// The response to a message, or one in place of it.
type Answer = Result<weft_api::Response, Rejection>;

/// Responds to a request for a typed route, by the face that has its path. A path of a face that
/// the host does not serve is one of the operations.
pub(crate) async fn respond(
    route: &Arc<TypedRoute>,
    request: Request<ClientBody>,
    context: &Context,
) -> Answered {
    let listener = match context.address.ip().is_loopback() {
        true => Listener::Loopback,
        false => Listener::Open,
    };
    let served = route.api().faces().on(listener);
    let path = request.uri().path();
    let below = route.api().below(path).unwrap_or(path);
    let face = face_of(below).filter(|face| served.contains(face));
    let answer = match face {
        Some(Face::Docs) => {
            let document = route.docs().find(below);
            let response = document.map(|it| it.response(request.method(), request.headers()));
            response.ok_or_else(not_found)
        }
        Some(face @ (Face::Rpc | Face::Mcp)) => {
            let message = messages(route, request, (face, listener), context);
            message.await
        }
        _ if served.contains(&Face::Http) => {
            if let Some(kind) = route.socket(request.method(), below) {
                return socket::open(route, kind, request, listener, context).await;
            }
            return route.respond(request, listener, context).await.into();
        }
        _ => Err(not_found()),
    };
    route
        .sent(answer.unwrap_or_else(|rejection| *rejection), None)
        .into()
}

/// Responds to a request of a face whose requests are messages.
async fn messages(
    route: &TypedRoute,
    request: Request<ClientBody>,
    (face, listener): (Face, Listener),
    context: &Context,
) -> Answer {
    let deadline = route.deadline();
    let calls = CallContext {
        deadline,
        tasks: &context.tasks,
    };
    let (head, body) = request.into_parts();
    let rejected = |problem: Problem| Box::new(problem.response());
    origin::check(&head.headers, route_host(&head.uri), listener).map_err(rejected)?;
    if let Some(response) = not_post(&head.method) {
        return Ok(response);
    }
    weft_api::rpc::check_type(&head.headers).map_err(rejected)?;
    let mut share = BodyShare::default();
    let body = route
        .body(body, &context.bodies, &mut share, deadline)
        .await?;
    match face {
        Face::Mcp => mcp::respond(route, &head, body, calls).await,
        _ => rpc::respond(route, body, calls).await,
    }
}

/// The arguments of a call, or a problem for the client.
async fn arguments(
    route: &TypedRoute,
    operation: &Operation,
    params: Bytes,
) -> Result<Result<Vec<u8>, Problem>, Rejection> {
    let length = params.len();
    let (operation, limit) = (operation.clone(), route.encoded_bytes_max());
    let convert = move || operation.arguments_of(&params, limit);
    off_the_connection(length, convert).await
}

/// The result of a call as JSON, or the problem of the function's error.
async fn returned(
    route: &TypedRoute,
    operation: &Operation,
    result: Bytes,
) -> Result<Result<Option<String>, Problem>, Rejection> {
    let length = result.len();
    let operation = operation.clone();
    let convert = move || operation.returned(&result);
    let Returned { value, log } = off_the_connection(length, convert).await?;
    if let Some(line) = log {
        route.log(&line);
    }
    Ok(value)
}

fn not_found() -> Rejection {
    let title = "The route does not serve this path";
    Box::new(Problem::of_host(StatusCode::NOT_FOUND, "not-found", title).response())
}
