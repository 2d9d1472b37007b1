//! The admin API over the bus: requests of other hosts, and of commands that connect to the bus
//! only.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use weft_control::bus_rpc::{self, Message};
use weft_membership::message::HostState;

use super::{Api, operator_routes};
use crate::Joined;
use crate::bus_return::SETTLE_TIME;

/// The most requests at once: a few operators and their scripts, and as many hosts that forward
/// requests.
const REQUESTS_MAX: usize = 64;

/// The delay before a draining host replies to discovery: a host that stays is the better choice,
/// and replies at once.
const DRAINING_WAIT: Duration = Duration::from_millis(250);

/// Serves requests until the API stops, or another process has this host's identity: requests to it
/// would be executed twice.
pub(super) async fn run(api: Arc<Api>, mesh: Joined, lattice: Arc<str>) {
    let (mut requests, mut discovery) = match mesh.control_subscriptions().await {
        Ok(subscriptions) => subscriptions,
        Err(error) => {
            tracing::error!(%error, "this host takes no commands over the bus");
            return;
        }
    };
    let permits = Arc::new(Semaphore::new(REQUESTS_MAX));
    let superseded = mesh.clone();
    let mut superseded = pin!(superseded.superseded());
    loop {
        let message = tokio::select! {
            _ = &mut superseded => return,
            message = requests.next_message() => message,
            message = discovery.next_message() => message,
            () = api.stop.cancelled() => return,
        };
        let Some(message) = message else { return };
        // A request beyond the limit gets no reply; its sender has a deadline.
        let Ok(permit) = permits.clone().try_acquire_owned() else {
            tracing::warn!("dropped a request over the bus: {REQUESTS_MAX} are in progress");
            continue;
        };
        let (task_api, mesh, lattice) = (api.clone(), mesh.clone(), lattice.clone());
        api.tasks.spawn(async move {
            answer(&task_api, &mesh, &lattice, message).await;
            drop(permit);
        });
    }
}

async fn answer(api: &Api, mesh: &Joined, lattice: &str, message: weft_bus::Message) {
    let Some(reply) = message.reply else { return };
    let answer = match Message::decode(&message.payload, lattice) {
        Ok(Message::Request(request)) => {
            let answer = api.answer_bus_rpc(request).await;
            let (found, max) = (answer.body.len(), bus_rpc::body_max(&mesh.bus()));
            Message::Answer(if found > max {
                operator_routes::too_large(found, max)
            } else {
                answer
            })
        }
        Ok(Message::Seek) => {
            if mesh.state() == HostState::Draining {
                tokio::time::sleep(DRAINING_WAIT).await;
            }
            Message::Found(mesh.me)
        }
        Ok(Message::Found(_) | Message::Answer(_)) => return,
        Err(error) => {
            tracing::debug!(%error, "rejected a malformed request over the bus");
            Message::Answer(operator_routes::malformed(&error))
        }
    };
    let Ok(bytes) = answer.encode(lattice) else {
        return;
    };
    let deadline = Instant::now() + SETTLE_TIME;
    let bus = mesh.bus();
    let sent = bus.publish_until(&reply, None, Bytes::from(bytes), deadline);
    if let Err(error) = sent.await {
        // The sender has a deadline.
        tracing::warn!(%error, "the answer to a request over the bus was not sent");
    }
}
