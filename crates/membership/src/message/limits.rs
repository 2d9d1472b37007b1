//! The bounds of what hosts tell each other, each with its reason. `docs/lattice.md` has the same numbers.

/// The longest name of a lattice: one token of a subject, and a DNS label.
pub const MAX_LATTICE_BYTES: usize = 63;

/// The longest authenticator, as in frames of links: two signatures, a key's name and a nonce fit twice.
pub const MAX_AUTHENTICATOR_BYTES: usize = weft_wire::MAX_AUTHENTICATOR_BYTES;

/// The largest message that is not an inventory: what is in a heartbeat takes some 250 bytes at most, and
/// an authenticator.
pub const MAX_HEARTBEAT_BYTES: usize = 1 << 10;

/// The largest inventory. One that is full in every respect fits, and NATS carries it in one message by
/// default, which is at most 1 MiB.
pub const MAX_INVENTORY_BYTES: usize = 640 << 10;

/// The most components of one host, counting each revision: several times what one machine can usefully
/// have ready, and few enough for an inventory to be one message.
pub const MAX_COMPONENTS: usize = 4 << 10;

/// The most stores of one host: several for each app that one machine can usefully have.
pub const MAX_STORES: usize = 256;

/// The most failures that one host tells: somebody has to look after some of them first.
pub const MAX_FAILURES: usize = 64;

/// The longest reason of a failure that is told to other hosts; the whole is at the host itself.
pub const MAX_REASON_BYTES: usize = 512;

/// The most labels of one host: `cloud`, `region`, `zone`, and what an operator thinks of.
pub const MAX_LABELS: usize = 32;

/// The longest name and the longest value of a label, as in Kubernetes, whence many of them come.
pub const MAX_LABEL_BYTES: usize = 63;

/// The longest name of a host: as long as Linux lets the name of a machine be.
pub const MAX_HOST_NAME_BYTES: usize = 64;

/// The longest text for a release of weft: a semantic version with a build.
pub const MAX_RELEASE_BYTES: usize = 64;

/// The longest name of an app or a component, as manifests bound it.
pub const MAX_NAME_BYTES: usize = weft_wire::MAX_COMPONENT_NAME_BYTES;

/// The most bytes of one chunk: half of what NATS carries in one message by default, so that the rest and a
/// slow line in between have room.
pub const MAX_CHUNK_BYTES: usize = 512 << 10;

/// The largest question: a head with the longest of everything, and the longest key.
pub const MAX_QUESTION_BYTES: usize = 2 * MAX_HEARTBEAT_BYTES;

/// The largest answer: a chunk of the largest size, and a head.
pub const MAX_ANSWER_BYTES: usize = MAX_CHUNK_BYTES + MAX_HEARTBEAT_BYTES;
