//! Streams and futures without guests: encoded chunks of elements, and two stores whose host ends
//! read and write. The conformance table of the end-to-end tests covers guests.

mod chunks;
mod stores;

use std::sync::Arc;

use weft_link::CallSide;
use weft_link::stream_message::PeerDelivery;

/// Connection of two sides.
#[derive(Debug, Clone, Copy)]
enum Channel {
    Direct,
    Framed,
}

const CHANNELS: [Channel; 2] = [Channel::Direct, Channel::Framed];

/// Both sides of a call.
fn pair(channel: Channel) -> (Arc<CallSide>, Arc<CallSide>) {
    CallSide::pair(|peer| match channel {
        Channel::Direct => PeerDelivery::Direct(Arc::downgrade(peer)),
        Channel::Framed => PeerDelivery::Framed(Arc::downgrade(peer), 7),
    })
}
