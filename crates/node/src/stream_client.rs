//! The transport of streaming calls to other hosts: each attempt is a
//! [channel](crate::bus_channel) whose first frame is the request; a later one is the reply.

use std::pin::pin;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until, timeout_at};
use weft_bus::PublishError;
use weft_link::RemoteSide;
use weft_membership::routing::Outcome;
use weft_wire::{FailureCode, Frame};

use crate::bus_channel::{BusChannels, Channel, Received};
use crate::bus_return::LATE_REPLY_WAIT_MAX;
use crate::call_client::{AttemptTransport, CallAttempt};
use crate::liveness::HostLife;

/// The attempts of one streaming call.
pub(super) struct ChannelTransport<'a> {
    channels: &'a BusChannels,
    /// True if the call may run twice.
    is_idempotent: bool,
    remote: RemoteSide,
    /// The channel of the last attempt, if frames may follow its reply.
    channel: Option<Channel>,
}

impl<'a> ChannelTransport<'a> {
    pub(super) fn new(channels: &'a BusChannels, remote: RemoteSide, is_idempotent: bool) -> Self {
        Self {
            channels,
            is_idempotent,
            remote,
            channel: None,
        }
    }

    /// Carries the frames after the reply of `host`, until the caller's side is done or the host is
    /// lost.
    pub(super) async fn forward(self, mut host: HostLife) {
        if let Some(channel) = self.channel {
            forward_frames(channel, self.remote, host.death()).await;
        }
    }

    /// Opens a channel with the message of a call, and waits for the message of the reply.
    async fn exchange(&mut self, attempt: &CallAttempt, message: Bytes) -> Result<Bytes, Outcome> {
        let channel = self.channels.open(attempt.host, attempt.number);
        let mut channel = channel.ok_or(Outcome::NotRun(FailureCode::Busy))?;
        if let Err(error) = channel.send(message).await {
            channel.abandon_on_drop(None);
            return Err(outcome_of(&error));
        }
        let mut has_sent_all = false;
        // The end of the wait for a late reply, after the loss of the connection.
        let mut late_until: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                received = channel.receive() => match received {
                    Received::NoListener => return Err(Outcome::NoResponders),
                    // The reply waits for the bus, so it may still come.
                    Received::Reconnected if self.may_reply_late() => {
                        late_until = Some(Instant::now() + LATE_REPLY_WAIT_MAX);
                    }
                    Received::Reconnected | Received::Gap => return Err(Outcome::BusLost),
                    Received::Frame { bytes, is_last } => match Frame::decode(&bytes) {
                        Ok(Frame::Reply(_) | Frame::HttpReply(_) | Frame::Held(_)) => {
                            if is_last {
                                channel.abandon_on_drop(None);
                            } else {
                                self.channel = Some(channel);
                            }
                            return Ok(bytes);
                        }
                        Ok(other) => self.remote.receive(&other),
                        Err(error) => tracing::warn!(%error, "rejected a malformed frame"),
                    },
                },
                outgoing = self.remote.next(), if !has_sent_all => match outgoing {
                    Some(outgoing) => if !channel.send_stream_frame(outgoing).await {
                        return Err(Outcome::BusLost);
                    },
                    None => has_sent_all = true,
                },
                () = sleep_until(late_until.unwrap_or(attempt.until)) => {
                    return Err(match late_until {
                        Some(_) => Outcome::BusLost,
                        None => Outcome::TimedOut,
                    });
                }
            }
        }
    }

    /// True if a reply may follow after the bus has returned: no frame but the first was sent or
    /// received, so none is missing. A call that may run twice is sent again instead.
    fn may_reply_late(&self) -> bool {
        !self.is_idempotent && self.remote.is_untouched()
    }
}

impl AttemptTransport for ChannelTransport<'_> {
    async fn send(&mut self, attempt: &CallAttempt, message: Bytes) -> Result<Bytes, Outcome> {
        self.channel = None;
        self.remote.renumber(attempt.number);
        let reply = timeout_at(attempt.until, self.exchange(attempt, message));
        reply.await.unwrap_or(Err(Outcome::TimedOut))
    }

    fn is_repeatable(&self) -> bool {
        self.remote.is_untouched()
    }
}

/// The outcome of a call whose first frame was not sent.
fn outcome_of(error: &PublishError) -> Outcome {
    match error {
        PublishError::Disconnected | PublishError::Stalled => Outcome::NotSent,
        PublishError::TooLarge { .. } => Outcome::NotRun(FailureCode::Refused),
    }
}

/// Carries the frames of a call after its reply, until this side is done or the other is lost.
pub(super) async fn forward_frames(
    mut channel: Channel,
    mut remote: RemoteSide,
    lost: impl Future<Output = ()>,
) {
    let mut lost = pin!(lost);
    loop {
        tokio::select! {
            received = channel.receive() => if !receive_frame(&received, &mut remote) {
                break;
            },
            outgoing = remote.next() => match outgoing {
                Some(outgoing) => if !channel.send_stream_frame(outgoing).await {
                    return;
                },
                None => {
                    channel.until_fetched().await;
                    break;
                }
            },
            () = &mut lost => return,
        }
    }
    // Either side has closed its streams.
    channel.abandon_on_drop(None);
}

/// Passes a frame to its side. Returns whether more may follow.
pub(super) fn receive_frame(received: &Received, remote: &mut RemoteSide) -> bool {
    match received {
        Received::NoListener | Received::Reconnected | Received::Gap => {
            remote.lose();
            false
        }
        Received::Frame { bytes, .. } => {
            match Frame::decode(bytes) {
                Ok(frame) => {
                    remote.receive(&frame);
                    return !matches!(frame, Frame::Abandon(_));
                }
                Err(error) => tracing::warn!(%error, "rejected a malformed frame"),
            }
            true
        }
    }
}
