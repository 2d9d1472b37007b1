//! Requests that came to another host, for a component that runs here.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_wire::{FailureCode, Frame, HttpBody, HttpHead, HttpReply, HttpRequest};

use weft_link::{Answer, CallEnd, LinkFailure, Side};

use crate::body_prefix::Beginning;
use crate::handler::{Body, BodyError, Handler, RequestBody};
use crate::headers;

/// Finds the handler of a component that runs here, by app and component.
pub type FindHandler = Arc<dyn Fn(&str, &str) -> Option<Arc<dyn Handler>> + Send + Sync>;

/// Answers requests of other hosts.
#[derive(Clone)]
pub struct ForwardedRequests {
    /// Finds the component of a request.
    pub find: FindHandler,
    /// Owns guests that go on after the head of their answer.
    pub tasks: TaskTracker,
}

impl ForwardedRequests {
    /// Answers a request, until the body of the answer was sent.
    pub async fn serve(
        &self,
        side: Arc<Side>,
        frame: &[u8],
        answer: oneshot::Sender<Answer<CallEnd>>,
    ) {
        let Ok(Frame::HttpRequest(asked)) = Frame::decode(frame) else {
            return tracing::warn!("a frame that is to be a request is none");
        };
        let call = asked.call;
        let response = match self.respond(&side, &asked).await {
            Ok(response) => response,
            Err(failure) => {
                let reply = HttpReply {
                    call,
                    outcome: Err(failure),
                };
                // Whoever asked may be gone.
                let _ = answer.send(Answer::Over(CallEnd::Frame(encoded(reply))));
                return;
            }
        };
        let (head, mut body) = response.into_parts();
        let fields = headers::between_ends(&head.headers);
        let reply = |body: HttpBody<'_>| {
            encoded(HttpReply {
                call,
                outcome: Ok(HttpHead {
                    status: head.status.as_u16(),
                    headers: headers::borrowed(&fields),
                    body,
                }),
            })
        };
        let begun = Beginning::of(&mut body).await;
        if let Some(bytes) = begun.whole() {
            let reply = reply(HttpBody::Whole(&bytes));
            let _ = answer.send(Answer::Over(CallEnd::Frame(reply)));
            return;
        }
        let (number, sender) = side.give_body();
        let _ = answer.send(Answer::GoesOn(reply(HttpBody::Stream(number))));
        // From here on only the body keeps the side.
        drop(side);
        sender.send(begun.before(body)).await;
    }

    /// The component's answer, or the host's in its place.
    ///
    /// # Errors
    /// If it did not run, and another host may.
    async fn respond(
        &self,
        side: &Arc<Side>,
        asked: &HttpRequest<'_>,
    ) -> Result<Response<Body>, LinkFailure> {
        let refused =
            |code, reason: &str| LinkFailure::new(code, format!("`{}`: {reason}", asked.component));
        let handler = (self.find)(asked.app, asked.component);
        let handler =
            handler.ok_or_else(|| refused(FailureCode::Unreachable, "it is not deployed"))?;
        let Some(request) = request(side, asked, handler.body_bytes_max()) else {
            return Err(refused(FailureCode::Refused, "the request is not one"));
        };
        let asked_for = std::time::Duration::from_millis(u64::from(asked.deadline_ms));
        let deadline = Instant::now() + handler.deadline().min(asked_for);
        let handled = handler.handle(request, deadline, &self.tasks).await;
        handled.map_err(|overloaded| refused(FailureCode::Busy, &overloaded.to_string()))
    }
}

/// The request as guests get it; none if it is not one.
fn request(
    side: &Arc<Side>,
    asked: &HttpRequest<'_>,
    body_bytes_max: u64,
) -> Option<Request<RequestBody>> {
    let fields: HeaderMap = headers::owned(&asked.headers)?;
    let limit = usize::try_from(body_bytes_max).unwrap_or(usize::MAX);
    let body = match asked.body {
        HttpBody::Whole(bytes) => Full::new(Bytes::copy_from_slice(bytes))
            .map_err(|never| match never {})
            .boxed_unsync(),
        HttpBody::Stream(number) => {
            let body = side.take_body(number)?;
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
    let uri = match fields.contains_key(http::header::HOST) {
        true => asked.path.to_owned(),
        // A client of HTTP/2 names it in the target.
        false => format!("http://{}{}", asked.authority, asked.path),
    };
    let mut request = Request::builder().method(asked.method).uri(uri);
    *request.headers_mut()? = fields;
    request.body(body).ok()
}

fn encoded(reply: HttpReply<'_>) -> Vec<u8> {
    let call = reply.call;
    let mut bytes = Vec::new();
    if Frame::HttpReply(reply).encode(&mut bytes).is_err() {
        let reason = "the head of the answer is too large for a frame";
        let failure = HttpReply {
            call,
            outcome: Err(LinkFailure::new(FailureCode::MaybeExecuted, reason)),
        };
        // A failure's message is bounded, so this one fits.
        let _ = Frame::HttpReply(failure).encode(&mut bytes);
    }
    bytes
}
