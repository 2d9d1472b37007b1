//! A connection whose user decides about every byte.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::Response;

/// The time limit to connect, and of a read or a write: longer than the deadline of any component.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection to an HTTP/1.1 server.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Received bytes that were not returned yet.
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// The socket fails.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        let buffer = Vec::new();
        Ok(Self { stream, buffer })
    }

    /// Connects and sends `text`, in which `\n` stands for `\r\n`.
    ///
    /// # Panics
    /// If the server does not accept the connection or the text.
    #[must_use]
    #[track_caller]
    pub fn with(address: SocketAddr, text: &str) -> Self {
        let mut connection = Self::open(address).expect("an open connection");
        let text = text.replace('\n', "\r\n");
        connection
            .send(text.as_bytes())
            .expect("a server that reads");
        connection
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The socket fails.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// A second handle, to send and to read at the same time. Received bytes that were not returned
    /// yet stay with this one.
    ///
    /// # Errors
    /// The socket fails.
    pub fn try_clone(&self) -> io::Result<Self> {
        let stream = self.stream.try_clone()?;
        let buffer = Vec::new();
        Ok(Self { stream, buffer })
    }

    /// Sends bytes as one chunk of a body.
    ///
    /// # Errors
    /// The socket fails.
    pub fn send_chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.send(&chunk)
    }

    /// Closes the sending half.
    ///
    /// # Errors
    /// The socket fails.
    pub fn finish_sending(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Reads the status and the headers of a response.
    ///
    /// # Errors
    /// The socket fails, or the bytes are not a response.
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
    /// The socket fails, or the body is incomplete.
    pub fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let line = self.line()?;
        let length = usize::from_str_radix(&line, 16).map_err(|_| invalid(&line))?;
        let chunk = self.take(length)?;
        self.line()?;
        Ok(chunk)
    }

    /// Reads a whole response.
    ///
    /// # Errors
    /// The socket fails, or the response is incomplete.
    pub fn response(&mut self) -> io::Result<Response> {
        let mut response = self.head()?;
        if matches!(response.status, 204 | 304) {
            return Ok(response);
        }
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

    /// Reads until the server closes the connection.
    ///
    /// # Errors
    /// The socket fails.
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

fn invalid(found: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {found:?}"))
}
