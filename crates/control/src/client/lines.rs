//! Answers with one JSON object per line.

use std::marker::PhantomData;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::{Answer, Body, Client, ClientError};

/// The longest line that is read.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Log lines or events as they arrive.
#[derive(Debug)]
pub struct Lines<T> {
    client: Client,
    answer: Answer,
    buffer: Vec<u8>,
    line: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Lines<T> {
    pub(super) fn new(client: Client, answer: Answer) -> Self {
        Self {
            client,
            answer,
            buffer: Vec::new(),
            line: PhantomData,
        }
    }

    /// Reads the next line; `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`ClientError::Protocol`] if the connection breaks, [`ClientError::Unexpected`] if a line is
    /// invalid or too long.
    pub async fn next(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return match serde_json::from_slice(&line) {
                    Ok(line) => Ok(Some(line)),
                    Err(_) => Err(self.client.unexpected(StatusCode::OK)),
                };
            }
            match self.more().await? {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }

    /// Reads more bytes; `None` at the end.
    async fn more(&mut self) -> Result<Option<Bytes>, ClientError> {
        let body = match &mut self.answer.body {
            Body::Whole(bytes) if bytes.is_empty() => return Ok(None),
            Body::Whole(bytes) => return Ok(Some(std::mem::take(bytes))),
            Body::Streamed(body, _) => body,
        };
        if self.buffer.len() > LINE_BYTES_MAX {
            return Err(self.client.unexpected(StatusCode::OK));
        }
        match body.frame().await {
            None => Ok(None),
            Some(Err(error)) => Err(self.client.protocol(error)),
            Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
        }
    }
}
