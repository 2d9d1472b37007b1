//! The choice among the hosts that have what is called.

use std::ops::Range;

use super::endpoint::Access;
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
pub(super) struct Choice<'a> {
    pub(super) candidates: &'a Candidates,
    /// Who was asked already, by index.
    pub(super) tried: &'a [usize],
    pub(super) repeat: Repeat,
    pub(super) random: &'a mut Random,
    pub(super) now: Moment,
}

/// Who was chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    /// Which of the candidates.
    pub(super) index: usize,
    /// Whether it has the host's one place for a probe, which has to be given back.
    pub(super) is_probe: bool,
}

impl Choice<'_> {
    /// One of the nearest group with anyone who may be asked; without one, anyone who was not asked yet.
    pub(super) fn choose(mut self) -> Option<Chosen> {
        let candidates = self.candidates;
        let mut groups = candidates.groups();
        let chosen = groups.find_map(|group| self.choose_of(group));
        let mut groups = candidates.groups();
        chosen.or_else(|| groups.find_map(|group| self.choose_at_last(group)))
    }

    /// One of a group: the less busy one of two at random, or the first that may be asked from there on.
    fn choose_of(&mut self, group: Range<usize>) -> Option<Chosen> {
        let (first, second) = self.two_of(&group);
        let chosen = match (self.take(first), second) {
            // A probe that was taken is made: it is this call that finds out.
            (Some(chosen), Some(second)) if !chosen.is_probe => {
                let other = self.take(second);
                let other =
                    other.filter(|other| other.is_probe || self.is_less_busy(second, first));
                Some(other.unwrap_or(chosen))
            }
            (Some(chosen), _) => Some(chosen),
            (None, second) => second.and_then(|second| self.take(second)),
        };
        chosen.or_else(|| from(first, group).find_map(|index| self.take(index)))
    }

    /// Anyone of a group who was not asked yet: if nobody answers, trying is better than giving up.
    fn choose_at_last(&mut self, group: Range<usize>) -> Option<Chosen> {
        let (first, _) = self.two_of(&group);
        let index = from(first, group).find(|index| !self.tried.contains(index))?;
        let is_probe = false;
        Some(Chosen { index, is_probe })
    }

    /// A candidate, if it may be asked; a probe is taken with it.
    fn take(&self, index: usize) -> Option<Chosen> {
        if self.tried.contains(&index) {
            return None;
        }
        let peer = self.candidates.peer(index);
        let is_probe = match peer.access(self.now) {
            Access::Open => false,
            // What may not be made twice is not for finding out who answers.
            Access::Due if self.repeat == Repeat::Idempotent => {
                peer.begin_probe(self.now).then_some(true)?
            }
            Access::Due | Access::Shut => return None,
        };
        Some(Chosen { index, is_probe })
    }

    fn is_less_busy(&self, index: usize, other: usize) -> bool {
        let other = self.candidates.peer(other);
        self.candidates.peer(index).is_less_busy_than(other)
    }

    /// Two members of a group at random; one if there are no two.
    fn two_of(&mut self, group: &Range<usize>) -> (usize, Option<usize>) {
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
fn from(first: usize, group: Range<usize>) -> impl Iterator<Item = usize> {
    (first..group.end).chain(group.start..first)
}
