//! A host's own copy of the desired state, and what it makes of what the bucket and its peers say.
//!
//! This is a state machine without tasks, clocks and files: its owner hands in what a watch of the bucket
//! sees ([`DesiredReplica::see`]) and what peers say ([`DesiredReplica::take_app`], [`DesiredReplica::take_home`]), and writes what the
//! bucket lacks ([`DesiredReplica::refills`]).
//!
//! What is promised, whatever comes, how often and in whatever order:
//! 1. *Nothing is deleted because of silence.* A record leaves the copy only for a newer one of its app; a
//!    removal is such a record.
//! 2. *The newest wins*, by [`Record::is_newer_than`], so copies that have heard the same are the same.
//! 3. *A bucket that is older, or lost something, is refilled* from the copy, when all of it was read.
//! 4. *What is not understood is left alone*: neither taken nor overwritten. A newer release wrote it.
//! 5. The host that has a store is the one that the bucket says; what it does not say stays as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use weft_lattice_config::AppName;
use weft_lattice_config::placement::{self, ComponentId, HostId, Input, StoreId};

use super::record_codec::{self, Said, app_key, home_key};
use super::{Key, Revision, Watched};
use crate::store::Record;
use weft_membership::message::{Holding, HostState, Readiness};
use weft_membership::{HostView, View};

/// What one host knows of the desired state. Copies of it share the records.
#[derive(Clone, Debug, Default)]
pub struct DesiredReplica {
    apps: BTreeMap<AppName, Arc<Record>>,
    homes: BTreeMap<StoreId, HostId>,
    phase: Phase,
    /// What the bucket has, as far as it was heard since it was last begun with.
    bucket: BTreeMap<Key, BucketRecord>,
}

/// What is worth telling of what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Somebody deleted a record. It is written anew.
    Erased(Key),
    /// A record is not understood. It is left alone.
    NotUnderstood {
        /// The record.
        key: Key,
        /// Why not.
        reason: String,
    },
    /// The bucket cannot be reached. The copy stays as it is.
    Away,
}

/// A record that the bucket lacks, or has in an older form.
#[derive(Clone, Debug, PartialEq)]
pub struct Refill {
    /// Which one.
    pub key: Key,
    /// What is to be written.
    pub value: Bytes,
    /// The revision that the bucket has; [`Revision::NONE`] for nothing.
    pub expected: Revision,
    content: Content,
}

/// Whether what the bucket does not say means anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// It cannot be reached, or was not heard yet.
    #[default]
    Unavailable,
    /// Its records are coming.
    Loading,
    /// All its records have come, and each change does.
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
    Unknown,
}

impl DesiredReplica {
    /// The copy that a host has kept.
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

    /// What is wanted of each app that was ever heard of, removals too.
    #[must_use]
    pub fn apps(&self) -> &BTreeMap<AppName, Arc<Record>> {
        &self.apps
    }

    /// The host of each store that stays on one.
    #[must_use]
    pub fn homes(&self) -> &BTreeMap<StoreId, HostId> {
        &self.homes
    }

    /// Whether another copy knows the same of what is wanted.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let records = self.apps.values().zip(other.apps.values());
        self.apps.len() == other.apps.len()
            && self.homes == other.homes
            && records
                .into_iter()
                .all(|(one, other)| Arc::ptr_eq(one, other))
    }

    /// Whether all of the bucket was heard, and it has not gone away since.
    #[must_use]
    pub fn is_bucket_known(&self) -> bool {
        self.phase == Phase::Synced
    }

    /// Whether the bucket is being read. What is planned in the middle of it is planned without what has
    /// not come yet.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.phase == Phase::Loading
    }

    /// Takes what a watch of the bucket saw.
    pub fn see(&mut self, watched: Watched) -> Option<Notice> {
        match watched {
            Watched::Begins => {
                self.bucket.clear();
                self.phase = Phase::Loading;
                None
            }
            Watched::Record { key, record } => {
                self.apply_bucket_record(key, record.revision, &record.value)
            }
            Watched::Erased { key } => {
                self.bucket.remove(&key);
                Some(Notice::Erased(key))
            }
            Watched::Complete => {
                self.phase = Phase::Synced;
                None
            }
            Watched::Away => {
                self.phase = Phase::Unavailable;
                Some(Notice::Away)
            }
        }
    }

    /// Takes what is wanted of an app, by whomever it is said. Says whether it was newer.
    pub fn take_app(&mut self, app: AppName, record: Record) -> bool {
        let known = self.apps.get(&app);
        let is_newer = known.is_none_or(|known| record.is_newer_than(known));
        if is_newer {
            self.apps.insert(app, Arc::new(record));
        }
        is_newer
    }

    /// Takes the host of a store from somebody who is not the bucket, if none is known. Says whether it was
    /// taken.
    pub fn take_home(&mut self, store: StoreId, host: HostId) -> bool {
        let is_new = !self.homes.contains_key(&store);
        if is_new {
            self.homes.insert(store, host);
        }
        is_new
    }

    /// What the bucket lacks, at most so much of it; nothing until all of it was read.
    #[must_use]
    pub fn refills(&self, count_max: usize) -> Vec<Refill> {
        if self.phase != Phase::Synced {
            return Vec::new();
        }
        let apps = self.apps.iter();
        let apps = apps.filter_map(|(app, record)| self.app_refill(app, record));
        let homes = self.homes.iter();
        let homes = homes.filter_map(|(store, host)| self.home_refill(store, host));
        apps.chain(homes).take(count_max).collect()
    }

    /// Takes note that a refill was written, at this revision.
    pub fn refilled(&mut self, refill: Refill, revision: Revision) {
        let known = self.bucket.get(&refill.key);
        if known.is_none_or(|known| known.revision < revision) {
            let content = refill.content;
            self.bucket
                .insert(refill.key, BucketRecord { revision, content });
        }
    }

    /// Calls `make` with what placement is made from, as this host knows it.
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
            // Whoever plans is not frozen, or it has found no bus since its start and plans for itself alone.
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
            Said::App(app, record) => {
                let record = Arc::new(record);
                let known = self.apps.entry(app).or_insert_with(|| record.clone());
                if record.is_newer_than(known) {
                    *known = record.clone();
                }
                // Mostly they are the same, and then they are kept once.
                let is_same = **known == *record;
                let record = if is_same { known.clone() } else { record };
                (Content::App(record), None)
            }
            Said::Home(store, host) => {
                let is_latest = self.is_latest(&key, revision);
                if is_latest || !self.homes.contains_key(&store) {
                    self.homes.insert(store, host);
                }
                (Content::Home, None)
            }
            Said::Unknown(reason) => {
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

    /// Whether nothing later was heard of a record.
    fn is_latest(&self, key: &Key, revision: Revision) -> bool {
        let known = self.bucket.get(key);
        known.is_none_or(|known| known.revision <= revision)
    }

    fn app_refill(&self, app: &AppName, record: &Arc<Record>) -> Option<Refill> {
        // Names of apps and stores are names of records, and what was read as JSON can be written.
        let key = app_key(app).ok()?;
        let known = self.bucket.get(&key);
        let is_lacking = match known.map(|known| &known.content) {
            None => true,
            Some(Content::App(known)) => !Arc::ptr_eq(known, record) && record.is_newer_than(known),
            Some(Content::Home | Content::Unknown) => false,
        };
        is_lacking.then_some(())?;
        Some(Refill {
            value: record_codec::encode_app(record).ok()?,
            expected: known.map_or(Revision::NONE, |known| known.revision),
            content: Content::App(record.clone()),
            key,
        })
    }

    fn home_refill(&self, store: &StoreId, host: &HostId) -> Option<Refill> {
        let key = home_key(store).ok()?;
        // The bucket is right where it says anything.
        let is_lacking = !self.bucket.contains_key(&key);
        is_lacking.then(|| Refill {
            value: record_codec::encode_home(host),
            expected: Revision::NONE,
            content: Content::Home,
            key,
        })
    }
}

/// A host as placement sees it; none for one that does not count.
fn placement_host(host: &HostView) -> Option<placement::Host> {
    let contents = host.contents.as_ref();
    let state = match host.state {
        _ if host.is_draining() => placement::HostState::Draining,
        _ if !host.is_placeable() => return None,
        // Until it is known what it runs, it is not known what may not move either.
        HostState::Frozen if contents.is_some() => placement::HostState::Frozen {
            runs: contents.map_or_else(BTreeSet::new, |contents| {
                running_components(&contents.components)
            }),
        },
        _ => placement::HostState::Ready,
    };
    let labels = contents.map(|contents| {
        let labels = contents.labels.iter();
        // What is no label of a manifest cannot be asked for by one.
        let labels =
            labels.filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)));
        labels.collect()
    });
    Some(placement::Host {
        id: host.id.to_string().parse().ok()?,
        labels: labels.unwrap_or_default(),
        capacity: contents.and_then(|contents| contents.capacity),
        state,
    })
}

fn running_components(components: &[Holding]) -> BTreeSet<ComponentId> {
    let stays = components
        .iter()
        .filter(|holding| holding.readiness != Readiness::Stopping);
    stays.map(|holding| holding.component.clone()).collect()
}
