//! What the two sides of a call say to each other about its streams, and how it gets there.

use std::sync::{Arc, Weak};

use weft_wire::{Cancel, CancelledBy, Chunk, Credit, Finish, Frame, HttpField, HttpTrailers};

use crate::remote_side::{Outbox, Parcel};
use crate::stream_table::Side;

/// One message about a stream of a call. What each means is in `docs/wire.md`: these are its frames,
/// with what is long in them owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Elements, encoded as a list of them.
    Chunk { stream: u32, payload: Vec<u8> },
    /// The reader takes so many more bytes of chunks.
    Credit { stream: u32, bytes: u32 },
    /// What follows after the body of a request or an answer.
    Trailers {
        stream: u32,
        fields: Vec<(String, Vec<u8>)>,
    },
    /// All was sent.
    Finish { stream: u32 },
    /// One end is gone before that.
    Cancel { stream: u32, by: CancelledBy },
}

/// The way to one side of a call. It does not keep the side alive.
#[derive(Clone)]
pub enum Post {
    /// As it is.
    Direct(Weak<Side>),
    /// As the bytes of a frame, with the number of the call.
    Framed(Weak<Side>, u64),
    /// By whoever carries frames to another host.
    Away(Outbox),
}

impl Message {
    /// The stream that it is about.
    pub fn stream(&self) -> u32 {
        match self {
            Self::Chunk { stream, .. }
            | Self::Credit { stream, .. }
            | Self::Trailers { stream, .. }
            | Self::Finish { stream }
            | Self::Cancel { stream, .. } => *stream,
        }
    }

    /// As a frame of a call.
    pub fn frame(&self, call: u64) -> Frame<'_> {
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

    /// The message in a frame of a call; none if it is of another call, or about something else.
    pub fn of_frame(frame: &Frame<'_>, of_call: u64) -> Option<Self> {
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

impl Post {
    /// Delivers a message; to a side that is gone, nothing.
    pub fn send(&self, message: Message) {
        if let Self::Away(outbox) = self {
            return outbox.send(Parcel::Message(message));
        }
        let Some(side) = self.upgrade() else { return };
        match self {
            Self::Away(_) => {}
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
                        tracing::warn!(?encoded, ?decoded, "a frame of a stream was lost");
                    }
                }
            }
        }
    }

    /// The side, if it still is there, and on this host.
    fn upgrade(&self) -> Option<Arc<Side>> {
        match self {
            Self::Direct(side) | Self::Framed(side, _) => side.upgrade(),
            Self::Away(_) => None,
        }
    }

    /// Tells that whoever sends is gone, and whether it left streams behind.
    pub fn leave(&self, has_streams: bool) {
        match self {
            // What carries it finds out by itself that there is nothing more.
            Self::Away(outbox) if has_streams => outbox.send(Parcel::Abandon),
            Self::Away(_) => {}
            Self::Direct(_) | Self::Framed(..) => {
                if let Some(side) = self.upgrade() {
                    side.lose_peer();
                }
            }
        }
    }
}
