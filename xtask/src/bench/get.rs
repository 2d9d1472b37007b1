//! The least HTTP client: one request on a connection of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use super::wait::{self, Patience};

/// A server that does not answer within this hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// An answer as it came over the wire.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
}

/// Asks once; nothing if there is nobody to ask, or it went away.
///
/// # Errors
///
/// If the answer is not HTTP.
pub(super) fn try_get(address: SocketAddr, path: &str) -> Result<Option<Answer>> {
    let Some(text) = exchange(address, path)? else {
        return Ok(None);
    };
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .with_context(|| format!("`{address}` does not answer in HTTP: {text:?}"))?;
    Ok(Some(Answer { status, text }))
}

/// Asks until the answer is 200.
///
/// # Errors
///
/// If it is not in time.
pub(super) fn until_ok(address: SocketAddr, path: &str, patience: Patience) -> Result<Answer> {
    wait::until(&format!("http://{address}{path} answers"), patience, || {
        let answer = try_get(address, path)?;
        Ok(answer.filter(|answer| answer.status == 200))
    })
}

fn exchange(address: SocketAddr, path: &str) -> Result<Option<String>> {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return Ok(None);
    };
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut bytes = Vec::new();
    let outcome = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.read_to_end(&mut bytes));
    match outcome {
        Ok(_) if bytes.is_empty() => Ok(None),
        Ok(_) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Err(error).with_context(|| format!("`{address}` does not answer"))
        }
        Err(_) => Ok(None),
    }
}
