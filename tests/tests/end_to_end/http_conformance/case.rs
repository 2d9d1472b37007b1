//! A row of the table.

use std::collections::BTreeMap;

/// A request, and what its client sees.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) request: Request,
    pub(super) expected: Expected,
}

/// A request.
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) headers: &'static [(&'static str, &'static str)],
    /// Number and size of more headers, which the guest does not report.
    pub(super) more_headers: (usize, usize),
    /// Number of bytes of its body.
    pub(super) body: usize,
    /// True if the body has no length in advance, and a trailer `x-trailer: 1`.
    pub(super) has_trailer: bool,
}

/// What the client of a request sees. `HOST` in a text stands for the name of the guest's host.
pub(super) struct Expected {
    pub(super) status: u16,
    pub(super) headers: &'static [(&'static str, &'static str)],
    /// Headers that the response must not have.
    pub(super) missing: &'static [&'static str],
    pub(super) body: Body,
    /// The trailer `x-end` of the response.
    pub(super) trailer: Option<&'static str>,
}

/// The body of a response.
pub(super) enum Body {
    /// This text.
    Text(&'static str),
    /// This number of bytes.
    Bytes(usize),
    /// Any text that is not empty: a reason of the host.
    Reason,
    /// Anything: the protocol's own response.
    Any,
}

/// A response, as its client saw it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    /// The reason in place of a body that has no end.
    pub(super) body: Result<Vec<u8>, String>,
    pub(super) trailer: Option<String>,
}

impl Seen {
    /// A response that is missing or has no end.
    pub(super) fn broken(reason: String) -> Self {
        Self {
            status: 0,
            headers: BTreeMap::new(),
            body: Err(reason),
            trailer: None,
        }
    }
}

/// A `GET` without more.
pub(super) const GET: Request = Request {
    method: "GET",
    path: "/report",
    headers: &[],
    more_headers: (0, 0),
    body: 0,
    has_trailer: false,
};

/// A `200` without more.
pub(super) const OK: Expected = Expected {
    status: 200,
    headers: &[],
    missing: &[],
    body: Body::Bytes(0),
    trailer: None,
};

impl Expected {
    /// # Errors
    /// What is different.
    pub(super) fn check(&self, seen: &Seen, host: &str) -> Result<(), String> {
        let different = |what: &str| Err(format!("{what}: {seen:?}"));
        if seen.status != self.status {
            return different(&format!("expected status {}", self.status));
        }
        for (name, value) in self.headers {
            if seen.headers.get(*name).map(String::as_str) != Some(*value) {
                return different(&format!("expected `{name}: {value}`"));
            }
        }
        for name in self.missing {
            if seen.headers.contains_key(*name) {
                return different(&format!("expected no `{name}`"));
            }
        }
        let body = match &seen.body {
            Ok(body) => String::from_utf8_lossy(body).into_owned(),
            Err(_) => return different("expected a body with its end"),
        };
        let is_expected = match self.body {
            Body::Text(text) => body == text.replace("HOST", host),
            Body::Bytes(length) => body.len() == length,
            Body::Reason => !body.is_empty(),
            Body::Any => true,
        };
        if !is_expected {
            return different(&format!("expected another body than {body:?}"));
        }
        if seen.trailer.as_deref() != self.trailer {
            return different(&format!("expected the trailer {:?}", self.trailer));
        }
        Ok(())
    }
}
