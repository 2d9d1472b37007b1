//! The host functions of an importer's concurrent interface.
//!
//! A call is encoded in the importer's store and made in a task of its own; what the importer waits for
//! is a channel. In the task it goes from store to store, or, where links go over frames, from frame to
//! frame, or to another host.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{LinkerInstance, Val};
use wasmtime::{AsContextMut, StoreContextMut};
use weft_wire::{FailureCode, Frame};

use super::callee_task::{self, Asked, StoreEnd};
use super::caller_codec;
use crate::guest::GuestState;
use crate::links::codec::{CodecError, FunctionShape};
use crate::links::remote;
use crate::links::{LinkFailure, LinkedFunction};
use weft_link::stream_message::Post;
use weft_link::{
    Answer, Away, CallEnd, CallServer, Conversation, Frames, Hosts, Opening, Role, Side,
    number_call,
};
use weft_telemetry::chain;

/// Defines functions of a concurrent interface in a linker.
///
/// # Errors
/// If one is defined already.
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
                let begun = accessor
                    .with(|mut access| import.begin(access.as_context_mut(), &ty, arguments))?;
                let ended = begun.wait().await;
                accessor.with(|mut access| import.end(access.as_context_mut(), ended, results))
            })
        })
    } else {
        // The importer's store stands still meanwhile, as it does for any plain function.
        linker.func_new_async(&function.name, move |mut store, ty, arguments, results| {
            let import = import.clone();
            Box::new(async move {
                let begun = import.begin(store.as_context_mut(), &ty, arguments)?;
                let ended = begun.wait().await;
                import.end(store, ended, results)
            })
        })
    }
}

/// A function as its importer has it.
struct Import {
    function: Arc<LinkedFunction>,
    /// Known from the first call on.
    shape: OnceLock<Arc<FunctionShape>>,
}

/// A call that runs, or why there is none.
struct Begun {
    side: Arc<Side>,
    shape: Arc<FunctionShape>,
    call: Result<Running, LinkFailure>,
}

enum Running {
    /// In a store of this host. `has_session` if the call has the importer's session.
    Store {
        conversation: Conversation<StoreEnd>,
        has_session: bool,
    },
    /// Over frames.
    Frames(Conversation<CallEnd>),
}

/// The end of a call.
enum Over {
    Store(StoreEnd),
    Frames(CallEnd),
}

/// The exporter's side of a call.
enum Other {
    Here(Arc<Side>),
    /// On another host.
    Away(Away),
}

/// A call that is over, as far as the importer waits for it.
struct Ended {
    side: Arc<Side>,
    shape: Arc<FunctionShape>,
    answer: Result<Option<Answer<Over>>, LinkFailure>,
    has_session: bool,
}

impl Begun {
    async fn wait(self) -> Ended {
        let mut has_session = false;
        let answer = match self.call {
            Ok(Running::Store {
                conversation,
                has_session: has,
            }) => {
                has_session = has;
                Ok(conversation
                    .answer()
                    .await
                    .map(|answer| answer.map(Over::Store)))
            }
            Ok(Running::Frames(conversation)) => Ok(conversation
                .answer()
                .await
                .map(|answer| answer.map(Over::Frames))),
            Err(failure) => Err(failure),
        };
        Ended {
            side: self.side,
            shape: self.shape,
            answer,
            has_session,
        }
    }
}

impl Import {
    /// Encodes the arguments, and sets the call going.
    ///
    /// # Errors
    /// The importer's trap, for a function that links do not carry: a deploy refuses those.
    fn begin(
        &self,
        mut store: StoreContextMut<'_, GuestState>,
        ty: &ComponentFunc,
        arguments: &[Val],
    ) -> wasmtime::Result<Begun> {
        let shape = match self.shape.get() {
            Some(shape) => shape.clone(),
            None => {
                let shape = FunctionShape::of(ty).map_err(wasmtime::Error::new)?;
                self.shape.get_or_init(|| Arc::new(shape)).clone()
            }
        };
        let call = number_call();
        let frames = self.function.route.carrier.frames.as_ref();
        // Whoever drops a side tells the other: what does not come to a call is let go.
        let (side, other) = self.sides(call);
        let request = caller_codec::request(store.as_context_mut(), &side, &shape, arguments);
        let importer = store.data_mut();
        let call = match (request, other, frames) {
            (Err(error), ..) => Err(self.refused(&error)),
            (Ok(request), Other::Here(exporter), Some(Frames::Loopback(server))) => {
                self.call_frames(importer, exporter, server, call, &request)
            }
            (Ok(request), Other::Here(exporter), _) => {
                self.call_store(importer, exporter, &shape, request)
            }
            (Ok(request), Other::Away(away), Some(Frames::Remote(hosts))) => {
                self.call_host(importer, away, hosts, &request)
            }
            (Ok(_), Other::Away(_), _) => Err(self.failed("it goes nowhere")),
        };
        Ok(Begun { side, shape, call })
    }

    /// The importer's side of a call, and the other.
    fn sides(&self, call: u64) -> (Arc<Side>, Other) {
        let here = |post: fn(&Arc<Side>, u64) -> Post| {
            let (side, exporter) = Side::pair(|peer| post(peer, call));
            (side, Other::Here(exporter))
        };
        match self.function.route.carrier.frames {
            None => here(|peer, _| Post::Direct(Arc::downgrade(peer))),
            Some(Frames::Loopback(_)) => {
                here(|peer, call| Post::Framed(Arc::downgrade(peer), call))
            }
            Some(Frames::Remote(_)) => {
                let (side, away) = Side::away(Role::Importer, call);
                (side, Other::Away(away))
            }
        }
    }

    fn call_store(
        &self,
        importer: &mut GuestState,
        side: Arc<Side>,
        shape: &Arc<FunctionShape>,
        request: Vec<u8>,
    ) -> Result<Running, LinkFailure> {
        let callee = self.function.begin(importer)?;
        let has_session = callee.is_session();
        let function = self.function.clone();
        let asked = Asked {
            index: function.target_index,
            shape: Some(shape.clone()),
            request,
        };
        let tasks = &self.function.route.carrier.tasks;
        let conversation = Conversation::begin(tasks, |answer| {
            callee_task::of_store(callee, side, function, asked, answer)
        });
        Ok(Running::Store {
            conversation,
            has_session,
        })
    }

    /// Calls a host that runs the target.
    fn call_host(
        &self,
        importer: &mut GuestState,
        away: Away,
        hosts: &Arc<dyn Hosts>,
        request: &[u8],
    ) -> Result<Running, LinkFailure> {
        let (frame, left) = self.frame(importer, away.call(), request)?;
        let opening = Opening {
            target: self.function.route.call_target.id.clone(),
            frame: frame.into(),
            deadline: Instant::now() + left,
            is_idempotent: self.function.is_idempotent,
            away,
        };
        let hosts = hosts.clone();
        let tasks = &self.function.route.carrier.tasks;
        let conversation = Conversation::begin(tasks, |answer| async move {
            hosts.converse(opening, CallEnd::forward(answer)).await;
        });
        Ok(Running::Frames(conversation))
    }

    /// The frame of a call, and how long its importer waits.
    fn frame(
        &self,
        importer: &GuestState,
        call: u64,
        request: &[u8],
    ) -> Result<(Vec<u8>, Duration), LinkFailure> {
        let Some(activity) = importer.activity() else {
            let reason = format!("`{}`: its importer runs no request", self.to());
            return Err(LinkFailure::new(FailureCode::Refused, reason));
        };
        let left = activity.deadline.saturating_duration_since(Instant::now());
        let at_most = self.function.deadline.unwrap_or(Duration::MAX);
        let (left, depth) = (left.min(at_most), activity.depth);
        let frame = remote::request(&self.function, call, None, left, depth, request);
        Ok((frame, left))
    }

    fn call_frames(
        &self,
        importer: &mut GuestState,
        side: Arc<Side>,
        server: &Arc<dyn CallServer>,
        call: u64,
        request: &[u8],
    ) -> Result<Running, LinkFailure> {
        let (frame, _) = self.frame(importer, call, request)?;
        let server = server.clone();
        let tasks = &self.function.route.carrier.tasks;
        let conversation = Conversation::begin(tasks, |answer| async move {
            server.serve_streams(side, &frame, answer).await;
        });
        Ok(Running::Frames(conversation))
    }

    /// Gives the importer its result.
    ///
    /// # Errors
    /// The importer's trap, if the call failed and the function's result cannot say so.
    fn end(
        &self,
        mut store: StoreContextMut<'_, GuestState>,
        ended: Ended,
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let (side, shape) = (&ended.side, &ended.shape);
        let reply = ended
            .answer
            .and_then(|answer| self.reply(store.data_mut(), answer, ended.has_session));
        let values = reply.and_then(|reply| {
            let values = caller_codec::reply(store.as_context_mut(), side, shape, &reply);
            values.map_err(|error| self.unreadable(&error))
        });
        let values = match values {
            Ok(values) => values,
            Err(failure) => match self.function.encoded(&failure) {
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
        answer: Option<Answer<Over>>,
        has_session: bool,
    ) -> Result<Vec<u8>, LinkFailure> {
        let over = match answer {
            Some(Answer::Over(over)) => over,
            Some(Answer::GoesOn(reply)) => {
                if has_session {
                    // The call keeps the instance until it is done with it.
                    importer.sessions().clear(&self.function.route);
                }
                return match self.function.route.carrier.frames {
                    None => Ok(reply),
                    Some(_) => self.read(&reply),
                };
            }
            None => {
                if has_session {
                    importer.sessions().clear(&self.function.route);
                }
                let reason = format!("`{}`: its host is going away", self.to());
                return Err(LinkFailure::new(FailureCode::MaybeExecuted, reason));
            }
        };
        match over {
            Over::Store(StoreEnd { callee, outcome }) => {
                self.function.end(importer, *callee, outcome)
            }
            Over::Frames(CallEnd::Frame(frame)) => self.read(&frame),
            Over::Frames(CallEnd::Failed(failure)) => Err(failure),
        }
    }

    /// Reads the frame of a reply.
    fn read(&self, frame: &[u8]) -> Result<Vec<u8>, LinkFailure> {
        match Frame::decode(frame) {
            Ok(Frame::Reply(reply)) => reply.outcome.map(<[u8]>::to_vec),
            _ => Err(self.failed("the reply is not one")),
        }
    }

    fn refused(&self, error: &CodecError) -> LinkFailure {
        let reason = format!("`{}`: its arguments: {}", self.to(), chain(error));
        LinkFailure::new(FailureCode::Refused, reason)
    }

    fn unreadable(&self, error: &CodecError) -> LinkFailure {
        self.failed(&chain(error))
    }

    fn failed(&self, reason: &str) -> LinkFailure {
        let reason = format!("the reply of `{}` cannot be read: {reason}", self.to());
        LinkFailure::new(FailureCode::MaybeExecuted, reason)
    }

    fn to(&self) -> &str {
        &self.function.route.ends.to
    }
}
