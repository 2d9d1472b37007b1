//! One call over a link between stores of this host.
//!
//! 1. [`LinkedFunction::begin`] admits the call at the target, and takes the importer's session with it
//!    if one is open.
//! 2. [`Callee::ready`] opens one if not; then the call is made in the callee's store, within its
//!    deadline ([`within`]), and [`Callee::outcome`] says what came of it.
//! 3. [`LinkedFunction::end`] puts the session back, or drops it if the call failed: a store in which
//!    something trapped cannot be entered again.
//!
//! The second step needs nothing of the importer's: a concurrent importer has it done in a task. If
//! the importer's future is dropped, so is everything it called.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Func, Lift, Lower, TypedFunc};
use weft_wire::FailureCode;

use super::failure::of_callee;
use super::session::Taken;
use super::{DEPTH_MAX, LinkFailure, LinkedFunction, Skeleton, boxed};
use crate::endpoint::{Admission, Entry, Exports, Failure, Instance};
use crate::guest::GuestState;
use crate::linking::Served;
use weft_telemetry::chain;
use weft_telemetry::logs::{self, GuestStream};

/// A call that was admitted, and the instance that it is made in.
pub(crate) struct Callee {
    entry: Entry,
    /// None until [`Callee::ready`], if the importer had no session.
    instance: Option<Box<Instance>>,
    keeps: Keeps,
    /// How long the call may take, and when that is over.
    allowed: Duration,
    deadline: Instant,
    depth: u32,
    _admission: Admission,
}

/// What whoever calls has and allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// When it must be done itself.
    pub(super) deadline: Instant,
    /// How long the link allows, if it says so.
    pub(super) at_most: Option<Duration>,
    /// How many links led to it.
    pub(super) depth: u32,
}

/// Whether the instance is the importer's session: one beside a busy session is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    Session,
    Nothing,
}

/// Calls a function of a [`Callee`] by its type, within the deadline: a `Result<R, Failure>`, which fails for a
/// trap, a limit or the deadline.
///
/// It is no function, because wasmtime's future of a call has three kilobytes and a half, and every `async fn`
/// that it were made in would have room for it besides and move it there.
macro_rules! run_in {
    ($callee:expr, $function:expr, $arguments:expr) => {{
        let deadline = $callee.deadline();
        let store = $callee.store()?;
        let result = {
            let call = std::pin::pin!($function.call_async(&mut *store, $arguments));
            $crate::links::local_call::within(deadline, call).await
        };
        $callee.outcome(result)
    }};
}

pub(super) use run_in;

impl LinkedFunction {
    /// Admits a call by the instance whose state `importer` is, and takes its session with the target.
    /// What may not be done now is refused at once; nothing is queued.
    ///
    /// # Errors
    /// `refused` for too long a chain of calls or a busy session that handles tie the importer to,
    /// `busy` at the target's limit, `deadline` if there is no time left.
    pub(crate) fn begin(&self, importer: &mut GuestState) -> Result<Callee, LinkFailure> {
        let Some(activity) = importer.activity() else {
            return Err(self.refusal(FailureCode::Refused, "its importer runs no request"));
        };
        let Some(entry) = activity.generation.entry(self.route.target) else {
            return Err(self.refusal(FailureCode::Unreachable, "it is not deployed"));
        };
        let asked = Asked {
            deadline: activity.deadline,
            at_most: self.deadline,
            depth: activity.depth,
        };
        let mut callee = Callee::admit(entry, asked)?;
        match importer.sessions().take(&self.route) {
            Taken::Session(session) => callee.enter(session),
            Taken::Closed => {}
            Taken::Busy if self.route.has_resources => {
                let reason = "its instance is busy, and handles tie the importer to that instance";
                return Err(self.refusal(FailureCode::Refused, reason));
            }
            Taken::Busy => callee.keeps = Keeps::Nothing,
        }
        Ok(callee)
    }

    /// Puts the session back after a call, or drops it if the call failed in the callee.
    ///
    /// # Errors
    /// The failure of the call, as the importer is told it.
    pub(crate) fn end<R>(
        &self,
        importer: &mut GuestState,
        callee: Callee,
        outcome: Result<R, Failure>,
    ) -> Result<R, LinkFailure> {
        let (entry, keeps) = (&callee.entry, callee.keeps);
        match outcome {
            Ok(reply) => {
                match (callee.instance, keeps) {
                    (Some(session), Keeps::Session) => {
                        importer.sessions().put(&self.route, session)
                    }
                    (Some(extra), Keeps::Nothing) => entry.give_back(*extra),
                    (None, _) => {}
                }
                Ok(reply)
            }
            Err(failure) => {
                match (callee.instance, keeps) {
                    (Some(session), Keeps::Session) if failure.leaves_instance_whole() => {
                        importer.sessions().put(&self.route, session);
                    }
                    (_, Keeps::Session) => importer.sessions().clear(&self.route),
                    (_, Keeps::Nothing) => {}
                }
                report(entry, self, &failure);
                Err(of_callee(entry.component(), &failure))
            }
        }
    }

    fn refusal(&self, code: FailureCode, reason: &str) -> LinkFailure {
        LinkFailure::new(code, format!("`{}`: {reason}", self.route.ends.to))
    }
}

impl Callee {
    /// Admits a call at its target.
    ///
    /// # Errors
    /// `refused` for too long a chain of calls, `busy` at the target's limit.
    pub(super) fn admit(entry: Entry, asked: Asked) -> Result<Self, LinkFailure> {
        let to = entry.component();
        if asked.depth >= DEPTH_MAX {
            let reason = format!("`{to}`: more than {DEPTH_MAX} links led to the call");
            return Err(LinkFailure::new(FailureCode::Refused, reason));
        }
        let admission = entry.admit().map_err(|failure| of_callee(to, &failure))?;
        let now = Instant::now();
        let allowed = entry.settings().deadline;
        let allowed = asked.at_most.map_or(allowed, |link| link.min(allowed));
        let allowed = allowed.min(asked.deadline.saturating_duration_since(now));
        Ok(Self {
            instance: None,
            keeps: Keeps::Session,
            allowed,
            deadline: now + allowed,
            depth: asked.depth + 1,
            _admission: admission,
            entry,
        })
    }

    /// Makes sure that there is an instance.
    ///
    /// # Errors
    /// Why none could be made.
    pub(crate) async fn ready(&mut self) -> Result<(), Failure> {
        if self.instance.is_some() {
            return Ok(());
        }
        let idle = self.entry.idle_instance_for_call(self.deadline, self.depth);
        let opened = match idle {
            Some(instance) => instance,
            // Boxed, because all that making an instance may wait for would else be a part of every call's
            // future, and be moved with it each time.
            None => Box::into_pin(boxed(|| self.make())).await?,
        };
        let has_resources = opened.served.has_resources();
        self.instance = Some(Box::new(opened));
        if has_resources {
            Box::into_pin(boxed(|| self.tell_apart())).await?;
        }
        Ok(())
    }

    async fn make(&mut self) -> Result<Instance, Failure> {
        let making = self.entry.instance_for_call(self.deadline, self.depth);
        let made = timeout_at(self.deadline, making).await;
        made.unwrap_or(Err(self.too_late()))
    }

    /// Lets the handles of this instance begin with another number than those of any other, so that one
    /// that is used with the wrong instance is found out.
    async fn tell_apart(&mut self) -> Result<(), Failure> {
        static SESSIONS: AtomicU32 = AtomicU32::new(0);
        let tag = SESSIONS.fetch_add(1, Ordering::Relaxed);
        let open = self.export(Served::open)?;
        self.run::<_, ()>(open, (tag,)).await
    }

    /// Calls a function of the instance, within the deadline.
    ///
    /// # Errors
    /// A trap, a limit, or the deadline; or that the function is of other types.
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
    /// If it is of another type, or the callee is not ready.
    pub(super) fn typed<A, R>(&mut self, function: Func) -> Result<TypedFunc<A, R>, Failure>
    where
        A: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let store = self.store()?;
        let typed = function.typed::<A, R>(&*store);
        typed.map_err(|error| self.failure(Some(error)))
    }

    /// What is known of the callee's skeleton.
    ///
    /// # Errors
    /// If the callee is not ready.
    pub(super) fn skeleton(&mut self) -> Result<&mut Skeleton, Failure> {
        let instance = self.instance.as_mut();
        Ok(&mut instance.ok_or_else(not_linked)?.skeleton)
    }

    /// The callee's store, once it is ready.
    ///
    /// # Errors
    /// If it is not.
    pub(crate) fn store(&mut self) -> Result<&mut Store<GuestState>, Failure> {
        let instance = self.instance.as_mut();
        Ok(&mut instance.ok_or_else(not_linked)?.store)
    }

    /// The exported function that a link's function is, by the target's index.
    ///
    /// # Errors
    /// If the callee is not ready, or does not export it: what was linked at deploy does.
    pub(crate) fn function(&mut self, target_index: u32) -> Result<Func, Failure> {
        self.export(|served| served.function(target_index))
    }

    /// `invoke` of the callee's skeleton.
    ///
    /// # Errors
    /// As [`Callee::function`].
    pub(super) fn invoke(&mut self) -> Result<Func, Failure> {
        self.export(Served::invoke)
    }

    /// `drop` of the callee's skeleton.
    ///
    /// # Errors
    /// As [`Callee::function`].
    pub(super) fn drop_handle(&mut self) -> Result<Func, Failure> {
        self.export(Served::drop_handle)
    }

    /// When the call must be done.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What came of a call that ran within the deadline, if it did: a trap, a limit or the deadline is a
    /// failure.
    pub(super) fn outcome<R>(&self, result: Option<wasmtime::Result<R>>) -> Result<R, Failure> {
        match result {
            Some(Ok(reply)) => Ok(reply),
            Some(Err(error)) => Err(self.failure(Some(error))),
            None => Err(self.failure(None)),
        }
    }

    /// Why a call did not come to its end: by an error, or else by the deadline.
    pub(super) fn failure(&self, error: Option<wasmtime::Error>) -> Failure {
        match (error, &self.instance) {
            (Some(error), Some(instance)) => Failure::of(error, instance.store.data()),
            (Some(error), None) => Failure::Trapped(error.into_boxed_dyn_error()),
            (None, _) => self.too_late(),
        }
    }

    /// Whether the instance is, or becomes, the importer's session.
    pub(super) fn is_session(&self) -> bool {
        self.keeps == Keeps::Session
    }

    /// Ends the instance, of a call that failed.
    pub(super) fn discard(&mut self) {
        self.instance = None;
    }

    /// Ends the call, and leaves the instance to whoever keeps it.
    pub(super) fn into_instance(self) -> Option<Box<Instance>> {
        self.instance
    }

    /// What the instance exports for links, once it is ready.
    ///
    /// # Errors
    /// If it is not.
    pub(super) fn served(&self) -> Result<Arc<Served>, Failure> {
        let instance = self.instance.as_ref();
        Ok(instance.ok_or_else(not_linked)?.served.clone())
    }

    pub(super) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Takes over a session that was open.
    pub(super) fn enter(&mut self, mut session: Box<Instance>) {
        let activity = self.entry.activity(self.deadline, self.depth);
        session.store.data_mut().start_request(activity);
        self.instance = Some(session);
    }

    fn too_late(&self) -> Failure {
        Failure::Deadline {
            limit: self.allowed,
        }
    }

    /// An export of the callee.
    ///
    /// # Errors
    /// As [`Callee::function`].
    pub(super) fn export(
        &mut self,
        index: impl FnOnce(&Served) -> Option<ComponentExportIndex>,
    ) -> Result<Func, Failure> {
        let instance = self.instance.as_mut().ok_or_else(not_linked)?;
        let index = index(&instance.served).ok_or_else(not_linked)?;
        let Exports::Plain(exports) = &instance.exports else {
            return Err(not_linked());
        };
        exports
            .get_func(&mut instance.store, index)
            .ok_or_else(not_linked)
    }
}

/// The result of a call, or none if the deadline came first. No timer is made for a call that does not
/// wait, as most do not.
pub(super) async fn within<R>(
    deadline: Instant,
    mut call: Pin<&mut impl Future<Output = wasmtime::Result<R>>>,
) -> Option<wasmtime::Result<R>> {
    match poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await {
        Poll::Ready(result) => Some(result),
        // Boxed, because few calls need it.
        Poll::Pending => Box::pin(timeout_at(deadline, call)).await.ok(),
    }
}

/// Says in the callee's log what the importer is told in brief.
fn report(entry: &Entry, function: &LinkedFunction, failure: &Failure) {
    let name = format!("{}.{}", function.export, function.name);
    report_failure(entry, &name, &function.route.ends.from, failure);
}

/// Says in the log of `entry` that a call of `function` by `importer` failed.
pub(super) fn report_failure(entry: &Entry, function: &str, importer: &str, failure: &Failure) {
    if failure.is_guests() {
        entry.count_trap();
    }
    let cause = chain(failure);
    let message = format!("a call of `{function}` by `{importer}` failed: {cause}");
    logs::guest_line(entry.app(), entry.component(), GuestStream::Host, &message);
}

fn not_linked() -> Failure {
    Failure::BadRequest("the function is not one that was linked".to_owned())
}
