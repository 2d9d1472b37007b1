//! A blocking HTTP/1.1 client over a bare socket. It is our own because tests decide about every
//! byte that is sent, which no library allows; everything else then needs no library.

mod connection;

use std::io;
use std::net::SocketAddr;

pub use connection::Connection;

/// A request that is sent whole.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    method: &'a str,
    path: &'a str,
    host: &'a str,
    body: &'a [u8],
}

/// A response that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers, with lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

// === impl Request ===

impl<'a> Request<'a> {
    /// A `GET` of `path`.
    #[must_use]
    pub fn get(path: &'a str) -> Self {
        Self {
            method: "GET",
            path,
            host: "localhost",
            body: b"",
        }
    }

    /// A request for `path` with a body.
    #[must_use]
    pub fn with_body(method: &'a str, path: &'a str, body: &'a [u8]) -> Self {
        Self {
            method,
            body,
            ..Self::get(path)
        }
    }

    /// The same request to another host name than `localhost`.
    #[must_use]
    pub fn host(self, host: &'a str) -> Self {
        Self { host, ..self }
    }

    /// Sends the request on a connection of its own, and reads the response.
    ///
    /// # Panics
    /// If the response is missing or incomplete.
    #[track_caller]
    pub fn send(self, address: SocketAddr) -> Response {
        match self.try_send(address) {
            Ok(response) => response,
            Err(error) => panic!("no response to {} {}: {error}", self.method, self.path),
        }
    }

    /// Sends the request on a connection of its own, and reads the response.
    ///
    /// # Errors
    /// The socket fails, or the response is incomplete.
    pub fn try_send(self, address: SocketAddr) -> io::Result<Response> {
        let mut connection = Connection::open(address)?;
        let head = format!(
            "{} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            self.method,
            self.path,
            self.host,
            self.body.len()
        );
        connection.send(head.as_bytes())?;
        // The server may respond, and close, before it has read a body that it rejects.
        let sent = connection.send(self.body);
        let response = connection.response();
        match (sent, response) {
            (_, Ok(response)) => Ok(response),
            (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error),
        }
    }
}

// === impl Response ===

impl Response {
    /// The first header with this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If the body is not JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    /// Fails the test unless the status is `status` and the body contains each of `parts`.
    ///
    /// # Panics
    /// If the status differs, or a part is missing.
    #[track_caller]
    pub fn expect(&self, status: u16, parts: &[&str]) {
        let text: String = self.text().chars().take(2000).collect();
        assert_eq!(self.status, status, "{text}");
        for part in parts {
            assert!(text.contains(part), "no `{part}` in: {text}");
        }
    }
}
