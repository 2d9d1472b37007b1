//! Streams and futures without guests: the messages between two sides, and two stores whose host ends
//! read and write. What guests make of them is in the conformance table of the end-to-end tests.

mod chunks;
mod sides;
mod stores;

use std::sync::Arc;

use weft_link::Side;
use weft_link::stream_message::Post;

/// How messages go.
#[derive(Debug, Clone, Copy)]
enum Way {
    Direct,
    Framed,
}

const WAYS: [Way; 2] = [Way::Direct, Way::Framed];

/// Both sides of a call.
fn pair(way: Way) -> (Arc<Side>, Arc<Side>) {
    Side::pair(|peer| match way {
        Way::Direct => Post::Direct(Arc::downgrade(peer)),
        Way::Framed => Post::Framed(Arc::downgrade(peer), 7),
    })
}
