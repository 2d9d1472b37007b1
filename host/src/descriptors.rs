//! The file descriptors of the process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use weft_ingress::CONNECTIONS_MAX;

/// The share of the descriptors, as a divisor, that is not for connections of the ingress:
/// databases, artifacts, NATS, outgoing requests, the admin API.
const RESERVE_DIVISOR: u64 = 4;

/// The least number of descriptors in the reserve.
const RESERVE_MIN: u64 = 128;

/// The fewest connections of the ingress: with less, it would hardly answer.
const CONNECTIONS_MIN: usize = 16;

/// Raises the soft limit of descriptors to the hard one, and logs the result. Shells and service
/// managers set a soft limit of 1,024 for programs that use `select`, which a host does not.
/// Returns the most connections of the ingress.
pub(crate) fn raise_limit() -> usize {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: before.maximum,
        maximum: before.maximum,
    };
    let after = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        Err(error) => {
            tracing::warn!(%error, "the limit of file descriptors cannot be raised");
            before.current
        }
    };
    let connections = connections_max(after);
    tracing::info!(
        descriptors = after,
        before = before.current,
        connections,
        "limit of file descriptors"
    );
    connections
}

/// The connections of the ingress that this many descriptors allow; `None` for any number of them.
fn connections_max(descriptors: Option<u64>) -> usize {
    let Some(descriptors) = descriptors else {
        return CONNECTIONS_MAX;
    };
    let reserve = (descriptors / RESERVE_DIVISOR).max(RESERVE_MIN);
    let connections = descriptors.saturating_sub(reserve);
    let connections = usize::try_from(connections).unwrap_or(CONNECTIONS_MAX);
    connections.clamp(CONNECTIONS_MIN, CONNECTIONS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ingress_leaves_descriptors_for_the_rest_of_the_host() {
        let cases = [
            (None, 10_000),
            (Some(1_048_576), 10_000),
            (Some(20_000), 10_000),
            (Some(13_334), 10_000),
            (Some(4_096), 3_072),
            (Some(256), 128),
            (Some(100), 16),
            (Some(0), 16),
        ];
        for (descriptors, expected) in cases {
            assert_eq!(connections_max(descriptors), expected, "{descriptors:?}");
        }
    }
}
