//! Conversations over the bus: frames both ways between two hosts, about one call.
//!
//! Each end of a conversation has a subject of its own, made of the host, a token that whoever asks draws at
//! random, and which end it is. Who asks sends the first frame to the answering end of the other host, and
//! names its own end as the place to answer to; so each knows where the other listens, and the frames of one
//! direction have one order. A message that names no place to answer to is the last one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use weft_bus::{Bus, Delivery, Message, PublishError, Subject, Subscription};
use weft_membership::HostId;
use weft_wire::{Abandon, Frame};

use crate::stream_server::StreamServer;
use crate::subjects::{ChannelEnd, Subjects};

/// What may wait for one end of a conversation, with [`MESSAGE_OVERHEAD`] for each message. Credit bounds what
/// an honest host sends far below; one that sends more is not listened to any longer.
const QUEUED_BYTES_MAX: usize = 16 << 20;

/// What a message takes beside its payload.
const MESSAGE_OVERHEAD: usize = 128;

/// The most conversations at once, of both ends: as many as calls.
const CHANNELS_MAX: usize = 10_000;

/// The conversations of this host.
#[derive(Clone)]
pub(super) struct BusChannels(Arc<Shared>);

struct Shared {
    bus: Bus,
    subjects: Subjects,
    /// By the subject of this host's end.
    inboxes: Mutex<HashMap<Subject, Inbox>>,
    /// Owns the tasks that say that an end is gone.
    tasks: TaskTracker,
}

/// Where messages for one end go.
struct Inbox {
    sender: mpsc::UnboundedSender<Received>,
    queued_bytes: Arc<AtomicUsize>,
}

/// What one end of a conversation hears.
#[derive(Debug)]
pub(super) enum Received {
    Frame {
        bytes: Bytes,
        /// Whether this is the last one.
        is_last: bool,
    },
    /// Nobody listens at the other end.
    NoListener,
    /// Something may be missing: the connection was lost, or too much came at once.
    Gap,
}

/// One end of a conversation. Dropped before it is over, it tells the other end.
pub(super) struct Channel {
    channels: BusChannels,
    local: Subject,
    remote: Subject,
    received: mpsc::UnboundedReceiver<Received>,
    queued_bytes: Arc<AtomicUsize>,
    /// The number of the call, for the frame that says that this end is gone; none if that need not be said.
    abandon_on_drop: Option<u64>,
}

/// A conversation that another host began.
pub(super) struct Accepted {
    pub(super) channel: Channel,
    pub(super) frame: Bytes,
}

impl BusChannels {
    pub(super) fn new(bus: Bus, subjects: Subjects, tasks: TaskTracker) -> Self {
        Self(Arc::new(Shared {
            bus,
            subjects,
            inboxes: Mutex::default(),
            tasks,
        }))
    }

    /// Opens a conversation with a host about a call; nothing is sent yet. None if there are too many.
    pub(super) fn open(&self, host: HostId, call: u64) -> Option<Channel> {
        let mut token = [0; 12];
        // Without randomness two hosts could mean the same conversation.
        getrandom::fill(&mut token).ok()?;
        let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        let subjects = &self.0.subjects;
        let local = subjects.own_channel(&token, ChannelEnd::Caller)?;
        let remote = subjects.channel_of(host, &token, ChannelEnd::Callee)?;
        self.register(local, remote, Some(call))
    }

    /// Hands on what comes to this host's ends, and serves what other hosts begin, until `stop`.
    pub(super) fn serve(
        &self,
        mut messages: Subscription,
        server: StreamServer,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let channels = self.clone();
        async move {
            loop {
                let delivery = tokio::select! {
                    delivery = messages.next() => delivery,
                    () = stop.cancelled() => return,
                };
                let Some(delivery) = delivery else { return };
                if let Some(accepted) = channels.dispatch(delivery) {
                    channels.0.tasks.spawn(server.clone().serve(accepted));
                }
            }
        }
    }

    fn dispatch(&self, delivery: Delivery) -> Option<Accepted> {
        match delivery {
            Delivery::Message(message) => return self.deliver(message),
            Delivery::NoResponders { subject } => self.enqueue(&subject, Received::NoListener, 0),
            Delivery::Gap(gap) => {
                tracing::debug!(?gap, "conversations with other hosts are broken off");
                for inbox in self.inboxes().values() {
                    // An end that is gone needs to hear nothing.
                    let _ = inbox.sender.send(Received::Gap);
                }
            }
        }
        None
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
        let reply = reply.filter(Subjects::is_caller_end)?;
        if !self.0.subjects.is_own_callee_end(&subject) {
            // The end is gone, and what comes late means nothing.
            return None;
        }
        Some(Accepted {
            channel: self.register(subject, reply, None)?,
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
            // An end that is gone needs to hear nothing.
            let _ = inbox.sender.send(received);
        } else if let Some(inbox) = inboxes.remove(subject) {
            tracing::warn!(%subject, "more than a conversation may hold; it is broken off");
            let _ = inbox.sender.send(Received::Gap);
        }
    }

    fn register(
        &self,
        local: Subject,
        remote: Subject,
        abandon_on_drop: Option<u64>,
    ) -> Option<Channel> {
        let (sender, received) = mpsc::unbounded_channel();
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let mut inboxes = self.inboxes();
        if inboxes.len() >= CHANNELS_MAX {
            tracing::warn!(
                limit = CHANNELS_MAX,
                "too many conversations; one is refused"
            );
            return None;
        }
        let inbox = Inbox {
            sender,
            queued_bytes: queued_bytes.clone(),
        };
        inboxes.insert(local.clone(), inbox);
        drop(inboxes);
        Some(Channel {
            channels: self.clone(),
            local,
            remote,
            received,
            queued_bytes,
            abandon_on_drop,
        })
    }

    fn inboxes(&self) -> MutexGuard<'_, HashMap<Subject, Inbox>> {
        // Nothing panics while it holds the lock.
        self.0
            .inboxes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel {
    /// What comes next. Dropping the future loses nothing.
    pub(super) async fn receive(&mut self) -> Received {
        let Some(received) = self.received.recv().await else {
            return Received::Gap;
        };
        if let Received::Frame { bytes, .. } = &received {
            let size = bytes.len() + MESSAGE_OVERHEAD;
            self.queued_bytes.fetch_sub(size, Ordering::Relaxed);
        }
        received
    }

    /// Sends a frame that others may follow.
    ///
    /// # Errors
    /// If it was not sent.
    pub(super) async fn send(&self, frame: impl Into<Bytes>) -> Result<(), PublishError> {
        let bus = &self.channels.0.bus;
        bus.publish(&self.remote, Some(&self.local), frame.into())
            .await
    }

    /// Sends the last frame of this end.
    ///
    /// # Errors
    /// If it was not sent.
    pub(super) async fn send_last(mut self, frame: Vec<u8>) -> Result<(), PublishError> {
        self.abandon_on_drop = None;
        let bus = &self.channels.0.bus;
        bus.publish(&self.remote, None, Bytes::from(frame)).await
    }

    /// The call that the other end is told of when this one is dropped; none if it need not be told.
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
        let (bus, remote) = (self.channels.0.bus.clone(), self.remote.clone());
        self.channels.0.tasks.spawn(async move {
            // If it is not heard, the other end's deadline ends it.
            let _ = bus.publish(&remote, None, Bytes::from(frame)).await;
        });
    }
}
