//! The records of a host's replica, as it offers them to peers.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use weft_lattice_config::Digest;

use super::message::{Listed, MAX_ANSWER_BYTES, MAX_LISTED};
use crate::desired::record_codec::{app_key, encode_app, encode_home, encode_mark, home_key};
use crate::desired::{DesiredReplica, Key};
use weft_membership::message::MAX_HEARTBEAT_BYTES;

/// The bytes of a listed record beside its key: the key's length, a digest, a size.
const LISTED_BYTES_MAX: usize = 64;

/// The records of a replica in encoded form.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    records: BTreeMap<Key, (Digest, Bytes)>,
    keys: BTreeMap<Digest, Key>,
}

impl Catalog {
    /// Encodes the records of a replica.
    #[must_use]
    pub fn of(copy: &DesiredReplica) -> Self {
        let apps = copy.apps().iter();
        let apps =
            apps.filter_map(|(app, record)| Some((app_key(app).ok()?, encode_app(record).ok()?)));
        let homes = copy.homes().iter();
        let homes =
            homes.filter_map(|(store, host)| Some((home_key(store).ok()?, encode_home(host))));
        let marks = copy.marks().iter();
        let marks = marks.filter_map(|(key, mark)| Some((key.clone(), encode_mark(mark).ok()?)));
        let mut catalog = Self::default();
        for (key, value) in apps.chain(homes).chain(marks) {
            let digest = Digest::of(&value);
            catalog.keys.insert(digest.clone(), key.clone());
            catalog.records.insert(key, (digest, value));
        }
        catalog
    }

    /// Lists the records after a key, as many as fit into one answer, and whether more follow.
    #[must_use]
    pub fn list(&self, after: Option<&Key>) -> (Vec<Listed>, bool) {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.records.range((start, Bound::Unbounded));
        let mut room = MAX_ANSWER_BYTES - MAX_HEARTBEAT_BYTES;
        let mut records = Vec::new();
        for (key, (digest, value)) in rest.by_ref() {
            let needs = key.as_str().len() + LISTED_BYTES_MAX;
            if needs > room || records.len() == MAX_LISTED {
                return (records, true);
            }
            room -= needs;
            records.push(Listed {
                key: key.clone(),
                digest: digest.clone(),
                size: value.len() as u64,
            });
        }
        (records, false)
    }

    /// The value with a digest.
    #[must_use]
    pub fn value(&self, digest: &Digest) -> Option<&Bytes> {
        let key = self.keys.get(digest)?;
        self.records.get(key).map(|(_, value)| value)
    }

    /// True if a record of a peer is here with the same content.
    #[must_use]
    pub fn has(&self, listed: &Listed) -> bool {
        let known = self.records.get(&listed.key);
        known.is_some_and(|(digest, _)| *digest == listed.digest)
    }
}
