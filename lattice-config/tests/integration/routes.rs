//! Matching, order and collisions of routes.

use proptest::prelude::*;
use weft_lattice_config::routes::{collisions, most_specific_first};
use weft_lattice_config::{HostPattern, PathPrefix, RouteSpec};

fn route(host: &str, path: &str, to: &str) -> RouteSpec {
    RouteSpec {
        host: (!host.is_empty()).then(|| host.parse().expect("valid")),
        path: path.parse().expect("valid"),
        to: to.parse().expect("valid"),
    }
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

#[test]
fn two_apps_with_one_route_are_both_named() {
    let routes = [
        ("shop", route("shop.example.com", "/api/", "storefront")),
        ("shop", route("", "/api", "storefront")),
        ("blog", route("SHOP.example.com", "/api", "pages")),
    ];
    let found = collisions(
        routes
            .iter()
            .map(|(app, route)| (app.parse().unwrap(), route)),
    );
    let [collision] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(
        (
            collision.first.app.as_str(),
            collision.first.component.as_str()
        ),
        ("shop", "storefront")
    );
    assert_eq!(
        (
            collision.second.app.as_str(),
            collision.second.component.as_str()
        ),
        ("blog", "pages")
    );
    assert_eq!((collision.first.index, collision.second.index), (0, 2));
    assert_eq!(collision.path.as_str(), "/api");
}

fn any_route() -> impl Strategy<Value = RouteSpec> {
    let host = prop::sample::select(vec!["", "a.b", "c.b", "*.b", "*.a.b", "*.c.b"]);
    let path = prop::sample::select(vec!["/", "/a", "/b", "/a/b"]);
    (host, path).prop_map(|(host, path)| route(host, path, "x"))
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
        let app = || "shop".parse().unwrap();
        let collide = !collisions([(app(), &a), (app(), &b)]).is_empty();
        prop_assert_eq!(order(&a, &b).is_eq(), collide);
    }
}
