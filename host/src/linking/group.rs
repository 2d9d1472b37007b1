//! Which components are fused with an entry: all that it reaches over links.

use weft_compose::Edge;
use weft_lattice_config::{App, ComponentSpec};

use super::{Problem, Problems};
use crate::bindings::MAX_PARTS;

/// An entry and the components fused with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Indices into the app's components, the entry first.
    pub(crate) parts: Vec<usize>,
    /// The links among them; `from` and `to` are indices into `parts`.
    pub(crate) edges: Vec<Edge>,
}

/// The group of the component with index `entry`.
///
/// # Errors
/// A component with a memory or processor limit of its own at either end of a link, or more than
/// [`MAX_PARTS`] components.
pub(crate) fn group(app: &App, edges: &[Edge], entry: usize) -> Result<Group, Problems> {
    let parts = reachable(edges, entry);
    let position = |component: usize| parts.iter().position(|part| *part == component);
    let inner: Vec<Edge> = edges
        .iter()
        .filter_map(|edge| {
            Some(Edge {
                from: position(edge.from)?,
                to: position(edge.to)?,
                ..edge.clone()
            })
        })
        .collect();
    let mut problems = Problems::default();
    if parts.len() > MAX_PARTS {
        problems.push(Problem::with_help(
            format!(
                "component `{}` reaches {} components over its links; at most {MAX_PARTS} can be fused",
                app.spec.components[entry].name,
                parts.len()
            ),
            "split the app: components of different apps are not fused",
        ));
    }
    for edge in edges.iter().filter(|edge| edge.from == entry) {
        limited(app, edge, &mut problems);
    }
    problems.or(Group {
        parts,
        edges: inner,
    })
}

/// What `entry` reaches, itself first, each once, in the order in which it is met.
fn reachable(edges: &[Edge], entry: usize) -> Vec<usize> {
    let mut parts = vec![entry];
    let mut next = 0;
    while let Some(part) = parts.get(next).copied() {
        next += 1;
        for edge in edges.iter().filter(|edge| edge.from == part) {
            if !parts.contains(&edge.to) {
                parts.push(edge.to);
            }
        }
    }
    parts
}

fn limited(app: &App, edge: &Edge, problems: &mut Problems) {
    let (from, to) = (
        &app.spec.components[edge.from],
        &app.spec.components[edge.to],
    );
    for component in [from, to] {
        let Some(limit) = own_limit(component) else {
            continue;
        };
        problems.push(Problem::with_help(
            format!(
                "link `{}` → `{}` (`{}`): component `{}` has a limit of its own (`limits.{limit}`), and \
                 a fused component shares one store, whose limit cannot tell its parts apart",
                from.name, to.name, edge.import, component.name
            ),
            format!("remove `limits.{limit}` of `{}`, or the link", component.name),
        ));
    }
}

fn own_limit(component: &ComponentSpec) -> Option<&'static str> {
    let limits = &component.limits;
    limits
        .memory
        .map(|_| "memory")
        .or_else(|| limits.cpu.map(|_| "cpu"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: usize, to: usize) -> Edge {
        Edge {
            from,
            import: "a:b/c".to_owned(),
            to,
            export: "a:b/c".to_owned(),
        }
    }

    #[test]
    fn a_diamond_is_reached_once() {
        let edges = [edge(0, 1), edge(0, 2), edge(1, 3), edge(2, 3)];
        assert_eq!(reachable(&edges, 0), [0, 1, 2, 3]);
        assert_eq!(reachable(&edges, 2), [2, 3]);
        assert_eq!(reachable(&edges, 3), [3]);
    }

    #[test]
    fn a_cycle_ends() {
        assert_eq!(reachable(&[edge(0, 1), edge(1, 0)], 0), [0, 1]);
    }
}
