//! The task in which a call is made at its target: in a callee's store, asked for by an importer of this
//! host or by a frame.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::timeout_at;
use weft_wire::{Frame, Request};

use super::callee_codec::{self, Broken, Call, Replied};
use crate::endpoint::Failure;
use crate::links::codec::FunctionShape;
use crate::links::failure::of_callee;
use crate::links::local_call::report_failure;
use crate::links::remote::Server;
use crate::links::{Callee, LinkFailure, LinkedFunction};
use weft_link::{Answer, CallEnd, Side, reply_frame};
use weft_telemetry::chain;

/// The end of a call in a store of this host, and the callee for the importer to keep.
pub(crate) struct StoreEnd {
    pub(super) callee: Box<Callee>,
    pub(super) outcome: Result<Vec<u8>, Failure>,
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
    answer: oneshot::Sender<Answer<StoreEnd>>,
) {
    let mut answer = Some(answer);
    let made = make(&mut callee, &side, asked, |reply| {
        tell(&mut answer, Answer::GoesOn(reply));
    });
    let (callee, outcome) = match made.await {
        Made::Replied(Replied::Now(reply)) => (callee, Ok(reply)),
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
            (callee, Err(failure))
        }
    };
    let callee = Box::new(callee);
    tell(&mut answer, Answer::Over(StoreEnd { callee, outcome }));
}

/// Makes the call that a frame asks for.
pub(crate) async fn of_frame(
    server: &Server,
    side: Arc<Side>,
    frame: &[u8],
    answer: oneshot::Sender<Answer<CallEnd>>,
) {
    let Ok(Frame::Request(request)) = Frame::decode(frame) else {
        tracing::warn!("a frame that is to be a call is none");
        return;
    };
    match server.admitted(&request) {
        Ok(callee) => of_request(callee, side, &request, answer).await,
        Err(failure) => {
            let reply = reply_frame(&request, None, &Err(failure));
            tell(&mut Some(answer), Answer::Over(CallEnd::Frame(reply)));
        }
    }
}

/// Makes the call of a request that was admitted.
pub(crate) async fn of_request(
    callee: Callee,
    side: Arc<Side>,
    request: &Request<'_>,
    answer: oneshot::Sender<Answer<CallEnd>>,
) {
    let mut answer = Some(answer);
    let made = make_of_request(callee, &side, request, |reply| {
        let reply = reply_frame(request, None, &Ok(reply));
        tell(&mut answer, Answer::GoesOn(reply));
    });
    if let Some(outcome) = made.await {
        let reply = reply_frame(request, None, &outcome);
        tell(&mut answer, Answer::Over(CallEnd::Frame(reply)));
    }
}

/// The outcome of a call; `None` if the reply was sent before, or its importer is gone.
async fn make_of_request(
    mut callee: Callee,
    side: &Arc<Side>,
    request: &Request<'_>,
    mut early: impl FnMut(Vec<u8>) + Send,
) -> Option<Result<Vec<u8>, LinkFailure>> {
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
    let guard = callee_codec::Guard::new(side);
    let ran = tokio::select! {
        biased;
        ran = timeout_at(deadline, callee_codec::run(store, side, call, early)) => ran,
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
fn tell<O>(answer: &mut Option<oneshot::Sender<Answer<O>>>, what: Answer<O>) {
    if let Some(answer) = answer.take() {
        let _ = answer.send(what);
    }
}
