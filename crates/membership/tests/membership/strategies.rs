//! Strategies for messages.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use weft_membership::HostId;
use weft_membership::message::{
    ComponentId, Contents, Failure, Heartbeat, HostCondition, HostState, HostedComponent,
    Inventory, InventoryHash, InventoryRequest, Labels, Load, Message, Origin, Readiness, Revision,
    StoreId,
};

const NAME: &str = "[a-z]([a-z0-9-]{0,6}[a-z0-9])?";
const LABEL: &str = "[A-Za-z0-9_./-]{1,8}";

pub(crate) fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        any_heartbeat().prop_map(Message::Heartbeat),
        (any_origin(), any_contents()).prop_map(|(origin, contents)| {
            let contents = Arc::new(contents);
            Message::Inventory(Inventory { origin, contents })
        }),
        any_origin().prop_map(|origin| Message::InventoryRequest(InventoryRequest { origin })),
    ]
}

pub(crate) fn any_authenticator() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..80)
}

fn any_heartbeat() -> impl Strategy<Value = Heartbeat> {
    let state = prop::sample::select(HostState::ALL.to_vec());
    let load = any::<(u32, u32)>();
    let parts = (any_origin(), any::<u64>(), state, load, any::<[u8; 16]>());
    parts.prop_map(
        |(origin, sent_ms, state, (running, limit), hash)| Heartbeat {
            origin,
            sent_ms,
            state,
            load: Load { running, limit },
            inventory: InventoryHash::from_bytes(hash),
        },
    )
}

fn any_origin() -> impl Strategy<Value = Origin> {
    any::<([u8; 32], u64, u64)>().prop_map(|(key, incarnation, sequence)| Origin {
        host: HostId::from_key(key),
        incarnation,
        sequence,
    })
}

pub(crate) fn any_contents() -> impl Strategy<Value = Contents> {
    let labels = vec((LABEL, LABEL), 0..5);
    let stores = vec((NAME, NAME), 0..4);
    let components = vec(any_hosted(), 0..12);
    let failures = vec(any_failure(), 0..4);
    let conditions =
        prop::sample::subsequence(HostCondition::ALL.to_vec(), 0..=HostCondition::ALL.len());
    let problems = (failures, conditions);
    let parts = (
        "[a-z0-9-]{0,9}",
        "[0-9.]{0,9}",
        labels,
        option::of(any::<u64>()),
        stores,
        components,
        problems,
    );
    parts.prop_map(
        |(name, release, pairs, capacity, stores, components, problems)| {
            let (failures, conditions) = problems;
            let mut labels = Labels::default();
            for (name, value) in &pairs {
                labels.set(name, value).expect("valid label");
            }
            let stores = stores.into_iter().map(|(app, provider)| StoreId {
                app: app.parse().expect("valid name"),
                provider: provider.parse().expect("valid name"),
            });
            let contents = Contents {
                name,
                release,
                labels,
                capacity,
                stores: stores.collect(),
                components,
                failures,
                conditions,
            };
            contents.sorted()
        },
    )
}

fn any_failure() -> impl Strategy<Value = Failure> {
    let parts = (NAME, any::<u64>(), ".{0,20}");
    parts.prop_map(|(app, revision, reason)| Failure {
        app: app.parse().expect("valid name"),
        revision: Revision(revision),
        reason,
    })
}

fn any_hosted() -> impl Strategy<Value = HostedComponent> {
    let readiness = prop::sample::select(Readiness::ALL.to_vec());
    let parts = (NAME, NAME, any::<u64>(), readiness);
    parts.prop_map(|(app, component, revision, readiness)| HostedComponent {
        component: ComponentId {
            app: app.parse().expect("valid name"),
            component: component.parse().expect("valid name"),
        },
        revision: Revision(revision),
        readiness,
    })
}
