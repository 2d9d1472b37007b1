//! Streams and futures without guests: encoded chunks of elements, and two stores whose host ends
//! read and write. The conformance table of the end-to-end tests covers guests.

mod chunks;
mod stores;

use std::sync::Arc;

use weft_link::Side;
use weft_link::stream_message::Post;

/// Connection of two sides.
#[derive(Debug, Clone, Copy)]
enum Channel {
    Direct,
    Framed,
}

const CHANNELS: [Channel; 2] = [Channel::Direct, Channel::Framed];

/// Both sides of a call.
fn pair(channel: Channel) -> (Arc<Side>, Arc<Side>) {
    Side::pair(|peer| match channel {
        Channel::Direct => Post::Direct(Arc::downgrade(peer)),
        Channel::Framed => Post::Framed(Arc::downgrade(peer), 7),
    })
}
