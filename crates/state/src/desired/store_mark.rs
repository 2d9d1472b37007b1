//! The marks of the stores of providers: what the desired state remembers of data that is stored
//! elsewhere, so that a store that was lost is not taken for a new one.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// The longest mark, and the longest reason of a loss, in bytes: 32 digits, the time at which a
/// stream was created, a few words.
pub const MARK_BYTES_MAX: usize = 128;

/// The record of the mark of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreMark {
    /// The number of the change, from 1. Each change of the mark has a larger one.
    pub revision: u64,
    /// The time of the change, in milliseconds since the Unix epoch.
    pub changed_at_ms: u64,
    /// The mark in the data of the store; `None` once an operator has agreed to another store,
    /// until the first host that finds one records its mark.
    pub mark: Option<String>,
    /// The reason why a host takes the store for lost; `None` while none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

impl StoreMark {
    /// The record of a mark after a `former` record.
    #[must_use]
    pub fn after(former: Option<&Self>, changed_at_ms: u64, mark: Option<String>) -> Self {
        let revision = former.map_or(0, |former| former.revision).saturating_add(1);
        Self {
            revision,
            changed_at_ms,
            mark,
            lost: None,
        }
    }

    /// The record after this one, with another reason why the store is lost.
    #[must_use]
    pub fn with_loss(&self, changed_at_ms: u64, lost: Option<String>) -> Self {
        let mark = self.mark.clone();
        Self {
            lost,
            ..Self::after(Some(self), changed_at_ms, mark)
        }
    }

    /// Returns whether this record replaces another one of the same store: by its revision.
    ///
    /// Two different records have the same revision only if the bucket of the desired state came
    /// back older and was changed before it was refilled. Then the earlier one is right: the later
    /// one belongs to a store that was made in place of a lost one. The mark decides the rest, so
    /// that every host chooses the same.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let by_revision = self.revision.cmp(&other.revision);
        let earlier_wins = other.changed_at_ms.cmp(&self.changed_at_ms);
        let order = by_revision.then(earlier_wins);
        let content = |record: &Self| (record.mark.clone(), record.lost.clone());
        order.then_with(|| content(self).cmp(&content(other))) == Ordering::Greater
    }

    pub(super) fn is_valid(&self) -> bool {
        let mut texts = self.mark.iter().chain(&self.lost);
        texts.all(|text| text.len() <= MARK_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(revision: u64, changed_at_ms: u64, mark: Option<&str>) -> StoreMark {
        StoreMark {
            revision,
            changed_at_ms,
            mark: mark.map(str::to_owned),
            lost: None,
        }
    }

    #[test]
    fn a_larger_revision_wins_and_of_equal_ones_the_earlier_record() {
        let first = record(1, 10, Some("a"));
        let agreed = StoreMark::after(Some(&first), 20, None);
        assert_eq!(agreed, record(2, 20, None));
        assert!(agreed.is_newer_than(&first) && !first.is_newer_than(&agreed));
        let lost = first.with_loss(15, Some("missing".to_owned()));
        assert_eq!((lost.revision, lost.mark.as_deref()), (2, Some("a")));
        assert_eq!(StoreMark::after(Some(&lost), 20, None).lost, None);
        let made_after_a_loss = record(1, 30, Some("b"));
        assert!(first.is_newer_than(&made_after_a_loss));
        assert!(!made_after_a_loss.is_newer_than(&first));
        assert!(!first.is_newer_than(&first));
        let other = record(1, 10, Some("b"));
        assert_ne!(first.is_newer_than(&other), other.is_newer_than(&first));
    }
}
