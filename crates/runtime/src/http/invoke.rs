//! Runs a guest for an HTTP request: on the connection's own task as long as the guest does not
//! wait.
//!
//! Most guests respond without waiting for anything, so the guest is polled in the task that read
//! the request, and no other task is woken. A small body is read ahead and sent with its head. A
//! guest that still runs then (it streams the body) continues in a task of its own.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_ingress::Body;

use super::response_body::{BodyEnd, HeldResponse, ResponseHead, SharedBody};
use super::{GuestBody, failure, p2, p3};
use crate::endpoint::{Admission, Endpoint, Exports, Failure, Instance};

/// The most polls of a guest in which its response is read ahead: one for each part of a small body
/// (data, trailers, end), and one for the return.
pub(super) const POLLS_AHEAD_MAX: usize = 4;

/// A running guest, which sends the head of its response when that is ready.
type GuestFuture = Pin<Box<dyn Future<Output = Result<Served, GuestFailure>> + Send>>;

/// An instance that returned, with its permit.
struct Served {
    instance: Instance,
    _admission: Admission,
}

/// The failure of a guest, with its instance, which must not be dropped before the body of its
/// response is settled.
struct GuestFailure {
    failure: Failure,
    _instance: Option<Box<Instance>>,
}

/// A request whose client has received nothing yet.
struct UnsentResponse {
    guest: GuestFuture,
    received: HeadReceiver,
    method: Method,
    /// The response, once the guest has set its head.
    held: Option<Result<HeldResponse, Failure>>,
}

/// Progress of a guest.
enum Progress {
    /// The head of the response is ready.
    HeadReady,
    Ended(Result<Served, GuestFailure>),
}

/// Sends the head of the response.
pub(super) type HeadSender = oneshot::Sender<Result<ResponseHead, Failure>>;

type HeadReceiver = oneshot::Receiver<Result<ResponseHead, Failure>>;

/// Handles `request` by an instance of `endpoint`. Dropping the future stops the guest.
///
/// # Errors
/// Any [`Failure`] that occurs before the head of the response is ready.
pub(super) async fn respond(
    endpoint: &Endpoint,
    request: Request<GuestBody>,
    deadline: Instant,
    tasks: &TaskTracker,
) -> Result<Response<Body>, Failure> {
    let method = request.method().clone();
    let (head, received) = oneshot::channel();
    let guest = start(endpoint, deadline, request, head)?;
    let mut unsent = UnsentResponse {
        guest,
        received,
        method,
        held: None,
    };
    // A guest that completes in its first polls needs no timer and no task. One that loops yields
    // at a tick of the engine's clock, and the timer applies from then on.
    let progress = match unsent.poll_once().await {
        Poll::Ready(progress) => progress,
        Poll::Pending => tokio::select! {
            biased;
            progress = poll_fn(|context| unsent.poll(context)) => progress,
            () = tokio::time::sleep_until(deadline) => {
                return Err(Failure::Deadline { limit: endpoint.settings().deadline });
            }
        },
    };
    if let Progress::Ended(outcome) = progress {
        return completed(endpoint, outcome, unsent.held);
    }
    // A guest of 0.3 goes on once its body is read, and most have nothing more to do then.
    for _ in 0..POLLS_AHEAD_MAX {
        if !unsent.read_ahead() {
            break;
        }
        if let Poll::Ready(Progress::Ended(outcome)) = unsent.poll_once().await {
            return completed(endpoint, outcome, unsent.held);
        }
    }
    let UnsentResponse { guest, held, .. } = unsent;
    let (response, body) = match held.unwrap_or(Err(Failure::NoResponse)) {
        Ok(held) => {
            let (response, body) = held.tracked(endpoint);
            (Ok(response), Some(body))
        }
        Err(failure) => (Err(failure), None),
    };
    tasks.spawn(run_to_end(endpoint.clone(), guest, deadline, body));
    response
}

impl UnsentResponse {
    /// Runs the guest until it has set the head of its response, or ended.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Progress> {
        let polled = self.guest.as_mut().poll(context);
        if self.held.is_none() {
            // The guest sends the head while it is polled.
            let head = self.received.try_recv().ok();
            self.held = head.map(|head| head.map(|head| head.held(&self.method)));
        }
        match polled {
            Poll::Ready(outcome) => Poll::Ready(Progress::Ended(outcome)),
            Poll::Pending if self.held.is_some() => Poll::Ready(Progress::HeadReady),
            Poll::Pending => Poll::Pending,
        }
    }

    async fn poll_once(&mut self) -> Poll<Progress> {
        poll_fn(|context| Poll::Ready(self.poll(context))).await
    }

    /// Takes what the guest has written of its body. Returns true if that is anything.
    fn read_ahead(&mut self) -> bool {
        match &mut self.held {
            Some(Ok(held)) => held.read_ahead(),
            Some(Err(_)) | None => false,
        }
    }
}

fn start(
    endpoint: &Endpoint,
    deadline: Instant,
    request: Request<GuestBody>,
    head: HeadSender,
) -> Result<GuestFuture, Failure> {
    let admission = endpoint.admit()?;
    let guest = serve(endpoint.clone(), deadline, admission, request, head);
    Ok(Box::pin(endpoint.in_turns(guest)))
}

/// Passes the request to an instance, until that returns.
async fn serve(
    endpoint: Endpoint,
    deadline: Instant,
    admission: Admission,
    request: Request<GuestBody>,
    head: HeadSender,
) -> Result<Served, GuestFailure> {
    let mut instance = endpoint.instance(deadline, 0).await?;
    let Instance { store, exports, .. } = &mut instance;
    let outcome = match exports {
        Exports::HttpP2(proxy) => p2::call(store, proxy, request, head).await,
        Exports::HttpP3(service) => p3::call(store, service, request, head).await,
        // A deploy with a route to a component that does not handle HTTP is rejected.
        Exports::Plain(_) => {
            let reason = "the component does not handle HTTP".to_owned();
            return Err(Failure::BadRequest(reason).into());
        }
    };
    match outcome {
        Ok(()) => Ok(Served {
            instance,
            _admission: admission,
        }),
        Err(error) => Err(GuestFailure {
            failure: Failure::of(error, instance.store.data()),
            _instance: Some(Box::new(instance)),
        }),
    }
}

impl From<Failure> for GuestFailure {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            _instance: None,
        }
    }
}

/// The response of a guest that has ended before the head of its response was sent to the client.
fn completed(
    endpoint: &Endpoint,
    outcome: Result<Served, GuestFailure>,
    held: Option<Result<HeldResponse, Failure>>,
) -> Result<Response<Body>, Failure> {
    let Some(held) = held else {
        return Err(outcome.map_or_else(|error| error.failure, |_| Failure::NoResponse));
    };
    let (response, end) = held?.settled();
    match (conclude(endpoint, outcome, end), end) {
        (Ok(()), _) => Ok(response),
        (Err(failure), BodyEnd::Complete) => {
            failure::report(endpoint, &failure);
            Ok(response)
        }
        (Err(failure), BodyEnd::Incomplete) => Err(failure),
    }
}

/// Runs a guest whose response has begun until it completes, the deadline passes or the reader of
/// the body disconnects. `body` is `None` if the response is an error of the guest.
async fn run_to_end(
    endpoint: Endpoint,
    mut guest: GuestFuture,
    deadline: Instant,
    body: Option<Arc<SharedBody>>,
) {
    let limit = endpoint.settings().deadline;
    let disconnected = async {
        match &body {
            Some(body) => body.reader_disconnected().await,
            None => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        outcome = &mut guest => outcome,
        () = tokio::time::sleep_until(deadline) => Err(Failure::Deadline { limit }.into()),
        () = disconnected => return,
    };
    // The guest and its instance still exist: they are dropped at the end of this function.
    let end = match &body {
        Some(body) => body.settle(),
        None => outcome.as_ref().err().map(|_| BodyEnd::Complete),
    };
    let Some(end) = end else { return };
    match conclude(&endpoint, outcome, end) {
        Ok(()) => {}
        Err(Failure::Deadline { limit }) if end == BodyEnd::Complete => {
            failure::report(&endpoint, &Failure::AfterResponse { limit });
        }
        Err(failure) => {
            failure::report(&endpoint, &failure);
        }
    }
}

/// Gives an instance back that returned with a complete response. Any other is dropped: what it
/// has not finished would stay open, and what it failed at would fail again.
///
/// # Errors
/// The failure of the guest, if there is one to report. An exit with code 0 after a complete
/// response is none.
fn conclude(
    endpoint: &Endpoint,
    outcome: Result<Served, GuestFailure>,
    end: BodyEnd,
) -> Result<(), Failure> {
    match (outcome, end) {
        (Ok(served), BodyEnd::Complete) => {
            endpoint.give_back(served.instance);
            Ok(())
        }
        (Ok(_), BodyEnd::Incomplete) => Err(Failure::Unfinished),
        (Err(error), BodyEnd::Complete) if matches!(error.failure, Failure::Exited(0)) => Ok(()),
        (Err(error), _) => Err(error.failure),
    }
}
