//! Requests for components that run on other hosts: this host takes the request and gives the answer, and what
//! lies between goes as frames. Bodies stream both ways.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_lattice_config::placement::ComponentId;
use weft_lattice_config::{AppName, ComponentSpec};
use weft_wire::{FailureCode, Frame, HttpBody, HttpHead, HttpReply, HttpRequest};

use weft_link::{
    Answer, CallEnd, Conversation, Hosts, LinkFailure, Opening, Role, Side, number_call,
};

use crate::body_prefix::{Beginning, Begun};
use crate::handler::{Body, BodyError};
use crate::limits::{body_bytes_max, deadline};
use crate::{error_response, headers};

/// A component of an app that does not run here.
pub struct RemoteComponent {
    target: ComponentId,
    hosts: Arc<dyn Hosts>,
    deadline: Duration,
    body_bytes_max: u64,
}

/// A request on its way out.
struct Outgoing {
    frame: Vec<u8>,
    call: u64,
    is_idempotent: bool,
    deadline: Instant,
    /// What of the body is not in the frame.
    rest: Option<Begun<Incoming>>,
}

/// Why there is no answer.
enum Refused {
    Host(Box<Response<Body>>),
    Link(LinkFailure),
}

impl From<LinkFailure> for Refused {
    fn from(failure: LinkFailure) -> Self {
        Self::Link(failure)
    }
}

impl RemoteComponent {
    pub fn new(app: &AppName, component: &ComponentSpec, hosts: &Arc<dyn Hosts>) -> Self {
        Self {
            target: ComponentId {
                app: app.clone(),
                component: component.name.clone(),
            },
            hosts: hosts.clone(),
            deadline: deadline(component),
            body_bytes_max: body_bytes_max(component),
        }
    }

    /// Has a host answer that runs the component. If the future is dropped (the client went away), that host is
    /// told.
    pub async fn answer(&self, request: Request<Incoming>, tasks: &TaskTracker) -> Response<Body> {
        match self.ask(request, tasks).await {
            Ok(response) => response,
            Err(Refused::Host(response)) => *response,
            Err(Refused::Link(failure)) => self.failed(&failure),
        }
    }

    async fn ask(
        &self,
        request: Request<Incoming>,
        tasks: &TaskTracker,
    ) -> Result<Response<Body>, Refused> {
        let outgoing = self.outgoing(request).await?;
        let (side, away) = Side::away(Role::Importer, outgoing.call);
        // The request's body has the number that a frame gives it, because it is the first stream of its side.
        let body = outgoing.rest.map(|body| (side.give_body().1, body));
        let opening = Opening {
            target: self.target.clone(),
            frame: outgoing.frame.into(),
            deadline: outgoing.deadline,
            is_idempotent: outgoing.is_idempotent,
            away,
        };
        let hosts = self.hosts.clone();
        let conversation = Conversation::begin(tasks, |answer| async move {
            let talking = hosts.converse(opening, CallEnd::forward(answer));
            match body {
                None => talking.await,
                Some((sender, body)) => drop(tokio::join!(talking, sender.send(body))),
            }
        });
        match conversation.answer().await {
            Some(Answer::GoesOn(frame)) => self.response(&frame, &side),
            Some(Answer::Over(CallEnd::Failed(failure))) => Err(failure.into()),
            Some(Answer::Over(_)) | None => Err(self.unreadable().into()),
        }
    }

    /// Writes the frame of a request, with the body if it is small.
    async fn outgoing(&self, request: Request<Incoming>) -> Result<Outgoing, Refused> {
        let (head, mut body) = request.into_parts();
        let deadline = Instant::now() + self.deadline;
        let declared = body.size_hint();
        if declared.lower() > self.body_bytes_max {
            let refused = error_response::body_too_large(declared.lower(), self.body_bytes_max);
            return Err(Refused::Host(Box::new(refused)));
        }
        let beginning = Beginning::of(&mut body).await;
        let whole = beginning.whole();
        let rest = whole.is_none().then(|| beginning.before(body));
        let call = number_call();
        let fields = headers::between_ends(&head.headers);
        let authority = head.uri.authority().map(|authority| authority.as_str());
        let authority = authority.or_else(|| head.headers.get(http::header::HOST)?.to_str().ok());
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
            body: match &whole {
                Some(body) => HttpBody::Whole(body),
                None => HttpBody::Stream(0),
            },
        });
        let mut bytes = Vec::new();
        if frame.encode(&mut bytes).is_err() {
            let reason = "the head of the request is too large to be sent on";
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(Refused::Host(Box::new(error_response::text(
                status, reason,
            ))));
        }
        Ok(Outgoing {
            frame: bytes,
            call,
            is_idempotent: is_idempotent(&head.method),
            deadline,
            rest,
        })
    }

    fn response(&self, frame: &[u8], side: &Arc<Side>) -> Result<Response<Body>, Refused> {
        let Ok(Frame::HttpReply(HttpReply { outcome, .. })) = Frame::decode(frame) else {
            return Err(self.unreadable().into());
        };
        let HttpHead {
            status,
            headers: fields,
            body,
        } = outcome?;
        let body = match body {
            HttpBody::Whole(bytes) => whole(Bytes::copy_from_slice(bytes)),
            HttpBody::Stream(number) => {
                let body = side.take_body(number).ok_or_else(|| self.unreadable())?;
                body.map_err(|_| BodyError::Incomplete).boxed_unsync()
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).map_err(|_| self.unreadable())?;
        *response.headers_mut() = headers::owned(&fields).ok_or_else(|| self.unreadable())?;
        Ok(response)
    }

    fn unreadable(&self) -> LinkFailure {
        let reason = format!("the answer of `{}` cannot be read", self.target.component);
        LinkFailure::new(FailureCode::MaybeExecuted, reason)
    }

    /// What the client is told when no host answers.
    fn failed(&self, failure: &LinkFailure) -> Response<Body> {
        let name = self.target.to_string();
        tracing::info!(component = name, %failure, "a request was not answered");
        match failure.code() {
            FailureCode::Busy => {
                error_response::busy(&format!("`{name}`: every host that runs it is full"))
            }
            FailureCode::Unreachable => {
                error_response::busy(&format!("`{name}`: no host that runs it can be reached"))
            }
            FailureCode::Deadline => {
                let reason = format!("`{name}`: no host that runs it answered in time");
                error_response::text(StatusCode::GATEWAY_TIMEOUT, &reason)
            }
            FailureCode::Refused | FailureCode::Trapped | FailureCode::MaybeExecuted => {
                let reason = format!("`{name}`: its host was lost; the request may have run");
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

/// Whether a request may be made twice (RFC 9110, section 9.2.1: those that are safe).
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}
