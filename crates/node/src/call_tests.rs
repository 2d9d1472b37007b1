//! Calls between two hosts on the in-process bus: unary and streaming, small and large, cancelled
//! and lost. The callee's components are a fake [`CallServer`].

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use weft_bus::local::{LocalNetwork, LocalOptions};
use weft_bus::nats::RECONNECT_PAUSE_MAX;
use weft_bus::{Lane, Scope};
use weft_ingress::ForwardedRequests;
use weft_link::stream_table::{Ended, Kind, Receiver, Sender};
use weft_link::{
    AdmittedCall, Answer, CallEnd, CallServer, CallSide, Hosts, LinkFailure, OutgoingCall,
    RejectedFrames, Role, encoded, number_call, reply_frame,
};
use weft_membership::HostId;
use weft_membership::routing::Router;
use weft_wire::{Chunk, FailureCode, Frame, Importer, Reply, Request, Target};

use crate::bus_channel::{BusChannels, Received};
use crate::call_client::CallClient;
use crate::call_routing::CallRouter;
use crate::call_server::CallListener;
use crate::claim_check::{self, ClaimChecks};
use crate::clock::Clock;
use crate::host_tasks::HostTasks;
use crate::stream_server::StreamServer;
use crate::test_support::{OTHER, OWN, TestMembership, cart, host, subjects};

/// The largest message of the bus in these tests.
const MAX_PAYLOAD: usize = 16 << 10;

/// A value that takes several messages.
const LARGE: usize = 10 * MAX_PAYLOAD;

/// The deadline of a call; no test reaches it.
const DEADLINE: Duration = Duration::from_secs(30);

/// The bound of every wait.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Components that return their arguments at once (`echo`) or at the end of all waits (`wait`), or
/// return the chunks of their stream (`relay`), never return (`hang`), or have no place (`busy`).
#[derive(Clone)]
struct Components {
    /// The numbers of the running calls.
    running: watch::Sender<Vec<u64>>,
    /// True once calls of `wait` return.
    ended_waits: watch::Sender<bool>,
    rejected: Arc<RejectedFrames>,
}

/// A call that runs.
struct Running(watch::Sender<Vec<u64>>, u64);

struct Admitted(Components);

impl Components {
    fn new() -> Self {
        Self {
            running: watch::Sender::default(),
            ended_waits: watch::Sender::default(),
            rejected: Arc::default(),
        }
    }

    async fn make(&self, request: &Request<'_>) -> Vec<u8> {
        self.running
            .send_modify(|running| running.push(request.call));
        let _running = Running(self.running.clone(), request.call);
        match request.target.function {
            "echo" => reply_frame(request, None, &Ok(request.payload.to_vec())),
            "wait" => {
                let mut waits = self.ended_waits.subscribe();
                let _ = waits.wait_for(|has_ended| *has_ended).await;
                reply_frame(request, None, &Ok(request.payload.to_vec()))
            }
            _ => pending().await,
        }
    }

    fn end_waits(&self) {
        self.ended_waits.send_replace(true);
    }

    /// Waits until so many calls run, and returns their numbers.
    async fn wait_for_running(&self, count: usize) -> Vec<u64> {
        self.wait_for(|running| running.len() == count).await
    }

    async fn wait_for(&self, is_reached: impl FnMut(&Vec<u64>) -> bool) -> Vec<u64> {
        let mut running = self.running.subscribe();
        let reached = timeout(WAIT_MAX, running.wait_for(is_reached)).await;
        reached.unwrap().unwrap().clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Self(running, ended) = self;
        running.send_modify(|running| running.retain(|call| call != ended));
    }
}

#[async_trait]
impl CallServer for Components {
    fn answer<'a>(&'a self, frame: &'a [u8]) -> BoxFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let Ok(Frame::Request(request)) = Frame::decode(frame) else {
                return None;
            };
            match self.admit(&request) {
                Ok(call) => Some(call.make(&request).await),
                Err(failure) => Some(reply_frame(&request, None, &Err(failure))),
            }
        })
    }

    fn receive(&self, _frame: &[u8]) {}

    fn admit(&self, head: &Request<'_>) -> Result<Box<dyn AdmittedCall>, LinkFailure> {
        match head.target.function {
            "busy" => Err(LinkFailure::new(FailureCode::Busy, "the component is full")),
            _ => Ok(Box::new(Admitted(self.clone()))),
        }
    }

    fn rejected(&self) -> &Arc<RejectedFrames> {
        &self.rejected
    }

    fn drop_expired(&self) {}
}

#[async_trait]
impl AdmittedCall for Admitted {
    fn deadline(&self) -> Instant {
        Instant::now() + DEADLINE
    }

    async fn make(self: Box<Self>, request: &Request<'_>) -> Vec<u8> {
        self.0.make(request).await
    }

    async fn serve_streams(
        self: Box<Self>,
        side: Arc<CallSide>,
        request: &Request<'_>,
        reply: oneshot::Sender<Answer<CallEnd>>,
    ) {
        if request.target.function == "relay" {
            let (receiver, (_, sender)) = (side.take(0).unwrap(), side.give(Kind::Stream));
            let frame = reply_frame(request, None, &Ok(Vec::new()));
            let _ = reply.send(Answer::Streaming(frame));
            return relay(receiver, sender).await;
        }
        let frame = self.0.make(request).await;
        let _ = reply.send(Answer::Ended(CallEnd::Frame(frame)));
    }
}

/// Writes the chunks of one stream to another.
async fn relay(receiver: Receiver, sender: Sender) {
    while let Ok(chunk) = poll_fn(|context| receiver.poll_chunk(context)).await {
        write(&sender, chunk.clone()).await;
        receiver.consumed(chunk.len());
    }
}

async fn write(sender: &Sender, chunk: Vec<u8>) {
    let credit = poll_fn(|context| sender.poll_credit(context)).await;
    credit.expect("the reader exists");
    sender.send(chunk);
}

/// Two hosts: one calls, the other runs the components.
struct Pair {
    network: LocalNetwork,
    client: CallClient,
    components: Components,
    /// The claim checks of the callee's host.
    callee_claims: ClaimChecks,
    tasks: HostTasks,
    stop: CancellationToken,
    _membership: watch::Sender<Arc<crate::membership_task::MembershipSnapshot>>,
    _table: watch::Sender<Arc<weft_membership::routing::Table>>,
}

impl Pair {
    async fn new() -> Self {
        let network = LocalNetwork::new(LocalOptions {
            max_payload: MAX_PAYLOAD,
            ..LocalOptions::default()
        });
        let (tasks, stop) = (HostTasks::default(), CancellationToken::new());
        let components = Components::new();
        let callee_claims = serve(&network, ("callee", 1), &components, &tasks, &stop).await;

        let mut membership = TestMembership::new();
        let mut others = [host(OTHER, 1)];
        membership.advance(Duration::from_secs(3), &mut others);
        membership.receive_inventory(&others[0]);
        let mut tables = Router::new(OWN);
        tables.refresh(membership.own.view());
        let table = watch::Sender::new(tables.table());
        let snapshots = watch::Sender::new(membership.snapshot());

        let scope = Scope::new("test").unwrap();
        let bus = network.join("caller", &scope).lane(Lane::Calls);
        let subjects = subjects(&scope, OWN);
        let own = subjects.of_process(1).unwrap();
        let claim_checks = ClaimChecks::new(bus.clone(), subjects.clone(), OWN);
        let fetches = bus.subscribe(&own.claims).await;
        let (store, rejected) = (claim_checks.store.clone(), Arc::default());
        tasks.spawn(claim_check::serve(fetches, bus.clone(), store, rejected));
        let channels = BusChannels::new(
            bus.clone(),
            subjects.clone(),
            claim_checks.clone(),
            tasks.clone(),
        );
        let messages = channels.subscribe(&own).await;
        let none = server(&Components::new(), &claim_checks, &tasks);
        tasks.spawn(channels.serve(messages, none, stop.clone()));
        let router = CallRouter::new(table.subscribe(), bus.status(), Clock::start(), 0);
        let client = CallClient {
            bus,
            subjects,
            router,
            membership: snapshots.subscribe(),
            claim_checks,
            tasks: tasks.clone(),
            channels,
        };
        Self {
            network,
            client,
            components,
            callee_claims,
            tasks,
            stop,
            _membership: snapshots,
            _table: table,
        }
    }

    /// Makes a unary call, and returns its result.
    async fn call(&self, function: &str, payload: &[u8]) -> Result<Bytes, LinkFailure> {
        self.make_unary(outgoing(function, payload)).await
    }

    async fn make_unary(&self, call: OutgoingCall) -> Result<Bytes, LinkFailure> {
        let (frame, host) = self.client.exchange(&call, None).await?;
        assert_eq!(host, OTHER);
        result(&frame).map(Bytes::from)
    }

    /// Makes a streaming call, and returns its result.
    async fn call_streaming(&self, function: &str, payload: &[u8]) -> Result<Bytes, LinkFailure> {
        self.make_streaming(outgoing(function, payload)).await
    }

    async fn make_streaming(&self, call: OutgoingCall) -> Result<Bytes, LinkFailure> {
        let (_side, remote) = CallSide::with_remote(Role::Importer, call.number);
        let (sender, reply) = oneshot::channel();
        let callback = Box::new(move |reply| drop(sender.send(reply)));
        self.client.call_streaming(call, remote, callback).await;
        let frame = reply.await.expect("a reply")?;
        result(&frame).map(Bytes::from)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.stop.cancel();
        self.tasks.tracker().close();
    }
}

/// Runs a process of the callee's host, with its name and incarnation, and returns its claim
/// checks.
async fn serve(
    network: &LocalNetwork,
    (name, incarnation): (&str, u64),
    components: &Components,
    tasks: &HostTasks,
    stop: &CancellationToken,
) -> ClaimChecks {
    let scope = Scope::new("test").unwrap();
    let bus = network.join(name, &scope).lane(Lane::Calls);
    let subjects = subjects(&scope, OTHER);
    let own = subjects.of_process(incarnation).unwrap();
    let claim_checks = ClaimChecks::new(bus.clone(), subjects.clone(), OTHER);
    let fetches = bus.subscribe(&own.claims).await;
    let (store, rejected) = (claim_checks.store.clone(), components.rejected.clone());
    tasks.spawn(claim_check::serve(fetches, bus.clone(), store, rejected));
    let listener = CallListener {
        bus: bus.clone(),
        server: Arc::new(components.clone()),
        claim_checks: claim_checks.clone(),
        running: Arc::default(),
        tasks: tasks.clone(),
    };
    let calls = bus.subscribe(&own.calls).await;
    tasks.spawn(listener.run(calls, stop.clone()));
    let channels = BusChannels::new(
        bus.clone(),
        subjects.clone(),
        claim_checks.clone(),
        tasks.clone(),
    );
    let messages = channels.subscribe(&own).await;
    let streams = server(components, &claim_checks, tasks);
    tasks.spawn(channels.serve(messages, streams, stop.clone()));
    claim_checks
}

fn server(components: &Components, claim_checks: &ClaimChecks, tasks: &HostTasks) -> StreamServer {
    StreamServer {
        server: Arc::new(components.clone()),
        http: ForwardedRequests {
            find: Arc::new(|_, _| None),
            tasks: tasks.tracker().clone(),
        },
        claim_checks: claim_checks.clone(),
    }
}

fn request(call: u64, function: &str, payload: &[u8]) -> Vec<u8> {
    encoded(&Frame::Request(Request {
        call,
        session: None,
        target: Target {
            app: "shop",
            component: "cart",
            interface: "shop:cart/carts",
            function,
        },
        deadline_ms: u32::try_from(DEADLINE.as_millis()).unwrap(),
        depth: 0,
        trace: None,
        importer: Importer {
            app: "shop",
            component: "storefront",
        },
        payload,
    }))
}

fn outgoing(function: &str, payload: &[u8]) -> OutgoingCall {
    let number = number_call();
    OutgoingCall {
        number,
        target: Arc::new(cart()),
        frame: request(number, function, payload).into(),
        deadline: Instant::now() + DEADLINE,
        is_idempotent: false,
    }
}

fn result(frame: &[u8]) -> Result<Vec<u8>, LinkFailure> {
    match Frame::decode(frame) {
        Ok(Frame::Reply(Reply { outcome, .. })) => outcome.map(<[u8]>::to_vec),
        other => panic!("expected a reply, found {other:?}"),
    }
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

#[tokio::test]
async fn a_call_returns_the_result_of_the_other_host_whatever_its_size() {
    let pair = Pair::new().await;
    for length in [0, 1, MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, LARGE] {
        let payload = bytes(length);
        let unary = timeout(WAIT_MAX, pair.call("echo", &payload))
            .await
            .unwrap();
        assert_eq!(unary.unwrap(), payload, "unary, {length} bytes");
        let streaming = timeout(WAIT_MAX, pair.call_streaming("echo", &payload)).await;
        assert_eq!(
            streaming.unwrap().unwrap(),
            payload,
            "streaming, {length} bytes"
        );
    }
}

#[tokio::test]
async fn a_stream_has_chunks_of_any_size_in_their_order() {
    let pair = Pair::new().await;
    let call = outgoing("relay", b"");
    let (side, remote) = CallSide::with_remote(Role::Importer, call.number);
    let (_, sender) = side.give(Kind::Stream);
    let (replied, reply) = oneshot::channel();
    let callback = Box::new(move |reply| drop(replied.send(reply)));
    let call = pair.client.call_streaming(call, remote, callback);
    let streams = async {
        reply.await.unwrap().unwrap();
        let receiver = side.take(1).unwrap();
        drop(side);
        let lengths = [1, MAX_PAYLOAD, LARGE, 2, LARGE, MAX_PAYLOAD - 1, LARGE + 1];
        let written = async {
            for length in lengths {
                write(&sender, bytes(length)).await;
            }
            drop(sender);
        };
        let read = async {
            for length in lengths {
                let chunk = poll_fn(|context| receiver.poll_chunk(context)).await;
                assert_eq!(chunk.unwrap(), bytes(length), "{length} bytes");
                receiver.consumed(length);
            }
            let end = poll_fn(|context| receiver.poll_chunk(context)).await;
            assert_eq!(end, Err(Ended::Complete));
            drop(receiver);
        };
        tokio::join!(written, read);
    };
    let both = async { tokio::join!(call, streams) };
    timeout(WAIT_MAX, both).await.unwrap();
}

#[tokio::test]
async fn an_offloaded_chunk_is_fetched_from_the_other_end_of_its_channel_only() {
    let pair = Pair::new().await;
    let scope = Scope::new("test").unwrap();
    let stranger = HostId::from_key([9; 32]);
    let bus = pair.network.join("stranger", &scope).lane(Lane::Calls);
    let own = subjects(&scope, stranger).of_process(1).unwrap();
    let mut messages = bus.subscribe(&own.callee_ends).await;
    let mut channel = pair.client.channels.open(stranger, 1).unwrap();
    channel.send(Bytes::new()).await.unwrap();
    let opened = messages.next_message().await.unwrap();
    let chunk = encoded(&Frame::Chunk(Chunk {
        call: 1,
        stream: 1,
        payload: &bytes(LARGE),
    }));
    // A claim on a frame of the callee's host, announced by the stranger.
    let announced = pair.callee_claims.offload(chunk.into()).unwrap();
    let caller_end = opened.reply.unwrap();
    let sent = bus.publish(&caller_end, Some(&opened.subject), announced.message);
    sent.await.unwrap();
    let received = timeout(WAIT_MAX, channel.receive()).await.unwrap();
    assert!(matches!(received, Received::Gap), "{received:?}");
}

#[tokio::test]
async fn a_call_that_every_host_rejects_fails_with_the_code_of_the_last() {
    let pair = Pair::new().await;
    for length in [1, LARGE] {
        let payload = bytes(length);
        let unary = pair.call("busy", &payload).await.unwrap_err();
        assert_eq!(unary.code(), FailureCode::Busy);
        let streaming = pair.call_streaming("busy", &payload).await.unwrap_err();
        assert_eq!(streaming.code(), FailureCode::Busy);
    }
    pair.components.wait_for_running(0).await;
}

#[tokio::test]
async fn a_call_whose_caller_is_gone_ends_at_its_callee() {
    let pair = Pair::new().await;
    for length in [1, LARGE] {
        let payload = bytes(length);
        let call = outgoing("hang", &payload);
        let exchange = pair.client.exchange(&call, None);
        tokio::select! {
            _ = exchange => panic!("the call does not return"),
            _ = pair.components.wait_for_running(1) => {}
        }
        pair.components.wait_for_running(0).await;

        let call = outgoing("hang", &payload);
        let (side, remote) = CallSide::with_remote(Role::Importer, call.number);
        let call = pair.client.call_streaming(call, remote, Box::new(drop));
        tokio::select! {
            () = call => panic!("the call does not return"),
            _ = pair.components.wait_for_running(1) => {}
        }
        drop(side);
        pair.components.wait_for_running(0).await;
    }
}

#[tokio::test]
async fn a_call_that_its_caller_waits_for_is_not_ended_by_the_end_of_another() {
    let pair = Pair::new().await;
    let (gone, waiting) = (outgoing("hang", b"a"), outgoing("hang", b"b"));
    let waits = pair.client.exchange(&waiting, None);
    let ended = async {
        tokio::select! {
            _ = pair.client.exchange(&gone, None) => panic!("the call does not return"),
            _ = pair.components.wait_for_running(2) => {}
        }
        pair.components.wait_for_running(1).await;
    };
    tokio::select! {
        _ = waits => panic!("the call does not return"),
        () = ended => {}
    }
}

#[tokio::test]
async fn a_call_whose_bus_is_lost_fails_without_its_deadline() {
    for is_streaming in [false, true] {
        let pair = Pair::new().await;
        let call = async {
            match is_streaming {
                false => pair.call("hang", b"a").await,
                true => pair.call_streaming("hang", b"a").await,
            }
        };
        let cut = async {
            pair.components.wait_for_running(1).await;
            pair.network.disconnect("caller");
            pair.network.connect("caller");
        };
        let both = async { tokio::join!(call, cut) };
        let (result, ()) = timeout(WAIT_MAX, both).await.unwrap();
        let code = result.unwrap_err().code();
        assert_eq!(
            code,
            FailureCode::MaybeExecuted,
            "streaming: {is_streaming}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_of_a_call_that_runs_outlasts_the_loss_of_the_bus() {
    for is_streaming in [false, true] {
        for cut in [
            &["callee"][..],
            &["callee", "caller"],
            &["caller", "callee"],
        ] {
            let pair = Pair::new().await;
            let call = async {
                match is_streaming {
                    false => pair.call("wait", b"a").await,
                    true => pair.call_streaming("wait", b"a").await,
                }
            };
            let outage = async {
                pair.components.wait_for_running(1).await;
                cut.iter().for_each(|host| pair.network.disconnect(host));
                pair.components.end_waits();
                pair.components.wait_for_running(0).await;
                for host in cut {
                    tokio::time::sleep(RECONNECT_PAUSE_MAX / 2).await;
                    pair.network.connect(host);
                }
            };
            let both = async { tokio::join!(call, outage) };
            let (result, ()) = timeout(WAIT_MAX, both).await.unwrap();
            let context = format!("streaming: {is_streaming}, cut: {cut:?}");
            assert_eq!(result.expect(&context), b"a"[..], "{context}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_reaches_a_host_that_returns_later() {
    for is_streaming in [false, true] {
        let pair = Pair::new().await;
        pair.network.disconnect("callee");
        let call = async {
            match is_streaming {
                false => pair.call("echo", b"a").await,
                true => pair.call_streaming("echo", b"a").await,
            }
        };
        let back = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            pair.network.connect("callee");
            Instant::now()
        };
        let (result, returned) = tokio::join!(call, back);
        assert_eq!(result.unwrap(), b"a"[..], "streaming: {is_streaming}");
        assert!(returned.elapsed() < Duration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_to_a_certain_host_waits_for_the_bus() {
    let pair = Pair::new().await;
    pair.network.disconnect("caller");
    let call = outgoing("echo", b"a");
    let exchange = pair.client.exchange(&call, Some(OTHER));
    let back = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        pair.network.connect("caller");
    };
    let (reply, ()) = tokio::join!(exchange, back);
    let (frame, host) = reply.unwrap();
    assert_eq!((result(&frame).unwrap(), host), (b"a".to_vec(), OTHER));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_was_opened_after_the_return_has_no_gap() {
    let pair = Pair::new().await;
    pair.network.disconnect("caller");
    pair.network.connect("caller");
    // The task that delivers to the channels has not run yet.
    let mut channel = pair.client.channels.open(OTHER, 1).unwrap();
    channel.send(Bytes::new()).await.unwrap();
    let received = timeout(WAIT_MAX, channel.receive()).await;
    assert!(received.is_err(), "{received:?}");
}

#[tokio::test]
async fn the_end_of_an_attempt_does_not_end_a_later_one_at_the_same_host() {
    for is_streaming in [false, true] {
        let pair = Pair::new().await;
        let call = OutgoingCall {
            is_idempotent: true,
            ..outgoing("hang", b"a")
        };
        let call = async {
            match is_streaming {
                false => pair.make_unary(call).await,
                true => pair.make_streaming(call).await,
            }
        };
        // The reply of the first attempt is lost: it is cancelled, and the call sent again.
        let retried = async {
            let first = pair.components.wait_for_running(1).await;
            pair.network.disconnect("caller");
            pair.network.connect("caller");
            let is_retry = |running: &Vec<u64>| running.len() == 1 && *running != first;
            pair.components.wait_for(is_retry).await;
        };
        tokio::select! {
            _ = call => panic!("the call does not return"),
            () = retried => {}
        }
    }
}

#[tokio::test]
async fn a_call_to_a_host_without_listeners_does_not_run() {
    let pair = Pair::new().await;
    let stranger = HostId::from_key([9; 32]);
    let call = outgoing("echo", b"a");
    let failure = pair
        .client
        .exchange(&call, Some(stranger))
        .await
        .unwrap_err();
    assert_eq!(failure.code(), FailureCode::Unreachable);
}

#[tokio::test]
async fn a_call_runs_in_one_of_two_processes_of_its_host() {
    let pair = Pair::new().await;
    let twin = Components::new();
    let twin_runs = twin.running.subscribe();
    serve(&pair.network, ("twin", 2), &twin, &pair.tasks, &pair.stop).await;
    for length in [1, LARGE] {
        let payload = bytes(length);
        let (unary, streaming) = (outgoing("hang", &payload), outgoing("hang", &payload));
        let (side, remote) = CallSide::with_remote(Role::Importer, streaming.number);
        let streaming = pair
            .client
            .call_streaming(streaming, remote, Box::new(drop));
        tokio::select! {
            _ = pair.client.exchange(&unary, None) => panic!("the call does not return"),
            () = streaming => panic!("the call does not return"),
            _ = pair.components.wait_for_running(2) => {}
        }
        drop(side);
        pair.components.wait_for_running(0).await;
        assert!(!twin_runs.has_changed().unwrap());
    }
}
