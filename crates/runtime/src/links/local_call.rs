//! One call over a link between stores of this host.
//!
//! 1. [`LinkedFunction::begin`] admits the call at the target, and takes the importer's session
//!    with it if one is open.
//! 2. [`Callee::ready`] opens one if not; then the call runs in the callee's store under its
//!    deadline ([`with_deadline`]), and [`Callee::outcome`] converts its result.
//! 3. [`LinkedFunction::end`] puts the session back, or drops it if the call failed: a store cannot
//!    be entered again after a trap.
//!
//! The second step needs nothing of the importer, so a concurrent importer runs it in a task.
//! Dropping the importer's future drops all calls that it made.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Func, Lift, Lower, TypedFunc};
use weft_telemetry::chain;
use weft_telemetry::logs::{self, GuestStream};
use weft_wire::FailureCode;

use super::failure::of_callee;
use super::session::SessionCheckout;
use super::{DEPTH_MAX, LinkFailure, LinkedFunction, SkeletonFunctions, boxed};
use crate::endpoint::{Admission, Endpoint, Exports, Failure, Instance};
use crate::guest::GuestState;
use crate::linking::LinkExports;

/// An admitted call, and the instance in which it runs.
pub(crate) struct Callee {
    endpoint: Endpoint,
    /// `None` until [`Callee::ready`], if the importer had no session.
    instance: Option<Box<Instance>>,
    role: InstanceRole,
    /// Duration from the admission to `deadline`.
    time_limit: Duration,
    deadline: Instant,
    depth: u32,
    _admission: Admission,
}

/// The time and depth that the caller allows a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallBudget {
    /// Deadline of the caller's own request.
    pub(super) deadline: Instant,
    /// Deadline of the link, if the manifest sets one.
    pub(super) link_limit: Option<Duration>,
    /// Number of links that led to the caller.
    pub(super) depth: u32,
}

/// Use of an instance after its call: one made beside a busy session is temporary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InstanceRole {
    Session,
    Temporary,
}

/// Calls a typed function of a [`Callee`] under the deadline. Evaluates to a `Result<R, Failure>`,
/// with an error for a trap, a limit or the deadline.
///
/// A macro and not a function, because wasmtime's future of a call takes 3.5 KiB, and every `async
/// fn` around it would reserve that space again and move the future there.
macro_rules! run_in {
    ($callee:expr, $function:expr, $arguments:expr) => {{
        let deadline = $callee.deadline();
        let store = $callee.store()?;
        let result = {
            let call = std::pin::pin!($function.call_async(&mut *store, $arguments));
            $crate::links::local_call::with_deadline(deadline, call).await
        };
        $callee.outcome(result)
    }};
}

pub(super) use run_in;

impl LinkedFunction {
    /// Admits a call by the instance with the state `importer`, and takes its session with the
    /// target. A call that cannot be made now fails at once; nothing is queued.
    ///
    /// # Errors
    /// `refused` if the chain of calls is too long, or if the session is busy and handles tie the
    /// importer to it; `busy` at the target's limit; `deadline` if no time is left.
    pub(crate) fn begin(&self, importer: &mut GuestState) -> Result<Callee, LinkFailure> {
        let Some(activity) = importer.activity() else {
            return Err(self.refusal(FailureCode::Refused, "the importer has no active request"));
        };
        let Some(endpoint) = activity.revision_set.endpoint(self.target.component) else {
            return Err(self.refusal(FailureCode::Unreachable, "the component is not deployed"));
        };
        let budget = CallBudget {
            deadline: activity.deadline,
            link_limit: self.deadline,
            depth: activity.depth,
        };
        let mut callee = Callee::admit(endpoint, budget)?;
        match importer.sessions().take(&self.target) {
            SessionCheckout::Open(session) => callee.enter(session),
            SessionCheckout::Closed => {}
            SessionCheckout::Busy if self.target.has_resources => {
                let reason = "the session is busy, and handles tie the importer to its instance";
                return Err(self.refusal(FailureCode::Refused, reason));
            }
            SessionCheckout::Busy => callee.role = InstanceRole::Temporary,
        }
        Ok(callee)
    }

    /// Puts the session back after a call, or drops it if the call failed in the callee.
    ///
    /// # Errors
    /// The failure of the call, as the importer receives it.
    pub(crate) fn end<R>(
        &self,
        importer: &mut GuestState,
        callee: Callee,
        outcome: Result<R, Failure>,
    ) -> Result<R, LinkFailure> {
        let (endpoint, role) = (&callee.endpoint, callee.role);
        match outcome {
            Ok(reply) => {
                match (callee.instance, role) {
                    (Some(session), InstanceRole::Session) => {
                        importer.sessions().put(&self.target, session)
                    }
                    (Some(extra), InstanceRole::Temporary) => endpoint.give_back(*extra),
                    (None, _) => {}
                }
                Ok(reply)
            }
            Err(failure) => {
                match (callee.instance, role) {
                    (Some(session), InstanceRole::Session) if failure.leaves_instance_whole() => {
                        importer.sessions().put(&self.target, session);
                    }
                    (_, InstanceRole::Session) => importer.sessions().clear(&self.target),
                    (_, InstanceRole::Temporary) => {}
                }
                report(endpoint, self, &failure);
                Err(of_callee(endpoint.component(), &failure))
            }
        }
    }

    fn refusal(&self, code: FailureCode, reason: &str) -> LinkFailure {
        LinkFailure::new(code, format!("`{}`: {reason}", self.target.ends.to))
    }
}

impl Callee {
    /// Admits a call at its target.
    ///
    /// # Errors
    /// `refused` if the chain of calls is too long, `busy` at the target's limit.
    pub(super) fn admit(endpoint: Endpoint, budget: CallBudget) -> Result<Self, LinkFailure> {
        let to = endpoint.component();
        if budget.depth >= DEPTH_MAX {
            let reason = format!("`{to}`: the chain of calls exceeds {DEPTH_MAX} links");
            return Err(LinkFailure::new(FailureCode::Refused, reason));
        }
        let admission = endpoint
            .admit()
            .map_err(|failure| of_callee(to, &failure))?;
        let now = Instant::now();
        let time_limit = endpoint.settings().deadline;
        let time_limit = budget
            .link_limit
            .map_or(time_limit, |link| link.min(time_limit));
        let time_limit = time_limit.min(budget.deadline.saturating_duration_since(now));
        Ok(Self {
            instance: None,
            role: InstanceRole::Session,
            time_limit,
            deadline: now + time_limit,
            depth: budget.depth + 1,
            _admission: admission,
            endpoint,
        })
    }

    /// Ensures that the call has an instance.
    ///
    /// # Errors
    /// If an instance cannot be made.
    pub(crate) async fn ready(&mut self) -> Result<(), Failure> {
        if self.instance.is_some() {
            return Ok(());
        }
        let idle = self
            .endpoint
            .idle_instance_for_call(self.deadline, self.depth);
        let instance = match idle {
            Some(instance) => instance,
            // Boxed, because everything that making an instance may wait for would otherwise be a
            // part of every call's future, and be moved with it each time.
            None => Box::into_pin(boxed(|| self.instantiate())).await?,
        };
        let has_resources = instance.link_exports.has_resources();
        self.instance = Some(Box::new(instance));
        if has_resources {
            Box::into_pin(boxed(|| self.tag_handles())).await?;
        }
        Ok(())
    }

    async fn instantiate(&mut self) -> Result<Instance, Failure> {
        let instance = self.endpoint.instance_for_call(self.deadline, self.depth);
        let instance = timeout_at(self.deadline, instance).await;
        instance.unwrap_or(Err(self.deadline_exceeded()))
    }

    /// Gives the handles of this instance a start number of its own, so that a handle used with the
    /// wrong instance is detected.
    async fn tag_handles(&mut self) -> Result<(), Failure> {
        static SESSIONS: AtomicU32 = AtomicU32::new(0);
        let tag = SESSIONS.fetch_add(1, Ordering::Relaxed);
        let open = self.export(LinkExports::open)?;
        self.run::<_, ()>(open, (tag,)).await
    }

    /// Calls a function of the instance under the deadline.
    ///
    /// # Errors
    /// A trap, a limit, the deadline, or a mismatch of the function's types.
    pub(super) async fn run<A, R>(&mut self, function: Func, arguments: A) -> Result<R, Failure>
    where
        A: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let function = self.typed::<A, R>(function)?;
        run_in!(self, function, arguments)
    }

    /// A function of the callee by its type.
    ///
    /// # Errors
    /// If the types differ, or the callee is not ready.
    pub(super) fn typed<A, R>(&mut self, function: Func) -> Result<TypedFunc<A, R>, Failure>
    where
        A: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let store = self.store()?;
        let typed = function.typed::<A, R>(&*store);
        typed.map_err(|error| self.failure(Some(error)))
    }

    /// The functions of the callee's skeleton.
    ///
    /// # Errors
    /// If the callee is not ready.
    pub(super) fn skeleton(&mut self) -> Result<&mut SkeletonFunctions, Failure> {
        let instance = self.instance.as_mut();
        Ok(&mut instance.ok_or_else(unknown_function)?.skeleton)
    }

    /// The callee's store, once it is ready.
    ///
    /// # Errors
    /// If the callee is not ready.
    pub(crate) fn store(&mut self) -> Result<&mut Store<GuestState>, Failure> {
        let instance = self.instance.as_mut();
        Ok(&mut instance.ok_or_else(unknown_function)?.store)
    }

    /// The exported function with the target's index.
    ///
    /// # Errors
    /// If the callee is not ready, or does not export the function; links are checked at deploy.
    pub(crate) fn function(&mut self, target_index: u32) -> Result<Func, Failure> {
        self.export(|exports| exports.function(target_index))
    }

    /// `invoke` of the callee's skeleton.
    ///
    /// # Errors
    /// As [`Callee::function`].
    pub(super) fn invoke(&mut self) -> Result<Func, Failure> {
        self.export(LinkExports::invoke)
    }

    /// `drop` of the callee's skeleton.
    ///
    /// # Errors
    /// As [`Callee::function`].
    pub(super) fn drop_handle(&mut self) -> Result<Func, Failure> {
        self.export(LinkExports::drop_handle)
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Converts the result of a call: a trap, a limit or the deadline (`None`) becomes a failure.
    pub(super) fn outcome<R>(&self, result: Option<wasmtime::Result<R>>) -> Result<R, Failure> {
        match result {
            Some(Ok(reply)) => Ok(reply),
            Some(Err(error)) => Err(self.failure(Some(error))),
            None => Err(self.failure(None)),
        }
    }

    /// The failure of a call by an error, or by the deadline if there was no error.
    pub(super) fn failure(&self, error: Option<wasmtime::Error>) -> Failure {
        match (error, &self.instance) {
            (Some(error), Some(instance)) => Failure::of(error, instance.store.data()),
            (Some(error), None) => Failure::Trapped(error.into_boxed_dyn_error()),
            (None, _) => self.deadline_exceeded(),
        }
    }

    /// True if the instance is, or becomes, the importer's session.
    pub(super) fn is_session(&self) -> bool {
        self.role == InstanceRole::Session
    }

    /// Drops the instance after a failed call.
    pub(super) fn discard(&mut self) {
        self.instance = None;
    }

    /// Ends the call and returns its instance.
    pub(super) fn into_instance(self) -> Option<Box<Instance>> {
        self.instance
    }

    /// The exports of the instance for links, once it is ready.
    ///
    /// # Errors
    /// If the callee is not ready.
    pub(super) fn link_exports(&self) -> Result<Arc<LinkExports>, Failure> {
        let instance = self.instance.as_ref();
        Ok(instance.ok_or_else(unknown_function)?.link_exports.clone())
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Continues with an open session.
    pub(super) fn enter(&mut self, mut session: Box<Instance>) {
        let activity = self.endpoint.activity(self.deadline, self.depth);
        session.store.data_mut().start_request(activity);
        self.instance = Some(session);
    }

    fn deadline_exceeded(&self) -> Failure {
        Failure::Deadline {
            limit: self.time_limit,
        }
    }

    /// An export of the callee.
    ///
    /// # Errors
    /// As [`Callee::function`].
    pub(super) fn export(
        &mut self,
        index: impl FnOnce(&LinkExports) -> Option<ComponentExportIndex>,
    ) -> Result<Func, Failure> {
        let instance = self.instance.as_mut().ok_or_else(unknown_function)?;
        let index = index(&instance.link_exports).ok_or_else(unknown_function)?;
        let Exports::Plain(exports) = &instance.exports else {
            return Err(unknown_function());
        };
        exports
            .get_func(&mut instance.store, index)
            .ok_or_else(unknown_function)
    }
}

/// The result of a call, or `None` if the deadline came first. A call that never waits, like most,
/// creates no timer.
pub(super) async fn with_deadline<R>(
    deadline: Instant,
    mut call: Pin<&mut impl Future<Output = wasmtime::Result<R>>>,
) -> Option<wasmtime::Result<R>> {
    match poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await {
        Poll::Ready(result) => Some(result),
        // Boxed, because few calls need it.
        Poll::Pending => Box::pin(timeout_at(deadline, call)).await.ok(),
    }
}

/// Logs the failure in the callee's log in full; the importer receives a short form.
fn report(endpoint: &Endpoint, function: &LinkedFunction, failure: &Failure) {
    let name = format!("{}.{}", function.export, function.name);
    report_failure(endpoint, &name, &function.target.ends.from, failure);
}

/// Writes to the log of `endpoint` that a call of `function` by `importer` failed.
pub(super) fn report_failure(
    endpoint: &Endpoint,
    function: &str,
    importer: &str,
    failure: &Failure,
) {
    if failure.is_guest_fault() {
        endpoint.count_trap();
    }
    let cause = chain(failure);
    let message = format!("call of `{function}` by `{importer}` failed: {cause}");
    logs::guest_line(
        endpoint.app(),
        endpoint.component(),
        GuestStream::Host,
        &message,
    );
}

fn unknown_function() -> Failure {
    Failure::BadRequest("the function is not linked".to_owned())
}
