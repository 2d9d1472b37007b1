//! Messages about streams between the two sides of a call, and their delivery.

use std::sync::{Arc, Weak};

use weft_wire::{Cancel, CancelledBy, Chunk, Credit, Finish, Frame, HttpField, HttpTrailers};

use crate::remote_side::{Outbox, OutboxItem};
use crate::stream_table::CallSide;

/// A message about a stream of a call: a stream frame of `docs/wire.md` with owned contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// Elements, encoded as a list.
    Chunk { stream: u32, payload: Vec<u8> },
    /// The reader accepts `bytes` more bytes of chunks.
    Credit { stream: u32, bytes: u32 },
    /// The trailers of a body.
    Trailers {
        stream: u32,
        fields: Vec<(String, Vec<u8>)>,
    },
    /// The stream is complete.
    Finish { stream: u32 },
    /// One end of the stream was dropped before that.
    Cancel { stream: u32, by: CancelledBy },
}

/// Delivery of messages to one side of a call. It does not keep the side alive.
#[derive(Clone)]
pub enum PeerDelivery {
    /// Passes the message itself to a side on this host.
    Direct(Weak<CallSide>),
    /// Passes the message through the bytes of a frame, with the number of the call.
    Framed(Weak<CallSide>, u64),
    /// Queues the message for the transport to another host.
    Remote(Outbox),
}

impl Message {
    /// Number of the stream.
    pub(crate) fn stream(&self) -> u32 {
        match self {
            Self::Chunk { stream, .. }
            | Self::Credit { stream, .. }
            | Self::Trailers { stream, .. }
            | Self::Finish { stream }
            | Self::Cancel { stream, .. } => *stream,
        }
    }

    /// Converts the message to a frame of a call.
    pub(crate) fn frame(&self, call: u64) -> Frame<'_> {
        let stream = self.stream();
        match self {
            Self::Chunk { payload, .. } => Frame::Chunk(Chunk {
                call,
                stream,
                payload,
            }),
            Self::Credit { bytes, .. } => Frame::Credit(Credit {
                call,
                stream,
                bytes: *bytes,
            }),
            Self::Trailers { fields, .. } => Frame::HttpTrailers(HttpTrailers {
                call,
                stream,
                fields: fields
                    .iter()
                    .map(|(name, value)| HttpField { name, value })
                    .collect(),
            }),
            Self::Finish { .. } => Frame::Finish(Finish { call, stream }),
            Self::Cancel { by, .. } => Frame::Cancel(Cancel {
                call,
                stream,
                by: *by,
            }),
        }
    }

    /// Converts a frame to a message; `None` if the frame is of another call or another kind.
    pub(crate) fn of_frame(frame: &Frame<'_>, of_call: u64) -> Option<Self> {
        let (call, message) = match frame {
            Frame::Chunk(Chunk {
                call,
                stream,
                payload,
            }) => {
                let (stream, payload) = (*stream, payload.to_vec());
                (*call, Self::Chunk { stream, payload })
            }
            Frame::Credit(Credit {
                call,
                stream,
                bytes,
            }) => {
                let (stream, bytes) = (*stream, *bytes);
                (*call, Self::Credit { stream, bytes })
            }
            Frame::HttpTrailers(trailers) => {
                let fields = trailers.fields.iter();
                let fields = fields.map(|field| (field.name.to_owned(), field.value.to_vec()));
                let (stream, fields) = (trailers.stream, fields.collect());
                (trailers.call, Self::Trailers { stream, fields })
            }
            Frame::Finish(Finish { call, stream }) => (*call, Self::Finish { stream: *stream }),
            Frame::Cancel(Cancel { call, stream, by }) => {
                let (stream, by) = (*stream, *by);
                (*call, Self::Cancel { stream, by })
            }
            _ => return None,
        };
        (call == of_call).then_some(message)
    }
}

impl PeerDelivery {
    /// Delivers a message; drops it if the side is dropped.
    pub(crate) fn send(&self, message: Message) {
        if let Self::Remote(outbox) = self {
            return outbox.send(OutboxItem::Message(message));
        }
        let Some(side) = self.upgrade() else { return };
        match self {
            Self::Remote(_) => {}
            Self::Direct(_) => side.receive(message),
            Self::Framed(_, call) => {
                let mut bytes = Vec::new();
                let encoded = message.frame(*call).encode(&mut bytes);
                let decoded = Frame::decode(&bytes);
                match (encoded, decoded) {
                    (Ok(()), Ok(frame)) => {
                        if let Some(message) = Message::of_frame(&frame, *call) {
                            side.receive(message);
                        }
                    }
                    (encoded, decoded) => {
                        tracing::warn!(
                            ?encoded,
                            ?decoded,
                            "cannot pass a stream message as a frame; it is dropped"
                        );
                    }
                }
            }
        }
    }

    /// The side, if it is on this host and still exists.
    fn upgrade(&self) -> Option<Arc<CallSide>> {
        match self {
            Self::Direct(side) | Self::Framed(side, _) => side.upgrade(),
            Self::Remote(_) => None,
        }
    }

    /// Reports that the sending side was dropped, and whether it had open streams.
    pub(crate) fn leave(&self, has_streams: bool) {
        match self {
            // The end of the queue reports a side without streams.
            Self::Remote(outbox) if has_streams => outbox.send(OutboxItem::Abandon),
            Self::Remote(_) => {}
            Self::Direct(_) | Self::Framed(..) => {
                if let Some(side) = self.upgrade() {
                    side.lose_peer();
                }
            }
        }
    }
}
