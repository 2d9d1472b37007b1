//! A side of a call whose other side is on another host: its messages are encoded as frames, and
//! the frames of the other side are decoded.
//!
//! The transport of the frames owns a [`RemoteSide`]: it takes the frames to send from it, in
//! order, and passes received frames to it. A `RemoteSide` does not keep its side alive: when the
//! side is dropped, the last frames to send are those that report it.

use std::sync::{Arc, Weak};

use tokio::sync::mpsc;
use weft_wire::{Abandon, EncodeError, Frame};

use crate::stream_message::{Message, PeerDelivery};
use crate::stream_table::{CallSide, Role};

/// Queue from a side to the transport of its frames. The queue has no bound of its own: chunks need
/// credit, which is bounded per stream, and a stream has few other messages.
#[derive(Clone)]
pub struct Outbox(mpsc::UnboundedSender<OutboxItem>);

/// An item of an [`Outbox`].
pub(crate) enum OutboxItem {
    Message(Message),
    /// The side was dropped, with open streams.
    Abandon,
}

/// The transport's handle of a side whose other side is on another host.
pub struct RemoteSide {
    call: u64,
    side: Weak<CallSide>,
    outgoing: mpsc::UnboundedReceiver<OutboxItem>,
    /// True if a frame of the other side was passed to the side.
    has_received: bool,
}

impl CallSide {
    /// A side whose other side is on another host, and its handle for the transport.
    #[must_use]
    pub fn with_remote(role: Role, call: u64) -> (Arc<Self>, RemoteSide) {
        let (sender, outgoing) = mpsc::unbounded_channel();
        let side = Arc::new(Self::new(role));
        side.set_peer(PeerDelivery::Remote(Outbox(sender)));
        let remote = RemoteSide {
            call,
            side: Arc::downgrade(&side),
            outgoing,
            has_received: false,
        };
        (side, remote)
    }
}

impl Outbox {
    /// Queues an item; drops it if the transport is gone.
    pub(crate) fn send(&self, item: OutboxItem) {
        let _ = self.0.send(item);
    }
}

impl RemoteSide {
    /// Number of the call.
    #[must_use]
    pub fn call(&self) -> u64 {
        self.call
    }

    /// Limits the messages to the other host; chunks of byte streams follow it.
    pub fn limit_messages(&self, bytes_max: usize) {
        if let Some(side) = self.side.upgrade() {
            side.limit_messages(bytes_max);
        }
    }

    /// Changes the number of the call, for a further attempt. No frame has been sent then: a writer
    /// waits for credit, and a reader for the reply.
    pub fn renumber(&mut self, call: u64) {
        self.call = call;
    }

    /// Waits for the next frame to send; `None` once the side is dropped and its frames are sent.
    /// Dropping the future loses no frame.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let item = self.outgoing.recv().await?;
            let mut bytes = Vec::new();
            match item.encode(self.call, &mut bytes) {
                Ok(()) => return Some(bytes),
                // Streams bound their messages, so every message fits a frame.
                Err(error) => tracing::warn!(%error, "cannot encode a stream frame; it is dropped"),
            }
        }
    }

    /// The next frame to send, if one is queued.
    pub fn try_next(&mut self) -> Option<Vec<u8>> {
        let item = self.outgoing.try_recv().ok()?;
        let mut bytes = Vec::new();
        item.encode(self.call, &mut bytes).ok()?;
        Some(bytes)
    }

    /// Passes a frame of the other side to the side. Frames of other calls are ignored.
    pub fn receive(&mut self, frame: &Frame<'_>) {
        let Some(side) = self.side.upgrade() else {
            return;
        };
        self.has_received = true;
        match frame {
            Frame::Abandon(_) => side.abandon(),
            other => {
                if let Some(message) = Message::of_frame(other, self.call) {
                    side.receive(message);
                }
            }
        }
    }

    /// Breaks the open streams of the side, because the other side was lost.
    pub fn lose(&self) {
        if let Some(side) = self.side.upgrade() {
            side.lose_peer();
        }
    }

    /// True if the call may be retried on another host: no frame of the other side was received, so
    /// that nothing of the streams was read.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        !self.has_received
    }
}

impl Drop for RemoteSide {
    fn drop(&mut self) {
        // Without a transport the other side is unreachable.
        self.lose();
    }
}

impl OutboxItem {
    fn encode(&self, call: u64, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Message(message) => message.frame(call).encode(bytes),
            Self::Abandon => Frame::Abandon(Abandon { call }).encode(bytes),
        }
    }
}
