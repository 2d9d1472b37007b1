//! A side of a call whose other side is on another host: what it says is written into frames, and the frames
//! of the other are read.
//!
//! Whoever carries the frames owns an [`Away`]: it takes from it what is to be sent, in order, and gives it
//! what came. It keeps no side alive: when the side is gone, there is nothing left to send but that.

use std::sync::{Arc, Weak};

use tokio::sync::mpsc;
use weft_wire::{Abandon, EncodeError, Frame};

use crate::stream_message::{Message, Post};
use crate::stream_table::{Role, Side};

/// What a side hands to whoever carries its frames. It has no bound of its own: a writer needs credit, which is
/// bounded for each stream, and the other messages are a few for each.
#[derive(Clone)]
pub struct Outbox(mpsc::UnboundedSender<Parcel>);

/// One thing that a side says.
pub enum Parcel {
    Message(Message),
    /// The side is gone, and leaves streams behind.
    Abandon,
}

/// What carries the frames of one side.
pub struct Away {
    call: u64,
    side: Weak<Side>,
    parcels: mpsc::UnboundedReceiver<Parcel>,
    /// Whether the other side has had an effect on this one.
    is_touched: bool,
}

impl Side {
    /// One side of a call, whose other side is on another host.
    pub fn away(role: Role, call: u64) -> (Arc<Self>, Away) {
        let (sender, parcels) = mpsc::unbounded_channel();
        let side = Arc::new(Self::new(role));
        side.set_peer(Post::Away(Outbox(sender)));
        let away = Away {
            call,
            side: Arc::downgrade(&side),
            parcels,
            is_touched: false,
        };
        (side, away)
    }
}

impl Outbox {
    /// Hands something over; to nobody, if nobody carries it any more.
    pub fn send(&self, parcel: Parcel) {
        let _ = self.0.send(parcel);
    }
}

impl Away {
    /// The number of the call.
    pub fn call(&self) -> u64 {
        self.call
    }

    /// The next frame to be sent; none once the side is gone and has said all. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let parcel = self.parcels.recv().await?;
            let mut bytes = Vec::new();
            match parcel.encode(self.call, &mut bytes) {
                Ok(()) => return Some(bytes),
                // What goes into a stream was bounded before.
                Err(error) => tracing::warn!(%error, "a frame of a stream was lost"),
            }
        }
    }

    /// The next frame to be sent that is there already.
    pub fn said(&mut self) -> Option<Vec<u8>> {
        let parcel = self.parcels.try_recv().ok()?;
        let mut bytes = Vec::new();
        parcel.encode(self.call, &mut bytes).ok()?;
        Some(bytes)
    }

    /// Takes in a frame of the other side.
    pub fn hear(&mut self, frame: &Frame<'_>) {
        let Some(side) = self.side.upgrade() else {
            return;
        };
        self.is_touched = true;
        match frame {
            Frame::Abandon(_) => side.lose_peer(),
            other => {
                if let Some(message) = Message::of_frame(other, self.call) {
                    side.receive(message);
                }
            }
        }
    }

    /// Takes in that the other side will not be heard any more.
    pub fn lose(&self) {
        if let Some(side) = self.side.upgrade() {
            side.lose_peer();
        }
    }

    /// Whether the call can still be sent to another host instead: nothing of its streams was read.
    pub fn is_untouched(&self) -> bool {
        !self.is_touched
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        // Nobody carries anything to or from the other side any more, so it is gone for this one.
        self.lose();
    }
}

impl Parcel {
    fn encode(&self, call: u64, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Message(message) => message.frame(call).encode(bytes),
            Self::Abandon => Frame::Abandon(Abandon { call }).encode(bytes),
        }
    }
}
