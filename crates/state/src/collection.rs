//! The choice of what to delete from a store of artifacts, objects or machine code.
//!
//! What the current revisions need is never chosen, and nothing that was written, renewed or used
//! within the grace time: a deploy uploads its artifacts before it writes the record that names
//! them. See ADR 20.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use weft_lattice_config::Digest;

use crate::desired::DesiredReplica;
use crate::store::Record;

/// The grace time: the longest time from the upload of an artifact to the record that names it. A
/// deploy takes minutes where a large component travels slowly.
pub const GRACE: Duration = Duration::from_secs(60 * 60);

/// The age from which a writer writes an object again before it names it in a record: half of the
/// grace time is left to the deploy, also if clocks differ by that much.
pub const RENEW_AFTER: Duration = Duration::from_secs(60 * 30);

/// The most bytes in a store of artifacts that only previous revisions need: some fifty components
/// with a language runtime. The oldest beyond it are deleted.
pub const PREVIOUS_BYTES_MAX: u64 = 1 << 30;

/// The artifacts that revisions need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// Those of current revisions, and of revisions that run.
    pub current: BTreeSet<Digest>,
    /// Those of previous revisions.
    pub previous: BTreeSet<Digest>,
}

/// An entry of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The digest of the artifact.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
    /// The time since it was written, renewed or used.
    pub age: Duration,
}

impl Needed {
    /// What the desired apps of a replica need.
    #[must_use]
    pub fn of(replica: &DesiredReplica) -> Self {
        let mut needed = Self::default();
        for record in replica.apps().values() {
            if let Record::Deployed(deployed) = &**record {
                needed.current.extend(deployed.app.digests().cloned());
                needed.previous.extend(deployed.previous.iter().cloned());
            }
        }
        needed
    }

    /// True if a revision needs the artifact.
    #[must_use]
    pub fn contains(&self, digest: &Digest) -> bool {
        self.current.contains(digest) || self.previous.contains(digest)
    }

    /// The entries to delete: those that no revision needs, and the oldest of those that only
    /// previous revisions need beyond [`PREVIOUS_BYTES_MAX`]; none younger than `grace`.
    #[must_use]
    pub fn surplus(&self, mut entries: Vec<Entry>, grace: Duration) -> Vec<Entry> {
        self.surplus_beyond(&mut entries, grace, PREVIOUS_BYTES_MAX);
        entries
    }

    fn surplus_beyond(&self, entries: &mut Vec<Entry>, grace: Duration, bytes_max: u64) {
        entries.retain(|entry| !self.current.contains(&entry.digest));
        // The youngest first; all hosts choose the same of equal ones.
        entries.sort_by_key(|entry| (entry.age, Reverse(entry.digest.clone())));
        let mut previous_bytes = 0_u64;
        entries.retain(|entry| {
            let is_needed = self.previous.contains(&entry.digest);
            if is_needed {
                previous_bytes = previous_bytes.saturating_add(entry.bytes);
            }
            entry.age >= grace && (!is_needed || previous_bytes > bytes_max)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    fn chosen(needed: &Needed, ages: &[(&str, u64)], bytes_max: u64) -> BTreeSet<Digest> {
        let entry = |(name, age): &(&str, u64)| Entry {
            digest: digest(name),
            bytes: 10,
            age: Duration::from_secs(*age),
        };
        let mut entries = ages.iter().map(entry).collect();
        needed.surplus_beyond(&mut entries, Duration::from_secs(60), bytes_max);
        entries.into_iter().map(|entry| entry.digest).collect()
    }

    #[test]
    fn what_no_revision_needs_is_deleted_after_the_grace_time() {
        let needed = Needed {
            current: [digest("current")].into(),
            previous: [digest("previous")].into(),
        };
        let ages = [("current", 99), ("previous", 99), ("old", 60), ("new", 59)];
        let expected: BTreeSet<_> = [digest("old")].into();
        assert_eq!(chosen(&needed, &ages, 100), expected);
        assert_eq!(chosen(&needed, &[], 100), BTreeSet::new());
    }

    #[test]
    fn the_oldest_artifacts_of_previous_revisions_are_deleted_beyond_their_bytes() {
        let needed = Needed {
            current: [digest("current")].into(),
            previous: ["a", "b", "c", "young", "current"].map(digest).into(),
        };
        let ages = [
            ("a", 90),
            ("b", 80),
            ("c", 70),
            ("young", 1),
            ("current", 99),
        ];
        let expected: BTreeSet<_> = [digest("a"), digest("b")].into();
        assert_eq!(chosen(&needed, &ages, 20), expected);
        assert_eq!(
            chosen(&needed, &ages, 0).len(),
            3,
            "not within the grace time"
        );
    }
}
