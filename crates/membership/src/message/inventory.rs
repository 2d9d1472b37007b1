//! Inventories: components, labels and capacity of a host. Sent on change and on request.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use weft_lattice_config::AppName;
pub use weft_lattice_config::placement::{ComponentId, StoreId};
use weft_wire::{Decoder, EncodeError, Encoder, FieldError, numbered};

use super::Origin;
use super::labels::Labels;
use super::limits::{
    MAX_COMPONENTS, MAX_FAILURES, MAX_HOST_NAME_BYTES, MAX_INVENTORY_BYTES, MAX_LABEL_BYTES,
    MAX_LABELS, MAX_NAME_BYTES, MAX_REASON_BYTES, MAX_RELEASE_BYTES, MAX_STORES,
};

/// Length of an inventory hash. Two inventories of one host do not collide by accident, and once
/// authenticators are checked no other host can write an inventory for it.
pub const INVENTORY_HASH_BYTES: usize = 16;

/// Shortest encoding of a component: two empty names with their lengths, a revision, a readiness.
const COMPONENT_BYTES_MIN: usize = 4;

/// Shortest encoding of a failure: an empty name and reason with their lengths, a revision.
const FAILURE_BYTES_MIN: usize = 3;

/// Shortest encoding of a store: two empty names with their lengths.
const STORE_BYTES_MIN: usize = 2;

/// Shortest encoding of a label: the lengths of a name and a value.
const LABEL_BYTES_MIN: usize = 2;

/// A host's description of itself, as a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// The sender and the number of the inventory.
    pub origin: Origin,
    /// The contents, shared with views.
    pub contents: Arc<Contents>,
}

/// Contents of an inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Display name of the host, not necessarily unique.
    pub name: String,
    /// The weft release of the host.
    pub release: String,
    /// Location and purpose of the host.
    pub labels: Labels,
    /// Capacity for placement, in the units of manifests; `None` for unlimited.
    pub capacity: Option<u64>,
    /// Stores of providers that exist only on this host, sorted and unique. Components linked to
    /// them can run only here.
    pub stores: Vec<StoreId>,
    /// Components by app, name and revision, sorted and unique.
    pub components: Vec<HostedComponent>,
    /// Desired apps that do not run here, sorted by app and unique.
    pub failures: Vec<Failure>,
    /// Current conditions, sorted by number and unique.
    pub conditions: Vec<HostCondition>,
}

/// A revision of a component on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedComponent {
    /// The app and name of the component.
    pub component: ComponentId,
    /// The revision of its app.
    pub revision: Revision,
    /// Progress of the host with it.
    pub readiness: Readiness,
}

/// A revision of an app that fails to start on a host. The previous revision keeps serving.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The app.
    pub app: AppName,
    /// The failing revision.
    pub revision: Revision,
    /// The error, for display.
    pub reason: String,
}

numbered! {
    /// A problem of a host that keeps serving. The numbers are on the wire.
    pub enum HostCondition: u32 {
        /// The desired-state bucket is unreachable, and the host works from its copy.
        BucketUnavailable = 0, "store-away";
        /// The disk does not accept the copy of the desired state, or artifacts.
        DiskFailed = 1, "disk";
        /// An artifact that the host needs is missing, and not yet available from any peer.
        ArtifactsMissing = 2, "bytes";
    }
}

/// A revision of an app in the desired state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

numbered! {
    /// Progress of a host with a component. The numbers are on the wire.
    pub enum Readiness: u32 {
        /// Being fetched, compiled or probed; takes no calls yet.
        Preparing = 0, "preparing";
        /// Takes calls.
        Ready = 1, "ready";
        /// Finishes its calls, and takes no new ones.
        Stopping = 2, "stopping";
        /// Preparing it has failed.
        Failed = 3, "failed";
    }
}

/// The hash of an inventory's contents.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InventoryHash([u8; INVENTORY_HASH_BYTES]);

// === impl Inventory ===

impl Inventory {
    pub(super) fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.contents.write(encoder)
    }

    pub(super) fn read(origin: Origin, decoder: &mut Decoder<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            origin,
            contents: Arc::new(Contents::read(decoder)?),
        })
    }
}

// === impl Contents ===

impl Contents {
    /// Sorts contents gathered in any order, and removes duplicates. Of two entries for one
    /// revision of a component, the first stays.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.components
            .sort_by(|left, right| left.key().cmp(&right.key()));
        self.components
            .dedup_by(|later, first| later.key() == first.key());
        self.stores.sort();
        self.stores.dedup();
        self.failures.sort();
        self.failures
            .dedup_by(|later, first| later.app == first.app);
        self.conditions.sort();
        self.conditions.dedup();
        self
    }

    /// Computes the hash that heartbeats carry.
    ///
    /// # Errors
    /// If the contents are over a limit.
    pub fn hash(&self) -> Result<InventoryHash, EncodeError> {
        let mut bytes = Vec::new();
        self.write(&mut Encoder::new(&mut bytes, MAX_INVENTORY_BYTES))?;
        let mut hash = [0; INVENTORY_HASH_BYTES];
        hash.copy_from_slice(&Sha256::digest(&bytes)[..INVENTORY_HASH_BYTES]);
        Ok(InventoryHash(hash))
    }

    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        let name = self.name.as_bytes();
        encoder.bytes_up_to(MAX_HOST_NAME_BYTES, "name", name)?;
        let release = self.release.as_bytes();
        encoder.bytes_up_to(MAX_RELEASE_BYTES, "release", release)?;
        encoder.list_up_to(MAX_LABELS, "labels", self.labels.iter().len())?;
        for (name, value) in self.labels.iter() {
            encoder.bytes_up_to(MAX_LABEL_BYTES, "label", name.as_bytes())?;
            encoder.bytes_up_to(MAX_LABEL_BYTES, "label", value.as_bytes())?;
        }
        encoder.option(self.capacity, Encoder::u64)?;
        encoder.list_up_to(MAX_STORES, "stores", self.stores.len())?;
        for StoreId { app, provider } in &self.stores {
            encoder.bytes_up_to(MAX_NAME_BYTES, "app", app.as_str().as_bytes())?;
            let provider = provider.as_str().as_bytes();
            encoder.bytes_up_to(MAX_NAME_BYTES, "provider", provider)?;
        }
        let count = self.components.len();
        encoder.list_up_to(MAX_COMPONENTS, "components", count)?;
        for hosted in &self.components {
            hosted.write(encoder)?;
        }
        let count = self.failures.len();
        encoder.list_up_to(MAX_FAILURES, "failures", count)?;
        for failure in &self.failures {
            failure.write(encoder)?;
        }
        let count = self.conditions.len();
        encoder.list_up_to(HostCondition::ALL.len(), "conditions", count)?;
        for condition in &self.conditions {
            encoder.case(*condition)?;
        }
        Ok(())
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, FieldError> {
        let name = decoder.text_up_to(MAX_HOST_NAME_BYTES, "name")?.to_owned();
        let release = decoder.text_up_to(MAX_RELEASE_BYTES, "release")?.to_owned();
        Ok(Self {
            name,
            release,
            labels: read_labels(decoder)?,
            capacity: decoder.option(Decoder::u64)?,
            stores: decoder.ascending(
                (MAX_STORES, "stores", STORE_BYTES_MIN),
                read_store,
                |last, next| last < next,
            )?,
            components: decoder.ascending(
                (MAX_COMPONENTS, "components", COMPONENT_BYTES_MIN),
                HostedComponent::read,
                |last, next| last.key() < next.key(),
            )?,
            failures: decoder.ascending(
                (MAX_FAILURES, "failures", FAILURE_BYTES_MIN),
                Failure::read,
                |last, next| last.app < next.app,
            )?,
            conditions: decoder.ascending(
                (HostCondition::ALL.len(), "conditions", 1),
                |decoder| Ok(decoder.case()?),
                |last, next| last < next,
            )?,
        })
    }
}

fn read_labels(decoder: &mut Decoder<'_>) -> Result<Labels, FieldError> {
    let pairs = decoder.ascending(
        (MAX_LABELS, "labels", LABEL_BYTES_MIN),
        |decoder| {
            let name = decoder.text_up_to(MAX_LABEL_BYTES, "label")?.to_owned();
            Ok((
                name,
                decoder.text_up_to(MAX_LABEL_BYTES, "label")?.to_owned(),
            ))
        },
        |(last, _), (next, _)| last < next,
    )?;
    let mut labels = Labels::default();
    for (name, value) in &pairs {
        let set = labels.set(name, value);
        set.map_err(|error| FieldError::invalid("label", &error))?;
    }
    Ok(labels)
}

fn read_store(decoder: &mut Decoder<'_>) -> Result<StoreId, FieldError> {
    Ok(StoreId {
        app: decoder.parsed(MAX_NAME_BYTES, "app")?,
        provider: decoder.parsed(MAX_NAME_BYTES, "provider")?,
    })
}

// === impl HostedComponent ===

impl HostedComponent {
    /// The sort key within inventories.
    fn key(&self) -> (&ComponentId, Revision) {
        (&self.component, self.revision)
    }

    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        let ComponentId { app, component } = &self.component;
        encoder.bytes_up_to(MAX_NAME_BYTES, "app", app.as_str().as_bytes())?;
        let component = component.as_str().as_bytes();
        encoder.bytes_up_to(MAX_NAME_BYTES, "component", component)?;
        encoder.u64(self.revision.0)?;
        encoder.case(self.readiness)
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, FieldError> {
        let app = decoder.parsed(MAX_NAME_BYTES, "app")?;
        let component = decoder.parsed(MAX_NAME_BYTES, "component")?;
        Ok(Self {
            component: ComponentId { app, component },
            revision: Revision(decoder.u64()?),
            readiness: decoder.case()?,
        })
    }
}

// === impl Failure ===

impl Failure {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        let app = self.app.as_str().as_bytes();
        encoder.bytes_up_to(MAX_NAME_BYTES, "app", app)?;
        encoder.u64(self.revision.0)?;
        encoder.bytes_up_to(MAX_REASON_BYTES, "reason", self.reason.as_bytes())
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            app: decoder.parsed(MAX_NAME_BYTES, "app")?,
            revision: Revision(decoder.u64()?),
            reason: decoder.text_up_to(MAX_REASON_BYTES, "reason")?.to_owned(),
        })
    }
}

// === impl InventoryHash ===

impl InventoryHash {
    /// The hash with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; INVENTORY_HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; INVENTORY_HASH_BYTES] {
        &self.0
    }
}

impl fmt::Display for InventoryHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for InventoryHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "InventoryHash({self})")
    }
}
