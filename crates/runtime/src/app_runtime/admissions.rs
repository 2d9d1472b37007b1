//! The apps that are prepared at once. Each has the bytes of its components in memory, also while
//! it waits for the compiler.

use weft_lattice_config::{App, Source};
use weft_node::runtime::Purpose;

use crate::compile::{LARGE_BYTES, SizeQueue, Turn};
use crate::linking::Preparer;

/// The most apps with less than [`LARGE_BYTES`] at once, for each purpose. Enough to read some
/// while others are compiled.
const SMALL_MAX: usize = 16;

/// The most larger apps at once, for each purpose: some 20 MiB each for a component with a language
/// runtime, and at most [`MAX_COMPONENT_BYTES`](weft_compose::MAX_COMPONENT_BYTES) for each
/// component. An app that is compiled already waits for its place too, if as many are compiled.
const LARGE_MAX: usize = 8;

/// The queues of preparations, by purpose and size: the small first, and none behind a large one.
#[derive(Debug, Default)]
pub(super) struct Admissions {
    start: Pair,
    deploy: Pair,
    ahead: Pair,
}

#[derive(Debug)]
struct Pair {
    small: SizeQueue,
    large: SizeQueue,
}

impl Admissions {
    /// Waits until an app may be prepared.
    pub(super) async fn admit(&self, app: &App, purpose: Purpose, preparer: &Preparer) -> Turn {
        let pair = match purpose {
            Purpose::Start => &self.start,
            Purpose::Deploy => &self.deploy,
            Purpose::Ahead => &self.ahead,
        };
        let bytes = bytes(app, preparer).await;
        let queue = if bytes < LARGE_BYTES {
            &pair.small
        } else {
            &pair.large
        };
        queue.turn(app.metadata.name.as_str(), bytes).await
    }
}

impl Default for Pair {
    fn default() -> Self {
        Self {
            small: SizeQueue::new(SMALL_MAX),
            large: SizeQueue::new(LARGE_MAX),
        }
    }
}

/// The size of an app's artifacts. Those that cannot be read fail the preparation soon.
async fn bytes(app: &App, preparer: &Preparer) -> u64 {
    let sources = app.spec.components.iter().map(|spec| &spec.source);
    let digests = sources.filter_map(|source| match source {
        Source::Digest(digest) => Some(digest.clone()),
        Source::File(_) => None,
    });
    let (digests, artifacts) = (digests.collect::<Vec<_>>(), preparer.artifacts.clone());
    let measured = tokio::task::spawn_blocking(move || {
        let parts = digests.iter().map(|digest| artifacts.part(digest, 0, 0));
        let sizes = parts.filter_map(|part| part.ok().flatten());
        sizes.map(|(size, _)| size).sum()
    });
    measured.await.unwrap_or(0)
}
