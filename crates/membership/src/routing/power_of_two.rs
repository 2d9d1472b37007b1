//! The choice among the hosts that have what is called.

use std::ops::Range;

use super::endpoint::Admission;
use super::table::Candidates;
use crate::{Moment, Random};

/// Whether a call may be made twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// It may: its link is marked idempotent.
    Idempotent,
    /// It may not, once it may have run.
    Never,
}

/// What a choice depends on.
pub(super) struct Selector<'a> {
    pub(super) candidates: &'a Candidates,
    /// Who was asked already, by index.
    pub(super) tried: &'a [usize],
    pub(super) repeat: Repeat,
    pub(super) random: &'a mut Random,
    pub(super) now: Moment,
}

/// Who was selection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection {
    /// Which of the candidates.
    pub(super) index: usize,
    /// Whether it has the host's one place for a probe, which has to be given back.
    pub(super) is_probe: bool,
}

impl Selector<'_> {
    /// One of the nearest group with anyone who may be asked; without one, anyone who was not asked yet.
    pub(super) fn select(mut self) -> Option<Selection> {
        let candidates = self.candidates;
        let mut groups = candidates.groups();
        let selection = groups.find_map(|group| self.select_in(group));
        let mut groups = candidates.groups();
        selection.or_else(|| groups.find_map(|group| self.select_untried(group)))
    }

    /// One of a group: the less busy one of two at random, or the first that may be asked from there on.
    fn select_in(&mut self, group: Range<usize>) -> Option<Selection> {
        let (first, second) = self.two_random(&group);
        let selection = match (self.admit(first), second) {
            // A probe that was taken is made: it is this call that finds out.
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

    /// Anyone of a group who was not asked yet: if nobody answers, trying is better than giving up.
    fn select_untried(&mut self, group: Range<usize>) -> Option<Selection> {
        let (first, _) = self.two_random(&group);
        let index = rotated(first, group).find(|index| !self.tried.contains(index))?;
        let is_probe = false;
        Some(Selection { index, is_probe })
    }

    /// A candidate, if it may be asked; a probe is taken with it.
    fn admit(&self, index: usize) -> Option<Selection> {
        if self.tried.contains(&index) {
            return None;
        }
        let endpoint = self.candidates.endpoint(index);
        let is_probe = match endpoint.admission(self.now) {
            Admission::Open => false,
            // What may not be made twice is not for finding out who answers.
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

    /// Two members of a group at random; one if there are no two.
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

/// All of a group, beginning somewhere in it.
fn rotated(first: usize, group: Range<usize>) -> impl Iterator<Item = usize> {
    (first..group.end).chain(group.start..first)
}
