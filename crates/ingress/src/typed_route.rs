//! Routes that serve an interface: each request is a call of a function.
//!
//! 1. The API of the route finds the operation. A request that fits none gets its response here.
//! 2. The body is received as a whole, within its limit and a budget of the host, and converted to
//!    the arguments of the function. A wrong one gets its response here, so no instance starts.
//!    A body that is a stream is sent to the component as it arrives, and so is the stream of a
//!    form, after its other parts.
//! 3. The call goes to the component like a call over a link, on this host or another.
//! 4. Its result, or its failure, is converted to the response. A stream of the result is its body,
//!    until the stream ends, the client disconnects, or the deadline passes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Body as _;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;
use weft_api::mcp::Tools;
use weft_api::{
    Api, Body as ApiBody, BodyInput, Docs, Listener, MessageKind, Operation, Problem, StreamFormat,
    StreamWriter, is_sent_by_any_page, origin,
};
use weft_lattice_config::placement::ComponentId;
use weft_lattice_config::{AppName, ComponentSpec};
use weft_link::{FrameTransport, FunctionCall, LinkFailure, StreamingResult};
use weft_telemetry::logs::{self, GuestStream};
use weft_wire::{FailureCode, MAX_VALUE_BYTES};

use crate::body_budget::{BodyBudget, BodyShare};
use crate::connection::ClientBody;
use crate::handler::{Body, BodyError};
use crate::host_problems::{full, host_failed, incomplete, too_large};
use crate::kept_alive::KeptAlive;
use crate::limits::{body_bytes_max, deadline};
use crate::request_target::route_host;
use crate::server::Context;
use crate::typed_request::{Content, Exchange};
use crate::upload_body::{UploadBody, UploadError, UploadState};
use crate::{error_response, form_body};

/// The name of HTTP as a caller, in the logs of components.
const CALLER: &str = "http";

/// The most bytes that are converted on the connection's own task: some hundred microseconds.
/// Larger values go to a thread for blocking work, where they delay no other request.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// A route whose requests are calls of functions.
pub struct TypedRoute {
    api: Arc<Api>,
    target: Arc<ComponentId>,
    transport: FrameTransport,
    /// The longest duration of a request.
    time_limit: Duration,
    body_bytes_max: u64,
    /// The documents of the face `docs`, from its first request on.
    docs: OnceLock<Docs>,
    /// The tools of the face `mcp`, from its first request on.
    tools: OnceLock<Tools>,
}

/// A body that a call reads as a stream.
struct Upload {
    body: UnsyncBoxBody<Bytes, UploadError>,
    state: UploadState,
}

/// A call without a result, and the problem for the client.
pub(crate) struct FailedCall {
    pub(crate) code: FailureCode,
    pub(crate) problem: Problem,
}

/// The time of a request, and the owner of the calls that it makes.
#[derive(Clone, Copy)]
pub(crate) struct CallContext<'a> {
    pub(crate) deadline: Instant,
    pub(crate) tasks: &'a TaskTracker,
}

/// The result of a call.
struct CallResult {
    bytes: Bytes,
    /// The streams of a streaming call.
    streams: Option<StreamingResult>,
}

/// A response in place of that of the component.
pub(crate) type Rejection = Box<weft_api::Response>;

impl TypedRoute {
    /// The route of `api` to a component of an app, which `transport` reaches.
    #[must_use]
    pub fn new(
        api: Arc<Api>,
        app: &AppName,
        component: &ComponentSpec,
        transport: FrameTransport,
    ) -> Self {
        Self {
            api,
            target: Arc::new(ComponentId {
                app: app.clone(),
                component: component.name.clone(),
            }),
            transport,
            time_limit: deadline(component),
            body_bytes_max: body_bytes_max(component),
            docs: OnceLock::new(),
            tools: OnceLock::new(),
        }
    }

    /// The component.
    #[must_use]
    pub fn target(&self) -> &ComponentId {
        &self.target
    }

    /// The API.
    #[must_use]
    pub fn api(&self) -> &Arc<Api> {
        &self.api
    }

    /// The transport of its calls.
    pub(crate) fn transport(&self) -> &FrameTransport {
        &self.transport
    }

    /// The messages of the operation that has a method and a path below the route, if it is a
    /// WebSocket.
    pub(crate) fn socket(&self, method: &Method, below: &str) -> Option<MessageKind> {
        let matched = self.api.find(method, below).ok()?;
        matched.operation.socket()
    }

    /// The documents of the face `docs`.
    pub(crate) fn docs(&self) -> &Docs {
        self.docs.get_or_init(|| Docs::new(&self.api))
    }

    /// The tools of the face `mcp`.
    pub(crate) fn tools(&self) -> &Tools {
        self.tools.get_or_init(|| Tools::new(&self.api))
    }

    /// The latest time at which a request that arrives now completes.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.time_limit
    }

    /// Calls a function of the component whose parameters and result have no streams.
    pub(crate) async fn call_function(
        &self,
        operation: &Operation,
        arguments: &[u8],
        context: CallContext<'_>,
    ) -> Result<Bytes, FailedCall> {
        let call = self.function_call(operation, arguments, context.deadline);
        let result = match operation.is_concurrent() {
            // A call without time may be made all the same, if it takes none.
            _ if call.time_limit.is_zero() => Err(LinkFailure::new(
                FailureCode::Deadline,
                "the calls before it took all of its time",
            )),
            true => {
                let upload = None::<UploadBody<ClientBody>>;
                let streams = call.make_streaming(&self.transport, context.tasks, upload);
                streams
                    .await
                    .map(|mut streams| std::mem::take(&mut streams.result))
            }
            false => call.make(&self.transport).await,
        };
        result.map_err(|failure| FailedCall {
            code: failure.code(),
            problem: self.problem_of(operation.function(), &failure),
        })
    }

    pub(crate) fn function_call<'a>(
        &'a self,
        operation: &'a Operation,
        arguments: &'a [u8],
        deadline: Instant,
    ) -> FunctionCall<'a> {
        FunctionCall {
            target: &self.target,
            interface: &self.api.interface().name,
            function: operation.function(),
            caller: CALLER,
            time_limit: deadline.saturating_duration_since(Instant::now()),
            is_idempotent: operation.is_idempotent(),
            arguments,
        }
    }

    /// Responds to a request. Dropping the future, as when the client disconnects, cancels the
    /// call. A call with streams continues in the tasks of `context` after the head of the
    /// response.
    pub(crate) async fn respond(
        &self,
        request: Request<ClientBody>,
        listener: Listener,
        context: &Context,
    ) -> Response<Body> {
        let is_head = request.method() == Method::HEAD;
        match self.call(request, listener, context).await {
            Ok((response, Some(streams))) if is_head => {
                // A stream without a reader has no end of its own.
                if let ApiBody::Stream { .. } = response.body {
                    streams.cancel();
                }
                self.sent(without_stream(response), None)
            }
            Ok((response, streams)) => self.sent(response, streams),
            Err(rejection) => self.sent(*rejection, None),
        }
    }

    async fn call(
        &self,
        request: Request<ClientBody>,
        listener: Listener,
        context: &Context,
    ) -> Result<(weft_api::Response, Option<StreamingResult>), Rejection> {
        let deadline = self.deadline();
        let (head, body) = request.into_parts();
        let exchange = Arc::new(Exchange::new(&self.api, head)?);
        let operation = exchange.operation();
        let mut share = BodyShare::default();
        let bodies = (&context.bodies, &mut share);
        let received = self.receive((&exchange, body), listener, bodies, deadline);
        let (content, upload) = received.await?;
        let encoded_max = self.encoded_bytes_max();
        let prepared = {
            let exchange = exchange.clone();
            let length = content.length();
            off_the_connection(length, move || exchange.prepare(&content, encoded_max)).await??
        };
        let call = self.function_call(operation, &prepared.arguments, deadline);
        let CallResult { bytes, streams } = match operation.is_concurrent() {
            true => self.make_streaming(call, &context.tasks, upload).await?,
            false => self.make(call).await?,
        };
        let accept = prepared.accept;
        let length = bytes.len();
        let respond = move || exchange.operation().response(&bytes, &accept);
        let response = off_the_connection(length, respond).await?;
        Ok((response, streams))
    }

    /// Receives a body up to its stream, if it has one.
    async fn receive(
        &self,
        (exchange, body): (&Exchange, ClientBody),
        listener: Listener,
        (budget, share): (&BodyBudget, &mut BodyShare),
        deadline: Instant,
    ) -> Result<(Content, Option<Upload>), Rejection> {
        let (operation, head) = (exchange.operation(), &exchange.head);
        let rejected = |problem: Problem| Box::new(problem.response());
        let state = UploadState::default();
        let limited = |body| UploadBody::new(body, self.body_bytes_max, state.clone());
        let form = operation.form_reader(&head.headers, self.encoded_bytes_max());
        let form = form.map_err(rejected)?;
        let is_raw = matches!(operation.body(), BodyInput::Bytes | BodyInput::Stream(_));
        if (form.is_some() || is_raw) && is_sent_by_any_page(&head.headers) {
            origin::check(&head.headers, route_host(&head.uri), listener).map_err(rejected)?;
        }
        if let Some(reader) = form {
            let body = limited(self.checked_length(body)?);
            let received = form_body::receive(reader, body, (budget, share), deadline).await?;
            let (parts, stream) = received;
            let upload = stream.map(|stream| Upload {
                body: stream.boxed_unsync(),
                state,
            });
            return Ok((Content::Form(parts), upload));
        }
        let bytes = match operation.body() {
            BodyInput::None | BodyInput::Form | BodyInput::Messages(_) => Bytes::new(),
            BodyInput::Stream(_) => {
                let upload = Upload {
                    body: limited(self.checked_length(body)?).boxed_unsync(),
                    state,
                };
                return Ok((Content::Bytes(Bytes::new()), Some(upload)));
            }
            BodyInput::Object(_) | BodyInput::Value(_) | BodyInput::Bytes => {
                self.body(body, budget, share, deadline).await?
            }
        };
        Ok((Content::Bytes(bytes), None))
    }

    async fn make(&self, call: FunctionCall<'_>) -> Result<CallResult, Rejection> {
        let result = call.make(&self.transport).await;
        let bytes = result.map_err(|failure| self.rejection(call.function, &failure))?;
        let streams = None;
        Ok(CallResult { bytes, streams })
    }

    async fn make_streaming(
        &self,
        call: FunctionCall<'_>,
        tasks: &TaskTracker,
        upload: Option<Upload>,
    ) -> Result<CallResult, Rejection> {
        let (body, state) = match upload {
            Some(Upload { body, state }) => (Some(body), state),
            None => (None, UploadState::default()),
        };
        match call.make_streaming(&self.transport, tasks, body).await {
            Ok(mut streams) => Ok(CallResult {
                bytes: std::mem::take(&mut streams.result),
                streams: Some(streams),
            }),
            Err(failure) => Err(match state.rejection() {
                // The call failed because its stream did.
                Some(rejection) => rejection,
                // The component was not late: its client was.
                None if failure.code() == FailureCode::Deadline && state.is_awaited() => {
                    incomplete(StatusCode::REQUEST_TIMEOUT)
                }
                None => self.rejection(call.function, &failure),
            }),
        }
    }

    /// Rejects a body whose declared length exceeds the limit.
    fn checked_length(&self, body: ClientBody) -> Result<ClientBody, Rejection> {
        match body.size_hint().lower() > self.body_bytes_max {
            true => Err(too_large(self.body_bytes_max)),
            false => Ok(body),
        }
    }

    /// Receives a body as a whole.
    pub(crate) async fn body(
        &self,
        body: ClientBody,
        budget: &BodyBudget,
        share: &mut BodyShare,
        deadline: Instant,
    ) -> Result<Bytes, Rejection> {
        let mut body = self.checked_length(body)?;
        let limit = self.body_bytes_max;
        let mut whole = BytesMut::new();
        loop {
            let frame = match timeout_at(deadline, body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(None) => return Ok(whole.freeze()),
                Ok(Some(Err(_))) => return Err(incomplete(StatusCode::BAD_REQUEST)),
                Err(_) => return Err(incomplete(StatusCode::REQUEST_TIMEOUT)),
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let length = whole.len() + data.len();
            if length as u64 > limit {
                return Err(too_large(limit));
            }
            if !budget.grow(share, length) {
                return Err(full());
            }
            whole.extend_from_slice(&data);
        }
    }

    /// The most bytes of encoded arguments: those of a body, whose encoding is rarely longer than
    /// its text.
    pub(crate) fn encoded_bytes_max(&self) -> usize {
        usize::try_from(self.body_bytes_max)
            .unwrap_or(usize::MAX)
            .min(MAX_VALUE_BYTES)
    }

    fn rejection(&self, function: &str, failure: &LinkFailure) -> Rejection {
        Box::new(self.problem_of(function, failure).response())
    }

    /// The problem of a call that failed. The message of the failure goes to the log.
    pub(crate) fn problem_of(&self, function: &str, failure: &LinkFailure) -> Problem {
        let code = failure.code();
        let is_expected = matches!(code, FailureCode::Busy | FailureCode::Unreachable);
        let id = (!is_expected).then(error_response::error_id);
        if let Some(id) = &id {
            self.log(&format!("error {id}: call of `{function}`: {failure}"));
        }
        Problem::of_failure(code, id.as_deref())
    }

    /// The response as it is sent, with the streams of its call.
    pub(crate) fn sent(
        &self,
        response: weft_api::Response,
        streams: Option<StreamingResult>,
    ) -> Response<Body> {
        if let Some(line) = &response.log {
            self.log(line);
        }
        let body = match response.body {
            ApiBody::Bytes(bytes) => whole(bytes),
            ApiBody::Stream { number, format } => {
                let body = streams.and_then(|streams| self.streamed(streams, number, format));
                let Some(body) = body else {
                    return self.sent(self.without_stream(number), None);
                };
                body
            }
            // Only the response that opens a socket has none of its own.
            ApiBody::Messages { .. } => return self.sent(*host_failed("internal"), None),
        };
        let mut sent = Response::new(body);
        *sent.status_mut() = response.status;
        *sent.headers_mut() = response.headers;
        sent
    }

    /// A stream of a call as a body; `None` if the call has no such stream. A stream that ends
    /// early breaks the body off.
    fn streamed(
        &self,
        mut streams: StreamingResult,
        number: u32,
        format: StreamFormat,
    ) -> Option<Body> {
        let mut writer = StreamWriter::new(format);
        let body = streams.body(number, move |chunk| {
            writer.write(chunk).ok().map(Bytes::from)
        })?;
        let target = self.target.clone();
        let body = body.map_err(move |error| {
            tracing::info!(component = %target, %error, "streamed response failed");
            BodyError::Incomplete
        });
        Some(match format.keep_alive() {
            Some(sign) => KeptAlive::new(body, sign).boxed_unsync(),
            None => body.boxed_unsync(),
        })
    }

    /// The response to a call whose result names a stream that it does not have.
    pub(crate) fn without_stream(&self, number: u32) -> weft_api::Response {
        let line = format!("the result has no stream {number}, which its value names");
        self.log(&line);
        *host_failed("result")
    }

    pub(crate) fn log(&self, line: &str) {
        let ComponentId { app, component } = &*self.target;
        logs::guest_line(app.as_str(), component.as_str(), GuestStream::Host, line);
    }
}

/// Runs a conversion of `bytes` bytes, on another thread if they are many.
pub(crate) async fn off_the_connection<R: Send + 'static>(
    bytes: usize,
    convert: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Rejection> {
    if bytes <= INLINE_BYTES_MAX {
        return Ok(convert());
    }
    let converted = tokio::task::spawn_blocking(convert).await;
    converted.map_err(|_| host_failed("internal"))
}

/// The response with an empty body in place of a stream.
fn without_stream(mut response: weft_api::Response) -> weft_api::Response {
    if let ApiBody::Stream { .. } = response.body {
        response.body = ApiBody::Bytes(Vec::new());
    }
    response
}

fn whole(bytes: Vec<u8>) -> Body {
    let body = Full::new(Bytes::from(bytes));
    body.map_err(|never| match never {}).boxed_unsync()
}
