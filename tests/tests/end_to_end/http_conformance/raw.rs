//! The requests that no HTTP client sends.

use weft_tests::http::Connection;

use super::Way;
use super::case::{Body, Case, Expected, GET, OK, Seen};

/// The bytes of a request.
pub(super) struct Raw {
    /// The head, in which `\n` ends a line and `HOST` is the name of the guest's host.
    head: &'static str,
    /// Number of bytes of the body, which are all sent before the response is read.
    body: usize,
    /// True if the client closes its sending half after the request.
    is_half_closed: bool,
}

const fn raw(head: &'static str) -> Raw {
    Raw {
        head,
        body: 0,
        is_half_closed: false,
    }
}

const fn expect(name: &'static str, status: u16, body: Body) -> Case {
    Case {
        name,
        request: GET,
        expected: Expected { status, body, ..OK },
    }
}

const REPORT: Body = Body::Text("GET http://HOST/report\n0 bytes, whole\n");

pub(super) const CASES: &[(Case, Raw)] = &[
    (
        expect("absolute target", 200, REPORT),
        raw("GET http://HOST/report HTTP/1.1\nhost: HOST\nconnection: close\n\n"),
    ),
    (
        expect("absolute target of another host than `Host`", 200, REPORT),
        raw("GET http://HOST/report HTTP/1.1\nhost: evil.test\nconnection: close\n\n"),
    ),
    (
        expect("absolute target without `Host`", 200, REPORT),
        raw("GET http://HOST/report HTTP/1.1\nconnection: close\n\n"),
    ),
    (
        expect("`https` target", 200, REPORT),
        raw("GET https://HOST/report HTTP/1.1\nhost: HOST\nconnection: close\n\n"),
    ),
    (
        expect(
            "port",
            200,
            Body::Text("GET http://HOST:8080/report\n0 bytes, whole\n"),
        ),
        raw("GET /report HTTP/1.1\nhost: HOST:8080\nconnection: close\n\n"),
    ),
    (
        expect(
            "dot at the end of the host",
            200,
            Body::Text("GET http://HOST./report\n0 bytes, whole\n"),
        ),
        raw("GET /report HTTP/1.1\nhost: HOST.\nconnection: close\n\n"),
    ),
    (
        expect("HTTP/1.0", 200, REPORT),
        raw("GET /report HTTP/1.0\nhost: HOST\n\n"),
    ),
    (
        expect("HTTP/1.0 without a host", 404, Body::Reason),
        raw("GET /report HTTP/1.0\n\n"),
    ),
    (
        expect("missing host", 400, Body::Reason),
        raw("GET /report HTTP/1.1\nconnection: close\n\n"),
    ),
    (
        expect("two hosts", 400, Body::Reason),
        raw("GET /report HTTP/1.1\nhost: HOST\nhost: HOST\nconnection: close\n\n"),
    ),
    (
        expect("user information", 400, Body::Reason),
        raw("GET /report HTTP/1.1\nhost: u@HOST\nconnection: close\n\n"),
    ),
    (
        expect("user information in an absolute target", 400, Body::Reason),
        raw("GET http://u@HOST/report HTTP/1.1\nhost: HOST\nconnection: close\n\n"),
    ),
    (
        expect("the host as a whole", 204, Body::Bytes(0)),
        raw("OPTIONS * HTTP/1.1\nhost: HOST\nconnection: close\n\n"),
    ),
    (
        expect(
            "half-closed client of a guest that waits",
            200,
            Body::Text("waited"),
        ),
        Raw {
            is_half_closed: true,
            ..raw("GET /wait?ms=1500 HTTP/1.1\nhost: HOST\nconnection: close\n\n")
        },
    ),
    (
        expect(
            "upload that is sent before its early response is read",
            401,
            Body::Text("early"),
        ),
        Raw {
            body: 3_000_000,
            ..raw(
                "POST /early?status=401 HTTP/1.1\nhost: HOST\ncontent-length: 3000000\n\
                 connection: close\n\n",
            )
        },
    ),
    (
        expect(
            "upload over the limit that is sent before its response is read",
            413,
            Body::Reason,
        ),
        Raw {
            body: 17_000_000,
            ..raw(
                "POST /report HTTP/1.1\nhost: HOST\ncontent-length: 17000000\n\
                 connection: close\n\n",
            )
        },
    ),
];

/// Sends a request, and reads its response until the host closes the connection.
pub(super) fn send(way: &Way, request: &Raw) -> Seen {
    let head = request.head.replace("HOST", &way.host());
    let mut connection = Connection::with(way.address, &head);
    if let Err(error) = connection.send(&vec![b'x'; request.body]) {
        return Seen::broken(format!("the request was not read: {error}"));
    }
    if request.is_half_closed
        && let Err(error) = connection.finish_sending()
    {
        return Seen::broken(format!("{error}"));
    }
    match connection.response() {
        Ok(response) => Seen {
            status: response.status,
            headers: response.headers.into_iter().collect(),
            body: Ok(response.body),
            trailer: None,
        },
        Err(error) => Seen::broken(format!("no response: {error}")),
    }
}
