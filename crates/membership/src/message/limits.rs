//! Limits of messages between hosts, with their reasons. `docs/lattice.md` has the same numbers.

use weft_lattice_config::placement;

/// Largest message except inventories: a heartbeat has at most some 250 bytes and an authenticator.
pub const MAX_HEARTBEAT_BYTES: usize = 1 << 10;

/// Largest inventory: holds one with every list full, and fits into one NATS message with the
/// default limit of 1 MiB.
pub const MAX_INVENTORY_BYTES: usize = 640 << 10;

/// Maximum number of components on one host, counting each revision: several times the number that
/// one machine can usefully have ready, and few enough for an inventory in one message.
pub const MAX_COMPONENTS: usize = 4 << 10;

// Placement leaves room for components that move away or are there in two revisions.
const _: () = assert!(placement::COMPONENTS_MAX < MAX_COMPONENTS);

/// Maximum number of stores on one host: several for each app that one machine can usefully have.
pub const MAX_STORES: usize = 256;

/// Maximum number of failures published by one host. With more, the first ones need attention
/// anyway.
pub const MAX_FAILURES: usize = 64;

/// Longest reason of a failure published to other hosts; the host itself has the full text.
pub const MAX_REASON_BYTES: usize = 512;

/// Maximum number of labels of one host: `cloud`, `region`, `zone`, and further ones of operators.
pub const MAX_LABELS: usize = 32;

/// Longest name and longest value of a label, as in Kubernetes, the source of many of them.
pub const MAX_LABEL_BYTES: usize = 63;

/// Longest name of a host: the limit of Linux for host names.
pub const MAX_HOST_NAME_BYTES: usize = 64;

/// Longest text of a weft release: a semantic version with a build.
pub const MAX_RELEASE_BYTES: usize = 64;

/// Longest name of an app or a component, as in manifests.
pub const MAX_NAME_BYTES: usize = weft_wire::MAX_COMPONENT_NAME_BYTES;

/// Most bytes of one chunk: half of a NATS message with the default limit, which leaves room for
/// the rest and for slow connections.
pub const MAX_CHUNK_BYTES: usize = 512 << 10;

/// Largest request: a head with every field at its limit, and the longest key.
pub const MAX_QUESTION_BYTES: usize = 2 * MAX_HEARTBEAT_BYTES;

/// Largest reply: a chunk of the largest size, and a head.
pub const MAX_ANSWER_BYTES: usize = MAX_CHUNK_BYTES + MAX_HEARTBEAT_BYTES;
