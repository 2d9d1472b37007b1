//! From requests to operations.

use http::Method;
use proptest::prelude::*;
use weft_api::{Listener, PathError, Unmatched};
use weft_lattice_config::Face;
use weft_lattice_config::template::RequestTemplate;

use crate::{ORDERS, api};

const OPERATIONS: &str = "operations:
- {func: recent, as: 'GET /orders?limit={limit}&after={after}&tag={tags}'}
- {func: place, as: POST /orders}
- {func: get, as: 'GET /orders/{id}'}
- {func: remove, as: 'DELETE /orders/{id}'}
- {func: change, as: 'PUT /orders/{order.id}', body: order, headers: {If-Match: etag}}
- {func: find, as: 'GET /orders/{id}/maybe'}
- {func: download, as: 'GET /files/{*name}'}
- {func: upload, as: 'PUT /f i l e s!/{name}'}
";

/// The function of a request, or the status of the response.
fn found(method: &str, path: &str) -> String {
    let api = api(ORDERS, &OPERATIONS.replace("/f i l e s!/", "/f:l$s!/"));
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    match api.find(&method, path) {
        Ok(matched) => matched.operation.function().to_owned(),
        Err(unmatched) => unmatched.response().status.as_u16().to_string(),
    }
}

#[test]
fn a_request_has_the_operation_of_its_method_and_path() {
    let cases = [
        ("GET", "/orders", "recent"),
        ("HEAD", "/orders", "recent"),
        ("POST", "/orders", "place"),
        ("GET", "/orders/7", "get"),
        ("GET", "/orders/a%20b", "get"),
        ("GET", "/%6frders/7", "get"),
        ("GET", "/orders/a%2Fb", "get"),
        ("GET", "/orders/...", "get"),
        ("DELETE", "/orders/7", "remove"),
        ("PUT", "/orders/7", "change"),
        ("GET", "/orders/7/maybe", "find"),
        ("GET", "/files/a", "download"),
        ("GET", "/files/a/b/c", "download"),
        ("PUT", "/f:l$s!/x", "upload"),
        ("PUT", "/f%3Al%24s%21/x", "upload"),
        // Others.
        ("GET", "", "404"),
        ("GET", "/", "404"),
        ("GET", "/orders/", "404"),
        ("GET", "//orders", "404"),
        ("GET", "/orders//maybe", "404"),
        ("GET", "/Orders", "404"),
        ("GET", "/orders/7/maybe/x", "404"),
        ("GET", "/files", "404"),
        ("GET", "/files/", "404"),
        ("GET", "/files/a//b", "404"),
        ("GET", "/files/a/", "404"),
        ("PATCH", "/orders", "405"),
        ("get", "/orders", "405"),
        ("TRACE", "/orders/7", "405"),
        ("HEAD", "/f:l$s!/x", "405"),
        ("OPTIONS", "/orders/7", "204"),
        ("OPTIONS", "/other", "404"),
    ];
    for (method, path, expected) in cases {
        assert_eq!(found(method, path), expected, "{method} {path}");
    }
}

#[test]
fn a_path_that_leaves_its_place_is_refused() {
    let cases = [
        ("/files/../orders", PathError::DotSegment),
        ("/files/%2e%2E/orders", PathError::DotSegment),
        ("/files/./a", PathError::DotSegment),
        ("/files/a%2F..%2Fb", PathError::DotSegment),
        ("/files/a%5c..%5cb", PathError::DotSegment),
        ("/files/a%2Fb", PathError::EncodedSlash),
        ("/files/x/a%5Cb", PathError::EncodedSlash),
        ("/files/%2F", PathError::EncodedSlash),
        ("/orders/..", PathError::DotSegment),
        ("/files/a%00b", PathError::Control),
        ("/files/a%0d%0ab", PathError::Control),
        ("/files/100%", PathError::Encoding),
        ("/files/%zz", PathError::Encoding),
        ("/files/%+1", PathError::Encoding),
        ("/files/%ff", PathError::Encoding),
        ("/files/%c0%af", PathError::Encoding),
    ];
    let api = api(ORDERS, &OPERATIONS.replace("/f i l e s!/", "/x/"));
    for (path, expected) in cases {
        let unmatched = api.find(&Method::GET, path).unwrap_err();
        assert_eq!(unmatched, Unmatched::Path(expected), "{path}");
        assert_eq!(unmatched.response().status, 400);
    }
    // Decoded once.
    let matched = api.find(&Method::GET, "/files/%252e%252e").unwrap();
    assert_eq!(matched.operation.function(), "download");
    assert_eq!(
        api.find(&Method::GET, &"/a".repeat(257)).unwrap_err(),
        Unmatched::Path(PathError::Segments)
    );
}

#[test]
fn allow_has_the_methods_of_all_operations_with_the_path() {
    let api = api(ORDERS, &OPERATIONS.replace("/f i l e s!/", "/x/"));
    for (method, path, expected) in [
        ("PATCH", "/orders/7", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("OPTIONS", "/orders", "GET, HEAD, POST, OPTIONS"),
        ("POST", "/files/a", "GET, HEAD, OPTIONS"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let response = api.find(&method, path).unwrap_err().response();
        assert_eq!(response.headers["allow"], expected, "{method} {path}");
    }
}

#[test]
fn paths_of_a_route_are_below_its_prefix() {
    let api = api(ORDERS, "");
    for (path, expected) in [
        ("/api", Some("")),
        ("/api/", Some("/")),
        ("/api/orders", Some("/orders")),
        ("/apis", None),
        ("/", None),
    ] {
        assert_eq!(api.below(path), expected, "{path}");
    }
}

#[test]
fn without_operations_each_function_is_a_post_of_its_name_and_a_socket_a_get() {
    let api = api(ORDERS, "");
    let requests: Vec<_> = api
        .operations()
        .iter()
        .map(|it| it.request().to_string())
        .collect();
    let expected = [
        "POST /place",
        "POST /get",
        "POST /recent",
        "POST /find",
        "POST /change",
        "POST /remove",
        "POST /upload",
        "POST /download",
        "GET /watch",
    ];
    assert_eq!(requests, expected);
    let matched = api.find(&Method::POST, "/get").unwrap();
    assert_eq!(matched.operation.function(), "get");
}

#[test]
fn the_documentation_is_a_face_on_loopback_only_unless_an_operation_has_its_path() {
    let simple = api(ORDERS, "");
    assert_eq!(
        simple.faces().on(Listener::Loopback),
        [Face::Http, Face::Docs]
    );
    assert_eq!(simple.faces().on(Listener::Open), [Face::Http]);
    let colliding = api(ORDERS, "operations: [{func: find, as: 'GET /{id}'}]");
    assert_eq!(colliding.faces().on(Listener::Loopback), [Face::Http]);
    let chosen = api(ORDERS, "faces: [docs, mcp]");
    assert_eq!(chosen.faces().on(Listener::Open), [Face::Docs, Face::Mcp]);
}

fn any_template() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["a", "b", "{v}"]);
    let method = prop::sample::select(vec!["GET", "POST", "PUT"]);
    (method, prop::collection::vec(segment, 0..4), any::<bool>()).prop_map(
        |(method, segments, has_rest)| {
            let segments = segments.iter().enumerate();
            let mut text: String = segments
                .map(|(index, it)| format!("/{}", it.replace('v', &format!("v{index}"))))
                .collect();
            if has_rest {
                text += "/{*rest}";
            }
            if text.is_empty() {
                text.push('/');
            }
            format!("{method} {text}")
        },
    )
}

proptest! {
    #[test]
    fn a_request_matches_exactly_the_operation_whose_template_has_it(
        templates in prop::collection::vec(any_template(), 1..6),
        method in prop::sample::select(vec!["GET", "POST", "PUT", "DELETE"]),
        path in prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 0..5),
    ) {
        // Operations without a common request, as a manifest has them.
        let mut kept: Vec<RequestTemplate> = Vec::new();
        for template in templates {
            let template: RequestTemplate = template.parse().unwrap();
            if !kept.iter().any(|other| other.overlaps(&template)) {
                kept.push(template);
            }
        }
        let (mut items, mut lines) = (String::new(), "operations:\n".to_owned());
        for (index, template) in kept.iter().enumerate() {
            let params: Vec<_> = template.values().map(|value| format!("{value}: string")).collect();
            items += &format!("f{index}: func({});\n", params.join(", "));
            lines += &format!("- {{func: f{index}, as: '{template}'}}\n");
        }
        let api = api(&items, &lines);
        let has = |template: &RequestTemplate| {
            let text = template.path.to_string();
            let segments: Vec<_> = text.split('/').filter(|it| !it.is_empty()).collect();
            let (fixed, rest) = match segments.split_last() {
                Some((last, fixed)) if last.starts_with("{*") => (fixed, true),
                _ => (&segments[..], false),
            };
            let fits = if rest { path.len() > fixed.len() } else { path.len() == fixed.len() };
            fits && fixed.iter().zip(&path).all(|(it, text)| it.starts_with('{') || it == text)
        };
        let expected: Vec<_> = kept.iter().enumerate()
            .filter(|(_, it)| it.method.as_str() == method && has(it))
            .map(|(index, _)| format!("f{index}"))
            .collect();
        let path_text = format!("/{}", path.join("/"));
        let found = api.find(&Method::from_bytes(method.as_bytes()).unwrap(), &path_text);
        match found {
            Ok(matched) => prop_assert_eq!(expected, [matched.operation.function()]),
            Err(Unmatched::Method(allow)) => {
                prop_assert!(expected.is_empty());
                prop_assert!(kept.iter().any(has), "{}", allow);
            }
            Err(unmatched) => {
                prop_assert_eq!(unmatched, Unmatched::NotFound);
                prop_assert!(!kept.iter().any(has));
            }
        }
    }

    #[test]
    fn any_path_is_matched_or_refused(path in "(/[a-z%.\\\\2feE0-9]{0,6}){0,5}|\\PC{0,20}") {
        let api = api(ORDERS, &OPERATIONS.replace("/f i l e s!/", "/x/"));
        if let Err(unmatched) = api.find(&Method::GET, &path) {
            prop_assert!(unmatched.response().status.is_client_error());
        }
    }
}
