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

use crate::stream_server::Answering;
use crate::subjects::{End, Subjects};

/// What may wait for one end of a conversation, with [`MESSAGE_OVERHEAD`] for each message. Credit bounds what
/// an honest host sends far below; one that sends more is not listened to any longer.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// What a message takes beside its payload.
const MESSAGE_OVERHEAD: usize = 128;

/// The most conversations at once, of both ends: as many as calls.
const LINES_MAX: usize = 10_000;

/// The conversations of this host.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

struct Shared {
    bus: Bus,
    subjects: Subjects,
    /// By the subject of this host's end.
    open: Mutex<HashMap<Subject, Inbox>>,
    /// Owns the tasks that say that an end is gone.
    tasks: TaskTracker,
}

/// Where messages for one end go.
struct Inbox {
    sender: mpsc::UnboundedSender<Heard>,
    waiting: Arc<AtomicUsize>,
}

/// What one end of a conversation hears.
#[derive(Debug)]
pub(super) enum Heard {
    Frame {
        bytes: Bytes,
        /// Whether this is the last one.
        is_last: bool,
    },
    /// Nobody listens at the other end.
    Nobody,
    /// Something may be missing: the connection was lost, or too much came at once.
    Gap,
}

/// One end of a conversation. Dropped before it is over, it tells the other end.
pub(super) struct Line {
    lines: Lines,
    here: Subject,
    there: Subject,
    heard: mpsc::UnboundedReceiver<Heard>,
    waiting: Arc<AtomicUsize>,
    /// The number of the call, for the frame that says that this end is gone; none if that need not be said.
    abandons: Option<u64>,
}

/// A conversation that another host began.
pub(super) struct Begun {
    pub(super) line: Line,
    pub(super) frame: Bytes,
}

impl Lines {
    pub(super) fn new(bus: Bus, subjects: Subjects, tasks: TaskTracker) -> Self {
        Self(Arc::new(Shared {
            bus,
            subjects,
            open: Mutex::default(),
            tasks,
        }))
    }

    /// Opens a conversation with a host about a call; nothing is sent yet. None if there are too many.
    pub(super) fn open(&self, host: HostId, call: u64) -> Option<Line> {
        let mut token = [0; 12];
        // Without randomness two hosts could mean the same conversation.
        getrandom::fill(&mut token).ok()?;
        let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        let subjects = &self.0.subjects;
        let here = subjects.own_line(&token, End::Asking)?;
        let there = subjects.line_of(host, &token, End::Answering)?;
        self.register(here, there, Some(call))
    }

    /// Hands on what comes to this host's ends, and serves what other hosts begin, until `stop`.
    pub(super) fn serve(
        &self,
        mut messages: Subscription,
        answering: Answering,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let lines = self.clone();
        async move {
            loop {
                let delivery = tokio::select! {
                    delivery = messages.next() => delivery,
                    () = stop.cancelled() => return,
                };
                let Some(delivery) = delivery else { return };
                if let Some(begun) = lines.take_in(delivery) {
                    lines.0.tasks.spawn(answering.clone().serve(begun));
                }
            }
        }
    }

    fn take_in(&self, delivery: Delivery) -> Option<Begun> {
        match delivery {
            Delivery::Message(message) => return self.deliver(message),
            Delivery::NoResponders { subject } => self.tell(&subject, Heard::Nobody, 0),
            Delivery::Gap(gap) => {
                tracing::debug!(?gap, "conversations with other hosts are broken off");
                for inbox in self.inboxes().values() {
                    // An end that is gone needs to hear nothing.
                    let _ = inbox.sender.send(Heard::Gap);
                }
            }
        }
        None
    }

    fn deliver(&self, message: Message) -> Option<Begun> {
        let Message {
            subject,
            reply,
            payload,
        } = message;
        let is_known = self.inboxes().contains_key(&subject);
        if is_known {
            let size = payload.len();
            let is_last = reply.is_none();
            let heard = Heard::Frame {
                bytes: payload,
                is_last,
            };
            self.tell(&subject, heard, size);
            return None;
        }
        let reply = reply.filter(Subjects::is_asking_end)?;
        if !self.0.subjects.is_own_answering_end(&subject) {
            // The end is gone, and what comes late means nothing.
            return None;
        }
        Some(Begun {
            line: self.register(subject, reply, None)?,
            frame: payload,
        })
    }

    fn tell(&self, subject: &Subject, heard: Heard, size: usize) {
        let mut inboxes = self.inboxes();
        let Some(inbox) = inboxes.get(subject) else {
            return;
        };
        let size = size + MESSAGE_OVERHEAD;
        if inbox.waiting.fetch_add(size, Ordering::Relaxed) + size <= WAITING_BYTES_MAX {
            // An end that is gone needs to hear nothing.
            let _ = inbox.sender.send(heard);
        } else if let Some(inbox) = inboxes.remove(subject) {
            tracing::warn!(%subject, "more than a conversation may hold; it is broken off");
            let _ = inbox.sender.send(Heard::Gap);
        }
    }

    fn register(&self, here: Subject, there: Subject, abandons: Option<u64>) -> Option<Line> {
        let (sender, heard) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let mut inboxes = self.inboxes();
        if inboxes.len() >= LINES_MAX {
            tracing::warn!(limit = LINES_MAX, "too many conversations; one is refused");
            return None;
        }
        let inbox = Inbox {
            sender,
            waiting: waiting.clone(),
        };
        inboxes.insert(here.clone(), inbox);
        drop(inboxes);
        Some(Line {
            lines: self.clone(),
            here,
            there,
            heard,
            waiting,
            abandons,
        })
    }

    fn inboxes(&self) -> MutexGuard<'_, HashMap<Subject, Inbox>> {
        // Nothing panics while it holds the lock.
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// What comes next. Dropping the future loses nothing.
    pub(super) async fn hear(&mut self) -> Heard {
        let Some(heard) = self.heard.recv().await else {
            return Heard::Gap;
        };
        if let Heard::Frame { bytes, .. } = &heard {
            let size = bytes.len() + MESSAGE_OVERHEAD;
            self.waiting.fetch_sub(size, Ordering::Relaxed);
        }
        heard
    }

    /// Sends a frame that others may follow.
    ///
    /// # Errors
    /// If it was not sent.
    pub(super) async fn send(&self, frame: impl Into<Bytes>) -> Result<(), PublishError> {
        let bus = &self.lines.0.bus;
        bus.publish(&self.there, Some(&self.here), frame.into())
            .await
    }

    /// Sends the last frame of this end.
    ///
    /// # Errors
    /// If it was not sent.
    pub(super) async fn send_last(mut self, frame: Vec<u8>) -> Result<(), PublishError> {
        self.abandons = None;
        let bus = &self.lines.0.bus;
        bus.publish(&self.there, None, Bytes::from(frame)).await
    }

    /// The call that the other end is told of when this one is dropped; none if it need not be told.
    pub(super) fn abandons(&mut self, call: Option<u64>) {
        self.abandons = call;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.lines.inboxes().remove(&self.here);
        let Some(call) = self.abandons else { return };
        let mut frame = Vec::new();
        if Frame::Abandon(Abandon { call }).encode(&mut frame).is_err() {
            return;
        }
        let (bus, there) = (self.lines.0.bus.clone(), self.there.clone());
        self.lines.0.tasks.spawn(async move {
            // If it is not heard, the other end's deadline ends it.
            let _ = bus.publish(&there, None, Bytes::from(frame)).await;
        });
    }
}
