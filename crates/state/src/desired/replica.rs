//! A host's replica of the desired state.
//!
//! The replica is a state machine without tasks, clocks and files. Its owner applies the events of
//! a watch of the bucket ([`DesiredReplica::see`]) and the records of peers
//! ([`DesiredReplica::take_app`], [`DesiredReplica::take_home`]), and writes the records that the
//! bucket lacks ([`DesiredReplica::refills`]).
//!
//! The guarantees, for any inputs, in any number and order:
//! 1. *Silence deletes nothing.* A record is replaced only by a newer one of its app; a removal is
//!    such a record.
//! 2. *The newest record wins*, by [`Record::is_newer_than`], so replicas that received the same
//!    records are equal.
//! 3. *A bucket that is older, or lost records, is refilled* from the replica, after all of it was
//!    read.
//! 4. *Unknown records are left alone*: neither applied nor overwritten, because a newer release
//!    wrote them.
//! 5. The home of a store is the one in the bucket; a home that the bucket lacks stays as it is.
//! 6. *The mark of a store is known before its app*: marks are written before apps, so a host that
//!    receives an app from a bucket that lost its records does not take a lost store for a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use weft_lattice_config::AppName;
use weft_lattice_config::placement::{self, ComponentId, HostId, Input, StoreId};

use super::record_codec::{self, DecodedRecord, app_key, home_key};
use super::{Key, Revision, StoreMark, WatchEvent};
use crate::store::Record;
use weft_membership::message::{HostState, HostedComponent, Readiness};
use weft_membership::{HostView, View};

/// One host's replica of the desired state. Clones share the records.
#[derive(Clone, Debug, Default)]
pub struct DesiredReplica {
    apps: BTreeMap<AppName, Arc<Record>>,
    homes: BTreeMap<StoreId, HostId>,
    marks: BTreeMap<Key, StoreMark>,
    phase: Phase,
    /// The records of the bucket, as received since its last [`WatchEvent::Begins`].
    bucket: BTreeMap<Key, BucketRecord>,
}

/// A noteworthy outcome of an event, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A foreign client deleted the record. It is written again.
    Erased(Key),
    /// The record is unknown to this version. It is left alone.
    NotUnderstood {
        /// The key of the record.
        key: Key,
        /// The reason.
        reason: String,
    },
    /// The bucket became unavailable. The replica stays as it is.
    Away,
}

/// A write of a record that the bucket lacks, or has in an older form.
#[derive(Clone, Debug, PartialEq)]
pub struct Refill {
    /// The key of the record.
    pub key: Key,
    /// The content to write.
    pub value: Bytes,
    /// The revision in the bucket; [`Revision::NONE`] for a missing record.
    pub expected: Revision,
    content: Content,
}

/// The state of the bucket, which decides whether a record missing from it is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// The bucket is unavailable, or no event of it has arrived yet.
    #[default]
    Unavailable,
    /// The records of the bucket are arriving.
    Loading,
    /// All records of the bucket have arrived, and each change does.
    Synced,
}

#[derive(Clone, Debug)]
struct BucketRecord {
    revision: Revision,
    content: Content,
}

#[derive(Clone, Debug, PartialEq)]
enum Content {
    App(Arc<Record>),
    Home,
    Mark(StoreMark),
    Unknown,
}

impl DesiredReplica {
    /// Creates a replica from the records that a host has on disk.
    #[must_use]
    pub fn new(
        apps: impl IntoIterator<Item = (AppName, Record)>,
        homes: impl IntoIterator<Item = (StoreId, HostId)>,
    ) -> Self {
        let apps = apps.into_iter();
        Self {
            apps: apps.map(|(app, record)| (app, Arc::new(record))).collect(),
            homes: homes.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Adds the marks of stores that a host has on disk.
    #[must_use]
    pub fn with_marks(mut self, marks: impl IntoIterator<Item = (Key, StoreMark)>) -> Self {
        self.marks.extend(marks);
        self
    }

    /// The newest record of each app ever received, removals included.
    #[must_use]
    pub fn apps(&self) -> &BTreeMap<AppName, Arc<Record>> {
        &self.apps
    }

    /// The home of each store that stays on one host.
    #[must_use]
    pub fn homes(&self) -> &BTreeMap<StoreId, HostId> {
        &self.homes
    }

    /// The mark of each store, by the key of its record.
    #[must_use]
    pub fn marks(&self) -> &BTreeMap<Key, StoreMark> {
        &self.marks
    }

    /// Returns whether another replica has the same content. Records are compared by pointer.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let records = self.apps.values().zip(other.apps.values());
        self.apps.len() == other.apps.len()
            && self.homes == other.homes
            && self.marks == other.marks
            && records
                .into_iter()
                .all(|(one, other)| Arc::ptr_eq(one, other))
    }

    /// True if all records of the bucket have arrived and it has been available since.
    #[must_use]
    pub fn is_bucket_known(&self) -> bool {
        self.phase == Phase::Synced
    }

    /// True while the records of the bucket are arriving. A plan made now lacks the rest of them.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.phase == Phase::Loading
    }

    /// True if the bucket has a record that this version cannot decode. It may name artifacts.
    #[must_use]
    pub fn has_unknown(&self) -> bool {
        let mut records = self.bucket.values();
        records.any(|record| record.content == Content::Unknown)
    }

    /// Applies an event of a watch of the bucket.
    pub fn see(&mut self, watched: WatchEvent) -> Option<Notice> {
        match watched {
            WatchEvent::Begins => {
                self.bucket.clear();
                self.phase = Phase::Loading;
                None
            }
            WatchEvent::Record { key, record } => {
                self.apply_bucket_record(key, record.revision, &record.value)
            }
            WatchEvent::Erased { key } => {
                self.bucket.remove(&key);
                Some(Notice::Erased(key))
            }
            WatchEvent::Complete => {
                self.phase = Phase::Synced;
                None
            }
            WatchEvent::Away => {
                self.phase = Phase::Unavailable;
                Some(Notice::Away)
            }
        }
    }

    /// Applies a record of an app from any source. Returns true if it was newer.
    pub fn take_app(&mut self, app: AppName, record: Record) -> bool {
        let known = self.apps.get(&app);
        let is_newer = known.is_none_or(|known| record.is_newer_than(known));
        if is_newer {
            self.apps.insert(app, Arc::new(record));
        }
        is_newer
    }

    /// Applies the home of a store from a source other than the bucket, if the replica has none.
    /// Returns true if it was applied.
    pub fn take_home(&mut self, store: StoreId, host: HostId) -> bool {
        let is_new = !self.homes.contains_key(&store);
        if is_new {
            self.homes.insert(store, host);
        }
        is_new
    }

    /// Applies the mark of a store from any source. Returns true if it was newer.
    pub fn take_mark(&mut self, key: Key, mark: StoreMark) -> bool {
        let known = self.marks.get(&key);
        let is_newer = known.is_none_or(|known| mark.is_newer_than(known));
        if is_newer {
            self.marks.insert(key, mark);
        }
        is_newer
    }

    /// The writes of records that the bucket lacks, at most `count_max`; empty until all of the
    /// bucket was read.
    #[must_use]
    pub fn refills(&self, count_max: usize) -> Vec<Refill> {
        if self.phase != Phase::Synced {
            return Vec::new();
        }
        let marks = self.marks.iter();
        let marks = marks.filter_map(|(key, mark)| self.mark_refill(key, mark));
        let apps = self.apps.iter();
        let apps = apps.filter_map(|(app, record)| self.app_refill(app, record));
        let homes = self.homes.iter();
        let homes = homes.filter_map(|(store, host)| self.home_refill(store, host));
        marks.chain(apps).chain(homes).take(count_max).collect()
    }

    /// Records that a refill was written, at this revision.
    pub fn refilled(&mut self, refill: Refill, revision: Revision) {
        let known = self.bucket.get(&refill.key);
        if known.is_none_or(|known| known.revision < revision) {
            let content = refill.content;
            self.bucket
                .insert(refill.key, BucketRecord { revision, content });
        }
    }

    /// Calls `make` with the input of placement, as this host observes it.
    pub fn with_input<R>(
        &self,
        view: &View,
        local_stores: &BTreeSet<String>,
        make: impl FnOnce(&Input<'_>) -> R,
    ) -> R {
        let apps = self.apps.values().filter_map(|record| match &**record {
            Record::Deployed(deployed) => Some(placement::Desired {
                app: &deployed.app,
                since: deployed.changed_at_ms,
            }),
            Record::Removed { .. } => None,
        });
        let apps: Vec<_> = apps.collect();
        let mut hosts: Vec<_> = view.hosts().filter_map(placement_host).collect();
        let is_frozen =
            |host: &placement::Host| matches!(host.state, placement::HostState::Frozen { .. });
        if hosts.iter().all(is_frozen) {
            // The planning host itself is not frozen, unless it found no bus since its start: then
            // it plans for itself alone.
            for host in &mut hosts {
                host.state = placement::HostState::Ready;
            }
        }
        make(&Input {
            apps: &apps,
            hosts: &hosts,
            demand: &BTreeMap::new(),
            local_stores,
            homes: &self.homes,
        })
    }

    fn apply_bucket_record(
        &mut self,
        key: Key,
        revision: Revision,
        value: &[u8],
    ) -> Option<Notice> {
        let (content, notice) = match record_codec::decode(&key, value) {
            DecodedRecord::App(app, record) => {
                let record = Arc::new(record);
                let known = self.apps.entry(app).or_insert_with(|| record.clone());
                if record.is_newer_than(known) {
                    *known = record.clone();
                }
                // Mostly both are equal, and then share one allocation.
                let is_same = **known == *record;
                let record = if is_same { known.clone() } else { record };
                (Content::App(record), None)
            }
            DecodedRecord::Home(store, host) => {
                let is_latest = self.is_latest(&key, revision);
                if is_latest || !self.homes.contains_key(&store) {
                    self.homes.insert(store, host);
                }
                (Content::Home, None)
            }
            DecodedRecord::Mark(key, mark) => {
                self.take_mark(key, mark.clone());
                (Content::Mark(mark), None)
            }
            DecodedRecord::Unknown(reason) => {
                let key = key.clone();
                (
                    Content::Unknown,
                    Some(Notice::NotUnderstood { key, reason }),
                )
            }
        };
        if self.is_latest(&key, revision) {
            self.bucket.insert(key, BucketRecord { revision, content });
        }
        notice
    }

    /// True if no later revision of the record was received.
    fn is_latest(&self, key: &Key, revision: Revision) -> bool {
        let known = self.bucket.get(key);
        known.is_none_or(|known| known.revision <= revision)
    }

    fn app_refill(&self, app: &AppName, record: &Arc<Record>) -> Option<Refill> {
        // Names of apps and stores are always valid keys, and records read from JSON are
        // representable in it.
        let key = app_key(app).ok()?;
        let known = self.bucket.get(&key);
        let is_lacking = match known.map(|known| &known.content) {
            None => true,
            Some(Content::App(known)) => !Arc::ptr_eq(known, record) && record.is_newer_than(known),
            Some(Content::Home | Content::Mark(_) | Content::Unknown) => false,
        };
        is_lacking.then_some(())?;
        Some(Refill {
            value: record_codec::encode_app(record).ok()?,
            expected: known.map_or(Revision::NONE, |known| known.revision),
            content: Content::App(record.clone()),
            key,
        })
    }

    fn mark_refill(&self, key: &Key, mark: &StoreMark) -> Option<Refill> {
        let known = self.bucket.get(key);
        let is_lacking = match known.map(|known| &known.content) {
            None => true,
            Some(Content::Mark(known)) => mark.is_newer_than(known),
            Some(Content::App(_) | Content::Home | Content::Unknown) => false,
        };
        is_lacking.then_some(())?;
        Some(Refill {
            key: key.clone(),
            value: record_codec::encode_mark(mark).ok()?,
            expected: known.map_or(Revision::NONE, |known| known.revision),
            content: Content::Mark(mark.clone()),
        })
    }

    fn home_refill(&self, store: &StoreId, host: &HostId) -> Option<Refill> {
        let key = home_key(store).ok()?;
        // A home in the bucket is never overwritten.
        let is_lacking = !self.bucket.contains_key(&key);
        is_lacking.then(|| Refill {
            value: record_codec::encode_home(host),
            expected: Revision::NONE,
            content: Content::Home,
            key,
        })
    }
}

/// A host as if it took part in placement and could get any replica; `None` if its id is invalid.
#[must_use]
pub fn as_ready_host(host: &HostView) -> Option<placement::Host> {
    let contents = host.contents.as_ref();
    let labels = contents.map(|contents| {
        let labels = contents.labels.iter();
        // A label outside the grammar of manifests cannot be required by one.
        let labels =
            labels.filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)));
        labels.collect()
    });
    Some(placement::Host {
        id: host.id.to_string().parse().ok()?,
        labels: labels.unwrap_or_default(),
        capacity: contents.and_then(|contents| contents.capacity),
        state: placement::HostState::Ready,
    })
}

/// The placement's view of a host; `None` for a host that takes no part in placement.
fn placement_host(host: &HostView) -> Option<placement::Host> {
    let contents = host.contents.as_ref();
    let state = match host.state {
        _ if host.is_draining() => placement::HostState::Draining,
        _ if !host.is_placeable() => return None,
        // Until its inventory arrives, the components that may not move from a frozen host are
        // unknown.
        HostState::Frozen if contents.is_some() => placement::HostState::Frozen {
            runs: contents.map_or_else(BTreeSet::new, |contents| {
                running_components(&contents.components)
            }),
        },
        _ => placement::HostState::Ready,
    };
    Some(placement::Host {
        state,
        ..as_ready_host(host)?
    })
}

fn running_components(components: &[HostedComponent]) -> BTreeSet<ComponentId> {
    let stays = components
        .iter()
        .filter(|hosted| hosted.readiness != Readiness::Stopping);
    stays.map(|hosted| hosted.component.clone()).collect()
}
