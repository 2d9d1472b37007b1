//! The task that runs a call in a callee's store, for an importer of this host or for a frame.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::timeout_at;
use weft_link::{Answer, CallEnd, CallSide, reply_frame};
use weft_telemetry::chain;
use weft_wire::Request;

use super::callee_codec::{self, Call, CallError, Completion};
use crate::endpoint::Failure;
use crate::links::codec::FunctionShape;
use crate::links::failure::of_callee;
use crate::links::local_call::report_failure;
use crate::links::{Callee, LinkFailure, LinkedFunction};

/// The end of a call in a store of this host, with the callee for the importer's session.
pub(crate) struct StoreEnd {
    pub(super) callee: Box<Callee>,
    pub(super) outcome: Result<Vec<u8>, Failure>,
}

/// The outcome of a call in a callee's store.
enum CallOutcome {
    Completed(Completion),
    /// The importer's side failed before it had written all of its streams.
    Abandoned,
    Failed(Failure),
}

/// A call with its encoded arguments.
pub(super) struct EncodedCall {
    /// The target's index of the function.
    pub(super) index: u32,
    /// The importer's types; linking has checked that both ends have the same.
    pub(super) shape: Option<Arc<FunctionShape>>,
    pub(super) request: Vec<u8>,
}

/// Makes a call for an importer of this host.
pub(super) async fn serve_store(
    mut callee: Callee,
    side: Arc<CallSide>,
    function: Arc<LinkedFunction>,
    encoded: EncodedCall,
    answer: oneshot::Sender<Answer<StoreEnd>>,
) {
    let mut answer = Some(answer);
    let outcome = run(&mut callee, &side, encoded, |reply| {
        send_once(&mut answer, Answer::Streaming(reply));
    });
    let (callee, outcome) = match outcome.await {
        CallOutcome::Completed(Completion::WithReply(reply)) => (callee, Ok(reply)),
        CallOutcome::Completed(Completion::AfterReply) => return give_back(callee),
        CallOutcome::Abandoned => return,
        CallOutcome::Failed(failure) if answer.is_none() => {
            let name = format!("{}.{}", function.export, function.name);
            report_failure(
                callee.endpoint(),
                &name,
                &function.target.ends.from,
                &failure,
            );
            return;
        }
        CallOutcome::Failed(failure) => {
            // The instance ends here, and not in the importer's store.
            callee.discard();
            (callee, Err(failure))
        }
    };
    let callee = Box::new(callee);
    send_once(&mut answer, Answer::Ended(StoreEnd { callee, outcome }));
}

/// Makes the call of a request that was admitted.
pub(crate) async fn serve_request(
    callee: Callee,
    side: Arc<CallSide>,
    request: &Request<'_>,
    answer: oneshot::Sender<Answer<CallEnd>>,
) {
    let mut answer = Some(answer);
    let endpoint = callee.endpoint().clone();
    let outcome = run_request(callee, &side, request, |reply| {
        let reply = reply_frame(request, None, &Ok(reply));
        send_once(&mut answer, Answer::Streaming(reply));
    });
    if let Some(outcome) = endpoint.in_turns(outcome).await {
        let reply = reply_frame(request, None, &outcome);
        send_once(&mut answer, Answer::Ended(CallEnd::Frame(reply)));
    }
}

/// The outcome of a call; `None` if the reply was sent before, or its importer is gone.
async fn run_request(
    mut callee: Callee,
    side: &Arc<CallSide>,
    request: &Request<'_>,
    mut early_reply: impl FnMut(Vec<u8>) + Send,
) -> Option<Result<Vec<u8>, LinkFailure>> {
    let mut replied = false;
    let outcome = match resolve(&mut callee, request).await {
        Ok(encoded) => {
            let early_reply = |reply| {
                replied = true;
                early_reply(reply);
            };
            run(&mut callee, side, encoded, early_reply).await
        }
        Err(failure) => CallOutcome::Failed(failure),
    };
    match outcome {
        CallOutcome::Completed(Completion::WithReply(reply)) => {
            give_back(callee);
            Some(Ok(reply))
        }
        CallOutcome::Completed(Completion::AfterReply) => {
            give_back(callee);
            None
        }
        CallOutcome::Abandoned => None,
        CallOutcome::Failed(failure) => {
            let target = &request.target;
            let name = format!("{}.{}", target.interface, target.function);
            report_failure(
                callee.endpoint(),
                &name,
                request.importer.component,
                &failure,
            );
            (!replied).then(|| Err(of_callee(target.component, &failure)))
        }
    }
}

/// Finds the function that a request names.
async fn resolve(callee: &mut Callee, request: &Request<'_>) -> Result<EncodedCall, Failure> {
    callee.ready().await?;
    let target = &request.target;
    let (interface, function) = (target.interface, target.function);
    let exports = callee.link_exports()?;
    let Some((index, _)) = exports.find(interface, function) else {
        let reason = format!("function `{interface}.{function}` is not exported over links");
        return Err(Failure::BadRequest(reason));
    };
    Ok(EncodedCall {
        index,
        shape: None,
        request: request.payload.to_vec(),
    })
}

/// Makes a call, until its deadline or until its importer abandons it.
async fn run(
    callee: &mut Callee,
    side: &Arc<CallSide>,
    encoded: EncodedCall,
    early_reply: impl FnOnce(Vec<u8>) + Send,
) -> CallOutcome {
    let ready = callee.ready().await;
    let call = match ready.and_then(|()| call(callee, encoded)) {
        Ok(call) => call,
        Err(failure) => return CallOutcome::Failed(failure),
    };
    let deadline = callee.deadline();
    let store = match callee.store() {
        Ok(store) => store,
        Err(failure) => return CallOutcome::Failed(failure),
    };
    let guard = callee_codec::FailureGuard::new(side);
    // For the guest, a stream that was left incomplete ends like a complete one. So what it returns
    // after that is no result.
    let early_reply = |reply| {
        if !side.is_abandoned() {
            early_reply(reply);
        }
    };
    let result = tokio::select! {
        biased;
        () = poll_fn(|context| side.poll_abandoned(context)) => return CallOutcome::Abandoned,
        result = timeout_at(deadline, callee_codec::run(store, side, call, early_reply)) => result,
    };
    let failure = match result {
        Ok(Ok(_)) if side.is_abandoned() => return CallOutcome::Abandoned,
        Ok(Ok(replied)) => {
            guard.disarm();
            return CallOutcome::Completed(replied);
        }
        Ok(Err(CallError::Request(error))) => Failure::BadRequest(chain(&error)),
        Ok(Err(CallError::Reply(error))) => Failure::Trapped(Box::new(error)),
        Ok(Err(CallError::Guest(error))) => callee.failure(Some(error)),
        Err(_) => callee.failure(None),
    };
    CallOutcome::Failed(failure)
}

fn call(callee: &mut Callee, encoded: EncodedCall) -> Result<Call, Failure> {
    let function = callee.function(encoded.index)?;
    let shape = match encoded.shape {
        Some(shape) => shape,
        None => {
            let shape = FunctionShape::of(&function.ty(&*callee.store()?));
            Arc::new(shape.map_err(|error| Failure::BadRequest(chain(&error)))?)
        }
    };
    Ok(Call {
        function,
        shape,
        request: encoded.request,
    })
}

fn give_back(callee: Callee) {
    let endpoint = callee.endpoint().clone();
    if let Some(instance) = callee.into_instance() {
        endpoint.give_back(*instance);
    }
}

/// Sends the answer, once. A closed channel means that the importer does not wait any more, and is
/// ignored.
fn send_once<O>(answer: &mut Option<oneshot::Sender<Answer<O>>>, value: Answer<O>) {
    if let Some(answer) = answer.take() {
        let _ = answer.send(value);
    }
}
