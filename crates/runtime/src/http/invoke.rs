//! Running a guest for a request: on the connection's own task as long as it does not wait.
//!
//! Most guests answer without waiting for anything, so the guest is polled where the request was
//! read, and no other task is woken. A guest that is not done when its answer's head is (it streams)
//! goes on in a task of its own.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use http::{Method, Request, Response};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use weft_ingress::Body;

use super::response_body::{self, Progress};
use super::{GuestBody, failure, p2, p3};
use crate::endpoint::{Admission, Endpoint, Exports, Failure, Instance};

/// A guest that runs; it sends the head of the answer when it has it.
type Guest = Pin<Box<dyn Future<Output = Result<(), Broken>> + Send>>;

/// A guest that broke off. The instance is dropped with it, after those who read its answer know.
struct Broken {
    failure: Failure,
    _instance: Option<Box<Instance>>,
}

/// Where the head of the answer goes.
pub(super) type Head = oneshot::Sender<Result<Response<GuestBody>, Failure>>;

type HeadReceiver = oneshot::Receiver<Result<Response<GuestBody>, Failure>>;

/// Answers `request` by `endpoint`, by a deadline.
///
/// # Errors
/// Why there is no answer.
pub(super) async fn run(
    endpoint: &Endpoint,
    request: Request<GuestBody>,
    deadline: Instant,
    tasks: &TaskTracker,
) -> Result<Response<Body>, Failure> {
    let head_only = request.method() == Method::HEAD;
    let (head, mut received) = oneshot::channel();
    let mut guest = start(endpoint, deadline, request, head)?;
    // No timer is made for a guest that is done at once; one that loops gives way at a tick of the
    // engine's clock, and then comes under the timer.
    if let Poll::Ready(outcome) = poll_fn(|context| Poll::Ready(guest.as_mut().poll(context))).await
    {
        return finished(endpoint, outcome, &mut received);
    }
    let mut expired = std::pin::pin!(tokio::time::sleep_until(deadline));
    tokio::select! {
        biased;
        Ok(head) = &mut received => {
            let progress = Arc::new(Progress::default());
            tasks.spawn(finish(endpoint.clone(), guest, deadline, progress.clone()));
            head.map(|response| response_body::watched(response, &progress, head_only))
        }
        outcome = &mut guest => finished(endpoint, outcome, &mut received),
        () = &mut expired => Err(Failure::Deadline { limit: endpoint.settings().deadline }),
    }
}

fn start(
    endpoint: &Endpoint,
    deadline: Instant,
    request: Request<GuestBody>,
    head: Head,
) -> Result<Guest, Failure> {
    let admission = endpoint.admit()?;
    Ok(Box::pin(serve(
        endpoint.clone(),
        deadline,
        admission,
        request,
        head,
    )))
}

/// Gives the request to an instance, and the instance back if it may serve another.
async fn serve(
    endpoint: Endpoint,
    deadline: Instant,
    _admission: Admission,
    request: Request<GuestBody>,
    head: Head,
) -> Result<(), Broken> {
    let mut instance = endpoint.instance(deadline, 0).await?;
    let Instance { store, exports, .. } = &mut instance;
    let outcome = match exports {
        Exports::HttpP2(proxy) => p2::call(store, proxy, request, head).await,
        Exports::HttpP3(service) => p3::call(store, service, request, head).await,
        // A route to a component that does not handle HTTP is refused at deploy.
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
        Err(error) => Err(Broken {
            failure: Failure::of(error, instance.store.data()),
            _instance: Some(Box::new(instance)),
        }),
    }
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            _instance: None,
        }
    }
}

/// The answer of a guest that has returned.
fn finished(
    endpoint: &Endpoint,
    outcome: Result<(), Broken>,
    received: &mut HeadReceiver,
) -> Result<Response<Body>, Failure> {
    match (received.try_recv(), outcome) {
        (Ok(head), Ok(())) => head.map(response_body::plain),
        (Ok(head), Err(broken)) => {
            // The answer has begun; its body ends in an error, and the log says why.
            let progress = Arc::new(Progress::default());
            progress.break_off();
            failure::report(endpoint, &broken.failure);
            head.map(|response| response_body::watched(response, &progress, false))
        }
        (Err(_), Err(broken)) => Err(broken.failure),
        (Err(_), Ok(())) => Err(Failure::NoResponse),
    }
}

/// Runs a guest whose answer has begun: to its end, to the deadline, or until nobody reads the answer.
async fn finish(endpoint: Endpoint, mut guest: Guest, deadline: Instant, progress: Arc<Progress>) {
    let broken = tokio::select! {
        outcome = &mut guest => match outcome {
            Ok(()) => return,
            Err(broken) => broken,
        },
        () = tokio::time::sleep_until(deadline) => {
            Failure::Deadline { limit: endpoint.settings().deadline }.into()
        }
        () = progress.reader_gone() => return,
    };
    // Before the guest and its instance are dropped, at the end of this function.
    progress.break_off();
    failure::report(&endpoint, &broken.failure);
}
