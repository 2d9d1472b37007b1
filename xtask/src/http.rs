//! A minimal HTTP client for requests to the demo's host.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Longer than the deadline of a component.
const TIMEOUT: Duration = Duration::from_secs(40);

/// More than any response of the shop.
const RESPONSE_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Result<Response> {
    send(address, "GET", path, "")
}

pub(crate) fn post(address: SocketAddr, path: &str, body: &str) -> Result<Response> {
    send(address, "POST", path, body)
}

fn send(address: SocketAddr, method: &str, path: &str, body: &str) -> Result<Response> {
    let exchange = || -> Result<Response> {
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        // HTTP/1.0: the response ends with the connection and is not chunked.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut text = String::new();
        stream.take(RESPONSE_BYTES_MAX).read_to_string(&mut text)?;
        parse(&text)
    };
    exchange().with_context(|| format!("no response to {method} http://{address}{path}"))
}

fn parse(text: &str) -> Result<Response> {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        bail!("the head of the response is incomplete");
    };
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Response {
        status: status.context("the response has no status")?,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_a_status_and_a_body() {
        let response = parse("HTTP/1.0 201 Created\r\nlocation: /orders/1\r\n\r\n{}\n").unwrap();
        assert_eq!(
            response,
            Response {
                status: 201,
                body: "{}\n".to_owned()
            }
        );
    }

    #[test]
    fn an_incomplete_response_is_an_error() {
        assert!(parse("HTTP/1.0 200 OK\r\n").is_err());
        assert!(parse("").is_err());
        assert!(parse("220 mail ready\r\n\r\n").is_err());
    }
}
