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

use super::response_body::{Progress, ResponseHead};
use super::{GuestBody, failure, p2, p3};
use crate::endpoint::{Admission, Endpoint, Exports, Failure, Instance};

/// A running guest, which sends the head of its response when that is ready.
type GuestFuture = Pin<Box<dyn Future<Output = Result<(), GuestFailure>> + Send>>;

/// The failure of a guest, with its instance, which must not be dropped before the reader of the
/// response body can see the failure.
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
    let head_only = request.method() == Method::HEAD;
    let (head, mut received) = oneshot::channel();
    let mut guest = start(endpoint, deadline, request, head)?;
    // A guest that completes in the first poll needs no timer. One that loops yields at a tick of
    // the engine's clock, and the timer applies from then on.
    if let Poll::Ready(outcome) = poll_fn(|context| Poll::Ready(guest.as_mut().poll(context))).await
    {
        return completed(endpoint, outcome, &mut received);
    }
    let mut expired = std::pin::pin!(tokio::time::sleep_until(deadline));
    tokio::select! {
        biased;
        Ok(head) = &mut received => {
            let progress = Arc::new(Progress::default());
            tasks.spawn(run_to_end(endpoint.clone(), guest, deadline, progress.clone()));
            head.map(|head| head.tracked(&progress, head_only))
        }
        outcome = &mut guest => completed(endpoint, outcome, &mut received),
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

/// Passes the request to an instance, and returns the instance to the endpoint afterwards.
async fn serve(
    endpoint: Endpoint,
    deadline: Instant,
    _admission: Admission,
    request: Request<GuestBody>,
    head: HeadSender,
) -> Result<(), GuestFailure> {
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
        Ok(()) => {
            endpoint.give_back(instance);
            Ok(())
        }
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

/// The response of a guest that has completed.
fn completed(
    endpoint: &Endpoint,
    outcome: Result<(), GuestFailure>,
    received: &mut HeadReceiver,
) -> Result<Response<Body>, Failure> {
    match (received.try_recv(), outcome) {
        (Ok(head), Ok(())) => head.map(ResponseHead::plain),
        (Ok(head), Err(error)) => {
            // The response has begun, so its body ends in an error and the cause goes to the log.
            let progress = Arc::new(Progress::default());
            progress.abort();
            failure::report(endpoint, &error.failure);
            head.map(|head| head.tracked(&progress, false))
        }
        (Err(_), Err(error)) => Err(error.failure),
        (Err(_), Ok(())) => Err(Failure::NoResponse),
    }
}

/// Runs a guest whose response has begun until it completes, the deadline passes or the reader of
/// the body disconnects.
async fn run_to_end(
    endpoint: Endpoint,
    mut guest: GuestFuture,
    deadline: Instant,
    progress: Arc<Progress>,
) {
    let error = tokio::select! {
        outcome = &mut guest => match outcome {
            Ok(()) => return,
            Err(error) => error,
        },
        () = tokio::time::sleep_until(deadline) => {
            Failure::Deadline { limit: endpoint.settings().deadline }.into()
        }
        () = progress.reader_disconnected() => return,
    };
    // Before the guest and its instance are dropped, which happens at the end of this function.
    progress.abort();
    failure::report(&endpoint, &error.failure);
}
