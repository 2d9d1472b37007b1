//! A consumer of a bucket's stream, which delivers the newest entry of every existing key, oldest
//! first, and then each change.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::push;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy};
use async_nats::jetstream::stream::ConsumerErrorKind;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::{Entry, operation};
use crate::buckets::{BackingStream, BucketError, STORE_WAIT_MAX};
use crate::desired::Revision;

/// The interval of a server's signs that a consumer is alive. A consumer without a sign for twice
/// as long counts as lost.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// The options of a consumer.
pub(crate) struct ConsumerOptions {
    /// The subjects to deliver.
    pub(crate) filter: String,
    /// Leaves the values out.
    pub(crate) keys_only: bool,
    /// The time after which a server drops the consumer if it has no reader.
    pub(crate) inactive_max: Duration,
}

/// One entry of a key, from the stream.
pub(crate) struct Change {
    pub(crate) subject: String,
    pub(crate) entry: Entry,
    /// The number of entries still to come at the time of delivery.
    pub(crate) pending: u64,
}

/// A consumer of a stream; the server drops it some time after this is dropped.
pub(crate) struct ChangeStream {
    stream: Arc<BackingStream>,
    messages: push::Messages,
    consumer: String,
    pending: u64,
    /// The sequence number of the consumer's next message, if none is lost.
    next: u64,
}

impl ChangeStream {
    pub(crate) async fn open(
        stream: &Arc<BackingStream>,
        options: ConsumerOptions,
    ) -> Result<Self, BucketError> {
        let config = push::Config {
            deliver_subject: stream.connection().client().new_inbox(),
            deliver_policy: DeliverPolicy::LastPerSubject,
            filter_subject: options.filter,
            ack_policy: AckPolicy::None,
            replay_policy: ReplayPolicy::Instant,
            max_deliver: 1,
            idle_heartbeat: HEARTBEAT,
            flow_control: true,
            memory_storage: true,
            num_replicas: 1,
            headers_only: options.keys_only,
            inactive_threshold: options.inactive_max,
            ..push::Config::default()
        };
        match timeout(2 * STORE_WAIT_MAX, Self::create(stream, config)).await {
            Ok(created) => created,
            Err(_) => Err(stream.unavailable()),
        }
    }

    async fn create(
        stream: &Arc<BackingStream>,
        config: push::Config,
    ) -> Result<Self, BucketError> {
        let handle = stream.context().get_stream_no_info(stream.stream_name());
        let handle = handle.await.map_err(|error| stream.rejected(error))?;
        let consumer = handle.create_consumer(config).await;
        let consumer = consumer.map_err(|error| match error.kind() {
            ConsumerErrorKind::JetStream(error) => stream.classify(error),
            ConsumerErrorKind::TimedOut | ConsumerErrorKind::Request => stream.unavailable(),
            _ => stream.rejected(error),
        })?;
        let info = consumer.cached_info();
        let (name, pending) = (info.name.clone(), info.num_pending);
        let messages = consumer.messages().await;
        Ok(Self {
            stream: stream.clone(),
            messages: messages.map_err(|error| stream.rejected(error))?,
            consumer: name,
            pending,
            next: 1,
        })
    }

    /// The number of entries at the start.
    pub(crate) fn pending(&self) -> u64 {
        self.pending
    }

    /// Waits for the next entry. An error ends the stream of changes.
    pub(crate) async fn next(&mut self) -> Result<Change, BucketError> {
        let Some(Ok(message)) = self.messages.next().await else {
            return Err(self.stream.unavailable());
        };
        let info = message.info();
        let (sequence, revision, pending) = match info {
            Ok(info) => (info.consumer_sequence, info.stream_sequence, info.pending),
            Err(error) => return Err(self.stream.rejected(error)),
        };
        if sequence != self.next {
            return Err(self.stream.unavailable());
        }
        self.next += 1;
        let jetstream::Message { message, .. } = message;
        Ok(Change {
            entry: Entry {
                revision: Revision(revision),
                operation: operation(message.headers.as_ref()),
                value: message.payload,
            },
            subject: message.subject.to_string(),
            pending,
        })
    }

    /// Deletes the consumer on the server. If that fails, the server drops it later.
    pub(crate) async fn close(self) {
        drop(self.messages);
        let stream = self.stream.context();
        let Ok(handle) = stream.get_stream_no_info(self.stream.stream_name()).await else {
            return;
        };
        let deleted = timeout(STORE_WAIT_MAX, handle.delete_consumer(&self.consumer)).await;
        if !matches!(deleted, Ok(Ok(_))) {
            tracing::debug!(
                bucket = self.stream.bucket(),
                "could not delete a consumer; the server drops inactive consumers"
            );
        }
    }
}
