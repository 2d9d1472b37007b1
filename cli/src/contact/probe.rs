//! The kind of server at an address, by its answer to a request without a token.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::styled::printable;

/// The time limit of the probe: the command has failed, and its user waits.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// The maximum number of bytes to read of an answer: the answer of an admin API is smaller.
const ANSWER_BYTES_MAX: usize = 4096;

/// The maximum number of characters of an unknown answer in a message.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// The server at an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No server listens.
    Nothing,
    /// A server listens and does not answer: it may be anything.
    NoAnswer,
    /// The admin API of a host.
    AdminApi,
    /// Another server, for people.
    Other(String),
}

/// Connects to the address and classifies the server there.
pub(super) async fn probe(address: &str) -> Found {
    let Ok(Ok(mut stream)) = timeout(PROBE_TIMEOUT, TcpStream::connect(address)).await else {
        return Found::Nothing;
    };
    let mut answer = Vec::new();
    // On an error or a timeout, the answer so far counts.
    let _ = timeout(PROBE_TIMEOUT, exchange(&mut stream, address, &mut answer)).await;
    classify(&answer)
}

/// Sends a request that every admin API rejects, since it has no token.
async fn exchange(stream: &mut TcpStream, address: &str, answer: &mut Vec<u8>) -> io::Result<()> {
    let request = format!("GET /v1/hosts HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    while answer.len() < ANSWER_BYTES_MAX && stream.read_buf(answer).await? > 0 {}
    Ok(())
}

fn classify(answer: &[u8]) -> Found {
    /// The first bytes of an alert, with which TLS servers answer plain text.
    const TLS_ALERT: [u8; 2] = [0x15, 0x03];
    if answer.is_empty() {
        return Found::NoAnswer;
    }
    if answer.starts_with(&TLS_ALERT) {
        return Found::Other("a TLS server; the admin API is plain HTTP".to_owned());
    }
    let text = String::from_utf8_lossy(answer);
    let first = text.lines().next().unwrap_or_default();
    let first: String = first.chars().take(SHOWN_CHARACTERS_MAX).collect();
    let first = printable(first.trim_end());
    if text.starts_with("INFO {") {
        return Found::Other("a NATS server, which is given with `--nats`".to_owned());
    }
    if !text.starts_with("HTTP/") {
        return Found::Other(format!("a server that is not an HTTP server: `{first}`"));
    }
    if first.contains(" 401 ") && text.contains("\"unauthorized\"") {
        return Found::AdminApi;
    }
    Found::Other(format!("another HTTP server: `{first}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_classified_by_the_beginning_of_its_answer() {
        let other = |text: &str| Found::Other(text.to_owned());
        let cases: [(&[u8], Found); 7] = [
            (b"", Found::NoAnswer),
            (
                b"HTTP/1.1 401 Unauthorized\r\n\r\n{\"code\":\"unauthorized\"}",
                Found::AdminApi,
            ),
            (
                b"HTTP/1.1 401 Unauthorized\r\n\r\n<html>",
                other("another HTTP server: `HTTP/1.1 401 Unauthorized`"),
            ),
            (
                b"HTTP/1.1 404 Not Found\r\nserver: a\r\n\r\n",
                other("another HTTP server: `HTTP/1.1 404 Not Found`"),
            ),
            (
                b"INFO {\"server_id\":\"a\"}\r\n",
                other("a NATS server, which is given with `--nats`"),
            ),
            (
                b"\x15\x03\x03\0\x02\x02\x46",
                other("a TLS server; the admin API is plain HTTP"),
            ),
            (
                b"SSH-2.0-\x1b[2J\r\n",
                other("a server that is not an HTTP server: `SSH-2.0-\\u{1b}[2J`"),
            ),
        ];
        for (answer, expected) in cases {
            assert_eq!(classify(answer), expected);
        }
        let long = format!("{:?}", classify("x".repeat(5000).as_bytes()));
        assert!(long.len() < 200, "{long}");
    }
}
