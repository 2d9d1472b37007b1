//! The number of moves: shares of hosts, and revisions of an app.

use weft_lattice_config::placement::{MoveKind, moves};

use super::lattice::{Lattice, anywhere, app, component, host, hosts, parse};

/// Apps of three linked components.
fn shops(count: usize) -> Lattice {
    let shop = |number: usize| {
        let components = ["a", "b", "c"].map(|name| component(name, 1, anywhere()));
        app(
            &format!("shop-{number}"),
            components.to_vec(),
            &[("a", "b"), ("b", "c")],
        )
    };
    Lattice::new((0..count).map(shop).collect(), hosts(10))
}

#[test]
fn every_host_has_about_its_fair_share() {
    let lattice = shops(2000);
    let plan = lattice.plan();
    for host in &lattice.hosts {
        let share = plan.share_of(&host.id).len() / 3;
        assert!(
            (160..=240).contains(&share),
            "{share} of 200 on {}",
            host.id
        );
    }
}

#[test]
fn a_host_that_joins_takes_about_its_fair_share() {
    let before = shops(2000);
    let mut after = before.clone();
    after.hosts.push(host("newcomer", &[]));
    let (before, after) = (before.plan(), after.plan());
    let share = after.share_of(&parse("newcomer")).len() / 3;
    assert!((146..=218).contains(&share), "{share} of 182");
    let moves = moves(&before.assignments, &after.assignments);
    let (starts, stops): (Vec<_>, Vec<_>) =
        moves.iter().partition(|it| it.kind == MoveKind::Starts);
    assert_eq!((starts.len(), stops.len()), (share * 3, share * 3));
    assert!(starts.iter().all(|it| it.host == parse("newcomer")));
}

#[test]
fn a_component_that_is_linked_to_an_app_seldom_moves_the_rest_of_it() {
    let before = shops(1000);
    let mut after = before.clone();
    for app in &mut after.apps {
        // Sorts before all others by name, which must not matter.
        app.spec.components.push(component("a0", 1, anywhere()));
        app.spec.links.push(super::lattice::link("c", "a0"));
    }
    let (before, after) = (before.plan(), after.plan());
    let mut ids = before
        .assignments
        .keys()
        .filter(|id| id.component == parse("a"));
    let mut moved = 0;
    for id in ids.by_ref() {
        moved += usize::from(before.assignments[id] != after.assignments[id]);
    }
    // The new member determines the host of one app in four, and of those one in ten does not move.
    assert!((180..=270).contains(&moved), "{moved} of 225");
}

#[test]
fn the_difference_of_two_plans_is_shown_line_by_line() {
    let plan = |text: &str| {
        let lines = text.lines().map(|line| {
            let (id, hosts) = line.split_once(' ').unwrap_or((line, ""));
            (parse(id), hosts.split_whitespace().map(parse).collect())
        });
        lines.collect()
    };
    let before = plan("shop/a h1 h2\nshop/b h1 h1\nshop/gone h3");
    let after = plan("shop/a h2 h3\nshop/b h1 h1\nshop/new h1 h1 h2\nshop/none");
    let lines: Vec<_> = moves(&before, &after)
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = [
        "- shop/a on h1",
        "+ shop/a on h3",
        "- shop/gone on h3",
        "+ shop/new on h1 (2 replicas)",
        "+ shop/new on h2",
    ];
    assert_eq!(lines, expected);
    assert_eq!(moves(&after, &after), []);
}
