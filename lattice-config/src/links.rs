//! The graph of the links of an app.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::app::{App, LinkSpec};
use crate::name::Name;

/// A cycle of linked components: a → b → a.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// The components in the order of the links, each once. The last is linked to the first.
    pub components: Vec<Name>,
    /// The index, in the input, of the link from the last component to the first.
    pub closing_link: usize,
}

impl fmt::Display for Cycle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for component in &self.components {
            write!(formatter, "{component} → ")?;
        }
        self.components
            .first()
            .map_or(Ok(()), |first| write!(formatter, "{first}"))
    }
}

/// Finds cycles among links. The order of the result depends only on the order of the links.
///
/// There may be exponentially many cycles, so only some are listed, but enough to break them all:
/// without the closing links of the listed cycles, the graph is acyclic. A component that is linked
/// to itself is a cycle of one.
pub fn cycles<'a>(links: impl IntoIterator<Item = &'a LinkSpec>) -> Vec<Cycle> {
    let edges = links
        .into_iter()
        .map(|link| (Name::from(link.from.clone()), link.to.clone()));
    cycles_of(edges)
}

/// The indices of the links of an app that are part of a cycle: their target reaches their origin
/// over links. A call over any other link never comes back to its caller.
#[must_use]
pub fn on_a_cycle(app: &App) -> BTreeSet<usize> {
    let mut numbers = BTreeMap::new();
    let mut number = |name| {
        let next = numbers.len();
        *numbers.entry(name).or_insert(next)
    };
    let links = app.spec.links.iter();
    let edges: Vec<(usize, usize)> = links
        .map(|link| (number(link.from.as_str()), number(link.to.as_str())))
        .collect();
    let mut targets = vec![BTreeSet::new(); numbers.len()];
    for (from, to) in &edges {
        targets[*from].insert(*to);
    }
    let reached: Vec<_> = (0..targets.len())
        .map(|start| reached_from(start, &targets))
        .collect();
    let places = edges.iter().enumerate();
    places
        .filter(|(_, (from, to))| reached[*to][*from])
        .map(|(place, _)| place)
        .collect()
}

/// Marks the components that `start` reaches, itself included.
fn reached_from(start: usize, targets: &[BTreeSet<usize>]) -> Vec<bool> {
    let mut reached = vec![false; targets.len()];
    reached[start] = true;
    let mut pending = vec![start];
    while let Some(component) = pending.pop() {
        for target in &targets[component] {
            if !std::mem::replace(&mut reached[*target], true) {
                pending.push(*target);
            }
        }
    }
    reached
}

/// [`cycles`] over bare pairs of names.
pub(crate) fn cycles_of(edges: impl IntoIterator<Item = (Name, Name)>) -> Vec<Cycle> {
    let edges: Vec<_> = edges.into_iter().collect();
    let mut search = Search::new(&edges);
    for (from, _) in &edges {
        search.walk_from(from);
    }
    search.cycles
}

/// A depth-first search with an explicit stack, because the graph may be deeper than the stack of
/// the thread.
struct Search<'a> {
    /// The targets of each component, each with the index of the first link that leads there.
    targets: BTreeMap<&'a Name, Vec<(&'a Name, usize)>>,
    done: BTreeSet<&'a Name>,
    cycles: Vec<Cycle>,
}

impl<'a> Search<'a> {
    fn new(edges: &'a [(Name, Name)]) -> Search<'a> {
        let mut targets: BTreeMap<&Name, Vec<(&Name, usize)>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (place, (from, to)) in edges.iter().enumerate() {
            if seen.insert((from, to)) {
                targets.entry(from).or_default().push((to, place));
            }
        }
        Search {
            targets,
            done: BTreeSet::new(),
            cycles: Vec::new(),
        }
    }

    fn walk_from(&mut self, start: &'a Name) {
        // The components from `start` to the current one, each with the index of its next target.
        let mut path: Vec<(&Name, usize)> = vec![(start, 0)];
        if !self.done.insert(start) {
            return;
        }
        let mut position_on_path = BTreeMap::from([(start, 0)]);
        while let Some((component, next)) = path.last_mut() {
            let target = self
                .targets
                .get(*component)
                .and_then(|targets| targets.get(*next));
            *next += 1;
            match target {
                None => {
                    position_on_path.remove(*component);
                    path.pop();
                }
                Some((target, closing_link)) => {
                    if let Some(entered) = position_on_path.get(target) {
                        let components = path[*entered..].iter().map(|(name, _)| (*name).clone());
                        let components = components.collect();
                        self.cycles.push(Cycle {
                            components,
                            closing_link: *closing_link,
                        });
                    } else if self.done.insert(target) {
                        position_on_path.insert(target, path.len());
                        path.push((target, 0));
                    }
                }
            }
        }
    }
}
