//! From a request to a socket that its component has accepted.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Version};
use hyper::body::Body as _;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_api::{Body as ApiBody, ERROR_ID, Handshake, Listener, MessageKind, Problem, origin};
use weft_link::LinkFailure;
use weft_wire::{FailureCode, MAX_VALUE_BYTES};

use super::end::End;
use super::input::{Messages, messages};
use super::meter::Meter;
use super::output::{Output, OutputStream};
use super::{Answered, Session};
use crate::connection::ClientBody;
use crate::request_target::route_host;
use crate::server::Context;
use crate::typed_request::{Content, Exchange, PreparedCall};
use crate::typed_route::{Rejection, TypedRoute, off_the_connection};

/// The room of a list around a message.
const CHUNK_OVERHEAD: usize = 16;

/// The call of a socket.
struct Call {
    route: Arc<TypedRoute>,
    exchange: Arc<Exchange>,
    prepared: PreparedCall,
    deadline: Instant,
    tasks: TaskTracker,
}

/// Opens the socket of a request, or rejects the request. Dropping the future, as when the client
/// disconnects, cancels the call.
pub(crate) async fn open(
    route: &Arc<TypedRoute>,
    kind: MessageKind,
    request: Request<ClientBody>,
    listener: Listener,
    context: &Context,
) -> Answered {
    match try_open(route, kind, request, listener, context).await {
        Ok((response, session)) => Answered {
            response: route.sent(response, None),
            session: Some(session),
        },
        Err(rejection) => route.sent(*rejection, None).into(),
    }
}

async fn try_open(
    route: &Arc<TypedRoute>,
    kind: MessageKind,
    mut request: Request<ClientBody>,
    listener: Listener,
    context: &Context,
) -> Result<(weft_api::Response, Session), Rejection> {
    let rejected = |problem: Problem| Box::new(problem.response());
    let handshake = handshake(&request, listener).map_err(rejected)?;
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, _) = request.into_parts();
    let exchange = Arc::new(Exchange::new(route.api(), head)?);
    let no_body = Content::Bytes(Bytes::new());
    let prepared = exchange.prepare(&no_body, route.encoded_bytes_max())?;
    let call = Call {
        route: route.clone(),
        exchange,
        prepared,
        deadline: route.deadline(),
        tasks: context.tasks.clone(),
    };
    let (input, messages, accepted) = messages();
    let mut opened = Box::pin(call.make(messages));
    let output = tokio::select! {
        biased;
        opened = &mut opened => Output::Streaming(opened?),
        Ok(()) = accepted => {
            let route = route.clone();
            Output::Calling(Box::pin(async move {
                opened.await.map_err(|response| failed(&route, &response))
            }))
        }
    };
    let session = Session {
        upgrade,
        kind,
        input,
        output,
        meter: Arc::new(Meter::new(context.bodies.clone())),
        message_bytes_max: message_bytes_max(route),
    };
    Ok((handshake.response(), session))
}

/// Checks a request for a socket, up to its arguments.
fn handshake(request: &Request<ClientBody>, listener: Listener) -> Result<Handshake, Problem> {
    if request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return Err(Handshake::required());
    }
    let headers = request.headers();
    let handshake = Handshake::read(headers)?;
    // A browser sends the cookies of a user with the handshake of any page, and has no other check.
    origin::check(headers, route_host(request.uri()), listener)?;
    if !request.body().is_end_stream() {
        let title = "The request for a WebSocket has a body";
        return Err(Problem::of_host(StatusCode::BAD_REQUEST, "body", title));
    }
    Ok(handshake)
}

/// The most bytes of a message: as of a body, and of a value.
fn message_bytes_max(route: &TypedRoute) -> usize {
    route
        .encoded_bytes_max()
        .min(MAX_VALUE_BYTES - CHUNK_OVERHEAD)
}

impl Call {
    /// Makes the call, until its function returns.
    ///
    /// # Errors
    /// The response, as long as the socket is not open.
    async fn make(self, messages: Messages) -> Result<OutputStream, Rejection> {
        let operation = self.exchange.operation();
        let call = self
            .route
            .function_call(operation, &self.prepared.arguments, self.deadline);
        let streams = call.make_with_messages(self.route.transport(), &self.tasks, messages);
        let mut streams = streams.await.map_err(|failure| {
            let problem = self.route.problem_of(operation.function(), &failure);
            Box::new(problem.response())
        })?;
        let result = std::mem::take(&mut streams.result);
        let (exchange, accept) = (self.exchange.clone(), self.prepared.accept.clone());
        let response = off_the_connection(result.len(), move || {
            exchange.operation().response(&result, &accept)
        });
        let response = response.await?;
        let ApiBody::Messages { number } = response.body else {
            return Err(Box::new(response));
        };
        let body = streams.body(number, |chunk| Some(Bytes::copy_from_slice(chunk)));
        let Some(body) = body else {
            return Err(Box::new(self.route.without_stream(number)));
        };
        let (route, deadline) = (self.route.clone(), self.deadline);
        let function = operation.function().to_owned();
        let broken = Box::new(move || broken(&route, &function, deadline));
        Ok(OutputStream { body, broken })
    }
}

/// The end of a socket whose stream is incomplete.
fn broken(route: &TypedRoute, function: &str, deadline: Instant) -> End {
    if Instant::now() >= deadline {
        return End::failed("the deadline of the call has passed".to_owned());
    }
    let reason = "its stream broke off: the component failed, or its host was lost";
    let failure = LinkFailure::new(FailureCode::MaybeExecuted, reason);
    failed(route, &route.problem_of(function, &failure).response())
}

/// The end of a socket that was open before its call failed, in place of the response.
fn failed(route: &TypedRoute, response: &weft_api::Response) -> End {
    if let Some(line) = &response.log {
        route.log(line);
    }
    let id = response.headers.get(ERROR_ID);
    let id = id.and_then(|id| id.to_str().ok());
    End::failed(id.map_or("the call failed".to_owned(), |id| format!("error {id}")))
}
