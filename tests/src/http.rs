//! A small HTTP/1.1 client over a bare socket: a test decides about every byte that is sent.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a read may wait: longer than any deadline of the host's in a test.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A request that is sent whole.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    method: &'a str,
    path: &'a str,
    host: &'a str,
    body: &'a [u8],
}

/// An answer that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers, with lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A connection on which a test writes and reads what it likes.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Read, and not used yet.
    buffer: Vec<u8>,
}

// === impl Request ===

impl<'a> Request<'a> {
    /// `GET path`.
    #[must_use]
    pub fn get(path: &'a str) -> Self {
        Self {
            method: "GET",
            path,
            host: "localhost",
            body: b"",
        }
    }

    /// `method path` with a body.
    #[must_use]
    pub fn with_body(method: &'a str, path: &'a str, body: &'a [u8]) -> Self {
        Self {
            method,
            body,
            ..Self::get(path)
        }
    }

    /// To this host name.
    #[must_use]
    pub fn host(self, host: &'a str) -> Self {
        Self { host, ..self }
    }

    /// Sends it on a connection of its own, and reads the answer.
    ///
    /// # Panics
    /// If there is no answer.
    #[track_caller]
    pub fn send(self, address: SocketAddr) -> Response {
        match self.try_send(address) {
            Ok(response) => response,
            Err(error) => panic!("{} {}: no answer: {error}", self.method, self.path),
        }
    }

    /// Sends it on a connection of its own, and reads the answer.
    ///
    /// # Errors
    /// What the socket says, or that the answer is cut short.
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
        // The host may answer, and close, before it has read a body that it does not want.
        let sent = connection.send(self.body);
        let response = connection.response();
        match (sent, response) {
            (_, Ok(response)) => Ok(response),
            (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error),
        }
    }
}

// === impl Connection ===

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// What the socket says.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, READ_TIMEOUT)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        stream.set_write_timeout(Some(READ_TIMEOUT))?;
        stream.set_nodelay(true)?;
        let buffer = Vec::new();
        Ok(Self { stream, buffer })
    }

    /// Connects and sends `text`, in which `\n` stands for the end of a line.
    ///
    /// # Panics
    /// If the host does not take it.
    #[must_use]
    #[track_caller]
    pub fn with(address: SocketAddr, text: &str) -> Self {
        let mut connection = Self::open(address).expect("the host takes connections");
        let text = text.replace('\n', "\r\n");
        connection
            .send(text.as_bytes())
            .expect("the host reads what is sent");
        connection
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// What the socket says.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends bytes as one chunk of a body.
    ///
    /// # Errors
    /// What the socket says.
    pub fn send_chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.send(&chunk)
    }

    /// Ends what is sent; the answer can still be read.
    ///
    /// # Errors
    /// What the socket says.
    pub fn finish_sending(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Reads the status and the headers of an answer.
    ///
    /// # Errors
    /// What the socket says, or that it is no answer.
    pub fn head(&mut self) -> io::Result<Response> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status = status.ok_or_else(|| invalid(&status_line))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid(&line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let body = Vec::new();
        Ok(Response {
            status,
            headers,
            body,
        })
    }

    /// Reads the next chunk of a body; an empty one is its end.
    ///
    /// # Errors
    /// What the socket says, or that the body is cut short.
    pub fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let line = self.line()?;
        let length = usize::from_str_radix(&line, 16).map_err(|_| invalid(&line))?;
        let chunk = self.take(length)?;
        self.line()?;
        Ok(chunk)
    }

    /// Reads a whole answer.
    ///
    /// # Errors
    /// What the socket says, or that it is cut short.
    pub fn response(&mut self) -> io::Result<Response> {
        let mut response = self.head()?;
        if response.header("transfer-encoding") == Some("chunked") {
            loop {
                let chunk = self.chunk()?;
                if chunk.is_empty() {
                    return Ok(response);
                }
                response.body.extend(chunk);
            }
        }
        let length = response.header("content-length").map(str::parse);
        response.body = match length {
            Some(Ok(length)) => self.take(length)?,
            _ => self.rest()?,
        };
        Ok(response)
    }

    /// Reads until the host closes the connection.
    ///
    /// # Errors
    /// What the socket says.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        self.stream.read_to_end(&mut self.buffer)?;
        Ok(std::mem::take(&mut self.buffer))
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).take(end).collect();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            self.fill()?;
        }
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill()?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => {
                self.buffer.extend_from_slice(&chunk[..length]);
                Ok(())
            }
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
    /// If it is not.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    /// Fails the test unless the status is `status` and the body contains each of `parts`.
    ///
    /// # Panics
    /// If it is another, or a part is missing.
    #[track_caller]
    pub fn expect(&self, status: u16, parts: &[&str]) {
        let text: String = self.text().chars().take(2000).collect();
        assert_eq!(self.status, status, "{text}");
        for part in parts {
            assert!(text.contains(part), "no `{part}` in: {text}");
        }
    }
}

fn invalid(found: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {found:?}"))
}
