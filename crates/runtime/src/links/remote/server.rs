//! The target's side: from a request frame to its reply frame.
//!
//! Callers are on other hosts and not trusted: names are looked up, and the limits are those of the
//! target. An instance that holds resources for an importer (a *session*) has a lease, and ends
//! unless the importer renews it.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::Instant;
use weft_link::{
    AdmittedCall, Answer, CallEnd, CallServer, CallSide, RejectReason, RejectedFrames, boxed,
    reply_frame,
};
use weft_node::runtime::RunningApp;
use weft_wire::{DropHandle, FailureCode, Frame, KeptSession, Request, SessionId, Target};

use crate::app_runtime::RunningEndpoints;
use crate::endpoint::{Endpoint, Failure, Instance};
use crate::links::async_calls;
use crate::links::encoded_call::serve;
use crate::links::failure::of_callee;
use crate::links::local_call::{CallBudget, report_failure};
use crate::links::{Callee, LinkFailure, stub_imports};

/// Lease of a session: long enough for some missed renewals, short enough that the sessions of lost
/// importers do not pile up.
const LEASE: Duration = Duration::from_secs(30);

/// The most sessions of a host; each takes an instance of the pool.
const SESSIONS_MAX: usize = 1_000;

/// Finds the endpoint of an app's component.
type Directory = Box<dyn Fn(&str, &str) -> Option<Endpoint> + Send + Sync>;

/// State of the frame server.
#[derive(Default)]
struct Server {
    /// Set once, when the host has something to serve.
    directory: OnceLock<Directory>,
    sessions: Mutex<HashMap<SessionId, Session>>,
    rejected: Arc<RejectedFrames>,
}

/// An instance that holds resources for an importer.
struct Session {
    app: Arc<str>,
    component: Arc<str>,
    /// `None` during a call.
    instance: Option<Box<Instance>>,
    expires: Instant,
}

/// A session during a call. Unless the call puts the instance back, the session ends.
struct BusySession<'a> {
    server: &'a Server,
    id: SessionId,
}

impl Server {
    /// The endpoint of an app's component, if this host runs it.
    fn endpoint(&self, app: &str, component: &str) -> Option<Endpoint> {
        (self.directory.get()?)(app, component)
    }

    async fn reply(&self, request: &Request<'_>) -> Vec<u8> {
        match self.admitted(request) {
            Ok(callee) => self.reply_admitted(callee, request).await,
            Err(failure) => reply_frame(request, None, &Err(failure)),
        }
    }

    /// Makes an admitted call, and returns its reply frame.
    async fn reply_admitted(&self, callee: Callee, request: &Request<'_>) -> Vec<u8> {
        let endpoint = callee.endpoint().clone();
        let (session, outcome) = match endpoint.in_turns(self.serve(callee, request)).await {
            Ok(served) => served,
            Err(failure) => (None, Err(failure)),
        };
        reply_frame(request, session, &outcome)
    }

    /// Makes the call. A session outlives a rejected call, because its instance did not run.
    ///
    /// # Errors
    /// If the call has no instance.
    async fn serve(
        &self,
        mut callee: Callee,
        request: &Request<'_>,
    ) -> Result<(Option<KeptSession>, Result<Vec<u8>, LinkFailure>), LinkFailure> {
        let target = &request.target;
        let endpoint = callee.endpoint().clone();
        let session_in_use = match request.session {
            Some(id) => Some(self.take(id, &mut callee)?),
            None => None,
        };
        let outcome = call(&mut callee, target, request.payload).await;
        if let Err(failure) = &outcome {
            let name = format!("{}.{}", target.interface, target.function);
            report_failure(&endpoint, &name, request.importer.component, failure);
        }
        let is_whole = outcome
            .as_ref()
            .err()
            .is_none_or(Failure::leaves_instance_whole);
        let outcome = outcome.map_err(|failure| of_callee(target.component, &failure));
        let instance = callee.into_instance().filter(|_| is_whole);
        let session = match (session_in_use, instance) {
            (Some(session_in_use), Some(instance)) => Some(session_in_use.put_back(instance)),
            (None, Some(instance)) if instance.link_exports.has_resources() => {
                Some(self.open(&endpoint, instance)?)
            }
            (None, Some(instance)) => {
                endpoint.give_back(*instance);
                None
            }
            (_, None) => None,
        };
        Ok((session, outcome))
    }

    /// Admits a call at the target that a request names.
    ///
    /// # Errors
    /// `unreachable` if this host does not run the target, or the failure of its admission.
    fn admitted(&self, request: &Request<'_>) -> Result<Callee, LinkFailure> {
        let target = &request.target;
        let endpoint = self.endpoint(target.app, target.component);
        let endpoint = endpoint.ok_or_else(|| {
            failure_of_target(
                FailureCode::Unreachable,
                target,
                "the component is not deployed",
            )
        })?;
        let budget = CallBudget {
            deadline: Instant::now() + Duration::from_millis(u64::from(request.deadline_ms)),
            link_limit: None,
            depth: request.depth,
        };
        Callee::admit(endpoint, budget)
    }

    async fn drop_handle(&self, dropped: DropHandle) {
        let Some(endpoint) = self.endpoint_of_session(dropped.session) else {
            // The session has ended, and the resource with it.
            return;
        };
        let budget = CallBudget {
            deadline: Instant::now() + LEASE,
            link_limit: None,
            depth: 0,
        };
        let released = async {
            let mut callee = Callee::admit(endpoint.clone(), budget)?;
            let session_in_use = self.take(dropped.session, &mut callee)?;
            let released = stub_imports::release(&mut callee, dropped.handle).await;
            released.map_err(|failure| of_callee(endpoint.component(), &failure))?;
            if let Some(instance) = callee.into_instance() {
                session_in_use.put_back(instance);
            }
            Ok::<_, LinkFailure>(())
        };
        if let Err(failure) = endpoint.in_turns(released).await {
            tracing::warn!(component = endpoint.component(), %failure, "cannot drop a handle");
        }
    }

    fn endpoint_of_session(&self, id: SessionId) -> Option<Endpoint> {
        let (app, component) = {
            let sessions = self.sessions();
            let session = sessions.get(&id)?;
            (session.app.clone(), session.component.clone())
        };
        self.endpoint(&app, &component)
    }

    /// Takes a session for a call.
    fn take(&self, id: SessionId, callee: &mut Callee) -> Result<BusySession<'_>, LinkFailure> {
        let mut sessions = self.sessions();
        let to = callee.endpoint().component();
        let refused =
            |reason: &str| LinkFailure::new(FailureCode::Refused, format!("`{to}`: {reason}"));
        let Some(session) = sessions.get_mut(&id) else {
            return Err(refused("the session has ended, and its handles with it"));
        };
        if (&*session.app, &*session.component) != (callee.endpoint().app(), to) {
            return Err(refused("the session belongs to another component"));
        }
        let Some(instance) = session.instance.take() else {
            let reason = "the session is busy, and handles tie the importer to its instance";
            return Err(refused(reason));
        };
        drop(sessions);
        callee.enter(instance);
        Ok(BusySession { server: self, id })
    }

    /// Stores an instance for its importer, as a new session.
    fn open(
        &self,
        endpoint: &Endpoint,
        mut instance: Box<Instance>,
    ) -> Result<KeptSession, LinkFailure> {
        instance.store.data_mut().end_request();
        let mut id = [0; 16];
        let random = getrandom::fill(&mut id);
        let mut sessions = self.sessions();
        if random.is_err() || sessions.len() >= SESSIONS_MAX {
            let component = endpoint.component();
            let reason = format!(
                "`{component}`: the limit of {SESSIONS_MAX} sessions on this host is reached"
            );
            return Err(LinkFailure::new(FailureCode::Busy, reason));
        }
        let id = SessionId(id);
        let session = Session {
            app: endpoint.app().into(),
            component: endpoint.component().into(),
            instance: Some(instance),
            expires: Instant::now() + LEASE,
        };
        sessions.insert(id, session);
        Ok(kept_session(id))
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The frame server of a host. Cheap to clone.
#[derive(Clone, Default)]
pub struct FrameServer(Arc<Server>);

impl FrameServer {
    /// Sets the lookup of running apps by name. Later calls have no effect.
    pub fn find_in(
        &self,
        running: impl Fn(&str) -> Option<Arc<dyn RunningApp>> + Send + Sync + 'static,
    ) {
        let directory: Directory = Box::new(move |app, component| {
            let app: Arc<dyn Any + Send + Sync> = running(app)?;
            let app = app.downcast::<RunningEndpoints>().ok()?;
            app.endpoint(component).cloned()
        });
        // Set once, at the start of the host.
        let _ = self.0.directory.set(directory);
    }
}

#[async_trait]
impl CallServer for FrameServer {
    fn answer<'a>(&'a self, frame: &'a [u8]) -> BoxFuture<'a, Option<Vec<u8>>> {
        Box::into_pin(boxed(move || async move {
            match Frame::decode(frame) {
                Ok(Frame::Request(request)) => Some(self.0.reply(&request).await),
                Ok(Frame::Drop(dropped)) => {
                    self.0.drop_handle(dropped).await;
                    None
                }
                _ => {
                    self.receive(frame);
                    None
                }
            }
        }))
    }

    fn receive(&self, frame: &[u8]) {
        let rejected = &self.0.rejected;
        match Frame::decode(frame) {
            Ok(Frame::Renew(renewed)) => {
                if let Some(session) = self.0.sessions().get_mut(&renewed.session) {
                    session.expires = Instant::now() + LEASE;
                }
            }
            Ok(Frame::End(ended)) => drop(self.0.sessions().remove(&ended.session)),
            Ok(other) => rejected.count(RejectReason::Unexpected, other.kind().name()),
            Err(error) => rejected.count_frame(&error),
        }
    }

    fn admit(&self, head: &Request<'_>) -> Result<Box<dyn AdmittedCall>, LinkFailure> {
        let callee = self.0.admitted(head)?;
        let server = self.0.clone();
        Ok(Box::new(AdmittedRequest { server, callee }))
    }

    fn rejected(&self) -> &Arc<RejectedFrames> {
        &self.0.rejected
    }

    fn drop_expired(&self) {
        self.0.rejected.log();
        let now = Instant::now();
        let mut sessions = self.0.sessions();
        let expired =
            sessions.extract_if(|_, session| session.expires <= now && session.instance.is_some());
        let expired: Vec<_> = expired.collect();
        // Dropped without the lock, because the end of an instance takes long.
        drop(sessions);
        drop(expired);
    }
}

/// A call that has been admitted at its target.
struct AdmittedRequest {
    server: Arc<Server>,
    callee: Callee,
}

#[async_trait]
impl AdmittedCall for AdmittedRequest {
    fn deadline(&self) -> Instant {
        self.callee.deadline()
    }

    async fn make(self: Box<Self>, request: &Request<'_>) -> Vec<u8> {
        self.server.reply_admitted(self.callee, request).await
    }

    async fn serve_streams(
        self: Box<Self>,
        side: Arc<CallSide>,
        request: &Request<'_>,
        reply: oneshot::Sender<Answer<CallEnd>>,
    ) {
        async_calls::serve_request(self.callee, side, request, reply).await;
    }
}

impl BusySession<'_> {
    /// Puts the instance back for the next call.
    fn put_back(self, mut instance: Box<Instance>) -> KeptSession {
        instance.store.data_mut().end_request();
        let id = self.id;
        if let Some(session) = self.server.sessions().get_mut(&id) {
            session.expires = Instant::now() + LEASE;
            session.instance = Some(instance);
        }
        // The session continues, so it must not end on drop.
        std::mem::forget(self);
        kept_session(id)
    }
}

impl Drop for BusySession<'_> {
    fn drop(&mut self) {
        self.server.sessions().remove(&self.id);
    }
}

/// Calls the function that a request names.
async fn call(
    callee: &mut Callee,
    target: &Target<'_>,
    arguments: &[u8],
) -> Result<Vec<u8>, Failure> {
    callee.ready().await?;
    let exports = callee.link_exports()?;
    let Some((index, path)) = exports.find(target.interface, target.function) else {
        let (interface, function) = (target.interface, target.function);
        let reason = format!("function `{interface}.{function}` is not exported over links");
        return Err(Failure::BadRequest(reason));
    };
    serve(path, callee, index, arguments).await
}

fn kept_session(id: SessionId) -> KeptSession {
    let lease_ms = u32::try_from(LEASE.as_millis()).unwrap_or(u32::MAX);
    KeptSession { id, lease_ms }
}

fn failure_of_target(code: FailureCode, target: &Target<'_>, reason: &str) -> LinkFailure {
    LinkFailure::new(code, format!("`{}`: {reason}", target.component))
}
