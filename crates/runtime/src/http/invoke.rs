//! Runs a guest for an HTTP request: on the connection's own task as long as the guest does not
//! wait.
//!
//! Most guests respond without waiting for anything, so the guest is polled in the task that read
//! the request, and no other task is woken. A guest that still runs when the head of its response
//! is ready (it streams the body) continues in a task of its own.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use http::{Method, Request, Response};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_ingress::Body;

use super::response_body::{BodyEnd, ResponseHead, SharedBody};
use super::{GuestBody, failure, p2, p3};
use crate::endpoint::{Admission, Endpoint, Exports, Failure, Instance};

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
    let (head, mut received) = oneshot::channel();
    let mut guest = start(endpoint, deadline, request, head)?;
    // A guest that completes in the first poll needs no timer. One that loops yields at a tick of
    // the engine's clock, and the timer applies from then on.
    if let Poll::Ready(outcome) = poll_fn(|context| Poll::Ready(guest.as_mut().poll(context))).await
    {
        return completed(endpoint, outcome, &mut received, &method);
    }
    let mut expired = std::pin::pin!(tokio::time::sleep_until(deadline));
    tokio::select! {
        biased;
        Ok(head) = &mut received => {
            let (response, body) = match head {
                Ok(head) => {
                    let (response, body) = head.tracked(&method);
                    (Ok(response), Some(body))
                }
                Err(failure) => (Err(failure), None),
            };
            tasks.spawn(run_to_end(endpoint.clone(), guest, deadline, body));
            response
        }
        outcome = &mut guest => completed(endpoint, outcome, &mut received, &method),
        () = &mut expired => Err(Failure::Deadline { limit: endpoint.settings().deadline }),
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
    received: &mut HeadReceiver,
    method: &Method,
) -> Result<Response<Body>, Failure> {
    let Ok(head) = received.try_recv() else {
        return Err(outcome.map_or_else(|error| error.failure, |_| Failure::NoResponse));
    };
    let (response, end) = head?.settled(method);
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
