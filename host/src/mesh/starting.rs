//! How the tasks that make what is wanted what runs here are joined.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use weft_bus::Lane;
use weft_lattice_config::placement;
use weft_membership::message::HostCondition;
use weft_state::desired::DesiredReplica;

use super::ahead::Ahead;
use super::desired::Desired;
use super::fetching::{Fetching, Here};
use super::following::{self, Following, Told};
use super::kept::Kept;
use super::learning::Learning;
use super::peers::{Answerer, Asker};
use super::{Mesh, MeshError, Parts};

/// How many records of peers wait to be taken; whoever asked for them waits too.
const LEARNED_WAITING_MAX: usize = 64;

/// What the tasks that follow the desired state tell.
pub(super) struct Heard {
    pub(super) copy: watch::Receiver<Arc<DesiredReplica>>,
    pub(super) troubles: watch::Receiver<BTreeSet<HostCondition>>,
}

impl Mesh {
    /// Starts the tasks that make what is wanted what runs here.
    pub(super) async fn follow(
        &self,
        parts: Parts,
        desired: Desired,
        stop: &CancellationToken,
    ) -> Result<Heard, MeshError> {
        let me: placement::HostId = self.me.to_string().parse().map_err(MeshError::HostId)?;
        let (kept, copy) = Kept::read(parts.store).map_err(MeshError::Copy)?;
        let told = Told {
            copy: watch::Sender::new(Arc::new(copy.clone())),
            store_away: watch::Sender::new(false),
            wanted: watch::Sender::default(),
            troubles: watch::Sender::default(),
        };
        let heard = Heard {
            copy: told.copy.subscribe(),
            troubles: told.troubles.subscribe(),
        };
        let asker = Asker {
            bus: self.bus.lane(Lane::Calls),
            subjects: self.subjects.clone(),
            me: self.me,
            incarnation: self.incarnation,
            sequence: Arc::default(),
        };
        let (learned, to_learn) = mpsc::channel(LEARNED_WAITING_MAX);
        let here = watch::Sender::<Here>::default();
        let answerer = Answerer {
            asker: asker.clone(),
            artifacts: parts.artifacts.clone(),
            copy: told.copy.subscribe(),
            tasks: self.tasks.clone(),
        };
        let learning = Learning {
            asker: asker.clone(),
            known: self.known.clone(),
            copy: told.copy.subscribe(),
            store_away: told.store_away.subscribe(),
            learned,
        };
        let ahead = Ahead {
            me: me.clone(),
            known: self.known.clone(),
            copy: told.copy.subscribe(),
            here: here.subscribe(),
            controller: parts.controller.clone(),
            builder: parts.builder,
            artifacts: parts.artifacts.clone(),
            local_stores: parts.local_stores.clone(),
        };
        let following = Following::new(following::Parts {
            records: desired.records,
            known: self.known.clone(),
            me,
            controller: parts.controller,
            kept,
            copy,
            local_stores: parts.local_stores,
            events: self.events.clone(),
            learned: to_learn,
            here: here.subscribe(),
            told,
        });
        let fetching = Fetching {
            objects: desired.objects,
            artifacts: parts.artifacts,
            known: self.known.clone(),
            store_away: learning.store_away.clone(),
            wanted: following.wanted_bytes(),
            asker,
            here,
        };
        let questions = self.bus.lane(Lane::Calls);
        let questions = questions.subscribe(&self.subjects.questions).await;
        self.tasks.spawn(answerer.run(questions, stop.clone()));
        self.tasks.spawn(learning.run(stop.clone()));
        self.tasks.spawn(fetching.run(stop.clone()));
        self.tasks.spawn(ahead.run(stop.clone()));
        self.tasks.spawn(following.run(stop.clone()));
        Ok(heard)
    }
}
