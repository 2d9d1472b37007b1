//! As much of an HTTP client as asking our own host takes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long the host may take for anything: longer than the deadline of a component.
const TIMEOUT: Duration = Duration::from_secs(40);

/// No answer that is asked for here is longer.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Result<Answer> {
    ask(address, "GET", path, "")
}

pub(crate) fn post(address: SocketAddr, path: &str, body: &str) -> Result<Answer> {
    ask(address, "POST", path, body)
}

fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> Result<Answer> {
    let exchange = || -> Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        // HTTP/1.0: the answer ends with the connection, so there is nothing to decode.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut text = String::new();
        stream.take(ANSWER_BYTES_MAX).read_to_string(&mut text)?;
        parse(&text)
    };
    exchange().with_context(|| format!("no answer to {method} http://{address}{path}"))
}

fn parse(text: &str) -> Result<Answer> {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        bail!("the answer ends within its head");
    };
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Answer {
        status: status.context("the answer has no status")?,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_status_and_a_body() {
        let answer = parse("HTTP/1.0 201 Created\r\nlocation: /orders/1\r\n\r\n{}\n").unwrap();
        assert_eq!(
            answer,
            Answer {
                status: 201,
                body: "{}\n".to_owned()
            }
        );
    }

    #[test]
    fn half_an_answer_is_none() {
        assert!(parse("HTTP/1.0 200 OK\r\n").is_err());
        assert!(parse("").is_err());
        assert!(parse("220 mail ready\r\n\r\n").is_err());
    }
}
