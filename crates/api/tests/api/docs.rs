//! The documents of the face `docs`.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use weft_api::{Body, Docs, Faces, Listener, face_of, paths};
use weft_lattice_config::Face;

use crate::{ORDERS, api};

const ROUTE: &str = "operations: [{func: get, as: 'GET /orders/{id}'}]";

fn docs() -> Docs {
    Docs::new(&api(ORDERS, ROUTE))
}

fn text(docs: &Docs, path: &str) -> String {
    let document = docs.find(path).expect("a document");
    String::from_utf8(document.bytes().to_vec()).expect("text")
}

#[test]
fn every_path_of_the_face_has_a_document() {
    let docs = docs();
    for path in paths(Face::Docs) {
        let below = format!("/{path}");
        assert!(docs.find(&below).is_some(), "{below}");
        assert_eq!(face_of(&below), Some(Face::Docs));
    }
    assert!(docs.find("/docs/").is_none());
    assert_eq!(face_of("/docs/"), None);
    assert_eq!(face_of("/rpc"), Some(Face::Rpc));
    assert_eq!(face_of("rpc"), None);
}

#[test]
fn the_document_is_that_of_the_route() {
    let served: Value = serde_json::from_str(&text(&docs(), "/openapi.json")).expect("JSON");
    assert_eq!(served, api(ORDERS, ROUTE).openapi());
    assert_eq!(served["servers"][0]["url"], "/api");
}

#[test]
fn a_known_document_is_not_sent_again() {
    let docs = docs();
    for path in paths(Face::Docs) {
        let document = docs.find(&format!("/{path}")).expect("a document");
        let first = document.response(&Method::GET, &HeaderMap::new());
        assert_eq!(first.status, StatusCode::OK);
        assert_eq!(first.headers[header::CACHE_CONTROL], "no-cache");
        let tag = first.headers[header::ETAG].clone();
        let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, tag)]);
        let second = document.response(&Method::GET, &headers);
        assert_eq!(second.status, StatusCode::NOT_MODIFIED);
        assert_eq!(second.body, Body::Bytes(Vec::new()));
        let other = HeaderValue::from_static("\"other\"");
        let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, other)]);
        let third = document.response(&Method::GET, &headers);
        assert_eq!(third.status, StatusCode::OK);
    }
}

#[test]
fn documents_have_the_methods_of_documents() {
    let docs = docs();
    let document = docs.find("/docs").expect("the page");
    for (method, status) in [
        (Method::GET, 200),
        (Method::HEAD, 200),
        (Method::OPTIONS, 204),
        (Method::POST, 405),
        (Method::DELETE, 405),
    ] {
        let response = document.response(&method, &HeaderMap::new());
        assert_eq!(response.status, status, "{method}");
        if status != 200 {
            assert_eq!(response.headers[header::ALLOW], "GET, HEAD, OPTIONS");
        }
    }
}

/// The policy forbids what is inline and what comes from elsewhere, so a page with it is broken.
#[test]
fn the_page_has_nothing_inline_and_nothing_from_elsewhere() {
    let docs = docs();
    let response = docs.find("/docs").expect("the page");
    let response = response.response(&Method::GET, &HeaderMap::new());
    let policy = response.headers[header::CONTENT_SECURITY_POLICY].to_str();
    let policy = policy.expect("text");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let (page, script) = (text(&docs, "/docs"), text(&docs, "/docs/docs.js"));
    let style = text(&docs, "/docs/docs.css");
    for forbidden in [
        "<style",
        "style=",
        " onclick",
        "javascript:",
        "http://",
        "https://",
    ] {
        assert!(!page.contains(forbidden), "{forbidden} in the page");
        assert!(!script.contains(forbidden), "{forbidden} in the script");
    }
    assert!(!style.contains("url(") && !style.contains("@import"));
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("<script src=\"docs/docs.js\" defer></script>"));
}

#[test]
fn the_script_sets_no_text_as_html() {
    let script = text(&docs(), "/docs/docs.js");
    for forbidden in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
    ] {
        assert!(!script.contains(forbidden), "{forbidden}");
    }
}

fn on(route: &str, listener: Listener) -> Vec<Face> {
    let api = api(ORDERS, route);
    let faces: &Faces = api.faces();
    faces.on(listener)
}

#[test]
fn a_path_of_the_page_that_is_an_operation_goes_to_the_operation() {
    let own = "operations: [{func: get, as: 'GET /docs/{id}'}]";
    for listener in [Listener::Loopback, Listener::Open] {
        assert_eq!(on(own, listener), [Face::Http], "{listener:?}");
    }
    assert_eq!(on(ROUTE, Listener::Loopback), [Face::Http, Face::Docs]);
    assert_eq!(on(ROUTE, Listener::Open), [Face::Http]);
}
