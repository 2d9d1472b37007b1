//! The admin API over the bus: requests of other hosts, and of commands that know the bus alone.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use weft_control::bus_rpc::{self, Message};
use weft_membership::message::HostState;

use super::{Api, operator_routes};
use crate::Joined;

/// Requests at once: a few people and their scripts, and as many hosts that pass theirs on.
const REQUESTS_MAX: usize = 64;

/// How long a host that drains waits before it says that it is there: one that stays is the better one to
/// ask, and says so at once.
const DRAINING_WAIT: Duration = Duration::from_millis(250);

/// Answers until the API stops.
pub(super) async fn run(api: Arc<Api>, mesh: Joined) {
    let (mut requests, mut discovery) = match mesh.control_subscriptions().await {
        Ok(subscriptions) => subscriptions,
        Err(error) => {
            tracing::error!(%error, "this host takes no commands over the bus");
            return;
        }
    };
    let permits = Arc::new(Semaphore::new(REQUESTS_MAX));
    loop {
        let message = tokio::select! {
            message = requests.next_message() => message,
            message = discovery.next_message() => message,
            () = api.stop.cancelled() => return,
        };
        let Some(message) = message else { return };
        // Whoever asks one too many is not answered, and has a deadline.
        let Ok(permit) = permits.clone().try_acquire_owned() else {
            tracing::warn!("a request over the bus was dropped: {REQUESTS_MAX} are being answered");
            continue;
        };
        let (task_api, mesh) = (api.clone(), mesh.clone());
        api.tasks.spawn(async move {
            answer(&task_api, &mesh, message).await;
            drop(permit);
        });
    }
}

async fn answer(api: &Api, mesh: &Joined, message: weft_bus::Message) {
    let Some(reply) = message.reply else { return };
    let answer = match Message::decode(&message.payload, &mesh.lattice) {
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
            tracing::debug!(%error, "a request over the bus was refused");
            Message::Answer(operator_routes::malformed(&error))
        }
    };
    let Ok(bytes) = answer.encode(&mesh.lattice) else {
        return;
    };
    if let Err(error) = mesh.bus().publish(&reply, None, Bytes::from(bytes)).await {
        // Whoever asked has a deadline.
        tracing::warn!(%error, "an answer to a request over the bus was not sent");
    }
}
