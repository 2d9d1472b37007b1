//! The servers of calls, channels and claim checks of this host, for one incarnation of its process
//! after another.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use weft_bus::Bus;
use weft_ingress::ForwardedRequests;
use weft_ingress::forwarded::FindHandler;
use weft_link::CallServer;

use crate::bus_channel::BusChannels;
use crate::call_server::CallListener;
use crate::claim_check::{self, ClaimChecks};
use crate::host_tasks::HostTasks;
use crate::running_calls::RunningCalls;
use crate::stream_server::StreamServer;
use crate::subjects::Subjects;

/// Starts the servers of an incarnation.
pub(super) struct CallServers {
    pub(super) bus: Bus,
    pub(super) subjects: Subjects,
    pub(super) server: Arc<dyn CallServer>,
    pub(super) find: FindHandler,
    pub(super) claim_checks: ClaimChecks,
    pub(super) channels: BusChannels,
    /// Of all incarnations: a caller cancels a call by its number.
    pub(super) running: Arc<RunningCalls>,
    pub(super) tasks: HostTasks,
}

impl CallServers {
    /// Subscribes to the calls of an incarnation, and serves them until `stop`.
    pub(super) async fn start(&self, incarnation: u64, stop: &CancellationToken) {
        let patterns = match self.subjects.of_process(incarnation) {
            Ok(patterns) => patterns,
            // Subjects have room for any number, as the start of the host has checked.
            Err(error) => return tracing::error!(%error, "this host takes no calls"),
        };
        let fetches = self.bus.subscribe(&patterns.claims).await;
        let store = self.claim_checks.store.clone();
        let rejected = self.server.rejected().clone();
        let claim_server = claim_check::serve(fetches, self.bus.clone(), store, rejected);
        let token = stop.clone();
        self.tasks.spawn(async move {
            token.run_until_cancelled(claim_server).await;
        });
        let call_listener = CallListener {
            bus: self.bus.clone(),
            server: self.server.clone(),
            claim_checks: self.claim_checks.clone(),
            running: self.running.clone(),
            tasks: self.tasks.clone(),
        };
        let calls = self.bus.subscribe(&patterns.calls).await;
        self.tasks.spawn(call_listener.run(calls, stop.clone()));
        self.tasks.spawn(self.channels.serve(
            self.channels.subscribe(&patterns).await,
            StreamServer {
                server: self.server.clone(),
                http: ForwardedRequests {
                    find: self.find.clone(),
                    tasks: self.tasks.tracker().clone(),
                },
                claim_checks: self.claim_checks.clone(),
            },
            stop.clone(),
        ));
    }
}
