//! The task in which a call is made at its target: in a callee's store, asked for by an importer of this
//! host or by a frame.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::timeout_at;
use weft_wire::{Frame, Request};

use weft_link::Answer;
use weft_link::Side;
use super::callee_codec::{self, Broken, Call, Replied};
use crate::endpoint::{Failure, chain};
use crate::links::local_call::report_failure;
use crate::links::codec::FunctionShape;
use crate::links::failure::of_callee;
use crate::links::remote::{Server, Told, reply_frame};
use crate::links::{Callee, LinkFailure, LinkedFunction};

/// How a call ended, of which the importer was told nothing yet.
pub(crate) enum Over {
    /// With its result, and the callee for the importer to keep.
    Store(Box<Callee>, Result<Vec<u8>, Failure>),
    /// The frame of its reply.
    Frame(Vec<u8>),
    /// Without having run, or nobody knows how.
    Failed(LinkFailure),
}

impl Over {
    /// Hands the reply of a call that another host makes to whoever waits for it here.
    pub(crate) fn tell(answer: oneshot::Sender<Answer<Self>>) -> Told {
        Box::new(move |reply| {
            // Whoever waited may be gone.
            let _ = answer.send(match reply {
                Ok(reply) => Answer::GoesOn(reply),
                Err(failure) => Answer::Over(Self::Failed(failure)),
            });
        })
    }
}

/// How a call in a callee's store ended.
enum Made {
    Replied(Replied),
    /// What the importer wrote will never be complete.
    Abandoned,
    Failed(Failure),
}

/// What is called.
pub(super) struct Asked {
    /// The target's index of the function.
    pub(super) index: u32,
    /// As the importer knows it; that both ends have the same types was checked when they were linked.
    pub(super) shape: Option<Arc<FunctionShape>>,
    pub(super) request: Vec<u8>,
}

/// Makes a call for an importer of this host.
pub(super) async fn of_store(
    mut callee: Callee,
    side: Arc<Side>,
    function: Arc<LinkedFunction>,
    asked: Asked,
    answer: oneshot::Sender<Answer<Over>>,
) {
    let mut answer = Some(answer);
    let made = make(&mut callee, &side, asked, |reply| {
        tell(&mut answer, Answer::GoesOn(reply));
    });
    let over = match made.await {
        Made::Replied(Replied::Now(reply)) => Over::Store(Box::new(callee), Ok(reply)),
        Made::Replied(Replied::Before) => return give_back(callee),
        Made::Abandoned => return,
        Made::Failed(failure) if answer.is_none() => {
            let name = format!("{}.{}", function.export, function.name);
            report_failure(callee.entry(), &name, &function.route.ends.from, &failure);
            return;
        }
        Made::Failed(failure) => {
            // The importer's store is no place to end another in.
            callee.discard();
            Over::Store(Box::new(callee), Err(failure))
        }
    };
    tell(&mut answer, Answer::Over(over));
}

/// Makes the call that a frame asks for.
pub(crate) async fn of_frame(
    server: &Server,
    side: Arc<Side>,
    frame: &[u8],
    answer: oneshot::Sender<Answer<Over>>,
) {
    let Ok(Frame::Request(request)) = Frame::decode(frame) else {
        tracing::warn!("a frame that is to be a call is none");
        return;
    };
    let mut answer = Some(answer);
    let made = make_of_frame(server, &side, &request, |reply| {
        let reply = reply_frame(&request, None, &Ok(reply));
        tell(&mut answer, Answer::GoesOn(reply));
    });
    if let Some(outcome) = made.await {
        let reply = reply_frame(&request, None, &outcome);
        tell(&mut answer, Answer::Over(Over::Frame(reply)));
    }
}

/// None if the reply was sent before, or nobody waits for it.
async fn make_of_frame(
    server: &Server,
    side: &Arc<Side>,
    request: &Request<'_>,
    mut early: impl FnMut(Vec<u8>) + Send,
) -> Option<Result<Vec<u8>, LinkFailure>> {
    let mut callee = match server.admit(request) {
        Ok(callee) => callee,
        Err(failure) => return Some(Err(failure)),
    };
    let mut replied = false;
    let made = match find(&mut callee, request).await {
        Ok(asked) => {
            let early = |reply| {
                replied = true;
                early(reply);
            };
            make(&mut callee, side, asked, early).await
        }
        Err(failure) => Made::Failed(failure),
    };
    match made {
        Made::Replied(Replied::Now(reply)) => {
            give_back(callee);
            Some(Ok(reply))
        }
        Made::Replied(Replied::Before) => {
            give_back(callee);
            None
        }
        Made::Abandoned => None,
        Made::Failed(failure) => {
            let target = &request.target;
            let name = format!("{}.{}", target.interface, target.function);
            report_failure(callee.entry(), &name, request.importer.component, &failure);
            (!replied).then(|| Err(of_callee(target.component, &failure)))
        }
    }
}

/// What a request names.
async fn find(callee: &mut Callee, request: &Request<'_>) -> Result<Asked, Failure> {
    callee.ready().await?;
    let target = &request.target;
    let (interface, function) = (target.interface, target.function);
    let served = callee.served()?;
    let Some((index, _)) = served.find(interface, function) else {
        let reason = format!("it serves no `{interface}.{function}` over links");
        return Err(Failure::BadRequest(reason));
    };
    Ok(Asked {
        index,
        shape: None,
        request: request.payload.to_vec(),
    })
}

/// Makes a call, within its deadline and for as long as its importer is there.
async fn make(
    callee: &mut Callee,
    side: &Arc<Side>,
    asked: Asked,
    early: impl FnOnce(Vec<u8>) + Send,
) -> Made {
    let ready = callee.ready().await;
    let call = match ready.and_then(|()| call(callee, asked)) {
        Ok(call) => call,
        Err(failure) => return Made::Failed(failure),
    };
    let deadline = callee.deadline();
    let store = match callee.store() {
        Ok(store) => store,
        Err(failure) => return Made::Failed(failure),
    };
    let guard = serve::Guard::new(side);
    let ran = tokio::select! {
        biased;
        ran = timeout_at(deadline, serve::run(store, side, call, early)) => ran,
        () = poll_fn(|context| side.poll_abandoned(context)) => return Made::Abandoned,
    };
    let failure = match ran {
        Ok(Ok(replied)) => {
            guard.disarm();
            return Made::Replied(replied);
        }
        Ok(Err(Broken::Request(error))) => Failure::BadRequest(chain(&error)),
        Ok(Err(Broken::Reply(error))) => Failure::Trapped(Box::new(error)),
        Ok(Err(Broken::Guest(error))) => callee.failure(Some(error)),
        Err(_) => callee.failure(None),
    };
    Made::Failed(failure)
}

fn call(callee: &mut Callee, asked: Asked) -> Result<Call, Failure> {
    let function = callee.function(asked.index)?;
    let shape = match asked.shape {
        Some(shape) => shape,
        None => {
            let shape = FunctionShape::of(&function.ty(&*callee.store()?));
            Arc::new(shape.map_err(|error| Failure::BadRequest(chain(&error)))?)
        }
    };
    Ok(Call {
        function,
        shape,
        request: asked.request,
    })
}

fn give_back(callee: Callee) {
    let entry = callee.entry().clone();
    if let Some(instance) = callee.into_instance() {
        entry.give_back(*instance);
    }
}

/// Says it once. The importer may be gone.
fn tell(answer: &mut Option<oneshot::Sender<Answer<Over>>>, what: Answer<Over>) {
    if let Some(answer) = answer.take() {
        let _ = answer.send(what);
    }
}
