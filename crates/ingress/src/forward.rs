//! Forwards requests to components of other hosts, as frames. Bodies stream both ways.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Body as _;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_lattice_config::placement::ComponentId;
use weft_lattice_config::{AppName, ComponentSpec};
use weft_link::{
    Answer, CallEnd, CallSide, CallTask, Hosts, LinkFailure, OutgoingCall, Role, late_at_deadline,
    number_call,
};
use weft_wire::{FailureCode, Frame, HttpBody, HttpHead, HttpReply, HttpRequest};

use crate::body_prefix::{BodyPrefix, PrefixedBody};
use crate::connection::ClientBody;
use crate::handler::{Body, BodyError};
use crate::limits::{body_bytes_max, deadline};
use crate::{error_response, headers};

/// A component that runs on other hosts.
pub struct RemoteComponent {
    target: Arc<ComponentId>,
    hosts: Arc<dyn Hosts>,
    deadline: Duration,
    body_bytes_max: u64,
}

/// The reason why a request has no response of its component.
enum ForwardError {
    /// This host rejected the request, with a response.
    Rejected(Box<Response<Body>>),
    /// No host replied.
    Link(LinkFailure),
}

impl From<LinkFailure> for ForwardError {
    fn from(failure: LinkFailure) -> Self {
        Self::Link(failure)
    }
}

impl RemoteComponent {
    /// The component of an app, called through `hosts`.
    #[must_use]
    pub fn new(app: &AppName, component: &ComponentSpec, hosts: &Arc<dyn Hosts>) -> Self {
        Self {
            target: Arc::new(ComponentId {
                app: app.clone(),
                component: component.name.clone(),
            }),
            hosts: hosts.clone(),
            deadline: deadline(component),
            body_bytes_max: body_bytes_max(component),
        }
    }

    /// The component.
    #[must_use]
    pub fn target(&self) -> &ComponentId {
        &self.target
    }

    /// Forwards a request to a host that runs the component. Dropping the future, as when the
    /// client disconnects, cancels the request there.
    pub(crate) async fn forward(
        &self,
        request: Request<ClientBody>,
        tasks: &TaskTracker,
    ) -> Response<Body> {
        match self.send(request, tasks).await {
            Ok(response) => response,
            Err(ForwardError::Rejected(response)) => *response,
            Err(ForwardError::Link(failure)) => self.failure_response(&failure),
        }
    }

    async fn send(
        &self,
        request: Request<ClientBody>,
        tasks: &TaskTracker,
    ) -> Result<Response<Body>, ForwardError> {
        let (call, streamed_body) = self.encode(request).await?;
        let deadline = call.deadline;
        let (side, remote) = CallSide::with_remote(Role::Importer, call.number);
        // The frame gives the body the number 0: it is the first stream of its side.
        let body = streamed_body.map(|body| (side.give_body(deadline).1, body));
        let hosts = self.hosts.clone();
        let task = CallTask::spawn(tasks, |answer| async move {
            let call = hosts.call_streaming(call, remote, CallEnd::forward(answer));
            match body {
                None => call.await,
                Some((sender, body)) => drop(tokio::join!(call, sender.send(body))),
            }
        });
        match task.answer().await {
            Some(Answer::Streaming(frame)) => self.response(&frame, &side, deadline),
            Some(Answer::Ended(CallEnd::Failed(failure))) => {
                Err(late_at_deadline(failure, deadline, &self.target.component).into())
            }
            Some(Answer::Ended(_)) | None => Err(self.malformed_reply().into()),
        }
    }

    /// Encodes a request as a frame, with its body if both fit into a message. Returns a larger
    /// body beside it.
    async fn encode(
        &self,
        request: Request<ClientBody>,
    ) -> Result<(OutgoingCall, Option<PrefixedBody<ClientBody>>), ForwardError> {
        let (head, mut body) = request.into_parts();
        let deadline = Instant::now() + self.deadline;
        let declared = body.size_hint();
        if declared.lower() > self.body_bytes_max {
            let refused = error_response::body_too_large(declared.lower(), self.body_bytes_max);
            return Err(ForwardError::Rejected(Box::new(refused)));
        }
        let prefix = BodyPrefix::read(&mut body).await;
        let call = number_call();
        let fields = headers::end_to_end(&head.headers);
        let authority = head.uri.authority().map(|authority| authority.as_str());
        let max = self.hosts.message_bytes_max();
        let encode = |body: HttpBody<'_>| {
            let frame = Frame::HttpRequest(HttpRequest {
                call,
                app: self.target.app.as_str(),
                component: self.target.component.as_str(),
                deadline_ms: u32::try_from(self.deadline.as_millis()).unwrap_or(u32::MAX),
                trace: None,
                method: head.method.as_str(),
                authority: authority.unwrap_or_default(),
                path: head.uri.path_and_query().map_or("/", |path| path.as_str()),
                headers: headers::borrowed(&fields),
                body,
            });
            let mut bytes = Vec::new();
            frame.encode(&mut bytes).ok()?;
            (bytes.len() <= max).then_some(bytes)
        };
        let whole = prefix.whole();
        let with_body = whole.and_then(|body| encode(HttpBody::Whole(&body)));
        let (frame, streamed_body) = match with_body {
            Some(frame) => (Some(frame), None),
            None => (encode(HttpBody::Stream(0)), Some(prefix.prepend_to(body))),
        };
        let Some(frame) = frame else {
            let reason = "request head too large to be forwarded to another host";
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(ForwardError::Rejected(Box::new(error_response::text(
                status, reason,
            ))));
        };
        let call = OutgoingCall {
            number: call,
            target: self.target.clone(),
            frame: frame.into(),
            deadline,
            is_idempotent: is_idempotent(&head.method),
        };
        Ok((call, streamed_body))
    }

    fn response(
        &self,
        frame: &[u8],
        side: &Arc<CallSide>,
        deadline: Instant,
    ) -> Result<Response<Body>, ForwardError> {
        let Ok(Frame::HttpReply(HttpReply { outcome, .. })) = Frame::decode(frame) else {
            return Err(self.malformed_reply().into());
        };
        let HttpHead {
            status,
            headers: fields,
            body,
        } = outcome?;
        let body = match body {
            HttpBody::Whole(bytes) => whole(Bytes::copy_from_slice(bytes)),
            HttpBody::Stream(number) => {
                let body = side
                    .take_body(number, deadline)
                    .ok_or_else(|| self.malformed_reply())?;
                let target = self.target.clone();
                body.map_err(move |error| {
                    tracing::info!(component = %target, %error, "forwarded response failed");
                    BodyError::Incomplete
                })
                .boxed_unsync()
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(status).map_err(|_| self.malformed_reply())?;
        *response.headers_mut() = headers::owned(&fields).ok_or_else(|| self.malformed_reply())?;
        Ok(response)
    }

    fn malformed_reply(&self) -> LinkFailure {
        let reason = format!("malformed reply of `{}`", self.target.component);
        LinkFailure::new(FailureCode::MaybeExecuted, reason)
    }

    /// The response in place of the component's, with an outward reason only.
    fn failure_response(&self, failure: &LinkFailure) -> Response<Body> {
        let name = self.target.to_string();
        tracing::info!(component = name, %failure, "forwarded request failed");
        match failure.code() {
            FailureCode::Busy => {
                error_response::busy(&format!("every host of component `{name}` is full"))
            }
            FailureCode::Unreachable => {
                error_response::busy(&match self.hosts.unplaceable(&self.target) {
                    Some(reason) => format!("no host may run component `{name}`: {reason}"),
                    None => format!("no host of component `{name}` is reachable"),
                })
            }
            FailureCode::Deadline => {
                let reason = format!("no host of component `{name}` replied in time");
                error_response::late(&reason)
            }
            FailureCode::Refused | FailureCode::Trapped | FailureCode::MaybeExecuted => {
                let reason =
                    format!("the host of component `{name}` was lost; the request may have run");
                error_response::text(StatusCode::BAD_GATEWAY, &reason)
            }
        }
    }
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// True if a request may be sent twice: the safe methods (RFC 9110, section 9.2.1).
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}
