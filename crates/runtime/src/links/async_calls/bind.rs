//! The host functions of an importer's concurrent interface.
//!
//! A call is encoded in the importer's store and runs in a task of its own; the importer waits on a
//! channel. The task calls the exporter's store directly, over loopback frames, or on another host.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{LinkerInstance, Val};
use wasmtime::{AsContextMut, StoreContextMut};
use weft_link::stream_message::PeerDelivery;
use weft_link::{Answer, CallEnd, CallSide, CallTask, OutgoingCall, TargetSide, number_call};
use weft_telemetry::chain;
use weft_wire::{FailureCode, Frame};

use super::callee_task::{self, EncodedCall, StoreEnd};
use super::caller_codec;
use crate::guest::GuestState;
use crate::links::codec::{CodecError, FunctionShape};
use crate::links::remote;
use crate::links::{LinkFailure, LinkedFunction};

/// Defines functions of a concurrent interface in a linker.
///
/// # Errors
/// If a function is already defined.
pub(crate) fn bind_all(
    linker: &mut LinkerInstance<'_, GuestState>,
    functions: &[Arc<LinkedFunction>],
) -> wasmtime::Result<()> {
    for function in functions {
        bind(linker, function)?;
    }
    Ok(())
}

fn bind(
    linker: &mut LinkerInstance<'_, GuestState>,
    function: &Arc<LinkedFunction>,
) -> wasmtime::Result<()> {
    let import = Arc::new(Import {
        function: function.clone(),
        shape: OnceLock::new(),
    });
    if function.is_async {
        linker.func_new_concurrent(&function.name, move |accessor, ty, arguments, results| {
            let import = import.clone();
            Box::pin(async move {
                let pending = accessor
                    .with(|mut access| import.begin(access.as_context_mut(), &ty, arguments))?;
                let finished = pending.wait().await;
                accessor.with(|mut access| import.end(access.as_context_mut(), finished, results))
            })
        })
    } else {
        // Blocks the importer's store during the call, as any plain function does.
        linker.func_new_async(&function.name, move |mut store, ty, arguments, results| {
            let import = import.clone();
            Box::new(async move {
                let pending = import.begin(store.as_context_mut(), &ty, arguments)?;
                let finished = pending.wait().await;
                import.end(store, finished, results)
            })
        })
    }
}

/// A function, as imported by its importer.
struct Import {
    function: Arc<LinkedFunction>,
    /// Set by the first call.
    shape: OnceLock<Arc<FunctionShape>>,
}

/// A running call, or the failure to start one.
struct PendingCall {
    side: Arc<CallSide>,
    shape: Arc<FunctionShape>,
    call: Result<RunningCall, LinkFailure>,
}

enum RunningCall {
    /// In a store of this host. `has_session` if the call uses the importer's session.
    Store {
        task: CallTask<StoreEnd>,
        has_session: bool,
    },
    /// Over frames.
    Frames(CallTask<CallEnd>),
}

/// The end of a call.
enum CompletedCall {
    Store(StoreEnd),
    Frames(CallEnd),
}

/// The exporter's side of a call.
enum ExporterSide {
    /// In a store of this host.
    Store(Arc<CallSide>),
    /// Over frames.
    Frames(TargetSide),
}

/// A call that has replied or failed.
struct FinishedCall {
    side: Arc<CallSide>,
    shape: Arc<FunctionShape>,
    answer: Result<Option<Answer<CompletedCall>>, LinkFailure>,
    has_session: bool,
}

impl PendingCall {
    async fn wait(self) -> FinishedCall {
        let mut has_session = false;
        let answer = match self.call {
            Ok(RunningCall::Store {
                task,
                has_session: is_session,
            }) => {
                has_session = is_session;
                Ok(task
                    .answer()
                    .await
                    .map(|answer| answer.map(CompletedCall::Store)))
            }
            Ok(RunningCall::Frames(task)) => Ok(task
                .answer()
                .await
                .map(|answer| answer.map(CompletedCall::Frames))),
            Err(failure) => Err(failure),
        };
        FinishedCall {
            side: self.side,
            shape: self.shape,
            answer,
            has_session,
        }
    }
}

impl Import {
    /// Encodes the arguments, and starts the call.
    ///
    /// # Errors
    /// The importer's trap, for a function that links do not carry; deploys reject those.
    fn begin(
        &self,
        mut store: StoreContextMut<'_, GuestState>,
        ty: &ComponentFunc,
        arguments: &[Val],
    ) -> wasmtime::Result<PendingCall> {
        let shape = match self.shape.get() {
            Some(shape) => shape.clone(),
            None => {
                let shape = FunctionShape::of(ty).map_err(wasmtime::Error::new)?;
                self.shape.get_or_init(|| Arc::new(shape)).clone()
            }
        };
        let call = number_call();
        // A dropped side notifies the other one, so an early return below closes both.
        let (side, exporter) = self.sides(call);
        let request = caller_codec::request(store.as_context_mut(), &side, &shape, arguments);
        let importer = store.data_mut();
        let call = match (request, exporter) {
            (Err(error), _) => Err(self.invalid_arguments(&error)),
            (Ok(request), ExporterSide::Store(exporter)) => {
                self.call_store(importer, exporter, &shape, request)
            }
            (Ok(request), ExporterSide::Frames(target)) => {
                self.call_frames(importer, target, call, &request)
            }
        };
        Ok(PendingCall { side, shape, call })
    }

    /// The two sides of a call.
    fn sides(&self, call: u64) -> (Arc<CallSide>, ExporterSide) {
        match &self.function.target.delivery.frames {
            None => {
                let delivery = |peer: &_| PeerDelivery::Direct(Arc::downgrade(peer));
                let (side, exporter) = CallSide::pair(delivery);
                (side, ExporterSide::Store(exporter))
            }
            Some(frames) => {
                let (side, target) = frames.sides(call);
                (side, ExporterSide::Frames(target))
            }
        }
    }

    fn call_store(
        &self,
        importer: &mut GuestState,
        side: Arc<CallSide>,
        shape: &Arc<FunctionShape>,
        request: Vec<u8>,
    ) -> Result<RunningCall, LinkFailure> {
        let callee = self.function.begin(importer)?;
        let has_session = callee.is_session();
        let (function, endpoint) = (self.function.clone(), callee.endpoint().clone());
        let encoded = EncodedCall {
            index: function.target_index,
            shape: Some(shape.clone()),
            request,
        };
        let tasks = &self.function.target.delivery.tasks;
        let task = CallTask::spawn(tasks, |answer| {
            endpoint.in_turns(callee_task::serve_store(
                callee, side, function, encoded, answer,
            ))
        });
        Ok(RunningCall::Store { task, has_session })
    }

    fn call_frames(
        &self,
        importer: &mut GuestState,
        target: TargetSide,
        number: u64,
        request: &[u8],
    ) -> Result<RunningCall, LinkFailure> {
        let (frame, time_left) = self.frame(importer, number, request)?;
        let call = OutgoingCall {
            number,
            target: self.function.target.id.clone(),
            frame: frame.into(),
            deadline: Instant::now() + time_left,
            is_idempotent: self.function.is_idempotent,
        };
        let tasks = &self.function.target.delivery.tasks;
        let task = CallTask::spawn(tasks, |answer| target.call(call, answer));
        Ok(RunningCall::Frames(task))
    }

    /// The frame of a call, and the time its importer has left.
    fn frame(
        &self,
        importer: &GuestState,
        call: u64,
        request: &[u8],
    ) -> Result<(Vec<u8>, Duration), LinkFailure> {
        let Some(activity) = importer.activity() else {
            let reason = format!("`{}`: the importer has no active request", self.to());
            return Err(LinkFailure::new(FailureCode::Refused, reason));
        };
        let time_left = activity.deadline.saturating_duration_since(Instant::now());
        let time_limit = self.function.deadline.unwrap_or(Duration::MAX);
        let (time_left, depth) = (time_left.min(time_limit), activity.depth);
        let frame = remote::request(&self.function, call, None, time_left, depth, request);
        Ok((frame, time_left))
    }

    /// Passes the result to the importer.
    ///
    /// # Errors
    /// The importer's trap, if the call failed and the function's result cannot carry a failure.
    fn end(
        &self,
        mut store: StoreContextMut<'_, GuestState>,
        finished: FinishedCall,
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let (side, shape) = (&finished.side, &finished.shape);
        let reply = finished
            .answer
            .and_then(|answer| self.reply(store.data_mut(), answer, finished.has_session));
        let values = reply.and_then(|reply| {
            let values = caller_codec::reply(store.as_context_mut(), side, shape, &reply);
            values.map_err(|error| self.malformed_result(&error))
        });
        let values = match values {
            Ok(values) => values,
            Err(failure) => match self.function.encode_failure(&failure) {
                Some(reply) => caller_codec::reply(store, side, shape, &reply)
                    .map_err(|_| self.function.trap(failure))?,
                None => return Err(self.function.trap(failure)),
            },
        };
        for (result, value) in results.iter_mut().zip(values) {
            *result = value;
        }
        Ok(())
    }

    /// The encoded result.
    fn reply(
        &self,
        importer: &mut GuestState,
        answer: Option<Answer<CompletedCall>>,
        has_session: bool,
    ) -> Result<Vec<u8>, LinkFailure> {
        let completed = match answer {
            Some(Answer::Ended(completed)) => completed,
            Some(Answer::Streaming(reply)) => {
                if has_session {
                    // The call owns the instance until its end.
                    importer.sessions().clear(&self.function.target);
                }
                return match self.function.target.delivery.frames {
                    None => Ok(reply),
                    Some(_) => self.read(&reply),
                };
            }
            None => {
                if has_session {
                    importer.sessions().clear(&self.function.target);
                }
                let reason = format!(
                    "`{}`: the call was interrupted, the host is shutting down",
                    self.to()
                );
                return Err(LinkFailure::new(FailureCode::MaybeExecuted, reason));
            }
        };
        match completed {
            CompletedCall::Store(StoreEnd { callee, outcome }) => {
                self.function.end(importer, *callee, outcome)
            }
            CompletedCall::Frames(CallEnd::Frame(frame)) => self.read(&frame),
            CompletedCall::Frames(CallEnd::Failed(failure)) => Err(failure),
        }
    }

    /// Decodes the frame of a reply.
    fn read(&self, frame: &[u8]) -> Result<Vec<u8>, LinkFailure> {
        match Frame::decode(frame) {
            Ok(Frame::Reply(reply)) => reply.outcome.map(<[u8]>::to_vec),
            _ => Err(self.malformed_reply("expected a reply frame, found another frame")),
        }
    }

    fn invalid_arguments(&self, error: &CodecError) -> LinkFailure {
        let reason = format!("`{}`: invalid arguments: {}", self.to(), chain(error));
        LinkFailure::new(FailureCode::Refused, reason)
    }

    fn malformed_result(&self, error: &CodecError) -> LinkFailure {
        self.malformed_reply(&chain(error))
    }

    fn malformed_reply(&self, reason: &str) -> LinkFailure {
        let reason = format!("cannot decode the reply of `{}`: {reason}", self.to());
        LinkFailure::new(FailureCode::MaybeExecuted, reason)
    }

    fn to(&self) -> &str {
        &self.function.target.ends.to
    }
}
