//! Matching, order and owners of routes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use weft_lattice_config::route_owners::{RouteClaim, RouteOwners};
use weft_lattice_config::routes::most_specific_first;
use weft_lattice_config::{AppName, HostPattern, PathPrefix, RouteSpec};

fn route(host: &str, path: &str, to: &str) -> RouteSpec {
    let host = (!host.is_empty()).then(|| host.parse().expect("valid"));
    let (path, to) = (path.parse().expect("valid"), to.parse().expect("valid"));
    RouteSpec::raw(host, path, to)
}

#[test]
fn a_path_takes_whole_segments() {
    let cases = [
        ("/", "/", true),
        ("/", "/anything", true),
        ("/api", "/api", true),
        ("/api", "/api/", true),
        ("/api", "/api/x", true),
        ("/api", "/apis", false),
        ("/api", "/", false),
        ("/api", "", false),
    ];
    for (prefix, path, expected) in cases {
        assert_eq!(
            prefix.parse::<PathPrefix>().unwrap().matches(path),
            expected,
            "{prefix} {path}"
        );
    }
}

#[test]
fn a_wildcard_takes_every_name_below_but_not_the_name_itself() {
    let cases = [
        ("shop.example.com", "shop.example.com", true),
        ("shop.example.com", "SHOP.example.com:8443", true),
        ("shop.example.com", "shop.example.com.", true),
        ("shop.example.com", "myshop.example.com", false),
        ("*.example.com", "a.example.com", true),
        ("*.example.com", "a.b.example.com", true),
        ("*.example.com", "example.com", false),
        ("*.example.com", ".example.com", false),
        ("*.example.com", "badexample.com", false),
        ("*.example.com", "ü", false),
        ("localhost", "[::1]:80", false),
    ];
    for (pattern, host, expected) in cases {
        let pattern: HostPattern = pattern.parse().unwrap();
        assert_eq!(pattern.matches(host), expected, "{pattern} {host}");
    }
}

#[test]
fn the_most_specific_route_comes_first() {
    let sorted = [
        route("a.b.example.com", "/", "x"),
        route("z.example.com", "/long/path", "x"),
        route("z.example.com", "/", "x"),
        route("*.b.example.com", "/", "x"),
        route("*.example.com", "/api", "x"),
        route("*.example.com", "/", "x"),
        route("", "/api", "x"),
        route("", "/", "x"),
    ];
    let mut routes = sorted.clone();
    routes.reverse();
    routes.sort_by(most_specific_first);
    assert_eq!(routes, sorted);
}

fn any_route() -> impl Strategy<Value = RouteSpec> {
    let host = prop::sample::select(vec!["", "a.b", "c.b", "*.b", "*.a.b", "*.c.b"]);
    let path = prop::sample::select(vec!["/", "/a", "/b", "/a/b"]);
    (host, path).prop_map(|(host, path)| route(host, path, "x"))
}

/// Apps by name, with their routes and the times of their claims.
type Apps = BTreeMap<AppName, Vec<(RouteSpec, u64)>>;

fn owners(apps: &Apps) -> RouteOwners {
    let claims = apps.iter().flat_map(|(app, routes)| {
        let routes = routes.iter();
        routes.map(move |(route, since)| RouteClaim {
            app,
            route,
            since: *since,
        })
    });
    RouteOwners::new(claims)
}

/// Apps with few routes and few moments, so that many claims collide.
fn any_apps() -> impl Strategy<Value = Apps> {
    let routes = prop::collection::vec((any_route(), 0..4_u64), 0..5).prop_map(|mut routes| {
        // A manifest has a route once.
        routes.sort_by_key(|(route, _)| route.pattern());
        routes.dedup_by_key(|(route, _)| route.pattern());
        routes
    });
    let name = prop::sample::select(vec!["a", "b", "c", "d"]);
    let name = name.prop_map(|name| name.parse().expect("valid"));
    prop::collection::btree_map(name, routes, 1..5)
}

#[test]
fn a_route_as_text_has_its_host_and_path() {
    assert_eq!(
        route("Shop.example.com", "/api/", "x").pattern(),
        "shop.example.com/api"
    );
    assert_eq!(route("*.example.com", "/", "x").pattern(), "*.example.com/");
    assert_eq!(route("", "/api", "x").pattern(), "*/api");
}

proptest! {
    #[test]
    fn the_order_of_routes_is_total_and_equal_only_for_collisions(
        a in any_route(), b in any_route(), c in any_route(),
    ) {
        let order = most_specific_first;
        prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
        if order(&a, &b).is_le() && order(&b, &c).is_le() {
            prop_assert!(order(&a, &c).is_le());
        }
        prop_assert_eq!(order(&a, &b).is_eq(), a.pattern() == b.pattern());
    }

    #[test]
    fn every_host_finds_the_same_owners_whatever_the_order_of_records(
        apps in any_apps(),
        seed in any::<u64>(),
    ) {
        let all = apps.iter().flat_map(|(app, routes)| {
            let routes = routes.iter();
            routes.map(move |(route, since)| RouteClaim { app, route, since: *since })
        });
        let mut shuffled: Vec<_> = all.collect();
        let length = shuffled.len().max(1);
        shuffled.rotate_left(seed as usize % length);
        if seed % 2 == 0 {
            shuffled.reverse();
        }
        prop_assert_eq!(owners(&apps), RouteOwners::new(shuffled));
    }

    #[test]
    fn every_claimed_route_has_one_owner_that_claims_it_first(apps in any_apps()) {
        let owners = owners(&apps);
        for (app, routes) in &apps {
            for (route, since) in routes {
                let owner = owners.owner(route).expect("claimed");
                let claims = apps.iter().flat_map(|(app, routes)| {
                    let routes = routes.iter().filter(|(other, _)| other.pattern() == route.pattern());
                    routes.map(move |(_, since)| (*since, app))
                });
                let first = claims.min().expect("at least this one");
                prop_assert_eq!(&owner.app, first.1);
                prop_assert_eq!(owners.serves(app, route), owner.app == *app);
                prop_assert!(first.0 <= *since);
            }
        }
    }

    #[test]
    fn an_app_without_contested_routes_loses_none(apps in any_apps(), path in "/own[a-z]{1,4}") {
        let mut apps = apps;
        let own: AppName = "own".parse().unwrap();
        let route = route("", &path, "x");
        apps.insert(own.clone(), vec![(route.clone(), u64::MAX)]);
        prop_assert_eq!(owners(&apps).lost(&own, &[route]).count(), 0);
    }

    #[test]
    fn a_route_whose_owner_is_removed_belongs_to_the_next_claim(apps in any_apps()) {
        let before = owners(&apps);
        for removed in apps.keys() {
            let left: Apps = apps.iter().filter(|(app, _)| *app != removed).map(
                |(app, routes)| (app.clone(), routes.clone())
            ).collect();
            let after = owners(&left);
            for (app, routes) in &left {
                for (route, _) in routes {
                    let owner = &after.owner(route).expect("claimed").app;
                    prop_assert!(owner != removed);
                    // An app that does not own a route keeps no other app from it.
                    let kept = &before.owner(route).expect("claimed").app;
                    prop_assert!(owner == kept || kept == removed, "{app}");
                }
            }
        }
    }
}
