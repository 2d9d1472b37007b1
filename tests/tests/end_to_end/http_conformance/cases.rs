//! The requests that both protocols can send.

use super::case::{Body, Case, Expected, GET, OK, Request};

const REPORT: &str = "/report";

/// A request by `method` for `path`, whose response has only a status.
const fn only(name: &'static str, method: &'static str, path: &'static str, status: u16) -> Case {
    Case {
        name,
        request: Request {
            method,
            path,
            ..GET
        },
        expected: Expected { status, ..OK },
    }
}

/// A request by `method` with so many bytes, and the report of the guest.
const fn report(
    name: &'static str,
    method: &'static str,
    body: usize,
    report: &'static str,
) -> Case {
    Case {
        name,
        request: Request {
            method,
            path: REPORT,
            body,
            ..GET
        },
        expected: Expected {
            body: Body::Text(report),
            ..OK
        },
    }
}

/// A request with so many more headers of so many bytes.
const fn with_headers(name: &'static str, more_headers: (usize, usize), status: u16) -> Case {
    Case {
        name,
        request: Request {
            more_headers,
            ..GET
        },
        expected: Expected {
            status,
            body: match status {
                200 => Body::Text("GET http://HOST/report\n0 bytes, whole\n"),
                _ => Body::Any,
            },
            ..OK
        },
    }
}

pub(super) const CASES: &[Case] = &[
    report("get", "GET", 0, "GET http://HOST/report\n0 bytes, whole\n"),
    report(
        "post",
        "POST",
        10,
        "POST http://HOST/report\n10 bytes, whole\n",
    ),
    report(
        "empty post",
        "POST",
        0,
        "POST http://HOST/report\n0 bytes, whole\n",
    ),
    report(
        "put of a page",
        "PUT",
        100_000,
        "PUT http://HOST/report\n100000 bytes, whole\n",
    ),
    report(
        "large patch",
        "PATCH",
        2_000_000,
        "PATCH http://HOST/report\n2000000 bytes, whole\n",
    ),
    report(
        "delete",
        "DELETE",
        0,
        "DELETE http://HOST/report\n0 bytes, whole\n",
    ),
    report(
        "options",
        "OPTIONS",
        0,
        "OPTIONS http://HOST/report\n0 bytes, whole\n",
    ),
    report(
        "method of no standard",
        "PURGE",
        0,
        "PURGE http://HOST/report\n0 bytes, whole\n",
    ),
    Case {
        name: "query and encoded path",
        request: Request {
            path: "/a%20b//c?d=e%2F&f",
            ..GET
        },
        expected: Expected {
            body: Body::Text("GET http://HOST/a%20b//c?d=e%2F&f\n0 bytes, whole\n"),
            ..OK
        },
    },
    Case {
        name: "repeated headers",
        request: Request {
            headers: &[("x-one", "1"), ("x-one", "2"), ("x-two", "a, b")],
            ..GET
        },
        expected: Expected {
            body: Body::Text(
                "GET http://HOST/report\nx-one: 1\nx-one: 2\nx-two: a, b\n0 bytes, whole\n",
            ),
            ..OK
        },
    },
    with_headers("large header", (1, 30_000), 200),
    with_headers("many headers", (100, 10), 200),
    with_headers("header over the limit", (1, 70_000), 431),
    with_headers("more headers than the limit", (200, 10), 431),
    Case {
        name: "trailer of a request",
        request: Request {
            method: "POST",
            body: 10,
            has_trailer: true,
            ..GET
        },
        expected: Expected {
            body: Body::Text("POST http://HOST/report\n10 bytes, whole\ntrailer x-trailer: 1\n"),
            ..OK
        },
    },
    only("status 201", "POST", "/answer?status=201", 201),
    only("status 404", "GET", "/answer?status=404", 404),
    only("status 503", "GET", "/answer?status=503", 503),
    Case {
        name: "length",
        request: Request {
            path: "/answer?length=50&write=50",
            ..GET
        },
        expected: Expected {
            headers: &[("content-length", "50")],
            body: Body::Bytes(50),
            ..OK
        },
    },
    Case {
        name: "large response",
        request: Request {
            path: "/answer?write=1000000",
            ..GET
        },
        expected: Expected {
            body: Body::Bytes(1_000_000),
            ..OK
        },
    },
    Case {
        name: "head with a length",
        request: Request {
            method: "HEAD",
            path: "/answer?length=50&write=50",
            ..GET
        },
        expected: Expected {
            headers: &[("content-length", "50")],
            ..OK
        },
    },
    only(
        "head with a large body",
        "HEAD",
        "/answer?write=1000000",
        200,
    ),
    Case {
        name: "head without a route's path",
        request: Request {
            method: "HEAD",
            path: "/../x",
            ..GET
        },
        expected: Expected { status: 400, ..OK },
    },
    Case {
        name: "204 with a body",
        request: Request {
            path: "/answer?status=204&write=5000",
            ..GET
        },
        expected: Expected {
            status: 204,
            missing: &["content-length", "transfer-encoding"],
            ..OK
        },
    },
    Case {
        name: "304 with a body",
        request: Request {
            path: "/answer?status=304&length=5&write=5",
            ..GET
        },
        expected: Expected {
            status: 304,
            missing: &["transfer-encoding"],
            ..OK
        },
    },
    Case {
        name: "trailers and data",
        request: Request {
            path: "/answer?write=100&trailers",
            headers: &[("te", "trailers")],
            ..GET
        },
        expected: Expected {
            body: Body::Bytes(100),
            trailer: Some("reached"),
            ..OK
        },
    },
    Case {
        name: "trailers without data",
        request: Request {
            path: "/answer?trailers",
            headers: &[("te", "trailers")],
            ..GET
        },
        expected: Expected {
            trailer: Some("reached"),
            ..OK
        },
    },
    Case {
        name: "early response to an upload",
        request: Request {
            method: "POST",
            path: "/early?status=401",
            body: 3_000_000,
            ..GET
        },
        expected: Expected {
            status: 401,
            body: Body::Text("early"),
            ..OK
        },
    },
    Case {
        name: "body over the limit",
        request: Request {
            method: "POST",
            body: 17_000_000,
            ..GET
        },
        expected: Expected {
            status: 413,
            body: Body::Reason,
            ..OK
        },
    },
    Case {
        name: "dot segment",
        request: Request {
            path: "/a/%2e%2e/b",
            ..GET
        },
        expected: Expected {
            status: 400,
            body: Body::Reason,
            ..OK
        },
    },
];
