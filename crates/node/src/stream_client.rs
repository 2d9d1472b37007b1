//! Calls with streams, to and from other hosts: each is a conversation ([`lines`](crate::bus_channel)), of which the
//! first frame asks and one of the others is the reply.

use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::timeout_at;
use weft_bus::PublishError;
use weft_membership::HostId;
use weft_membership::routing::Outcome;
use weft_wire::{FailureCode, Frame};

use crate::bus_channel::{Heard, Line, Lines};
use crate::call_client::why;
use crate::call_routing::{Wanted, Ways};
use crate::liveness::gone;
use crate::membership_task::Known;
use weft_link::{Away, LinkFailure, Opening, Told, code_of};

/// Finds hosts for calls with streams, and talks with them.
#[derive(Clone)]
pub(super) struct Conversing {
    pub(super) lines: Lines,
    pub(super) ways: Ways,
    pub(super) known: watch::Receiver<Arc<Known>>,
}

/// How an attempt came to its end.
enum Attempted {
    /// With a reply, to a conversation that may go on.
    Replied {
        frame: Bytes,
        line: Box<Line>,
        is_last: bool,
    },
    /// Without, and what that means for the way of the call.
    Not(Outcome),
}

impl Conversing {
    /// Makes a call at a host that runs its target, and carries what its caller says until nothing is left of it.
    pub(super) async fn converse(&self, opening: Opening, told: Told) {
        let Opening {
            target,
            frame,
            deadline,
            is_idempotent,
            mut away,
        } = opening;
        let failed = |code| LinkFailure::new(code, why(target.component.as_str(), code));
        let mut way = self.ways.way(Wanted {
            target: &target,
            deadline,
            is_idempotent,
        });
        // What the last host said of it, if it was not sent on after that.
        let mut last: Option<Bytes> = None;
        loop {
            let attempt = match way.next().await {
                Ok(attempt) => attempt,
                Err(code) => {
                    let last = last.filter(|reply| code_of(reply) == Some(code));
                    return told(last.map(Vec::from).ok_or_else(|| failed(code)));
                }
            };
            let mut lost = pin!(gone(&self.known, attempt.host));
            let asking = self.ask(attempt.host, &frame, &mut away, lost.as_mut());
            let until = self.ways.until(&attempt).min(deadline);
            let attempted = timeout_at(until, asking).await;
            let outcome = match attempted.unwrap_or(Attempted::Not(Outcome::TimedOut)) {
                Attempted::Replied {
                    frame,
                    line,
                    is_last,
                } => {
                    let outcome = code_of(&frame).map_or(Outcome::Answered, Outcome::of_failure);
                    if outcome == Outcome::Answered {
                        way.outcome(outcome);
                        told(Ok(frame.into()));
                        if !is_last {
                            go_on(*line, away, lost).await;
                        }
                        return;
                    }
                    last = Some(frame);
                    outcome
                }
                Attempted::Not(outcome) => outcome,
            };
            way.outcome(outcome);
            if !away.is_untouched() {
                // A part of what it carries was read, and is not there for another host.
                return told(Err(failed(FailureCode::MaybeExecuted)));
            }
        }
    }

    /// Sends a call to a host once, and waits for the reply for as long as the host is there.
    async fn ask(
        &self,
        host: HostId,
        frame: &Bytes,
        away: &mut Away,
        mut lost: Pin<&mut impl Future<Output = ()>>,
    ) -> Attempted {
        let Some(mut line) = self.lines.open(host, away.call()) else {
            return Attempted::Not(Outcome::NotRun(FailureCode::Busy));
        };
        if let Err(error) = line.send(frame.clone()).await {
            line.abandons(None);
            return Attempted::Not(outcome_of(&error));
        }
        let mut is_silent = false;
        loop {
            tokio::select! {
                heard = line.hear() => match heard {
                    Heard::Nobody => return Attempted::Not(Outcome::NoResponders),
                    Heard::Gap => return Attempted::Not(Outcome::BusLost),
                    Heard::Frame { bytes, is_last } => match Frame::decode(&bytes) {
                        Ok(Frame::Reply(_) | Frame::HttpReply(_)) => {
                            return Attempted::Replied { frame: bytes, line: Box::new(line), is_last };
                        }
                        Ok(other) => away.hear(&other),
                        Err(error) => tracing::warn!(%error, "a frame was refused"),
                    },
                },
                said = away.next(), if !is_silent => match said {
                    Some(said) => if line.send(said).await.is_err() {
                        return Attempted::Not(Outcome::BusLost);
                    },
                    None => is_silent = true,
                },
                () = lost.as_mut() => return Attempted::Not(Outcome::Lost),
            }
        }
    }
}

/// What became of a call whose first frame was not sent.
fn outcome_of(error: &PublishError) -> Outcome {
    match error {
        PublishError::Disconnected | PublishError::Stalled => Outcome::NotSent,
        PublishError::TooLarge { .. } => Outcome::NotRun(FailureCode::Refused),
    }
}

/// Carries frames after the reply, until nothing is left of the caller's side.
async fn go_on(mut line: Line, mut away: Away, mut lost: Pin<&mut impl Future<Output = ()>>) {
    loop {
        tokio::select! {
            heard = line.hear() => if !take_in(&heard, &mut away) {
                line.abandons(None);
                return;
            },
            said = away.next() => match said {
                Some(said) => if line.send(said).await.is_err() {
                    return away.lose();
                },
                None => return,
            },
            () = lost.as_mut() => return away.lose(),
        }
    }
}

/// Takes in what came after the reply. Says whether there is more to come.
pub(crate) fn take_in(heard: &Heard, away: &mut Away) -> bool {
    match heard {
        Heard::Nobody | Heard::Gap => {
            away.lose();
            false
        }
        Heard::Frame { bytes, .. } => {
            match Frame::decode(bytes) {
                Ok(Frame::Abandon(_)) => {
                    away.lose();
                    return false;
                }
                Ok(frame) => away.hear(&frame),
                Err(error) => tracing::warn!(%error, "a frame was refused"),
            }
            true
        }
    }
}
