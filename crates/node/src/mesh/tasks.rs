//! The tasks of a host in a lattice, and the channels between them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use weft_bus::Lane;
use weft_ingress::forwarded::FindHandler;
use weft_lattice_config::placement;
use weft_link::CallServer;
use weft_membership::message::HostCondition;
use weft_state::desired::DesiredReplica;
use weft_state::desired::record_codec::DecodedRecord;
use weft_state::objects::Objects;

use super::{Mesh, MeshError, Parts};
use crate::artifact_fetcher::{ArtifactFetcher, LocalArtifacts};
use crate::call_servers::CallServers;
use crate::collector::{Collector, CollectorHandle, Needs};
use crate::health_probe::HealthProbe;
use crate::incarnation::IncarnationTask;
use crate::lattice_stores::LatticeStores;
use crate::peer_rpc::{PeerClient, PeerServer};
use crate::peer_sync::PeerSync;
use crate::precompile::Precompiler;
use crate::reconciler::{self, Decision, Reconciler, ReconcilerOutput};
use crate::replica_file::ReplicaFile;
use crate::route_publisher::Extent;

/// The most records of peers that wait for the reconciler; then the peer sync waits.
const PEER_RECORDS_QUEUED_MAX: usize = 64;

/// The published state of the reconciliation tasks.
pub(super) struct TaskOutputs {
    pub(super) replica: watch::Receiver<Arc<DesiredReplica>>,
    pub(super) conditions: watch::Receiver<BTreeSet<HostCondition>>,
    pub(super) decision: watch::Receiver<Arc<Decision>>,
    pub(super) has_reconciled: watch::Receiver<bool>,
    pub(super) has_started: watch::Receiver<bool>,
    pub(super) collector: CollectorHandle,
}

impl Mesh {
    /// Spawns the servers of calls, channels and claim checks, the task that renews the
    /// incarnation, and the health probe.
    pub(super) async fn spawn_call_tasks(
        &mut self,
        server: Arc<dyn CallServer>,
        find: FindHandler,
        stop: &CancellationToken,
    ) {
        let bus = self.bus.lane(Lane::Calls);
        let call_servers = CallServers {
            bus: bus.clone(),
            subjects: self.subjects.clone(),
            server,
            find,
            claim_checks: self.claim_checks.clone(),
            channels: self.channels.clone(),
            running: Arc::default(),
            tasks: self.tasks.for_guests(),
        };
        let (serving, current) = (stop.child_token(), self.membership_task.incarnation());
        call_servers.start(*current.borrow(), &serving).await;
        let incarnation_task = IncarnationTask {
            outdated_by: self.membership_task.outdated_by(),
            current,
            store: self.store_incarnation.clone(),
            call_servers,
            serving,
            tasks: self.tasks.clone(),
            environment: self.environment.clone(),
        };
        self.tasks.spawn(incarnation_task.run(stop.clone()));
        let health_probe = HealthProbe {
            bus,
            subjects: self.subjects.clone(),
            clock: self.membership_task.clock(),
            environment: self.environment.clone(),
            tasks: self.tasks.clone(),
        };
        let probes = self.membership_task.probes();
        self.tasks.spawn(health_probe.run(probes, stop.clone()));
    }

    /// Spawns and connects the reconciliation tasks.
    pub(super) async fn spawn_tasks(
        &self,
        parts: Parts,
        stores: LatticeStores,
        stop: &CancellationToken,
    ) -> Result<TaskOutputs, MeshError> {
        let me: placement::HostId = self.me.to_string().parse().map_err(MeshError::HostId)?;
        let (replica_file, replica) =
            ReplicaFile::read(parts.store.clone()).map_err(MeshError::Replica)?;
        // Before the HTTP server listens: a component that is not here yet is elsewhere.
        let routes = parts.controller.route_publisher();
        routes.set_desired(replica.apps(), BTreeMap::new(), Extent::Copy);
        let output = ReconcilerOutput {
            replica: watch::Sender::new(Arc::new(replica.clone())),
            is_bucket_unavailable: watch::Sender::new(false),
            needed_artifacts: watch::Sender::default(),
            conditions: watch::Sender::default(),
            decision: watch::Sender::default(),
            has_reconciled: watch::Sender::new(false),
            has_started: watch::Sender::new(false),
            is_caught_up: watch::Sender::new(false),
            unplaceable: self.unplaceable.clone(),
        };
        let (peer_records, received_records) = mpsc::channel(PEER_RECORDS_QUEUED_MAX);
        let local_artifacts = watch::Sender::<LocalArtifacts>::default();
        let received_artifacts = local_artifacts.subscribe();
        let collector = Collector {
            needs: Needs {
                replica: output.replica.subscribe(),
                is_caught_up: output.is_caught_up.subscribe(),
                membership: self.membership.clone(),
                controller: parts.controller.clone(),
            },
            runtime: parts.runtime.clone(),
            artifacts: parts.artifacts.clone(),
            local_artifacts: local_artifacts.clone(),
            objects: stores.objects.clone(),
            disk_use: watch::Sender::default(),
            seed: self.environment.seed(),
        };
        let (handle, requests) = CollectorHandle::new(&collector.disk_use);
        self.tasks.spawn(collector.run(requests, stop.clone()));
        let outputs = TaskOutputs {
            collector: handle,
            replica: output.replica.subscribe(),
            conditions: output.conditions.subscribe(),
            decision: output.decision.subscribe(),
            has_reconciled: output.has_reconciled.subscribe(),
            has_started: output.has_started.subscribe(),
        };
        if let Some(objects) = stores.objects {
            let channels = (peer_records, local_artifacts);
            self.spawn_peer_tasks(&parts, &me, objects, &output, channels, stop)
                .await;
        }
        // Before the first provider starts.
        parts.controller.store_marks().connect(
            stores.records.clone(),
            output.replica.subscribe(),
            self.environment.clone(),
        );
        let reconciler = Reconciler::new(reconciler::Parts {
            records: stores.records,
            membership: self.membership.clone(),
            bus: self.bus.status(),
            last_tick: self.membership_task.last_tick(),
            me,
            controller: parts.controller,
            replica_file,
            replica,
            local_stores: parts.local_stores,
            events: self.events.clone(),
            peer_records: received_records,
            local_artifacts: received_artifacts,
            output,
        });
        self.tasks.spawn(reconciler.run(stop.clone()));
        Ok(outputs)
    }

    /// Spawns the tasks that exchange records and artifacts with other hosts, and prepare for their
    /// loss.
    async fn spawn_peer_tasks(
        &self,
        parts: &Parts,
        me: &placement::HostId,
        objects: Objects,
        output: &ReconcilerOutput,
        (peer_records, local_artifacts): (
            mpsc::Sender<DecodedRecord>,
            watch::Sender<LocalArtifacts>,
        ),
        stop: &CancellationToken,
    ) {
        let peer_client = PeerClient {
            bus: self.bus.lane(Lane::Calls),
            subjects: self.subjects.clone(),
            me: self.me,
            sequence: Arc::default(),
        };
        let peer_server = PeerServer {
            client: peer_client.clone(),
            artifacts: parts.artifacts.clone(),
            replica: output.replica.subscribe(),
            tasks: self.tasks.clone(),
        };
        let peer_sync = PeerSync {
            peer_client: peer_client.clone(),
            membership: self.membership.clone(),
            replica: output.replica.subscribe(),
            is_bucket_unavailable: output.is_bucket_unavailable.subscribe(),
            records: peer_records,
            seed: self.environment.seed(),
        };
        let precompiler = Precompiler {
            me: me.clone(),
            membership: self.membership.clone(),
            replica: output.replica.subscribe(),
            local_artifacts: local_artifacts.subscribe(),
            controller: parts.controller.clone(),
            runtime: parts.runtime.clone(),
            artifacts: parts.artifacts.clone(),
            local_stores: parts.local_stores.clone(),
        };
        let artifact_fetcher = ArtifactFetcher {
            objects,
            artifacts: parts.artifacts.clone(),
            membership: self.membership.clone(),
            is_bucket_unavailable: peer_sync.is_bucket_unavailable.clone(),
            needed: output.needed_artifacts.subscribe(),
            peer_client,
            local: local_artifacts,
        };
        let requests = self.bus.lane(Lane::Calls);
        let requests = requests.subscribe(&self.subjects.peer_requests).await;
        self.tasks.spawn(peer_server.run(requests, stop.clone()));
        self.tasks.spawn(peer_sync.run(stop.clone()));
        self.tasks.spawn(artifact_fetcher.run(stop.clone()));
        if parts.runtime.prepares_ahead() {
            self.tasks.spawn(precompiler.run(stop.clone()));
        }
    }
}
