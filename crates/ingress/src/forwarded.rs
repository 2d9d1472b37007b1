//! Answers requests that other hosts forward to components of this host.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_link::{Answer, CallEnd, CallSide, LinkFailure};
use weft_wire::{FailureCode, Frame, HttpBody, HttpHead, HttpReply, HttpRequest};

use crate::body_prefix::BodyPrefix;
use crate::handler::{Body, BodyError, Handler, RequestBody};
use crate::{bodiless, headers, request_target, target_check};

/// Finds the handler of a component of this host, by app and component.
pub type FindHandler = Arc<dyn Fn(&str, &str) -> Option<Arc<dyn Handler>> + Send + Sync>;

/// Answers requests that other hosts forward.
#[derive(Clone)]
pub struct ForwardedRequests {
    /// Finds the component of a request.
    pub find: FindHandler,
    /// Owns guests that continue after the head of their response.
    pub tasks: TaskTracker,
}

impl ForwardedRequests {
    /// Answers a request, until the body of the response is sent.
    pub async fn serve(
        &self,
        side: Arc<CallSide>,
        frame: &[u8],
        answer: oneshot::Sender<Answer<CallEnd>>,
    ) {
        let Ok(Frame::HttpRequest(request)) = Frame::decode(frame) else {
            return tracing::warn!("malformed request frame from another host; it is dropped");
        };
        let call = request.call;
        let deadline = Instant::now() + Duration::from_millis(u64::from(request.deadline_ms));
        let response = match self.respond(&side, &request, deadline).await {
            Ok(response) => response,
            Err(failure) => {
                let reply = HttpReply {
                    call,
                    outcome: Err(failure),
                };
                // The other host may have stopped waiting.
                let _ = answer.send(Answer::Ended(CallEnd::Frame(encode(reply))));
                return;
            }
        };
        // What the host of the client would drop is not sent to it.
        let is_head = request.method == "HEAD";
        let response = bodiless::finish(response, is_head, &self.tasks);
        let (head, mut body) = response.into_parts();
        let fields = headers::end_to_end(&head.headers);
        let reply = |body: HttpBody<'_>| {
            encode(HttpReply {
                call,
                outcome: Ok(HttpHead {
                    status: head.status.as_u16(),
                    headers: headers::borrowed(&fields),
                    body,
                }),
            })
        };
        let prefix = BodyPrefix::read(&mut body).await;
        let fits = |frame: &Vec<u8>| frame.len() <= side.message_bytes_max();
        let whole = prefix.whole();
        let whole = whole.map(|bytes| reply(HttpBody::Whole(&bytes)));
        if let Some(reply) = whole.filter(fits) {
            let _ = answer.send(Answer::Ended(CallEnd::Frame(reply)));
            return;
        }
        let (number, sender) = side.give_body(deadline);
        let head = reply(HttpBody::Stream(number));
        if !fits(&head) {
            let _ = answer.send(Answer::Ended(CallEnd::Frame(head_too_large(call))));
            return;
        }
        let _ = answer.send(Answer::Streaming(head));
        // From here on only the sender of the body keeps the side alive.
        drop(side);
        sender.send(prefix.prepend_to(body)).await;
    }

    /// Returns the response of the component, or the host's in its place.
    ///
    /// # Errors
    /// `LinkFailure` if the component did not run; another host may run it.
    async fn respond(
        &self,
        side: &Arc<CallSide>,
        request: &HttpRequest<'_>,
        deadline: Instant,
    ) -> Result<Response<Body>, LinkFailure> {
        let name = request.component;
        let handler = (self.find)(request.app, name).ok_or_else(|| {
            let reason = format!("component `{name}` is not deployed on this host");
            LinkFailure::new(FailureCode::Unreachable, reason)
        })?;
        let deadline = deadline.min(Instant::now() + handler.deadline());
        let Some(guest_request) = decode(side, request, deadline, handler.body_bytes_max()) else {
            let reason = format!("malformed request for component `{name}`");
            return Err(LinkFailure::new(FailureCode::Refused, reason));
        };
        let handled = handler.handle(guest_request, deadline, &self.tasks).await;
        handled.map_err(|overloaded| {
            LinkFailure::new(FailureCode::Busy, format!("`{name}`: {overloaded}"))
        })
    }
}

/// Decodes a request for its component; `None` if it is malformed.
fn decode(
    side: &Arc<CallSide>,
    request: &HttpRequest<'_>,
    deadline: Instant,
    body_bytes_max: u64,
) -> Option<Request<RequestBody>> {
    let header_map: HeaderMap = headers::owned(&request.headers)?;
    let limit = usize::try_from(body_bytes_max).unwrap_or(usize::MAX);
    let body = match request.body {
        HttpBody::Whole(bytes) => Full::new(Bytes::copy_from_slice(bytes))
            .map_err(|never| match never {})
            .boxed_unsync(),
        HttpBody::Stream(number) => {
            let body = side.take_body(number, deadline)?;
            Limited::new(body, limit)
                .map_err(
                    move |error| match error.is::<http_body_util::LengthLimitError>() {
                        true => BodyError::TooLarge(body_bytes_max),
                        false => BodyError::Forwarding,
                    },
                )
                .boxed_unsync()
        }
    };
    let mut builder = Request::builder().method(request.method).uri(request.path);
    *builder.headers_mut()? = header_map;
    let mut decoded = builder.body(body).ok()?;
    request_target::set_authority(&mut decoded, request.authority).ok()?;
    target_check::check(decoded.uri().path()).ok()?;
    Some(decoded)
}

/// Encodes a reply, or a failure if the reply does not fit a frame.
fn encode(reply: HttpReply<'_>) -> Vec<u8> {
    let call = reply.call;
    let mut bytes = Vec::new();
    match Frame::HttpReply(reply).encode(&mut bytes) {
        Ok(()) => bytes,
        Err(_) => head_too_large(call),
    }
}

/// The failure in place of a response whose head exceeds a frame or a message.
fn head_too_large(call: u64) -> Vec<u8> {
    let reason = "response head too large to be sent to another host";
    let failure = HttpReply {
        call,
        outcome: Err(LinkFailure::new(FailureCode::MaybeExecuted, reason)),
    };
    let mut bytes = Vec::new();
    // The message of a failure is bounded, so this frame fits.
    let _ = Frame::HttpReply(failure).encode(&mut bytes);
    bytes
}
