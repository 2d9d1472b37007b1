//! Bounds of a component's requests: those of its manifest, or the defaults.

use std::time::Duration;

use weft_lattice_config::ComponentSpec;

/// Default deadline: longer than a person waits for a response.
const DEADLINE_DEFAULT: Duration = Duration::from_secs(30);

/// Default size: enough for a form or a JSON document, not for a video.
const BODY_BYTES_DEFAULT: u64 = 16 << 20;

/// The longest duration of a request.
#[must_use]
pub fn deadline(spec: &ComponentSpec) -> Duration {
    let deadline = spec.limits.deadline;
    deadline.map_or(DEADLINE_DEFAULT, |deadline| deadline.get())
}

/// The most bytes of a request body.
#[must_use]
pub fn body_bytes_max(spec: &ComponentSpec) -> u64 {
    let body = spec.limits.body;
    body.map_or(BODY_BYTES_DEFAULT, |body| body.bytes())
}
