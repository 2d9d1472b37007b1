//! The parts of one endpoint: the components fused with it, the stubs of their links to other
//! stores, and the skeleton for links from other stores.

use std::sync::Arc;

use weft_compose::Edge;

use super::Mode;
use super::link_exports::ExportedFunctions;
use super::modes::{ModeChoice, reachable};
use super::resolve::ComponentLink;
use super::store_crossing::{Exporter, StoreCrossing, StoreCrossings};

/// An endpoint with everything that is fused to it.
#[derive(Debug, Clone)]
pub(crate) struct FusionGroup {
    /// Indices into the app's components, the endpoint first.
    pub(crate) parts: Vec<usize>,
    /// The fused links among the parts; `from` and `to` are indices into `parts`.
    pub(crate) edges: Vec<Edge>,
    /// The links to other stores, each with the index of the importing part.
    pub(crate) crossings: Vec<(usize, Arc<StoreCrossing>)>,
    /// The endpoint's exports for links from other stores.
    pub(crate) exporter: Option<Arc<Exporter>>,
}

impl FusionGroup {
    /// The group of the component with index `endpoint`.
    pub(crate) fn new(
        links: &[ComponentLink],
        choices: &[ModeChoice],
        crossings: &StoreCrossings,
        endpoint: usize,
    ) -> Self {
        let parts = reachable(links, choices, endpoint);
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
        let group_crossings = crossings
            .crossings
            .iter()
            .filter_map(|crossing| Some((position(crossing.from)?, crossing.clone())))
            .collect();
        Self {
            edges,
            crossings: group_crossings,
            exporter: crossings.exporters.get(&endpoint).cloned(),
            parts,
        }
    }

    /// The endpoint's functions that links call, in the order of their indices.
    pub(super) fn exported_functions(&self) -> ExportedFunctions {
        let exporter = self.exporter.as_ref();
        exporter
            .map(|exporter| exporter.functions())
            .unwrap_or_default()
    }

    /// True if the host implements this import of a part as a whole.
    pub(super) fn is_concurrent(&self, import: &str) -> bool {
        let mut crossings = self.crossings.iter();
        crossings.any(|(_, crossing)| crossing.is_concurrent(import))
    }

    /// The index of the crossing to which a stub belongs; stubs follow the group's own parts.
    pub(super) fn crossing_of_stub(&self, part: usize) -> Option<usize> {
        let stub = part.checked_sub(self.parts.len())?;
        let crossings = self.crossings.iter().enumerate();
        let mut with_stub = crossings.filter(|(_, (_, crossing))| crossing.stub().is_some());
        with_stub.nth(stub).map(|(index, _)| index)
    }

    /// The index of the crossing that implements an import of a part as a whole.
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

    fn parts(links: &[ComponentLink], modes: &[Mode], endpoint: usize) -> Vec<usize> {
        let choices: Vec<_> = modes
            .iter()
            .map(|mode| ModeChoice {
                mode: *mode,
                reasons: Vec::new(),
            })
            .collect();
        FusionGroup::new(links, &choices, &StoreCrossings::default(), endpoint).parts
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
    fn components_behind_a_local_link_are_not_in_the_group() {
        let links = [link(0, 1), link(1, 2)];
        let modes = [Mode::Local, Mode::Fused];
        assert_eq!(parts(&links, &modes, 0), [0]);
        assert_eq!(parts(&links, &modes, 1), [1, 2]);
    }
}
