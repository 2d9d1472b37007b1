//! What one entry is made of: the components fused with it, the stubs for what they reach in other
//! stores, and the skeleton through which others reach the entry.

use std::sync::Arc;

use weft_compose::Edge;

use super::Mode;
use super::link_exports::ServedFunctions;
use super::modes::{Choice, reachable};
use super::resolve::ComponentLink;
use super::store_crossing::{Crossing, Crossings, Serving};

/// An entry and what is joined with it.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Indices into the app's components, the entry first.
    pub(crate) parts: Vec<usize>,
    /// The fused links among them; `from` and `to` are indices into `parts`.
    pub(crate) edges: Vec<Edge>,
    /// The links to other stores, each with the index of the part that has it.
    pub(crate) crossings: Vec<(usize, Arc<Crossing>)>,
    /// What others reach of the entry over links from their stores.
    pub(crate) serving: Option<Arc<Serving>>,
}

/// The group of the component with index `entry`.
pub(crate) fn group(
    links: &[ComponentLink],
    choices: &[Choice],
    crossings: &Crossings,
    entry: usize,
) -> Group {
    let parts = reachable(links, choices, entry);
    let position = |component: usize| parts.iter().position(|part| *part == component);
    let fused = links
        .iter()
        .zip(choices)
        .filter(|(_, choice)| choice.mode == Mode::Fused);
    let edges = fused
        .filter_map(|(ComponentLink { edge, .. }, _)| {
            Some(Edge {
                from: position(edge.from)?,
                to: position(edge.to)?,
                ..edge.clone()
            })
        })
        .collect();
    let crossings_of = crossings
        .crossings
        .iter()
        .filter_map(|crossing| Some((position(crossing.from)?, crossing.clone())))
        .collect();
    Group {
        edges,
        crossings: crossings_of,
        serving: crossings.serving.get(&entry).cloned(),
        parts,
    }
}

impl Group {
    /// What others call of the entry by its own types, by the index that links know it under.
    pub(super) fn served(&self) -> ServedFunctions {
        let serving = self.serving.as_ref();
        serving
            .map(|serving| serving.functions())
            .unwrap_or_default()
    }

    /// Whether some part's import of that name is served by the host as a whole.
    pub(super) fn is_concurrent(&self, import: &str) -> bool {
        let mut crossings = self.crossings.iter();
        crossings.any(|(_, crossing)| crossing.is_concurrent(import))
    }

    /// The index of the crossing whose stub is the part: stubs come after the group's own parts.
    pub(super) fn crossing_of_stub(&self, part: usize) -> Option<usize> {
        let stub = part.checked_sub(self.parts.len())?;
        let crossings = self.crossings.iter().enumerate();
        let mut with_stub = crossings.filter(|(_, (_, crossing))| crossing.stub().is_some());
        with_stub.nth(stub).map(|(index, _)| index)
    }

    /// The index of the crossing that serves an import of a part as a whole.
    pub(super) fn crossing_of_import(&self, part: usize, import: &str) -> Option<usize> {
        let mut crossings = self.crossings.iter();
        crossings.position(|(from, crossing)| *from == part && crossing.is_concurrent(import))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(from: usize, to: usize) -> ComponentLink {
        let edge = Edge {
            from,
            import: "a:b/c".to_owned(),
            to,
            export: "a:b/c".to_owned(),
        };
        ComponentLink { link: 0, edge }
    }

    fn parts(links: &[ComponentLink], modes: &[Mode], entry: usize) -> Vec<usize> {
        let choices: Vec<_> = modes
            .iter()
            .map(|mode| Choice {
                mode: *mode,
                reasons: Vec::new(),
            })
            .collect();
        group(links, &choices, &Crossings::default(), entry).parts
    }

    #[test]
    fn a_diamond_is_reached_once() {
        let links = [link(0, 1), link(0, 2), link(1, 3), link(2, 3)];
        let fused = [Mode::Fused; 4];
        assert_eq!(parts(&links, &fused, 0), [0, 1, 2, 3]);
        assert_eq!(parts(&links, &fused, 2), [2, 3]);
        assert_eq!(parts(&links, &fused, 3), [3]);
    }

    #[test]
    fn what_is_behind_a_local_link_is_not_in_the_group() {
        let links = [link(0, 1), link(1, 2)];
        let modes = [Mode::Local, Mode::Fused];
        assert_eq!(parts(&links, &modes, 0), [0]);
        assert_eq!(parts(&links, &modes, 1), [1, 2]);
    }
}
