//! Channels over the bus: frames in both directions between two hosts, about one call.
//!
//! Each end of a channel has its own subject, made of the host, a random token chosen by the
//! caller, and the name of the end. The caller sends the first frame to the callee end of the other
//! host with its own end as the reply subject. So each end has the address of the other, and the
//! frames of one direction arrive in order. A message without a reply subject is the last one.
//!
//! All frames of an end go over the connection that is subscribed to it: the server reports a
//! missing listener there, and an end whose subscription is not back sends nothing that asks for a
//! reply. The ends that this host opens and those that others open are two subscriptions, to use
//! two connections.
//!
//! A stream frame that exceeds a message goes through [`claim_check`](crate::claim_check). The
//! receiving end fetches it before the frames after it, so the order stays.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weft_bus::{Bounds, Bus, Delivery, Gap, Message, PublishError, Status, Subject, Subscription};
use weft_membership::HostId;
use weft_telemetry::chain;
use weft_wire::{Abandon, Envelope, Frame, Kind};

use crate::bus_return;
use crate::claim_check::{ClaimChecks, OutgoingMessage};
use crate::host_tasks::HostTasks;
use crate::stream_server::StreamServer;
use crate::subjects::{ChannelEnd, ProcessPatterns, Subjects};

/// The most bytes that are queued for one end of a channel, with [`MESSAGE_OVERHEAD`] for each
/// message. Flow control keeps an honest host far below it; the channel of a host that sends more
/// is closed.
const QUEUED_BYTES_MAX: usize = 16 << 20;

/// The most messages that are queued for all channels together, before each goes to its own: the
/// window of one stream is in bytes, and has as many chunks of one small element.
const QUEUED_MESSAGES_MAX: usize = 131_072;

/// The memory of a queued message beside its payload.
const MESSAGE_OVERHEAD: usize = 128;

/// The most channels at once, counting both ends: as many as calls.
const CHANNELS_MAX: usize = 10_000;

/// The channels of this host. Cheap to clone.
#[derive(Clone)]
pub(super) struct BusChannels(Arc<Shared>);

struct Shared {
    bus: Bus,
    subjects: Subjects,
    claim_checks: ClaimChecks,
    /// By the subject of this host's end.
    inboxes: Mutex<HashMap<Subject, Inbox>>,
    /// Owns the tasks that send abandon frames.
    tasks: HostTasks,
}

/// The queue of one end.
struct Inbox {
    sender: mpsc::UnboundedSender<Received>,
    queued_bytes: Arc<AtomicUsize>,
    end: ChannelEnd,
    opened: Instant,
}

/// An event at one end of a channel.
#[derive(Debug)]
pub(super) enum Received {
    Frame {
        bytes: Bytes,
        is_last: bool,
    },
    /// The other host has no subscription for the channel.
    NoListener,
    /// The connection was lost and has returned: frames that were sent in between are missing.
    Reconnected,
    /// Frames are missing: the queue overflowed, or a frame was not fetched.
    Gap,
}

/// The subscriptions to this host's ends.
pub(super) struct ChannelSubscriptions {
    caller_ends: Subscription,
    callee_ends: Subscription,
}

/// One end of a channel. Dropping it before the call is over sends an abandon frame.
pub(super) struct Channel {
    channels: BusChannels,
    /// Sends over the connection that is subscribed to `local`.
    bus: Bus,
    local: Subject,
    remote: Subject,
    remote_host: HostId,
    received: mpsc::UnboundedReceiver<Received>,
    queued_bytes: Arc<AtomicUsize>,
    /// The call in the abandon frame that `drop` sends; `None` to send none.
    abandon_on_drop: Option<u64>,
    /// The offloaded frame of the other end that is being fetched.
    fetching: Option<BoxFuture<'static, Received>>,
    /// The waits until the other end has fetched the offloaded frames of this end. They are stored
    /// until then: credit bounds them for each stream, and the room of claim checks for the host.
    unfetched: FuturesUnordered<BoxFuture<'static, ()>>,
}

/// A channel opened by another host, with its first frame.
pub(super) struct Accepted {
    pub(super) channel: Channel,
    pub(super) frame: Bytes,
}

impl BusChannels {
    pub(super) fn new(
        bus: Bus,
        subjects: Subjects,
        claim_checks: ClaimChecks,
        tasks: HostTasks,
    ) -> Self {
        Self(Arc::new(Shared {
            bus,
            subjects,
            claim_checks,
            inboxes: Mutex::default(),
            tasks,
        }))
    }

    /// Opens a channel to a host for a call; sends nothing yet. `None` if there are too many
    /// channels.
    pub(super) fn open(&self, host: HostId, call: u64) -> Option<Channel> {
        let mut token = [0; 12];
        // Without randomness two hosts could choose the same channel.
        getrandom::fill(&mut token).ok()?;
        let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        let subjects = &self.0.subjects;
        let local = subjects.own_channel(&token, ChannelEnd::Caller)?;
        let remote = subjects.channel_of(host, &token, ChannelEnd::Callee)?;
        self.register(ChannelEnd::Caller, local, (remote, host), Some(call))
    }

    /// Subscribes to the ends of a process of this host.
    pub(super) async fn subscribe(&self, process: &ProcessPatterns) -> ChannelSubscriptions {
        let bus = &self.0.bus;
        let bounds = Bounds {
            messages: QUEUED_MESSAGES_MAX,
            ..Bounds::default()
        };
        ChannelSubscriptions {
            caller_ends: bus.subscribe_within(&process.caller_ends, bounds).await,
            callee_ends: bus.subscribe_within(&process.callee_ends, bounds).await,
        }
    }

    /// Delivers messages to this host's ends and serves the channels that other hosts open, until
    /// `stop`.
    pub(super) fn serve(
        &self,
        mut messages: ChannelSubscriptions,
        server: StreamServer,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let channels = self.clone();
        async move {
            loop {
                let delivery = stop.run_until_cancelled(messages.next()).await;
                let Some(Some((end, delivery))) = delivery else {
                    return;
                };
                if let Some(accepted) = channels.dispatch(end, delivery) {
                    channels.0.tasks.spawn(server.clone().serve(accepted));
                }
            }
        }
    }

    fn dispatch(&self, end: ChannelEnd, delivery: Delivery) -> Option<Accepted> {
        match delivery {
            Delivery::Message(message) => return self.deliver(message),
            Delivery::NoResponders { subject } => self.enqueue(&subject, Received::NoListener, 0),
            Delivery::Gap(gap) => self.mark_gap(end, gap),
        }
        None
    }

    /// Reports missing messages to the ends that may have missed some.
    fn mark_gap(&self, end: ChannelEnd, gap: Gap) {
        tracing::debug!(
            ?end,
            ?gap,
            "the bus lost messages of channels to other hosts"
        );
        let since = match *self.0.bus.status().borrow() {
            Status::Connected { since } => Some(since),
            Status::Disconnected { .. } => None,
        };
        // A channel that was opened since the return has missed nothing, although this host may
        // learn of the gap only now.
        let is_affected = |inbox: &&Inbox| {
            inbox.end == end
                && (gap != Gap::Reconnected || since.is_none_or(|since| inbox.opened < since))
        };
        for inbox in self.inboxes().values().filter(is_affected) {
            // The receiving end may be dropped already.
            let _ = inbox.sender.send(match gap {
                Gap::Reconnected => Received::Reconnected,
                Gap::Overflow { .. } => Received::Gap,
            });
        }
    }

    fn deliver(&self, message: Message) -> Option<Accepted> {
        let Message {
            subject,
            reply,
            payload,
        } = message;
        let is_known = self.inboxes().contains_key(&subject);
        if is_known {
            let size = payload.len();
            let is_last = reply.is_none();
            let received = Received::Frame {
                bytes: payload,
                is_last,
            };
            self.enqueue(&subject, received, size);
            return None;
        }
        let reply = reply?;
        let host = Subjects::caller_of(&reply)?;
        if !self.0.subjects.is_own_callee_end(&subject) {
            // A late frame of a channel that is closed.
            return None;
        }
        Some(Accepted {
            channel: self.register(ChannelEnd::Callee, subject, (reply, host), None)?,
            frame: payload,
        })
    }

    fn enqueue(&self, subject: &Subject, received: Received, size: usize) {
        let mut inboxes = self.inboxes();
        let Some(inbox) = inboxes.get(subject) else {
            return;
        };
        let size = size + MESSAGE_OVERHEAD;
        if inbox.queued_bytes.fetch_add(size, Ordering::Relaxed) + size <= QUEUED_BYTES_MAX {
            // The receiving end may be dropped already.
            let _ = inbox.sender.send(received);
        } else if let Some(inbox) = inboxes.remove(subject) {
            tracing::warn!(%subject, "the queue of a channel overflowed; the channel is closed");
            let _ = inbox.sender.send(Received::Gap);
        }
    }

    fn register(
        &self,
        end: ChannelEnd,
        local: Subject,
        (remote, remote_host): (Subject, HostId),
        abandon_on_drop: Option<u64>,
    ) -> Option<Channel> {
        let (sender, received) = mpsc::unbounded_channel();
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let mut inboxes = self.inboxes();
        if inboxes.len() >= CHANNELS_MAX {
            tracing::warn!(
                limit = CHANNELS_MAX,
                "too many channels; a new one is rejected"
            );
            return None;
        }
        let inbox = Inbox {
            sender,
            queued_bytes: queued_bytes.clone(),
            end,
            opened: Instant::now(),
        };
        inboxes.insert(local.clone(), inbox);
        drop(inboxes);
        Some(Channel {
            channels: self.clone(),
            bus: self.0.bus.beside(&local),
            local,
            remote,
            remote_host,
            received,
            queued_bytes,
            abandon_on_drop,
            fetching: None,
            unfetched: FuturesUnordered::new(),
        })
    }

    fn inboxes(&self) -> MutexGuard<'_, HashMap<Subject, Inbox>> {
        // The code under the lock does not panic.
        self.0
            .inboxes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChannelSubscriptions {
    /// The next delivery, and the end that it is for; `None` if the bus was closed. Cancel-safe.
    async fn next(&mut self) -> Option<(ChannelEnd, Delivery)> {
        tokio::select! {
            biased;
            delivery = self.caller_ends.next() => Some((ChannelEnd::Caller, delivery?)),
            delivery = self.callee_ends.next() => Some((ChannelEnd::Callee, delivery?)),
        }
    }
}

impl Channel {
    /// Returns the next event. Cancel-safe: dropping the future loses no event.
    pub(super) async fn receive(&mut self) -> Received {
        loop {
            if let Some(fetching) = &mut self.fetching {
                let received = fetching.await;
                self.fetching = None;
                return received;
            }
            let received = tokio::select! {
                biased;
                received = self.received.recv() => received.unwrap_or(Received::Gap),
                Some(()) = self.unfetched.next() => continue,
            };
            let Received::Frame { bytes, is_last } = received else {
                return received;
            };
            let size = bytes.len() + MESSAGE_OVERHEAD;
            self.queued_bytes.fetch_sub(size, Ordering::Relaxed);
            if !is_offloaded_stream_frame(&bytes) {
                return Received::Frame { bytes, is_last };
            }
            self.fetching = Some(self.fetch(bytes, is_last));
        }
    }

    /// Fetches the frame of which a message announces the first part.
    fn fetch(&self, message: Bytes, is_last: bool) -> BoxFuture<'static, Received> {
        let (claim_checks, host) = (self.channels.0.claim_checks.clone(), self.remote_host);
        Box::pin(async move {
            match claim_checks.stream_frame(host, &message).await {
                Ok(bytes) => Received::Frame { bytes, is_last },
                Err(error) => {
                    let (host, reason) = (host.short(), chain(&error));
                    tracing::debug!(host, reason, "a large frame of a stream was not fetched");
                    Received::Gap
                }
            }
        })
    }

    /// Sends a message that others may follow.
    ///
    /// # Errors
    /// If the message was not sent.
    pub(super) async fn send(
        &mut self,
        outgoing: impl Into<OutgoingMessage>,
    ) -> Result<(), PublishError> {
        let OutgoingMessage { message, fetched } = outgoing.into();
        self.unfetched.extend(fetched);
        let sent = self.bus.publish(&self.remote, Some(&self.local), message);
        sent.await
    }

    /// Sends a reply that frames of streams follow, once the bus is there.
    ///
    /// # Errors
    /// If the reply was not sent by `deadline`.
    pub(super) async fn send_reply(
        &mut self,
        reply: OutgoingMessage,
        deadline: Instant,
    ) -> Result<(), PublishError> {
        self.unfetched.extend(reply.fetched);
        let (to, from) = (&self.remote, Some(&self.local));
        let sent = self.bus.publish_until(to, from, reply.message, deadline);
        sent.await
    }

    /// Sends a frame of a stream, whatever its size. Returns whether it was sent.
    pub(super) async fn send_stream_frame(&mut self, frame: Vec<u8>) -> bool {
        match self.channels.0.claim_checks.offload(frame.into()) {
            Ok(outgoing) => self.send(outgoing).await.is_ok(),
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(error, "a large frame of a stream was not sent");
                false
            }
        }
    }

    /// Sends a reply that is the last frame of this end, once the bus is there, and waits until it
    /// was fetched.
    ///
    /// # Errors
    /// If the reply was not sent by `deadline`.
    pub(super) async fn send_last(
        &mut self,
        reply: OutgoingMessage,
        deadline: Instant,
    ) -> Result<(), PublishError> {
        self.abandon_on_drop = None;
        self.unfetched.extend(reply.fetched);
        bus_return::send_reply(&self.bus, &self.remote, reply.message, deadline).await?;
        self.until_fetched().await;
        Ok(())
    }

    /// Waits until the other end has fetched all frames of this end, or does not fetch in time.
    pub(super) async fn until_fetched(&mut self) {
        while self.unfetched.next().await.is_some() {}
    }

    /// Sets the call in the abandon frame that `drop` sends; `None` to send none.
    pub(super) fn abandon_on_drop(&mut self, call: Option<u64>) {
        self.abandon_on_drop = call;
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.channels.inboxes().remove(&self.local);
        let Some(call) = self.abandon_on_drop else {
            return;
        };
        let mut frame = Vec::new();
        if Frame::Abandon(Abandon { call }).encode(&mut frame).is_err() {
            return;
        }
        let (bus, remote) = (self.bus.clone(), self.remote.clone());
        self.channels.0.tasks.spawn(async move {
            // A lost abandon frame is made up for by the deadline of the other end.
            let _ = bus.publish(&remote, None, Bytes::from(frame)).await;
        });
    }
}

/// True if a message announces a frame of a stream.
fn is_offloaded_stream_frame(message: &[u8]) -> bool {
    let kind = |frame| Envelope::open(frame).map(|envelope| envelope.kind());
    if kind(message) != Ok(Kind::Held) {
        return false;
    }
    match Frame::decode(message) {
        Ok(Frame::Held(held)) => matches!(kind(held.bytes), Ok(Kind::Chunk | Kind::HttpTrailers)),
        _ => false,
    }
}
