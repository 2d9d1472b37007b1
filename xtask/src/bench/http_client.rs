//! A minimal HTTP client: one request on a connection of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use super::wait::{self, Polling};

/// A server without a response for this long hangs.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// A response, with head and body as received.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) text: String,
}

/// Sends one request; `None` if the connection is refused or closed without a response.
///
/// # Errors
///
/// If the response is not HTTP, or the server hangs.
pub(super) fn try_get(address: SocketAddr, path: &str) -> Result<Option<Response>> {
    let Some(text) = exchange(address, path)? else {
        return Ok(None);
    };
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .with_context(|| format!("malformed HTTP response from `{address}`: {text:?}"))?;
    Ok(Some(Response { status, text }))
}

/// Repeats a request until the status is 200.
///
/// # Errors
///
/// If it is not 200 before the timeout.
pub(super) fn until_ok(address: SocketAddr, path: &str, polling: Polling) -> Result<Response> {
    wait::until(
        &format!("status 200 from http://{address}{path}"),
        polling,
        || {
            let response = try_get(address, path)?;
            Ok(response.filter(|response| response.status == 200))
        },
    )
}

fn exchange(address: SocketAddr, path: &str) -> Result<Option<String>> {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return Ok(None);
    };
    stream.set_read_timeout(Some(RESPONSE_TIMEOUT))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut bytes = Vec::new();
    let outcome = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.read_to_end(&mut bytes));
    match outcome {
        Ok(_) if bytes.is_empty() => Ok(None),
        Ok(_) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(error)
            .with_context(|| format!("no response from `{address}` within {RESPONSE_TIMEOUT:?}")),
        Err(_) => Ok(None),
    }
}
