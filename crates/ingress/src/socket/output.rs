//! The messages of the component on their way to the client.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};
use weft_link::ReceivedBody;

use super::end::End;

/// The result of a call whose socket is open.
pub(super) type Opened = BoxFuture<'static, Result<OutputStream, End>>;

/// The stream of the component, and the end of a socket whose stream breaks off.
pub(super) struct OutputStream {
    pub(super) body: ReceivedBody,
    pub(super) broken: Box<dyn FnOnce() -> End + Send>,
}

/// The messages of the component.
pub(super) enum Output {
    /// The function has not returned.
    Calling(Opened),
    Streaming(OutputStream),
    Ended,
}

impl Output {
    /// The next chunk of messages; `None` at the end. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, End> {
        loop {
            match self {
                Self::Calling(call) => {
                    let called = call.await;
                    *self = Self::Ended;
                    *self = Self::Streaming(called?);
                }
                Self::Streaming(stream) => match stream.body.frame().await {
                    Some(Ok(frame)) => {
                        // No frame has trailers.
                        if let Ok(chunk) = frame.into_data() {
                            return Ok(Some(chunk));
                        }
                    }
                    None => return Ok(None),
                    Some(Err(_)) => return Err(self.broken()),
                },
                Self::Ended => return Ok(None),
            }
        }
    }

    /// Takes no more messages, and lets the call go on for at most `grace`.
    pub(super) async fn close(self, grace: Duration) {
        let until = Instant::now() + grace;
        let stream = match self {
            Self::Calling(call) => match timeout_at(until, call).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(_)) | Err(_) => return,
            },
            Self::Streaming(stream) => stream,
            Self::Ended => return,
        };
        let left = until.saturating_duration_since(Instant::now());
        stream.body.close(left).await;
    }

    fn broken(&mut self) -> End {
        match std::mem::replace(self, Self::Ended) {
            Self::Streaming(stream) => (stream.broken)(),
            Self::Calling(_) | Self::Ended => End::Complete,
        }
    }
}
