//! Routes that serve an interface: each request is a call of a function.
//!
//! 1. The API of the route finds the operation. A request that fits none gets its response here.
//! 2. The body is received as a whole, within its limit and a budget of the host, and converted to
//!    the arguments of the function. A wrong one gets its response here, so no instance starts.
//!    A body that is a stream is sent to the component as it arrives.
//! 3. The call goes to the component like a call over a link, on this host or another.
//! 4. Its result, or its failure, is converted to the response. A stream of the result is its body,
//!    until the stream ends, the client disconnects, or the deadline passes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Body as _;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;
use weft_api::mcp::Tools;
use weft_api::{
    Accept, Api, Body as ApiBody, BodyInput, Docs, Matched, Operation, Problem, RequestInput,
    StreamFormat, StreamWriter,
};
use weft_lattice_config::placement::ComponentId;
use weft_lattice_config::{AppName, ComponentSpec};
use weft_link::{FrameTransport, FunctionCall, LinkFailure, StreamingResult};
use weft_telemetry::logs::{self, GuestStream};
use weft_wire::{FailureCode, MAX_VALUE_BYTES};

use crate::body_budget::{BodyBudget, BodyShare};
use crate::connection::ClientBody;
use crate::error_response;
use crate::handler::{Body, BodyError};
use crate::kept_alive::KeptAlive;
use crate::limits::{body_bytes_max, deadline};
use crate::upload_body::{UploadBody, UploadError, UploadFailure};

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

/// A request without its body, and the API that it is for.
struct Exchange {
    api: Arc<Api>,
    head: Parts,
}

/// The call that a request makes.
struct PreparedCall {
    arguments: Vec<u8>,
    accept: Accept,
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

    fn function_call<'a>(
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
    /// call. A call with streams continues in `tasks` after the head of the response.
    pub(crate) async fn respond(
        &self,
        request: Request<ClientBody>,
        budget: &BodyBudget,
        tasks: &TaskTracker,
    ) -> Response<Body> {
        let deadline = self.deadline();
        let is_head = request.method() == Method::HEAD;
        match self.call(request, budget, tasks, deadline).await {
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
        budget: &BodyBudget,
        tasks: &TaskTracker,
        deadline: Instant,
    ) -> Result<(weft_api::Response, Option<StreamingResult>), Rejection> {
        let (head, body) = request.into_parts();
        let exchange = Arc::new(Exchange {
            api: self.api.clone(),
            head,
        });
        let operation = exchange.matched()?.operation;
        let mut share = BodyShare::default();
        let (body, upload) = match operation.body() {
            BodyInput::None => (Bytes::new(), None),
            BodyInput::Stream(_) => (Bytes::new(), Some(self.checked_length(body)?)),
            BodyInput::Object(_) | BodyInput::Value(_) | BodyInput::Bytes => {
                let body = self.body(body, budget, &mut share, deadline).await?;
                (body, None)
            }
        };
        let encoded_max = self.encoded_bytes_max();
        let prepared = {
            let exchange = exchange.clone();
            off_the_connection(body.len(), move || exchange.prepare(&body, encoded_max)).await??
        };
        let call = self.function_call(operation, &prepared.arguments, deadline);
        let CallResult { bytes, streams } = match operation.is_concurrent() {
            true => self.make_streaming(call, tasks, upload).await?,
            false => self.make(call).await?,
        };
        let accept = prepared.accept;
        let exchange = exchange.clone();
        let response = off_the_connection(bytes.len(), move || {
            let matched = exchange.matched()?;
            Ok::<_, Rejection>(matched.operation.response(&bytes, &accept))
        });
        Ok((response.await??, streams))
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
        upload: Option<ClientBody>,
    ) -> Result<CallResult, Rejection> {
        let upload_failure = UploadFailure::default();
        let limit = self.body_bytes_max;
        let upload = upload.map(|body| UploadBody::new(body, limit, upload_failure.clone()));
        match call.make_streaming(&self.transport, tasks, upload).await {
            Ok(mut streams) => Ok(CallResult {
                bytes: std::mem::take(&mut streams.result),
                streams: Some(streams),
            }),
            // The call failed because its stream did.
            Err(failure) => Err(match upload_failure.get() {
                Some(UploadError::TooLarge) => too_large(limit),
                Some(UploadError::Incomplete) => incomplete(StatusCode::BAD_REQUEST),
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
    fn problem_of(&self, function: &str, failure: &LinkFailure) -> Problem {
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
                    let line = format!("the result has no stream {number}, which its value names");
                    self.log(&line);
                    return self.sent(*host_failed("result"), None);
                };
                body
            }
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

    pub(crate) fn log(&self, line: &str) {
        let ComponentId { app, component } = &*self.target;
        logs::guest_line(app.as_str(), component.as_str(), GuestStream::Host, line);
    }
}

impl Exchange {
    /// The operation of the request.
    fn matched(&self) -> Result<Matched<'_>, Rejection> {
        let path = self.head.uri.path();
        let path = self.api.below(path).unwrap_or(path);
        let matched = self.api.find(&self.head.method, path);
        matched.map_err(|unmatched| Box::new(unmatched.response()))
    }

    /// Converts the request to a call.
    fn prepare(&self, body: &[u8], encoded_max: usize) -> Result<PreparedCall, Rejection> {
        let Matched { operation, path } = self.matched()?;
        let rejected = |problem: Problem| Box::new(problem.response());
        let accept = operation.accept(&self.head.headers).map_err(rejected)?;
        let input = RequestInput {
            path: &path,
            query: self.head.uri.query(),
            headers: &self.head.headers,
            body,
            encoded_max,
        };
        let arguments = operation.arguments(&input).map_err(rejected)?;
        Ok(PreparedCall { arguments, accept })
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

fn host_failed(kind: &str) -> Rejection {
    let title = "The host failed";
    let problem = Problem::of_host(StatusCode::INTERNAL_SERVER_ERROR, kind, title);
    Box::new(problem.response())
}

fn too_large(limit: u64) -> Rejection {
    let title = "The body is too large";
    let detail = format!("expected at most {limit} bytes (`limits.body`)");
    let problem = Problem::of_host(StatusCode::PAYLOAD_TOO_LARGE, "too-large", title);
    Box::new(problem.with_detail(detail).response())
}

fn incomplete(status: StatusCode) -> Rejection {
    let title = "The body did not arrive as a whole";
    Box::new(Problem::of_host(status, "incomplete", title).response())
}

fn full() -> Rejection {
    let title = "The host receives too many large bodies at the moment";
    let problem = Problem::of_host(StatusCode::SERVICE_UNAVAILABLE, "busy", title);
    let problem = problem.with_header(
        http::header::RETRY_AFTER,
        http::HeaderValue::from_static("1"),
    );
    Box::new(problem.response())
}
