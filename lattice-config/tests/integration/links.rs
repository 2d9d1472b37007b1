//! Cycles among links.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Map;
use weft_lattice_config::LinkSpec;
use weft_lattice_config::links::cycles;

fn link(from: &str, to: &str) -> LinkSpec {
    LinkSpec {
        from: from.parse().expect("a valid name"),
        interface: "a:b/c".parse().expect("a valid name"),
        name: None,
        to: to.parse().expect("a valid name"),
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
fn two_ways_to_one_component_are_no_cycle() {
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

proptest! {
    #[test]
    fn cycles_are_of_links_and_without_their_closing_links_none_is_left(
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

/// Takes away components nothing leads to until none or only cycles are left.
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
