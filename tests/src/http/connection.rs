//! A connection on which a test decides about every byte.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::Response;

/// How long a read may wait: longer than any deadline of the host's in a test.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A connection on which a test writes and reads what it likes.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Read, and not used yet.
    buffer: Vec<u8>,
}

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

    /// The same connection once more, to send and to read at the same time. What was read and not
    /// used stays with this one.
    ///
    /// # Errors
    /// What the socket says.
    pub fn try_clone(&self) -> io::Result<Self> {
        let stream = self.stream.try_clone()?;
        let buffer = Vec::new();
        Ok(Self { stream, buffer })
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

fn invalid(found: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {found:?}"))
}
