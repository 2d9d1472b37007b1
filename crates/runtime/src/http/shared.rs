//! Several requests at once in one instance (`instances.reuse.concurrent`), for handlers of WASI
//! 0.3.
//!
//! An instance with requests has a task, its *driver*, which runs the store. A request joins a
//! running driver with room, or starts one on an idle instance. The last request ends the driver,
//! and the instance is idle again.
//!
//! A guest task cannot be ended alone. So a request whose deadline passes gets its response at
//! once, while its guest goes on; the instance takes no further requests, and is dropped when its
//! others have ended. A trap ends all requests of the instance.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::{Method, Request, Response};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::p3::bindings::Service;
use weft_ingress::Body;

use super::invoke::POLLS_AHEAD_MAX;
use super::response_body::{BodyEnd, HeldResponse, ResponseHead, SharedBody};
use super::{GuestBody, failure, p3};
use crate::endpoint::{Admission, Endpoint, Exports, Failure, Instance, ReusePolicy};
use crate::guest::GuestState;

/// The instances of an endpoint that have requests.
pub(crate) struct SharedInstances {
    /// Number of drivers that are started before requests share one: each keeps one core busy at
    /// most.
    cores: usize,
    drivers: Mutex<Vec<Arc<Driver>>>,
    policy: ReusePolicy,
}

/// The side of a driver that requests join.
struct Driver {
    queue: mpsc::UnboundedSender<QueuedRequest>,
    state: Mutex<DriverState>,
}

#[derive(Default)]
struct DriverState {
    /// The requests in flight, in the order of their arrival. At most `concurrent_max`, which
    /// bounds the queue too.
    in_flight: Vec<InFlight>,
    /// Number of requests so far.
    requests: u32,
    /// Number of requests that the instance served before.
    earlier_requests: u32,
    /// The latest deadline of all requests so far.
    latest_deadline: Option<Instant>,
    /// True if the instance takes no further requests.
    is_closed: bool,
    /// True if the instance is not used again.
    is_spoilt: bool,
    /// True if responses are held.
    has_held: bool,
}

/// A request that waits for the driver.
struct QueuedRequest {
    number: u32,
    deadline: Instant,
    request: Request<GuestBody>,
}

/// A request that has not ended.
struct InFlight {
    number: u32,
    deadline: Instant,
    method: Method,
    response: ResponseState,
    _admission: Admission,
}

/// Progress of a response.
enum ResponseState {
    /// The guest has not set its head.
    Awaited(ResponseSender),
    /// The guest has set its head. It is sent when the store has nothing more to do for now, so
    /// that a small response is sent in one write.
    Held(ResponseSender, Box<HeldResponse>),
    /// It was sent, with the body if the guest may still write it.
    Sent(Option<Arc<SharedBody>>),
}

type ResponseSender = oneshot::Sender<Result<Response<Body>, Failure>>;

/// Handles `request` in an instance that may serve others at the same time.
///
/// # Errors
/// Any [`Failure`] that occurs before the head of the response is ready.
pub(super) async fn respond(
    endpoint: &Endpoint,
    shared: &Arc<SharedInstances>,
    request: Request<GuestBody>,
    deadline: Instant,
    tasks: &TaskTracker,
) -> Result<Response<Body>, Failure> {
    let (head, received) = oneshot::channel();
    let in_flight = InFlight {
        number: 0,
        deadline,
        method: request.method().clone(),
        response: ResponseState::Awaited(head),
        _admission: endpoint.admit()?,
    };
    if let Some((driver, queue)) = shared.join(in_flight, request) {
        let running = run(endpoint.clone(), shared.clone(), driver, queue);
        tasks.spawn(endpoint.in_turns(running));
    }
    // The driver sends the failure too, that of the deadline included.
    received.await.unwrap_or(Err(Failure::NoResponse))
}

impl SharedInstances {
    /// No instances yet, which will follow `policy`.
    pub(crate) fn new(policy: ReusePolicy) -> Self {
        Self {
            // Read once: it takes several system calls.
            cores: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            drivers: Mutex::default(),
            policy,
        }
    }

    /// Adds a request to the driver with the fewest, or to a new one, which is returned with its
    /// queue to be started.
    fn join(
        &self,
        in_flight: InFlight,
        request: Request<GuestBody>,
    ) -> Option<(Arc<Driver>, mpsc::UnboundedReceiver<QueuedRequest>)> {
        let mut drivers = self.lock();
        let has_drivers = drivers.len() >= self.cores;
        let loads = drivers
            .iter()
            .map(|driver| (driver.load(self.policy), driver));
        let with_room = loads.filter_map(|(load, driver)| Some((load?, driver)));
        let least = with_room.min_by_key(|(load, _)| *load);
        if let Some((_, driver)) = least.filter(|_| has_drivers) {
            let driver = driver.clone();
            let queued = driver.add(in_flight, request);
            // Waking the driver is a system call, so not under the lock. It goes on meanwhile,
            // because it has the request.
            drop(drivers);
            driver.send(queued);
            return None;
        }
        let (sender, queue) = mpsc::unbounded_channel();
        let driver = Arc::new(Driver {
            queue: sender,
            state: Mutex::default(),
        });
        driver.send(driver.add(in_flight, request));
        drivers.push(driver.clone());
        Some((driver, queue))
    }

    /// Removes a driver without requests, unless one has just joined.
    fn remove_idle(&self, driver: &Arc<Driver>) -> bool {
        let mut drivers = self.lock();
        let mut state = driver.lock();
        if !state.in_flight.is_empty() {
            return false;
        }
        state.is_closed = true;
        drivers.retain(|other| !Arc::ptr_eq(other, driver));
        true
    }

    /// Removes a driver, whose instance takes no further requests.
    fn remove(&self, driver: &Arc<Driver>) {
        let mut drivers = self.lock();
        driver.lock().is_closed = true;
        drivers.retain(|other| !Arc::ptr_eq(other, driver));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Driver>>> {
        // The code under the lock does not panic.
        self.drivers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver {
    /// Number of requests; `None` without room for one more.
    fn load(&self, policy: ReusePolicy) -> Option<usize> {
        let state = self.lock();
        let load = state.in_flight.len();
        let has_room = !state.is_closed
            && !state.is_spoilt
            && load < usize::try_from(policy.concurrent_max).unwrap_or(usize::MAX)
            && state.earlier_requests.saturating_add(state.requests) < policy.requests_max;
        has_room.then_some(load)
    }

    /// Adds a request, which has to be sent.
    fn add(&self, mut in_flight: InFlight, request: Request<GuestBody>) -> QueuedRequest {
        let mut state = self.lock();
        state.requests += 1;
        state.latest_deadline = state.latest_deadline.max(Some(in_flight.deadline));
        in_flight.number = state.requests;
        let queued = QueuedRequest {
            number: in_flight.number,
            deadline: in_flight.deadline,
            request,
        };
        state.in_flight.push(in_flight);
        queued
    }

    fn send(&self, queued: QueuedRequest) {
        // The driver receives while it has requests. One that has just failed has ended them all.
        let _ = self.queue.send(queued);
    }

    /// Takes the head of a response. Returns whether a client waits for it.
    fn hold(&self, number: u32, head: Result<ResponseHead, Failure>) -> bool {
        let mut state = self.lock();
        let Some(in_flight) = state.find(number) else {
            return false;
        };
        let sent = ResponseState::Sent(None);
        let ResponseState::Awaited(sender) = std::mem::replace(&mut in_flight.response, sent)
        else {
            return false;
        };
        let head = match head {
            Ok(head) => head,
            Err(failure) => {
                drop(state);
                return sender.send(Err(failure)).is_ok();
            }
        };
        let is_awaited = !sender.is_closed();
        in_flight.response = ResponseState::Held(sender, Box::new(head.held(&in_flight.method)));
        state.has_held = true;
        is_awaited
    }

    /// Takes what the guest has written of the held responses. Returns true if that is anything, so
    /// that the guest may have more to do.
    fn read_ahead(&self) -> bool {
        let mut state = self.lock();
        let mut is_read = false;
        if state.has_held {
            for in_flight in &mut state.in_flight {
                if let ResponseState::Held(_, held) = &mut in_flight.response {
                    is_read |= held.read_ahead();
                }
            }
        }
        is_read
    }

    /// Sends the held responses.
    fn send_held(&self, endpoint: &Endpoint) {
        let mut ready = Vec::new();
        let mut state = self.lock();
        if !std::mem::take(&mut state.has_held) {
            return;
        }
        for in_flight in &mut state.in_flight {
            let sent = ResponseState::Sent(None);
            match std::mem::replace(&mut in_flight.response, sent) {
                ResponseState::Held(sender, held) => {
                    let (response, body) = held.tracked(endpoint);
                    in_flight.response = ResponseState::Sent(Some(body));
                    ready.push((sender, response));
                }
                other => in_flight.response = other,
            }
        }
        drop(state);
        for (sender, response) in ready {
            // The client may have disconnected.
            let _ = sender.send(Ok(response));
        }
    }

    /// Ends a request that the guest has handled.
    fn end(&self, number: u32, endpoint: &Endpoint) {
        let ended = self.lock().take(number);
        if let Some(ended) = ended {
            self.settle(ended, || Failure::Unfinished, endpoint);
        }
    }

    /// Ends the requests whose deadline has passed.
    fn end_expired(&self, endpoint: &Endpoint) {
        let now = Instant::now();
        let expired = self.lock().take_expired(now);
        let limit = endpoint.settings().deadline;
        for ended in expired {
            self.settle(ended, || Failure::Deadline { limit }, endpoint);
        }
    }

    /// Ends all requests with the failure of their instance.
    fn end_all(&self, failure: Failure, endpoint: &Endpoint) {
        let failure = Arc::new(failure);
        let all = std::mem::take(&mut self.lock().in_flight);
        for ended in all {
            self.settle(ended, || Failure::OfInstance(failure.clone()), endpoint);
        }
    }

    /// Ends a request: with `failure`, unless its response is complete. Its instance still exists.
    fn settle(&self, ended: InFlight, failure: impl FnOnce() -> Failure, endpoint: &Endpoint) {
        let (sender, outcome) = match ended.response {
            ResponseState::Awaited(sender) => (sender, Err(failure())),
            ResponseState::Held(sender, held) => match held.settled() {
                (response, BodyEnd::Complete) => (sender, Ok(response)),
                (_, BodyEnd::Incomplete) => (sender, Err(failure())),
            },
            ResponseState::Sent(body) => {
                if body.and_then(|body| body.settle()) == Some(BodyEnd::Incomplete) {
                    self.lock().is_spoilt = true;
                    failure::report(endpoint, &failure());
                }
                return;
            }
        };
        if outcome.is_err() {
            self.lock().is_spoilt = true;
        }
        // The client may have disconnected.
        let _ = sender.send(outcome);
    }

    /// The deadline of the oldest request, or else of what follows the last response.
    fn next_deadline(&self) -> Instant {
        let state = self.lock();
        let oldest = state.in_flight.first().map(|oldest| oldest.deadline);
        let next = oldest.or(state.latest_deadline);
        next.unwrap_or_else(Instant::now)
    }

    /// True if the guests that are left have no time left.
    fn is_over(&self) -> bool {
        let state = self.lock();
        state.is_spoilt || state.latest_deadline <= Some(Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, DriverState> {
        // The code under the lock does not panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DriverState {
    fn find(&mut self, number: u32) -> Option<&mut InFlight> {
        let mut in_flight = self.in_flight.iter_mut();
        in_flight.find(|request| request.number == number)
    }

    fn take(&mut self, number: u32) -> Option<InFlight> {
        let mut in_flight = self.in_flight.iter();
        let index = in_flight.position(|request| request.number == number)?;
        Some(self.in_flight.remove(index))
    }

    /// The requests whose deadline has passed. Their guests go on, so the instance is spoilt.
    fn take_expired(&mut self, now: Instant) -> Vec<InFlight> {
        let is_expired = |request: &mut InFlight| request.deadline <= now;
        let expired: Vec<_> = self.in_flight.extract_if(.., is_expired).collect();
        self.is_spoilt |= !expired.is_empty();
        expired
    }
}

/// Runs an instance until it has no requests.
async fn run(
    endpoint: Endpoint,
    shared: Arc<SharedInstances>,
    driver: Arc<Driver>,
    mut queue: mpsc::UnboundedReceiver<QueuedRequest>,
) {
    let mut instance = match endpoint.instance(driver.next_deadline(), 0).await {
        Ok(instance) => instance,
        Err(failure) => {
            shared.remove(&driver);
            return driver.end_all(failure, &endpoint);
        }
    };
    driver.lock().earlier_requests = instance.requests();
    let outcome = drive(&endpoint, &shared, &driver, &mut instance, &mut queue).await;
    shared.remove(&driver);
    // Before the instance is dropped.
    match outcome {
        Some(Ok(())) if !driver.lock().is_spoilt => {
            let requests = driver.lock().requests;
            endpoint.give_back_after(instance, requests);
        }
        Some(Err(error)) => driver.end_all(Failure::of(error, instance.store.data()), &endpoint),
        Some(Ok(())) | None => {}
    }
}

/// Runs the store until it has no requests. `None` if guests are left that have exceeded the
/// deadlines of their requests; then no request joins any more.
async fn drive(
    endpoint: &Endpoint,
    shared: &SharedInstances,
    driver: &Arc<Driver>,
    instance: &mut Instance,
    queue: &mut mpsc::UnboundedReceiver<QueuedRequest>,
) -> Option<wasmtime::Result<()>> {
    let Instance { store, exports, .. } = instance;
    let Exports::HttpP3(service) = exports else {
        // A deploy of another component with several requests at once is rejected.
        let reason = "the component does not handle HTTP by WASI 0.3";
        return Some(Err(wasmtime::Error::msg(reason)));
    };
    let serving = store
        .run_concurrent(async |store| serve(endpoint, shared, driver, store, service, queue).await);
    let mut serving = pin!(serving);
    loop {
        let progress = poll_fn(|context| {
            let mut served = serving.as_mut().poll(context);
            for _ in 0..POLLS_AHEAD_MAX {
                // The guest goes on once the bodies are read.
                if served.is_ready() || !driver.read_ahead() {
                    break;
                }
                served = serving.as_mut().poll(context);
            }
            driver.send_held(endpoint);
            served
        });
        tokio::select! {
            biased;
            served = progress => return Some(served.and_then(|served| served)),
            () = sleep_until(driver.next_deadline()) => {}
        }
        driver.end_expired(endpoint);
        if driver.is_over() && shared.remove_idle(driver) {
            if !driver.lock().is_spoilt {
                let limit = endpoint.settings().deadline;
                failure::report(endpoint, &Failure::AfterResponse { limit });
            }
            return None;
        }
    }
}

/// Passes requests to the guest until there are none.
async fn serve(
    endpoint: &Endpoint,
    shared: &SharedInstances,
    driver: &Arc<Driver>,
    store: &Accessor<GuestState>,
    service: &Service,
    queue: &mut mpsc::UnboundedReceiver<QueuedRequest>,
) -> wasmtime::Result<()> {
    let mut handling = FuturesUnordered::new();
    loop {
        let next = poll_fn(|context| {
            // The queue does not end before the driver.
            while let Poll::Ready(Some(queued)) = queue.poll_recv(context) {
                handling.push(handle(endpoint, driver, store, service, queued));
            }
            if let Poll::Ready(Some(handled)) = handling.poll_next_unpin(context) {
                return Poll::Ready(Next::Handled(handled));
            }
            // A guest may go on after its response.
            match handling.is_empty() && store.poll_no_interesting_tasks(context).is_ready() {
                true => Poll::Ready(Next::Idle),
                false => Poll::Pending,
            }
        });
        match next.await {
            Next::Handled(handled) => handled?,
            Next::Idle if shared.remove_idle(driver) => return Ok(()),
            // A request has joined, and is about to be sent.
            Next::Idle => {
                if let Some(queued) = queue.recv().await {
                    handling.push(handle(endpoint, driver, store, service, queued));
                }
            }
        }
    }
}

/// The next event of a store.
enum Next {
    Handled(wasmtime::Result<()>),
    Idle,
}

/// Passes a request to the guest.
fn handle<'a>(
    endpoint: &'a Endpoint,
    driver: &'a Driver,
    store: &'a Accessor<GuestState>,
    service: &'a Service,
    queued: QueuedRequest,
) -> Pin<Box<dyn Future<Output = wasmtime::Result<()>> + Send + 'a>> {
    let QueuedRequest {
        number,
        deadline,
        request,
    } = queued;
    Box::pin(async move {
        let activity = endpoint.activity(deadline, 0);
        store.with(|mut access| access.get().start_request(activity));
        let respond = |head| driver.hold(number, head);
        let handled = p3::handle(store, service, request, respond).await;
        if handled.is_ok() {
            driver.end(number, endpoint);
        }
        handled
    })
}
