//! A NATS client that sends any frame under any subject, which the bus of a host does not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::wait::PATIENCE;

/// A connection to a server.
#[derive(Debug)]
pub struct RawNats {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

/// A message that the server passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// Where it was published.
    pub subject: String,
    /// Where its sender waits for an answer.
    pub reply: Option<String>,
    /// Its content.
    pub payload: Vec<u8>,
}

impl RawNats {
    /// Connects.
    ///
    /// # Panics
    /// If the server does not take the connection, as every method does if it goes away.
    #[must_use]
    pub fn connect(address: SocketAddr) -> Self {
        let writer = TcpStream::connect(address).expect("the server listens");
        writer
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout can be set");
        let reader = BufReader::new(writer.try_clone().expect("a second handle"));
        let mut nats = Self { reader, writer };
        let info = nats.line();
        assert!(info.starts_with("INFO "), "{info}");
        nats.write(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n");
        nats
    }

    /// Publishes a message.
    ///
    /// # Panics
    /// See [`RawNats::connect`].
    pub fn publish(&mut self, subject: &str, reply: Option<&str>, payload: &[u8]) {
        let reply = reply.map(|reply| format!("{reply} ")).unwrap_or_default();
        let head = format!("PUB {subject} {reply}{}\r\n", payload.len());
        self.write(&[head.as_bytes(), payload, b"\r\n"].concat());
    }

    /// Subscribes to the subjects that match.
    ///
    /// # Panics
    /// See [`RawNats::connect`].
    pub fn subscribe(&mut self, pattern: &str) {
        self.write(format!("SUB {pattern} 1\r\n").as_bytes());
        self.flush();
    }

    /// Waits until the server has received everything that was sent. Messages that arrive meanwhile
    /// are lost.
    ///
    /// # Panics
    /// See [`RawNats::connect`].
    pub fn flush(&mut self) {
        self.write(b"PING\r\n");
        while self.line() != "PONG" {}
    }

    /// The next message.
    ///
    /// # Panics
    /// If there is none in time; see [`RawNats::connect`].
    #[must_use]
    pub fn next_message(&mut self) -> RawMessage {
        loop {
            let line = self.line();
            if line == "PING" {
                self.write(b"PONG\r\n");
            }
            let Some(head) = line.strip_prefix("MSG ") else {
                continue;
            };
            let fields: Vec<_> = head.split(' ').collect();
            let (reply, length) = match fields[2..] {
                [length] => (None, length),
                [reply, length] => (Some(reply.to_owned()), length),
                _ => panic!("{line}"),
            };
            let mut payload = vec![0; length.parse().expect("a length")];
            self.reader.read_exact(&mut payload).expect("a payload");
            let end = self.line();
            assert_eq!(end, "", "a message ends with its line");
            return RawMessage {
                subject: fields[0].to_owned(),
                reply,
                payload,
            };
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self
            .reader
            .read_line(&mut line)
            .expect("the server answers");
        assert_ne!(read, 0, "the server ended the connection");
        line.trim_end().to_owned()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).expect("the server listens");
    }
}
