//! Selection of a host among candidates: the less utilized of two random ones.

use std::ops::Range;

use super::endpoint::Admission;
use super::table::Candidates;
use crate::{Moment, Random};

/// Permission to run a call twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// Allowed: the link is marked idempotent.
    Idempotent,
    /// Not allowed once the call may have run.
    Never,
}

/// The input of a selection.
pub(super) struct Selector<'a> {
    pub(super) candidates: &'a Candidates,
    /// Indices of the candidates tried before.
    pub(super) tried: &'a [usize],
    pub(super) repeat: Repeat,
    pub(super) random: &'a mut Random,
    pub(super) now: Moment,
}

/// The selected candidate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection {
    /// Index among the candidates.
    pub(super) index: usize,
    /// True if the selection holds the endpoint's probe slot, which has to be released.
    pub(super) is_probe: bool,
}

impl Selector<'_> {
    /// Selects from the nearest group with an admissible candidate; if there is none, any untried
    /// candidate.
    pub(super) fn select(mut self) -> Option<Selection> {
        let candidates = self.candidates;
        let mut groups = candidates.groups();
        let selection = groups.find_map(|group| self.select_in(group));
        let mut groups = candidates.groups();
        selection.or_else(|| groups.find_map(|group| self.select_untried(group)))
    }

    /// Selects from a group: the less utilized of two random candidates, or else the first
    /// admissible one after them.
    fn select_in(&mut self, group: Range<usize>) -> Option<Selection> {
        let (first, second) = self.two_random(&group);
        let selection = match (self.admit(first), second) {
            // A reserved probe is always sent by the call that reserved it.
            (Some(selection), Some(second)) if !selection.is_probe => {
                let other = self.admit(second);
                let other =
                    other.filter(|other| other.is_probe || self.is_less_busy(second, first));
                Some(other.unwrap_or(selection))
            }
            (Some(selection), _) => Some(selection),
            (None, second) => second.and_then(|second| self.admit(second)),
        };
        selection.or_else(|| rotated(first, group).find_map(|index| self.admit(index)))
    }

    /// Selects any untried candidate of a group: if all are ejected, trying one is better than
    /// giving up.
    fn select_untried(&mut self, group: Range<usize>) -> Option<Selection> {
        let (first, _) = self.two_random(&group);
        let index = rotated(first, group).find(|index| !self.tried.contains(index))?;
        let is_probe = false;
        Some(Selection { index, is_probe })
    }

    /// Selects a candidate if it is untried and admissible; reserves a probe if one is due.
    fn admit(&self, index: usize) -> Option<Selection> {
        if self.tried.contains(&index) {
            return None;
        }
        let endpoint = self.candidates.endpoint(index);
        let is_probe = match endpoint.admission(self.now) {
            Admission::Open => false,
            // Only idempotent calls serve as probes.
            Admission::ProbeDue if self.repeat == Repeat::Idempotent => {
                endpoint.begin_probe(self.now).then_some(true)?
            }
            Admission::ProbeDue | Admission::Closed => return None,
        };
        Some(Selection { index, is_probe })
    }

    fn is_less_busy(&self, index: usize, other: usize) -> bool {
        let other = self.candidates.endpoint(other);
        self.candidates.endpoint(index).is_less_busy_than(other)
    }

    /// Two random members of a group, or its only member.
    fn two_random(&mut self, group: &Range<usize>) -> (usize, Option<usize>) {
        let length = u32::try_from(group.len()).unwrap_or(u32::MAX);
        if length < 2 {
            return (group.start, None);
        }
        let first = self.random.below(length);
        let other = self.random.below(length - 1);
        let second = other + u32::from(other >= first);
        let index = |offset: u32| group.start + offset as usize;
        (index(first), Some(index(second)))
    }
}

/// All members of a group, starting from `first`.
fn rotated(first: usize, group: Range<usize>) -> impl Iterator<Item = usize> {
    (first..group.end).chain(group.start..first)
}
