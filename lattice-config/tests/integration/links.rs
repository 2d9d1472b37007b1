//! The graph of links: cycles, and the links on them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Map;
use weft_lattice_config::links::{cycles, on_a_cycle};
use weft_lattice_config::{App, LinkSpec, Locality};

use crate::{app, try_app};

fn link(from: &str, to: &str) -> LinkSpec {
    LinkSpec {
        from: from.parse().expect("a valid name"),
        interface: "a:b/c".parse().expect("a valid name"),
        name: None,
        to: to.parse().expect("a valid name"),
        locality: Locality::Auto,
        deadline: None,
        idempotent: false,
        config: Map::new(),
    }
}

fn check(links: &[(&str, &str)], expected: &[(&str, usize)]) {
    let links: Vec<_> = links.iter().map(|(from, to)| link(from, to)).collect();
    let found = cycles(&links);
    let found: Vec<_> = found
        .iter()
        .map(|it| (it.to_string(), it.closing_link))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(text, link)| ((*text).to_owned(), *link))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_cycle_is_shown_from_its_first_component_back_to_it() {
    check(&[("a", "b"), ("b", "c"), ("c", "b")], &[("b → c → b", 2)]);
    check(
        &[("b", "a"), ("c", "b"), ("a", "c")],
        &[("b → a → c → b", 1)],
    );
    check(&[("a", "a")], &[("a → a", 0)]);
    check(
        &[("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")],
        &[("a → b → a", 1), ("c → d → c", 3)],
    );
}

#[test]
fn a_cycle_is_rejected_only_if_all_its_links_are_fused() {
    let spec = |localities: [&str; 3]| {
        let mut spec = "  components:\n".to_owned();
        for name in ["a", "b", "c"] {
            spec += &format!("  - {{name: {name}, source: {{file: {name}.wasm}}}}\n");
        }
        spec += "  links:\n";
        for (locality, (from, to)) in localities.iter().zip([("a", "b"), ("b", "c"), ("c", "a")]) {
            spec += &format!(
                "  - {{from: {from}, interface: 'x:y/{to}', to: {to}, locality: {locality}}}\n"
            );
        }
        spec
    };
    for localities in [
        ["auto", "auto", "auto"],
        ["local", "local", "local"],
        ["fused", "fused", "auto"],
        ["fused", "local", "fused"],
    ] {
        app(&spec(localities));
    }
    let errors = try_app(&spec(["fused"; 3])).unwrap_err();
    let [only] = errors.diagnostics() else {
        panic!("{errors}")
    };
    assert_eq!(only.path, "spec.links[2].locality");
}

#[test]
fn two_paths_to_one_component_are_not_a_cycle() {
    check(
        &[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "b")],
        &[],
    );
}

#[test]
fn a_chain_longer_than_a_stack_is_walked() {
    let name = |index: usize| format!("n{index}");
    let chain: Vec<_> = (0..100_000)
        .map(|index| link(&name(index), &name(index + 1)))
        .collect();
    assert_eq!(cycles(&chain), []);
}

/// An app with only these links.
fn app_of(links: Vec<LinkSpec>) -> App {
    let mut app = app("  {}\n");
    app.spec.links = links;
    app
}

#[test]
fn a_link_lies_on_a_cycle_if_its_target_reaches_its_start() {
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [usize]);
    let cases: [Case<'_>; 7] = [
        (&[], &[]),
        (&[("a", "b"), ("b", "c")], &[]),
        (&[("a", "b"), ("b", "c"), ("c", "b")], &[1, 2]),
        (&[("a", "a"), ("a", "b")], &[0]),
        // Two cycles that share `b`, and a link from one cycle to another.
        (
            &[("a", "b"), ("b", "a"), ("b", "c"), ("c", "b")],
            &[0, 1, 2, 3],
        ),
        (
            &[("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")],
            &[0, 1, 3, 4],
        ),
        // Two links between the same components.
        (&[("a", "b"), ("a", "b"), ("b", "a")], &[0, 1, 2]),
    ];
    for (links, expected) in cases {
        let links = links.iter().map(|(from, to)| link(from, to)).collect();
        let found: Vec<_> = on_a_cycle(&app_of(links)).into_iter().collect();
        assert_eq!(found, expected);
    }
}

proptest! {
    #[test]
    fn links_on_a_cycle_reach_themselves_and_the_rest_is_acyclic(
        edges in prop::collection::vec((0..7_usize, 0..7_usize), 0..20),
    ) {
        let name = |index: usize| format!("c{index}");
        let links: Vec<_> = edges.iter().map(|(from, to)| link(&name(*from), &name(*to))).collect();
        let mut reaches = [[false; 7]; 7];
        for (from, to) in &edges {
            reaches[*from][*to] = true;
        }
        for over in 0..7 {
            for from in 0..7 {
                for to in 0..7 {
                    reaches[from][to] |= reaches[from][over] && reaches[over][to];
                }
            }
        }
        let found = on_a_cycle(&app_of(links.clone()));
        for (place, (from, to)) in edges.iter().enumerate() {
            prop_assert_eq!(found.contains(&place), from == to || reaches[*to][*from]);
        }
        let rest = links.iter().enumerate().filter(|(place, _)| !found.contains(place));
        prop_assert_eq!(cycles(rest.map(|(_, link)| link)), []);
    }

    #[test]
    fn cycles_consist_of_links_and_removing_their_closing_links_breaks_all(
        edges in prop::collection::vec((0..6_u8, 0..6_u8), 0..20),
    ) {
        let name = |index: u8| format!("c{index}");
        let links: Vec<_> = edges.iter().map(|(from, to)| link(&name(*from), &name(*to))).collect();
        let found = cycles(&links);
        let pairs: BTreeSet<_> = links.iter().map(|it| (it.from.to_string(), it.to.to_string())).collect();
        let mut closing = BTreeSet::new();
        for cycle in &found {
            let mut next = cycle.components.clone();
            next.rotate_left(1);
            for (from, to) in cycle.components.iter().zip(&next) {
                prop_assert!(pairs.contains(&(from.to_string(), to.to_string())));
            }
            let last = &links[cycle.closing_link];
            closing.insert((last.from.to_string(), last.to.to_string()));
        }
        let rest: BTreeSet<_> = pairs.difference(&closing).cloned().collect();
        prop_assert!(is_acyclic(rest));
        prop_assert_eq!(found.is_empty(), is_acyclic(pairs));
    }
}

/// Removes components without incoming links until the graph is empty or only cycles remain.
fn is_acyclic(mut edges: BTreeSet<(String, String)>) -> bool {
    loop {
        let mut incoming: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, to) in &edges {
            *incoming.entry(to).or_default() += 1;
        }
        let rest: BTreeSet<_> = edges
            .iter()
            .filter(|(from, _)| incoming.contains_key(from.as_str()))
            .cloned()
            .collect();
        if rest.len() == edges.len() {
            return edges.is_empty();
        }
        edges = rest;
    }
}
