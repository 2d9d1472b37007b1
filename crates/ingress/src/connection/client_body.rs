//! The body of a request, which is read on after its component has dropped it: a connection that is
//! closed before the client has sent everything resets, and the client loses the response.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::EXPECT;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::{Connection, InProgress};

/// The most bytes that are read on: twice the default limit of a request body.
const READ_ON_BYTES_MAX: u64 = 32 << 20;

/// The longest time for which a body is read on.
const READ_ON_MAX: Duration = Duration::from_secs(5);

/// The body of a request as its client sends it.
pub(crate) struct ClientBody {
    /// `None` once it is read on.
    body: Option<Incoming>,
    /// The connection, if the body has to be read on.
    connection: Option<Arc<Connection>>,
    /// True if the client sends the body only after an interim response, which the first read
    /// causes.
    awaits_permission: bool,
}

impl ClientBody {
    /// Takes the body of a request.
    pub(crate) fn of(request: Request<Incoming>, connection: &Arc<Connection>) -> Request<Self> {
        let (head, body) = request.into_parts();
        let connection = (!body.is_end_stream()).then(|| connection.clone());
        let body = Self {
            body: Some(body),
            awaits_permission: connection.is_some() && head.headers.contains_key(EXPECT),
            connection,
        };
        Request::from_parts(head, body)
    }
}

async fn read_on(mut body: Incoming, _in_progress: InProgress) {
    let read = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            if bytes > READ_ON_BYTES_MAX {
                return;
            }
        }
    };
    // What the client sends later resets the connection.
    let _ = timeout(READ_ON_MAX, read).await;
}

impl HttpBody for ClientBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.awaits_permission = false;
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        Pin::new(body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.as_ref();
        body.map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        let (Some(body), Some(connection)) = (self.body.take(), self.connection.take()) else {
            return;
        };
        if body.is_end_stream() || self.awaits_permission {
            return;
        }
        // Without a runtime the process ends.
        if let Ok(runtime) = Handle::try_current() {
            let in_progress = connection.begin();
            connection
                .tasks
                .spawn_on(read_on(body, in_progress), &runtime);
        }
    }
}
