//! Requests to components of other hosts, whose frames pass through memory.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use tokio::pin;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_ingress::{ForwardedRequests, Handler, RemoteComponent, RouteTarget};
use weft_lattice_config::App;
use weft_lattice_config::placement::ComponentId;
use weft_link::{
    Answer, CallEnd, CallSide, Exchange, Hosts, LinkFailure, OutgoingCall, RemoteSide,
    ReplyCallback, Role,
};
use weft_membership::HostId;
use weft_wire::{FailureCode, Frame};

use crate::client::{body_of, get, post, post_chunks, post_head, send};
use crate::fake_handler::{BODY_BYTES_MAX, FakeFrame, FakeHandler};
use crate::{PATIENCE, start, within};

const MANIFEST: &str = "
apiVersion: weft.dev/v1alpha1
kind: App
metadata:
  name: app
spec:
  components:
  - name: echo
    source:
      file: echo.wasm
    limits:
      body: 1MiB
";

/// A lattice with one other host, which answers or fails every call.
pub(crate) enum OtherHost {
    Answers(ForwardedRequests),
    /// Answers over messages of at most this many bytes.
    AnswersInSmallMessages(ForwardedRequests, usize),
    Fails(FailureCode),
    /// May not run any component.
    MayNotRun,
}

impl OtherHost {
    /// A host with a handler for every component, or without any.
    pub(crate) fn with(handler: Option<FakeHandler>) -> Self {
        let handler = handler.map(|handler| Arc::new(handler) as Arc<dyn Handler>);
        Self::Answers(ForwardedRequests {
            find: Arc::new(move |_, _| handler.clone()),
            tasks: TaskTracker::new(),
        })
    }

    fn in_small_messages(self, bytes_max: usize) -> Self {
        match self {
            Self::Answers(requests) => Self::AnswersInSmallMessages(requests, bytes_max),
            other => other,
        }
    }

    pub(crate) fn target(self) -> RouteTarget {
        let app = App::from_yaml("app.yaml", MANIFEST).unwrap();
        let hosts: Arc<dyn Hosts> = Arc::new(self);
        let component = RemoteComponent::new(&app.metadata.name, &app.spec.components[0], &hosts);
        RouteTarget::Remote(Arc::new(component))
    }
}

#[async_trait]
impl Hosts for OtherHost {
    fn exchange<'a>(&'a self, _: &'a OutgoingCall, _: Option<HostId>) -> Exchange<'a> {
        unreachable!("requests are streaming calls")
    }

    async fn call_streaming(&self, call: OutgoingCall, remote: RemoteSide, reply: ReplyCallback) {
        match self {
            Self::Answers(requests) => {
                carry(requests, &call.frame, remote, reply, usize::MAX).await;
            }
            Self::AnswersInSmallMessages(requests, bytes_max) => {
                carry(requests, &call.frame, remote, reply, *bytes_max).await;
            }
            Self::MayNotRun => {
                let code = FailureCode::Unreachable;
                reply(Err(LinkFailure::new(code, "a reason for the log")));
            }
            Self::Fails(code) => reply(Err(LinkFailure::new(*code, "a reason for the log"))),
        }
    }

    async fn send_and_wait(&self, _: HostId, _: Vec<u8>, _: Instant) {}

    fn send(&self, _: HostId, _: Vec<u8>) {}

    fn message_bytes_max(&self) -> usize {
        match self {
            Self::AnswersInSmallMessages(_, bytes_max) => *bytes_max,
            _ => usize::MAX,
        }
    }

    fn unplaceable(&self, target: &ComponentId) -> Option<String> {
        let reason = format!("1 host: label `cloud` is not `{}`", target.app);
        matches!(self, Self::MayNotRun).then_some(reason)
    }
}

/// Carries the frames of a call between its two sides, until both are dropped. No frame exceeds
/// `bytes_max`.
async fn carry(
    requests: &ForwardedRequests,
    frame: &[u8],
    mut caller: RemoteSide,
    reply: ReplyCallback,
    bytes_max: usize,
) {
    let (side, mut callee) = CallSide::with_remote(Role::Exporter, caller.call());
    for side in [&caller, &callee] {
        side.limit_messages(bytes_max);
    }
    let check = |frame: &[u8]| assert!(frame.len() <= bytes_max, "{}", frame.len());
    check(frame);
    let (sender, mut answer) = oneshot::channel();
    let serve = requests.serve(side, frame, sender);
    pin!(serve);
    let mut reply = Some(reply);
    let (mut is_served, mut is_caller_open, mut is_callee_open) = (false, true, true);
    loop {
        tokio::select! {
            answer = &mut answer, if reply.is_some() => {
                let (Answer::Streaming(frame) | Answer::Ended(CallEnd::Frame(frame))) = answer.unwrap()
                else {
                    panic!("a request is answered with a frame");
                };
                check(&frame);
                reply.take().unwrap()(Ok(frame));
            }
            frame = caller.next(), if is_caller_open => match frame {
                Some(frame) => {
                    check(&frame);
                    callee.receive(&Frame::decode(&frame).unwrap());
                }
                None => is_caller_open = false,
            },
            frame = callee.next(), if is_callee_open => match frame {
                Some(frame) => {
                    check(&frame);
                    caller.receive(&Frame::decode(&frame).unwrap());
                }
                None => is_callee_open = false,
            },
            () = &mut serve, if !is_served => is_served = true,
            else => return,
        }
    }
}

#[tokio::test]
async fn a_request_reaches_the_handler_of_the_other_host() {
    let server = start(OtherHost::with(Some(FakeHandler::Echo)).target()).await;
    let response = send(server.address(), post("/app/orders", "a teapot")).await;
    assert_eq!(response.status, StatusCode::OK, "{response:?}");
    assert_eq!(response.headers["x-path"], "/app/orders");
    assert_eq!(response.text(), "a teapot");
}

#[tokio::test]
async fn large_bodies_are_streamed_to_the_other_host_and_back() {
    let server = start(OtherHost::with(Some(FakeHandler::StreamBack)).target()).await;
    // More than the flow-control window of a stream.
    let chunks: Vec<_> = (0..16).map(|n| Bytes::from(vec![n; 40_000])).collect();
    let response = send(server.address(), post_chunks("/app", chunks.clone())).await;
    assert_eq!(response.status, StatusCode::OK, "{response:?}");
    assert_eq!(response.body, chunks.concat());
}

#[tokio::test]
async fn a_response_without_data_ends_as_it_does_here() {
    use FakeFrame::{Data, Failure, Trailers};
    for (frames, expected) in [
        (vec![], Some("")),
        (vec![Trailers], Some("")),
        (vec![Failure], None),
        (vec![Data("some"), Trailers], Some("some")),
        (vec![Data("some"), Failure], None),
    ] {
        let handler = FakeHandler::Frames(frames.clone());
        let other = OtherHost::with(Some(handler.clone())).target();
        for target in [other, handler.target()] {
            let server = start(target).await;
            let ended = body_of(server.address(), get("/app")).await;
            let text = ended.map(|body| body.0);
            assert_eq!(text.as_deref(), expected, "{frames:?}");
            // No side of the call holds the drain.
            assert!(within(server.drain(PATIENCE)).await, "{frames:?}");
        }
    }
}

#[tokio::test]
async fn trailers_without_data_arrive_through_another_host() {
    let handler = FakeHandler::Frames(vec![FakeFrame::Trailers]);
    let server = start(OtherHost::with(Some(handler)).target()).await;
    let mut request = get("/app");
    let trailers = HeaderValue::from_static("trailers");
    request.headers_mut().insert(header::TE, trailers);
    let (_, trailers) = body_of(server.address(), request).await.unwrap();
    assert_eq!(trailers["grpc-status"], "0");
}

#[tokio::test]
async fn bodies_cross_to_another_host_in_messages_of_any_size() {
    for handler in [|| FakeHandler::Echo, || FakeHandler::StreamBack] {
        for bytes_max in [8 << 10, 32 << 10, 64 << 10] {
            let other = OtherHost::with(Some(handler())).in_small_messages(bytes_max);
            let server = start(other.target()).await;
            for size in [0, bytes_max - 100, bytes_max, 60_000, 500_000] {
                let body = "x".repeat(size);
                let response = send(server.address(), post("/app", body.clone())).await;
                assert_eq!(response.status, StatusCode::OK, "{response:?}");
                assert!(response.text() == body, "{size} bytes in {bytes_max}");
            }
        }
    }
}

#[tokio::test]
async fn a_head_that_exceeds_a_message_is_rejected() {
    let other = OtherHost::with(Some(FakeHandler::Echo)).in_small_messages(8 << 10);
    let server = start(other.target()).await;
    let path = format!("/app/{}", "x".repeat(8 << 10));
    let response = send(server.address(), post(&path, "x")).await;
    assert_eq!(response.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert!(
        response.text().contains("request head too large"),
        "{response:?}"
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_rejected_before_it_is_forwarded() {
    let server = start(OtherHost::Fails(FailureCode::Trapped).target()).await;
    let request = post_head("/app", BODY_BYTES_MAX + 1);
    let response = send(server.address(), request).await;
    assert_eq!(response.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn an_overloaded_or_missing_handler_of_the_other_host_is_503_with_retry_after() {
    for handler in [Some(FakeHandler::Full), None] {
        let server = start(OtherHost::with(handler).target()).await;
        let response = send(server.address(), post("/app", "x")).await;
        assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers[header::RETRY_AFTER], "1");
    }
}

#[tokio::test]
async fn a_component_that_no_host_may_run_is_503_with_the_label() {
    let server = start(OtherHost::MayNotRun.target()).await;
    let response = send(server.address(), post("/app", "x")).await;
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        response
            .text()
            .contains("`app/echo`: 1 host: label `cloud` is not `app`")
    );
    assert!(!response.text().contains("for the log"), "{response:?}");
}

#[tokio::test]
async fn failures_of_the_lattice_have_their_status_and_no_details() {
    for (code, status) in [
        (FailureCode::Busy, StatusCode::SERVICE_UNAVAILABLE),
        (FailureCode::Unreachable, StatusCode::SERVICE_UNAVAILABLE),
        (FailureCode::Deadline, StatusCode::GATEWAY_TIMEOUT),
        (FailureCode::MaybeExecuted, StatusCode::BAD_GATEWAY),
        (FailureCode::Trapped, StatusCode::BAD_GATEWAY),
        (FailureCode::Refused, StatusCode::BAD_GATEWAY),
    ] {
        let server = start(OtherHost::Fails(code).target()).await;
        let response = send(server.address(), post("/app", "x")).await;
        assert_eq!(response.status, status, "{code:?}");
        assert!(response.text().contains("`app/echo`"), "{response:?}");
        assert!(!response.text().contains("for the log"), "{response:?}");
    }
}
