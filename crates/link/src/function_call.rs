//! Calls of functions by a caller that is not a component, as a route that serves an interface.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use weft_lattice_config::placement::ComponentId;
use weft_wire::{End, FailureCode, Frame, Importer, Request, Target};

use crate::{FrameTransport, LinkFailure, OutgoingCall, encoded, number_call};

/// A call of a function, with encoded arguments.
#[derive(Debug, Clone, Copy)]
pub struct FunctionCall<'a> {
    /// The component.
    pub target: &'a Arc<ComponentId>,
    /// The name of the component's export.
    pub interface: &'a str,
    /// The name of the function in the interface.
    pub function: &'a str,
    /// The name of the caller, for the logs of the component.
    pub caller: &'a str,
    /// The longest duration of the call.
    pub time_limit: Duration,
    /// True if a retry is allowed after the call may have run.
    pub is_idempotent: bool,
    /// The parameters as a tuple, in the encoding of the wire.
    pub arguments: &'a [u8],
}

impl FunctionCall<'_> {
    /// Makes the call, and returns the encoded result.
    ///
    /// # Errors
    /// The failure of the call.
    pub async fn make(self, transport: &FrameTransport) -> Result<Bytes, LinkFailure> {
        let number = number_call();
        let outgoing = OutgoingCall {
            number,
            target: self.target.clone(),
            frame: self.frame(number).into(),
            deadline: Instant::now() + self.time_limit,
            is_idempotent: self.is_idempotent,
        };
        let (answer, peer) = transport.exchange(outgoing, None).await?;
        let Ok(Frame::Reply(reply)) = Frame::decode(&answer) else {
            let reason = format!("cannot decode the reply of `{}`", self.target.component);
            return Err(LinkFailure::new(FailureCode::MaybeExecuted, reason));
        };
        // The component has resources, and this caller keeps no handles of them.
        if let Some(session) = reply.session {
            let end = encoded(&Frame::End(End {
                session: session.id,
            }));
            transport.send(peer, end);
        }
        reply.outcome.map(|payload| answer.slice_ref(payload))
    }

    fn frame(&self, call: u64) -> Vec<u8> {
        let app = self.target.app.as_str();
        encoded(&Frame::Request(Request {
            call,
            session: None,
            target: Target {
                app,
                component: self.target.component.as_str(),
                interface: self.interface,
                function: self.function,
            },
            deadline_ms: u32::try_from(self.time_limit.as_millis()).unwrap_or(u32::MAX),
            depth: 0,
            trace: None,
            importer: Importer {
                app,
                component: self.caller,
            },
            payload: self.arguments,
        }))
    }
}
